"""Means of groups of people in many replicates, and contrasts of them."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from ..statistics.methods.estimate import Estimate, Flag


class Groups(NamedTuple):
    """People with a value, their mean and their variance (by n - 1) in each group, (replicates, groups) each."""

    n: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def groups(values: np.ndarray, who: np.ndarray, given: np.ndarray, cells: tuple[int, ...]) -> Groups:
    """What groups have.

    Args:
      values: of the twins in each group, NaN where there is none, (groups, pool). who: places in the pool, and given:
        numbers of arms, (replicates, people). cells: the arm of each group.
    """
    parts = []
    for own, arm in zip(values, cells, strict=True):
        value = own[who]
        there = (given == arm) & np.isfinite(value)
        n = there.sum(axis=1)
        mean = np.where(there, value, 0.0).sum(axis=1) / np.maximum(n, 1)
        squares = np.where(there, (value - mean[:, None]) ** 2, 0.0).sum(axis=1)
        parts.append((n, np.where(n > 0, mean, np.nan), np.where(n > 1, squares / np.maximum(n - 1, 1), np.nan)))
    return Groups(*(np.stack(column, axis=1) for column in zip(*parts, strict=True)))


def contrasted(found: Groups, weights: np.ndarray, level: float) -> Estimate:
    """Weighted sums of means, by t with the groups' own variances [Satterthwaite 1946, Biometrics Bull 2:110].

    Args:
      weights: (contrasts, groups), each summing to 0.

    Returns:
      Arrays (replicates, contrasts).
    """
    used = weights != 0
    few = ((found.n < 2)[:, None] & used).any(axis=2)
    empty = ((found.n < 1)[:, None] & used).any(axis=2)
    estimate = np.einsum("rg,cg->rc", np.nan_to_num(found.mean), weights)
    parts = np.nan_to_num(found.variance / np.maximum(found.n, 1))[:, None] * weights**2
    variance = parts.sum(axis=2)
    smaller = (parts**2 / np.maximum(found.n - 1, 1)[:, None]).sum(axis=2)
    still = variance <= 0
    df = variance**2 / np.where(smaller > 0, smaller, 1.0)
    flag = empty * int(Flag.EMPTY_ARM) | (few & ~empty) * int(Flag.TOO_FEW) | (still & ~few) * int(Flag.NO_VARIATION)
    bad = flag > 0
    nan = np.where(bad, np.nan, 0.0)
    se, df = np.sqrt(variance) + nan, df + nan
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
        half = stdtrit(df, (1 + level) / 2) * se
    p = np.where(bad, 1.0, 2 * stdtr(np.where(bad, 1.0, df), -np.abs(np.where(bad, 0.0, statistic))))
    estimate = estimate + np.where(empty, np.nan, 0.0)
    return Estimate(estimate, se, estimate - half, estimate + half, statistic, df, p, flag)
