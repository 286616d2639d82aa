"""Symmetric systems without pivoting, and least squares with its covariances: kernels of one replicate."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from .estimate import Estimate, Flag, wald

COLLINEAR = 1e-9  # of a column's own square, what is left of it when the columns before are taken out
EXACT = 1e-9  # of 1 - leverage: below, a value is fitted by a column of its own

Covariance = Literal["classical", "HC0", "HC3"]


class Inverse(NamedTuple):
    """A generalised inverse: columns that earlier ones determine are left out, with zeros in their places."""

    matrix: Array  # (p, p)
    kept: Array  # (p,), 1 where the column is in
    rank: Array


class Fit(NamedTuple):
    """Least squares, or one step of a likelihood's."""

    coefficients: Array  # (p,), 0 where left out
    covariance: Array  # (p, p)
    kept: Array  # (p,)
    df: Array  # residual
    residual_sum: Array  # of squares


def invert(matrix: Array) -> Inverse:
    """Sweep out one column after another [Goodnight 1979, Am Stat 33:149].

    Args:
      matrix: symmetric, not negative, (p, p).
    """
    p = matrix.shape[0]
    scale = jnp.diagonal(matrix)
    kept = []
    swept = matrix
    for k in range(p):
        pivot = swept[k, k]
        keep = pivot > COLLINEAR * jnp.maximum(scale[k], 1e-300)
        column = swept[:, k] / jnp.where(keep, pivot, 1.0)
        after = swept - jnp.outer(column, swept[k, :])
        after = after.at[:, k].set(-column).at[k, :].set(swept[k, :] / jnp.where(keep, pivot, 1.0))
        after = after.at[k, k].set(1 / jnp.where(keep, pivot, 1.0))
        swept = jnp.where(keep, after, swept)
        kept.append(keep)
    mask = jnp.stack(kept).astype(matrix.dtype)
    return Inverse(swept * mask[:, None] * mask[None, :], mask, mask.sum())


def invert_symmetric(matrix: Array) -> Inverse:
    """`invert` on columns scaled to one another, for columns of different units."""
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 1e-300))
    found = invert(matrix / jnp.outer(size, size))
    return found._replace(matrix=found.matrix / jnp.outer(size, size))


def design(arm: Array, covariates: Array | None, weight: Array) -> Array:
    """Columns: one, the covariates about their mean, and last the arm: (n, p).

    With the arm last it is the covariates that stay if the two cannot be told apart.
    """
    one = jnp.ones_like(weight)
    columns = [one[:, None]]
    if covariates is not None:
        total = jnp.maximum(weight.sum(), 1.0)
        # A value that does not count may be missing; it must not reach a sum.
        covariates = jnp.where(weight[:, None] > 0, covariates, 0.0)
        columns.append(covariates - (weight @ covariates / total)[None, :])
    return jnp.concatenate([*columns, arm[:, None]], axis=1)


def least_squares(columns: Array, outcome: Array, weight: Array, covariance: Covariance = "classical") -> Fit:
    """Least squares of the values that count.

    HC3 divides each residual by 1 - leverage [MacKinnon and White 1985, J Econom 29:305]. A value that a column of its
    own fits exactly says nothing and is left out of that sum.

    Args:
      columns: (n, p).
      outcome: (n,).
      weight: 1 where the value counts, else 0, (n,).
    """
    outcome = jnp.where(weight > 0, outcome, 0.0)
    counted = columns * weight[:, None]
    inverse = invert_symmetric(counted.T @ counted)
    beta = inverse.matrix @ (counted.T @ outcome)
    # A second pass on the residuals takes out what rounding left.
    beta = beta + inverse.matrix @ (counted.T @ (outcome - columns @ beta))
    residual = (outcome - columns @ beta) * weight
    df = weight.sum() - inverse.rank
    square = residual @ residual
    if covariance == "classical":
        spread = inverse.matrix * square / jnp.where(df > 0, df, jnp.nan)
    else:
        away = 1 - jnp.sum((counted @ inverse.matrix) * counted, axis=1)
        share = jnp.where(away > EXACT, residual / jnp.where(away > EXACT, away, 1.0), 0.0)
        pulled = counted * (share if covariance == "HC3" else residual)[:, None]
        spread = inverse.matrix @ (pulled.T @ pulled) @ inverse.matrix
    return Fit(beta, spread, inverse.kept, df, square)


def combination(fit: Fit, vector: Array, level: float = 0.95, flag: Any = 0) -> Estimate:
    """A linear combination of coefficients, by t with the residual degrees of freedom.

    A coefficient that was left out cannot take part: flagged.
    """
    vector = jnp.asarray(vector, float)
    lost = jnp.any((fit.kept == 0) & (vector != 0))
    flag = jnp.asarray(flag, jnp.int32) | jnp.where(lost, int(Flag.DETERMINED), 0)
    flag = flag | jnp.where(fit.df <= 0, int(Flag.TOO_FEW), 0)
    estimate = jnp.where(lost, jnp.nan, vector @ fit.coefficients)
    se = jnp.sqrt(vector @ fit.covariance @ vector)
    size = jnp.max(jnp.abs(fit.coefficients)) + jnp.abs(estimate)
    return wald(estimate, jnp.where(se > 1e-12 * size, se, 0.0), level, fit.df, flag)


def newton(score: Array, information: Array) -> tuple[Array, Inverse]:
    """One step uphill, and the inverse of the information it took."""
    inverse = invert_symmetric(information)
    return inverse.matrix @ score, inverse


def iterate(step, start: Array, times: int) -> tuple[Array, Array]:
    """`times` steps from `start`, and the size of the last one.

    A fixed number, since under `vmap` all replicates go on until the last has converged anyway.
    """

    def once(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        move = step(carry[0])
        return (carry[0] + move, jnp.max(jnp.abs(move))), None

    (found, last), _ = lax.scan(once, (start, jnp.asarray(jnp.inf, start.dtype)), None, length=times)
    return found, last
