"""The modelling step of MCP-Mod for many trials at once: fits of a curve, and target doses.

For given parameters of the shape placebo effect and scale are weighted least squares in closed form, so that only the
shape is searched: on a grid that all trials share, then by each trial about its best point, with a step that
is halved when nothing near is better and grows when something is. `fit` does one trial by another search.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from ..checks import positive
from .fit import limits
from .models import SHAPES, dose_grid

POINTS = {0: 1, 1: 240, 2: 48}  # of the grid, on each axis, by the number of parameters
ROUNDS = 200  # of the search about the best point, at most
FARTHEST = 0.1  # of an axis: a step that grows along a ridge
NEAR = 1e-8  # of an axis: a last step
DOSES = 1001  # at which the first with the target effect is looked for, as in `fit.target_dose`
HALVINGS = 50
TINY = 1e-12


class Fits(NamedTuple):
    """Curves of one family. scale: $e_1$, and aic: as in `fit.Fitted`, (trials,). parameters: of the shape,
    (trials, parameters)."""

    family: str
    largest: float
    scale: np.ndarray
    parameters: np.ndarray
    aic: np.ndarray


def fits(family: str, doses: np.ndarray, estimates: np.ndarray, variances: np.ndarray) -> Fits:
    """Fit one family to each trial's estimates of the doses.

    Args:
      estimates, variances: of the doses, independent of each other, (trials, doses).

    Raises:
      ValueError: an unknown family, one with more parameters than doses, an estimate that is not finite, or a variance
        that is not above 0.
    """
    if family not in SHAPES:
        raise ValueError(f"family: expected one of {', '.join(SHAPES)}, got {family!r}")
    at = dose_grid(doses)
    if len(at) < (many := len(SHAPES[family].names) + 2):
        raise ValueError(f"doses: {family} has {many} parameters, more than the {len(at)} doses")
    if not (np.isfinite(estimates).all() and (variances > 0).all()):
        raise ValueError("estimates: expected finite numbers with variances above 0")
    shape, largest, weight = SHAPES[family], float(at[-1]), 1 / variances
    edges = limits(family, largest)
    many, used = len(estimates), len(shape.names)
    middle = (weight * estimates).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    y = estimates - middle
    whole = (weight * y**2).sum(axis=1)
    ticks = np.linspace(0, 1, POINTS[used])
    grid = np.array(list(product(ticks, repeat=used)))
    curves = _curves(family, at, _parameters(grid, edges), largest)  # (grid, doses)
    place = np.argmax(_explained(curves[None], y[:, None], weight[:, None]), axis=1) if used else np.zeros(many, int)
    best = grid[place]
    step = np.full(many, 1 / max(POINTS[used] - 1, 1))
    around = np.array(list(product((0.0, -1.0, 1.0), repeat=used)))  # the point itself first
    rows = np.arange(many)
    for _ in range(ROUNDS if used else 0):
        on = np.flatnonzero(step > NEAR)
        if not len(on):
            break
        near = np.clip(best[on, None] + step[on, None, None] * around, 0, 1)
        curves = _curves(family, at, _parameters(near, edges), largest)
        chosen = np.argmax(_explained(curves, y[on, None], weight[on, None]), axis=1)
        best[on] = near[rows[: len(on)], chosen]
        step[on] = np.where(chosen == 0, step[on] / 2, np.minimum(1.5 * step[on], FARTHEST))
    parameters = _parameters(best, edges)
    curves = _curves(family, at, parameters, largest)
    explained = _explained(curves[:, None], y[:, None], weight[:, None])[:, 0]
    slope = _slope(curves, y, weight)
    return Fits(family, largest, slope, parameters, whole - explained + 2 * (used + 2))


def targets(found: Fits, effect: float) -> np.ndarray:
    """Smallest dose of each trial whose effect over placebo reaches a target above 0; infinite if none does."""
    positive("effect", effect)
    grid = np.linspace(0.0, found.largest, DOSES)
    reached = _effects(found, grid[None]) >= effect
    there = reached.any(axis=1)
    after = np.maximum(reached.argmax(axis=1), 1)
    low, high = grid[after - 1], grid[after]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = _effects(found, middle[:, None])[:, 0] >= effect
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(there, high, np.inf)


def _effects(found: Fits, doses: np.ndarray) -> np.ndarray:
    """Effects over placebo, (trials, doses); doses: (trials or 1, doses)."""
    curves = _curves(found.family, doses, found.parameters, found.largest)
    begin = _curves(found.family, np.zeros((1, 1)), found.parameters, found.largest)
    return found.scale[:, None] * (curves - begin)


def _curves(family: str, doses: np.ndarray, parameters: np.ndarray, largest: float) -> np.ndarray:
    """The standardised curves, (…, doses); parameters: (…, parameters)."""
    shape = SHAPES[family]
    columns = tuple(parameters[..., j, None] for j in range(parameters.shape[-1]))
    found = shape.curve(doses, columns, largest)  # pyright: ignore[reportArgumentType]
    return np.broadcast_to(found, np.broadcast_shapes(found.shape, (*parameters.shape[:-1], 1)))


def _parameters(units: np.ndarray, edges: list[tuple[float, float]]) -> np.ndarray:
    """Parameters at these places of the axes, 0 to 1 from the lowest to the highest; by logarithms where above 0."""
    columns = [low * (high / low) ** units[..., j] if low > 0 else low + (high - low) * units[..., j]
               for j, (low, high) in enumerate(edges)]  # fmt: skip
    return np.stack(columns, axis=-1) if columns else units


def _explained(curves: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What curves explain of the weighted sum of squares, (trials, points).

    Args:
      curves: (trials or 1, points, doses). y: about its weighted mean, and weight: (trials, 1, doses).
    """
    across = np.einsum("tpd,tpd->tp", *np.broadcast_arrays(curves, weight * y)) if len(curves) > 1 else (
        (weight * y)[:, 0] @ curves[0].T)  # fmt: skip
    return across**2 / _spread(curves, weight)


def _slope(curves: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Scales, (trials,); all (trials, doses)."""
    return (weight * y * curves).sum(axis=1) / _spread(curves[:, None], weight[:, None])[:, 0]


def _spread(curves: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted sums of squares of curves about their means, (trials, points); infinite for flat ones."""
    ground = curves - curves[..., :1]  # from placebo, so that no digits are lost
    total = weight.sum(axis=2)
    if len(curves) == 1:
        first, second = weight[:, 0] @ ground[0].T, weight[:, 0] @ (ground[0] ** 2).T
    else:
        first, second = (weight * ground).sum(axis=2), (weight * ground**2).sum(axis=2)
    found = second - first**2 / total
    return np.where(found > TINY * second, found, np.inf)
