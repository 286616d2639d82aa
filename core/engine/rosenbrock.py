"""One step of Rodas3: linearly implicit, four stages, order 3, L-stable [sandu1997].

Written for scalars and elementwise arrays: each state variable is its own array of twins, the small linear system is
eliminated in place. The drift depends on time through a signal u(t) (concentrations) that is known in closed form.

Reference: Sandu A, Verwer JG, Blom JG, et al. Benchmarking stiff ODE solvers for atmospheric chemistry problems II:
Rosenbrock solvers. Atmos Environ 1997;31:3459-3472; transformed form as in Hairer E, Wanner G, Solving Ordinary
Differential Equations II, section IV.7.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .elimination import factorise
from .jacobian import jacobian

State = tuple[Array, ...]
Signal = tuple[Array, ...]
DriftOf = Callable[[State, Signal], State]

GAMMA = 0.5
STAGES = (  # weights of earlier stages in the state and (over the step) in the right-hand side; the time derivative's
    ((), (), 0.5),
    ((0.0,), (4.0,), 1.5),
    ((2.0, 0.0), (1.0, -1.0), 0.0),
    ((2.0, 0.0, 1.0), (1.0, -1.0, -8.0 / 3.0), 0.0),
)
WEIGHTS = (2.0, 0.0, 1.0, 1.0)
LINEAR = 0.05  # change of a signal (0 to 1) over a step that may always be taken as linear


class Drive(NamedTuple):
    """The signal at one time, and its rate of change."""

    value: Signal
    rate: Signal


def drive(signal: Callable[[Array], Signal], at: Array) -> Drive:
    """The signal and its derivative at a time (days)."""
    return Drive(*jax.jvp(signal, (at,), (jnp.ones_like(at),)))


def step(drift: DriftOf, state: State, now: Drive, then: Drive, h: Array) -> State:
    """Advance the state by `h` days, from the signal `now` to the signal `then`."""
    slope = tuple(map(partial(_limited, h), now.value, now.rate, then.value))
    rate, in_time = jax.jvp(lambda u: drift(state, u), (now.value,), (slope,))
    entries = {at: -entry for at, entry in jacobian(lambda *y: drift(y, now.value), state).items()}
    for i in range(len(state)):
        entries[i, i] = entries[i, i] + 1 / (GAMMA * h) if (i, i) in entries else 1 / (GAMMA * h)
    solve = factorise(entries, len(state))
    stages: list[State] = []
    for number, (in_state, in_right, in_rate) in enumerate(STAGES):
        if number >= 2:  # the first two stages share the rate at the start of the step
            rate = drift(_plus(state, in_state, stages), then.value)
        right = _plus(rate, tuple(c / h for c in in_right), stages) if in_right else rate
        if in_rate:
            right = tuple(r + in_rate * h * t for r, t in zip(right, in_time, strict=True))
        stages.append(solve(right))
    return _plus(state, WEIGHTS, stages)


def _limited(h: Array, now: Array, rate: Array, then: Array) -> Array:
    """The signal's rate, no steeper than twice its mean slope over the step unless the change is small.

    A drug may block its target within minutes of the first dose; a step longer than that must not extrapolate the
    initial rate. Where the step resolves the signal the rate stays exact.
    """
    most = jnp.maximum(2 * jnp.abs(then - now), LINEAR) / h
    return jnp.clip(rate, -most, most)


def _plus(base: State, weights: tuple[float | Array, ...], stages: list[State]) -> State:
    total = base
    for weight, stage in zip(weights, stages, strict=True):
        if not (isinstance(weight, float) and weight == 0.0):
            total = tuple(t + weight * s for t, s in zip(total, stage, strict=True))
    return total
