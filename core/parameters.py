"""Parameter tables: every number with its unit, its spread between people, its status and its source."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STATUSES = ("measured", "calibrated", "assumed")
SPREADS = ("lognormal", "normal", "logit-normal")


@dataclass(frozen=True)
class Source:
    """Where a number comes from: the full citation, and how it was read."""

    key: str
    citation: str
    note: str = ""


@dataclass(frozen=True)
class Spread:
    """Between-subject variability: `sd` on the scale that `kind` names (log, natural, logit)."""

    kind: str
    sd: float


@dataclass(frozen=True)
class Uncertainty:
    """How well an estimate is known: standard deviation `sd` on a `scale` (log, logit), and the one before the data,
    `prior_sd`."""

    scale: str
    sd: float
    prior_sd: float


@dataclass(frozen=True)
class Parameter:
    """One number of a model."""

    name: str
    about: str
    value: float
    unit: str
    status: str
    source: str
    spread: Spread | None = None
    note: str = ""
    uncertainty: Uncertainty | None = None
    spread_uncertainty: Uncertainty | None = None


class Table(Mapping[str, Parameter]):
    """Parameters by dotted name (`drugs.adalimumab.clearance`), with the sources they cite."""

    def __init__(self, parameters: Mapping[str, Parameter], sources: Mapping[str, Source]) -> None:
        self._parameters = dict(parameters)
        self.sources = dict(sources)

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def value(self, name: str) -> float:
        """The typical value of a parameter, in its own unit."""
        return self[name].value

    def sd(self, name: str) -> float:
        """The between-subject standard deviation, on the scale of the spread's kind; 0 without spread."""
        spread = self[name].spread
        return spread.sd if spread else 0.0

    def numbers(self) -> dict[str, float]:
        """What a model computes with: each value by its name, each spread's SD by `name:sd`."""
        spreads = {f"{name}:sd": p.spread.sd for name, p in self.items() if p.spread}
        return {name: p.value for name, p in self.items()} | spreads

    def within(self, prefix: str) -> dict[str, Parameter]:
        """The parameters below a prefix, by the rest of their name."""
        head = prefix + "."
        return {name.removeprefix(head): p for name, p in self.items() if name.startswith(head)}


def read_table(*files: Path, sources: Path) -> Table:
    """Read parameter files (nested mappings whose leaves carry `value`) and the sources they cite.

    Raises:
      ValueError: a leaf lacks unit, status or source, or cites a source that is not listed.
    """
    known = {key: Source(key, **entry) for key, entry in _load(sources).items()}
    parameters: dict[str, Parameter] = {}
    for file in files:
        for name, leaf in _leaves(_load(file)):
            where = f"{file.name}: {name}"
            if name in parameters:
                raise ValueError(f"{where}: defined twice")
            parameters[name] = _parameter(name, leaf, where)
            if parameters[name].source not in known:
                raise ValueError(f"{where}: source {parameters[name].source!r} is not in {sources.name}")
    return Table(parameters, known)


def joined(tables: Mapping[str, Table]) -> Table:
    """Several tables as one: parameters behind the name of their table, the notes on a source put together.

    Raises:
      ValueError: two tables mean different sources by one key.
    """
    parameters = {f"{head}.{name}": p for head, table in tables.items() for name, p in table.items()}
    sources: dict[str, Source] = {}
    for head, table in tables.items():
        for key, source in table.sources.items():
            known = sources.get(key, source)
            if known.citation != source.citation:
                raise ValueError(f"{head}: source {key!r} is another one elsewhere")
            notes = dict.fromkeys(note for note in (known.note, source.note) if note)
            sources[key] = Source(key, source.citation, " ".join(notes))
    return Table(parameters, sources)


def _load(file: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml was built in
    return yaml.load(file.read_text(encoding="utf-8"), Loader=loader)


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, child in node.items():
        name = f"{prefix}{key}"
        if isinstance(child, Mapping) and "value" in child:
            yield name, child
        elif isinstance(child, Mapping):
            yield from _leaves(child, f"{name}.")
        else:
            raise ValueError(f"{name}: expected a parameter (with a value, unit, status, source) or a group of them")


def _parameter(name: str, leaf: Mapping[str, Any], where: str) -> Parameter:
    missing = {"about", "value", "unit", "status", "source"} - set(leaf)
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}")
    if leaf["status"] not in STATUSES:
        raise ValueError(f"{where}: status {leaf['status']!r} is none of {', '.join(STATUSES)}")
    known = ("uncertainty", "spread_uncertainty")
    rest = {key: item for key, item in leaf.items() if key not in ("value", "spread", *known)}
    try:
        rest |= {key: Uncertainty(**leaf[key]) for key in known if key in leaf}
        return Parameter(name=name, value=float(leaf["value"]), spread=_spread(leaf.get("spread"), where), **rest)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _spread(entry: Mapping[str, Any] | None, where: str) -> Spread | None:
    """A spread is given as `sd`, or, where people report it so, as `cv` of a log-normal."""
    if entry is None:
        return None
    kind = entry.get("kind")
    if kind not in SPREADS or len(entry) != 2 or not {"sd", "cv"} & set(entry):
        raise ValueError(f"{where}: spread needs a kind ({', '.join(SPREADS)}) and one of sd, cv")
    if "cv" in entry and kind != "lognormal":
        raise ValueError(f"{where}: cv is for a lognormal spread")
    return Spread(kind, float(entry["sd"]) if "sd" in entry else math.sqrt(math.log1p(float(entry["cv"]) ** 2)))
