"""A course: the state carried from break to break, with doses at the breaks and drug in closed form between.

Drug that is eliminated in part at a limited rate has no closed form: it is followed on the same mesh, a step ahead of
the disease that it drives. Such a drug ends so abruptly that a step of the disease sees of its signal the straight line
with the same mean and the same first moment.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from . import pharmacokinetics as pk
from . import saturable
from .rosenbrock import Drive, Signal, State, step

PARTS = 8  # of a step, in which drug with limited elimination and its signal are followed

Signals = Callable[[tuple[Array, ...], Array], Signal]
Held = saturable.Pair | tuple[()]  # central and peripheral amount of a slot that has no closed form, mg; else nothing
Carry = tuple[State, tuple[Held, ...], Drive]


class Grid(NamedTuple):
    """A mesh on the device: `times` (nodes,) days; `begins` (breaks,) the node of each break."""

    times: Array
    begins: Array


class Body(NamedTuple):
    """What is carried through time: the state variables, and the drug of each slot."""

    state: State
    amounts: tuple[pk.Amounts, ...]


class Slot(NamedTuple):
    """The drug of one slot from a break on.

    amounts: what is there after the dose. given: constant input, mg/day. ahead: what follows in closed form, but for
    people whose drug is eliminated at a limited rate, if there are any.
    """

    rates: pk.Rates
    limit: saturable.Limit | None
    amounts: pk.Amounts
    given: Array
    ahead: pk.Course


def advance(
    drift: Callable[[State, Signal], State],
    signal: Signals,
    rates: tuple[pk.Rates, ...],
    body: Body,
    doses: tuple[Array, ...],
    inputs: tuple[Array, ...],
    grid: Grid,
    break_: Array,
) -> Body:
    """Give `doses` at a break, then follow the body to the next break.

    Args:
      signal: makes of each slot's concentration (mg/L) and the day what the drift sees.
      rates: from this break to the next.
      doses, inputs: mg at the break, mg/day until the next; one array (people,) a slot.
    """
    first, last = grid.begins[break_], grid.begins[break_ + 1]
    start = grid.times[first]
    slots = tuple(map(_slot, rates, body.amounts, doses, inputs))

    def one(node: Array, carry: Carry) -> Carry:
        state, held, now = carry
        begin, h = grid.times[node], grid.times[node + 1] - grid.times[node]
        if all(slot.limit is None for slot in slots):
            then = _drive(signal, slots, held, start, begin + h)
            return step(drift, state, now, then, h), held, then
        then, values = now, [now.value]
        for part in range(PARTS):
            held = tuple(map(partial(_hold, begin - start + h * (part / PARTS), h / PARTS), slots, held))
            then = _drive(signal, slots, held, start, begin + h * ((part + 1) / PARTS))
            values.append(then.value)
        return step(drift, state, *straight(values, h), h), held, then

    held = tuple(() if slot.limit is None else slot.amounts[1:] for slot in slots)
    first_carry = (body.state, held, _drive(signal, slots, held, start, start))
    state, held, _ = lax.fori_loop(first, last, one, first_carry)
    return Body(state, tuple(map(partial(_left, grid.times[last] - start), slots, held)))


def straight(values: Sequence[Signal], h: Array) -> tuple[Drive, Drive]:
    """The straight line over a step of `h` days with the mean and the first moment of a signal, at its two ends.

    values: of the signal at equal distances, both ends among them.
    """
    parts = len(values) - 1
    weights = [1 / parts if 0 < i < parts else 0.5 / parts for i in range(parts + 1)]
    places = [i / parts - 0.5 for i in range(parts + 1)]
    spread = sum(w * x * x for w, x in zip(weights, places, strict=True))
    now, then, rate = [], [], []
    for value in zip(*values, strict=True):
        mean = sum(w * v for w, v in zip(weights, value, strict=True))
        rise = sum(w * x * v for w, x, v in zip(weights, places, value, strict=True)) / spread
        now.append(mean - rise / 2)
        then.append(mean + rise / 2)
        rate.append(rise / h)
    return Drive(tuple(now), tuple(rate)), Drive(tuple(then), tuple(rate))


def _slot(rates: pk.Rates, amounts: pk.Amounts, dose: Array, given: Array) -> Slot:
    amounts = pk.inject(amounts, rates, dose)
    return Slot(rates, saturable.limit(rates), amounts, given, pk.course(rates, amounts, given))


def _drive(signal: Signals, slots: tuple[Slot, ...], held: tuple[Held, ...], start: Array, at: Array) -> Drive:
    """The signal and its rate of change at a time, from each slot's concentration and its rate of change."""
    value, rate = zip(*map(partial(_concentration, at - start), slots, held), strict=True) if slots else ((), ())
    return Drive(*jax.jvp(signal, (value, at), (rate, jnp.ones_like(at))))


def _concentration(days: Array, slot: Slot, held: Held) -> tuple[Array, Array]:
    """A slot's concentration (mg/L) and its rate of change (mg/L/day), `days` after the break."""
    value, rate = jax.jvp(partial(pk.concentration, slot.ahead), (days,), (jnp.ones_like(days),))
    if slot.limit is None or not held:
        return value, rate
    entering = pk.absorbed(slot.rates, slot.amounts, slot.given, days)
    change, _ = saturable.flow(slot.rates, slot.limit, held, entering)
    limited, volume = slot.limit.most > 0, slot.rates.volume
    return jnp.where(limited, jnp.maximum(held[0], 0) / volume, value), jnp.where(limited, change / volume, rate)


def _hold(since: Array, h: Array, slot: Slot, held: Held) -> Held:
    """The amounts of a slot that has no closed form `h` days later; `since` the break so many days have passed."""
    if slot.limit is None or not held:
        return held
    entering = partial(pk.absorbed, slot.rates, slot.amounts, slot.given)
    return saturable.step(slot.rates, slot.limit, held, entering, since, h)


def _left(days: Array, slot: Slot, held: Held) -> pk.Amounts:
    """Amounts of a slot at the next break; in one arm it may hold a drug with limited elimination, in another not."""
    later = pk.after(slot.rates, slot.amounts, slot.given, days)
    if slot.limit is None or not held:
        return later
    chosen = (jnp.where(slot.limit.most > 0, here, closed) for here, closed in zip(held, later[1:], strict=True))
    return pk.Amounts(later.depot, *chosen)


def at_rest(state: State, slots: int) -> Body:
    """A body without drug; `slots` counts those of drugs and of disturbances."""
    return Body(state, tuple(pk.empty(state[0]) for _ in range(slots)))


def on_device(times: object, begins: object) -> Grid:
    """The grid of a `mesh.Mesh`."""
    return Grid(jnp.asarray(times), jnp.asarray(begins))
