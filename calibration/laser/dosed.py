"""Fluences that physicians fit to each patient within the range that a trial tells: skin that heats more gets less.

The largest fluence that skin tolerates differs several-fold between people of types I to IV, and is foretold by how
much it heats under a test pulse (Verkruysse et al. Lasers Surg Med 2007;39:757-766): a mean that is told with its range
is no fluence that everybody was given.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.laser.treat import Warmed

HALVINGS = 60


def adapted(mean: float, low: float, high: float, heat: np.ndarray) -> np.ndarray:
    """Fluences, J/cm2, (people,): in inverse proportion to heat, kept within a range, with this mean.

    Args:
      mean, low, high: as told, J/cm2. heat: rise of temperature for each J/cm2 in each of the people, K.

    Raises:
      ValueError: the mean is not inside the range, or nothing is heated.

    >>> adapted(10.0, 5.0, 15.0, np.array([1.0, 3.0])).round(1)
    array([15.,  5.])
    """
    if not 0 < low <= mean <= high:
        raise ValueError(f"fluence: mean {mean:g} J/cm2 is not inside its range, {low:g} to {high:g}")
    heat = np.asarray(heat, float)
    if not (np.isfinite(heat).all() and (heat > 0).all()):
        raise ValueError(f"heat: expected positive numbers, got {heat.min()}")
    below, above = low * heat.min(), high * heat.max()
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        below, above = (middle, above) if np.clip(middle / heat, low, high).mean() < mean else (below, middle)
    return np.clip(above / heat, low, high)


def given(warmed: Warmed, share: Array | np.ndarray) -> Warmed:
    """Skin as warmed by a share of the fluence, (people,), in each of the people."""
    share = jnp.asarray(share)
    response = warmed.response
    response = response._replace(rise=response.rise * share, rise_surface=response.rise_surface * share)
    lights = tuple(light._replace(factor=light.factor * share) for light in warmed.lights)
    return warmed._replace(response=response, lights=lights)
