"""Times to events, and events that come back."""

import numpy as np

from cutis.trials.statistics.methods import logrank, recurrent, survival
from cutis.trials.statistics.methods.cox import coefficient, cox
from cutis.trials.statistics.methods.estimate import plain, wald

from .common import Case, arms, each, many

ALPHA, ARM = 0.05, 100


def _times(rng, replicates, n=ARM, strata=1, visits=False):
    """Times with a hazard of its own in each stratum, a third censored; rounded up to visits if told."""
    arm = arms(replicates, n, n)
    stratum = rng.integers(0, strata, arm.shape)
    happens, leaves = rng.exponential(1 / (1 + stratum)), rng.uniform(0.3, 2.0, arm.shape)
    time = np.minimum(happens, leaves)
    time = np.ceil(time * 6) / 6 if visits else time
    return time, (happens <= leaves).astype(float), arm, stratum


def log_rank(weighting=(0.0, 0.0), strata=1, visits=False):
    def rejects(rng, replicates):
        found = _times(rng, replicates, strata=strata, visits=visits)
        return many(lambda t, e, a, s: logrank.logrank(t, e, a, s, strata, weighting=weighting), *found) < ALPHA

    return rejects


def combo(rng, replicates):
    return many(lambda t, e, a, s: logrank.max_combo(t, e, a), *_times(rng, replicates)) < ALPHA


def proportional(strata=1, ties="efron", robust=False, visits=False, n=50):
    def rejects(rng, replicates):
        def p(time, event, arm, stratum):
            return coefficient(cox(time, event, arm, stratum=stratum, ties=ties), robust=robust).p

        return each(p, *_times(rng, replicates, n, strata, visits)) < ALPHA

    return rejects


def adjusted(rng, replicates):
    """Breslow's ties at visits, with a covariate that matters."""
    arm, x = arms(replicates, 50, 50), rng.standard_normal((replicates, 100))
    happens, leaves = rng.exponential(np.exp(-0.7 * x)), rng.uniform(0.3, 2.0, arm.shape)
    time = np.ceil(np.minimum(happens, leaves) * 6) / 6

    def p(time, event, arm, x):
        return coefficient(cox(time, event, np.column_stack([x, arm]), ties="breslow"), 1).p

    return each(p, time, (happens <= leaves).astype(float), arm, x) < ALPHA


def restricted(unbiased):
    """Difference of the areas under two curves; the variance with or without its correction for few events."""

    def rejects(rng, replicates):
        def p(time, event, arm, _):
            return survival.restricted_mean_difference(time, event, arm, 1.0, unbiased).p

        return each(p, *_times(rng, replicates)) < ALPHA

    return rejects


def at_a_time(rng, replicates):
    """The difference of two Kaplan-Meier curves at a time, Wald with Greenwood's variances."""

    def p(time, event, arm, _):
        one, two = (survival.survival_at(survival.kaplan_meier(time[arm == a], event[arm == a]), 0.8) for a in (1, 0))
        return plain(wald(one.estimate - two.estimate, float(np.hypot(one.se, two.se)))).p

    return each(p, *_times(rng, replicates)) < ALPHA


def _recurring(rng, n=60, most=4):
    """Rows (start, stop] of people with a frailty, followed for a year or less, up to so many events each."""
    rate = 1.8 * rng.gamma(2.0, 0.5, n)
    ends = rng.uniform(0.6, 1.0, n)
    rows = []
    for person in range(n):
        start, arm = 0.0, float(person % 2)
        for number in range(1, most + 1):
            event = start + rng.exponential(1 / rate[person])
            rows.append((start, min(event, ends[person]), float(event <= ends[person]), arm, person, number))
            start = event
            if event >= ends[person]:
                break
    return np.array(rows).T


def returning(test, n=60):
    """A model of events that come back, with the robust variance."""

    def rejects(rng, replicates):
        return np.array([coefficient(test(*_recurring(rng, n)), robust=True).p for _ in range(replicates)]) < ALPHA

    return rejects


def marginal(n=60, most=3):
    """Each of the first three events since entry, whether it happened or not."""

    def p(rng):
        _, stop, event, _, person, number = _recurring(rng, n, most)
        person, number = person.astype(int), number.astype(int)
        last = np.zeros(n)
        np.maximum.at(last, person, stop)
        time, seen = np.repeat(last[:, None], most, axis=1), np.zeros((n, most))
        time[person, number - 1], seen[person, number - 1] = stop, event
        who, which = np.repeat(np.arange(n), most), np.tile(np.arange(most) + 1, n)
        found = recurrent.wei_lin_weissfeld(time.ravel(), seen.ravel(), who % 2.0, who, which)
        return coefficient(found, robust=True).p

    def rejects(rng, replicates):
        return np.array([p(rng) for _ in range(replicates)]) < ALPHA

    return rejects


SIZE = f"2 x {ARM}, a third censored"
FRAIL, MANY = (f"2 x {arm}, 1.4 events each, gamma frailty" for arm in (30, 120))
SMALL, LARGER = "the sandwich is a little small with 60 people", "the same with four times as many people"
CASES = [
    Case("log-rank", SIZE, 0.05, log_rank(), "asymptotic"),
    Case("log-rank, strata, times at visits", f"{SIZE}, 3 strata", 0.05, log_rank(strata=3, visits=True), "asymptotic"),
    Case("log-rank, late differences (0, 1)", SIZE, 0.05, log_rank((0.0, 1.0)), "asymptotic"),
    Case("log-rank, Gehan", SIZE, 0.05, log_rank("gehan"), "asymptotic"),
    Case("max-combo", SIZE, 0.05, combo, "asymptotic"),
    Case("Cox, Wald", "2 x 50, a third censored", 0.05, proportional(), "asymptotic"),
    Case("Cox, strata, ties by Efron, robust", "2 x 50, 2 strata, times at visits", 0.05,
         proportional(2, "efron", True, True), "asymptotic",
         note="with 75 events the sandwich is on average 6 % smaller than the inverse of the information, which would "
         "give 5.7 %"),
    Case("Cox, strata, ties by Efron, robust, large", "2 x 200, 2 strata, times at visits", 0.05,
         proportional(2, "efron", True, True, 200), "asymptotic",
         note="the same with four times as many people: the sandwich is 2 % smaller"),
    Case("Cox, covariate, ties by Breslow", "2 x 50, times at visits", 0.05, adjusted, "asymptotic",
         note="heavy ties: Breslow takes each of d events at a time as drawn from all n at risk, so that its "
         "information is (n - 1) / (n - d) of what it should be, here about 1.2; study files take Efron's ties"),
    Case("restricted mean, difference", SIZE, 0.05, restricted(True), "asymptotic"),
    Case("restricted mean, difference, uncorrected", SIZE, 0.05, restricted(False), "asymptotic",
         note="as study files have it"),
    Case("Kaplan-Meier, difference at a time", SIZE, 0.05, at_a_time, "asymptotic"),
    Case("recurrent events, Andersen-Gill, robust", FRAIL, 0.05,
         returning(lambda b, e, d, a, p, k: recurrent.andersen_gill(b, e, d, a, p)), "asymptotic", note=SMALL),
    Case("recurrent events, Prentice-Williams-Peterson, robust", FRAIL, 0.05,
         returning(lambda b, e, d, a, p, k: recurrent.prentice_williams_peterson(b, e, d, a, p, k)), "asymptotic",
         note=SMALL),
    Case("recurrent events, Prentice-Williams-Peterson, robust, large", MANY, 0.05,
         returning(lambda b, e, d, a, p, k: recurrent.prentice_williams_peterson(b, e, d, a, p, k), 240), "asymptotic",
         note=LARGER),
    Case("recurrent events, Wei-Lin-Weissfeld, robust", FRAIL, 0.05, marginal(), "asymptotic", note=SMALL),
    Case("recurrent events, Wei-Lin-Weissfeld, robust, large", MANY, 0.05, marginal(240), "asymptotic", note=LARGER),
]  # fmt: skip
