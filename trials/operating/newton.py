"""Logistic regression of many small samples of one population: the estimate of `statistics.methods.logistic`, sooner.

Replicates draw from one pool, so the fit to the pool is where each begins, and most need three or four of Newton's
steps.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..statistics.methods.estimate import Estimate, Flag, spoil, wald
from ..statistics.methods.logistic import EXTREME, RUNAWAY, SETTLED, STEPS
from . import passes
from .passes import People

CLOSE = 1e-9  # the last step: the information is that of the estimate before it


def begin(value: np.ndarray, counts: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Coefficients of the fit to a pool, (2 + k,): the comparator's level, covariates, arm. Zeros if there is no fit.

    Args:
      value, counts: responses, and whether they count, of the arm and the comparator, (2, pool).
      covariates: (2, pool, k).
    """
    arm = np.repeat([1.0, 0.0], value.shape[1])
    columns = np.column_stack([np.ones(len(arm)), covariates.reshape(len(arm), -1), arm])[counts.ravel()]
    outcome = value.ravel()[counts.ravel()]
    found = np.zeros(columns.shape[1])
    for _ in range(STEPS):
        with np.errstate(over="ignore"):
            mean = 1 / (1 + np.exp(-(columns @ found)))
        information = (columns * (mean * (1 - mean))[:, None]).T @ columns
        found = found + np.linalg.lstsq(information, columns.T @ (outcome - mean), rcond=1e-10)[0]
    sound = np.isfinite(found).all() and np.abs(found).max(initial=0.0) < EXTREME
    return found if sound else np.zeros(columns.shape[1])


def under(start: Array, source: Array) -> Array:
    """Where a replicate begins: the fit to the pool, if its arms had the outcomes of `source` (0 arm, 1 comparator)."""
    arm, comparator = (source == 0).astype(float)
    level = start.at[0].add(comparator * start[-1])
    return level.at[-1].set((arm - comparator) * start[-1])


def logistic(people: People, start: Array, seen: Array, level: float) -> Estimate:
    """Log odds ratio of response given the covariates, as `statistics.methods.logistic.logistic`, (samples,).

    Args:
      start: coefficients to begin with, (2 + k,). seen: nobody from this place on counts.

    An empty arm is left to the caller.
    """
    samples = people.weight.shape[1]

    def step(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        beta, spread, kept, last, taken = carry
        found = passes.newton(people, beta, seen)
        on = last > CLOSE  # who has arrived stays, so that no one depends on who is beside them
        beta = beta + jnp.where(on[None, :], found.move, 0.0)
        new = found.variance, found.kept, jnp.max(jnp.abs(found.move), axis=0)
        return beta, *(jnp.where(on, x, old) for x, old in zip(new, (spread, kept, last), strict=True)), taken + 1

    def going(carry: tuple[Array, ...]) -> Array:
        return jnp.any(carry[3] > CLOSE) & (carry[4] < STEPS)

    begun = jnp.broadcast_to(start[:, None], (start.shape[0], samples))
    nothing = (begun, jnp.zeros(samples), jnp.ones(samples), jnp.full(samples, jnp.inf), jnp.asarray(0))
    beta, spread, kept, last, _ = lax.while_loop(going, step, nothing)
    far = passes.farthest(people, beta, seen)
    settled = jnp.isfinite(last) & (last < SETTLED)
    flag = jnp.where(settled, 0, int(Flag.NOT_CONVERGED))
    flag = flag | jnp.where((far > EXTREME) | (~settled & (far > RUNAWAY)), int(Flag.SEPARATION), 0)
    flag = (flag | jnp.where(kept > 0, 0, int(Flag.DETERMINED))).astype(jnp.int32)
    return jax.vmap(lambda one, se, bad: spoil(wald(one, se, level), bad))(beta[-1], jnp.sqrt(spread), flag)
