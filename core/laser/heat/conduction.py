r"""Heat among cells in a row: one implicit step in time, and boiling, for any geometry.

A cell stores heat (`storage`), gives it to its neighbours (`link`) and to surroundings of fixed temperature (`sink`):

$$C_i \dot T_i = L_i (T_{i-1} - T_i) + L_{i+1} (T_{i+1} - T_i) - S_i T_i + q_i$$

where $q$ holds sources and what comes from the surroundings. Cells are the first axis, columns the last and fast one.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from .tissue import VALUES

UNROLL = 4


class Row(NamedTuple):
    """storage, link (to the cell before; that of the first cell is 0) and sink, each (cells, ..., columns)."""

    storage: Array
    link: Array
    sink: Array


def flow(row: Row, temperature: Array) -> Array:
    """Heat that the links and the sinks bring to each cell."""
    across = row.link[1:] * (temperature[:-1] - temperature[1:])
    nothing = jnp.zeros_like(temperature[:1])
    return jnp.concatenate([nothing, across]) - jnp.concatenate([across, nothing]) - row.sink * temperature


def change(row: Row, temperature: Array, drive: Array, step: Array, implicitness: Array) -> Array:
    r"""Change of temperature over one step: $(C/\Delta t - \theta A) \Delta T = A T + q$.

    Solving for the change instead of the new temperature keeps digits in 32 bits when steps are short.

    Args:
      temperature, drive: (cells, ..., columns). step: broadcasts with one cell. implicitness: 1/2 to 1.
    """
    return implicit(row, flow(row, temperature) + drive, step, implicitness)


def implicit(row: Row, forcing: Array, step: Array, implicitness: Array) -> Array:
    r"""Solve $(C/\Delta t - \theta A) x$ = forcing."""
    off = implicitness * row.link
    after = jnp.concatenate([off[1:], jnp.zeros_like(off[:1])])
    return tridiagonal(off, row.storage / step[None] + off + after + implicitness * row.sink, after, forcing)


def tridiagonal(before: Array, diagonal: Array, after: Array, right: Array) -> Array:
    """Solve $-a_i x_{i-1} + b_i x_i - c_i x_{i+1} = d_i$ by Thomas' elimination; all of a, b, c are positive or 0."""

    def forward(carry: tuple[Array, Array], line: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        c, d = carry
        a, b, up, r = line
        pivot = 1 / (b - a * c)
        reduced = (up * pivot, (r + a * d) * pivot)
        return reduced, reduced

    def back(x: Array, line: tuple[Array, Array]) -> tuple[Array, Array]:
        c, d = line
        x = d + c * x
        return x, x

    start = (jnp.zeros_like(diagonal[0]), jnp.zeros_like(right[0]))
    _, reduced = lax.scan(forward, start, (before, diagonal, after, right), unroll=UNROLL)
    _, x = lax.scan(back, jnp.zeros_like(right[0]), reduced, reverse=True, unroll=UNROLL)
    return x


class Boiling(NamedTuple):
    """Temperature after heat above the boiling point has gone into vapour, and the vapour's heat, J/cm3."""

    temperature: Array
    vapour: Array


def boiled(temperature: Array, vapour: Array, capacity: Array, latent: Array) -> Boiling:
    """Put heat beyond the boiling point into vapour, or take it back [apparent heat capacity, in its integral form].

    Between the boiling point and `boiling.width` above it water takes its latent heat in proportion; the map from
    enthalpy to temperature is inverted exactly, so no step can jump over the change of phase.

    Args:
      temperature: as if nothing had boiled in this step, C. vapour: heat in vapour before it, J/cm3.
      capacity: J/cm3/K. latent: heat that all water takes, J/cm3.
    """
    point, width = VALUES["boiling.temperature"], VALUES["boiling.width"]
    heat = capacity * (temperature - point) + vapour
    whole = capacity * width + latent
    wet = heat * width / whole
    above = jnp.where(heat <= 0, heat / capacity, jnp.where(heat < whole, wet, (heat - latent) / capacity))
    taken = jnp.where(heat <= 0, 0.0, jnp.maximum(heat - capacity * above, 0.0))
    return Boiling(point + above, jnp.minimum(taken, latent))
