"""The populations there are, and how to draw from them.

Every twin has a skin layer and, where the population is of patients, a disease layer over its general part. Where two
layers know the same attribute the disease has the last word, since patients differ from people in general.
"""

from collections.abc import Callable, Iterator, MutableMapping
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.keys import stream
from ..core.parameters import Table, joined
from .attributes import RACES, Attribute
from .source import Source, Twin

SMOKER = Attribute("smoker", "current smoker", "1", "yes/no")


class Populations(MutableMapping[str, Source]):
    """Populations by name; each is put together when it is first asked for, since tables take time to read."""

    def __init__(self, makers: dict[str, Callable[[], Source]]) -> None:
        self._entries: dict[str, Source | Callable[[], Source]] = dict(makers)

    def __getitem__(self, name: str) -> Source:
        entry = self._entries[name]
        if not isinstance(entry, Source):
            entry = self._entries[name] = entry()
        return entry

    def __setitem__(self, name: str, source: Source) -> None:
        self._entries[name] = source

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def with_skin(twin: Twin, races: tuple[str, ...] = RACES) -> Twin:
    """A twin together with its skin layer. `races`: the levels of its race, each one of RACES."""
    from .skin import draw as skin

    numbers = np.array([RACES.index(race) for race in races], dtype=np.int32)

    def whole(key: Array, i: Array) -> dict[str, Array]:
        someone = twin(key, i)
        layer = skin.skin(stream(key, "skin", i), someone | {"race": jnp.asarray(numbers)[someone["race"]]})
        return layer | someone

    return whole


def _psoriasis_moderate_severe() -> Source:
    from . import psoriasis
    from .skin import draw as skin
    from .skin.attributes import ATTRIBUTES

    return Source(
        name="psoriasis_moderate_severe",
        about="adults with moderate-to-severe plaque psoriasis (PASI 12 or more), candidates for systemic treatment,"
        " in the mix that trials worldwide enrol",
        attributes=psoriasis.ATTRIBUTES | _rest(ATTRIBUTES, psoriasis.ATTRIBUTES),
        parameters=joined({"psoriasis": psoriasis.PARAMETERS, "skin": skin.PARAMETERS}),
        twin=with_skin(psoriasis.twin, psoriasis.RACES),
    )


def _psoriasis_us() -> Source:
    from . import psoriasis_us

    return _on_general(
        "psoriasis_us",
        "adults of the United States with psoriasis of any severity, most of it mild, as a survey of the public would"
        " find them",
        psoriasis_us.ATTRIBUTES,
        {"psoriasis": psoriasis_us.PARAMETERS},
        psoriasis_us.twin,
    )


def _acne() -> Source:
    from . import acne

    return _on_general(
        "acne",
        "people of 12 to 45 years with facial acne, as trials in the United States may enrol them before their own"
        " entry rules",
        acne.ATTRIBUTES,
        {"acne": acne.PARAMETERS},
        acne.twin,
    )


def _us_general() -> Source:
    from .general.draw import person
    from .general.model import shipped

    return _on_general("us_general", shipped().plan.about, {}, {}, person)


def _on_general(name: str, about: str, disease: dict[str, Attribute], tables: dict[str, Table], twin: Twin) -> Source:
    """A population whose general part is the shipped one."""
    from .general.draw import attributes
    from .general.model import shipped
    from .skin import draw as skin
    from .skin.attributes import ATTRIBUTES

    known = attributes(shipped()) | {"smoker": SMOKER} | disease
    return Source(
        name=name,
        about=about,
        attributes=known | _rest(ATTRIBUTES, known),
        parameters=joined(tables | {"skin": skin.PARAMETERS}),
        twin=with_skin(twin),
    )


def _rest(skin: dict[str, Attribute], known: dict[str, Attribute]) -> dict[str, Attribute]:
    return {name: attribute for name, attribute in skin.items() if name not in known}


POPULATIONS = Populations(
    {
        "psoriasis_moderate_severe": _psoriasis_moderate_severe,
        "psoriasis_us": _psoriasis_us,
        "acne": _acne,
        "us_general": _us_general,
    }
)


@cache
def fitted(file: Path) -> Source:
    """The population in a file that `cutis population fit` made; it has a general part alone.

    Raises:
      ValueError: the file holds none.
    """
    from .fitting.model import decode
    from .general.draw import attributes, draw

    model = decode(file)
    return Source(
        name=str(file.parent),
        about=model.plan.about,
        attributes=attributes(model),
        parameters=Table({}, {}),
        twin=lambda key, i: draw(model, key, i),
    )


def sample(source: Source, key: Array, ids: Array) -> dict[str, Array]:
    """The twins with these numbers, one array an attribute, shape (len(ids),).

    Twin 61 is the same in any batch: to the bit among batches of one size, to the rounding of the arithmetic otherwise
    (single precision in the general part and the skin layer).
    """
    return _sampler(source.twin)(key, ids)


@cache
def _sampler(twin: Twin) -> Callable[[Array, Array], dict[str, Array]]:
    return jax.jit(jax.vmap(twin, in_axes=(None, 0)))
