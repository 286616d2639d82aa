"""Facts beside the trials' arms: how they are judged, and twins followed as the trial runner follows them."""

import math

import numpy as np
import pandas as pd
import pytest

from cutis.calibration.acne import (
    checks,
    enrolled,
    facts_biology,
    facts_lesions,
    facts_relapse,
    facts_skin,
    facts_trials,
    follow,
)
from cutis.calibration.acne.evidence.arms import arms
from cutis.calibration.acne.evidence.regimens import read_acne_courses
from cutis.calibration.acne.evidence.targets import changes, hazards, maintenance, relapses, separations
from cutis.calibration.acne.evidence.targets import checks as published
from cutis.calibration.acne.found import COLUMNS, Found, at_least, at_most, between, frame, largest_fall, near
from cutis.calibration.report.frames import COLUMNS as REPORTED
from cutis.core.acne.disease import ACNE
from cutis.core.acne.treatments import SITES

PEOPLE = 64
NUMBERS = ACNE.parameters.numbers()
FACT = {"group": "g", "about": "a", "unit": "1", "status": "measured", "source": "somebody"}


@pytest.fixture(scope="module")
def stage():
    return follow.scene(NUMBERS, PEOPLE)


def regimen(*courses):
    return read_acne_courses({"regimen": list(courses)}, "test")


def daily(treatment, dose, until, **more):
    return {"treatment": treatment, "dose": dose, "times_a_day": 1, "weeks": [0], "until": until, **more}


def found(check="one", predicted=1.0, **limits):
    return Found(check, **FACT, predicted=predicted, **(limits or near(1.0, 0.1)))


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        (near(-90.0, 10), (-100.0, -80.0), (-101.0, -79.0, math.nan)),
        (between(15.0, 20.0, 1.0), (14.0, 21.0), (13.9, 21.1)),
        (at_most(0.9), (-5.0, 0.9), (0.91, math.inf)),
        (at_least(2.0), (2.0, math.inf), (1.9, math.nan)),
    ],
)
def test_a_fact_is_met_within_its_limits_and_never_by_what_is_no_number(limits, inside, outside):
    assert all(found(predicted=value, **limits).met for value in inside)
    assert not any(found(predicted=value, **limits).met for value in outside)


def test_the_table_has_what_the_report_asks_for_and_no_fact_twice():
    table = frame([found(), found("other", 2.0)])
    assert list(table.columns) == list(COLUMNS)
    assert set(REPORTED["checks"]) <= set(COLUMNS)
    assert table.met.tolist() == [True, False]
    with pytest.raises(ValueError, match="told twice: one"):
        frame([found(), found()])


def test_the_largest_fall_of_some_people_is_the_mean_of_lowest_order_statistics():
    drawn = np.random.default_rng(1).normal(size=200)
    assert largest_fall(drawn, 1) == pytest.approx(drawn.mean())
    lowest = np.random.default_rng(2).choice(drawn, (20_000, 11)).min(1)
    error = lowest.std() / np.sqrt(len(lowest))
    assert largest_fall(drawn, 11) == pytest.approx(lowest.mean(), abs=4.5 * error)


def test_where_lesions_are_halved_is_found_by_straight_lines():
    assert facts_biology.crossing([0, 30, 50], [0.0, -40.0, -60.0], -50.0) == pytest.approx(40.0)
    assert facts_biology.crossing([0, 10], [0.0, -20.0], -50.0) == math.inf
    assert facts_biology.crossing([0, 10], [-60.0, -80.0], -50.0) == 0


def test_half_of_an_improvement_is_kept_by_those_who_had_one():
    before, stopped = np.array([100.0, 100, 100, 100]), np.array([40.0, 40, 40, 90])
    after = np.array([70.0, 71, 30, 90])  # half is kept, lost by one lesion, got better; never had half
    assert facts_lesions.keeping(before, stopped, after) == pytest.approx(2 / 3)
    assert math.isnan(facts_lesions.keeping(before[3:], stopped[3:], after[3:]))


def test_a_swing_is_that_of_weekly_means_wherever_its_peak_is():
    day = np.arange(28)[:, None]
    sizes = np.array([1.0, 30.0, 30.0])
    wave = sizes * (1 + 0.2 * np.cos(2 * np.pi * (day - np.array([0.0, 3.0, 20.0])) / 28))
    mean = np.sin(np.pi / 4) / (7 * np.sin(np.pi / 28))  # of a wave over a week
    assert facts_lesions.swing(wave) == pytest.approx((1 + 0.2 * mean) / (1 - 0.2 * mean), rel=1e-3)
    assert facts_lesions.swing(np.ones((28, 5))) == 1


def test_the_spread_between_trials_is_that_of_their_effects_and_of_chance():
    weights = np.array([1, 4, 1]) / 6  # of three nodes
    chance = 900.0 / facts_trials.number("trials.people")
    assert facts_trials.together([np.full(3, 5.0)], weights, 900.0) == pytest.approx(math.sqrt(chance))
    steep = [size * math.sqrt(3) * np.arange(-1, 2) for size in (2.0, 1.0)]
    assert facts_trials.together(steep, weights, 900.0) == pytest.approx(math.sqrt(4 + 1 + chance))


def test_marks_fade_as_their_two_pools():
    numbers = {"marks.slow": 0.25, "marks.fast_fading": math.log(2) / 182.625, "marks.slow_fading": math.log(2) / 1461}
    assert facts_skin.lasting(numbers, 0) == 1
    assert facts_skin.lasting(numbers, 4) == pytest.approx(0.75 / 2**8 + 0.25 / 2)


def test_trials_tell_of_either_strength_of_adapalene_by_itself():
    assert len(facts_lesions.trials_tell("tretinoin")) >= 2
    weak, strong = (facts_lesions.trials_tell(name) for name in ("adapalene", "adapalene_03"))
    assert weak
    assert strong
    assert not {value for value, _ in weak} & {value for value, _ in strong}
    assert facts_lesions.trials_tell("azelaic_acid") == []


def test_an_untreated_face_stays_as_it_is_but_for_the_cycle(stage):
    men = stage.crowd({"male": {"one_of": [True]}})
    seen = stage.on(men, follow.nothing(men, 5))
    np.testing.assert_allclose(seen.lesions("total"), np.broadcast_to(seen.lesions("total")[0], (6, PEOPLE)), rtol=1e-9)
    assert seen.days.tolist() == [0, 7, 14, 21, 28, 35]
    assert seen.change("inflammatory", 5) == pytest.approx(0, abs=1e-7)
    assert (seen.states["X"][-1] > 0).all()


def test_criteria_act_on_what_is_counted_and_on_who_people_are(stage):
    rules = {"inflammatory": {"min": 30, "max": 40}, "age": {"min": 18, "max": 20}, "male": {"one_of": [False]}}
    crowd = stage.crowd(rules)
    age = np.floor(np.asarray(crowd.twins["age"]))
    assert crowd.size == PEOPLE
    assert age.min() >= 18
    assert age.max() <= 20
    assert not np.asarray(crowd.twins["male"]).any()
    lesions = np.asarray(crowd.twins["inflammatory"])
    assert 10 < lesions.min() < lesions.max() < 80
    assert not ((lesions >= 30) & (lesions <= 40)).all()  # what a twin has is not what is counted
    with pytest.raises(ValueError, match="nobody of 4096 candidates"):
        stage.crowd({"age": {"min": 80}})
    with pytest.raises(ValueError, match="no criterion height"):
        stage.crowd({"height": {"min": 1}})
    with pytest.raises(ValueError, match="no criterion age"):
        stage.crowd({"age": {"least": 12}})


def test_what_cannot_be_followed_is_told(stage):
    crowd = stage.crowd({})
    many = [
        daily(name, "1 application", 2, strength=1) for name in ("adapalene", "clindamycin", "dapsone", "tretinoin")
    ]
    with pytest.raises(ValueError, match="at most 3 treatments"):
        follow.plan(regimen(*many), crowd, 2)
    with pytest.raises(ValueError, match="people must divide 4096"):
        follow.scene(NUMBERS, 100)
    with pytest.raises(ValueError, match="numbers of the model are missing"):
        follow.scene({"model.resistant": 1.0}, PEOPLE)
    with pytest.raises(ValueError, match="day 49 was not looked at"):
        stage.on(crowd, follow.nothing(crowd, 4)).change("total", 7)


def test_a_drug_settles_where_its_pharmacokinetics_says(stage):
    """Sebum under so steady a dose that receptors, androgen and glands have settled; from the model's own equation."""
    crowd = stage.crowd(enrolled.USUAL)
    plan = follow.plan(regimen(daily("isotretinoin", "0.5 mg/kg", 12)), crowd, 12)
    still = {"model.gland_loss": 0.0, "model.follicle_loss": 0.0}
    seen = stage.on(crowd, plan, supervised=True, numbers=still)
    slot = seen.person.slots[0]
    concentration = 0.5 * np.asarray(crowd.twins["weight"]) / np.asarray(slot.clearance)
    half = np.asarray(slot.half_maximal)[SITES.index("isotretinoin")]
    effect = NUMBERS["isotretinoin.isotretinoin"] * concentration / (concentration + half)
    assert half.shape == (PEOPLE,)
    np.testing.assert_allclose(seen.states["G"][-1], 1 - effect, atol=0.004)  # e^-6 of the fall is still to come
    assert (seen.share == 1).all()


def test_people_skip_doses_unless_they_are_supervised(stage):
    courses = regimen(daily("tretinoin", "1 application", 4, strength=0.05))
    free, kept = (stage.follow(courses, 4, enrolled.USUAL, supervised=how) for how in (False, True))
    assert (kept.share == 1).all()
    assert 0.6 < free.share.mean() < 0.9
    assert (free.share[-1] < free.share[0]).all()  # irritation keeps people from it
    assert stage.follow(courses, 4, enrolled.USUAL) is free
    assert stage.follow(courses, 4, enrolled.USUAL, numbers={"tretinoin.comedolysis": 0.0}) is not free


def test_sessions_destroy_glands_at_once_and_for_long(stage):
    courses = regimen({"treatment": "laser_1726", "dose": "1 session", "weeks": [0, 3]})
    seen = stage.follow(courses, 6, enrolled.USUAL, numbers={"model.gland_regrowth": 0.0, "laser_1726.gland": 0.3})
    left = -np.log(seen.states["Z"])
    each = 0.3 / np.asarray(seen.person.slots[0].half_maximal)[SITES.index("gland")]
    np.testing.assert_allclose(left[6], 2 * each, rtol=0.01)
    np.testing.assert_allclose(left[3], each, rtol=0.01)


def test_visits_are_whole_counts_and_the_same_when_asked_again(stage):
    seen = stage.follow(regimen(daily("vehicle", "1 application", 4)), 4, enrolled.USUAL)
    first, again = seen.visit(4), seen.visit(4)
    assert (first["total"] == np.round(first["total"])).all()
    assert all((first[name] == again[name]).all() for name in first)
    percent = facts_trials.outcome(seen, "total_percent", 4)
    assert percent.mean() == pytest.approx(
        100 * np.mean((first["total"] - seen.visit(0)["total"]) / seen.visit(0)["total"])
    )


def test_arms_that_are_alike_never_part(stage):
    trial = next(trial for trial in arms() if trial.key == "gollnick_2009")
    arm = trial.arms[0]
    seen = stage.follow(arm.courses, facts_trials.WEEK, trial.entry)
    assert facts_trials.parting(seen, seen, arm, arm, "total_percent") == math.inf


@pytest.fixture(scope="module")
def table():
    told = []
    return checks.checks(NUMBERS, PEOPLE, told.append), told


def test_every_published_fact_is_in_the_table_once_and_told_in_full(table):
    rows, said = table
    weeks = {c.key if len(c.change) == 1 else f"{c.key}_{w}" for c in changes() for w in c.change}
    singles = {c.key for c in published()} - {"flare_papules_before", "flare_papules_after"}
    others = {f.key for f in (*relapses(), *hazards())} | {f"maintenance_{f.key}" for f in maintenance()}
    assert weeks | singles | others | {f"parting_{s.key}" for s in separations()} <= set(rows.check)
    assert rows.check.is_unique
    assert list(said[1:]) == list(checks.PARTS)
    for name in ("about", "unit", "rule", "source"):
        assert rows[name].astype(bool).all(), name
    assert set(rows.status) == {"measured", "assumed"}
    assert (rows.low <= rows.high).all()
    assert (rows.observed_low <= rows.observed_high).all()


def test_what_the_model_cannot_answer_says_why_and_is_not_met(table):
    rows, _ = table
    silent = rows[~rows.answered]
    assert set(silent.check) == {
        *("flare_reported", "resistant_doxycycline", "resistant_clindamycin", "adherence_electronic"),
    }
    assert silent.predicted.isna().all()
    assert not silent.met.any()
    assert rows[rows.answered].predicted.notna().all()


def test_met_is_what_the_limits_say(table):
    rows, _ = table
    inside = (rows.predicted >= rows.low) & (rows.predicted <= rows.high)
    assert (inside == rows.met).all()


def test_facts_come_out_as_mechanism_demands_whatever_the_estimates(table):
    rows = table[0].set_index("check").predicted
    alone = [rows[f"sebum_alone_{fall}"] for fall in facts_biology.ASKED]
    assert 0 > alone[0] > alone[1] > alone[2] > -100
    assert -100 < rows["sebum_isotretinoin"] < -50
    assert rows["bacteria_benzoyl_peroxide_1"] > rows["bacteria_benzoyl_peroxide_3"]
    assert rows["resistance_doxycycline_100"] > rows["resistance_doxycycline_20"] > -1
    assert rows["flare_inflammatory"] > rows["flare_comedones"] > 1
    assert rows["maintenance_adapalene"] >= rows["maintenance_vehicle"]
    assert rows["irritation_worst"] >= rows["irritation_final"]
    assert 0 < rows["isotretinoin_claims_again"] < rows["isotretinoin_claims"] < 100
    assert pd.notna(rows["sebum_a_year_after"])


def test_calibrated_tells_whether_relapse_was_estimated_from_it():
    assert facts_relapse.fitted() == any(
        ACNE.parameters[name].status == "calibrated" for name in ("model.follicle_recovery", "model.follicle_loss")
    )
