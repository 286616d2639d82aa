"""An arm as seen through the readings: its people differ in plaque activity, and all of its rates follow from that.

Activity is exp(-improvement). Improvement has a part that a drug brings, ln(1 + exp(x)) with a normal x, as when a
share of a signal is blocked and half-maximal concentrations are log-normal; and a part that comes under placebo too.
The mean of x is the arm's own, the spread of x is common to all arms.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import special

from ...core.psoriasis.model import placebo
from .evidence.arms import Trial
from .readings import arrays

SHIFTS = np.arange(-24, 41) * 0.4  # means of x
DEVIATIONS = special.ndtri((np.arange(51) + 0.5) / 51)
CHANCES = (np.arange(40) + 0.5) / 40  # of the improvement under placebo
ANCHOR = "pasi75"

Curves = Mapping[str, np.ndarray]


class Arms(NamedTuple):
    """Published arms on a drug. n: people, (arms,). shares: of each response, (arms,), NaN where not told."""

    n: np.ndarray
    shares: dict[str, np.ndarray]


def published(trials: Iterable[Trial], outcomes: Iterable[str]) -> Arms:
    """Arms on a drug at their trial's main week, as far as they tell PASI 75; shares are drawn in by half a person."""
    told = [(arm, arm.at(trial.main_week())) for trial in trials for arm in trial.arms if arm.courses]
    told = [(arm, readouts) for arm, readouts in told if ANCHOR in readouts]
    shares = {
        outcome: np.array(
            [(r[outcome].count + 0.5) / (r[outcome].n + 1) if outcome in r else np.nan for _, r in told], float
        )
        for outcome in outcomes
    }
    return Arms(np.array([arm.n for arm, _ in told], float), shares)


def improvement_under_placebo(numbers: Mapping[str, float]) -> np.ndarray:
    """What placebo adds to the improvement, late in a trial: equally likely values."""
    return np.asarray(placebo(jnp.asarray(CHANCES), dict(arrays(numbers))))


def on_drug(curves: Curves, grid: np.ndarray, spread: float, numbers: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Mean of each curve over the people of an arm, for each mean of x in SHIFTS.

    Args:
      curves: something as a function of the logarithm of plaque activity on `grid`. spread: SD of x.
    """
    luck = improvement_under_placebo(numbers)
    by_drug = np.logaddexp(0, SHIFTS[:, None] + spread * DEVIATIONS)
    activity = -(by_drug[:, :, None] + luck)
    return {name: np.interp(activity, grid, curve).mean((1, 2)) for name, curve in curves.items()}


def on_placebo(curves: Curves, grid: np.ndarray, numbers: Mapping[str, float]) -> dict[str, float]:
    """Mean of each curve over the people of a placebo arm."""
    luck = improvement_under_placebo(numbers)
    return {name: float(np.interp(-luck, grid, curve).mean()) for name, curve in curves.items()}


def given(share: np.ndarray | float, arm: Mapping[str, np.ndarray], of: str = ANCHOR) -> dict[str, np.ndarray]:
    """What arms show in which this share of people has the response `of`; `arm` as from `on_drug`."""
    place = np.interp(special.logit(share), special.logit(np.clip(arm[of], 1e-12, 1 - 1e-12)), SHIFTS)
    return {name: np.interp(place, SHIFTS, values) for name, values in arm.items()}


def variance(share: np.ndarray, anchor: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Sampling variance of the difference of two logits in the same people, of whom those with the rarer response have
    the commoner one too (which is nearly so for IGA 0 or 1 and PASI 75, and leaves out little for DLQI)."""
    low, high = np.minimum(share, anchor), np.maximum(share, anchor)
    return (1 / (low * (1 - low)) + 1 / (high * (1 - high)) - 2 / ((1 - low) * high)) / n
