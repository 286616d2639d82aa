"""Two arms with a prior for the comparator from earlier trials: power prior and robust meta-analytic prior.

Nothing is sampled: shares stand on a grid of log odds, means are mixtures of normal distributions.
"""

from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import betaln, expit, gammaln, log_expit, logsumexp
from scipy.stats import norm

from .estimate import Flag, check_counts, check_level

EDGE, POINTS = 14.0, 4001  # log odds from -14 to 14; beyond lie shares below 1e-6
NODES = 61  # standard deviations between trials that are tried, from 0 to four times their scale
CENTRES = 401  # means of trials that are tried
HERMITE = 41


class Posterior(NamedTuple):
    """What is known of arm minus comparator."""

    estimate: float  # mean
    sd: float
    low: float  # equal tails
    high: float
    chance: float  # that the difference exceeds the margin
    weight: float  # of the history in the comparator's posterior; 1 if the prior was not made robust
    flag: Flag


class SharePrior(NamedTuple):
    """A prior of a share: its chance on each point of the grid of log odds."""

    history: np.ndarray  # (points,), sums to 1
    vague: np.ndarray
    trust: float  # prior weight of the history


class MeanPrior(NamedTuple):
    """A prior of a mean: a mixture of normal distributions; the last component may be the vague one."""

    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    robust: bool


GRID = np.linspace(-EDGE, EDGE, POINTS)


def beta_prior(a: float, b: float) -> SharePrior:
    """Beta(a, b), without a vague part."""
    if not (a > 0 and b > 0):
        raise ValueError(f"beta({a}, {b}): expected two numbers above 0")
    return SharePrior(_on_grid(a, b), _on_grid(1.0, 1.0), 1.0)


def power_prior(events, n, power: float, a: float = 1.0, b: float = 1.0) -> SharePrior:
    """Earlier responders counted with weight `power`, after Beta(a, b) [Ibrahim and Chen 2000, Stat Sci 15:46].

    Args:
      events, n: of the earlier trials, (trials,).
      power: 0, ignore them, to 1, as if they were of this trial.
    """
    if not 0 <= power <= 1:
        raise ValueError(f"power {power}: expected a number from 0 to 1")
    check_counts(events, n)
    x, size = np.sum(events), np.sum(n)
    return beta_prior(a + power * x, b + power * (size - x))


def map_prior(events, n, spread: float, centre_sd: float, trust: float) -> SharePrior:
    """Robust meta-analytic-predictive prior of a new trial's share [Schmidli et al. 2014, Biometrics 70:1023].

    Log odds of trials are normal about a centre; the part without history is uniform on the share.

    Args:
      events, n: of the earlier trials, (trials,).
      spread: scale of the half-normal prior of the standard deviation between trials, log odds.
      centre_sd: standard deviation of the centre's normal prior about even odds.
      trust: prior weight of the history, 0 to 1.
    """
    x, size = np.atleast_1d(np.asarray(events, float)), np.atleast_1d(np.asarray(n, float))
    check_counts(x, size)
    _check_robust(spread, trust)
    if not centre_sd > 0:
        raise ValueError(f"centre_sd {centre_sd}: expected a number above 0")
    tau = np.linspace(0.0, 4 * spread, NODES)[:, None]
    # Centres further from every trial than this have no chance beside the others.
    logit, away = np.log((x + 0.5) / (size - x + 0.5)), np.sqrt(1 / (x + 0.5) + 1 / (size - x + 0.5))
    reach, end = 6 * away + 8 * spread, min(4 * centre_sd, EDGE)
    ends = np.clip([(logit - reach).min(), (logit + reach).max()], -end, end)
    centre = np.linspace(ends[0], ends[1], CENTRES)[None, :]
    nodes, weights = hermegauss(HERMITE)
    log_weights = np.log(weights / weights.sum())
    log_chance = -0.5 * (tau / spread) ** 2 - 0.5 * (centre / centre_sd) ** 2
    theta = centre[:, :, None] + tau[:, :, None] * nodes
    for events_, size_ in zip(x, size, strict=True):
        seen = events_ * log_expit(theta) + (size_ - events_) * log_expit(-theta)
        log_chance = log_chance + np.asarray(logsumexp(seen + log_weights, axis=2))
    log_chance[0] -= np.log(2.0)  # the trapezium's end
    chance = np.exp(log_chance - np.asarray(logsumexp(log_chance)))
    history = np.zeros(POINTS)
    # No narrower than what the grids can show.
    least = max(2 * (GRID[1] - GRID[0]), centre[0, 1] - centre[0, 0])
    for k, sd in enumerate(np.maximum(tau[:, 0], least)):
        history += norm.pdf(GRID[:, None], centre[0][None, :], sd) @ chance[k]
    return SharePrior(history / history.sum(), _on_grid(1.0, 1.0), trust)


def share_difference(
    x1: int, n1: int, x0: int, n0: int, prior: SharePrior, margin: float = 0.0, level: float = 0.95,
    arm_prior: SharePrior | None = None,
) -> Posterior:  # fmt: skip
    """Difference of two shares; the arm's prior is uniform unless given. An empty arm stays at its prior, flagged."""
    check_counts(x1, n1)
    check_counts(x0, n0)
    check_level(level)
    one, _ = _updated(arm_prior or beta_prior(1.0, 1.0), x1, n1)
    two, weight = _updated(prior, x0, n0)
    p = expit(GRID)
    mean = float(one @ p - two @ p)
    variance = float(one @ p**2 - (one @ p) ** 2 + two @ p**2 - (two @ p) ** 2)
    middle = np.concatenate([[0.0], (p[1:] + p[:-1]) / 2, [1.0]])
    below = np.concatenate([[0.0], np.cumsum(one)])

    def at_most(d: float) -> float:
        return float(two @ np.interp(p + d, middle, below))

    tail = (1 - level) / 2
    low, high = (float(brentq(lambda d, t=t: at_most(d) - t, -1.0, 1.0)) for t in (tail, 1 - tail))  # pyright: ignore[reportArgumentType]
    flag = Flag.FINE if n1 and n0 else Flag.EMPTY_ARM
    return Posterior(mean, float(np.sqrt(variance)), low, high, 1 - at_most(margin), weight, flag)


def mean_power_prior(means, errors, power: float) -> MeanPrior:
    """Earlier means, with their standard errors, pooled and counted with weight `power` (above 0, to 1)."""
    if not 0 < power <= 1:
        raise ValueError(f"power {power}: expected a number above 0, at most 1")
    y, se = _history(means, errors)
    precision = power * np.sum(1 / se**2)
    mean = np.sum(y / se**2) / np.sum(1 / se**2)
    return MeanPrior(np.ones(1), np.array([mean]), np.array([1 / np.sqrt(precision)]), False)


def mean_map_prior(means, errors, spread: float, trust: float, vague_mean: float, vague_sd: float) -> MeanPrior:
    """Robust meta-analytic-predictive prior of a new trial's mean [Schmidli et al. 2014; Neuenschwander et al. 2010].

    Args:
      means, errors: of the earlier trials, with standard errors, (trials,).
      spread: scale of the half-normal prior of the standard deviation between trials.
      trust: prior weight of the history, 0 to 1. vague_mean, vague_sd: the part without history.
    """
    y, se = _history(means, errors)
    _check_robust(spread, trust)
    if not vague_sd > 0:
        raise ValueError(f"vague_sd {vague_sd}: expected a number above 0")
    tau = np.linspace(0.0, 4 * spread, NODES)
    precision = 1 / (tau[:, None] ** 2 + se[None, :] ** 2)
    total = precision.sum(axis=1)
    centre = (precision @ y) / total
    fit = -0.5 * (precision * (y[None, :] - centre[:, None]) ** 2).sum(axis=1)
    log_chance = fit + 0.5 * np.log(precision).sum(axis=1) - 0.5 * np.log(total) - 0.5 * (tau / spread) ** 2
    log_chance[0] -= np.log(2.0)
    chance = np.exp(log_chance - np.asarray(logsumexp(log_chance)))
    return MeanPrior(
        np.append(trust * chance, 1 - trust), np.append(centre, vague_mean),
        np.append(np.sqrt(1 / total + tau**2), vague_sd), True,
    )  # fmt: skip


def mean_difference(
    mean1: float, se1: float, mean0: float, se0: float, prior: MeanPrior, margin: float = 0.0, level: float = 0.95
) -> Posterior:
    """Difference of two means with known standard errors; the arm's prior is flat."""
    check_level(level)
    if not (se1 > 0 and se0 > 0):
        raise ValueError(f"standard errors {se1} and {se0}: expected numbers above 0")
    marginal = np.log(np.maximum(prior.weight, 1e-300)) + norm.logpdf(mean0, prior.mean, np.hypot(prior.sd, se0))
    weight = np.exp(marginal - np.asarray(logsumexp(marginal)))
    precision = 1 / prior.sd**2 + 1 / se0**2
    centre = mean1 - (prior.mean / prior.sd**2 + mean0 / se0**2) / precision
    sd = np.sqrt(1 / precision + se1**2)
    mean = float(weight @ centre)
    variance = float(weight @ (sd**2 + centre**2) - mean**2)

    def at_most(d: float) -> float:
        return float(weight @ norm.cdf(d, centre, sd))

    ends = float((centre - 12 * sd).min()), float((centre + 12 * sd).max())
    tail = (1 - level) / 2
    low, high = (float(brentq(lambda d, t=t: at_most(d) - t, *ends)) for t in (tail, 1 - tail))  # pyright: ignore[reportArgumentType]
    trusted = float(1 - weight[-1]) if prior.robust else 1.0
    return Posterior(mean, float(np.sqrt(variance)), low, high, 1 - at_most(margin), trusted, Flag.FINE)


def effective_size(prior: SharePrior) -> float:
    """People that a prior of a share is worth: the size of the beta distribution with its mean and variance."""
    p = expit(GRID)
    density = prior.trust * prior.history + (1 - prior.trust) * prior.vague
    mean = float(density @ p)
    return mean * (1 - mean) / (float(density @ p**2) - mean**2) - 1


def _updated(prior: SharePrior, x: int, n: int) -> tuple[np.ndarray, float]:
    """Posterior on the grid, and the posterior weight of the history."""
    choose = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    likelihood = np.exp(choose + x * log_expit(GRID) + (n - x) * log_expit(-GRID))
    history, vague = prior.trust * (prior.history * likelihood), (1 - prior.trust) * (prior.vague * likelihood)
    total = history.sum() + vague.sum()
    return (history + vague) / total, float(history.sum() / total)


def _on_grid(a: float, b: float) -> np.ndarray:
    density = np.exp(a * log_expit(GRID) + b * log_expit(-GRID) - betaln(a, b))
    return density / density.sum()


def _history(means, errors) -> tuple[np.ndarray, np.ndarray]:
    y, se = np.atleast_1d(np.asarray(means, float)), np.atleast_1d(np.asarray(errors, float))
    if len(y) != len(se) or not len(y):
        raise ValueError(f"history: {len(y)} means and {len(se)} standard errors; expected as many, one or more")
    if not (se > 0).all():
        raise ValueError(f"history: a standard error of {se.min():g}; expected numbers above 0")
    return y, se


def _check_robust(spread: float, trust: float) -> None:
    if not spread > 0:
        raise ValueError(f"spread {spread}: expected a number above 0")
    if not 0 <= trust <= 1:
        raise ValueError(f"trust {trust}: expected a weight from 0 to 1")
