"""Two treatments in two periods (AB/BA), and equivalence by two one-sided tests."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from .estimate import Estimate, Flag, check_level, nothing, plain, wald


class Crossover(NamedTuple):
    """Effects of an AB/BA study, all within people but the carry-over."""

    treatment: Estimate  # A minus B
    period: Estimate  # second minus first
    carryover: Estimate  # difference between sequences of the sums of a person's periods


class Equivalence(NamedTuple):
    """Two one-sided tests: `p` is the larger, `interval` the matching one (level 1 - 2 alpha)."""

    estimate: float
    se: float
    low: float
    high: float
    p_low: float  # of "not above the lower margin"
    p_high: float
    p: float
    df: float
    flag: Flag


def ab_ba(first, second, ab, level: float = 0.95) -> Crossover:
    """t-tests on differences between periods [Hills and Armitage 1979, Br J Clin Pharmacol 8:7; Senn 2002].

    The treatment effect is that of a mixed model with sequence, period and treatment for people with both periods.

    Args:
      first, second: outcome in the first and second period, (people,).
      ab: 1 for A first, 0 for B first, (people,).
    """
    one, two, ab = (np.asarray(value, float) for value in (first, second, ab))
    if not len(one) == len(two) == len(ab):
        raise ValueError(f"columns differ in length: first {len(one)}, second {len(two)}, ab {len(ab)}")
    if not np.isin(ab, (0, 1)).all():
        raise ValueError("ab: expected 1 for A first and 0 for B first")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("people need a value in both periods; leave out the others")
    if min((ab == 1).sum(), (ab == 0).sum()) < 1:
        return Crossover(*(nothing(Flag.EMPTY_ARM) for _ in range(3)))
    if len(one) < 3:
        return Crossover(*(nothing(Flag.TOO_FEW) for _ in range(3)))
    half = (one - two) / 2
    # A minus B stands in the first period of some and in the second of the others; the period's effect cancels.
    treatment = _pooled(half, ab, -1.0, level)
    return Crossover(treatment, _pooled(-half, ab, 1.0, level), _pooled(one + two, ab, -1.0, level))


def equivalence(found: Estimate, low: float, high: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided tests that an effect lies within margins [Schuirmann 1987, J Pharmacokinet Biopharm 15:657].

    Args:
      found: estimate and standard error on the scale of the margins, by t with its df (normal if infinite).

    Raises:
      ValueError: the lower margin is not below the upper one.
    """
    if not low < high:
        raise ValueError(f"margins {low} and {high}: the lower must be below the upper")
    check_level(1 - 2 * alpha)
    if not (np.isfinite(found.estimate) and np.isfinite(found.se) and found.se > 0):
        nan = np.nan
        flag = Flag(int(found.flag)) or Flag.NO_VARIATION
        return Equivalence(found.estimate, nan, nan, nan, 1.0, 1.0, 1.0, found.df, flag)
    estimate, se, df = float(found.estimate), float(found.se), float(found.df)
    p_low, p_high = student.sf((estimate - low) / se, df), student.cdf((estimate - high) / se, df)
    half = float(student.isf(alpha, df)) * se
    worst = float(max(p_low, p_high))
    return Equivalence(
        estimate, se, estimate - half, estimate + half, float(p_low), float(p_high), worst, df, Flag(int(found.flag))
    )


def bioequivalence(test, reference, alpha: float = 0.05) -> Equivalence:
    """Ratio of geometric means within 0.8 to 1.25, from pairs; estimate and limits are ratios.

    Args:
      test, reference: positive outcomes of the same people, (people,).
    """
    test, reference = np.asarray(test, float), np.asarray(reference, float)
    if len(test) != len(reference):
        raise ValueError(f"columns differ in length: test {len(test)}, reference {len(reference)}")
    if not ((test > 0).all() and (reference > 0).all()):
        raise ValueError("outcomes must be above 0, as their logarithms are compared")
    n = len(test)
    if n < 2:
        return equivalence(nothing(Flag.TOO_FEW), np.log(0.8), np.log(1.25), alpha)
    logs = np.log(test / reference)
    found = plain(wald(logs.mean(), float(logs.std(ddof=1) / np.sqrt(n)), df=n - 1))
    on_logs = equivalence(found, np.log(0.8), np.log(1.25), alpha)
    ratios = {name: float(np.exp(getattr(on_logs, name))) for name in ("estimate", "low", "high")}
    return on_logs._replace(**ratios)


def _pooled(values: np.ndarray, ab: np.ndarray, sign: float, level: float) -> Estimate:
    """Mean of AB plus or minus that of BA, by t with the variances pooled."""
    groups = [values[ab == 1], values[ab == 0]]
    df = len(values) - 2
    square = sum(float(((g - g.mean()) ** 2).sum()) for g in groups)
    se = np.sqrt(square / df * sum(1 / len(g) for g in groups))
    estimate = groups[0].mean() + sign * groups[1].mean()
    return plain(wald(estimate, float(se) if se > 1e-13 * np.abs(values).max() else 0.0, level, df))
