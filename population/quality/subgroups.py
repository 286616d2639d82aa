"""Means of every number in every subgroup: by sex, race and age band, as far as a table has them."""

from collections.abc import Mapping
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from ..fitting.data import Data

# Between bands of age, in years. The wide bands are those of most baseline tables; the narrow ones halve them.
WIDE = (20, 30, 40, 50, 60, 70)
NARROW = (16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75)
# Too few people of either to stand alone in a survey of a country.
TOGETHER = {"race": {"asian": "asian or other", "other": "asian or other"}}


class Partition(NamedTuple):
    """A way to divide people.

    categories: columns whose levels divide.
    number, edges: a column cut at these values, each of which opens the next band; no column if empty.
    together: for some categories, what a level is called for this purpose: levels of one name are taken together.
    """

    name: str
    categories: tuple[str, ...]
    number: str
    edges: tuple[float, ...]
    together: Mapping[str, Mapping[str, str]] = {}


class Subgroups(NamedTuple):
    """Means by subgroup in two tables; subgroups in which one table has nobody are left out.

    labels: of the subgroups. names: of the numbers, without the one that is cut into bands.
    people, others: means, shape (subgroups, names); NaN where fewer than the fewest people that may be shown have a
      value.
    difference: others minus people, in standard deviations of all people, shape (subgroups, names).
    error: standard error of the people's mean, in the unit of the number, shape (subgroups, names).
    sd: of all people, shape (names,).
    effective: people as effective sample size, shape (subgroups,).
    judged: whether a subgroup has enough people to count, shape (subgroups,).
    rms: root of the mean squared difference over all numbers and the subgroups judged; `rms_all` over all subgroups.
    noise: what `rms` would be by the people's own sampling error alone, if the others were the population itself.
    beyond: what remains of `rms` without it.
    """

    name: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    people: np.ndarray
    others: np.ndarray
    difference: np.ndarray
    error: np.ndarray
    sd: np.ndarray
    effective: np.ndarray
    judged: np.ndarray
    rms: float
    rms_all: float
    noise: float
    beyond: float


def partitions(data: Data) -> tuple[Partition, Partition]:
    """By sex and race (asian and other together) and age in 7 and in 14 bands; without the columns that are absent."""
    categories = tuple(name for name in ("male", "sex", "race") if name in data.categories)
    number = "age" if "age" in data.numbers else ""
    wide, narrow = (edges if number else () for edges in (WIDE, NARROW))
    parts = [name.replace("male", "sex") for name in (*categories, *([number] if number else []))]
    name = " x ".join(parts) or "everyone"
    return (
        Partition(f"{name}, wide bands" if number else name, categories, number, wide, TOGETHER),
        Partition(f"{name}, narrow bands" if number else name, categories, number, narrow, TOGETHER),
    )


def divide(data: Data, by: Partition) -> tuple[np.ndarray, tuple[str, ...]]:
    """The number of the subgroup of each, shape (people,), -1 where it is not known; and the subgroups' labels."""
    group, known = np.zeros(data.size, dtype=int), np.ones(data.size, dtype=bool)
    parts: list[list[str]] = []
    for name in by.categories:
        called = [by.together.get(name, {}).get(level, level) for level in data.levels[name]]
        merged = list(dict.fromkeys(called))
        codes = data.categories[name]
        group = group * len(merged) + np.array([merged.index(level) for level in called])[codes]
        known &= codes >= 0
        parts.append([_called(name, level) for level in merged])
    if by.number:
        values = data.numbers[by.number]
        group = group * (len(by.edges) + 1) + np.searchsorted(by.edges, values, side="right")
        known &= ~np.isnan(values)
        parts.append(_bands(by.number, by.edges))
    return np.where(known, group, -1), tuple(", ".join(words) or "everyone" for words in product(*parts))


def _called(name: str, level: str) -> str:
    if level in ("yes", "no"):
        return {("male", "yes"): "men", ("male", "no"): "women"}.get((name, level), f"{name} {level}").replace("_", " ")
    return level.replace("_", " ")


def _bands(name: str, edges: tuple[float, ...]) -> list[str]:
    inner = [f"{name} {low:g} to below {high:g}" for low, high in pairwise(edges)]
    return [f"{name} below {edges[0]:g}", *inner, f"{name} {edges[-1]:g} and over"]


def compare(people: Data, others: Data, by: Partition, smallest: float, fewest: int) -> Subgroups:
    """Compare the means of all numbers in all subgroups.

    Args:
      smallest: effective number of people from which a mean counts.
      fewest: people below which a mean is not shown (it still counts).
    """
    group, labels = divide(people, by)
    other_group, other_labels = divide(others, by)
    if other_labels != labels:
        raise ValueError(f"subgroups {by.name}: the two tables have different levels")
    names = tuple(name for name in people.numbers if name != by.number)
    if not names:
        raise ValueError(f"subgroups {by.name}: there is no number but {by.number}")
    here, there = (_all_moments(*table, names, len(labels)) for table in ((people, group), (others, other_group)))
    sd = np.sqrt(_all_moments(people, np.zeros(people.size, int), names, 1).variance[0])
    size = _sizes(people, group, len(labels))

    kept = np.flatnonzero(np.isfinite(here.mean).any(axis=1) & np.isfinite(there.mean).any(axis=1))
    mean, variance, effective, number = (part[kept] for part in here)
    other = there.mean[kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        difference, error = (other - mean) / sd, np.sqrt(variance / effective)
        relative = error / sd
    counts = effective >= smallest
    rms, noise = _rms(difference[counts]), _rms(relative[counts])

    def shown(values: np.ndarray) -> np.ndarray:
        return np.where(number >= fewest, values, np.nan)

    return Subgroups(
        name=by.name,
        labels=tuple(labels[i] for i in kept),
        names=names,
        people=shown(mean),
        others=shown(other),
        difference=shown(difference),
        error=shown(error),
        sd=sd,
        effective=size[kept],
        judged=size[kept] >= smallest,
        rms=rms,
        rms_all=_rms(difference),
        noise=noise,
        beyond=float(np.sqrt(max(rms**2 - noise**2, 0.0))),
    )


class _Moments(NamedTuple):
    """Of those who have a value, by subgroup and number; each of shape (subgroups, names)."""

    mean: np.ndarray
    variance: np.ndarray
    effective: np.ndarray
    number: np.ndarray


def _all_moments(data: Data, group: np.ndarray, names: tuple[str, ...], groups: int) -> _Moments:
    each = [_moments(data, name, group, groups) for name in names]
    return _Moments(*(np.stack(part, axis=-1) for part in zip(*each, strict=True)))


def _moments(data: Data, name: str, group: np.ndarray, groups: int) -> tuple[np.ndarray, ...]:
    """Mean, variance, effective number and number of those who have a value, by subgroup, each of shape (groups,)."""
    values = data.numbers[name]
    there = ~np.isnan(values) & (group >= 0)
    at, values, weights = group[there], values[there], data.weights[there]

    def total(of: np.ndarray) -> np.ndarray:
        return np.bincount(at, weights=of, minlength=groups)

    with np.errstate(divide="ignore", invalid="ignore"):
        mass = total(weights)
        mean = total(weights * values) / mass
        variance = total(weights * np.square(values - mean[at])) / mass
        effective = np.nan_to_num(mass**2 / total(weights**2))
    return mean, variance, effective, np.bincount(at, minlength=groups)


def _sizes(data: Data, group: np.ndarray, groups: int) -> np.ndarray:
    there = group >= 0
    mass = np.bincount(group[there], weights=data.weights[there], minlength=groups)
    square = np.bincount(group[there], weights=data.weights[there] ** 2, minlength=groups)
    return np.divide(mass**2, square, out=np.zeros(groups), where=square > 0)


def _rms(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]  # no number where it does not vary, or nobody has it
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
