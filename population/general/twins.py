"""Twins of a fitted population as a table, to be judged beside people."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from ...core.keys import root
from ..fitting.data import Data
from ..fitting.model import Model
from .draw import draw

BATCH = 16_384


def twins(model: Model, seed: int, count: int) -> Data:
    """Twins number 0 to `count` - 1, with the same columns as people to which the plan's derived numbers were added."""
    found = list(batches(model, seed, count))
    return table(model, {name: np.concatenate([batch[name] for batch in found]) for name in found[0]})


def table(model: Model, drawn: dict[str, np.ndarray]) -> Data:
    """Attributes of twins as a table; each has a weight of 1."""
    entries = {**model.plan.numbers, **model.plan.derived}
    count = len(drawn[next(iter(entries))])
    return Data(
        numbers={name: drawn[name].astype(float) for name in entries},
        categories={name: drawn[name].astype(int) for name in model.levels},
        levels=model.levels,
        units={name: entry.unit for name, entry in entries.items()},
        weights=np.ones(count),
        clusters=np.arange(count),
        strata=np.zeros(count, dtype=int),
    )


def batches(model: Model, seed: int, count: int) -> Iterator[dict[str, np.ndarray]]:
    """Attributes of the twins, so many at a time."""
    some = jax.jit(jax.vmap(lambda key, i: draw(model, key, i), in_axes=(None, 0)))
    key = root(seed)
    for start in range(0, count, BATCH):
        drawn = some(key, jnp.arange(start, start + BATCH))
        yield {name: np.asarray(values)[: count - start] for name, values in drawn.items()}
