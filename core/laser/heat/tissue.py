"""Thermal properties of tissue from what it is made of: water and fat; and the table of all numbers of this folder."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...parameters import read_table

HERE = Path(__file__).parent
TABLE = read_table(HERE / "parameters.yaml", sources=HERE / "sources.yaml")
VALUES = {name: parameter.value for name, parameter in TABLE.items()}


class Thermal(NamedTuple):
    """Conductivity, W/m/K; volumetric heat capacity, J/cm3/K; water that can boil, g/cm3. Of one shape."""

    conductivity: Array
    capacity: Array
    water: Array


def thermal(water: ArrayLike, fat: ArrayLike = 0.0) -> Thermal:
    """Properties of tissue by its water content [takata1977], mixed with fat by volume [hasgall2022].

    Args:
      water: volume fraction of water in the lean part, 0 to 1 (so g/cm3).
      fat: volume fraction of fat, 0 to 1, of the shape of `water` or a number.

    Raises:
      ValueError: a fraction outside 0 to 1.

    >>> round(float(thermal(1.0).conductivity), 3)
    0.63
    """
    water, fat = jnp.broadcast_arrays(jnp.asarray(water, dtype="float64"), jnp.asarray(fat, dtype="float64"))
    for name, share in (("water", water), ("fat", fat)):
        if not bool(jnp.all((share >= 0) & (share <= 1))):
            raise ValueError(
                f"{name}: expected volume fractions of 0 to 1, got {float(share.min())} to {float(share.max())}"
            )
    v = VALUES
    density = v["water_law.density"] - v["water_law.density_water"] * water
    mass = water / density
    heat = density * (v["water_law.heat"] + v["water_law.heat_water"] * mass)
    conductivity = v["water_law.conductivity"] + v["water_law.conductivity_water"] * mass
    return Thermal(
        (1 - fat) * conductivity + fat * v["fat.conductivity"],
        (1 - fat) * heat + fat * v["fat.capacity"],
        (1 - fat) * water,
    )


def diffusivity(of: Thermal) -> Array:
    """Thermal diffusivity, mm2/s."""
    return of.conductivity / of.capacity


def relaxation_time(size: ArrayLike, dimensions: int, diffusivity: ArrayLike) -> Array:
    """Thermal relaxation time d^2/(F alpha), s, with F = 8, 16, 24 (Anderson and Parrish, Science 1983;220:524-527).

    Args:
      size: thickness of a slab, diameter of a cylinder or a sphere, mm.
      dimensions: 1 slab, 2 cylinder, 3 sphere, in which heat flows.
      diffusivity: mm2/s.
    """
    if dimensions not in (1, 2, 3):
        raise ValueError(f"dimensions: expected 1 (slab), 2 (cylinder) or 3 (sphere), got {dimensions}")
    return jnp.asarray(size) ** 2 / (8 * dimensions * jnp.asarray(diffusivity))
