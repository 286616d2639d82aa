"""One result of many: Rubin's rules."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import norm
from scipy.stats import t as t_distribution


class Pooled(NamedTuple):
    """A pooled estimate; `flag` says why there is no test (p is 1 then), and is empty where there is one.

    Args:
      fraction: share of the variance that is due to what is missing.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    p: float
    within: float
    between: float
    fraction: float
    flag: str = ""


def pool(
    estimates: np.ndarray, variances: np.ndarray, complete_df: float = math.inf, level: float = 0.95, null: float = 0.0
) -> Pooled:
    """Rubin's rules with the degrees of freedom of Barnard and Rubin (1999, Biometrika 86:948).

    Args:
      estimates, variances: of each imputation, shape (imputations,).
      complete_df: degrees of freedom if nothing were missing.

    Raises:
      ValueError: fewer than two imputations, or a negative variance.
    """
    estimates, variances = np.asarray(estimates, float), np.asarray(variances, float)
    m = len(estimates)
    if m < 2 or variances.shape != estimates.shape:
        raise ValueError(f"{m} estimates and {len(variances)} variances; expected two or more of both")
    if (variances < 0).any():
        raise ValueError(f"a variance is negative: {variances.min()}")
    mean, within, between = float(estimates.mean()), float(variances.mean()), float(estimates.var(ddof=1))
    total = within + (1 + 1 / m) * between
    if not (math.isfinite(total) and total > 0):
        why = "all imputations agree and have no variance" if total == 0 else "an imputation has no estimate"
        return Pooled(mean, math.nan, math.nan, math.nan, math.nan, 1.0, within, between, math.nan, why)
    fraction = (1 + 1 / m) * between / total
    df = _freedom(fraction, m, complete_df)
    se = math.sqrt(total)
    half = _t_limit(level, df) * se
    statistic = abs(mean - null) / se
    p = 2 * float(t_distribution.sf(statistic, df) if math.isfinite(df) else norm.sf(statistic))
    return Pooled(mean, se, df, mean - half, mean + half, p, within, between, fraction)


def _freedom(fraction: float, imputations: int, complete: float) -> float:
    rubin = (imputations - 1) / fraction**2 if fraction > 0 else math.inf
    observed = complete if math.isinf(complete) else (complete + 1) / (complete + 3) * complete * (1 - fraction)
    if math.isinf(rubin) or math.isinf(observed):
        return min(rubin, observed)
    return rubin * observed / (rubin + observed)


def _t_limit(level: float, df: float) -> float:
    return float(t_distribution.isf((1 - level) / 2, df) if math.isfinite(df) else norm.isf((1 - level) / 2))
