"""A course: the state carried from break to break, with doses at the breaks and drug in closed form between."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from . import pharmacokinetics as pk
from .rosenbrock import Drive, Signal, State, drive, step


class Grid(NamedTuple):
    """A mesh on the device: `times` (nodes,) days; `begins` (breaks,) the node of each break."""

    times: Array
    begins: Array


class Body(NamedTuple):
    """What is carried through time: the state variables, and the drug of each slot."""

    state: State
    amounts: tuple[pk.Amounts, ...]


def advance(
    drift: Callable[[State, Signal], State],
    signal: Callable[[tuple[Array, ...]], Signal],
    rates: tuple[pk.Rates, ...],
    body: Body,
    doses: tuple[Array, ...],
    grid: Grid,
    break_: Array,
) -> Body:
    """Give `doses` (mg, one array a slot) at a break, then follow the body to the next break.

    `signal` makes of each slot's concentration (mg/L) what the drift sees.
    """
    amounts = tuple(map(pk.inject, body.amounts, rates, doses))
    first, last = grid.begins[break_], grid.begins[break_ + 1]
    start = grid.times[first]

    def at(time: Array) -> Signal:
        return signal(tuple(pk.concentration(r, a, time - start) for r, a in zip(rates, amounts, strict=True)))

    def one(node: Array, carry: tuple[State, Drive]) -> tuple[State, Drive]:
        state, now = carry
        then = drive(at, grid.times[node + 1])
        return step(drift, state, now, then, grid.times[node + 1] - grid.times[node]), then

    state, _ = lax.fori_loop(first, last, one, (body.state, drive(at, start)))
    days = grid.times[last] - start
    return Body(state, tuple(pk.after(r, a, days) for r, a in zip(rates, amounts, strict=True)))


def at_rest(state: State, slots: int) -> Body:
    """A body without drug."""
    return Body(state, tuple(pk.empty(state[0]) for _ in range(slots)))


def on_device(times: object, begins: object) -> Grid:
    """The grid of a `mesh.Mesh`."""
    return Grid(jnp.asarray(times), jnp.asarray(begins))
