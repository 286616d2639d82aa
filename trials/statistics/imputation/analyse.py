"""Analyses of completed outcomes, all imputations at once."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .incomplete import Incomplete
from .pool import Pooled, pool
from .posterior import Imputed


def ancova_design(data: Incomplete, covariates: tuple[str, ...] = ()) -> np.ndarray:
    """Intercept, arms other than the reference, covariates: (people, columns)."""
    is_arm = (data.arm[:, None] == np.arange(1, len(data.laid.arms))[None]).astype(float)
    return np.concatenate([np.ones((len(data.arm), 1)), is_arm, *(data.covariate(c) for c in covariates)], axis=1)


def ancova(values: np.ndarray, design: np.ndarray, column: int = 1, level: float = 0.95) -> Pooled:
    """Least squares on each imputation, pooled.

    Args:
      values: outcome at one visit, shape (imputations, people).
      design: shape (people, columns).
      column: whose coefficient.

    Raises:
      ValueError: a design whose columns depend on each other, or too few people.
    """
    people, columns = design.shape
    if people <= columns or np.linalg.matrix_rank(design) < columns:
        raise ValueError(f"{columns} columns of {people} people depend on each other; leave some out")
    inverse = np.linalg.inv(design.T @ design)
    hat = inverse @ design.T
    coefficients = values @ hat.T
    rest = values - coefficients @ design.T
    df = people - columns
    variances = (rest**2).sum(axis=1) / df * inverse[column, column]
    return pool(coefficients[:, column], variances, df, level)


def risk_difference(responds: np.ndarray, arm: np.ndarray, active: int = 1, level: float = 0.95) -> Pooled:
    """Difference in responders between an arm and the reference (Wald on each imputation), pooled.

    Args:
      responds: 0 or 1, shape (imputations, people).
      arm: shape (people,).

    Raises:
      ValueError: values other than 0 and 1, or an arm without people.
    """
    if not np.isin(responds, (0, 1)).all():
        raise ValueError("a response is neither 0 nor 1; impute first, then apply the threshold")
    shares, sizes = [], []
    for number in (active, 0):
        mine = arm == number
        if not mine.any():
            raise ValueError(f"arm {number} has no people; the arms are {np.unique(arm).tolist()}")
        shares.append(responds[:, mine].mean(axis=1))
        sizes.append(int(mine.sum()))
    variances = sum(p * (1 - p) / n for p, n in zip(shares, sizes, strict=True))
    return pool(shares[0] - shares[1], np.asarray(variances), math.inf, level)


def responders(imputed: Imputed, visit: int, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Whether each completed outcome at a visit meets a threshold, 0 or 1, shape (imputations, people)."""
    if imputed.flag:
        raise ValueError(f"nothing was imputed: {imputed.flag}")
    return np.asarray(rule(imputed.values[:, :, visit])).astype(float)


def non_responder(responds: np.ndarray) -> np.ndarray:
    """Missing responses counted as none: NaN becomes 0.

    Raises:
      ValueError: values other than 0, 1 and NaN.
    """
    if not np.isin(responds[~np.isnan(responds)], (0, 1)).all():
        raise ValueError("a response is neither 0, 1 nor missing")
    return np.where(np.isnan(responds), 0.0, responds)


def shifted(imputed: Imputed, data: Incomplete, shift: np.ndarray, per_visit: bool = False) -> np.ndarray:
    """Completed outcomes, those imputed from the departure on made worse or better by a shift.

    Args:
      shift: of each arm, shape (arms,), in units of the outcome.
      per_visit: the shift grows by as much with each visit from the departure on.

    Returns:
      Shape (imputations, people, visits).
    """
    if len(shift) != len(data.laid.arms):
        raise ValueError(f"{len(shift)} shifts for {len(data.laid.arms)} arms; give one an arm, the reference first")
    since = np.arange(imputed.missing.shape[1])[None] - data.departure[:, None] + 1
    times = np.where(since > 0, since if per_visit else 1, 0) * imputed.missing
    return imputed.values + (np.asarray(shift, float)[data.arm][:, None] * times)[None]


def lost(estimate: np.ndarray, p: np.ndarray, whole: float, alpha: float) -> np.ndarray:
    """Whether shifted differences no longer show what the one without a shift (`whole`) shows.

    They are not significant, or have turned round: a shift so large that the difference is significant the other way
    has lost it too, however small its p.
    """
    return (p > alpha) | (estimate * whole <= 0)


class Tipping(NamedTuple):
    """Results over a grid of shifts.

    Args:
      active, reference: the shifts.
      estimate, p: shape (active, reference).
      tips: for each shift of the reference, the first of the active arm at which the result is lost (`lost`); NaN if
        at none.
    """

    active: np.ndarray
    reference: np.ndarray
    estimate: np.ndarray
    p: np.ndarray
    tips: np.ndarray


def tipping(
    imputed: Imputed,
    data: Incomplete,
    design: np.ndarray,
    active: np.ndarray,
    reference: np.ndarray,
    *,
    alpha: float = 0.05,
    per_visit: bool = False,
) -> Tipping:
    """How far imputed outcomes at the last visit must be shifted until the difference is lost.

    Args:
      design: of the ANCOVA, its second column the active arm (of two), as from `ancova_design`.
      active, reference: shifts to try, in the order in which they get worse.

    Raises:
      ValueError: other than two arms, or nothing was imputed.
    """
    if imputed.flag or len(data.laid.arms) != 2:
        raise ValueError(imputed.flag or f"a tipping point is of two arms, not of {len(data.laid.arms)}")
    whole = ancova(imputed.values[:, :, -1], design)
    results = [
        [ancova(shifted(imputed, data, np.array([b, a]), per_visit)[:, :, -1], design) for b in reference]
        for a in active
    ]
    p = np.array([[r.p for r in row] for row in results])
    estimate = np.array([[r.estimate for r in row] for row in results])
    gone = lost(estimate, p, whole.estimate, alpha)
    tips = np.where(gone.any(axis=0), np.asarray(active, float)[gone.argmax(axis=0)], np.nan)
    return Tipping(np.asarray(active, float), np.asarray(reference, float), estimate, p, tips)
