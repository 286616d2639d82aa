"""Adding and doubling: how slabs reflect and pass light, joined to stacks [vandehulst1980; prahl1993].

Light is the flux in each direction down and up. Matrices send fluxes to fluxes and have the shape (N, N, batch), the
batch last so that every operation runs along it. What passes a slab is kept as the change that the slab makes (`lost`,
the matrix of what passes less the identity) and what stays in it as a sum of positive terms, so that thin or
hardly absorbing slabs keep their digits, in 32 bits too.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax


class Slab(NamedTuple):
    """reflected, lost: (N, N, batch); absorbed: share of each incoming flux that stays, (N, batch). Same from below."""

    reflected: Array
    lost: Array
    absorbed: Array


def times(a: Array, b: Array) -> Array:
    """Products of matrices, (N, N, batch); a loop, since XLA is slow to compile the sum written out."""

    def add(total: Array, parts: tuple[Array, Array]) -> tuple[Array, None]:
        column, across = parts
        return total + column[:, None] * across[None], None

    return lax.scan(add, jnp.zeros_like(b), (jnp.moveaxis(a, 1, 0), b))[0]


def apply(a: Array, v: Array) -> Array:
    """Matrices on vectors: (N, N, batch) and (N, batch)."""
    return jnp.sum(a * v[None], axis=1)


def row(v: Array, a: Array) -> Array:
    """Rows through matrices: (N, batch) and (N, N, batch)."""
    return jnp.sum(v[:, None] * a, axis=0)


def solve(a: Array, b: Array) -> Array:
    """a^-1 b, for `a` near the identity; (N, N, batch) and (N, columns, batch)."""
    return lax.custom_linear_solve(
        lambda x: times(a, x),
        b,
        solve=lambda _, right: _eliminated(a, right),
        transpose_solve=lambda _, right: _eliminated(jnp.swapaxes(a, 0, 1), right),
    )


def _eliminated(a: Array, b: Array) -> Array:
    """Gauss-Jordan without exchange of rows: the diagonal leads. One loop, which compiles fast."""
    n = a.shape[0]

    def step(whole: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        i, own = row
        scaled = lax.dynamic_index_in_dim(whole, i, 0)
        scaled = scaled / lax.dynamic_index_in_dim(scaled, i, 1)
        factor = lax.dynamic_index_in_dim(whole, i, 1) - own  # of row i itself: what leaves it divided by its pivot
        scaled, factor = lax.optimization_barrier((scaled, factor))
        return whole - factor * scaled, None

    rows = (jnp.arange(n), jnp.eye(n, dtype=a.dtype)[:, :, None, None])
    return lax.scan(step, jnp.concatenate([a, b], axis=1), rows)[0][:, n:]


def identity(like: Array) -> Array:
    """The identity beside matrices (N, N, batch), as (N, N, 1)."""
    return jnp.eye(like.shape[0], dtype=like.dtype)[:, :, None]


def thin(same: Array, opposite: Array, loss: Array, absorbed: Array, thickness: Array) -> Slab:
    """A slab thin enough for a series in its thickness: errors are of the fifth power of it.

    The sum of fluxes down and up, p, and their difference, q, obey p' = -X q, q' = -Y p. Waves even and odd about the
    middle give what passes plus, and less, what is reflected.

    Args:
      same, opposite: light scattered from direction j to i per length, going on or turning back, (N, N, batch).
      loss, absorbed: light scattered or absorbed, and absorbed, per length, (N, batch).
      thickness: (batch,).
    """
    one = identity(same)
    half = thickness / 2
    rest = one * loss[None] - same
    X, Y = (rest + opposite) * half[None, None], (rest - opposite) * half[None, None]

    def outgoing(first: Array, second: Array) -> tuple[Array, Array]:
        square = times(first, second)
        integral = one + square / 6
        ahead = times(second, integral)
        inverse = solve(one + square / 2 + ahead, jnp.broadcast_to(one, square.shape))
        return -2 * times(ahead, inverse), times(integral, inverse)

    even, spread = outgoing(X, Y)
    odd, _ = outgoing(Y, X)
    return Slab((even - odd) / 2, (even + odd) / 2, row(2 * absorbed * half[None], spread))


def doubled(slab: Slab) -> Slab:
    """Two of the same slab on each other."""
    R, E, absorbed = slab
    square = times(R, R)
    echo = solve(identity(R) - square, square)  # of reflections between both, beside the light itself
    H = echo + E + times(echo, E)  # flux down in the middle, beside what came in
    RH = R + times(R, H)
    share = absorbed + row(absorbed, R)
    return Slab(R + RH + times(E, RH), H + E + times(E, H), absorbed + share + row(share, H))


def halvings(slab: Slab, doublings: int, levels: int) -> Slab:
    """A slab doubled `doublings` times, and that doubled on; each field with an axis of `levels` in front."""
    first = lax.fori_loop(0, doublings, lambda _, s: doubled(s), slab)
    if levels == 1:
        return jax.tree.map(lambda x: x[None], first)

    def step(slab: Slab, _: None) -> tuple[Slab, Slab]:
        twice = doubled(slab)
        return twice, twice

    _, more = lax.scan(step, first, None, length=levels - 1)
    return jax.tree.map(lambda x, rest: jnp.concatenate([x[None], rest]), first, more)


def on_top(slab: Slab, below: Array) -> tuple[Array, Array]:
    """A slab put on a stack that reflects `below`: flux down into the stack of each flux that comes, new reflection."""
    one = identity(below)
    down = solve(one - times(slab.reflected, below), one + slab.lost)
    up = times(below, down)
    return down, slab.reflected + up + times(slab.lost, up)


def behind_mirror(mirror: Array, below: Array) -> tuple[Array, Array]:
    """An interface that reflects the share `mirror` (N,) of each direction, put on a stack that reflects `below`."""
    one = identity(below)
    r = mirror[:, None]
    passed = one * (1 - r)[None]
    down = solve(one - r[:, :, None] * below, jnp.broadcast_to(passed, below.shape))
    return down, one * r[None] + (1 - r)[:, :, None] * times(below, down)
