"""Entries of evidence tables, checked one by one, so that a slip is told with its place in the file."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...core.parameters import STATUSES


def load(file: Path, parts: Collection[str]) -> Mapping[str, Any]:
    """The content of a YAML file that has exactly these parts.

    Raises:
      ValueError: it is no YAML, or its parts are others.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml was built in
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{file.name}: no valid YAML: {error}") from None
    if not isinstance(content, Mapping) or set(content) != set(parts):
        raise ValueError(f"{file.name}: expected the parts {', '.join(parts)}")
    return content


def mapping(entry: Any, where: str) -> Mapping[str, Any]:
    """A mapping with at least one entry."""
    if not isinstance(entry, Mapping) or not entry:
        raise ValueError(f"{where}: expected names and values, got {entry!r}")
    return entry


def sequence(entry: Any, where: str) -> Sequence[Any]:
    """A list with at least one item."""
    if not isinstance(entry, list) or not entry:
        raise ValueError(f"{where}: expected a list, got {entry!r}")
    return entry


def fields(entry: Any, where: str, needed: Collection[str], allowed: Collection[str] = ()) -> Mapping[str, Any]:
    """A mapping that has all of `needed`, and beside them none but `allowed`."""
    entry = mapping(entry, where)
    missing = set(needed) - set(entry)
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}")
    unknown = set(entry) - set(needed) - set(allowed)
    if unknown:
        names = ", ".join(sorted({*needed, *allowed}))
        raise ValueError(f"{where}: unknown {', '.join(sorted(map(str, unknown)))}; there are {names}")
    return entry


def number(value: Any, where: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from low to high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}: expected a number, got {value!r}; leave out what is not reported")
    if not low <= value <= high:
        raise ValueError(f"{where}: {value:g} is not from {low:g} to {high:g}")
    return float(value)


def count(value: Any, where: str, least: int = 0) -> int:
    """A whole number, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{where}: expected a whole number of at least {least}, got {value!r}")
    return value


def one_of(value: Any, where: str, choices: Collection[str]) -> str:
    """One of the choices."""
    if value not in choices:
        raise ValueError(f"{where}: {value!r} is none of {', '.join(choices)}")
    return str(value)


def status(value: Any, where: str) -> str:
    """One of the statuses that a number can have."""
    return one_of(value, f"{where}.status", STATUSES)
