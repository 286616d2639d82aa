"""How well probabilities agree with the evidence.

Counts of an arm are nested: who reaches PASI 90 has reached PASI 75. So the chance of each response among those with
the next lower one that is told is compared with its count, which multiplies to the multinomial likelihood of the arm.
Counts vary more than binomially (beta-binomial, one intraclass correlation for all), besides what a trial adds to all
of its arms. Courses enter as differences between weeks on the logit scale, so that no level of a trial in the
meta-analysis behind them leaks in; relapse as shares on the logit scale.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, digamma, logit

from .evidence.arms import Trial
from .evidence.targets import Relapse, TimeCourse
from .table import LADDER, Table, followed

RECALLED = 4.0  # how many times more than a read number's a recalled one's variance is taken to be
NEAREST = 1e-6


class Counts(NamedTuple):
    """Counts of nested responses; arrays of rows.

    upper, lower: places in the table of the response and of the one below it (-1: everybody). n: who had the lower one,
    x: of them, who had the upper one. inflation: by which the variance is taken to be larger. trial: number.
    """

    upper: np.ndarray
    lower: np.ndarray
    n: np.ndarray
    x: np.ndarray
    inflation: np.ndarray
    trial: np.ndarray


class Summaries(NamedTuple):
    """Numbers on the logit scale; arrays of rows: logit of entry `one`, less that of entry `other` (-1: nothing)."""

    one: np.ndarray
    other: np.ndarray
    value: np.ndarray
    sd: np.ndarray


def counts(trials: Sequence[Trial], table: Table, left_out: Collection[str] = ()) -> Counts:
    """All counts of PASI responses of trials, without those `left_out`; keys `trial` or `trial/arm`."""
    rows = []
    for number, trial in enumerate(trials):
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
                    rows.append((upper, place, n, x, 1.0 if readout.status == "measured" else RECALLED, number))
                    place, n = upper, x
    upper, lower, n, x, inflation, trial = np.array(rows).reshape(-1, 6).T
    upper, lower, n, x, trial = (column.astype(int) for column in (upper, lower, n, x, trial))
    return Counts(upper, lower, n, x, inflation, trial)


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


def conditional(rows: Counts, value: np.ndarray) -> np.ndarray:
    """Chance of each count's response among those with the lower one."""
    below = np.where(rows.lower < 0, 1.0, value[rows.lower])
    return np.clip(value[rows.upper] / below, NEAREST, 1 - NEAREST)


def log_likelihood(rows: Counts, q: np.ndarray, rho: float) -> np.ndarray:
    """Beta-binomial log-likelihood of each count, tempered by its inflation, up to a constant."""
    size = 1 / rho - 1
    a, b = q * size, (1 - q) * size
    return (betaln(rows.x + a, rows.n - rows.x + b) - betaln(a, b)) / rows.inflation


def score(rows: Counts, q: np.ndarray, rho: float) -> np.ndarray:
    """Slope of `log_likelihood` in each probability `q`."""
    size = 1 / rho - 1
    a, b = q * size, (1 - q) * size
    reached, missed = digamma(rows.x + a) - digamma(a), digamma(rows.n - rows.x + b) - digamma(b)
    return size * (reached - missed) / rows.inflation


def information(rows: Counts, q: np.ndarray, rho: float) -> np.ndarray:
    """What each count tells of its probability: the inverse of its variance as a share."""
    return rows.n / (q * (1 - q) * (1 + (rows.n - 1) * rho) * rows.inflation)


def slope(rows_upper: np.ndarray, rows_lower: np.ndarray, value: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Slope of the logarithm of a conditional probability, from slopes (..., entries) of the entries."""
    relative = slopes / value
    below = np.where(rows_lower < 0, 0.0, relative[..., rows_lower])
    return relative[..., rows_upper] - below


def logits(rows: Summaries, value: np.ndarray) -> np.ndarray:
    """What the table gives for each summary."""
    inside = logit(np.clip(value, NEAREST, 1 - NEAREST))
    return inside[rows.one] - np.where(rows.other < 0, 0.0, inside[rows.other])


def logit_slopes(rows: Summaries, value: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Slopes of `logits`."""
    inside = np.clip(value, NEAREST, 1 - NEAREST)
    scaled = slopes / (inside * (1 - inside))
    return scaled[..., rows.one] - np.where(rows.other < 0, 0.0, scaled[..., rows.other])
