"""Who takes part in a replicate, and what each is given: a kernel of one replicate.

Draws are addressed by the replicate and the place in it, so a smaller trial of the same number is the beginning of a
larger one, and a look is the beginning of its trial.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.keys import root, stream


class Allocation(NamedTuple):
    """Stratified permuted blocks. shares: of the arms in a block, in people of `sum(shares)`. strata: how many."""

    shares: tuple[int, ...]
    block: int
    strata: int


class Drawn(NamedTuple):
    """People of a replicate in order of entry: places in the pool and numbers of arms, (people,) each."""

    people: Array
    arms: Array


def keys(seed: int, replicates: Array, stage: str = "design") -> Array:
    """The key of each replicate, (replicates,), in a stage whose people are drawn apart."""
    design = stream(root(seed), stage)
    return jax.vmap(lambda number: stream(design, number))(replicates)


def draw(key: Array, strata: Array, allocation: Allocation, size: int) -> Drawn:
    """Draw people from the pool with replacement, and randomise them.

    Args:
      key: of the replicate.
      strata: stratum of each twin of the pool, (pool,).
    """
    people = jax.random.randint(stream(key, "people"), (size,), 0, strata.shape[0])
    return Drawn(people, allocate(stream(key, "randomise"), strata[people], allocation))


def seed(key: Array) -> Array:
    """The seed by which a study would draw the imputations of a replicate."""
    return jax.random.bits(stream(key, "imputation"), dtype="uint32").astype(int)


def allocate(key: Array, strata: Array, allocation: Allocation) -> Array:
    """Arm numbers by permuted blocks within strata, (people,).

    Args:
      strata: in the order of entry, (people,).
    """
    shares, block, number = allocation
    arms = jnp.asarray(np.repeat(np.arange(len(shares)), np.array(shares) * (block // sum(shares))))
    blocks = -(-strata.shape[0] // block)
    luck = jax.vmap(lambda s: jax.random.bits(stream(key, s), (blocks * block,)))(jnp.arange(number))
    luck = luck.reshape(number, blocks, block)
    mine, other = luck[..., :, None], luck[..., None, :]
    later = jnp.asarray(np.tri(block, k=-1, dtype=bool))[None, None]  # of two with equal luck
    rank = jnp.sum((mine > other) | ((mine == other) & later), axis=-1)
    given = arms[rank].reshape(number, blocks * block)
    of = jax.nn.one_hot(strata, number, dtype="int32")
    place = jnp.sum((jnp.cumsum(of, axis=0) - of) * of, axis=1)
    return given[strata, place]
