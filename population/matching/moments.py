"""Rows of a baseline table as averages over twins: each row asks that the average of one function be zero."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jax import Array

from ..attributes import Attribute
from ..baselines.tables import Row

Columns = Mapping[str, np.ndarray | Array]


def check(rows: Sequence[Row], columns: Columns, attributes: Mapping[str, Attribute]) -> None:
    """Whether twins have what the rows ask for, and the rows are numbers.

    Raises:
      ValueError: they do not; the message names the row.
    """
    if not rows:
        raise ValueError("the baseline table has no rows")
    for row in rows:
        if row.attribute not in columns or row.attribute not in attributes:
            there = ", ".join(sorted(set(columns) & set(attributes)))
            raise ValueError(f"{row.label}: the twins have no attribute {row.attribute}; they have {there}")
        if not math.isfinite(row.value) or not math.isfinite(row.about):
            raise ValueError(f"{row.label}: the wanted value is {row.value}; leave the row out if it is not reported")
        if (row.kind == "sd" and row.value <= 0) or (row.kind == "share" and not 0 <= row.value <= 1):
            kind = {"sd": "standard deviation"}.get(row.kind, row.kind)
            raise ValueError(f"{row.label}: {row.value:g} is no {kind}")
        if not np.all(np.isfinite(np.asarray(columns[row.attribute], dtype=float))):
            raise ValueError(f"{row.label}: some twins have no {row.attribute}")
        _fits(row, attributes[row.attribute])


def is_exact(row: Row) -> bool:
    """Whether the row says that everybody or nobody is counted: met by leaving twins out, at no finite weight."""
    return row.kind == "share" and row.value in (0.0, 1.0)


def allowed(rows: Sequence[Row], columns: Columns, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """Twins that the rows with a share of 0 or 1 leave in, shape (twins,)."""
    mask = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for row in filter(is_exact, rows):
        mask &= _counted(row, columns, attributes) == (row.value == 1.0)
    return mask


def raw(row: Row, columns: Columns, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """What is averaged over twins, shape (twins,): the number, its squared distance to the mean wanted, or 0 and 1."""
    if row.kind == "share":
        return _counted(row, columns, attributes).astype(float)
    x = np.asarray(columns[row.attribute], dtype=float)
    return x if row.kind == "mean" else np.square(x - row.about)


def wanted(row: Row) -> float:
    """The average of `raw` that meets the row."""
    return row.value**2 if row.kind == "sd" else row.value


def scales(rows: Sequence[Row], columns: Columns, base: np.ndarray) -> np.ndarray:
    """What makes distances of rows comparable, shape (rows,): standard deviations, those wanted where they are given.

    Args:
      base: weights of the twins, shape (twins,), with sum 1.
    """
    sds = {row.attribute: row.value for row in rows if row.kind == "sd"}
    return np.array([_scale(row, sds, columns, base) for row in rows])


def features(
    rows: Sequence[Row], unit: np.ndarray, columns: Columns, attributes: Mapping[str, Attribute]
) -> np.ndarray:
    """Each twin's distances from the rows, in units of `unit`, shape (twins, rows); on average 0 where rows are met."""
    n = len(next(iter(columns.values())))
    result = np.empty((n, len(rows)))
    for j, row in enumerate(rows):
        result[:, j] = (raw(row, columns, attributes) - wanted(row)) / unit[j]
    return result


def _scale(row: Row, sds: Mapping[str, float], columns: Columns, base: np.ndarray) -> float:
    if row.kind == "sd":
        return row.value**2
    if row.kind == "share":
        return math.sqrt(row.value * (1 - row.value)) or 1.0
    if row.attribute in sds:
        return sds[row.attribute]
    x = np.asarray(columns[row.attribute], dtype=float)
    return float(np.sqrt(base @ np.square(x - base @ x))) or 1.0


def _counted(row: Row, columns: Columns, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """Who counts towards a share, shape (twins,)."""
    x = np.asarray(columns[row.attribute])
    if row.level is not None:
        return np.isin(x, [_stored(level, attributes[row.attribute]) for level in row.level.split("+")])
    if attributes[row.attribute].kind == "yes/no":
        return x.astype(bool)
    return (x > row.low) & (x <= row.high)


def _stored(level: str, attribute: Attribute) -> int:
    """A level as the column holds it: a grade as itself, another level by its place."""
    levels = attribute.levels or ()
    return int(level) if attribute.kind == "grade" else levels.index(level)


def _fits(row: Row, attribute: Attribute) -> None:
    """Whether the row is one that this kind of attribute can have."""
    numeric = attribute.kind in ("number", "grade")
    bounded = math.isfinite(row.low) or math.isfinite(row.high)
    if row.level is not None:
        unknown = [level for level in row.level.split("+") if level not in (attribute.levels or ())]
        if unknown:
            levels = ", ".join(attribute.levels or ()) or "none"
            raise ValueError(f"{row.label}: {attribute.name} has no level {unknown[0]!r}; its levels are {levels}")
    elif row.kind != "share" and not numeric:
        raise ValueError(f"{row.label}: {attribute.name} is a {attribute.kind}, it has shares and no {row.kind}")
    elif row.kind == "share" and (bounded if attribute.kind == "yes/no" else not bounded or not numeric):
        need = {"number": "an end", "yes/no": "no end", "grade": "a level or an end"}.get(attribute.kind, "a level")
        raise ValueError(f"{row.label}: a share of {attribute.name} ({attribute.kind}) needs {need}")
