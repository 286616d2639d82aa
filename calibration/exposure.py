"""Concentrations of what an arm receives, on the times at which a calibration follows its model.

The pharmacokinetics are those of the trial engine, in closed form from one eighth of a day to the next; saturable
elimination is followed by the engine's own solver. Every dose is taken.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..core.engine import pharmacokinetics as pk
from ..core.engine import saturable as sat
from ..core.slots import Slot, disposition
from .evidence.regimens import Course

PART = 0.125  # day


def doses(courses: tuple[Course, ...], weights: np.ndarray, weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Doses (mg) on each day and constant inputs (mg/day), each (days, people); one treatment only."""
    given, input_ = np.zeros((2, 7 * weeks + 1, len(weights)))
    for course in courses:
        if course.daily:
            begin, end, _ = course.intake(float(weights[0]))
            amounts = np.array([course.intake(float(w))[2] for w in weights])
            input_[begin : min(end, 7 * weeks + 1)] = amounts
            continue
        each = [course.given(float(w)) for w in weights]
        for place, (day, _) in enumerate(each[0]):
            if day <= 7 * weeks:
                given[day] += [person[place][1] for person in each]
    return given, input_


def follow(saturable: bool, person: Slot, given: Array, input_: Array, parts: Array) -> Array:
    """Concentration of one treatment at the begin and after each of these stretches of time, (stretches + 1, people).

    A dose shows in what comes after its day begins; the first one, if it is not absorbed first, from the begin.

    Args:
      given, input_: of `doses`. parts: PARTs that each stretch has.
    """
    zero = jnp.zeros_like(person.clearance)
    at = jnp.concatenate([jnp.zeros(1, parts.dtype), jnp.cumsum(parts)])

    def part(number: Array, amounts: pk.Amounts) -> pk.Amounts:
        day = (number.astype("float64") * PART).astype("int64")
        rates = disposition(person, day.astype("float64"), saturable)
        fresh = number % round(1 / PART) == 0
        amounts = pk.inject(amounts, rates, jnp.where(fresh, given[day], 0.0))
        later = pk.after(rates, amounts, input_[day], jnp.asarray(PART))
        limit = sat.limit(rates)
        if limit is None:
            return later

        held = (amounts.central, amounts.peripheral)
        entering = partial(pk.absorbed, rates, amounts, input_[day])
        held = sat.step(rates, limit, held, entering, jnp.asarray(0.0), jnp.asarray(PART))
        return pk.Amounts(later.depot, *held)

    def stretch(amounts: pk.Amounts, span: tuple[Array, Array]) -> tuple[pk.Amounts, Array]:
        amounts = lax.fori_loop(span[0], span[1], part, amounts)
        return amounts, amounts.central / person.volume

    _, later = lax.scan(stretch, pk.Amounts(zero, zero, zero), (at[:-1], at[1:]))
    return jnp.concatenate([jump(person, given[0])[None], later])


def jump(person: Slot, given: Array) -> Array:
    """By how much doses raise the concentration at once, (people,): of what is absorbed first, by nothing."""
    return jnp.where(person.direct > 0, person.bioavailability * given / person.volume, 0.0)
