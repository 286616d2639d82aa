"""Depth of ablation by CO2 and Er:YAG lasers from the balance of energy, and the heat that is left below.

The front takes the fluence above a threshold, less what the wall and the plume of a narrow crater take: the deeper it
is for its width, the more each further depth costs. The threshold's own energy stays in the tissue, as an exponential
layer, at most at the boiling point: what would heat it further goes deeper as steam that condenses [assumed], so that
none of it is lost. From there it spreads by conduction.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc
from jax.typing import ArrayLike

from .tissue import VALUES


class Laser(NamedTuple):
    """absorption, 1/mm; threshold, J/cm2; heat of ablation, kJ/cm3; wall: what a crater as deep as wide costs more."""

    absorption: float
    threshold: float
    heat: float
    wall: float


def _laser(name: str) -> Laser:
    return Laser(*(VALUES[f"ablation.{name}_{part}"] for part in ("absorption", "threshold", "heat", "wall")))


CO2, ER_YAG = _laser("co2"), _laser("er")


class Crater(NamedTuple):
    """depth: of ablation, mm. layer: e-folding depth of the heat left below it, mm. rise: of temperature there, K."""

    depth: Array
    layer: Array
    rise: Array


def crater(
    fluence: ArrayLike, duration: ArrayLike, laser: Laser, diffusivity: float, skin: float | None = None,
    spot: float = np.inf,
) -> Crater:  # fmt: skip
    r"""Depth z with $h z (1 + w z/d) = F - F_{th}$, and the heat at the front when the pulse ends.

    Below the threshold the depth is 0 and all fluence stays. The layer is at least the depth of absorption plus that of
    conduction: alpha over the front's speed, at most the length over which heat spreads in the pulse.

    Args:
      fluence: J/cm2. duration: of the pulse, s. diffusivity: mm2/s. skin: temperature before, C.
      spot: diameter d of the beam, mm; without end, the wall of the crater does not count.

    Raises:
      ValueError: a negative fluence, a duration, diffusivity or spot that is not positive.
    """
    fluence, duration = jnp.asarray(fluence, dtype="float64"), jnp.asarray(duration, dtype="float64")
    if not bool((fluence >= 0).all()) or not bool((duration > 0).all()) or diffusivity <= 0:
        raise ValueError(
            f"crater: expected a fluence of 0 or more, a positive duration and diffusivity, got {float(fluence.min())} "
            f"J/cm2, {float(duration.min())} s, {diffusivity} mm2/s"
        )
    if not spot > 0:
        raise ValueError(f"crater: expected a spot of more than 0 mm, got {spot}")
    skin = VALUES["surface.temperature"] if skin is None else skin
    wide = jnp.maximum(fluence - laser.threshold, 0.0) / (laser.heat * 1e3) * 10  # mm, of a beam without end
    depth = 2 * wide / (1 + jnp.sqrt(1 + 4 * laser.wall * wide / spot))
    ahead = jnp.sqrt(diffusivity * duration)
    narrow = 1 / laser.absorption + jnp.minimum(ahead, diffusivity * duration / jnp.maximum(depth, 1e-9))
    stays = jnp.minimum(fluence, laser.threshold) * 1e-2 / (VALUES["skin.capacity"] * 1e-3)  # K mm
    layer = jnp.maximum(narrow, stays / (VALUES["boiling.temperature"] - skin))
    return Crater(depth, layer, stays / layer)


def left(of: Crater, depth: ArrayLike, time: ArrayLike, diffusivity: float) -> Array:
    """Rise of temperature below the front after a pulse, K: an exponential layer that spreads, no heat leaving above.

    Closed form for a half space (Carslaw and Jaeger, Conduction of Heat in Solids, 2nd ed., 1959).

    Args:
      depth: below the front, mm. time: after the pulse, s; all broadcast with `of`.
    """
    depth, time = jnp.asarray(depth), jnp.asarray(time)
    rate, width = 1 / of.layer, jnp.sqrt(diffusivity * time)

    def side(z: Array) -> Array:
        """exp(m^2 w^2 - m z) erfc(m w - z/(2 w)), kept finite where its factors are not."""
        safe = jnp.maximum(width, 1e-12)
        x = rate * safe - z / (2 * safe)
        gauss = -((z / (2 * safe)) ** 2)
        return jnp.where(x > 5, jnp.exp(gauss) * _scaled_erfc(x), jnp.exp(jnp.minimum(gauss + x**2, 600.0)) * erfc(x))

    spread = (side(depth) + side(-depth)) / 2
    return of.rise * jnp.where(time > 0, spread, jnp.exp(-rate * depth))


def _scaled_erfc(x: Array) -> Array:
    """exp(x^2) erfc(x) for x above 5, by its asymptotic series; relative error below 1e-5."""
    x = jnp.maximum(x, 5.0)
    y = 1 / (2 * x**2)
    return (1 - y + 3 * y**2 - 15 * y**3 + 105 * y**4) / (x * jnp.sqrt(jnp.pi))
