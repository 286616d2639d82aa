"""Twins of a fitted population: a cell, correlated normal scores, and what the cell's tables hold at these scores.

The arithmetic is in single precision: tables are rounded to a quarter of a measurement's resolution, and single
precision is much finer than that. Tables are even in the score, so that a look-up is a multiplication and no search.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.keys import stream
from ..attributes import Attribute
from ..fitting.model import Model
from ..fitting.plan import with_derived
from ..fitting.quantiles import SCORES
from .model import shipped

PER_SCORE = float(1 / (SCORES[1] - SCORES[0]))


def person(key: Array, i: Array, shares: np.ndarray | None = None) -> dict[str, Array]:
    """Attributes of twin number `i` of the shipped population; scalars, units in its ATTRIBUTES.

    Args:
      shares: of the cells, in place of those of the population, shape (cells,); sum 1.
    """
    twin = draw(shipped(), key, i, shares)
    return twin | {"smoker": twin["smoking"] == shipped().levels["smoking"].index("current")}


def draw(model: Model, key: Array, i: Array, shares: np.ndarray | None = None) -> dict[str, Array]:
    """Attributes of twin number `i` of a fitted population: categories, numbers and what the plan derives from them."""
    me = stream(key, "general", i)
    luck = jax.random.uniform(stream(me, "cell"), dtype="float32")
    ends = np.cumsum(model.cells.share if shares is None else shares)[:-1].astype(np.float32)
    cell = jnp.searchsorted(jnp.asarray(ends), luck, side="right").astype("int32")
    noise = jax.random.normal(stream(me, "scores"), (len(model.plan.numbers),), dtype="float32")
    return finished(model, cell, looked_up(model, cell, scores(model, cell, noise)))


def scores(model: Model, cell: Array, noise: Array) -> list[Array]:
    """Correlated normal scores of one twin, from independent ones."""
    count = len(model.plan.numbers)
    factor = jnp.asarray(_rows(model))[cell]
    starts = np.cumsum([0, *range(1, count)])  # of the rows of the factor's lower triangle
    return [sum((factor[starts[j] + k] * noise[k] for k in range(j + 1)), jnp.float32(0)) for j in range(count)]


def looked_up(model: Model, cell: Array, score: list[Array]) -> dict[str, Array]:
    """The numbers at these scores."""
    nodes, count = len(SCORES), len(model.plan.numbers)
    flat = jnp.asarray(model.tables.reshape(-1))
    found = {}
    for j, name in enumerate(model.plan.numbers):
        place = jnp.clip((score[j] - jnp.float32(SCORES[0])) * jnp.float32(PER_SCORE), 0, nodes - 1.001)
        node = place.astype("int32")
        at = (cell * count + j) * nodes + node
        below = flat[at]
        found[name] = below + (place - node.astype("float32")) * (flat[at + 1] - below)
    return found


def finished(model: Model, cell: Array, numbers: dict[str, Array]) -> dict[str, Array]:
    """Categories of the cell, and the numbers with what is derived from them, within the plan's limits."""
    plan = model.plan
    wide = {name: value.astype("float64") for name, value in numbers.items()}
    everything = with_derived(plan, wide)
    for name, entry in plan.derived.items():
        everything[name] = jnp.clip(everything[name], entry.low, entry.high)
    twin: dict[str, Array] = {}
    for name, codes in model.cells.levels.items():
        code = jnp.asarray(codes.astype(np.int32))[cell]
        twin[name] = code == 1 if model.levels[name] == ("no", "yes") else code
    return twin | everything


@cache
def _triangle(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(count)


def _rows(model: Model) -> np.ndarray:
    """The lower triangles of the factors, row after row, shape (cells, entries)."""
    return model.factors[(slice(None), *_triangle(len(model.plan.numbers)))]


def attributes(model: Model) -> dict[str, Attribute]:
    """What the columns of a fitted population mean."""
    plan = model.plan
    found = {}
    for name, levels in model.levels.items():
        kind = "yes/no" if levels == ("no", "yes") else "category"
        found[name] = Attribute(name, plan.categories[name].about or name.replace("_", " "), "1", kind, levels)
    for name, entry in {**plan.numbers, **plan.derived}.items():
        found[name] = Attribute(name, entry.about or name.replace("_", " "), entry.unit, "number")
    return found
