"""Counts and ordered grades, and rates of events per person-time."""

import numpy as np
from scipy.special import expit

from cutis.trials.statistics.methods import likelihood, score
from cutis.trials.statistics.methods.counts import combination, negative_binomial
from cutis.trials.statistics.methods.ordinal import proportional_odds

from .common import Case, arms, each, many

ALPHA = 0.05


def _counts(rng, replicates, n, dispersion):
    """Lesions with a covariate, people seen for different times, and more spread than Poisson's."""
    arm, x = arms(replicates, n, n), rng.standard_normal((replicates, 2 * n))
    time = rng.uniform(0.5, 1.0, arm.shape)
    mean = 8.0 * time * np.exp(0.3 * x)
    frailty = rng.gamma(1 / dispersion, dispersion, arm.shape) if dispersion else 1.0
    return rng.poisson(mean * frailty).astype(float), arm, x, time


def _columns(arm, x):
    return np.column_stack([np.ones(len(x)), x, arm])


def negative(observed):
    """Negative binomial regression with a covariate and exposure."""

    def rejects(rng, replicates):
        def p(y, a, x, time):
            return combination(negative_binomial(_columns(a, x), y, time), [0.0, 0.0, 1.0], observed).p

        return each(p, *_counts(rng, replicates, 150, 0.6)) < ALPHA

    return rejects


def poisson(quasi, dispersion):
    """Poisson regression; by t and with the dispersion estimated if `quasi`."""

    def rejects(rng, replicates):
        def p(y, a, x, time):
            columns = _columns(a, x)
            model = likelihood.fit(columns, y, "poisson", np.log(time), quasi=quasi)
            return likelihood.coefficient(model, 2, df=len(y) - 3 if quasi else np.inf).p

        return each(p, *_counts(rng, replicates, 100, dispersion)) < ALPHA

    return rejects


def grades(rng, replicates):
    """Five grades of which a covariate tells something."""
    arm, x = arms(replicates, 100, 100), rng.standard_normal((replicates, 200))
    cuts = np.array([-1.5, -0.4, 0.5, 1.6])
    below = expit(cuts - 0.8 * x[:, :, None])
    grade = (rng.random(arm.shape)[:, :, None] > below).sum(axis=2).astype(float)
    return each(lambda y, a, x: proportional_odds(y, a, x).p, grade, arm, x) < ALPHA


def rates(contrast):
    """Events per person-time in two strata with rates of their own."""

    def rejects(rng, replicates):
        time = rng.uniform(30, 60, (2, replicates, 2))
        events = rng.poisson(time * [0.4, 0.9])
        four = [part.astype(float) for part in (events[0], time[0], events[1], time[1])]
        return many(lambda *row: score.poisson(score.Pair(*row), contrast), *four) < ALPHA

    return rejects


FEW = "2 x 2 strata, 12 to 54 events"
SPREAD = "2 x 150, dispersion 0.6, one covariate, exposure"
CASES = [
    Case("negative binomial, observed information", SPREAD, 0.05, negative(True), "asymptotic"),
    Case("negative binomial, expected information", SPREAD, 0.05, negative(False), "asymptotic"),
    Case("Poisson, counts of that kind", "2 x 100, one covariate, exposure", 0.05, poisson(False, 0.0), "asymptotic"),
    Case("quasi-Poisson, gamma frailty", "2 x 100, one covariate", 0.05, poisson(True, 0.4), "no claim",
         note="the variance rises faster than the mean, which one factor for all does not follow; the negative "
         "binomial model does"),
    Case("proportional odds", "2 x 100, 5 grades, one covariate", 0.05, grades, "asymptotic"),
    Case("score, difference of rates, strata", FEW, 0.05, rates("difference"), "asymptotic"),
    Case("score, ratio of rates, strata", FEW, 0.05, rates("ratio"), "asymptotic"),
]  # fmt: skip
