"""How a disease responds to doses, one source for XLA and for lanes: `way` says which of them computes it."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array, lax

from . import pharmacokinetics as pk
from .course import Body, Grid, advance, at_rest
from .lanes import each, plain
from .rosenbrock import Signal, State

Way = Callable[[Callable[..., Any], Any, Any], Any]
WAYS: dict[str, Way] = {"xla": plain, "lanes": each}


class Model(Protocol):
    """What a course asks of a disease (`core.disease.Disease`)."""

    @property
    def start(self) -> Callable[[Any], State]: ...
    @property
    def drift(self) -> Callable[[Any, State, Signal], State]: ...
    @property
    def signal(self) -> Callable[[Any, tuple[Array, ...], Array, Array], Signal]: ...
    @property
    def pharmacokinetics(self) -> Callable[[Any, Array, bool], tuple[pk.Rates, ...]]: ...


def onward(
    told: Model,
    person: Any,
    topical: Array,
    rates: tuple[pk.Rates, ...],
    body: Body,
    doses: tuple[Array, ...],
    inputs: tuple[Array, ...],
    grid: Grid,
    break_: Array,
    *,
    way: Way = plain,
) -> Body:
    """`course.advance` of people with a disease: from a break to the next.

    Args:
      person: parameters of each person, (people,), and those common to all, scalars.
      topical: 1 for people on a topical as rescue, else 0.
      way: `plain` or `lanes.each`.
    """

    def follow(people: Any, common: Any) -> Body:
        person, topical, *parts = people
        signal = partial(_signal, told, person, topical)
        return advance(partial(told.drift, person), signal, *parts, *common)

    return way(follow, (person, topical, rates, body, doses, inputs), (grid, break_))


def respond(
    told: Model,
    person: Any,
    given: Array,
    daily: Array,
    days: Array,
    grid: Grid,
    *,
    saturable: bool = False,
    way: Way = plain,
) -> tuple[Array, ...]:
    """The states of people at the end of each break's interval, one array (breaks - 1, people) a state variable.

    Args:
      given: dose at each break, mg, (breaks, slots, people). daily: mg a day from it on, likewise; slots of drugs
        first, then those of disturbances.
      days: of the breaks, (breaks,). grid: their mesh.
      saturable: with the saturable part of elimination.
    """

    def follow(people: Any, common: Any) -> tuple[Array, ...]:
        person, given, daily = people
        days, breaks, grid = common
        begin = told.start(person)
        topical = jnp.zeros_like(begin[0])

        def stretch(body: Body, now: tuple[Array, Array, Array, Array]) -> tuple[Body, State]:
            doses, inputs, day, b = now
            rates = told.pharmacokinetics(person, day, saturable)
            slots = range(len(rates))
            signal = partial(_signal, told, person, topical)
            each_dose, each_input = tuple(doses[s] for s in slots), tuple(inputs[s] for s in slots)
            body = advance(partial(told.drift, person), signal, rates, body, each_dose, each_input, grid, b)
            return body, body.state

        return lax.scan(stretch, at_rest(begin, given.shape[1]), (given, daily, days, breaks))[1]

    return way(follow, (person, given[:-1], daily[:-1]), (days[:-1], jnp.arange(len(days) - 1), grid))


def _signal(told: Model, person: Any, topical: Array, concentrations: tuple[Array, ...], day: Array) -> Signal:
    return told.signal(person, concentrations, topical, day)
