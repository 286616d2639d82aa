"""The multiple comparison step of MCP-Mod: optimal contrasts and the test of any dose-response signal.

Estimates of the doses with a covariance matrix come in, so any endpoint will do [Pinheiro, Bornkamp, Glimm and Bretz
2014, Stat Med 33:1646].
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..checks import probability
from ..multivariate import equal_bound, exceed, quantile
from .models import Candidate, dose_grid


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of the doses, one for each candidate.

    Args:
      coefficients: rows sum to 0 and have length 1, shape (candidates, doses).
      correlation: of their statistics, shape (candidates, candidates). labels: of the candidates.
    """

    coefficients: np.ndarray
    correlation: np.ndarray
    labels: tuple[str, ...]


class Signal(NamedTuple):
    """Test of the candidates: statistics and adjusted one-sided p-values (..., candidates), and the common bound."""

    statistic: np.ndarray
    p: np.ndarray
    critical: float


def optimal_contrasts(doses: ArrayLike, candidates: tuple[Candidate, ...], covariance: ArrayLike) -> Contrasts:
    """Contrasts with the most power for each candidate.

    Args:
      covariance: of the estimates of the doses (up to a factor), shape (doses, doses), or its diagonal, e.g. 1 / n.

    Raises:
      ValueError: a candidate is flat at these doses, or the covariance is not positive definite.
    """
    at, spread = dose_grid(doses), _covariance(covariance, len(np.atleast_1d(doses)))
    if not candidates:
        raise ValueError("candidates: expected one at least")
    inverse = np.linalg.inv(spread)
    ones = np.ones(len(at))
    rows = []
    for candidate in candidates:
        mean = candidate.values(at)
        if not np.isfinite(mean).all() or np.ptp(mean) < 1e-12 * max(1.0, np.abs(mean).max()):
            raise ValueError(f"candidates: {candidate.label} is flat (or not finite) at the doses {at.tolist()}")
        row = inverse @ (mean - (ones @ inverse @ mean) / (ones @ inverse @ ones))
        row -= row.mean()
        rows.append(row / np.linalg.norm(row))
    coefficients = np.stack(rows)
    between = coefficients @ spread @ coefficients.T
    sd = np.sqrt(np.diag(between))
    return Contrasts(coefficients, between / np.outer(sd, sd), tuple(c.label for c in candidates))


def critical_value(contrasts: Contrasts, alpha: float, df: float = np.inf) -> float:
    """The bound that the largest statistic exceeds with this one-sided probability if there is no signal."""
    probability("alpha", alpha)
    return float(quantile(equal_bound(alpha, contrasts.correlation, df), df))


def signal(
    contrasts: Contrasts, estimates: ArrayLike, covariance: ArrayLike, alpha: float, df: float = np.inf
) -> Signal:
    """Is there a dose-response signal, and for which shapes.

    Args:
      estimates: of the doses, shape (..., doses).
      covariance: of them, to scale: variances (doses,), or (doses, doses), or (..., doses, doses) for each replicate.
      df: of the covariance's scale.
    """
    values = np.asarray(estimates, dtype=float)
    variance = _variance(contrasts.coefficients, np.asarray(covariance, dtype=float), values)
    statistic = values @ contrasts.coefficients.T / np.sqrt(variance)
    if not np.isfinite(statistic).all():
        raise ValueError("estimates, covariance: expected finite estimates with variances above 0")
    level = critical_value(contrasts, alpha, df)
    shape = (*statistic.shape, statistic.shape[-1])
    p = exceed(np.broadcast_to(statistic[..., None], shape), contrasts.correlation, df)
    return Signal(statistic, p, level)


def power(contrasts: Contrasts, means: ArrayLike, covariance: ArrayLike, alpha: float) -> float:
    """Chance of a signal when these are the true means and the covariance is known."""
    true = np.asarray(means, dtype=float)
    variance = _variance(contrasts.coefficients, np.asarray(covariance, dtype=float), true)
    if not (np.isfinite(true).all() and (variance > 0).all()):
        raise ValueError("means, covariance: expected finite means, and variances above 0")
    drift = contrasts.coefficients @ true / np.sqrt(variance)
    return float(exceed(critical_value(contrasts, alpha) - drift, contrasts.correlation))


def _covariance(covariance: ArrayLike, doses: int) -> np.ndarray:
    matrix = np.asarray(covariance, dtype=float)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.shape != (doses, doses) or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ValueError(f"covariance: expected a symmetric matrix of shape {(doses, doses)}, got {matrix.shape}")
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        raise ValueError("covariance: not positive definite; a dose without people has no estimate")
    return matrix


def _variance(rows: np.ndarray, covariance: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Variances of the contrasts, shape (candidates,) or (..., candidates)."""
    doses = rows.shape[1]
    if values.shape[-1:] != (doses,):
        raise ValueError(f"estimates: expected {doses} doses in the last axis, got shape {values.shape}")
    if covariance.shape == (doses,):
        return covariance @ (rows**2).T
    if covariance.shape in {(doses, doses), (*values.shape, doses)}:
        return np.einsum("cd,...de,ce->...c", rows, covariance, rows)
    raise ValueError(
        f"covariance: expected shape {(doses,)}, {(doses, doses)} or {(*values.shape, doses)}, got {covariance.shape}"
    )
