"""One time mesh for all twins: fine after each dose, coarser with time since, a node at every break.

Breaks are the days of doses and visits. The local step is `first + growth * days since a dose`, at most `longest`; a
study multiplies all three by one `scale`, which it tunes by step doubling.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

PADDING = 4096  # one shape, hence one compilation, for every mesh a study tries


@dataclass(frozen=True)
class Shape:
    """Lengths in days; growth in days a day."""

    first: float
    growth: float
    longest: float


FIRST_DOSE = Shape(0.001, 0.125, 1.0)  # the drug meets an unblocked target: its effect may set in within minutes
LATER_DOSE = Shape(0.025, 0.2, 1.0)


@dataclass(frozen=True)
class Mesh:
    """Nodes in days; `begins[b]` is the node of break b. `steps` nodes count, the rest is padding.

    times: shape (a multiple of PADDING,). breaks, begins: shape (number of breaks,).
    """

    times: np.ndarray
    breaks: np.ndarray
    begins: np.ndarray
    steps: int


def graded(first_doses: Collection[float], doses: Collection[float], visits: Collection[float], scale: float) -> Mesh:
    """The mesh from the first to the last visit; doses after the last visit are left out.

    Args:
      first_doses: days on which some arm starts a drug. doses: all days with a dose. visits: days of visits.
    """
    end = max(visits)
    breaks = np.array(sorted({float(t) for t in (*first_doses, *doses, *visits) if t <= end}))
    given = np.array(sorted({float(t) for t in (*first_doses, *doses)}))
    times, begins = [breaks[0]], [0]
    for start, stop in pairwise(breaks):
        before = given[given <= start]
        last = float(before[-1]) if len(before) else float(breaks[0])
        shape = FIRST_DOSE if last in first_doses else LATER_DOSE
        times += [last + t for t in _nodes(start - last, stop - last, scale, shape)]
        times[-1] = stop
        begins.append(len(times) - 1)
    steps = len(times) - 1
    padded = np.full(PADDING * math.ceil(len(times) / PADDING), times[-1])
    padded[: len(times)] = times
    return Mesh(padded, breaks, np.array(begins), steps)


def _nodes(start: float, stop: float, scale: float, shape: Shape) -> list[float]:
    """Nodes after `start` up to `stop` (days since the dose), equally spaced in the number of steps."""
    first, growth, longest = shape.first * scale, shape.growth * scale, shape.longest * scale
    turn = (longest - first) / growth

    def count(t: float) -> float:
        graded = math.log1p(growth * min(t, turn) / first) / growth
        return graded + max(t - turn, 0.0) / longest

    def time(c: float) -> float:
        whole = count(turn)
        return first * math.expm1(growth * c) / growth if c <= whole else turn + (c - whole) * longest

    low, high = count(start), count(stop)
    n = max(1, math.ceil(high - low - 1e-9))
    return [time(low + (high - low) * k / n) for k in range(1, n + 1)]
