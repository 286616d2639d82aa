"""Bounds of a fixed shape: O'Brien-Fleming, Pocock, Wang-Tsiatis, Haybittle-Peto."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import positive, probability, rising, sides
from ..root import root
from .bounds import Bounds, crossing, quantile_above
from .grid import advance, fineness


def wang_tsiatis(information: ArrayLike, alpha: float, delta: float, sided: int = 1) -> Bounds:
    """Bounds $c\\, t^{\\Delta - 1/2}$ [Wang and Tsiatis 1987, Biometrics 43:193]; Delta 0 to 0.5 are the usual ones."""
    times = rising(information)
    probability("alpha", alpha)
    sides(sided)
    if not np.isfinite(delta) or abs(delta) > 2:
        raise ValueError(f"delta: expected a number from -2 to 2, got {delta!r}")
    shape = times ** (delta - 0.5)

    def excess(c: float) -> float:
        return float(crossing(_shaped(times, c * shape, alpha, sided), 0.0).upper.sum()) - alpha / sided

    fixed = float(norm.isf(alpha / sided))
    low, high = fixed / shape.max(), float(norm.isf(alpha / sided / len(times))) / shape.min()
    if len(times) == 1:
        return _shaped(times, np.array([fixed]), alpha, sided)
    if fixed <= 0:
        raise ValueError(f"alpha: expected less than 0.5 on each side, got {alpha / sided:g}")
    c = root(excess, low, high, xtol=1e-12)
    return _shaped(times, c * shape, alpha, sided)


def obrien_fleming(information: ArrayLike, alpha: float, sided: int = 1) -> Bounds:
    """Bounds $c / \\sqrt t$ [O'Brien and Fleming 1979, Biometrics 35:549]."""
    return wang_tsiatis(information, alpha, 0.0, sided)


def pocock(information: ArrayLike, alpha: float, sided: int = 1) -> Bounds:
    """The same bound at each look [Pocock 1977, Biometrika 64:191]."""
    return wang_tsiatis(information, alpha, 0.5, sided)


def haybittle_peto(information: ArrayLike, alpha: float, interim: float = 3.0, sided: int = 1) -> Bounds:
    """One high bound at all looks but the last, which keeps the level [Haybittle 1971, Br J Radiol 44:793].

    Raises:
      ValueError: the looks before the last use up the whole level.
    """
    times = rising(information)
    probability("alpha", alpha)
    positive("interim", interim)
    level = alpha / sides(sided)
    r, going, efficacy, used = fineness(times), None, np.full(len(times), interim), 0.0
    if len(times) > 1:
        earlier = _shaped(times[:-1] / times[-2], efficacy[:-1], alpha, sided)
        used = float(crossing(earlier, 0.0).upper.sum())
    if used >= level:
        raise ValueError(
            f"interim: a bound of {interim:g} spends {used:g} too early, and the level is {level:g}; raise it"
        )
    for time in times[:-1]:
        going = advance(going, time, -interim if sided == 2 else -np.inf, interim, 0.0, r)
    efficacy[-1] = quantile_above(going, times[-1], level - used, 0.0)
    return _shaped(times, efficacy, alpha, sided)


def _shaped(times: np.ndarray, efficacy: np.ndarray, alpha: float, sided: int) -> Bounds:
    return Bounds(times, efficacy, np.full(len(times), -np.inf), alpha, sided)
