"""Stopping bounds of the looks, and the chance of crossing each under any effect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import defined, probability, rising, sides
from ..root import root
from .grid import Going, above, advance, below, fineness
from .spending import Spending

WIDEST = 38.0  # the normal tail beyond is below the smallest floating point number


@dataclass(frozen=True)
class Bounds:
    """When to stop at each look, in terms of the standardised statistic (large is good for the treatment).

    Args:
      information: fractions of the information of the last look, shape (looks,).
      efficacy: the trial is a success at or above it (two-sided: in absolute value); infinite where it cannot be.
      futility: one-sided: the trial is stopped below it; minus infinity where it cannot be; at the last look the
        bound of efficacy.
      alpha: total level, of both sides together if two-sided.
      sided: 1 or 2.
      binding: crossing the futility bound always stops the trial, and alpha reckons with it.
    """

    information: np.ndarray
    efficacy: np.ndarray
    futility: np.ndarray
    alpha: float
    sided: int = 1
    binding: bool = False

    @property
    def looks(self) -> int:
        """How many looks there are."""
        return len(self.information)

    @property
    def level(self) -> float:
        """The one-sided level."""
        return self.alpha / self.sided

    def lower(self, use_futility: bool) -> np.ndarray:
        """The lower edge of the region where the trial goes on."""
        if self.sided == 2:
            return -self.efficacy
        return self.futility if use_futility else np.full(self.looks, -np.inf)


class Crossing(NamedTuple):
    """Probabilities of stopping at each look, shape (looks,): as a success; below the lower bound."""

    upper: np.ndarray
    lower: np.ndarray


def crossing(bounds: Bounds, drift: float, use_futility: bool = True) -> Crossing:
    """Probability of crossing each bound for the first time.

    Args:
      drift: mean of the statistic at full information (0 under the null hypothesis).
      use_futility: trials stop for futility; without, the bound is disregarded, as a non-binding one may be.
    """
    defined("drift", drift)
    low, high, times = bounds.lower(use_futility), bounds.efficacy, bounds.information
    r, going = fineness(times), None
    upper, lower = np.zeros(bounds.looks), np.zeros(bounds.looks)
    for k, time in enumerate(times):
        upper[k] = above(going, time, high[k], drift)
        lower[k] = below(going, time, low[k], drift)
        if k + 1 < bounds.looks:
            going = advance(going, time, low[k], high[k], drift, r)
    return Crossing(upper, lower)


def spending_bounds(
    information: ArrayLike, alpha: float, spending: Spending, sided: int = 1, time: ArrayLike | None = None
) -> Bounds:
    """Efficacy bounds of a spending function, without futility.

    Args:
      information: at each look, in any unit, rising.
      alpha: total level; half of it is spent on each side if two-sided.
      time: fraction of the level's time at each look; the fraction of information if not given. So a trial that is
        seen at other times than planned keeps its level: give the planned maximum's fractions here.

    Raises:
      ValueError: information does not rise, or the level is spent otherwise than as a rising share of alpha.
    """
    times = rising(information)
    probability("alpha", alpha)
    level = alpha / sides(sided)
    when = times if time is None else _spending_time(time, len(times))
    efficacy = upper_bounds(times, spending.increments(level, when), sided)
    return Bounds(times, efficacy, np.full(len(times), -np.inf), alpha, sided)


def upper_bounds(times: np.ndarray, spend: np.ndarray, sided: int = 1, low: np.ndarray | None = None) -> np.ndarray:
    """Bounds whose first crossing under the null hypothesis has the probabilities `spend`, shape (looks,)."""
    r, going = fineness(times), None
    bounds = np.empty(len(times))
    for k, time in enumerate(times):
        bounds[k] = quantile_above(going, time, spend[k], 0.0)
        if k + 1 < len(times):
            lowest = -bounds[k] if sided == 2 else -np.inf if low is None else low[k]
            going = advance(going, time, lowest, bounds[k], 0.0, r)
    return bounds


def quantile_above(going: Going | None, time: float, mass: float, drift: float) -> float:
    """The bound that trials exceed with this probability; infinite if none may, WIDEST below if all must."""
    if mass <= 0:
        return np.inf
    if going is None:
        return float(norm.isf(mass) + drift * np.sqrt(time))
    return _root(lambda c: float(above(going, time, c, drift)) - mass)


def quantile_below(going: Going | None, time: float, mass: float, drift: float) -> float:
    """The bound below which trials fall with this probability."""
    if mass <= 0:
        return -np.inf
    if going is None:
        return float(norm.ppf(mass) + drift * np.sqrt(time))
    return _root(lambda c: mass - float(below(going, time, c, drift)))


def _root(excess: Callable[[float], float]) -> float:
    """Where a falling function is zero; the end of the range if it is not within."""
    if excess(-WIDEST) <= 0:
        return -WIDEST
    if excess(WIDEST) >= 0:
        return np.inf
    return root(excess, -WIDEST, WIDEST, xtol=1e-13)


def _spending_time(time: ArrayLike, looks: int) -> np.ndarray:
    array = np.atleast_1d(np.asarray(time, dtype=float))
    if array.shape != (looks,):
        raise ValueError(f"time: expected one number a look ({looks}), got shape {array.shape}")
    if not np.isfinite(array).all() or (np.diff(array) < 0).any() or array[0] < 0:
        raise ValueError(f"time: expected numbers that never fall, got {array.tolist()}")
    return array
