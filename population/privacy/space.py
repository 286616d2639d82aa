"""How far apart two people are.

Numbers count by their normal scores among the people, so that no unit or long tail outweighs another attribute; a
category that differs counts 1. The squared distance is the sum over attributes. What is missing counts as the average
squared difference between two people: someone of whom little is known is then near to nobody.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ..fitting.data import Data

ROWS = 500  # at a time: keeps a block of distances to tens of megabytes


class Points(NamedTuple):
    """Coordinates, 0 where missing, all of shape (people, columns) but the last two, (columns,).

    known: 1 where the coordinate is known, else 0.
    usual: average squared difference between two people.
    attribute: name of the attribute that a column belongs to; a category has a column for each level.
    """

    at: np.ndarray
    known: np.ndarray
    usual: np.ndarray
    attribute: np.ndarray

    def only(self, names: Sequence[str]) -> "Points":
        which = np.isin(self.attribute, list(names))
        return Points(self.at[:, which], self.known[:, which], self.usual[which], self.attribute[which])

    def take(self, rows: np.ndarray | slice) -> "Points":
        return self._replace(at=self.at[rows], known=self.known[rows])


def place(people: Data, twins: Data) -> tuple[Points, Points]:
    """Coordinates of people and twins, on the scale of the people."""
    columns: list[tuple[str, np.ndarray, np.ndarray]] = []
    for name, values in people.numbers.items():
        a, b = (ndtri(rank(group, values)) for group in (values, twins.numbers[name]))
        columns.append((name, a, b))
    for name, values in people.categories.items():
        for level in range(len(people.levels[name])):
            a, b = (_indicator(group, level) for group in (values, twins.categories[name]))
            columns.append((name, a, b))
    attribute = np.array([name for name, _, _ in columns])
    a, b = (np.stack([column[side] for column in columns], axis=1) for side in (1, 2))
    usual = 2 * np.nanvar(a, axis=0)
    known_a, known_b = np.isfinite(a), np.isfinite(b)
    return (
        Points(np.where(known_a, a, 0.0), known_a.astype(float), usual, attribute),
        Points(np.where(known_b, b, 0.0), known_b.astype(float), usual, attribute),
    )


def rank(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of people below each value, ties counted half, between 0 and 1; NaN where missing."""
    known = among[np.isfinite(among)]
    places, counts = np.unique(known, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / len(known)
    return np.where(np.isfinite(values), np.interp(values, places, share), np.nan)


def squared(x: Points, y: Points) -> np.ndarray:
    """Squared distances, shape (people of x, people of y); expanded, so that one matrix product does it all."""
    left = np.hstack([x.at**2 - x.known * x.usual, -2 * x.at, x.known])
    right = np.hstack([y.known, y.at, y.at**2])
    return np.maximum(left @ right.T + x.usual.sum(), 0.0)


def nearest(x: Points, y: Points, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest of `y` and their positions, in no order, shapes (people of x, count)."""
    far, where = [], []
    for start in range(0, len(x.at), ROWS):
        block = squared(x.take(slice(start, start + ROWS)), y)
        one = count == 1  # by far the most frequent, and quicker
        close = block.argmin(axis=1)[:, None] if one else np.argpartition(block, count - 1, axis=1)[:, :count]
        where.append(close)
        far.append(np.sqrt(np.take_along_axis(block, close, axis=1)))
    return np.concatenate(far), np.concatenate(where)


def _indicator(levels: np.ndarray, level: int) -> np.ndarray:
    """Root of a half at its level: two people of different levels then differ by 1, squared."""
    return np.where(levels < 0, np.nan, np.where(levels == level, np.sqrt(0.5), 0.0))
