"""Fitting a model for repeated measures by restricted maximum likelihood."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .likelihood import Blocks, contract, covariances, deviance, inverse, weighted
from .newton import Optimum, minimise
from .panel import Panel, blocks_of
from .structures import STRUCTURES, Structure

SURE = 1e-8  # least eigenvalue over the largest of the scaled information on the covariance


class Fit(NamedTuple):
    """A fitted model; the last fields serve inference in small samples.

    Args:
      coefficients: shape (columns,).
      covariance: of the coefficients, the covariance of the visits taken as known, shape (columns, columns).
      kenward: the same with the adjustment of Kenward and Roger, second derivatives included.
      kenward_linear: the same without second derivatives.
      visits: covariance of the visits in each group, shape (groups, visits, visits); at the distances of the first
        person of the group where the structure is spatial.
      natural: natural parameters of the structure, shape (groups, parameters).
      natural_covariance: of these, from the observed information, shape (parameters of all groups, the same).
      slopes: derivative of the information on the coefficients by each natural parameter, (columns, columns, all).
      deviance: minus twice the restricted log-likelihood.
      converged: bool: a minimum was found at which the data tell all parameters of the covariance.
      steps: of Newton's method.
    """

    coefficients: Array
    covariance: Array
    kenward: Array
    kenward_linear: Array
    visits: Array
    natural: Array
    natural_covariance: Array
    slopes: Array
    deviance: Array
    converged: Array
    steps: Array


def fit(panel: Panel, structure: str = "unstructured") -> Fit:
    """Fit repeated measures with a covariance structure of `STRUCTURES`.

    A fit that did not converge has `converged` False; its other numbers must not be used.

    Raises:
      ValueError: an unknown structure, or fewer visits than it needs.
    """
    family = named(structure)
    blocks, _ = blocks_of(panel, family)
    return fit_blocks(structure, blocks, jnp.asarray(start_covariance(panel)), int(panel.groups.max()) + 1)


def named(structure: str) -> Structure:
    """The structure of this name.

    Raises:
      ValueError: there is none.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"no covariance structure {structure!r}; choose from {', '.join(sorted(STRUCTURES))}")
    return STRUCTURES[structure]


def start_covariance(panel: Panel) -> np.ndarray:
    """Covariance of the residuals of least squares, of the pairs of visits seen, drawn in until it is one."""
    rows = panel.rows()
    seen = panel.seen
    design, outcome = rows[seen][:, :-1], rows[seen][:, -1]
    rest = np.zeros(seen.shape)
    rest[seen] = outcome - design @ np.linalg.lstsq(design, outcome, rcond=None)[0]
    there = seen.astype(float)
    return np.asarray(drawn_in(jnp.asarray(rest.T @ rest / np.maximum(there.T @ there, 1.0))))


@jax.jit
def drawn_in(raw: Array) -> Array:
    """A positive definite covariance from one put together pair by pair, shape (visits, visits)."""
    variance = jnp.diagonal(raw)
    variance = jnp.maximum(variance, 1e-6 * variance.mean() + 1e-300)
    sd = jnp.sqrt(variance)
    correlation = raw / (sd[:, None] * sd[None, :])
    correlation = correlation - jnp.diag(jnp.diagonal(correlation)) + jnp.eye(len(sd))
    least = jnp.linalg.eigvalsh(correlation)[0]
    # Correlations shrink together until the least eigenvalue is 0.1.
    keep = jnp.where(least < 0.1, 0.9 / (1 - least), 1.0)
    return sd[:, None] * sd[None, :] * (keep * correlation + (1 - keep) * jnp.eye(len(sd)))


@partial(jax.jit, static_argnums=(0, 3))
def fit_blocks(structure: str, blocks: Blocks, start: Array, groups: int) -> Fit:
    """`fit` of sums; runs under `vmap` over a leading axis of blocks and start.

    Args:
      start: a covariance of the visits to start from, positive definite, shape (visits, visits).
      groups: number of groups.
    """
    family = STRUCTURES[structure]
    visits = blocks.seen.shape[1]

    def natural(free: Array) -> Array:
        return jax.vmap(lambda x: family.natural(x, visits))(free.reshape(groups, -1))

    free = jnp.tile(family.start(start), groups)
    best = minimise(lambda x: deviance(family, natural(x), blocks), free)
    # At a minimum, curvatures in free and in natural parameters differ by the slope of one in the other.
    turn = jax.jacfwd(lambda x: natural(x).reshape(-1))(best.x)
    spread, sure = _inverted(best.curvature / 2)
    return _summary(family, natural(best.x), blocks, best, turn @ spread @ turn.T, sure)


def _summary(family: Structure, natural: Array, blocks: Blocks, best: Optimum, spread: Array, sure: Array) -> Fit:
    """Coefficients and what inference needs, at the optimum; `spread` is the covariance of the natural parameters."""
    shape, flat = natural.shape, natural.reshape(-1)
    products, _ = weighted(family, natural, blocks)
    covariance, _ = inverse(products[:-1, :-1], jnp.ones(products.shape[0] - 1, bool))
    coefficients = covariance @ products[:-1, -1]
    slopes = jax.jacfwd(lambda x: weighted(family, x.reshape(shape), blocks)[0][:-1, :-1])(flat)
    linear, second = _adjustments(family, natural, blocks, covariance, spread, slopes)
    first = jnp.argmax(blocks.group[None, :] == jnp.arange(shape[0])[:, None], axis=1)
    return Fit(
        coefficients,
        covariance,
        covariance + linear + second,
        covariance + linear,
        covariances(family, natural, blocks)[first],
        natural,
        spread,
        slopes,
        best.value,
        best.converged & sure & jnp.isfinite(coefficients).all() & jnp.isfinite(covariance).all(),
        best.steps,
    )


def _inverted(information: Array) -> tuple[Array, Array]:
    """Inverse of an information matrix of parameters in different units, and whether the data tell all of them."""
    scale = 1 / jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(information)), 1e-300))
    scaled = information * scale[:, None] * scale[None, :]
    curves = jnp.linalg.eigvalsh(jnp.where(jnp.isfinite(scaled), scaled, 0.0))
    return jnp.linalg.inv(scaled) * scale[:, None] * scale[None, :], curves[0] > SURE * curves[-1]


def _adjustments(
    family: Structure, natural: Array, blocks: Blocks, covariance: Array, spread: Array, slopes: Array
) -> tuple[Array, Array]:
    """What Kenward and Roger (1997, Biometrics 53:983) add to the covariance: first-order part, second-order part.

    With V the covariance of all observations, P_h = X' dV^-1/dh X, Q_hj = X' dV^-1/dh V dV^-1/dj X and
    R_hj = X' V^-1 d2V/dhdj V^-1 X, the sum is 2 C (sum of W_hj (Q_hj - P_h C P_j - R_hj / 4)) C. Q and R are summed
    over h and j inside each block, where they are matrices of visits.
    """
    shape, flat = natural.shape, natural.reshape(-1)

    def of_block(group: Array, distance: Array, seen: Array) -> tuple[Array, Array]:
        def at(x: Array) -> Array:
            return family.covariance(x.reshape(shape)[group], distance)

        precision, _ = inverse(at(flat), seen)
        first = jax.jacfwd(at)(flat)
        both = jnp.einsum("abh,hj->abj", first, spread)
        q = precision @ jnp.einsum("abj,bc,cdj->ad", both, precision, first) @ precision
        # The second derivatives summed with weights: columns of the spread's root are directions.
        curves, axes = jnp.linalg.eigh(spread)
        bent = jax.vmap(lambda d: _second(at, flat, d))(axes.T)
        r = precision @ jnp.einsum("h,hab->ab", curves, bent) @ precision
        return q, r

    q, r = lax.map(lambda block: of_block(*block), (blocks.group, blocks.distance, blocks.seen))
    p = jnp.einsum("abh,hj,bc,cdj->ad", slopes, spread, covariance, slopes)
    q_sum, r_sum = contract(q, blocks)[:-1, :-1], contract(r, blocks)[:-1, :-1]
    linear = 2 * covariance @ (q_sum - p) @ covariance
    second = -0.5 * covariance @ r_sum @ covariance
    return (linear + linear.T) / 2, (second + second.T) / 2


def _second(function: Callable[[Array], Array], at: Array, direction: Array) -> Array:
    """Second derivative along a direction."""

    def slope(x: Array) -> Array:
        return jax.jvp(function, (x,), (direction,))[1]

    return jax.jvp(slope, (at,), (direction,))[1]
