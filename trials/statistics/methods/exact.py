"""Exact inference on two proportions: conditional odds ratio, and unconditional limits of a difference."""

from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, fisher_exact, nchypergeom_fisher

from .contrast import Table
from .estimate import Estimate, Flag, check_counts, check_level, nothing

GRID = 401  # nuisance values at which the largest tail is sought
LARGEST = 4e5  # possible tables, beyond which limits of a difference take too long


def odds_ratio(x1: int, n1: int, x0: int, n0: int, midp: bool = False, level: float = 0.95) -> Estimate:
    """Conditional odds ratio with exact [Cornfield 1956] or mid-p limits, and Fisher's two-sided test.

    The estimate is the conditional maximum of the likelihood. `midp` concerns limits and p (twice the smaller tail).
    """
    check_counts(x1, n1)
    check_counts(x0, n0)
    check_level(level)
    if n1 == 0 or n0 == 0:
        return nothing(Flag.EMPTY_ARM)
    events = x1 + x0
    if events in (0, n1 + n0):
        return nothing(Flag.NO_VARIATION)
    lowest, highest, tail = max(0, events - n0), min(n1, events), (1 - level) / 2

    def mean(log_odds: float) -> float:
        return float(nchypergeom_fisher(n1 + n0, n1, events, np.exp(log_odds)).mean()) - x1

    def above(log_odds: float) -> float:
        chance: Any = nchypergeom_fisher(n1 + n0, n1, events, np.exp(log_odds))
        return float(chance.sf(x1 - 1) - (0.5 * chance.pmf(x1) if midp else 0.0))

    def below(log_odds: float) -> float:
        chance: Any = nchypergeom_fisher(n1 + n0, n1, events, np.exp(log_odds))
        return float(chance.cdf(x1) - (0.5 * chance.pmf(x1) if midp else 0.0))

    estimate = 0.0 if x1 == lowest else np.inf if x1 == highest else _root(mean)
    low = 0.0 if x1 == lowest else _root(lambda t: above(t) - tail)
    high = np.inf if x1 == highest else _root(lambda t: below(t) - tail)
    p = min(1.0, 2 * min(above(0.0), below(0.0))) if midp else _fisher((x1, n1, x0, n0))
    return Estimate(estimate, np.nan, low, high, np.nan, np.inf, p, Flag.FINE)


def risk_difference(
    x1: int,
    n1: int,
    x0: int,
    n0: int,
    method: Literal["chan_zhang", "agresti_min", "santner_snell"] = "chan_zhang",
    level: float = 0.95,
) -> Estimate:
    """Difference of two proportions with unconditional exact limits, and Fisher's test.

    Tables are ordered by the score statistic and both tails are allowed half the error [Chan and Zhang 1999, Biometrics
    55:1202], or one two-sided test is inverted [Agresti and Min 2001, Biometrics 57:963], or they are ordered by the
    difference [Santner and Snell 1980, J Am Stat Assoc 75:386]. The nuisance parameter is searched on a grid.

    Raises:
      ValueError: impossible counts, an unknown method, arms so large that exact limits are out of reach (use `score`).
    """
    check_counts(x1, n1)
    check_counts(x0, n0)
    check_level(level)
    if method not in ("chan_zhang", "agresti_min", "santner_snell"):
        raise ValueError(f"method {method!r}: expected chan_zhang, agresti_min or santner_snell")
    if n1 == 0 or n0 == 0:
        return nothing(Flag.EMPTY_ARM)
    if (n1 + 1) * (n0 + 1) > LARGEST:
        raise ValueError(f"arms of {n1} and {n0}: exact limits are for up to {LARGEST:g} possible tables; use `score`")
    table, error = (x1, n1, x0, n0), 1 - level
    away = x1 / n1 - x0 / n0
    if method == "agresti_min":
        sides = (lambda d: _tail(table, d, "both") > error,) * 2
    else:
        score = method == "chan_zhang"
        sides = (
            lambda d: _tail(table, d, "above", score) > error / 2,
            lambda d: _tail(table, d, "below", score) > error / 2,
        )
    low, high = _boundary(sides[0], -1.0, away), _boundary(sides[1], 1.0, away)
    flag = Flag.NO_VARIATION if x1 + x0 in (0, n1 + n0) else Flag.FINE
    return Estimate(away, np.nan, low, high, np.nan, np.inf, _fisher(table), flag)


def _fisher(table: Table) -> float:
    x1, n1, x0, n0 = table
    return float(fisher_exact([[x1, n1 - x1], [x0, n0 - x0]])[1])  # pyright: ignore[reportArgumentType]


def _root(function) -> float:
    """exp of where a monotone function of the log odds ratio vanishes."""
    return float(np.exp(float(brentq(function, -30.0, 30.0, xtol=1e-10))))  # pyright: ignore[reportArgumentType]


def _boundary(accepted, outside: float, inside: float) -> float:
    """The limit between an end that is refused and the observed difference, which is accepted."""
    if outside == inside or accepted(outside * (1 - 1e-9)):
        return outside
    for _ in range(26):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if accepted(middle) else (middle, inside)
    return (outside + inside) / 2


def _tail(table: Table, effect: float, side: str, score: bool = True) -> float:
    """The largest chance, over the comparator's share, of tables at least as extreme as the observed one."""
    x1, n1, x0, n0 = table
    one, two = np.arange(n1 + 1)[:, None], np.arange(n0 + 1)[None, :]
    order = _score(one, n1, two, n0, effect) if score else one / n1 - two / n0 - effect
    observed = order[x1, x0]
    slack = 1e-9 * max(1.0, abs(observed))
    if side == "above":
        extreme = order >= observed - slack
    elif side == "below":
        extreme = order <= observed + slack
    else:
        extreme = np.abs(order) >= abs(observed) - slack
    shares = np.linspace(max(0.0, -effect), min(1.0, 1.0 - effect), GRID)
    first = binom.pmf(np.arange(n1 + 1)[None, :], n1, np.clip(shares + effect, 0, 1)[:, None])
    second = binom.pmf(np.arange(n0 + 1)[None, :], n0, shares[:, None])
    return float(np.max(np.sum((first @ extreme.astype(float)) * second, axis=1)))


def _score(x1: np.ndarray, n1: int, x0: np.ndarray, n0: int, effect: float) -> np.ndarray:
    """Score statistic of every table; that of `score`, in NumPy."""
    n = n1 + n0
    square = ((n1 + 2 * n0) * effect - n - (x1 + x0)) / (3 * n)
    line = (n0 * effect - n - 2 * x0) * effect + x1 + x0
    q = square**3 - square * line / (2 * n) + x0 * effect * (1 - effect) / (2 * n)
    half = np.sqrt(np.maximum(square**2 - line / (3 * n), 0.0)) * np.where(q >= 0, 1.0, -1.0)
    cosine = np.where(half != 0, q / np.where(half != 0, half, 1.0) ** 3, 0.0)
    p0 = 2 * half * np.cos((np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3) - square
    p0 = np.clip(p0, max(0.0, -effect), min(1.0, 1.0 - effect))
    p1 = np.clip(p0 + effect, 0, 1)
    variance = p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0
    away = x1 / n1 - x0 / n0 - effect
    return np.where(np.abs(away) < 1e-12, 0.0, away / np.sqrt(np.maximum(variance, 1e-20)))
