"""Faces with acne that are followed under effects of one's choice, side by side, for tests of the model."""

import jax
import jax.numpy as jnp
import numpy as np

from cutis.core.acne.disease import ACNE
from cutis.core.acne.effects import Effects
from cutis.core.acne.equilibrium import Counts, rates
from cutis.core.acne.model import STATES, Placebo, drift, individual, start
from cutis.core.acne.treatments import number
from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.population.sample import POPULATIONS, sample

THETA = {name: jnp.asarray(value) for name, value in ACNE.parameters.numbers().items()}
START = {  # those that a calibration estimates, as the first fit of a typical face had them
    "model.bacteria_share": 0.235,
    "model.sebum_share": 0.15,
    "model.bacteria_power": 0.25,
    "model.keratin_androgen": 0.2,
    "model.keratin_sebum": 0.2,
    "model.keratin_bacteria": 0.0,
    "model.keratin_inflammation": 0.9,
    "model.formation_power": 0.8,
    "model.follicle_recovery": 0.00063,
    "model.follicle_loss": 0.0080,
    "placebo.tablet": 0.68,
    "placebo.tablet_comedones": 1.0,
    "placebo.session": 0.5,
}
FIXED = THETA | {name: jnp.asarray(value) for name, value in START.items()}
FACE = Counts(150.0, 30.0, 15.0, 21.0, 8.0, 0.6, 20.0)
VEHICLE = Placebo(0.0, 0.343, 0.917)
NO_PLACEBO = Placebo(0.0, 0.0, 0.0)
BREAKS = 80


def twins(n, seed=3):
    return sample(POPULATIONS["acne"], root(seed), jnp.arange(n))


def drawn(n, *drugs, theta=THETA, seed=3, **attributes):
    """People of the population on these drugs."""
    numbers = jnp.array([[number(name)] * n for name in drugs], dtype="int64").reshape(len(drugs), n)
    someone = twins(n, seed) | {name: jnp.asarray(value) for name, value in attributes.items()}
    return jax.jit(individual)(people(root(seed), jnp.arange(n)), someone, numbers, theta)


def typical(n, placebo=VEHICLE, amplitude=0.0):
    """So many copies of one face; `placebo` the same for all or one for each."""
    each = [placebo] * n if isinstance(placebo, Placebo) else placebo
    rest = Counts(*(jnp.full(n, number) for number in FACE))
    person = drawn(n, theta=FIXED)
    return person._replace(
        rest=rest,
        rates=rates(rest, FIXED),
        placebo=Placebo(*(jnp.array(values) for values in zip(*each, strict=True))),
        resistant=jnp.full(n, -2.9),
        marks=jnp.full(n, 0.01),
        cycle=person.cycle._replace(amplitude=jnp.full(n, amplitude), peak=jnp.full(n, 24.0)),
    )


def under(arms):
    """`Effects` of arms (each a dict of those that are there), one a face."""
    return Effects(*(jnp.array([float(arm.get(name, name == "cycle")) for arm in arms]) for name in Effects._fields))


@jax.jit
def _onward(person, given, body, grid, b):
    def signal(concentrations, day):
        swing = person.cycle.amplitude * jnp.cos(2 * jnp.pi / 28 * (day - person.cycle.peak))
        return tuple(given._replace(cycle=given.cycle + swing))

    return advance(lambda y, u: drift(person, y, u), signal, (), body, (), (), grid, b)


def follow(person, given, days, scale=1.0):
    """States at these days, {day: {name: values}}; `given` {day from which: effects}."""
    starts = sorted(given)
    mesh = graded(starts, [], [*starts, *days], scale)
    begins = np.pad(mesh.begins, (0, BREAKS - len(mesh.begins)), mode="edge")  # one shape, one compilation
    grid, body, found, now = on_device(mesh.times, begins), at_rest(start(person), 0), {}, None
    for b, day in enumerate(mesh.breaks):
        if day in days:
            found[int(day)] = {name: np.asarray(v) for name, v in zip(STATES, body.state, strict=True)}
        now = given.get(int(day), now)
        if b + 1 < len(mesh.breaks):
            body = _onward(person, now, body, grid, jnp.asarray(b))
    return found


def inflammatory(state):
    return state["Pa"] + state["Pu"] + state["D"]


def comedones(state):
    return state["Cc"] + state["Co"]
