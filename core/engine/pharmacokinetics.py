r"""Pharmacokinetics: absorption from a depot, one or two compartments, a constant input, saturable elimination.

$$\dot A_d = -k_a A_d$$
$$\dot A_c = k_a A_d + r - (k + k_{out}) A_c + k_{back} A_p \; [ - V_{max} C / (K_m + C) ]$$
$$\dot A_p = k_{out} A_c - k_{back} A_p$$

with the concentration $C = A_c / V$. Without the saturable part, which few drugs have, the central amount is a sum of
three exponentials and a plateau, found once from what is there after a dose; any later time is then one evaluation.
With it, the equations are followed in time (`saturable`).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

NEAREST = 1e-6  # relative gap that absorption keeps from a rate of disposition; the error is of the same size


class Rates(NamedTuple):
    """A drug's pharmacokinetics in each person; arrays of people.

    absorption, elimination, out, back: rate constants, 1/day. volume: of the central compartment, L.
    bioavailability: share of a dose that enters. direct: share of that which goes straight into the central
    compartment, the rest going into the depot.
    most, half: greatest rate of the saturable elimination (mg/day; 0 for people on a drug without it) and the
    concentration at half that rate (mg/L); None where nobody's drug has it.
    """

    absorption: Array
    elimination: Array
    out: Array
    back: Array
    volume: Array
    bioavailability: Array
    direct: Array
    most: Array | None = None
    half: Array | None = None


class Amounts(NamedTuple):
    """Drug in the depot, the central and the peripheral compartment, mg."""

    depot: Array
    central: Array
    peripheral: Array


class Modes(NamedTuple):
    """How the central amount of one unit decays: as the sum of two modes with these rates (1/day) and weights.

    linked: what a unit in the peripheral compartment adds to the slow mode and takes from the fast one.
    given: what a unit in the central compartment adds to the peripheral amount's slow mode, likewise.
    """

    fast: Array
    slow: Array
    fast_weight: Array
    slow_weight: Array
    linked: Array
    given: Array


class Course(NamedTuple):
    """The central amount (mg) after a dose: a plateau and three exponentials that decay at `rates` (1/day)."""

    plateau: Array
    rates: tuple[Array, Array, Array]
    parts: tuple[Array, Array, Array]
    volume: Array


def rates(
    absorption: Array,
    clearance: Array,
    volume: Array,
    exchange: Array,
    peripheral: Array,
    bioavailability: Array,
    direct: Array | None = None,
    most: Array | None = None,
    half: Array | None = None,
) -> Rates:
    """Rates from physiological parameters (1/day, L/day, L, L/day, L, share, share, mg/day, mg/L).

    An exchange of 0 is one compartment. By default a dose goes into the depot and elimination is linear.
    """
    return Rates(
        absorption,
        clearance / volume,
        exchange / volume,
        exchange / peripheral,
        volume,
        bioavailability,
        jnp.zeros_like(clearance) if direct is None else direct,
        most,
        half,
    )


def empty(like: Array) -> Amounts:
    """No drug yet."""
    zero = jnp.zeros_like(like)
    return Amounts(zero, zero, zero)


def inject(amounts: Amounts, rates: Rates, dose: Array) -> Amounts:
    """A dose, mg: into the depot or straight into the central compartment."""
    enters = rates.bioavailability * dose
    return amounts._replace(
        depot=amounts.depot + (1 - rates.direct) * enters, central=amounts.central + rates.direct * enters
    )


def course(rates: Rates, amounts: Amounts, given: Array) -> Course:
    """What becomes of the central amount without further doses, under a constant input `given` (mg/day)."""
    m, absorption = _separate(rates)
    flow, enters = absorption * amounts.depot, rates.bioavailability * given
    from_depot = tuple(
        flow * weight / (absorption - rate) for weight, rate in ((m.fast_weight, m.fast), (m.slow_weight, m.slow))
    )
    exchanged = m.linked * amounts.peripheral
    plateau = enters / rates.elimination
    first = m.fast_weight * enters / m.fast
    return Course(
        plateau,
        (m.fast, m.slow, absorption),
        (
            m.fast_weight * amounts.central - exchanged + from_depot[0] - first,
            m.slow_weight * amounts.central + exchanged + from_depot[1] - (plateau - first),
            -(from_depot[0] + from_depot[1]),
        ),
        rates.volume,
    )


def concentration(course: Course, days: Array) -> Array:
    """Serum concentration some days later, mg/L (the same number in ug/mL)."""
    decayed = (part * jnp.exp(-rate * days) for rate, part in zip(course.rates, course.parts, strict=True))
    return (course.plateau + sum(decayed)) / course.volume


def after(rates: Rates, amounts: Amounts, given: Array, days: Array) -> Amounts:
    """Amounts some days later, without further doses, under a constant input `given` (mg/day)."""
    m, absorption = _separate(rates)
    fast, slow, left = (jnp.exp(-rate * days) for rate in (m.fast, m.slow, absorption))
    ahead = course(rates, amounts, given)
    flow, enters = absorption * amounts.depot, rates.bioavailability * given
    entered_fast = flow * (left - fast) / (m.fast - absorption) + enters * (1 - fast) / m.fast
    entered_slow = flow * (left - slow) / (m.slow - absorption) + enters * _mean_left(m.slow, days) * days
    return Amounts(
        amounts.depot * left,
        concentration(ahead, days) * rates.volume,
        m.given * ((slow - fast) * amounts.central + entered_slow - entered_fast)
        + (m.slow_weight * fast + m.fast_weight * slow) * amounts.peripheral,
    )


def absorbed(rates: Rates, amounts: Amounts, given: Array, days: Array) -> Array:
    """What enters the central compartment some days later, mg/day."""
    return rates.absorption * amounts.depot * jnp.exp(-rates.absorption * days) + rates.bioavailability * given


def _separate(rates: Rates) -> tuple[Modes, Array]:
    """The modes, and a rate of absorption that is told apart from theirs.

    Equal rates are no special case then: the solution with the nudged one differs by as little as the nudge.
    """
    total = rates.elimination + rates.out + rates.back
    root = jnp.sqrt((rates.elimination + rates.out - rates.back) ** 2 + 4 * rates.out * rates.back)
    fast = 0.5 * (total + root)
    slow = rates.elimination * rates.back / fast
    gap = fast - slow
    modes = Modes(fast, slow, (fast - rates.back) / gap, (rates.back - slow) / gap, rates.back / gap, rates.out / gap)
    absorption = _apart(_apart(rates.absorption, fast), slow)
    return modes, absorption


def _apart(rate: Array, other: Array) -> Array:
    near = NEAREST * other
    return jnp.where(jnp.abs(rate - other) < near, other - near, rate)


def _mean_left(rate: Array, days: Array) -> Array:
    """Mean of exp(-rate t) over `days`; the rate may be 0."""
    part = rate * days
    safe = jnp.where(part == 0, 1.0, part)
    return jnp.where(part == 0, 1.0, -jnp.expm1(-safe) / safe)
