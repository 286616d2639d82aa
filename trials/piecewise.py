"""The results of a run, a few shards at a time: little is held in memory, whatever its size.

What each arm shows at each visit is added up shards by shards, in their order and in groups of a fixed number, so that
it has the same bits whoever made them. The comparisons are made of all twins at once, but of nothing more than they
need: their visits, their measurements and their covariates. Both give what `statistics.analyses.analyse` gives of whole
tables; sums over several groups differ from it in the last bits.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.disease import Disease, Outcome
from . import bundle
from .reading import joined
from .statistics import analyses, dataset
from .statistics.completed import APPROACHES
from .statistics.offered import METHODS
from .statistics.outcomes import named
from .statistics.proportions import Tally, share
from .statistics.result import Finding, Result, engine_version
from .statistics.rules import BY_VISIT, MEAN_BY_VISIT
from .study import Analysis, Study

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 32  # shards that are added up at once: fixed, since the last bits of a sum depend on it
PEOPLE = ("twin", "arm", "stratum")  # columns that any analysis reads
SEEN = ("twin", "side", "arm", "week", "seen")
BASELINE = "baseline_"
DESCRIPTIVE = "descriptive"

Arms = Mapping[str, tuple[dataset.Records, np.ndarray]]


class Sums(NamedTuple):
    """What values come to: how many, their mean, the sum of squares about it, the least and the largest.

    missing: twins without a value because it was not seen.
    """

    n: int = 0
    mean: float = math.nan
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    missing: int = 0

    def __add__(self, other: "Sums") -> "Sums":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Both together [Chan, Golub and LeVeque 1983, Am Stat 37:242]."""
        missing, n = self.missing + other.missing, self.n + other.n
        if not self.n or not other.n:
            return (self if self.n else other)._replace(missing=missing)
        apart = other.mean - self.mean
        return Sums(
            n,
            self.mean + apart * other.n / n,
            self.squares + other.squares + apart**2 * self.n * other.n / n,
            min(self.low, other.low),
            max(self.high, other.high),
            missing,
        )


def sums(values: np.ndarray, missing: int) -> Sums:
    """Of values without gaps, (twins,).

    >>> sums(np.array([1.0, 3.0]), 0) + sums(np.array([8.0]), 2)
    Sums(n=3, mean=4.0, squares=26.0, low=1.0, high=8.0, missing=2)
    """
    if not len(values):
        return Sums(missing=missing)
    mean = float(values.mean())
    squares = float(((values - mean) ** 2).sum())
    return Sums(len(values), mean, squares, float(values.min()), float(values.max()), missing)


def analyse(study: Study, disease: Disease, folder: Path) -> list[Result]:
    """Every result of a run's study, in the order of `statistics.analyses.analyse`.

    Raises:
      ValueError: as there.
    """
    trial = study.trial.model_copy(update={"outcomes": ()})  # described below, not of all twins at once
    plans = list(study.trial.analyses.values())
    found = analyses.analyse(
        study.model_copy(update={"trial": trial}),
        disease,
        joined(bundle.parts(folder, "twins"), {*PEOPLE, *(name for plan in plans for name in plan.covariates)}),
        joined(
            bundle.parts(folder, "observations"),
            {*SEEN, *measured(disease, plans)},
            visits(study, plans),
        ),
        joined(bundle.parts(folder, "events")),
    )
    return found + describe(study, disease, folder)


def tables(study: Study, disease: Disease, folder: Path, week: int) -> "dict[str, pd.DataFrame]":
    """The tables that a run's report needs: all twins and events, observations at a few visits.

    week: further one, beside those of the analyses.
    """
    weeks = {0, week} | visits(study, study.trial.analyses.values())
    return {
        "twins": joined(bundle.parts(folder, "twins")),
        "observations": joined(bundle.parts(folder, "observations"), weeks=weeks),
        "events": joined(bundle.parts(folder, "events")),
    }


def visits(study: Study, plans: Iterable[Analysis]) -> set[int]:
    """Weeks whose observations analyses read."""
    found = {0}
    for plan in plans:
        last = METHODS[plan.method].reads == "visit" and plan.intercurrent != "while_on_treatment"
        alone = last and plan.missing not in APPROACHES
        found |= {plan.week} if alone else {week for week in study.trial.visits if week <= plan.week}
    return found


def measured(disease: Disease, plans: Iterable[Analysis]) -> set[str]:
    """Measurements that analyses read: of their outcomes, and those that they adjust for."""
    found: set[str] = set()
    for plan in plans:
        found |= {name.removeprefix(BASELINE) for name in plan.covariates if name.startswith(BASELINE)}
        outcome = named(disease, plan.outcome)
        found |= made_of(disease, outcome) if outcome is not None else set()
    return found


def made_of(disease: Disease, outcome: Outcome) -> set[str]:
    """The measurements from which an outcome is derived, and by which it is told whom it is about."""
    asked = _Asked({name: np.zeros(1) for name in disease.endpoints})
    with np.errstate(all="ignore"):
        outcome.derive(asked, asked)
        if outcome.of is not None:
            outcome.of(asked)
    return asked.read


class _Asked(dict[str, Any]):
    """Columns that remember which of them were asked for."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        super().__init__(columns)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


def describe(study: Study, disease: Disease, folder: Path) -> list[Result]:
    """Each outcome of the trial, in each arm, at each visit after baseline."""
    outcomes = [disease.outcomes[name] for name in study.trial.outcomes]
    found: dict[tuple[Outcome, int, str], Sums] = {}
    for arms in _groups(study, disease, folder, outcomes) if outcomes else ():
        for outcome, week in product(outcomes, study.trial.visits[1:]):
            for arm, of_arm in _seen(arms, outcome, week).items():
                found[outcome, week, arm] = found.get((outcome, week, arm), Sums()) + of_arm
    rows = [_row(outcome, week, _finding(outcome, arm, of_arm)) for (outcome, week, arm), of_arm in found.items()]
    return sorted(rows, key=lambda row: (row.analysis, row.outcome, row.week, row.arm, row.statistic))


@dataclass(frozen=True)
class _Records(dataset.Records):
    """Records that keep what was asked for: outcomes of a visit are made of the same measurements."""

    kept: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def at(self, week: int) -> dict[str, np.ndarray]:
        if week not in self.kept:
            self.kept[week] = super().at(week)
        return self.kept[week]


def _groups(study: Study, disease: Disease, folder: Path, outcomes: Iterable[Outcome]) -> Iterator[Arms]:
    """Of each group of shards and each arm: the records that hold it, and which twins of these are its own."""
    columns = {*SEEN, *(name for outcome in outcomes for name in made_of(disease, outcome))}
    files = {kind: bundle.parts(folder, kind) for kind in bundle.TABLES}
    for begin in range(0, len(files["twins"]), TOGETHER):
        twins, observations, events = (
            joined(files[kind][begin : begin + TOGETHER], wanted)
            for kind, wanted in (("twins", PEOPLE), ("observations", columns), ("events", None))
        )
        if study.trial.split:
            sides = dataset.sides(twins, observations, events, list(study.trial.arms))
            yield {arm: (_Records(**vars(records)), np.full(len(twins), True)) for arm, records in sides.items()}
        else:
            records = _Records(**vars(dataset.align(twins, observations, events)))
            yield {arm: (records, (twins["arm"] == arm).to_numpy()) for arm in study.trial.arms}


def _seen(arms: Arms, outcome: Outcome, week: int) -> dict[str, Sums]:
    """What each arm shows at a visit."""
    derived: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # arms that are different people share their records
    found = {}
    for arm, (records, mine) in arms.items():
        if id(records) not in derived:
            derived[id(records)] = dataset.value(records, outcome, week, _strategy(outcome))
        values, missing = derived[id(records)]
        values = values[mine]
        found[arm] = sums(values[~np.isnan(values)], int(missing[mine].sum()))
    return found


def _responds(outcome: Outcome) -> bool:
    return outcome.kind == "responder"


def _strategy(outcome: Outcome) -> str:
    return "composite" if _responds(outcome) else "treatment_policy"


def _finding(outcome: Outcome, arm: str, of_arm: Sums) -> Finding:
    if not _responds(outcome):
        return mean(arm, of_arm)
    events = round(of_arm.n * of_arm.mean) if of_arm.n else 0
    return share(arm, Tally(events, of_arm.n, of_arm.missing), analyses.LEVEL)


def mean(arm: str, of_arm: Sums) -> Finding:
    """The mean of an arm with limits by the t distribution, as `statistics.means.mean` has it."""
    from scipy.stats import t

    n, se, half = of_arm.n, math.nan, math.nan
    if n > 1 and of_arm.high > of_arm.low:
        se = math.sqrt(of_arm.squares / (n - 1)) / math.sqrt(n)
        half = float(t.isf((1 - analyses.LEVEL) / 2, n - 1)) * se
    note = "" if n > 1 and se > 0 else f"no interval: {n} twins with a value, or none that differ"
    return Finding(
        arm, "", "mean", {"interval": "t"}, "mean", of_arm.mean, of_arm.mean - half, of_arm.mean + half, n,
        se=se, missing=of_arm.missing, engine="cutis", note=note,
    )  # fmt: skip


def _row(outcome: Outcome, week: int, finding: Finding) -> Result:
    found = {key: item for key, item in vars(finding).items() if key != "options"}
    return Result(
        analysis=BY_VISIT if _responds(outcome) else MEAN_BY_VISIT,
        role=DESCRIPTIVE,
        outcome=outcome.name,
        week=week,
        population=analyses.POPULATION,
        intercurrent=_strategy(outcome),
        level=analyses.LEVEL,
        options=json.dumps(finding.options, sort_keys=True),
        engine_version=engine_version(finding.engine),
        **found,
    )
