"""Photons followed one by one through layers: slow, and free of the approximations of `light`, so its reference.

Weighted photons with Henyey-Greenstein scattering, Fresnel's mirror at each interface and roulette [wang1995]. A lane
follows one photon after another. All draws are addressed by the number of the photon and of its step, so a photon's
path depends neither on lanes nor on how many others there are.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..keys import stream
from .layers import Layers, check

LANES = 2048
GROUPS = 16  # of lanes, whose tallies of fluence give its error
FAINT = 1e-4  # weight from which a photon has to win at roulette
CHANCE = 0.1  # of winning


class Tally(NamedTuple):
    """Means over photons, and their standard errors in a second one.

    reflectance, with the surface's mirror, transmittance: (stacks,). absorbed: (stacks, layers).
    fluence: mean over each depth bin on the axis of each flat spot, over its irradiance, (stacks, spots, bins); a spot
    of infinite diameter is the broad beam.
    """

    reflectance: Array
    transmittance: Array
    absorbed: Array
    fluence: Array


class _Photon(NamedTuple):
    number: Array
    step: Array
    place: Array  # mm, (3, lanes)
    heading: Array  # (3, lanes)
    weight: Array
    layer: Array
    ahead: Array  # optical path to the next scattering


class _Sums(NamedTuple):
    back: Array  # (lanes,)
    through: Array
    absorbed: Array  # (layers, lanes)
    deposits: Array  # (groups, bins + 1, spots)


def simulate(
    key: Array,
    layers: Layers,
    photons: int,
    edges: np.ndarray | list[float],
    n_above: float = 1.0,
    n_below: float = 1.0,
    *,
    spots: tuple[float, ...] = (np.inf,),
) -> tuple[Tally, Tally]:
    """Send photons straight down into stacks of layers (stacks, layers) or one (layers,).

    Args:
      key: of all draws. photons: for each stack. edges: of the depth bins, mm, from 0 upwards.
      spots: diameters, mm, for the fluence; the pencil beam's spread gives that on the axis of a disc.

    Returns:
      means and their standard errors.

    Raises:
      ValueError: what is no stack, fewer photons than lanes need for an error, edges that do not rise.
    """
    check(layers, n_above, n_below)
    bins = np.asarray(edges, dtype=float)
    if photons < 2 * GROUPS:
        raise ValueError(f"photons: {photons}; expected at least {2 * GROUPS}")
    if bins.ndim != 1 or len(bins) < 2 or bins[0] < 0 or not (np.diff(bins) > 0).all():
        raise ValueError("edges: expected at least two depths that rise, mm")
    if not all(d > 0 for d in spots):
        raise ValueError(f"spots: {spots}; expected diameters above 0 mm")
    fields = [jnp.asarray(x, dtype="float64") for x in layers]
    shape = jnp.broadcast_shapes((1, 1), *(x.shape for x in fields))
    fields = [jnp.broadcast_to(x, shape) for x in fields]
    lanes = min(LANES, max(GROUPS, photons // 4)) // GROUPS * GROUPS
    one = partial(_follow, key, photons, lanes, jnp.asarray(bins), jnp.asarray(spots), float(n_above), float(n_below))
    return jax.vmap(one)(fields)


@partial(jax.jit, static_argnums=(1, 2))
def _follow(
    key: Array,
    photons: int,
    lanes: int,
    edges: Array,
    spots: Array,
    n_above: float,
    n_below: float,
    fields: list[Array],
) -> tuple[Tally, Tally]:
    thickness, *_, index = fields
    count, bins = thickness.shape[0], edges.shape[0] - 1
    mirrored = ((index[0] - n_above) / (index[0] + n_above)) ** 2
    photon = _start(jnp.arange(lanes), photons, mirrored)
    zero = jnp.zeros(lanes)
    sums = _Sums(zero, zero, jnp.zeros((count, lanes)), jnp.zeros((GROUPS, bins + 1, spots.shape[0])))
    photon = photon._replace(ahead=_path(key, photon))
    bounds = jnp.concatenate([jnp.zeros(1), jnp.cumsum(thickness)])
    indices = jnp.concatenate([jnp.asarray(n_above)[None], index, jnp.asarray(n_below)[None]])
    step = partial(_step, key, photons, mirrored, bounds, indices, edges, spots, fields)
    _, sums = lax.while_loop(lambda s: jnp.any(s[0].weight > 0), lambda s: step(*s), (photon, sums))

    shares = jnp.asarray(_shares(photons, lanes))
    groups = shares.reshape(-1, GROUPS).sum(axis=0)
    widths = jnp.diff(edges)
    local = sums.deposits[:, :-1] / (groups[:, None, None] * widths[None, :, None])

    def tally(values: Array) -> tuple[Array, Array]:
        """Mean and its error from lanes (..., lanes)."""
        mean = jnp.sum(values, axis=-1) / photons
        spare = values - mean[..., None] * shares.reshape((1,) * (values.ndim - 1) + (-1,))
        return mean, jnp.sqrt(jnp.sum(spare**2, axis=-1) * lanes / (lanes - 1)) / photons

    back, through, absorbed = (tally(x) for x in (sums.back, sums.through, sums.absorbed))
    fluence = jnp.mean(local, axis=0).T, (jnp.std(local, axis=0, ddof=1) / np.sqrt(GROUPS)).T
    means, errors = zip(back, through, absorbed, fluence, strict=True)
    return Tally(means[0] + mirrored, *means[1:]), Tally(*errors)


def _shares(photons: int, lanes: int) -> np.ndarray:
    """Photons that each lane follows."""
    return (photons - 1 - np.arange(lanes)) // lanes + 1.0


def _start(number: Array, photons: int, mirrored: Array) -> _Photon:
    """Photons at the surface, straight down; none beyond the last number."""
    zero = jnp.zeros(number.shape)
    weight = jnp.where(number < photons, 1 - mirrored, 0.0)
    return _Photon(
        number,
        jnp.zeros_like(number),
        jnp.stack([zero] * 3),
        jnp.stack([zero, zero, zero + 1]),
        weight,
        jnp.zeros_like(number),
        zero,
    )


def _draws(key: Array, photon: _Photon) -> Array:
    """Five uniform numbers above 0 for each lane's photon at its step, (5, lanes)."""

    def one(number: Array, step: Array) -> Array:
        return jax.random.uniform(stream(key, "photon", number, step), (5,), minval=1e-7, dtype="float32")

    return jax.vmap(one, out_axes=1)(photon.number, photon.step).astype("float64")


def _path(key: Array, photon: _Photon) -> Array:
    return -jnp.log(_draws(key, photon)[0])


def _step(
    key: Array,
    photons: int,
    mirrored: Array,
    bounds: Array,
    indices: Array,
    edges: Array,
    spots: Array,
    fields: list[Array],
    photon: _Photon,
    sums: _Sums,
) -> tuple[_Photon, _Sums]:
    """One move of each lane's photon: to its next scattering or to the border of its layer, whichever is nearer."""
    _, absorption, scattering, anisotropy, index = fields
    count, lanes = index.shape[0], photon.weight.shape[0]
    luck = _draws(key, photon._replace(step=photon.step + 1))
    mua, mus, g = (x[photon.layer] for x in (absorption, scattering, anisotropy))
    total = mua + mus
    down = photon.heading[2] > 0
    border = jnp.where(down, bounds[photon.layer + 1], bounds[photon.layer])
    slope = jnp.where(jnp.abs(photon.heading[2]) < 1e-9, jnp.where(down, 1e-9, -1e-9), photon.heading[2])
    reach = jnp.maximum((border - photon.place[2]) / slope, 0.0)
    crossing = reach * total <= photon.ahead
    length = jnp.where(crossing, reach, photon.ahead / jnp.maximum(total, 1e-12))
    place = photon.place + length[None] * photon.heading
    place = place.at[2].set(jnp.where(crossing, border, place[2]))

    turned, layer, escaped = _border(photon, crossing, down, indices, luck[1], count)
    back, through = escaped & ~down, escaped & down
    left = jnp.where(crossing, 0.0, photon.weight * mua / jnp.maximum(total, 1e-12))
    weight = jnp.where(escaped, 0.0, photon.weight - left)
    cell = jnp.clip(jnp.searchsorted(edges, place[2], side="right") - 1, -1, edges.shape[0] - 1)
    cell = jnp.where(cell < 0, edges.shape[0] - 1, cell)
    away = jnp.hypot(place[0], place[1])
    seen = jnp.where(away[:, None] <= spots[None] / 2, (left / jnp.maximum(mua, 1e-12))[:, None], 0.0)
    group = jnp.arange(lanes) % GROUPS
    sums = _Sums(
        sums.back + jnp.where(back, photon.weight, 0.0),
        sums.through + jnp.where(through, photon.weight, 0.0),
        sums.absorbed.at[photon.layer, jnp.arange(lanes)].add(left),
        sums.deposits.at[group, cell].add(seen),
    )
    heading = jnp.where(crossing[None], turned, _scatter(photon.heading, g, luck[2], luck[3]))
    faint = (weight < FAINT) & (weight > 0)
    weight = jnp.where(faint, jnp.where(luck[4] < CHANCE, weight / CHANCE, 0.0), weight)
    ahead = jnp.where(crossing, photon.ahead - reach * total, -jnp.log(luck[0]))
    moved = _Photon(photon.number, photon.step + 1, place, heading, weight, layer, jnp.maximum(ahead, 0.0))
    fresh = _start(photon.number + lanes, photons, mirrored)
    fresh = fresh._replace(ahead=_path(key, fresh))
    over = weight <= 0
    return jax.tree.map(lambda new, old: jnp.where(over if new.ndim == 1 else over[None], new, old), fresh, moved), sums


def _border(
    photon: _Photon, crossing: Array, down: Array, indices: Array, luck: Array, count: int
) -> tuple[Array, Array, Array]:
    """Heading and layer after a border, mirrored or bent, and whether the photon left the stack."""
    n_from = indices[photon.layer + 1]
    n_into = jnp.where(down, indices[photon.layer + 2], indices[photon.layer])
    cosine = jnp.abs(photon.heading[2])
    sine = n_from / n_into * jnp.sqrt(jnp.maximum(1 - cosine**2, 0.0))
    beyond = jnp.sqrt(jnp.maximum(1 - sine**2, 0.0))
    across = (n_from * cosine - n_into * beyond) / (n_from * cosine + n_into * beyond + 1e-12)
    along = (n_from * beyond - n_into * cosine) / (n_from * beyond + n_into * cosine + 1e-12)
    mirror = jnp.where(sine >= 1, 1.0, 0.5 * (across**2 + along**2))
    passed = crossing & (luck >= mirror)
    beyond = jnp.where(down, beyond, -beyond)
    bent = jnp.stack([photon.heading[0] * n_from / n_into, photon.heading[1] * n_from / n_into, beyond])
    back = photon.heading.at[2].multiply(-1.0)
    layer = photon.layer + jnp.where(passed, jnp.where(down, 1, -1), 0)
    escaped = passed & ((layer < 0) | (layer >= count))
    return jnp.where(passed[None], bent, back), jnp.clip(layer, 0, count - 1), escaped


def _scatter(heading: Array, g: Array, luck: Array, turn: Array) -> Array:
    """A new heading: Henyey-Greenstein about the old one."""
    small = jnp.abs(g) < 1e-4
    safe = jnp.where(small, 0.5, g)
    part = (1 - safe**2) / (1 - safe + 2 * safe * luck)
    cosine = jnp.clip(jnp.where(small, 2 * luck - 1, (1 + safe**2 - part**2) / (2 * safe)), -1, 1)
    sine, angle = jnp.sqrt(1 - cosine**2), 2 * jnp.pi * turn
    x, y, z = heading
    steep = jnp.sqrt(jnp.maximum(1 - z**2, 1e-12))
    a, b = sine * jnp.cos(angle), sine * jnp.sin(angle)
    upright = steep < 1e-5
    new = jnp.stack([
        jnp.where(upright, a, (x * z * a - y * b) / steep + x * cosine),
        jnp.where(upright, b, (y * z * a + x * b) / steep + y * cosine),
        jnp.where(upright, jnp.sign(z) * cosine, z * cosine - steep * a),
    ])  # fmt: skip
    return new / jnp.sqrt(jnp.sum(new**2, axis=0))[None]
