"""A published fact beside what the model says of it, and whether the model meets it."""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...core.parameters import Table, read_table
from ..evidence.facts import Fact as Published

HERE = Path(__file__).parent
NOTHING = math.nan
COLUMNS = (
    *("check", "group", "about", "unit", "observed_low", "observed_high", "low", "high", "predicted", "met"),
    *("rule", "status", "source", "calibrated", "answered"),
)


class Found(NamedTuple):
    """What the model says of a fact.

    observed: as told, one number or from low to high; low, high: between which `predicted` meets it, by `rule`, in
    words. calibrated: whether a parameter of the model was chosen or estimated by this very fact. answered: whether the
    model has anything to say; if not, `rule` tells why.
    """

    check: str
    group: str
    about: str
    unit: str
    observed: tuple[float, float]
    low: float
    high: float
    predicted: float
    rule: str
    status: str
    source: str
    calibrated: bool = False
    answered: bool = True

    @property
    def met(self) -> bool:
        """Whether the prediction lies within the limits; what is not a number does not."""
        return bool(self.low <= self.predicted <= self.high)


@cache
def given() -> Table:
    """What is taken for given."""
    return read_table(HERE / "checks.yaml", sources=HERE / "sources.yaml")


def number(name: str) -> float:
    """One of the numbers that are taken for given."""
    return given().value(name)


def about(published: Published, group: str, told: str, unit: str, calibrated: bool = False, **more: Any) -> Found:
    """A fact of the evidence's tables; more: what else a `Found` has."""
    return Found(
        published.key,
        group,
        told,
        unit,
        status=published.status,
        source=published.source,
        calibrated=calibrated,
        **more,
    )


def near(value: float, tolerance: float) -> dict[str, Any]:
    """Told as one number, met within a tolerance."""
    return {
        "observed": (value, value),
        "low": value - tolerance,
        "high": value + tolerance,
        "rule": f"within {tolerance:g} of it",
    }


def between(low: float, high: float, tolerance: float = 0.0) -> dict[str, Any]:
    """Told as a range, met inside it, or so little outside."""
    rule = f"inside, or within {tolerance:g}" if tolerance else "inside"
    return {"observed": (low, high), "low": low - tolerance, "high": high + tolerance, "rule": rule}


def at_most(limit: float, observed: tuple[float, float] | None = None, rule: str = "") -> dict[str, Any]:
    """Met at a limit or below."""
    told = (limit, limit) if observed is None else observed
    return {"observed": told, "low": -math.inf, "high": limit, "rule": rule or f"at most {limit:g}"}


def at_least(limit: float, observed: tuple[float, float] | None = None, rule: str = "") -> dict[str, Any]:
    """Met at a limit or above."""
    told = (limit, limit) if observed is None else observed
    return {"observed": told, "low": limit, "high": math.inf, "rule": rule or f"at least {limit:g}"}


def unanswered(low: float, high: float, why: str) -> dict[str, Any]:
    """A fact of which the model says nothing."""
    told = {"observed": (low, high), "low": low, "high": high, "predicted": NOTHING, "rule": why}
    return told | {"answered": False}


def frame(found: Iterable[Found]) -> pd.DataFrame:
    """Facts as a table of COLUMNS, one a row.

    Raises:
      ValueError: a fact is told twice.
    """
    rows: list[Mapping[str, Any]] = []
    for fact in found:
        row = fact._asdict()
        low, high = row.pop("observed")
        rows.append(row | {"observed_low": low, "observed_high": high, "met": fact.met})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    twice = table.check[table.check.duplicated()]
    if len(twice):
        raise ValueError(f"told twice: {', '.join(twice)}")
    return table


def largest_fall(values: np.ndarray, n: int) -> float:
    """The lowest of n people, on average, who are drawn from these with replacement."""
    ascending = np.sort(values)
    reached = 1 - np.arange(len(values) + 1) / len(values)
    return float(ascending @ -np.diff(reached**n))
