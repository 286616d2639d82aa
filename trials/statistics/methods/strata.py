"""A risk difference common to strata, in the two further forms of PROC FREQ; Mantel-Haenszel's is in `cmh`."""

from functools import partial
from typing import Literal

import jax
import numpy as np

from .cmh import mantel_haenszel
from .estimate import Estimate, Flag, normal_quantile, nothing, plain, wald
from .score import Pair, binomial, pair


def summary_score(x1, n1, x0, n0, level: float = 0.95) -> Estimate:
    """Midpoints of the strata's Miettinen-Nurminen intervals, weighted by their widths [Agresti 2013, p. 231].

    Args:
      x1, n1, x0, n0: responders and sizes, (strata,).
    """
    counts = _used(x1, n1, x0, n0)
    if counts is None:
        return nothing(Flag.EMPTY_ARM)
    z = normal_quantile(level)
    low, high = (np.asarray(side) for side in _limits_of_each(counts, level))
    middle, width = (low + high) / 2, (high - low) / (2 * z)
    weight = 1 / width**2
    return plain(wald(float(weight @ middle / weight.sum()), float(1 / np.sqrt(weight.sum())), level))


def newcombe(
    x1, n1, x0, n0, level: float = 0.95, weights: Literal["mantel_haenszel", "variance"] = "mantel_haenszel"
) -> Estimate:
    """Newcombe's interval for strata together [Yan and Su 2010, Stat Biopharm Res 2:482], weights Mantel-Haenszel's.

    There is no test of its own: p is that of Mantel-Haenszel.
    """
    counts = _used(x1, n1, x0, n0)
    if counts is None:
        return nothing(Flag.EMPTY_ARM)
    one, a, two, b = (np.asarray(value) for value in counts)
    p1, p0 = one / a, two / b
    weight = a * b / (a + b)
    if weights == "variance":
        spread = p1 * (1 - p1) / a + p0 * (1 - p0) / b
        if not (spread > 0).all():
            return nothing(Flag.NO_VARIATION)
        weight = 1 / spread
    weight = weight / weight.sum()
    z = normal_quantile(level)
    share1, low1, high1 = _stratified_wilson(one, a, weight, z)
    share0, low0, high0 = _stratified_wilson(two, b, weight, z)
    inverse1, inverse0 = (weight**2 / a).sum(), (weight**2 / b).sum()
    away = share1 - share0
    low = away - z * np.sqrt(inverse1 * low1 * (1 - low1) + inverse0 * high0 * (1 - high0))
    high = away + z * np.sqrt(inverse1 * high1 * (1 - high1) + inverse0 * low0 * (1 - low0))
    test = _TEST(np.stack([np.stack([b - two, two], 1), np.stack([a - one, one], 1)], 1))
    se = float(np.sqrt(weight**2 @ (p1 * (1 - p1) / a + p0 * (1 - p0) / b)))
    p, statistic = float(test.p), float(test.statistic)
    return Estimate(away, se, max(-1.0, low), min(1.0, high), statistic, np.inf, p, Flag(int(test.flag)))


@partial(jax.jit, static_argnums=1)
def _limits_of_each(counts: Pair, level: float) -> tuple[jax.Array, jax.Array]:
    """Limits of each stratum by itself."""
    found = jax.vmap(lambda one: binomial(Pair(*(value[None] for value in one)), level=level))(counts)
    return found.low, found.high


_TEST = jax.jit(mantel_haenszel)


def _stratified_wilson(x: np.ndarray, n: np.ndarray, weight: np.ndarray, z: float) -> tuple[float, float, float]:
    """Weighted proportion and limits: the strata's Wilson limits at a smaller quantile, so that together they hold."""
    p = x / n
    spread = p * (1 - p) / n
    if not spread.any():
        spread = 1 / n
    smaller = float(z * np.sqrt(weight**2 @ spread) / (weight @ np.sqrt(spread)))
    low, high = (float(weight @ _wilson_end(p, n, smaller, sign)) for sign in (-1.0, 1.0))
    return float(weight @ p), max(0.0, low), min(1.0, high)


def _wilson_end(p: np.ndarray, n: np.ndarray, z: float, sign: float) -> np.ndarray:
    root = np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) + sign * z * root) / (1 + z * z / n)


def _used(x1, n1, x0, n0) -> Pair | None:
    """Strata that hold people of both arms; None if there is none."""
    counts = pair(x1, n1, x0, n0)
    both = np.asarray((counts.n1 > 0) & (counts.n0 > 0))
    return Pair(*(value[both] for value in counts)) if both.any() else None
