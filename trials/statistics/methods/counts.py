"""Counts with more spread than Poisson's: negative binomial regression (NB2) with exposure."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from scipy.optimize import minimize

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
    data = (jnp.asarray(X), jnp.asarray(y), jnp.log(jnp.asarray(time)))
    best, worst = None, np.inf
    for start in (0.3, 3.0):
        found = minimize(
            lambda theta: [np.asarray(v, float) for v in _SLOPE(jnp.asarray(theta), *data)],
            np.append(first.coefficients, np.log(start)), jac=True, method="BFGS",
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
        gradient, bend = np.asarray(_SLOPE(jnp.asarray(theta), *data)[1]), np.asarray(_BEND(jnp.asarray(theta), *data))
        move = np.linalg.lstsq(bend, gradient, rcond=None)[0]
        theta = theta - np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 1e-10:
            break
    bend = np.asarray(_BEND(jnp.asarray(theta), *data))
    settled = np.abs(move).max() < 1e-6 and np.linalg.eigvalsh(bend).min() > 0
    mean = np.exp(X @ theta[:-1]) * time
    information = (X * (mean / (1 + np.exp(theta[-1]) * mean))[:, None]).T @ X
    return NegativeBinomial(
        X, theta[:-1], np.linalg.pinv(bend, hermitian=True)[:p, :p], np.linalg.pinv(information, hermitian=True),
        float(np.exp(theta[-1])), -float(_loss(jnp.asarray(theta), *data)),
        Flag.FINE if settled else Flag.NOT_CONVERGED,
    )  # fmt: skip


def combination(fit: NegativeBinomial, vector, observed: bool = True, level: float = 0.95) -> Estimate:
    """A linear combination of coefficients: log rate, or log rate ratio."""
    if fit.flag:
        return nothing(fit.flag)
    vector = np.asarray(vector, float)
    spread = fit.observed if observed else fit.expected
    return plain(wald(vector @ fit.coefficients, float(np.sqrt(vector @ spread @ vector)), level))


def _loss(theta: jax.Array, X: jax.Array, y: jax.Array, log_time: jax.Array) -> jax.Array:
    """Minus the log-likelihood; the last of `theta` is the logarithm of the dispersion."""
    size = jnp.exp(-theta[-1])
    eta = X @ theta[:-1] + log_time
    # log(1 + mean/size) from logarithms, so that a large mean does not overflow.
    lift = jnp.logaddexp(0.0, eta + theta[-1])
    terms = gammaln(y + size) - gammaln(size) - gammaln(y + 1) + y * (eta + theta[-1]) - (y + size) * lift
    return -jnp.sum(terms)


_SLOPE = jax.jit(jax.value_and_grad(_loss))
_BEND = jax.jit(jax.hessian(_loss))
