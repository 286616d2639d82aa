"""Shapes of dose-response curves, as functions of the dose: standardised, without placebo effect and scale.

Bretz, Pinheiro and Branson 2005, Biometrics 61:738; Bornkamp, Pinheiro and Bretz 2009, J Stat Softw 29(7).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..checks import one_of


class Shape(NamedTuple):
    """A family of curves $f(d; \\theta)$; the response is $e_0 + e_1 f$.

    curve: (doses, parameters, largest dose) to values. names: of the parameters.
    limits: lowest and highest value of each, as multiples of the largest dose where `of_dose`.
    """

    curve: Callable[[np.ndarray, tuple[float, ...], float], np.ndarray]
    names: tuple[str, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    of_dose: tuple[bool, ...] = ()


def linear(dose: np.ndarray, _: tuple[float, ...], __: float) -> np.ndarray:
    """$d$."""
    return dose


def log_linear(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$\\ln(1 + d / c)$."""
    return np.log1p(dose / theta[0])


def emax(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$d / (ED_{50} + d)$."""
    return dose / (theta[0] + dose)


def sigmoid_emax(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$d^h / (ED_{50}^h + d^h)$."""
    with np.errstate(divide="ignore"):
        return 1 / (1 + (theta[0] / np.asarray(dose, dtype=float)) ** theta[1])


def exponential(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$e^{d / \\delta} - 1$."""
    return np.expm1(dose / theta[0])


def quadratic(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$d + \\delta d^2$; delta below 0 bends down, the peak is at $-1 / (2 \\delta)$."""
    return dose + theta[0] * dose**2


def logistic(dose: np.ndarray, theta: tuple[float, ...], _: float) -> np.ndarray:
    """$1 / (1 + e^{(ED_{50} - d) / \\delta})$."""
    return 1 / (1 + np.exp((theta[0] - dose) / theta[1]))


def beta(dose: np.ndarray, theta: tuple[float, ...], largest: float) -> np.ndarray:
    """$B(\\delta_1, \\delta_2) (d / s)^{\\delta_1} (1 - d / s)^{\\delta_2}$; $s$ 1.2 times the largest dose, peak 1."""
    a, b = theta
    x = dose / (1.2 * largest)
    return (a + b) ** (a + b) / (a**a * b**b) * x**a * (1 - x) ** b


SHAPES = {
    "linear": Shape(linear),
    "log_linear": Shape(log_linear, ("offset",), ((0.001, 10.0),), (True,)),
    "emax": Shape(emax, ("ed50",), ((0.001, 1.5),), (True,)),
    "sigmoid_emax": Shape(sigmoid_emax, ("ed50", "hill"), ((0.001, 1.5), (0.5, 10.0)), (True, False)),
    "exponential": Shape(exponential, ("delta",), ((0.1, 2.0),), (True,)),
    "quadratic": Shape(quadratic, ("delta",), ((-5.0, 5.0),), (False,)),
    "logistic": Shape(logistic, ("ed50", "delta"), ((0.001, 1.5), (0.01, 0.5)), (True, True)),
    "beta": Shape(beta, ("delta1", "delta2"), ((0.05, 4.0), (0.05, 4.0)), (False, False)),
}


@dataclass(frozen=True)
class Candidate:
    """A curve of the candidate set: a family in `SHAPES`, and guesses of its parameters in its order."""

    family: str
    parameters: tuple[float, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        shape = SHAPES[one_of("candidate.family", self.family, tuple(SHAPES))]
        if len(self.parameters) != len(shape.names):
            raise ValueError(
                f"candidate.parameters: {self.family} has {list(shape.names)}, got {list(self.parameters)}"
            )
        if not np.isfinite(self.parameters).all():
            raise ValueError(f"candidate.parameters: expected finite numbers, got {list(self.parameters)}")
        if self.family != "quadratic" and any(value <= 0 for value in self.parameters):
            raise ValueError(f"candidate.parameters: expected numbers above 0, got {list(self.parameters)}")

    @property
    def label(self) -> str:
        """The name, or the family with its parameters."""
        return self.name or " ".join([self.family, *(f"{value:g}" for value in self.parameters)])

    def values(self, doses: ArrayLike) -> np.ndarray:
        """The standardised curve at these doses, of which the last is the largest."""
        at = dose_grid(doses)
        return SHAPES[self.family].curve(at, self.parameters, float(at[-1]))


def dose_grid(doses: ArrayLike) -> np.ndarray:
    """Doses that rise from 0 (placebo) up.

    Raises:
      ValueError: they do not rise, or there are fewer than two.
    """
    at = np.asarray(doses, dtype=float)
    if at.ndim != 1 or len(at) < 2 or not np.isfinite(at).all() or at[0] < 0 or (np.diff(at) <= 0).any():
        raise ValueError(f"doses: expected two or more rising numbers from 0, got {at.tolist()}")
    return at
