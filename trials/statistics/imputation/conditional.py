"""Conditional-mean imputation with the jackknife: no draws, so it serves replicates and has no Monte Carlo error.

Wolbers, Noci, Delmar, Gower-Page, Yiu and Bartlett 2022, Pharm Stat 21:1246. The estimate equals the limit of multiple
imputation with the restricted maximum likelihood estimate in place of its posterior; the jackknife gives its standard
error over repeated trials, which for references is smaller than Rubin's.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.stats import norm

from ..mmrm.fit import fit_blocks
from ..mmrm.likelihood import Blocks
from ..mmrm.replicates import placed, start_of, sums
from .incomplete import Incomplete
from .posterior import Known, completed, known


class Difference(NamedTuple):
    """A difference between arms; where `flag` is True some fit did not converge, p is 1 and the rest NaN."""

    estimate: Array
    se: Array
    low: Array
    high: Array
    p: Array
    flag: Array


def conditional_mean(data: Incomplete, design: np.ndarray, strategy: str, level: float = 0.95) -> Difference:
    """ANCOVA of the last visit on conditional means, the second column's coefficient; standard error by jackknife.

    Args:
      design: of the ANCOVA, (people, columns), as from `analyse.ancova_design`.
    """
    sets = np.unique(data.panel.seen[data.panel.seen.any(axis=1)], axis=0)
    return jackknifed(known(data), jnp.asarray(design), sets, strategy, level)


def jackknifed(given: Known, design: Array, patterns: np.ndarray, strategy: str, level: float = 0.95) -> Difference:
    """`conditional_mean` of one replicate, for `vmap`, `lax.map` and `jit`.

    Args:
      given: as from `posterior.known`; its sets may be all of `patterns` and the empty one.
      patterns: sets of visits that occur, bool, (sets, visits).
    """
    blocks, block = sums(given.outcome, given.design, patterns)
    people = given.outcome.shape[0]
    whole = fit_blocks("unstructured", blocks, start_of(blocks), 1)
    coefficients, covariances, converged = without_each(given.outcome, given.design, blocks, block, whole.visits[0])

    def estimate(coefficients: Array, covariance: Array, kept: Array) -> Array:
        zero = jnp.zeros_like(given.outcome)
        last = completed(given, coefficients, covariance, strategy, zero)[:, -1]
        mine = design * kept[:, None]
        return jnp.linalg.solve(mine.T @ design, mine.T @ last)[1]

    each = jax.vmap(estimate)(coefficients, covariances, 1 - jnp.eye(people))
    value = estimate(whole.coefficients, whole.visits[0], jnp.ones(people))
    se = jnp.sqrt((people - 1) / people * ((each - each.mean()) ** 2).sum())
    fine = whole.converged & converged.all() & placed(given.outcome, block, patterns) & (se > 0)
    half = norm.ppf(jnp.asarray(0.5 + level / 2)) * se
    p = 2 * norm.sf(jnp.abs(value) / se)
    kept = [jnp.where(fine, x, jnp.nan) for x in (value, se, value - half, value + half)]
    return Difference(kept[0], kept[1], kept[2], kept[3], jnp.where(fine, p, 1.0), ~fine)


@jax.jit
def without_each(
    outcome: Array, design: Array, blocks: Blocks, block: Array, start: Array
) -> tuple[Array, Array, Array]:
    """Coefficients, covariance of the visits and convergence of the fits without each person in turn."""

    def without(i: Array) -> tuple[Array, Array, Array]:
        seen = ~jnp.isnan(outcome[i])
        row = jnp.concatenate([design[i], outcome[i][:, None]], axis=1)
        row = jnp.where(seen[:, None], row, 0.0)
        fewer = blocks._replace(
            people=blocks.people.at[block[i]].add(-seen.any().astype(float)),
            products=blocks.products.at[block[i]].add(-row[:, :, None, None] * row[None, None, :, :]),
        )
        fitted = fit_blocks("unstructured", fewer, start, 1)
        return fitted.coefficients, fitted.visits[0], fitted.converged

    return lax.map(without, jnp.arange(outcome.shape[0]))
