"""Group sequential designs: closed forms, properties, simulation, and everything a user can get wrong."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from cutis.trials.designs.sequential.bounds import crossing, spending_bounds
from cutis.trials.designs.sequential.classic import haybittle_peto, obrien_fleming, pocock, wang_tsiatis
from cutis.trials.designs.sequential.conditional import conditional_power, predictive_power, rejection_probability
from cutis.trials.designs.sequential.inference import adjusted, repeated_interval, repeated_p, stagewise_p
from cutis.trials.designs.sequential.plan import beta_spending, expected, fixed_futility, plan, type_one_error
from cutis.trials.designs.sequential.scales import decide, log_rank_information, scales
from cutis.trials.designs.sequential.size import sequential_size
from cutis.trials.designs.sequential.spending import Spending

LDOF, POCOCK = Spending("obrien_fleming"), Spending("pocock")
FAMILIES = [
    LDOF,
    POCOCK,
    Spending("hwang_shih_decani", -4.0),
    Spending("hwang_shih_decani", 0.0),
    Spending("hwang_shih_decani", 1.5),
    Spending("kim_demets", 2.0),
    Spending("table", table=((0.3, 0.001), (0.6, 0.01), (1.0, 0.025))),
]


def paths(times, drift, replicates, seed=0):
    """Statistics of simulated trials, shape (replicates, looks)."""
    steps = np.diff(times, prepend=0.0)
    moves = np.random.default_rng(seed).normal(drift * steps, np.sqrt(steps), (replicates, len(times)))
    return moves.cumsum(axis=1) / np.sqrt(times)


@pytest.mark.parametrize("spending", FAMILIES, ids=lambda s: f"{s.family} {s.parameter}")
@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("information", [[1.0], [20, 70, 100], [0.05, 0.5, 0.51, 0.9, 1.0]])
def test_crossing_probabilities_under_the_null_are_what_is_spent(spending, sided, information):
    bounds = spending_bounds(information, 0.025 * sided, spending, sided)
    crossed = crossing(bounds, 0.0)
    assert crossed.upper.cumsum() == pytest.approx(spending.spent(0.025, bounds.information), abs=1e-12)
    if sided == 2:
        assert crossed.lower == pytest.approx(crossed.upper, abs=1e-13)


@pytest.mark.parametrize("spending", FAMILIES, ids=lambda s: f"{s.family} {s.parameter}")
def test_one_look_is_the_fixed_design(spending):
    bounds = spending_bounds([80.0], 0.025, spending)
    assert bounds.efficacy[0] == pytest.approx(norm.isf(0.025), abs=1e-12)
    one = plan(bounds, 0.9)
    assert one.inflation == pytest.approx(1, abs=1e-12)
    assert one.drift == pytest.approx(norm.isf(0.025) + norm.isf(0.1), abs=1e-10)


def test_crossing_probabilities_equal_the_multivariate_normal():
    times, drift = np.array([0.3, 0.55, 1.0]), 1.7
    bounds = spending_bounds(times, 0.025, POCOCK)
    root = np.sqrt(times)
    correlation = np.minimum.outer(times, times) / np.outer(root, root)
    inside = multivariate_normal.cdf(
        bounds.efficacy - drift * root, cov=correlation, abseps=1e-9, releps=1e-9, maxpts=400_000, rng=1
    )
    assert 1 - crossing(bounds, drift).upper.sum() == pytest.approx(inside, abs=2e-8)


def test_the_chance_of_ending_somewhere_is_one():
    bounds = beta_spending([1, 2, 3, 4], 0.025, 0.8, LDOF, POCOCK).bounds
    for drift in (-1.0, 0.0, 2.0, 5.0):
        upper, lower = crossing(bounds, drift)
        assert upper.sum() + lower.sum() == pytest.approx(1, abs=1e-11)


def test_simulated_trials_end_as_often_as_computed():
    design = beta_spending([0.4, 0.7, 1], 0.025, 0.9, LDOF, Spending("hwang_shih_decani", -2.0))
    n = 200_000
    for drift in (0.0, design.drift):
        found = decide(design.bounds, paths(design.bounds.information, drift, n))
        upper, _ = crossing(design.bounds, drift)
        seen = np.array([(found.success & (found.look == k)).mean() for k in (1, 2, 3)])
        assert (np.abs(seen - upper) < 4.5 * np.sqrt(upper * (1 - upper) / n) + 1e-9).all()
        assert (found.success != found.futile).all()


def test_shapes_of_the_classic_bounds():
    times = np.array([1, 2, 3, 5]) / 5
    assert np.ptp(obrien_fleming(times, 0.025).efficacy * np.sqrt(times)) < 1e-12
    assert np.ptp(pocock(times, 0.025).efficacy) < 1e-12
    for bounds in (wang_tsiatis(times, 0.025, 0.25), haybittle_peto(times, 0.025), pocock(times, 0.05, sided=2)):
        assert type_one_error(bounds) == pytest.approx(bounds.alpha, abs=1e-10)
    assert (haybittle_peto(times, 0.025).efficacy[:-1] == 3.0).all()
    # Jennison and Turnbull 1999, tables 2.1 and 2.3: two-sided alpha 0.05, five equal looks.
    assert pocock(range(1, 6), 0.05, 2).efficacy[0] == pytest.approx(2.413, abs=5e-4)
    assert obrien_fleming(range(1, 6), 0.05, 2).efficacy[-1] == pytest.approx(2.040, abs=5e-4)


def test_binding_futility_pays_back_in_efficacy_and_both_levels_are_kept():
    both = [beta_spending([1, 2, 3], 0.025, 0.9, POCOCK, POCOCK, binding=b) for b in (False, True)]
    free, bound = both
    for design in both:
        assert type_one_error(design.bounds) == pytest.approx(0.025, abs=1e-10)
        assert crossing(design.bounds, design.drift).upper.sum() == pytest.approx(0.9, abs=1e-9)
        lost = crossing(design.bounds, design.drift).lower.cumsum()
        assert lost == pytest.approx(POCOCK.spent(0.1, design.bounds.information), abs=1e-9)
        assert design.bounds.futility[-1] == design.bounds.efficacy[-1]
    assert bound.bounds.efficacy[-1] < free.bounds.efficacy[-1]
    assert bound.inflation < free.inflation
    # Followed although it need not be, non-binding futility costs level, never gains it.
    assert crossing(free.bounds, 0.0, use_futility=True).upper.sum() < 0.025


def test_a_look_without_futility_passes_its_beta_on():
    design = beta_spending([1, 2, 3], 0.025, 0.9, LDOF, POCOCK, futility_looks=[False, True, True])
    assert design.bounds.futility[0] == -np.inf
    lost = crossing(design.bounds, design.drift).lower.cumsum()
    assert lost == pytest.approx([0, float(POCOCK.spent(0.1, 2 / 3)), 0.1], abs=1e-9)


def test_fixed_futility_takes_power_and_needs_more_people():
    bounds = spending_bounds([1, 2], 0.025, LDOF)
    idle = fixed_futility(bounds, [0.5])
    assert plan(idle, 0.9).inflation > plan(bounds, 0.9).inflation
    assert expected(idle, 0.0).information < expected(bounds, 0.0).information
    assert crossing(idle, 0.0).lower[0] == pytest.approx(norm.cdf(0.5), abs=1e-12)
    assert expected(idle, 0.0).stop.sum() == pytest.approx(1)


def test_a_trial_seen_at_other_times_keeps_its_level():
    actual = np.array([0.42, 0.81, 1.0])
    bounds = spending_bounds(actual * 310, 0.025, LDOF, time=np.minimum(actual * 310 / 300, 1))
    assert type_one_error(bounds) == pytest.approx(0.025, abs=1e-11)


def test_scales_say_the_same():
    design = plan(spending_bounds([1, 2, 3], 0.025, LDOF), 0.9)
    effect = scales(design.bounds, (design.drift / 0.3) ** 2)
    assert effect.p == pytest.approx(norm.sf(effect.z))
    assert effect.b == pytest.approx(effect.z * np.sqrt(design.bounds.information))
    # Information is (drift / effect)^2, so at the last look the estimate at the bound is effect * z / drift.
    assert effect.effect[-1] == pytest.approx(0.3 * effect.z[-1] / design.drift)
    assert np.isnan(effect.futility_z).all()
    assert log_rank_information(400) == pytest.approx(100)


def test_sizes_follow_inflation_and_expectation_lies_within():
    design = beta_spending([1, 2, 3], 0.025, 0.9, POCOCK, POCOCK)
    size = sequential_size(design, 100)
    assert size.at_look[-1] == pytest.approx(100 * design.inflation)
    assert size.at_look[0] < size.expected_null < size.at_look[-1]
    assert size.success[-1] == pytest.approx(0.9)


def test_conditional_power_is_what_simulation_of_the_rest_gives():
    design = plan(spending_bounds([1, 2, 3], 0.025, POCOCK), 0.8)
    z, drift, n = 1.1, 2.5, 400_000
    rest = np.random.default_rng(4).normal(drift / 3, math.sqrt(1 / 3), (n, 2)).cumsum(axis=1)
    later = (z * math.sqrt(1 / 3) + rest) / np.sqrt([2 / 3, 1])
    seen = (later >= design.bounds.efficacy[1:]).any(axis=1).mean()
    power = float(conditional_power(design.bounds, 1, z, drift))
    assert power == pytest.approx(seen, abs=4.5 * math.sqrt(0.25 / n))


def test_conditional_rejection_averages_to_the_level():
    """Over the law of the first look under the null, success then or later has probability alpha."""
    bounds = spending_bounds([0.3, 0.6, 1], 0.025, LDOF)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    low, high = -8.0, bounds.efficacy[0]
    z = low + (high - low) / 2 * (1 + nodes)
    later = (high - low) / 2 * weights @ (norm.pdf(z) * rejection_probability(bounds, 1, z))
    assert norm.sf(high) + later == pytest.approx(0.025, abs=1e-9)


def test_predictive_power_is_conditional_power_averaged():
    two, three = spending_bounds([1, 2], 0.025, LDOF), spending_bounds([1, 2, 3], 0.025, LDOF)
    drifts = np.random.default_rng(1).normal(1.2 / math.sqrt(0.5), math.sqrt(1 / 0.5), 200_000)
    draws = conditional_power(two, 1, np.full(drifts.shape, 1.2), drifts)
    assert float(predictive_power(two, 1, 1.2)) == pytest.approx(draws.mean(), abs=4.5 * draws.std() / math.sqrt(2e5))
    # A sharp prior leaves conditional power under its mean.
    sharp = float(predictive_power(three, 1, 1.2, mean=3.0, sd=1e-6))
    assert sharp == pytest.approx(float(conditional_power(three, 1, 1.2, 3.0)), abs=1e-8)
    assert predictive_power(three, 2, np.array([-1.0, 1.0, 3.0])).shape == (3,)


def test_after_one_look_adjusted_inference_is_the_usual_one():
    bounds = spending_bounds([40.0], 0.025, LDOF)
    result = adjusted(bounds, 1, 2.3)
    assert result.p == pytest.approx(norm.sf(2.3))
    assert result.estimate == pytest.approx(2.3, abs=1e-8)
    assert (result.low, result.high) == pytest.approx((2.3 - 1.959964, 2.3 + 1.959964), abs=1e-5)


def test_stagewise_p_at_the_bound_is_the_alpha_spent():
    bounds = spending_bounds([1, 2, 3], 0.025, POCOCK)
    for look in (1, 2, 3):
        p = float(stagewise_p(bounds, look, bounds.efficacy[look - 1]))
        assert p == pytest.approx(POCOCK.spent(0.025, look / 3), abs=1e-10)


@pytest.mark.parametrize("binding", [False, True])
def test_adjusted_inference_is_right_over_simulated_trials(binding):
    """p-values are uniform under the null where futility is heeded as assumed; the estimate is median-unbiased."""
    design = beta_spending([0.5, 1], 0.025, 0.9, POCOCK, POCOCK, binding=binding)
    bounds, n = design.bounds, 40_000
    for drift in (0.0, 2.0):
        z = paths(bounds.information, drift, n, seed=3)
        found = decide(bounds, z, use_futility=binding)
        p = np.empty(n)
        for look in (1, 2):
            there = found.look == look
            p[there] = stagewise_p(bounds, look, z[there, look - 1], drift)
        # Under its own drift the p-value is uniform: so limits cover as they say and the median is right.
        for level in (0.025, 0.5, 0.9):
            assert (p <= level).mean() == pytest.approx(level, abs=4.5 * math.sqrt(level * (1 - level) / n))


def test_repeated_p_and_interval_agree_with_the_bounds():
    information = [1, 2, 3]
    bounds = obrien_fleming(information, 0.025)
    for look in (1, 2, 3):
        p = repeated_p(lambda a: obrien_fleming(information, a), look, float(bounds.efficacy[look - 1]))
        assert p == pytest.approx(0.025, abs=1e-9)
        assert repeated_interval(bounds, look, float(bounds.efficacy[look - 1]))[0] == pytest.approx(0, abs=1e-12)
    assert repeated_p(lambda a: obrien_fleming(information, a), 2, -1.0) == 0.5


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: spending_bounds([1, 2, 2], 0.025, LDOF), "spent twice"),
        (lambda: spending_bounds([1, 3, 2], 0.025, LDOF), "spent twice"),
        (lambda: spending_bounds([0, 1], 0.025, LDOF), "above 0"),
        (lambda: spending_bounds([], 0.025, LDOF), "one number a look"),
        (lambda: spending_bounds([1, np.nan], 0.025, LDOF), "above 0"),
        (lambda: spending_bounds([1, 2], 1.2, LDOF), "alpha: expected a number between 0 and 1, got 1.2"),
        (lambda: spending_bounds([1, 2], 0.025, LDOF, sided=3), "sided: expected 1 or 2"),
        (lambda: spending_bounds([1, 2], 0.025, LDOF, time=[0.6, 0.5]), "never fall"),
        (lambda: spending_bounds([1, 2], 0.025, LDOF, time=[0.6]), "one number a look"),
        (lambda: Spending("bang"), "expected one of"),
        (lambda: Spending("kim_demets"), "needs one"),
        (lambda: Spending("kim_demets", -1.0), "above 0"),
        (lambda: Spending("pocock", 2.0), "has none"),
        (lambda: Spending("hwang_shih_decani", 400.0), "-40 to 40"),
        (lambda: Spending("table"), "expected pairs"),
        (lambda: Spending("table", table=((0.5, 0.02), (1.0, 0.01))), "what is spent is spent"),
        (lambda: Spending("table", table=((0.5, 0.02), (0.9, 0.025))), "end at 1"),
        (lambda: Spending("table", table=((0.5, 0.02), (1.0, 0.05))).spent(0.025, 1), "above the level"),
        (lambda: Spending("table", table=((0.5, 0.01), (1.0, 0.02))).spent(0.025, 1), "below the level"),
        (lambda: haybittle_peto([1, 2, 3], 0.025, interim=2.0), "raise it"),
        (lambda: wang_tsiatis([1, 2], 0.025, 5.0), "-2 to 2"),
        (lambda: plan(spending_bounds([1, 2], 0.025, LDOF), 0.01), "more than alpha"),
        (lambda: fixed_futility(spending_bounds([1, 2], 0.025, LDOF), [9.0]), "below those of efficacy"),
        (lambda: fixed_futility(spending_bounds([1, 2], 0.025, LDOF), [0.0, 1.0]), "expected 1 numbers"),
        (lambda: fixed_futility(spending_bounds([1, 2], 0.05, LDOF, 2), [0.0]), "one-sided"),
        (lambda: beta_spending([1, 2], 0.025, 0.9, LDOF, LDOF, futility_looks=[True, False]), "the last one yes"),
        (lambda: conditional_power(spending_bounds([1, 2], 0.025, LDOF), 2, 1.0), "nothing is left"),
        (lambda: predictive_power(spending_bounds([1, 2], 0.025, LDOF), 1, 1.0, sd=0.0), "above 0"),
        (lambda: adjusted(spending_bounds([1, 2], 0.025, LDOF), 3, 1.0), "expected 1 to 2"),
        (lambda: adjusted(spending_bounds([1, 2], 0.025, LDOF), 1, np.inf), "finite"),
        (lambda: decide(spending_bounds([1, 2], 0.025, LDOF), [[1.0, 2.0, 3.0]]), "expected shape"),
        (lambda: decide(spending_bounds([1, 2], 0.025, LDOF), [[1.0, np.nan]]), "NaN"),
        (lambda: scales(spending_bounds([1, 2], 0.025, LDOF), -1.0), "above 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
