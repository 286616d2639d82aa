"""Damage at many fluences from one solution of the heat equation, which is linear in fluence until water boils."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..heat.column import Column, Moment, Window, watch
from ..heat.timeline import Timeline
from ..heat.tissue import VALUES
from ..heat.validity import Validity
from .kinetics import Kinetics, log_rate

LIMIT = 80.0  # of ln rates and ln Omega: what 32-bit numbers hold; far beyond any grade of damage on either side
STRAIGHT = 1e-2  # difference of ln rates below which the mean of two rates is the arithmetic one


class Swept(NamedTuple):
    """log_omega: (fluences, cells, columns), at least -80. peak: highest temperature, C, (fluences, columns).

    overheated: where that is above the boiling point, so that neither holds. validity: of the course without light.
    """

    log_omega: Array
    peak: Array
    overheated: Array
    validity: Validity


class Seen(NamedTuple):
    """What is carried from step to step; arrays (fluences, cells, columns), fluences (fluences, 1 or columns)."""

    of: Kinetics
    fluences: Array
    log_rate: Array
    rate: Array
    omega: Array
    peak: Array


def sweep(
    skin: Column, course: Timeline, of: Kinetics, fluences: ArrayLike, cells: int | None = None,
    cover: Window | None = None,
) -> Swept:  # fmt: skip
    """Damage and highest temperature of each column at each fluence.

    Args:
      fluences: J/cm2, (fluences,) or (fluences, columns). cells: to follow damage in, from the surface; else all.

    Raises:
      ValueError: a negative fluence, a number of cells that the column does not have.
    """
    dtype = skin.start.dtype
    given = np.asarray(fluences, float)
    given = given[:, None] if given.ndim == 1 else given
    count = len(skin.start) if cells is None else cells
    if given.ndim != 2 or given.shape[1] not in (1, skin.start.shape[1]):
        raise ValueError(f"fluences: expected (fluences,) or (fluences, {skin.start.shape[1]}), got {given.shape}")
    if not (np.isfinite(given) & (given >= 0)).all():
        raise ValueError(f"fluences: expected 0 or more J/cm2, got {given.min()}")
    if not 0 < count <= len(skin.start):
        raise ValueError(f"cells: expected 1 to {len(skin.start)}, got {cells}")
    own = Kinetics(jnp.asarray(of.log_rate, dtype), jnp.asarray(of.activation, dtype), of.name)
    begin = jnp.broadcast_to(skin.start[None, :count], (len(given), count, skin.start.shape[1]))
    first = jnp.clip(log_rate(own, begin), -LIMIT, LIMIT)
    peak = jnp.broadcast_to(skin.start.max(0)[None, :], (len(given), skin.start.shape[1]))
    seen = Seen(own, jnp.asarray(given, dtype), first, jnp.exp(first), jnp.zeros_like(first), peak)
    seen, validity = watch(skin, course, None, _add, seen, cover)
    log_omega = jnp.log(jnp.clip(seen.omega, float(np.exp(-LIMIT)), None))
    return Swept(log_omega, seen.peak, seen.peak > VALUES["boiling.temperature"], validity)


def _add(seen: Seen, moment: Moment) -> Seen:
    """The mean of two rates whose logarithm runs straight is their difference over that of the logarithms."""
    base, rise = moment.after[None, :, 0], moment.after[None, :, 1]
    temperature = base + seen.fluences[:, None, :] * rise
    now = jnp.clip(log_rate(seen.of, temperature[:, : seen.rate.shape[1]]), -LIMIT, LIMIT)
    rate = jnp.exp(now)
    gap = now - seen.log_rate
    straight = jnp.abs(gap) < STRAIGHT
    mean = jnp.where(straight, (rate + seen.rate) / 2, (rate - seen.rate) / jnp.where(straight, 1.0, gap))
    omega = seen.omega + mean * moment.step.reshape(1, 1, -1)
    return Seen(seen.of, seen.fluences, now, rate, omega, jnp.maximum(seen.peak, temperature.max(1)))
