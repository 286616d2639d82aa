"""Sample size and power for means: one group, pairs, two groups, superiority, equivalence, 2x2 crossover.

With the t distributions that the tests use; `normal=True` gives the textbook formula with known standard deviation.
Sizes are real numbers: round up where they are used.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, gammaln
from scipy.stats import nct, norm, t

from ..checks import positive, powered, probability, sides
from ..root import root

LARGEST = 1e8


def two_group_power(
    n: float, effect: float, sd: float, alpha: float, sided: int = 2, ratio: float = 1.0, far_tail: bool = True
) -> float:
    """Power of the two-sample t test.

    Args:
      n: people in the control group; `ratio` times as many in the other.
      effect: true difference; of a non-inferiority trial, its distance from the margin.
      far_tail: a two-sided test also succeeds in the wrong direction, as SAS counts and R's power.t.test does not.
    """
    positive("n", n)
    scale = positive("sd", sd) * np.sqrt((1 + 1 / positive("ratio", ratio)) / n)
    return _t_power(effect / scale, n * (1 + ratio) - 2, alpha, sided, far_tail)


def one_group_power(n: float, effect: float, sd: float, alpha: float, sided: int = 2, far_tail: bool = True) -> float:
    """Power of the t test of one mean, or of the mean difference of n pairs with standard deviation sd."""
    return _t_power(effect / positive("sd", sd) * np.sqrt(positive("n", n)), n - 1, alpha, sided, far_tail)


def two_groups(
    effect: float, sd: float, alpha: float, power: float, sided: int = 2, ratio: float = 1.0, normal: bool = False,
    far_tail: bool = True,
) -> float:  # fmt: skip
    """People in the control group for the two-sample t test; see `two_group_power`."""
    _usual(effect, sd, alpha, power, sided)
    positive("ratio", ratio)
    if normal:
        return _normal(effect, sd, alpha, power, sided) * (1 + 1 / ratio)
    least = 2.0001 / (1 + ratio)
    return _size(lambda n: two_group_power(n, effect, sd, alpha, sided, ratio, far_tail), power, least)


def one_group(
    effect: float, sd: float, alpha: float, power: float, sided: int = 2, normal: bool = False, far_tail: bool = True
) -> float:
    """People, or pairs with a standard deviation of the difference, for the t test of one mean."""
    _usual(effect, sd, alpha, power, sided)
    if normal:
        return _normal(effect, sd, alpha, power, sided)
    return _size(lambda n: one_group_power(n, effect, sd, alpha, sided, far_tail), power, 1.0001)


def equivalence_power(
    low: float, high: float, difference: float, standard_error: float, df: float, alpha: float
) -> float:
    """Exact power of two one-sided t tests [Phillips 1990, J Pharmacokinet Biopharm 18:137].

    Given the standard deviation that is seen, the estimate must lie in an interval; its probability is averaged over
    the chi distribution of that standard deviation.
    """
    _margins(low, high, difference)
    positive("standard_error", standard_error)
    critical = t.isf(probability("alpha", alpha), df)
    # Beyond `largest` the interval is empty whatever the estimate.
    largest = (high - low) / (2 * critical * standard_error) * np.sqrt(df)
    start, stop = np.sqrt(chdtri(df, [1 - 1e-14, 1e-14]))
    stop = min(float(stop), float(largest))
    if stop <= start:
        return 0.0
    nodes, weights = np.polynomial.legendre.leggauss(200)
    seen = start + (stop - start) / 2 * (1 + nodes)
    reach = critical * seen / np.sqrt(df)
    inside = norm.cdf((high - difference) / standard_error - reach) - norm.cdf(
        (low - difference) / standard_error + reach
    )
    return float((stop - start) / 2 * weights @ (inside * _chi(seen, df)))


def equivalence(
    margin: float,
    sd: float,
    alpha: float,
    power: float,
    difference: float = 0.0,
    ratio: float = 1.0,
    normal: bool = False,
) -> float:
    """People in the control group so that two one-sided tests show a difference within the margin.

    Args:
      normal: the formula with known sd, conservative for a difference other than 0
        [Chow, Shao and Wang 2008, Sample Size Calculations in Clinical Research, ch. 3].
    """
    _margins(-positive("margin", margin), margin, difference)
    positive("sd", sd)
    positive("ratio", ratio)
    powered(alpha, power)
    if normal:
        z = norm.isf(alpha) + norm.isf((1 - power) / 2)
        return float((z * sd / (margin - abs(difference))) ** 2 * (1 + 1 / ratio))

    def at(n: float) -> float:
        scale = sd * np.sqrt((1 + 1 / ratio) / n)
        return equivalence_power(-margin, margin, difference, scale, n * (1 + ratio) - 2, alpha)

    return _size(at, power, 2.0001 / (1 + ratio))


def bioequivalence_power(
    n: int, cv: float, alpha: float = 0.05, ratio: float = 0.95, limits: tuple[float, float] = (0.8, 1.25)
) -> float:
    """Power of the 2x2 crossover to show average bioequivalence on the log scale, n people in two equal sequences.

    Args:
      cv: within people, of the untransformed measure. ratio: true ratio of the geometric means.
    """
    positive("cv", cv)
    low, high = (float(np.log(positive("limits", limit))) for limit in limits)
    if n < 4:
        raise ValueError(f"n: a 2x2 crossover needs 4 people at least, got {n}")
    scale = np.sqrt(2 * np.log1p(cv**2) / n)
    return equivalence_power(low, high, float(np.log(positive("ratio", ratio))), float(scale), n - 2, alpha)


def bioequivalence(
    cv: float, power: float, alpha: float = 0.05, ratio: float = 0.95, limits: tuple[float, float] = (0.8, 1.25)
) -> int:
    """Smallest even number of people of the 2x2 crossover."""
    powered(alpha, power)
    for n in range(4, 100_002, 2):
        if bioequivalence_power(n, cv, alpha, ratio, limits) >= power:
            return n
    raise ValueError(f"cv: {cv:g} would need more than 100,000 people")


def power_curve(power: Callable[[float], float], values: ArrayLike) -> np.ndarray:
    """Power over a grid of sizes or effects, shape (values,)."""
    grid = np.atleast_1d(np.asarray(values, dtype=float))
    if not grid.size:
        raise ValueError("values: expected one size or effect at least, got none")
    return np.array([power(float(value)) for value in grid])


def _t_power(noncentrality: float, df: float, alpha: float, sided: int, far_tail: bool) -> float:
    probability("alpha", alpha)
    if not df > 0:
        raise ValueError(f"n: too few people for a t test; expected degrees of freedom above 0, got {df:g}")
    critical = t.isf(alpha / sides(sided), df)
    power = float(nct.sf(critical, df, noncentrality))
    if sided == 2 and far_tail:
        power += float(nct.cdf(-critical, df, noncentrality))
    return power


def _normal(effect: float, sd: float, alpha: float, power: float, sided: int) -> float:
    return float(((norm.isf(alpha / sided) + norm.ppf(power)) * sd / effect) ** 2)


def _usual(effect: float, sd: float, alpha: float, power: float, sided: int) -> None:
    positive("effect", effect)
    positive("sd", sd)
    powered(alpha / sides(sided), power)


def _margins(low: float, high: float, difference: float) -> None:
    if not low < difference < high:
        raise ValueError(f"difference: expected one within the margins {low:g} and {high:g}, got {difference:g}")


def _size(power_at: Callable[[float], float], power: float, least: float) -> float:
    low, high = least, 2 * least
    while not power_at(high) >= power:
        low, high = high, 2 * high
        if high > LARGEST:
            raise ValueError(f"power: {power:g} would need more than {LARGEST:.0e} people")
    if power_at(low) >= power:
        return low
    return root(lambda n: power_at(n) - power, low, high, xtol=1e-10)


def _chi(x: np.ndarray, df: float) -> np.ndarray:
    """Density of the chi distribution."""
    return np.exp((df - 1) * np.log(x) - x * x / 2 - (df / 2 - 1) * np.log(2) - gammaln(df / 2))
