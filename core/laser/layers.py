"""A stack of flat layers that light goes through, and what it may not be."""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.core import Tracer

Number = Array | np.ndarray | float


class Layers(NamedTuple):
    """Layers from the surface down; every field has the shape (..., layers).

    thickness: mm; the last one may be infinite. absorption, scattering: coefficients, 1/mm (scattering times
    1 - anisotropy is the reduced one). anisotropy: mean cosine of scattering (Henyey-Greenstein), -1 to 1.
    refraction: refractive index, the same for all stacks of a batch, shape (layers,) or (..., layers).
    """

    thickness: Number
    absorption: Number
    scattering: Number
    anisotropy: Number
    refraction: Number


def traced(*values: object) -> bool:
    """Whether some of these are still unknown, inside `jit`, `grad` or `vmap`."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def indices(layers: Layers) -> tuple[float, ...]:
    """The refractive index of each layer, as numbers.

    Raises:
      ValueError: the indices are unknown inside `jit` or `grad`, or stacks of a batch differ in them.
    """
    if traced(layers.refraction):
        raise ValueError(
            "layers.refraction: expected numbers, got a traced array; directions of light are laid out from the "
            "indices, so set them inside the traced function: layers._replace(refraction=1.4 * np.ones(n))"
        )
    stacks = np.atleast_2d(np.asarray(layers.refraction, dtype=float))
    stacks = stacks.reshape(-1, stacks.shape[-1])
    if np.any(stacks != stacks[0]):
        raise ValueError(
            "layers.refraction: stacks of one batch must have the same indices; call once for each set of them"
        )
    return tuple(float(n) for n in stacks[0])


def check(layers: Layers, n_above: float = 1.0, n_below: float = 1.0) -> None:
    """Refuse what is no stack of layers; fields that are traced are not looked at.

    Raises:
      ValueError: a field and its first value that cannot be, or shapes that do not fit each other.
    """
    known = {name: np.asarray(value, dtype=float) for name, value in layers._asdict().items() if not traced(value)}
    counts = {name: np.shape(value)[-1] if np.ndim(value) else 0 for name, value in layers._asdict().items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(f"layers: every field needs the shape (..., layers); numbers of layers: {counts}")
    try:
        np.broadcast_shapes(*(np.shape(value) for value in layers))
    except ValueError:
        shapes = {name: np.shape(value) for name, value in layers._asdict().items()}
        raise ValueError(f"layers: shapes do not fit each other: {shapes}") from None
    finite = {name: np.isfinite(value) for name, value in known.items()}
    rules = {
        "thickness": (lambda d: d > 0, "above 0 mm"),
        "absorption": (lambda a: a >= 0, "at least 0 (1/mm)"),
        "scattering": (lambda s: s >= 0, "at least 0 (1/mm)"),
        "anisotropy": (lambda g: abs(g) < 1, "between -1 and 1"),
        "refraction": (lambda n: (n >= 1) & (n <= 4), "1 to 4"),
    }
    if "thickness" in known:
        finite["thickness"][..., -1] |= known["thickness"][..., -1] == np.inf
    for name, value in known.items():
        allowed, wanted = rules[name]
        bad = ~(finite[name] & allowed(value))
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"layers.{name}: {value[place]:g} at {place}; expected numbers {wanted}")
    for name, n in (("n_above", n_above), ("n_below", n_below)):
        if not 1 <= n <= 4:
            raise ValueError(f"{name}: {n:g}; expected a refractive index of 1 to 4")
    if {"thickness", "absorption"} <= set(known):
        endless = np.isinf(known["thickness"][..., -1]) & (known["absorption"][..., -1] == 0)
        if endless.any():
            raise ValueError("layers.thickness: an infinite last layer needs an absorption above 0")
