"""The verdict on a fitted population: how like people its twins are, beside how like each other people are."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.parameters import Table, read_table
from ..fitting.data import Data
from ..fitting.plan import Derived, Number, Plan
from .dependence import Dependence, Tail, dependence, tails
from .gaps import gapped
from .margins import Margin, Mix, margins, mixes
from .rules import Violations, total, violations
from .separability import separability
from .subgroups import Partition, Subgroups, compare, partitions

HERE = Path(__file__).parent
NARROW = -1  # of the partitions, the one with the narrowest bands is judged


class Recording(NamedTuple):
    """How a table records its numbers, so that twins are compared as they would have been recorded.

    steps: resolution of a number. tops: value at which all larger ones are recorded. completed: numbers of which only
    whole steps count, such as years of age; the others are rounded.
    """

    steps: Mapping[str, float] = {}
    tops: Mapping[str, float] = {}
    completed: frozenset[str] = frozenset()


class Likeness(NamedTuple):
    """How like people others are; `auc` of a classifier that tells the two apart."""

    margins: tuple[Margin, ...]
    mixes: tuple[Mix, ...]
    dependence: Dependence
    tails: tuple[Tail, ...]
    subgroups: tuple[Subgroups, ...]
    auc: float

    @property
    def ks(self) -> float:
        """Mean Kolmogorov-Smirnov distance over the numbers."""
        return float(np.mean([margin.ks for margin in self.margins]))


class Gate(NamedTuple):
    """A limit that a population meets or not. The floor is what two halves of the people reach; NaN where unknown."""

    name: str
    about: str
    value: float
    limit: float
    floor: float
    passed: bool


class Quality(NamedTuple):
    """What was found of one fit. `floor` is None where no people were held out."""

    gates: tuple[Gate, ...]
    twins: Likeness
    floor: Likeness | None
    impossible: tuple[Violations, ...]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)


@cache
def limits() -> Table:
    """The limits and the choices of the tests."""
    return read_table(HERE / "limits.yaml", sources=HERE.parent / "sources.yaml")


def assess(
    train: Data,
    holdout: Data,
    twins: Data,
    recording: Recording = Recording(),  # noqa: B008 (immutable)
    seed: int = 0,
    impossible: Sequence[Violations] | None = None,
) -> Quality:
    """Twins of a population fitted to `train`, against people held out; and `train` against the same people.

    Args:
      impossible: what was found in more twins than these, such as a million; default: count among these.

    Raises:
      ValueError: the tables have different columns, or one is too small.
    """
    check(holdout, train, "the people fitted to")
    check(holdout, twins, "the twins")
    _complete(twins)
    train, holdout = (as_recorded(data, recording) for data in (train, holdout))
    seen = gapped(holdout, as_recorded(twins, recording), seed)
    floor = likeness(holdout, train, seed)
    found = tuple(violations(twins) if impossible is None else impossible)
    twin = likeness(holdout, seen, seed)
    return Quality(gates(twin, floors(floor), found), twin, floor, found)


def assess_final(
    people: Data,
    twins: Data,
    splits: Sequence[Quality],
    recording: Recording = Recording(),  # noqa: B008 (immutable)
    seed: int = 0,
    impossible: Sequence[Violations] | None = None,
) -> Quality:
    """Twins of the population fitted to all people, against the same people; floors are the means of the splits'."""
    check(people, twins, "the twins")
    _complete(twins)
    people = as_recorded(people, recording)
    twin = likeness(people, gapped(people, as_recorded(twins, recording), seed), seed)
    known = [floors(split.floor) for split in splits if split.floor is not None]
    mean = {name: float(np.mean([floor[name] for floor in known])) for name in known[0]} if known else {}
    found = tuple(violations(twins) if impossible is None else impossible)
    return Quality(gates(twin, mean, found), twin, None, found)


def likeness(people: Data, others: Data, seed: int = 0, by: Sequence[Partition] | None = None) -> Likeness:
    """Compare two tables of the same columns, as they are recorded."""
    table = limits()
    smallest, fewest = table.value("subgroup.smallest"), int(table.value("shown.fewest"))
    correlation = dependence(people, others)
    most, folds = (int(table.value(f"classifier_test.{name}")) for name in ("most", "folds"))
    return Likeness(
        margins(people, others),
        mixes(people, others),
        correlation,
        tails(people, others, correlation),
        tuple(compare(people, others, part, smallest, fewest) for part in by or partitions(people)),
        separability(people, others, seed, most, folds),
    )


def floors(floor: Likeness) -> dict[str, float]:
    """What two halves of the people reach, by gate."""
    return _values(floor) | {"impossible": 0.0}


def gates(twin: Likeness, floor: Mapping[str, float], impossible: Sequence[Violations]) -> tuple[Gate, ...]:
    """Hold a comparison to the limits; the limit of the margins is relative to their floor, so without one it fails."""
    table, found = limits(), []
    for name, value in (_values(twin) | {"impossible": float(total(impossible))}).items():
        least, limit = floor.get(name, float("nan")), table.value(name)
        limit = limit * least if name == "margins" else limit
        found.append(Gate(name, table[name].about, value, limit, least, value <= limit))
    return tuple(found)


def _values(like: Likeness) -> dict[str, float]:
    return {
        "margins": like.ks,
        "correlations": like.dependence.rmse,
        "subgroups": like.subgroups[NARROW].rms,
        "classifier": like.auc,
    }


def recording(plan: Plan) -> Recording:
    """How the table that a plan reads records its numbers."""
    entries: dict[str, Number | Derived] = {**plan.numbers, **plan.derived}
    return Recording(
        {name: entry.step for name, entry in entries.items() if entry.step is not None},
        {name: entry.top.at for name, entry in plan.numbers.items() if entry.top is not None},
        frozenset(name for name, entry in plan.numbers.items() if entry.completed),
    )


def as_recorded(data: Data, recording: Recording) -> Data:
    """Numbers cut at their top codes, then rounded to their steps."""
    numbers = {}
    for name, values in data.numbers.items():
        top, step = recording.tops.get(name, np.inf), recording.steps.get(name)
        cut = np.minimum(values, top)
        if step:
            # A value on a step, such as 0.3 of 0.1, may lie a rounding error below it.
            cut = (np.floor(cut / step + 1e-6) if name in recording.completed else np.round(cut / step)) * step
        numbers[name] = cut
    return data._replace(numbers=numbers)


def check(people: Data, others: Data, who: str) -> None:
    """Refuse tables that cannot be compared."""
    for kind in ("numbers", "categories"):
        here, there = getattr(people, kind), getattr(others, kind)
        for name in here:
            if name not in there:
                raise ValueError(f"{who}: no column {name!r} among the {kind}; the people held out have it")
        for name in there:
            if name not in here:
                raise ValueError(f"{who}: the people held out have no column {name!r} among the {kind}")
    for name in people.categories:
        if tuple(people.levels[name]) != tuple(others.levels[name]):
            raise ValueError(f"{who}: {name} has the levels {others.levels[name]}, expected {people.levels[name]}")
    if not (people.size and others.size):
        raise ValueError(f"{who}: the table is empty" if people.size else "nobody was held out")
    if not people.numbers:
        raise ValueError("there is no number to compare")


def _complete(twins: Data) -> None:
    for name, values in twins.numbers.items():
        if not np.isfinite(values).all():
            raise ValueError(f"the twins: {name} is missing or not finite in {int(np.sum(~np.isfinite(values)))}")
    for name, codes in twins.categories.items():
        if (codes < 0).any():
            raise ValueError(f"the twins: {name} is missing in {int(np.sum(codes < 0))}")
