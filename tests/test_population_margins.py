"""The quantile functions against SciPy, and the moment fits against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from cutis.population.dependence import ORDER, cholesky, latent
from cutis.population.margins import gamma, truncated_lognormals, truncated_normal, within


@pytest.mark.parametrize(("shape", "scale"), [(1.12, 7.2), (2.34, 7.85), (0.7, 3.0)])
def test_gamma_quantiles_agree_with_scipy_to_one_part_in_ten_thousand(shape, scale):
    score = np.linspace(-4, 4, 1777)
    exact = stats.gamma(shape, scale=scale).ppf(stats.norm.cdf(score))
    np.testing.assert_allclose(gamma(shape, scale).value(jnp.asarray(score)), exact, rtol=1e-4)


def test_scores_and_quantiles_undo_each_other():
    table = gamma(2.34, 7.85)
    years = jnp.linspace(0.5, 70, 500)
    np.testing.assert_allclose(table.value(table.score(years)), years, rtol=1e-12)


def test_far_upper_quantiles_keep_their_digits():
    exact = stats.gamma(1.12, scale=7.2).isf(stats.norm.sf(6.5))
    assert float(gamma(1.12, 7.2).value(jnp.asarray(6.5))) == pytest.approx(exact, rel=1e-5)


def test_a_truncated_score_keeps_its_rank():
    score = np.linspace(-4, 4, 101)
    found = stats.truncnorm(-1.5, 0.7).cdf(np.asarray(within(jnp.asarray(score), -1.5, 0.7)))
    np.testing.assert_allclose(found, stats.norm.cdf(score), atol=1e-12)


def test_the_truncated_normal_has_the_moments_asked_for():
    location, scale = truncated_normal(45.12, 13.08, 18, 80)
    inside = stats.truncnorm((18 - location) / scale, (80 - location) / scale, loc=location, scale=scale)
    assert (inside.mean(), inside.std()) == pytest.approx((45.12, 13.08), rel=1e-6)


def test_truncated_log_normals_have_the_moments_asked_for():
    ratios, shares = np.array([1.0, 0.8]), np.array([0.7, 0.3])
    medians, sigma = truncated_lognormals(29.86, 6.79, 15, 70, ratios, shares)

    def moment(n):
        parts = [stats.lognorm(sigma, scale=np.exp(m)) for m in medians]
        inside = [
            integrate.quad(lambda x, p=p: x**n * p.pdf(x), 15, 70, epsabs=1e-9)[0] / (p.cdf(70) - p.cdf(15))
            for p in parts
        ]
        return shares @ np.array(inside)

    assert moment(1) == pytest.approx(29.86, rel=1e-6)
    assert np.sqrt(moment(2) - moment(1) ** 2) == pytest.approx(6.79, rel=1e-5)
    assert np.exp(medians[1] - medians[0]) == pytest.approx(0.8)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.05, 0.31, 0.9])
def test_latent_correlations_give_the_rank_correlation_asked_for(rho):
    # Spearman of a bivariate normal: 6 / pi * arcsin(r / 2) (Pearson 1907).
    assert 6 / np.pi * np.arcsin(latent(rho) / 2) == pytest.approx(rho, abs=1e-14)


def test_the_cholesky_factor_multiplies_back_to_the_correlations():
    factor = cholesky({("age", "bmi"): 0.16, ("age", "duration"): 0.3, ("bmi", "severity"): 0.05})
    matrix = factor @ factor.T
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert matrix[ORDER.index("duration"), ORDER.index("age")] == pytest.approx(0.3)
    assert matrix[ORDER.index("severity"), ORDER.index("bmi")] == pytest.approx(0.05)
    assert matrix[ORDER.index("severity"), ORDER.index("age")] == pytest.approx(0)
