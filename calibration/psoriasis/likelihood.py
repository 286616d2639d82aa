"""Which predicted probabilities are compared with what the evidence tells.

Counts of PASI responses enter as such. Courses enter as differences between weeks on the logit scale, so that no level
of a trial in the meta-analysis behind them leaks in; relapse as shares on the logit scale.
"""

from collections.abc import Collection, Sequence

import numpy as np
from scipy.special import logit

from ..terms import RECALLED, Counts, Summaries
from .evidence.arms import Trial
from .evidence.targets import Relapse, TimeCourse
from .table import LADDER, Table, followed


def counts(trials: Sequence[Trial], table: Table, left_out: Collection[str] = ()) -> Counts:
    """All counts of PASI responses of trials, without those `left_out`; keys `trial` or `trial/arm`."""
    rows = []
    for trial in trials:
        for arm in trial.arms:
            if not followed(arm) or trial.key in left_out or f"{trial.key}/{arm.name}" in left_out:
                continue
            for week in sorted({r.week for r in arm.readouts}):
                told = [arm.at(week)[name] for name in LADDER if name in arm.at(week)]
                place, n = -1, told[0].n if told else 0
                for readout in told:
                    upper = table.place.get((trial.key, arm.name, readout.outcome, week), -1)
                    if upper < 0 or n == 0:
                        break
                    x = min(readout.count, n)
                    rows.append((upper, place, n, x, 1.0 if readout.status == "measured" else RECALLED))
                    place, n = upper, x
    columns = np.array(rows).reshape(-1, 5).T
    upper, lower, n, x = columns[:4].astype(int)
    return Counts(upper, lower, n, x, columns[4])


def summaries(
    courses: Sequence[TimeCourse], relapses: Sequence[Relapse], table: Table, sd: dict[str, float]
) -> Summaries:
    """Differences between weeks of the courses, and shares without relapse.

    sd: of `early` (up to week 4) and `late` differences and of `relapse`, on the logit scale.
    """
    rows = []
    for course in courses:
        percents = course.percents["pasi75"]
        base = table.place[course.key, "", "pasi75", 12]
        for week, percent in percents.items():
            if week != 12:
                at = table.place[course.key, "", "pasi75", week]
                value = logit(percent / 100) - logit(percents[12] / 100)
                rows.append((at, base, value, sd["early"] if week <= 4 else sd["late"]))
    for relapse in relapses:
        for entry, kept in relapse_targets(relapse, table):
            rows.append((entry, -1, logit(kept), sd["relapse"]))
    columns = np.array(rows).reshape(-1, 4).T
    return Summaries(columns[0].astype(int), columns[1].astype(int), columns[2], columns[3])


def relapse_targets(relapse: Relapse, table: Table) -> list[tuple[int, float]]:
    """Places in the table and shares without relapse: one half at the median time."""
    found = {week: percent / 100 for week, percent in relapse.kept.items()}
    if relapse.median_days is not None:
        found[relapse.stopped + round(relapse.median_days / 7)] = 0.5
    outcomes = {e.week: place for place, e in enumerate(table.entries) if e.kind == "relapse" and e.key == relapse.key}
    return [(outcomes[week], share) for week, share in found.items()]
