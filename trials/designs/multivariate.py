"""Chance that some of several correlated statistics pass their bounds: multivariate normal and t, of any rank.

The statistics are written in independent normals, one after the other, so that each bound is a limit of the last normal
it needs; the product of the chances is averaged over fixed Sobol points (Genz and Bretz 2002, J Comput Graph Stat
11:950). So results are the same each time and right for contrasts that depend on each other, where scipy's
multivariate_t is not (scipy 1.17: 0.829 for a probability of 0.926).
"""

from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr
from scipy.special import chdtri, ndtr, ndtri
from scipy.stats import norm, qmc, t

from .root import root

POINTS = 15  # 2 to this power: errors of about 1e-5 or less (docs/statistics_designs.md)
LARGEST = 20  # rank
ZERO = 1e-9  # a coefficient below is rounding
BATCH = 8


def root_of(correlation: ArrayLike) -> np.ndarray:
    """A factor with one row a statistic and as many columns as its rank; rows have length 1.

    Raises:
      ValueError: the matrix is not one of correlations.
    """
    matrix = np.asarray(correlation, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise ValueError(f"correlation: expected a square matrix of finite numbers, got shape {matrix.shape}")
    if not np.allclose(np.diag(matrix), 1) or not np.allclose(matrix, matrix.T):
        raise ValueError("correlation: expected a symmetric matrix with ones on its diagonal")
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-8:
        raise ValueError(f"correlation: not positive semidefinite (smallest eigenvalue {values[0]:.3g})")
    kept = values > 1e-10 * values[-1]
    factor = vectors[:, kept] * np.sqrt(values[kept])
    if factor.shape[1] > LARGEST:
        raise ValueError(f"correlation: expected a rank up to {LARGEST}, got {factor.shape[1]}")
    return factor


def exceed(bounds: ArrayLike, correlation: ArrayLike, df: float = np.inf) -> np.ndarray:
    """Probability that at least one statistic is above its bound.

    Args:
      bounds: shape (..., statistics); each costs thousands of evaluations, so this is for few replicates.
      df: of a common estimate of the standard deviation; infinite for the normal law.

    >>> round(float(exceed([1.96, 1.96], np.eye(2))), 5)
    0.04937
    """
    limits = np.asarray(bounds, dtype=float)
    factor = root_of(correlation)
    if limits.shape[-1] != len(factor) or np.isnan(limits).any():
        raise ValueError(f"bounds: expected {len(factor)} numbers, got shape {limits.shape} (or NaN among them)")
    if not df > 0:
        raise ValueError(f"df: expected a number above 0, got {df!r}")
    if len(factor) == 1:
        return _tail(limits[..., 0], df)
    # Independent statistics first; the others then need no more normals than there are.
    triangle, order = cast("tuple[np.ndarray, np.ndarray]", qr(factor.T, mode="r", pivoting=True))
    flat = limits.reshape(-1, len(factor))[:, order]
    chances = [_batch(flat[i : i + BATCH], triangle.T, df) for i in range(0, len(flat), BATCH)]
    return np.concatenate(chances).reshape(limits.shape[:-1])


def equal_bound(level: float, correlation: ArrayLike, df: float = np.inf, weights: ArrayLike | None = None) -> float:
    """Share of the level such that some p-value is below share times its weight with probability `level`.

    With equal weights of 1 it is the p-value at the common critical value of a maximum test.
    """
    factor = root_of(correlation)
    weight = np.ones(len(factor)) if weights is None else np.asarray(weights, dtype=float)
    if not 0 < level < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level!r}")
    if weight.shape != (len(factor),) or not (weight >= 0).all() or not weight.any():
        raise ValueError(f"weights: expected {len(factor)} numbers from 0, one of them above it, got {weight.tolist()}")

    def excess(log_share: float) -> float:
        return float(exceed(quantile(np.minimum(np.exp(log_share) * weight, 1.0), df), correlation, df)) - level

    low, high = np.log(level / weight.sum() / 2), np.log(min(1.0, level / weight.max() * 1.01))
    return float(np.exp(root(excess, low, high)))


def quantile(p: ArrayLike, df: float) -> np.ndarray:
    """The statistic with this one-sided p-value."""
    return norm.isf(p) if np.isinf(df) else t.isf(p, df)


@lru_cache(maxsize=16)
def spread(dimensions: int) -> np.ndarray:
    """Points spread evenly over the unit cube, the same each time; shape (dimensions, points)."""
    points = qmc.Sobol(dimensions, scramble=True, rng=1).random_base2(POINTS)
    return np.clip(points.T, 1e-12, 1 - 1e-12)


def _batch(limits: np.ndarray, rows: np.ndarray, df: float) -> np.ndarray:
    """One minus the mean over the points of the chance to stay within all bounds, shape (replicates,).

    Args:
      limits: shape (replicates, statistics). rows: of the statistics in the normals, lower triangular at the top.
    """
    rank = rows.shape[1]
    points = spread(rank)
    scale = np.ones(1 << POINTS) if np.isinf(df) else np.sqrt(chdtri(df, points[-1]) / df)
    normals = np.zeros((rank, len(limits), 1 << POINTS))
    chance = np.ones((len(limits), 1 << POINTS))
    used = np.abs(rows) > ZERO
    last = rank - 1 - used[:, ::-1].argmax(axis=1)
    for column in range(rank):
        low, high = np.full(chance.shape, -np.inf), np.full(chance.shape, np.inf)
        for row in np.flatnonzero(last == column):
            so_far = np.tensordot(rows[row, :column], normals[:column], axes=1)
            limit = (limits[:, row, None] * scale - so_far) / rows[row, column]
            if rows[row, column] > 0:
                high = np.minimum(high, limit)
            else:
                low = np.maximum(low, limit)
        below, above = ndtr(low), ndtr(high)
        width = np.maximum(above - below, 0.0)
        chance *= width
        if column + 1 < rank:
            normals[column] = ndtri(np.clip(below + points[column] * width, 1e-300, 1 - 1e-16))
    return 1 - chance.mean(axis=1)


def _tail(bound: np.ndarray, df: float) -> np.ndarray:
    return norm.sf(bound) if np.isinf(df) else t.sf(bound, df)
