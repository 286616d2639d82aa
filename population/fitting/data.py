"""A table of people, or of twins, as arrays."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Data(NamedTuple):
    """People with what was measured of each; all arrays have shape (people,).

    numbers: measurements by name; NaN where missing.
    categories: numbers of levels by name, counted from 0; -1 where missing.
    levels: the names of the levels of each category.
    units: of each number.
    weights: how many people each stands for, relative to the others; above 0.
    clusters: number of the sampling unit of each; everyone has their own where the table has no design.
    strata: number of the stratum of each; all 0 where the table has no design.
    """

    numbers: Mapping[str, np.ndarray]
    categories: Mapping[str, np.ndarray]
    levels: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]
    weights: np.ndarray
    clusters: np.ndarray
    strata: np.ndarray

    @property
    def size(self) -> int:
        return len(self.weights)

    def take(self, which: np.ndarray) -> "Data":
        """Some of the people, by mask or by position."""
        return self._replace(
            numbers={name: values[which] for name, values in self.numbers.items()},
            categories={name: values[which] for name, values in self.categories.items()},
            weights=self.weights[which],
            clusters=self.clusters[which],
            strata=self.strata[which],
        )


def halves(data: Data, seed: int) -> tuple[Data, Data]:
    """Two halves by whole sampling units: half of the units of every stratum goes to either."""
    rng = np.random.default_rng(seed)
    units, first = np.unique(data.clusters, return_index=True)
    order = np.lexsort((rng.random(len(units)), data.strata[first]))
    side = np.empty(len(units), dtype=bool)
    side[order] = (np.arange(len(units)) + rng.integers(2)) % 2 == 0
    mask = side[np.searchsorted(units, data.clusters)]
    return data.take(mask), data.take(~mask)


def effective_size(weights: np.ndarray) -> float:
    """Kish's effective sample size of a weighted sample."""
    total = float(np.sum(weights))
    return total * total / float(np.sum(np.square(weights))) if total > 0 else 0.0
