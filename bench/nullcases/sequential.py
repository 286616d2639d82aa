"""Group sequential designs: statistics of Brownian motion, and looks at real data."""

import numpy as np
from scipy.stats import norm

from cutis.trials.designs.sequential import classic
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.inference import repeated_interval, stagewise_p
from cutis.trials.designs.sequential.plan import beta_spending, fixed_futility
from cutis.trials.designs.sequential.scales import decide
from cutis.trials.designs.sequential.spending import Spending
from cutis.trials.statistics.methods import ancova, logrank, score

from .common import Case, arms, brownian, mapped

ALPHA, LOOKS = 0.025, np.array([0.3, 0.6, 1.0])
OBF, POCOCK = Spending("obrien_fleming"), Spending("pocock")


def followed(bounds, use_futility=False):
    """Bounds that are followed: success, and in a two-sided design harm, at any look."""

    def rejects(rng, replicates):
        found = decide(bounds, brownian(rng, replicates, bounds.information), use_futility)
        return found.success | found.harm

    return rejects


def at_other_times(rng, replicates):
    """Looks at other fractions than planned, by chance; the level is spent by information."""
    found = np.zeros(replicates, bool)
    plans = rng.integers(0, 40, replicates)
    for which, first in enumerate(rng.uniform(0.2, 0.7, 40)):
        rows = plans == which
        bounds = spending_bounds([first, (1 + first) / 2, 1.0], ALPHA, OBF)
        found[rows] = decide(bounds, brownian(rng, int(rows.sum()), bounds.information)).success
    return found


def stagewise(binding):
    """The adjusted p-value of trials that ended where their bounds said."""
    bounds = beta_spending(LOOKS, ALPHA, 0.9, OBF, Spending("hwang_shih_decani", -2.0), binding).bounds

    def rejects(rng, replicates):
        z = brownian(rng, replicates, LOOKS)
        ended = decide(bounds, z, use_futility=True).look
        p = np.ones(replicates)
        for look in range(1, len(LOOKS) + 1):
            p[ended == look] = stagewise_p(bounds, look, z[ended == look, look - 1])
        return p <= ALPHA

    return rejects


def repeated(rng, replicates):
    """Whether the interval of any look misses the truth, on either side."""
    bounds = spending_bounds(LOOKS, ALPHA, POCOCK)
    z = brownian(rng, replicates, LOOKS)
    ends = [limits(bounds, k + 1, z[:, k]) for k in range(len(LOOKS))]
    return np.any([(low > 0) | (high < 0) for low, high in ends], axis=0)


def limits(bounds, look, z):
    """`repeated_interval` of many, whose distance from the estimate is that of one."""
    low, high = repeated_interval(bounds, look, 0.0)
    centre = z / np.sqrt(bounds.information[look - 1])
    return centre + low, centre + high


def shares(rng, replicates):
    """Score statistics of the responders so far; 180 people an arm."""
    sizes = np.array([54, 108, 180])
    steps = rng.binomial(np.diff(sizes, prepend=0), 0.4, (2, replicates, 3)).cumsum(axis=2).astype(float)
    n = np.tile(sizes.astype(float), replicates)
    z = mapped(lambda a, b, n: score.binomial(score.pair(a, n, b, n), unbiased=False), *steps.reshape(2, -1), n)
    return decide(spending_bounds(sizes, ALPHA, OBF), z.statistic.reshape(replicates, 3)).success


def means(rng, replicates):
    """Analysis of covariance of those seen so far; the p-value's normal quantile is the statistic."""
    n, looks = 120, (40, 80, 120)
    arm = np.tile(np.arange(n) % 2, (replicates, 1)).astype(float)
    x = rng.standard_normal(arm.shape)
    y = 0.7 * x + rng.standard_normal(arm.shape)
    weight = np.tile((np.arange(n)[None, :] < np.array(looks)[:, None]).astype(float), (replicates, 1))
    found = mapped(
        lambda y, a, x, w: ancova.ancova(y, a, x, weight=w, covariance="classical").difference,
        *(np.repeat(column, len(looks), axis=0) for column in (y, arm, x)), weight,
    )  # fmt: skip
    z = (np.sign(found.statistic) * norm.isf(found.p / 2)).reshape(replicates, len(looks))
    return decide(spending_bounds(looks, ALPHA, POCOCK), z).success


def times(rng, replicates):
    """Log-rank after 40, 80 and 120 events in people who enter one after another."""
    n, events = 200, (40, 80, 120)
    arm = arms(replicates, n // 2, n // 2)
    entry, lasts = rng.uniform(0, 1, arm.shape), rng.exponential(1.0, arm.shape)
    ordered = np.sort(entry + lasts, axis=1)
    z = []
    for d in events:
        now = ordered[:, d - 1][:, None]
        followed_up = np.maximum(np.minimum(lasts, now - entry), 0.0)
        happened = (entry + lasts <= now).astype(float)
        here = (entry < now).astype(float)
        found = mapped(lambda t, e, a, w: logrank.logrank(t, e, a, weight=w), followed_up, happened, arm, here)
        z.append(-found.statistic)
    return decide(spending_bounds(events, ALPHA, OBF), np.stack(z, axis=1)).success


FUTILE = beta_spending(LOOKS, ALPHA, 0.9, OBF, POCOCK, binding=False).bounds
BINDING = beta_spending(LOOKS, ALPHA, 0.9, OBF, POCOCK, binding=True).bounds
FIXED = fixed_futility(spending_bounds(LOOKS, ALPHA, OBF), [0.0, 0.5])
TABLE = Spending("table", table=((0.3, 0.005), (0.6, 0.01), (1.0, 0.025)))
PATHS = "3 looks at 30, 60, 100 %"
CASES = [
    Case("spending O'Brien-Fleming", PATHS, ALPHA, followed(spending_bounds(LOOKS, ALPHA, OBF))),
    Case("spending Pocock, two-sided", PATHS, 0.05, followed(spending_bounds(LOOKS, 0.05, POCOCK, 2))),
    Case("spending Hwang-Shih-DeCani -4", PATHS, ALPHA,
         followed(spending_bounds(LOOKS, ALPHA, Spending("hwang_shih_decani", -4.0)))),
    Case("spending Kim-DeMets 2", PATHS, ALPHA, followed(spending_bounds(LOOKS, ALPHA, Spending("kim_demets", 2.0)))),
    Case("spending by a table", PATHS, ALPHA, followed(spending_bounds(LOOKS, ALPHA, TABLE))),
    Case("spending, looks at other times than planned", "3 looks", ALPHA, at_other_times),
    Case("O'Brien-Fleming", PATHS, ALPHA, followed(classic.obrien_fleming(LOOKS, ALPHA))),
    Case("Pocock", PATHS, ALPHA, followed(classic.pocock(LOOKS, ALPHA))),
    Case("Wang-Tsiatis 0.25, two-sided", PATHS, 0.05, followed(classic.wang_tsiatis(LOOKS, 0.05, 0.25, 2))),
    Case("Haybittle-Peto", PATHS, ALPHA, followed(classic.haybittle_peto(LOOKS, ALPHA))),
    Case("non-binding futility, not followed", PATHS, ALPHA, followed(FUTILE)),
    Case("non-binding futility, followed", PATHS, ALPHA, followed(FUTILE, True), "at most",
         note="stops for futility only lower the level, which does not reckon with them"),
    Case("binding futility, followed", PATHS, ALPHA, followed(BINDING, True)),
    Case("fixed futility, followed", PATHS, ALPHA, followed(FIXED, True), "at most",
         note="stops for futility only lower the level"),
    Case("stage-wise p-value, binding futility", PATHS, ALPHA, stagewise(True)),
    Case("stage-wise p-value, non-binding futility followed", PATHS, ALPHA, stagewise(False), "at most",
         note="the p-value disregards the futility bound"),
    Case("repeated intervals, all looks, both sides", PATHS, 0.05, repeated, "at most",
         note="the two sides overlap a little"),
    Case("looks at shares, score test", "2 x 180, 40 %", ALPHA, shares, "asymptotic"),
    Case("looks at means, ANCOVA", "2 x 60", ALPHA, means, "asymptotic"),
    Case("looks at times, log-rank", "200 people who enter over time, 120 events", ALPHA, times, "asymptotic"),
]  # fmt: skip
