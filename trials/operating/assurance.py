"""Power over the uncertainty of the model's parameters: the chance of success before the parameters are known."""

import math
from typing import NamedTuple

import numpy as np


class Assurance(NamedTuple):
    """Mean power over draws of the parameters, with its Monte Carlo standard error, and what the draws range over.

    low, high: 5th and 95th percentile of the power.
    """

    size: int
    value: float
    mcse: float
    low: float
    high: float
    draws: int


def assurance(size: int, powers: np.ndarray) -> Assurance:
    """From the power under each draw, (draws,). The draws' own spread holds that of the replicates, too."""
    many = len(powers)
    mcse = float(np.std(powers, ddof=1) / math.sqrt(many)) if many > 1 else math.nan
    low, high = np.quantile(powers, [0.05, 0.95])
    return Assurance(size, float(np.mean(powers)), mcse, float(low), float(high), many)
