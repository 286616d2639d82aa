r"""Saturable elimination: one step in time of a drug that leaves in part at a limited rate (Michaelis-Menten).

$$\dot c = e(t) - (k + k_{out}) c + k_{back}\,p - V_{max}\,c / (H + c), \quad \dot p = k_{out} c - k_{back}\,p$$

for the central and peripheral amounts c and p, where e enters and H is the amount at half the limited rate. H may be
so small that elimination ends as if cut off: a method that linearises would overshoot there. So each stage of a
diagonally implicit Runge-Kutta method (three stages, order 3, L-stable [alexander1977]) is solved exactly, as the one
positive root of a quadratic equation.

Reference: Alexander R. Diagonally implicit Runge-Kutta methods for stiff ODEs. SIAM J Numer Anal 1977;14:1006-1021.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from .pharmacokinetics import Rates

Pair = tuple[Array, Array]  # central and peripheral amount, mg

GAMMA = 0.43586652150845967  # the root of g^3 - 3 g^2 + 3 g / 2 - 1 / 6 between 0 and 1
MIDDLE = (1 - GAMMA) / 2
WEIGHTS = (-1.5 * GAMMA**2 + 4 * GAMMA - 0.25, 1.5 * GAMMA**2 - 5 * GAMMA + 1.25)
STAGES = ((), (MIDDLE,), WEIGHTS)  # weights of earlier stages; each stage's own is GAMMA
TIMES = (GAMMA, GAMMA + MIDDLE, 1.0)


class Limit(NamedTuple):
    """The limited part: its greatest rate, mg/day, and the central amount at half that rate, mg; arrays of people.

    most: 0 for people whose drug has no such part.
    """

    most: Array
    half: Array


def limit(rates: Rates) -> Limit | None:
    """The limited part of a drug's elimination; None where nobody's drug has one."""
    if rates.most is None or rates.half is None:
        return None
    return Limit(rates.most, rates.half * rates.volume)


def flow(rates: Rates, limit: Limit, state: Pair, entering: Array) -> Pair:
    """Change of the central and the peripheral amount, mg/day, where `entering` enters (mg/day)."""
    central, peripheral = state
    exchanged = rates.out * central - rates.back * peripheral
    limited = limit.most * central / (limit.half + jnp.abs(central))
    return entering - rates.elimination * central - exchanged - limited, exchanged


def step(rates: Rates, limit: Limit, state: Pair, entering: Callable[[Array], Array], at: Array, h: Array) -> Pair:
    """The amounts `h` days after `at`, where `entering` (a function of the day) enters, mg/day."""
    changes: list[Pair] = []
    stage = state
    for weights, time in zip(STAGES, TIMES, strict=True):
        known = state
        for weight, change in zip(weights, changes, strict=True):
            known = (known[0] + h * weight * change[0], known[1] + h * weight * change[1])
        enters = entering(at + time * h)
        stage = _implicit(rates, limit, known, enters, GAMMA * h)
        changes.append(flow(rates, limit, stage, enters))
    return stage  # the last stage is the end of the step


def _implicit(rates: Rates, limit: Limit, known: Pair, enters: Array, h: Array) -> Pair:
    """The amounts that are `known` plus `h` days of their own change.

    Below nothing, where rounding may lead, the equations are continued as odd functions.
    """
    kept = 1 / (1 + h * rates.back)
    stiff = 1 + h * rates.elimination + h * rates.out * kept
    right = known[0] + h * enters + h * rates.back * kept * known[1]
    size = jnp.abs(right)
    linear = stiff * limit.half + h * limit.most - size
    root = jnp.sqrt(linear * linear + 4 * stiff * limit.half * size)
    central = jnp.where(linear > 0, 2 * limit.half * size / (linear + root), (root - linear) / (2 * stiff))
    central = jnp.sign(right) * central
    return central, kept * (known[1] + h * rates.out * central)
