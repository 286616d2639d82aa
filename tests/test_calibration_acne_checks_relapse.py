"""Relapse after isotretinoin: its chance, its hazards against a plain Cox model, and the estimate that rests on it."""

import numpy as np
import pytest
from scipy.special import expit, logit
from statsmodels.duration.hazard_regression import PHReg

from cutis.calibration.acne import follow, relapse
from cutis.core.acne.disease import ACNE

PEOPLE = 64
NUMBERS = ACNE.parameters.numbers()
WEEKS = 52


@pytest.fixture(scope="module")
def stage():
    return follow.scene(NUMBERS, PEOPLE)


def event(survival):
    """An event with this chance of not having happened yet, (weeks, people), and 1 at the end of treatment."""
    almost = np.maximum(1 - 1e-9 - survival, 1e-9)
    return relapse.Event(logit(almost), 1.0)


def test_it_never_unhappens_and_those_who_never_were_clear_are_left_out():
    excess = np.array([[-2.0, 3.0], [0.0, 3.0], [-1.0, 3.0], [1.0, 3.0]])
    of = relapse.Event(excess, 0.5)
    clear = 1 - expit(excess[0] / 0.5)
    np.testing.assert_allclose(of.clear, clear)
    expected = 1 - (1 - expit(np.array([-2.0, 0.0, 0.0, 1.0]) / 0.5)) / clear[0]
    np.testing.assert_allclose(of.happened[:, 0], expected)
    assert of.happened[:, 1] == pytest.approx(0)
    assert relapse.share(of) == pytest.approx(clear[0] * expected[-1] / clear.sum())


def test_hazard_ratios_are_those_that_made_the_events():
    rng = np.random.default_rng(1)
    dose, female = rng.uniform(56, 224, 800), rng.random(800) < 0.5
    rate = 0.01 * np.exp(-0.004 * (dose - 140) + 0.36 * female)
    shape = np.cumsum(np.r_[0, 1 + np.sin(np.arange(WEEKS) / 9)])  # a hazard that changes in time, alike in all
    found = relapse.ratios(event(np.exp(-np.outer(shape, rate))), dose, female)
    assert found["cumulative_dose"] == pytest.approx(-0.004, rel=0.03)
    assert found["female"] == pytest.approx(0.36, rel=0.03)


def test_hazard_ratios_agree_with_a_cox_model_of_drawn_events():
    rng = np.random.default_rng(2)
    dose, female = rng.uniform(56, 224, 6000), rng.random(6000) < 0.5
    own = 0.005 * np.exp(-0.008 * (dose - 140) + 0.3 * female + 0.8 * rng.normal(size=len(dose)))
    survival = np.exp(-np.outer(np.arange(WEEKS + 1), own))
    found = relapse.ratios(event(survival), dose, female)
    when = np.minimum(rng.exponential(1 / own), WEEKS)
    cox = PHReg(when, np.column_stack([dose, female]), status=(when < WEEKS).astype(int)).fit()
    np.testing.assert_allclose(list(found.values()), cox.params, atol=4.5 * cox.bse.max(), rtol=0)
    np.testing.assert_allclose(found["cumulative_dose"], cox.params[0], atol=4.5 * cox.bse[0])


def test_courses_lie_evenly_between_their_limits(stage):
    crowd = stage.crowd({})
    each = [relapse.assigned(crowd, life, relapse.LIVES) for life in range(relapse.LIVES)]
    daily, end = (np.stack(values) for values in zip(*each, strict=True))
    assert 0.5 <= daily.min() < 0.52
    assert 0.98 < daily.max() <= 1.0
    assert end.min() == 16
    assert end.max() == 32
    np.testing.assert_allclose(daily.mean(0), 0.75, atol=0.0626)  # of one person over all lives
    plan = relapse.course(crowd, daily[0], end[0], 40)
    taken = 7 * plan.inputs[:, 0].sum(0) / np.asarray(crowd.twins["weight"])
    np.testing.assert_allclose(taken, 7 * daily[0] * end[0])


def test_more_durable_loss_means_fewer_relapses_and_nothing_back_none(stage):
    def courses(**changed):
        numbers = NUMBERS | {f"model.{name}": value for name, value in changed.items()}
        return relapse.courses(follow.Scene(numbers, PEOPLE, stage.candidates, stage.seen), lives=2)

    lasting = courses(follicle_loss=0.05, follicle_recovery=1e-6, gland_recovery=1e-6)
    fading = courses(follicle_loss=0.002, follicle_recovery=0.01, gland_recovery=0.01)
    assert lasting.share < 0.02 < 0.5 < fading.share
    assert fading.hazard["cumulative_dose"] < 0
    assert lasting.sebum.mean() < fading.sebum.mean()
    assert (np.diff(fading.relapse.happened, axis=0) >= 0).all()
    assert relapse.share(fading.again) < fading.share


def test_targets_are_those_published():
    (share, _), (dose, error) = relapse.targets()
    assert expit(share) == pytest.approx(0.225)
    assert np.exp(dose) == pytest.approx(0.996)
    assert 1.96 * 2 * error == pytest.approx(np.log(0.997 / 0.995))


def test_an_estimate_finds_what_made_the_targets(stage, monkeypatch):
    """Relapse of known parameters is published as it were, told so well that what is believed before counts little."""
    known = {"model.follicle_recovery": 0.002, "model.follicle_loss": 0.02}
    made = relapse.courses(follow.Scene(NUMBERS | known, PEOPLE, stage.candidates, stage.seen), lives=1)
    aims = ((float(logit(made.share)), 0.003), (made.hazard["cumulative_dose"], 0.00002))
    monkeypatch.setattr(relapse, "targets", lambda: aims)
    told = []
    found = relapse.estimate(NUMBERS, PEOPLE, lives=1, say=told.append)
    assert found.met
    assert told
    assert found.share == pytest.approx(made.share, abs=0.01)
    assert found.values["model.follicle_recovery"] == pytest.approx(0.002, rel=0.15)
    assert found.values["model.follicle_loss"] == pytest.approx(0.02, rel=0.25)
    notes = relapse.notes(found)
    assert set(notes) == set(relapse.ESTIMATED) == set(relapse.before())
    assert all("with both" in note and "hazard ratio" in note for note in notes.values())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "one or two parameters can be estimated, not none"),
        (("model.follicle_loss", "model.follicle_recovery", "model.gland_loss"), "one or two"),
        (("model.follicle_loss", "model.follicle_loss"), "one or two"),
        (("model.folicle_loss",), "model.folicle_loss: of what relapse may estimate there is only"),
        (("trial.vehicle",), "trial.vehicle: of what relapse"),
    ],
)
def test_a_wrong_set_of_parameters_is_refused(names, said):
    with pytest.raises(ValueError, match=said):
        relapse.estimate(NUMBERS, PEOPLE, names=names)
