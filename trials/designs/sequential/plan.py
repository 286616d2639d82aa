"""Bounds with the effect that they detect: drift, inflation of the sample size, beta spending, expected information."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import powered, probability, rising
from ..root import root
from .bounds import Bounds, crossing, quantile_above, quantile_below, upper_bounds
from .grid import advance, below, fineness
from .spending import Spending


@dataclass(frozen=True)
class Plan:
    """Bounds, and how large the drift (mean of the last statistic) must be for the power wanted.

    A trial that detects the effect $\\delta$ needs the information $(drift / \\delta)^2$ at its last look.
    """

    bounds: Bounds
    power: float
    drift: float

    @property
    def inflation(self) -> float:
        """Information at the last look relative to the design with one look of the same level and power."""
        fixed = norm.isf(self.bounds.level) + norm.ppf(self.power)
        return float((self.drift / fixed) ** 2)


class Expected(NamedTuple):
    """What to expect of a design under one drift.

    power: success at any look. stop: probability that the trial ends at each look, shape (looks,).
    information: expected fraction of the last look's information.
    """

    power: float
    stop: np.ndarray
    information: float


def plan(bounds: Bounds, power: float) -> Plan:
    """The drift that reaches the power with these bounds, futility included; successes in the right direction count."""
    powered(bounds.level, power)

    def lacking(drift: float) -> float:
        return power - float(crossing(bounds, drift).upper.sum())

    return Plan(bounds, power, _falling_root(lacking, bounds.level, power))


def fixed_futility(bounds: Bounds, futility: ArrayLike, binding: bool = False) -> Bounds:
    """The same bounds with futility bounds of the user's choice, one a look but the last.

    Binding bounds do not lower the efficacy bounds here, so the level is then below alpha.

    Raises:
      ValueError: a futility bound is not below the bound of efficacy, or the design is two-sided.
    """
    given = np.atleast_1d(np.asarray(futility, dtype=float))
    if bounds.sided == 2:
        raise ValueError("futility: only one-sided designs have it; expected sided 1, got 2")
    if given.shape != (bounds.looks - 1,) or np.isnan(given).any():
        raise ValueError(
            f"futility: expected {bounds.looks - 1} numbers (all looks but the last), got {given.tolist()}"
        )
    if (given >= bounds.efficacy[:-1]).any():
        raise ValueError(
            f"futility: expected bounds below those of efficacy {bounds.efficacy[:-1].tolist()}, got {given.tolist()}"
        )
    return replace(bounds, futility=np.append(given, bounds.efficacy[-1]), binding=binding)


def beta_spending(
    information: ArrayLike,
    alpha: float,
    power: float,
    spending: Spending,
    futility: Spending,
    binding: bool = False,
    futility_looks: ArrayLike | None = None,
) -> Plan:
    """One-sided design that spends alpha on success and 1 - power on futility.

    Non-binding: efficacy bounds do not reckon with futility, so the level holds whether or not trials stop for it.
    Binding: both are solved for together. At the last look the bounds meet, which fixes the drift
    [Pampallona, Tsiatis and Kim 2001, Drug Inf J 35:1113].

    Args:
      futility_looks: whether each look has a futility bound, shape (looks,); all do if not given.
    """
    times = rising(information)
    powered(alpha, power)
    gains = spending.increments(alpha, times)
    losses = _losses(futility, 1 - power, times, futility_looks)
    free = upper_bounds(times, gains)

    def settle(drift: float) -> tuple[float, np.ndarray, np.ndarray]:
        return _together(times, gains, losses, drift) if binding else _beneath(times, free, losses, drift)

    drift = _falling_root(lambda d: settle(d)[0], alpha, power)
    _, low, high = settle(drift)
    low[-1] = high[-1]
    return Plan(Bounds(times, high, low, alpha, 1, binding), power, drift)


def expected(bounds: Bounds, drift: float, use_futility: bool = True) -> Expected:
    """Power, where the trial ends, and the expected information, under a drift."""
    upper, lower = crossing(bounds, drift, use_futility)
    stop = upper + lower
    stop[-1] = 1 - stop[:-1].sum()
    two = lower.sum() if bounds.sided == 2 else 0.0
    return Expected(float(upper.sum() + two), stop, float(stop @ bounds.information))


def type_one_error(bounds: Bounds) -> float:
    """The level that the bounds keep, with a non-binding futility bound disregarded."""
    upper, lower = crossing(bounds, 0.0, use_futility=bounds.binding)
    return float(upper.sum() + (lower.sum() if bounds.sided == 2 else 0.0))


def _losses(futility: Spending, beta: float, times: np.ndarray, looks: ArrayLike | None) -> np.ndarray:
    probability("beta", beta)
    spent = futility.spent(beta, times)
    if looks is not None:
        there = np.asarray(looks, dtype=bool)
        if there.shape != times.shape or not there[-1]:
            raise ValueError("futility_looks: expected one yes or no a look, the last one yes")
        # What a look without a bound would have spent is spent at the next one that has one.
        last = np.maximum.accumulate(np.where(there, np.arange(len(times)), -1))
        spent = np.where(last >= 0, spent[last], 0.0)
    return np.diff(spent, prepend=0.0)


def _beneath(
    times: np.ndarray, high: np.ndarray, losses: np.ndarray, drift: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Futility bounds under given efficacy bounds; first, the beta that is left over at the last look (negated)."""
    r, going, low = fineness(times), None, np.full(len(times), -np.inf)
    for k, time in enumerate(times[:-1]):
        low[k] = min(quantile_below(going, time, losses[k], drift), high[k])
        going = advance(going, time, low[k], high[k], drift, r)
    lost = float(below(going, times[-1], high[-1], drift))
    return lost - losses[-1], low, high


def _together(
    times: np.ndarray, gains: np.ndarray, losses: np.ndarray, drift: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Both bounds, look by look: efficacy under the null among trials that futility has spared, and the reverse."""
    r, null, going = fineness(times), None, None
    low, high = np.full(len(times), -np.inf), np.empty(len(times))
    for k, time in enumerate(times):
        high[k] = quantile_above(null, time, gains[k], 0.0)
        if k + 1 < len(times):
            low[k] = min(quantile_below(going, time, losses[k], drift), high[k])
            null = advance(null, time, low[k], high[k], 0.0, r)
            going = advance(going, time, low[k], high[k], drift, r)
    lost = float(below(going, times[-1], high[-1], drift))
    return lost - losses[-1], low, high


def _falling_root(lacking: Callable[[float], float], level: float, power: float) -> float:
    """The drift at which a function that falls with it is zero, sought from the drift of one look upwards."""
    low = float(norm.isf(level) + norm.ppf(power))
    # One look has the smallest drift of all, so that rounding alone can bring it below zero.
    if lacking(low) <= 0:
        return low
    high = low
    for _ in range(80):
        high *= 1.1
        if lacking(high) < 0:
            return root(lacking, low, high, xtol=1e-12)
        low = high
    raise ValueError(f"power: {power:g} is out of reach with these bounds: futility stops too many trials")
