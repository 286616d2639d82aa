"""Two proportions in closed form: difference, ratio and odds ratio, with the intervals that regulators ask for.

Score intervals are in `score`, exact ones in `exact`.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from . import share
from .estimate import Estimate, Flag, check_counts, check_level, normal_quantile, nothing, plain, wald

Table = tuple[int, int, int, int]  # responders and size of the arm, of the comparator


def risk_difference(x1: int, n1: int, x0: int, n0: int, interval: str = "newcombe", level: float = 0.95) -> Estimate:
    """Difference of two proportions; the interval is a name of `DIFFERENCES`, the test the pooled chi-squared one."""
    if not _there(x1, n1, x0, n0, interval, DIFFERENCES, level):
        return nothing(Flag.EMPTY_ARM)
    p1, p0 = x1 / n1, x0 / n0
    low, high = DIFFERENCES[interval]((x1, n1, x0, n0), level)
    se = float(np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0))
    return _tested((x1, n1, x0, n0), p1 - p0, se, max(-1.0, low), min(1.0, high))


def risk_ratio(x1: int, n1: int, x0: int, n0: int, interval: str = "log", level: float = 0.95) -> Estimate:
    """Ratio of two proportions; `se` is on the log scale, the interval a name of `RATIOS`."""
    if not _there(x1, n1, x0, n0, interval, RATIOS, level):
        return nothing(Flag.EMPTY_ARM)
    if x1 + x0 == 0:
        return nothing(Flag.NO_EVENTS)
    ratio = x1 * n0 / (x0 * n1) if x0 else np.inf
    se = float(np.sqrt(1 / x1 - 1 / n1 + 1 / x0 - 1 / n0)) if x1 and x0 else np.nan
    return _tested((x1, n1, x0, n0), ratio, se, *RATIOS[interval]((x1, n1, x0, n0), level))


def odds_ratio(x1: int, n1: int, x0: int, n0: int, interval: str = "woolf", level: float = 0.95) -> Estimate:
    """Odds ratio; `se` is on the log scale, the interval a name of `ODDS`."""
    if not _there(x1, n1, x0, n0, interval, ODDS, level):
        return nothing(Flag.EMPTY_ARM)
    if x1 + x0 in (0, n1 + n0):
        return nothing(Flag.NO_VARIATION)
    cells = (x1, n1 - x1, x0, n0 - x0)
    se = float(np.sqrt(sum(1 / c for c in cells))) if min(cells) else np.nan
    return _tested((x1, n1, x0, n0), _odds((x1, n1, x0, n0)), se, *ODDS[interval]((x1, n1, x0, n0), level))


def chi_squared(x1: int, n1: int, x0: int, n0: int, correction: bool = False) -> Estimate:
    """Pearson's test of equal proportions (signed root), with or without Yates' correction."""
    check_counts(x1, n1)
    check_counts(x0, n0)
    if n1 == 0 or n0 == 0:
        return nothing(Flag.EMPTY_ARM)
    pooled = (x1 + x0) / (n1 + n0)
    away = x1 / n1 - x0 / n0
    if pooled in (0.0, 1.0):
        return nothing(Flag.NO_VARIATION, away)
    # Yates takes half a person off, but not more than there is.
    allowed = min(0.5 * (1 / n1 + 1 / n0), abs(away)) if correction else 0.0
    found = plain(wald(np.sign(away) * (abs(away) - allowed), np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))))
    return found._replace(estimate=away, low=np.nan, high=np.nan)


def mover(one: Estimate, two: Estimate) -> tuple[float, float]:
    """Limits of a difference from those of its two parts [Newcombe 1998, Stat Med 17:873; Zou and Donner 2008]."""
    away = one.estimate - two.estimate
    below = np.hypot(one.estimate - one.low, two.high - two.estimate)
    above = np.hypot(one.high - one.estimate, two.estimate - two.low)
    return float(away - below), float(away + above)


def mover_ratio(one: Estimate, two: Estimate) -> tuple[float, float]:
    """Limits of a ratio from those of its two parts [Donner and Zou 2012, Stat Methods Med Res 21:347]."""
    a, b, product = one.estimate, two.estimate, one.estimate * two.estimate
    low_inside = product**2 - one.low * two.high * (2 * a - one.low) * (2 * b - two.high)
    high_inside = product**2 - one.high * two.low * (2 * a - one.high) * (2 * b - two.low)
    low_base, high_base = two.high * (2 * b - two.high), two.low * (2 * b - two.low)
    low = (product - np.sqrt(max(low_inside, 0.0))) / low_base if low_base else np.nan
    high = (product + np.sqrt(max(high_inside, 0.0))) / high_base if high_base > 0 else np.inf
    return float(low), float(high)


def _wald(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table
    p1, p0 = x1 / n1, x0 / n0
    half = normal_quantile(level) * np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    return p1 - p0 - half, p1 - p0 + half


def _wald_corrected(table: Table, level: float) -> tuple[float, float]:
    low, high = _wald(table, level)
    shift = 0.5 * (1 / table[1] + 1 / table[3])
    return low - shift, high + shift


def _hauck_anderson(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table
    p1, p0 = x1 / n1, x0 / n0
    unbiased = p1 * (1 - p1) / max(n1 - 1, 1) + p0 * (1 - p0) / max(n0 - 1, 1)
    half = normal_quantile(level) * np.sqrt(unbiased) + 1 / (2 * min(n1, n0))
    return p1 - p0 - half, p1 - p0 + half


def _agresti_caffo(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table
    return _wald((x1 + 1, n1 + 2, x0 + 1, n0 + 2), level)


def _mover_of(interval: str) -> Callable[[Table, float], tuple[float, float]]:
    def limits(table: Table, level: float) -> tuple[float, float]:
        return mover(*_parts(table, interval, level))

    return limits


def _mover_jeffreys(table: Table, level: float) -> tuple[float, float]:
    return mover(*_posteriors(table, level))


def _katz(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table
    if not (x1 and x0):
        return 0.0 if not x1 else np.nan, np.inf if not x0 else np.nan
    half = normal_quantile(level) * np.sqrt(1 / x1 - 1 / n1 + 1 / x0 - 1 / n0)
    ratio = (x1 / n1) / (x0 / n0)
    return ratio * np.exp(-half), ratio * np.exp(half)


def _adjusted_log(table: Table, level: float) -> tuple[float, float]:
    """Half a person added to each count [Walter 1975; Pettigrew et al. 1986]."""
    x1, n1, x0, n0 = (value + 0.5 for value in table)
    half = normal_quantile(level) * np.sqrt(1 / x1 - 1 / n1 + 1 / x0 - 1 / n0)
    ratio = (x1 / n1) / (x0 / n0)
    return ratio * np.exp(-half), ratio * np.exp(half)


def _mover_ratio_wilson(table: Table, level: float) -> tuple[float, float]:
    return mover_ratio(*_parts(table, "wilson", level))


def _mover_ratio_jeffreys(table: Table, level: float) -> tuple[float, float]:
    return mover_ratio(*_posteriors(table, level))


def _ratio_likelihood(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table

    def best_under(ratio: float) -> float:
        a, b, c = (n1 + n0) * ratio, -(n1 * ratio + x1 + n0 + x0 * ratio), x1 + x0
        p0 = 2 * c / (-b + np.sqrt(max(b * b - 4 * a * c, 0.0)))
        return _log_likelihood(table, min(p0 * ratio, 1.0), p0)

    return _profile(best_under, table, (x1 / n1) / (x0 / n0) if x0 else np.inf, level)


def _woolf(table: Table, level: float) -> tuple[float, float]:
    return _log_odds(table, 0.0, level)


def _gart(table: Table, level: float) -> tuple[float, float]:
    """Woolf's with half a person added to each cell [Gart 1966, Biometrika 53:471]."""
    return _log_odds(table, 0.5, level)


def _log_odds(table: Table, added: float, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table
    cells = np.array([x1, n1 - x1, x0, n0 - x0], float) + added
    if cells.min() <= 0:
        return np.nan, np.nan
    half = normal_quantile(level) * np.sqrt((1 / cells).sum())
    middle = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    return float(np.exp(middle - half)), float(np.exp(middle + half))


def _odds_likelihood(table: Table, level: float) -> tuple[float, float]:
    x1, n1, x0, n0 = table

    def best_under(odds: float) -> float:
        b = n1 * odds + n0 - (x1 + x0) * (odds - 1)
        p0 = 2 * (x1 + x0) / (b + np.sqrt(max(b * b + 4 * n0 * (odds - 1) * (x1 + x0), 0.0)))
        return _log_likelihood(table, p0 * odds / (1 + p0 * (odds - 1)), p0)

    return _profile(best_under, table, _odds(table), level)


def _profile(best_under: Callable[[float], float], table: Table, estimate: float, level: float) -> tuple[float, float]:
    """Ratios at which the likelihood falls short of its maximum by half the squared normal quantile."""
    x1, n1, x0, n0 = table
    top, z = _log_likelihood(table, x1 / n1, x0 / n0), normal_quantile(level)

    def short(log_ratio: float) -> float:
        return 2 * (top - best_under(float(np.exp(log_ratio)))) - z * z

    middle = np.log(estimate) if 0 < estimate < np.inf else (-25.0 if estimate == 0 else 25.0)
    low = 0.0 if estimate == 0 else _root(short, -40.0, middle)
    return low, np.inf if estimate == np.inf else _root(short, middle, 40.0)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """exp of where a function of the log ratio vanishes."""
    return float(np.exp(float(brentq(function, low, high))))  # pyright: ignore[reportArgumentType]


def _log_likelihood(table: Table, p1: float, p0: float) -> float:
    x1, n1, x0, n0 = table
    with np.errstate(divide="ignore"):
        terms = ((x1, p1), (n1 - x1, 1 - p1), (x0, p0), (n0 - x0, 1 - p0))
        return float(sum(count * np.log(p) for count, p in terms if count))


def _odds(table: Table) -> float:
    x1, n1, x0, n0 = table
    below = (n1 - x1) * x0
    return x1 * (n0 - x0) / below if below else np.inf


def _parts(table: Table, interval: str, level: float) -> tuple[Estimate, Estimate]:
    x1, n1, x0, n0 = table
    return share.proportion(x1, n1, interval, level), share.proportion(x0, n0, interval, level)


def _posteriors(table: Table, level: float) -> tuple[Estimate, Estimate]:
    """Jeffreys' limits about the posterior median, as the method has it [Laud 2017, Pharm Stat 16:334]."""
    from scipy.stats import beta

    one, two = _parts(table, "jeffreys", level)
    x1, n1, x0, n0 = table
    middle = [float(beta.median(x + 0.5, n - x + 0.5)) for x, n in ((x1, n1), (x0, n0))]
    return one._replace(estimate=middle[0]), two._replace(estimate=middle[1])


def _tested(table: Table, estimate: float, se: float, low: float, high: float) -> Estimate:
    x1, n1, x0, n0 = table
    test = chi_squared(x1, n1, x0, n0)
    flag = test.flag if se > 0 or not np.isfinite(se) else test.flag | Flag.NO_VARIATION
    if np.isnan(low) or np.isnan(high):  # an arm in which nobody, or everybody, responds has no log ratio
        flag |= Flag.SEPARATION
    return Estimate(estimate, se, low, high, test.statistic, np.inf, test.p, flag)


def _there(x1: int, n1: int, x0: int, n0: int, interval: str, known: dict, level: float) -> bool:
    """Whether both arms hold somebody; refuses nonsense."""
    check_counts(x1, n1)
    check_counts(x0, n0)
    check_level(level)
    if interval not in known:
        raise ValueError(f"interval {interval!r}: expected one of {', '.join(known)}")
    return n1 > 0 and n0 > 0


Limits = Callable[[Table, float], tuple[float, float]]
DIFFERENCES: dict[str, Limits] = {
    "wald": _wald,
    "wald_corrected": _wald_corrected,
    "hauck_anderson": _hauck_anderson,
    "agresti_caffo": _agresti_caffo,
    "newcombe": _mover_of("wilson"),
    "newcombe_corrected": _mover_of("wilson_corrected"),
    "mover_jeffreys": _mover_jeffreys,
}
RATIOS: dict[str, Limits] = {
    "log": _katz,
    "adjusted_log": _adjusted_log,
    "mover_wilson": _mover_ratio_wilson,
    "mover_jeffreys": _mover_ratio_jeffreys,
    "likelihood_ratio": _ratio_likelihood,
}
ODDS: dict[str, Limits] = {"woolf": _woolf, "gart": _gart, "likelihood_ratio": _odds_likelihood}
