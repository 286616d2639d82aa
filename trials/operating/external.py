"""Controls of earlier trials beside those of this one, or in their place: what borrowing does to power and error.

In each replicate the people of the earlier trials are drawn anew from the pool and have the comparator's outcomes,
shifted. So type I error and bias are those over earlier trials of that shift, not given one that is known already.

Means, and shares as means, are compared by their normal approximation; the prior of the arm is flat.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from scipy.special import ndtr, ndtri

from ...core.keys import stream
from ..statistics.methods import bayes
from ..statistics.methods.estimate import Estimate, Flag
from .arrangements import BORROWING, External
from .draw import keys as keys_of
from .groups import Groups
from .pool import Pool
from .replicates import HYPOTHESES, World

if TYPE_CHECKING:
    from ..study import Analysis
HALVINGS = 50  # of the interval in which a limit is sought
REACH = 12.0  # standard deviations from a component's centre beyond which no limit lies


class Case(NamedTuple):
    """Of a hypothesis: whose outcomes arm and comparator have, and how far those of earlier controls are off."""

    sources: tuple[int, int]
    shift: float


class Means(NamedTuple):
    """Means and the variances of these means, (replicates, groups); infinite where nobody has a value."""

    mean: np.ndarray
    variance: np.ndarray


def names(plan: External, decisive: str) -> tuple[str, ...]:
    """What the analyses are called, the one that decides first."""
    return tuple(f"{decisive}, {BORROWING[way]}" for way in plan.ways)


def chosen(plan: External, name: str, analysis: "Analysis") -> dict[str, "Analysis"]:
    """The analysis by each way of borrowing, without covariates."""
    return dict.fromkeys(names(plan, name), analysis.model_copy(update={"covariates": ()}))


def cases(plan: External) -> dict[str, Case]:
    """The hypotheses: the model and both nulls without a shift, the model and the null of the comparator with each."""
    found = {name: Case(sources, 0.0) for name, sources in HYPOTHESES.items()}
    for shift in plan.shifts:
        found |= {f"{name}, earlier controls {shift:+g}": Case(found[name].sources, shift)
                  for name in ("model", "null as comparator")}  # fmt: skip
    return found


def worlds(plan: External) -> tuple[World, ...]:
    """The hypotheses, as replicates know them."""
    return tuple((name, (case.sources,) * len(plan.ways)) for name, case in cases(plan).items())


def prepared(plan: External, pool: Pool) -> tuple[np.ndarray, tuple[int, int]]:
    """Values of the arm and of the comparator, NaN where there are none, (2, pool), and the numbers of these arms.

    Raises:
      ValueError: a shift takes a share below 0 or above 1.
    """
    columns = next(iter(pool.columns.values()))
    values = np.where(columns.counts, columns.value, np.nan)
    if responses(values):
        share = float(np.nanmean(values[1]))
        for shift in plan.shifts:
            if not 0 <= share + shift <= 1:
                raise ValueError(
                    f"external.shifts: {shift:+g} takes the comparator's share of {share:.3g} to {share + shift:.3g}; "
                    f"expected shifts from {-share:.3g} to {1 - share:.3g}"
                )
    return values, columns.arms


def responses(values: np.ndarray) -> bool:
    """Whether values are yes or no."""
    return bool(np.isin(values[np.isfinite(values)], (0.0, 1.0)).all())


def controls(plan: External, shift: float, values: np.ndarray, keys: Array) -> Groups:
    """The earlier trials of replicates, (replicates, trials).

    Args:
      values: of the comparator's twins, NaN where there is none, (pool,). keys: of the replicates.
    """
    found = [outcomes(plan, shift, values, keys, number) for number in range(len(plan.people))]
    n = np.stack([np.full(len(one), one.shape[1]) for one in found], axis=1)
    mean, variance = (np.stack([of(one) for one in found], axis=1)
                      for of in (lambda one: one.mean(axis=1), lambda one: one.var(axis=1, ddof=1)))  # fmt: skip
    return Groups(n, mean, variance)


def outcomes(plan: External, shift: float, values: np.ndarray, keys: Array, number: int) -> np.ndarray:
    """The outcomes of the people of one earlier trial of each replicate, (replicates, people)."""
    known = values[np.isfinite(values)]
    places, luck, normal = map(np.asarray, _luck(number, plan.people[number])(keys))
    value, off = known[(places * len(known)).astype(int)], (shift + plan.between * normal)[:, None]
    if not responses(values):
        return value + off
    share = known.mean()
    up, down = off / max(1 - share, 1e-12), -off / max(share, 1e-12)  # of those who do not respond, of those who do
    return np.where(value > 0, luck >= down, luck < up).astype(float)


@cache
def _luck(number: int, people: int) -> Any:
    def one(key: Array) -> tuple[Array, Array, Array]:
        own = stream(key, "external", number)
        place, luck = (jax.random.uniform(stream(own, what), (people,)) for what in ("people", "shift"))
        return place, luck, jax.random.normal(stream(own, "trial"))

    return jax.jit(jax.vmap(one))


def replayed(plan: External, columns: np.ndarray, seed: int, number: int) -> pd.DataFrame:
    """The people of the earlier trials of one replicate without a shift: `trial`, from 1, and `value`.

    Args:
      columns: values of the arm and of the comparator, (2, pool).
    """
    key = keys_of(seed, jnp.asarray([number]))
    parts = [outcomes(plan, 0.0, columns[1], key, trial)[0] for trial in range(len(plan.people))]
    return pd.concat([pd.DataFrame({"trial": i, "value": part}) for i, part in enumerate(parts, 1)], ignore_index=True)


def means(found: Groups, shares: bool) -> Means:
    """Means with their variances; of shares by half a person more on either side, so that none has no variance."""
    n = np.maximum(found.n, 1)
    part = (np.nan_to_num(found.mean) * n + 0.5) / (n + 1)
    variance = part * (1 - part) / n if shares else found.variance / n
    there = found.n > (0 if shares else 1)
    return Means(np.where(there, found.mean, 0.0), np.where(there, variance, np.inf))


def compared(plan: External, seen: Groups, earlier: Groups, shares: bool, level: float) -> Estimate:
    """Arm minus comparator by each way of borrowing, (replicates, ways).

    p is twice the posterior chance of the less likely sign; without borrowing that is the z-test.

    Args:
      seen: of this trial, (replicates, 2). earlier: of the earlier ones, (replicates, trials).
    """
    now, before = means(seen, shares), means(earlier, shares)
    empty = ~np.isfinite(now.variance[:, 0]) | (plan.concurrent & ~np.isfinite(now.variance[:, 1]))
    still = ~empty & ((now.variance[:, 0] <= 0) | (now.variance[:, 1] <= 0) | (before.variance <= 0).any(axis=1))
    flag = empty * int(Flag.EMPTY_ARM) | still * int(Flag.NO_VARIATION)
    ok = flag == 0
    found = []
    for way in plan.ways:
        weight, centre, sd = _posterior(plan, way, _of(now, ok), _of(before, ok), earlier)
        found.append(_spread(_told(weight, centre, sd, level), ok, flag))
    return Estimate._make(np.stack(values, axis=1) for values in zip(*found, strict=True))


def prior(plan: External, way: str, before: Means, people: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight, mean and variance of the components of the comparator's prior, (replicates, components) each.

    Of `map` as `methods.bayes.mean_map_prior` of each replicate; its vague part is worth one person of the earlier
    trials.

    Args:
      people: of the earlier trials, (trials,).
    """
    y, square = before
    one = np.ones((len(y), 1))
    pooled = (y / square).sum(axis=1, keepdims=True) / (1 / square).sum(axis=1, keepdims=True)
    if way == "none":
        return one, 0 * one, np.inf * one
    if way != "map":
        return one, pooled, 1 / ((plan.weight if way == "power" else 1.0) * (1 / square).sum(axis=1, keepdims=True))
    tau = np.linspace(0.0, 4 * plan.spread, bayes.NODES)
    precision = 1 / (tau[:, None] ** 2 + square[:, None, :])
    total = precision.sum(axis=2)
    centre = (precision * y[:, None, :]).sum(axis=2) / total
    fit = -0.5 * (precision * (y[:, None, :] - centre[..., None]) ** 2).sum(axis=2)
    log_chance = fit + 0.5 * np.log(precision).sum(axis=2) - 0.5 * np.log(total) - 0.5 * (tau / plan.spread) ** 2
    log_chance[:, 0] -= np.log(2.0)  # the trapezium's end
    chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    return (
        np.concatenate([plan.trust * chance, (1 - plan.trust) * one], axis=1),
        np.concatenate([centre, pooled], axis=1),
        np.concatenate([1 / total + tau**2, _of_one(square, people)], axis=1),
    )


def _of_one(square: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Variance of one person of the earlier trials, (replicates, 1)."""
    return (square * people).mean(axis=1, keepdims=True)


def _posterior(
    plan: External, way: str, now: Means, before: Means, earlier: Groups
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Weight, centre and standard deviation of the components of arm minus comparator."""
    weight, mean, variance = prior(plan, way, before, earlier.n[0])
    mean0, square0 = now.mean[:, 1:], now.variance[:, 1:]
    if weight.shape[1] > 1 and plan.concurrent:
        whole = variance + square0
        log_weight = np.log(np.maximum(weight, 1e-300)) - 0.5 * np.log(whole) - 0.5 * (mean0 - mean) ** 2 / whole
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
    precision = 1 / variance + 1 / square0
    control = (mean / variance + mean0 / square0) / precision
    return weight, now.mean[:, :1] - control, np.sqrt(1 / precision + now.variance[:, :1])


def _of(found: Means, which: np.ndarray) -> Means:
    return Means(found.mean[which], found.variance[which])


def _told(weight: np.ndarray, centre: np.ndarray, sd: np.ndarray, level: float) -> Estimate:
    """Mean, standard deviation, limits of equal tails and the sign's p of mixtures, (replicates,)."""
    mean = (weight * centre).sum(axis=1)
    spread = np.sqrt((weight * (sd**2 + centre**2)).sum(axis=1) - mean**2)
    above, below = ((weight * ndtr(sign * centre / sd)).sum(axis=1) for sign in (1, -1))
    p = np.minimum(1.0, 2 * np.minimum(above, below))
    statistic = np.where(above >= below, -1.0, 1.0) * ndtri(np.maximum(p, 1e-300) / 2)
    tail = (1 - level) / 2
    if weight.shape[1] == 1:
        half = -ndtri(tail) * spread
        low, high = mean - half, mean + half
    else:
        low, high = (_limit(weight, centre, sd, part) for part in (tail, 1 - tail))
    return Estimate(mean, spread, low, high, statistic, np.full(len(p), np.inf), p, np.zeros(len(p), int))


def _limit(weight: np.ndarray, centre: np.ndarray, sd: np.ndarray, part: float) -> np.ndarray:
    """The value below which a mixture has this part, by halving."""
    low, high = (centre - REACH * sd).min(axis=1), (centre + REACH * sd).max(axis=1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        less = (weight * ndtr((middle[:, None] - centre) / sd)).sum(axis=1) < part
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return (low + high) / 2


def _spread(found: Estimate, ok: np.ndarray, flag: np.ndarray) -> Estimate:
    """The estimates of those that are sound among all."""

    def of(values: np.ndarray, otherwise: float) -> np.ndarray:
        whole = np.full(len(ok), otherwise)
        whole[ok] = values
        return whole

    parts = {name: of(values, 1.0 if name == "p" else np.nan) for name, values in found._asdict().items()}
    return Estimate(**parts | {"flag": flag})


def notes(plan: External, before: str) -> list[str]:
    """What a reader should know."""
    people = " + ".join(f"{n:,}" for n in plan.people)
    where = "beside" if plan.concurrent else "in place of"
    told = [
        f"{people} controls of earlier trials {where} those of this one, decided by {BORROWING[plan.borrow]}; "
        f"{before} has no covariates here, shares and means by their normal approximation",
        "earlier controls come from the same twins, off by the shifts alone: confounding that a real earlier trial "
        "brings must be among the shifts",
    ]
    if not plan.concurrent:
        told.append("nobody is randomised to a control: what differs between the trials stands in the effect")
    return told


def again(
    plan: External, case: Case, columns: np.ndarray, who: np.ndarray, given: np.ndarray, cells: tuple[int, ...],
    key: Array, level: float,
) -> Estimate:  # fmt: skip
    """One replicate by `methods.bayes`, (ways,); who, given: (people,)."""
    values, shares = columns[list(case.sources)], responses(columns)
    frames = [pd.Series(values[side][who[given == arm]]).dropna() for side, arm in enumerate(cells)]
    seen = [Groups(*(np.array([[x]]) for x in (len(one), one.mean(), one.var()))) for one in frames]
    mean, square = (np.ravel(part) for part in zip(*(means(one, shares) for one in seen), strict=True))
    old = controls(plan, case.shift, values[1], key)
    y, before = (part[0] for part in means(old, shares))
    sd = float(np.sqrt(_of_one(before[None], old.n[0])[0, 0]))
    error0 = float(np.sqrt(square[1])) if plan.concurrent else 1e8 * sd
    rows = []
    for way in plan.ways:
        given_ = {
            "none": lambda: bayes.MeanPrior(np.ones(1), np.zeros(1), np.full(1, 1e8 * sd), False),
            "pooled": lambda: bayes.mean_power_prior(y, np.sqrt(before), 1.0),
            "power": lambda: bayes.mean_power_prior(y, np.sqrt(before), plan.weight),
            "map": lambda: bayes.mean_map_prior(
                y, np.sqrt(before), plan.spread, plan.trust, float((y / before).sum() / (1 / before).sum()), sd
            ),
        }[way]()
        found = bayes.mean_difference(mean[0], float(np.sqrt(square[0])), mean[1], error0, given_, 0.0, level)
        p = 2 * min(found.chance, 1 - found.chance)
        rows.append((found.estimate, found.sd, found.low, found.high, np.nan, np.inf, p, 0))
    return Estimate._make(np.array(column) for column in zip(*rows, strict=True))
