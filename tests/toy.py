"""A small population for tests: each twin knows its own number."""

import jax

from cutis.core.keys import stream
from cutis.core.parameters import Table
from cutis.population.attributes import Attribute
from cutis.population.source import Source


def twin(key, i):
    me = stream(key, "twin", i)
    return {
        "number": i.astype(float),
        "score": jax.random.normal(stream(me, "score")),
        "yes": jax.random.uniform(stream(me, "yes")) < 0.3,
        "colour": jax.random.randint(stream(me, "colour"), (), 0, 2),
        "grade": 1 + jax.random.randint(stream(me, "grade"), (), 0, 6),
        "hidden": i,
    }


ATTRIBUTES = {
    a.name: a
    for a in (
        Attribute("number", "its own number", "1", "number"),
        Attribute("score", "a normal score", "SD", "number"),
        Attribute("yes", "three in ten", "1", "yes/no"),
        Attribute("colour", "blue is never drawn", "1", "category", ("red", "green", "blue")),
        Attribute("grade", "a die", "1", "grade", tuple("123456")),
    )
}
TOY = Source("toy", "for tests", ATTRIBUTES, Table({}, {}), twin)
