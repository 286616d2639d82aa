"""The posterior mode of the parameters and trial effects, and the spread around it.

Fisher scoring: with slopes of all probabilities from forward differentiation of the simulator, each step solves a
penalised least-squares problem; it converges in about ten steps. The spreads of half-maximal concentrations over drugs
and of trial effects are estimated in between (empirical Bayes).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import logit

from .likelihood import (
    Counts,
    Summaries,
    conditional,
    information,
    log_likelihood,
    logit_slopes,
    logits,
    score,
    slope,
)
from .scale import Prior
from .table import Slopes, Table

DISCOUNT = 0.005  # an arm of 200 counts like one of 100; more would let misfit discount the trials that show it
LEAST = 1.0  # variance of a count by chance alone, from which it tells of more
LIMIT = 1e4  # of the damping, beyond which no better step is looked for


@dataclass(frozen=True)
class Believed:
    """What is believed before, on the vector's scale: middles and standard deviations of the model's parameters, and of
    the logarithm by which typical concentrations exceed half-maximal ones. reference: logarithm of each drug's typical
    concentration."""

    middle: np.ndarray
    sd: np.ndarray
    reference: np.ndarray
    excess: float
    excess_sd: float

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """Middle and SD of the whole vector."""
        drugs = len(self.reference)
        return (
            np.r_[self.middle, self.reference - self.excess],
            np.r_[self.sd, np.full(drugs, self.excess_sd)],
        )


@dataclass(frozen=True)
class Fit:
    """A calibration: the vector at the mode, trial effects, and the covariance of both together.

    spread: SD of trial effects. rho: intraclass correlation that the counts show around the fit. slopes: at the mode.
    """

    vector: np.ndarray
    effects: np.ndarray
    covariance: np.ndarray
    spread: float
    rho: float
    believed: Believed
    objective: float
    steps: int
    slopes: Slopes


def believed(priors: dict[str, Prior], reference: np.ndarray) -> Believed:
    """Priors as arrays; the common excess over drugs starts wide."""
    middle = [np.log(p.middle) if p.scale == "log" else logit(p.middle) for p in priors.values()]
    return Believed(np.array(middle), np.array([p.sd for p in priors.values()]), reference, 1.5, 1.5)


def fit(
    table: Table,
    rows: Counts,
    told: Summaries,
    prior: Believed,
    start: np.ndarray,
    effects: np.ndarray | None = None,
    spread: float = 0.2,
    rho: float = DISCOUNT,
    most: int = 25,
    adapt: bool = True,
    exact: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Fit:
    """Climb to the posterior mode from `start`.

    Args:
      rho: intraclass correlation by which counts are weighted. most: steps at most.
      adapt: whether spreads over drugs and over trials are estimated too.
      exact: whether the slopes behind the covariance are those of forward differentiation.
    """
    vector = start.copy()
    effects = np.zeros(len(table.trials)) if effects is None else effects.copy()
    damping, number = 1e-2, 0

    def objective(value: np.ndarray, vector: np.ndarray, effects: np.ndarray) -> float:
        middle, sd = prior.all()
        fitted = log_likelihood(rows, conditional(rows, value), rho).sum()
        fitted -= 0.5 * (((logits(told, value) - told.value) / told.sd) ** 2).sum()
        return float(fitted - 0.5 * (((vector - middle) / sd) ** 2).sum() - 0.5 * ((effects / spread) ** 2).sum())

    slopes = table.slopes(vector, effects)
    while True:
        best = objective(slopes.value, vector, effects)
        precision, ahead = _step(table, rows, told, prior, slopes, vector, effects, spread, rho)
        gained, size = 0.0, len(vector)
        while damping < LIMIT:
            move = np.linalg.solve(precision + damping * np.diag(np.diag(precision)), ahead)
            tried = (vector + move[:size], effects + move[size:])
            gained = objective(table.values(*tried), *tried) - best
            if gained > 0:
                vector, effects = tried
                damping = max(damping / 10, 1e-6)
                break
            damping *= 10
        number += 1
        say(f"step {number}: log posterior {best + gained:.2f} (+{gained:.3f}), spread of trial effects {spread:.3f}")
        done = gained < 0.05 or number >= most
        if gained > 0:
            slopes = table.slopes(vector, effects)
        if adapt and (number >= 3):
            covariance = np.linalg.inv(_step(table, rows, told, prior, slopes, vector, effects, spread, rho)[0])
            before = spread
            spread = _spread(effects, covariance[size:, size:], rows.trial)
            prior = _excess(prior, vector, covariance)
            done = done and abs(spread / before - 1) < 0.02
            damping = min(damping, 1e-2)
        if done or number >= most:
            break
    slopes = table.slopes(vector, effects, exact=exact)
    found = _rho(rows, conditional(rows, slopes.value), size)
    covariance = _robust(table, rows, told, prior, slopes, vector, effects, spread, rho, found)
    best = objective(slopes.value, vector, effects)
    return Fit(vector, effects, covariance, spread, found, prior, best, number, slopes)


def full_slopes(table: Table, slopes: Slopes) -> np.ndarray:
    """Slopes (parameters + trials, entries) of every entry in every place of the vector and every trial effect."""
    models, entries = slopes.model.shape
    everything = np.zeros((table.vector.size + len(table.trials), entries))
    everything[:models] = slopes.model
    at = np.arange(entries)
    places = {name: models + k for k, name in enumerate(table.vector.drugs)}
    for entry, drug in enumerate(table.drugs):
        if drug >= 0:
            everything[places[table.drug_names[drug]], entry] = slopes.drug[entry]
    own = table.of_trial >= 0
    everything[table.vector.size + table.of_trial[own], at[own]] = slopes.trial[own]
    return everything


def _step(table, rows, told, prior, slopes, vector, effects, spread, rho) -> tuple[np.ndarray, np.ndarray]:
    """Expected information and gradient of the log posterior at a point, over the vector and the effects."""
    everything = full_slopes(table, slopes)
    value = np.clip(slopes.value, 1e-9, 1.0)
    q = conditional(rows, value)
    steep = slope(rows.upper, rows.lower, value, everything) * q
    weight = information(rows, q, rho)
    steeper = logit_slopes(told, value, everything)
    middle, sd = prior.all()
    before = np.r_[1 / sd**2, np.full(len(effects), 1 / spread**2)]
    precision = (steep * weight) @ steep.T + (steeper / told.sd**2) @ steeper.T + np.diag(before)
    gradient = steep @ score(rows, q, rho) + steeper @ ((told.value - logits(told, value)) / told.sd**2)
    return precision, gradient - before * np.r_[vector - middle, effects]


def _spread(effects: np.ndarray, covariance: np.ndarray, trials: np.ndarray) -> float:
    """SD of trial effects, one step of the EM algorithm over the trials that have counts."""
    seen = np.unique(trials)
    return float(max(np.sqrt(np.mean(effects[seen] ** 2 + np.diag(covariance)[seen])), 0.02))


def _robust(table, rows, told, prior, slopes, vector, effects, spread, rho, found) -> np.ndarray:
    """Covariance of the mode where counts vary with the intraclass correlation `found` but are weighted with `rho`."""
    precision, _ = _step(table, rows, told, prior, slopes, vector, effects, spread, rho)
    inverse = np.linalg.inv(precision)
    everything = full_slopes(table, slopes)
    value = np.clip(slopes.value, 1e-9, 1.0)
    q = conditional(rows, value)
    steep = slope(rows.upper, rows.lower, value, everything) * q
    weight = information(rows, q, rho)
    excess = weight * (weight / information(rows, q, found) - 1)
    return inverse + inverse @ ((steep * np.maximum(excess, 0)) @ steep.T) @ inverse


def _rho(rows: Counts, q: np.ndarray, parameters: int) -> float:
    """Intraclass correlation at which squared residuals are as large as they should be (Williams 1982).

    Counts that could hardly be other than none or all (a few responders to placebo) tell nothing of it, but one of them
    by chance would count for much.
    """
    telling = rows.n * q * (1 - q) >= LEAST
    rows, q = Counts(*(column[telling] for column in rows)), q[telling]
    free = len(q) * (1 - parameters / len(telling))

    def excess(rho: float) -> float:
        return float((information(rows, q, rho) * (rows.x / rows.n - q) ** 2).sum() - free)

    if excess(1e-5) < 0:
        return 1e-5
    return float(root_scalar(excess, bracket=(1e-5, 0.5)).root) if excess(0.5) < 0 else 0.5


def _excess(prior: Believed, vector: np.ndarray, covariance: np.ndarray) -> Believed:
    """The distribution of the excess over drugs, one step of the EM algorithm."""
    models = len(prior.middle)
    excess = prior.reference - vector[models:]
    variance = np.diag(covariance)[models : len(vector)]
    middle = float(excess.mean())
    return replace(prior, excess=middle, excess_sd=float(np.sqrt(np.mean((excess - middle) ** 2 + variance))))
