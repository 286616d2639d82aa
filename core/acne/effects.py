"""What treatments and the cycle do to the model at a moment, put together from all that a person takes."""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from . import treatments
from .treatments import SITES, Slot

Theta = dict[str, Array]
SHARES = ("androgen", "cycle", "isotretinoin", "durable", "selection", "inflammation")  # act independently (Bliss)
PLACEBOS = ("vehicle", "tablet", "session")  # of several, one has the whole effect


class Effects(NamedTuple):
    """What the drift sees of the outside, each (people,); nothing is 0, and 1 for `cycle`.

    androgen, isotretinoin, durable, selection, inflammation: shares of a full effect. cycle: factor of inflammation.
    receptor: androgen receptors taken by drug for each one left. bpo, antibiotic, kill: log10 of the bacteria killed.
    retinoid, keratolytic, comedolysis: factors less 1. irritation, gland: 1/day. vehicle, tablet: 1 as prescribed.
    session: 1 right after one.
    """

    androgen: Array
    cycle: Array
    receptor: Array
    isotretinoin: Array
    durable: Array
    bpo: Array
    antibiotic: Array
    selection: Array
    kill: Array
    inflammation: Array
    retinoid: Array
    keratolytic: Array
    comedolysis: Array
    irritation: Array
    gland: Array
    vehicle: Array
    tablet: Array
    session: Array


class Cycle(NamedTuple):
    """The menstrual cycle: relative amplitude of inflammation (0 without) and the day of its peak, (people,)."""

    amplitude: Array
    peak: Array


def effects(
    slots: tuple[Slot, ...], concentrations: tuple[Array, ...], cycle: Cycle, theta: Theta, day: Array
) -> Effects:
    """Effects of all drugs together: shares act independently, all else adds up, but for that of being treated at all.

    Args:
      concentrations: of each slot, as its treatment says, (people,). day: since the first visit.
    """
    none = jnp.zeros_like(cycle.amplitude)
    each = [treatments.effects(slot, c, theta) for slot, c in zip(slots, concentrations, strict=False)]

    def together(site: str) -> Array:
        found = [one[site] for one in each]
        if site in SHARES:
            return independent(found, none)
        if site in PLACEBOS:
            return (1 + theta["placebo.presence"]) * reduce(jnp.maximum, found, none)
        return sum(found, none)

    at = {site: together(site) for site in SITES}
    swing = (1 - at["cycle"]) * cycle.amplitude * jnp.cos(2 * jnp.pi / theta["cycle.length"] * (day - cycle.peak))
    return Effects(**at | {"cycle": 1 + swing})


def independent(shares: Iterable[Array], none: Array) -> Array:
    """What several shares, each of what the others leave, take together."""
    return 1 - reduce(jnp.multiply, (1 - share for share in shares), 1 - none)
