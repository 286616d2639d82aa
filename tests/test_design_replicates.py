"""Replicates of a made-up pool: who is drawn, how they are randomised, and that every estimate is the routine's own."""

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.keys import root, stream
from cutis.trials.operating import recheck, replicates
from cutis.trials.operating.draw import Allocation, allocate, draw, keys
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import HYPOTHESES, Trials
from cutis.trials.operating.truth import limit
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

TWINS = 3000
ALLOCATION = Allocation((2, 1, 1), 8, 3)


def analysis(method, *covariates, **more):
    treated = {} if method != "ancova" else {"intercurrent": "treatment_policy"}
    words = {"outcome": "pasi90", "week": 16, "arm": "a", "comparator": "c", "method": method, "covariates": covariates}
    return Analysis.model_validate(words | treated | more)


ANALYSES = {
    "ancova": analysis("ancova", "x", "level"),
    "classical": analysis("ancova", "x", options={"variance": "classical"}),
    "logistic": analysis("logistic", "x", "level"),
    "standardised": analysis("g_computation", "x"),
    "stratified": analysis("cochran_mantel_haenszel"),
    "score": analysis("miettinen_nurminen"),
    "crude score": analysis("miettinen_nurminen", options={"stratified": False}, alpha=0.1),
    "newcombe": analysis("newcombe"),
}


@pytest.fixture(scope="module")
def pool():
    """Three strata, a number and a yes or no, some twins without a value; one arm responds more than the other."""
    rng = np.random.default_rng(7)
    x, level = rng.normal(size=TWINS), rng.random(TWINS) < 0.3
    strata = rng.choice(3, TWINS, p=[0.7, 0.25, 0.05])
    linear = 0.8 * x - 0.5 * level + np.array([[0.4], [-0.4]])
    number = linear + rng.normal(size=(2, TWINS))
    responds = (rng.random((2, TWINS)) < 1 / (1 + np.exp(-linear))).astype(float)
    number[rng.random((2, TWINS)) < 0.05] = np.nan
    both = np.stack([np.stack([x, level.astype(float)], axis=1)] * 2)

    def columns(plan):
        value = number if plan.method == "ancova" else responds
        wide = both[..., : len(plan.covariates)]
        return Columns(value, np.isnan(value), wide, np.ones((2, TWINS), bool), (0, 2))

    return Pool(np.arange(TWINS), strata, ("s", "t", "u"), {name: columns(plan) for name, plan in ANALYSES.items()})


@pytest.fixture(scope="module")
def found(pool):
    """Estimates of 64 replicates of 160 people with two looks; the trials; the pool's data."""
    trials = Trials(3, 160, (60, 160), ALLOCATION, tuple(ANALYSES), tuple(ANALYSES.values()))
    data = replicates.data(pool, trials.names, trials.analyses)
    return trials, data, replicates.analyse(trials, np.arange(64), data)


def test_every_replicate_is_what_the_routines_of_a_run_give(pool, found):
    trials, _, estimates = found
    some = np.arange(0, 64, 8)
    again = recheck.recheck(trials, pool, ANALYSES, some, Estimate._make(values[some] for values in estimates))
    assert again.analyses == len(some) * len(HYPOTHESES) * 2 * len(ANALYSES)
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-8, again.largest


def test_the_comparison_notices_a_number_that_is_off(pool, found):
    trials, _, estimates = found
    some = np.arange(2)
    wrong = Estimate._make(values[some] for values in estimates)
    wrong = wrong._replace(high=wrong.high + 1e-6)
    again = recheck.recheck(trials, pool, ANALYSES, some, wrong)
    assert min(again.largest.values()) > 9e-7


def test_a_replicate_is_the_same_whoever_is_computed_beside_it(found):
    trials, data, estimates = found
    beside = replicates.analyse(trials, np.roll(np.arange(64), 5), data)
    for one, other in zip(estimates, beside, strict=True):
        np.testing.assert_array_equal(np.roll(one, 5, axis=0), other)


def test_a_look_is_the_beginning_of_its_trial_and_a_small_trial_that_of_a_larger_one():
    strata = jnp.asarray(np.random.default_rng(1).integers(0, 3, TWINS))
    key = keys(5, jnp.asarray([11]))[0]
    small, large = (draw(key, strata, ALLOCATION, size) for size in (100, 640))
    np.testing.assert_array_equal(small.people, large.people[:100])
    np.testing.assert_array_equal(small.arms, large.arms[:100])


def test_blocks_are_balanced_within_strata_and_every_order_is_as_likely():
    strata = jnp.asarray(np.random.default_rng(2).integers(0, 3, 4000))
    arms = np.asarray(allocate(stream(root(1), "test"), strata, ALLOCATION))
    for stratum in range(3):
        mine = arms[np.asarray(strata) == stratum]
        whole = mine[: len(mine) // 8 * 8].reshape(-1, 8)
        assert (np.sort(whole, axis=1) == [0, 0, 0, 0, 1, 1, 2, 2]).all()
    pairs = Allocation((1, 1), 4, 1)
    many = np.concatenate([allocate(stream(root(2), i), jnp.zeros(400, dtype=int), pairs) for i in range(15)])
    orders = np.unique(many.reshape(-1, 4), axis=0, return_counts=True)[1]
    assert len(orders) == 6
    expected = 1500 / 6
    assert ((orders - expected) ** 2 / expected).sum() < 20.5  # 0.1 % point of chi-squared with 5 degrees of freedom


def test_people_are_drawn_with_equal_chances_and_with_replacement():
    strata = jnp.zeros(50, dtype=int)
    drawn = [draw(key, strata, Allocation((1, 1), 2, 1), 500).people for key in keys(9, jnp.arange(20))]
    counts = np.bincount(np.concatenate(drawn), minlength=50)
    assert counts.sum() == 10_000
    assert ((counts - 200) ** 2 / 200).sum() < 85.4  # 0.1 % point, 49 degrees of freedom


def test_under_a_null_both_arms_have_the_outcomes_of_one(pool, found):
    trials, _, _ = found
    drawn = recheck.people(trials, 4, pool.strata)
    columns = pool.columns["newcombe"]
    for row, outcomes in enumerate(HYPOTHESES.values()):
        frame = recheck.table(pool, columns, ANALYSES["newcombe"], drawn, outcomes, 160)
        who = np.asarray(drawn.people)[np.isin(drawn.arms, (0, 2))]
        source = [[0, 1], [1, 1], [0, 0]][row]
        expected = np.where(frame["arm"] == "a", columns.value[source[0], who], columns.value[source[1], who])
        np.testing.assert_array_equal(frame["value"], expected)


@pytest.fixture(scope="module")
def odd(pool):
    """Estimates of outcomes that leave nothing to compare: everybody, nobody, or all of one arm respond."""
    counted = pool.columns["newcombe"]
    values = {
        "all": np.ones((2, TWINS)),
        "none": np.zeros((2, TWINS)),
        "all of one": np.stack([np.ones(TWINS), counted.value[1]]),
        "empty": np.stack([np.full(TWINS, np.nan), counted.value[1]]),
    }
    names = ("newcombe", "stratified", "score", "logistic")
    plans = (*(ANALYSES[name] for name in names[:3]), analysis("logistic"))
    trials = Trials(3, 160, (160,), ALLOCATION, names, plans)
    found = {}
    for case, value in values.items():
        columns = counted._replace(value=value)
        data = replicates.data(pool._replace(columns=dict.fromkeys(names, columns)), names, plans)
        estimates = replicates.analyse(trials, np.arange(32), data)
        found[case] = {
            name: Estimate._make(values[:, 0, 0, place] for values in estimates) for place, name in enumerate(names)
        }
    return found


@pytest.mark.parametrize("method", ["newcombe", "stratified", "score"])
@pytest.mark.parametrize("case", ["all", "none"])
def test_all_or_none_responding_is_never_a_difference(odd, case, method):
    found = odd[case][method]
    assert (found.p == 1).all()
    assert (found.estimate == 0).all()
    assert np.isfinite(found.low).all()


def test_separation_is_flagged_and_never_rejects(odd):
    found = odd["all of one"]["logistic"]
    assert (found.flag > 0).all()
    assert (found.p == 1).all()
    assert (odd["all of one"]["newcombe"].p < 0.05).mean() > 0.9


@pytest.mark.parametrize("method", ["newcombe", "stratified", "score", "logistic"])
def test_an_arm_without_values_is_flagged_and_never_rejects(odd, method):
    found = odd["empty"][method]
    assert (found.flag > 0).all()
    assert (found.p == 1).all()
    assert np.isnan(found.estimate).all()


def test_analyses_tend_to_the_means_of_the_pool_and_the_fit_to_all_of_it(pool):
    from types import SimpleNamespace

    from statsmodels.api import GLM, add_constant, families

    study = SimpleNamespace(trial=SimpleNamespace(randomisation=SimpleNamespace(allocation={"a": 2, "b": 1, "c": 1})))
    value = pool.columns["newcombe"].value
    assert limit(study, ANALYSES["newcombe"], pool.columns["newcombe"]) == pytest.approx(np.diff(-value.mean(1))[0])
    number = pool.columns["ancova"].value
    assert limit(study, ANALYSES["ancova"], pool.columns["ancova"]) == pytest.approx(-np.diff(np.nanmean(number, 1))[0])
    columns = pool.columns["logistic"]
    arm = np.repeat([1.0, 0.0], TWINS)
    design = add_constant(np.column_stack([columns.covariates.reshape(2 * TWINS, -1), arm]))
    fit = GLM(columns.value.ravel(), design, families.Binomial(), freq_weights=np.where(arm > 0, 2.0, 1.0)).fit()
    assert limit(study, ANALYSES["logistic"], columns) == pytest.approx(fit.params[-1], abs=1e-9)
    nobody = columns._replace(value=np.full((2, TWINS), np.nan))
    assert np.isnan(limit(study, ANALYSES["logistic"], nobody))


def test_shards_are_read_back_as_they_were_computed(found, tmp_path):
    from functools import partial

    trials, data, estimates = found
    pieces = replicates.pieces(64)
    assert [(p.start, p.stop) for p in replicates.pieces(1100)] == [(0, 512), (512, 1024), (1024, 1100)]
    small = trials._replace(names=("newcombe",), analyses=(ANALYSES["newcombe"],))
    narrow = data._replace(places=data.places[-1:], starts=data.starts[-1:])
    for piece in pieces:
        done = partial(replicates.work, small, narrow, tmp_path)(piece)
        assert list(done.files) == ["part-00000.parquet"]
    back = replicates.read(small, tmp_path, 64)
    assert back.estimate.shape == (64, 3, 2, 1)
    np.testing.assert_allclose(back.estimate[..., 0], estimates.estimate[..., -1], atol=1e-14)
    np.testing.assert_allclose(back.p[..., 0], estimates.p[..., -1], atol=1e-12)
