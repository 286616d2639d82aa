"""What the report of a fitted population is made from: aggregates only, so that no report can hold a person."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..fitting.data import Data, effective_size
from .assess import Quality
from .picture import Picture

if TYPE_CHECKING:
    from ..privacy.assess import Privacy


class Column(NamedTuple):
    """One attribute. `missing`: share of the people, by weight, of whom it is not known."""

    name: str
    about: str
    unit: str
    missing: float


class Cells(NamedTuple):
    """The groups with margins and correlations of their own: how many, after joining how many, and how large.

    about: what divides them. effective: effective number of people of each, shape (cells,).
    """

    number: int
    merged: int
    about: str
    effective: np.ndarray


class Fit(NamedTuple):
    """A fitted population and all that was found of it.

    name, about, source, source_note: as in its plan. design: weights, strata and sampling units, in words.
    people, effective: how many it was fitted to, and as an effective sample size.
    twins: how many were drawn to judge it; those searched for impossible combinations may be more.
    splits: by halves of the people, the model fitted to the one, judged by the other. final: fitted to all.
    settings: versions, seeds and the like, as told in the last section.
    privacy: what the attacks found; None where none were made.
    """

    name: str
    about: str
    source: str
    source_note: str
    design: str
    people: int
    effective: float
    twins: int
    columns: tuple[Column, ...]
    cells: Cells
    picture: Picture
    splits: tuple[Quality, ...]
    final: Quality
    privacy: "Privacy | None" = None
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}


def columns(people: Data, labels: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """Each column of a table with its share of gaps, under its label or its own name."""
    total = np.sum(people.weights)
    gaps = {name: np.isnan(values) for name, values in people.numbers.items()}
    gaps |= {name: codes < 0 for name, codes in people.categories.items()}
    return tuple(
        Column(
            name,
            (labels or {}).get(name, name.replace("_", " ")),
            people.units.get(name, ""),
            float(np.sum(people.weights[gap]) / total),
        )
        for name, gap in gaps.items()
    )


def size(people: Data) -> tuple[int, float]:
    """How many people, and as an effective sample size."""
    return people.size, effective_size(people.weights)
