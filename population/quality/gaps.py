"""Gaps for twins like those of people, so that both are compared on what would have been known of them."""

import numpy as np

from ..fitting.data import Data
from .separability import columns_of

_LUCK = 0.01  # in standard deviations of a number: less than any difference that matters


def gapped(people: Data, twins: Data, seed: int) -> Data:
    """Twins, each with the gaps of somebody alike among the people in what is known of everybody.

    Who has a value is not chance: a laboratory value may not be taken from the young. Without gaps a difference in who
    was measured would look like a difference in what was.
    """
    columns, drawn = columns_of(people), columns_of(twins)
    gaps: np.ndarray = np.isnan(columns)
    if not gaps.any():
        return twins
    from sklearn.neighbors import NearestNeighbors  # deferred: a second to load, and only here

    whole = np.logical_not(np.any(gaps, axis=0))
    rng = np.random.default_rng(seed)
    # A little luck as one more coordinate chooses among people who are all as near, such as those of one age.
    base, twin = (
        np.column_stack([_scaled(table, people, whole), rng.normal(0, _LUCK, len(table))]) for table in (columns, drawn)
    )
    donors = NearestNeighbors(n_neighbors=1).fit(base).kneighbors(twin, return_distance=False)[:, 0]
    names = [*people.numbers, *people.categories]
    return twins._replace(
        numbers={n: np.where(gaps[donors, names.index(n)], np.nan, x) for n, x in twins.numbers.items()},
        categories={n: np.where(gaps[donors, names.index(n)], -1, x) for n, x in twins.categories.items()},
    )


def _scaled(columns: np.ndarray, people: Data, whole: np.ndarray) -> np.ndarray:
    """Complete columns as coordinates: numbers in standard deviations of the people, levels three of them apart."""
    parts = []
    for i, values in enumerate(people.numbers.values()):
        if whole[i]:
            parts.append(columns[:, i] / (float(np.std(values)) or 1.0))
    for i, name in enumerate(people.categories, len(people.numbers)):
        if whole[i]:
            parts += [3.0 / np.sqrt(2) * (columns[:, i] == level) for level in range(len(people.levels[name]))]
    return np.column_stack([np.empty((len(columns), 0)), *parts])
