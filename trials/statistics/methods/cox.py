"""Proportional hazards: ties by Efron or Breslow, strata, (start, stop] intervals, robust variance by person."""

from typing import Literal, NamedTuple

import numpy as np

from .estimate import Estimate, Flag, check_lengths, nothing, plain, wald

Ties = Literal["efron", "breslow"]
STEPS, SETTLED, EXTREME = 50, 1e-10, 15.0


class Hazards(NamedTuple):
    """A fit, with what its uses need."""

    coefficients: np.ndarray  # (p,) log hazard ratios
    covariance: np.ndarray  # (p, p) inverse of the information
    robust: np.ndarray  # (p, p) sandwich, summed over people
    log_likelihood: float
    null: float  # log-likelihood without any effect
    score_test: float  # chi-squared of no effect
    flag: Flag


def cox(
    stop: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    start: np.ndarray | None = None,
    stratum: np.ndarray | None = None,
    person: np.ndarray | None = None,
    ties: Ties = "efron",
) -> Hazards:
    """Maximum of the partial likelihood by Newton's steps with halving.

    A row is at risk at t if start < t <= stop. The variance is the inverse of the information, and that of Lin and Wei
    [1989, J Am Stat Assoc 84:1074] with score residuals summed over the rows of a person.

    Args:
      stop, event, start, stratum, person: (rows,). Event 1 or 0; start 0 if None; each row a person if None.
      covariates: (rows, p).

    Raises:
      ValueError: intervals that do not last, events other than 0 and 1, columns of different length.
    """
    rows = _rows(stop, event, covariates, start, stratum, person)
    if not rows.event.any():
        p = rows.x.shape[1]
        none = np.full((p, p), np.nan)
        return Hazards(np.full(p, np.nan), none, none, 0.0, 0.0, np.nan, Flag.NO_EVENTS)
    times = _moments(rows)
    beta = np.zeros(rows.x.shape[1])
    value, score, information = _parts(rows, times, beta, ties)
    null, spread = value, np.linalg.pinv(information, hermitian=True)
    score_test = float(score @ spread @ score)
    flag = Flag.NOT_CONVERGED
    for _ in range(STEPS):
        move = np.linalg.pinv(information, hermitian=True) @ score
        after = _parts(rows, times, beta + move, ties)
        while after[0] < value - 1e-12 * (1 + abs(value)) and np.abs(move).max() > 1e-12:
            move = move / 2
            after = _parts(rows, times, beta + move, ties)
        gain, beta = after[0] - value, beta + move
        value, score, information = after
        if np.max(np.abs(move)) < SETTLED or (0 <= gain < 1e-13 * (1 + abs(value)) and np.max(np.abs(move)) < 1e-6):
            flag = Flag.FINE
            break
    size = np.abs(rows.x).max(axis=0)
    if np.max(np.abs(beta) * np.where(size > 0, size, 1.0)) > EXTREME * max(1.0, float(size.max())):
        flag |= Flag.SEPARATION
    if np.linalg.matrix_rank(
        information, tol=1e-9 * max(float(np.abs(information).max()), 1e-300), hermitian=True
    ) < len(beta):
        flag |= Flag.NO_VARIATION if not np.ptp(rows.x, axis=0).all() else Flag.SEPARATION
    covariance = np.linalg.pinv(information, hermitian=True)
    residuals = _by_person(_score_residuals(rows, times, beta, ties), rows.person) @ covariance
    return Hazards(beta, covariance, residuals.T @ residuals, value, null, score_test, flag)


def coefficient(fit: Hazards, place: int = 0, robust: bool = False, level: float = 0.95) -> Estimate:
    """One log hazard ratio."""
    if fit.flag:
        return nothing(fit.flag)
    spread = fit.robust if robust else fit.covariance
    return plain(wald(fit.coefficients[place], float(np.sqrt(spread[place, place])), level))


def ratio(found: Estimate) -> Estimate:
    """A log ratio, and its limits, on the scale of the ratio; `se` stays on the log scale."""
    return found._replace(estimate=np.exp(found.estimate), low=np.exp(found.low), high=np.exp(found.high))


class _Rows(NamedTuple):
    start: np.ndarray
    stop: np.ndarray
    event: np.ndarray
    x: np.ndarray
    stratum: np.ndarray
    person: np.ndarray


class _Moment(NamedTuple):
    """A time at which something happens in a stratum."""

    at_risk: np.ndarray  # rows
    events: np.ndarray  # rows


def _rows(stop, event, covariates, start, stratum, person) -> _Rows:
    stop, event = np.asarray(stop, float), np.asarray(event, float)
    x = np.asarray(covariates, float)
    x = x[:, None] if x.ndim == 1 else x
    start = np.full(stop.shape, -np.inf) if start is None else np.asarray(start, float)
    stratum = np.zeros(stop.shape, int) if stratum is None else np.unique(np.asarray(stratum), return_inverse=True)[1]
    person = np.arange(len(stop)) if person is None else np.unique(np.asarray(person), return_inverse=True)[1]
    check_lengths(stop=stop, event=event, covariates=x, start=start, stratum=stratum, person=person)
    if not np.isin(event, (0, 1)).all():
        raise ValueError(f"event holds {event[~np.isin(event, (0, 1))][0]:g}: expected 0 and 1 only")
    if not (np.isfinite(stop).all() and np.isfinite(x).all()):
        raise ValueError("times and covariates must be finite numbers; leave out rows without them")
    if not (stop > start).all():
        worst = int(np.argmin(stop > start))
        raise ValueError(f"row {worst} runs from {start[worst]:g} to {stop[worst]:g}: it must end after it begins")
    # About their mean, so that exponentials stay small.
    return _Rows(start, stop, event, x - x.mean(axis=0), stratum, person)


def _moments(rows: _Rows) -> list[_Moment]:
    found = []
    for stratum in np.unique(rows.stratum):
        of = np.flatnonzero(rows.stratum == stratum)
        for time in np.unique(rows.stop[of][rows.event[of] == 1]):
            at_risk = of[(rows.start[of] < time) & (rows.stop[of] >= time)]
            found.append(_Moment(at_risk, of[(rows.stop[of] == time) & (rows.event[of] == 1)]))
    return found


def _shares(moment: _Moment, ties: Ties) -> np.ndarray:
    """Which share of those with events has left the risk set, event by event."""
    d = len(moment.events)
    return np.arange(d) / d if ties == "efron" else np.zeros(d)


def _parts(rows: _Rows, times: list[_Moment], beta: np.ndarray, ties: Ties) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, score and information."""
    eta = rows.x @ beta
    risk = np.exp(np.minimum(eta, 500.0))
    value, score, information = 0.0, np.zeros(len(beta)), np.zeros((len(beta), len(beta)))
    for moment in times:
        r, xr = risk[moment.at_risk], rows.x[moment.at_risk]
        re, xe = risk[moment.events], rows.x[moment.events]
        s0, s1, s2 = r.sum(), r @ xr, (xr * r[:, None]).T @ xr
        e0, e1, e2 = re.sum(), re @ xe, (xe * re[:, None]).T @ xe
        for share in _shares(moment, ties):
            total = s0 - share * e0
            mean = (s1 - share * e1) / total
            value -= np.log(total)
            score -= mean
            information += (s2 - share * e2) / total - np.outer(mean, mean)
        value += float(eta[moment.events].sum())
        score += xe.sum(axis=0)
    return value, score, information


def _score_residuals(rows: _Rows, times: list[_Moment], beta: np.ndarray, ties: Ties) -> np.ndarray:
    """Each row's part of the score, including what it adds to the means of others: (rows, p)."""
    risk = np.exp(np.minimum(rows.x @ beta, 500.0))
    residual = np.zeros_like(rows.x)
    for moment in times:
        at, of = moment.at_risk, moment.events
        r, re = risk[at], risk[of]
        s0, s1, e0, e1 = r.sum(), r @ rows.x[at], re.sum(), re @ rows.x[of]
        is_event = np.isin(at, of)
        for share in _shares(moment, ties):
            total = s0 - share * e0
            mean = (s1 - share * e1) / total
            present = np.where(is_event, 1 - share, 1.0)
            residual[at] -= (present * r / total)[:, None] * (rows.x[at] - mean)
            residual[of] += (rows.x[of] - mean) / len(of)
    return residual


def _by_person(residuals: np.ndarray, person: np.ndarray) -> np.ndarray:
    total = np.zeros((person.max() + 1, residuals.shape[1]))
    np.add.at(total, person, residuals)
    return total
