"""Weights nearest to those given that bring averages to zero: the dual problem, by Newton's method."""

from typing import NamedTuple

import numpy as np

TOLERANCE = 1e-9  # of an average, in standard deviations
STEPS = 200
ROUNDING = 1e-14  # of the function: near its minimum it no longer shows that a step is good
FLOOR = 1e-13  # of the largest curvature; rows that repeat each other have none in some direction


class Solution(NamedTuple):
    """exponents: of the tilt, shape (rows,). error: the largest average left."""

    exponents: np.ndarray
    error: float

    @property
    def found(self) -> bool:
        return self.error <= TOLERANCE


def solve(g: np.ndarray, base: np.ndarray) -> Solution:
    r"""Minimise $\log \sum_i b_i \exp(\lambda^\top g_i)$ over $\lambda$.

    At the minimum, weights proportional to $b_i \exp(\lambda^\top g_i)$ have $\sum_i w_i g_i = 0$, and of all that do
    they have the least Kullback-Leibler divergence from $b$. Where zero lies outside the convex hull of the $g_i$ the
    function falls without end: it is below $\log \min_i b_i$ only if some $\lambda$ makes every $\lambda^\top g_i$
    negative.

    Args:
      g: shape (twins, rows), about one standard deviation in size.
      base: weights $b$, shape (twins,), above 0, with sum 1.
    """
    exponents = np.zeros(g.shape[1])
    impossible = float(np.log(base.min())) - 1e-6
    value, weights = _value(exponents, g, base)
    for _ in range(STEPS):
        mean = weights @ g
        error = float(np.max(np.abs(mean), initial=0.0))
        if error <= TOLERANCE or value < impossible:
            return Solution(exponents, error)
        step = _newton(g, weights, mean)
        slope = float(mean @ step)
        length, better, new = 1.0, np.inf, weights
        while length > 1e-12:
            better, new = _value(exponents + length * step, g, base)
            if better <= value + 1e-4 * length * slope + ROUNDING * max(1.0, abs(value)):
                break
            length /= 2
        else:
            return Solution(exponents, error)
        exponents, value, weights = exponents + length * step, better, new
    return Solution(exponents, float(np.max(np.abs(weights @ g))))


def _value(exponents: np.ndarray, g: np.ndarray, base: np.ndarray) -> tuple[float, np.ndarray]:
    """The function, and the weights that belong to it."""
    s = g @ exponents
    top = s.max()
    weights = base * np.exp(s - top)
    total = weights.sum()
    return float(top + np.log(total)), weights / total


def _newton(g: np.ndarray, weights: np.ndarray, mean: np.ndarray) -> np.ndarray:
    hessian = (g * weights[:, None]).T @ g - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, FLOOR * values[-1]) if values[-1] > 0 else np.ones_like(values)
    return -(vectors / values) @ (vectors.T @ mean)
