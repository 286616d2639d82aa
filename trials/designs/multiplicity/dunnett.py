"""Several arms against one control: Dunnett's test [Dunnett 1955, J Am Stat Assoc 50:1096], and co-primary power.

Statistics that share a control have correlations of product form, so one integral (two with an estimated standard
deviation) gives the exact probability, for all replicates at once.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from scipy.stats import chi, norm

from ..checks import probability
from ..multivariate import exceed
from ..root import root

NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
REACH = 8.5  # standard deviations of the control that the integral covers


def correlations(sizes: ArrayLike, control: float) -> np.ndarray:
    """Correlations of the comparisons with a control, shape (arms, arms)."""
    root = _roots(sizes, control)
    matrix = np.outer(root, root)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def overlapping(sizes: ArrayLike, controls: ArrayLike, shared: ArrayLike) -> np.ndarray:
    """Correlations of comparisons that share only some of their controls, as in a platform trial.

    Each arm is compared with those who were given the control while it was open; two comparisons correlate by the
    people who are in both controls. Not of product form: for `multivariate.equal_bound` and parametric closed tests.

    Args:
      sizes: people in each arm, shape (arms,). controls: in the control of each, shape (arms,).
      shared: people in the controls of both of two arms, shape (arms, arms); the diagonal is not looked at.

    Raises:
      ValueError: an arm or a control without people, or more shared than one of the two controls has.
    """
    n, c, both = (np.asarray(value, dtype=float) for value in (sizes, controls, shared))
    if n.ndim != 1 or c.shape != n.shape or both.shape != (n.size, n.size):
        raise ValueError(f"shared: expected shape {(n.size, n.size)} for as many arms and controls, got {both.shape}")
    if not ((n > 0).all() and (c > 0).all()):
        raise ValueError(f"sizes, controls: expected numbers above 0, got {n.tolist()} and {c.tolist()}")
    least = np.minimum.outer(c, c)
    apart = ~np.eye(n.size, dtype=bool)
    if not np.allclose(both, both.T) or ((both < 0) | (both > least))[apart].any():
        raise ValueError(f"shared: expected a symmetric matrix from 0 to the smaller control, got {both.tolist()}")
    variance = 1 / n + 1 / c
    matrix = both / np.outer(c, c) / np.sqrt(np.outer(variance, variance))
    np.fill_diagonal(matrix, 1.0)
    return matrix


def dunnett_p(statistic: ArrayLike, sizes: ArrayLike, control: float, df: float = np.inf) -> np.ndarray:
    """One-sided p-values of the single-step test: the chance that some comparison is as large, shape of the statistics.

    Args:
      statistic: z or t statistics, shape (..., arms); or of any shape for one arm's number of comparisons `sizes`.
      sizes: people in each arm, shape (arms,). control: people in the control.
      df: of the common standard deviation; infinite if it is known.
    """
    bound = np.asarray(statistic, dtype=float)
    root = _roots(sizes, control)
    if not np.isfinite(bound).all():
        raise ValueError("statistic: expected finite numbers")
    if not df > 0:
        raise ValueError(f"df: expected a number above 0, got {df!r}")
    if np.isinf(df):
        return some_above(bound, root)
    ends = chi.ppf([1e-13, 1 - 1e-13], df)
    seen = ends[0] + (ends[1] - ends[0]) / 2 * (1 + NODES)
    density = chi.pdf(seen, df) * WEIGHTS * (ends[1] - ends[0]) / 2
    return sum(w * some_above(bound * s, root) for w, s in zip(density, seen / np.sqrt(df), strict=True))  # pyright: ignore[reportReturnType]


def step_down(statistic: ArrayLike, sizes: ArrayLike, control: float, df: float = np.inf) -> np.ndarray:
    """Adjusted one-sided p-values of the step-down test, which drops arms that have been shown; shape (..., arms)."""
    values = np.asarray(statistic, dtype=float)
    people = np.asarray(sizes, dtype=float)
    if values.shape[-1:] != people.shape:
        raise ValueError(f"statistic: expected {people.size} in the last axis, got shape {values.shape}")
    flat = values.reshape(-1, people.size)
    order = np.argsort(-flat, axis=1, kind="stable")
    adjusted = np.empty(flat.shape)
    for way in np.unique(order, axis=0):
        rows = np.flatnonzero((order == way).all(axis=1))
        steps = [dunnett_p(flat[rows, arm], people[way[k:]], control, df) for k, arm in enumerate(way)]
        adjusted[np.ix_(rows, way)] = np.maximum.accumulate(np.stack(steps, axis=1), axis=1)
    return adjusted.reshape(values.shape)


def critical_value(alpha: float, sizes: ArrayLike, control: float, df: float = np.inf) -> float:
    """The bound that some comparison exceeds with this one-sided probability under the global null."""
    probability("alpha", alpha)
    return root(lambda c: float(dunnett_p(c, sizes, control, df)) - alpha, -5.0, 60.0, xtol=1e-11)


def co_primary_power(drifts: ArrayLike, correlation: ArrayLike, alpha: float) -> float:
    """Probability that all endpoints are significant.

    Args:
      drifts: means of their statistics, shape (endpoints,). correlation: of the statistics. alpha: one-sided, of each.
    """
    mean = np.asarray(drifts, dtype=float)
    # All above the bound: none of the mirrored statistics above its own.
    return float(1 - exceed(mean - norm.isf(probability("alpha", alpha)), correlation))


def _roots(sizes: ArrayLike, control: float) -> np.ndarray:
    people = np.atleast_1d(np.asarray(sizes, dtype=float))
    if not (people > 0).all() or not control > 0:
        raise ValueError(f"sizes, control: expected numbers above 0, got {people.tolist()} and {control!r}")
    return np.sqrt(people / (people + control))


def some_above(bound: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Probability that some normal statistic is above a common bound (its shape); correlations: products of roots."""
    common = REACH * NODES
    mass = REACH * WEIGHTS * np.exp(-0.5 * common**2) / np.sqrt(2 * np.pi)
    below = np.ones((*bound.shape, len(common)))
    for each in root:
        below *= ndtr((bound[..., None] - each * common) / np.sqrt(1 - each**2))
    return (1 - below) @ mass
