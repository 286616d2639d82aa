"""Light in layered tissue under a broad beam, by adding and doubling: solved for whole batches, with gradients.

The stack is lit from above by one unit of light. Scattering is Henyey-Greenstein, its sharp forward part counted as
not scattered (delta-M [wiscombe1977]); the beam is a direction of its own. Each layer is cut into cells that are finest
at its borders; between their ends the fluence is a cubic in its logarithm, with the slopes that the transport equation
gives.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from . import adding
from .cells import Grid, Outside, cut, needed
from .layers import Layers, check, indices, traced
from .streams import streams

NODES = 16  # Gaussian nodes of a hemisphere; 8 keep layers of skin within 1 %, and take an eighth of the time
BLOCK = 128  # stacks that are solved at a time
SMALLEST = 1e-30  # fluence whose logarithm is still taken


class Fluence(NamedTuple):
    """Fluence at any depth, over the irradiance of the incident light (so 1 in vacuum without a stack).

    top, bottom: depths of the ends of the cells, mm; value_* and slope_*: logarithm of the fluence there, and its
    change per mm. All of shape (..., cells). floor: depth of the end of the stack, mm, (..., 1).
    """

    top: Array
    bottom: Array
    value_top: Array
    slope_top: Array
    value_bottom: Array
    slope_bottom: Array
    floor: Array

    def __call__(self, depth: Array | np.ndarray | float) -> Array:
        """Fluence at depths (mm), of shape (points,) for all stacks or (..., points); NaN outside the stack."""
        shape = self.top.shape[:-1]
        z = jnp.asarray(depth, dtype=self.top.dtype)
        z = jnp.broadcast_to(z, (*shape, z.shape[-1] if z.ndim else 1))
        flat = [x.reshape(-1, x.shape[-1]) for x in (z, *self)]
        return jax.vmap(_at)(*flat).reshape(z.shape)


class Light(NamedTuple):
    """What becomes of one unit of light.

    reflectance: all that comes back, with what the surface mirrors (`specular`), (...,). transmittance: (...,).
    absorbed: in each layer, (..., layers). The three sum to 1. fluence: `fluence(depth in mm)`, over the irradiance.
    """

    reflectance: Array
    transmittance: Array
    absorbed: Array
    fluence: Fluence


def specular(n_above: float, n_first: float) -> float:
    """Share of a beam straight down that the surface mirrors; `Light.reflectance` less this is the diffuse part.

    >>> round(specular(1.0, 1.4), 5)
    0.02778
    """
    return ((n_first - n_above) / (n_first + n_above)) ** 2


def propagate(
    layers: Layers,
    n_above: float = 1.0,
    n_below: float = 1.0,
    *,
    diffuse: bool = False,
    nodes: int = NODES,
    grid: Grid | None = None,
) -> Light:
    """Send a broad beam straight down into stacks of layers.

    The arrays decide the precision: 32 bits if all of them have 32, else 64. An infinite last layer passes nothing; a
    layer counts down to 24 decay lengths of light.

    Args:
      layers: mm, 1/mm; any leading axes are a batch. The refractive indices must be numbers, also under `jit`.
      n_above, n_below: refractive index outside, such as 1.0 (air), 1.34 (gel), 1.76 (sapphire).
      diffuse: the light comes from all directions above (Lambertian) instead.
      nodes: directions of a hemisphere; more are more exact, and cost their third power.
      grid: worked out by `needed` if the arrays are known; under `jit` and `grad` the default is enough for an
        optical depth of 2,400 a layer. Where it is too coarse, the result is NaN.

    Raises:
      ValueError: a thickness, coefficient or index that cannot be (see `layers.check`); fewer than 4 nodes.
    """
    return _solved(layers, n_above, n_below, diffuse, nodes, grid)[0]


def _solved(
    layers: Layers, n_above: float, n_below: float, diffuse: bool, nodes: int, grid: Grid | None
) -> tuple[Light, Array]:
    """The light, and what comes back out of the stack in each direction that is followed, (..., directions)."""
    check(layers, n_above, n_below)
    inside = indices(layers)
    if nodes < 4:
        raise ValueError(f"nodes: {nodes}; expected at least 4")
    fields = [jnp.asarray(x) for x in layers[:4]]
    kind = jnp.float32 if all(x.dtype == jnp.float32 for x in fields) else jnp.float64
    shape = jnp.broadcast_shapes(*(np.shape(x) for x in layers[:4]), (len(inside),))
    fields = [jnp.broadcast_to(x.astype(kind), shape).reshape(-1, shape[-1]) for x in fields]
    if grid is None:
        grid = Grid() if traced(fields) else needed(layers, nodes)
    found = _solve(fields, (float(n_above), inside, float(n_below)), diffuse, nodes, grid)
    return jax.tree.map(lambda x: x.reshape(*shape[:-1], *x.shape[1:]), found)


def radiance(
    layers: Layers, angles: Array | np.ndarray, n_above: float = 1.0, n_below: float = 1.0, *, nodes: int = NODES
) -> Array:
    """Diffuse light that comes back at angles to the normal outside, each steradian and each cosine, (..., angles).

    Times the cosine and integrated over the hemisphere it is the reflectance less the specular part. Straight between
    the directions that are followed, and on beyond the first and the last of them.

    Args:
      layers, n_above, n_below, nodes: as of `propagate`. angles: radians, 0 to less than pi/2, (angles,).

    Raises:
      ValueError: as `propagate`; an angle that does not point out of the stack.
    """
    wanted = np.atleast_1d(np.asarray(angles, float))
    if not ((wanted >= 0) & (wanted < np.pi / 2)).all():
        raise ValueError(f"angles: {angles}; expected 0 to less than pi/2")
    leaving = _solved(layers, n_above, n_below, False, nodes, None)[1]
    n, rays = indices(layers)[0], streams(float(n_above), indices(layers), float(n_below), nodes, False)
    square = n**2 * (1 - rays.cosine[0] ** 2)  # of n sin(angle), kept across the surface
    out = np.flatnonzero((square < n_above**2) & (rays.weight[0] > 0) & rays.active[0])
    cosine = np.sqrt(1 - square[out] / n_above**2)
    span = 2 * np.pi * n**2 * rays.weight[0, out] * rays.cosine[0, out] / n_above**2  # steradians times cosine
    order = np.argsort(cosine)
    at = np.clip(np.searchsorted(cosine[order], np.cos(wanted)), 1, len(out) - 1)
    left, right = order[at - 1], order[at]
    share = (np.cos(wanted) - cosine[left]) / (cosine[right] - cosine[left])
    value = leaving[..., out] / span
    return value[..., left] * (1 - share) + value[..., right] * share


@partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _solve(fields: list[Array], outside: Outside, diffuse: bool, nodes: int, grid: Grid) -> tuple[Light, Array]:
    """Stacks in blocks of BLOCK; fields (stacks, layers)."""
    one = partial(_block, outside=outside, diffuse=diffuse, nodes=nodes, grid=grid)
    stacks = fields[0].shape[0]
    if stacks <= BLOCK:
        return one(fields)
    padded = [jnp.concatenate([x, jnp.repeat(x[-1:], -stacks % BLOCK, axis=0)]) for x in fields]
    found = lax.map(one, [x.reshape(-1, BLOCK, x.shape[-1]) for x in padded])
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:stacks], found)


def _block(fields: list[Array], outside: Outside, diffuse: bool, nodes: int, grid: Grid) -> tuple[Light, Array]:
    n_above, inside, n_below = outside
    rays = streams(n_above, inside, n_below, nodes, diffuse)
    thickness, absorption, scattering, anisotropy = (x.T for x in fields)  # (layers, batch)
    kind = thickness.dtype
    cells, order, sound = cut(thickness, absorption, scattering, anisotropy, outside, nodes, grid)
    stacked = len(set(inside)) == 1  # no interface between layers mirrors light
    mirrors = [rays.mirror[i + 1] if last else np.zeros_like(rays.mirror[0]) for i, last in order]
    mirrors[-1] = np.zeros_like(mirrors[-1])  # the last interface is where the climb begins
    identity = adding.identity(cells.slab.lost[0])

    def climb(below: Array, here: tuple[adding.Slab, Array]) -> tuple[Array, tuple[Array, ...]]:
        slab, mirror = here
        through = (below,) if stacked else (below, *adding.behind_mirror(mirror, below))
        down, above = adding.on_top(slab, through[-1])
        return above, (down, *through)

    ground = jnp.broadcast_to(identity * jnp.asarray(rays.mirror[-1], kind)[None, :, None], cells.slab.lost[0].shape)
    steps = (cells.slab, jnp.asarray(np.stack(mirrors), kind))
    whole, climbed = lax.scan(climb, ground, steps, reverse=True)

    surface = jnp.asarray(rays.mirror[0], kind)[:, None]
    entered = jnp.asarray(rays.entering, kind)[:, None] * (1 - surface)
    entered = jnp.broadcast_to(entered, (entered.shape[0], thickness.shape[1]))
    first = adding.solve(identity - surface[:, :, None] * whole, entered[:, None])[:, 0]

    def descend(light: tuple[Array, Array], here: tuple) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        down, up = light
        slab, cosine, slope, (through, below, *mirrored) = here
        ends = [(down, up)]
        down = adding.apply(through, down)
        up = adding.apply(mirrored[-1] if mirrored else below, down)
        ends.append((down, up))
        absorbed = jnp.sum(slab.absorbed * (ends[0][0] + up), axis=0)
        told = [(jnp.sum((d + u) / cosine[:, None], axis=0), jnp.sum(slope * (d - u), axis=0)) for d, u in ends]
        if mirrored:
            down = adding.apply(mirrored[0], down)
            up = adding.apply(below, down)
        return (down, up), (absorbed, *told[0], *told[1])

    up = adding.apply(whole, first)
    cosines = jnp.asarray(cells.cosine, kind)
    (left, _), told = lax.scan(descend, (first, up), (cells.slab, cosines, cells.slope, climbed))
    mirrored = jnp.asarray(rays.entering, kind) @ jnp.asarray(rays.mirror[0], kind) + rays.lost
    leaving = (1 - surface) * up
    reflectance = mirrored + jnp.sum(leaving, axis=0)
    transmittance = jnp.sum((1 - jnp.asarray(rays.mirror[-1], kind)[:, None]) * left, axis=0)
    absorbed, *ends = (jnp.where(sound[None], x, jnp.nan) for x in told)
    share = absorbed.reshape(len(inside), -1, absorbed.shape[-1]).sum(axis=1).T
    values = [jnp.maximum(ends[i], SMALLEST) for i in (0, 2)]
    logs = [jnp.log(values[0]), ends[1] / values[0], jnp.log(values[1]), ends[3] / values[1]]
    fluence = Fluence(*(x.T for x in (cells.top, cells.bottom, *logs, jnp.sum(thickness, axis=0)[None])))
    reflectance, transmittance, leaving = (jnp.where(sound, x, jnp.nan) for x in (reflectance, transmittance, leaving))
    return Light(reflectance, transmittance, share, fluence), leaving.T


def _at(z: Array, top: Array, bottom: Array, *rest: Array) -> Array:
    """Fluence of one stack at depths z (points,): Hermite's cubic in a cell, the last slope on below it."""
    cell = jnp.clip(jnp.searchsorted(top, z, side="right") - 1, 0, top.shape[0] - 1)
    *ends, floor = rest
    value_top, slope_top, value_bottom, slope_bottom = (x[cell] for x in ends)
    width = bottom[cell] - top[cell]
    t = jnp.clip((z - top[cell]) / width, 0.0, 1.0)
    u = 1 - t
    log = value_top * u * u * (1 + 2 * t) + value_bottom * t * t * (1 + 2 * u)
    log = log + width * t * u * (slope_top * u - slope_bottom * t)
    log = log + slope_bottom * jnp.maximum(z - bottom[cell], 0.0)
    return jnp.where((z >= 0) & (z <= floor), jnp.exp(log), jnp.nan)
