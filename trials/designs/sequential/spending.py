"""Spending functions: how much of alpha (or beta) may be used up to a fraction of the information.

Lan and DeMets 1983, Biometrika 70:659 (O'Brien-Fleming and Pocock type); Hwang, Shih and DeCani 1990, Stat Med 9:1439;
Kim and DeMets 1987, Biometrika 74:149.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import one_of, probability


def obrien_fleming(level: float, time: np.ndarray, _: float) -> np.ndarray:
    """Little at first: $2 - 2\\Phi(z_{1-\\alpha/2} / \\sqrt t)$."""
    with np.errstate(divide="ignore"):
        return 2 * norm.sf(norm.isf(level / 2) / np.sqrt(time))


def pocock(level: float, time: np.ndarray, _: float) -> np.ndarray:
    """Nearly even: $\\alpha \\ln(1 + (e - 1) t)$."""
    return level * np.log1p((np.e - 1) * time)


def hwang_shih_decani(level: float, time: np.ndarray, gamma: float) -> np.ndarray:
    """$\\alpha (1 - e^{-\\gamma t}) / (1 - e^{-\\gamma})$; even for gamma 0, late below, early above."""
    if gamma == 0:
        return level * time
    return level * np.expm1(-gamma * time) / np.expm1(-gamma)


def kim_demets(level: float, time: np.ndarray, rho: float) -> np.ndarray:
    """$\\alpha t^\\rho$."""
    return level * time**rho


FAMILIES: dict[str, Callable[[float, np.ndarray, float], np.ndarray]] = {
    "obrien_fleming": obrien_fleming,
    "pocock": pocock,
    "hwang_shih_decani": hwang_shih_decani,
    "kim_demets": kim_demets,
}
NEEDS_PARAMETER = ("hwang_shih_decani", "kim_demets")


@dataclass(frozen=True)
class Spending:
    """A spending function by name, or the user's own table.

    Args:
      family: a key of `FAMILIES`, or `table`.
      parameter: gamma of Hwang-Shih-DeCani, rho of Kim-DeMets.
      table: of `table`: pairs (fraction of information, cumulative level), both rising; linear in between.
    """

    family: str
    parameter: float | None = None
    table: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        one_of("spending.family", self.family, (*FAMILIES, "table"))
        if self.family in NEEDS_PARAMETER and self.parameter is None:
            raise ValueError(f"spending.parameter: {self.family} needs one")
        if self.family not in NEEDS_PARAMETER and self.parameter is not None:
            raise ValueError(f"spending.parameter: {self.family} has none, got {self.parameter!r}")
        if self.family == "kim_demets" and not (self.parameter or 0) > 0:
            raise ValueError(f"spending.parameter: kim_demets needs a number above 0, got {self.parameter!r}")
        if self.family == "hwang_shih_decani" and not abs(self.parameter or 0) <= 40:
            raise ValueError(f"spending.parameter: hwang_shih_decani needs -40 to 40, got {self.parameter!r}")
        if (self.family == "table") != bool(self.table):
            raise ValueError("spending.table: expected pairs with the family `table`, and with no other")
        if self.table:
            _check_table(np.asarray(self.table, dtype=float))

    def spent(self, level: float, time: ArrayLike) -> np.ndarray:
        """The level used up at each time (a fraction of the information; beyond 1 nothing is added).

        Raises:
          ValueError: the table ends above the level, or below it.
        """
        probability("level", level)
        at = np.clip(np.asarray(time, dtype=float), 0.0, 1.0)
        if self.family == "table":
            return _from_table(np.asarray(self.table, dtype=float), level, at)
        return np.where(at > 0, FAMILIES[self.family](level, at, self.parameter or 0.0), 0.0)

    def increments(self, level: float, time: np.ndarray) -> np.ndarray:
        """What each look adds, shape (looks,); the last look takes what is left of the level if its time is 1."""
        return np.diff(self.spent(level, time), prepend=0.0)


def _check_table(table: np.ndarray) -> None:
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"spending.table: expected pairs (fraction, cumulative level), got shape {table.shape}")
    fraction, level = table.T
    if (np.diff(fraction) <= 0).any() or fraction[0] <= 0 or fraction[-1] != 1:
        raise ValueError(f"spending.table: fractions must rise above 0 and end at 1, got {fraction.tolist()}")
    if (np.diff(level) < 0).any() or level[0] < 0:
        raise ValueError(
            f"spending.table: levels are cumulative and never fall (what is spent is spent), got {level.tolist()}"
        )


def _from_table(table: np.ndarray, level: float, at: np.ndarray) -> np.ndarray:
    fraction, spent = table.T
    if not np.isclose(spent[-1], level, rtol=1e-9, atol=0):
        which = "above" if spent[-1] > level else "below"
        raise ValueError(f"spending.table: ends at {spent[-1]:g}, {which} the level {level:g}; expected that level")
    return np.interp(at, np.concatenate([[0.0], fraction]), np.concatenate([[0.0], spent]))
