"""Cells of a column of skin, fine at the surface, and layers laid onto them without losing heat."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .tissue import Thermal

CELLS = 48
FINEST = 0.005  # mm, at the surface
COARSEST = 0.2  # mm, at depth
DEPTH = 6.0  # mm


def graded(cells: int = CELLS, finest: float = FINEST, coarsest: float = COARSEST, depth: float = DEPTH) -> np.ndarray:
    """Edges of cells, mm, shape (cells + 1,): widths grow in proportion from `finest` to `coarsest`, then stay.

    Raises:
      ValueError: so many cells of that size do not make up the depth.
    """
    if not (0 < finest <= coarsest <= depth and cells > 1):
        raise ValueError(
            f"expected 0 < finest <= coarsest <= depth, got {finest}, {coarsest}, {depth} with {cells} cells"
        )

    def widths(log_ratio: float) -> np.ndarray:
        return np.minimum(finest * np.exp(log_ratio * np.arange(cells)), coarsest)

    steepest = math.log(coarsest / finest) + 1e-9
    if not widths(0.0).sum() <= depth <= widths(steepest).sum():
        raise ValueError(f"{cells} cells of {finest} to {coarsest} mm cannot make up {depth} mm")
    low, high = 0.0, steepest
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if widths(middle).sum() < depth else (low, middle)
    edges = np.concatenate([[0.0], np.cumsum(widths(high))])
    return edges * (depth / edges[-1])


def centres(edges: ArrayLike) -> np.ndarray:
    """Depths of the cells' middles, mm."""
    edges = np.asarray(edges)
    return (edges[1:] + edges[:-1]) / 2


def overlaps(thickness: ArrayLike, edges: ArrayLike) -> Array:
    """Length of each cell within each layer, mm, shape (layers, cells, columns); the last layer goes on below.

    Args:
      thickness: of layers from the surface down, mm, shape (layers, columns).
      edges: of cells, mm, shape (cells + 1,).
    """
    thickness, edges = jnp.asarray(thickness), jnp.asarray(edges)
    bottom = jnp.cumsum(thickness, 0)
    top = bottom - thickness
    bottom = jnp.concatenate([bottom[:-1], jnp.full_like(bottom[:1], jnp.inf)])
    upper, lower = edges[None, :-1, None], edges[None, 1:, None]
    return jnp.maximum(jnp.minimum(lower, bottom[:, None, :]) - jnp.maximum(upper, top[:, None, :]), 0.0)


def laid(layers: Thermal, thickness: ArrayLike, edges: ArrayLike) -> Thermal:
    """Properties of cells, (cells, columns), from those of layers, (layers, columns).

    Heat capacity and water are averaged; resistances to heat, which flows through one part of a cell after the other,
    add up.
    """
    inside = overlaps(thickness, edges)
    width = jnp.diff(jnp.asarray(edges))[:, None]
    return Thermal(
        width / (inside / layers.conductivity[:, None, :]).sum(0),
        (inside * layers.capacity[:, None, :]).sum(0) / width,
        (inside * layers.water[:, None, :]).sum(0) / width,
    )


def spread(absorbed: ArrayLike, thickness: ArrayLike, edges: ArrayLike) -> Array:
    """Absorbed heat per volume of cells, (cells, columns), from that of layers, (layers, columns), uniform in each.

    Of the last layer, what lies below its thickness absorbs nothing, so the energy is that of the layers.
    """
    inside = overlaps(thickness, edges)
    reach = jnp.cumsum(jnp.asarray(thickness), 0)[-1]
    upper, lower = jnp.asarray(edges)[:-1, None], jnp.asarray(edges)[1:, None]
    beyond = jnp.clip(lower - jnp.maximum(reach[None, :], upper), 0.0)
    inside = inside.at[-1].add(-beyond)
    return (inside * jnp.asarray(absorbed)[:, None, :]).sum(0) / jnp.diff(jnp.asarray(edges))[:, None]


def check_layers(thickness: ArrayLike, edges: ArrayLike, resolved: int = 0) -> None:
    """Refuse layers that the grid cannot show.

    Args:
      thickness: mm, shape (layers, columns). edges: mm, shape (cells + 1,).
      resolved: layers from this one on must be as thick as the cells there. Those above may be thinner where nothing is
        read in them: a cell has the heat and the resistance of what lies in it.

    Raises:
      ValueError: a thickness that is not positive, a layer thinner than the cells there, layers deeper than the grid.
    """
    thickness, edges = np.asarray(thickness), np.asarray(edges)
    if thickness.ndim != 2:
        raise ValueError(f"thickness: expected the shape (layers, columns), got {thickness.shape}")
    if not (np.isfinite(thickness) & (thickness > 0)).all():
        raise ValueError(f"thickness: expected positive lengths in mm, got {thickness.min()}")
    bottom = np.cumsum(thickness, 0)
    if bottom[-1].max() > edges[-1] * (1 + 1e-9):
        raise ValueError(f"layers reach {bottom[-1].max():.4g} mm, the grid {edges[-1]:.4g} mm: give a deeper grid")
    cell = np.clip(np.searchsorted(edges, bottom - thickness / 2) - 1, 0, len(edges) - 2)
    coarse = np.diff(edges)[cell] > thickness * (1 + 1e-9)
    coarse[:resolved] = False
    if coarse.any():
        layer, column = np.argwhere(coarse)[0]
        raise ValueError(
            f"layer {layer} of column {column} is {thickness[layer, column]:.4g} mm thick, cells there are "
            f"{np.diff(edges)[cell[layer, column]]:.4g} mm: give a finer grid"
        )
