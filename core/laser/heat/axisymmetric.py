r"""Heat around an axis, in radius and depth: the column of a fractional laser, a radio-frequency needle.

Alternating directions, which differ from the unsplit step by a term of second order:

$$(C/\Delta t - \theta A_r)(C/\Delta t - \theta A_z)\,\Delta T = (C/\Delta t)(A T + q)$$

The outer radius is insulated: in a pattern of columns it stands halfway between
two of them.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .column import PER_CM3, Moment, Observer
from .conduction import Row, boiled, flow, implicit
from .timeline import Timeline
from .tissue import VALUES, Thermal
from .validity import Extremes, Validity, judged, start, widened


class Cylinder(NamedTuple):
    """Tissue around an axis. All of one float type; (radii, depths, columns) unless said.

    radii, depths: edges of cells, mm, (radii + 1,), (depths + 1,); depth 0 need not be the first. tissue: properties.
    absorbed: heat, J/mm3 for each J. start: temperature, C. core: held below the last cell, C, (columns,).
    """

    radii: Array
    depths: Array
    tissue: Thermal
    absorbed: Array
    start: Array
    core: Array


class Run(NamedTuple):
    """temperature at the end, peak: the largest over time, C, (radii, depths, columns). seen: what an observer made."""

    temperature: Array
    peak: Array
    seen: Any
    validity: Validity


def volumes(radii: Any, depths: Any) -> Array:
    """Volumes of cells, mm3, (radii, depths)."""
    radii, depths = jnp.asarray(radii), jnp.asarray(depths)
    return jnp.pi * jnp.diff(radii**2)[:, None] * jnp.diff(depths)[None, :]


def check(around: Cylinder, course: Timeline, energy: Any) -> None:
    """Refuse what cannot be computed.

    Raises:
      ValueError: edges that do not rise, shapes that differ, values that are not finite or not positive.
    """
    for name, edges in (("radii", np.asarray(around.radii)), ("depths", np.asarray(around.depths))):
        if edges.ndim != 1 or not (np.diff(edges) > 0).all():
            raise ValueError(f"{name}: expected rising edges of cells in mm, got {edges}")
    if float(around.radii[0]) != 0:
        raise ValueError(f"radii: expected the first edge at 0, got {float(around.radii[0])}")
    shape = (len(around.radii) - 1, len(around.depths) - 1, len(np.atleast_1d(around.core)))
    fields = around.tissue._asdict() | {"absorbed": around.absorbed, "start": around.start}
    for name, value in fields.items():
        value = np.asarray(value)
        if value.shape != shape:
            raise ValueError(f"{name}: expected the shape {shape}, got {value.shape}")
        least = {"start": -np.inf, "absorbed": 0.0, "water": 0.0}.get(name, 1e-12)
        if not np.isfinite(value).all() or (value < least).any():
            raise ValueError(f"{name}: expected finite numbers of at least {least}, got {value.min()}")
    if not (np.asarray(energy) >= 0).all():
        raise ValueError(f"energy: expected 0 or more J, got {np.min(energy)}")
    if course.step.shape[1] not in (1, shape[2]):
        raise ValueError(f"timeline: made for {course.step.shape[1]} columns, there are {shape[2]}")


def simulate(
    around: Cylinder, course: Timeline, energy: Any, observe: Observer | None = None, seen: Any = None,
    boiling: bool = True,
) -> Run:  # fmt: skip
    """Temperatures under an energy, J, (columns,) or a number, of light or current.

    Args:
      observe: as in `column.watch`; its moments are (radii, depths, columns), their surface the first cells.
    """
    check(around, course, energy)
    dtype = around.start.dtype
    energy = jnp.broadcast_to(jnp.asarray(energy, dtype), around.core.shape)
    parts = (course.step, course.implicitness, course.pulse, course.coefficient, course.coolant)
    clock = tuple(jnp.asarray(part, dtype) for part in parts)
    temperature, peak, seen, extremes = _march(around, clock, energy, observe, seen, boiling)
    return Run(temperature, peak, seen, judged(extremes, boiling))


@partial(jax.jit, static_argnames=("observe", "boiling"))
def _march(
    around: Cylinder, clock: tuple[Array, ...], energy: Array, observe: Observer | None, seen: Any, boiling: bool
) -> tuple[Array, Array, Any, Extremes]:
    radii, depths, conductivity = around.radii, around.depths, around.tissue.conductivity
    volume = volumes(radii, depths)[:, :, None]
    storage = around.tissue.capacity * volume
    outward = _outward(radii, jnp.diff(depths), conductivity)
    half = jnp.diff(depths)[None, :, None] / (2 * conductivity)
    floor = (jnp.pi * jnp.diff(radii**2))[:, None, None]
    inward = jnp.concatenate([jnp.zeros_like(half[:, :1]), floor / (half[:, 1:] + half[:, :-1])], 1)
    deep = floor[:, 0] / half[:, -1]
    heat = PER_CM3 * around.absorbed * volume * energy[None, None, :]
    latent = VALUES["boiling.latent"] * around.tissue.water
    across = Row(storage, outward, jnp.zeros_like(storage))

    def step(carry: tuple[Any, ...], now: tuple[Array, ...]) -> tuple[tuple[Any, ...], None]:
        temperature, vapour, peak, seen, extremes = carry
        dt, implicitness, pulse, coefficient, coolant = now
        outside = floor[:, 0] * coefficient[None] / (1 + coefficient[None] * half[:, 0])
        sink = jnp.zeros_like(storage).at[:, 0].add(outside).at[:, -1].add(deep)
        down = Row(*(part.swapaxes(0, 1) for part in (storage, inward, sink)))
        drive = heat * pulse[None, None]
        drive = drive.at[:, 0].add(outside * coolant[None]).at[:, -1].add(deep * around.core[None, :])
        forcing = flow(across, temperature) + flow(down, temperature.swapaxes(0, 1)).swapaxes(0, 1) + drive
        half_way = implicit(across, forcing, dt[None], implicitness) * storage / dt[None, None]
        after = temperature + implicit(down, half_way.swapaxes(0, 1), dt[None], implicitness).swapaxes(0, 1)
        if boiling:
            after, vapour = boiled(after, vapour, around.tissue.capacity, latent)
        seen = seen if observe is None else observe(seen, Moment(temperature, after, after[:, 0], dt))
        extremes = widened(extremes, after, vapour / jnp.maximum(latent, 1.0))
        return (after, vapour, jnp.maximum(peak, after), seen, extremes), None

    carry = (around.start, jnp.zeros_like(storage), around.start, seen, start(around.start))
    (temperature, _, peak, seen, extremes), _ = lax.scan(step, carry, clock)
    return temperature, peak, seen, extremes


def _outward(radii: Array, thick: Array, conductivity: Array) -> Array:
    """Conductances between rings, (radii, depths, columns); that of the first is 0."""
    middle = (radii[1:] + radii[:-1]) / 2
    before = jnp.log(radii[1:-1] / middle[:-1])[:, None, None] / conductivity[:-1]
    behind = jnp.log(middle[1:] / radii[1:-1])[:, None, None] / conductivity[1:]
    link = 2 * jnp.pi * thick[None, :, None] / (before + behind)
    return jnp.concatenate([jnp.zeros_like(conductivity[:1]), link])
