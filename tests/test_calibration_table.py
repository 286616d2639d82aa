"""Probabilities of arms: activity by closed forms, readings by hand, and slopes by two ways of differentiation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from cutis.calibration.psoriasis.cohort import participants, pool
from cutis.calibration.psoriasis.evidence.targets import Relapse, TimeCourse
from cutis.calibration.psoriasis.readings import GRID
from cutis.calibration.psoriasis.simulate import Scenario, activity, gather
from cutis.calibration.psoriasis.table import LADDER, build, followed

from .smalltrials import DRUGS, NUMBERS, SIZE, VECTOR, arm, courses, curves, table, theta, trial, trials

START = VECTOR.vector(NUMBERS)
EFFECTS = np.array([0.1, -0.2, 0.05])


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def improvement(effect, week):
    """Logarithm of plaque activity under placebo, (people,): exponential amounts of either sign, set in over time."""
    chance = ndtr(pool(SIZE).luck["placebo"])
    better, rate = NUMBERS["placebo.improving"], NUMBERS["placebo.rate"]
    size = np.where(
        chance > 1 - better,
        -NUMBERS["placebo.size"] * np.log((1 - chance) / better),
        NUMBERS["placebo.worsening"] * np.log(chance / (1 - better)),
    )
    return -(size + effect) * (1 - np.exp(-7 * week * rate))


def followed_arms(*names, weeks=12):
    """Activity of arms of the first three made-up drugs or placebo."""
    of = trials()[0]
    scenarios = [Scenario(of, arm(name), participants(of, arm(name), SIZE)) for name in names]
    arms = gather(scenarios, weeks, SIZE, theta())
    return np.asarray(activity(arms, weeks, theta(), jnp.linspace(0, 0.3, len(names))))


def share(logs, outcome):
    """Share with a response at week 12, by hand."""
    reached = np.interp(logs, GRID, curves()[outcome])
    return np.exp(-NUMBERS["trial.attrition"] * 12) * reached.mean()


def test_without_drug_the_plaque_stays_as_it_is_but_for_placebo():
    seen = followed_arms("placebo", "placebo")
    assert seen.shape == (11, 2, SIZE)
    for week in (2, 5, 12):
        for number, effect in enumerate((0.0, 0.3)):
            np.testing.assert_allclose(seen[week - 2, number], improvement(effect, week), atol=1e-10)


def test_drugs_clear_plaques_and_arms_do_not_act_on_one_another():
    placebo, drug = np.moveaxis(followed_arms("placebo", "guselkumab"), 1, 0)
    assert drug[-1].mean() < placebo[-1].mean() - 0.5
    alone = followed_arms("guselkumab")[:, 0]
    shift = -0.3 * (1 - np.exp(-NUMBERS["placebo.rate"] * 7 * np.arange(2, 13)))[:, None]
    np.testing.assert_allclose(drug, alone + shift, atol=1e-10)


def test_a_placebo_arms_probabilities_are_those_by_hand():
    value = table().values(START, EFFECTS)
    for number, of in enumerate(table().trials):
        logs = improvement(EFFECTS[number], 12)
        for outcome in LADDER[:3]:
            at = table().place[of, "placebo", outcome, 12]
            assert value[at] == pytest.approx(share(logs, outcome), abs=1e-10)


def test_a_response_that_is_harder_to_reach_is_rarer():
    value = table().values(START, EFFECTS)
    for of in trials():
        for a in of.arms:
            ladder = [value[table().place[of.key, a.name, outcome, 12]] for outcome in LADDER[:3]]
            assert 0 < ladder[2] < ladder[1] < ladder[0] < 1


def test_slopes_by_differences_are_those_of_differentiation():
    by_differences, exact = (table().slopes(START, EFFECTS, exact=exact) for exact in (False, True))
    for one, other in zip(by_differences, exact, strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())


def test_slopes_are_by_parameter_by_the_entrys_own_drug_and_by_its_own_trial():
    slopes = table().slopes(START, EFFECTS)
    for place, label in enumerate(VECTOR.labels):
        change = np.zeros(VECTOR.size)
        change[place] = 1e-6
        up, down = (table().values(START + sign * change, EFFECTS) for sign in (1, -1))
        drug = place - len(VECTOR.names)
        of_drug = np.array([e.arm == DRUGS[drug] for e in table().entries])
        expected = slopes.model[place] if drug < 0 else np.where(of_drug, slopes.drug, 0.0)
        np.testing.assert_allclose((up - down) / 2e-6, expected, atol=1e-7, err_msg=label)
    for number in range(3):
        change = np.zeros(3)
        change[number] = 1e-6
        up, down = (table().values(START, EFFECTS + sign * change) for sign in (1, -1))
        own = table().of_trial == number
        np.testing.assert_allclose((up - down) / 2e-6, np.where(own, slopes.trial, 0.0), atol=1e-7)
    placebo = np.array([e.arm == "placebo" for e in table().entries])
    assert (slopes.drug[placebo] == 0).all()
    assert (slopes.drug[~placebo] < 0).all()  # who needs more responds less
    assert (slopes.trial > 0).all()


def test_weeks_that_are_not_followed_are_no_entries():
    weeks = tuple(sorted({e.week for e in built(trials((1, 2, 12, 56))[:1]).entries}))
    assert weeks == (2, 12)


def test_light_topicals_and_two_drugs_at_once_are_not_followed():
    both = replace(arm("adalimumab"), courses=courses("adalimumab") + courses("guselkumab"))
    light = replace(courses("adalimumab")[0], treatment="nb_uvb")
    foam = replace(light, treatment="calcipotriol_betamethasone")
    assert [followed(replace(both, courses=c)) for c in ((light,), (foam,), ())] == [False, False, True]
    assert not followed(both)
    assert followed(arm("adalimumab"))
    found = built((trial("t", arm("placebo"), both, replace(both, courses=(foam,), name="foam")),))
    assert {e.arm for e in found.entries} == {"placebo"}


def test_relapse_is_looked_at_in_those_who_had_responded():
    weeks = {16: 80.0, 20: 50.0}
    told = {"treatment": "adalimumab", "courses": courses("adalimumab"), "stopped": 10, "at": 12, "n": None}
    relapse = Relapse(
        "r", "measured", "", "", **told, among="pasi75", loss="half_improvement", median_days=56.0, range_days=None,
        kept=weeks,
    )  # fmt: skip
    of_all = replace(relapse, key="all", among="all", loss="pasi75", kept={20: 50.0}, median_days=None)
    of_all_left = replace(of_all, key="all, left", nonresponse=True)
    left = replace(relapse, key="left", kept={20: 50.0}, median_days=None, nonresponse=True)
    found = built((), relapses=(relapse, of_all, of_all_left, left))
    assert [(e.key, e.outcome, e.week) for e in found.entries] == [
        ("r", "pasi50", 16), ("r", "pasi50", 20), ("r", "pasi50", 18), ("all", "pasi75", 20),
        ("all, left", "pasi75", 20), ("left", "pasi50", 20),
    ]  # fmt: skip
    group = found.groups[0]
    seen = np.asarray(activity(group.arms, group.weeks, theta(), jnp.zeros(4)))[:, 0]
    observed = np.interp(seen[10], GRID, curves()["pasi75"])
    value = found.values(START, np.zeros(0))
    for place, week in ((0, 16), (1, 20), (2, 18)):
        reached = np.interp(seen[week - 2], GRID, curves()["pasi50"])
        assert value[place] == pytest.approx((reached * observed).mean() / observed.mean(), abs=1e-10)
    everyone = np.interp(seen[18], GRID, curves()["pasi75"]).mean()
    assert value[3] == pytest.approx(everyone, abs=1e-10)
    # those who left since the response was looked at (week 12) count as relapsed where the trial counted them so
    stayed = np.exp(-NUMBERS["trial.attrition"] * 8)
    assert value[4] == pytest.approx(stayed * everyone, abs=1e-10)
    assert value[5] == pytest.approx(stayed * value[1], abs=1e-10)


def test_courses_of_a_meta_analysis_are_followed_in_typical_people_and_belong_to_no_trial():
    course = TimeCourse("c", "measured", "", "", courses("guselkumab"), {"pasi75": {12: 80.0}, "pasi90": {12: 60.0}})
    found = built((), (course,))
    assert [(e.kind, e.key, e.outcome, e.week, e.trial) for e in found.entries] == [
        ("course", "c", "pasi75", 12, -1), ("course", "c", "pasi90", 12, -1),
    ]  # fmt: skip
    slopes = found.slopes(START, np.zeros(0))
    assert (slopes.trial == 0).all()
    assert (slopes.drug < 0).all()


def built(of, timecourses=(), relapses=()):
    return build(of, timecourses, relapses, VECTOR, theta(), curves(), SIZE)
