"""Correlations of normal scores, from people with gaps."""

import numpy as np


def pairwise(scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted correlations of all pairs over those who have both, and each pair's effective number of people.

    Args:
      scores: shape (people, numbers); NaN where missing.

    Returns:
      two arrays (numbers, numbers); correlation 0 where nobody has both.
    """
    known = np.isfinite(scores)
    z = np.where(known, scores, 0.0)
    w = weights[:, None]
    seen = known.astype(float)
    squares = (w * z * z).T @ seen  # of the row's number, over those who have the column's too
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (w * z).T @ z / np.sqrt(squares * squares.T)
        total = (w * seen).T @ seen
        effective = total**2 / ((w * w * seen).T @ seen)
    correlation, effective = (np.where(np.isfinite(a), a, 0.0) for a in (correlation, effective))
    np.fill_diagonal(correlation, 1.0)
    return correlation, effective


def shrunk(own: np.ndarray, effective: np.ndarray, pooled: np.ndarray, prior: float) -> np.ndarray:
    """Correlations drawn towards pooled ones, which weigh as much as `prior` people; a proper correlation matrix."""
    share = effective / (effective + prior)
    return proper(share * own + (1 - share) * pooled)


def proper(matrix: np.ndarray) -> np.ndarray:
    """The matrix with its eigenvalues raised to at least 1e-4, scaled back to a diagonal of ones."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    raised = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(raised))
    return raised * scale[:, None] * scale
