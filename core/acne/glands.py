"""Sessions of a laser that destroys sebaceous glands: how many of those of the acne trials a simulated one is worth.

`core.laser.treat` with `targets.glands`, or a sweep for `gland_loss`, tells which share of the glands one session
destroys. The calibrated effect of `laser_1726` stands for the device and settings of the acne trials; a session that
destroys more or less counts as more or fewer of theirs.
"""

import numpy as np
from numpy.typing import ArrayLike

from .treatments import PARAMETERS

LASER = "laser_1726"
STRENGTH = PARAMETERS.value(f"{LASER}.gland")  # a session leaves exp(-STRENGTH) of the glands


def published() -> float:
    """Share of glands that one session destroys by the acne trials, to check a simulated one against."""
    return float(-np.expm1(-STRENGTH))


def sessions(lost: ArrayLike) -> np.ndarray:
    """The dose of `laser_1726`, in sessions, that destroys the share `lost` of a typical person's glands.

    Raises:
      ValueError: a share that is not of 0 to less than 1.
    """
    lost = np.asarray(lost, float)
    if not bool(((lost >= 0) & (lost < 1)).all()):
        raise ValueError(f"lost: expected shares of 0 to less than 1, got {float(lost.min())} to {float(lost.max())}")
    return -np.log1p(-lost) / STRENGTH
