"""Logistic regression of many small samples of one population: the estimate of `statistics.methods.logistic`, sooner.

Replicates draw from one pool, so the fit to the pool is where each begins, and most need three or four of Newton's
steps. Replicates lie side by side in the last axis, which takes half the time of as many products of matrices.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..statistics.methods.ancova import empty_arm
from ..statistics.methods.estimate import Estimate, Flag, spoil, wald
from ..statistics.methods.linear import design, newton
from ..statistics.methods.logistic import EXTREME, RUNAWAY, SETTLED, STEPS

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


def logistic(outcome: Array, arm: Array, covariates: Array, weight: Array, start: Array, level: float) -> Estimate:
    """Log odds ratio of response given the covariates, as `statistics.methods.logistic.logistic`.

    Args:
      outcome: 0 or 1, or anything where the weight is 0, (n,). covariates: (n, k).
      start: coefficients to begin with, (2 + k,).
    """
    X = design(arm, covariates if covariates.shape[1] else None, weight)
    beta, spread, kept, last = _fit(X, jnp.where(weight > 0, outcome, 0.0), weight, start)
    far = jnp.max(jnp.abs(jnp.where(weight > 0, X @ beta, 0.0)))
    settled = jnp.isfinite(last) & (last < SETTLED)
    flag = jnp.where(settled, 0, int(Flag.NOT_CONVERGED))
    flag = flag | jnp.where((far > EXTREME) | (~settled & (far > RUNAWAY)), int(Flag.SEPARATION), 0)
    flag = flag | empty_arm(arm, weight) | jnp.where(kept > 0, 0, int(Flag.DETERMINED))
    return spoil(wald(beta[-1], jnp.sqrt(spread), level), flag.astype(jnp.int32))


@jax.custom_batching.custom_vmap
def _fit(columns: Array, outcome: Array, weight: Array, start: Array) -> tuple[Array, Array, Array, Array]:
    """Of one sample: coefficients, (p,); of the last, its variance and whether it is in; size of the last step."""
    found = _fits(*(value[..., None] for value in (columns, outcome, weight, start)))
    return jax.tree.map(lambda values: values[..., 0], found)


@_fit.def_vmap
def _fit_many(size: int, batched: list[bool], *values: Array) -> tuple[Any, tuple[bool, ...]]:
    whole = [x if is_ else jnp.broadcast_to(x[None], (size, *x.shape)) for x, is_ in zip(values, batched, strict=True)]
    found = _fits(*(jnp.moveaxis(value, 0, -1) for value in whole))
    return jax.tree.map(lambda value: jnp.moveaxis(value, -1, 0), found), (True,) * 4


def _fits(columns: Array, outcome: Array, weight: Array, start: Array) -> tuple[Array, Array, Array, Array]:
    """Many samples side by side in the last axis, so that sums over people run through all of them at once.

    Args:
      columns: (n, p, samples); outcome, weight: (n, samples); start: (p, samples).
    """
    p = columns.shape[1]
    X = [columns[:, j] for j in range(p)]
    one, other = np.triu_indices(p)
    place = np.zeros((p, p), int)
    place[one, other] = place[other, one] = np.arange(len(one))
    solve = jax.vmap(newton, in_axes=(-1, -1), out_axes=-1)

    def step(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        beta, spread, kept, last, taken = carry
        eta = sum((beta[j][None, :] * X[j] for j in range(1, p)), beta[0][None, :] * X[0])
        mean = 1 / (1 + jnp.exp(-eta))
        slope, away = weight * mean * (1 - mean), weight * (outcome - mean)
        score = jnp.stack([jnp.sum(away * x, axis=0) for x in X])
        information = jnp.stack([jnp.sum(slope * X[i] * X[j], axis=0) for i, j in zip(one, other, strict=True)])
        move, inverse = solve(score, information[place])
        on = last > CLOSE  # who has arrived stays, so that no one depends on who is beside them
        beta = beta + jnp.where(on[None, :], move, 0.0)
        new = inverse.matrix[-1, -1], inverse.kept[-1], jnp.max(jnp.abs(move), axis=0)
        return beta, *(jnp.where(on, x, old) for x, old in zip(new, (spread, kept, last), strict=True)), taken + 1

    def going(carry: tuple[Array, ...]) -> Array:
        return jnp.any(carry[3] > CLOSE) & (carry[4] < STEPS)

    samples = start.shape[1]
    nothing = (start, jnp.zeros(samples), jnp.ones(samples), jnp.full(samples, jnp.inf), jnp.asarray(0))
    beta, spread, kept, last, _ = lax.while_loop(going, step, nothing)
    return beta, spread, kept, last
