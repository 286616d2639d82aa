"""A column of skin under light and cooling: bioheat in depth, for many columns at once.

$$\\rho c\\,\\dot T = (k T_z)_z + \\omega \\rho_b c_b (T_b - T) + F\\,a(z)\\,p(t)$$

Finite volumes; Crank-Nicolson, damped after each edge of the timeline. A column's fluence enters linearly while nothing
boils: `respond` gives the history for one J/cm2 once, and `scaled` that of any fluence.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import Tracer

from .conduction import Row, boiled, change
from .timeline import Timeline
from .tissue import VALUES, Thermal
from .validity import Extremes, Validity, judged, start, widened

PER_CM3 = 1e3  # J/cm3 in J/mm3
WINDOW_CELLS = 10
WINDOW_FINEST = 0.05  # mm, next to the skin


class Column(NamedTuple):
    """Skin from the surface down. All of one float type; (cells, columns) unless said.

    width: of cells, mm, (cells, columns) or (cells, 1). tissue: properties. absorbed: heat, J/mm3 for each J/cm2 of
    fluence. perfusion: blood flow, 1/s. start: temperature, C. core: of blood and of the body below, C, (columns,).
    """

    width: Array
    tissue: Thermal
    absorbed: Array
    perfusion: Array
    start: Array
    core: Array


class Window(NamedTuple):
    """A sapphire window on the skin, each (columns,): thickness mm, start and coolant temperature C, conductance to the
    coolant kW/m2/K."""

    thickness: Array
    start: Array
    coolant: Array
    back: Array


class Run(NamedTuple):
    """Temperatures, C: (steps + 1, cells, columns); at the surface (steps, columns). boiled: largest share of the
    water of a cell that was vapour, (columns,)."""

    temperature: Array
    surface: Array
    boiled: Array
    validity: Validity


class Response(NamedTuple):
    """Temperatures without light, C, their rise for each J/cm2, K; (steps + 1, cells, columns), (steps, columns)."""

    base: Array
    rise: Array
    base_surface: Array
    rise_surface: Array
    validity: Validity


class Moment(NamedTuple):
    """One step, as an observer sees it.

    before, after: (cells, 1, columns), C; when responses are watched (cells, 2, columns), without light and rise for
    each J/cm2. surface: (1 or 2, columns). step: s, (columns,) or (1,).
    """

    before: Array
    after: Array
    surface: Array
    step: Array


Observer = Callable[[Any, Moment], Any]


def column(
    width: Any, tissue: Thermal, absorbed: Any, perfusion: Any = None, start: Any = None, dtype: str = "float64"
) -> Column:
    """A checked column; without `start` skin that warms in proportion to depth from its surface to the core.

    Args:
      width: mm, (cells,), or (cells, columns). tissue, absorbed, perfusion, start: (cells, columns) or (cells, 1).

    Raises:
      ValueError: shapes that do not fit, values that are not finite, or not positive where they must be.
    """
    width = np.asarray(width, float)
    width = width[:, None] if width.ndim == 1 else width
    absorbed = np.asarray(absorbed, float)
    cells = len(width)
    n = max(np.shape(value)[-1] for value in (width, absorbed, *tissue))
    depth = np.cumsum(width, 0) - width / 2
    cool, core = VALUES["surface.temperature"], VALUES["blood.temperature"]
    perfusion = VALUES["skin.perfusion"] * np.ones((cells, 1)) if perfusion is None else np.asarray(perfusion, float)
    start = cool + (core - cool) * depth / width.sum(0) if start is None else np.asarray(start, float)
    named = {
        "width": (width, True), "conductivity": (tissue.conductivity, True), "capacity": (tissue.capacity, True),
        "water": (tissue.water, False), "absorbed": (absorbed, False), "perfusion": (perfusion, False),
    }  # fmt: skip
    for name, (value, positive) in named.items():
        value = np.asarray(value)
        if value.shape not in ((cells, n), (cells, 1)):
            raise ValueError(f"{name}: expected the shape ({cells}, {n}) or ({cells}, 1), got {value.shape}")
        if not np.isfinite(value).all() or (value < 0).any() or (positive and (value == 0).any()):
            kind = "positive" if positive else "0 or positive"
            raise ValueError(f"{name}: expected finite numbers, {kind}, got {value.min()} to {value.max()}")
    if start.shape not in ((cells, n), (cells, 1)) or not np.isfinite(start).all():
        raise ValueError(f"start: expected finite temperatures of the shape ({cells}, {n}), got {start.shape}")

    def full(value: Any) -> Array:
        return jnp.asarray(np.broadcast_to(np.asarray(value), (cells, n)), dtype)

    return Column(
        jnp.asarray(width, dtype), Thermal(*map(full, tissue)), full(absorbed), full(perfusion), full(start),
        jnp.full((n,), core, dtype),
    )  # fmt: skip


def window(temperature: Any, columns: int, thickness: Any = None, back: Any = None, dtype: str = "float64") -> Window:
    """A window of sapphire at the temperature of its coolant, C; thickness mm, `back` kW/m2/K, else as in the table.

    Raises:
      ValueError: a thickness that is not positive, a negative conductance.
    """
    thickness = VALUES["sapphire.thickness"] if thickness is None else thickness
    back = VALUES["sapphire.back"] if back is None else back
    if not (np.asarray(thickness) > WINDOW_CELLS * WINDOW_FINEST).all() or not (np.asarray(back) >= 0).all():
        raise ValueError(
            f"window: expected a thickness above {WINDOW_CELLS * WINDOW_FINEST} mm and a conductance of 0 or more, "
            f"got {thickness} mm, {back} kW/m2/K"
        )

    def full(value: Any) -> Array:
        return jnp.broadcast_to(jnp.asarray(value, dtype), (columns,))

    return Window(full(thickness), full(temperature), full(temperature), full(back))


def simulate(skin: Column, course: Timeline, fluence: Any, cover: Window | None = None, boiling: bool = True) -> Run:
    """Temperatures under a fluence, J/cm2, (columns,), at all steps.

    Raises:
      ValueError: a negative fluence, or a timeline or fluence for another number of columns.
    """
    fluence = _checked(skin, course, fluence)
    (temperature, surface), _, extremes = _march(skin, _clock(skin, course), cover, fluence, None, None, boiling, True)
    return Run(
        jnp.concatenate([skin.start[None], temperature[:, :, 0]]), surface[:, 0], extremes.boiled,
        judged(extremes, boiling),
    )  # fmt: skip


def watch(
    skin: Column, course: Timeline, fluence: Any, observe: Observer, seen: Any, cover: Window | None = None,
    boiling: bool = True,
) -> tuple[Any, Validity]:  # fmt: skip
    """What an observer makes of all steps, without keeping them: `seen = observe(seen, moment)` after each.

    Args:
      fluence: J/cm2, (columns,); None to watch responses (see `Moment`), in which nothing boils.
      observe: a function of the module level (it is compiled once); its numbers belong into `seen`.
    """
    fluence = None if fluence is None else _checked(skin, course, fluence)
    _checked(skin, course, 0.0)
    counted = boiling and fluence is not None
    _, seen, extremes = _march(skin, _clock(skin, course), cover, fluence, observe, seen, counted, False)
    return seen, judged(extremes, counted)


def respond(skin: Column, course: Timeline, cover: Window | None = None) -> Response:
    """Temperatures without light and their rise for each J/cm2; valid while nothing boils."""
    _checked(skin, course, 0.0)
    (temperature, surface), _, extremes = _march(skin, _clock(skin, course), cover, None, None, None, False, True)
    rise = jnp.concatenate([jnp.zeros_like(skin.start)[None], temperature[:, :, 1]])
    return Response(
        jnp.concatenate([skin.start[None], temperature[:, :, 0]]), rise, surface[:, 0], surface[:, 1],
        judged(extremes, False),
    )  # fmt: skip


def scaled(response: Response, fluence: Any) -> Run:
    """Temperatures at a fluence, J/cm2, (columns,), from the response to one; `overheated` where water would boil.

    Raises:
      ValueError: a negative fluence.
    """
    fluence = jnp.broadcast_to(jnp.asarray(fluence, response.rise.dtype), response.rise.shape[-1:])
    if not bool((fluence >= 0).all()):
        raise ValueError(f"fluence: expected 0 or more J/cm2, got {float(fluence.min())}")
    temperature = response.base + fluence[None, None, :] * response.rise
    extremes = start(temperature)
    return Run(
        temperature, response.base_surface + fluence[None, :] * response.rise_surface, extremes.boiled,
        judged(extremes, False),
    )  # fmt: skip


def _checked(skin: Column, course: Timeline, fluence: Any) -> Array:
    n = skin.start.shape[-1]
    if course.step.shape[1] not in (1, n):
        raise ValueError(f"timeline: made for {course.step.shape[1]} columns, there are {n}")
    if np.shape(fluence) not in ((), (1,), (n,)):
        raise ValueError(f"fluence: expected one number or {n}, got the shape {np.shape(fluence)}")
    if not isinstance(fluence, Tracer) and not (np.isfinite(fluence).all() and (np.asarray(fluence) >= 0).all()):
        raise ValueError(f"fluence: expected 0 or more J/cm2, got {np.min(fluence)}")
    return jnp.broadcast_to(jnp.asarray(fluence, skin.start.dtype), (n,))


def _clock(skin: Column, course: Timeline) -> tuple[Array, ...]:
    parts = (course.step, course.implicitness, course.pulse, course.coefficient, course.coolant, course.contact)
    return tuple(jnp.asarray(part, skin.start.dtype) for part in parts)


def _covered(skin: Column, cover: Window | None) -> tuple[Array, Array, Array, Array]:
    """Widths, conductivities, capacities and start of window and skin together, (cells, columns)."""
    n, dtype = skin.start.shape[-1], skin.start.dtype
    parts = jnp.broadcast_to(skin.width, skin.start.shape), skin.tissue.conductivity, skin.tissue.capacity, skin.start
    if cover is None:
        return parts
    ramp = jnp.asarray(np.arange(WINDOW_CELLS)[::-1].copy(), dtype)[:, None]  # coarse at the back, fine at the skin
    slope = 2 * (cover.thickness - WINDOW_CELLS * WINDOW_FINEST) / (WINDOW_CELLS * (WINDOW_CELLS - 1))
    width = WINDOW_FINEST + slope[None, :] * ramp
    sapphire = [jnp.full((WINDOW_CELLS, n), VALUES[f"sapphire.{name}"], dtype) for name in ("conductivity", "capacity")]
    first = jnp.broadcast_to(cover.start[None, :], (WINDOW_CELLS, n))
    return tuple(jnp.concatenate(pair) for pair in zip((width, *sapphire, first), parts, strict=True))  # type: ignore[return-value]


@partial(jax.jit, static_argnames=("observe", "boiling", "keep"))
def _march(
    skin: Column, clock: tuple[Array, ...], cover: Window | None, fluence: Array | None, observe: Observer | None,
    seen: Any, boiling: bool, keep: bool,
) -> tuple[Any, Any, Extremes]:  # fmt: skip
    """All steps. Row 0 of the middle axis is the temperature, row 1, without a fluence, the rise for one J/cm2."""
    width, conductivity, capacity, first = _covered(skin, cover)
    top = len(width) - len(skin.width)  # the first cell of skin
    half = width / (2 * conductivity)
    link = jnp.concatenate([jnp.zeros_like(half[:1]), 1 / (half[1:] + half[:-1])])
    link = link.at[top].set(0.0)  # what the contact conducts is added at each step
    blood = VALUES["blood.capacity"] * skin.perfusion * width[top:]
    sink = jnp.zeros_like(link).at[top:].add(blood).at[-1].add(1 / half[-1])
    still = sink * skin.core[None, :]
    if cover is not None:
        back = cover.back / (1 + cover.back * half[0])
        sink, still = sink.at[0].add(back), still.at[0].add(back * cover.coolant)
    heat = jnp.zeros_like(link).at[top:].add(PER_CM3 * skin.absorbed * width[top:])
    latent = jnp.zeros_like(link).at[top:].add(VALUES["boiling.latent"] * skin.tissue.water)
    nothing = jnp.zeros_like(fluence if fluence is not None else skin.core)
    dose = jnp.stack([nothing, nothing + 1]) if fluence is None else fluence[None]
    lit = jnp.stack([still, jnp.zeros_like(still)], 1) if fluence is None else still[:, None]
    begin = jnp.stack([first, jnp.zeros_like(first)], 1) if fluence is None else first[:, None]

    def step(carry: tuple[Any, ...], now: tuple[Array, ...]) -> tuple[tuple[Any, ...], Any]:
        temperature, vapour, seen, extremes = carry
        dt, implicitness, pulse, coefficient, coolant, contact = now
        outside = coefficient / (1 + coefficient * half[top])
        bath = jnp.stack([coolant, jnp.zeros_like(coolant)]) if fluence is None else coolant[None]
        touch = contact / (1 + contact * (half[top - 1] + half[top])) if top else jnp.zeros_like(outside)
        row = Row((capacity * width)[:, None], link.at[top].add(touch)[:, None], sink.at[top].add(outside)[:, None])
        drive = lit + heat[:, None] * (pulse[None] * dose)[None]
        drive = drive.at[top].add(outside[None] * bath)
        after = temperature + change(row, temperature, drive, dt[None], implicitness)
        if boiling:
            after, vapour = boiled(after, vapour, capacity[:, None], latent[:, None])
        extremes = widened(extremes, after[top:, :1], vapour[top:] / jnp.maximum(latent[top:, None], 1.0))
        inflow = outside[None] * (bath - after[top])
        if top:
            inflow = inflow + touch[None] * (after[top - 1] - after[top])
        surface = _surface(after[top], after[top + 1], inflow, half[top][None], width[top], width[top + 1])
        moment = Moment(temperature[top:], after[top:], surface, dt)
        seen = seen if observe is None else observe(seen, moment)
        return (after, vapour, seen, extremes), ((moment.after, moment.surface) if keep else None)

    carry = (begin, jnp.zeros_like(first[:, None]), seen, start(begin[top:, :1]))
    (_, _, seen, extremes), history = lax.scan(step, carry, clock)
    return history, seen, extremes


def _surface(first: Array, second: Array, inflow: Array, half: Array, near: Array, next_: Array) -> Array:
    """Temperature at the surface: the parabola with two cells' means, (rows, columns), and the inflow's slope."""
    both = near + next_
    bend = (second - first + inflow * half * (both / near)[None]) / ((both**3 - near**3) / next_ - near**2)[None]
    return first + inflow * half - bend * near[None] ** 2
