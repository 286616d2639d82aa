"""What a population is to those who draw from it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jax import Array

from ..core.parameters import Table
from .attributes import Attribute

Twin = Callable[[Array, Array], dict[str, Array]]


class Source(NamedTuple):
    """A population: what its twins have, what that rests on, and the function that makes one."""

    name: str
    about: str
    attributes: Mapping[str, Attribute]
    parameters: Table
    twin: Twin
