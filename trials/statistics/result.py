"""One statistic of one analysis, with everything needed to trace it, and its table."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from typing import Any

import pyarrow as pa

TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}
TRACED = ("analysis", "method", "options", "statistic", "engine", "engine_version")


def _about(text: str) -> Any:
    return field(metadata={"about": text})


@dataclass(frozen=True)
class Result:
    """One row of the results: a number, its uncertainty, and how it came about.

    The descriptions of the fields travel with the table (`to_arrow`).
    """

    analysis: str = _about("name of the analysis in the study; by_visit and mean_by_visit describe each visit")
    role: str = _about("primary, secondary, exploratory or descriptive")
    outcome: str = _about("name of the outcome in the disease model")
    week: int = _about("planned week of the visit; baseline is week 0")
    population: str = _about("analysis population")
    intercurrent: str = _about(
        "strategy for intercurrent events: composite, treatment_policy, while_on_treatment, hypothetical"
    )
    arm: str = _about("arm that the figure describes, or that is compared")
    comparator: str = _about("arm compared with; empty for a figure of one arm")
    method: str = _about("statistical method")
    options: str = _about("options of the method, as JSON with sorted keys")
    statistic: str = _about("what is estimated; a difference is arm minus comparator, a ratio arm over comparator")
    estimate: float = _about("point estimate; NaN where it does not exist, the note says why")
    low: float = _about("lower confidence limit")
    high: float = _about("upper confidence limit")
    level: float = _about("confidence level of the two-sided interval")
    se: float = _about("standard error, on the log scale for a ratio; NaN if the method has none")
    p: float = _about("two-sided p-value of no difference, not adjusted for multiplicity; NaN if there is no test")
    n: int = _about("twins of the arm in the analysis")
    n_comparator: int = _about("twins of the comparator in the analysis")
    events: int = _about("responders among the twins of the arm; 0 for a continuous outcome")
    events_comparator: int = _about("responders among the twins of the comparator; 0 for a continuous outcome")
    missing: int = _about("twins of these arms without a value: non-responders under composite, left out otherwise")
    engine: str = _about("package that computed the estimate and its interval")
    engine_version: str = _about("version of that package")
    note: str = _about("what a reader must know about this figure; empty if nothing")


@dataclass(frozen=True)
class Finding:
    """The part of a result that a statistical method knows."""

    arm: str
    comparator: str
    method: str
    options: dict[str, Any]
    statistic: str
    estimate: float
    low: float
    high: float
    n: int
    se: float = math.nan
    p: float = math.nan
    n_comparator: int = 0
    events: int = 0
    events_comparator: int = 0
    missing: int = 0
    engine: str = "statsmodels"
    note: str = ""


def joined(*notes: str) -> str:
    """Notes as one text; empty ones fall away."""
    return "; ".join(note for note in notes if note)


@cache
def engine_version(engine: str) -> str:
    """The installed version of a package that computes."""
    return version(engine)


def to_arrow(results: Iterable[Result]) -> pa.Table:
    """Results as a table with a fixed schema, in the order given; each field carries its description.

    Raises:
      ValueError: a result does not say by which method, options and version it came about.
    """
    rows = list(results)
    for number, row in enumerate(rows):
        for name in TRACED:
            if not getattr(row, name):
                raise ValueError(f"result {number} ({row.analysis!r}, {row.statistic!r}): {name} is empty; give it")
    return pa.table({f.name: [getattr(row, f.name) for row in rows] for f in fields(Result)}, schema=SCHEMA)


def from_arrow(table: pa.Table) -> list[Result]:
    """The results that `to_arrow` wrote.

    Raises:
      ValueError: a column is missing, unknown or of another type.
    """
    for wanted in SCHEMA:
        if wanted.name not in table.column_names:
            raise ValueError(f"results lack the column {wanted.name!r}")
        found = table.schema.field(wanted.name).type
        if found != wanted.type:
            raise ValueError(f"results: column {wanted.name!r} is {found}, expected {wanted.type}")
    unknown = sorted(set(table.column_names) - set(SCHEMA.names))
    if unknown:
        raise ValueError(f"results: unknown columns {', '.join(unknown)}")
    return [Result(**row) for row in table.to_pylist()]


SCHEMA = pa.schema(
    [pa.field(f.name, TYPES[f.type], metadata={"description": f.metadata["about"]}) for f in fields(Result)]  # pyright: ignore[reportArgumentType]
)
