"""Where a function of one variable is zero."""

from collections.abc import Callable
from typing import cast

from scipy.optimize import brentq


def root(function: Callable[[float], float], low: float, high: float, xtol: float = 1e-12) -> float:
    """The zero between two points at which the signs differ, by Brent's method."""
    return float(cast(float, brentq(function, low, high, xtol=xtol)))
