"""Draws of what is not known of psoriasis: the estimated parameters, together, and what one trial adds.

`uncertainty.csv`, written by the calibration, has the covariance of the estimates on the scales they were estimated on.
"""

from functools import cache
from pathlib import Path

import numpy as np

from ..uncertainty import Estimates, read_estimates, varied
from .treatments import PARAMETERS

FILE = Path(__file__).parent / "uncertainty.csv"


def draw(number: int) -> dict[str, float]:
    """Numbers of the parameters that draw `number` (0 and up) gives other values than the estimates."""
    rng = np.random.default_rng([20261122, number])
    estimates = PARAMETERS.numbers()
    found = varied(_estimates(), estimates, rng)
    return found | {"trial.effect": float(estimates["trial.effect:sd"] * rng.standard_normal())}


@cache
def _estimates() -> Estimates:
    return read_estimates(FILE)
