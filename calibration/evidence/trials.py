"""Tables of published trials: what those of all diseases tell alike."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .reading import count, fields, load, mapping, one_of, status
from .regimens import Course

TRIAL = {"title", "citation", "read_in", "status", "week", "arms"}
TRIAL_OPTIONS = {"registry", "table", "note"}


class Figure(Protocol):
    """What is told of an arm at a week."""

    @property
    def week(self) -> int: ...
    @property
    def outcome(self) -> str: ...


R = TypeVar("R", bound=Figure)
B = TypeVar("B")


@dataclass(frozen=True)
class Arm(Generic[R, B]):
    """An arm. n: people analysed; randomised: people assigned. No course is no treatment (psoriasis: placebo)."""

    name: str
    n: int
    randomised: int
    courses: tuple[Course, ...]
    readouts: tuple[R, ...]
    baseline: B

    @property
    def treatments(self) -> tuple[str, ...]:
        """Treatments that it receives, each once."""
        return tuple(dict.fromkeys(course.treatment for course in self.courses))

    def at(self, week: int) -> dict[str, R]:
        """What is told of a week, by outcome."""
        return {readout.outcome: readout for readout in self.readouts if readout.week == week}


class Entry(NamedTuple):
    """A trial as a table has it, the part of it that all diseases tell being read.

    head: key, title, registry, citation, read_in, status, week (of the primary time point), table, note.
    told: the whole entry.
    people: the arms of its baseline table, as the population's tables have them; empty if there is none.
    where: its place in the file.
    """

    head: dict[str, Any]
    told: Mapping[str, Any]
    people: Mapping[str, Any]
    where: str


def entries(
    file: Path, baselines: Path, needed: Collection[str] = (), allowed: Collection[str] = ()
) -> Iterator[Entry]:
    """Trials of a file, whose people are described in a file of baseline tables.

    Args:
      needed: what every trial of this disease tells beside TRIAL.
      allowed: what it may tell beside TRIAL_OPTIONS.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    content = load(file, ("origins", "trials"))
    tables = load(baselines, ("origins", "tables"))["tables"]
    origins = mapping(content["origins"], f"{file.name}: origins")
    for key, told in mapping(content["trials"], f"{file.name}: trials").items():
        where = f"{file.name}: {key}"
        told = fields(told, where, {*TRIAL, *needed}, {*TRIAL_OPTIONS, *allowed})
        table = told.get("table", "")
        if table and table not in tables:
            raise ValueError(f"{where}.table: no baseline table {table!r}")
        head = {
            "key": key,
            "title": str(told["title"]),
            "registry": str(told.get("registry", "")),
            "citation": str(told["citation"]),
            "read_in": str(origins[one_of(told["read_in"], f"{where}.read_in", origins)]),
            "status": status(told["status"], where),
            "week": count(told["week"], f"{where}.week", 1),
            "table": f"{baselines.stem}/{table}" if table else "",
            "note": str(told.get("note", "")),
        }
        yield Entry(head, told, tables[table]["arms"] if table else {}, where)


def arms(entry: Entry) -> Iterator[tuple[str, Any, str]]:
    """Of each arm of a trial: its name, its own entry and its place in the file."""
    for name, told in mapping(entry.told["arms"], f"{entry.where}.arms").items():
        yield name, told, f"{entry.where}.arms.{name}"


def described(told: Mapping[str, Any], people: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """What the baseline table tells of an arm that names its `people`; nothing of one that names none.

    Raises:
      ValueError: the table has no such arm.
    """
    if "people" not in told:
        return {}
    if told["people"] not in people:
        raise ValueError(
            f"{where}.people: the baseline table has no arm {told['people']!r}; it has {', '.join(people)}"
        )
    return people[told["people"]]


def summaries(people: Mapping[str, Any], measured: Iterable[str], shared: Iterable[str]) -> dict[str, float | None]:
    """Means (`age`) and spreads (`age_sd`) of what is measured, and shares; None where they are not told."""
    found: dict[str, float | None] = {}
    for name in measured:
        found |= {name: people.get(name, {}).get("mean"), f"{name}_sd": people.get(name, {}).get("sd")}
    return found | {name: people.get(name, {}).get("share") for name in shared}


def told_once(readouts: Collection[Figure], where: str) -> None:
    """An outcome is told at most once for a week.

    Raises:
      ValueError: it is not.
    """
    if len({(readout.week, readout.outcome) for readout in readouts}) < len(readouts):
        raise ValueError(f"{where}.readouts: tells an outcome of a week twice")
