"""Ordered outcomes: proportional odds."""

import numpy as np
from scipy.special import expit

from .estimate import Estimate, Flag, check_lengths, nothing, plain, wald

STEPS, SETTLED, EXTREME = 100, 1e-10, 15.0


def proportional_odds(outcome, arm, covariates=None, level: float = 0.95) -> Estimate:
    """Log odds ratio of a higher outcome [McCullagh 1980, J R Stat Soc B 42:109]: maximum likelihood, Wald.

    With two outcomes it is logistic regression.

    Args:
      outcome: ordered codes, any numbers, (n,). arm: (n,). covariates: (n, k) or None.
    """
    y, arm = np.asarray(outcome, float), np.asarray(arm, float)
    check_lengths(outcome=y, arm=arm)
    x = [arm[:, None]]
    if covariates is not None:
        more = np.asarray(covariates, float)
        more = more[:, None] if more.ndim == 1 else more
        check_lengths(outcome=y, covariates=more)
        x.append(more - more.mean(axis=0))
    X = np.concatenate(x, axis=1)
    if not (np.isfinite(y).all() and np.isfinite(X).all()):
        raise ValueError("outcome, arm and covariates must be finite numbers; leave out people without them")
    if not len(arm) or not np.ptp(arm):
        return nothing(Flag.EMPTY_ARM)
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(y)), X])) <= X.shape[1]:
        return nothing(Flag.DETERMINED)
    codes, y = np.unique(y, return_inverse=True)
    if len(codes) < 2:
        return nothing(Flag.NO_VARIATION)
    theta, covariance, settled = _maximise(y, X, len(codes))
    place = len(codes) - 1
    # Predictors far from the cuts are certain, and the likelihood has no maximum.
    away = np.abs(X @ theta[place:]).max() - np.abs(X @ theta[place:]).min()
    if not settled or away > EXTREME or not np.isfinite(covariance).all():
        return nothing(Flag.SEPARATION if away > EXTREME or settled else Flag.NOT_CONVERGED)
    return plain(wald(theta[place], float(np.sqrt(covariance[place, place])), level))


def _maximise(y: np.ndarray, X: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Cuts and slopes by Fisher's scoring with halving."""
    share = np.cumsum(np.bincount(y, minlength=levels))[:-1] / len(y)
    theta = np.concatenate([np.log(share / (1 - share)), np.zeros(X.shape[1])])
    value, score, information = _parts(theta, y, X, levels)
    settled = False
    for _ in range(STEPS):
        move = np.linalg.pinv(information, hermitian=True) @ score
        after = _parts(theta + move, y, X, levels)
        while after[0] < value - 1e-12 * (1 + abs(value)) and np.abs(move).max() > 1e-12:
            move = move / 2
            after = _parts(theta + move, y, X, levels)
        theta = theta + move
        value, score, information = after
        if np.abs(move).max() < SETTLED * (1 + np.abs(theta).max()):
            settled = True
            break
    return theta, np.linalg.pinv(_observed(theta, y, X, levels), hermitian=True), settled


def _parts(theta: np.ndarray, y: np.ndarray, X: np.ndarray, levels: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, score and expected information."""
    cuts, slopes = theta[: levels - 1], theta[levels - 1 :]
    if not (np.diff(cuts) > 0).all():
        return -np.inf, theta, np.eye(len(theta))
    eta = X @ slopes
    below = expit(cuts[None, :] - eta[:, None])
    dense = below * (1 - below)
    edge = np.zeros((len(y), 1))
    chance = np.diff(np.concatenate([edge, below, edge + 1], axis=1), axis=1)
    # Derivatives of each outcome's chance by cuts and slopes: (n, levels, parameters).
    slope = np.zeros((len(y), levels, len(theta)))
    for k in range(levels - 1):
        slope[:, k, k] += dense[:, k]
        slope[:, k + 1, k] -= dense[:, k]
    density = np.concatenate([edge, dense, edge], axis=1)
    slope[:, :, levels - 1 :] = -np.diff(density, axis=1)[:, :, None] * X[:, None, :]
    safe = np.maximum(chance, 1e-300)
    rows = np.arange(len(y))
    score = (slope[rows, y] / safe[rows, y][:, None]).sum(axis=0)
    information = np.einsum("nkp,nkq,nk->pq", slope, slope, 1 / safe)
    return float(np.log(safe[rows, y]).sum()), score, information


def _observed(theta: np.ndarray, y: np.ndarray, X: np.ndarray, levels: int) -> np.ndarray:
    """Observed information: minus the slopes of the score, by central differences."""
    size = len(theta)
    found = np.zeros((size, size))
    for i in range(size):
        step = np.zeros(size)
        step[i] = 1e-5
        found[i] = -(_parts(theta + step, y, X, levels)[1] - _parts(theta - step, y, X, levels)[1]) / 2e-5
    return (found + found.T) / 2
