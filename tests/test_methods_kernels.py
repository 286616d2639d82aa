"""Kernels: one replicate like many, independent libraries, and what degenerate replicates give."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

from cutis.trials.statistics.methods import ancova, cmh, estimate, logistic, logrank, normal, ranks, score
from cutis.trials.statistics.methods.estimate import Flag
from cutis.trials.statistics.stratified import mantel_haenszel

N, REPLICATES = 120, 4


def replicates(seed=1):
    rng = np.random.default_rng(seed)
    shape = (REPLICATES, N)
    arm = np.tile(np.repeat([0.0, 1.0], N // 2), (REPLICATES, 1))
    x, stratum = rng.normal(size=(*shape, 2)), rng.integers(0, 3, shape)
    y = x[..., 0] + 0.3 * arm + 0.4 * stratum + rng.normal(size=shape) * (1 + arm)
    z = (rng.random(shape) < 0.3 + 0.2 * arm).astype(float)
    return {
        "y": y, "z": z, "arm": arm, "x": x, "s": stratum, "time": np.round(rng.exponential(10, shape)),
        "event": (rng.random(shape) < 0.6).astype(float),
    }  # fmt: skip


KERNELS = {
    "ancova": lambda r: ancova.ancova(r["y"], r["arm"], r["x"], r["s"], 3).difference,
    "logistic": lambda r: logistic.logistic(r["z"], r["arm"], r["x"], r["s"], 3),
    "standardised": lambda r: logistic.standardised_difference(r["z"], r["arm"], r["x"], r["s"], 3),
    "score": lambda r: score.binomial(
        score.pair((r["z"] * r["arm"]).sum(), r["arm"].sum(), (r["z"] * (1 - r["arm"])).sum(), (1 - r["arm"]).sum())
    ),
    "cmh": lambda r: cmh.mantel_haenszel(cmh.tabulate(r["arm"].astype(int), r["z"].astype(int), r["s"], (3, 2, 2))),
    "row means": lambda r: cmh.row_means(cmh.tabulate(r["arm"].astype(int), r["z"].astype(int), r["s"], (3, 2, 2))),
    "van elteren": lambda r: ranks.van_elteren(r["y"], r["arm"], r["s"], 3),
    "logrank": lambda r: logrank.logrank(r["time"], r["event"], r["arm"], r["s"], 3),
    "max combo": lambda r: logrank.max_combo(r["time"], r["event"], r["arm"]),
}


@pytest.mark.parametrize("name", KERNELS)
def test_many_replicates_at_once_give_what_each_gives_alone(name):
    data = {k: jnp.asarray(v) for k, v in replicates().items()}
    together = jax.jit(jax.vmap(KERNELS[name]))(data)
    for i in (0, REPLICATES - 1):
        alone = KERNELS[name]({k: v[i] for k, v in data.items()})
        np.testing.assert_allclose([np.asarray(v)[i] for v in together], [float(v) for v in alone], rtol=1e-9)


@pytest.mark.parametrize("covariance", ["HC3", "classical"])
def test_ancova_equals_statsmodels(covariance):
    r = {k: v[0] for k, v in replicates().items()}
    dummies = np.eye(3)[r["s"]][:, 1:]
    X = np.column_stack([np.ones(N), r["x"] - r["x"].mean(0), dummies - dummies.mean(0), r["arm"]])
    fit = sm.OLS(r["y"], X).fit(cov_type="HC3" if covariance == "HC3" else "nonrobust", use_t=True)
    found = ancova.ancova(r["y"], r["arm"], r["x"], r["s"], 3, covariance=covariance)
    expected = [fit.params[-1], fit.bse[-1], *fit.conf_int()[-1], fit.tvalues[-1], fit.df_resid, fit.pvalues[-1]]
    np.testing.assert_allclose([float(v) for v in found.difference[:7]], expected, rtol=1e-9)
    assert float(found.control.estimate) == pytest.approx(fit.params[0], rel=1e-9)
    assert float(found.active.estimate - found.control.estimate) == pytest.approx(fit.params[-1], rel=1e-9)


def test_people_who_do_not_count_change_nothing():
    r = {k: v[0] for k, v in replicates().items()}
    weight = np.ones(N)
    weight[[3, 70, 100]] = 0
    kept = weight > 0
    y, time = np.where(kept, r["y"], np.nan), np.where(kept, r["time"], np.nan)
    rest = r["arm"][kept], r["x"][kept], r["s"][kept]
    pairs = [
        (ancova.ancova(y, r["arm"], r["x"], r["s"], 3, weight).difference, ancova.ancova(y[kept], *rest, 3).difference),
        (
            logistic.standardised_difference(r["z"], r["arm"], r["x"], r["s"], 3, weight),
            logistic.standardised_difference(r["z"][kept], *rest, 3),
        ),
        (ranks.van_elteren(y, r["arm"], r["s"], 3, weight), ranks.van_elteren(y[kept], rest[0], rest[2], 3)),
        (
            logrank.logrank(time, r["event"], r["arm"], r["s"], 3, weight, (0.5, 0.5)),
            logrank.logrank(time[kept], r["event"][kept], rest[0], rest[2], 3, None, (0.5, 0.5)),
        ),
    ]
    for one, other in pairs:
        np.testing.assert_allclose([float(v) for v in one], [float(v) for v in other], rtol=1e-9)


def test_a_stratum_without_anybody_changes_nothing():
    r = {k: v[0] for k, v in replicates().items()}
    for kernel in (
        lambda k: ancova.ancova(r["y"], r["arm"], r["x"], r["s"], k).difference,
        lambda k: ranks.van_elteren(r["y"], r["arm"], r["s"], k),
        lambda k: logrank.logrank(r["time"], r["event"], r["arm"], r["s"], k),
    ):
        np.testing.assert_allclose([float(v) for v in kernel(3)], [float(v) for v in kernel(5)], rtol=1e-9)


def test_logistic_equals_statsmodels():
    r = {k: v[0] for k, v in replicates().items()}
    fit = sm.Logit(r["z"], np.column_stack([np.ones(N), r["x"], r["arm"]])).fit(disp=0, tol=1e-12)
    found = logistic.logistic(r["z"], r["arm"], r["x"])
    np.testing.assert_allclose(
        [float(v) for v in (found.estimate, found.se, found.p)],
        [fit.params[-1], fit.bse[-1], fit.pvalues[-1]],
        rtol=1e-8,
    )


def test_without_covariates_standardised_is_the_plain_difference():
    r = {k: v[0] for k, v in replicates().items()}
    p1, p0 = r["z"][r["arm"] == 1].mean(), r["z"][r["arm"] == 0].mean()
    found = logistic.standardised_difference(r["z"], r["arm"], variance="ge")
    assert float(found.estimate) == pytest.approx(p1 - p0, abs=1e-12)
    assert float(found.se) == pytest.approx(np.sqrt((p1 * (1 - p1) + p0 * (1 - p0)) / (N // 2)), rel=1e-9)


def test_cmh_equals_statsmodels_and_the_analysis_of_the_trial():
    r = {k: v[0] for k, v in replicates().items()}
    tables = cmh.tabulate(r["arm"].astype(int), r["z"].astype(int), r["s"], (3, 2, 2))
    other = StratifiedTable([np.asarray(t) for t in tables])
    test = cmh.mantel_haenszel(tables)
    assert float(test.statistic) ** 2 == pytest.approx(other.test_null_odds().statistic, rel=1e-9)
    general, means = cmh.general_association(tables), cmh.row_means(tables)
    assert float(general.statistic) == pytest.approx(float(test.statistic) ** 2, rel=1e-9)
    assert float(means.statistic) == pytest.approx(float(test.statistic) ** 2, rel=1e-9)
    # `stratified` puts the arm that is compared, and response, first.
    found, theirs = cmh.common_difference(tables), mantel_haenszel(np.asarray(tables)[:, ::-1, ::-1])
    expected = (theirs.estimate, theirs.se, theirs.low, theirs.high)
    np.testing.assert_allclose(
        [float(v) for v in (found.estimate, found.se, found.low, found.high)], expected, rtol=1e-9
    )


def test_van_elteren_is_the_row_mean_test_on_ridits_and_wilcoxons_in_one_stratum():
    rng = np.random.default_rng(2)
    y, arm, s = rng.integers(0, 6, N), rng.integers(0, 2, N), rng.integers(0, 3, N)
    z = float(ranks.van_elteren(y, arm, s, 3).statistic)
    assert z**2 == pytest.approx(float(cmh.row_means(cmh.tabulate(arm, y, s, (3, 2, 6)), "ridit").statistic), rel=1e-9)
    found = ranks.van_elteren(y, arm)
    other = stats.mannwhitneyu(y[arm == 1], y[arm == 0], use_continuity=False, method="asymptotic")
    assert float(found.p) == pytest.approx(other.pvalue, rel=1e-9)
    assert float(found.estimate) == pytest.approx(other.statistic / (arm.sum() * (1 - arm).sum()), rel=1e-9)


def test_logrank_equals_statsmodels():
    r = {k: v[0] for k, v in replicates().items()}
    chi, p = sm.duration.survdiff(r["time"], r["event"], r["arm"], strata=r["s"])
    found = logrank.logrank(r["time"], r["event"], r["arm"], r["s"], 3)
    assert (float(found.statistic) ** 2, float(found.p)) == pytest.approx((chi, p), rel=1e-9)


def test_the_largest_of_independent_variables_is_beyond_with_a_known_chance():
    for k, limit in ((1, 1.3), (2, 2.0), (4, 2.5), (4, 0.5)):
        one = 2 * stats.norm.sf(limit)
        assert float(normal.any_beyond(jnp.asarray(limit), jnp.eye(k))) == pytest.approx(1 - (1 - one) ** k, rel=0.01)
    # Four copies of one variable are one variable.
    found = normal.any_beyond(jnp.asarray(2.0), jnp.ones((4, 4)))
    assert float(found) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-9)


def test_critical_values_of_t_equal_scipys():
    for df in (1.0, 2.0, 5.0, 30.0, 1e4):
        for level in (0.5, 0.9, 0.95, 0.999):
            assert float(estimate.critical(level, df)) == pytest.approx(stats.t.isf((1 - level) / 2, df), rel=1e-9)


def test_score_limits_are_where_the_score_test_just_rejects():
    counts = score.pair(7, 34, 1, 34)
    found = score.binomial(counts)
    for limit, z in ((found.low, 1.959964), (found.high, -1.959964)):
        at = score.binomial(counts, null=float(limit))
        assert float(at.statistic) == pytest.approx(z, abs=1e-5)
    mirrored = score.binomial(score.pair(1, 34, 7, 34))
    assert (float(mirrored.low), float(mirrored.high)) == pytest.approx(
        (-float(found.high), -float(found.low)), abs=1e-12
    )


def test_score_intervals_cover():
    # Exact coverage of all tables of 30 and 30, at three pairs of shares: near 95 %, never below 92 %.
    x1, x0 = (v.ravel().astype(float) for v in np.meshgrid(np.arange(31), np.arange(31), indexing="ij"))
    found = jax.vmap(lambda a, b: score.binomial(score.pair(a, 30.0, b, 30.0)))(jnp.asarray(x1), jnp.asarray(x0))
    for p1, p0 in ((0.5, 0.3), (0.1, 0.1), (0.97, 0.8)):
        chance = stats.binom.pmf(x1, 30, p1) * stats.binom.pmf(x0, 30, p0)
        covered = (np.asarray(found.low) <= p1 - p0) & (np.asarray(found.high) >= p1 - p0)
        assert 0.92 < chance @ covered <= 1


ZERO, ONE, HALF = np.zeros(20), np.ones(20), np.repeat([0.0, 1.0], 10)
VARIED = np.tile([0.0, 1.0, 1.0, 0.0, 1.0], 4)


@pytest.mark.parametrize(
    ("found", "flag"),
    [
        (lambda: ancova.ancova(VARIED, ONE).difference, Flag.EMPTY_ARM),
        (lambda: ancova.ancova(VARIED, HALF, weight=ZERO).difference, Flag.EMPTY_ARM),
        (lambda: ancova.ancova(ONE, HALF).difference, Flag.NO_VARIATION),
        (lambda: ancova.ancova(VARIED, HALF, 3 * HALF).difference, Flag.DETERMINED),
        (lambda: ancova.ancova([1.0, 2.0], [0, 1]).difference, Flag.TOO_FEW),
        (lambda: logistic.logistic(ONE, HALF), Flag.SEPARATION),
        (lambda: logistic.logistic(HALF, HALF), Flag.SEPARATION),
        (lambda: logistic.logistic(VARIED, HALF, VARIED), Flag.SEPARATION),
        (lambda: logistic.standardised_difference(HALF, HALF), Flag.SEPARATION),
        (lambda: logistic.logistic(VARIED, ZERO), Flag.EMPTY_ARM),
        (lambda: score.binomial(score.pair(0, 0, 3, 10)), Flag.EMPTY_ARM),
        (lambda: score.binomial(score.pair(0, 10, 0, 10), "ratio"), Flag.NO_EVENTS),
        (lambda: score.binomial(score.pair(10, 10, 10, 10), "odds"), Flag.NO_VARIATION),
        (lambda: score.poisson(score.person_time(0, 10, 0, 10), "ratio"), Flag.NO_EVENTS),
        (lambda: cmh.mantel_haenszel(np.zeros((2, 2, 2))), Flag.EMPTY_ARM),
        (lambda: cmh.mantel_haenszel([[[5, 0], [5, 0]]]), Flag.NO_VARIATION),
        (lambda: cmh.row_means([[[5, 0], [5, 0]]]), Flag.NO_VARIATION),
        (lambda: cmh.general_association([[[5, 0, 0], [5, 0, 0]]]), Flag.NO_VARIATION),
        (lambda: cmh.common_odds_ratio([[[5, 0], [5, 3]]]), Flag.NO_VARIATION),
        (lambda: ranks.van_elteren(ONE, HALF), Flag.NO_VARIATION),
        (lambda: ranks.van_elteren(VARIED, HALF, HALF.astype(int), 2), Flag.EMPTY_ARM),
        (lambda: logrank.logrank(ONE, ZERO, HALF), Flag.NO_EVENTS),
        (lambda: logrank.logrank(ONE, ONE, ONE), Flag.EMPTY_ARM),
        (lambda: logrank.max_combo(ONE, ZERO, HALF), Flag.NO_EVENTS),
    ],
)
def test_a_degenerate_replicate_has_a_flag_and_a_p_of_one(found, flag):
    result = found()
    assert int(result.flag) & flag
    assert float(result.p) == 1.0
    assert estimate.says(result.flag)


def test_all_responders_in_both_arms_leave_a_score_interval():
    found = score.binomial(score.pair(30, 30, 30, 30))
    assert float(found.p) == 1.0
    assert -0.2 < float(found.low) < 0 < float(found.high) < 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: score.pair(5, 4, 1, 4), "5 responders among 4"),
        (lambda: score.person_time(1, -2, 1, 4), "-2"),
        (lambda: score.non_inferiority(score.pair(1, 4, 1, 4), -0.1), "margin -0.1"),
        (lambda: score.binomial(score.pair(1, 4, 1, 4), level=95), "level 95"),
        (lambda: score.binomial(score.pair(1, 4, 1, 4), "ratio", correction=0.5), "continuity"),
        (lambda: logistic.logistic([0.0, 2.0, 1.0], [0, 1, 1]), "holds 2"),
        (lambda: logistic.standardised_difference(VARIED, HALF, variance="robust"), "'robust'"),
        (lambda: ancova.ancova([0.0, np.nan], [0, 1]), "not a finite"),
        (lambda: ancova.ancova([0.0, 1.0, 2.0], [0, 1]), "differ in length"),
        (lambda: ancova.ancova(VARIED, HALF, covariance="HC9"), "'HC9'"),
        (lambda: ancova.ancova(VARIED, HALF, stratum=HALF + 1, strata=2), "0 to 1"),
        (lambda: cmh.row_means([[[-1, 2], [3, 4]]]), "-1"),
        (lambda: cmh.mantel_haenszel(np.ones((2, 3, 2))), "shape"),
        (lambda: cmh.row_means(np.ones((2, 2, 2)), "rank"), "'rank'"),
        (lambda: logrank.logrank([-1.0, 2.0], [1, 1], [0, 1]), "negative"),
        (lambda: logrank.logrank([1.0, 2.0], [1, 3], [0, 1]), "holds 3"),
        (lambda: logrank.logrank([1.0, 2.0], [1, 1], [0, 1], weighting="early"), "'early'"),
        (lambda: logrank.logrank([1.0, 2.0], [1, 1], [0, 1], weighting=(-1, 0)), "0 or more"),
        (lambda: normal.any_beyond(jnp.asarray(1.0), jnp.eye(12)), "12 variables"),
    ],
)
def test_nonsense_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_reference_data_have_no_place_of_this_machine():
    from tests import methods_reference as reference

    for topic in reference.TOPICS:
        text = pd.read_csv(reference.OWN / f"expected_{topic}.csv").to_csv()
        assert "shared" not in text
