"""Sessions of a laser that destroys sebaceous glands, by the loss that light and heat come to in each person.

`core.laser.treat` with `targets.glands` tells which share of the glands one session destroys; here that share takes the
place of the calibrated effect of `laser_1726`, which stands for one device as it was studied.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from .model import Individual
from .treatments import PARAMETERS, SITES, Slot, number

LASER = "laser_1726"
GLAND = SITES.index("gland")


def hazard(lost: ArrayLike) -> Array:
    """Rate of loss of gland capacity, 1/day for a unit of exposure, of a session that destroys a share `lost`.

    The exposure of a session sums up to one day, so that it leaves exp(-hazard) of the glands.

    Raises:
      ValueError: a share that is not of 0 to less than 1.
    """
    lost = jnp.asarray(lost, dtype="float64")
    if not isinstance(lost, Tracer) and not bool(((lost >= 0) & (lost < 1)).all()):
        raise ValueError(f"lost: expected shares of 0 to less than 1, got {float(lost.min())} to {float(lost.max())}")
    return -jnp.log1p(-lost)


def published() -> float:
    """Share of glands that one session destroys by the acne trials, to check a simulated one against."""
    return float(-np.expm1(-PARAMETERS.value(f"{LASER}.gland")))


def treated(person: Individual, lost: ArrayLike) -> Individual:
    """The people with sessions of the laser that destroy this share of their own glands, a number or (people,).

    Raises:
      ValueError: as `hazard`; nobody is given the laser.
    """
    if not any(bool((slot.drug == number(LASER)).any()) for slot in person.slots):
        raise ValueError(f"lost: nobody is given {LASER}")
    return person._replace(slots=tuple(_given(slot, hazard(lost)) for slot in person.slots))


def _given(slot: Slot, rate: Array) -> Slot:
    own = slot.drug == number(LASER)
    strength = jnp.where(own, rate, slot.strength[GLAND])
    half = slot.half_maximal[GLAND]
    half = jnp.where(own, jnp.ones_like(half), half)  # what a person's own skin does is in the share already
    sites = (*slot.strength[:GLAND], strength, *slot.strength[GLAND + 1 :])
    return slot._replace(strength=sites, half_maximal=slot.half_maximal.at[GLAND].set(half))
