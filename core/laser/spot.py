"""What a finite spot loses to its sides: fluence on the axis of a flat round beam, over that of a broad one.

Diffusion in layers. A flat disc is a sum of ripples across the skin, each of which decays on its own; light that is not
yet scattered keeps to the spot. The sum is that of a wide cylinder with black walls (Fourier and Bessel).
"""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy import special

from .layers import Layers, check, indices

MARGIN = 25.0  # from the edge of the spot to the wall of the cylinder, mm
FINEST = 8.0  # ripples per mm
EDGE = 0.1  # blur of the edge of the spot, mm, which keeps the sum from ringing
PARTS = 16  # cells of a layer
RIGID = 0.2  # share of absorption in the diffusion coefficient, which makes its decay that of transport [aronson1999]
DEEP = 10.0  # decay lengths to which a layer is followed


def spot_factor(
    layers: Layers,
    diameters: np.ndarray | list[float],
    depths: np.ndarray | list[float],
    n_above: float = 1.0,
    n_below: float = 1.0,
) -> Array:
    """Fluence on the axis over that of a broad beam of the same irradiance, (..., diameters, depths).

    Args:
      layers: stacks of any batch shape, mm and 1/mm. diameters: of the spot, mm. depths: mm.

    Raises:
      ValueError: a diameter not above 0, a depth below 0, or what is no stack (`layers.check`).
    """
    check(layers, n_above, n_below)
    across, down = np.atleast_1d(np.asarray(diameters, dtype=float)), np.atleast_1d(np.asarray(depths, dtype=float))
    if not (np.isfinite(across).all() and (across > 0).all()):
        raise ValueError(f"diameters: {across}; expected numbers above 0 mm")
    if not (np.isfinite(down).all() and (down >= 0).all()):
        raise ValueError(f"depths: {down}; expected numbers of at least 0 mm")
    inside = indices(layers)
    shape = jnp.broadcast_shapes(*(np.shape(x) for x in layers[:4]), (len(inside),))
    fields = [jnp.broadcast_to(jnp.asarray(x, dtype="float64"), shape).reshape(-1, shape[-1]) for x in layers[:4]]
    found = _factor(
        fields, jnp.asarray(down), tuple(float(d) for d in across), (inside[0] / n_above, inside[-1] / n_below)
    )
    return found.reshape(*shape[:-1], len(across), len(down))


@lru_cache(maxsize=256)
def _ripples(diameter: float) -> tuple[np.ndarray, np.ndarray]:
    """Ripples per mm, and how much of each is in a flat disc, on its axis."""
    radius, wall = diameter / 2, diameter / 2 + MARGIN
    zeros = special.jn_zeros(0, int(FINEST * wall / np.pi))
    k = zeros / wall
    share = 2 * radius * special.j1(k * radius) / (zeros * wall * special.j1(zeros) ** 2)
    return k, share * np.exp(-((k * EDGE) ** 2) / 2)


@partial(jax.jit, static_argnums=(2, 3))
def _factor(fields: list[Array], depths: Array, diameters: tuple[float, ...], relative: tuple[float, float]) -> Array:
    def one(stack: list[Array]) -> Array:
        wide, beam = _scattered(stack, depths, jnp.zeros(1), relative)
        factors = []
        for diameter in diameters:
            k, share = _ripples(diameter)
            ripples, _ = _scattered(stack, depths, jnp.asarray(k), relative)
            lit = jnp.sum(jnp.asarray(share)[:, None] * ripples, axis=0)
            factors.append((lit + beam) / (wide[0] + beam))
        return jnp.clip(jnp.stack(factors), 0.0, 1.0)

    return lax.map(one, fields)


def _scattered(stack: list[Array], depths: Array, k: Array, relative: tuple[float, float]) -> tuple[Array, Array]:
    """Scattered fluence of each ripple (ripples, depths), and the fluence of the beam (depths,), at unit irradiance."""
    thickness, absorption, scattering, g = stack
    reduced = scattering * (1 - g)
    total = absorption + reduced
    stiff = reduced + RIGID * absorption  # one over three times the diffusion coefficient
    decay = jnp.sqrt(3 * absorption * stiff + 1e-12)
    reached = jnp.minimum(thickness, DEEP / jnp.minimum(decay, total + 1e-12) + 5 / (total + 1e-12))
    grading = (1 - np.cos(np.linspace(0, np.pi, PARTS + 1))) / 2  # finer at both borders
    width = (reached[:, None] * jnp.asarray(np.diff(grading))[None]).reshape(-1)
    start = jnp.cumsum(jnp.concatenate([jnp.zeros(1), reached[:-1]]))
    edges = (start[:, None] + reached[:, None] * jnp.asarray(grading)[None]).reshape(-1, PARTS + 1)
    middle = ((edges[:, 1:] + edges[:, :-1]) / 2).reshape(-1)
    a, t, s, stiff = (jnp.repeat(x, PARTS) for x in (absorption, total, reduced, stiff))
    spread = 1 / (3 * stiff + 1e-9)
    depth = jnp.concatenate([jnp.zeros(1), jnp.cumsum(t * width)])  # optical, at edges
    source = s / t * (jnp.exp(-depth[:-1]) - jnp.exp(-depth[1:]))
    between = 1 / (width[:-1] / (2 * spread[:-1]) + width[1:] / (2 * spread[1:]))
    out = 1 / (width[0] / (2 * spread[0]) + 2 * _mirrored(relative[0]))
    left = jnp.concatenate([out[None], between])
    last = 1 / (width[-1] / (2 * spread[-1]) + 2 * _mirrored(relative[1]))
    right = jnp.concatenate([between, last[None]])
    main = (left + right)[:, None] + (width * a)[:, None] + (width * spread)[:, None] * (k**2)[None]
    fluence = _tridiagonal(left, right, main, source)
    at = jnp.clip(depths, middle[0], middle[-1])
    ripples = jax.vmap(lambda f: jnp.interp(at, middle, f))(fluence.T)
    passed = jnp.interp(depths, jnp.concatenate([jnp.zeros(1), edges[:, 1:].reshape(-1)]), depth)
    return ripples, jnp.exp(-passed)


def _mirrored(n: float) -> float:
    """By how much light mirrored at the surface from within lengthens the depth at which fluence goes to nothing."""
    if n <= 1:
        return 1.0
    share = -1.440 / n**2 + 0.710 / n + 0.668 + 0.0636 * n  # [groenhuis1983]
    return (1 + share) / (1 - share)


def _tridiagonal(left: Array, right: Array, main: Array, source: Array) -> Array:
    """Thomas' algorithm for symmetric links: left, right, source (cells,), main (cells, ripples)."""

    def down(carry: tuple[Array, Array], row: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        upper, value = carry
        l, r, m, s = row
        pivot = m - l * upper
        return (r / pivot, (s + l * value) / pivot), (r / pivot, (s + l * value) / pivot)

    nothing = jnp.zeros_like(main[0])
    _, (upper, value) = lax.scan(down, (nothing, nothing), (left, right, main, source))

    def up(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        here = row[1] + row[0] * after
        return here, here

    return lax.scan(up, nothing, (upper, value), reverse=True)[1]
