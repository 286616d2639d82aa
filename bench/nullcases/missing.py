"""Missing values: imputation under several assumptions with Rubin's rules, conditional means, non-response."""

import numpy as np
import pandas as pd

from cutis.core.keys import root
from cutis.trials.statistics.imputation import analyse
from cutis.trials.statistics.imputation.conditional import conditional_mean
from cutis.trials.statistics.imputation.incomplete import incomplete
from cutis.trials.statistics.imputation.posterior import Imputed, apply, draw
from cutis.trials.statistics.imputation.sequential import impute_in_turn
from cutis.trials.statistics.methods import score
from cutis.trials.statistics.mmrm.model import Model

from .common import Case, many

ALPHA, PEOPLE, VISITS = 0.05, 60, 3
SIGMA = np.array([[1.0, 0.7, 0.5], [0.7, 1.2, 0.8], [0.5, 0.8, 1.5]])
MODEL = Model("y", "person", "visit", "arm", (), ("x",), arms=("placebo", "drug"))
ARM = np.arange(PEOPLE) % 2


def courses(rng, replicates):
    """Outcomes of both arms alike, a quarter missing at the end, and a covariate."""
    x = rng.standard_normal((replicates, PEOPLE))
    y = 0.4 * x[:, :, None] + rng.standard_normal((replicates, PEOPLE, VISITS)) @ np.linalg.cholesky(SIGMA).T
    for t in (1, 2):
        leaves = rng.random((replicates, PEOPLE)) < np.where(y[:, :, t - 1] < -0.5, 0.3, 0.1)
        y[:, :, t] = np.where(leaves | np.isnan(y[:, :, t - 1]), np.nan, y[:, :, t])
    return y, x


def laid(y, x):
    """One replicate as `incomplete` wants it."""
    table = pd.DataFrame({
        "person": np.repeat([f"p{i:03}" for i in range(PEOPLE)], VISITS), "visit": np.tile(["v0", "v1", "v2"], PEOPLE),
        "arm": np.repeat(np.where(ARM == 1, "drug", "placebo"), VISITS), "x": np.repeat(x, VISITS), "y": y.reshape(-1),
    })  # fmt: skip
    return incomplete(table, MODEL)


def imputed(strategy, imputations=50, steps=10):
    """Multiple imputation from the posterior, ANCOVA, Rubin's rules."""

    def rejects(rng, replicates):
        y, x = courses(rng, replicates)
        seeds = rng.integers(0, 2**31, replicates)
        found = []
        for outcome, covariate, seed in zip(y, x, seeds, strict=True):
            data = laid(outcome, covariate)
            drawn = draw(root(int(seed)), data, imputations, steps)
            values = apply(drawn, data, strategy).values[:, :, -1]
            found.append(analyse.ancova(values, analyse.ancova_design(data, ("x",))).p)
        return np.array(found) < ALPHA

    return rejects


def _turns(rng, replicates, imputations=20):
    """Imputed visit by visit, a replicate at a time, with the covariate."""
    y, x = courses(rng, replicates)
    ids = np.arange(PEOPLE)
    for outcome, covariate, seed in zip(y, x, rng.integers(0, 2**31, replicates), strict=True):
        columns = np.stack([covariate, ARM], axis=1)
        yield impute_in_turn(root(int(seed)), outcome, columns, ids, imputations), columns


def in_turn(rng, replicates):
    """Regression visit by visit, ANCOVA, Rubin's rules."""

    def p(made: Imputed, columns):
        design = np.column_stack([np.ones(PEOPLE), columns[:, 1], columns[:, 0]])
        return analyse.ancova(made.values[:, :, -1], design).p

    return np.array([p(*one) for one in _turns(rng, replicates)]) < ALPHA


def threshold(rng, replicates):
    """Response after imputation, the difference of the shares, Rubin's rules."""

    def p(made: Imputed, _):
        return analyse.risk_difference(analyse.responders(made, VISITS - 1, lambda v: v > 0.2), ARM).p

    return np.array([p(*one) for one in _turns(rng, replicates)]) < ALPHA


def conditional(strategy):
    """Conditional means with the jackknife."""

    def rejects(rng, replicates):
        found = []
        for outcome, covariate in zip(*courses(rng, replicates), strict=True):
            data = laid(outcome, covariate)
            found.append(float(conditional_mean(data, analyse.ancova_design(data, ("x",)), strategy).p))
        return np.array(found) < ALPHA

    return rejects


def non_response(rng, replicates):
    """Who left counts as non-responder; score test."""
    n = 150
    stays, improves = rng.random((2, replicates, 2 * n))
    response = np.where(stays < 0.8, (improves < 0.5).astype(float), np.nan)
    yes = analyse.non_responder(response)
    counts = yes[:, :n].sum(axis=1), yes[:, n:].sum(axis=1)
    sizes = np.full(replicates, float(n))
    return many(lambda a, n, b: score.binomial(score.pair(a, n, b, n)), counts[0], sizes, counts[1]) < ALPHA


SIZE = "2 x 30, 3 visits, a quarter leave"
CAREFUL = (
    "Rubin's variance is too large where the reference arm lends its values to the other; known, and wanted by some"
)
CASES = [
    Case("multiple imputation, missing at random", f"{SIZE}, 50 imputations", 0.05, imputed("missing_at_random"),
         "asymptotic", 1_000),
    Case("multiple imputation, jump to reference", f"{SIZE}, 50 imputations", 0.05, imputed("jump_to_reference"),
         "at most", 1_000, CAREFUL),
    Case("multiple imputation, copy reference", f"{SIZE}, 50 imputations", 0.05, imputed("copy_reference"), "at most",
         1_000, CAREFUL),
    Case("multiple imputation, copy increments", f"{SIZE}, 50 imputations", 0.05, imputed("copy_increments"), "at most",
         1_000, CAREFUL),
    Case("imputation visit by visit", f"{SIZE}, 20 imputations", 0.05, in_turn, "asymptotic", 1_000),
    Case("imputation, then a threshold", f"{SIZE}, 20 imputations", 0.05, threshold, "asymptotic", 1_000,
         "Wald within each imputation, with 30 an arm"),
    Case("conditional means, missing at random, jackknife", SIZE, 0.05, conditional("missing_at_random"), "asymptotic",
         1_000, "by the normal distribution, with 30 an arm"),
    Case("conditional means, jump to reference, jackknife", SIZE, 0.05, conditional("jump_to_reference"), "asymptotic",
         1_000, "by the normal distribution, with 30 an arm"),
    Case("non-response, score test", "2 x 150, a fifth leave", 0.05, non_response, "asymptotic"),
]  # fmt: skip
