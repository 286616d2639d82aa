"""Logistic regression, and the standardised (marginal) effects that it gives: kernels of one replicate."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .ancova import empty_arm, prepared
from .estimate import Estimate, Flag, check_binary, check_lengths, spoil, wald
from .linear import EXACT, Fit, Inverse, design, invert_symmetric, iterate, newton

STEPS = 10  # Newton's steps; a fit without separation takes 5 to 7
SETTLED = 1e-8  # the last step of one that has converged
EXTREME = 15.0  # a linear predictor this large, odds of 3 million to 1, means separation
RUNAWAY = 6.0  # so does this, if still on the move: without a maximum each step adds about one

Family = Literal["binomial", "gaussian"]
Variance = Literal["ge", "hc0", "hc3", "ye"]


class Likelihood(NamedTuple):
    """A fit with what its uses need."""

    fit: Fit
    inverse: Inverse
    predictor: Array  # (n,)
    flag: Array


class Standardised(NamedTuple):
    """Mean outcome if everybody were in an arm, for all arms, and the covariance of these means."""

    means: Array  # (arms,)
    covariance: Array  # (arms, arms)
    flag: Array


def logistic(
    outcome: Array,
    arm: Array,
    covariates: Array | None = None,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
    level: float = 0.95,
) -> Estimate:
    """Log odds ratio of response given the covariates: maximum likelihood, Wald.

    Args:
      outcome: 0 or 1, (n,). The others as in `ancova`.

    Returns:
      Flagged with p = 1: an empty arm, all or none responding, separation.

    Raises:
      ValueError: outcomes other than 0 and 1, columns of different length.
    """
    X, outcome, arm, weight = _read(outcome, arm, covariates, stratum, strata, weight)
    found = maximise(X, outcome, weight)
    flag = found.flag | empty_arm(arm, weight)
    lost = jnp.where(found.fit.kept[-1] > 0, 0, int(Flag.DETERMINED))
    se = jnp.sqrt(found.fit.covariance[-1, -1])
    return spoil(wald(found.fit.coefficients[-1], se, level), flag | lost)


def standardised_difference(
    outcome: Array,
    arm: Array,
    covariates: Array | None = None,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
    variance: Variance = "ye",
    level: float = 0.95,
) -> Estimate:
    """Marginal risk difference by g-computation on a logistic model with main effects.

    Args:
      variance: "ge", the delta method with the model's information, the covariates taken as fixed
        [Ge et al. 2011, Drug Inf J 45:481]; "hc0" and "hc3", the same with a sandwich; "ye", robust to the
        model and with the covariates as random [Ye et al. 2023, Stat Theory Relat Fields 7:159].
    """
    X, outcome, arm, weight = _read(outcome, arm, covariates, stratum, strata, weight)
    under = jnp.stack([X.at[:, -1].set(0.0), X.at[:, -1].set(1.0)])
    found = standardised(outcome, (arm > 0).astype(int), X, under, weight, "binomial", variance)
    return spoil(difference(found, 1, 0, level), empty_arm(arm, weight))


def standardised(
    outcome: Array,
    arm: Array,
    columns: Array,
    under: Array,
    weight: Array | None = None,
    family: Family = "binomial",
    variance: Variance = "ye",
) -> Standardised:
    """Mean outcome under every arm, from any model of the family.

    Args:
      arm: 0 to arms - 1, (n,).
      columns: the model's columns as observed, (n, p).
      under: the same with everybody in arm 0, 1, ..., (arms, n, p).
    """
    outcome = jnp.asarray(outcome, float)
    weight = jnp.ones_like(outcome) if weight is None else jnp.asarray(weight, float)
    found = maximise(columns, outcome, weight, family)
    response = _response(family)
    eta = jnp.einsum("anp,p->an", under, found.fit.coefficients)
    predicted = response(eta)
    n = jnp.maximum(weight.sum(), 1.0)
    means = predicted @ weight / n
    if variance == "ye":
        covariance = _ye(outcome, arm, predicted, weight)
    else:
        spread = _sandwich(columns, outcome, weight, found, family, variance)
        slope = predicted * (1 - predicted) if family == "binomial" else jnp.ones_like(predicted)
        gradient = jnp.einsum("an,anp->ap", slope * weight[None, :], under) / n
        covariance = gradient @ spread @ gradient.T
    lost = jnp.where(jnp.isfinite(covariance).all(), 0, int(Flag.NO_VARIATION)).astype(jnp.int32)
    return Standardised(means, covariance, found.flag | lost)


def difference(found: Standardised, arm: int, other: int, level: float = 0.95) -> Estimate:
    """Mean of one arm minus that of another."""
    vector = jnp.zeros(found.means.shape[0]).at[arm].set(1.0).at[other].add(-1.0)
    return _contrast(found, vector @ found.means, vector, level)


def log_ratio(found: Standardised, arm: int, other: int, level: float = 0.95) -> Estimate:
    """Logarithm of the ratio of the means of two arms."""
    vector = jnp.zeros(found.means.shape[0]).at[arm].set(1 / found.means[arm]).at[other].add(-1 / found.means[other])
    return _contrast(found, jnp.log(found.means[arm] / found.means[other]), vector, level)


def log_odds_ratio(found: Standardised, arm: int, other: int, level: float = 0.95) -> Estimate:
    """Logarithm of the (marginal) odds ratio of two arms."""
    odds = found.means * (1 - found.means)
    vector = jnp.zeros(found.means.shape[0]).at[arm].set(1 / odds[arm]).at[other].add(-1 / odds[other])
    logit = jnp.log(found.means) - jnp.log1p(-found.means)
    return _contrast(found, logit[arm] - logit[other], vector, level)


def maximise(columns: Array, outcome: Array, weight: Array, family: Family = "binomial") -> Likelihood:
    """Maximum likelihood by Newton's steps, always `STEPS` of them.

    Args:
      columns: (n, p); outcome: (n,); weight: 1 where a person counts, else 0, (n,).
    """
    outcome = jnp.where(weight > 0, outcome, 0.0)
    response = _response(family)

    def parts(beta: Array) -> tuple[Array, Array]:
        mean = response(columns @ beta)
        slope = weight * (mean * (1 - mean) if family == "binomial" else jnp.ones_like(mean))
        return columns.T @ (weight * (outcome - mean)), (columns * slope[:, None]).T @ columns

    steps = STEPS if family == "binomial" else 2
    beta, last = iterate(lambda beta: newton(*parts(beta))[0], jnp.zeros(columns.shape[1]), steps)
    inverse = invert_symmetric(parts(beta)[1])
    eta = columns @ beta
    residual = weight * (outcome - response(eta))
    df = weight.sum() - inverse.rank
    spread = inverse.matrix
    if family == "gaussian":
        spread = spread * (residual @ residual) / df
    scale = 1.0 if family == "binomial" else jnp.maximum(jnp.max(jnp.abs(outcome)), 1.0)
    settled = jnp.isfinite(last) & (last < SETTLED * scale)
    far = jnp.max(jnp.abs(jnp.where(weight > 0, eta, 0.0)))
    extreme = (far > EXTREME) | (~settled & (far > RUNAWAY)) if family == "binomial" else False
    flag = jnp.where(settled, 0, int(Flag.NOT_CONVERGED)) | jnp.where(extreme, int(Flag.SEPARATION), 0)
    fit = Fit(beta, spread, inverse.kept, df, residual @ residual)
    return Likelihood(fit, inverse, eta, flag.astype(jnp.int32))


def _contrast(found: Standardised, estimate: Array, vector: Array, level: float) -> Estimate:
    return spoil(wald(estimate, jnp.sqrt(vector @ found.covariance @ vector), level), found.flag)


def _ye(outcome: Array, arm: Array, predicted: Array, weight: Array) -> Array:
    """Covariance of standardised means under simple randomisation, Ye et al. 2023, equation 5."""
    arms, n = predicted.shape[0], weight.sum()
    of = jax.nn.one_hot(arm, arms, dtype=float).T * weight[None, :]
    size = of.sum(axis=1)
    outcome = jnp.where(weight > 0, outcome, 0.0)
    mean = of @ outcome / size
    about = (outcome[None, :] - mean[:, None]) * of
    free = jnp.where(size > 1, size - 1, jnp.nan)
    own = jnp.sum(about * about, axis=1) / free
    away = predicted - (predicted @ weight / n)[:, None]
    among = (away * weight[None, :]) @ away.T / (n - 1)
    # Row a, column b: covariance, within arm a, of the outcome and the prediction for arm b.
    with_outcome = about @ predicted.T / free[:, None]
    alone = (own + jnp.diagonal(among) - 2 * jnp.diagonal(with_outcome)) * n / size
    return (jnp.diag(alone) + with_outcome + with_outcome.T - among) / n


def _sandwich(
    columns: Array, outcome: Array, weight: Array, found: Likelihood, family: Family, variance: Variance
) -> Array:
    if variance == "ge":
        return found.fit.covariance
    if variance not in ("hc0", "hc3"):
        raise ValueError(f"variance {variance!r}: expected ge, hc0, hc3 or ye")
    mean = _response(family)(found.predictor)
    slope = mean * (1 - mean) if family == "binomial" else jnp.ones_like(mean)
    residual = jnp.where(weight > 0, outcome - mean, 0.0)
    bread = found.inverse.matrix
    if variance == "hc3":
        away = 1 - weight * slope * jnp.sum((columns @ bread) * columns, axis=1)
        residual = jnp.where(away > EXACT, residual / jnp.where(away > EXACT, away, 1.0), 0.0)
    pulled = columns * residual[:, None]
    return bread @ (pulled.T @ pulled) @ bread


def _response(family: Family):
    if family not in ("binomial", "gaussian"):
        raise ValueError(f"family {family!r}: expected binomial or gaussian")
    return jax.nn.sigmoid if family == "binomial" else (lambda eta: eta)


def _read(
    outcome: Array, arm: Array, covariates: Array | None, stratum: Array | None, strata: int, weight: Array | None
) -> tuple[Array, Array, Array, Array]:
    columns = {"outcome": outcome, "arm": arm, "covariates": covariates, "stratum": stratum, "weight": weight}
    check_lengths(**{name: column for name, column in columns.items() if column is not None})
    outcome, arm, weight, wide = prepared(outcome, arm, covariates, stratum, strata, weight)
    check_binary("outcome", outcome, weight)
    check_binary("arm", arm, weight)
    return design(arm, wide, weight), outcome, arm, weight


def odds_of(found: Estimate) -> tuple[Array, Array, Array]:
    """Odds ratio and its limits from an estimate on the log scale."""
    return jnp.exp(found.estimate), jnp.exp(found.low), jnp.exp(found.high)
