"""Events, people and duration of trials that compare hazards with the log-rank test.

Exponential times to event and to dropout, even accrual; hazards and durations in one unit of time.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import one_of, positive, powered
from ..root import root


@dataclass(frozen=True)
class Course:
    """How a trial runs.

    Args:
      accrual: duration of even accrual. follow_up: from its end to the last analysis.
      hazard: of an event in the control arm. hazard_ratio: treatment over control.
      dropout: hazard of leaving unseen. ratio: people on treatment for each one on control.
    """

    accrual: float
    follow_up: float
    hazard: float
    hazard_ratio: float
    dropout: float = 0.0
    ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("accrual", "hazard", "hazard_ratio", "ratio"):
            positive(name, getattr(self, name))
        for name in ("follow_up", "dropout"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)!r}")
        if self.hazard_ratio == 1:
            raise ValueError("hazard_ratio: expected another number than 1, with which there is nothing to detect")

    @property
    def duration(self) -> float:
        """From the first person to the last analysis."""
        return self.accrual + self.follow_up


class Events(NamedTuple):
    """What a trial needs; not rounded."""

    events: float
    people: float


def event_probability(course: Course, hazard: float, time: ArrayLike) -> np.ndarray:
    """Share of all planned people who have had an event by a time since the first came in."""
    at = np.asarray(time, dtype=float)
    positive("hazard", hazard)
    if not (at >= 0).all():
        raise ValueError(f"time: expected 0 or more, got {at.min():g}")
    total = hazard + course.dropout
    entered = np.minimum(at, course.accrual)
    # The mean of 1 - exp(-total u) over the times u since entry of those who have entered.
    without = (np.exp(-total * (at - entered)) - np.exp(-total * at)) / total
    return hazard / total * (entered - without) / course.accrual


def overall_probability(course: Course, time: ArrayLike) -> np.ndarray:
    """The same of both arms together, under the hazard ratio."""
    treated = course.ratio / (1 + course.ratio)
    control = event_probability(course, course.hazard, time)
    return (1 - treated) * control + treated * event_probability(course, course.hazard * course.hazard_ratio, time)


def events_needed(
    hazard_ratio: float, alpha: float, power: float, ratio: float = 1.0, method: str = "schoenfeld"
) -> float:
    """Events for a one-sided level, not rounded.

    Args:
      method: `schoenfeld` [1981, Biometrika 68:316] or `freedman` [1982, Stat Med 1:121].
    """
    powered(alpha, power)
    positive("hazard_ratio", hazard_ratio)
    positive("ratio", ratio)
    if hazard_ratio == 1:
        raise ValueError("hazard_ratio: expected another number than 1, with which there is nothing to detect")
    z = (norm.isf(alpha) + norm.ppf(power)) ** 2
    if one_of("method", method, ("schoenfeld", "freedman")) == "freedman":
        return float(z * (1 + ratio * hazard_ratio) ** 2 / (ratio * (1 - hazard_ratio) ** 2))
    return float(z * (1 + ratio) ** 2 / (ratio * np.log(hazard_ratio) ** 2))


def schoenfeld(course: Course, alpha: float, power: float) -> Events:
    """Events by Schoenfeld's formula, and the people who bring them by the last analysis."""
    events = events_needed(course.hazard_ratio, alpha, power, course.ratio)
    return Events(events, events / float(overall_probability(course, course.duration)))


def lachin_foulkes(course: Course, alpha: float, power: float) -> Events:
    """People and events with a variance for each hypothesis [Lachin and Foulkes 1986, Biometrics 42:507]."""
    powered(alpha, power)
    treated = course.ratio / (1 + course.ratio)
    mean = (1 - treated) * course.hazard + treated * course.hazard * course.hazard_ratio

    def variance(control: float, treatment: float) -> float:
        seen = [float(event_probability(course, hazard, course.duration)) for hazard in (control, treatment)]
        return 1 / ((1 - treated) * seen[0]) + 1 / (treated * seen[1])

    spread = norm.isf(alpha) * np.sqrt(variance(mean, mean))
    spread += norm.ppf(power) * np.sqrt(variance(course.hazard, course.hazard * course.hazard_ratio))
    people = float((spread / np.log(course.hazard_ratio)) ** 2)
    return Events(people * float(overall_probability(course, course.duration)), people)


def time_of_events(course: Course, people: float, events: float) -> float:
    """When a number of events is expected, in time since the first person came in.

    Raises:
      ValueError: so many are never expected.
    """
    positive("people", people)
    positive("events", events)

    def excess(time: float) -> float:
        return people * float(overall_probability(course, time)) - events

    last = course.duration
    while excess(last) < 0:
        last *= 2
        if last > 1e6 * course.duration:
            raise ValueError(
                f"events: {events:g} are never expected of {people:g} people; raise accrual or lower dropout"
            )
    return root(excess, 0.0, last, xtol=1e-10)
