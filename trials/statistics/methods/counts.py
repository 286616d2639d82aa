"""Counts with more spread than Poisson's: negative binomial regression (NB2) with exposure."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, gammaln, polygamma, psi

from . import likelihood
from .estimate import Estimate, Flag, nothing, plain, wald

POISSON = 1e-6  # dispersion, below which the data are taken as Poisson


class NegativeBinomial(NamedTuple):
    """A fit: variance = mean + dispersion mean^2."""

    columns: np.ndarray
    coefficients: np.ndarray  # (p,)
    observed: np.ndarray  # (p, p) covariance, by the observed information of coefficients and dispersion together
    expected: np.ndarray  # (p, p) covariance, by the expected one with the dispersion as known
    dispersion: float
    log_likelihood: float
    flag: Flag


def negative_binomial(columns, outcome, exposure=None) -> NegativeBinomial:
    """Maximum likelihood of coefficients and log dispersion together.

    The standard errors of `coefficient` are by the observed information, as PROC GENMOD's; the expected information, as
    glm.nb's, is given too. Where the data have no more spread than Poisson's the dispersion is 0 and the fit Poisson's.

    Args:
      columns: (n, p), with one of ones. outcome: counts, (n,). exposure: time at risk, above 0, (n,), 1 if None.
    """
    X, y = np.asarray(columns, float), np.asarray(outcome, float)
    time = np.ones(len(y)) if exposure is None else np.asarray(exposure, float)
    if not (np.isfinite(time) & (time > 0)).all():
        raise ValueError("exposure: expected times above 0; leave out people without any")
    first = likelihood.fit(X, y, "poisson", np.log(time))
    p = X.shape[1]
    if not y.any() or first.flag:
        flag = Flag.NO_EVENTS if not y.any() else first.flag
        none = np.full((p, p), np.nan)
        return NegativeBinomial(X, np.full(p, np.nan), none, none, np.nan, np.nan, flag)
    data = (X, y, np.log(time))
    best, worst = None, np.inf
    for start in (0.3, 3.0):
        found = minimize(
            _slope, np.append(first.coefficients, np.log(start)), data, jac=True, method="BFGS",
            options={"gtol": 1e-7, "maxiter": 500},
        )  # fmt: skip
        if found.fun < worst:
            best, worst = found.x, float(found.fun)
    theta = np.asarray(best)
    if theta[-1] < np.log(POISSON) or -worst < first.log_likelihood:
        return NegativeBinomial(
            X, first.coefficients, first.covariance, first.covariance, 0.0, first.log_likelihood, Flag.FINE
        )
    move = np.full(len(theta), np.inf)
    for _ in range(10):
        move = np.linalg.lstsq(_bend(theta, *data), _slope(theta, *data)[1], rcond=None)[0]
        theta = theta - np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 1e-10:
            break
    bend = _bend(theta, *data)
    settled = np.abs(move).max() < 1e-6 and np.linalg.eigvalsh(bend).min() > 0
    mean = np.exp(X @ theta[:-1]) * time
    information = (X * (mean / (1 + np.exp(theta[-1]) * mean))[:, None]).T @ X
    return NegativeBinomial(
        X, theta[:-1], np.linalg.pinv(bend, hermitian=True)[:p, :p], np.linalg.pinv(information, hermitian=True),
        float(np.exp(theta[-1])), -_slope(theta, *data)[0],
        Flag.FINE if settled else Flag.NOT_CONVERGED,
    )  # fmt: skip


def combination(fit: NegativeBinomial, vector, observed: bool = True, level: float = 0.95) -> Estimate:
    """A linear combination of coefficients: log rate, or log rate ratio."""
    if fit.flag:
        return nothing(fit.flag)
    vector = np.asarray(vector, float)
    spread = fit.observed if observed else fit.expected
    return plain(wald(vector @ fit.coefficients, float(np.sqrt(vector @ spread @ vector)), level))


def _slope(theta: np.ndarray, X: np.ndarray, y: np.ndarray, log_time: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the log-likelihood and its slopes; the last of `theta` is the logarithm of the dispersion."""
    size = np.exp(-theta[-1])
    eta = X @ theta[:-1] + log_time
    # log(1 + mean/size) from logarithms, so that a large mean does not overflow.
    lift, share = np.logaddexp(0.0, eta + theta[-1]), expit(eta + theta[-1])
    terms = gammaln(y + size) - gammaln(size) - gammaln(y + 1) + y * (eta + theta[-1]) - (y + size) * lift
    by_eta = y - (y + size) * share
    by_dispersion = by_eta + size * (lift - psi(y + size) + psi(size))
    return -float(terms.sum()), -np.append(by_eta @ X, by_dispersion.sum())


def _bend(theta: np.ndarray, X: np.ndarray, y: np.ndarray, log_time: np.ndarray) -> np.ndarray:
    """Second derivatives of minus the log-likelihood."""
    size = np.exp(-theta[-1])
    eta = X @ theta[:-1] + log_time
    lift, share = np.logaddexp(0.0, eta + theta[-1]), expit(eta + theta[-1])
    curve = (y + size) * share * (1 - share)
    across = curve - size * share
    own = (
        across - size * share + size * (lift - psi(y + size) + psi(size))
        - size**2 * (polygamma(1, y + size) - polygamma(1, size))
    )  # fmt: skip
    found = np.empty((len(theta), len(theta)))
    found[:-1, :-1] = (X * curve[:, None]).T @ X
    found[:-1, -1] = found[-1, :-1] = across @ X
    found[-1, -1] = own.sum()
    return found
