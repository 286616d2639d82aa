"""What chance alone would give: intervals of rates, residual risks and rearranged sampling units."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, ndtri


class Interval(NamedTuple):
    value: float
    low: float
    high: float


def wilson(successes: int, attempts: int, confidence: float) -> Interval:
    """A rate with its limits [wilson1927]; the value is their middle, which is never quite 0 or 1."""
    z = float(ndtri((1 + confidence) / 2))
    rate, scale = successes / attempts, 1 + z * z / attempts
    middle = (rate + z * z / (2 * attempts)) / scale
    half = z / scale * np.sqrt(rate * (1 - rate) / attempts + (z / (2 * attempts)) ** 2)
    return Interval(middle, float(middle - half), float(middle + half))


def residual(attack: Interval, control: Interval) -> Interval:
    """Risk beyond what the same attack does to people the model never saw, (r - c) / (1 - c) [giomi2023].

    The limits propagate the half-widths of both rates. Below 0 by chance.
    """
    left = 1 - control.value
    value = (attack.value - control.value) / left
    by_attack = (attack.high - attack.low) / 2 / left
    by_control = (control.high - control.low) / 2 * (1 - attack.value) / left**2
    half = float(np.hypot(by_attack, by_control))
    return Interval(value, value - half, value + half)


def plain_residual(attack: float, control: float) -> float:
    """The residual risk of two raw rates; 0 where nobody is left to be at risk."""
    return (attack - control) / (1 - control) if control < 1 else 0.0


def ranked_area(ranks: np.ndarray, member: np.ndarray) -> float:
    """Chance that a member's score exceeds another's, ties counted half, from ranks of the scores; shape (people,)."""
    members = np.count_nonzero(member)
    pairs = members * (len(member) - members)
    return float((ranks[member].sum() - members * (members + 1) / 2) / pairs)


def rearranged(
    member: np.ndarray, clusters: np.ndarray, strata: np.ndarray, *, times: int, fewest: int, rng: np.random.Generator
) -> np.ndarray:
    """Other ways of telling members from the rest, had chance dealt the sampling units otherwise.

    Whole units change sides, within their stratum where it has units on both sides, and among the remaining ones
    otherwise. People of one unit resemble each other, so the sides differ even when a model knows neither: by these
    rearrangements we learn how much.

    Args:
      member: true for people of the fit, shape (people,).

    Returns:
      shape (times, people).

    Raises:
      ValueError: a unit has people on both sides, or there are too few units to rearrange.
    """
    units, first, unit = np.unique(clusters, return_index=True, return_inverse=True)
    side, group = member[first], strata[first].astype(float)
    if np.any(side[unit] != member):
        raise ValueError("privacy: people of one sampling unit are both in the fit and held out; divide by whole units")
    both = np.intersect1d(group[side], group[~side])
    group[~np.isin(group, both)] = np.nan  # NaN: one group of what is left over
    _, group = np.unique(group, return_inverse=True)
    ways = sum(_log_choices(side[group == g]) for g in range(group.max() + 1))
    if ways < np.log(fewest):
        raise ValueError(
            f"privacy: {len(units)} sampling units can be divided into people of the fit and people held out in only"
            f" {np.exp(ways):.0f} ways; chance cannot be told from memory with fewer than {fewest}"
        )
    order = np.argsort(group, kind="stable")
    dealt = np.empty((times, len(units)), dtype=bool)
    for row in dealt:
        row[np.lexsort((rng.random(len(units)), group))] = side[order]
    return dealt[:, unit]


def _log_choices(side: np.ndarray) -> float:
    n, k = len(side), np.count_nonzero(side)
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
