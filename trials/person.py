"""`cutis population person`: twins of one person from what a clinic has measured."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..cluster import store
from ..population.attributes import Attribute
from ..population.fitting.units import MOLAR_MASSES, convert, others
from ..population.fitting.units import SUBSTANCES as COMMON
from ..population.messages import explain, nearest
from ..population.plain import read_mapping
from . import pairs
from .errors import BadInput

SUBSTANCES = COMMON | {"non_hdl": "cholesterol"}
COUNT = 1000  # twins of a person, if not said otherwise
FEW = 300  # effective candidates; fewer are told, since quantiles of them err by a tenth of an SD or more
SHOWN = (0.05, 0.5, 0.95)


class Value(BaseModel):
    """A measurement: a number with its unit and the SD of its error, or a level."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    value: bool | float | str
    unit: str | None = None
    sd: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("value", mode="before")
    @classmethod
    def one_value(cls, value: Any) -> Any:
        if isinstance(value, bool | str) or (isinstance(value, int | float) and math.isfinite(value)):
            return value
        raise ValueError(f"expected a number or a level, got {value}")


class Person(BaseModel):
    """What is known of one person; `measured` by attribute, each a value alone or with `unit` and `sd`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    about: str = ""
    measured: dict[str, Value]

    @field_validator("measured")
    @classmethod
    def says_something(cls, measured: dict[str, Value]) -> dict[str, Value]:
        if not measured:
            raise ValueError("expected at least one measurement, such as age: 34")
        return measured

    @model_validator(mode="before")
    @classmethod
    def spelled_out(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("measured"), dict):
            entries = {k: v if isinstance(v, dict) else {"value": v} for k, v in data["measured"].items()}
            return {**data, "measured": entries}
        return data


def person(file: Path, words: Sequence[str]) -> Iterator[str]:
    """Twins of the person in a file, summarised beside people in general; written to `out` if it is given.

    Raises:
      BadInput: the file or a measurement cannot be used.
    """
    told: dict[str, Any] = {"size": COUNT, "seed": 0} | pairs.read(
        words, {"size": pairs.whole(10, 100_000), "seed": pairs.whole(0, 2**63 - 1), "out": pairs.text}
    )
    known = _read(file)
    if "out" in told and Path(told["out"]).exists():
        raise BadInput(f"out={told['out']}: something is there already; name a new file")
    from ..core.keys import root  # deferred: what follows imports JAX
    from ..population import stream
    from ..population.person import CANDIDATES, twins_of
    from ..population.sample import POPULATIONS

    source = POPULATIONS["us_general"]
    general, numbers, skin = _sorted(file, known, source.attributes)
    try:
        found = twins_of(general, numbers, skin, told["size"], told["seed"])
    except ValueError as error:
        raise BadInput(f"{file}: {error}") from None
    mine = {name: values for name, values in found.attributes.items() if name in source.attributes}
    if "out" in told:
        present = {name: attribute for name, attribute in source.attributes.items() if name in mine}
        kept = {name: mine[name].astype(stream.STORED[a.kind].to_pandas_dtype()) for name, a in present.items()}
        store.write(Path(told["out"]), stream.encode(stream.table(present, 0, kept)))
    everyone = stream.draw(source, root(told["seed"]), 0, stream.BATCH)
    yield f"{told['size']:,} simulated twins of one person ({file}), beside simulated people in general"
    yield f"{CANDIDATES:,} candidates, weighted by what was measured, count for {found.effective:,.0f}"
    if found.effective < FEW:
        yield f"fewer than {FEW} make a rough answer; is every measurement right?"
    yield ""
    yield f"{'median (5 to 95 %)':<26}{'unit':<9}{'measured':<18}{'this person':<31}people in general"
    for name, attribute in source.attributes.items():
        if attribute.kind == "number" and name in mine:
            given = _given(file, name, known.measured.get(name), attribute.unit)
            unit = attribute.unit if attribute.unit != "1" else ""
            yield f"{name:<26}{unit:<9}{given:<18}{_span(mine[name]):<31}{_span(everyone[name])}"
    yield ""
    yield f"{'share':<26}{'':<9}{'known':<18}{'this person':<31}people in general"
    for name, attribute in source.attributes.items():
        if attribute.kind != "number" and name in mine:
            for label, code in _levels(attribute):
                given = _told(name in known.measured, attribute, bool(np.all(mine[name] == code)))
                shares = (f"{np.mean(columns[name] == code):.1%}" for columns in (mine, everyone))
                yield "{:<35}{:<18}{:<31}{}".format(label, given, *shares)
    if "out" in told:
        yield f"\ntwins: {told['out']}"


def _read(file: Path) -> Person:
    try:
        data = read_mapping(file, "what is known of a person")
    except ValueError as error:
        raise BadInput(str(error)) from None
    try:
        return Person.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        origins = dict.fromkeys((*Person.model_fields, *data, ""), str(file))
        raise BadInput("\n".join(explain(error, Person, data, origins))) from None


def _sorted(
    file: Path, known: Person, attributes: Mapping[str, Attribute]
) -> tuple[dict[str, int], dict[str, Any], dict[str, tuple[Any, float]]]:
    """Measurements as levels and numbers of the general part, and those of the skin layer."""
    from ..population.general.condition import Measurement
    from ..population.skin.attributes import ATTRIBUTES as SKIN

    levels: dict[str, int] = {}
    numbers: dict[str, Any] = {}
    skin: dict[str, tuple[Any, float]] = {}
    for name, entry in known.measured.items():
        where = f"{file}: measured.{name}"
        if name not in attributes:
            raise BadInput(f"{where}: no such attribute; {nearest(name, attributes)}")
        attribute = attributes[name]
        if attribute.kind == "number":
            value = _number(where, name, entry, attribute.unit)
            if name in SKIN:
                skin[name] = value
            else:
                numbers[name] = Measurement(*value)
        elif entry.unit is not None or entry.sd:
            raise BadInput(f"{where}: a level has neither a unit nor an sd")
        elif name in SKIN:
            skin[name] = (entry.value, 0.0)
        else:
            levels[name] = _level(where, name, entry, attribute.levels or ("no", "yes"))
    return levels, numbers, skin


def _level(where: str, name: str, entry: Value, known: tuple[str, ...]) -> int:
    if name == "smoker":
        raise BadInput(f"{where}: give smoking instead: never, former or current")
    value = entry.value
    word = ("no", "yes")[value] if isinstance(value, bool) else value if isinstance(value, str) else f"{value:g}"
    if word not in known:
        raise BadInput(f"{where}: no level {word!r}; {nearest(word, known)}")
    return known.index(word)


def _number(where: str, name: str, entry: Value, unit: str) -> tuple[float, float]:
    """A value and the SD of its error, in the unit of the attribute."""
    if isinstance(entry.value, bool | str):
        raise BadInput(f"{where}: expected a number in {unit}, got {entry.value!r}")
    if entry.unit in (None, unit):
        return entry.value, entry.sd
    substance = SUBSTANCES.get(name, name)
    known = [unit, *others(unit, substance if substance in MOLAR_MASSES else None)]
    if entry.unit not in known:
        raise BadInput(f"{where}: the unit {entry.unit!r} does not fit; choose from {', '.join(known)}")
    ends = convert(np.array([0.0, entry.value, entry.sd]), entry.unit, unit, substance)
    return float(ends[1]), float(ends[2] - ends[0])


def _given(file: Path, name: str, entry: Value | None, unit: str) -> str:
    """A measured number with the SD of its error, in the unit of the attribute."""
    if entry is None:
        return ""
    value, sd = _number(f"{file}: measured.{name}", name, entry, unit)
    return f"{value:.4g}" + (f" (sd {sd:.2g})" if sd else "")


def _told(known: bool, attribute: Attribute, has: bool) -> str:
    if not known or not (has or attribute.kind == "yes/no"):
        return ""
    return "yes" if has else "no"


def _levels(attribute: Attribute) -> Iterator[tuple[str, int]]:
    """Each level of a category as it is shown and as it is stored; of yes and no, yes alone."""
    if attribute.kind == "yes/no":
        yield attribute.name, 1
        return
    for number, level in enumerate(attribute.levels or ()):
        yield f"{attribute.name} {level}", int(level) if attribute.kind == "grade" else number


def _span(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values.astype(float), SHOWN)
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"
