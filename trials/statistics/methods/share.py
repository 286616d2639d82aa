"""One proportion: its intervals and its test."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm

from .estimate import Estimate, Flag, check_counts, check_level, normal_quantile, nothing, plain, wald

Limits = tuple[float, float]


def proportion(events: int, n: int, interval: str = "wilson", level: float = 0.95) -> Estimate:
    """A proportion between its limits; `interval` is a name of `INTERVALS`. There is no test: p is NaN.

    Raises:
      ValueError: impossible counts, an unknown interval, a level outside 0 to 1.
    """
    check_counts(events, n)
    check_level(level)
    if interval not in INTERVALS:
        raise ValueError(f"interval {interval!r}: expected one of {', '.join(INTERVALS)}")
    if n == 0:
        return nothing(Flag.EMPTY_ARM)
    low, high = INTERVALS[interval](int(events), int(n), level)
    share = events / n
    se = float(np.sqrt(share * (1 - share) / n))
    flag = Flag.NO_VARIATION if interval.startswith("wald") and events in (0, n) else Flag.FINE
    return Estimate(share, se, max(0.0, low), min(1.0, high), np.nan, np.inf, np.nan, flag)


def binomial_test(events: int, n: int, null: float, method: str = "exact", level: float = 0.95) -> Estimate:
    """Test of a proportion: "exact" (the point probability method), "midp" or "wald"."""
    check_counts(events, n)
    if not 0 < null < 1:
        raise ValueError(f"null {null}: expected a proportion between 0 and 1")
    if n == 0:
        return nothing(Flag.EMPTY_ARM)
    if method == "wald":
        # The variance is the null's, as in the score test; the limits are those of Wald.
        found = plain(wald(events / n - null, np.sqrt(null * (1 - null) / n), level))
        low, high = _wald(events, n, level)
        return found._replace(estimate=events / n, low=low, high=high)
    if method == "exact":
        p, limits = _point_probability(events, n, null), _exact(events, n, level)
    elif method == "midp":
        p, limits = _midp_test(events, n, null), _midp(events, n, level)
    else:
        raise ValueError(f"method {method!r}: expected exact, midp or wald")
    se = float(np.sqrt(null * (1 - null) / n))
    return Estimate(events / n, se, *limits, np.nan, np.inf, p, Flag.FINE)


def _wald(x: int, n: int, level: float) -> Limits:
    share, z = x / n, normal_quantile(level)
    half = z * np.sqrt(share * (1 - share) / n)
    return share - half, share + half


def _wald_corrected(x: int, n: int, level: float) -> Limits:
    low, high = _wald(x, n, level)
    return low - 1 / (2 * n), high + 1 / (2 * n)


def _wilson(x: int, n: int, level: float) -> Limits:
    z, share = normal_quantile(level), x / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if x == 0 else middle - half), (1.0 if x == n else middle + half)


def _wilson_corrected(x: int, n: int, level: float) -> Limits:
    z, share = normal_quantile(level), x / n
    base, scale = 2 * n * share + z * z, 2 * (n + z * z)
    below = z * np.sqrt(max(z * z - 2 - 1 / n + 4 * share * (n * (1 - share) + 1), 0.0))
    above = z * np.sqrt(max(z * z + 2 - 1 / n + 4 * share * (n * (1 - share) - 1), 0.0))
    low = 0.0 if x == 0 else (base - 1 - below) / scale
    return low, 1.0 if x == n else (base + 1 + above) / scale


def _agresti_coull(x: int, n: int, level: float) -> Limits:
    z = normal_quantile(level)
    size = n + z * z
    share = (x + z * z / 2) / size
    half = z * np.sqrt(share * (1 - share) / size)
    return share - half, share + half


def _jeffreys(x: int, n: int, level: float) -> Limits:
    a = (1 - level) / 2
    low, high = beta.ppf([a, 1 - a], x + 0.5, n - x + 0.5)
    return (0.0 if x == 0 else float(low)), (1.0 if x == n else float(high))


def _exact(x: int, n: int, level: float) -> Limits:
    a = (1 - level) / 2
    low = 0.0 if x == 0 else float(beta.ppf(a, x, n - x + 1))
    return low, 1.0 if x == n else float(beta.isf(a, x + 1, n - x))


def _midp(x: int, n: int, level: float) -> Limits:
    a = (1 - level) / 2

    def above(p: float) -> float:
        return float(binom.sf(x, n, p) + 0.5 * binom.pmf(x, n, p))

    low = 0.0 if x == 0 else float(brentq(lambda p: above(p) - a, 0.0, 1.0, xtol=1e-12))  # pyright: ignore[reportArgumentType]
    high = 1.0 if x == n else float(brentq(lambda p: above(p) - (1 - a), 0.0, 1.0, xtol=1e-12))  # pyright: ignore[reportArgumentType]
    return low, high


def _blaker(x: int, n: int, level: float) -> Limits:
    """Blaker [2000, Can J Stat 28:783]: the shares that his test does not reject, searched from the exact limits."""
    low, high = _exact(x, n, level)

    def accepted(p: np.ndarray) -> np.ndarray:
        at_least, at_most = binom.sf(x - 1, n, p), binom.cdf(x, n, p)
        one = np.minimum(at_least, at_most)
        # The largest tail on the other side that is no more likely than this one. The tiny allowance is for rounding.
        down = binom.ppf(one * (1 + 1e-12), n, p)
        down = np.where(binom.cdf(down, n, p) > one * (1 + 1e-12), down - 1, down)
        up = binom.isf(one * (1 + 1e-12), n, p)
        up = np.where(binom.sf(up, n, p) > one * (1 + 1e-12), up + 1, up)
        other = np.where(at_least < at_most, binom.cdf(down, n, p), binom.sf(up, n, p))
        return np.minimum(one + other, 1.0) > 1 - level

    return _edge(accepted, low, x / n), _edge(accepted, high, x / n)


def _edge(accepted: Callable[[np.ndarray], np.ndarray], outside: float, inside: float) -> float:
    """The first accepted value on the way inside, to 1e-9; the accepted set may have gaps."""
    if outside == inside:
        return outside
    for _ in range(3):
        line = np.linspace(outside, inside, 2001)
        first = int(np.argmax(accepted(line)))
        if first == 0:
            return float(line[0])
        outside, inside = float(line[first - 1]), float(line[first])
    return inside


def _likelihood_ratio(x: int, n: int, level: float) -> Limits:
    z = normal_quantile(level)
    best = _log_likelihood(x, n, x / n)

    def short(p: float) -> float:
        return 2 * (best - _log_likelihood(x, n, p)) - z * z

    low = 0.0 if x == 0 else float(brentq(short, 1e-15, x / n))  # pyright: ignore[reportArgumentType]
    return low, 1.0 if x == n else float(brentq(short, x / n, 1 - 1e-15))  # pyright: ignore[reportArgumentType]


def _log_likelihood(x: int, n: int, p: float) -> float:
    return (x * np.log(p) if x else 0.0) + ((n - x) * np.log1p(-p) if x < n else 0.0)


def _point_probability(x: int, n: int, null: float) -> float:
    """Sum of all outcomes that are no more likely than the observed one."""
    chances = binom.pmf(np.arange(n + 1), n, null)
    return float(min(1.0, chances[chances <= chances[x] * (1 + 1e-7)].sum()))


def _midp_test(x: int, n: int, null: float) -> float:
    """Twice the smaller tail, with half the chance of the observed outcome."""
    half = 0.5 * binom.pmf(x, n, null)
    return float(min(1.0, 2 * min(binom.sf(x, n, null) + half, binom.cdf(x - 1, n, null) + half)))


def _logit(x: int, n: int, level: float) -> Limits:
    if x in (0, n):
        return _exact(x, n, level)
    half = norm.isf((1 - level) / 2) / np.sqrt(x * (n - x) / n)
    line = np.log(x / (n - x))
    return 1 / (1 + np.exp(-(line - half))), 1 / (1 + np.exp(-(line + half)))


INTERVALS: dict[str, Callable[[int, int, float], Limits]] = {
    "wald": _wald,
    "wald_corrected": _wald_corrected,
    "wilson": _wilson,
    "wilson_corrected": _wilson_corrected,
    "agresti_coull": _agresti_coull,
    "jeffreys": _jeffreys,
    "exact": _exact,
    "midp": _midp,
    "blaker": _blaker,
    "likelihood_ratio": _likelihood_ratio,
    "logit": _logit,
}
