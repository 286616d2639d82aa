"""Time to event in one arm, and two arms' restricted means: Kaplan-Meier, median, RMST, cumulative incidence."""

from typing import Literal, NamedTuple

import numpy as np

from .estimate import Estimate, Flag, check_lengths, check_level, normal_quantile, nothing, plain, wald

Scale = Literal["log-log", "log", "plain"]


class Curve(NamedTuple):
    """A survival curve at the times of events; before the first it is 1."""

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    survival: np.ndarray
    greenwood: np.ndarray  # variance of log survival
    last: float  # the last time at which anybody was seen


class Incidence(NamedTuple):
    """Chance to have had an event of one cause, at the times of events of any."""

    time: np.ndarray
    incidence: np.ndarray
    variance: np.ndarray
    last: float


def kaplan_meier(time, event) -> Curve:
    """The product-limit estimate [Kaplan and Meier 1958, J Am Stat Assoc 53:457]; (people,) each.

    Raises:
      ValueError: negative times, events other than 0 and 1, nobody.
    """
    time, event = _checked(time, event, (0, 1))
    moments = np.unique(time[event == 1])
    n = np.array([(time >= t).sum() for t in moments])
    d = np.array([((time == t) & (event == 1)).sum() for t in moments])
    survival = np.cumprod(1 - d / np.maximum(n, 1))
    with np.errstate(divide="ignore"):
        greenwood = np.cumsum(d / (n * (n - d.astype(float))))
    return Curve(moments, n, d, survival, greenwood, float(time.max()))


def survival_at(curve: Curve, time: float, scale: Scale = "log-log", level: float = 0.95) -> Estimate:
    """Survival at a time with its limits; flagged beyond the last person seen. There is no test: p is NaN."""
    check_level(level)
    if time > curve.last and not (len(curve.survival) and curve.survival[-1] == 0):
        return nothing(Flag.NOT_REACHED)._replace(p=np.nan)
    place = int(np.searchsorted(curve.time, time, side="right")) - 1
    if place < 0:
        return Estimate(1.0, 0.0, 1.0, 1.0, np.nan, np.inf, np.nan, Flag.NO_EVENTS)
    share, variance = float(curve.survival[place]), float(curve.greenwood[place])
    if share == 0:
        return Estimate(0.0, np.nan, np.nan, np.nan, np.nan, np.inf, np.nan, Flag.NO_VARIATION)
    low, high = _limits(share, variance, scale, level)
    return Estimate(share, share * np.sqrt(variance), low, high, np.nan, np.inf, np.nan, Flag.FINE)


def quantile(curve: Curve, share: float = 0.5, scale: Scale = "log-log", level: float = 0.95) -> Estimate:
    """The time by which `share` have had the event, limits by inverting the curve's [Brookmeyer and Crowley 1982].

    What the curve does not reach is NaN, and the flag says so where it is the estimate.
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share}: expected a number between 0 and 1, 0.5 for the median")
    check_level(level)
    left = 1 - share
    low, high = [], []
    for survival, variance in zip(curve.survival, curve.greenwood, strict=True):
        limits = _limits(survival, variance, scale, level) if survival > 0 else (0.0, 0.0)
        low.append(limits[0])
        high.append(limits[1])
    estimate = _crossing(curve.time, curve.survival, left, middle=True)
    flag = Flag.NOT_REACHED if np.isnan(estimate) else Flag.FINE
    bounds = [_crossing(curve.time, np.array(side), left, middle=False) for side in (low, high)]
    return Estimate(estimate, np.nan, bounds[0], bounds[1], np.nan, np.inf, np.nan, flag)


def restricted_mean(time, event, tau: float, unbiased: bool = False, level: float = 0.95) -> Estimate:
    """Mean time without the event up to `tau`: the area under the curve [Royston and Parmar 2013].

    Args:
      unbiased: variance times m / (m - 1), m the number of events up to tau.

    Flagged where the curve ends before tau above zero.
    """
    if not tau > 0:
        raise ValueError(f"tau {tau}: expected a time above 0")
    curve = kaplan_meier(time, event)
    inside = curve.time < tau
    edges = np.concatenate([[0.0], curve.time[inside], [tau]])
    heights = np.concatenate([[1.0], curve.survival[inside]])
    areas = np.diff(edges) * heights
    mean = float(areas.sum())
    if curve.last < tau and heights[-1] > 0:
        return nothing(Flag.NOT_REACHED)._replace(p=np.nan)
    n, d = curve.at_risk[inside].astype(float), curve.events[inside]
    if not d.sum():
        return Estimate(mean, np.nan, np.nan, np.nan, np.nan, np.inf, np.nan, Flag.NO_EVENTS)
    to_come = np.cumsum(areas[::-1])[::-1][1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(n > d, to_come**2 * d / (n * (n - d)), 0.0)
    variance = float(terms.sum())
    m = float(d.sum())
    if unbiased and m > 1:
        variance *= m / (m - 1)
    found = plain(wald(mean, float(np.sqrt(variance)), level))
    return found._replace(statistic=np.nan, p=np.nan)


def restricted_mean_difference(time, event, arm, tau: float, unbiased: bool = False, level: float = 0.95) -> Estimate:
    """Arm 1's restricted mean minus arm 0's, by the normal distribution."""
    time, event, arm = np.asarray(time, float), np.asarray(event, float), np.asarray(arm, float)
    check_lengths(time=time, event=event, arm=arm)
    if not np.isin(arm, (0, 1)).all():
        raise ValueError("arm: expected 0 and 1 only")
    if len(np.unique(arm)) < 2:
        return nothing(Flag.EMPTY_ARM)
    parts = [restricted_mean(time[arm == a], event[arm == a], tau, unbiased, level) for a in (1, 0)]
    flag = Flag(parts[0].flag) | Flag(parts[1].flag)
    if flag & Flag.NOT_REACHED:
        return nothing(flag)
    # An arm without events has a mean without variance: that of the other is all there is.
    se = np.sqrt(sum(part.se**2 for part in parts if np.isfinite(part.se)))
    if not se > 0:
        return nothing(flag, parts[0].estimate - parts[1].estimate)
    found = plain(wald(parts[0].estimate - parts[1].estimate, float(se), level))
    return found._replace(flag=flag)


def cumulative_incidence(time, cause, of: int = 1) -> Incidence:
    """Chance of an event of one cause where others compete [Aalen and Johansen 1978, Scand J Stat 5:141].

    The variance is that of Aalen's counting process estimate (Gray 1988 uses it too).

    Args:
      cause: 0 censored, 1, 2, ... of the event, (people,).
    """
    time, cause = _checked(time, cause, None)
    if not (cause == of).any():
        return Incidence(np.array([]), np.array([]), np.array([]), float(time.max()))
    moments = np.unique(time[cause > 0])
    n = np.array([(time >= t).sum() for t in moments], float)
    any_ = np.array([((time == t) & (cause > 0)).sum() for t in moments], float)
    own = np.array([((time == t) & (cause == of)).sum() for t in moments], float)
    survival = np.cumprod(1 - any_ / n)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * own / n)
    return Incidence(moments, incidence, _aalen(n, any_, own, survival, before, incidence), float(time.max()))


def incidence_at(curve: Incidence, time: float, level: float = 0.95) -> Estimate:
    """Incidence at a time, with log-log limits; flagged beyond the last person seen."""
    check_level(level)
    if time > curve.last:
        return nothing(Flag.NOT_REACHED)._replace(p=np.nan)
    place = int(np.searchsorted(curve.time, time, side="right")) - 1
    if place < 0 or curve.incidence[place] == 0:
        return Estimate(0.0, np.nan, np.nan, np.nan, np.nan, np.inf, np.nan, Flag.NO_EVENTS)
    share, se = float(curve.incidence[place]), float(np.sqrt(curve.variance[place]))
    if share >= 1:
        return Estimate(share, se, np.nan, np.nan, np.nan, np.inf, np.nan, Flag.NO_VARIATION)
    half = normal_quantile(level) * se / (share * abs(np.log(share)))
    low, high = share ** np.exp(half), share ** np.exp(-half)
    return Estimate(share, se, float(low), float(high), np.nan, np.inf, np.nan, Flag.FINE)


def _aalen(n, any_, own, survival, before, incidence) -> np.ndarray:
    """Variance of the incidence at each time [Pintilie 2006, Competing Risks, equation 4.5, after Aalen 1978]."""
    variance = np.zeros(len(n))
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(n > 1, any_ / ((n - 1) * np.where(n > any_, n - any_, np.inf)), 0.0)
        mine = np.where(n > 1, before**2 * own * (n - own) / (n**2 * (n - 1)), 0.0)
        both = np.where(n > 1, before * own * (n - own) / (n * np.where(n > any_, n - any_, np.inf) * (n - 1)), 0.0)
    for i in range(len(n)):
        gap = incidence[i] - incidence[: i + 1]
        variance[i] = (gap**2 * alone[: i + 1] + mine[: i + 1] - 2 * gap * both[: i + 1]).sum()
    return np.maximum(variance, 0.0)


def _limits(share: float, variance: float, scale: Scale, level: float) -> tuple[float, float]:
    z = normal_quantile(level)
    if scale not in ("log-log", "log", "plain"):
        raise ValueError(f"scale {scale!r}: expected log-log, log or plain")
    if not np.isfinite(variance):
        return np.nan, np.nan
    if scale == "plain":
        half = z * share * np.sqrt(variance)
        return max(0.0, share - half), min(1.0, share + half)
    if scale == "log":
        half = z * np.sqrt(variance)
        return float(share * np.exp(-half)), float(min(1.0, share * np.exp(half)))
    half = z * np.sqrt(variance) / abs(np.log(share)) if share < 1 else 0.0
    return float(share ** np.exp(half)), float(share ** np.exp(-half))


def _crossing(time: np.ndarray, curve: np.ndarray, left: float, middle: bool) -> float:
    """When a falling curve first is at or below a height; the middle of the step where it lies on it exactly."""
    below = np.flatnonzero(curve <= left + 1e-12)
    if not len(below):
        return np.nan
    first = below[0]
    on_it = abs(curve[first] - left) < 1e-9
    if middle and on_it and first + 1 < len(time):
        return float((time[first] + time[first + 1]) / 2)
    return float(time[first])


def _checked(time, event, known: tuple[int, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    time, event = np.asarray(time, float), np.asarray(event, float)
    check_lengths(time=time, event=event)
    if not len(time):
        raise ValueError("nobody was followed: at least one time is needed")
    if not (np.isfinite(time) & (time >= 0)).all():
        raise ValueError("time holds a value that is negative or not a number")
    if known and not np.isin(event, known).all():
        raise ValueError(f"event holds {event[~np.isin(event, known)][0]:g}: expected 0 and 1 only")
    if not known and not ((event >= 0) & (event == np.round(event))).all():
        raise ValueError("cause: expected whole numbers, 0 for censored")
    return time, event
