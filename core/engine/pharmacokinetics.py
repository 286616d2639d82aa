"""Linear pharmacokinetics in closed form: absorption from a depot into one or two compartments.

The central amount is split into its two modes, each of which decays on its own; so any time after a dose is one
evaluation, exact, and safe where rate constants meet (`expm1`).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Rates(NamedTuple):
    """Modes of one twin's disposition; arrays of twins.

    absorption, fast, slow: rate constants, 1/day. per_fast, per_slow: concentration per amount in each mode, 1/L.
    bioavailability: share of a dose that reaches the depot.
    """

    absorption: Array
    fast: Array
    slow: Array
    per_fast: Array
    per_slow: Array
    bioavailability: Array


class Amounts(NamedTuple):
    """Drug in the depot and in the two modes of the central compartment, mg."""

    depot: Array
    fast: Array
    slow: Array


def rates(
    absorption: Array, clearance: Array, volume: Array, exchange: Array, peripheral: Array, bioavailability: Array
) -> Rates:
    """Modes from physiological parameters (1/day, L/day, L, L/day, L, share); exchange 0 is one compartment."""
    elimination, out, back = clearance / volume, exchange / volume, exchange / peripheral
    total = elimination + out + back
    root = jnp.sqrt(total * total - 4 * elimination * back)
    fast = 0.5 * (total + root)
    slow = elimination * back / fast
    return Rates(
        absorption,
        fast,
        slow,
        (fast - back) / (fast - slow) / volume,
        (back - slow) / (fast - slow) / volume,
        bioavailability,
    )


def empty(like: Array) -> Amounts:
    """No drug yet."""
    zero = jnp.zeros_like(like)
    return Amounts(zero, zero, zero)


def inject(amounts: Amounts, rates: Rates, dose: Array) -> Amounts:
    """A subcutaneous dose, mg."""
    return amounts._replace(depot=amounts.depot + rates.bioavailability * dose)


def after(rates: Rates, amounts: Amounts, days: Array) -> Amounts:
    """Amounts some days later, without further doses."""
    left = jnp.exp(-rates.absorption * days)
    return Amounts(
        amounts.depot * left,
        _mode(rates.absorption, rates.fast, amounts.depot, amounts.fast, days, left),
        _mode(rates.absorption, rates.slow, amounts.depot, amounts.slow, days, left),
    )


def concentration(rates: Rates, amounts: Amounts, days: Array) -> Array:
    """Serum concentration some days later, mg/L (the same number in ug/mL)."""
    later = after(rates, amounts, days)
    return rates.per_fast * later.fast + rates.per_slow * later.slow


def _mode(absorption: Array, rate: Array, depot: Array, amount: Array, days: Array, left: Array) -> Array:
    """x' = absorption * depot(t) - rate * x, solved; `left` is exp(-absorption * days).

    The slower of the two exponentials is taken out of their difference, so that nothing overflows.
    """
    gap = jnp.abs(absorption - rate) * days
    safe = jnp.where(gap == 0, 1.0, gap)
    mean = jnp.where(gap == 0, 1.0, -jnp.expm1(-safe) / safe)
    kept = jnp.exp(-rate * days)
    return amount * kept + absorption * depot * days * mean * jnp.maximum(left, kept)
