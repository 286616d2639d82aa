"""Sample size chosen again at a look: from the pooled (blinded) variance or rate, or from the promise of the effect."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import defined, positive, probabilities, probability
from ..samplesize.proportions import constrained
from ..sequential.bounds import Bounds
from ..sequential.conditional import conditional_power

ZONES = ("unfavourable", "promising", "favourable")


class Promising(NamedTuple):
    """What the promising zone decides, shape (replicates,).

    second: size of the second stage. zone: place in `ZONES`. power: conditional power with the planned second stage.
    """

    second: np.ndarray
    zone: np.ndarray
    power: np.ndarray


def blinded_sd(outcome: ArrayLike, effect: float = 0.0, share: float = 0.5) -> np.ndarray:
    """Standard deviation within arms from outcomes whose arms are not known, over the last axis.

    Args:
      effect: difference of the arms that is taken off the pooled variance; 0 leaves it in, which is slightly high
        [Kieser and Friede 2003, Stat Med 22:995]. share: of the treated.
    """
    values = np.asarray(outcome, dtype=float)
    n = values.shape[-1]
    if n < 3 or not np.isfinite(values).all():
        raise ValueError(f"outcome: expected 3 or more finite numbers in the last axis, got shape {values.shape}")
    pooled = values.var(axis=-1, ddof=1) - n / (n - 1) * share * (1 - share) * effect**2
    if (pooled <= 0).any():
        raise ValueError(f"effect: {effect:g} explains more than all variance of the outcome; expected a smaller one")
    return np.sqrt(pooled)


def blinded_size(planned: float, sd_planned: float, sd_seen: ArrayLike, least: float, most: float) -> np.ndarray:
    """Size for the standard deviation that is seen, within limits; the effect stays as planned."""
    positive("planned", planned)
    positive("sd_planned", sd_planned)
    _limits(least, most)
    seen = np.asarray(sd_seen, dtype=float)
    if not ((seen > 0) & np.isfinite(seen)).all():
        raise ValueError("sd_seen: expected numbers above 0; outcomes that do not vary tell no size")
    return np.clip(planned * (seen / sd_planned) ** 2, least, most)


def blinded_rate_size(
    rate: ArrayLike, difference: float, alpha: float, power: float, least: float, most: float, ratio: float = 1.0
) -> np.ndarray:
    """Control-group size for the overall share of responders that is seen and the difference that was planned.

    Args:
      rate: share of responders in both arms together, shape (replicates,). ratio: treated to each control.
    """
    _limits(least, most)
    probability("alpha", alpha)
    probability("power", power)
    if not 0 < abs(difference) < 1:
        raise ValueError(f"difference: expected one between 0 and 1, or its negative, got {difference!r}")
    overall, treated = probabilities("rate", rate), positive("ratio", ratio) / (1 + ratio)
    edge = 1e-3  # arms are kept away from 0 and 1, where the variance would vanish
    control = np.clip(overall - treated * difference, edge, 1 - edge)
    treatment = np.clip(control + difference, edge, 1 - edge)
    null = constrained(treatment, control, 0.0, ratio)
    z = norm.isf(alpha) * np.sqrt(null.control * (1 - null.control) * (1 + 1 / ratio))
    z = z + norm.ppf(power) * np.sqrt(control * (1 - control) + treatment * (1 - treatment) / ratio)
    return np.clip((z / difference) ** 2, least, most)


def promising_zone(
    bounds: Bounds, z: ArrayLike, first: float, second: float, most: float, low: float, target: float
) -> Promising:
    """Second stages enlarged where the effect seen is promising [Mehta and Pocock 2011, Stat Med 30:3267].

    Conditional power under the effect seen decides: below `low` unfavourable, from `target` favourable, between them
    the second stage grows until the target or `most` is reached. The final test must be `combined_statistic`.

    Args:
      bounds: of two looks. z: statistic at the first, shape (replicates,).
      first, second: sizes of the stages as planned. most: largest second stage.
    """
    if bounds.looks != 2:
        raise ValueError(f"bounds: expected two looks, got {bounds.looks}")
    positive("first", first)
    if not 0 < second <= most:
        raise ValueError(f"most: expected the planned second stage ({second:g}) or more, got {most:g}")
    if not 0 < low < target < 1:
        raise ValueError(f"low, target: expected rising numbers between 0 and 1, got {low:g}, {target:g}")
    statistic = defined("z", z)
    # The planned sizes may stand in another ratio than the planned information, which gives the weights.
    weight = np.sqrt(bounds.information[0]), np.sqrt(1 - bounds.information[0])
    hurdle = (bounds.efficacy[1] - weight[0] * statistic) / weight[1]
    trend = statistic / np.sqrt(first)
    power = norm.cdf(trend * np.sqrt(second) - hurdle)
    zone = np.where(power < low, 0, np.where(power < target, 1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = ((hurdle + norm.ppf(target)) / trend) ** 2
    enlarged = np.where(zone == 1, np.clip(wanted, second, most), second)
    return Promising(enlarged, zone, power)


def combined_statistic(bounds: Bounds, z: ArrayLike, z_second: ArrayLike) -> np.ndarray:
    """Final statistic with the weights of the plan, whatever the second stage's size; z_second is of its data alone."""
    if bounds.looks != 2:
        raise ValueError(f"bounds: expected two looks, got {bounds.looks}")
    time = bounds.information[0]
    return np.sqrt(time) * defined("z", z) + np.sqrt(1 - time) * defined("z_second", z_second)


def power_under_trend(bounds: Bounds, z: ArrayLike) -> np.ndarray:
    """Conditional power at the first look, under the effect seen there, with the planned second stage."""
    return conditional_power(bounds, 1, z)


def _limits(least: float, most: float) -> None:
    if not 0 < least <= most:
        raise ValueError(f"least, most: expected numbers above 0 that rise, got {least!r}, {most!r}")
