"""Families tested at several looks: against the rule for one trial, their errors, their bounds, and refusals."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from cutis.trials.designs.multiplicity import presets
from cutis.trials.designs.multiplicity.graph import graph, remove
from cutis.trials.designs.multiplicity.sequential import rejections
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.spending import Spending
from cutis.trials.operating import looks
from cutis.trials.operating.decisions import Rule, decide
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.settings import Design
from cutis.trials.statistics.methods.estimate import Estimate

REPLICATES, ALPHA = 20_000, 0.025
TIMES = (0.4, 0.7, 1.0)
GRAPH = graph([0.5, 0.3, 0.2], [[0, 0.6, 0.4], [0.5, 0, 0.5], [1, 0, 0]])


def bounds(level):
    return spending_bounds(TIMES, level, Spending("obrien_fleming")).efficacy


def paths(means, correlation=0.5, seed=2, replicates=REPLICATES):
    """Statistics of successive looks, (replicates, looks, hypotheses), whose means are those at full information."""
    rng = np.random.default_rng(seed)
    means = np.array(means, float)
    matrix = np.full((len(means), len(means)), correlation) + (1 - correlation) * np.eye(len(means))
    step = np.diff(TIMES, prepend=0.0)
    moves = rng.multivariate_normal(np.zeros(len(means)), matrix, (replicates, len(TIMES)))
    motion = np.cumsum(moves * np.sqrt(step)[:, None] + means * step[:, None], axis=1)
    return motion / np.sqrt(TIMES)[:, None]


def one_trial(weights, transitions, z):
    """The sequentially rejective rule of one trial: as a weight grows, looks before count at the new level, too."""
    weights, transitions = weights.copy(), transitions.copy()
    found = np.zeros(z.shape, bool)
    left = np.ones(len(weights), bool)
    for look in range(len(z)):
        more = True
        while more:
            more = False
            for j in np.flatnonzero(left & (weights > 0)):
                if (z[: look + 1, j] >= bounds(weights[j] * ALPHA)[: look + 1]).any():
                    weights, transitions = remove(weights, transitions, j)
                    left[j], more = False, True
                    break
        found[look] = ~left
    return found


def at_most(hits, rate):
    return hits.mean() < rate + 4 * math.sqrt(rate * (1 - rate) / len(hits))


def test_the_closed_test_is_the_rule_of_one_trial():
    z = paths([2.5, 2.0, 2.0], replicates=60)
    found = rejections(GRAPH, z, ALPHA, bounds)
    assert 0.1 < found[:, -1].mean() < 0.9
    for mine, statistics in zip(found, z, strict=True):
        np.testing.assert_array_equal(mine, one_trial(GRAPH.weights, GRAPH.transitions, statistics))


def test_one_hypothesis_is_a_group_sequential_trial():
    z = paths([2.0])
    found = rejections(presets.holm(1), z, ALPHA, bounds)
    np.testing.assert_array_equal(found[:, -1, 0], (z[..., 0] >= bounds(ALPHA)).any(axis=1))


@pytest.mark.parametrize("means", [(0, 0, 0), (0, 0, 4), (4, 0, 0), (0, 4, 4)])
def test_the_familywise_error_holds_over_the_looks(means):
    null = np.array(means) == 0
    found = rejections(GRAPH, paths(means), ALPHA, bounds)
    assert at_most(found[:, -1][:, null].any(axis=1), ALPHA)
    assert (np.diff(found.astype(int), axis=1) >= 0).all()


def test_independent_hypotheses_without_transitions_have_their_shares():
    shares = graph([0.6, 0.4], np.zeros((2, 2)))
    found = rejections(shares, paths([0, 0], 0.0), ALPHA, bounds)[:, -1]
    for place, share in enumerate((0.6, 0.4)):
        rate = share * ALPHA
        assert abs(found[:, place].mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / REPLICATES)


def estimates(z):
    zero = np.zeros(z.shape)
    return Estimate(z, zero + 1, zero, zero, z, zero + np.inf, 2 * norm.sf(abs(z)), zero.astype(int))


@pytest.mark.parametrize("success", ["any", "all"])
@pytest.mark.parametrize("test", ["graph", "holm", "fixed_sequence"])
def test_a_design_ends_where_its_family_is_a_success(test, success):
    words = {"family": {"analyses": ["a", "b", "c"], "test": test, "success": success}, "looks": TIMES}
    design = Design.model_validate(words)
    rule = Rule(design, looks.bounds(design, 0.05), (1.0,) * 3, ((0, 1),), Allocation((1, 1), 4, 1), (40, 70, 100))
    null = decide(rule, estimates(paths([0, 0, 0])))
    assert at_most(null.rejected.any(axis=1), ALPHA)
    found = decide(rule, estimates(paths([3.5, 3.5, 3.5])))
    np.testing.assert_array_equal(found.people, np.array([40.0, 70, 100])[found.look])
    shown = found.rejected.all(axis=1) if success == "all" else found.rejected.any(axis=1)
    np.testing.assert_array_equal(found.success, shown)
    assert (found.look[~found.success] == 2).all()
    assert 0.05 < (found.look < 2).mean() < 0.95


def test_the_table_of_a_share_is_scaled():
    table = [[0.5, 0.02], [1, 0.05]]
    design = Design.model_validate({"spending": "table", "spending_table": table, "looks": [0.5, 1]})
    found = looks.of_level(design, 0.025)
    assert found[0] == pytest.approx(norm.isf(0.01))
    assert looks.of_level(design, 0.0125)[0] == pytest.approx(norm.isf(0.005))


def test_statistics_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"z: expected shape \(replicates, looks, 3\), got \(5, 2\)"):
        rejections(GRAPH, np.zeros((5, 2)), ALPHA, bounds)
    with pytest.raises(ValueError, match="bounds: expected one for each of 2 looks, got shape \\(3,\\)"):
        rejections(GRAPH, np.zeros((5, 2, 3)), ALPHA, bounds)
    with pytest.raises(ValueError, match="z: holds NaN"):
        rejections(GRAPH, np.full((5, 3, 3), np.nan), ALPHA, bounds)
