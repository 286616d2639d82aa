"""Entropy balancing: weights that give twins the baseline table of a trial and otherwise change them least.

Method: Hainmueller J. Entropy balancing for causal effects: a multivariate reweighting method to produce balanced
samples in observational studies. Political Analysis 2012;20:25-46.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..attributes import Attribute
from ..baselines.tables import Baseline, Row
from .limits import alone, together
from .moments import Columns, allowed, check, features, is_exact, raw, scales
from .solver import solve


class Achieved(NamedTuple):
    """A row of the baseline table beside what the weighted twins have; the difference is in standard deviations."""

    row: Row
    got: float
    difference: float


class Balance(NamedTuple):
    """How to weight twins so that they have a baseline table.

    rows: of the table, those that weights meet first and then those that leave twins out (shares of 0 and 1).
    unit: the size of each weighted row, shape (weighted rows,).
    exponents: of the tilt, shape (weighted rows,).
    weights: of the pilot sample's twins, shape (twins,), with sum 1.
    effective: Kish's effective number of twins in the pilot sample.
    largest: the heaviest twin's share of all weight.
    bound: greatest exponent of the tilt in the pilot sample.
    rate: share of candidates that `tilt.acceptance` lets in.
    achieved: the table that the weighted pilot sample has.
    warnings: what to know before relying on it.
    """

    name: str
    rows: tuple[Row, ...]
    unit: np.ndarray
    exponents: np.ndarray
    weights: np.ndarray
    effective: float
    largest: float
    bound: float
    rate: float
    achieved: tuple[Achieved, ...]
    warnings: tuple[str, ...]

    @property
    def worst(self) -> float:
        """The largest difference from the table, in standard deviations."""
        return max(abs(entry.difference) for entry in self.achieved)


def match(
    columns: Columns,
    baseline: Baseline,
    attributes: Mapping[str, Attribute],
    base: np.ndarray | None = None,
    enough: float = 0.05,
) -> Balance:
    """Weights of a pilot sample of twins under which it has the baseline table.

    A row that a table does not have is not asked for; see `Baseline.only` for leaving out rows.

    Args:
      columns: the pilot sample, each of shape (twins,); categories as numbers of levels.
      attributes: what the columns mean.
      base: how many people each twin stands for, shape (twins,), at least 0; equal by default.
      enough: effective share of the pilot sample below which the result carries a warning.

    Raises:
      ValueError: no weights can meet the table; the message names the rows and what would be possible. Or twins lack an
        attribute, a wanted value is not a number, or base weights are negative.
    """
    check(baseline.rows, columns, attributes)
    base = _base(base, len(next(iter(columns.values()))))
    inside = allowed(baseline.rows, columns, attributes) & (base > 0)
    exact = tuple(row for row in baseline.rows if is_exact(row))
    if not inside.any():
        raise ValueError(f"{baseline.name}: no twin has {', '.join(f'{row.label} {row.value:g}' for row in exact)}")
    rows = tuple(row for row in baseline.rows if not is_exact(row))
    pilot = {name: np.asarray(columns[name])[inside] for name in baseline.attributes}
    kept = base[inside] / base[inside].sum()
    reasons = [reason for row in rows if (reason := alone(row, pilot, attributes))]
    if reasons:
        raise ValueError(f"{baseline.name}: {'; '.join(reasons)}")
    unit = scales(rows, pilot, kept)
    g = features(rows, unit, pilot, attributes)
    solution = solve(g, kept)
    if not solution.found:
        raise ValueError(f"{baseline.name}: {together(rows, g, kept, pilot, attributes)}")
    weights = np.zeros_like(base)
    tilt = g @ solution.exponents
    bound = float(tilt.max())
    weights[inside] = kept * np.exp(tilt - bound)
    rate = float(weights.sum() * base[inside].sum())
    weights /= weights.sum()
    effective, largest = float(1 / np.sum(np.square(weights))), float(weights.max())
    return Balance(
        name=baseline.name,
        rows=rows + exact,
        unit=unit,
        exponents=solution.exponents,
        weights=weights,
        effective=effective,
        largest=largest,
        bound=bound,
        rate=rate,
        achieved=achieved(baseline, columns, weights, attributes),
        warnings=_warnings(baseline.name, effective, largest, len(base), enough),
    )


def achieved(
    baseline: Baseline, columns: Columns, weights: np.ndarray, attributes: Mapping[str, Attribute]
) -> tuple[Achieved, ...]:
    """The rows of the table beside what weighted twins have (standard deviations about their own mean)."""
    weights = weights / weights.sum()
    unit = scales(baseline.rows, columns, weights)
    result = []
    for row, size in zip(baseline.rows, unit, strict=True):
        got = float(weights @ raw(row, columns, attributes))
        if row.kind == "sd":
            x = np.asarray(columns[row.attribute], dtype=float)
            got, size = float(np.sqrt(weights @ np.square(x - weights @ x))), row.value
        result.append(Achieved(row, got, float((got - row.value) / size)))
    return tuple(result)


def _base(base: np.ndarray | None, n: int) -> np.ndarray:
    if base is None:
        return np.full(n, 1 / n)
    base = np.asarray(base, dtype=float)
    if base.shape != (n,) or not np.all(np.isfinite(base)) or base.min() < 0 or base.sum() == 0:
        raise ValueError(f"base weights must be {n} numbers of at least 0, not all 0")
    return base / base.sum()


def _warnings(name: str, effective: float, largest: float, n: int, enough: float) -> tuple[str, ...]:
    if effective >= enough * n:
        return ()
    return (
        f"{name}: {n:,} twins count as {effective:,.0f} once they match ({effective / n:.1%}), the heaviest for"
        f" {largest:.1%} of all; the population differs much from this trial's",
    )
