"""What is counted of people whose count lies within limits: negative binomial numbers, cut off at both ends.

Disease activity is followed at a few nodes of its normal score (Gauss and Hermite). Given activity, counts are negative
binomial about their mean, so that the chance of entry and the moments of an admitted count are sums, not draws.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special, stats

NODES = 4  # of the score of activity at baseline
PLACES = 5  # of an admitted count within its distribution, equally likely
MOST = 1200  # lesions that are counted
MEANS = np.geomspace(0.02, 700.0, 300)  # for which windows are tabulated
COUNTS = np.arange(MOST + 1)
LEAST_CHANCE = 1e-250


class Window(NamedTuple):
    """For each of MEANS: the chance that a count lies within limits, and of such counts the mean, the mean square, the
    mean inverse (of those above 0), and the PLACES of their distribution, (means, PLACES)."""

    chance: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    inverse: np.ndarray
    places: np.ndarray


def normal_nodes(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal scores and their weights, exact for polynomials up to twice their number."""
    scores, weights = special.roots_hermitenorm(number)
    return scores, weights / weights.sum()


def uniform_nodes(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Places between 0 and 1 and their weights, likewise."""
    places, weights = special.roots_legendre(number)
    return (places + 1) / 2, weights / weights.sum()


@cache
def window(least: float, most: float, size: float) -> Window:
    """Counts from `least` to `most`, both included, of negative binomials of this size."""
    inside = np.arange(MOST + 1)
    inside = (inside >= least) & (inside <= most)
    chances = _chances(size)[:, inside]
    counts = COUNTS[inside].astype(float)
    total = np.maximum(chances.sum(1), LEAST_CHANCE)
    share = chances / total[:, None]
    above = counts > 0
    inverse = (share[:, above] / counts[above]).sum(1) / np.maximum(share[:, above].sum(1), LEAST_CHANCE)
    middles = np.cumsum(share, 1) - share / 2
    at = (np.arange(PLACES) + 0.5) / PLACES
    places = np.stack([np.interp(at, middle, counts) for middle in middles])
    return Window(total, share @ counts, share @ counts**2, inverse, places)


def look_up(table: np.ndarray, means: np.ndarray) -> np.ndarray:
    """A field of a `Window` at other means, any shape."""
    at = np.log(np.clip(means, MEANS[0], MEANS[-1]))
    if table.ndim == 1:
        return np.interp(at, np.log(MEANS), table)
    return np.stack([np.interp(at, np.log(MEANS), column) for column in table.T], -1)


@cache
def _chances(size: float) -> np.ndarray:
    return stats.nbinom.pmf(COUNTS[None, :], size, size / (size + MEANS[:, None]))
