"""Combination of the p-values of stages, so that what is seen at a stage may change the next.

Inverse normal: Lehmacher and Wassmer 1999, Biometrics 55:1286; Cui, Hung and Wang 1999, Biometrics 55:853. Fisher:
Bauer and Koehne 1994, Biometrics 50:1029.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from ..checks import defined, probabilities, probability, rising
from ..root import root
from ..sequential.bounds import Bounds

WIDE = 60.0  # standard errors searched on each side of the pooled estimate


class Fisher(NamedTuple):
    """Two stages: success up to `first`, the end above `futility`, else success with a product up to `product`."""

    first: float
    futility: float
    product: float


class Interval(NamedTuple):
    """Repeated confidence limits and the estimate between them (50 % limit)."""

    low: float
    estimate: float
    high: float


def inverse_normal(p: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Statistics combined up to each stage, shape (..., stages); compare them with bounds of a sequential design.

    Args:
      p: one-sided p-values of the data of each stage alone, shape (..., stages).
      weights: fixed before the trial, e.g. square roots of the planned sizes; only their ratios matter.

    Raises:
      ValueError: a p-value is no probability, or the weights do not fit.
    """
    values, weight = probabilities("p", p), np.asarray(weights, dtype=float)
    if values.ndim == 0 or weight.shape != values.shape[-1:] or not (weight > 0).all():
        raise ValueError(
            f"weights: expected a number above 0 for each of {values.shape[-1:]} stages, got {weight.tolist()}"
        )
    z = norm.isf(np.clip(values, 1e-300, 1 - 1e-16))
    return np.cumsum(weight * z, axis=-1) / np.sqrt(np.cumsum(weight**2))


def stage_weights(information: ArrayLike) -> np.ndarray:
    """Weights of stages from the planned information of the looks (cumulative)."""
    rising(information)
    return np.sqrt(np.diff(np.asarray(information, dtype=float), prepend=0.0))


def fisher(alpha: float, futility: float = 1.0, first: float | None = None) -> Fisher:
    """Bounds of Fisher's combination of two stages.

    Args:
      futility: first-stage p-value above which the trial ends without success (binding).
      first: level of the first stage; the product's own bound if not given (whatever is below it succeeds anyway).

    Raises:
      ValueError: the first stage alone uses up the level, or ends below its own bound.
    """
    probability("alpha", alpha)
    if not alpha < futility <= 1:
        raise ValueError(f"futility: expected a number above alpha ({alpha:g}) up to 1, got {futility!r}")
    if first is not None and not 0 <= first < alpha:
        raise ValueError(f"first: expected a number from 0 and below alpha ({alpha:g}), got {first!r}")

    def level(log_c: float) -> float:
        c = np.exp(log_c)
        start = c if first is None else max(first, c)
        return start + c * np.log(futility / start) - alpha

    product = float(np.exp(root(level, -200.0, np.log(alpha), xtol=1e-13)))
    return Fisher(product if first is None else max(first, product), futility, product)


def fisher_success(p: ArrayLike, bounds: Fisher) -> np.ndarray:
    """Success of two-stage trials, shape (...); p has shape (..., 2)."""
    values = probabilities("p", p)
    if values.shape[-1:] != (2,):
        raise ValueError(f"p: expected two stages in the last axis, got shape {values.shape}")
    first, second = values[..., 0], values[..., 1]
    return (first <= bounds.first) | ((first <= bounds.futility) & (first * second <= bounds.product))


def stage_p(estimates: ArrayLike, errors: ArrayLike, df: ArrayLike, null: float = 0.0) -> np.ndarray:
    """One-sided p-values of stages, of effects above `null`: t tests, or normal ones where df is infinite."""
    error, freedom = np.asarray(errors, dtype=float), np.asarray(df, dtype=float)
    if not ((error > 0).all() and (freedom > 0).all()):
        raise ValueError(f"errors, df: expected numbers above 0, got {error.tolist()} and {freedom.tolist()}")
    scaled = (defined("estimates", estimates) - null) / error
    freedom = np.broadcast_to(freedom, scaled.shape)
    return np.where(np.isinf(freedom), norm.sf(scaled), t.sf(scaled, np.where(np.isinf(freedom), 1.0, freedom)))


def repeated_interval(
    bounds: Bounds, weights: ArrayLike, estimates: ArrayLike, errors: ArrayLike, df: ArrayLike = np.inf
) -> Interval:
    """Limits of the effect after the stages so far: effects that the combination test at this stage would not reject.

    Args:
      weights: of all planned stages. estimates, errors, df: of the data of each stage alone, shape (stages so far,).
    """
    centre, error = np.atleast_1d(np.asarray(estimates, float)), np.atleast_1d(np.asarray(errors, float))
    stages = len(centre)
    if not 1 <= stages <= bounds.looks or error.shape != centre.shape or not (error > 0).all():
        raise ValueError(
            f"estimates, errors: expected 1 to {bounds.looks} stages with errors above 0, got {error.tolist()}"
        )
    weight, bound = np.asarray(weights, dtype=float)[:stages], float(bounds.efficacy[stages - 1])
    freedom = np.broadcast_to(np.asarray(df, dtype=float), centre.shape)
    reach = WIDE * error.max()

    def combined(null: float) -> float:
        z = np.array([_z(*one) for one in zip(centre - null, error, freedom, strict=True)])
        return float(weight @ z / np.linalg.norm(weight))

    def limit(level: float) -> float:
        if np.isinf(level):
            return -level
        return float(root(lambda null: combined(null) - level, centre.min() - reach, centre.max() + reach, xtol=1e-12))

    return Interval(limit(bound), limit(0.0), limit(-bound))


def _z(distance: float, error: float, df: float) -> float:
    """The normal statistic with the p-value of a stage, by the nearer tail so that large ones keep their digits."""
    if np.isinf(df):
        return distance / error
    return float(np.sign(distance) * norm.isf(t.sf(abs(distance) / error, df)))
