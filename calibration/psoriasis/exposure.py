"""Concentrations of what an arm receives, on the times at which the calibration follows the model.

The pharmacokinetics are those of the trial engine, in closed form from one eighth of a day to the next; saturable
elimination is followed by the engine's own solver. Every dose is taken.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.engine import pharmacokinetics as pk
from ...core.engine import saturable as sat
from ...core.psoriasis.treatments import disposition, number, slot
from .cohort import pool
from .evidence.regimens import Course

PART = 0.125  # day
EARLY = 14  # days followed day by day; later each week has four steps


def spans(weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps in days, and how many PARTs one half of each step has."""
    late = max(7 * weeks - EARLY, 0)
    return np.r_[np.ones(EARLY), np.full(late * 4 // 7, 1.75)], np.r_[np.full(EARLY, 4), np.full(late * 4 // 7, 7)]


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


def concentrations(
    treatment: str, twins: dict[str, np.ndarray], courses: tuple[Course, ...], weeks: int, theta: dict[str, Array]
) -> np.ndarray:
    """Serum concentration at the begin and the middle of each step and at the end, (2 steps + 1, people)."""
    size = len(twins["weight"])
    given, input_ = doses(courses, twins["weight"], weeks)
    _, parts = spans(weeks)
    drugs = jnp.full(size, number(treatment))
    run = partial(_follow, treatment == "brodalumab")
    out = run(
        pool(size).keys,
        {k: jnp.asarray(v) for k, v in twins.items()},
        drugs,
        theta,
        jnp.asarray(given),
        jnp.asarray(input_),
        jnp.asarray(np.repeat(parts, 2)),
    )
    return np.asarray(out)


@partial(jax.jit, static_argnums=0)
def _follow(
    saturable: bool,
    keys: Array,
    twins: dict[str, Array],
    drugs: Array,
    theta: dict[str, Array],
    given: Array,
    input_: Array,
    parts: Array,
) -> Array:
    person = slot(keys, twins, drugs, theta)
    zero = jnp.zeros_like(person.clearance)
    at = jnp.concatenate([jnp.zeros(1, parts.dtype), jnp.cumsum(parts)])

    def part(number: Array, amounts: pk.Amounts) -> pk.Amounts:
        day = (number * PART).astype("int64")
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

    def half(amounts: pk.Amounts, span: tuple[Array, Array]) -> tuple[pk.Amounts, Array]:
        amounts = lax.fori_loop(span[0], span[1], part, amounts)
        return amounts, amounts.central / person.volume

    _, later = lax.scan(half, pk.Amounts(zero, zero, zero), (at[:-1], at[1:]))
    direct = jnp.where(person.direct > 0, person.bioavailability * given[0] / person.volume, 0.0)
    return jnp.concatenate([direct[None], later])
