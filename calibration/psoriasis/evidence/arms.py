"""Published trials: what every arm received, of whom, and how many responded (`arms.yaml`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ....population.baselines import tables
from ...evidence import trials
from ...evidence.reading import count, fields, number, one_of, sequence, status
from ...evidence.regimens import read_courses
from .regimens import TREATMENTS

HERE = Path(__file__).parent
OUTCOMES = ("pasi50", "pasi75", "pasi90", "pasi100", "iga01", "dlqi01")
MEASURED = ("age", "weight", "severity", "duration")
SHARED = ("male", "prior_biologic", "psoriatic_arthritis")
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


Arm = trials.Arm[Readout, Baseline]  # no course is placebo


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
    return tuple(_trial(entry) for entry in trials.entries(file, baselines, allowed={"race", "entry"}))


def _trial(entry: trials.Entry) -> Trial:
    criteria = dict(entry.told.get("entry") or {})
    naive = criteria.pop("prior_biologic", None) is False
    least = {
        one_of(name, f"{entry.where}.entry", LEAST): number(value, f"{entry.where}.entry.{name}", *LEAST[name])
        for name, value in criteria.items()
    }
    return Trial(
        **entry.head,
        entry=least,
        naive=naive,
        race=str(entry.told.get("race", "")),
        arms=tuple(
            _arm(name, told, entry.head["status"], entry.people, where) for name, told, where in trials.arms(entry)
        ),
    )


def _arm(name: str, entry: Any, sound: str, people: Mapping[str, Any], where: str) -> Arm:
    entry = fields(entry, where, {"n", "readouts"}, {"randomised", "people", "regimen"})
    n = count(entry["n"], f"{where}.n", 1)
    told = trials.described(entry, people, where)
    found = tuple(
        readout
        for number_, line in enumerate(sequence(entry["readouts"], f"{where}.readouts"))
        for readout in _readouts(line, n, sound, f"{where}.readouts.{number_}")
    )
    trials.told_once(found, where)
    _nested(found, where)
    return Arm(
        name=name,
        n=n,
        randomised=count(entry.get("randomised", n), f"{where}.randomised", n),
        courses=read_courses(entry, where, TREATMENTS),
        readouts=found,
        baseline=Baseline(**trials.summaries(told, MEASURED, SHARED)),
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
