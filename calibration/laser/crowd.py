"""The same people in every arm, but for their skin types: what sets arms apart is what is done to them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core import keys
from ...core.laser import optics
from ...core.laser.optics import Skin
from ...core.parameters import Table, read_table
from .trials import TYPES

HERE = Path(__file__).parent
SEED = 6
SPREADS = {"stratum_corneum": "corneum", "epidermis": "epidermis", "dermis": "dermis", "blood": "blood"}
THINNEST = 0.006  # mm of stratum corneum, a little above the cells of the heat


@cache
def given() -> Table:
    """What is taken for given."""
    return read_table(HERE / "likelihood.yaml", sources=HERE / "sources.yaml")


def typology(types: Mapping[str, float], count: int) -> np.ndarray:
    """Typology angles (count,), degrees: as many of each type as its share says."""
    ends = np.cumsum([types.get(name, 0.0) for name in TYPES])
    place = np.searchsorted(ends, (np.arange(count) + 0.5) / count * ends[-1])
    middle = np.array([given().value(f"typology.{name}") for name in TYPES])[place]
    return middle + given().value("typology.spread") * np.asarray(_normals("typology", count))


def skin(angles: np.ndarray, folding: float) -> Skin:
    """Skin of people with these typology angles, whose epidermis has this folding."""
    person = optics.typical(optics.melanosomes(angles, folding), folding)
    drawn = {
        name: getattr(person, name) * jnp.exp(given().value(f"skin.{spread}") * _normals(name, len(angles)))
        for name, spread in SPREADS.items()
    }
    drawn["stratum_corneum"] = jnp.maximum(drawn["stratum_corneum"], THINNEST)
    return person._replace(**drawn)


def _normals(name: str, count: int) -> Array:
    """Draws in an order that has nothing to do with that of the types."""
    return keys.normals(keys.people(keys.root(SEED), jnp.arange(count)), "crowd", name)
