"""Weighted statistics of a sample. Everywhere `values` and `weights` have shape (people,) and nothing is missing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def known(values: np.ndarray, weights: np.ndarray) -> tuple[Floats, Floats]:
    """The values that are not missing, with their weights."""
    there = ~np.isnan(values)
    return values[there], weights[there]


def mean(values: np.ndarray, weights: np.ndarray) -> float:
    """NaN where there is nobody."""
    return float(np.average(values, weights=weights)) if len(values) else float("nan")


def sd(values: np.ndarray, weights: np.ndarray) -> float:
    """Standard deviation of the weighted distribution, without a correction for the size of the sample."""
    if not len(values):
        return float("nan")
    return float(np.sqrt(np.average(np.square(values - mean(values, weights)), weights=weights)))


def quantiles(values: np.ndarray, weights: np.ndarray, shares: np.ndarray) -> Floats:
    """The smallest values that at least `shares` of the weight does not exceed; shape of `shares`."""
    return np.quantile(values, shares, weights=weights, method="inverted_cdf")


def midranks(values: np.ndarray, weights: np.ndarray) -> Floats:
    """Share of the weight below each value plus half of that at it: between 0 and 1, equal for equal values."""
    _, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights=weights)
    return ((np.cumsum(mass) - 0.5 * mass) / np.sum(mass))[place]


def correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    dx, dy = x - mean(x, weights), y - mean(y, weights)
    # A constant's mean may be off by a rounding error, which must not pass for variation.
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return float("nan")
    return float(np.sum(weights * dx * dy) / np.sqrt(np.sum(weights * dx * dx) * np.sum(weights * dy * dy)))


def ks(x: np.ndarray, x_weights: np.ndarray, y: np.ndarray, y_weights: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance: the largest difference between two distribution functions."""
    at = np.union1d(x, y)
    return float(np.max(np.abs(_distribution(x, x_weights, at) - _distribution(y, y_weights, at))))


def _distribution(values: np.ndarray, weights: np.ndarray, at: np.ndarray) -> Floats:
    """Share of the weight at or below each point of `at`, which contains all values."""
    mass = np.bincount(np.searchsorted(at, values), weights=weights, minlength=len(at))
    return np.cumsum(mass) / np.sum(mass)
