"""Independent twins with a trial's baseline table: each candidate is let in with a probability, so none is copied."""

from collections.abc import Mapping

import jax
import numpy as np
from jax import Array

from ...core.keys import people, uniforms
from ..attributes import Attribute
from .balance import Balance
from .moments import Columns, allowed, features, is_exact


def acceptance(columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]) -> np.ndarray:
    r"""The probability to let in each candidate, $\min(1, \exp(\lambda^\top g(x) - B))$, shape (twins,).

    $B$ is the largest exponent in the pilot sample; the rare candidate beyond it is let in for certain (`clipped`).
    """
    return np.exp(np.minimum(_exponent(columns, balance, attributes), 0.0))


def clipped(columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]) -> float:
    """The share of candidates that should have been let in with a probability above 1; 0 in the pilot sample itself."""
    return float(np.mean(_exponent(columns, balance, attributes) > 1e-9))


def accept(
    key: Array, ids: Array, columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]
) -> np.ndarray:
    """Which candidates are let in, shape (twins,): a draw of each candidate's own, the same in any batch."""
    return np.asarray(_draws(key, ids)) < acceptance(columns, balance, attributes)


@jax.jit
def _draws(key: Array, ids: Array) -> Array:
    return uniforms(people(key, ids), "matching")


def _exponent(columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """The logarithm of the probability before it is cut at 1, shape (twins,)."""
    rows = [row for row in balance.rows if not is_exact(row)]
    tilt = features(rows, balance.unit, columns, attributes) @ balance.exponents
    return np.where(allowed(balance.rows, columns, attributes), tilt - balance.bound, -np.inf)
