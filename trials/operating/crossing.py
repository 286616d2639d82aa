"""A crossover of two treatments in two periods: the sequences are arms, simulated as they stand.

Half the difference of a person's two periods is compared between the sequences, by t with the variances pooled: that is
the treatment's effect whatever the period does [Hills and Armitage 1979, Br J Clin Pharmacol 8:7]. Nothing is supposed
of the washout: what the first treatment leaves behind is in the second period's outcomes. So the true value is the
effect in the first period, which nothing precedes, and the bias has the carry-over in it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import bundle
from ..statistics import dataset
from . import pool as pools
from .arrangements import Crossover
from .pool import Columns, Pool
from .withdrawing import given

if TYPE_CHECKING:
    from ..run import Plan
    from ..study import Analysis, Study

METHODS = ("half the difference of the periods, by t", "the first period alone, by t", "the sum of the periods, by t")
# Of the outcomes of the first and the second period, what each analysis compares between the sequences.
PERIODS = np.array([[0.5, -0.5], [1.0, 0.0], [1.0, 1.0]])


def names(decisive: str) -> tuple[str, str, str]:
    """What the analyses are called."""
    return decisive, f"{decisive}, first period alone", f"{decisive}, carry-over"


def chosen(name: str, analysis: "Analysis") -> dict[str, "Analysis"]:
    """The analyses: t-tests of the sequences."""
    options = type(analysis.options)(variance="classical")
    plain = analysis.model_copy(update={"covariates": (), "method": "ancova", "options": options})
    return dict.fromkeys(names(name), plain)


def problems(study: "Study", plan: Crossover, name: str, analysis: "Analysis") -> Iterator[str]:
    """What keeps two arms from being the sequences of a crossover."""
    trial = study.trial
    if plan.first not in trial.visits:
        yield f"design.crossover.first: week {plan.first} is not a visit; visits are {list(trial.visits)}"
    if analysis.week <= plan.first:
        yield (
            f"design.crossover.first: the second period of {name} ends at week {analysis.week}, not after the first "
            f"(week {plan.first})"
        )
    arms = trial.arms[analysis.arm], trial.arms[analysis.comparator]
    used = [sorted({course.treatment for course in arm.courses()}) for arm in arms]
    if used[0] != used[1]:
        told = " and ".join(f"{arm} has {', '.join(which) or 'no treatment'}"
                            for arm, which in zip((analysis.arm, analysis.comparator), used, strict=True))  # fmt: skip
        yield f"design.crossover: {told}; expected two sequences of the same treatments"
    elif given(arms[0], plan.first) == given(arms[1], plan.first):
        yield (
            f"design.crossover: {analysis.arm} and {analysis.comparator} give the same up to week {plan.first}; the "
            "sequences must differ in the first period"
        )


def read(
    study: "Study", plan: Crossover, planned: "Plan", folder: Path, analyses: Mapping[str, "Analysis"]
) -> Pool:  # fmt: skip
    """What the analyses need of a pool: what they compare of each twin's two periods."""
    first = next(iter(analyses.values()))
    arms, people = list(study.trial.arms), planned.enrolment
    records = {}
    for arm in (first.arm, first.comparator):
        tables = bundle.tables(folder / arm)
        records[arm] = dataset.align(tables["twins"], tables["observations"], tables["events"])
    values = np.stack([
        [pools.frame(study, first.model_copy(update={"week": week}), records[arm])["value"].to_numpy(float)
         for week in (plan.first, first.week)]
        for arm in (first.arm, first.comparator)
    ])  # (sequences, periods, pool)  # fmt: skip
    numbers = arms.index(first.arm), arms.index(first.comparator)
    columns = {name: compared(values, row, numbers) for name, row in zip(analyses, PERIODS, strict=True)}
    return Pool(people.ids, people.strata, people.labels, columns, records[first.arm].twins)


def compared(values: np.ndarray, row: np.ndarray, arms: tuple[int, int]) -> Columns:
    """The columns of one analysis.

    Args:
      values: NaN where there is none, (sequences, periods, pool). row: what counts of the periods.
    """
    value = np.einsum("t,stp->sp", row[row != 0], values[:, row != 0])
    return Columns(value, np.isnan(value), np.zeros((*value.shape, 0)), np.ones(value.shape, bool), arms)


def of_periods(decisive: str, first: float, second: float) -> dict[str, float]:
    """True values, from the differences between the sequences in either period.

    That of the effect is the first period's; that of the carry-over is 0 where the second undoes the first.
    """
    return dict(zip(names(decisive), (first, first, first + second), strict=True))


def notes(truth: dict[str, float], limits: dict[str, float]) -> list[str]:
    """What a reader should know."""
    (_, effect), (_, _), (_, carry) = truth.items()
    tends = next(iter(limits.values()))
    return [
        f"true effect in the first period {effect:.4g}; over both periods, with all that people have from the first, "
        f"the analysis tends to {tends:.4g}",
        f"carry-over (difference between the sequences of the sum of both periods) {carry:.4g}: half of it is in the "
        "effect with the opposite sign. Where it is not small beside the effect, people are not back where they "
        "began, and a crossover is the wrong design",
    ]
