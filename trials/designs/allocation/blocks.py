"""Permuted blocks within strata: of the twins of a run (`trials.enrol`), or of many replicates under `vmap`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from ....core.keys import stream


def permuted_blocks(key: Array, strata: Array, shares: tuple[int, ...], block: int, number: int) -> Array:
    """Arm numbers, shape (people,).

    A person's place in the stratum names the block and the position in it; each block is a permutation of its own.

    Args:
      strata: stratum numbers in the order of entry, shape (people,). number: how many strata there are (not checked if
        `strata` are traced).
      shares: people of each arm among `sum(shares)`. block: size of a block, a multiple of that sum.

    Raises:
      ValueError: the block is no multiple of the shares' sum, a share is not above 0, or a stratum is not there.
    """
    if not shares or min(shares) < 1:
        raise ValueError(f"shares: expected whole numbers from 1, got {list(shares)}")
    if block < 1 or block % sum(shares):
        raise ValueError(f"block: expected a multiple of {sum(shares)} (the shares' sum), got {block}")
    if not isinstance(strata, Tracer) and strata.size:
        low, high = int(strata.min()), int(strata.max())
        if low < 0 or high >= number:
            raise ValueError(f"strata: expected numbers from 0 to {number - 1}, got {low} to {high}")
    arms = jnp.asarray(whole_block(shares, block))
    before = jnp.cumsum(jax.nn.one_hot(strata, number, dtype="int64"), axis=0) - 1
    place = jnp.take_along_axis(before, strata[:, None], axis=1)[:, 0]

    def arm(stratum: Array, turn: Array) -> Array:
        return permuted(key, stratum, turn // block, arms)[turn % block]

    return jax.vmap(arm)(strata, place)


def whole_block(shares: tuple[int, ...], block: int) -> np.ndarray:
    """Arm numbers of a block in order, shape (block,)."""
    return np.repeat(np.arange(len(shares)), np.array(shares) * (block // sum(shares)))


def permuted(key: Array, stratum: Array, number: Array, arms: Array) -> Array:
    """The arms of one block of a stratum, shape (block,); arms: those of any block in order."""
    return jax.random.permutation(stream(stream(key, "randomise"), stratum, number), arms)
