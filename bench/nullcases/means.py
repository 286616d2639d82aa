"""Means: two arms, pairs, periods, ranks, equivalence, and Bayesian comparisons."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from cutis.trials.statistics.methods import ancova, bayes, crossover, ranks, wilcoxon
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.statistics.paired import paired_t
from cutis.trials.statistics.proportions import Contrast

from .common import Case, arms, each, many, mapped

ALPHA = 0.05


def _trial(rng, replicates, sizes=(60, 60), spread=(1.0, 1.0), strata=1):
    """Outcome, arm, a covariate and a stratum, both of which matter."""
    arm = arms(replicates, *sizes)
    x, stratum = rng.standard_normal(arm.shape), rng.integers(0, strata, arm.shape)
    noise = np.where(arm > 0, spread[1], spread[0]) * rng.standard_normal(arm.shape)
    return 0.8 * x + 0.5 * stratum + noise, arm, x, stratum


def classical(rng, replicates):
    y, arm, x, _ = _trial(rng, replicates, (15, 15))
    return many(lambda y, a, x: ancova.ancova(y, a, x, covariance="classical").difference, y, arm, x) < ALPHA


def robust(rng, replicates):
    y, arm, x, _ = _trial(rng, replicates, (100, 50), (1.0, 2.5))
    return many(lambda y, a, x: ancova.ancova(y, a, x).difference, y, arm, x) < ALPHA


def stratified(rng, replicates):
    y, arm, x, s = _trial(rng, replicates, (100, 100), (1.0, 1.5), strata=3)
    return many(lambda y, a, x, s: ancova.ancova(y, a, x, s, 3).difference, y, arm, x, s) < ALPHA


def interaction(rng, replicates):
    """The covariate acts differently in the arms, whose means do not differ."""
    arm = arms(replicates, 150, 150)
    x = rng.standard_normal(arm.shape)
    y = (0.2 + 1.2 * arm) * x + rng.standard_normal(arm.shape)
    return many(lambda y, a, x: ancova.ancova(y, a, x).difference, y, arm, x) < ALPHA


def van_elteren(rng, replicates):
    y, arm, _, s = _trial(rng, replicates, (100, 100), strata=3)
    return many(lambda y, a, s: ranks.van_elteren(y, a, s, 3), np.round(y, 1), arm, s) < ALPHA


def rank_sum(rng, replicates, kind):
    """Without ties the p-value follows from the rank sum, of which there are few."""
    y = rng.exponential(size=(replicates, 16))
    sums = rankdata(y, axis=1)[:, :8].sum(axis=1)
    first, place = np.unique(sums, return_index=True, return_inverse=True)[1:]
    return each(lambda row: wilcoxon.rank_sum(row[:8], row[8:], kind).p, y[first])[place.reshape(-1)] < ALPHA


def signed_rank(rng, replicates):
    return each(lambda d: wilcoxon.signed_rank(d, "exact").p, rng.standard_normal((replicates, 12))) < ALPHA


def paired(rng, replicates, twins=60):
    """Two sides of the same people, and what differs between the sides as a covariate."""
    contrast = Contrast("one", "two", ("baseline",))
    table = pd.DataFrame({"twin": np.tile(np.arange(twins), 2), "arm": np.repeat(["one", "two"], twins),
                          "missing": False})  # fmt: skip
    x = rng.standard_normal((replicates, 2 * twins))
    y = np.tile(rng.standard_normal((replicates, twins)), 2) + 0.7 * x + rng.standard_normal(x.shape)
    return each(lambda y, x: paired_t(table.assign(value=y, baseline=x), contrast)[0].p, y, x) < ALPHA


def periods(rng, replicates):
    """A period effect, people who differ, no difference between treatments."""
    ab = np.repeat([1.0, 0.0], [10, 12])
    person = rng.standard_normal((replicates, 22))
    one, two = (person + shift + rng.standard_normal(person.shape) for shift in (0.0, 0.7))
    return each(lambda a, b: crossover.ab_ba(a, b, ab).treatment.p, one, two) < ALPHA


def equivalence(rng, replicates):
    """The treatments differ by the upper margin."""
    y, arm, x, _ = _trial(rng, replicates, (60, 60))
    found = mapped(lambda y, a, x: ancova.ancova(y, a, x, covariance="classical").difference, y + arm, arm, x)
    return each(lambda *one: crossover.equivalence(Estimate._make(one), -1.0, 1.0).p, *found) < ALPHA


def bioequivalence(rng, replicates):
    """Ratio of geometric means 1.25, coefficient of variation about 20 %."""
    reference = np.exp(rng.standard_normal((replicates, 24)))
    test = reference * 1.25 * np.exp(0.28 * rng.standard_normal(reference.shape))
    return each(lambda a, b: crossover.bioequivalence(a, b).p, test, reference) < ALPHA


def _posterior(rng, replicates, prior_of):
    """Chance of a difference above none beyond 97.5 %, 100 an arm with a known standard deviation of 1."""
    means = 0.1 * rng.standard_normal((replicates, 2))
    found = [bayes.mean_difference(m1, 0.1, m0, 0.1, prior_of(rng)).chance for m1, m0 in means]
    return np.array(found) > 0.975


def bayes_alone(rng, replicates):
    flat = bayes.mean_power_prior([0.0], [1e4], 1.0)
    return _posterior(rng, replicates, lambda _: flat)


def bayes_exchangeable(rng, replicates):
    return _posterior(rng, replicates, lambda r: bayes.mean_power_prior(0.1 * r.standard_normal(2), [0.1, 0.1], 1.0))


def bayes_robust(rng, replicates):
    def prior(r):
        true = 0.1 * r.standard_normal(3)  # trials differ
        return bayes.mean_map_prior(true + 0.1 * r.standard_normal(3), [0.1] * 3, 0.1, 0.8, 0.0, 1.0)

    means = 0.1 * rng.standard_normal((replicates, 2)) + 0.1 * rng.standard_normal((replicates, 1))
    found = [bayes.mean_difference(m1, 0.1, m0, 0.1, prior(rng)).chance for m1, m0 in means]
    return np.array(found) > 0.975


def bayes_conflict(rng, replicates):
    history = bayes.mean_map_prior([-0.3, -0.3, -0.3], [0.1] * 3, 0.1, 0.8, 0.0, 1.0)
    return _posterior(rng, replicates, lambda _: history)


CASES = [
    Case("ANCOVA, classical", "2 x 15", 0.05, classical),
    Case("ANCOVA, HC3, unequal variances and sizes", "100 and 50, SD 1 and 2.5", 0.05, robust, "asymptotic"),
    Case("ANCOVA, HC3, strata", "2 x 100, 3 strata", 0.05, stratified, "asymptotic"),
    Case("ANCOVA, HC3, covariate acts differently in the arms", "2 x 150", 0.05, interaction, "asymptotic"),
    Case("van Elteren", "2 x 100, 3 strata, ties", 0.05, van_elteren, "asymptotic"),
    Case("Wilcoxon rank sum, exact", "2 x 8", 0.05, lambda r, n: rank_sum(r, n, "exact"), "at most",
         note="a discrete test: the largest level at or below 5 % is 4.99 %"),
    Case("Wilcoxon rank sum, normal with continuity correction", "2 x 8", 0.05, lambda r, n: rank_sum(r, n, "normal"),
         "at most", note="discrete, and the correction makes it conservative"),
    Case("Wilcoxon signed rank, exact", "12 pairs", 0.05, signed_rank, "at most", note="a discrete test"),
    Case("paired t, HC3 with a covariate", "60 pairs", 0.05, paired, "asymptotic",
         note="HC3 divides squared residuals by the square of one minus their leverage, where one power would leave no "
         "bias: with two coefficients its variance is 60 / 58 of what it should be, about 4.6 % in place of 5"),
    Case("paired t, HC3 with a covariate, large", "240 pairs", 0.05, lambda r, n: paired(r, n, 240), "asymptotic"),
    Case("crossover AB/BA", "10 and 12, period effect", 0.05, periods),
    Case("two one-sided tests at the margin", "2 x 60, ANCOVA", 0.05, equivalence, "at most",
         note="the level is reached as the trial grows"),
    Case("bioequivalence at the margin", "24 pairs, CV 20 %", 0.05, bioequivalence, "at most",
         note="the level is reached as the trial grows"),
    Case("Bayesian means, no history", "2 x 100, chance above 97.5 %", 0.025, bayes_alone),
    Case("Bayesian means, power prior, history of the same mean", "2 x 100, 2 earlier trials", 0.025,
         bayes_exchangeable, note="history is drawn anew in each replicate"),
    Case("Bayesian means, robust meta-analytic prior, trials that differ", "2 x 100, 3 earlier trials, SD between 0.1",
         0.025, bayes_robust, "no claim", note="averages over trials that differ as the prior expects"),
    Case("Bayesian means, robust meta-analytic prior, history 3 SE lower", "2 x 100, 3 earlier trials", 0.025,
         bayes_conflict, "no claim", note="borrowing from a history that disagrees has no error rate; the share with "
         "which it rejects is what must be shown of such a design"),
]  # fmt: skip
