"""Who meets a protocol's criteria."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from jax import Array


class CriterionLike(Protocol):
    """A range whose bounds belong to it, or a list of what is allowed; None where not used."""

    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...
    @property
    def one_of(self) -> tuple[str | int | bool, ...] | None: ...


def meets(
    criteria: Mapping[str, CriterionLike],
    columns: Mapping[str, np.ndarray | Array],
    levels: Mapping[str, tuple[str, ...]],
) -> dict[str, np.ndarray]:
    """Which twins meet each criterion, by its name; a missing value (NaN) does not meet it.

    Args:
      criteria: by the name of the column they look at.
      columns: attributes and screening measurements, shape (twins,); categories as numbers of levels.
      levels: the names of the levels of each column that is a category.

    Raises:
      KeyError: a criterion's column does not exist.
      ValueError: a criterion does not fit its column, e.g. a range of a category or a level that does not exist.
    """
    return {name: _mask(name, criterion, columns, levels) for name, criterion in criteria.items()}


def _mask(
    name: str,
    criterion: CriterionLike,
    columns: Mapping[str, np.ndarray | Array],
    levels: Mapping[str, tuple[str, ...]],
) -> np.ndarray:
    if name not in columns:
        raise KeyError(f"eligibility.{name}: no such attribute or measurement; there are {', '.join(sorted(columns))}")
    column = np.asarray(columns[name])
    mask = np.ones(column.shape, dtype=bool)
    if criterion.min is not None or criterion.max is not None:
        if name in levels or column.dtype.kind == "b":
            kind = f"a category ({', '.join(levels[name])})" if name in levels else "yes or no"
            raise ValueError(f"eligibility.{name}: min and max need a number, but {name} is {kind}; use one_of")
        if criterion.min is not None:
            mask &= column >= criterion.min
        if criterion.max is not None:
            mask &= column <= criterion.max
    if criterion.one_of is not None:
        mask &= np.isin(column, [_stored(name, entry, column.dtype, levels.get(name)) for entry in criterion.one_of])
    return mask


def _stored(name: str, entry: str | int | bool, dtype: np.dtype, levels: tuple[str, ...] | None) -> int | bool:
    """An entry of `one_of` as the column holds it."""
    if levels is not None:
        if entry not in levels:
            raise ValueError(f"eligibility.{name}: one_of has {entry!r}; the levels are {', '.join(levels)}")
        return levels.index(str(entry))
    if isinstance(entry, str) or isinstance(entry, bool) != (dtype.kind == "b"):
        expected = "true or false" if dtype.kind == "b" else "whole numbers"
        raise ValueError(f"eligibility.{name}: one_of has {entry!r}; expected {expected}")
    return entry
