"""Logistic and Poisson regression of one table: maximum likelihood, Firth's penalty, profile limits, overdispersion."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, gammaln
from scipy.stats import chi2

from .estimate import Estimate, Flag, check_lengths, check_level, normal_quantile, nothing, plain, wald

Family = Literal["binomial", "poisson"]
STEPS, SETTLED, EXTREME = 200, 1e-10, 15.0


class Model(NamedTuple):
    """A fit of a table of columns."""

    columns: np.ndarray  # (n, p)
    outcome: np.ndarray
    offset: np.ndarray
    family: Family
    penalised: bool
    coefficients: np.ndarray  # (p,)
    covariance: np.ndarray  # inverse of the expected information (the observed one too: links are canonical)
    log_likelihood: float  # with the penalty, if there is one
    dispersion: float  # Pearson's chi-squared over the residual degrees of freedom
    flag: Flag


def fit(
    columns, outcome, family: Family = "binomial", offset=None, penalised: bool = False, quasi: bool = False
) -> Model:
    """Newton's steps with halving.

    Args:
      columns: (n, p), with one of ones for the intercept.
      outcome: 0 and 1, or counts, (n,). offset: such as the logarithm of time at risk, (n,).
      penalised: Firth's penalty, half the logarithm of the information's determinant, with which a logistic estimate
        exists under separation [Firth 1993, Biometrika 80:27; Heinze and Schemper 2002, Stat Med 21:2409].
      quasi: the covariance times the dispersion; tests of it are then by t.

    Raises:
      ValueError: outcomes that the family cannot have, columns of different length or that determine each other.
    """
    X, y = np.asarray(columns, float), np.asarray(outcome, float)
    shift = np.zeros(len(y)) if offset is None else np.asarray(offset, float)
    check_lengths(columns=X, outcome=y, offset=shift)
    _possible(X, y, shift, family)
    blank = Model(X, y, shift, family, penalised, np.zeros(X.shape[1]), np.zeros((0, 0)), 0.0, np.nan, Flag.FINE)
    beta, value, settled = _climb(blank, np.ones(X.shape[1], bool), _start(blank))
    mean, slope = _moments(blank, beta)
    information = (X * slope[:, None]).T @ X
    covariance = np.linalg.pinv(information, hermitian=True)
    flag = Flag.FINE if settled else Flag.NOT_CONVERGED
    if not penalised and _runs_off(blank, beta):
        flag |= Flag.SEPARATION
    df = len(y) - X.shape[1]
    safe = np.maximum(slope, 1e-300)
    dispersion = float(((y - mean) ** 2 / safe).sum() / df) if df > 0 else np.nan
    return blank._replace(
        coefficients=beta, covariance=covariance * (dispersion if quasi else 1.0), log_likelihood=value,
        dispersion=dispersion, flag=flag,
    )  # fmt: skip


def coefficient(model: Model, place: int, level: float = 0.95, df: float = np.inf) -> Estimate:
    """One coefficient with Wald's limits; by t if `df` is finite."""
    if model.flag:
        return nothing(model.flag)
    se = float(np.sqrt(model.covariance[place, place]))
    return plain(wald(model.coefficients[place], se, level, df))


def profile(model: Model, place: int, level: float = 0.95, limits: bool = True) -> Estimate:
    """One coefficient with profile likelihood limits and the likelihood ratio test (chi-squared, one df).

    Where the likelihood does not fall on one side, the limit there is infinite. Without `limits`, which take most of
    the time, they are NaN.
    """
    check_level(level)
    if model.flag & Flag.NOT_CONVERGED and not model.flag & Flag.SEPARATION:
        return nothing(model.flag)
    estimate = model.coefficients[place]
    se = float(np.sqrt(max(model.covariance[place, place], 1e-300)))
    z = normal_quantile(level)

    def short(value: float) -> float:
        return 2 * (model.log_likelihood - _held(model, place, value)) - z * z

    steps = (-min(se, 10.0) * z, min(se, 10.0) * z)
    low, high = (_limit(short, estimate, step) if limits else np.nan for step in steps)
    statistic = max(0.0, short(0.0) + z * z)
    return Estimate(estimate, se, low, high, statistic, 1.0, float(chi2.sf(statistic, 1)), model.flag)


def likelihood_ratio(larger: Model, smaller: Model) -> Estimate:
    """Chi-squared test of the columns that the smaller model lacks."""
    df = larger.columns.shape[1] - smaller.columns.shape[1]
    if df < 1:
        raise ValueError("likelihood ratio: the first model needs more columns than the second")
    if larger.flag | smaller.flag:
        return nothing(larger.flag | smaller.flag)
    statistic = max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
    return Estimate(np.nan, np.nan, np.nan, np.nan, statistic, df, float(chi2.sf(statistic, df)), Flag.FINE)


def _moments(model: Model, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each outcome."""
    eta = model.columns @ beta + model.offset
    if model.family == "binomial":
        mean = expit(eta)
        return mean, mean * (1 - mean)
    mean = np.exp(np.minimum(eta, 500.0))
    return mean, mean


def _value(model: Model, beta: np.ndarray) -> float:
    eta = model.columns @ beta + model.offset
    y = model.outcome
    if model.family == "binomial":
        value = float((y * eta - np.logaddexp(0, eta)).sum())
    else:
        value = float((y * eta - np.exp(np.minimum(eta, 500.0)) - gammaln(y + 1)).sum())
    if model.penalised:
        _, slope = _moments(model, beta)
        sign, size = np.linalg.slogdet((model.columns * slope[:, None]).T @ model.columns)
        value += 0.5 * size if sign > 0 else -np.inf
    return value


def _climb(model: Model, free: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Uphill in the free coefficients from a start; the others stay."""
    X, beta = model.columns, beta.copy()
    value = _value(model, beta)
    for _ in range(STEPS):
        mean, slope = _moments(model, beta)
        residual = model.outcome - mean
        information = (X * slope[:, None]).T @ X
        if model.penalised:
            leverage = slope * np.einsum("ij,jk,ik->i", X, np.linalg.pinv(information, hermitian=True), X)
            # Half the derivative of the log determinant: of p(1 - p) by the predictor, over it, or of the rate.
            residual = residual + leverage * ((0.5 - mean) if model.family == "binomial" else 0.5)
        score = X.T @ residual
        move = np.zeros(len(beta))
        move[free] = np.linalg.pinv(information[np.ix_(free, free)], hermitian=True) @ score[free]
        largest = np.abs(move).max(initial=0.0)
        move *= min(1.0, 5.0 / max(largest, 1e-300))
        after = _value(model, beta + move)
        while after < value - 1e-12 * (1 + abs(value)) and np.abs(move).max() > 1e-12:
            move = move / 2
            after = _value(model, beta + move)
        beta, value = beta + move, after
        if np.abs(move).max(initial=0.0) < SETTLED * (1 + np.abs(beta).max()):
            return beta, value, True
    return beta, value, False


def _held(model: Model, place: int, at: float) -> float:
    """The largest likelihood with one coefficient held."""
    free = np.ones(len(model.coefficients), bool)
    free[place] = False
    start = model.coefficients.copy()
    start[place] = at
    return _climb(model, free, start)[1]


def _limit(short, estimate: float, step: float) -> float:
    """Where a likelihood has fallen enough, looking ever further; infinite if it never does."""
    reach = step
    for _ in range(12):
        if short(estimate + reach) > 0:
            return float(brentq(short, estimate, estimate + reach, xtol=1e-11))  # pyright: ignore[reportArgumentType]
        reach *= 1.6
    return float(np.sign(step) * np.inf)


def _start(model: Model) -> np.ndarray:
    beta = np.zeros(model.columns.shape[1])
    constant = np.flatnonzero(np.ptp(model.columns, axis=0) == 0)
    if model.family == "poisson" and len(constant):
        time = np.exp(model.offset).sum()
        beta[constant[0]] = np.log(max(model.outcome.sum(), 0.5) / time) / model.columns[0, constant[0]]
    return beta


def _runs_off(model: Model, beta: np.ndarray) -> bool:
    """Whether the estimate is on its way to infinity: predictions without doubt, or rates of zero."""
    eta = model.columns @ beta + model.offset
    if model.family == "binomial":
        return bool(np.abs(eta).max() > EXTREME)
    return bool((model.columns @ beta).min() < -EXTREME - abs(float(np.log(max(model.outcome.mean(), 1e-12)))))


def _possible(X: np.ndarray, y: np.ndarray, offset: np.ndarray, family: Family) -> None:
    if family not in ("binomial", "poisson"):
        raise ValueError(f"family {family!r}: expected binomial or poisson")
    if not (np.isfinite(X).all() and np.isfinite(y).all() and np.isfinite(offset).all()):
        raise ValueError("columns, outcome and offset must be finite numbers; leave out rows without them")
    if family == "binomial" and not np.isin(y, (0, 1)).all():
        raise ValueError(f"outcome holds {y[~np.isin(y, (0, 1))][0]:g}: expected 0 and 1 only")
    if family == "poisson" and not ((y >= 0) & (y == np.round(y))).all():
        raise ValueError("outcome: expected counts, whole numbers of 0 or more")
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise ValueError("columns determine each other: leave out those that others already tell")
