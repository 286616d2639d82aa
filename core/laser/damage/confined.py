r"""Particles under pulses of pico- and nanoseconds: no rate process, but a threshold of energy density.

A melanosome or a grain of ink breaks when the water at its surface is superheated enough for bubbles, or when the
stress of its sudden expansion tears it, whichever needs less fluence.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erf
from jax.typing import ArrayLike

from ..heat.radial import averaging_sphere
from ..heat.tissue import relaxation_time
from .burns import VALUES

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


class Threshold(NamedTuple):
    """Local fluence at the particle, J/cm2, at which it breaks; what does it; and how well the pulse is confined.

    fluence: the smaller of thermal (bubbles) and mechanical (tension), J/cm2. by_stress: the latter is the smaller.
    stress_confined, heat_confined: pulse shorter than sound, or heat, needs to leave the particle.
    """

    fluence: Array
    thermal: Array
    mechanical: Array
    by_stress: Array
    stress_confined: Array
    heat_confined: Array


def threshold(absorption: ArrayLike, radius: ArrayLike, pulse: ArrayLike, tissue: float = 37.0) -> Threshold:
    """Threshold of a sphere in an even light field.

    Args:
      absorption: inside the particle, 1/mm. radius: mm. pulse: s. tissue: temperature before, C; all broadcast.

    Raises:
      ValueError: a value that is not positive, or tissue above the temperature of nucleation.
    """
    absorption, radius, pulse = jnp.broadcast_arrays(*map(jnp.asarray, (absorption, radius, pulse)))
    for name, value in (("absorption", absorption), ("radius", radius), ("pulse", pulse)):
        if not bool((value > 0).all()):
            raise ValueError(f"{name}: expected positive values, got {float(value.min())}")
    margin = VALUES["particle.nucleation"] - tissue
    if not margin > 0:
        raise ValueError(
            f"tissue: {tissue} C is not below the temperature of nucleation, {VALUES['particle.nucleation']} C"
        )
    density = absorption * averaging_sphere(absorption, radius) * 10  # J/cm3 for each J/cm2
    thermal = margin * VALUES["particle.capacity"] / (density * surface_share(radius, pulse))
    transit = 2 * radius / VALUES["particle.sound"]
    pressure = VALUES["particle.grueneisen"] * density * jnp.minimum(transit / pulse, 1.0) * 1e-3  # GPa for each J/cm2
    mechanical = VALUES["particle.strength"] / pressure
    cooling = relaxation_time(2 * radius, 3, VALUES["particle.diffusivity"])
    return Threshold(
        jnp.minimum(thermal, mechanical), thermal, mechanical, mechanical < thermal, pulse <= transit, pulse <= cooling
    )


def surface_share(radius: ArrayLike, pulse: ArrayLike) -> Array:
    """Rise at the surface of an evenly heated sphere at the end of a pulse, over that of a sphere that loses nothing.

    One half for very short pulses (the two sides of a surface share their heat), less as heat leaves. The mean over the
    pulse of what an instantaneous heating leaves at r = R (Carslaw and Jaeger 1959), taken in the square root of time.
    """
    radius, pulse = jnp.broadcast_arrays(jnp.asarray(radius), jnp.asarray(pulse))
    root = jnp.asarray((NODES + 1) / 2)
    root = root.reshape((1,) * radius.ndim + (-1,))
    width = jnp.maximum((jnp.sqrt(VALUES["particle.diffusivity"] * pulse) / radius)[..., None] * root, 1e-9)
    rise = erf(1 / width) / 2 + width / jnp.sqrt(jnp.pi) * jnp.expm1(-1 / width**2)
    return (rise * root * jnp.asarray(WEIGHTS).reshape(root.shape)).sum(-1)
