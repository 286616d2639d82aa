"""The rate of clearing under a topical: found again where it is known, and told where nothing fits."""

import jax
import numpy as np
import pytest

from cutis.calibration.psoriasis import topical
from cutis.calibration.psoriasis.topical import WEEKS, estimate, foam_rates, responses
from cutis.calibration.psoriasis.triggers import TARGETS

from .smalltrials import NUMBERS as TRIALS

NUMBERS = TRIALS | {  # round ones, so that another calibration changes no test
    **{"topical.use": 0.9, "topical.input_block": 0.6, "topical.input_block:sd": 0.5, "topical.clearing": 0.05},
}
SIZE, SEED, ARM = 1024, 3, 150
WEEK = int(TARGETS.value("topical.week"))


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def under(clearing, seed=SEED, **others):
    """Response rates by week."""
    return responses(NUMBERS | {"topical.clearing": clearing} | others, seed, SIZE)


def published(monkeypatch, clearing, seed=SEED):
    """Let arms be published that respond as simulated people do."""
    shares = {name: values[WEEK - 1] for name, values in under(clearing, seed).items()}
    told = tuple((f"trial of {name}", name, ARM, 100 * float(share)) for name, share in shares.items())
    monkeypatch.setattr(topical, "foam_rates", lambda: told)
    return shares


@pytest.mark.parametrize("clearing", [0.02, 0.07, 0.2])
def test_a_known_rate_is_found_again(monkeypatch, clearing):
    shares = published(monkeypatch, clearing)
    found = estimate(NUMBERS, SEED, SIZE)
    # The same people: nothing is left to chance but which of the rates between two people's thresholds is met.
    assert found.clearing == pytest.approx(clearing, rel=0.02)
    for rate in found.rates:
        assert (rate.trial, rate.n) == (f"trial of {rate.outcome}", ARM)
        assert rate.observed == pytest.approx(100 * shares[rate.outcome])
        assert rate.predicted == pytest.approx(rate.observed, abs=0.5)
    assert found.success == pytest.approx(tuple(under(found.clearing)["iga01"]))


def test_the_estimate_starts_from_no_rate_of_its_own(monkeypatch):
    published(monkeypatch, 0.07)
    one, other = (estimate(NUMBERS | {"topical.clearing": rate}, SEED, SIZE) for rate in (0.01, 0.3))
    assert one == other


def test_other_people_with_the_same_rate_give_it_within_the_error(monkeypatch):
    published(monkeypatch, 0.07, seed=SEED + 1)
    found = estimate(NUMBERS, SEED, SIZE)
    chance = found.error * np.sqrt(2 * ARM / SIZE)  # of two simulated samples in place of an arm
    assert np.log(found.clearing / 0.07) == pytest.approx(0, abs=4.5 * chance)


def test_the_error_is_that_of_the_arms_size_over_the_slope_of_their_responses(monkeypatch):
    published(monkeypatch, 0.07)
    found = estimate(NUMBERS, SEED, SIZE)
    step = 0.3  # of the logarithm: wide, as shares move in steps of a person
    low, middle, high = (under(0.07 * np.exp(by)) for by in (-step, 0.0, step))
    told = 0.0
    for name, shares in middle.items():
        p, slope = shares[WEEK - 1], (high[name][WEEK - 1] - low[name][WEEK - 1]) / (2 * step)
        told += ARM * slope**2 / (p * (1 - p))
    assert found.error == pytest.approx(told**-0.5, rel=0.3)


def test_larger_arms_tell_more(monkeypatch):
    published(monkeypatch, 0.07)
    told = topical.foam_rates()
    few = estimate(NUMBERS, SEED, SIZE)
    monkeypatch.setattr(topical, "foam_rates", lambda: tuple((t, o, 4 * n, percent) for t, o, n, percent in told))
    many = estimate(NUMBERS, SEED, SIZE)
    assert many.clearing == pytest.approx(few.clearing, rel=1e-3)
    assert many.error == pytest.approx(few.error / 2, rel=0.05)


def test_who_clears_faster_responds_more():
    """The same people: each lesion is less active in every week, so that no response is lost but by how it is read."""
    rates = [under(clearing) for clearing in (0.01, 0.03, 0.1, 0.3)]
    for name in ("pasi75", "iga01"):
        courses = np.stack([rate[name] for rate in rates])
        assert courses.shape == (4, WEEKS)
        assert (np.diff(courses, axis=0) >= 0).all()
        assert (np.diff(courses[:, WEEK - 1]) > 0.02).all()
        assert ((courses >= 0) & (courses <= 1)).all()


def test_a_topical_that_is_not_used_does_nothing():
    used, unused = under(0.2), [under(clearing, **{"topical.use": 0.0}) for clearing in (0.01, 0.2)]
    for name in used:
        np.testing.assert_array_equal(unused[0][name], unused[1][name])
        assert (used[name][WEEK - 1 :] > unused[0][name][WEEK - 1 :]).all()


def test_people_are_the_same_for_the_same_seed():
    one, again, others = under(0.07), under(0.07), under(0.07, seed=SEED + 1)
    assert all((one[name] == again[name]).all() for name in one)
    assert any((one[name] != others[name]).any() for name in one)


@pytest.mark.parametrize("percent", [0.0, 100.0])
def test_responses_that_no_rate_gives_are_told(monkeypatch, percent):
    monkeypatch.setattr(topical, "foam_rates", lambda: (("trial", "pasi75", 100, percent),))
    with pytest.raises(ValueError, match=r"no rate of clearing between 0\.001 and 0\.5 a day gives the published"):
        estimate(NUMBERS, SEED, SIZE)


def test_published_rates_are_those_of_foam_at_the_week_of_the_fit():
    told = foam_rates()
    assert ("PSO-ABLE", "pasi75", 185, 52) in told
    assert ("Koo 2016", "iga01", 141, 54.6) in told
    assert len(told) == 4  # nothing of week 12, of gel, or of ointment
    simulated = under(0.05)
    assert {outcome for _, outcome, _, _ in told} == set(simulated)
