"""The fit plan: which columns of a table are which attributes of a person, and how a population is fitted to them.

The classes are the schema of the plan's YAML file. Everything in it is data: a plan from somebody else runs nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..messages import explain, nearest
from ..plain import read_mapping
from .units import conversion

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Column = Annotated[str, Field(min_length=1, max_length=200)]
Value = bool | int | float | str
Pair = tuple[Name, Name]

MOST_CELLS = 10_000


class PlanError(ValueError):
    """A plan that cannot be used, one line a mistake."""


class Frozen(BaseModel):
    """Immutable; unknown keys are errors; numbers are numbers (no text, no yes/no)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Frozen):
    """Where the table comes from; a fitted population carries it."""

    citation: str
    note: str = ""


class Keep(Frozen):
    """Which rows stay, by one column of the file; rows without a value go."""

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    one_of: tuple[Value, ...] | None = None

    @model_validator(mode="after")
    def says_something(self) -> "Keep":
        if not self.model_fields_set:
            raise ValueError("expected min, max, above, below or one_of")
        return self


class Design(Frozen):
    """The survey design: columns that together name a stratum, and a sampling unit within its stratum."""

    stratum: tuple[Column, ...] = ()
    cluster: tuple[Column, ...] = Field(min_length=1)


class Category(Frozen):
    """A category: each level with the values that stand for it in the file.

    Values under `blank` mean "not known"; people without a value count as the level `missing`, if one is named.
    """

    column: Column
    about: str = ""
    levels: dict[Name, Value | tuple[Value, ...]] = Field(min_length=2, max_length=50)
    missing: Name | None = None
    blank: tuple[Value, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def agrees(self) -> "Category":
        if self.missing is not None and self.missing not in self.levels:
            raise ValueError(f"missing: no level {self.missing!r}; {nearest(self.missing, self.levels)}")
        seen: dict[str, str] = dict.fromkeys(map(as_text, self.blank), "blank")
        for level, value in self.values():
            if value in seen:
                raise ValueError(f"levels: the value {value!r} stands for both {seen[value]} and {level}")
            seen[value] = level
        return self

    def values(self) -> Iterator[tuple[str, str]]:
        """Each level with each of its values, as text."""
        for level, values in self.levels.items():
            for value in values if isinstance(values, tuple) else (values,):
                yield level, as_text(value)


class Top(Frozen):
    """A top code: values recorded as `at` stand for `at` and beyond, on average `mean`, at most `last`."""

    at: float
    mean: float
    last: float
    note: str = ""

    @model_validator(mode="after")
    def rises(self) -> "Top":
        if not self.at < self.mean < (self.at + self.last) / 2:
            raise ValueError("expected at < mean < (at + last) / 2, since people become fewer beyond the code")
        return self


class Input(Frozen):
    """A column that other numbers are computed from; kept in `file_unit` there, `unit` here. Fields as in Number."""

    column: Column
    unit: str
    file_unit: str | None = None
    substance: str | None = None
    low: float
    high: float
    typical: tuple[float, float] | None = None
    blank: tuple[Value, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def agrees(self) -> "Input":
        _check_range(self)
        return self


class Number(Frozen):
    """A measurement: a column of the file, or computed from two measured ones.

    low, high: what is possible for a person; values outside are mistakes.
    typical: where the median of such a table should lie, which tells pounds from kilograms.
    step: resolution of the measurement. completed: it counts completed steps, as ages count years.
    atoms: single values that many people share, such as the value written for "below detection".
    """

    column: Column | None = None
    about: str = ""
    minus: Pair | None = None
    plus: Pair | None = None
    body_mass: Pair | None = None
    unit: str
    file_unit: str | None = None
    substance: str | None = None
    low: float
    high: float
    typical: tuple[float, float] | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    completed: bool = False
    top: Top | None = None
    atoms: tuple[float, ...] = ()
    blank: tuple[Value, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def agrees(self) -> "Number":
        if (self.column is None) == (operation(self) is None):
            raise ValueError("expected a column, or one of minus, plus, body_mass")
        if self.column is None and (self.file_unit or self.substance or self.blank):
            raise ValueError("file_unit, substance and blank belong to a column; give them under inputs")
        _check_range(self)
        outside = [a for a in self.atoms if not self.low <= a <= self.high]
        if outside:
            raise ValueError(f"atoms: {outside[0]:g} is outside {self.low:g} to {self.high:g}")
        if self.top and not self.low < self.top.at <= self.top.last <= self.high:
            raise ValueError(f"top: {self.top.at:g} to {self.top.last:g} is outside {self.low:g} to {self.high:g}")
        return self


class Derived(Frozen):
    """An attribute computed from drawn numbers; people for whom it lies outside low..high do not exist."""

    about: str = ""
    minus: Pair | None = None
    plus: Pair | None = None
    body_mass: Pair | None = None
    unit: str
    low: float
    high: float
    step: Annotated[float, Field(gt=0)] | None = None
    note: str = ""

    @model_validator(mode="after")
    def agrees(self) -> "Derived":
        if operation(self) is None:
            raise ValueError("expected one of minus, plus, body_mass")
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Band(Frozen):
    """A number cut into bands: each starts at an edge, the last ends at the number's `high`."""

    number: Name
    edges: tuple[float, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def rises(self) -> "Band":
        for before, after in pairwise(self.edges):
            if after <= before:
                raise ValueError(f"edges must rise: {after:g} comes after {before:g}")
        return self


class Cells(Frozen):
    """Groups of people with margins and correlations of their own: each combination of categories and band."""

    by: tuple[Name, ...] = ()
    band: Band | None = None


class Plan(Frozen):
    """How a population is fitted to a table.

    keep: a row stays if it meets all of these. drop: a row goes if it meets all parts of one of these.
    weight_factors: what the weights of rows with a value of a column are multiplied by.
    borrow: people that the margins of a cell borrow from its wider group. borrow_correlations: people that the
    correlations of everyone in the band count for beside those of a cell.
    """

    name: Name
    about: str
    source: Source
    keep: dict[Column, Keep] = {}
    drop: tuple[dict[Column, Keep], ...] = ()
    weights: Column | None = None
    weight_factors: dict[Column, dict[str, Annotated[float, Field(gt=0)]]] = {}
    design: Design | None = None
    categories: dict[Name, Category] = {}
    inputs: dict[Name, Input] = {}
    numbers: dict[Name, Number] = Field(min_length=2, max_length=200)
    derived: dict[Name, Derived] = {}
    cells: Cells = Cells()
    borrow: Annotated[float, Field(ge=0)] = 20
    borrow_correlations: Annotated[float, Field(ge=0)] = 200

    @model_validator(mode="after")
    def names_are_single(self) -> "Plan":
        seen: dict[str, str] = {}
        for part in ("categories", "inputs", "numbers", "derived"):
            for name in getattr(self, part):
                if name in seen and (part, seen[name]) != ("derived", "inputs"):  # measured here, computed in twins
                    raise ValueError(f"{part}.{name}: the name is taken, under {seen[name]}")
                seen[name] = part
        return self

    @model_validator(mode="after")
    def operands_exist(self) -> "Plan":
        known: dict[str, str] = {name: entry.unit for name, entry in self.inputs.items()}
        known |= {name: entry.unit for name, entry in self.numbers.items() if entry.column is not None}
        for name, number in self.numbers.items():
            _check_operation(f"numbers.{name}", number, known)
        known = {name: entry.unit for name, entry in self.numbers.items()}
        for name, attribute in self.derived.items():
            _check_operation(f"derived.{name}", attribute, known)
            known[name] = attribute.unit
        return self

    @model_validator(mode="after")
    def cells_exist(self) -> "Plan":
        count = 1
        for name in self.cells.by:
            if name not in self.categories:
                raise ValueError(f"cells.by: no category {name!r}; {nearest(name, self.categories)}")
            count *= len(self.categories[name].levels)
        if len(set(self.cells.by)) < len(self.cells.by):
            raise ValueError("cells.by: a category is named twice")
        if self.cells.band is not None:
            band = self.cells.band
            if band.number not in self.numbers:
                raise ValueError(f"cells.band: no number {band.number!r}; {nearest(band.number, self.numbers)}")
            number = self.numbers[band.number]
            if not (number.low <= band.edges[0] and band.edges[-1] < number.high):
                raise ValueError(f"cells.band: edges must lie within {number.low:g} to {number.high:g} {number.unit}")
            count *= len(band.edges)
        if count > MOST_CELLS:
            raise ValueError(f"cells: {count:,} of them are too many (at most {MOST_CELLS:,})")
        return self


def read_plan(file: Path) -> Plan:
    """The plan in a YAML file.

    Raises:
      PlanError: what is wrong, one line a mistake.
    """
    try:
        data = read_mapping(file, "a fit plan")
    except ValueError as error:
        raise PlanError(str(error)) from None
    try:
        return Plan.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        origins = dict.fromkeys((*Plan.model_fields, *data, ""), str(file))
        raise PlanError("\n".join(explain(error, Plan, data, origins))) from None


def with_derived(plan: Plan, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and what the plan derives from them; any kind of array, any shape."""
    found = dict(numbers)
    for name, attribute in plan.derived.items():
        found[name] = compute(attribute, found)
    return found


def compute(entry: Number | Derived, numbers: Mapping[str, Any]) -> Any:
    """What a constructed number or a derived attribute comes to."""
    kind, operands = operation(entry) or ("", ())
    first, second = (numbers[name] for name in operands)
    if kind == "minus":
        return first - second
    if kind == "plus":
        return first + second
    return first * (second / 100) ** 2  # body mass, kg, from its index, kg/m2, and height, cm


def operation(entry: Number | Derived) -> tuple[str, Pair] | None:
    """The one operation of an entry with its two operands; none where there is none, or more than one."""
    found = [(kind, getattr(entry, kind)) for kind in ("minus", "plus", "body_mass") if getattr(entry, kind)]
    return found[0] if len(found) == 1 else None


def as_text(value: object) -> str:
    """A value of a column as text, so that 1, 1.0 and "1.0" are one value, and True and "TRUE" are "true"."""
    word = str(value).strip()
    if word.lower() in ("true", "false"):
        return word.lower()
    whole = re.fullmatch(r"([+-]?\d+)\.0+", word)
    return whole[1] if whole else word


def _check_range(entry: Input | Number) -> None:
    if not entry.low < entry.high:
        raise ValueError(f"low {entry.low:g} is not below high {entry.high:g}")
    if entry.typical and not entry.typical[0] < entry.typical[1]:
        raise ValueError("typical: expected two rising numbers")
    if entry.file_unit is not None:
        conversion(entry.file_unit, entry.unit, entry.substance)


def _check_operation(where: str, entry: Number | Derived, known: Mapping[str, str]) -> None:
    found = operation(entry)
    if found is None:
        return
    kind, operands = found
    for operand in operands:
        if operand not in known:
            raise ValueError(f"{where}: {kind} of {operand!r}, which is not there; {nearest(operand, known)}")
    units = [known[operand] for operand in operands]
    expected = (["kg/m2", "cm"], "kg") if kind == "body_mass" else ([entry.unit] * 2, entry.unit)
    if (units, entry.unit) != expected:
        raise ValueError(
            f"{where}: {kind} gives {expected[1]} from {' and '.join(expected[0])}; "
            f"here it should give {entry.unit} from {' and '.join(units)}"
        )
