"""The margins of cells: tables of a cell's own people and of those it borrows from its wider group."""

import numpy as np

from .data import effective_size
from .plan import Number, Top
from .quantiles import FEWEST, table, trimmed

PARTS = 4  # of a measurement's step, to which tables are rounded: finer digits are noise


def borrowed(
    number: Number, values: np.ndarray, weights: np.ndarray, own: np.ndarray, wider: np.ndarray, borrow: float
) -> np.ndarray:
    """Table of a cell's people and as much of its wider group as if `borrow` people of it joined them.

    Where the table's ends stand for fewer than FEWEST people of the wider group they follow the slope before
    them, as far as everyone's ends: no node shows an extreme person.

    Args:
      values, weights: of everyone, shape (people,); NaN where missing.
      own, wider: masks of the cell and of its wider group; everyone, where that has no value.
    """
    known = np.isfinite(values)
    everyone = np.quantile(values[known], _ends(weights[known]), weights=weights[known], method="inverted_cdf")
    own, wider = own & known, wider & known
    if not np.any(wider):
        wider = known
    effective = effective_size(weights[own])
    share = effective / (effective + borrow) if effective else 0.0
    mass = np.zeros(len(values))
    mass[wider] = (1 - share) * weights[wider] / weights[wider].sum()
    if share:
        mass[own] += share * weights[own] / weights[own].sum()
    some = mass > 0
    drawn = table(values[some], mass[some], number.step or 0.0)
    return _rounded(number, trimmed(drawn, _ends(weights[wider])[0], *everyone))


def banded(number: Number, values: np.ndarray, weights: np.ndarray, end: float) -> np.ndarray:
    """Table of the number that the cell's band is cut by: its own people only, below the `end` of the band."""
    step = number.step or 0.0
    drawn = table(values, weights, step) + (step / 2 if number.completed else 0.0)
    return np.clip(drawn, number.low, min(end, number.high) - step / 100)


def uncoded(top: Top, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values with the people at a top code spread over what it stands for: an exponential of the plan's mean, cut."""
    coded = np.flatnonzero(values >= top.at)
    if not len(coded):
        return values
    order = np.random.default_rng(0).permutation(len(coded))  # who gets which value says nothing of them
    mass = weights[coded][order]
    share = (np.cumsum(mass) - mass / 2) / mass.sum()
    room = top.last - top.at
    rate = _rate(top.mean - top.at, room)
    spread = values.copy()
    spread[coded[order]] = top.at + np.log1p(share * np.expm1(-rate * room)) / -rate
    return spread


def _rate(mean: float, end: float) -> float:
    """Rate of the exponential on [0, end] that has this mean, below end / 2; by bisection."""
    low, high, rate = 1e-9 / end, 1e3 / mean, 1 / mean
    for _ in range(200):
        rate = float(np.sqrt(low * high))
        tail = end / np.expm1(rate * end) if rate * end < 700 else 0.0
        low, high = (rate, high) if 1 / rate - tail > mean else (low, rate)
    return rate


def _ends(weights: np.ndarray) -> tuple[float, float]:
    end = FEWEST / max(effective_size(weights), 4 * FEWEST)
    return end, 1 - end


def _rounded(number: Number, drawn: np.ndarray) -> np.ndarray:
    """In the middle of a part of a step, so that no node lies where two recorded values meet."""
    if number.step is not None:
        part = number.step / PARTS
        drawn = (np.floor(drawn / part + 1e-9) + 0.5) * part
    return np.clip(drawn, number.low, number.high)
