"""Sample size: inverse of power, other libraries, closed forms, simulation, and refusals."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.power import TTestIndPower

from cutis.trials.designs.samplesize import means, proportions, survival
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.plan import plan
from cutis.trials.designs.sequential.size import survival_size
from cutis.trials.designs.sequential.spending import Spending

COURSE = survival.Course(24, 12, math.log(2) / 20, 0.5, 0.01)


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_two_groups_agree_with_statsmodels(sided, ratio):
    n = means.two_groups(0.4, 1.0, 0.05, 0.85, sided, ratio)
    theirs = TTestIndPower().solve_power(0.4, None, 0.05, 0.85, ratio, "two-sided" if sided == 2 else "larger")
    assert n == pytest.approx(theirs, rel=1e-6)
    assert means.two_group_power(n, 0.4, 1.0, 0.05, sided, ratio) == pytest.approx(0.85, abs=1e-9)


def test_large_trials_need_no_t_distribution():
    exact, textbook = (means.two_groups(0.02, 1.0, 0.05, 0.8, normal=normal) for normal in (False, True))
    assert exact == pytest.approx(textbook, abs=1.1)
    assert means.one_group(0.02, 1.0, 0.05, 0.8) == pytest.approx(textbook / 2, abs=2.1)


def test_equivalence_power_is_that_of_simulated_trials():
    rng, n = np.random.default_rng(0), 12
    power = means.equivalence_power(-1.0, 1.0, 0.2, math.sqrt(2 / n), 2 * n - 2, 0.05)
    one, two = rng.normal(0.2, 1, (40_000, n)), rng.normal(0, 1, (40_000, n))
    difference = one.mean(axis=1) - two.mean(axis=1)
    reach = 1.7171443 * np.sqrt((one.var(axis=1, ddof=1) + two.var(axis=1, ddof=1)) / n)
    shown = ((difference - reach > -1) & (difference + reach < 1)).mean()
    assert power == pytest.approx(shown, abs=4.5 * math.sqrt(shown * (1 - shown) / 40_000))
    # A known standard deviation is one with many degrees of freedom.
    z = norm.isf(0.05)
    assert means.equivalence_power(-1.0, 1.0, 0.0, 0.3, 1e7, 0.05) == pytest.approx(
        2 * norm.cdf(1 / 0.3 - z) - 1, abs=1e-6
    )


def test_bioequivalence_is_the_smallest_even_trial():
    n = means.bioequivalence(0.25, 0.8)
    assert means.bioequivalence_power(n, 0.25) >= 0.8 > means.bioequivalence_power(n - 2, 0.25)


def test_constrained_proportions_are_the_likeliest():
    for seen in ((0.6, 0.4, -0.1), (0.8, 0.8, -0.1), (0.05, 0.02, 0.1), (0.5, 0.5, 0.0), (0.3, 0.7, 0.2)):
        treatment, control, difference = seen
        there = proportions.constrained(treatment, control, difference, 2.0)
        grid = np.linspace(max(0, difference) + 1e-9, min(1, 1 + difference) - 1e-9, 200_001)
        likelihood = 2 * (treatment * np.log(grid) + (1 - treatment) * np.log1p(-grid))
        other = grid - difference
        likelihood += control * np.log(other) + (1 - control) * np.log1p(-other)
        assert float(there.treatment) == pytest.approx(grid[likelihood.argmax()], abs=1e-5)
        assert float(there.treatment - there.control) == pytest.approx(difference, abs=1e-12)


def test_proportions_invert_power_and_simulation_agrees():
    n = proportions.two_groups(0.5, 0.3, 0.025, 0.9)
    assert proportions.two_group_power(n, 0.5, 0.3, 0.025) == pytest.approx(0.9)
    whole = math.ceil(n)
    one, two = np.random.default_rng(1).binomial(whole, [[0.5], [0.3]], (2, 40_000)) / whole
    pooled = (one + two) / 2
    shown = ((one - two) / np.sqrt(2 * pooled * (1 - pooled) / whole) > norm.isf(0.025)).mean()
    assert shown == pytest.approx(0.9, abs=0.012)  # counts are whole, so power moves in steps of about 0.01
    assert proportions.two_groups(0.5, 0.3, 0.025, 0.9, variance="unpooled") < n


def test_equivalence_of_proportions_and_pairs_by_their_formulas():
    n = proportions.equivalence(0.6, 0.6, 0.15, 0.05, 0.8)
    z = norm.isf(0.05) + norm.isf(0.1)
    assert n == pytest.approx((z / 0.15) ** 2 * 2 * 0.24, rel=1e-6)
    z = 1.959964 * math.sqrt(0.3) + 0.841621 * math.sqrt(0.3 - 0.01)
    assert proportions.pairs(0.2, 0.1, 0.05, 0.8) == pytest.approx((z / 0.1) ** 2, rel=1e-5)


def test_a_trend_over_two_groups_is_their_difference():
    trend = proportions.trend([0.3, 0.5], [0, 1], 0.025, 0.9)
    assert trend == pytest.approx(2 * proportions.two_groups(0.5, 0.3, 0.025, 0.9))


def test_event_probability_by_quadrature():
    for time in (10.0, 24.0, 36.0):
        entry = (np.arange(200_000) + 0.5) / 200_000 * 24
        seen = np.maximum(time - entry, 0)
        hazard = COURSE.hazard
        direct = (hazard / (hazard + 0.01) * -np.expm1(-(hazard + 0.01) * seen)).mean()
        assert float(survival.event_probability(COURSE, hazard, time)) == pytest.approx(direct, abs=1e-6)


def test_events_people_and_time_fit_together():
    for needed in (survival.schoenfeld(COURSE, 0.025, 0.9), survival.lachin_foulkes(COURSE, 0.025, 0.9)):
        assert survival.time_of_events(COURSE, needed.people, needed.events) == pytest.approx(COURSE.duration)
    size = survival_size(plan(spending_bounds([0.5, 1], 0.025, Spending("obrien_fleming")), 0.9), COURSE)
    assert size.times[0] < size.times[1] == pytest.approx(COURSE.duration)
    assert survival.events_needed(0.5, 0.025, 0.9, method="freedman") == pytest.approx(10.5074 * 9, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: means.two_groups(0.0, 1, 0.05, 0.8), "effect: expected a number above 0"),
        (lambda: means.two_groups(1.0, -1, 0.05, 0.8), "sd: expected a number above 0"),
        (lambda: means.two_groups(1.0, 1, 0.05, 1.0), "power: expected a number between 0 and 1"),
        (lambda: means.two_groups(1e-6, 1, 0.05, 0.8), "more than 1e\\+08 people"),
        (lambda: means.equivalence(0.5, 1, 0.05, 0.8, 0.6), "within the margins"),
        (lambda: means.bioequivalence_power(3, 0.2), "4 people at least"),
        (lambda: proportions.two_groups(0.5, 0.5, 0.025, 0.9), "nothing to detect"),
        (lambda: proportions.two_groups(1.0, 0.5, 0.025, 0.9), "between 0 and 1"),
        (lambda: proportions.equivalence(0.5, 0.3, 0.1, 0.05, 0.8), "more than the true difference"),
        (lambda: proportions.pairs(0.6, 0.6, 0.05, 0.8), "sum up to 1"),
        (lambda: proportions.trend([0.2, 0.2], [0, 1], 0.05, 0.8), "no trend"),
        (lambda: proportions.trend([0.2, 0.3], [0, 1, 2], 0.05, 0.8), "one number a group"),
        (lambda: survival.Course(24, 12, 0.1, 1.0), "nothing to detect"),
        (lambda: survival.Course(24, -1, 0.1, 0.5), "follow_up: expected 0 or more"),
        (lambda: survival.events_needed(0.7, 0.025, 0.9, method="cox"), "expected one of"),
        (lambda: survival.time_of_events(COURSE, 100, 101), "never expected"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
