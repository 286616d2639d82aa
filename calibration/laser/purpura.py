"""Which vessels of normal skin tell of purpura: those whose walls follow the fluence that longer pulses need.

PW06 has the fluences at which the same ten people had purpura after pulses of 0.5 to 40 ms. A wide vessel keeps its
heat through longer pulses than a narrow one, so the fluences' ratios tell the width; their level does not enter.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar

from ...core.laser import targets, treat
from ...core.laser.device import Settings
from ...core.laser.treat import Warmed
from . import crowd
from .trials import arms

TRIAL = "PW06"
WIDTHS = (0.01, 0.3)  # mm, of vessels in the model
PEOPLE = 24  # whose median is compared with the published means
FOLDING = 1.0  # of their epidermis, assumed; with the calibrated 1.46 the width is 2 % less


def width() -> float:
    """Diameter, mm, for which the logarithms of computed over published fluences scatter least."""
    parts = [arm.parts[0] for arm in arms() if arm.trial == TRIAL]
    published = np.array([part.used.fluence for part in parts])
    return nearest(heated(parts[0].types, [part.used for part in parts]), published)


def heated(types: Mapping[str, float], sessions: Sequence[Settings]) -> list[Warmed]:
    """The same people, of these types in these shares, under each session."""
    person = crowd.skin(crowd.typology(types, PEOPLE), FOLDING)
    return [treat.warm(person, used) for used in sessions]


def fluences(warmed: Sequence[Warmed], diameter: float) -> np.ndarray:
    """Fluence that harms the wall of a vessel of this diameter, mm, in the median person, J/cm2, (sessions,)."""
    one = jnp.ones(1)
    return np.array([1 / np.median(np.asarray(targets.purpura(of, one, diameter))) for of in warmed])


def nearest(warmed: Sequence[Warmed], published: np.ndarray) -> float:
    """Diameter, mm, with which fluences follow those published, up to a factor; J/cm2, (sessions,)."""

    def scatter(log_diameter: float) -> float:
        return float(np.log(fluences(warmed, np.exp(log_diameter)) / published).var())

    found = minimize_scalar(scatter, bounds=tuple(np.log(WIDTHS)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))
