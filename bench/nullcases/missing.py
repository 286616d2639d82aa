"""Missing values: imputation under several assumptions with Rubin's rules, conditional means, non-response."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax

from cutis.core.keys import root
from cutis.trials.statistics.imputation import analyse
from cutis.trials.statistics.imputation.conditional import jackknifed
from cutis.trials.statistics.imputation.incomplete import Incomplete, incomplete
from cutis.trials.statistics.imputation.pool import pool
from cutis.trials.statistics.imputation.posterior import Imputed, Known, apply, draw
from cutis.trials.statistics.imputation.sequential import impute_in_turn
from cutis.trials.statistics.methods import cmh, logistic, score
from cutis.trials.statistics.mmrm.model import Model
from cutis.trials.statistics.mmrm.replicates import monotone_patterns

from .common import Case, many, mapped

ALPHA, PEOPLE, VISITS = 0.05, 60, 3
TOGETHER = 500  # replicates in a program
SIGMA = np.array([[1.0, 0.7, 0.5], [0.7, 1.2, 0.8], [0.5, 0.8, 1.5]])
MODEL = Model("y", "person", "visit", "arm", (), ("x",), arms=("placebo", "drug"))


def courses(rng, replicates, people=PEOPLE):
    """Outcomes of both arms alike, a quarter missing at the end, and a covariate."""
    x = rng.standard_normal((replicates, people))
    y = 0.4 * x[:, :, None] + rng.standard_normal((replicates, people, VISITS)) @ np.linalg.cholesky(SIGMA).T
    for t in (1, 2):
        leaves = rng.random((replicates, people)) < np.where(y[:, :, t - 1] < -0.5, 0.3, 0.1)
        y[:, :, t] = np.where(leaves | np.isnan(y[:, :, t - 1]), np.nan, y[:, :, t])
    return y, x


@cache
def template(people) -> Incomplete:
    """Some replicate as `incomplete` lays out its table; of the others outcome and covariate differ, nothing else."""
    y, x = courses(np.random.default_rng(0), 1, people)
    table = pd.DataFrame({
        "person": np.repeat([f"p{i:03}" for i in range(people)], VISITS), "visit": np.tile(["v0", "v1", "v2"], people),
        "arm": np.repeat(np.where(arms(people) == 1, "drug", "placebo"), VISITS), "x": np.repeat(x[0], VISITS),
        "y": y[0].reshape(-1),
    })  # fmt: skip
    return incomplete(table, MODEL)


def arms(people):
    """Number of each person's arm."""
    return np.arange(people) % 2


def laid(y, x):
    """One replicate as `incomplete` gives it, without its table, which takes longer than all that follows."""
    people = len(y)
    form, arm = template(people).laid, arms(people)
    column = np.tile(x[:, None, None], (1, VISITS, 1))
    design, reference = (form.design(which, [column]) for which in (arm, np.zeros_like(arm)))
    panel = replace(form.panel, outcome=y, design=design)
    form = replace(form, panel=panel, terms=(replace(form.terms[0], values=column),))
    return Incomplete(panel, reference, panel.seen.sum(axis=1), arm, np.arange(people), form)  # who leaves stays away


def imputed(strategy, imputations=50, steps=10, people=PEOPLE):
    """Multiple imputation from the posterior, ANCOVA, Rubin's rules."""

    def rejects(rng, replicates):
        y, x = courses(rng, replicates, people)
        seeds = rng.integers(0, 2**31, replicates)
        found = []
        for outcome, covariate, seed in zip(y, x, seeds, strict=True):
            data = laid(outcome, covariate)
            drawn = draw(root(int(seed)), data, imputations, steps)
            values = apply(drawn, data, strategy).values[:, :, -1]
            found.append(analyse.ancova(values, analyse.ancova_design(data, ("x",))).p)
        return np.array(found) < ALPHA

    return rejects


def _turns(rng, replicates, imputations=20, people=PEOPLE):
    """Imputed visit by visit, a replicate at a time, with the covariate."""
    y, x = courses(rng, replicates, people)
    ids = np.arange(people)
    for outcome, covariate, seed in zip(y, x, rng.integers(0, 2**31, replicates), strict=True):
        columns = np.stack([covariate, ids % 2], axis=1)
        yield impute_in_turn(root(int(seed)), outcome, columns, ids, imputations), columns


def in_turn(people=PEOPLE):
    """Regression visit by visit, ANCOVA, Rubin's rules."""

    def p(made: Imputed, columns):
        design = np.column_stack([np.ones(people), columns[:, 1], columns[:, 0]])
        return analyse.ancova(made.values[:, :, -1], design).p

    return lambda rng, replicates: np.array([p(*one) for one in _turns(rng, replicates, people=people)]) < ALPHA


def threshold(rng, replicates):
    """Response after imputation, the difference of the shares, Rubin's rules."""

    def p(made: Imputed, _):
        return analyse.risk_difference(analyse.responders(made, VISITS - 1, lambda v: v > 0.2), arms(PEOPLE)).p

    return np.array([p(*one) for one in _turns(rng, replicates)]) < ALPHA


def responding(kernel):
    """Response after imputation, in 100 an arm: a kernel of (response, arm, covariate), Rubin's rules."""

    def rejects(rng, replicates):
        drawn = list(_turns(rng, replicates, people=200))
        yes = np.stack([analyse.responders(made, VISITS - 1, lambda v: v > 0.2) for made, _ in drawn])
        x, arm = (np.stack([columns[:, k] for _, columns in drawn]).astype(float) for k in (0, 1))
        found = mapped(lambda y, a, x: jax.vmap(lambda one: kernel(one, a, x))(y), yes, arm, x, batch=50)
        p = [pool(estimates, ses**2).p for estimates, ses in zip(found.estimate, found.se, strict=True)]
        return np.array(p) < ALPHA

    return rejects


def common(y, arm, x):
    """The common difference of two strata by the covariate."""
    table = cmh.tabulate(arm.astype(int), y.astype(int), (x > 0).astype(int), (2, 2, 2))
    return cmh.common_difference(table)


def conditional_p(strategy, y, x):
    """p-values of conditional means with the jackknife, many replicates in one program, (replicates,)."""
    sets = monotone_patterns(VISITS)

    def p(y, x, design, reference):
        visits = (~jnp.isnan(y)).sum(axis=1)  # who leaves stays away
        given = Known(y, design, reference, visits, jnp.asarray(sets), visits - 1, jnp.arange(PEOPLE))
        columns = jnp.stack([jnp.ones(PEOPLE), jnp.asarray(arms(PEOPLE), float), x], axis=1)
        return jackknifed(given, columns, sets, strategy).p

    run = jax.jit(lambda *rows: lax.map(lambda one: p(*one), rows))
    found = []
    for i in range(0, len(y), TOGETHER):
        some = [laid(*one) for one in zip(y[i : i + TOGETHER], x[i : i + TOGETHER], strict=True)]
        designs = (np.stack([one.panel.design for one in some]), np.stack([one.reference for one in some]))
        found.append(run(y[i : i + TOGETHER], x[i : i + TOGETHER], *designs))
    return np.concatenate(found)


def conditional(strategy):
    """Conditional means with the jackknife, as operating characteristics do it."""
    return lambda rng, replicates: conditional_p(strategy, *courses(rng, replicates)) < ALPHA


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
LARGE = "2 x 100, 3 visits, a quarter leave, 20 imputations"
JACKKNIFE = (
    "by the normal distribution, with 30 an arm; all replicates in one program, which gives the p-values of "
    "conditional_mean on 50 of them to 1e-8"
)
CAREFUL = (
    "Rubin's variance is too large where the reference arm lends its values to the other; known, and wanted by some"
)
WIDE = (
    "below nominal with 30 an arm: of 60 people, less 3 coefficients a visit, the posterior mean of the covariance of "
    "3 visits is 57 / 53 of its unbiased estimate, so that what is imputed varies too much; with 120 an arm 237 / 233"
)
WIDE_IN_TURN = (
    "as multiple imputation with 30 an arm: what n people seen tell of k coefficients draws a residual variance that "
    "is (n - k) / (n - k - 2) of its unbiased estimate on average, 1.05 here"
)
EFFICIENT = (
    "measurements are imputed, responses analysed: whoever imputes knows more than whoever analyses, so that Rubin's "
    "variance is too large (Meng 1994, Statistical Science 9:538), with 500 an arm by 16 % for a risk difference; for "
    "ANCOVA it is not"
)
CASES = [
    Case("multiple imputation, missing at random", f"{SIZE}, 50 imputations", 0.05, imputed("missing_at_random"),
         "asymptotic", note=WIDE),
    Case("multiple imputation, missing at random, large", "2 x 120, 3 visits, a quarter leave, 50 imputations", 0.05,
         imputed("missing_at_random", people=240), "asymptotic"),
    Case("multiple imputation, jump to reference", f"{SIZE}, 50 imputations", 0.05, imputed("jump_to_reference"),
         "at most", note=CAREFUL),
    Case("multiple imputation, copy reference", f"{SIZE}, 50 imputations", 0.05, imputed("copy_reference"), "at most",
         note=CAREFUL),
    Case("multiple imputation, copy increments", f"{SIZE}, 50 imputations", 0.05, imputed("copy_increments"), "at most",
         note=CAREFUL),
    Case("imputation visit by visit", f"{SIZE}, 20 imputations", 0.05, in_turn(), "asymptotic", note=WIDE_IN_TURN),
    Case("imputation visit by visit, large", "2 x 120, 3 visits, a quarter leave, 20 imputations", 0.05, in_turn(240),
         "asymptotic"),
    Case("imputation, then a threshold", f"{SIZE}, 20 imputations", 0.05, threshold, "at most", note=EFFICIENT),
    Case("imputation, then logistic regression", LARGE, 0.05, responding(logistic.logistic), "at most",
         note=EFFICIENT),
    Case("imputation, then g-computation", LARGE, 0.05, responding(logistic.standardised_difference), "at most",
         note=EFFICIENT),
    Case("imputation, then Mantel-Haenszel difference, Sato", LARGE, 0.05, responding(common), "at most",
         note=EFFICIENT),
    Case("conditional means, missing at random, jackknife", SIZE, 0.05, conditional("missing_at_random"), "asymptotic",
         note=JACKKNIFE),
    Case("conditional means, jump to reference, jackknife", SIZE, 0.05, conditional("jump_to_reference"), "asymptotic",
         note=f"{JACKKNIFE}; below nominal, as a jackknife's variance is on average too large (Efron and Stein 1981, "
         "Annals of Statistics 9:586)"),
    Case("non-response, score test", "2 x 150, a fifth leave", 0.05, non_response, "asymptotic"),
]  # fmt: skip
