"""Marks beside a temperature: where it left what the equations hold for."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from .tissue import VALUES


class Validity(NamedTuple):
    """One mark a column, bool, (columns,).

    boiled: tissue water boiled, and its latent heat was counted. dried: some cell lost all its water; dry tissue is not
    modelled. overheated: above the boiling point where boiling was not counted. frozen: below the freezing point; the
    heat of ice is left out. cold: below the range of the properties. lost: not a finite number.
    """

    boiled: Array
    dried: Array
    overheated: Array
    frozen: Array
    cold: Array
    lost: Array

    @property
    def trusted(self) -> Array:
        """Columns whose temperatures may be used: boiled and frozen ones with the care that the marks ask for."""
        return ~(self.dried | self.overheated | self.cold | self.lost)


class Extremes(NamedTuple):
    """Lowest and highest temperature, C, largest share of a cell's water boiled, all being finite; (columns,)."""

    lowest: Array
    highest: Array
    boiled: Array
    finite: Array


def start(temperature: Array) -> Extremes:
    """Before the first step; temperature (cells, ..., columns)."""
    axes = tuple(range(temperature.ndim - 1))
    lowest = temperature.min(axes)
    return Extremes(lowest, temperature.max(axes), jnp.zeros_like(lowest), jnp.isfinite(temperature).all(axes))


def widened(known: Extremes, temperature: Array, boiled: Array) -> Extremes:
    """With the state after one more step; `boiled` is the share of water that is vapour, (cells, ..., columns)."""
    new = start(temperature)
    return Extremes(
        jnp.minimum(known.lowest, new.lowest),
        jnp.maximum(known.highest, new.highest),
        jnp.maximum(known.boiled, boiled.max(tuple(range(boiled.ndim - 1)))),
        known.finite & new.finite,
    )


def judged(extremes: Extremes, boiling_counted: bool) -> Validity:
    """Marks from the extremes; without boiling counted every temperature above its point is an `overheated` one."""
    hot = extremes.highest > VALUES["boiling.temperature"]
    beyond = extremes.highest > VALUES["boiling.temperature"] + VALUES["boiling.width"]
    never = jnp.zeros_like(hot)
    return Validity(
        extremes.boiled > 0 if boiling_counted else never,
        beyond | (extremes.boiled >= 1) if boiling_counted else never,
        never if boiling_counted else hot,
        extremes.lowest < VALUES["boiling.freezing"],
        extremes.lowest < VALUES["boiling.coldest"],
        ~extremes.finite,
    )
