"""Published trials of treatments of acne: what every arm received, of whom, and what became of them (`arms.yaml`)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ....population.baselines import tables
from ...evidence import trials
from ...evidence.reading import count, fields, mapping, number, one_of, sequence, status
from .regimens import CONTROLS, drug_class, read_acne_courses

HERE = Path(__file__).parent
SHARES = (  # per cent of people
    "iga_success",  # clear or almost clear, and at least two grades better
    "iga01",  # clear or almost clear
    "two_grades",  # at least two grades better
    "iga01_or_two_grades",
    "inflammatory_half",  # at least 50 % fewer inflammatory lesions
    "noninflammatory_half",
    "total_half",
    "nodules_tenth",  # at least 90 % fewer nodules
)
PERCENTS = ("inflammatory_percent", "noninflammatory_percent", "total_percent", "papules_percent", "pustules_percent")
CHANGES = ("inflammatory_change", "noninflammatory_change", "total_change", "nodules_change")  # of counts
SCORES = {"acne_qol": (0, 30), "dlqi": (0, 30)}  # at the week, not changes
OUTCOMES = (*SHARES, *PERCENTS, *CHANGES, *SCORES)
STATISTICS = ("mean", "median", "most")  # most: the largest change that anybody or any dose had
SCALES = ("iga", "isga", "egss", "gaas", "egsa")
FIRST = 1950  # year of publication, before which none is believed
DESIGNS = ("randomised", "pooled", "review", "single")
MEASURED = ("age", "inflammatory", "noninflammatory", "nodules")
CRITERIA = {"age", "male", "race", "inflammatory", "noninflammatory", "nodules", "iga"}
LINE = {"n", "n_status", "status", "statistic", "sd", "note"}
ARM = {"n", "n_of", "n_status", "randomised", "people", "baseline", "regimen"}


@dataclass(frozen=True)
class Baseline:
    """Who an arm enrolled: age in years, counts of lesions, shares from 0 to 1; None where it is not told.

    iga: the share with each grade, as far as told.
    """

    age: float | None = None
    age_sd: float | None = None
    inflammatory: float | None = None
    inflammatory_sd: float | None = None
    noninflammatory: float | None = None
    noninflammatory_sd: float | None = None
    nodules: float | None = None
    nodules_sd: float | None = None
    male: float | None = None
    iga: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Readout:
    """One figure: `value` of `outcome` at `week` (0: baseline) among `n` people.

    value: per cent (SHARES; PERCENTS, below zero if lesions went), lesions (CHANGES), or points (SCORES).
    statistic: of the people, where the outcome is no share. sd: between them; None where it is not told.
    n_status: that of n, which may be recalled where the value is not.
    """

    week: int
    outcome: str
    value: float
    n: int
    status: str
    n_status: str
    statistic: str = "mean"
    sd: float | None = None
    note: str = ""

    @property
    def count(self) -> int:
        """People who have the outcome: the whole number nearest to the published percentage.

        Raises:
          ValueError: the outcome is no share.
        """
        if self.outcome not in SHARES:
            raise ValueError(f"{self.outcome} is no share of people")
        return round(self.n * self.value / 100)


Arm = trials.Arm[Readout, Baseline]  # no course is no treatment at all; a control arm has CONTROLS


@dataclass(frozen=True)
class Trial:
    """A published trial.

    week: its primary time point, from the first dose.
    design: randomised; pooled (people of several trials, or some of them), review (trials by others, not named), or
      single (without a comparison).
    of: the trials that people of a pooled one come from, by key where they are in the table.
    published: the year; None of pooled ones and reviews that do not tell it.
    scale: the grading of its investigators.
    entry: criteria of entry as in a study file; entry_status: of these.
    """

    key: str
    title: str
    registry: str
    citation: str
    read_in: str
    status: str
    week: int
    design: str
    of: tuple[str, ...]
    published: int | None
    scale: str
    entry: Mapping[str, Mapping[str, Any]]
    entry_status: str
    table: str
    note: str
    arms: tuple[Arm, ...]

    def arm(self, name: str) -> Arm:
        """The arm of this name.

        Raises:
          KeyError: there is none.
        """
        return {arm.name: arm for arm in self.arms}[name]

    @property
    def controls(self) -> tuple[Arm, ...]:
        """Arms that receive nothing but vehicle or placebo tablets."""
        return tuple(arm for arm in self.arms if arm.courses and set(arm.treatments) <= set(CONTROLS))


@cache
def arms() -> tuple[Trial, ...]:
    """All trials."""
    return read_trials(HERE / "arms.yaml", tables.HERE / "acne.yaml")


def independent(found: Iterable[Trial]) -> tuple[Trial, ...]:
    """Those whose people are counted in no other: without reviews, and without what is pooled from others of them."""
    found = tuple(found)
    keys = {trial.key for trial in found}
    return tuple(trial for trial in found if trial.design != "review" and not keys & set(trial.of))


def figures(found: Iterable[Trial]) -> pd.DataFrame:
    """Every figure of trials, one a row.

    Columns: trial, arm, class (of what the arm receives), control (whether the arm is one), week, outcome, statistic,
    value, sd (NaN where not told), n, status, n_status, independent (whether nobody in it is counted in another trial).
    """
    found = tuple(found)
    alone = {trial.key for trial in independent(found)}
    return pd.DataFrame(
        [
            {
                "trial": trial.key,
                "arm": arm.name,
                "class": drug_class(arm.courses),
                "control": arm in trial.controls,
                "week": readout.week,
                "outcome": readout.outcome,
                "statistic": "share" if readout.outcome in SHARES else readout.statistic,
                "value": readout.value,
                "sd": float("nan") if readout.sd is None else readout.sd,
                "n": readout.n,
                "status": readout.status,
                "n_status": readout.n_status,
                "independent": trial.key in alone,
            }
            for trial in found
            for arm in trial.arms
            for readout in arm.readouts
        ]
    )


def read_trials(file: Path, baselines: Path) -> tuple[Trial, ...]:
    """Trials of a file, with the people of their arms from a file of baseline tables.

    Raises:
      ValueError: with its place in the file, what is missing, impossible or unknown.
    """
    allowed = {"of", "published", "scale", "entry", "entry_status"}
    return tuple(_trial(entry) for entry in trials.entries(file, baselines, {"design"}, allowed))


def _trial(entry: trials.Entry) -> Trial:
    told, where, sound = entry.told, entry.where, entry.head["status"]
    design = one_of(told["design"], f"{where}.design", DESIGNS)
    of = tuple(map(str, sequence(told["of"], f"{where}.of"))) if "of" in told else ()
    if (design == "pooled") != bool(of):
        raise ValueError(f"{where}: a pooled trial, and no other, names those that it is pooled from, in of")
    if "published" not in told and design in ("randomised", "single"):
        raise ValueError(f"{where}: lacks published, the year, by which vehicles do more or less")
    return Trial(
        **entry.head,
        design=design,
        of=of,
        published=count(told["published"], f"{where}.published", FIRST) if "published" in told else None,
        scale=one_of(told.get("scale", "iga"), f"{where}.scale", SCALES),
        entry=_criteria(told["entry"], f"{where}.entry") if "entry" in told else {},
        entry_status=status(told.get("entry_status", sound), where),
        arms=tuple(_arm(name, arm, sound, entry.people, place) for name, arm, place in trials.arms(entry)),
    )


def _criteria(entry: Any, where: str) -> Mapping[str, Mapping[str, Any]]:
    for name, criterion in mapping(entry, where).items():
        fields(criterion, f"{where}.{one_of(name, where, CRITERIA)}", (), {"min", "max", "one_of"})
    return entry


def _arm(name: str, entry: Any, sound: str, people: Mapping[str, Any], where: str) -> Arm:
    entry = fields(entry, where, {"readouts"}, ARM)
    n, n_status = _people(entry, sound, where)
    told = {"people": "all"} | dict(entry) if "all" in people else entry
    own = fields(entry["baseline"], f"{where}.baseline", (), {*MEASURED, "male", "iga"}) if "baseline" in entry else {}
    described = {**trials.described(told, people, where), **own}
    found = tuple(
        readout
        for place, line in enumerate(sequence(entry["readouts"], f"{where}.readouts"))
        for readout in _readouts(line, n, sound, n_status, f"{where}.readouts.{place}")
    )
    trials.told_once(found, where)
    return Arm(
        name=name,
        n=n,
        randomised=count(entry.get("randomised", n), f"{where}.randomised", n),
        courses=read_acne_courses(entry, where),
        readouts=found,
        baseline=Baseline(
            **trials.summaries(described, MEASURED, ("male",)), iga=described.get("iga", {}).get("levels")
        ),
    )


def _people(entry: Mapping[str, Any], sound: str, where: str) -> tuple[int, str]:
    """People of an arm and the status of that number; an equal part of all, where only all are told."""
    if ("n" in entry) == ("n_of" in entry):
        raise ValueError(f"{where}: give one of n and n_of")
    if "n" in entry:
        return count(entry["n"], f"{where}.n", 1), status(entry.get("n_status", sound), where)
    told = fields(entry["n_of"], f"{where}.n_of", {"total", "arms"}, {"share"})
    total, number_of_arms = (count(told[name], f"{where}.n_of.{name}", 1) for name in ("total", "arms"))
    share = number(told.get("share", 1), f"{where}.n_of.share", 0, 1)
    return round(total * share / number_of_arms), "assumed"


def _readouts(entry: Any, n: int, sound: str, n_status: str, where: str) -> Iterator[Readout]:
    entry = fields(entry, where, {"week"}, {*LINE, *OUTCOMES})
    told = [outcome for outcome in OUTCOMES if outcome in entry]
    if not told:
        raise ValueError(f"{where}: tells no outcome; there are {', '.join(OUTCOMES)}")
    if len(told) > 1 and "sd" in entry:
        raise ValueError(f"{where}: an sd belongs to one outcome, here are {', '.join(told)}")
    for outcome in told:
        yield Readout(
            week=count(entry["week"], f"{where}.week"),
            outcome=outcome,
            value=number(entry[outcome], f"{where}.{outcome}", *_limits(outcome)),
            n=count(entry.get("n", n), f"{where}.n", 1),
            status=status(entry.get("status", sound), where),
            n_status=status(entry.get("n_status", n_status), where),
            statistic=one_of(entry.get("statistic", "mean"), f"{where}.statistic", STATISTICS),
            sd=number(entry["sd"], f"{where}.sd", 0) if "sd" in entry else None,
            note=str(entry.get("note", "")),
        )


def _limits(outcome: str) -> tuple[float, float]:
    """What a figure may be: an improvement is below zero, of percentages and of counts alike."""
    if outcome in SCORES:
        return SCORES[outcome]
    return (0, 100) if outcome in SHARES else (-100, 100)
