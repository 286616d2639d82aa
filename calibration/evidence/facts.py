"""Single published facts that a model must reproduce beside the arms of trials."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .reading import count, load, mapping, number, one_of, status

ORIGIN = {"read_in", "status"}


@dataclass(frozen=True)
class Fact:
    """What every fact has: its name, status, note, and where it was read."""

    key: str
    status: str
    source: str
    note: str


def facts(
    file: Path, part: str, parts: Collection[str] = ()
) -> Iterator[tuple[str, Mapping[str, Any], str, dict[str, str]]]:
    """Of each entry of a part of a file: its key, itself, its place, and what every fact has.

    Args:
      parts: the parts of the file beside `origins`, if there are others.

    Raises:
      ValueError: an entry lacks a status or an origin, or these are unknown.
    """
    content = load(file, ("origins", *(parts or (part,))))
    origins = mapping(content["origins"], f"{file.name}: origins")
    for key, entry in mapping(content[part], f"{file.name}: {part}").items():
        where = f"{file.name}: {key}"
        entry = mapping(entry, where)
        for name in sorted(ORIGIN - set(entry)):
            raise ValueError(f"{where}: lacks {name}")
        fact = {
            "status": status(entry["status"], where),
            "source": str(origins[one_of(entry["read_in"], f"{where}.read_in", origins)]),
            "note": str(entry.get("note", "")),
        }
        yield key, entry, where, fact


def by_week(entry: Any, where: str, low: float = 0.0, high: float = 100.0) -> Mapping[int, float]:
    """Numbers from low to high, by week."""
    entry = mapping(entry, where)
    return {count(week, where, 1): number(value, f"{where}.{week}", low, high) for week, value in entry.items()}


def maybe(entry: Mapping[str, Any], name: str, where: str) -> float | None:
    """A number of at least zero, None if it is not told."""
    return number(entry[name], f"{where}.{name}", low=0) if name in entry else None
