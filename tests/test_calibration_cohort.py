"""The people of published arms: as reported, and the same behind every arm."""

import jax
import numpy as np
import pytest
from scipy.special import ndtr

from cutis.calibration.psoriasis.cohort import LUCK, SHARES, participants, pool
from cutis.calibration.psoriasis.evidence.arms import Baseline

from .smalltrials import arm, trial

SIZE = 64
TOLD = Baseline(
    age=46.0, male=0.7, weight=93.0, severity=21.5, prior_biologic=0.25, psoriatic_arthritis=0.2, duration=18.0
)


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def people(baseline=None, *others, **about):
    """The people of the first arm of a trial, whose other arms report `others`."""
    arms = [arm("placebo", baseline=baseline), *(arm("adalimumab", n, told) for n, told in others)]
    return participants(trial("t", *arms, **about), arms[0], SIZE)


def places(normal):
    """In which of as many equally likely intervals each standard normal draw lies."""
    return np.sort(np.floor(ndtr(normal) * len(normal)))


def test_what_the_model_does_not_know_of_people_is_standard_normal_with_one_draw_in_every_interval():
    drawn = pool(SIZE)
    for normal in drawn.luck.values():
        assert (places(normal) == np.arange(SIZE)).all()
    assert set(drawn.luck) == set(LUCK)
    among = np.corrcoef(list(pool(256).luck.values()))
    assert np.abs(among - np.eye(len(LUCK))).max() < 0.05  # at random their standard deviation would be 0.0625


def test_an_arms_means_and_shares_are_those_it_reports():
    found = people(TOLD)
    for name in SHARES:
        assert found[name].mean() == pytest.approx(getattr(TOLD, name), abs=0.5 / SIZE + 1e-12)
    assert found["weight"].mean() == pytest.approx(93.0)
    assert found["severity"].mean() == pytest.approx(21.5)
    assert found["severity"].min() == pytest.approx(12.0)
    assert found["age"].mean() == pytest.approx(46.0, abs=0.3)
    assert found["age"].min() >= 18


def test_severity_begins_below_the_mean_even_in_mild_arms():
    found = people(Baseline(severity=9.0))
    assert found["severity"].mean() == pytest.approx(9.0)
    assert found["severity"].min() == pytest.approx(8.0)


def test_all_arms_share_their_people():
    one, other = people(TOLD), people(Baseline(male=0.4, weight=80.0))
    np.testing.assert_allclose(one["weight"] / other["weight"], 93.0 / 80.0)
    assert (one["male"] | ~other["male"]).all()  # who is a man where fewer are is one where more are
    assert (one["race"] == other["race"]).all()
    again = people(TOLD)
    assert all((again[name] == value).all() for name, value in one.items())


def test_what_an_arm_does_not_report_is_the_mean_of_the_other_arms():
    found = people(Baseline(male=0.5), (100, Baseline(weight=80.0)), (300, Baseline(weight=100.0, male=0.9)))
    assert found["weight"].mean() == pytest.approx(95.0)
    assert found["male"].mean() == pytest.approx(0.5, abs=0.5 / SIZE)


def test_what_nobody_reports_stays_as_it_is_in_the_pool():
    found = people()
    assert all((found[name] == value).all() for name, value in pool(SIZE).twins.items())


def test_people_of_a_trial_without_earlier_biologics_had_none():
    assert not people(TOLD, naive=True)["prior_biologic"].any()
    assert people(TOLD)["prior_biologic"].any()


@pytest.mark.parametrize(("race", "code"), [("asian", 2), ("black", 1), ("white", 0)])
def test_trials_in_one_race_have_that_race(race, code):
    assert (people(race=race)["race"] == code).all()


def test_the_pool_is_not_changed_by_what_arms_report():
    before = {name: value.copy() for name, value in pool(SIZE).twins.items()}
    people(TOLD, race="asian")
    assert all((pool(SIZE).twins[name] == value).all() for name, value in before.items())
