"""The size that reaches a power, from the power at a few sizes.

A test of a difference that is estimated with a standard error proportional to 1 / sqrt(n) has the power
$\\Phi(a + b \\sqrt n)$; so the powers seen, as normal quantiles, are fitted by a line in sqrt(n).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import norm


class Needed(NamedTuple):
    """The size that reaches the power, with its Monte Carlo standard error; both not rounded. NaN if out of reach."""

    size: float
    mcse: float


def size_for(power: float, seen: Mapping[int, tuple[float, int]]) -> Needed:
    """The size at which the line reaches the power; with one size, the line goes through the level's quantile.

    Args:
      seen: of each size the share of successes and the number of replicates.

    Raises:
      ValueError: no size was seen.
    """
    if not seen:
        raise ValueError("no size was tried: give at least one")
    sizes, replicates = np.array(sorted(seen), float), np.array([seen[n][1] for n in sorted(seen)], float)
    # Half a success more and half less, so that none and all have a quantile.
    share = (np.array([seen[n][0] for n in sorted(seen)]) * replicates + 0.5) / (replicates + 1)
    y, slope = norm.ppf(share), norm.pdf(norm.ppf(share))
    weight = replicates * slope**2 / (share * (1 - share))
    root = np.sqrt(sizes)
    if len(sizes) == 1:
        a, spread = norm.ppf(0.025), np.zeros((2, 2))
        b = float((y[0] - a) / root[0])
        spread[1, 1] = 1 / (weight[0] * sizes[0])
    else:
        X = np.stack([np.ones_like(root), root], axis=1)
        information = X.T @ (weight[:, None] * X)
        spread = np.linalg.inv(information)
        a, b = (float(value) for value in spread @ (X.T @ (weight * y)))
    if b <= 0:
        return Needed(math.nan, math.nan)
    at = (norm.ppf(power) - a) / b
    if at <= 0:
        return Needed(math.nan, math.nan)
    gradient = np.array([-1 / b, -at / b]) * 2 * at  # of the square of `at`
    return Needed(float(at**2), float(math.sqrt(gradient @ spread @ gradient)))


def rounded(size: float, shares: int) -> int:
    """The next size that the allocation divides evenly.

    >>> rounded(100.2, 3)
    102
    """
    return math.ceil(math.ceil(size) / shares) * shares
