"""Minimisation [Taves 1974, Clin Pharmacol Ther 15:443; Pocock and Simon 1975, Biometrics 31:103].

Each person goes, with a high probability, to an arm that leaves the margins of the factors most even. The coin of a
person is addressed by the place of entry, so a trial can be replayed, and continued, from its key.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from ....core.keys import stream

MEASURES = ("range", "variance")
TIE = 1e-9  # imbalances closer than this are equal


def minimise(
    key: Array,
    factors: Array,
    levels: int,
    shares: tuple[int, ...],
    chance: float,
    weights: tuple[float, ...] = (),
    measure: str = "range",
) -> Array:
    """Arm numbers in the order of entry, shape (people,); for one replicate or, under `vmap` over keys, many.

    Args:
      factors: level of each person in each factor, from 0, shape (people, factors).
      levels: more than the largest level (not checked if `factors` are traced). shares: of the arms,
        e.g. (1, 1) or (2, 1).
      chance: that a person goes to (one of) the best arm(s); 1 is deterministic but for ties.
      weights: of the factors; equal if not given. measure: of the imbalance of a margin, a name in `MEASURES`.
    """
    arms = len(shares)
    if arms < 2 or min(shares) < 1:
        raise ValueError(f"shares: expected two or more whole numbers from 1, got {list(shares)}")
    if not 1 / arms <= chance <= 1:
        raise ValueError(f"chance: expected {1 / arms:g} (pure chance) to 1, got {chance!r}")
    if factors.ndim != 2 or (weights and len(weights) != factors.shape[1]):
        raise ValueError(f"weights: expected one for each of the factors of shape {factors.shape}, got {list(weights)}")
    if any(not weight >= 0 for weight in weights) or (weights and not any(weights)):
        raise ValueError(f"weights: expected numbers from 0, one of them above it, got {list(weights)}")
    if measure not in MEASURES:
        raise ValueError(f"measure: expected one of {', '.join(MEASURES)}, got {measure!r}")
    if not isinstance(factors, Tracer) and factors.size:
        _within(factors, levels)
    share = jnp.asarray(shares, dtype="float64")
    weight = jnp.asarray(weights or (1.0,) * factors.shape[1], dtype="float64")
    margins = jnp.arange(factors.shape[1])

    def enter(counts: Array, person: tuple[Array, Array]) -> tuple[Array, Array]:
        place, level = person
        here = counts[margins, level]
        # What the margins would be with this person in each arm: (factors, arm chosen, arms).
        would = (here[:, None, :] + jnp.eye(arms, dtype="float64")[None]) / share[None, None]
        spread = would.max(axis=2) - would.min(axis=2) if measure == "range" else would.var(axis=2)
        imbalance = weight @ spread
        arm = _toss(jax.random.uniform(stream(key, "minimise", place), dtype="float64"), imbalance, share, chance)
        return counts.at[margins, level, arm].add(1.0), arm

    start = jnp.zeros((factors.shape[1], levels, arms), dtype="float64")
    return jax.lax.scan(enter, start, (jnp.arange(len(factors)), factors))[1]


def imbalance(factors: Array, assigned: Array, levels: int, arms: int) -> Array:
    """Largest difference between arms in any margin, in people, for equal shares; a number."""
    level = jax.nn.one_hot(factors, levels, dtype="float64")
    counts = jnp.einsum("pfl,pa->fla", level, jax.nn.one_hot(assigned, arms, dtype="float64"))
    return (counts.max(axis=2) - counts.min(axis=2)).max()


def _toss(coin: Array, imbalance: Array, share: Array, chance: float) -> Array:
    """The best arms share `chance`, the others the rest, each group in proportion to the shares of the arms."""
    best = imbalance <= imbalance.min() + TIE
    good, poor = jnp.where(best, share, 0.0), jnp.where(best, 0.0, share)
    rest = jnp.maximum(poor.sum(), TIE)
    odds = jnp.where(best.all(), share / share.sum(), chance * good / good.sum() + (1 - chance) * poor / rest)
    return jnp.clip(jnp.searchsorted(jnp.cumsum(odds), coin, side="right"), 0, len(share) - 1)


def _within(factors: Array, levels: int) -> None:
    seen = np.asarray(factors)  # numpy: within a traced function jax would trace the check as well
    low, high = int(seen.min()), int(seen.max())
    if low < 0 or high >= levels:
        raise ValueError(f"factors: expected levels from 0 to {levels - 1}, got {low} to {high}")
