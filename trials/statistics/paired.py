"""Two sides of the same twins compared: the mean of their differences, and the difference of paired shares."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .means import mean
from .proportions import Contrast, Difference, empty, responders, share, tally
from .result import Finding, joined

TANGO = "score interval of a paired difference [Tango 1998, Stat Med 17:891]"
MCNEMAR = "McNemar chi-squared, no continuity correction: the score test of the interval"
EDGE = 1e-12  # how close to -1 and 1 limits are looked for
FEW = 25  # twins whose sides part, below which the exact test is told too


class Pairs(NamedTuple):
    """Twins with a value on both sides: values of the arm and of the comparator, (twins,), and the rows they come from.

    missing: twins without an observed value on a side.
    """

    one: np.ndarray
    two: np.ndarray
    first: pd.DataFrame
    second: pd.DataFrame
    missing: int


class Discordance(NamedTuple):
    """Twins by response: on both sides, on the arm's only, on the comparator's only, on neither."""

    both: int
    first: int
    second: int
    neither: int


def paired_t(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Mean difference between the sides of a twin, and the mean of each arm.

    Covariates are measured on each side, and their difference enters: the adjusted difference is that between sides
    that do not differ in them (least squares, HC3 variance [MacKinnon and White 1985, J Econom 29:305]).
    """
    pairs = _pairs(table, contrast, contrast.covariates)
    y, n = pairs.one - pairs.two, len(pairs.one)
    settings: dict[str, Any] = {"pairs": "two sides of a twin", "interval": "t", "test": "paired t"}
    statistic, note = "mean paired difference", ""
    if contrast.covariates:
        settings |= {
            "interval": "t, residual degrees of freedom",
            "test": "t",
            "covariates": "difference between the sides: " + ", ".join(contrast.covariates),
            "covariance": "HC3",
        }
        statistic = "adjusted mean paired difference"
        x = np.column_stack([_differs(pairs, name) for name in contrast.covariates])
        estimate, se, freedom, note = _adjusted(y, x)
    else:
        estimate = float(y.mean()) if n else math.nan
        se, freedom = float(y.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan, n - 1
    low, high, p, none = _limits(estimate, se, freedom, y, contrast.level)
    difference = Finding(
        contrast.arm, contrast.comparator, "paired_t", settings, statistic, estimate, low, high, n,
        se=math.nan if none else se, p=p, n_comparator=n, missing=pairs.missing,
        engine="statsmodels" if contrast.covariates else "scipy", note=joined(note, none, _alike(pairs)),
    )  # fmt: skip
    sides = ((contrast.arm, pairs.one), (contrast.comparator, pairs.two))
    return [difference, *(mean(arm, values, pairs.missing, contrast.level) for arm, values in sides)]


def mcnemar(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference between the shares of twins that respond on either side, and the share of each arm."""
    responders(table, "mcnemar")
    pairs = _pairs(table, contrast)
    counts = _counted(pairs)
    estimate, low, high, p = tango(*counts, contrast.level)
    parted = counts.first + counts.second
    told = (
        f"both sides of {counts.both} twins responded, only that with {contrast.arm} of {counts.first}, "
        f"only that with {contrast.comparator} of {counts.second}, neither of {counts.neither}"
    )
    exact = f"exact p {exact_p(counts.first, counts.second):.4g}" if 0 < parted < FEW else ""
    settings = {"pairs": "two sides of a twin", "interval": TANGO, "test": MCNEMAR}
    n = len(pairs.one)
    difference = Finding(
        contrast.arm, contrast.comparator, "mcnemar", settings, "paired risk difference", estimate, low, high, n,
        p=p, n_comparator=n, events=counts.both + counts.first, events_comparator=counts.both + counts.second,
        missing=pairs.missing, engine="cutis", note=joined(told, exact) if n else empty(contrast.arm),
    )  # fmt: skip
    return [
        difference,
        *(share(arm, tally(rows.assign(arm=arm), arm), contrast.level)
          for arm, rows in ((contrast.arm, pairs.first), (contrast.comparator, pairs.second))),
    ]  # fmt: skip


def tango(
    both: int,
    first: int,
    second: int,
    neither: int,
    level: float = 0.95,
    unbiased: bool = False,
    skewness: bool = False,
) -> Difference:
    """Difference of two paired shares: Tango's score interval and McNemar's test; NaN without pairs.

    Args:
      both, first, second, neither: pairs in which both respond, only the first, only the second, none.
      unbiased: variance times n/(n - 1), in the interval. skewness: allow for that of the score there, as
        `methods.score.binomial` does for two groups.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    counts = (both, first, second, neither)
    if min(counts) < 0:
        raise ValueError(f"{counts}: numbers of pairs cannot be negative")
    n = sum(counts)
    if n == 0:
        return Difference(math.nan, math.nan, math.nan, math.nan)
    z, estimate = float(norm.isf((1 - level) / 2)), (first - second) / n

    def limit(sign: float, start: float, end: float) -> float:
        found: Any = brentq(
            lambda d: _score(d, first, second, n, unbiased, skewness) - sign * z, start, end, xtol=1e-12
        )
        return float(found)

    # With skewness the score is not zero at the estimate itself.
    inner = (1 - EDGE, -1 + EDGE) if skewness else (estimate, estimate)
    low = -1.0 if first - second == -n else limit(1, -1 + EDGE, inner[0])
    high = 1.0 if first - second == n else limit(-1, inner[1], 1 - EDGE)
    p = 2 * float(norm.sf(abs(_score(0.0, first, second, n)))) if first + second else 1.0
    return Difference(estimate, low, high, p)


def exact_p(first: int, second: int) -> float:
    """McNemar's exact test: two-sided binomial p-value of pairs that part."""
    from scipy.stats import binomtest

    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def _score(difference: float, first: int, second: int, n: int, unbiased: bool = False, skewness: bool = False) -> float:
    """How many standard errors lie between the observed and this difference, the shares fitted to the latter."""
    a = 2 * n
    b = -first - second + (2 * n - first + second) * difference
    c = -second * difference * (1 - difference)
    fitted = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)  # share of pairs in which the second alone responds
    variance = n * (2 * fitted + difference * (1 - difference)) * (n / max(n - 1, 1) if unbiased else 1.0)
    off = first - second - n * difference
    if variance <= 0:
        return 0.0 if off == 0 else math.copysign(math.inf, off)
    z = off / math.sqrt(variance)
    if not skewness:
        return z
    other, alike = fitted + difference, 1 - 2 * fitted - difference
    third = n * (other * (1 - difference) ** 3 - fitted * (1 + difference) ** 3 - alike * difference**3)
    bend = third / (6 * variance**1.5)
    return 2 * (bend + z) / (1 + math.sqrt(max(1 + 4 * bend * (bend + z), 0.0)))


def _pairs(table: pd.DataFrame, contrast: Contrast, covariates: tuple[str, ...] = ()) -> Pairs:
    """The twins of an analysis table, one row a twin and side.

    Raises:
      ValueError: the arms are not two sides of the same twins, or a covariate is not in the table.
    """
    for name in covariates:
        if name not in table.columns:
            known = ", ".join(sorted(str(c) for c in table.columns if str(c).startswith("baseline_")))
            raise ValueError(f"no covariate {name!r} in the analysis table; it has {known}")
    first, second = (
        table.loc[table["arm"] == arm].set_index("twin").sort_index() for arm in (contrast.arm, contrast.comparator)
    )
    if not (first.index.is_unique and first.index.equals(second.index)):
        raise ValueError(
            f"the twins of {contrast.arm} and {contrast.comparator} are not the same, each once an arm: "
            "a paired analysis compares two sides of the same twins"
        )
    missing = int((first["missing"].to_numpy(bool) | second["missing"].to_numpy(bool)).sum())
    needed = ["value", *covariates]
    here = first[needed].notna().all(axis=1).to_numpy() & second[needed].notna().all(axis=1).to_numpy()
    first, second = first.loc[here], second.loc[here]
    return Pairs(first["value"].to_numpy(float), second["value"].to_numpy(float), first, second, missing)


def _differs(pairs: Pairs, name: str) -> np.ndarray:
    return pairs.first[name].to_numpy(float) - pairs.second[name].to_numpy(float)


def _adjusted(y: np.ndarray, x: np.ndarray) -> tuple[float, float, int, str]:
    """Intercept of the differences given those of the covariates: estimate, SE, degrees of freedom, note."""
    from statsmodels.regression.linear_model import OLS

    columns = np.column_stack([np.ones(len(y)), x])
    if len(y) <= columns.shape[1] or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return math.nan, math.nan, 0, f"{len(y)} pairs do not determine a model with {columns.shape[1]} coefficients"
    fit = OLS(y, columns).fit(cov_type="HC3", use_t=True)
    return float(fit.params[0]), float(fit.bse[0]), len(y) - columns.shape[1], ""


def _limits(estimate: float, se: float, freedom: int, y: np.ndarray, level: float) -> tuple[float, float, float, str]:
    """Limits and p-value by the t distribution, and why there are none."""
    from scipy.stats import t

    flat = 1e-10 * max(float(np.abs(y).max()) if len(y) else 0.0, 1e-300)
    if not (se > flat and freedom > 0):
        why = f"no interval: {len(y)} pairs, or differences that do not vary"
        return math.nan, math.nan, math.nan, why
    half = float(t.isf((1 - level) / 2, freedom)) * se
    return estimate - half, estimate + half, 2 * float(t.sf(abs(estimate) / se, freedom)), ""


def _alike(pairs: Pairs) -> str:
    """How alike the sides are: what a comparison within people gains by."""
    if len(pairs.one) < 3 or np.ptp(pairs.one) == 0 or np.ptp(pairs.two) == 0:
        return ""
    return f"correlation between the sides {np.corrcoef(pairs.one, pairs.two)[0, 1]:.2f}"


def _counted(pairs: Pairs) -> Discordance:
    one, two = pairs.one == 1, pairs.two == 1
    return Discordance(*(int((a & b).sum()) for a, b in ((one, two), (one, ~two), (~one, two), (~one, ~two))))
