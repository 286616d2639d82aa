"""Guesses that exactly one person has certain properties, read off the twins."""

from typing import NamedTuple

import numpy as np

from ..fitting.data import Data
from .records import MISSING, Records, codes
from .space import rank


class Ranked(NamedTuple):
    """Ranks of numbers, 0 to 1, then levels of categories, NaN where missing; shape (people, attributes)."""

    values: np.ndarray
    numbers: int  # how many of the attributes are numbers


def univariate(records: Records, most: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Guesses from one attribute: a value or level that one twin alone has, and values beyond all twins'.

    Returns:
      positions of the people who have the property, for each guess.
    """
    people = codes(records.people, records.steps)
    twins = np.unique(codes(records.twins, records.steps), axis=0)  # twins that are alike count once
    numbers = len(records.people.numbers)
    guesses: list[tuple[int, int, int]] = []  # attribute, lowest, highest
    for j in range(twins.shape[1]):
        values, counts = np.unique(twins[twins[:, j] != MISSING, j], return_counts=True)
        guesses += [(j, value, value) for value in values[counts == 1]]
        if j < numbers:
            guesses += [(j, MISSING + 1, values[0]), (j, values[-1], np.iinfo(np.int64).max)]
    chosen = [guesses[g] for g in rng.permutation(len(guesses))[:most]]
    return [np.flatnonzero((people[:, j] >= low) & (people[:, j] <= high)) for j, low, high in chosen]


def multivariate(
    records: Records, most: int, *, tries: int, attributes: int, window: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Guesses from several attributes: ranges about a twin's own values that hold no other twin.

    Args:
      tries: at most, for each guess that is to be made.
      window: half-width of a range, as a share of people.

    Returns:
      positions of the people who have the properties, for each guess.
    """
    _, first = np.unique(codes(records.twins, records.steps), axis=0, return_index=True)  # alike twins count once
    people, twins = _ranked(records.people, records.people), _ranked(records.twins.take(first), records.people)
    width = np.where(np.arange(twins.values.shape[1]) < twins.numbers, window, 0.0)
    found: list[np.ndarray] = []
    for t in rng.integers(len(first), size=tries * most):
        own = twins.values[t]
        known = np.flatnonzero(np.isfinite(own))
        if len(known) >= attributes:
            chosen = np.sort(rng.choice(known, attributes, replace=False))  # numbers first: they narrow down most
            if len(_within(twins.values, own, width, chosen)) == 1:
                found.append(_within(people.values, own, width, chosen))
        if len(found) == most:
            break
    return found


def _within(values: np.ndarray, own: np.ndarray, width: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Positions of those within the ranges of the chosen attributes; each narrows down who is left."""
    left = np.flatnonzero(np.abs(values[:, chosen[0]] - own[chosen[0]]) <= width[chosen[0]])
    for j in chosen[1:]:
        left = left[np.abs(values[left, j] - own[j]) <= width[j]]
    return left


def _ranked(data: Data, among: Data) -> Ranked:
    numbers = [rank(values, among.numbers[name]) for name, values in data.numbers.items()]
    levels = [np.where(values < 0, np.nan, values) for values in data.categories.values()]
    # Columns lie one after another in memory, since they are searched one at a time.
    return Ranked(np.asfortranarray(np.stack([*numbers, *levels], axis=1)), len(numbers))
