"""Published facts that a model must reproduce beside the arms: sebum and bacteria, relapse, flares, onset.

Tables: `biology.yaml`, `relapse.yaml`, `checks.yaml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...evidence.facts import ORIGIN, Fact, by_week, facts, maybe
from ...evidence.reading import count, fields, number, one_of
from ...evidence.regimens import Course
from .arms import HERE, OUTCOMES
from .regimens import TREATMENTS, read_acne_courses

MEASURES = {  # unit and limits of a change
    **dict.fromkeys(("sebum", "gland_size", "follicular_casts", "microcomedones"), ("percent", -100.0, 100.0)),
    **dict.fromkeys(("bacteria", "resistant_bacteria"), ("log10", -8.0, 8.0)),
    "resistant_share": ("percentage points", -100.0, 100.0),
}
STATISTICS = ("mean", "most", "least")
RELAPSE = ("relapses", "maintenance", "hazards")
CHECKS = ("values", "separations")


@dataclass(frozen=True)
class Change(Fact):
    """What a treatment does to a measure (one of MEASURES, which tells its unit) by week from the first dose.

    statistic: mean, most (the largest told) or least (at least this much). n, sd: None where not told.
    """

    measure: str
    courses: tuple[Course, ...]
    change: Mapping[int, float]
    statistic: str
    n: int | None
    sd: float | None


@dataclass(frozen=True)
class Relapse(Fact):
    """Per cent of n people who relapsed, by weeks after the end of a treatment. loss: what counted as relapse."""

    treatment: str
    courses: tuple[Course, ...]
    n: int
    loss: str
    relapsed: Mapping[int, float]


@dataclass(frozen=True)
class Maintenance(Fact):
    """Per cent of n people who kept half of the improvement of week `stopped`, by week from the first dose."""

    courses: tuple[Course, ...]
    stopped: int
    kept: Mapping[int, float]
    n: int


@dataclass(frozen=True)
class Hazard(Fact):
    """Ratio of a hazard (key of a relapse) per unit of a covariate, with 95 % limits."""

    of: str
    covariate: str
    unit: str
    hazard_ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Check(Fact):
    """A number that a model must show: from low to high, which are the same where one number is told.

    sd: between what it is the mean of; None where not told.
    """

    about: str
    unit: str
    low: float
    high: float
    sd: float | None


@dataclass(frozen=True)
class Separation(Fact):
    """The first week in which an outcome of an arm was told to differ from that of its comparator."""

    trial: str
    arm: str
    comparator: str
    outcome: str
    week: int


@cache
def changes() -> tuple[Change, ...]:
    """Changes of sebum, glands, bacteria."""
    return read_changes(HERE / "biology.yaml")


@cache
def relapses() -> tuple[Relapse, ...]:
    """Relapses after isotretinoin."""
    return read_relapses(HERE / "relapse.yaml")


@cache
def maintenance() -> tuple[Maintenance, ...]:
    """What a maintenance treatment keeps."""
    return read_maintenance(HERE / "relapse.yaml")


@cache
def hazards() -> tuple[Hazard, ...]:
    """What relapse depends on."""
    return read_hazards(HERE / "relapse.yaml")


@cache
def checks() -> tuple[Check, ...]:
    """Single numbers."""
    return read_checks(HERE / "checks.yaml")


@cache
def separations() -> tuple[Separation, ...]:
    """When arms part."""
    return read_separations(HERE / "checks.yaml")


def read_changes(file: Path) -> tuple[Change, ...]:
    """Changes of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "changes"):
        entry = fields(entry, where, {"measure", "regimen", "change", *ORIGIN}, {"statistic", "n", "sd", "note"})
        measure = one_of(entry["measure"], f"{where}.measure", MEASURES)
        found.append(
            Change(
                key,
                **fact,
                measure=measure,
                courses=read_acne_courses(entry, where),
                change=by_week(entry["change"], f"{where}.change", *MEASURES[measure][1:]),
                statistic=one_of(entry.get("statistic", "mean"), f"{where}.statistic", STATISTICS),
                n=count(entry["n"], f"{where}.n", 1) if "n" in entry else None,
                sd=maybe(entry, "sd", where),
            )
        )
    return tuple(found)


def read_relapses(file: Path) -> tuple[Relapse, ...]:
    """Relapses of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "relapses", RELAPSE):
        entry = fields(entry, where, {"treatment", "n", "loss", "relapsed", *ORIGIN}, {"regimen", "note"})
        found.append(
            Relapse(
                key,
                **fact,
                treatment=one_of(entry["treatment"], f"{where}.treatment", TREATMENTS),
                courses=read_acne_courses(entry, where),
                n=count(entry["n"], f"{where}.n", 1),
                loss=str(entry["loss"]),
                relapsed=by_week(entry["relapsed"], f"{where}.relapsed"),
            )
        )
    return tuple(found)


def read_maintenance(file: Path) -> tuple[Maintenance, ...]:
    """Arms of maintenance of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "maintenance", RELAPSE):
        entry = fields(entry, where, {"regimen", "stopped", "kept", "n", *ORIGIN}, {"note"})
        kept = by_week(entry["kept"], f"{where}.kept")
        stopped = count(entry["stopped"], f"{where}.stopped", 1)
        if min(kept) <= stopped:
            raise ValueError(f"{where}.kept: week {min(kept)} is not after week {stopped}, when treatment stopped")
        n = count(entry["n"], f"{where}.n", 1)
        found.append(Maintenance(key, **fact, courses=read_acne_courses(entry, where), stopped=stopped, kept=kept, n=n))
    return tuple(found)


def read_hazards(file: Path) -> tuple[Hazard, ...]:
    """Hazard ratios of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    sizes = ("low", "hazard_ratio", "high")
    relapsed = [key for key, *_ in facts(file, "relapses", RELAPSE)]
    found = []
    for key, entry, where, fact in facts(file, "hazards", RELAPSE):
        entry = fields(entry, where, {"of", "covariate", "unit", *sizes, *ORIGIN}, {"note"})
        low, ratio, high = (number(entry[name], f"{where}.{name}", 0) for name in sizes)
        if not low <= ratio <= high:
            raise ValueError(f"{where}: {ratio:g} is not within its limits")
        of = one_of(entry["of"], f"{where}.of", relapsed)
        covariate, unit = str(entry["covariate"]), str(entry["unit"])
        found.append(Hazard(key, **fact, of=of, covariate=covariate, unit=unit, hazard_ratio=ratio, low=low, high=high))
    return tuple(found)


def read_checks(file: Path) -> tuple[Check, ...]:
    """Single numbers of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "values", CHECKS):
        entry = fields(entry, where, {"about", "unit", *ORIGIN}, {"value", "low", "high", "sd", "note"})
        if ("value" in entry) == ("low" in entry) or ("low" in entry) != ("high" in entry):
            raise ValueError(f"{where}: give a value, or low and high")
        low, high = (number(entry.get(name, entry.get("value")), f"{where}.{name}") for name in ("low", "high"))
        if low > high:
            raise ValueError(f"{where}: low ({low:g}) is above high ({high:g})")
        about, unit = str(entry["about"]), str(entry["unit"])
        found.append(Check(key, **fact, about=about, unit=unit, low=low, high=high, sd=maybe(entry, "sd", where)))
    return tuple(found)


def read_separations(file: Path) -> tuple[Separation, ...]:
    """First weeks of a difference of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "separations", CHECKS):
        entry = fields(entry, where, {"trial", "arm", "from", "outcome", "week", *ORIGIN}, {"note"})
        found.append(
            Separation(
                key,
                **fact,
                trial=str(entry["trial"]),
                arm=str(entry["arm"]),
                comparator=str(entry["from"]),
                outcome=one_of(entry["outcome"], f"{where}.outcome", OUTCOMES),
                week=count(entry["week"], f"{where}.week", 1),
            )
        )
    return tuple(found)
