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


def weighed(key, i):
    """Weights of 60 to 110 kg and minimal erythema doses of 20 to 50 mJ/cm2, by number."""
    number = i.astype(float)
    return {"number": number, "weight": 60 + 10 * (number % 6), "med": 20 + 10 * (number % 4)}


WEIGHED = Source(
    "weighed",
    "for tests of doses",
    {
        a.name: a
        for a in (
            Attribute("number", "its own number", "1", "number"),
            Attribute("weight", "body weight", "kg", "number"),
            Attribute("med", "minimal erythema dose", "mJ/cm2", "number"),
        )
    },
    Table({}, {}),
    weighed,
)
