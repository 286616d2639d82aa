"""Colour of skin: the individual typology angle (ITA), and what follows from it.

A model of light in layered skin gives, for each content of melanin, the lightness L* and yellowness b* that a
colorimeter reads, hence the angle; here the curve is read backwards, from the angle.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

Measured = tuple[float, float]  # value and SD of its error


class Curve(NamedTuple):
    """What goes with an angle: linear between the angles, flat beyond them; all of shape (nodes,)."""

    ita: np.ndarray  # degrees, rising
    yellowness: np.ndarray  # b*
    log_melanosomes: np.ndarray  # logarithm of the volume fraction of the epidermis


def curve(numbers: Mapping[str, float]) -> Curve:
    """The curve from its tabulated points.

    Raises:
      ValueError: the angles do not fall as the melanin rises.
    """
    count = sum(name.startswith("colour.") and name.endswith(".ita") for name in numbers)
    points = np.array(
        [
            [numbers[f"colour.point_{i}.{part}"] for part in ("ita", "yellowness", "melanosomes")]
            for i in reversed(range(1, count + 1))
        ]
    )
    if np.any(np.diff(points[:, 0]) <= 0) or np.any(np.diff(points[:, 2]) >= 0):
        raise ValueError("colour: from point to point the melanosome fraction must rise and the angle fall")
    return Curve(points[:, 0], points[:, 1], np.log(points[:, 2]))


def yellowness(c: Curve, ita: Array) -> Array:
    """The mean b* of skin with this angle (degrees)."""
    return _linear(ita, c.ita, c.yellowness)


def melanosomes(c: Curve, ita: Array) -> Array:
    """Volume fraction of melanosomes in the epidermis of skin with this angle (degrees)."""
    return jnp.exp(_linear(ita, c.ita, c.log_melanosomes))


def lightness(ita: Array, yellow: Array) -> Array:
    """L* of skin with this angle (degrees) and this b*: the angle's definition, solved for L*, within its scale."""
    return jnp.clip(50 + yellow * jnp.tan(ita * (np.pi / 180)), 0, 100)


def ita_of(lightness: Measured, yellowness: Measured) -> Measured:
    """The angle (degrees) and the SD of its error from a colorimeter's L* and b*, each with the SD of its error.

    >>> [round(x, 1) for x in ita_of((64.15, 0.5), (18.34, 0.5))]
    [37.7, 1.2]

    Raises:
      ValueError: no skin reads so.
    """
    (light, light_sd), (yellow, yellow_sd) = lightness, yellowness
    if not 0 <= light <= 100:
        raise ValueError(f"lightness: {light:g} is outside the possible range 0 to 100 (L*)")
    if not 0 < yellow <= 60:
        raise ValueError(f"yellowness: {yellow:g} is outside the possible range 0 to 60 (b*)")
    square = (light - 50) ** 2 + yellow**2
    sd = np.hypot(light_sd * yellow, yellow_sd * (light - 50)) / square
    return float(np.degrees(np.arctan2(light - 50, yellow))), float(np.degrees(sd))


def _linear(x: Array, nodes: np.ndarray, values: np.ndarray) -> Array:
    """Interpolation in a few steps of arithmetic, which is faster than a search."""
    steps = zip(nodes[:-1].tolist(), nodes[1:].tolist(), (np.diff(values) / np.diff(nodes)).tolist(), strict=True)
    return sum(((jnp.clip(x, low, high) - low) * steep for low, high, steep in steps), jnp.full_like(x, values[0]))
