"""Published facts that a model must reproduce beside the responses of arms: courses, relapse, covariates, onset.

Tables: `timecourse.yaml`, `relapse.yaml`, `effects.yaml`, `onset.yaml`, `topical.yaml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ....population.baselines import tables
from ...evidence.facts import ORIGIN, Fact, by_week, facts, maybe
from ...evidence.reading import count, fields, load, number, one_of
from ...evidence.regimens import Course, read_courses
from .arms import HERE, OUTCOMES, Trial, read_trials
from .regimens import TREATMENTS

LOSSES = ("half_improvement", "pasi50", "pasi75", "pasi90", "iga01", "iga3")
AMONG = ("all", "pasi50", "pasi75", "pasi90", "iga01")
SETTINGS = ("trial", "practice")
EFFECTS = ("effects", "subgroups")
MISSING = ("nonresponse",)  # what a share without relapse may take those for who left
ONSET = ("rates", "half_improvement", "mean_improvement")


@dataclass(frozen=True)
class TimeCourse(Fact):
    """Percent with a response by outcome and week; no course is placebo."""

    courses: tuple[Course, ...]
    percents: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Relapse(Fact):
    """What happens after treatment is stopped, at week `stopped`.

    among: who is observed: everybody, or those with this response at week `at`.
    loss: what counts as relapse, one of LOSSES.
    median_days: from `stopped` on; None if it is not told. range_days: its limits.
    kept: percent without relapse, by week from baseline. n: people observed; None if it is not told.
    nonresponse: whether those who left count as relapsed.
    """

    treatment: str
    courses: tuple[Course, ...]
    stopped: int
    at: int
    among: str
    loss: str
    median_days: float | None
    range_days: tuple[float, float] | None
    kept: Mapping[int, float]
    n: int | None
    nonresponse: bool = False


@dataclass(frozen=True)
class Effect(Fact):
    """An odds ratio of a response or a difference in percentage points, with 95 % limits where they are told.

    treatments: of whom; none is biologics together.
    """

    covariate: str
    contrast: str
    outcome: str
    odds_ratio: float | None
    points: float | None
    low: float | None
    high: float | None
    setting: str
    treatments: tuple[str, ...]


@dataclass(frozen=True)
class Subgroup(Fact):
    """Responses in percent of those of an arm whose covariate is above a number."""

    trial: str
    arm: str
    week: int
    covariate: str
    above: float
    n: int
    percents: Mapping[str, float]


@dataclass(frozen=True)
class Speed(Fact):
    """How fast an arm responds: weeks until PASI halves in half of the people, or mean improvement (%) by week."""

    trial: str
    arm: str
    half_weeks: float | None
    improvement: Mapping[int, float]


@cache
def timecourses() -> tuple[TimeCourse, ...]:
    """Courses of response by regimen, from a meta-analysis."""
    return read_timecourses(HERE / "timecourse.yaml")


@cache
def relapses() -> tuple[Relapse, ...]:
    """Times to relapse and shares without it."""
    return read_relapses(HERE / "relapse.yaml")


@cache
def effects() -> tuple[Effect, ...]:
    """What covariates do to response."""
    return read_effects(HERE / "effects.yaml")


@cache
def subgroups() -> tuple[Subgroup, ...]:
    """Responses of parts of arms."""
    return read_subgroups(HERE / "effects.yaml")


@cache
def rates() -> Mapping[str, float]:
    """Rate of onset of PASI 75 by drug, 1/week, from the fastest to the slowest."""
    content = load(HERE / "onset.yaml", ("origins", *ONSET))
    found = {drug: number(entry["value"], f"onset.yaml: {drug}", low=0) for drug, entry in content["rates"].items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


@cache
def speeds() -> tuple[Speed, ...]:
    """Times to half of the baseline PASI, and mean improvements."""
    return read_speeds(HERE / "onset.yaml")


@cache
def topical() -> tuple[Trial, ...]:
    """The trials of calcipotriol with betamethasone."""
    return read_trials(HERE / "topical.yaml", tables.HERE / "psoriasis.yaml")


def read_timecourses(file: Path) -> tuple[TimeCourse, ...]:
    """Courses of response of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for key, entry, where, fact in facts(file, "courses"):
        entry = fields(entry, where, ORIGIN, {"note", "regimen", *OUTCOMES})
        percents = {outcome: by_week(entry[outcome], f"{where}.{outcome}") for outcome in OUTCOMES if outcome in entry}
        found.append(TimeCourse(key, **fact, courses=read_courses(entry, where, TREATMENTS), percents=percents))
    return tuple(found)


def read_relapses(file: Path) -> tuple[Relapse, ...]:
    """Relapses of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    needed = {"treatment", "regimen", "stopped", "among", "loss", *ORIGIN}
    found = []
    for key, entry, where, fact in facts(file, "relapses"):
        entry = fields(entry, where, needed, {"at", "median_days", "range_days", "kept", "n", "missing", "note"})
        if "median_days" not in entry and "kept" not in entry:
            raise ValueError(f"{where}: tells neither median_days nor kept")
        stopped = count(entry["stopped"], f"{where}.stopped", 1)
        low, high = entry.get("range_days", (None, None))
        found.append(
            Relapse(
                key,
                **fact,
                treatment=one_of(entry["treatment"], f"{where}.treatment", TREATMENTS),
                courses=read_courses(entry, where, TREATMENTS),
                stopped=stopped,
                at=count(entry.get("at", stopped), f"{where}.at", 1),
                among=one_of(entry["among"], f"{where}.among", AMONG),
                loss=one_of(entry["loss"], f"{where}.loss", LOSSES),
                median_days=maybe(entry, "median_days", where),
                range_days=(float(low), float(high)) if low is not None and high is not None else None,
                kept=by_week(entry["kept"], f"{where}.kept") if "kept" in entry else {},
                n=count(entry["n"], f"{where}.n", 1) if "n" in entry else None,
                nonresponse="missing" in entry and bool(one_of(entry["missing"], f"{where}.missing", MISSING)),
            )
        )
    return tuple(found)


def read_effects(file: Path) -> tuple[Effect, ...]:
    """Effects of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    needed = {"covariate", "contrast", "outcome", "setting", *ORIGIN}
    found = []
    for key, entry, where, fact in facts(file, "effects", EFFECTS):
        entry = fields(entry, where, needed, {"odds_ratio", "points", "low", "high", "treatments", "note"})
        sizes = {name: maybe(entry, name, where) for name in ("odds_ratio", "points", "low", "high")}
        size = sizes["odds_ratio"] if sizes["points"] is None else sizes["points"]
        if size is None or ("points" in entry and "odds_ratio" in entry):
            raise ValueError(f"{where}: give one of odds_ratio and points")
        if not (sizes["low"] or size) <= size <= (sizes["high"] or size):
            raise ValueError(f"{where}: {size:g} is not within its limits")
        found.append(
            Effect(
                key,
                **fact,
                odds_ratio=sizes["odds_ratio"],
                points=sizes["points"],
                low=sizes["low"],
                high=sizes["high"],
                covariate=str(entry["covariate"]),
                contrast=str(entry["contrast"]),
                outcome=str(entry["outcome"]),
                setting=one_of(entry["setting"], f"{where}.setting", SETTINGS),
                treatments=tuple(entry.get("treatments", ())),
            )
        )
    return tuple(found)


def read_subgroups(file: Path) -> tuple[Subgroup, ...]:
    """Subgroups of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    needed = {"trial", "arm", "week", "covariate", "above", "n", *ORIGIN}
    found = []
    for key, entry, where, fact in facts(file, "subgroups", EFFECTS):
        entry = fields(entry, where, needed, {"note", *OUTCOMES})
        found.append(
            Subgroup(
                key,
                **fact,
                trial=str(entry["trial"]),
                arm=str(entry["arm"]),
                week=count(entry["week"], f"{where}.week", 1),
                covariate=str(entry["covariate"]),
                above=number(entry["above"], f"{where}.above"),
                n=count(entry["n"], f"{where}.n", 1),
                percents={x: number(entry[x], f"{where}.{x}", 0, 100) for x in OUTCOMES if x in entry},
            )
        )
    return tuple(found)


def read_speeds(file: Path) -> tuple[Speed, ...]:
    """Times to half of the baseline PASI and mean improvements of a file.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    found = []
    for part in ("half_improvement", "mean_improvement"):
        for key, entry, where, fact in facts(file, part, ONSET):
            entry = fields(entry, where, {"trial", "arm", "weeks", *ORIGIN}, {"note"})
            half = number(entry["weeks"], f"{where}.weeks", low=0) if part == "half_improvement" else None
            mean = by_week(entry["weeks"], f"{where}.weeks") if half is None else {}
            found.append(Speed(key, **fact, trial=entry["trial"], arm=entry["arm"], half_weeks=half, improvement=mean))
    return tuple(found)
