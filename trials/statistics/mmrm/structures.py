"""Covariance structures of repeated measures.

Each structure has two sets of parameters. The optimiser walks over free ones, any real numbers. Inference is stated in
natural ones, since the Kenward-Roger adjustment depends on them where the covariance is not linear in them; they are
those of SAS PROC MIXED: variances and correlations, and covariances where that makes the structure linear
(unstructured, compound symmetry, Toeplitz). Definitions: Wolfinger 1996, J Agric Biol Environ Stat 1:205;
ante-dependence: Gabriel 1962, Ann Math Stat 33:201.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Structure(NamedTuple):
    """A family of covariance matrices of the visits.

    Args:
      name: as in `STRUCTURES`.
      start: free parameters near a given covariance, (visits, visits) -> (parameters,).
      natural: natural parameters of free ones and the number of visits.
      covariance: (visits, visits) of natural parameters and the distances between visits, (visits, visits) in days or
        whatever time is measured in; only a spatial structure looks at these.
      fewest: visits that it needs.
      spatial: whether the distances between visits enter.
    """

    name: str
    start: Callable[[Array], Array]
    natural: Callable[[Array, int], Array]
    covariance: Callable[[Array, Array], Array]
    fewest: int = 2
    spatial: bool = False


class Correlation(NamedTuple):
    """A family of correlations, with which one variance or one of each visit makes a structure."""

    start: Callable[[Array], Array]
    natural: Callable[[Array, int], Array]
    matrix: Callable[[Array, int], Array]


def _lag(visits: int) -> Array:
    at = jnp.arange(visits)
    return jnp.abs(at[:, None] - at[None, :])


def _correlations(covariance: Array) -> Array:
    """Correlations, kept away from 1 so that a start is in the interior."""
    sd = jnp.sqrt(jnp.diagonal(covariance))
    return jnp.clip(covariance / (sd[:, None] * sd[None, :]), -0.95, 0.95)


def _neighbours(covariance: Array) -> Array:
    return jnp.diagonal(_correlations(covariance), 1)


def _mean_correlation(covariance: Array) -> Array:
    visits = covariance.shape[0]
    return (_correlations(covariance).sum() - 0.95 * visits) / (visits * (visits - 1))


def _powers(rho: Array, visits: int) -> Array:
    """rho to the lag, differentiable at zero too."""
    rows = jnp.concatenate([jnp.ones(1), jnp.cumprod(jnp.broadcast_to(rho, (visits - 1,)))])
    return rows[_lag(visits)]


def _ante(rho: Array, visits: int) -> Array:
    """Products of the correlations between neighbours."""
    rows = [jnp.concatenate([jnp.zeros(i), jnp.ones(1), jnp.cumprod(rho[i:])]) for i in range(visits)]
    upper = jnp.stack(rows)
    return upper + upper.T - jnp.eye(visits)


def _banded(rho: Array, visits: int) -> Array:
    return jnp.concatenate([jnp.ones(1), rho])[_lag(visits)]


def _autocorrelations(partial: Array) -> Array:
    """Autocorrelations of partial ones in (-1, 1), which make any Toeplitz matrix positive definite [Durbin 1960]."""
    rho: list[Array] = []
    weights: list[Array] = []
    for p in partial:
        ahead = sum((w * r for w, r in zip(weights, reversed(rho), strict=True)), start=jnp.zeros(()))
        unexplained = 1 - sum((w * r for w, r in zip(weights, rho, strict=True)), start=jnp.zeros(()))
        rho.append(ahead + p * unexplained)
        weights = [w - p * v for w, v in zip(weights, reversed(weights), strict=True)] + [p]
    return jnp.stack(rho)


def _at_least(visits: int) -> float:
    """The least correlation that all pairs of visits can have in common."""
    return -1 / (visits - 1)


def _exchangeable_start(covariance: Array) -> Array:
    least = _at_least(covariance.shape[0])
    share = jnp.clip((_mean_correlation(covariance) - least) / (1 - least), 0.05, 0.95)
    return jnp.log(share / (1 - share))[None]


def _exchangeable(free: Array, visits: int) -> Array:
    least = _at_least(visits)
    return least + (1 - least) / (1 + jnp.exp(-free))


def _all_equal(rho: Array, visits: int) -> Array:
    return jnp.eye(visits) + rho * (1 - jnp.eye(visits))


AUTOREGRESSIVE = Correlation(
    start=lambda c: jnp.arctanh(_neighbours(c).mean())[None],
    natural=lambda free, visits: jnp.tanh(free),
    matrix=lambda rho, visits: _powers(rho[0], visits),
)
EXCHANGEABLE = Correlation(_exchangeable_start, _exchangeable, lambda rho, visits: _all_equal(rho[0], visits))
TOEPLITZ = Correlation(
    start=lambda c: jnp.concatenate([jnp.arctanh(_neighbours(c).mean())[None], jnp.zeros(c.shape[0] - 2)]),
    natural=lambda free, visits: _autocorrelations(jnp.tanh(free)),
    matrix=_banded,
)
ANTE = Correlation(
    start=lambda c: jnp.arctanh(_neighbours(c)),
    natural=lambda free, visits: jnp.tanh(free),
    matrix=_ante,
)


def _heterogeneous(name: str, of: Correlation) -> Structure:
    """A variance for each visit."""

    def start(covariance: Array) -> Array:
        return jnp.concatenate([jnp.log(jnp.diagonal(covariance)), of.start(covariance)])

    def natural(free: Array, visits: int) -> Array:
        return jnp.concatenate([jnp.exp(free[:visits]), of.natural(free[visits:], visits)])

    def covariance(natural: Array, distance: Array) -> Array:
        visits = distance.shape[0]
        sd = jnp.sqrt(natural[:visits])
        return sd[:, None] * sd[None, :] * of.matrix(natural[visits:], visits)

    return Structure(name, start, natural, covariance)


def _homogeneous(name: str, of: Correlation, linear: bool) -> Structure:
    """One variance; `linear`: the other natural parameters are covariances, not correlations."""

    def start(covariance: Array) -> Array:
        return jnp.concatenate([jnp.log(jnp.diagonal(covariance).mean())[None], of.start(covariance)])

    def natural(free: Array, visits: int) -> Array:
        variance = jnp.exp(free[:1])
        rho = of.natural(free[1:], visits)
        return jnp.concatenate([variance, variance * rho if linear else rho])

    def covariance(natural: Array, distance: Array) -> Array:
        rho = natural[1:] / natural[:1] if linear else natural[1:]
        return natural[0] * of.matrix(rho, distance.shape[0])

    return Structure(name, start, natural, covariance)


def _size(parameters: int) -> int:
    """Rows of a triangle of so many numbers."""
    return round(((8 * parameters + 1) ** 0.5 - 1) / 2)


def _triangle(values: Array) -> Array:
    size = _size(values.shape[0])
    return jnp.zeros((size, size)).at[jnp.tril_indices(size)].set(values)


def _unstructured_natural(free: Array, visits: int) -> Array:
    root = _triangle(free)
    root = root - jnp.diag(jnp.diagonal(root)) + jnp.diag(jnp.exp(jnp.diagonal(root)))
    return (root @ root.T)[jnp.tril_indices(visits)]


def _unstructured_start(covariance: Array) -> Array:
    root = jnp.linalg.cholesky(covariance)
    root = root - jnp.diag(jnp.diagonal(root)) + jnp.diag(jnp.log(jnp.diagonal(root)))
    return root[jnp.tril_indices(covariance.shape[0])]


def _unstructured(natural: Array, distance: Array) -> Array:
    lower = _triangle(natural)
    return lower + lower.T - jnp.diag(jnp.diagonal(lower))


def _spatial_start(covariance: Array) -> Array:
    return jnp.stack([jnp.log(jnp.diagonal(covariance).mean()), jnp.zeros(())])


UNSTRUCTURED = Structure("unstructured", _unstructured_start, _unstructured_natural, _unstructured, fewest=1)
SPATIAL = Structure(
    "spatial_exponential",
    _spatial_start,
    lambda free, visits: jnp.exp(free),
    lambda natural, distance: natural[0] * jnp.exp(-distance / natural[1]),
    spatial=True,
)

STRUCTURES = {
    s.name: s
    for s in (
        UNSTRUCTURED,
        _homogeneous("autoregressive", AUTOREGRESSIVE, linear=False),
        _heterogeneous("heterogeneous_autoregressive", AUTOREGRESSIVE),
        _homogeneous("compound_symmetry", EXCHANGEABLE, linear=True),
        _heterogeneous("heterogeneous_compound_symmetry", EXCHANGEABLE),
        _homogeneous("toeplitz", TOEPLITZ, linear=True),
        _heterogeneous("heterogeneous_toeplitz", TOEPLITZ),
        _homogeneous("ante_dependence", ANTE, linear=False),
        _heterogeneous("heterogeneous_ante_dependence", ANTE),
        SPATIAL,
    )
}
