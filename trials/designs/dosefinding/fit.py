"""The modelling step of MCP-Mod: fit of curves to estimates of the doses, choice or average of them, target dose."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from ..checks import positive
from ..root import root
from .contrasts import _covariance
from .models import SHAPES, dose_grid

START = 12  # points a parameter in the search for a start


@dataclass(frozen=True)
class Fitted:
    """A curve fitted by generalised least squares.

    Args:
      placebo, scale: $e_0$ and $e_1$. parameters: of the shape. largest: highest dose.
      deviance: weighted sum of squares. aic: deviance plus twice the number of parameters (gAIC).
      bounded: a parameter of the shape lies on its limit, so the data do not tell it.
    """

    family: str
    placebo: float
    scale: float
    parameters: tuple[float, ...]
    largest: float
    deviance: float
    aic: float
    bounded: bool

    def response(self, dose: ArrayLike) -> np.ndarray:
        """The curve at these doses."""
        at = np.asarray(dose, dtype=float)
        return self.placebo + self.scale * SHAPES[self.family].curve(at, self.parameters, self.largest)

    def effect(self, dose: ArrayLike) -> np.ndarray:
        """The same above placebo."""
        return self.response(dose) - self.response(0.0)


def fit(family: str, doses: ArrayLike, estimates: ArrayLike, covariance: ArrayLike) -> Fitted:
    """Fit one family; placebo effect and scale are exact for given shape parameters, which are searched for.

    Args:
      estimates: of the doses, shape (doses,). covariance: of them, shape (doses, doses), or variances (doses,).
    """
    if family not in SHAPES:
        raise ValueError(f"family: expected one of {', '.join(SHAPES)}, got {family!r}")
    at, values = dose_grid(doses), np.asarray(estimates, dtype=float)
    if values.shape != at.shape or not np.isfinite(values).all():
        raise ValueError(f"estimates: expected {len(at)} finite numbers, got shape {values.shape}")
    root = np.linalg.cholesky(np.linalg.inv(_covariance(covariance, len(at)))).T
    shape, largest = SHAPES[family], float(at[-1])
    if len(at) < len(shape.names) + 2:
        raise ValueError(f"doses: {family} has {len(shape.names) + 2} parameters, more than the {len(at)} doses")

    def solve(theta: np.ndarray) -> tuple[float, np.ndarray]:
        columns = np.column_stack([np.ones(len(at)), shape.curve(at, tuple(theta), largest)])
        coefficients = np.linalg.lstsq(root @ columns, root @ values, rcond=None)[0]
        return float(np.sum((root @ (values - columns @ coefficients)) ** 2)), coefficients

    bounds = limits(family, largest)
    theta = _search(solve, bounds)
    deviance, (placebo, scale) = solve(theta)
    edge = [
        min(value - low, high - value) < 1e-4 * (high - low) for value, (low, high) in zip(theta, bounds, strict=True)
    ]
    parameters = tuple(float(value) for value in theta)
    aic = deviance + 2 * (len(parameters) + 2)
    return Fitted(family, float(placebo), float(scale), parameters, largest, deviance, aic, any(edge))


def target_dose(curve: Fitted, effect: float) -> float:
    """Smallest dose whose effect over placebo reaches a target; NaN if none up to the largest does.

    Args:
      effect: above 0 if more is better; for outcomes that should fall, turn the estimates' sign round.
    """
    positive("effect", effect)
    grid = np.linspace(0.0, curve.largest, 1001)
    reached = np.flatnonzero(curve.effect(grid) >= effect)
    if not len(reached):
        return float("nan")
    after = int(reached[0])
    return root(lambda dose: float(curve.effect(dose)) - effect, grid[after - 1], grid[after], xtol=1e-12)


def averaged(curves: tuple[Fitted, ...]) -> np.ndarray:
    """Weights of curves in an average, from their AIC [Buckland, Burnham and Augustin 1997, Biometrics 53:603]."""
    if not curves:
        raise ValueError("curves: expected one at least")
    aic = np.array([curve.aic for curve in curves])
    weight = np.exp(-0.5 * (aic - aic.min()))
    return weight / weight.sum()


def averaged_target(curves: tuple[Fitted, ...], effect: float) -> float:
    """Smallest dose at which the weighted mean curve reaches the target; NaN if none does."""
    weights, largest = averaged(curves), curves[0].largest

    def excess(dose: float) -> float:
        return float(sum(w * curve.effect(dose) for w, curve in zip(weights, curves, strict=True))) - positive(
            "effect", effect
        )

    grid = np.linspace(0.0, largest, 501)
    above = [place for place, dose in enumerate(grid) if excess(float(dose)) >= 0]
    return root(excess, grid[above[0] - 1], grid[above[0]], xtol=1e-10) if above else float("nan")


def limits(family: str, largest: float) -> list[tuple[float, float]]:
    """Lowest and highest value of each parameter of a family's shape, for this largest dose."""
    shape = SHAPES[family]
    if family == "quadratic":
        # In units of one over the largest dose: peaks from a tenth of it on.
        return [(low / largest, high / largest) for low, high in shape.limits]
    return [
        (low * largest, high * largest) if of_dose else (low, high)
        for (low, high), of_dose in zip(shape.limits, shape.of_dose, strict=True)
    ]


def _search(solve: Callable[[np.ndarray], tuple[float, np.ndarray]], limits: list[tuple[float, float]]) -> np.ndarray:
    """The best start of a grid, then a local search within the limits."""
    if not limits:
        return np.empty(0)
    axes = [np.geomspace(a, b, START) if a > 0 else np.linspace(a, b, START) for a, b in limits]
    starts = sorted((np.array(point) for point in product(*axes)), key=lambda point: solve(point)[0])
    width = np.array([high - low for low, high in limits])
    low = np.array([limit[0] for limit in limits])
    found = [
        minimize(lambda x: solve(low + width * x)[0], (start - low) / width, method="Nelder-Mead",
                 bounds=[(0.0, 1.0)] * len(limits), options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
        for start in starts[:3]
    ]  # fmt: skip
    best = min(found, key=lambda result: result.fun)
    return low + width * best.x
