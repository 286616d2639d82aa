"""Shares of responders: two arms, strata, covariates, pairs, non-inferiority, and a Bayesian comparison."""

import numpy as np
from scipy.special import expit

from cutis.trials.statistics.methods import bayes, cmh, contrast, exact, likelihood, logistic, score, share, strata
from cutis.trials.statistics.paired import exact_p, tango

from .common import Case, arms, each, many

ALPHA, ARM = 0.05, 150
RATES = np.array([0.2, 0.4, 0.6])  # of three strata


def _counted(test, counts) -> np.ndarray:
    """A test of counts, (replicates, numbers); each table that occurs is tested once."""
    tables, place = np.unique(np.asarray(counts, int), axis=0, return_inverse=True)
    return each(lambda row: test(*(int(x) for x in row)), tables)[place.reshape(-1)]


def _pairs(rng, replicates, n=ARM, rate=0.35, shift=0.0):
    """Responders of an arm and its comparator with as many people, (replicates, 2)."""
    return rng.binomial(n, [rate + shift, rate], (replicates, 2))


def two_arms(test, n=ARM, rate=0.35):
    """A test of responders and sizes of two arms."""
    return lambda rng, replicates: _counted(lambda a, b: test(a, n, b, n), _pairs(rng, replicates, n, rate)) < ALPHA


def excludes(interval, n=ARM, rate=0.35, null=0.0):
    """A confidence interval that does not hold the truth."""

    def rejects(rng, replicates):
        def miss(a, b):
            found = interval(a, n, b, n)
            return float(found.low > null or found.high < null)

        return _counted(miss, _pairs(rng, replicates, n, rate)) > 0

    return rejects


def kernel(test, n=ARM, rate=0.35, null=0.0, **settings):
    """A score test as replicates do it."""

    def rejects(rng, replicates):
        counts = _pairs(rng, replicates, n, rate, null).astype(float)
        return many(lambda a, b: test(score.pair(a, n, b, n), **settings), *counts.T) < ALPHA

    return rejects


def non_inferior(rng, replicates):
    """The arm is worse by the margin; one-sided."""
    counts = _pairs(rng, replicates, 200, 0.6, -0.1).astype(float)
    return many(lambda a, b: score.non_inferiority(score.pair(a, 200, b, 200), 0.1), *counts.T) < 0.025


def _strata(rng, replicates):
    """Sizes and responders of two arms in three strata of unequal size: (replicates, 3) each."""
    n = rng.multinomial(ARM, [0.5, 0.3, 0.2], (2, replicates))
    x = rng.binomial(n, RATES)
    return [part.astype(float) for part in (x[0], n[0], x[1], n[1])]


def stratified_score(rng, replicates):
    return many(lambda *four: score.binomial(score.Pair(*four)), *_strata(rng, replicates)) < ALPHA


def of_tables(test):
    """A test of two-by-two tables in strata."""

    def rejects(rng, replicates):
        x1, n1, x0, n0 = _strata(rng, replicates)
        table = np.stack([np.stack([n0 - x0, x0], axis=-1), np.stack([n1 - x1, x1], axis=-1)], axis=-2)
        return many(test, table) < ALPHA

    return rejects


def larger_tables(test):
    """A test of three arms and four ordered outcomes in two strata."""
    chances = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])

    def rejects(rng, replicates):
        cells = [rng.multinomial(60, chance, (replicates, 3)) for chance in chances]
        return many(test, np.stack(cells, axis=1).astype(float)) < ALPHA

    return rejects


def newcombe_strata(rng, replicates):
    found = [strata.newcombe(*row) for row in zip(*_strata(rng, replicates), strict=True)]
    return np.array([row.low > 0 or row.high < 0 for row in found])


def summary_score(rng, replicates):
    return each(lambda *row: strata.summary_score(*row).p, *_strata(rng, replicates)) < ALPHA


def _adjusted(rng, replicates, n=ARM):
    """Responses that depend on a covariate, with the arms in order."""
    arm = arms(replicates, n, n)
    x = rng.standard_normal(arm.shape)
    return (rng.random(arm.shape) < expit(-0.5 + x)).astype(float), arm, x


def regression(rng, replicates):
    return many(lambda y, a, x: logistic.logistic(y, a, x), *_adjusted(rng, replicates)) < ALPHA


def standardised(variance):
    """G-computation with one of its variances."""
    return lambda rng, replicates: many(
        lambda y, a, x: logistic.standardised_difference(y, a, x, variance=variance), *_adjusted(rng, replicates)
    ) < ALPHA  # fmt: skip


def ratio_test(penalised):
    """The likelihood ratio test of a logistic regression, Firth's penalty in both likelihoods if told."""

    def rejects(rng, replicates):
        y, arm, x = _adjusted(rng, replicates, 60)

        def p(y, a, x):
            columns = np.column_stack([np.ones(len(y)), x, a])
            return likelihood.profile(likelihood.fit(columns, y, penalised=penalised), 2, limits=False).p

        return each(p, y, arm, x) < ALPHA

    return rejects


def pairs(test):
    """A test of pairs by response: both, the first side alone, the second alone, neither."""
    return lambda rng, replicates: _counted(test, rng.multinomial(80, [0.25, 0.15, 0.15, 0.45], replicates)) < ALPHA


def tango_excludes(rng, replicates):
    """The first side responds more often by 10 %."""

    def miss(*four):
        found = tango(*four)
        return float(found.low > 0.1 or found.high < 0.1)

    return _counted(miss, rng.multinomial(150, [0.25, 0.2, 0.1, 0.45], replicates)) > 0


def one_share(method):
    return lambda rng, replicates: _counted(
        lambda x: share.binomial_test(x, 60, 0.3, method).p, rng.binomial(60, 0.3, (replicates, 1))
    ) < ALPHA  # fmt: skip


def posterior(rng, replicates):
    flat = bayes.beta_prior(1.0, 1.0)
    chance = _counted(
        lambda a, b: bayes.share_difference(a, ARM, b, ARM, flat).chance, _pairs(rng, replicates)
    )  # fmt: skip
    return chance > 0.975


def borrowed(rng, replicates):
    """Half of 200 earlier people of the comparator, drawn anew with the same share."""
    history = rng.binomial(200, 0.35, (replicates, 1))
    counts = np.concatenate([_pairs(rng, replicates), history], axis=1)
    chance = _counted(
        lambda a, b, h: bayes.share_difference(a, ARM, b, ARM, bayes.power_prior(h, 200, 0.5)).chance, counts
    )
    return chance > 0.975


SIZE = f"2 x {ARM}, 35 %"
STRATA, ADJUSTED = f"2 x {ARM}, 3 strata, 20 to 60 %", f"2 x {ARM}, one covariate"
DISCRETE = "a discrete test, of which 5 % is a bound"
HALF = "a history that agrees counts half, so the posterior is wider than its error"
SMALL = "discrete, with about 9 responders an arm; below nominal at this size"
CASES = [
    Case("Miettinen-Nurminen", SIZE, 0.05, kernel(score.binomial), "asymptotic"),
    Case("Miettinen-Nurminen, strata", STRATA, 0.05, stratified_score, "asymptotic"),
    Case("Mee", SIZE, 0.05, kernel(score.binomial, unbiased=False), "asymptotic"),
    Case("score, allowing for skewness", "2 x 60, 15 %", 0.05, kernel(score.binomial, 60, 0.15, skewness=True),
         "asymptotic", note=SMALL),
    Case("score, allowing for skewness, large", "2 x 300, 15 %", 0.05, kernel(score.binomial, 300, 0.15, skewness=True),
         "asymptotic", note="the same with five times as many people"),
    Case("score, ratio", SIZE, 0.05, kernel(score.binomial, contrast="ratio"), "asymptotic"),
    Case("score, odds ratio", SIZE, 0.05, kernel(score.binomial, contrast="odds"), "asymptotic"),
    Case("score, continuity correction", SIZE, 0.05, kernel(score.binomial, correction=0.5), "at most",
         note="the correction makes it conservative"),
    Case("Farrington-Manning at the margin", "2 x 200, 60 and 50 %, margin 10 %", 0.025, non_inferior, "asymptotic"),
    Case("Newcombe interval", SIZE, 0.05, excludes(contrast.risk_difference), "asymptotic"),
    Case("Newcombe interval, strata", STRATA, 0.05, newcombe_strata, "at most",
         note="an interval put together from Wilson's limits of the strata; found conservative here"),
    Case("chi-squared", SIZE, 0.05, two_arms(lambda *t: contrast.chi_squared(*t).p), "asymptotic"),
    Case("Fisher, exact", SIZE, 0.05, two_arms(lambda *t: exact.odds_ratio(*t).p), "at most", note=DISCRETE),
    Case("exact odds ratio, mid-p", "2 x 40, 35 %", 0.05, two_arms(lambda *t: exact.odds_ratio(*t, midp=True).p, 40),
         "at most", note="discrete; mid-p comes near the level from either side"),
    Case("Chan-Zhang interval, exact", "2 x 15, 35 %", 0.05, excludes(exact.risk_difference, 15), "at most",
         note=DISCRETE),
    Case("Cochran-Mantel-Haenszel", STRATA, 0.05, of_tables(cmh.mantel_haenszel), "asymptotic"),
    Case("Mantel-Haenszel difference, Sato", STRATA, 0.05, of_tables(cmh.common_difference), "asymptotic"),
    Case("Mantel-Haenszel odds ratio, Robins", STRATA, 0.05, of_tables(cmh.common_odds_ratio), "asymptotic"),
    Case("CMH, general association", "3 x 120, 4 outcomes, 2 strata", 0.05, larger_tables(cmh.general_association),
         "asymptotic"),
    Case("CMH, row means", "3 x 120, 4 outcomes, 2 strata", 0.05, larger_tables(cmh.row_means), "asymptotic"),
    Case("CMH, row means, ridits", "3 x 120, 4 outcomes, 2 strata", 0.05,
         larger_tables(lambda t: cmh.row_means(t, "ridit")), "asymptotic"),
    Case("CMH, correlation", "3 x 120, 4 outcomes, 2 strata", 0.05, larger_tables(cmh.correlation), "asymptotic"),
    Case("common difference by summary score", STRATA, 0.05, summary_score, "asymptotic"),
    Case("logistic, Wald", ADJUSTED, 0.05, regression, "asymptotic"),
    Case("logistic, likelihood ratio", "2 x 60, one covariate", 0.05, ratio_test(False), "asymptotic"),
    Case("Firth logistic, penalised likelihood ratio", "2 x 60, one covariate", 0.05, ratio_test(True),
         "asymptotic"),
    Case("g-computation, Ge", ADJUSTED, 0.05, standardised("ge"), "asymptotic"),
    Case("g-computation, HC0", ADJUSTED, 0.05, standardised("hc0"), "asymptotic"),
    Case("g-computation, HC3", ADJUSTED, 0.05, standardised("hc3"), "asymptotic"),
    Case("g-computation, Ye", ADJUSTED, 0.05, standardised("ye"), "asymptotic"),
    Case("McNemar", "80 pairs, 30 % part", 0.05, pairs(lambda *t: tango(*t).p), "asymptotic"),
    Case("McNemar, exact", "80 pairs, 30 % part", 0.05, pairs(lambda b, f, s, n: exact_p(f, s)), "at most",
         note=DISCRETE),
    Case("Tango interval at a difference", "150 pairs, difference 10 %", 0.05, tango_excludes, "asymptotic"),
    Case("one share, exact", "60, 30 %", 0.05, one_share("exact"), "at most", note=DISCRETE),
    Case("one share, mid-p", "60, 30 %", 0.05, one_share("midp"), "at most", note="discrete"),
    Case("Bayesian shares, uniform priors", f"{SIZE}, chance above 97.5 %", 0.025, posterior, "asymptotic"),
    Case("Bayesian shares, power prior, history of the same share", f"{SIZE}, 200 earlier people count half", 0.025,
         borrowed, "at most", note=HALF),
]  # fmt: skip
