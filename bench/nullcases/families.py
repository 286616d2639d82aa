"""Several hypotheses: the chance to reject any true one, with all true or some."""

import numpy as np
from scipy.stats import multivariate_t, norm
from scipy.stats import t as student

from cutis.trials.designs.multiplicity import closure, dunnett, graph, presets, sequential, stepwise
from cutis.trials.designs.multivariate import equal_bound
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.spending import Spending

from .common import Case, correlated, one_sided

ALPHA = 0.025
POSITIVE = 0.5 * (np.eye(4) + 1)  # correlations of one half
MANY_ARMS = dunnett.correlations([1.0, 1.0, 1.0, 1.0], 1.0)


def any_true(procedure, correlation, effects=(0.0, 0.0, 0.0, 0.0)):
    """A procedure on p-values, (replicates, hypotheses) to rejections; those of true hypotheses count."""
    effect = np.array(effects)

    def rejects(rng, replicates):
        p = one_sided(correlated(rng, replicates, np.asarray(correlation)) + effect)
        return np.asarray(procedure(p))[:, effect == 0].any(axis=1)

    return rejects


def by(method):
    return lambda p: stepwise.adjust(p, method) <= ALPHA


def graphical(shape, groups=()):
    return lambda p: closure.rejections(shape, p, ALPHA, groups)


def shortcut(shape):
    return lambda p: np.stack([graph.shortcut(shape, row, ALPHA).rejected for row in p])


def gate(p):
    return presets.gatekeeping(p, ((0, 1), (2, 3)), ALPHA, 0.5, "hochberg")


def step_down(df):
    """Four arms against a control, with their own variance if `df` is finite."""

    def rejects(rng, replicates):
        z = correlated(rng, replicates, MANY_ARMS)
        scale = np.ones(replicates) if np.isinf(df) else np.sqrt(rng.chisquare(df, replicates) / df)
        return (dunnett.step_down(z / scale[:, None], [1.0] * 4, 1.0, df) <= ALPHA).any(axis=1)

    return rejects


def at_looks(effects=(0.0, 0.0)):
    """Two hypotheses in a Holm graph, each spending its share of alpha over two looks as O'Brien and Fleming do."""
    shape, times = graph.graph([0.5, 0.5], 1 - np.eye(2)), np.array([0.5, 1.0])
    effect, true = np.array(effects), np.array(effects) == 0

    def bounds(level):
        return spending_bounds(times, level, Spending("obrien_fleming")).efficacy

    def rejects(rng, replicates):
        stages = [correlated(rng, replicates, POSITIVE[:2, :2]) for _ in times]
        z = np.cumsum(stages, axis=0) / np.sqrt(2 * times)[:, None, None] + effect * np.sqrt(times)[:, None, None]
        return sequential.rejections(shape, np.swapaxes(z, 0, 1), ALPHA, bounds)[:, -1, true].any(axis=1)

    return rejects


def parametric_t(rng, replicates):
    """Weights that differ, t statistics of one common variance."""
    df, weights = 20, graph.graph([0.5, 0.3, 0.2], (1 - np.eye(3)) / 2)
    correlation = MANY_ARMS[:3, :3]
    group = (closure.Group((0, 1, 2), "parametric", correlation, df),)
    t = multivariate_t(shape=correlation, df=df, seed=rng).rvs(replicates)
    return closure.rejections(weights, student.sf(t, df), ALPHA, group).any(axis=1)


def co_primary(rng, replicates):
    """Two endpoints: the treatment works on one, so strongly that only the other decides."""
    z = correlated(rng, replicates, POSITIVE[:2, :2]) + np.array([8.0, 0.0])
    return stepwise.co_primary(one_sided(z)) <= ALPHA


def overlapping(rng, replicates):
    """Two arms of a platform whose controls are half the same people; both at the level of their joint test."""
    correlation = dunnett.overlapping([60, 60], [60, 60], np.array([[60, 30], [30, 60]]))
    bound = norm.isf(equal_bound(ALPHA, correlation))
    y = rng.standard_normal((replicates, 90))  # controls: 30 of the first alone, 30 of both, 30 of the second alone
    arms = rng.standard_normal((2, replicates, 60)).mean(axis=2)
    z = [(arm - y[:, part].mean(axis=1)) / np.sqrt(2 / 60) for arm, part in
         zip(arms, (slice(0, 60), slice(30, 90)), strict=True)]  # fmt: skip
    return np.maximum(*z) > bound


HOLM, SUCCESSIVE = presets.holm(4), presets.simple_successive(2)
SIMES = (closure.Group((0, 1, 2, 3), "simes"),)
PARAMETRIC = (closure.Group((0, 1, 2, 3), "parametric", POSITIVE),)
FREE, SOME = np.eye(4), (3.0, 0.0, 3.0, 0.0)
BOUND = "an inequality, reached at the worst correlation only"
LOOSE = "the test of all hypotheses is exact, but when it rejects there may be none to reject"
INDEPENDENT, ALIKE = "4 hypotheses, independent", "4 hypotheses, correlation 0.5"
CASES = [
    Case("Bonferroni", ALIKE, ALPHA, any_true(by("bonferroni"), POSITIVE), "at most", note=BOUND),
    Case("Sidak", INDEPENDENT, ALPHA, any_true(by("sidak"), FREE)),
    Case("Holm, two hypotheses false", ALIKE, ALPHA, any_true(by("holm"), POSITIVE, SOME), "at most", note=BOUND),
    Case("Hochberg", INDEPENDENT, ALPHA, any_true(by("hochberg"), FREE), "at most", note=BOUND),
    Case("Hochberg, two hypotheses false", ALIKE, ALPHA, any_true(by("hochberg"), POSITIVE, SOME), "at most",
         note=BOUND),
    Case("Hommel", INDEPENDENT, ALPHA, any_true(by("hommel"), FREE), "at most", note=LOOSE),
    Case("fixed sequence", ALIKE, ALPHA, any_true(lambda p: stepwise.fixed_sequence(p) <= ALPHA, POSITIVE)),
    Case("fixed sequence, the first hypothesis false", ALIKE, ALPHA,
         any_true(lambda p: stepwise.fixed_sequence(p) <= ALPHA, POSITIVE, (8.0, 0.0, 0.0, 0.0))),
    Case("graph, Bonferroni", ALIKE, ALPHA, any_true(graphical(HOLM), POSITIVE), "at most", note=BOUND),
    Case("graph, Bonferroni shortcut, successive, two hypotheses false", ALIKE, ALPHA,
         any_true(shortcut(SUCCESSIVE), POSITIVE, SOME), "at most", note=BOUND),
    Case("graph, Simes", INDEPENDENT, ALPHA, any_true(graphical(HOLM, SIMES), FREE), "at most", note=LOOSE),
    Case("graph, Simes, correlated", ALIKE, ALPHA, any_true(graphical(HOLM, SIMES), POSITIVE), "at most", note=BOUND),
    Case("graph, parametric", ALIKE, ALPHA, any_true(graphical(HOLM, PARAMETRIC), POSITIVE)),
    Case("graph, parametric, t, weights 5:3:2", "3 arms, 20 degrees of freedom", ALPHA, parametric_t),
    Case("graph at two looks", "2 hypotheses, correlation 0.5", ALPHA, at_looks(), "at most", note=BOUND),
    Case("graph at two looks, one hypothesis false", "2 hypotheses, correlation 0.5", ALPHA, at_looks((6.0, 0.0)),
         "at most", note=BOUND),
    Case("fallback", ALIKE, ALPHA, any_true(graphical(presets.fallback([0.4, 0.3, 0.2, 0.1])), POSITIVE), "at most",
         note=BOUND),
    Case("parallel gatekeeping by a graph, first primary false", ALIKE, ALPHA,
         any_true(graphical(presets.parallel_gatekeeping(2, 2)), POSITIVE, (3.0, 0.0, 0.0, 0.0)), "at most",
         note=BOUND),
    Case("gatekeeping, truncated Hochberg, first primary false", ALIKE, ALPHA,
         any_true(gate, POSITIVE, (3.0, 0.0, 0.0, 0.0)), "at most", note=BOUND),
    Case("Dunnett, step-down", "4 arms and a control", ALPHA, step_down(np.inf)),
    Case("Dunnett, step-down, t", "4 arms and a control, 25 degrees of freedom", ALPHA, step_down(25.0)),
    Case("co-primary, one endpoint certain", "2 endpoints, correlation 0.5", ALPHA, co_primary),
    Case("platform, two arms, half of the controls shared", "60 an arm", ALPHA, overlapping),
]  # fmt: skip
