"""Weighted distributions as tables of values at normal scores."""

import numpy as np
from scipy import special

FEWEST = 5  # people that any part of a table stands for
SCORES = np.linspace(-4.0, 4.0, 257)  # nodes of every table; 32 a unit, so that a look-up needs no search


def ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the weight below each value, half of its ties included: between 0 and 1, shape (people,)."""
    levels, where = np.unique(values, return_inverse=True)
    mass = np.bincount(where, weights, minlength=len(levels))
    return ((np.cumsum(mass) - mass / 2) / mass.sum())[where]


def table(values: np.ndarray, weights: np.ndarray, step: float) -> np.ndarray:
    """Quantiles at SCORES.

    A measurement stands for anything that rounds to it, so that twins rounded alike fall on each value as often as
    people do. Values that few people share are taken together: a stretch of the table stands for FEWEST or more.

    Args:
      values, weights: of the people, shape (people,).
      step: what the values are rounded to, in their unit; 0 if they are not.
    """
    if step:
        values = np.round(values / step) * step
    levels, where = np.unique(values, return_inverse=True)
    first, last = _stretches(np.bincount(where, minlength=len(levels)))
    mass = np.cumsum(np.bincount(where, weights, minlength=len(levels))) / weights.sum()
    above = mass[last]
    below = np.concatenate([[0.0], above[:-1]])
    ends = np.stack([levels[first] - step / 2, levels[last] + step / 2], axis=1)
    return np.interp(special.ndtr(SCORES), np.stack([below, above], axis=1).ravel(), ends.ravel())


def _stretches(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last level of stretches of at least FEWEST people; levels that many share stand alone if they can.

    Args:
      people: at each level, shape (levels,).
    """
    starts: list[int] = []
    held = FEWEST  # nothing open
    for level, count in enumerate(people):
        if held >= FEWEST:
            starts.append(level)
            held = 0
        elif count >= FEWEST and len(starts) > 1:  # too few are open: they join those before, not those that share
            starts[-1] = level
            held = 0
        held += count
    if held < FEWEST and len(starts) > 1:
        starts.pop()
    first = np.array(starts)
    return first, np.append(first[1:] - 1, len(people) - 1)


def trimmed(table: np.ndarray, end: float, low: float, high: float) -> np.ndarray:
    """A table whose ends, beyond a share `end` of people on either side, follow the slope before them.

    So no node shows an extreme person. The slope is taken over half a standard deviation of the score, on the log
    scale for values above 0, and what it leads to stays within low to high.
    """
    limit = special.ndtri(1 - end)
    log = low >= 0 and bool(np.all(table > 0))
    scale = np.log(table) if log else table.copy()
    inner = np.flatnonzero(np.abs(SCORES) <= limit)
    half = int(0.5 / (SCORES[1] - SCORES[0]))
    first, last = inner[0], inner[-1]
    before, after = scale[first + half] - scale[first], scale[last] - scale[last - half]
    scale[:first] = scale[first] + before / half * np.arange(-first, 0)
    scale[last + 1 :] = scale[last] + after / half * np.arange(1, len(scale) - last)
    return np.clip(np.exp(scale) if log else scale, low, high)
