"""The evidence: arms of published trials with their settings, people and figures, and what each figure is for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ...core.laser.calibrated import HERE as LASER
from ...core.laser.device import Settings, settings
from ..evidence.reading import count, fields, load, mapping, number, one_of, sequence, status

HERE = Path(__file__).parent
FILE = HERE / "trials.yaml"
TYPES = ("I", "II", "III", "IV", "V", "VI")
MEANS = ("hair", "ink", "stain", "melasma", "texture")  # mean shares gone; else shares of people, marks or sessions
EVENTS = ("blister", "burn", "pih", "any")
KINDS = {  # of outcome, as in heldout.yaml
    "hair": "hair",
    **dict.fromkeys(("stain", "stain_75", "purpura"), "port_wine"),
    **dict.fromkeys(("ink", "ink_75", "ink_95", "melasma", "melasma_75"), "pigment"),
    **dict.fromkeys(("texture", "texture_10", "texture_25", "texture_50"), "columns"),
    **dict.fromkeys(EVENTS, "adverse_events"),
}
ROLES = ("fit", "held_out")


@dataclass(frozen=True)
class Part:
    """People of an arm who are treated alike. types: share of them by type. weight: share of the arm's people.

    adapted: range of fluences, J/cm2, within which it was fitted to each of them, if that is told."""

    used: Settings
    types: Mapping[str, float]
    weight: float
    adapted: tuple[float, float] | None = None


@dataclass(frozen=True)
class Reported:
    """A figure of an arm. what: see trials.yaml. day: after the last session. value: None, if only predicted.

    each: `patient` or `session`, whose share it is. role: `fit` or `held_out`.
    """

    what: str
    day: int
    value: float | None
    n: int
    each: str
    status: str
    role: str


@dataclass(frozen=True)
class Arm:
    """An arm of a trial. interval: days between sessions. sought: how events were looked for, 0 to 1."""

    trial: str
    name: str
    citation: str
    parts: tuple[Part, ...]
    sessions: int
    interval: float
    sought: float
    figures: tuple[Reported, ...]


@dataclass(frozen=True)
class Ranking:
    """Arms of a trial, from the one with most of `what` to that with least.

    named: whether the goal of the model named it before anything was fitted, or it was added to those."""

    trial: str
    what: str
    day: int
    order: tuple[str, ...]
    named: bool


@cache
def arms(file: Path = FILE) -> tuple[Arm, ...]:
    """All arms.

    Raises:
      ValueError: with its place, what is missing or impossible; a figure that is neither to be fitted nor held out.
    """
    trials = mapping(load(file, ("trials", "rankings"))["trials"], file.name)
    return tuple(arm for key, entry in trials.items() for arm in _arms(str(key), entry, f"{file.name}: {key}"))


@cache
def rankings(file: Path = FILE) -> tuple[Ranking, ...]:
    """Published orders of arms.

    Raises:
      ValueError: with its place, an arm without such a figure; `named` that is neither true nor false.
    """
    known = {(arm.trial, arm.name, figure.what, figure.day) for arm in arms(file) for figure in arm.figures}
    found = []
    for place, entry in enumerate(sequence(load(file, ("trials", "rankings"))["rankings"], file.name)):
        where = f"{file.name}: rankings[{place}]"
        entry = fields(entry, where, {"trial", "what", "day", "order", "named"})
        if not isinstance(entry["named"], bool):
            raise ValueError(f"{where}.named: expected true or false, got {entry['named']!r}")
        one = Ranking(entry["trial"], entry["what"], entry["day"], tuple(entry["order"]), entry["named"])
        stray = [arm for arm in one.order if (one.trial, arm, one.what, one.day) not in known]
        if stray:
            raise ValueError(f"{where}: no figure of {one.what} of {', '.join(stray)} of {one.trial} at {one.day} days")
        found.append(one)
    return tuple(found)


@cache
def split() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Trials by kind of outcome and role, as settled before any fit (heldout.yaml)."""
    content = yaml.safe_load((LASER / "heldout.yaml").read_text(encoding="utf-8"))
    return {
        kind: {role: tuple(content[kind].get(role, ())) for role in ROLES} for kind in (*KINDS.values(), "tolerated")
    }


def role(trial: str, what: str) -> str:
    """Whether figures of an outcome of a trial are fitted or held out; a trial of tolerated fluences tells of blisters.

    Raises:
      ValueError: neither was settled, or both were.
    """
    kinds = [KINDS[what], *(["tolerated"] if what == "blister" else [])]
    found = {name for kind in kinds for name in ROLES if trial in split()[kind][name]}
    if what in ("stain", "melasma"):
        found |= {"held_out"}
    if len(found) != 1:
        raise ValueError(
            f"heldout.yaml: {what} of {trial} is {' and '.join(sorted(found)) or 'neither fit nor held_out'}"
        )
    return found.pop()


def _arms(key: str, entry: Any, where: str) -> Iterator[Arm]:
    entry = fields(entry, where, {"citation", "guessed", "sought", "sessions", "interval", "arms"})
    for name, told in mapping(entry["arms"], f"{where}.arms").items():
        at = f"{where}.arms.{name}"
        told = fields(told, at, {"parts", "figures"})
        parts = [_part(part, f"{at}.parts[{i}]") for i, part in enumerate(sequence(told["parts"], f"{at}.parts"))]
        whole = sum(part.weight for part in parts)
        yield Arm(
            key,
            str(name),
            str(entry["citation"]),
            tuple(replace(p, weight=p.weight / whole) for p in parts),
            count(entry["sessions"], f"{where}.sessions", 1),
            number(entry["interval"], f"{where}.interval", 0.0),
            number(entry["sought"], f"{where}.sought", 0.0, 1.0),
            tuple(_figure(key, f, f"{at}.figures[{i}]") for i, f in enumerate(sequence(told["figures"], at))),
        )


def _part(entry: Any, where: str) -> Part:
    entry = fields(entry, where, {"types", "device"}, {"set", "adapted"})
    types = {
        one_of(name, f"{where}.types", TYPES): number(share, f"{where}.types.{name}", 0.0)
        for name, share in mapping(entry["types"], f"{where}.types").items()
    }
    whole = sum(types.values())
    if not whole > 0:
        raise ValueError(f"{where}.types: nobody")
    shares = {name: share / whole for name, share in types.items()}
    try:
        used = settings(entry["device"], **entry.get("set", {}))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return Part(used, shares, whole, adapted=_range(entry["adapted"], used, where) if "adapted" in entry else None)


def _range(entry: Any, used: Settings, where: str) -> tuple[float, float]:
    ends = [number(end, f"{where}.adapted", 0.0) for end in sequence(entry, f"{where}.adapted")]
    mean = float(used.fluences[0])
    if len(ends) != 2 or not ends[0] <= mean <= ends[1]:
        raise ValueError(f"{where}.adapted: expected the two ends of a range around {mean:g} J/cm2, got {ends}")
    return ends[0], ends[1]


def _figure(trial: str, entry: Any, where: str) -> Reported:
    entry = fields(entry, where, {"what"}, {"day", "value", "n", "per", "status"})
    what = one_of(entry["what"], f"{where}.what", tuple(KINDS))
    value = number(entry["value"], f"{where}.value", 0.0, 1.0) if "value" in entry else None
    return Reported(
        what,
        count(entry.get("day", 0), f"{where}.day"),
        value,
        count(entry.get("n", 0), f"{where}.n", 0 if value is None else 1),
        one_of(entry.get("per", "patient"), f"{where}.per", ("patient", "session")),
        status(entry.get("status", "measured"), where),
        role(trial, what) if value is not None else "held_out",
    )
