"""What a report may show of people: shares of many, never one of them.

Whatever rests on fewer people than `shown.fewest` is left out here, so that no picture or table can hold it. Axes end
where enough people lie beyond, at round numbers, so that they do not tell the largest value either.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..fitting.data import Data
from . import weighted
from .assess import Recording, as_recorded, limits
from .dependence import correlations

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS, COARSE = 36, 24  # of a histogram, and of each side of a pair
_ROUND = np.array([1.0, 2.0, 2.5, 5.0, 10.0])
_SKEWED = 4.0  # the upper half this many times as wide as the lower: better seen on a logarithmic axis


class Histogram(NamedTuple):
    """Shares by bin of one number; of the people NaN where there are too few, and 1 is all that is shown.

    edges: shape (bins + 1,). people, twins: shape (bins,).
    people_quantiles, twins_quantiles: at `SHARES`; NaN where too few people lie beyond.
    """

    name: str
    unit: str
    logarithmic: bool
    edges: np.ndarray
    people: np.ndarray
    twins: np.ndarray
    people_quantiles: np.ndarray
    twins_quantiles: np.ndarray


class Pair(NamedTuple):
    """Shares by cell of two numbers, shape (bins of x, bins of y); of the people NaN where there are too few."""

    x: str
    y: str
    x_edges: np.ndarray
    y_edges: np.ndarray
    logarithmic: tuple[bool, bool]
    people: np.ndarray
    twins: np.ndarray


class Level(NamedTuple):
    """Share of one level of a category; of the people NaN where there are too few."""

    category: str
    level: str
    people: float
    twins: float


class Picture(NamedTuple):
    """All that the report draws from the two tables."""

    histograms: tuple[Histogram, ...]
    pairs: tuple[Pair, ...]
    levels: tuple[Level, ...]


def picture(
    people: Data,
    twins: Data,
    recording: Recording = Recording(),  # noqa: B008 (immutable)
    pairs: tuple[tuple[str, str], ...] | None = None,
) -> Picture:
    """Distributions of people and twins, as recorded.

    Args:
      pairs: of numbers; default: the six that go together most closely, in either direction.
    """
    people, twins = as_recorded(people, recording), as_recorded(twins, recording)
    axes = {name: _axis(people, name, recording.steps.get(name, 0.0), BINS) for name in people.numbers}
    coarse = {name: _axis(people, name, recording.steps.get(name, 0.0), COARSE) for name in people.numbers}
    chosen = closest(people) if pairs is None else pairs
    return Picture(
        tuple(_histogram(people, twins, name, *axes[name]) for name in people.numbers if len(axes[name][0]) > 1),
        tuple(_pair(people, twins, x, y, coarse[x], coarse[y]) for x, y in chosen if _drawable(coarse, x, y)),
        tuple(level for name in people.categories for level in _levels(people, twins, name)),
    )


def closest(people: Data, most: int = 6) -> tuple[tuple[str, str], ...]:
    """The pairs of numbers with the largest correlations in size."""
    names = list(people.numbers)
    rank = correlations(people._replace(categories={}))
    pairs = [pair for pair in combinations(range(len(names)), 2) if np.isfinite(rank[pair])]
    chosen = sorted(pairs, key=lambda pair: -abs(rank[pair]))[:most]
    return tuple((names[i], names[j]) for i, j in chosen)


def _drawable(axes: dict[str, tuple[np.ndarray, bool]], x: str, y: str) -> bool:
    for name in (x, y):
        if name not in axes:
            raise ValueError(f"pairs: no number {name!r}")
    return len(axes[x][0]) > 1 and len(axes[y][0]) > 1


def _axis(people: Data, name: str, step: float, bins: int) -> tuple[np.ndarray, bool]:
    """Edges of about so many bins, each holding as many steps as the others; and whether they are logarithmic."""
    values = np.sort(people.numbers[name][~np.isnan(people.numbers[name])])
    fewest, beyond = int(limits().value("shown.fewest")), limits().value("shown.beyond")
    out = max(fewest, int(np.ceil(beyond * len(values))))
    if len(values) <= 2 * out or values[out] == values[-out - 1]:
        return np.empty(0), False
    low, high = float(values[out]), float(values[-out - 1])
    at = np.quantile(values, (0.05, 0.5, 0.95))
    if low > 0 and at[2] - at[1] > _SKEWED * (at[1] - at[0]):
        width = _nice((np.log10(high) - np.log10(low)) / bins, 0.0)
        first, last = np.floor(np.log10(low) / width), np.floor(np.log10(high) / width) + 1
        return 10 ** (width * np.arange(first, last + 1)), True
    width = _nice((high - low) / bins, step)
    first, last = np.floor(low / width), np.floor(high / width) + 1
    # Half a step lower, so that no rounded value lies on an edge.
    return width * np.arange(first, last + 1) - step / 2, False


def _nice(width: float, step: float) -> float:
    """A round width at least this large, and a whole number of steps."""
    if step and width <= 20 * step:
        return step * float(np.ceil(width / step - 1e-9))
    scale = 10.0 ** np.floor(np.log10(width))
    return float(scale * _ROUND[np.searchsorted(_ROUND, width / scale - 1e-9)])


def _histogram(people: Data, twins: Data, name: str, edges: np.ndarray, logarithmic: bool) -> Histogram:
    fewest = int(limits().value("shown.fewest"))
    values, weights = weighted.known(people.numbers[name], people.weights)
    count = np.histogram(values, edges)[0]
    mass = np.histogram(values, edges, weights=weights)[0]
    twin = np.histogram(twins.numbers[name], edges, weights=twins.weights)[0]
    return Histogram(
        name,
        people.units.get(name, ""),
        logarithmic,
        edges,
        *_shares(mass, count, twin),
        _quantiles(values, weights, fewest),
        weighted.quantiles(twins.numbers[name], twins.weights, np.array(SHARES)),
    )


def _shares(mass: np.ndarray, count: np.ndarray, twin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of people and of twins, both of all in the bins where people are shown.

    So the sum over the people tells nothing of those who are not shown.
    """
    shown = count >= limits().value("shown.fewest")
    if not np.any(shown):
        return np.full(mass.shape, np.nan), np.zeros(twin.shape)
    return np.where(shown, mass, np.nan) / np.sum(mass[shown]), twin / max(np.sum(twin[shown]), 1)


def _quantiles(values: np.ndarray, weights: np.ndarray, fewest: int) -> np.ndarray:
    found = weighted.quantiles(values, weights, np.array(SHARES))
    enough = [min(np.sum(values <= q), np.sum(values >= q)) >= fewest for q in found]
    return np.where(enough, found, np.nan)


def _pair(
    people: Data, twins: Data, x: str, y: str, x_axis: tuple[np.ndarray, bool], y_axis: tuple[np.ndarray, bool]
) -> Pair:
    bins = (x_axis[0], y_axis[0])
    both = ~(np.isnan(people.numbers[x]) | np.isnan(people.numbers[y]))
    seen = people.take(both)
    count = np.histogram2d(seen.numbers[x], seen.numbers[y], bins)[0]
    mass = np.histogram2d(seen.numbers[x], seen.numbers[y], bins, weights=seen.weights)[0]
    twin = np.histogram2d(twins.numbers[x], twins.numbers[y], bins, weights=twins.weights)[0]
    return Pair(x, y, *bins, (x_axis[1], y_axis[1]), *_shares(mass, count, twin))


def _levels(people: Data, twins: Data, name: str) -> list[Level]:
    codes = people.categories[name]
    there = codes >= 0
    k = len(people.levels[name])
    count = np.bincount(codes[there], minlength=k)
    mass = np.bincount(codes[there], weights=people.weights[there], minlength=k)
    twin = np.bincount(twins.categories[name], weights=twins.weights, minlength=k)
    shown, drawn = _shares(mass, count, twin)
    return [Level(name, level, float(shown[i]), float(drawn[i])) for i, level in enumerate(people.levels[name])]
