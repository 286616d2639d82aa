"""The chance of a yes or no that depends on what else is known of a twin, as a logistic model.

$$\\operatorname{logit} p = a + \\sum_k b_k (x_k - c_k)$$

The centres $c$ only make the intercept $a$ readable: it is the log-odds of a twin who stands at all of them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from scipy import special

from .margins import solve


class Logistic(NamedTuple):
    """One logistic model."""

    intercept: float  # log-odds at the centres
    slopes: Mapping[str, float]  # log-odds per unit of what they are named after
    centres: Mapping[str, float]


def read(numbers: Mapping[str, float], name: str, centres: Mapping[str, float]) -> Logistic:
    """The model that a table describes by `name.at_centre`, a chance, and `name.x`, a slope for each x it has.

    Raises:
      ValueError: the chance is not between 0 and 1.
    """
    share = numbers[f"{name}.at_centre"]
    if not 0 < share < 1:
        raise ValueError(f"{name}.at_centre: a chance between 0 and 1 is needed, not {share:g}")
    return Logistic(float(special.logit(share)), slopes(numbers, name, centres), centres)


def slopes(numbers: Mapping[str, float], name: str, centres: Mapping[str, float]) -> dict[str, float]:
    """The slopes that a table gives below `name`, by what they go with."""
    found = {x: numbers.get(f"{name}.{x}") for x in centres}
    return {x: slope for x, slope in found.items() if slope is not None}


def fitted(share: float, model: Logistic, people: Mapping[str, np.ndarray], weights: np.ndarray) -> Logistic:
    """The model with the intercept with which `share` of the people have a yes.

    Args:
      people: what the slopes go with, each shape (people,). weights: of the people, shape (people,), sum 1.

    Raises:
      ValueError: the share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share between 0 and 1 is needed, not {share:g}")
    rest = log_odds(model._replace(intercept=0.0), people)

    def miss(x: np.ndarray) -> list[float]:
        return [float(np.sum(weights * special.expit(x[0] + rest))) / share - 1]

    start = float(special.logit(share) - np.sum(weights * rest))
    return model._replace(intercept=float(solve(miss, [start], f"intercept for a share of {share:g}")[0]))


def log_odds(model: Logistic, person: Mapping[str, Any]) -> Any:
    """Log-odds of a yes, for one twin or for arrays of people; yes/no attributes as 0 and 1."""
    return model.intercept + sum((b * (person[x] - model.centres[x]) for x, b in model.slopes.items()), start=0.0)


def chance(model: Logistic, person: Mapping[str, Any], shift: Array | float = 0.0) -> Array:
    """Chance of a yes, 0 to 1, with `shift` added to the log-odds."""
    return jax.nn.sigmoid(log_odds(model, person) + shift)
