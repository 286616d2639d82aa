"""Multiplicity: coherence of closed tests, other libraries, familywise error under simulation, refusals."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from statsmodels.stats.multitest import multipletests

from cutis.trials.designs.multiplicity import presets, stepwise
from cutis.trials.designs.multiplicity.closure import Group, adjusted, rejections
from cutis.trials.designs.multiplicity.dunnett import (
    co_primary_power,
    correlations,
    critical_value,
    dunnett_p,
    step_down,
)
from cutis.trials.designs.multiplicity.graph import graph, intersections, shortcut
from cutis.trials.designs.multivariate import equal_bound, exceed

N = 20_000
THEIRS = {
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "benjamini_hochberg": "fdr_bh",
    "benjamini_yekutieli": "fdr_by",
}
EQUAL = np.full((3, 3), 0.5) + 0.5 * np.eye(3)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape)


def statistics(correlation, replicates=N, seed=0):
    return np.random.default_rng(seed).multivariate_normal(np.zeros(len(correlation)), correlation, replicates)


def nominal(hits, alpha, slack=4.5):
    return hits.mean() <= alpha + slack * math.sqrt(alpha * (1 - alpha) / len(hits))


def random_graph(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(2, 6))
    transitions = rng.dirichlet(np.ones(m), m) * (rng.uniform(size=(m, m)) > 0.3)
    np.fill_diagonal(transitions, 0)
    return graph(rng.dirichlet(np.ones(m)) * rng.choice([1.0, 0.8]), transitions), rng.uniform(size=m) ** 3


@pytest.mark.parametrize("method", THEIRS)
def test_adjusted_p_values_equal_those_of_statsmodels(method):
    # Few: statsmodels collects garbage at each call, which takes a while in a large process.
    p = np.concatenate([draws(8, 7) ** 2, np.round(draws(4, 7), 1) * 0.9])
    theirs = np.stack([multipletests(row, method=THEIRS[method])[1] for row in p])
    assert stepwise.adjust(p, method) == pytest.approx(theirs, abs=1e-13)


@pytest.mark.parametrize("seed", range(40))
def test_the_shortcut_is_the_closed_bonferroni_test(seed):
    made, p = random_graph(seed)
    one = shortcut(made, p, 0.05)
    assert one.adjusted == pytest.approx(adjusted(made, p), abs=1e-12)
    assert (one.rejected == rejections(made, p, 0.05)).all()
    assert set(one.order) == set(np.flatnonzero(one.adjusted <= 0.05))
    assert one.weights.sum() <= 1 + 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_weights_of_intersections_never_exceed_one_and_grow_as_hypotheses_go(seed):
    made, _ = random_graph(seed)
    member, weights = intersections(made)
    assert len(member) == 2**made.size - 1
    assert (weights.sum(axis=1) <= 1 + 1e-9).all()
    assert not weights[~member].any()
    for (a, w), (b, v) in product(zip(member, weights, strict=True), repeat=2):
        if (b <= a).all():  # b is a part of a: monotone, so the shortcut is consonant
            assert (v[b] >= w[b] - 1e-9).all()


def test_holm_hommel_and_fixed_sequence_are_graphs():
    p = draws(200, 4) ** 2
    assert adjusted(presets.holm(4), p) == pytest.approx(stepwise.adjust(p, "holm"), abs=1e-12)
    simes = (Group((0, 1, 2, 3), "simes"),)
    assert adjusted(presets.holm(4), p, simes) == pytest.approx(stepwise.adjust(p, "hommel"), abs=1e-12)
    assert adjusted(presets.fixed_sequence(4), p) == pytest.approx(stepwise.fixed_sequence(p), abs=1e-12)


def test_more_knowledge_rejects_more():
    p = draws(10, 3, seed=2) ** 3
    plain = adjusted(presets.holm(3), p)
    assert (adjusted(presets.holm(3), p, (Group((0, 1, 2), "simes"),)) <= plain + 1e-12).all()
    assert (adjusted(presets.holm(3), p, (Group((0, 1, 2), "parametric", EQUAL),)) <= plain + 1e-6).all()


def test_a_parametric_test_of_many_replicates_is_that_of_one():
    p, groups = draws(20, 3, seed=5) ** 3, (Group((0, 2), "parametric", EQUAL[:2, :2], df=40.0), Group((1,)))
    made = presets.fallback([0.5, 0.3, 0.2])
    found = adjusted(made, p, groups)
    clear = np.abs(found - 0.05) > 1e-5
    assert ((found <= 0.05) == rejections(made, p, 0.05, groups))[clear].all()


def test_equal_parametric_weights_are_dunnett_s_step_down_test():
    z = statistics(EQUAL, 8) + 1.5
    closed = adjusted(presets.holm(3), norm.sf(z), (Group((0, 1, 2), "parametric", EQUAL),))
    assert closed == pytest.approx(step_down(z, [50, 50, 50], 50), abs=3e-5)


def test_familywise_error_is_kept_under_every_partial_null():
    """All 2^m - 1 configurations of true nulls; those that are false have a large effect."""
    made = graph([0.4, 0.6, 0.0], [[0, 0.5, 0.5], [0.3, 0, 0.7], [0.5, 0.5, 0]])
    noise = statistics(EQUAL)
    tests = {
        "bonferroni": (),
        "simes": (Group((0, 1, 2), "simes"),),
        "parametric": (Group((0, 1, 2), "parametric", EQUAL),),
    }
    for true in product([False, True], repeat=3):
        if not any(true):
            continue
        null = np.array(true)
        p = norm.sf(noise + np.where(null, 0.0, 3.0))
        for name, groups in tests.items():
            hits = rejections(made, p, 0.025, groups)[:, null].any(axis=1)
            assert nominal(hits, 0.025), (name, true, hits.mean())
        for name in ("holm", "hochberg", "hommel"):
            hits = (stepwise.adjust(p, name) <= 0.025)[:, null].any(axis=1)
            assert nominal(hits, 0.025), (name, true, hits.mean())
        hits = presets.gatekeeping(p, ((0, 1), (2,)), 0.025, 0.5, "holm")[:, null].any(axis=1)
        assert nominal(hits, 0.025), (true, hits.mean())


def test_a_parametric_test_uses_the_whole_level():
    p = norm.sf(statistics(EQUAL))
    hits = rejections(presets.holm(3), p, 0.025, (Group((0, 1, 2), "parametric", EQUAL),)).any(axis=1)
    assert hits.mean() == pytest.approx(0.025, abs=4.5 * math.sqrt(0.025 * 0.975 / N))


def test_truncation_runs_from_bonferroni_to_the_full_test():
    p = draws(500, 4) ** 2
    assert (presets.truncated(p, 0.05, 0.0) == (p <= 0.05 / 4)).all()
    assert (presets.truncated(p, 0.05, 1.0) == (stepwise.adjust(p, "holm") <= 0.05)).all()
    assert (presets.truncated(p, 0.05, 1.0, "hochberg") == (stepwise.adjust(p, "hochberg") <= 0.05)).all()


def test_gatekeeping_by_hand():
    families = ((0, 1), (2, 3))
    # Both primaries shown: the secondaries have the whole level, by Holm's test.
    assert presets.gatekeeping([0.001, 0.001, 0.02, 0.04], families, 0.05, 0.5).tolist() == [True] * 4
    # One of two kept with fraction 0.5: 0.05 (1 - 0.5 - 0.25) = 0.0125 is left over, 0.00625 for the first.
    assert presets.gatekeeping([0.001, 0.9, 0.006, 0.012], families, 0.05, 0.5).tolist() == [True, False, True, True]
    assert presets.gatekeeping([0.001, 0.9, 0.0063, 0.9], families, 0.05, 0.5).tolist() == [True, False, False, False]
    # None shown: nothing is left over.
    assert not presets.gatekeeping([0.9, 0.9, 0.0, 0.0], families, 0.05, 0.5).any()


def test_parallel_gatekeeping_and_successive_graphs_spend_alpha_on_primaries_first():
    for made in (presets.parallel_gatekeeping(2, 2), presets.simple_successive(2)):
        assert made.weights.tolist() == [0.5, 0.5, 0, 0]
        assert made.transitions.sum(axis=1) == pytest.approx(1)
        assert not adjusted(made, [0.9, 0.9, 0.0, 0.0])[2:].min() < 0.9


def test_dunnett_against_tables_and_a_second_integral():
    # Dunnett 1955, table 1a: one-sided 5 %, three arms; infinite and 20 degrees of freedom.
    assert critical_value(0.05, [1, 1, 1], 1) == pytest.approx(2.06, abs=5e-3)
    assert critical_value(0.05, [1, 1, 1], 1, 20) == pytest.approx(2.19, abs=5e-3)
    sizes = [30, 45, 60]
    for df in (np.inf, 12.0):
        ours = float(dunnett_p(1.8, sizes, 40, df))
        assert ours == pytest.approx(float(exceed([1.8] * 3, correlations(sizes, 40), df)), abs=5e-6)
    assert float(dunnett_p(1.8, [10], 40)) == pytest.approx(norm.sf(1.8), abs=1e-10)
    assert step_down([[2.5, 2.0, 0.3]], sizes, 40)[0, 0] == pytest.approx(float(dunnett_p(2.5, sizes, 40)))


def test_co_primary_endpoints_must_all_be_shown():
    assert stepwise.co_primary([[0.01, 0.04], [0.2, 0.001]]).tolist() == [0.04, 0.2]
    drifts, z = np.array([3.0, 2.8]), norm.isf(0.025)
    independent = norm.sf(z - drifts).prod()
    assert co_primary_power(drifts, np.eye(2), 0.025) == pytest.approx(independent, abs=1e-6)
    assert co_primary_power(drifts, [[1, 0.6], [0.6, 1]], 0.025) > independent
    assert co_primary_power([3.0, 3.0], np.ones((2, 2)), 0.025) == pytest.approx(norm.sf(z - 3.0), abs=1e-9)


def test_multivariate_chances_against_scipy_and_closed_forms():
    inside = multivariate_normal.cdf([2.0, 1.0, 2.5], cov=EQUAL, abseps=1e-8, releps=1e-8, maxpts=200_000, rng=1)
    assert 1 - float(exceed([2.0, 1.0, 2.5], EQUAL)) == pytest.approx(inside, abs=5e-6)
    # One below the other's bound is one statistic; opposite ones are two tails.
    assert float(exceed([1.0, 2.0], np.ones((2, 2)))) == pytest.approx(norm.sf(1.0), abs=1e-9)
    assert float(exceed([1.0, 1.0], [[1, -1], [-1, 1]], 7.0)) == pytest.approx(2 * 0.17530833, abs=1e-6)
    assert float(exceed([-1.0, -0.5], np.eye(2))) == pytest.approx(1 - norm.cdf(-1) * norm.cdf(-0.5), abs=1e-6)
    assert float(exceed([np.inf, 1.0], np.eye(2))) == pytest.approx(norm.sf(1.0), abs=1e-6)
    share = equal_bound(0.025, np.eye(4))
    assert share == pytest.approx(-math.expm1(math.log1p(-0.025) / 4), rel=1e-4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: graph([0.6, 0.6], np.zeros((2, 2))), "sum to 1.2, so more than alpha would be spent"),
        (lambda: graph([0.5, 0.5], [[0, 1.2], [1, 0]]), "from 0 to 1, and 0 on the diagonal"),
        (lambda: graph([0.5, 0.5], [[0.1, 0.9], [1, 0]]), "0 on the diagonal"),
        (lambda: graph([0.2] * 3, [[0, 0.7, 0.7], [0, 0, 1], [1, 0, 0]]), "row 1 sums to 1.4"),
        (lambda: graph([0.5, -0.1], np.zeros((2, 2))), "from 0 to 1"),
        (lambda: graph([0.5, 0.5], np.zeros((3, 3))), "expected shape"),
        (lambda: graph([0.5, 0.5], np.zeros((2, 2)), ("a", "a")), "different"),
        (lambda: graph([1 / 13] * 13, np.zeros((13, 13))), "1 to 12"),
        (lambda: shortcut(presets.holm(2), [0.1, 1.1]), "from 0 to 1, got 1.1"),
        (lambda: shortcut(presets.holm(2), [0.1, np.nan]), "got .*nan"),
        (lambda: shortcut(presets.holm(2), [0.1]), "expected 2 p-values"),
        (lambda: adjusted(presets.holm(2), [0.1, 0.2], (Group((0,)),)), "once"),
        (lambda: adjusted(presets.holm(2), [0.1, 0.2], (Group((0, 1), "parametric"),)), "needs it"),
        (lambda: adjusted(presets.holm(2), [0.1, 0.2], (Group((0, 1), "magic"),)), "expected one of"),
        (lambda: presets.gatekeeping([0.1, 0.2], ((0,), (1,)), 0.05, 1.0), "below 1"),
        (lambda: presets.gatekeeping([0.1, 0.2], ((0,), (0,)), 0.05, 0.5), "once"),
        (lambda: presets.truncated([0.1], 0.05, 2.0), "from 0 to 1"),
        (lambda: stepwise.adjust([0.1, 0.2], "tukey"), "expected one of"),
        (lambda: stepwise.adjust([], "holm"), "got none"),
        (lambda: presets.holm(0), "whole number from 1"),
        (lambda: exceed([1.0, 1.0], [[1, 2], [2, 1]]), "positive semidefinite"),
        (lambda: exceed([1.0, 1.0], [[2, 0], [0, 2]]), "ones on its diagonal"),
        (lambda: exceed([1.0, np.nan], np.eye(2)), "NaN"),
        (lambda: dunnett_p(np.nan, [1, 1], 1), "finite"),
        (lambda: dunnett_p(1.0, [1, 0], 1), "above 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
