"""How the columns go together: rank correlations, and whether extremes come in company."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..fitting.data import Data
from . import weighted

TAIL = 0.9  # the upper tenth, as usual for tail concordance
PAIRS = 6  # of the numbers that rise together most


class Tail(NamedTuple):
    """Of those in the upper tenth of one number, the share who are in the upper tenth of the other too."""

    x: str
    y: str
    people: float
    others: float


class Dependence(NamedTuple):
    """Spearman correlations of the numbers and the categories of two levels, in two tables.

    people, others: shape (names, names), symmetric, 1 on the diagonal; NaN where a column does not vary.
    rmse, largest: of the differences over all pairs of columns; `widest` is the pair with the largest.
    """

    names: tuple[str, ...]
    people: np.ndarray
    others: np.ndarray
    rmse: float
    largest: float
    widest: tuple[str, str]


def dependence(people: Data, others: Data) -> Dependence:
    """Correlations among those of whom both columns of a pair are known."""
    names = tuple(_columns(people))
    first, second = correlations(people), correlations(others)
    upper = np.triu_indices(len(names), 1)
    gaps = np.abs(first - second)[upper]
    if not np.isfinite(gaps).any():
        return Dependence(names, first, second, 0.0, 0.0, ("", ""))
    worst = int(np.nanargmax(gaps))
    pair = (names[upper[0][worst]], names[upper[1][worst]])
    return Dependence(names, first, second, float(np.sqrt(np.nanmean(gaps**2))), float(gaps[worst]), pair)


def correlations(data: Data) -> np.ndarray:
    """Spearman's correlation of each pair of columns, from ranks among those who have both."""
    columns = list(_columns(data).values())
    missing = [np.isnan(values) for values in columns]
    # Only a pair in which somebody is missing needs ranks of its own.
    whole = [
        None if gaps.any() else weighted.midranks(v, data.weights) for v, gaps in zip(columns, missing, strict=True)
    ]
    found = np.eye(len(columns))
    for i, j in combinations(range(len(columns)), 2):
        there = ~(missing[i] | missing[j])
        weights = data.weights[there]
        x, y = (_ranks(columns[k], whole[k], there, weights) for k in (i, j))
        found[i, j] = found[j, i] = weighted.correlation(x, y, weights) if there.any() else np.nan
    return found


def _ranks(values: np.ndarray, whole: np.ndarray | None, there: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return whole if whole is not None and there.all() else weighted.midranks(values[there], weights)


def tails(people: Data, others: Data, correlation: Dependence) -> tuple[Tail, ...]:
    """The pairs of numbers that are most closely correlated among the people."""
    numbers = [i for i, name in enumerate(correlation.names) if name in people.numbers]
    pairs = [pair for pair in combinations(numbers, 2) if correlation.people[pair] > 0]
    chosen = sorted(pairs, key=lambda pair: -correlation.people[pair])[:PAIRS]
    named = [(correlation.names[i], correlation.names[j]) for i, j in chosen]
    return tuple(Tail(x, y, concordance(people, x, y), concordance(others, x, y)) for x, y in named)


def concordance(data: Data, x: str, y: str) -> float:
    """P(both in their upper tenth) / 0.1: 0.1 if independent, 1 if they always go together."""
    there = ~(np.isnan(data.numbers[x]) | np.isnan(data.numbers[y]))
    weights = data.weights[there]
    high = [weighted.midranks(data.numbers[name][there], weights) > TAIL for name in (x, y)]
    return float(np.sum(weights[high[0] & high[1]]) / np.sum(weights) / (1 - TAIL))


def _columns(data: Data) -> dict[str, np.ndarray]:
    """Numbers, then categories of two levels as 0 and 1; NaN where missing."""
    binary = {name: codes for name, codes in data.categories.items() if len(data.levels[name]) == 2}
    return dict(data.numbers) | {name: np.where(codes < 0, np.nan, codes) for name, codes in binary.items()}
