"""Stages of an arm: where each twin is, and who goes on at a visit."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ..core.disease import Columns, Disease
from ..core.keys import uniforms

NO_OUTCOME = -1


class Stages(NamedTuple):
    """The stages of all arms as arrays.

    plans: the plan (`dosing.Doses`) of a stage entered at a visit, (arms, stages, visits).
    source, target: stage numbers; at, after: days, infinity if the rule has none; outcome: number among
    `responders`, NO_OUTCOME for everyone; wanted: 1 if it must be reached, 0 if missed; share; each (arms, rules).
    """

    plans: Array
    source: Array
    target: Array
    at: Array
    after: Array
    outcome: Array
    wanted: Array
    share: Array


class Place(NamedTuple):
    """Where each twin is: its stage, the visit at which it entered it, the visit it was last seen at; (people,)."""

    stage: Array
    entered: Array
    seen: Array


def responders(disease: Disease) -> tuple[str, ...]:
    """The outcomes that a rule may ask for."""
    return tuple(name for name, outcome in disease.outcomes.items() if outcome.kind == "responder")


def entered(ids: Array) -> Place:
    """Everyone in the first stage, seen at baseline."""
    zero = jnp.zeros_like(ids)
    return Place(zero, zero, zero)


def plan_of(stages: Stages | None, arms: Array, place: Place | None) -> Array:
    """The plan that each twin follows, (people,)."""
    return arms if stages is None or place is None else stages.plans[arms, place.stage, place.entered]


def move(
    stages: Stages,
    disease: Disease,
    keys: Array,
    arms: Array,
    place: Place,
    free: Array,
    seen: Array,
    measured: Columns,
    baseline: Columns,
    number: Array,
    days: Array,
) -> tuple[Place, Array]:
    """Where twins are after a visit, and the number of the rule by which they went there, from 1 on; 0 if they stay.

    The first rule that applies decides. A rule for one visit is decided where a twin is first seen on or after its day.

    Args:
      keys: one a twin. free: twins on treatment, who may move. seen: at this visit. number: of the visit. days: of all.
    """
    values = jnp.stack([disease.outcomes[name].derive(measured, baseline) for name in responders(disease)])
    day, before = days[number], days[place.seen]
    moved = jnp.zeros_like(arms)
    for rule in range(stages.source.shape[1]):
        mine = [column[arms, rule] for column in stages[1:]]
        source, _, at, after, outcome, wanted, share = mine
        now = ((before < at) & (at <= day)) | (day > after)
        value = jnp.take_along_axis(values, jnp.maximum(outcome, 0)[None, :], axis=0)[0]
        drawn = uniforms(keys, "stage", rule) < share
        goes = (place.stage == source) & now & ((outcome == NO_OUTCOME) | (value == wanted)) & drawn & free & seen
        moved = jnp.where((moved == 0) & goes, rule + 1, moved)
    target = stages.target[arms, jnp.maximum(moved - 1, 0)]
    gone = moved > 0
    return Place(
        jnp.where(gone, target, place.stage),
        jnp.where(gone, number, place.entered),
        jnp.where(seen, number, place.seen),
    ), moved
