"""A warm vessel, hair follicle or gland: heat that leaves a cylinder or a sphere for the tissue around it.

What is computed is the rise above the tissue's own temperature, which a column gives: conduction is linear, so the two
add up. The source is what the absorber takes beyond its surroundings.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from .column import PER_CM3
from .conduction import Row, change
from .timeline import Timeline

INSIDE = 24  # cells of the absorber
OUTSIDE = 36  # cells around it
REACH = 60.0  # radius of the outer edge over that of the absorber, where the rise is held at 0
FAR = 0.01  # rise next to that edge, over the largest one, at which a result is marked


class Body(NamedTuple):
    """An absorber in tissue; each (columns,), of one float type.

    radius: mm (half the thickness of a slab). conductivity, capacity: its own, W/m/K, J/cm3/K; around, of the tissue.
    absorbed: heat that it takes beyond its surroundings, J/mm3 for each J/cm2 of fluence at the skin.
    """

    radius: Array
    conductivity: Array
    capacity: Array
    conductivity_around: Array
    capacity_around: Array
    absorbed: Array


class Rise(NamedTuple):
    """Rise of temperature for each J/cm2, K; middles of cells in mm, (cells, columns).

    cells: (steps + 1, cells, columns). centre, mean: of the absorber; wall: at its edge; (steps + 1, columns).
    reached: heat came to the outer edge, where it is lost, (columns,). lost: not finite.
    """

    middles: Array
    cells: Array
    centre: Array
    mean: Array
    wall: Array
    reached: Array
    lost: Array


def averaging(absorption: ArrayLike, radius: ArrayLike) -> Array:
    r"""Absorption of a cylinder over that of the same absorber finely spread, $(1 - e^{-2\mu R})/(2\mu R)$.

    As stated for blood vessels [svaasand1995, vanveen2002]. It is the mean over all chords of a cylinder in diffuse
    light with each chord replaced by their mean, 2R; the true mean is at most 6 % lower (see the tests).

    Args:
      absorption: of the absorber, 1/mm. radius: mm.
    """
    depth = 2 * jnp.asarray(absorption) * jnp.asarray(radius)
    thin = depth < 1e-4
    return jnp.where(thin, 1 - depth / 2, -jnp.expm1(-depth) / jnp.where(thin, 1.0, depth))


def averaging_sphere(absorption: ArrayLike, radius: ArrayLike) -> Array:
    r"""The same of a sphere in diffuse light, exact: $\frac{3}{2x}[1 - 2(1 - (1 + x)e^{-x})/x^2]$, $x = 2\mu R$."""
    x = 2 * jnp.asarray(absorption) * jnp.asarray(radius)
    thin = x < 1e-2
    safe = jnp.where(thin, 1.0, x)
    exact = 1.5 / safe * (1 - 2 * (1 - (1 + safe) * jnp.exp(-safe)) / safe**2)
    return jnp.where(thin, 1 - 3 * x / 8 + x**2 / 10, exact)


def unit_edges() -> np.ndarray:
    """Edges of cells for an absorber of radius 1."""
    inner = np.linspace(0, 1, INSIDE + 1)
    ratio, low, high = 1.0, 1.0, 2.0
    for _ in range(100):
        ratio = (low + high) / 2
        whole = (ratio ** np.arange(1, OUTSIDE + 1)).sum() / INSIDE
        low, high = (ratio, high) if whole < REACH - 1 else (low, ratio)
    return np.concatenate([inner, 1 + np.cumsum(ratio ** np.arange(1, OUTSIDE + 1)) / INSIDE])


def check(body: Body, course: Timeline, dimensions: int) -> None:
    """Refuse what cannot be computed.

    Raises:
      ValueError: dimensions other than 1 to 3, values that are not positive (absorbed: not finite), shapes that differ.
    """
    if dimensions not in (1, 2, 3):
        raise ValueError(f"dimensions: expected 1 (slab), 2 (cylinder) or 3 (sphere), got {dimensions}")
    shape = np.shape(body.radius)
    for name, value in body._asdict().items():
        value = np.asarray(value)
        if value.shape != shape or value.ndim != 1:
            raise ValueError(f"{name}: expected the shape (columns,) of radius, {shape}, got {value.shape}")
        if not np.isfinite(value).all() or (name != "absorbed" and (value <= 0).any()):
            raise ValueError(f"{name}: expected finite positive numbers, got {value.min()} to {value.max()}")
    if course.step.shape[1] not in (1, *shape):
        raise ValueError(f"timeline: made for {course.step.shape[1]} columns, there are {shape[0]}")


def rise(body: Body, course: Timeline, dimensions: int, initial: float = 0.0) -> Rise:
    """Rise of temperature for each J/cm2 over the steps of a timeline (its surfaces do not matter here).

    Args:
      dimensions: 1 slab, 2 cylinder, 3 sphere. initial: rise of the absorber at time 0, K.
    """
    check(body, course, dimensions)
    clock = tuple(jnp.asarray(part, body.radius.dtype) for part in (course.step, course.implicitness, course.pulse))
    return _rise(body, clock, dimensions, jnp.asarray(initial, body.radius.dtype))


def at(found: Rise, radius: ArrayLike) -> Array:
    """The rise at a distance from the middle, mm, (columns,): linear between cells, (steps + 1, columns).

    Raises:
      ValueError: a distance beyond the cells.
    """
    middles = found.middles
    radius = jnp.broadcast_to(jnp.asarray(radius, middles.dtype), middles[0].shape)
    if not bool(((radius >= 0) & (radius <= middles[-1])).all()):
        raise ValueError(f"radius: expected 0 to {float(middles[-1].min()):.4g} mm, got {float(radius.max()):.4g}")
    one: Callable[[Array, Array, Array], Array] = jax.vmap(jnp.interp, (None, None, 0))
    return jax.vmap(one, (0, 1, 2), 1)(radius, middles, found.cells)


def centroids(edges: Array, dimensions: int) -> Array:
    """Radii that stand for the mean temperature of cells: their centres of volume."""
    d = dimensions
    return jnp.diff(edges ** (d + 1), axis=0) / jnp.diff(edges**d, axis=0) * (d / (d + 1))


@partial(jax.jit, static_argnames="dimensions")
def _rise(body: Body, clock: tuple[Array, ...], dimensions: int, initial: Array) -> Rise:
    edges = jnp.asarray(unit_edges(), body.radius.dtype)[:, None] * body.radius[None, :]
    inside = (jnp.arange(INSIDE + OUTSIDE) < INSIDE)[:, None]
    conductivity = jnp.where(inside, body.conductivity[None, :], body.conductivity_around[None, :])
    capacity = jnp.where(inside, body.capacity[None, :], body.capacity_around[None, :])
    volume = jnp.diff(edges**dimensions, axis=0) / dimensions
    middle = centroids(edges, dimensions)
    outer = (_potential(edges[1:], dimensions) - _potential(middle, dimensions)) / conductivity  # resistances
    inner = (_potential(middle[1:], dimensions) - _potential(edges[1:-1], dimensions)) / conductivity[1:]
    link = jnp.concatenate([jnp.zeros_like(outer[:1]), 1 / (outer[:-1] + inner)])
    row = Row(capacity * volume, link, jnp.zeros_like(link).at[-1].set(1 / outer[-1]))
    heat = jnp.where(inside, PER_CM3 * body.absorbed[None, :] * volume, 0.0)

    def step(temperature: Array, now: tuple[Array, ...]) -> tuple[Array, Array]:
        dt, implicitness, pulse = now
        after = temperature + change(row, temperature, heat * pulse[None], dt, implicitness)
        return after, after

    begin = jnp.where(inside, initial, 0.0) * jnp.ones_like(volume)
    _, history = lax.scan(step, begin, clock)
    cells = jnp.concatenate([begin[None], history])
    share = volume[:INSIDE] / volume[:INSIDE].sum(0)[None, :]
    wall = (
        cells[:, INSIDE - 1] - (cells[:, INSIDE - 1] - cells[:, INSIDE]) * (link[INSIDE] * outer[INSIDE - 1])[None, :]
    )
    near, next_ = middle[0] ** 2, middle[1] ** 2  # flat at the centre
    centre = cells[:, 0] - (cells[:, 1] - cells[:, 0]) * (near / (next_ - near))[None, :]
    top = jnp.abs(cells).max((0, 1))
    return Rise(
        middle, cells, centre, (share[None] * cells[:, :INSIDE]).sum(1), wall,
        jnp.abs(cells[:, -1]).max(0) > FAR * top, ~jnp.isfinite(cells).all((0, 1)),
    )  # fmt: skip


def _potential(radius: Array, dimensions: int) -> Any:
    """Thermal resistance from some fixed radius, times the conductivity."""
    return {1: lambda r: r, 2: jnp.log, 3: lambda r: -1 / r}[dimensions](radius)
