"""Contrasts of the coefficients: their standard error, degrees of freedom, interval and test."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from .fit import Fit
from .panel import Panel
from .robust import Sandwich

METHODS = ("satterthwaite", "kenward_roger", "kenward_roger_linear", "between_within", "residual")


class Estimate(NamedTuple):
    """A contrast; `flag` says why there is no number, and is empty where there is one."""

    name: str
    estimate: float
    se: float
    df: float
    low: float
    high: float
    t: float
    p: float
    flag: str = ""


class JointTest(NamedTuple):
    """An F test of several contrasts at once."""

    name: str
    f: float
    numerator: int
    denominator: float
    p: float
    flag: str = ""


def freedom_of(panel: Panel, fitted: Fit, contrast: np.ndarray, method: str, sandwich: Sandwich | None = None) -> float:
    """Degrees of freedom of one contrast, shape (columns,).

    `satterthwaite` [Satterthwaite 1946, Biometrics Bull 2:110; Fai and Cornelius 1996, J Stat Comput Simul 54:363] is
    that of Bell and McCaffrey (2002, Surv Methodol 28:169) with a sandwich; both Kenward-Roger methods share its value
    for one contrast; `between_within` is the least over the coefficients that enter [Schluchter and Elashoff 1990, J
    Stat Comput Simul 37:69, as in R's mmrm]; `residual` is observations less coefficients.
    """
    if method not in METHODS:
        raise ValueError(f"no degrees of freedom {method!r}; choose from {', '.join(METHODS)}")
    if method == "residual":
        return float(panel.seen.sum() - len(panel.columns))
    if method == "between_within":
        between, within, constant = _levels(panel)
        return float(min(between if c else within for c, used in zip(constant, contrast != 0, strict=True) if used))
    if sandwich is not None:
        return sandwich.freedom(contrast)
    reach = np.asarray(fitted.covariance) @ contrast
    variance = contrast @ reach
    slope = -np.einsum("a,abh,b->h", reach, np.asarray(fitted.slopes), reach)
    return float(2 * variance**2 / (slope @ np.asarray(fitted.natural_covariance) @ slope))


def estimate(
    panel: Panel,
    fitted: Fit,
    contrast: np.ndarray,
    name: str = "",
    *,
    method: str = "satterthwaite",
    null: float = 0.0,
    level: float = 0.95,
    sandwich: Sandwich | None = None,
) -> Estimate:
    """One contrast of the coefficients, shape (columns,), with its t interval and test against `null`."""
    contrast = np.asarray(contrast, float)
    if contrast.shape != (len(panel.columns),) or not contrast.any():
        raise ValueError(f"a contrast has one number a coefficient, {len(panel.columns)}, not all zero; got {contrast}")
    if not bool(fitted.converged):
        return Estimate(name, *[float("nan")] * 7, flag=NOT_CONVERGED)
    value = float(contrast @ np.asarray(fitted.coefficients))
    variance = float(contrast @ covariance_of(fitted, method, sandwich) @ contrast)
    df = freedom_of(panel, fitted, contrast, method, sandwich)
    if not (variance > 0 and np.isfinite(df) and df > 0):
        return Estimate(name, value, *[float("nan")] * 6, flag="no variance or degrees of freedom above zero")
    se = variance**0.5
    statistic = (value - null) / se
    half = float(t_distribution.isf((1 - level) / 2, df)) * se
    p = float(2 * t_distribution.sf(abs(statistic), df))
    return Estimate(name, value, se, df, value - half, value + half, statistic, p)


NOT_CONVERGED = "the fit did not converge: the data do not tell the covariance of the visits"


def covariance_of(fitted: Fit, method: str, sandwich: Sandwich | None = None) -> np.ndarray:
    """Covariance of the coefficients that goes with a method."""
    if sandwich is not None:
        if method.startswith("kenward_roger"):
            raise ValueError("Kenward-Roger adjusts the model's covariance; with a sandwich use satterthwaite")
        return sandwich.covariance
    chosen = {"kenward_roger": fitted.kenward, "kenward_roger_linear": fitted.kenward_linear}
    return np.asarray(chosen.get(method, fitted.covariance))


def joint(
    panel: Panel, fitted: Fit, contrasts: Sequence[np.ndarray], name: str = "", *, method: str = "satterthwaite"
) -> JointTest:
    """F test that several contrasts, shape (contrasts, columns), are all zero.

    Raises:
      ValueError: contrasts that depend on each other, or a method without degrees of freedom for several.
    """
    L = np.atleast_2d(np.asarray(contrasts, float))
    if np.linalg.matrix_rank(L) < len(L):
        raise ValueError("the contrasts depend on each other; leave out those that follow from others")
    if method not in ("satterthwaite", "kenward_roger", "kenward_roger_linear"):
        raise ValueError(f"a joint test needs satterthwaite or Kenward-Roger degrees of freedom, not {method!r}")
    if not bool(fitted.converged):
        return JointTest(name, float("nan"), len(L), float("nan"), float("nan"), flag=NOT_CONVERGED)
    values = L @ np.asarray(fitted.coefficients)
    statistic = float(values @ np.linalg.solve(L @ covariance_of(fitted, method) @ L.T, values)) / len(L)
    scale, df = (1.0, _joint_satterthwaite(fitted, L)) if method == "satterthwaite" else _joint_kenward(fitted, L)
    return JointTest(name, scale * statistic, len(L), df, float(f_distribution.sf(scale * statistic, len(L), df)))


def _turns(fitted: Fit, L: np.ndarray) -> np.ndarray:
    """Derivatives of the contrasts' covariance by each natural parameter, (contrasts, contrasts, parameters)."""
    reach = np.asarray(fitted.covariance) @ L.T
    return -np.einsum("ac,abh,bd->cdh", reach, np.asarray(fitted.slopes), reach)


def _joint_satterthwaite(fitted: Fit, L: np.ndarray) -> float:
    """Of the independent t tests that make up the F test, combined by the mean of the F [Fai and Cornelius 1996]."""
    variances, axes = np.linalg.eigh(L @ np.asarray(fitted.covariance) @ L.T)
    slopes = np.einsum("ci,cdh,di->ih", axes, _turns(fitted, L), axes)
    spread = np.einsum("ih,hj,ij->i", slopes, np.asarray(fitted.natural_covariance), slopes)
    df = 2 * variances**2 / spread
    if len(df) == 1 or np.ptp(df) < 1e-8:
        return float(df.mean())
    if (df <= 2).any():
        return 2.0
    total = (df / (df - 2)).sum()
    return float(2 * total / (total - len(df)))


def _joint_kenward(fitted: Fit, L: np.ndarray) -> tuple[float, float]:
    """Scale of the F statistic and its denominator's degrees of freedom [Kenward and Roger 1997]."""
    c = len(L)
    middle = np.linalg.inv(L @ np.asarray(fitted.covariance) @ L.T)
    parts = np.einsum("ab,bch->ach", middle, _turns(fitted, L))
    w = np.asarray(fitted.natural_covariance)
    traces = np.einsum("aah->h", parts)
    a1, a2 = float(traces @ w @ traces), float(np.einsum("hj,abh,baj->", w, parts, parts))
    if c == 1:
        return 1.0, 2 / a2
    b = (a1 + 6 * a2) / (2 * c)
    g = ((c + 1) * a1 - (c + 4) * a2) / ((c + 2) * a2)
    below = 3 * c + 2 * (1 - g)
    c1, c2, c3 = g / below, (c - g) / below, (c + 2 - g) / below
    mean = 1 / (1 - a2 / c)
    variance = 2 / c * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    df = 4 + (c + 2) / (c * variance / (2 * mean**2) - 1)
    return df / (mean * (df - 2)), df


def _levels(panel: Panel) -> tuple[int, int, np.ndarray]:
    """Degrees of freedom between and within people, and which columns do not vary within any of them.

    An intercept varies in nobody but counts as neither; its degrees of freedom are those within.
    """
    seen = panel.seen
    first = panel.design[np.arange(len(seen)), seen.argmax(axis=1)]
    same = np.where(seen[:, :, None], panel.design == first[:, None], True).all(axis=(0, 1))
    rows = panel.design[seen]
    intercept = (rows == rows[0]).all(axis=0) & (rows[0] != 0)
    constant = same & ~intercept
    people = panel.n
    between = people - int(intercept.any()) - int(constant.sum())
    within = int(seen.sum()) - people - int((~same).sum())
    return between, within, constant
