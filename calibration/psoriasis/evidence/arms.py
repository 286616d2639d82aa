"""Published trials: what every arm received, of whom, and how many responded (`arms.yaml`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ....population.baselines import tables
from .reading import count, fields, load, mapping, number, one_of, sequence, status
from .regimens import Course, read_course

HERE = Path(__file__).parent
OUTCOMES = ("pasi50", "pasi75", "pasi90", "pasi100", "iga01", "dlqi01")
TRIAL = {"title", "citation", "read_in", "status", "week", "arms"}
TRIAL_OPTIONS = {"registry", "table", "race", "entry", "note"}
LEAST = {"pasi": (0, 72), "bsa": (0, 100), "iga": (0, 4)}  # what an entry criterion may ask for at least


@dataclass(frozen=True)
class Baseline:
    """Who an arm enrolled. Age and duration in years, weight in kg, severity in points of PASI; shares from 0 to 1.

    What is not reported is None.
    """

    age: float | None = None
    age_sd: float | None = None
    male: float | None = None
    weight: float | None = None
    weight_sd: float | None = None
    severity: float | None = None
    severity_sd: float | None = None
    duration: float | None = None
    duration_sd: float | None = None
    prior_biologic: float | None = None
    psoriatic_arthritis: float | None = None


@dataclass(frozen=True)
class Readout:
    """One response rate: `count` of `n` people, `percent` of them as published, had `outcome` at `week`."""

    week: int
    outcome: str
    percent: float
    n: int
    status: str
    note: str = ""

    @property
    def count(self) -> int:
        """Responders: the whole number nearest to the published percentage."""
        return round(self.n * self.percent / 100)


@dataclass(frozen=True)
class Arm:
    """An arm. No course is placebo. n: people analysed; randomised: people assigned."""

    name: str
    n: int
    randomised: int
    courses: tuple[Course, ...]
    readouts: tuple[Readout, ...]
    baseline: Baseline

    @property
    def treatments(self) -> tuple[str, ...]:
        """Treatments that it receives, each once."""
        return tuple(dict.fromkeys(course.treatment for course in self.courses))

    def at(self, week: int) -> dict[str, Readout]:
        """What is told of a week, by outcome."""
        return {readout.outcome: readout for readout in self.readouts if readout.week == week}


@dataclass(frozen=True)
class Trial:
    """A published trial.

    week: its primary time point.
    entry: the least PASI, BSA (%) and IGA to enter; recalled from publications.
    naive: whether people treated with a biologic before were excluded; recalled too.
    table: its baseline table, e.g. `psoriasis/erasure`; empty if there is none.
    race: the race of all its people, if they were of one; else empty.
    """

    key: str
    title: str
    registry: str
    citation: str
    read_in: str
    status: str
    week: int
    entry: Mapping[str, float]
    naive: bool
    table: str
    race: str
    note: str
    arms: tuple[Arm, ...]

    def arm(self, name: str) -> Arm:
        """The arm of this name.

        Raises:
          KeyError: there is none.
        """
        return {arm.name: arm for arm in self.arms}[name]

    def main_week(self) -> int:
        """The week with measured responses that is nearest to the primary time point.

        Where the primary one is only recalled (EXPRESS, BE SURE), it is another; where nothing is measured, it is the
        primary one.
        """
        measured = {
            r.week for arm in self.arms for r in arm.readouts if r.status == "measured" and r.outcome == "pasi75"
        }
        return min(measured, key=lambda week: (abs(week - self.week), week), default=self.week)


@cache
def arms() -> tuple[Trial, ...]:
    """The trials of systemic treatments and of light."""
    return read_trials(HERE / "arms.yaml", tables.HERE / "psoriasis.yaml")


def read_trials(file: Path, baselines: Path) -> tuple[Trial, ...]:
    """Trials of a file, with the people of their arms from a file of baseline tables.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    content = load(file, ("origins", "trials"))
    people = load(baselines, ("origins", "tables"))["tables"]
    origins = mapping(content["origins"], f"{file.name}: origins")
    trials = mapping(content["trials"], f"{file.name}: trials")
    return tuple(_trial(key, entry, origins, people, f"{file.name}: {key}") for key, entry in trials.items())


def _trial(key: str, entry: Any, origins: Mapping[str, str], people: Mapping[str, Any], where: str) -> Trial:
    entry = fields(entry, where, TRIAL, TRIAL_OPTIONS)
    table = entry.get("table", "")
    if table and table not in people:
        raise ValueError(f"{where}.table: no baseline table {table!r}")
    criteria = dict(entry.get("entry") or {})
    naive = criteria.pop("prior_biologic", None) is False
    told = people[table]["arms"] if table else {}
    sound = status(entry["status"], where)
    return Trial(
        key=key,
        title=str(entry["title"]),
        registry=str(entry.get("registry", "")),
        citation=str(entry["citation"]),
        read_in=str(origins[one_of(entry["read_in"], f"{where}.read_in", origins)]),
        status=sound,
        week=count(entry["week"], f"{where}.week", 1),
        entry={
            one_of(name, f"{where}.entry", LEAST): number(least, f"{where}.entry.{name}", *LEAST[name])
            for name, least in criteria.items()
        },
        naive=naive,
        table=f"psoriasis/{table}" if table else "",
        race=str(entry.get("race", "")),
        note=str(entry.get("note", "")),
        arms=tuple(
            _arm(name, arm, sound, told, f"{where}.arms.{name}")
            for name, arm in mapping(entry["arms"], f"{where}.arms").items()
        ),
    )


def _arm(name: str, entry: Any, sound: str, people: Mapping[str, Any], where: str) -> Arm:
    entry = fields(entry, where, {"n", "readouts"}, {"randomised", "people", "regimen"})
    n = count(entry["n"], f"{where}.n", 1)
    if "people" in entry and entry["people"] not in people:
        raise ValueError(
            f"{where}.people: the baseline table has no arm {entry['people']!r}; it has {', '.join(people)}"
        )
    courses = sequence(entry["regimen"], f"{where}.regimen") if "regimen" in entry else ()
    readouts = sequence(entry["readouts"], f"{where}.readouts")
    found = tuple(
        readout
        for number_, told in enumerate(readouts)
        for readout in _readouts(told, n, sound, f"{where}.readouts.{number_}")
    )
    if len({(readout.week, readout.outcome) for readout in found}) < len(found):
        raise ValueError(f"{where}.readouts: tells an outcome of a week twice")
    _nested(found, where)
    return Arm(
        name=name,
        n=n,
        randomised=count(entry.get("randomised", n), f"{where}.randomised", n),
        courses=tuple(read_course(told, f"{where}.regimen.{place}") for place, told in enumerate(courses)),
        readouts=found,
        baseline=_baseline(people[entry["people"]]) if "people" in entry else Baseline(),
    )


def _readouts(entry: Any, n: int, sound: str, where: str) -> Iterator[Readout]:
    entry = fields(entry, where, {"week"}, {"n", "status", "note", *OUTCOMES})
    told = [outcome for outcome in OUTCOMES if outcome in entry]
    if not told:
        raise ValueError(f"{where}: tells no outcome; there are {', '.join(OUTCOMES)}")
    for outcome in told:
        yield Readout(
            week=count(entry["week"], f"{where}.week", 1),
            outcome=outcome,
            percent=number(entry[outcome], f"{where}.{outcome}", 0, 100),
            n=count(entry.get("n", n), f"{where}.n", 1),
            status=status(entry.get("status", sound), where),
            note=str(entry.get("note", "")),
        )


def _nested(readouts: tuple[Readout, ...], where: str) -> None:
    """Who has a higher PASI response has the lower ones too, so their shares cannot rise."""
    for week in {readout.week for readout in readouts}:
        told = {readout.outcome: readout for readout in readouts if readout.week == week}
        ladder = [told[outcome] for outcome in OUTCOMES[:4] if outcome in told]
        for lower, higher in pairwise(ladder):
            if higher.percent > lower.percent:
                raise ValueError(
                    f"{where}.readouts: {higher.percent:g} % with {higher.outcome} at week {week}, more than the "
                    f"{lower.percent:g} % with {lower.outcome}"
                )


def _baseline(told: Mapping[str, Any]) -> Baseline:
    """Means, spreads and shares of one arm of a baseline table, which the population room checks."""
    pairs = {name: told.get(name, {}) for name in ("age", "weight", "severity", "duration")}
    spreads = {f"{name}_sd": entry.get("sd") for name, entry in pairs.items()}
    means = {name: entry.get("mean") for name, entry in pairs.items()}
    shares = {name: told.get(name, {}).get("share") for name in ("male", "prior_biologic", "psoriatic_arthritis")}
    return Baseline(**means, **spreads, **shares)
