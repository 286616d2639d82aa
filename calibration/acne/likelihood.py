"""Which predicted numbers are compared with what the evidence tells, and how closely.

Shares of people enter as counts (those by the investigator's grade vary by themselves beside chance, the others, such
as of half the lesions gone, by themselves); mean and median changes with the standard error of as many people. Of
several figures that tell the same, one counts: changes in per cent before changes in lesions, and inflammatory lesions
before all. Papules, pustules and nodules by themselves are predicted, not fitted.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ...core.parameters import Table as Parameters
from ...core.parameters import read_table
from ..terms import RECALLED, Counts, Means, Term, standard_error
from .evidence.arms import SCORES, SHARES, Arm, Readout, Trial
from .readings import GRADED
from .table import Table

HERE = Path(__file__).parent
COUNTS = ("counts", "shares")  # of success by the investigator's grade, of people with fewer lesions
MEANS = ("percent", "comedones", "change", "score")  # of lesions and of comedones in per cent; of lesions; points
FITTED = ("inflammatory", "noninflammatory", "total")  # lesions


@cache
def given() -> Parameters:
    """What is taken for given."""
    return read_table(HERE / "likelihood.yaml", sources=HERE / "sources.yaml")


def terms(trials: Sequence[Trial], table: Table, left_out: Collection[str] = ()) -> dict[str, Term]:
    """The terms by name; without what is `left_out` (see `seen`)."""
    found: dict[str, Term] = {}
    for term in COUNTS:
        found[term] = _counts(trials, table, term, left_out)
    for term in MEANS:
        found[term] = _means(trials, table, term, left_out)
    return found


def seen(trial: Trial, arm: Arm, readout: Readout, left_out: Collection[str]) -> bool:
    """Whether a figure is none of what is left out: `trial`, `trial/arm` or `trial@week`."""
    return {trial.key, f"{trial.key}/{arm.name}", f"{trial.key}@{readout.week}"}.isdisjoint(left_out)


def term_of(readout: Readout) -> str:
    """The term whose variation beside chance a figure has. Trials differ more in comedones than in other lesions."""
    if readout.outcome in SHARES:
        return "counts" if readout.outcome in GRADED else "shares"
    if readout.outcome in SCORES:
        return "score"
    return "comedones" if readout.outcome == "noninflammatory_percent" else _unit(readout)


def error_of(readout: Readout) -> float | None:
    """Standard error by chance of a mean or median, in its own unit; None of a share."""
    if readout.outcome in SHARES:
        return None
    kind = readout.outcome if readout.outcome in SCORES else _unit(readout)
    sd = given().value(f"deviation.{kind}") if readout.sd is None else readout.sd
    return standard_error(sd, readout.n, readout.statistic == "median")


def _unit(readout: Readout) -> str:
    """In what a change of lesions is told: percent or change (in lesions)."""
    return readout.outcome.rsplit("_", 1)[1]


def counts_for(readout: Readout, arm: Arm) -> bool:
    """Whether a figure is fitted, given what else its arm tells."""
    if readout.outcome in SHARES or readout.outcome in SCORES:
        return True
    told = arm.at(readout.week)
    kind, unit = readout.outcome.rsplit("_", 1)
    return (
        kind in FITTED
        and not (kind == "total" and f"inflammatory_{unit}" in told)
        and not (unit == "change" and f"{kind}_percent" in told)
    )


def _fitted(
    trials: Sequence[Trial], table: Table, left_out: Collection[str], term: str
) -> Iterator[tuple[int, Readout, float]]:
    """Place, figure, and by what its variance is taken to be larger, of each figure of a term."""
    for trial in trials:
        for arm in trial.arms:
            for readout in arm.readouts:
                place = table.place.get((trial.key, arm.name, readout.outcome, readout.week))
                if place is None or term_of(readout) != term:
                    continue
                if counts_for(readout, arm) and seen(trial, arm, readout, left_out):
                    yield place, readout, 1.0 if readout.status == "measured" else RECALLED


def _counts(trials: Sequence[Trial], table: Table, term: str, left_out: Collection[str]) -> Counts:
    rows = [(place, -1, r.n, r.count, more) for place, r, more in _fitted(trials, table, left_out, term)]
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    upper, lower, n, x = columns[:4].astype(int)
    return Counts(upper, lower, n, x, columns[4])


def _means(trials: Sequence[Trial], table: Table, term: str, left_out: Collection[str]) -> Means:
    rows = [(place, r.value, error_of(r), more) for place, r, more in _fitted(trials, table, left_out, term)]
    columns = np.array(rows, dtype=float).reshape(-1, 4).T
    place, (value, error, more) = columns[0].astype(int), columns[1:]
    return Means(place, np.full(len(place), -1), value, error, more, given().value(f"misfit.{term}"))
