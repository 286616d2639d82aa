"""Two sides of one person: in a split-body trial each twin is followed twice, once for each side.

Both are the same person: attributes, genes, luck, adherence, visits and withdrawal are drawn by the person's keys. What
is the side's own is drawn by keys that add its number: what is read at a visit, and which single doses of a topical are
taken. Since nothing that happens to one side makes a person stop, the sides need not know of each other, but for harm,
which comes to the person. The first half of all lanes are left sides, the second half the right ones.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.disease import Disease, Route, Sides
from ..core.keys import stream, uniforms

NAMES = ("left", "right")
LOCAL: tuple[Route, ...] = ("topical", "light")  # routes that act where they are given
APPLIED: tuple[Route, ...] = ("topical",)  # and among them those that people give themselves, side by side


class Local(NamedTuple):
    """Which treatments of an arm act on its side alone, and which of them are applied by the twin; (arms, slots)."""

    acts: Array
    applied: Array


def local(disease: Disease, drugs: list[tuple[str, ...]], width: int) -> Local:
    """Where the drugs of each arm act; `width` slots."""
    masks = np.zeros((2, len(drugs), width), dtype=bool)
    for arm, names in enumerate(drugs):
        for slot, name in enumerate(names):
            route = disease.treatments[name].route
            masks[:, arm, slot] = route in LOCAL, route in APPLIED
    return Local(*map(jnp.asarray, masks))


def numbers(people: int) -> Array:
    """The side of each lane, 0 for left and 1 for right, (2 * people,)."""
    return jnp.repeat(jnp.arange(2), people, total_repeat_length=2 * people)


def own_keys(keys: Array, sides: Array) -> Array:
    """A key for each side of each person; keys of the persons, (lanes,)."""
    return jax.vmap(lambda key, side: stream(key, "side", side))(keys, sides)


def twice(people: Any) -> Any:
    """Arrays of people as lanes: everyone's left side, then everyone's right side."""
    return jax.tree.map(lambda values: jnp.concatenate([values, values], axis=-1), people)


def apart(lanes: Any) -> Any:
    """Arrays of lanes, (..., lanes), by side: (..., 2, people)."""
    return jax.tree.map(lambda values: values.reshape(*values.shape[:-1], 2, -1), lanes)


def of_people(disease: Disease, keys: Array, whole: Any, theta: dict[str, Array]) -> tuple[Array, Any]:
    """Keys of the sides, and people as if they were like each of their sides; keys of the persons, (lanes,)."""
    number = numbers(keys.shape[0] // 2)
    own = own_keys(keys, number)
    return own, known(disease).side(keys, own, number, whole, theta)


def read(
    disease: Disease, keys: Array, whole: Any, side: Any, state: tuple[Array, ...], day: Array, details: bool
) -> dict[str, Array]:
    """What a visit reads of each side, (lanes,); keys of the sides' visits."""
    told = known(disease)
    found = disease.observe(keys, side, told.read(whole, side, state, day), day, details)
    return {name: values for name, values in found.items() if name in told.shares}


def counted(disease: Disease) -> tuple[str, ...]:
    """The endpoints of which both sides add up to the person."""
    return tuple(name for name, share in known(disease).shares.items() if share < 1)


def known(disease: Disease) -> Sides:
    """The sides of a disease.

    Raises:
      ValueError: it does not tell them apart.
    """
    if disease.sides is None:
        raise ValueError(f"the model of {disease.name} does not tell the sides of a body apart")
    return disease.sides


def mean(values: Array, where: Array) -> Array:
    """The mean over the slots `where` it applies, 0 if nowhere; (slots, lanes)."""
    return jnp.where(where, values, 0.0).sum(0) / jnp.maximum(where.sum(0, dtype="float64"), 1.0)


def taking(
    local: Local, arms: Array, keys: Array, own: Array, habit: Array, willing: Array, day: Array
) -> tuple[Array, Array]:
    """The chance that each side's doses are taken on a day, and whether single ones are, (slots, lanes).

    Irritation of a side keeps its twin from treating that side, not from what acts on the whole body.

    Args:
      arms: of the lanes. keys: of the persons. own: of the sides. habit: the person's adherence, (lanes,).
      willing: share of the doses otherwise taken that the side's state leaves, (lanes,).
    """
    acts, applied = (mask[arms].T for mask in local)
    chance = jnp.where(acts, (habit * willing)[None, :], habit[None, :])
    luck = jnp.where(applied, uniforms(own, "dose", day)[None, :], uniforms(keys, "dose", day)[None, :])
    return chance, luck < chance


def hazards(disease: Disease, person: Any, using: Array, acts: Array) -> dict[str, Array]:
    """Hazard of each kind of adverse event in the person: what both sides bring, and once what they share; (lanes,).

    Args:
      using: in use now, acts: on its side alone; (slots, lanes).
    """
    each, shared = disease.adverse(person, using), disease.adverse(person, using & ~acts)
    return {kind: hazard + _other(each[kind] - shared[kind]) for kind, hazard in each.items()}


def _other(lanes: Array) -> Array:
    """What the other side has, (lanes,)."""
    return jnp.roll(lanes, lanes.shape[-1] // 2, axis=-1)
