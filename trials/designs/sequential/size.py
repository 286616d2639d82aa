"""Sample size of a sequential design: that of the design with one look, times its inflation."""

from dataclasses import dataclass

import numpy as np

from ..checks import positive
from ..samplesize.survival import Course, lachin_foulkes, schoenfeld, time_of_events
from .bounds import crossing
from .plan import Plan, expected


@dataclass(frozen=True)
class Size:
    """People (or events) at each look, not rounded, shape (looks,); what is expected to be used; power so far.

    Args:
      expected_null, expected_alternative: people or events when the trial ends, on average.
      success: probability of success up to each look, under the alternative.
    """

    at_look: np.ndarray
    expected_null: float
    expected_alternative: float
    success: np.ndarray


@dataclass(frozen=True)
class SurvivalSize:
    """Events at each look, people, and when each look is expected (under the alternative).

    Args:
      times: since the first person came in, shape (looks,).
    """

    events: Size
    people: float
    times: np.ndarray


def sequential_size(plan: Plan, fixed: float) -> Size:
    """The sizes of a plan.

    Args:
      fixed: people, or events, of the design with one look of the same level and power (`samplesize`): of a group
        or of all, and so is the result.
    """
    largest = positive("fixed", fixed) * plan.inflation
    null, alternative = expected(plan.bounds, 0.0), expected(plan.bounds, plan.drift)
    success = np.cumsum(crossing(plan.bounds, plan.drift).upper)
    return Size(
        plan.bounds.information * largest, null.information * largest, alternative.information * largest, success
    )


def survival_size(plan: Plan, course: Course, method: str = "schoenfeld") -> SurvivalSize:
    """Events and people of a plan whose last look is at the end of follow-up.

    Args:
      method: `schoenfeld` or `lachin_foulkes`.
    """
    methods = {"schoenfeld": schoenfeld, "lachin_foulkes": lachin_foulkes}
    if method not in methods:
        raise ValueError(f"method: expected one of {', '.join(methods)}, got {method!r}")
    fixed = methods[method](course, plan.bounds.level, plan.power)
    events, people = sequential_size(plan, fixed.events), fixed.people * plan.inflation
    times = [time_of_events(course, people, count) for count in events.at_look]
    return SurvivalSize(events, people, np.array(times))
