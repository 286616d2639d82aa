"""The populations there are, and how to draw from them."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import jax
from jax import Array

from ..core.parameters import Table
from . import psoriasis
from .attributes import Attribute

Twin = Callable[[Array, Array], dict[str, Array]]


class Source(NamedTuple):
    """A population: what its twins have, what that rests on, and the function that makes one."""

    name: str
    about: str
    attributes: Mapping[str, Attribute]
    parameters: Table
    twin: Twin


POPULATIONS = {
    "psoriasis_moderate_severe": Source(
        name="psoriasis_moderate_severe",
        about="adults with moderate-to-severe plaque psoriasis (PASI 12 or more), candidates for systemic treatment,"
        " in the mix that trials worldwide enrol",
        attributes=psoriasis.ATTRIBUTES,
        parameters=psoriasis.PARAMETERS,
        twin=psoriasis.twin,
    )
}


def sample(source: Source, key: Array, ids: Array) -> dict[str, Array]:
    """The twins with these numbers, one array an attribute, shape (len(ids),).

    Twin 61 is the same in any batch: to the bit among batches of one size, to rounding (1e-12) otherwise.
    """
    return _sampler(source.twin)(key, ids)


@cache
def _sampler(twin: Twin) -> Callable[[Array, Array], dict[str, Array]]:
    return jax.jit(jax.vmap(twin, in_axes=(None, 0)))
