"""What would have been: the mean of a person's outcomes under each assumption on those who left.

References: Carpenter, Roger and Kenward 2013, J Biopharm Stat 23:1352. All arms share one covariance of the visits.
"""

import jax.numpy as jnp
from jax import Array

STRATEGIES = ("missing_at_random", "jump_to_reference", "copy_reference", "copy_increments")


def expected(strategy: str, own: Array, reference: Array, departure: Array) -> Array:
    """Mean of one person's visits.

    `missing_at_random`: as in the own arm. `jump_to_reference`: as in the reference from the departure on.
    `copy_increments`: the difference from the reference stays what it was at the visit before the departure (none if
    there is no such visit). `copy_reference`: as in the reference throughout, so that what was seen before acts as a
    deviation from it.

    Args:
      own, reference: mean in the own and in the reference arm, shape (visits,).
      departure: number of the first visit to which the assumption applies; the number of visits if none.
    """
    check(strategy)
    visits = own.shape[0]
    after = jnp.arange(visits) >= departure
    if strategy == "missing_at_random":
        return own
    if strategy == "jump_to_reference":
        return jnp.where(after, reference, own)
    if strategy == "copy_reference":
        # Who completed stays in the own arm.
        return jnp.where(departure < visits, reference, own)
    gap = jnp.where(departure > 0, (own - reference)[jnp.maximum(departure - 1, 0)], 0.0)
    return jnp.where(after, reference + gap, own)


def check(strategy: str) -> None:
    """Refuse an unknown strategy.

    Raises:
      ValueError: it is none of `STRATEGIES`.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy {strategy!r}; choose from {', '.join(STRATEGIES)}")


def filled(outcome: Array, mean: Array, covariance: Array, precision: Array, noise: Array) -> Array:
    """One person's visits, gaps filled with a draw given what was seen; without noise with its mean.

    A draw of all visits is corrected by what it misses of those seen, which has the conditional distribution
    [Hoffman and Ribak 1991, Astrophys J 380:L5] and needs no root of a matrix for each person.

    Args:
      outcome: NaN where missing, shape (visits,).
      mean: shape (visits,).
      covariance: shape (visits, visits).
      precision: inverse of its part seen, zero elsewhere, (visits, visits).
      noise: a draw from the covariance, or zero, shape (visits,).
    """
    seen = ~jnp.isnan(outcome)
    drawn = mean + noise
    missed = jnp.where(seen, outcome - drawn, 0.0)
    return jnp.where(seen, outcome, drawn + covariance @ (precision @ missed))
