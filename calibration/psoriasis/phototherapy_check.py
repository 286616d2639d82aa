"""What the phototherapy model predicts: weekly PASI of the cohort and of patients left out, relapse, other trials."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from .evidence.arms import arms
from .lamp import MONTH, WEEKS, Patients, plaques
from .phototherapy import (
    FOLLOWED,
    NAMES,
    SHARED,
    Fit,
    Likelihood,
    error,
    estimate,
    exceeds,
    log_weights,
    nodes,
    refined,
    shares,
)

FOLDS, SEED = 5, 4
QUARTILES = (0.25, 0.5, 0.75)
LIMITS = {"pasi50": 0.50, "pasi75": 0.25, "pasi90": 0.10}  # of the share of baseline PASI
CHECKED = (2, 4, 6, 8)  # weeks


@dataclass(frozen=True)
class Week:
    """Quartiles of the share of baseline PASI, the last value carried forward; `unseen`: of patients left out."""

    week: int
    observed: tuple[float, float, float]
    predicted: tuple[float, float, float]
    unseen: tuple[float, float, float]


@dataclass(frozen=True)
class Relapse:
    """Share of patients who had lost half of their improvement when last seen, `month` (median) after treatment."""

    patients: int
    month: float
    observed: float
    predicted: float


@dataclass(frozen=True)
class Unseen:
    """A response rate of another trial (%), and what the cohort's parameters predict under the cohort's doses."""

    trial: str
    arm: str
    outcome: str
    week: int
    n: int
    observed: float
    predicted: float


@dataclass(frozen=True)
class Check:
    """What follows from the fit of weekly PASI, so that relapse and other trials are predicted.

    with_relapse: the fit with relapse in its likelihood too, and `relapse_if_fitted` what it gives.
    """

    fit: Fit
    with_relapse: Fit
    weeks: tuple[Week, ...]
    relapse: Relapse
    relapse_if_fitted: Relapse
    unseen: tuple[Unseen, ...]


def check(patients: Patients, theta: Mapping[str, float], folds: int = FOLDS, seed: int = SEED) -> Check:
    """Fit, cross-validate by patients, predict."""
    weekly, both = Likelihood(patients, theta), Likelihood(patients, theta, relapse=True)
    fit = estimate(weekly, errors=True)
    other = estimate(both, start=fit.values)
    return Check(
        fit,
        other,
        weeks(weekly, fit, left_out(weekly, fit, folds, seed)),
        relapse(both, fit),
        relapse(both, other),
        unseen(patients, theta, fit),
    )


def left_out(likelihood: Likelihood, fit: Fit, folds: int, seed: int) -> tuple[tuple[np.ndarray, Fit], ...]:
    """The patients of each fold, (patients,) bool, with the fit to all others."""
    size = likelihood.patients.size
    fold = np.random.default_rng(seed).permutation(size) % folds
    return tuple((fold == f, estimate(likelihood, fold != f, fit.values)) for f in range(folds))


def weeks(likelihood: Likelihood, fit: Fit, held: tuple[tuple[np.ndarray, Fit], ...]) -> tuple[Week, ...]:
    """Quartiles of each week; the predicted ones are of people with the patients' doses, error included."""
    everybody = np.ones(likelihood.patients.size, dtype=bool)
    seen = likelihood.patients.carried()
    predicted = _quartiles(likelihood, ((everybody, fit),))
    unseen = _quartiles(likelihood, held)
    return tuple(
        Week(w + 1, _three(np.quantile(seen[:, w], QUARTILES)), _three(predicted[w]), _three(unseen[w]))
        for w in range(WEEKS)
    )


def _three(values: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = (float(value) for value in values)
    return low, middle, high


def _quartiles(likelihood: Likelihood, groups: tuple[tuple[np.ndarray, Fit], ...]) -> np.ndarray:
    """Quartiles (weeks, 3) of the mixture of all patients' predictions, each by the fit of their own group."""
    parts = [_mixture(likelihood, fit, who) for who, fit in groups]
    wanted = np.array(QUARTILES)
    low, high = np.full((WEEKS, 3), -2.0), np.full((WEEKS, 3), 4.0)
    for _ in range(40):
        middle = (low + high) / 2
        below = np.sum([_below(*part, middle) for part in parts], axis=0) / likelihood.patients.size
        low, high = np.where(below < wanted, middle, low), np.where(below < wanted, high, middle)
    return (low + high) / 2


def _mixture(likelihood: Likelihood, fit: Fit, who: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected shares, the last one carried forward, (weeks, some patients times nodes), their errors and weights."""
    at = _logs(fit)
    table, _ = likelihood.courses(fit.values)
    expected = np.asarray(likelihood.expected(table))[who]
    last = np.minimum(np.arange(WEEKS)[None, :], likelihood.patients.last_week[who][:, None] - 1)
    carried = np.take_along_axis(expected, last[:, None, None, None, :], axis=-1)
    weights = np.exp(np.asarray(log_weights(at["median"], at["sd"], likelihood.grid)))
    each = np.broadcast_to(weights / weights.sum(), expected.shape[:-1])
    shape = (-1, WEEKS)
    return carried.reshape(shape).T, np.asarray(error(jnp.asarray(carried), at)).reshape(shape).T, each.ravel()


def _below(expected: np.ndarray, sd: np.ndarray, weights: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Expected number of patients below limits, (weeks, limits)."""
    return np.stack([ndtr((limit[:, None] - expected) / sd) @ weights for limit in limits.T], axis=1)


def _logs(fit: Fit) -> dict[str, float]:
    return {name: float(np.log(fit.values[name])) for name in NAMES}


def relapse(likelihood: Likelihood, fit: Fit) -> Relapse:
    """Relapse as it follows from what each patient's own weekly PASI tells of them; `likelihood` with relapse."""
    patients = likelihood.patients
    expected, weights = likelihood.posterior(fit)
    chance = exceeds((1 + patients.end) / 2, expected[..., -1], _logs(fit))
    lost, predicted = patients.lost_half(), np.asarray((weights * chance).sum((1, 2, 3)))
    seen = ~np.isnan(lost)
    months = (patients.relapse_day - 7 * patients.last_week)[seen] / MONTH
    return Relapse(int(seen.sum()), float(np.median(months)), float(lost[seen].mean()), float(predicted[seen].mean()))


def unseen(patients: Patients, theta: Mapping[str, float], fit: Fit) -> tuple[Unseen, ...]:
    """Response rates of other trials of light, which the fit has not seen."""
    others = [(t, arm) for t in arms() for arm in t.arms if arm.treatments == ("nb_uvb",) and "watson" not in t.key]
    told = [(trial, arm, r) for trial, arm in others for r in arm.readouts if r.outcome in LIMITS]
    rates = {week: responses(patients, theta, fit, week) for week in sorted({r.week for _, _, r in told})}
    return tuple(
        Unseen(trial.title, arm.name, r.outcome, r.week, r.n, r.percent, 100 * rates[r.week][r.outcome])
        for trial, arm, r in told
    )


def responses(
    patients: Patients, theta: Mapping[str, float], fit: Fit, week: int, placebo: bool = True
) -> dict[str, float]:
    """Shares with PASI 50, 75 and 90 after so many weeks of three sessions, under the cohort's escalation of doses.

    A patient's last dose goes on to the end. placebo: with the improvement that comes in all arms of a trial.
    """
    doses = patients.relative_doses()
    last = doses[np.arange(len(doses)), (doses > 0).sum(1) - 1]
    doses = np.where(doses > 0, doses, last[:, None])
    doses = np.concatenate([doses, np.repeat(last[:, None], max(3 * week - doses.shape[1], 0), axis=1)], axis=1)
    grid, at = nodes(theta, placebo), _logs(fit)
    shared = jnp.array([fit.values[name] for name in SHARED])
    sensitivities, deviations = jnp.exp(jnp.asarray(FOLLOWED)), jnp.asarray(grid.deviations)
    course = plaques(doses[:, : 3 * week], theta, shared, sensitivities, deviations, week)
    day = jnp.full((len(doses), 1), 7.0 * week)
    expected = shares(refined(course[..., -1:]), jnp.asarray(grid.improvement), theta, day)[..., 0]
    weights = jnp.exp(log_weights(at["median"], at["sd"], grid))[None]

    def below(limit: float) -> float:
        chance = ndtr((limit - expected) / error(expected, at))
        return float((chance * weights).sum() / weights.sum() / len(doses))

    return {name: below(limit) for name, limit in LIMITS.items()}
