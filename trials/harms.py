"""Adverse events: the first of each kind, when the hazard that a twin has gathered passes its own threshold.

A threshold is drawn once for each twin and kind, so a twin has the same luck in every arm.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ..core.keys import uniforms


class Harms(NamedTuple):
    """For each kind, (people,): the hazard left until the event, and its day, NaN where there was none."""

    left: dict[str, Array]
    day: dict[str, Array]


def unharmed(keys: Array, kinds: dict[str, Array]) -> Harms:
    """Nobody has had an event of any of these kinds; keys, one a twin."""
    thresholds = {kind: -jnp.log1p(-uniforms(keys, "adverse event", kind)) for kind in kinds}
    return Harms(thresholds, {kind: jnp.full_like(left, jnp.nan) for kind, left in thresholds.items()})


def after(harms: Harms, hazards: dict[str, Array], exposed: Array, day: Array, days: Array) -> Harms:
    """After some `days` from a whole `day` on, under constant hazards (1/day); those not `exposed` are safe."""
    left, when = {}, {}
    for kind, hazard in hazards.items():
        gathered = jnp.where(exposed, hazard * days.astype("float64"), 0.0)
        before = harms.left[kind]
        happens = jnp.isnan(harms.day[kind]) & (gathered >= before) & (gathered > 0)
        within = day.astype("float64") + before / jnp.where(happens, hazard, 1.0)
        left[kind] = before - gathered
        when[kind] = jnp.where(happens, within, harms.day[kind])
    return Harms(left, when)
