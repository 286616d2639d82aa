"""Distributions of single attributes, as functions of a standard normal score.

An attribute is drawn as `value(score)`: scores carry the dependence between attributes, values the shape.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr, ndtri
from scipy import optimize, special

NODES = np.linspace(-7.0, 7.0, 4097)


class Quantiles(NamedTuple):
    """A quantile function on a grid of scores, for distributions that JAX cannot invert.

    Linear between nodes; beyond the last node (a chance of 1e-12) it stays at the end.
    """

    scores: np.ndarray
    values: np.ndarray

    def value(self, score: Array) -> Array:
        return jnp.interp(score, self.scores, self.values)

    def score(self, value: Array) -> Array:
        return jnp.interp(value, self.values, self.scores)


def gamma(shape: float, scale: float) -> Quantiles:
    """Gamma quantiles; the relative error between nodes is below 1e-4 for scores within 4 and shapes from 0.7."""
    tail = special.gammainccinv(shape, special.ndtr(-NODES))
    body = special.gammaincinv(shape, special.ndtr(NODES))
    return Quantiles(NODES, scale * np.where(NODES > 0, tail, body))


def within(score: Array, low: Array | float, high: Array | float) -> Array:
    """The score with the same rank in a standard normal truncated to [low, high]."""
    floor, ceiling = ndtr(jnp.asarray(low)), ndtr(jnp.asarray(high))
    return ndtri(floor + ndtr(score) * (ceiling - floor))


def truncated_normal(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    """Location and scale of the normal whose part inside [low, high] has this mean and SD.

    Raises:
      ValueError: there is none; the SD is too wide for the range.
    """

    def miss(x: np.ndarray) -> list[float]:
        location, scale = x[0], np.exp(x[1])
        a, b = (low - location) / scale, (high - location) / scale
        inside = special.ndtr(b) - special.ndtr(a)
        lower, upper = (np.exp(-end * end / 2) / np.sqrt(2 * np.pi) / inside for end in (a, b))  # densities at the ends
        shift = lower - upper
        spread = np.sqrt(1 + a * lower - b * upper - shift**2)
        return [float(location + scale * shift) - mean, float(scale * spread) - sd]

    about = f"normal in [{low:g}, {high:g}] with mean {mean:g}, SD {sd:g}"
    location, log_scale = solve(miss, [mean, np.log(sd)], about)
    return location, float(np.exp(log_scale))


def truncated_lognormals(
    mean: float, sd: float, low: float, high: float, ratios: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, float]:
    """Log-medians and common log-SD of log-normal groups, cut to [low, high], that together have this mean and SD.

    Args:
      ratios: medians of the groups relative to each other, shape (groups,).
      shares: of the groups among people, shape (groups,), sum 1.
    """

    def moment(n: int, mu: np.ndarray, sigma: float) -> np.ndarray:
        a, b = (np.log(low) - mu) / sigma, (np.log(high) - mu) / sigma
        inside = special.ndtr(b) - special.ndtr(a)
        shifted = special.ndtr(b - n * sigma) - special.ndtr(a - n * sigma)
        return np.exp(n * mu + (n * sigma) ** 2 / 2) * shifted / inside

    def miss(x: np.ndarray) -> list[float]:
        mu, sigma = x[0] + np.log(ratios), np.exp(x[1])
        first, second = (shares @ moment(n, mu, sigma) for n in (1, 2))
        return [float(first) / mean - 1, float(np.sqrt(second - first**2)) / sd - 1]

    about = f"log-normals in [{low:g}, {high:g}] with mean {mean:g}, SD {sd:g}"
    start = [np.log(mean) - np.log(shares @ ratios), np.log(sd / mean)]
    level, log_sigma = solve(miss, start, about)
    return level + np.log(ratios), float(np.exp(log_sigma))


def solve(miss: Callable[[np.ndarray], list[float]], start: list[float], about: str) -> np.ndarray:
    """The root of `miss`; `about` names what was asked for, should there be none."""
    with np.errstate(all="ignore"):  # the search may wander where nothing of a distribution is left
        found = optimize.root(miss, start, options={"eps": 1e-6})
    if not found.success or not np.max(np.abs(found.fun)) < 1e-6:
        raise ValueError(f"found no {about}: {found.message}")
    return found.x
