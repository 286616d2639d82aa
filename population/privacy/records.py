"""People and twins as records that can be compared: the same attributes, to the step they are measured in."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..fitting.data import Data

MISSING = np.iinfo(np.int64).min
MOST_DECIMALS = 6


class Records(NamedTuple):
    """The people of the fit and as many held out, shuffled together, and the twins.

    people, twins: with the same attributes, numbers rounded to their steps.
    member: true for the people of the fit, shape (people,).
    steps: of each number, in its unit.
    attacked: positions of the people who are attacked, as many of either group.
    """

    people: Data
    member: np.ndarray
    twins: Data
    steps: Mapping[str, float]
    attacked: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.people.numbers, *self.people.categories)


def gather(
    train: Data, control: Data, twins: Data, *, people: int, attacks: int, resolution: float, rng: np.random.Generator
) -> Records:
    """Equal numbers of people of the fit and held out, and twins, on the attributes that all of them have.

    Raises:
      ValueError: nobody in a group, fewer twins than people of the fit, different levels, or nothing in common.
    """
    if not min(train.size, control.size):
        raise ValueError("privacy: the tests need people of the fit and people held out; one group is empty")
    if twins.size < train.size:
        raise ValueError(f"privacy: {twins.size} twins for {train.size} people of the fit; draw at least as many")
    size = min(train.size, control.size, people)
    train, control = (_some(group, size, rng) for group in (train, control))
    twins = _some(twins, min(twins.size, people), rng)
    numbers, categories = _shared(train, control, twins)
    order = rng.permutation(2 * size)
    together = _join(train, control, numbers, categories).take(order)
    member = order < size
    steps = {name: step(together.numbers[name], resolution) for name in numbers}
    first = [np.flatnonzero(side)[:attacks] for side in (member, ~member)]
    return Records(
        people=_round(together, steps),
        member=member,
        twins=_round(_only(twins, numbers, categories), steps),
        steps=steps,
        attacked=np.sort(np.concatenate(first)),
    )


def step(values: np.ndarray, resolution: float) -> float:
    """The step a number is written in: by the fewest decimals that write all values, or a share of its SD."""
    known = values[np.isfinite(values)]
    spread = float(np.std(known))
    if spread == 0:
        return abs(float(known[0])) or 1.0
    for decimals in range(MOST_DECIMALS + 1):
        unit = 10.0**-decimals
        # Single precision and sums leave values a little beside their decimals, hence a thousandth of a step.
        if unit <= spread and np.all(np.abs(known - np.round(known, decimals)) <= 1e-3 * unit):
            return unit
    return resolution * spread


def codes(data: Data, steps: Mapping[str, float]) -> np.ndarray:
    """Each record as whole numbers of steps and levels, shape (people, attributes); MISSING where unknown."""
    columns = []
    for name, values in data.numbers.items():
        known = np.isfinite(values)
        column = np.full(len(values), MISSING)
        column[known] = np.rint(values[known] / steps[name]).astype(np.int64)
        columns.append(column)
    columns += [np.where(values < 0, MISSING, values).astype(np.int64) for values in data.categories.values()]
    return np.stack(columns, axis=1)


def _shared(*groups: Data) -> tuple[list[str], list[str]]:
    """Names of the numbers and of the categories that every group knows of somebody."""
    first = groups[0]
    numbers = [n for n in first.numbers if all(n in g.numbers and np.isfinite(g.numbers[n]).any() for g in groups)]
    categories = [
        c for c in first.categories if all(c in g.categories and (g.categories[c] >= 0).any() for g in groups)
    ]
    for name in categories:
        if any(g.levels[name] != first.levels[name] for g in groups):
            raise ValueError(f"privacy: {name} has different levels among people and twins")
    if len(numbers) + len(categories) < 2:
        raise ValueError("privacy: people and twins have fewer than two attributes in common")
    return numbers, categories


def _some(data: Data, size: int, rng: np.random.Generator) -> Data:
    return data.take(rng.choice(data.size, size, replace=False))


def _only(data: Data, numbers: list[str], categories: list[str]) -> Data:
    return data._replace(
        numbers={name: np.asarray(data.numbers[name], dtype=float) for name in numbers},
        categories={name: np.asarray(data.categories[name]) for name in categories},
    )


def _join(a: Data, b: Data, numbers: list[str], categories: list[str]) -> Data:
    a, b = _only(a, numbers, categories), _only(b, numbers, categories)
    return a._replace(
        numbers={name: np.concatenate([a.numbers[name], b.numbers[name]]) for name in numbers},
        categories={name: np.concatenate([a.categories[name], b.categories[name]]) for name in categories},
        weights=np.concatenate([a.weights, b.weights]),
        clusters=np.concatenate([a.clusters, b.clusters]),
        strata=np.concatenate([a.strata, b.strata]),
    )


def _round(data: Data, steps: Mapping[str, float]) -> Data:
    return data._replace(numbers={name: np.rint(v / steps[name]) * steps[name] for name, v in data.numbers.items()})
