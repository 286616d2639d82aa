"""What may be said after a trial that could have stopped early: p-value, estimate, intervals.

Results are ordered by the look at which the trial ended, then by the statistic (stage-wise ordering: Siegmund 1978,
Biometrika 65:341; Tsiatis, Rosner and Mehta 1984, Biometrics 40:797). Non-binding futility bounds are disregarded, so
that statements hold whether or not they were followed. Repeated intervals: Jennison and Turnbull 1989, J R Stat Soc B
51:305.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import defined, probability
from ..root import root
from .bounds import Bounds
from .grid import above, advance, below, fineness

WIDE = 40.0  # drifts searched on each side of the estimate


class Adjusted(NamedTuple):
    """Inference after a look, with the repeated interval that holds at any look.

    p: one-sided stage-wise p-value of no effect. estimate, low, high: median-unbiased, in units of the drift (mean of
    the statistic at full information); divide by the square root of the last look's information for the effect.
    """

    p: float
    estimate: float
    low: float
    high: float
    repeated_low: float
    repeated_high: float


def stagewise_p(bounds: Bounds, look: int, z: ArrayLike, drift: float = 0.0) -> np.ndarray:
    """Probability of a result at least as good as that of a trial that ended at this look with the statistic z.

    Args:
      look: number of the look (from 1). z: shape (replicates,) or a number.
    """
    _look(bounds, look)
    statistic = defined("z", z)
    low, high, times = bounds.lower(bounds.binding), bounds.efficacy, bounds.information
    r, going, better, worse = fineness(times), None, 0.0, 0.0
    for k in range(look - 1):
        better += float(above(going, times[k], high[k], drift))
        worse += float(below(going, times[k], low[k], drift))
        going = advance(going, times[k], low[k], high[k], drift, r)
    time = times[look - 1]
    # An early stop below is worse than anything at later looks, an early stop above is better.
    stopped_low = (statistic <= low[look - 1]) & (look < bounds.looks)
    return np.where(
        stopped_low,
        1 - worse - below(going, time, statistic, drift),
        better + above(going, time, statistic, drift),
    )


def adjusted(bounds: Bounds, look: int, z: float, level: float = 0.95) -> Adjusted:
    """p-value, median-unbiased estimate and interval of a trial that ended at this look, and the repeated interval."""
    probability("level", level)
    if not np.isfinite(z):
        raise ValueError(f"z: expected a finite number, got {z!r}")
    centre = z / np.sqrt(bounds.information[_look(bounds, look) - 1])
    tail = (1 - level) / 2

    def at(share: float) -> float:
        return _drift(lambda d: float(stagewise_p(bounds, look, z, d)) - share, centre)

    low, high = repeated_interval(bounds, look, z)
    p = float(stagewise_p(bounds, look, z))
    return Adjusted(p, at(0.5), at(tail), at(1 - tail), low, high)


def repeated_interval(bounds: Bounds, look: int, z: float) -> tuple[float, float]:
    """Limits of the drift that hold whichever look is the last, at the level of the bounds (one-sided: 1 - 2 alpha)."""
    defined("z", z)
    time, bound = bounds.information[_look(bounds, look) - 1], bounds.efficacy[look - 1]
    return float((z - bound) / np.sqrt(time)), float((z + bound) / np.sqrt(time))


def repeated_p(design: Callable[[float], Bounds], look: int, z: float) -> float:
    """Smallest one-sided level at which designs of this kind would succeed at this look.

    Args:
      design: bounds of a level, one-sided, e.g. `lambda a: obrien_fleming(information, a)`.
    """

    def excess(logit: float) -> float:
        return float(design(0.5 / (1 + np.exp(-logit))).efficacy[look - 1]) - z

    low, high = -60.0, 12.0  # levels from 4e-27 to 0.499997
    if excess(high) > 0:
        return 0.5
    if excess(low) < 0:
        return 0.0
    return float(0.5 / (1 + np.exp(-root(excess, low, high, xtol=1e-11))))


def naive_p(z: ArrayLike) -> np.ndarray:
    """One-sided p-value that disregards earlier looks, to set beside the adjusted one."""
    return norm.sf(defined("z", z))


def _look(bounds: Bounds, look: int) -> int:
    if not 1 <= look <= bounds.looks:
        raise ValueError(f"look: expected 1 to {bounds.looks}, got {look}")
    return look


def _drift(excess: Callable[[float], float], centre: float) -> float:
    """Where a rising function of the drift is zero; infinite if it is not within reach of the estimate."""
    if excess(centre - WIDE) > 0:
        return -np.inf
    if excess(centre + WIDE) < 0:
        return np.inf
    return root(excess, centre - WIDE, centre + WIDE, xtol=1e-10)
