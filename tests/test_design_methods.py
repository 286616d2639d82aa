"""Replicates by the methods for counts, ranks, times and repeated measures: each estimate is that of `cutis run`."""

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.trials.operating import counted, graded, recheck, replicates, timed
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.passes import People
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.statistics.methods import cox as hazards
from cutis.trials.statistics.methods import ordinal, survival
from cutis.trials.statistics.methods.counts import combination, negative_binomial
from cutis.trials.statistics.methods.estimate import Flag
from cutis.trials.study import Analysis

TWINS, ALLOCATION = 2000, Allocation((1, 1), 4, 3)


def analysis(method, *covariates, **more):
    words = {"outcome": "pasi90", "week": 16, "arm": "a", "comparator": "b", "method": method, "covariates": covariates,
             "intercurrent": "treatment_policy"}  # fmt: skip
    return Analysis.model_validate(words | more)


ANALYSES = {
    "counts": analysis("negative_binomial", "x"),
    "counts, expected": analysis("negative_binomial", options={"variance": "expected"}),
    "grades": analysis("proportional_odds", "x"),
    "crude grades": analysis("proportional_odds"),
    "ranks": analysis("van_elteren"),
    "log-rank": analysis("log_rank"),
    "crude log-rank": analysis("log_rank", options={"stratified": False}),
    "hazards": analysis("cox", "x"),
    "crude hazards": analysis("cox", options={"stratified": False, "ties": "breslow"}),
    "curve": analysis("kaplan_meier"),
    "mean time": analysis("restricted_mean"),
    "visits": analysis("mmrm", "x", "baseline_y"),
    "visits, adjusted": analysis("mmrm", options={"degrees_of_freedom": "kenward_roger"}),
}
CLOSE = {name: 1e-6 if plan.method in ("mmrm", "proportional_odds") else 1e-8 for name, plan in ANALYSES.items()}


@pytest.fixture(scope="module")
def pool():
    """Counts with more spread than Poisson's, times at visits with people lost, and three visits some of which miss."""
    rng = np.random.default_rng(11)
    x, strata = rng.normal(size=TWINS), rng.choice(3, TWINS, p=[0.6, 0.3, 0.1])
    effect = np.array([[0.4], [0.0]])
    count = rng.poisson(np.exp(0.8 + 0.3 * x - effect) * rng.gamma(2.0, 0.5, (2, TWINS))).astype(float)
    when = rng.exponential(12 * np.exp(-0.3 * x - effect))
    visit = np.ceil(when / 4) * 4
    lost = rng.choice([4.0, 8.0, 12.0, 16.0], (2, TWINS), p=[0.05, 0.05, 0.1, 0.8])
    happened, time = (visit <= lost).astype(float), np.minimum(visit, lost)
    level = 0.7 * x + rng.normal(size=TWINS)
    seen = np.stack([level + share * effect + 0.6 * rng.normal(size=(2, TWINS)) for share in (0.4, 0.8, 1.0)], axis=2)
    seen[rng.random(seen.shape) < 0.1] = np.nan
    both = np.stack([np.stack([x, level + rng.normal(size=TWINS)], axis=1)] * 2)
    everybody = np.ones((2, TWINS), bool)

    def columns(plan):
        more = there = None
        value = count
        if plan.method in ("log_rank", "cox", "kaplan_meier", "restricted_mean"):
            value, more = happened, time[..., None]
        if plan.method == "proportional_odds":
            value = np.minimum(count, 4) + (count > 4)  # grades 0 to 3 and 5, the highest of which is rare
        if plan.method == "mmrm":
            value, more, there = seen[..., -1], seen, ~np.isnan(seen).all(axis=2)
        wide = both[..., : len(plan.covariates)]
        return Columns(value, np.isnan(value), wide, everybody, (0, 1), more, there)

    return Pool(np.arange(TWINS), strata, ("s", "t", "u"), {name: columns(plan) for name, plan in ANALYSES.items()})


@pytest.mark.parametrize("name", ANALYSES)
def test_every_replicate_is_what_the_routine_of_a_run_gives(pool, name):
    chosen = {name: ANALYSES[name]}
    trials = Trials(3, 120, (70, 120), ALLOCATION, (name,), (ANALYSES[name],))
    found = replicates.analyse(trials, np.arange(3), replicates.data(pool, trials.names, trials.analyses))
    again = recheck.recheck(trials, pool, chosen, np.arange(3), found)
    assert again.analyses == 3 * 3 * 2
    assert again.flagged == 0
    assert again.largest[name] < CLOSE[name]
    assert (found.flag == 0).all()


def test_proportional_hazards_without_events_or_with_separation_are_flagged():
    time, arm = jnp.arange(1.0, 41.0), jnp.tile(jnp.asarray([0.0, 1.0]), 20)
    nothing = jnp.zeros(40, dtype=int)

    def found(event):
        return timed.cox(time, event, arm[:, None], nothing, 1, jnp.ones(40), "efron", 0.95)

    assert int(found(jnp.zeros(40)).flag) & Flag.NO_EVENTS
    assert float(found(arm).p) == 1
    assert int(found(arm).flag) > 0


def test_hazards_are_those_of_the_routine_with_many_ties():
    rng = np.random.default_rng(2)
    time, event = rng.integers(1, 4, 90) * 4.0, (rng.random(90) < 0.7) * 1.0
    x, stratum = np.column_stack([rng.normal(size=90), np.arange(90) % 2]), rng.integers(0, 2, 90)
    fit = hazards.cox(time, event, x, stratum=stratum)
    mine = timed.cox(*map(jnp.asarray, (time, event, x, stratum)), 2, jnp.ones(90), "efron", 0.95)
    assert float(mine.estimate) == pytest.approx(fit.coefficients[-1], abs=1e-10)
    assert float(mine.se) == pytest.approx(np.sqrt(fit.covariance[-1, -1]), abs=1e-10)


def test_a_curve_that_ends_early_is_flagged():
    time, event = jnp.asarray([4.0, 8.0, 8.0, 12.0, 4.0, 16.0]), jnp.asarray([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    arm = jnp.asarray([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    for method in (timed.shares, timed.restricted_mean):
        assert int(method(time, event, arm, jnp.ones(6), 16.0, 0.95).flag) & Flag.NOT_REACHED
    theirs = survival.restricted_mean_difference(time, event, arm, 12.0)
    mine = timed.restricted_mean(time, event, arm, jnp.ones(6), 12.0, 0.95)
    assert float(mine.estimate) == pytest.approx(theirs.estimate)
    assert float(mine.se) == pytest.approx(theirs.se)


def side(values):
    return jnp.asarray(values, float)[..., None]


def test_counts_with_less_spread_than_poissons_have_poissons_estimate():
    rng = np.random.default_rng(4)
    arm = np.arange(80) % 2 * 1.0
    y = rng.binomial(4, np.where(arm > 0, 0.5, 0.7)).astype(float)
    people = People(side(y), side(arm), side(np.ones(80)), None)
    mine = counted.negative_binomial(people, jnp.asarray(80), True, 0.95)
    theirs = combination(negative_binomial(np.column_stack([np.ones(80), arm]), y), [0.0, 1.0])
    assert float(mine.estimate[0]) == pytest.approx(theirs.estimate, abs=1e-8)
    assert float(mine.se[0]) == pytest.approx(theirs.se, abs=1e-8)


def test_counts_without_any_event_are_flagged():
    people = People(side(np.zeros(20)), side(np.arange(20) % 2), side(np.ones(20)), None)
    found = counted.negative_binomial(people, jnp.asarray(20), True, 0.95)
    assert int(found.flag[0]) & Flag.NO_EVENTS
    assert float(found.p[0]) == 1


def graded_people(y, arm, *covariates):
    wide = jnp.asarray(np.array(covariates))[..., None] if covariates else None
    return People(side(y), side(arm), side(np.ones(len(y))), wide)


def test_grades_of_which_some_nobody_has_give_the_estimate_of_those_that_are_there():
    rng = np.random.default_rng(8)
    arm, x = np.arange(60) % 2 * 1.0, rng.normal(size=60)
    y = np.clip(np.round(2 + arm + x + rng.logistic(size=60)), 0, 5)
    y[y == 2] = 3
    mine = graded.proportional_odds(graded_people(y, arm, x), 7, jnp.asarray(60), 0.95)
    theirs = ordinal.proportional_odds(y, arm, x)
    assert float(mine.estimate[0]) == pytest.approx(theirs.estimate, abs=1e-8)
    assert float(mine.se[0]) == pytest.approx(theirs.se, abs=1e-7)


def test_two_grades_are_logistic_regression():
    from cutis.trials.statistics.methods.logistic import logistic

    rng = np.random.default_rng(5)
    arm, x = np.arange(80) % 2 * 1.0, rng.normal(size=80)
    y = (rng.random(80) < 1 / (1 + np.exp(-x - 0.5 * arm))) * 1.0
    mine = graded.proportional_odds(graded_people(y, arm, x), 2, jnp.asarray(80), 0.95)
    theirs = logistic(jnp.asarray(y), jnp.asarray(arm), jnp.asarray(x)[:, None])
    assert float(mine.estimate[0]) == pytest.approx(float(theirs.estimate), abs=1e-9)
    assert float(mine.se[0]) == pytest.approx(float(theirs.se), abs=1e-9)


@pytest.mark.parametrize(
    ("y", "covariates", "flag"),
    [
        (np.full(40, 2.0), (), Flag.NO_VARIATION),
        (2.0 + np.arange(40) % 2, (), Flag.SEPARATION),
        (np.repeat(np.arange(4.0), 10), (3 * (np.arange(40) % 2) + 1.0,), Flag.DETERMINED),
    ],
)
def test_grades_that_tell_nothing_are_flagged_and_never_reject(y, covariates, flag):
    about = [values - values.mean() for values in covariates]
    found = graded.proportional_odds(graded_people(y, np.arange(40) % 2, *about), 5, jnp.asarray(40), 0.95)
    assert int(found.flag[0]) & flag
    assert float(found.p[0]) == 1
    assert np.isnan(found.estimate[0])
