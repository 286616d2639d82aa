"""Graphs at several looks: a family of hypotheses that is tested group sequentially.

Each intersection is tested by Bonferroni: each of its hypotheses spends the share of alpha that the graph leaves it
there over the looks. An intersection that is rejected at a look stays so; a hypothesis is rejected once each that it
belongs to is [Maurer and Bretz 2013, Stat Biopharm Res 5:311]. So a share that is passed on may show a hypothesis by
what an earlier look said of it; the familywise error holds, since each intersection is a test of its level.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..checks import defined, probability
from .graph import Graph, intersections

DIGITS = 12  # to which two shares of alpha are one


def rejections(graph: Graph, z: ArrayLike, alpha: float, bounds: Callable[[float], np.ndarray]) -> np.ndarray:
    """Which hypotheses are rejected by each look, boolean, shape of z.

    Args:
      z: statistics of all data up to each look, large ones against the hypothesis,
        shape (replicates, looks, hypotheses).
      alpha: one-sided level of the family.
      bounds: from a one-sided level to the bounds of the looks, (looks,), of a test of one hypothesis at this level.

    Raises:
      ValueError: the shape does not fit the graph, or a statistic is NaN.
    """
    values = defined("z", z)
    probability("alpha", alpha)
    if values.ndim != 3 or values.shape[2] != graph.size:
        raise ValueError(f"z: expected shape (replicates, looks, {graph.size}), got {values.shape}")
    found = np.ones(values.shape, dtype=bool)
    known: dict[float, np.ndarray] = {}
    for inside, weights in zip(*intersections(graph), strict=True):
        rejected = np.zeros(values.shape[:2], dtype=bool)
        for place in np.flatnonzero(inside & (weights > 0)):
            share = round(float(weights[place]), DIGITS)
            if share not in known:
                known[share] = _checked(bounds(share * alpha), values.shape[1])
            rejected |= values[..., place] >= known[share]
        found[..., inside] &= np.logical_or.accumulate(rejected, axis=1)[..., None]
    return found


def _checked(bounds: np.ndarray, looks: int) -> np.ndarray:
    if np.shape(bounds) != (looks,):
        raise ValueError(f"bounds: expected one for each of {looks} looks, got shape {np.shape(bounds)}")
    return np.asarray(bounds, dtype=float)
