"""Where heat arises around an axis: under a narrow beam, alone or in a pattern of them, and along the electrode of a
radio-frequency needle."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .axisymmetric import volumes


def beam(radii: ArrayLike, depths: ArrayLike, diameter: float, attenuation: float, spread: float = 0.0) -> Array:
    """Heat of a Gaussian beam that is absorbed exponentially with depth, J/mm3 for each J that enters the skin.

    What is absorbed below the last cell is left out. Averages over cells, so the energy is right on any grid.

    Args:
      radii, depths: edges of cells, mm. diameter: of the beam at 1/e^2 of its axis, mm. attenuation: 1/mm.
      spread: growth of that radius with depth, mm/mm, by scattering.

    Returns:
      shape (radii, depths).

    Raises:
      ValueError: a diameter or attenuation that is not positive, a negative spread.
    """
    if not (diameter > 0 and attenuation > 0 and spread >= 0):
        raise ValueError(
            f"beam: expected a positive diameter and attenuation and no negative spread, "
            f"got {diameter} mm, {attenuation} 1/mm, {spread}"
        )
    radii, depths = jnp.asarray(radii), jnp.clip(jnp.asarray(depths), 0.0)
    width = diameter / 2 + spread * (depths[1:] + depths[:-1]) / 2
    within = -jnp.expm1(-2 * (radii[:, None] / width[None, :]) ** 2)
    share = jnp.diff(within, axis=0) * -jnp.diff(jnp.exp(-attenuation * depths))[None, :]
    return share / volumes(radii, jnp.asarray(depths)).clip(1e-30)


def pattern(
    radii: ArrayLike, depths: ArrayLike, diameter: float, absorption: ArrayLike, reduced: ArrayLike, absorbed: ArrayLike
) -> Array:
    """Heat of one of many equal beams, J/mm3 for each J that strikes the skin, (radii, depths, columns).

    Light goes straight until it is absorbed or scattered; scattered light spreads by one mean free path and decays as
    in diffusion [assumed]. What of it leaves through the outer radius, halfway to the next beam, comes in from there.

    Args:
      radii, depths: edges of cells, mm. diameter: of a beam at 1/e^2 of its axis, mm. absorption, reduced: absorption
        and reduced scattering, 1/mm, (columns,). absorbed: share of light that the skin does not reflect, (columns,).

    Raises:
      ValueError: a diameter or absorption that is not positive, negative scattering, a share outside 0 to 1.
    """
    absorption, reduced, absorbed = (np.atleast_1d(np.asarray(x, float)) for x in (absorption, reduced, absorbed))
    if not (diameter > 0 and (absorption > 0).all() and (reduced >= 0).all()):
        raise ValueError(
            f"pattern: expected a positive diameter and absorption and no negative scattering, got {diameter} mm, "
            f"{absorption.min()}, {reduced.min()} 1/mm"
        )
    if not ((absorbed >= 0) & (absorbed <= 1)).all():
        raise ValueError(f"pattern: expected absorbed shares of 0 to 1, got {absorbed.min()} to {absorbed.max()}")
    radii, depths = np.asarray(radii, float), np.clip(np.asarray(depths, float), 0.0, None)
    total = absorption + reduced

    def across(width: np.ndarray) -> np.ndarray:
        within = -np.expm1(-2 * (radii[:, None] / width[None]) ** 2)
        even = np.diff(radii**2) / radii[-1] ** 2
        return np.diff(within, axis=0) + (1 - within[-1])[None] * even[:, None]

    def along(decay: np.ndarray) -> np.ndarray:
        return -np.diff(np.exp(-decay[None] * depths[:, None]), axis=0)

    straight = np.minimum(absorption / total, absorbed)
    narrow = across(np.full_like(total, diameter / 2))[:, None] * (straight * along(total))[None]
    diffuse = np.sqrt(3 * absorption * total)
    wide = across(diameter / 2 + 1 / total)[:, None] * ((absorbed - straight) * along(diffuse))[None]
    return jnp.asarray((narrow + wide) / np.asarray(volumes(radii, depths))[:, :, None].clip(1e-30))


def needle(radii: ArrayLike, depths: ArrayLike, top: float, bottom: float, radius: float) -> Array:
    """Joule heat around a bare length of a needle, J/mm3 for each J, as of a line that gives off current evenly.

    The potential of such a line in a uniform conductor is that of a uniformly charged rod; heat goes with the square of
    the field, and the field within the needle's radius is held at its surface value. The other electrode is far away.

    Args:
      radii, depths: edges of cells, mm. top, bottom: depths of the ends of the bare length, mm.
      radius: of the needle, mm.

    Returns:
      shape (radii, depths); sums up to 1 J over the cells.

    Raises:
      ValueError: ends out of order or outside the grid, a radius that is not positive.
    """
    radii, depths = jnp.asarray(radii), jnp.asarray(depths)
    if not (float(depths[0]) <= top < bottom <= float(depths[-1]) and radius > 0):
        raise ValueError(
            f"needle: expected top < bottom within {float(depths[0])} to {float(depths[-1])} mm and a positive radius, "
            f"got {top}, {bottom}, {radius}"
        )
    r = jnp.maximum((radii[1:] + radii[:-1]) / 2, radius)[:, None]
    z = ((depths[1:] + depths[:-1]) / 2)[None, :]
    near, far = jnp.hypot(r, z - top), jnp.hypot(r, z - bottom)
    outward = ((z - top) / near - (z - bottom) / far) / r
    along = 1 / far - 1 / near
    power = outward**2 + along**2
    return power / (power * volumes(radii, depths)).sum()
