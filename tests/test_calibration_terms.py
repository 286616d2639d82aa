"""The agreement of predicted numbers with counts, shares and means, against closed forms, SciPy and statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import comb, expit, gammaln, logit
from statsmodels.stats.meta_analysis import combine_effects

from cutis.calibration.terms import Counts, Means, Summaries, standard_error, subset

N = 40
LADDER = Counts(  # of 40 people 80, 50, 25 and 10 per cent
    np.arange(4), np.array([-1, 0, 1, 2]), np.array([40, 32, 20, 10]), np.array([32, 20, 10, 4]), np.ones(4)
)
SHARES = Summaries(np.array([0, 2]), np.array([-1, 1]), np.array([0.4, -0.3]), np.array([0.2, 0.1]))
CHANGES = Means(
    *(np.array([0, 1, 3]), np.array([-1, -1, 2]), np.array([0.7, 0.1, -0.3])),
    *(np.array([0.05, 0.1, 0.2]), np.array([1.0, 4.0, 1.0]), 0.07),
)
MATRIX = np.random.default_rng(1).normal(size=(4, 3))
AT = np.array([0.3, -0.2, 0.5])
TERMS = {"counts": LADDER, "summaries": SHARES, "means": CHANGES}


def value_at(at):
    """Made-up nested probabilities of three parameters, (4,)."""
    return np.cumprod(expit(MATRIX @ at))


def differentiated(function, at, h=1e-6):
    """Central differences, (parameters, ...)."""
    return np.array([(function(at + h * d) - function(at - h * d)) / (2 * h) for d in np.eye(len(at))])


SLOPES = differentiated(value_at, AT)


def test_nested_counts_multiply_to_the_multinomial():
    cells = [8, 12, 10, 6, 4]  # below PASI 50, from 50 to 75, ..., PASI 100
    constants = sum(np.log(comb(n, x)) for n, x in zip(LADDER.n, LADDER.x, strict=True))
    for value in ([0.8, 0.5, 0.25, 0.1], [0.9, 0.4, 0.3, 0.05]):
        value = np.array(value)
        nested = replace(LADDER, rho=1e-9).log(value) + constants
        shares = -np.diff(np.r_[1.0, value, 0.0])
        assert nested == pytest.approx(stats.multinomial.logpmf(cells, N, shares), abs=1e-4)


@pytest.mark.parametrize("rho", [0.002, 0.05, 0.4])
def test_one_count_is_beta_binomial(rho):
    n, x, q = np.array([12, 300, 1]), np.array([0, 180, 1]), np.array([0.02, 0.63, 0.9])
    one = Counts(np.arange(3), np.full(3, -1), n, x, np.ones(3), rho)
    size = 1 / rho - 1
    distribution = stats.betabinom(n, q * size, (1 - q) * size)
    constant = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    np.testing.assert_allclose(one.log_likelihood(q) + constant, distribution.logpmf(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(1 / one.information(q, rho), distribution.var() / n**2, rtol=1e-9)


@pytest.mark.parametrize("name", ["counts", "means"])
def test_inflation_divides_what_a_figure_tells(name):
    term = TERMS[name]
    recalled = replace(term, inflation=4 * term.inflation)
    value = value_at(AT)
    assert recalled.log(value) == pytest.approx(term.log(value) / 4)
    for one, other in zip(recalled.climb(value, SLOPES), term.climb(value, SLOPES), strict=True):
        np.testing.assert_allclose(one, other / 4)


def test_impossible_probabilities_are_kept_within_reach():
    found = subset(LADDER, np.arange(4) < 2)
    for value in ([0.5, 0.6], [0.5, 0.0], [1.0, 1.0]):
        q = found.conditional(np.array(value))
        assert (q > 0).all()
        assert (q < 1).all()
        assert np.isfinite(found.log_likelihood(q)).all()


@pytest.mark.parametrize("rho", [1e-4, 0.005, 0.3])
def test_the_score_is_the_slope_of_the_log_likelihood(rho):
    found = replace(LADDER, inflation=np.array([1.0, 1, 4, 4]), rho=rho)
    for q in (np.array([0.8, 0.6, 0.5, 0.4]), np.array([0.2, 0.9, 0.97, 0.01])):
        up, down = (found.log_likelihood(q + h) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(found.score(q), (up - down) / 2e-6, rtol=1e-4, atol=1e-3)


def test_the_slope_of_a_conditional_probability_is_that_of_its_logarithm():
    expected = differentiated(lambda at: np.log(LADDER.conditional(value_at(at))), AT)
    np.testing.assert_allclose(LADDER.conditional_slopes(value_at(AT), SLOPES), expected, atol=1e-8)


def test_summaries_are_logits_or_differences_of_logits():
    value = value_at(AT)
    expected = [logit(value[0]), logit(value[2]) - logit(value[1])]
    np.testing.assert_allclose(SHARES.logits(value), expected)
    by_hand = differentiated(lambda at: SHARES.logits(value_at(at)), AT)
    np.testing.assert_allclose(SHARES.logit_slopes(value, SLOPES), by_hand, atol=1e-8)


def test_summaries_and_means_are_normal():
    value = value_at(AT)
    normal = stats.norm([0.4, -0.3], [0.2, 0.1])
    seen = [logit(value[0]), logit(value[2]) - logit(value[1])]
    expected = (normal.logpdf(seen) - normal.logpdf([0.4, -0.3])).sum()
    assert SHARES.log(value) == pytest.approx(expected)
    sd = np.sqrt((CHANGES.error**2 + 0.07**2) * [1, 4, 1])
    normal = stats.norm(CHANGES.value, sd)
    seen = [value[0], value[1], value[3] - value[2]]
    assert CHANGES.log(value) == pytest.approx((normal.logpdf(seen) - normal.logpdf(CHANGES.value)).sum())


@pytest.mark.parametrize("name", TERMS)
def test_the_gradient_is_that_of_the_log_likelihood(name):
    term = TERMS[name]
    gradient, information = term.climb(value_at(AT), SLOPES)
    np.testing.assert_allclose(gradient, differentiated(lambda at: term.log(value_at(at)), AT), rtol=1e-5, atol=1e-5)
    assert information.shape == (3, 3)
    assert np.linalg.eigvalsh(information).min() > -1e-9


def test_information_is_the_variance_of_the_gradient():
    """In repeated means, each with its error and its misfit."""
    rng = np.random.default_rng(2)
    value = value_at(AT)
    middle = np.array([value[0], value[1], value[3] - value[2]])
    term = replace(CHANGES, inflation=np.ones(3))
    sd = np.sqrt(term.error**2 + term.misfit**2)
    found = [replace(term, value=middle + sd * rng.standard_normal(3)).climb(value, SLOPES) for _ in range(20_000)]
    drawn, expected = np.cov(np.array([gradient for gradient, _ in found]).T), found[0][1]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(drawn - expected) / scale).max() < 4.5 * np.sqrt(2 / 20_000)


@pytest.mark.parametrize("name", ["counts", "means"])
def test_there_is_no_excess_where_figures_vary_as_they_are_weighted_and_more_where_they_vary_more(name):
    term, value = TERMS[name], value_at(AT)
    weighted = term.rho if name == "counts" else term.misfit
    assert np.abs(term.excess(value, SLOPES, weighted)).max() < 1e-9
    assert np.abs(term.excess(value, SLOPES, weighted / 2)).max() < 1e-9
    assert np.diag(term.excess(value, SLOPES, 3 * weighted)).min() > 0


def test_the_excess_of_means_completes_the_variance_of_their_gradient():
    """With the weights of one misfit, where arms vary by another."""
    term, value, found = CHANGES, value_at(AT), 0.3
    steep = np.column_stack([SLOPES[:, 0], SLOPES[:, 1], SLOPES[:, 3] - SLOPES[:, 2]])
    weight = 1 / ((term.error**2 + term.misfit**2) * term.inflation)
    variance = (term.error**2 + found**2) * term.inflation
    expected = (steep * weight**2 * variance) @ steep.T
    np.testing.assert_allclose(term.climb(value, SLOPES)[1] + term.excess(value, SLOPES, found), expected, rtol=1e-9)


def of_arms(value, error, misfit=0.0):
    none = np.full(len(value), -1)
    return Means(np.zeros(len(value), int), none, value, error, np.ones(len(value)), misfit)


def test_misfit_is_what_a_meta_analysis_finds_between_studies():
    """The iterated estimate of Paule and Mandel, by statsmodels."""
    value = np.array([-52.0, -61.0, -44.0, -57.5, -70.0, -49.0])
    error = np.array([2.0, 3.5, 1.5, 2.5, 4.0, 1.8])
    tau2 = combine_effects(value, error**2, method_re="iterated", atol=1e-12).tau2
    weight = 1 / (error**2 + tau2)
    mean = (weight * value).sum() / weight.sum()
    assert of_arms(value, error).variation(np.array([mean]), 1) == pytest.approx(np.sqrt(tau2), rel=1e-4)


def test_misfit_of_equal_errors_by_hand_and_none_where_chance_explains_all():
    value, error = np.array([3.0, -1.0, 5.0, -7.0]), np.full(4, 2.0)
    one = of_arms(value, error)
    assert one.variation(np.zeros(1), 0) == pytest.approx(np.sqrt((9 + 1 + 25 + 49) / 4 - 4))
    assert one.variation(np.zeros(1), 2) == pytest.approx(np.sqrt((9 + 1 + 25 + 49) / 2 - 4))
    assert one.variation(np.zeros(1), 9) == pytest.approx(np.sqrt(84 - 4))  # as if one were free
    assert of_arms(value, 10 * error).variation(np.zeros(1), 0) == 0.0
    assert of_arms(np.zeros(4), error).variation(np.zeros(1), 0) == 0.0


def test_the_misfit_of_drawn_means_is_found():
    rng = np.random.default_rng(4)
    error = rng.uniform(1, 4, 4000)
    term = of_arms(10 + np.sqrt(error**2 + 9) * rng.standard_normal(4000), error)
    assert term.variation(np.array([10.0]), 0) == pytest.approx(3, rel=0.1)


def test_standard_errors_of_means_and_medians():
    rng = np.random.default_rng(5)
    people = rng.normal(-50, 30, (20_000, 101))
    assert standard_error(30, 101) == pytest.approx(people.mean(1).std(), rel=0.03)
    assert standard_error(30, 101, median=True) == pytest.approx(np.median(people, 1).std(), rel=0.03)


def test_what_sds_hold_is_not_looked_for_again():
    assert SHARES.telling == 0
    assert SHARES.variation(value_at(AT), 3) == 0
    assert (SHARES.excess(value_at(AT), SLOPES, 0.0) == 0).all()
    assert (LADDER.telling, CHANGES.telling) == (4, 3)


def test_a_subset_has_the_figures_that_are_kept():
    keep = np.array([True, False, True])
    found = subset(CHANGES, keep)
    assert found.misfit == CHANGES.misfit
    assert found.one.tolist() == [0, 3]
    parts = subset(CHANGES, keep).log(value_at(AT)) + subset(CHANGES, ~keep).log(value_at(AT))
    assert parts == pytest.approx(CHANGES.log(value_at(AT)))
    nothing = subset(CHANGES, np.zeros(3, bool))
    assert nothing.log(value_at(AT)) == 0
    assert nothing.variation(value_at(AT), 3) == 0
    assert (nothing.climb(value_at(AT), SLOPES)[1] == 0).all()
