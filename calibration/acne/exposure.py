"""Concentrations of what an arm receives, on the times at which the calibration follows the model.

Of what is taken daily people take the share that is their habit, as in the trial runner; that irritation makes them
skip more is left out. Sessions are given by others, to everybody.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

from ...core.acne.treatments import column, number, slot
from ..evidence.regimens import Course
from ..exposure import PART, doses, follow, jump
from .cohort import Admitted
from .evidence.regimens import SESSIONS

EARLY = 14  # days followed day by day
LATE = 3.5  # days of a later step
HABIT, SPREAD = 0.8, 0.8  # share of doses taken in a trial, and the deviation of its logit between people; assumed


class Steps(NamedTuple):
    """Steps in time: their length in days, and where each week ends, counted in steps; the first week is the start."""

    days: np.ndarray
    weeks: np.ndarray


class Exposure(NamedTuple):
    """Concentrations at the begin, the middle and the end of each step, (3, steps, people), and that of the usual dose,
    (people,). At the begin a dose of that day is there, at the end of the step before it is not."""

    concentration: np.ndarray
    usual: np.ndarray


def steps(weeks: int, fine: bool, parts: int = 1) -> Steps:
    """Steps of some weeks, all of a day where `fine`; each in so many `parts`.

    Raises:
      ValueError: half of a step is no whole number of PARTs.
    """
    if parts not in (1, 2):
        raise ValueError(f"steps can be cut in 1 or 2 parts, not in {parts}")
    late = max(7 * weeks - EARLY, 0)
    days = np.r_[np.ones(EARLY), np.ones(late) if fine else np.full(round(late / LATE), LATE)]
    days = np.repeat(days / parts, parts)
    ends = np.r_[0.0, np.cumsum(days)]
    return Steps(days, np.searchsorted(ends, 7.0 * np.arange(weeks + 1) - 1e-9))


def fine(courses: tuple[Course, ...]) -> bool:
    """Whether a regimen is followed day by day: what is done at once fades within days."""
    return any(course.treatment in SESSIONS or not course.daily for course in courses)


def taken(scores: np.ndarray) -> np.ndarray:
    """The share of daily doses that people with these standard normal scores take."""
    return special.expit(special.logit(HABIT) + SPREAD * scores)


def exposure(
    treatment: str,
    people: Admitted,
    share: np.ndarray,
    courses: tuple[Course, ...],
    at: Steps,
    theta: dict[str, Array],
) -> Exposure:
    """Of one treatment; courses: those of this treatment. share: of daily doses that are taken, (people,)."""
    weight = people.twins["weight"]
    given, input_ = doses(courses, weight, len(at.weeks) - 1)
    parts = np.rint(at.days / (2 * PART)).astype(int)
    out, risen, usual = _follow(
        people.keys,
        {k: jnp.asarray(v) for k, v in people.twins.items()},
        jnp.full(len(weight), number(treatment)),
        theta,
        jnp.asarray(given),
        jnp.asarray(input_ * share),
        jnp.asarray(np.repeat(parts, 2)),
    )
    begins = np.array(out[:-2:2])
    days = np.r_[0.0, np.cumsum(at.days)[:-1]]
    whole = (days == np.floor(days)) & (days > 0)
    begins[whole] += np.asarray(risen)[days[whole].astype(int)]
    return Exposure(np.stack([begins, np.asarray(out[1:-1:2]), np.asarray(out[2::2])]), np.asarray(usual))


@partial(jax.jit)
def _follow(
    keys: Array,
    twins: dict[str, Array],
    drugs: Array,
    theta: dict[str, Array],
    given: Array,
    input_: Array,
    parts: Array,
) -> tuple[Array, Array, Array]:
    person = slot(keys, twins, drugs, theta)
    usual = column(theta, "usual_dose", drugs) * person.bioavailability / person.clearance
    return follow(False, person, given, input_, parts), jax.vmap(partial(jump, person))(given), usual
