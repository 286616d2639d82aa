"""Random keys that are addressed by name and person, never consumed in order."""

import zlib

import jax
from jax import Array


def root(seed: int) -> Array:
    """The key from which all draws of a study descend."""
    return jax.random.key(seed, impl="threefry2x32")


def stream(key: Array, *path: str | int | Array) -> Array:
    """The key of one named use, e.g. `stream(key, "dropout", twin, visit)`.

    Adding a draw elsewhere never shifts this one, so arms and scenarios share their luck.
    """
    for part in path:
        key = jax.random.fold_in(key, zlib.crc32(part.encode()) if isinstance(part, str) else part)
    return key


def people(key: Array, ids: Array) -> Array:
    """One key a person: shape (people,)."""
    return jax.vmap(lambda i: stream(key, i))(ids)


def normals(keys: Array, *path: str | int | Array, shape: tuple[int, ...] = ()) -> Array:
    """Standard normal draws of one named use, shape (*shape, people)."""
    return jax.vmap(lambda key: jax.random.normal(stream(key, *path), shape, dtype="float64"), out_axes=-1)(keys)


def uniforms(keys: Array, *path: str | int | Array, shape: tuple[int, ...] = ()) -> Array:
    """Uniform draws in [0, 1) of one named use, shape (*shape, people)."""
    return jax.vmap(lambda key: jax.random.uniform(stream(key, *path), shape, dtype="float64"), out_axes=-1)(keys)
