"""Newton's method for a smooth function of few variables, in a form that runs over replicates at once."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

MOST = 100  # steps, also those that are refused
ENOUGH = 1e-8  # decrease that a last step may still promise; convergence is quadratic, so what remains is far below
NOISE = 1e-11  # relative rounding of the function, by which a step may rise
DAMPED = 1e-2  # least damping after a refusal, as a share of the mean curvature
SINGULAR = 1e-10  # smallest over largest curvature of a proper minimum


class Optimum(NamedTuple):
    """Where a minimum was found, and whether it is one."""

    x: Array
    value: Array
    curvature: Array  # second derivatives, shape (variables, variables)
    converged: Array  # bool: the last step promised next to nothing, and the curvature there is positive
    steps: Array


class _State(NamedTuple):
    x: Array
    value: Array
    slope: Array
    curvature: Array
    damping: Array
    steps: Array
    done: Array


def minimise(function: Callable[[Array], Array], start: Array) -> Optimum:
    """Minimum of a function near a start, by damped Newton steps.

    Directions of negative curvature are walked down as if it were positive. A step that does not lower the function,
    or leads to where it is not a number, is refused and tried again with more damping.

    Args:
      function: of an array of shape (variables,), twice differentiable.
      start: shape (variables,).
    """

    def slope(x: Array) -> tuple[Array, tuple[Array, Array]]:
        value, g = jax.value_and_grad(function)(x)
        return g, (value, g)

    def look(x: Array) -> tuple[Array, Array, Array]:
        curvature, (value, g) = jax.jacfwd(slope, has_aux=True)(x)
        return value, g, curvature

    def step(state: _State) -> _State:
        curves, axes = jnp.linalg.eigh(state.curvature)
        size = jnp.abs(curves)
        along = axes.T @ state.slope
        firm = jnp.maximum(size, 1e-12 * size.max()) + state.damping * size.mean()
        promise = 0.5 * (along**2 / firm).sum()
        x = state.x - axes @ (along / firm)
        value, g, curvature = look(x)
        fine = jnp.isfinite(value) & jnp.isfinite(g).all() & jnp.isfinite(curvature).all()
        allowed = jnp.where(jnp.isinf(state.value), state.value, state.value + NOISE * (1 + jnp.abs(state.value)))
        better = fine & (value <= allowed)
        eased = jnp.where(state.damping < DAMPED, 0.0, state.damping / 8)
        damping = jnp.where(better, eased, jnp.maximum(4 * state.damping, DAMPED))
        done = better & (promise < ENOUGH) & (state.damping < DAMPED) & (state.steps > 0)
        new = _State(x, value, g, curvature, damping, state.steps, done)
        kept = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, state._replace(damping=damping, done=done))
        return kept._replace(steps=state.steps + 1)

    def going(state: _State) -> Array:
        stuck = (state.steps > 0) & jnp.isinf(state.value)
        return ~state.done & (state.steps < MOST) & ~stuck

    # From a slope of zero the first step stays at the start, so that the function is compiled in one place only.
    n = start.shape[0]
    nothing = _State(
        start, jnp.asarray(jnp.inf), jnp.zeros(n), jnp.eye(n), jnp.zeros(()), jnp.zeros((), int), jnp.zeros((), bool)
    )
    last = lax.while_loop(going, step, nothing)
    curves = jnp.linalg.eigvalsh(last.curvature)
    proper = curves[0] > SINGULAR * curves[-1]
    return Optimum(last.x, last.value, last.curvature, last.done & proper, last.steps)
