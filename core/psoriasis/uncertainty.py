"""Draws of what is not known of psoriasis: the estimated parameters, together, and what one trial adds.

`uncertainty.csv`, written by the calibration, has the covariance of the estimates on the scales they were estimated on.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np

from .treatments import PARAMETERS

FILE = Path(__file__).parent / "uncertainty.csv"


def draw(number: int) -> dict[str, float]:
    """Numbers of the parameters that draw `number` (0 and up) gives other values than the estimates."""
    names, scales, root = _covariance()
    rng = np.random.default_rng([20261122, number])
    estimates = PARAMETERS.numbers()
    found = {}
    for name, scale, change in zip(names, scales, root @ rng.standard_normal(len(names)), strict=True):
        if scale == "log":
            found[name] = float(estimates[name] * np.exp(change))
        else:
            odds = estimates[name] / (1 - estimates[name]) * np.exp(change)
            found[name] = float(odds / (1 + odds))
    return found | {"trial.effect": float(estimates["trial.effect:sd"] * rng.standard_normal())}


@cache
def _covariance() -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Names, scales (log, logit) and the lower triangular root of the covariance of the estimates."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    names = tuple(row[0] for row in rows[1:])
    if tuple(rows[0][2:]) != names:
        raise ValueError(f"{FILE.name}: rows and columns must name the same parameters")
    covariance = np.array([[float(number) for number in row[2:]] for row in rows[1:]])
    return names, tuple(row[1] for row in rows[1:]), np.linalg.cholesky(covariance)
