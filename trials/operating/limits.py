"""Score limits of a difference of shares, as `statistics.methods.score.binomial`, by secants instead of halvings.

A limit solves d - t = z sqrt(V(t)), V the variance at the shares most likely under the difference t. The right side
moves little with t, so that secants take five to eight steps where halving takes sixty. The bracket is kept: a secant
that leaves it, or that has not arrived after `PATIENCE` steps, gives way to halving.
"""

import jax.numpy as jnp
from jax import Array, lax

from ..statistics.methods.estimate import Estimate, Flag, normal_quantile
from ..statistics.methods.score import Pair, likely_under_difference

PATIENCE, STEPS = 15, 80
NEAR = 1e-14  # a last step
TINY = 1e-300


def score_difference(counts: Pair, level: float) -> Estimate:
    """Miettinen and Nurminen's difference, limits and test, common to strata; p is left to `kernels.finish`.

    Args:
      counts: shape (strata,).
    """
    total = counts.n1 + counts.n0
    weights = jnp.where(total > 0, counts.n1 * counts.n0 / jnp.maximum(total, 1.0), 0.0)
    whole = weights.sum()
    weights = weights / jnp.maximum(whole, TINY)
    difference = jnp.sum(weights * (counts.x1 / jnp.maximum(counts.n1, 1.0) - counts.x0 / jnp.maximum(counts.n0, 1.0)))
    z = normal_quantile(level)
    at = spread(difference, counts, weights)
    low = _limit(difference, counts, weights, at, z, -1.0)
    high = _limit(difference, counts, weights, at, z, 1.0)
    null = spread(jnp.zeros(()), counts, weights)
    test = jnp.where(jnp.abs(difference) < 1e-14, 0.0, difference / jnp.maximum(null, jnp.sqrt(TINY)))
    nan = jnp.asarray(jnp.nan)
    flag = jnp.where(whole > 0, 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
    se = jnp.where(test != 0, difference / jnp.where(test == 0, 1.0, test), nan)
    kept = [jnp.where(flag > 0, nan, value) for value in (difference, se, low, high, test)]
    return Estimate._make([*kept, jnp.asarray(jnp.inf), nan, flag])


def spread(effect: Array, counts: Pair, weights: Array) -> Array:
    """Standard deviation of the weighted difference at the shares most likely under an effect."""
    p0 = likely_under_difference(effect, counts)
    p1 = jnp.clip(p0 + effect, 0.0, 1.0)
    total = counts.n1 + counts.n0
    one, two = p1 * (1 - p1) / jnp.maximum(counts.n1, 1e-9), p0 * (1 - p0) / jnp.maximum(counts.n0, 1e-9)
    variance = (one + two) * total / jnp.maximum(total - 1, 1e-9)
    return jnp.sqrt(jnp.sum(weights**2 * jnp.where(weights > 0, jnp.maximum(variance, 0.0), 0.0)))


def _limit(difference: Array, counts: Pair, weights: Array, spread_there: Array, z: float, side: float) -> Array:
    """The limit on one side (-1 low, 1 high); the end of the range, -1 or 1, where nothing before it is rejected."""

    def excess(t: Array) -> Array:
        """Positive below the limit, negative above."""
        return difference - t + side * z * spread(t, counts, weights)

    end = jnp.asarray(side)
    low, high = (difference, end) if side > 0 else (end, difference)
    first = jnp.clip(difference + side * z * spread_there, -1.0, 1.0)  # as if the variance did not move
    begin = (low, high, difference, side * z * spread_there, first, excess(first), jnp.asarray(0), jnp.asarray(1.0))

    def going(state: tuple[Array, ...]) -> Array:
        return (state[7] > NEAR) & (state[6] < STEPS)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high, old, f_old, now, f_now, taken, _ = state
        low, high = jnp.where(f_now > 0, now, low), jnp.where(f_now > 0, high, now)
        slope = f_now - f_old
        secant = now - f_now * (now - old) / jnp.where(slope == 0, 1.0, slope)
        inside = (slope != 0) & (secant >= low) & (secant <= high) & (taken < PATIENCE)
        new = jnp.where(inside, secant, 0.5 * (low + high))
        return low, high, now, f_now, new, excess(new), taken + 1, jnp.abs(new - now)

    return lax.while_loop(going, step, begin)[4]
