"""The chance of success given what has been seen: conditional and predictive power, conditional rejection probability.

Lan, Simon and Halperin 1982, Commun Stat C 1:207 (conditional); Spiegelhalter, Freedman and Blackburn 1986, Control
Clin Trials 7:8 (predictive).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import defined
from .bounds import Bounds, crossing


def conditional_power(
    bounds: Bounds, look: int, z: ArrayLike, drift: ArrayLike | None = None, use_futility: bool = True
) -> np.ndarray:
    """Probability of crossing an efficacy bound after a look, given the statistic there.

    Args:
      look: number of the look (from 1), not the last.
      z: the statistic, shape (replicates,) or a number.
      drift: mean of the statistic at full information; the estimate at the look ($z / \\sqrt t$) if not given.
      use_futility: later futility bounds stop the trial.
    """
    statistic = defined("z", z)
    now = _time(bounds, look)
    trend = statistic / np.sqrt(now) if drift is None else np.broadcast_to(defined("drift", drift), statistic.shape)
    if look == bounds.looks - 1:
        return _last(bounds, statistic, trend)
    power = np.empty(statistic.shape)
    for place in np.ndindex(statistic.shape):
        rest, onward = _rest(bounds, look, float(statistic[place]))
        power[place] = crossing(rest, float(trend[place]) * onward, use_futility).upper.sum()
    return power


def predictive_power(
    bounds: Bounds,
    look: int,
    z: ArrayLike,
    mean: float = 0.0,
    sd: float = np.inf,
    use_futility: bool = True,
) -> np.ndarray:
    """Conditional power averaged over what is believed of the drift at the look.

    Args:
      mean, sd: normal prior of the drift; nothing is known beforehand if sd is infinite.
    """
    statistic = defined("z", z)
    now = _time(bounds, look)
    if not sd > 0:
        raise ValueError(f"sd: expected a number above 0, got {sd!r}")
    # sqrt(t) z has mean t drift and variance t.
    precision = now + sd**-2
    centre, spread = (np.sqrt(now) * statistic + mean * sd**-2) / precision, precision**-0.5
    if look == bounds.looks - 1:
        final, left = bounds.efficacy[-1], 1 - now
        expected = np.sqrt(now) * statistic + left * centre
        return norm.sf((final - expected) / np.sqrt(left + left**2 * spread**2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(32)
    powers = [conditional_power(bounds, look, statistic, centre + spread * x, use_futility) for x in nodes]
    return np.tensordot(weights / weights.sum(), np.stack(powers), axes=1)


def rejection_probability(bounds: Bounds, look: int, z: ArrayLike) -> np.ndarray:
    """Probability under the null of a later success; futility is disregarded unless it binds.

    It is the level that a redesign of the rest of the trial may spend [Mueller and Schaefer 2001, Biometrics 57:886].
    """
    return conditional_power(bounds, look, z, 0.0, use_futility=bounds.binding)


def _time(bounds: Bounds, look: int) -> float:
    if not 1 <= look < bounds.looks:
        raise ValueError(f"look: expected 1 to {bounds.looks - 1} (nothing is left after the last), got {look}")
    return float(bounds.information[look - 1])


def _last(bounds: Bounds, z: np.ndarray, drift: np.ndarray) -> np.ndarray:
    now = bounds.information[-2]
    return norm.sf((bounds.efficacy[-1] - np.sqrt(now) * z - (1 - now) * drift) / np.sqrt(1 - now))


def _rest(bounds: Bounds, look: int, z: float) -> tuple[Bounds, float]:
    """The looks that are left as a trial of their own, and its drift for each unit of the whole one's."""
    now, later = bounds.information[look - 1], bounds.information[look:]
    gained = later - now

    def onward(bound: np.ndarray) -> np.ndarray:
        return (np.sqrt(later) * bound - np.sqrt(now) * z) / np.sqrt(gained)

    left = gained[-1]
    low = bounds.futility[look:] if bounds.sided == 1 else -bounds.efficacy[look:]
    rest = Bounds(gained / left, onward(bounds.efficacy[look:]), onward(low), bounds.alpha, 1, bounds.binding)
    return rest, float(np.sqrt(left))
