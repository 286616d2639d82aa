"""Independent twins with a trial's baseline table: each candidate is let in with a probability, so none is copied."""

from collections.abc import Mapping

import numpy as np

from ..attributes import Attribute
from .balance import Balance
from .moments import Columns, allowed, features, is_exact


def acceptance(columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]) -> np.ndarray:
    r"""The probability to let in each candidate, $\min(1, \exp(\lambda^\top g(x) - B))$, shape (twins,).

    $B$ is the largest exponent in the pilot sample; the rare candidate beyond it is let in for certain.
    """
    return np.exp(np.minimum(_exponent(columns, balance, attributes), 0.0))


def _exponent(columns: Columns, balance: Balance, attributes: Mapping[str, Attribute]) -> np.ndarray:
    """The logarithm of the probability before it is cut at 1, shape (twins,)."""
    rows = [row for row in balance.rows if not is_exact(row)]
    tilt = features(rows, balance.unit, columns, attributes) @ balance.exponents
    return np.where(allowed(balance.rows, columns, attributes), tilt - balance.bound, -np.inf)
