r"""Skin layers of the people that a measured person may be: importance sampling from the exact conditional.

The scores are $s = L e$ with independent standard normal $e$, ordered so that what is measured comes first:

1. A known level (a Fitzpatrick type, a genotype) truncates its score; the weight is the chance of the level.
2. A value known without error fixes its score; the weight is the density of the value.
3. Values with normal errors of known SD are drawn together from the normal that fits their posterior at its mode,
   and weighted by prior times likelihood over that proposal. Where margins are normal the proposal is the posterior.
4. All other scores follow from the conditional normal.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import ndtr, ndtri

from ...core.keys import stream
from .draw import NEEDS, SUN, Air, Constants, constants, given_by, score_of, values
from .margins import Continuous, Given, Levels, log_normal
from .measurements import Measured, Plan, check_ranges, plan_of

STEPS = 12  # to the mode; each solves a linear problem, and two or three are enough near it
WIDEST = 7.0  # independent scores are kept within this while the mode is looked for


class Conditioned(NamedTuple):
    """Draws, one a candidate, and how much each counts."""

    draws: dict[str, Array]  # all attributes of the skin layer, shape (n,)
    log_weights: Array  # shape (n,); not normalised: log density of the measurements under each candidate


def condition(
    key: Array, people: Mapping[str, Array], measured: Mapping[str, Measured], air: Air = "us"
) -> Conditioned:
    """One skin layer for each of n candidates, given what was measured.

    Args:
      people: general attributes of the candidates (at least NEEDS), shape (n,) each.
      measured: by attribute, the value in its unit with the SD of its normal error, 0 if there is none. A level or a
        grade has no error. L* and b* (`lightness`, `yellowness`) come together and count as the angle they give.

    Raises:
      ValueError: an attribute is unknown or cannot be measured, a value is impossible, or nobody can have them all.
    """
    c = constants(air)
    plan, exact, noisy = plan_of(c, measured)
    given = jax.vmap(partial(given_by, precision="float64"))({name: jnp.asarray(people[name]) for name in NEEDS})
    check_ranges(c, given, plan, exact, noisy)
    ids = jnp.arange(len(given["age"]))
    scores, log_weights = _scores(air, plan, key, ids, given, jnp.asarray(exact), jnp.asarray(noisy))
    draws = _values(air, scores, given) | {
        name: jnp.full(len(ids), v) for name, v in zip(plan.exact, exact, strict=True)
    }
    if not np.any(np.isfinite(np.asarray(log_weights))):
        told = ", ".join(f"{name} {value}" for name, (value, _) in measured.items())
        raise ValueError(f"none of the {len(ids)} candidates can have {told}")
    return Conditioned(draws, log_weights)


@partial(jax.jit, static_argnames="air")
def _values(air: Air, scores: Array, given: Given) -> dict[str, Array]:
    """Attributes of candidates with these scores, shape (n, scores); compiled once, whatever was measured."""
    c = constants(air)

    def one(score: Array, given: Given) -> dict[str, Array]:
        return values(c, dict(zip(c.scores, score, strict=True)), given)

    return jax.vmap(one)(scores, given)


@partial(jax.jit, static_argnames=("air", "plan"))
def _scores(
    air: Air, plan: Plan, key: Array, ids: Array, given: Given, exact: Array, noisy: Array
) -> tuple[Array, Array]:
    """Scores of the candidates, shape (n, scores) in the order of the constants, and log-weights, shape (n,)."""
    c = constants(air)
    first = plan.scores()
    order = [c.scores.index(name) for name in (*first, *(name for name in c.scores if name not in first))]
    factor = np.linalg.cholesky(c.correlation[np.ix_(order, order)])

    def one(i: Array, given: Given) -> tuple[Array, Array]:
        return _one(c, plan, factor, stream(key, "measured", i), dict(given), exact, noisy)

    scores, log_weights = jax.vmap(one)(ids, given)
    return scores[:, np.argsort(order)], log_weights


def _one(
    c: Constants,
    plan: Plan,
    factor: np.ndarray,
    key: Array,
    given: dict[str, Array],
    exact: Array,
    noisy: Array,
) -> tuple[Array, Array]:
    """Scores of one candidate, in the order of the plan and `factor`, and the log-weight."""
    noise = jax.random.normal(stream(key, "noise"), (len(factor),), dtype="float64")
    e, log_weight = noise[:0], jnp.zeros(())
    for k, score in enumerate(plan.truncated):
        row, scale = jnp.asarray(factor[k, :k]), float(factor[k, k])
        centre = row @ e
        low, high = (
            (end - centre) / scale for end in _narrowest(c, (n for n in plan.levels if score_of(n[0]) == score), given)
        )
        drawn, log_mass = _truncated(stream(key, "level", k), low, high)
        e, log_weight = jnp.append(e, drawn), log_weight + log_mass
        if score == SUN:
            given["type"] = c.margins["fitzpatrick"].value(centre + scale * drawn, given) - 1
    for k, name in enumerate(plan.exact, start=len(plan.truncated)):
        margin, scale = _number(c, name), float(factor[k, k])
        score = margin.score(exact[k - len(plan.truncated)], given)
        standard = (score - jnp.asarray(factor[k, :k]) @ e) / scale
        log_weight += log_normal(standard) - float(np.log(scale)) - jnp.log(margin.slope(score, given))
        e = jnp.append(e, standard)
    if plan.noisy:
        here = slice(len(e), len(e) + len(plan.noisy))
        centre, own = jnp.asarray(factor[here, : len(e)]) @ e, jnp.asarray(factor[here, here])
        margins = [_number(c, name) for name in plan.noisy]
        drawn, log_ratio = _with_errors(margins, given, centre, own, noisy, noise[here])
        e, log_weight = jnp.append(e, drawn), log_weight + log_ratio
    return jnp.asarray(factor) @ jnp.append(e, noise[len(e) :]), log_weight


def _narrowest(c: Constants, told: Iterable[tuple[str, int]], given: Given) -> tuple[Array, Array]:
    """The scores that give all of these levels: from, to."""
    low, high = jnp.full((), -jnp.inf), jnp.full((), jnp.inf)
    for name, level in told:
        margin = c.margins[name]
        assert isinstance(margin, Levels)
        ends = margin.interval(level, given, low)
        low, high = jnp.maximum(low, ends[0]), jnp.minimum(high, ends[1])
    return low, high


def _truncated(key: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """A standard normal draw between two ends, and the logarithm of the chance of being there; -inf if they cross."""
    flip = low > 0  # the lower tail keeps its digits
    low, high = jnp.where(flip, -high, low), jnp.where(flip, -low, high)
    below, mass = ndtr(low), ndtr(high) - ndtr(low)
    there = mass > 0
    drawn = ndtri(jnp.where(there, below + jax.random.uniform(key, dtype="float64") * mass, 0.5))
    drawn = jnp.where(there, jnp.clip(drawn, low, high), 0.0)
    return jnp.where(flip, -drawn, drawn), jnp.where(there, jnp.log(jnp.where(there, mass, 1.0)), -jnp.inf)


def _with_errors(
    margins: list[Continuous], given: Given, centre: Array, own: Array, noisy: Array, noise: Array
) -> tuple[Array, Array]:
    """Independent scores of values measured with error, and their log-weight.

    Args:
      centre, own: scores are centre + own e, shapes (m,) and (m, m), own lower triangular.
      noisy: values and SDs of their errors, shape (m, 2).
      noise: standard normal, shape (m,).
    """
    value, sd = noisy[:, 0], noisy[:, 1]

    def predicted(e: Array) -> tuple[Array, Array]:
        scores = list(centre + own @ e)
        readings = jnp.stack([m.value(s, given) for m, s in zip(margins, scores, strict=True)])
        slopes = jnp.stack([m.slope(s, given) for m, s in zip(margins, scores, strict=True)])
        return (value - readings) / sd, (slopes / sd)[:, None] * own

    def step(_: int, e: Array) -> Array:
        miss, slope = predicted(e)
        better = jnp.linalg.solve(jnp.eye(len(e)) + slope.T @ slope, slope.T @ (miss + slope @ e))
        return jnp.clip(better, -WIDEST, WIDEST)

    start = jnp.stack([_near(m, v, given) for m, v in zip(margins, list(value), strict=True)])
    mode = jax.lax.fori_loop(0, STEPS, step, solve_triangular(own, start - centre, lower=True))
    slope = predicted(mode)[1]
    root = jnp.linalg.cholesky(jnp.eye(len(mode)) + slope.T @ slope)
    e = mode + solve_triangular(root, noise, lower=True, trans="T")
    prior_and_fit = jnp.sum(log_normal(e)) + jnp.sum(log_normal(predicted(e)[0]) - jnp.log(sd))
    return e, prior_and_fit - jnp.sum(log_normal(noise)) - jnp.sum(jnp.log(jnp.diagonal(root)))


def _near(margin: Continuous, value: Array, given: Given) -> Array:
    """The score of a measured value, or the nearest that a person is likely to have."""
    low, high = (margin.value(jnp.full((), end), given) for end in (-5.0, 5.0))
    return margin.score(jnp.clip(value, low, high), given)


def _number(c: Constants, name: str) -> Continuous:
    margin = c.margins[name]
    assert isinstance(margin, Continuous)
    return margin
