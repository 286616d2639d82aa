"""Layers cut into cells: how each reflects and passes light, worked out for all layers and stacks at once."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from . import adding
from .layers import Layers
from .streams import moments, polynomials, streams

THIN = 0.15  # optical depth of the slab that doubling begins with, at most
FINE = 0.5  # optical depth of the finest cells, at most
DEEP = 24.0  # decay lengths to which a layer is followed; exp(-24) of the light goes on
ORDERS = 160  # Legendre orders in the share of light that a scattering turns back

Outside = tuple[float, tuple[float, ...], float]  # refractive indices above, of each layer, below


class Grid(NamedTuple):
    """How each layer is cut. levels: cells of 1, 1, 2, 4, ... 4, 2, 1, 1 parts of 2^(levels + 1), 2 levels + 2 of them.

    doublings: by which one part grows from the slab that is thin enough for a series.
    """

    levels: int = 7
    doublings: int = 6


class Cells(NamedTuple):
    """Cells of stacks from the top; a field's first axis is that of cells."""

    slab: adding.Slab
    cosine: np.ndarray  # of the directions, (cells, N)
    slope: Array  # change of fluence per mm for each net flux down, (cells, N, batch)
    top: Array  # depth, mm, (cells, batch)
    bottom: Array


def needed(layers: Layers, nodes: int) -> Grid:
    """The coarsest grid that is fine enough for these stacks."""
    thickness, absorption, scattering, g = (jnp.asarray(x, dtype="float64") for x in layers[:4])
    reached = followed(thickness, absorption, scattering, g)
    depth = float(jnp.max(reached * (absorption + scattering * (1 - g ** (2 * nodes)))))
    levels = int(np.clip(np.ceil(np.log2(max(depth, 1e-9) / FINE)) - 1, 3, 14))
    return Grid(levels, max(int(np.ceil(np.log2(max(depth, 1e-9) / THIN))) - levels - 1, 0))


def followed(thickness: Array, absorption: Array, scattering: Array, anisotropy: Array) -> Array:
    """Thickness of each layer, or the depth to which light matters in it if that is less."""
    total = absorption + scattering * (1 - anisotropy)
    decay = jnp.minimum(jnp.sqrt(3 * absorption * total + 1e-12), absorption + scattering)
    return jnp.minimum(thickness, DEEP / jnp.maximum(decay, 1e-6))


def cut(
    thickness: Array,
    absorption: Array,
    scattering: Array,
    anisotropy: Array,
    outside: Outside,
    nodes: int,
    grid: Grid,
) -> tuple[Cells, list[tuple[int, bool]], Array]:
    """Cells; the layer of each, and whether it is its last; whether the grid is fine enough. From (layers, batch)."""
    rays = streams(*outside, nodes, False)
    forward, back = moments(*outside, nodes)
    kind, (count, batch), n = thickness.dtype, thickness.shape, rays.cosine.shape[1]
    reached = followed(thickness, absorption, scattering, anisotropy)
    powers = _powers(anisotropy, forward.shape[1])  # orders, layers, batch
    peak = powers[-1] * anisotropy
    shapes = [jnp.einsum("olb,loij->ijlb", powers - peak[None], jnp.asarray(m, kind)) for m in (forward, back)]
    active = jnp.asarray(rays.active.T, kind)[:, :, None]  # N, layers, 1
    cosine = jnp.asarray(rays.cosine.T, kind)[:, :, None]
    turned = _turned(anisotropy, rays.cosine)
    shares = [1 - peak[None] - turned, turned]
    found = [jnp.sum(s, axis=0) + (1 - active) for s in shapes]
    shapes = [s * (share / total)[None] for s, share, total in zip(shapes, shares, found, strict=True)]
    scattered = (scattering * (1 - peak))[None]
    same, opposite = (s * (scattering[None] / cosine)[None] for s in shapes)
    absorbing = absorption[None] / cosine * active
    parts = 2.0 ** (grid.levels + 1)
    thinnest = reached / (parts * 2.0**grid.doublings)
    loss = (
        absorbing + scattered / cosine * active + 2 / thinnest[None] * (1 - active)
    )  # nothing lives where switched off
    slope = -jnp.sum(
        (jnp.eye(n, dtype=kind)[:, :, None, None] * loss[None] - same + opposite) / cosine[:, None],
        axis=0,
    )

    merge = partial(jnp.reshape, shape=(n, count * batch))
    slab = adding.thin(
        same.reshape(n, n, -1), opposite.reshape(n, n, -1), merge(loss), merge(absorbing), thinnest.reshape(-1)
    )
    slabs = adding.halvings(slab, grid.doublings, grid.levels)
    slabs = jax.tree.map(lambda x: x.reshape(*x.shape[:-1], count, batch), slabs)
    pattern = [0, *range(grid.levels)]
    pattern += pattern[::-1]
    steps = np.repeat(np.arange(count), len(pattern)), np.tile(pattern, count)
    chosen = jax.tree.map(lambda x: jnp.moveaxis(x, -2, 1)[steps[1], steps[0]], slabs)
    edges = np.concatenate([[0.0], np.cumsum(2.0 ** np.array(pattern))]) / parts
    start = jnp.concatenate([jnp.zeros((1, batch), kind), jnp.cumsum(thickness[:-1], axis=0)])
    inside = jnp.asarray(edges, kind)[None, :, None] * reached[:, None]
    depths = start[:, None] + inside
    cells = Cells(
        chosen,
        rays.cosine[steps[0]],
        jnp.moveaxis(slope, 0, 1)[steps[0]],
        depths[:, :-1].reshape(-1, batch),
        depths[:, 1:].reshape(-1, batch),
    )
    order = [(int(i), k == len(pattern) - 1) for i in range(count) for k in range(len(pattern))]
    sound = jnp.all(thinnest * (absorption + scattering * (1 - peak)) <= 2 * THIN, axis=0)
    return cells, order, sound


def _turned(g: Array, cosine: np.ndarray) -> Array:
    """Share of the light in each direction that one scattering turns back, (N, layers, batch)."""
    values = np.stack([polynomials(c, ORDERS) for c in cosine])  # layers, orders, N
    l = np.arange(1, ORDERS, 2)
    zero = polynomials(np.zeros(1), ORDERS + 1)[:, 0]
    share = (zero[l - 1] - zero[l + 1]) / 2  # (2 l + 1) / 2 times the integral of P_l from 0 to 1
    powers = _powers(g, ORDERS)[1::2]
    terms = jnp.asarray(share[None, :, None] * values[:, l], g.dtype)
    return 0.5 - jnp.einsum("olb,lon->nlb", powers, terms)


def _powers(g: Array, count: int) -> Array:
    """1, g, g^2, ..., (count, *g.shape); as products, since at g = 0 a logarithm has no gradient."""
    ahead = jnp.broadcast_to(g, (count - 1, *g.shape))
    return jnp.concatenate([jnp.ones_like(g)[None], lax.cumprod(ahead, axis=0)])
