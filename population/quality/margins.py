"""Each column by itself: how far the distribution in one table is from that in another."""

from typing import NamedTuple

import numpy as np
from scipy.stats import wasserstein_distance

from ..fitting.data import Data
from . import weighted


class Margin(NamedTuple):
    """One number in two tables.

    ks: Kolmogorov-Smirnov distance, 0 to 1.
    wasserstein: distance of order 1, in standard deviations of the people.
    mean_ratio: mean of the others over the mean of the people; NaN where that is 0.
    """

    name: str
    ks: float
    wasserstein: float
    mean_ratio: float


class Mix(NamedTuple):
    """One category in two tables: total variation, the share that would have to change its level."""

    name: str
    distance: float


def margins(people: Data, others: Data) -> tuple[Margin, ...]:
    """Every number, among those of whom it is known."""
    return tuple(_margin(name, people, others) for name in people.numbers)


def _margin(name: str, people: Data, others: Data) -> Margin:
    x, x_weights = weighted.known(people.numbers[name], people.weights)
    y, y_weights = weighted.known(others.numbers[name], others.weights)
    if not (len(x) and len(y)):
        raise ValueError(f"{name}: nobody in one of the two tables has a value")
    sd, mean = weighted.sd(x, x_weights), weighted.mean(x, x_weights)
    moved = float(wasserstein_distance(x, y, x_weights, y_weights))
    return Margin(
        name,
        weighted.ks(x, x_weights, y, y_weights),
        moved / sd if sd > 0 else float("nan"),
        weighted.mean(y, y_weights) / mean if mean else float("nan"),
    )


def mixes(people: Data, others: Data) -> tuple[Mix, ...]:
    """Every category, among those of whom it is known."""
    return tuple(
        Mix(name, 0.5 * float(np.sum(np.abs(shares(people, name) - shares(others, name)))))
        for name in people.categories
    )


def shares(data: Data, name: str) -> np.ndarray:
    """Share of each level of a category among those of whom it is known, shape (levels,)."""
    codes = data.categories[name]
    there = codes >= 0
    if not there.any():
        raise ValueError(f"{name}: nobody has a level")
    mass = np.bincount(codes[there], weights=data.weights[there], minlength=len(data.levels[name]))
    return mass / np.sum(mass)
