"""Methods of one table (NumPy): closed forms, independent libraries, properties, and degenerate input."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import integrate, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from cutis.trials.statistics.methods import (
    bayes,
    contrast,
    counts,
    cox,
    crossover,
    exact,
    likelihood,
    ordinal,
    recurrent,
    share,
    strata,
    survival,
    wilcoxon,
)
from cutis.trials.statistics.methods.estimate import Estimate, Flag, nothing
from cutis.trials.statistics.proportions import newcombe, wilson

RNG = np.random.default_rng(7)
N = 150
X1 = RNG.normal(size=N)
ARM = np.tile([0.0, 1.0], N // 2)
TIME = np.round(RNG.exponential(10, N)) + 1
EVENT = (RNG.random(N) < 0.7).astype(float)


def test_intervals_equal_those_of_the_trials_analyses():
    assert share.proportion(12, 77)[2:4] == pytest.approx(wilson(12, 77)[1:], abs=1e-12)
    found, theirs = contrast.risk_difference(36, 154, 12, 77), newcombe(36, 154, 12, 77)
    assert (found.low, found.high, found.p) == pytest.approx((theirs.low, theirs.high, theirs.p), abs=1e-12)


def test_one_stratum_gives_newcombes_interval():
    found, plain = strata.newcombe([9], [30], [4], [28]), contrast.risk_difference(9, 30, 4, 28)
    assert found.estimate == pytest.approx(plain.estimate, abs=1e-12)
    # Yan and Su's limits for one stratum are Newcombe's: z sqrt(l (1 - l) / n) is the distance to a Wilson limit.
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


@pytest.mark.parametrize("interval", share.INTERVALS)
def test_an_interval_of_a_proportion_mirrors(interval):
    for x in (0, 1, 7, 20):
        one, other = share.proportion(x, 20, interval), share.proportion(20 - x, 20, interval)
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-8)
        assert one.low <= x / 20 <= one.high


@pytest.mark.parametrize("interval", ["exact", "blaker"])
def test_exact_intervals_cover_at_least_as_often_as_they_say(interval):
    limits = np.array([share.proportion(x, 15, interval)[2:4] for x in range(16)])
    for p in np.linspace(0.01, 0.99, 50):
        covered = (limits[:, 0] <= p) & (limits[:, 1] >= p)
        assert stats.binom.pmf(np.arange(16), 15, p) @ covered >= 0.95


def test_exact_limits_of_a_difference_cover_at_least_as_often_as_they_say():
    for method in ("chan_zhang", "agresti_min", "santner_snell"):
        limits = {(a, b): exact.risk_difference(a, 7, b, 6, method)[2:4] for a in range(8) for b in range(7)}
        for p1, p0 in ((0.5, 0.2), (0.9, 0.85), (0.05, 0.3)):
            chance = sum(
                stats.binom.pmf(a, 7, p1) * stats.binom.pmf(b, 6, p0)
                for (a, b), (low, high) in limits.items()
                if low <= p1 - p0 <= high
            )
            assert chance >= 0.95


def test_conditional_odds_ratio_equals_scipys():
    other = stats.contingency.odds_ratio([[7, 5], [3, 12]])
    found, limits = exact.odds_ratio(7, 12, 3, 15), other.confidence_interval(0.95)
    expected = (other.statistic, limits.low, limits.high)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected, rel=1e-5)


def test_poisson_and_logistic_equal_statsmodels():
    X = np.column_stack([np.ones(N), ARM, X1])
    y = np.random.default_rng(3).poisson(np.exp(0.3 + 0.4 * ARM + 0.2 * X1))
    other = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(TIME)).fit(tol=1e-12)
    found = likelihood.fit(X, y, "poisson", np.log(TIME))
    np.testing.assert_allclose(found.coefficients, other.params, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(other.llf, rel=1e-9)
    z = (y > 1).astype(float)
    fit = sm.Logit(z, X).fit(disp=0, tol=1e-12)
    model = likelihood.fit(X, z)
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance)), fit.bse, rtol=1e-7)
    test = likelihood.profile(model, 1)
    assert test.p == pytest.approx(likelihood.likelihood_ratio(model, likelihood.fit(X[:, [0, 2]], z)).p, rel=1e-6)


def test_firths_estimate_of_a_two_by_two_table_adds_half_to_each_cell():
    # Saturated model: Jeffreys' prior is half an observation a cell [Firth 1993].
    for x1, x0 in ((7, 3), (0, 5), (12, 12)):
        y = np.concatenate([np.repeat([1.0, 0.0], [x1, 12 - x1]), np.repeat([1.0, 0.0], [x0, 12 - x0])])
        X = np.column_stack([np.ones(24), np.repeat([1.0, 0.0], 12)])
        found = likelihood.fit(X, y, penalised=True)
        log_odds = np.log((x1 + 0.5) / (12.5 - x1)) - np.log((x0 + 0.5) / (12.5 - x0))
        assert found.coefficients[1] == pytest.approx(log_odds, abs=1e-8)
        assert not found.flag


def test_profile_limits_of_a_separated_table_are_open_on_one_side():
    X = np.column_stack([np.ones(20), np.repeat([0.0, 1.0], 10)])
    y = np.concatenate([np.zeros(10), np.tile([0.0, 1.0], 5)])
    model = likelihood.fit(X, y)
    assert model.flag & Flag.SEPARATION
    limits = likelihood.profile(model, 1)
    assert limits.high == np.inf
    assert 0 < limits.low < 5
    assert likelihood.coefficient(model, 1).p == 1.0


def test_negative_binomial_equals_statsmodels_and_scipys_likelihood():
    X = np.column_stack([np.ones(N), ARM])
    mean = np.exp(0.4 + 0.5 * ARM) * TIME / 10
    y = np.random.default_rng(4).negative_binomial(1 / 0.8, 1 / (1 + 0.8 * mean))
    found = counts.negative_binomial(X, y, TIME / 10)
    other = sm.NegativeBinomial(y, X, offset=np.log(TIME / 10)).fit(disp=0, gtol=1e-8, maxiter=500)
    np.testing.assert_allclose([*found.coefficients, found.dispersion], other.params, rtol=1e-4)
    arm = counts.combination(found, [0, 1])
    assert arm.se == pytest.approx(other.bse[1], rel=1e-3)
    fitted = np.exp(X @ found.coefficients) * TIME / 10
    size = 1 / found.dispersion
    assert found.log_likelihood == pytest.approx(stats.nbinom.logpmf(y, size, size / (size + fitted)).sum(), rel=1e-9)


def test_counts_without_extra_spread_are_poissons():
    X = np.column_stack([np.ones(40), np.tile([0.0, 1.0], 20)])
    y = np.tile([2, 3, 2, 4], 10)
    found = counts.negative_binomial(X, y)
    assert found.dispersion == 0
    np.testing.assert_allclose(found.coefficients, likelihood.fit(X, y, "poisson").coefficients)


def test_proportional_odds_equal_statsmodels_and_two_outcomes_logistic():
    y = np.clip(np.round(RNG.integers(0, 4, N) + 0.6 * ARM + 0.4 * X1), 0, 4)
    other = OrderedModel(y, np.column_stack([ARM, X1]), distr="logit").fit(method="bfgs", disp=0, gtol=1e-8)
    found = ordinal.proportional_odds(y, ARM, X1)
    assert (found.estimate, found.se) == pytest.approx((other.params[0], other.bse[0]), rel=1e-4)
    two = ordinal.proportional_odds(y > 1, ARM, X1)
    logit = likelihood.coefficient(likelihood.fit(np.column_stack([np.ones(N), ARM, X1]), (y > 1).astype(float)), 1)
    assert (two.estimate, two.se) == pytest.approx((logit.estimate, logit.se), rel=1e-6)


def test_cox_equals_statsmodels():
    for ties in ("efron", "breslow"):
        other = sm.PHReg(TIME, np.column_stack([ARM, X1]), EVENT, ties=ties, strata=(X1 > 0).astype(int)).fit()
        found = cox.cox(TIME, EVENT, np.column_stack([ARM, X1]), stratum=X1 > 0, ties=ties)
        np.testing.assert_allclose(found.coefficients, other.params, rtol=1e-5)
        np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), other.bse, rtol=1e-5)


def test_splitting_follow_up_changes_nothing_in_cox():
    whole = cox.cox(TIME, EVENT, ARM, person=np.arange(N))
    half = TIME / 2
    start, stop = np.concatenate([np.zeros(N), half]), np.concatenate([half, TIME])
    event, who = np.concatenate([np.zeros(N), EVENT]), np.tile(np.arange(N), 2)
    split = cox.cox(stop, event, np.tile(ARM, 2), start, person=who)
    for name in ("coefficients", "covariance", "robust"):
        np.testing.assert_allclose(getattr(split, name), getattr(whole, name), rtol=1e-8)


def test_gap_times_of_first_events_are_the_times_themselves():
    first = recurrent.prentice_williams_peterson(np.zeros(N), TIME, EVENT, ARM, np.arange(N), np.ones(N), gap=True)
    np.testing.assert_allclose(first.coefficients, cox.cox(TIME, EVENT, ARM, ties="breslow").coefficients)


def test_kaplan_meier_without_censoring_is_the_share_still_free():
    time = np.array([1.0, 2.0, 2.0, 4.0, 5.0])
    curve = survival.kaplan_meier(time, np.ones(5))
    np.testing.assert_allclose(curve.survival, [0.8, 0.4, 0.2, 0.0], atol=1e-12)
    at = survival.survival_at(curve, 2.5, "plain")
    assert at.se == pytest.approx(np.sqrt(0.4 * 0.6 / 5))
    assert survival.quantile(curve).estimate == 2.0
    # The restricted mean of everybody observed is the mean of min(time, tau).
    assert survival.restricted_mean(time, np.ones(5), 4.5).estimate == pytest.approx(np.minimum(time, 4.5).mean())


def test_incidences_of_all_causes_and_survival_add_up():
    cause = EVENT * (1 + (X1 > 0))
    one, two = (survival.cumulative_incidence(TIME, cause, of) for of in (1, 2))
    free = survival.kaplan_meier(TIME, EVENT).survival
    np.testing.assert_allclose(one.incidence + two.incidence + free, 1, atol=1e-12)
    # With one cause the variance is Greenwood's, but for the finite-sample terms of Aalen's.
    alone, curve = survival.cumulative_incidence(TIME, EVENT), survival.kaplan_meier(TIME, EVENT)
    middle = len(free) // 3
    greenwood = curve.survival[middle] ** 2 * curve.greenwood[middle]
    assert alone.variance[middle] == pytest.approx(greenwood, rel=0.05)


def test_exact_rank_tests_equal_scipys_and_permutations():
    a, b = RNG.normal(0.5, 1, 9), RNG.normal(size=8)
    assert wilcoxon.rank_sum(a, b, "exact").p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
    d = RNG.normal(0.3, 1, 14)
    assert wilcoxon.signed_rank(d, "exact").p == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)
    tied_a, tied_b = np.array([1.0, 2, 2, 5]), np.array([2.0, 3, 5, 5, 6])
    test = stats.permutation_test(
        (tied_a, tied_b), lambda x, y: stats.rankdata(np.concatenate([x, y]))[: len(x)].sum(), n_resamples=10**6,
        alternative="less",
    )  # fmt: skip
    found = wilcoxon.rank_sum(tied_a, tied_b, "exact")
    assert test.pvalue <= found.p <= 2 * test.pvalue + 1e-12


def test_a_shift_moves_the_hodges_lehmann_limits():
    a, b = RNG.normal(size=12), RNG.normal(size=15)
    for kind in ("exact", "normal"):
        one, other = wilcoxon.rank_sum(a, b, kind), wilcoxon.rank_sum(a + 2, b, kind)
        np.testing.assert_allclose(np.array(other[:4:2]) - np.array(one[:4:2]), 2, atol=1e-9)
        assert other.high - one.high == pytest.approx(2, abs=1e-9)
        assert one.low < one.estimate < one.high


def test_crossover_equals_least_squares_with_people_as_blocks():
    ab = np.repeat([1.0, 0.0], [11, 9])
    person = RNG.normal(size=20)
    first, second = (person + shift + RNG.normal(size=20) for shift in (0.5 * ab, 0.3 + 0.5 * (1 - ab)))
    y = np.concatenate([first, second])
    columns = np.column_stack([np.concatenate([ab, 1 - ab]), np.repeat([0.0, 1.0], 20), np.tile(np.eye(20), (2, 1))])
    fit = sm.OLS(y, columns).fit()
    found = crossover.ab_ba(first, second, ab)
    for effect, place in ((found.treatment, 0), (found.period, 1)):
        expected = (fit.params[place], fit.bse[place], fit.pvalues[place], fit.df_resid)
        assert (effect.estimate, effect.se, effect.p, effect.df) == pytest.approx(expected, rel=1e-9)
    sums = stats.ttest_ind((first + second)[ab == 1], (first + second)[ab == 0])
    assert found.carryover.p == pytest.approx(sums.pvalue)


def test_equivalence_agrees_with_its_interval():
    found = Estimate(0.1, 0.2, np.nan, np.nan, np.nan, 30.0, np.nan, Flag.FINE)
    edge = 0.1 + stats.t.isf(0.05, 30) * 0.2
    assert crossover.equivalence(found, -1, edge).p == pytest.approx(0.05)
    test = crossover.bioequivalence(np.exp(RNG.normal(0, 0.1, 24)), np.exp(RNG.normal(0, 0.1, 24)))
    assert (test.p < 0.05) == (test.low > 0.8 and test.high < 1.25)


def test_posterior_of_two_shares_equals_integration():
    found = bayes.share_difference(14, 30, 6, 25, bayes.beta_prior(2, 5), margin=0.1)
    one, two = stats.beta(15, 17), stats.beta(8, 24)
    chance = integrate.quad(lambda p: two.pdf(p) * one.sf(p + 0.1), 0, 0.9)[0]
    assert found.chance == pytest.approx(chance, abs=1e-5)
    assert found.estimate == pytest.approx(one.mean() - two.mean(), abs=1e-6)
    assert found.sd == pytest.approx(np.hypot(one.std(), two.std()), rel=1e-5)


def test_a_robust_prior_lets_go_of_a_history_that_disagrees():
    prior = bayes.map_prior([20, 25, 18], [100, 110, 95], spread=0.5, centre_sd=2.0, trust=0.8)
    like, unlike = (bayes.share_difference(30, 60, x, 60, prior) for x in (12, 40))
    assert like.weight > 0.8 > 0.3 > unlike.weight
    assert like.sd < bayes.share_difference(30, 60, 12, 60, bayes.beta_prior(1, 1)).sd
    sure = bayes.map_prior([20, 25, 18], [100, 110, 95], spread=0.01, centre_sd=20.0, trust=1.0)
    # With hardly any spread between trials the history is worth about all its people.
    assert bayes.effective_size(sure) == pytest.approx(305, rel=0.15)


def test_means_with_history_equal_the_conjugate_posterior():
    prior = bayes.mean_power_prior([1.0, 2.0], [0.5, 0.5], 0.5)
    found = bayes.mean_difference(3.0, 0.4, 1.2, 0.5, prior)
    precision = 0.5 * 8 + 4
    centre = (0.5 * 8 * 1.5 + 4 * 1.2) / precision
    assert found.estimate == pytest.approx(3.0 - centre)
    assert found.sd == pytest.approx(np.sqrt(0.16 + 1 / precision))
    robust = bayes.mean_map_prior([1.0, 1.1, 0.9], [0.2] * 3, spread=0.3, trust=0.8, vague_mean=1.0, vague_sd=2.0)
    near, far = (bayes.mean_difference(1.0, 0.2, y, 0.2, robust).weight for y in (1.0, 4.0))
    assert near > 0.8 > 0.1 > far


ZERO, ONE, HALF = np.zeros(20), np.ones(20), np.repeat([0.0, 1.0], 10)
HALVES = np.column_stack([ONE, HALF])


@pytest.mark.parametrize(
    ("found", "flag"),
    [
        (lambda: contrast.risk_difference(0, 0, 3, 10), Flag.EMPTY_ARM),
        (lambda: contrast.risk_difference(10, 10, 10, 10), Flag.NO_VARIATION),
        (lambda: contrast.risk_ratio(0, 10, 0, 10), Flag.NO_EVENTS),
        (lambda: contrast.odds_ratio(10, 10, 10, 10), Flag.NO_VARIATION),
        (lambda: exact.odds_ratio(0, 10, 0, 10), Flag.NO_VARIATION),
        (lambda: exact.risk_difference(0, 0, 0, 10), Flag.EMPTY_ARM),
        (lambda: strata.summary_score([0], [0], [3], [10]), Flag.EMPTY_ARM),
        (lambda: strata.newcombe([0], [0], [3], [10]), Flag.EMPTY_ARM),
        (lambda: likelihood.coefficient(likelihood.fit(HALVES, HALF), 1), Flag.SEPARATION),
        (lambda: likelihood.coefficient(likelihood.fit(HALVES, ZERO, "poisson"), 1), Flag.SEPARATION),
        (lambda: counts.combination(counts.negative_binomial(HALVES, ZERO), [0, 1]), Flag.NO_EVENTS),
        (lambda: ordinal.proportional_odds(ONE, HALF), Flag.NO_VARIATION),
        (lambda: ordinal.proportional_odds(HALF, ONE), Flag.EMPTY_ARM),
        (lambda: ordinal.proportional_odds(HALF, HALF), Flag.SEPARATION),
        (lambda: ordinal.proportional_odds(HALF, HALF, HALF), Flag.DETERMINED),
        (lambda: cox.coefficient(cox.cox(ONE, ZERO, HALF)), Flag.NO_EVENTS),
        (lambda: cox.coefficient(cox.cox(ONE, ONE, ONE)), Flag.NO_VARIATION),
        (lambda: cox.coefficient(cox.cox(1 + np.arange(20), HALF, HALF)), Flag.SEPARATION),
        (lambda: survival.restricted_mean_difference(ONE, ONE, ONE, 0.5), Flag.EMPTY_ARM),
        (lambda: survival.restricted_mean_difference(ONE, ZERO, HALF, 5), Flag.NOT_REACHED),
        (lambda: survival.restricted_mean_difference(ONE, ZERO, HALF, 0.5), Flag.NO_EVENTS),
        (lambda: wilcoxon.rank_sum([], [1.0]), Flag.EMPTY_ARM),
        (lambda: wilcoxon.rank_sum(ONE, ONE), Flag.NO_VARIATION),
        (lambda: wilcoxon.signed_rank(ZERO), Flag.NO_VARIATION),
        (lambda: crossover.ab_ba(ONE, ONE, ONE).treatment, Flag.EMPTY_ARM),
        (lambda: crossover.ab_ba(ONE, ZERO, HALF).treatment, Flag.NO_VARIATION),
        (lambda: crossover.ab_ba([1.0, 2.0], [1.0, 3.0], [0, 1]).treatment, Flag.TOO_FEW),
        (lambda: crossover.equivalence(nothing(Flag.EMPTY_ARM), -1, 1), Flag.EMPTY_ARM),
    ],
)
def test_degenerate_data_have_a_flag_and_a_p_of_one(found, flag):
    result = found()
    assert result.flag & flag
    assert result.p == 1.0


def test_what_is_not_reached_is_flagged():
    curve = survival.kaplan_meier([1.0, 2.0, 3.0], [1, 0, 0])
    assert survival.quantile(curve).flag == Flag.NOT_REACHED
    assert survival.survival_at(curve, 4.0).flag == Flag.NOT_REACHED
    assert survival.survival_at(curve, 0.5).estimate == 1.0
    assert survival.incidence_at(survival.cumulative_incidence([1.0, 2.0], [0, 0]), 1.0).flag == Flag.NO_EVENTS


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: share.proportion(5, 4), "5 responders among 4"),
        (lambda: share.proportion(1, 4, "bayes"), "'bayes'"),
        (lambda: share.binomial_test(1, 4, 1.2), "null 1.2"),
        (lambda: contrast.risk_difference(1, 4, 1, 4, level=0), "level 0"),
        (lambda: exact.risk_difference(1, 2000, 1, 2000), "use `score`"),
        (lambda: exact.risk_difference(1, 4, 1, 4, "barnard"), "'barnard'"),
        (lambda: likelihood.fit(HALVES, HALF + 1), "expected 0 and 1"),
        (lambda: likelihood.fit(HALVES, HALF - 1, "poisson"), "counts"),
        (lambda: likelihood.fit(np.column_stack([HALVES, HALF]), HALF), "determine each other"),
        (lambda: likelihood.fit(HALVES, HALF[:5]), "differ in length"),
        (lambda: counts.negative_binomial(HALVES, HALF, ZERO), "exposure"),
        (lambda: cox.cox(ZERO, ONE, HALF, start=ONE), "must end after it begins"),
        (lambda: cox.cox(ONE, ONE + 1, HALF), "holds 2"),
        (lambda: recurrent.wei_lin_weissfeld(ONE, ONE, HALF, np.arange(20), HALF), "one row for each number"),
        (lambda: survival.kaplan_meier([-1.0], [1]), "negative"),
        (lambda: survival.kaplan_meier([], []), "nobody"),
        (lambda: survival.restricted_mean([1.0], [1], 0), "tau 0"),
        (lambda: survival.quantile(survival.kaplan_meier([1.0], [1]), 1.0), "share 1.0"),
        (lambda: survival.cumulative_incidence([1.0], [0.5]), "whole numbers"),
        (lambda: wilcoxon.rank_sum([np.nan], [1.0]), "not a finite"),
        (lambda: crossover.equivalence(nothing(Flag.FINE), 1, -1), "below the upper"),
        (lambda: crossover.bioequivalence([0.0, 1.0], [1.0, 1.0]), "above 0"),
        (lambda: crossover.ab_ba([1.0], [1.0, 2.0], [1.0]), "differ in length"),
        (lambda: bayes.power_prior(1, 4, 1.5), "power 1.5"),
        (lambda: bayes.map_prior([5], [4], 0.5, 2.0, 0.5), "5 responders"),
        (lambda: bayes.map_prior([1], [4], 0.5, 2.0, 1.5), "trust 1.5"),
        (lambda: bayes.mean_power_prior([1.0], [0.0], 0.5), "standard error of 0"),
        (lambda: bayes.mean_difference(1, 0, 1, 1, bayes.mean_power_prior([1.0], [1.0], 0.5)), "above 0"),
    ],
)
def test_nonsense_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
