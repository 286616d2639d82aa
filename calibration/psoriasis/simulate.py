"""Plaque activity of many arms at once, as a differentiable function of the model's parameters.

The equations are the engine's own (`core.psoriasis.model`). Pharmacokinetics is not estimated, so concentrations are
found once; what is left is followed with classical Runge-Kutta steps of a day, later of 1.75 days.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy import special

from ...core.psoriasis import model, sensitivity
from ...core.psoriasis.treatments import NAMES, SITES, Slot, column, hooks
from ...core.psoriasis.triggers import Triggers
from ...core.slots import unknown
from .cohort import pool
from .evidence.arms import Arm, Trial
from .exposure import concentrations, spans

Theta = dict[str, Array]
FASTEST = 1.4  # 1/day: a turnover of half a day, at most what the steps below can follow


class Arms(NamedTuple):
    """Arms that are followed together; arrays.

    concentration: (2 steps + 1, arms, people), in the order of time. drugs: treatment numbers, (arms,), 0 is placebo.
    known: what attributes tell of a person's half-maximal concentration, (arms, people), on the logarithm.
    resistance, own, plaque_rate, il23_free, il17f_share: standard normal deviations, placebo: uniform draws; each
      (arms, people).
    """

    concentration: Array
    drugs: Array
    known: Array
    resistance: Array
    own: Array
    plaque_rate: Array
    il23_free: Array
    il17f_share: Array
    placebo: Array


@dataclass(frozen=True)
class Scenario:
    """An arm of a trial to follow for some weeks."""

    trial: Trial
    arm: Arm
    twins: dict[str, np.ndarray]


def gather(scenarios: list[Scenario], weeks: int, size: int, theta: Theta) -> Arms:
    """What the model needs of some arms (each with one treatment at most) to follow them for `weeks`."""
    drawn = pool(size)
    steps = len(spans(weeks)[0])
    exposure, known, drugs = [], [], []
    for s in scenarios:
        name = s.arm.treatments[0] if s.arm.treatments else None
        number = NAMES.index(name) + 1 if name else 0
        drugs.append(number)
        if name is None:
            exposure.append(np.zeros((2 * steps + 1, size)))
        else:
            exposure.append(concentrations(name, s.twins, s.arm.courses, weeks, theta))
        carriers = column(theta, "carriers", jnp.full(size, number))
        known.append(np.asarray(sensitivity.known({k: jnp.asarray(v) for k, v in s.twins.items()}, carriers, theta)))
    everybody = {name: jnp.broadcast_to(jnp.asarray(v), (len(scenarios), size)) for name, v in drawn.luck.items()}
    return Arms(
        jnp.asarray(np.stack(exposure, 1)),
        jnp.asarray(np.array(drugs)),
        jnp.asarray(np.stack(known)),
        everybody["resistance"],
        everybody["own"],
        everybody["plaque_rate"],
        everybody["il23_free"],
        everybody["il17f_share"],
        jnp.asarray(special.ndtr(np.asarray(everybody["placebo"]))),
    )


def activity(arms: Arms, weeks: int, theta: Theta, effect: Array) -> Array:
    """Logarithm of plaque activity as seen at the end of each week from the second on, (weeks - 1, arms, people).

    Args:
      theta: parameters. effect: what the trial of each arm adds to improvement, (arms,).
    """
    person = _person(arms, theta)
    h, _ = spans(weeks)

    def rate(state: model.State, c: Array) -> model.State:
        nothing = jnp.zeros_like(c)
        return model.drift(person, state, model.signal(person, (c,), nothing, nothing[0, 0]))

    def step(state: model.State, at: tuple[Array, Array, Array, Array]) -> tuple[model.State, Array]:
        h, c_0, c_half, c_1 = at
        k_1 = rate(state, c_0)
        k_2 = rate(_plus(state, k_1, h / 2), c_half)
        k_3 = rate(_plus(state, k_2, h / 2), c_half)
        k_4 = rate(_plus(state, k_3, h), c_1)
        mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k_1, k_2, k_3, k_4, strict=True))
        state = _plus(state, mean, h)
        return state, state[4]

    c = arms.concentration
    _, plaque = lax.scan(step, model.start(person), (jnp.asarray(h), c[:-2:2], c[1:-1:2], c[2::2]))
    weekly = np.r_[13, 13 + 4 * np.arange(1, weeks - 1)]
    days = 7.0 * jnp.arange(2, weeks + 1)[:, None, None]
    improved = (person.placebo + effect[:, None])[None] * jnp.expm1(-theta["placebo.rate"] * days)
    return jnp.log(jnp.maximum(plaque[weekly], 1e-9)) + improved


def _person(arms: Arms, theta: Theta) -> model.Individual:
    shape = arms.known.shape
    nothing, one = jnp.zeros(shape), jnp.ones(shape)
    half = column(theta, "half_maximal", arms.drugs)[:, None] * jnp.exp(
        arms.known + unknown(arms.resistance, arms.own, theta)
    )
    strength = hooks(arms.drugs) * column(theta, "maximum", arms.drugs)[:, None]
    at = tuple(jnp.broadcast_to(strength[:, k][:, None], shape) for k in range(len(SITES)))
    blank: dict[str, Any] = dict.fromkeys(Slot._fields, nothing) | {"half_maximal": half, "strength": at}
    unused: dict[str, Any] = dict.fromkeys(model.Individual._fields, nothing)
    return model.Individual(
        **unused
        | {
            "theta": theta,
            "plaque_rate": jnp.minimum(model.plaque_rate(arms.plaque_rate, theta), FASTEST),
            "il23_free": model.share("il23_free", arms.il23_free, theta),
            "il17f_share": model.share("il17f_share", arms.il17f_share, theta),
            "placebo": model.placebo(arms.placebo, theta),
            "slots": (Slot(**blank),),
            "triggers": Triggers(theta, (), one, one),
        }
    )


def _plus(state: model.State, rate: model.State, h: Array) -> model.State:
    return tuple(s + h * r for s, r in zip(state, rate, strict=True))
