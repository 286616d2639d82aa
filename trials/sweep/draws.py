"""Draws of what is not known of the parameters that turn damage into outcomes.

Together, where the calibration wrote their covariance (`uncertainty.csv`); else each by itself, from its table.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...core.laser import outcomes
from ...core.parameters import Parameter, Table
from ...core.uncertainty import read_estimates, varied
from .effects import behind
from .plan import Sweep

JOINT = Path(outcomes.__file__).parent / "uncertainty.csv"


def uncertain(table: Table) -> list[str]:
    """Names of the parameters that are drawn."""
    if JOINT.is_file():
        return [name for name in read_estimates(JOINT).names if name in table]
    return [name for name, parameter in table.items() if parameter.uncertainty]


def parameters(plan: Sweep) -> dict[str, np.ndarray]:
    """Values of the uncertain parameters in each draw, (draws,); `draw` is their number, and 0 has their own values."""
    table = behind(plan)
    names = uncertain(table)
    if not names or not plan.draws:
        return {"draw": np.zeros(1)}
    drawn = together(names, plan) if JOINT.is_file() else apart([table[name] for name in names], plan.draws, plan.seed)
    return {"draw": np.arange(plan.draws + 1.0)} | drawn


def together(names: Sequence[str], plan: Sweep) -> dict[str, np.ndarray]:
    """Joint draws around the parameters' own values."""
    known, rng = read_estimates(JOINT), np.random.default_rng([plan.seed, *b"sweep"])
    rows = [outcomes.VALUES, *(varied(known, outcomes.VALUES, rng) for _ in range(plan.draws))]
    return {name: np.array([row[name] for row in rows]) for name in names}


def apart(of: Sequence[Parameter], count: int, seed: int) -> dict[str, np.ndarray]:
    """Values by name, (1 + count,): their own, then drawn independently of each other.

    Raises:
      ValueError: a parameter tells no uncertainty, or one on a scale that is not known.
    """
    found = {}
    for parameter in of:
        known, value = parameter.uncertainty, parameter.value
        if known is None:
            raise ValueError(f"{parameter.name}: its table tells no uncertainty")
        rng = np.random.default_rng([seed, *parameter.name.encode()])
        change = np.concatenate([[0.0], known.sd * rng.standard_normal(count)])
        if known.scale == "log":
            found[parameter.name] = value * np.exp(change)
        elif known.scale == "logit":
            odds = value / (1 - value) * np.exp(change)
            found[parameter.name] = np.where(change == 0, value, odds / (1 + odds))
        else:
            raise ValueError(f"{parameter.name}: uncertainty on the scale {known.scale!r}; expected log or logit")
    return found
