"""Adjusted p-values of the usual procedures, over the last axis, so for any number of replicates at once.

Holm 1979, Scand J Stat 6:65; Hochberg 1988, Biometrika 75:800; Hommel 1988, Biometrika 75:383; Benjamini and Hochberg
1995, J R Stat Soc B 57:289; Benjamini and Yekutieli 2001, Ann Stat 29:1165. Checked against multipletests of
statsmodels, which takes one replicate at a time.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..checks import one_of, probabilities


def adjust(p: ArrayLike, method: str) -> np.ndarray:
    """Adjusted p-values; a hypothesis is rejected at any level that they do not exceed.

    Args:
      p: shape (..., hypotheses). method: a key of `METHODS`.

    >>> adjust([0.01, 0.04, 0.03], "holm").tolist()
    [0.03, 0.06, 0.06]
    """
    values = probabilities("p", p)
    one_of("method", method, tuple(METHODS))
    if values.ndim == 0 or not values.shape[-1]:
        raise ValueError("p: expected one p-value a hypothesis, got none")
    order = np.argsort(values, axis=-1, kind="stable")
    risen = METHODS[method](np.take_along_axis(values, order, axis=-1))
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, np.minimum(risen, 1.0), axis=-1)
    return adjusted


def fixed_sequence(p: ArrayLike) -> np.ndarray:
    """Hypotheses tested in the order given, each at the full level, until one is not rejected."""
    return np.maximum.accumulate(probabilities("p", p), axis=-1)


def co_primary(p: ArrayLike) -> np.ndarray:
    """All must be shown: the largest p-value, shape (...)."""
    return probabilities("p", p).max(axis=-1)


def bonferroni(p: np.ndarray) -> np.ndarray:
    """Each p-value times their number."""
    return p * p.shape[-1]


def sidak(p: np.ndarray) -> np.ndarray:
    """Right for independent (and more: positively dependent normal) statistics."""
    return -np.expm1(p.shape[-1] * np.log1p(-np.minimum(p, 1 - 1e-16)))


def holm(p: np.ndarray) -> np.ndarray:
    """Step-down Bonferroni."""
    return np.maximum.accumulate(p * _left(p), axis=-1)


def hochberg(p: np.ndarray) -> np.ndarray:
    """Step-up, right where Simes' test is."""
    return _falling(p * _left(p))


def hommel(p: np.ndarray) -> np.ndarray:
    """Closed test with Simes' test of each intersection."""
    m = p.shape[-1]
    adjusted = p.copy()
    for size in range(m, 0, -1):
        # The worst intersection of this size with hypothesis i has the size - 1 largest others; Simes' p of it.
        top = size * p[..., m - size + 1 :] / np.arange(2, size + 1)
        floor = top.min(axis=-1, keepdims=True) if size > 1 else np.full_like(p[..., :1], np.inf)
        within = np.minimum(floor, size * p)
        least = np.minimum(floor, size * p[..., m - size : m - size + 1])
        adjusted = np.maximum(adjusted, np.where(np.arange(m) < m - size + 1, within, least))
    return adjusted


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """False discovery rate of independent statistics."""
    m = p.shape[-1]
    return _falling(p * m / np.arange(1, m + 1))


def benjamini_yekutieli(p: np.ndarray) -> np.ndarray:
    """False discovery rate under any dependence."""
    m = p.shape[-1]
    return _falling(p * m / np.arange(1, m + 1) * (1 / np.arange(1, m + 1)).sum())


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bonferroni": bonferroni,
    "sidak": sidak,
    "holm": holm,
    "hochberg": hochberg,
    "hommel": hommel,
    "benjamini_hochberg": benjamini_hochberg,
    "benjamini_yekutieli": benjamini_yekutieli,
}


def _left(p: np.ndarray) -> np.ndarray:
    return np.arange(p.shape[-1], 0, -1)


def _falling(values: np.ndarray) -> np.ndarray:
    return np.minimum.accumulate(values[..., ::-1], axis=-1)[..., ::-1]
