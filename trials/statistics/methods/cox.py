"""Proportional hazards: ties by Efron or Breslow, strata, (start, stop] intervals, robust variance by person."""

from typing import Literal, NamedTuple

import numpy as np

from .estimate import Estimate, Flag, check_lengths, nothing, plain, wald

Ties = Literal["efron", "breslow"]
STEPS, SETTLED, EXTREME = 50, 1e-10, 15.0
TABLE = 1_000_000  # entries of a table of times by rows


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
    times = _moments(rows, ties)
    beta = np.zeros(rows.x.shape[1])
    value, score, information = _parts(rows, times, beta)
    null, spread = value, np.linalg.pinv(information, hermitian=True)
    score_test = float(score @ spread @ score)
    flag = Flag.NOT_CONVERGED
    for _ in range(STEPS):
        move = np.linalg.pinv(information, hermitian=True) @ score
        after = _parts(rows, times, beta + move)
        while after[0] < value - 1e-12 * (1 + abs(value)) and np.abs(move).max() > 1e-12:
            move = move / 2
            after = _parts(rows, times, beta + move)
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
    residuals = _by_person(_score_residuals(rows, times, beta), rows.person) @ covariance
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


class _Moments(NamedTuple):
    """Some of the times at which something happens in a stratum, and each of the events then, one after the other."""

    at_risk: np.ndarray  # (times, rows), 1 or 0
    events: np.ndarray  # (times, rows), 1 where the row's event is then
    time: np.ndarray  # of each event, which of the times, (events,)
    share: np.ndarray  # of those with events then, how much has left the risk set, (events,)


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


def _moments(rows: _Rows, ties: Ties) -> list[_Moments]:
    """All times with events, as many together as keep the tables small."""
    found = []
    most = max(1, TABLE // len(rows.stop))
    for stratum in np.unique(rows.stratum):
        mine = rows.stratum == stratum
        times = np.unique(rows.stop[mine & (rows.event == 1)])
        for some in np.split(times, range(most, len(times), most)) if len(times) else ():
            then = mine & (rows.stop == some[:, None])
            at_risk = mine & (rows.start < some[:, None]) & (rows.stop >= some[:, None])
            events = then & (rows.event == 1)
            d = events.sum(axis=1)
            time = np.repeat(np.arange(len(some)), d)
            before = np.arange(len(time)) - np.repeat(np.cumsum(d) - d, d)
            share = before / d[time] if ties == "efron" else np.zeros(len(time))
            found.append(_Moments(at_risk.astype(float), events.astype(float), time, share))
    return found


def _means(some: _Moments, risk: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At each event: the risk of those left, the mean of their covariates, and of the products of these."""
    p = x.shape[1]
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), p * p)
    columns = risk[:, None] * np.concatenate([np.ones((len(x), 1)), x, products], axis=1)
    sums = (some.at_risk @ columns)[some.time] - some.share[:, None] * (some.events @ columns)[some.time]
    total = sums[:, 0]
    return total, sums[:, 1 : p + 1] / total[:, None], sums[:, p + 1 :].reshape(-1, p, p) / total[:, None, None]


def _parts(rows: _Rows, times: list[_Moments], beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, score and information."""
    eta = rows.x @ beta
    risk = np.exp(np.minimum(eta, 500.0))
    value, score, information = 0.0, np.zeros(len(beta)), np.zeros((len(beta), len(beta)))
    for some in times:
        total, mean, products = _means(some, risk, rows.x)
        there = some.events.sum(axis=0)
        value += float(there @ eta - np.log(total).sum())
        score += there @ rows.x - mean.sum(axis=0)
        information += products.sum(axis=0) - mean.T @ mean
    return value, score, information


def _score_residuals(rows: _Rows, times: list[_Moments], beta: np.ndarray) -> np.ndarray:
    """Each row's part of the score, including what it adds to the means of others: (rows, p)."""
    risk = np.exp(np.minimum(rows.x @ beta, 500.0))
    residual = np.zeros_like(rows.x)
    for some in times:
        total, mean, _ = _means(some, risk, rows.x)
        first = np.searchsorted(some.time, np.arange(len(some.events)))
        columns = np.column_stack([np.ones(len(mean)), mean])
        # Of each time, summed over its events: one over what is left at risk, and that times the mean.
        whole, gone = (np.add.reduceat(w[:, None] * columns, first) for w in (1 / total, some.share / total))
        means = np.add.reduceat(mean, first) / some.events.sum(axis=1)[:, None]
        left = risk[:, None] * (some.at_risk.T @ whole - some.events.T @ gone)
        residual -= left[:, :1] * rows.x - left[:, 1:]
        residual += some.events.sum(axis=0)[:, None] * rows.x - some.events.T @ means
    return residual


def _by_person(residuals: np.ndarray, person: np.ndarray) -> np.ndarray:
    total = np.zeros((person.max() + 1, residuals.shape[1]))
    np.add.at(total, person, residuals)
    return total
