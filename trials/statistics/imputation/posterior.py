"""Draws of coefficients and covariance from their posterior distribution, by data augmentation.

The prior is flat in the coefficients and Jeffreys' in the covariance [Schafer 1997, Analysis of Incomplete Multivariate
Data, Chapman and Hall, ch. 5]. Each imputation has a chain of its own that starts at the restricted maximum likelihood
estimate, so imputation k is the same whether 10 or 1,000 are made, and no two are correlated.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from ....core.keys import normals, people, stream
from ..mmrm.fit import fit
from ..mmrm.likelihood import inverse
from .incomplete import Incomplete
from .reference import check, expected, filled

STEPS = 50  # of a chain; with half of the information missing, the start's trace is 2^-50 then
CHUNK = 50  # imputations made at once
IMPUTATIONS = 500  # the Monte Carlo error of an estimate is then below 3 % of its standard error if half is missing


class Known(NamedTuple):
    """What a chain is given: outcomes, design and sets of visits."""

    outcome: Array  # (people, visits)
    design: Array  # (people, visits, columns)
    reference: Array
    departure: Array  # (people,)
    sets: Array  # bool (sets, visits)
    which: Array  # (people,)
    ids: Array


class Imputed(NamedTuple):
    """Completed outcomes.

    Args:
      values: shape (imputations, people, visits).
      missing: where they were imputed, (people, visits).
      flag: why there are none, empty if there are.
    """

    values: np.ndarray
    missing: np.ndarray
    flag: str = ""


class Draws(NamedTuple):
    """Draws from the posterior distribution, which serve all strategies.

    Args:
      coefficients: shape (imputations, columns).
      covariance: of the visits, (imputations, visits, visits).
      noise: what each person's outcomes add to their mean, (imputations, people, visits).
      flag: why there are none, empty if there are.
    """

    coefficients: Array
    covariance: Array
    noise: Array
    flag: str = ""


def impute(
    key: Array,
    data: Incomplete,
    strategy: str = "missing_at_random",
    imputations: int = IMPUTATIONS,
    steps: int = STEPS,
) -> Imputed:
    """Multiple imputation from the posterior of the unstructured model for repeated measures.

    For several strategies it is quicker, and the same, to `draw` once and `apply` each.

    Raises:
      ValueError: an unknown strategy, and what `draw` refuses.
    """
    check(strategy)
    return apply(draw(key, data, imputations, steps), data, strategy)


def draw(key: Array, data: Incomplete, imputations: int = IMPUTATIONS, steps: int = STEPS) -> Draws:
    """Draws from the posterior, imputation k from a chain of so many steps.

    Raises:
      ValueError: groups with covariances of their own, too few people, imputations or steps.
    """
    if imputations < 2 or steps < 1:
        raise ValueError(f"{imputations} imputations of {steps} steps; expected at least 2 of at least 1")
    if data.panel.groups.any():
        raise ValueError("imputation knows one covariance for all arms; leave the group out of the model")
    n, visits = data.panel.outcome.shape
    columns = data.panel.design.shape[2]
    if n <= visits + columns:
        raise ValueError(f"{n} people cannot tell the covariance of {visits} visits; use fewer visits or covariates")
    fitted = fit(data.panel)
    if not bool(fitted.converged):
        nothing = [jnp.full((imputations, *rest), jnp.nan) for rest in ((columns,), (visits, visits), (n, visits))]
        return Draws(
            nothing[0],
            nothing[1],
            nothing[2],
            "the model did not converge: the data do not tell the covariance of the visits",
        )
    given, count = known(data), -(-imputations // CHUNK) * CHUNK
    start = (fitted.coefficients, fitted.visits[0])
    chunks = [
        _chains(key, given, *start, jnp.asarray(k), jnp.asarray(steps)) for k in np.arange(count).reshape(-1, CHUNK)
    ]
    beta, sigma, noise = (jnp.concatenate(parts)[:imputations] for parts in zip(*chunks, strict=True))
    return Draws(beta, sigma, noise)


def apply(draws: Draws, data: Incomplete, strategy: str) -> Imputed:
    """Completed outcomes under a strategy of `reference.STRATEGIES`."""
    check(strategy)
    values = _completed_all(known(data), draws.coefficients, draws.covariance, draws.noise, strategy)
    missing = ~data.panel.seen
    return Imputed(np.full(values.shape, np.nan) if draws.flag else np.asarray(values), missing, draws.flag)


def known(data: Incomplete) -> Known:
    """The arrays of incomplete outcomes."""
    sets, which = np.unique(data.panel.seen, axis=0, return_inverse=True)
    arrays = (data.panel.outcome, data.panel.design, data.reference, data.departure, sets, which.reshape(-1), data.ids)
    return Known(*map(jnp.asarray, arrays))


def completed(given: Known, coefficients: Array, covariance: Array, strategy: str, noise: Array) -> Array:
    """Everyone's visits with gaps filled, (people, visits); noise (people, visits), zero for conditional means."""
    precision = jax.vmap(inverse, (None, 0))(covariance, given.sets)[0][given.which]
    mean = jax.vmap(partial(expected, strategy))(
        given.design @ coefficients, given.reference @ coefficients, given.departure
    )
    return jax.vmap(filled, (0, 0, None, 0, 0))(given.outcome, mean, covariance, precision, noise)


@partial(jax.jit, static_argnums=4)
def _completed_all(given: Known, coefficients: Array, covariance: Array, noise: Array, strategy: str) -> Array:
    return lax.map(lambda one: completed(given, one[0], one[1], strategy, one[2]), (coefficients, covariance, noise))


@jax.jit
def _chains(
    key: Array, given: Known, coefficients: Array, covariance: Array, numbers: Array, steps: Array
) -> tuple[Array, Array, Array]:
    """Draws of these numbers; always as many at once, so that the bits do not depend on how many are made."""

    def one(k: Array) -> tuple[Array, Array, Array]:
        mine = stream(key, "imputation", k)

        def step(s: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            return _augment(stream(mine, "step", s), given, *state)

        beta, sigma = lax.fori_loop(0, steps, step, (coefficients, covariance))
        z = normals(people(mine, given.ids), "outcome", shape=(covariance.shape[0],))
        return beta, sigma, z.T @ jnp.linalg.cholesky(sigma).T

    return lax.map(one, numbers, batch_size=10)


def _augment(key: Array, given: Known, beta: Array, sigma: Array) -> tuple[Array, Array]:
    """One step: gaps are filled at random, then covariance and coefficients are drawn given all outcomes."""
    n, visits, columns = given.design.shape
    noise = jax.random.normal(stream(key, "outcome"), (n, visits), dtype="float64") @ jnp.linalg.cholesky(sigma).T
    whole = completed(given, beta, sigma, "missing_at_random", noise)
    rest = whole - given.design @ beta
    sigma = inverse_wishart(stream(key, "covariance"), n, rest.T @ rest)
    precision, _ = inverse(sigma, jnp.ones(visits, bool))
    turned = jnp.einsum("ts,isa->ita", precision, given.design).reshape(n * visits, columns)
    root = jnp.linalg.cholesky(turned.T @ given.design.reshape(n * visits, columns))
    middle = solve_triangular(root, turned.T @ whole.reshape(-1), lower=True)
    z = jax.random.normal(stream(key, "coefficients"), (columns,), dtype="float64")
    return solve_triangular(root.T, middle + z, lower=False), sigma


def inverse_wishart(key: Array, freedom: int | Array, scale: Array) -> Array:
    """A draw from the inverse Wishart distribution [Bartlett 1933, Proc R Soc Edinb 53:260], (visits, visits)."""
    visits = scale.shape[0]
    half = (freedom - jnp.arange(visits).astype(float)) / 2
    squares = 2 * jax.random.gamma(stream(key, "diagonal"), half, dtype="float64")
    below = jnp.tril(jax.random.normal(stream(key, "below"), (visits, visits), dtype="float64"), -1)
    bartlett = below + jnp.diag(jnp.sqrt(squares))
    turned = solve_triangular(bartlett, jnp.linalg.cholesky(scale).T, lower=True)
    return turned.T @ turned
