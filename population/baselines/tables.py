"""Baseline tables as data: what a trial reports of the people it enrolled, one row a number."""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from ...core.parameters import STATUSES
from .pooling import Group, people, pooled_mean, pooled_sd

HERE = Path(__file__).parent
FIELDS = {"trial", "registry", "citation", "read_in", "status", "note", "arms"}
ENTRY = {"mean", "sd", "share", "levels", "median", "quartiles", "ranges", "status", "note"}


class Row(NamedTuple):
    """One number of a baseline table.

    attribute: the name it has among twins.
    kind: mean, sd, or the share of people who have a yes, a level, or a number in (low, high].
    value: in the attribute's unit, or from 0 to 1.
    level: the level of a category or grade; several that are counted together are joined by `+`.
    about: the mean that an sd belongs to.
    n: people it comes from.
    """

    attribute: str
    kind: Literal["mean", "sd", "share"]
    value: float
    level: str | None = None
    low: float = -math.inf
    high: float = math.inf
    about: float = 0.0
    n: int = 0
    status: str = "measured"
    note: str = ""

    @property
    def label(self) -> str:
        """What the row is, e.g. `age sd` or `iga 3`."""
        if self.kind != "share":
            return f"{self.attribute} {self.kind}"
        if self.level is not None:
            return f"{self.attribute} {self.level}"
        if math.isinf(self.low) and math.isinf(self.high):
            return self.attribute
        ends = [f"over {self.low:g}"] * math.isfinite(self.low) + [f"up to {self.high:g}"] * math.isfinite(self.high)
        return f"{self.attribute} {' '.join(ends)}"


class Baseline(NamedTuple):
    """A baseline table, its arms taken together."""

    name: str
    trial: str
    registry: str
    citation: str
    read_in: str  # where the numbers were read, in full
    note: str
    n: int
    rows: tuple[Row, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that it describes, in order."""
        return tuple(dict.fromkeys(row.attribute for row in self.rows))

    def only(self, attributes: Collection[str]) -> "Baseline":
        """The table without the rows of other attributes."""
        return self._replace(rows=tuple(row for row in self.rows if row.attribute in attributes))


def read_baselines(file: Path) -> dict[str, Baseline]:
    """The tables of a file, by `stem/name`, e.g. `psoriasis/erasure`; arms are pooled by their numbers of people.

    Raises:
      ValueError: the file is no such file, or a number is missing, impossible or not a number.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file.name}: no valid YAML: {error}") from None
    if not isinstance(content, Mapping) or set(content) != {"origins", "tables"}:
        raise ValueError(f"{file.name}: expected two entries, origins and tables")
    origins, tables = (_mapping(content[part], f"{file.name}: {part}") for part in ("origins", "tables"))
    names = {name: f"{file.stem}/{name}" for name in tables}
    return {names[name]: _table(names[name], entry, origins, f"{file.name}: {name}") for name, entry in tables.items()}


def _table(name: str, entry: Any, origins: Mapping[str, str], where: str) -> Baseline:
    entry = _mapping(entry, where)
    _known(entry, FIELDS, where)
    missing = {"trial", "citation", "read_in", "status", "arms"} - set(entry)
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}")
    if entry["read_in"] not in origins:
        raise ValueError(f"{where}.read_in: {entry['read_in']!r} is none of the origins {', '.join(origins)}")
    arms = _mapping(entry["arms"], f"{where}.arms")
    if not arms:
        raise ValueError(f"{where}.arms: there is none")
    where = f"{where}.arms"
    rows: list[Row] = []
    sizes = {arm: _count(_mapping(told, f"{where}.{arm}").get("n"), f"{where}.{arm}.n") for arm, told in arms.items()}
    for attribute in dict.fromkeys(name for told in arms.values() for name in told if name != "n"):
        rows += _rows(
            attribute,
            [
                (sizes[arm], _entry(told[attribute], entry["status"], f"{where}.{arm}.{attribute}"), f"{where}.{arm}")
                for arm, told in arms.items()
                if attribute in told
            ],
        )
    return Baseline(
        name=name,
        trial=str(entry["trial"]),
        registry=str(entry.get("registry", "")),
        citation=str(entry["citation"]),
        read_in=str(origins[entry["read_in"]]),
        note=str(entry.get("note", "")),
        n=sum(sizes.values()),
        rows=tuple(rows),
    )


Told = list[tuple[int, dict[str, Any], str]]  # of each arm: people, entry, place in the file


def _rows(attribute: str, told: Told) -> Iterator[Row]:
    """The rows of one attribute, over the arms that report it."""
    status = "assumed" if any(entry["status"] == "assumed" for _, entry, _ in told) else told[0][1]["status"]
    note = "; ".join(dict.fromkeys(str(entry["note"]) for _, entry, _ in told if "note" in entry))
    plain = Row(attribute, "mean", math.nan, status=status, note=note)
    means = [Group(n, entry["mean"], entry.get("sd")) for n, entry, _ in told if "mean" in entry]
    if means:
        mean = pooled_mean(means)
        yield plain._replace(value=mean, n=people(means))
        spread = [group for group in means if group.sd is not None]
        if spread:
            yield plain._replace(kind="sd", value=pooled_sd(spread), about=mean, n=people(spread))
    for groups, of in _shares(told):
        yield plain._replace(kind="share", value=pooled_mean(groups), n=people(groups), **of)


def _shares(told: Told) -> Iterator[tuple[list[Group], dict[str, Any]]]:
    """Every share that an arm reports: of the arms that report it, the people and shares; and what it is a share of."""
    found: dict[str, tuple[list[Group], dict[str, Any]]] = {}
    for n, entry, where in told:
        for key, share, of in _shares_of(entry):
            if key.startswith("quantile") and len(told) > 1:
                raise ValueError(f"{where}: medians and quartiles of several arms cannot be pooled; give those of all")
            found.setdefault(key, ([], of))[0].append(Group(n, share))
    yield from found.values()


def _shares_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, float, dict[str, Any]]]:
    if "share" in entry:
        yield "yes", entry["share"], {}
    for level, share in entry.get("levels", {}).items():
        yield f"level {level}", share, {"level": level}
    quantiles = dict(zip((0.25, 0.75), entry.get("quartiles", ()), strict=False))
    if "median" in entry:
        quantiles[0.5] = entry["median"]
    for share, end in sorted(quantiles.items()):
        yield f"quantile {share}", share, {"high": end}
    for part in entry.get("ranges", ()):
        low, high = part.get("over", -math.inf), part.get("up_to", math.inf)
        yield f"range {low} {high}", part["share"], {"low": low, "high": high}


def _entry(entry: Any, status: str, where: str) -> dict[str, Any]:
    """An arm's entry of one attribute, checked."""
    entry = {"status": status, **_mapping(entry, where)}
    _known(entry, ENTRY, where)
    if entry["status"] not in STATUSES:
        raise ValueError(f"{where}: status {entry['status']!r} is none of {', '.join(STATUSES)}")
    if len(set(entry) - {"status", "note"}) == 0:
        raise ValueError(f"{where}: gives no number")
    for name in ("mean", "sd", "median"):
        if name in entry:
            entry[name] = _number(entry[name], f"{where}.{name}")
    if "sd" in entry and ("mean" not in entry or entry["sd"] <= 0):
        raise ValueError(f"{where}.sd: needs a mean beside it and must be above 0")
    if "share" in entry:
        entry["share"] = _share(entry["share"], f"{where}.share")
    if "levels" in entry:
        levels = _mapping(entry["levels"], f"{where}.levels")
        entry["levels"] = {str(level): _share(share, f"{where}.levels.{level}") for level, share in levels.items()}
        if sum(entry["levels"].values()) > 1 + 1e-9:
            raise ValueError(f"{where}.levels: the shares add up to {sum(entry['levels'].values()):g}, more than 1")
    if "quartiles" in entry:
        entry["quartiles"] = _quartiles(entry, where)
    entry["ranges"] = [_range(part, f"{where}.ranges") for part in entry.get("ranges", [])]
    return entry


def _quartiles(entry: Mapping[str, Any], where: str) -> list[float]:
    quartiles = entry["quartiles"]
    if not isinstance(quartiles, list) or len(quartiles) != 2:
        raise ValueError(f"{where}.quartiles: expected two numbers, the first and the third quartile")
    first, third = (_number(value, f"{where}.quartiles") for value in quartiles)
    if not first < third or not first <= entry.get("median", first) <= third:
        raise ValueError(f"{where}: quartiles {first:g} and {third:g} and the median are out of order")
    return [first, third]


def _range(part: Any, where: str) -> dict[str, float]:
    part = _mapping(part, where)
    _known(part, {"over", "up_to", "share"}, where)
    if "share" not in part or len(part) < 2:
        raise ValueError(f"{where}: needs a share and an end, over or up_to")
    numbers = {end: _number(part[end], f"{where}.{end}") for end in ("over", "up_to") if end in part}
    if len(numbers) == 2 and not numbers["over"] < numbers["up_to"]:
        raise ValueError(f"{where}: over {numbers['over']:g} is not below up_to {numbers['up_to']:g}")
    return {**numbers, "share": _share(part["share"], f"{where}.share")}


def _mapping(entry: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected names and values, got {entry!r}")
    return entry


def _known(entry: Mapping[str, Any], names: set[str], where: str) -> None:
    unknown = set(entry) - names
    if unknown:
        raise ValueError(
            f"{where}: unknown {', '.join(sorted(map(str, unknown)))}; there are {', '.join(sorted(names))}"
        )


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}: expected a number, got {value!r}; leave out what is not reported")
    return float(value)


def _share(value: Any, where: str) -> float:
    share = _number(value, where)
    if not 0 <= share <= 1:
        raise ValueError(f"{where}: a share is from 0 to 1, got {share:g}" + (" (a percentage?)" if share > 1 else ""))
    return share


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{where}: expected a number of people, got {value!r}")
    return value


BASELINES: dict[str, Baseline] = read_baselines(HERE / "psoriasis.yaml") | read_baselines(HERE / "acne.yaml")
