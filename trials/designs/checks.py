"""What every design refuses: probabilities that are none, sizes below zero, information that does not grow."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

CLOSEST = 1e-4  # of the information so far: looks closer than this are one look


def probability(name: str, value: float) -> float:
    """A number strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name}: expected a number between 0 and 1, got {value!r}")
    return float(value)


def probabilities(name: str, values: ArrayLike) -> np.ndarray:
    """p-values and the like: numbers from 0 to 1."""
    array = np.asarray(values, dtype=float)
    wrong = ~((array >= 0) & (array <= 1))
    if wrong.any():
        raise ValueError(f"{name}: expected numbers from 0 to 1, got {array[wrong].flat[0]:g}")
    return array


def positive(name: str, value: float) -> float:
    """A finite number above 0."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name}: expected a number above 0, got {value!r}")
    return float(value)


def defined(name: str, values: ArrayLike) -> np.ndarray:
    """Statistics and the like: any numbers, infinite ones too."""
    array = np.asarray(values, dtype=float)
    if np.isnan(array).any():
        raise ValueError(f"{name}: holds NaN; expected numbers (a statistic that does not exist: 0 says no difference)")
    return array


def whole(name: str, value: int, least: int) -> int:
    """A whole number that is at least `least`."""
    if isinstance(value, bool) or value != int(value) or value < least:
        raise ValueError(f"{name}: expected a whole number from {least}, got {value!r}")
    return int(value)


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """One of the words that are known."""
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return value


def sides(value: int) -> int:
    """1 or 2."""
    if value not in (1, 2):
        raise ValueError(f"sided: expected 1 or 2, got {value!r}")
    return value


def powered(alpha: float, power: float) -> tuple[float, float]:
    """A level and a power above it."""
    probability("alpha", alpha)
    probability("power", power)
    if power <= alpha:
        raise ValueError(f"power: expected more than alpha ({alpha:g}), got {power:g}")
    return alpha, power


def rising(information: ArrayLike) -> np.ndarray:
    """Information at the looks as fractions of the last, shape (looks,).

    Raises:
      ValueError: it does not grow from look to look, so that alpha would be spent twice at one amount of information.
    """
    array = np.atleast_1d(np.asarray(information, dtype=float))
    if array.ndim != 1 or not array.size:
        raise ValueError(f"information: expected one number a look, got shape {array.shape}")
    if not np.isfinite(array).all() or array[0] <= 0:
        raise ValueError(f"information: expected numbers above 0, got {array.tolist()}")
    steps = np.diff(array)
    if (steps <= CLOSEST * array[1:]).any():
        look = int(np.flatnonzero(steps <= CLOSEST * array[1:])[0]) + 1
        raise ValueError(
            f"information: look {look + 1} ({array[look]:g}) brings none beyond look {look} ({array[look - 1]:g}); "
            "alpha would be spent twice on the same data; expected rising numbers"
        )
    return array / array[-1]
