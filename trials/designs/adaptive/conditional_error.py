"""Any redesign at a look, at the level that the plan had left [Mueller and Schaefer 2001, Biometrics 57:886]."""

import numpy as np
from numpy.typing import ArrayLike

from ..checks import probabilities
from ..sequential.bounds import Bounds, spending_bounds
from ..sequential.conditional import rejection_probability
from ..sequential.spending import Spending

LEAST = 1e-12  # a level below which no redesign can succeed


def remaining_level(bounds: Bounds, look: int, z: ArrayLike) -> np.ndarray:
    """Level of the rest of the trial given the statistic at a look, shape of z."""
    return rejection_probability(bounds, look, z)


def redesign(bounds: Bounds, look: int, z: float, information: ArrayLike, spending: Spending) -> Bounds:
    """Bounds for the data that come after the look, as a trial of its own with the level that is left.

    Args:
      information: at the new looks, counted from the redesign, rising. spending: of the new looks.

    Raises:
      ValueError: nothing is left to spend, so that the redesigned trial could never succeed.
    """
    level = float(remaining_level(bounds, look, z))
    if level < LEAST:
        raise ValueError(f"z: after {z:g} at look {look} the level left is {level:.1g}; no redesign can succeed")
    if level >= 0.5:
        raise ValueError(f"z: after {z:g} at look {look} the level left is {level:.2g}; the trial is a success already")
    return spending_bounds(information, level, spending)


def success(bounds: Bounds, look: int, z: ArrayLike, p: ArrayLike) -> np.ndarray:
    """Whether trials with one look left succeed: the p-value of the new data is within the level left."""
    return probabilities("p", p) <= remaining_level(bounds, look, z)
