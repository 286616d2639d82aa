"""The restricted likelihood of repeated measures with missing visits.

People enter through sums of products over those who share what was observed (a block), so that the work of one
evaluation depends on the number of blocks and not on the number of people [Patterson and Thompson 1971, Biometrika
58:545; Jennrich and Schluchter 1986, Biometrics 42:805].
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from .structures import Structure


class Blocks(NamedTuple):
    """Sums over people who share their visits, their group and their distances.

    Args:
      seen: whether a visit was observed, bool, shape (blocks, visits).
      group: whose covariance it is, shape (blocks,).
      distance: between visits, shape (blocks, visits, visits).
      people: how many, shape (blocks,).
      products: sum of the products of design and outcome (the last column), zero where not seen, rows scaled by the
        root of their weight, shape (blocks, visits, columns + 1, visits, columns + 1).
      log_weight: sum of the logarithms of all weights.
    """

    seen: Array
    group: Array
    distance: Array
    people: Array
    products: Array
    log_weight: Array


@jax.custom_jvp
def inverse(covariance: Array, seen: Array) -> tuple[Array, Array]:
    """Inverse of the covariance of the visits seen, zero elsewhere, and the logarithm of its determinant.

    Args:
      covariance: shape (visits, visits).
      seen: bool, shape (visits,).
    """
    both = seen[:, None] & seen[None, :]
    one = jnp.eye(seen.shape[0])
    root = jnp.linalg.cholesky(jnp.where(both, covariance, one))
    half = solve_triangular(root, one, lower=True)
    return jnp.where(both, half.T @ half, 0.0), 2 * jnp.log(jnp.diagonal(root)).sum()


@inverse.defjvp
def _inverse_slope(at: tuple[Array, Array], along: tuple[Array, Array]) -> tuple[Any, Any]:
    """The derivatives by hand: products of matrices, which compile and run faster than those of a Cholesky root."""
    precision, log_determinant = inverse(*at)
    return (precision, log_determinant), (-precision @ along[0] @ precision, (precision * along[0]).sum())


def covariances(structure: Structure, natural: Array, blocks: Blocks) -> Array:
    """Covariance of the visits in each block, shape (blocks, visits, visits), of natural parameters (groups, each)."""
    return jax.vmap(structure.covariance)(natural[blocks.group], blocks.distance)


def weighted(structure: Structure, natural: Array, blocks: Blocks) -> tuple[Array, Array]:
    """Weighted products of design and outcome, (columns + 1, columns + 1), and the covariances' log determinant."""
    precision, log_determinants = jax.vmap(inverse)(covariances(structure, natural, blocks), blocks.seen)
    return contract(precision, blocks), blocks.people @ log_determinants


def contract(weights: Array, blocks: Blocks) -> Array:
    """Sum over blocks and pairs of visits of weights (blocks, visits, visits) times products."""
    n, visits = blocks.seen.shape
    columns = blocks.products.shape[2]
    flat = blocks.products.transpose(0, 1, 3, 2, 4).reshape(n * visits * visits, columns * columns)
    return (weights.reshape(-1) @ flat).reshape(columns, columns)


def deviance(structure: Structure, natural: Array, blocks: Blocks) -> Array:
    """Minus twice the restricted log-likelihood, the coefficients profiled out; as SAS and R's mmrm count constants.

    Args:
      natural: shape (groups, parameters of the structure).
    """
    products, log_determinant = weighted(structure, natural, blocks)
    columns = products.shape[0] - 1
    covariance, information = inverse(products[:-1, :-1], jnp.ones(columns, bool))
    squares = products[-1, -1] - products[-1, :-1] @ covariance @ products[:-1, -1]
    observations = blocks.people @ blocks.seen.sum(axis=1).astype(float)
    freedom = observations - columns
    return log_determinant + information + squares + freedom * jnp.log(2 * jnp.pi) - blocks.log_weight
