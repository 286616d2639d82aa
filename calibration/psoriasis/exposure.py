"""Concentrations of what an arm receives, on the times at which the calibration follows the model."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.psoriasis.treatments import number, slot
from ..evidence.regimens import Course
from ..exposure import doses, follow
from .cohort import pool

EARLY = 14  # days followed day by day; later each week has four steps


def spans(weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps in days, and how many PARTs one half of each step has."""
    late = max(7 * weeks - EARLY, 0)
    return np.r_[np.ones(EARLY), np.full(late * 4 // 7, 1.75)], np.r_[np.full(EARLY, 4), np.full(late * 4 // 7, 7)]


def concentrations(
    treatment: str, twins: dict[str, np.ndarray], courses: tuple[Course, ...], weeks: int, theta: dict[str, Array]
) -> np.ndarray:
    """Serum concentration at the begin and the middle of each step and at the end, (2 steps + 1, people)."""
    size = len(twins["weight"])
    given, input_ = doses(courses, twins["weight"], weeks)
    _, parts = spans(weeks)
    out = _follow(
        treatment == "brodalumab",
        pool(size).keys,
        {k: jnp.asarray(v) for k, v in twins.items()},
        jnp.full(size, number(treatment)),
        theta,
        jnp.asarray(given),
        jnp.asarray(input_),
        jnp.asarray(np.repeat(parts, 2)),
    )
    return np.asarray(out)


@partial(jax.jit, static_argnums=0)
def _follow(
    saturable: bool,
    keys: Array,
    twins: dict[str, Array],
    drugs: Array,
    theta: dict[str, Array],
    given: Array,
    input_: Array,
    parts: Array,
) -> Array:
    return follow(saturable, slot(keys, twins, drugs, theta), given, input_, parts)
