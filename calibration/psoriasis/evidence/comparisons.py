"""Differences between arms of one trial: what a model must keep in sign and size."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from scipy.special import ndtri

from .arms import Arm, Readout, Trial

OUTCOMES = ("pasi75", "pasi90")


class Difference(NamedTuple):
    """Response of an arm minus that of its comparator, in percentage points, with limits.

    between: whether the arms have different treatments (and not doses of one).
    status: measured if both rates are.
    """

    trial: str
    arm: str
    comparator: str
    week: int
    outcome: str
    points: float
    low: float
    high: float
    between: bool
    status: str


def head_to_head(trials: Iterable[Trial], level: float = 0.95) -> tuple[Difference, ...]:
    """Differences of all pairs of active arms of a trial, at its week with measured responses.

    The limits are those of Newcombe (1998, Statistics in Medicine 17:873, method 10).
    """
    return tuple(_pairs(trials, level))


def _pairs(trials: Iterable[Trial], level: float) -> Iterator[Difference]:
    for trial in trials:
        week = trial.main_week()
        active = [arm for arm in trial.arms if arm.courses]
        for arm, comparator in combinations(active, 2):
            for outcome in OUTCOMES:
                pair = [one.at(week).get(outcome) for one in (arm, comparator)]
                if pair[0] is not None and pair[1] is not None:
                    yield _difference(trial, arm, comparator, pair[0], pair[1], level)


def _difference(trial: Trial, arm: Arm, comparator: Arm, one: Readout, other: Readout, level: float) -> Difference:
    z = float(ndtri(0.5 + level / 2))
    p, q = one.count / one.n, other.count / other.n
    (p_low, p_high), (q_low, q_high) = wilson(one.count, one.n, z), wilson(other.count, other.n, z)
    low = p - q - ((p - p_low) ** 2 + (q_high - q) ** 2) ** 0.5
    high = p - q + ((p_high - p) ** 2 + (q - q_low) ** 2) ** 0.5
    return Difference(
        trial=trial.key,
        arm=arm.name,
        comparator=comparator.name,
        week=one.week,
        outcome=one.outcome,
        points=100 * (p - q),
        low=100 * low,
        high=100 * high,
        between=arm.treatments != comparator.treatments,
        status="measured" if {one.status, other.status} == {"measured"} else "assumed",
    )


def wilson(count: int, n: int, z: float) -> tuple[float, float]:
    """Limits of a share after Wilson (1927), z standard deviations to either side."""
    share = count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return middle - half, middle + half
