"""Bounds as p-values, on the scale of the effect, and as B-values; decisions of many replicates at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import positive
from .bounds import Bounds


class Scales(NamedTuple):
    """Bounds of efficacy and futility on four scales, shape (looks,) each; NaN where there is no bound.

    p: one-sided, of the look itself. effect: estimate at the bound (difference, log ratio). b: $Z\\sqrt t$.
    """

    z: np.ndarray
    p: np.ndarray
    effect: np.ndarray
    b: np.ndarray
    futility_z: np.ndarray
    futility_p: np.ndarray
    futility_effect: np.ndarray
    futility_b: np.ndarray


class Decision(NamedTuple):
    """What the bounds decide for each replicate, shape (replicates,).

    look: number of the look (from 1) at which it ends. success: efficacy bound crossed in the right direction.
    harm: lower bound of a two-sided design crossed. futile: stopped for futility, or not a success at the last look.
    """

    look: np.ndarray
    success: np.ndarray
    harm: np.ndarray
    futile: np.ndarray


def scales(bounds: Bounds, maximum: float, ratio: bool = False) -> Scales:
    """The bounds on all scales.

    Args:
      maximum: information of the last look, one over the variance of the estimate there.
      ratio: the effect is the log of a ratio and is shown as the ratio, of which less is good for the treatment.
    """
    positive("maximum", maximum)
    information = bounds.information * maximum
    parts: list[np.ndarray] = []
    for bound in (bounds.efficacy, bounds.futility):
        z = np.where(np.isfinite(bound), bound, np.nan)
        effect = np.exp(-z / np.sqrt(information)) if ratio else z / np.sqrt(information)
        parts += [z, norm.sf(z), effect, z * np.sqrt(bounds.information)]
    return Scales(*parts)


def log_rank_information(events: float, ratio: float = 1.0) -> float:
    """Information on the log hazard ratio in a number of events [Schoenfeld 1981, Biometrika 68:316]."""
    positive("events", events)
    positive("ratio", ratio)
    return events * ratio / (1 + ratio) ** 2


def decide(bounds: Bounds, z: ArrayLike, use_futility: bool = True) -> Decision:
    """The first bound that each replicate crosses.

    Args:
      z: statistics, shape (replicates, looks); looks after the end are not looked at and may be anything but NaN.

    Raises:
      ValueError: the shape does not fit, or a statistic is NaN.
    """
    statistics = np.atleast_2d(np.asarray(z, dtype=float))
    if statistics.ndim != 2 or statistics.shape[1] != bounds.looks:
        raise ValueError(f"z: expected shape (replicates, {bounds.looks}), got {statistics.shape}")
    if np.isnan(statistics).any():
        raise ValueError("z: holds NaN; a replicate without a statistic needs a defined one (0 says no difference)")
    up = statistics >= bounds.efficacy
    down = statistics <= -bounds.efficacy if bounds.sided == 2 else np.zeros_like(up)
    idle = np.zeros_like(up)
    if bounds.sided == 1 and use_futility:
        idle = statistics < bounds.futility
    ends = up | down | idle
    ends[:, -1] = True
    look = ends.argmax(axis=1)
    rows = np.arange(len(statistics))
    success, harm = up[rows, look], down[rows, look]
    return Decision(look + 1, success, harm, ~(success | harm))
