"""Lesions of many arms at once, as a differentiable function of the model's parameters.

The equations are the engine's own (`core.acne.model`). Pharmacokinetics is not estimated, so concentrations are found
once; what is left is followed with classical Runge-Kutta steps.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy import special

from ...core.acne import model, treatments
from ...core.acne.effects import Cycle
from ...core.acne.equilibrium import Counts, rates
from ...core.slots import Slot, unknown
from .cohort import Admitted, luck
from .evidence.arms import Arm
from .exposure import Steps, exposure, taken

Theta = dict[str, Array]
PLACE = {name: place for place, name in enumerate(model.STATES)}


class Stage(NamedTuple):
    """Of a Runge-Kutta step: how far ahead with the rate of the stage before, what the rate here weighs, and where the
    concentration is taken, in halves of the step."""

    ahead: Array
    weight: Array
    place: Array


class Arms(NamedTuple):
    """Arms that are followed together; arrays.

    drugs: treatment numbers, (slots, arms). concentration: (steps, 3, slots, arms, people). usual: that of the usual
    dose, (slots, arms, people). resistance, own, placebo: standard normal scores, own (slots, arms, people), others
    (arms, people), as all that follows. resistant: log-odds. marks: share of lesions. rest: mean lesions untreated.
    """

    drugs: Array
    concentration: Array
    usual: Array
    resistance: Array
    own: Array
    placebo: Array
    resistant: Array
    marks: Array
    cycle: Cycle
    rest: Counts


class Seen(NamedTuple):
    """Mean lesions at the end of each week, from the start on, each (weeks + 1, arms, people).

    spots: red macules and dark marks.
    """

    inflammatory: Array
    noninflammatory: Array
    nodules: Array
    papules: Array
    pustules: Array
    spots: Array


def gather(found: list[tuple[Arm, Admitted]], at: Steps, theta: Theta) -> Arms:
    """What the model needs of some arms, which have equally many treatments, to follow them."""
    return _stack([_alone(arm, people, at, theta) for arm, people in found])


def _alone(arm: Arm, people: Admitted, at: Steps, theta: Theta) -> Arms:
    size = len(people.rater)
    drawn = luck(size)
    share = taken(drawn["adherence"])
    each = [
        exposure(name, people, share, tuple(c for c in arm.courses if c.treatment == name), at, theta)
        for name in arm.treatments
    ]
    twins = {name: jnp.asarray(values) for name, values in people.twins.items()}
    women = np.asarray(model.fertile(twins, theta))
    flares = women & (special.ndtr(drawn["flares"]) < float(theta["cycle.share"]))
    return Arms(
        jnp.asarray(np.array([treatments.number(name) for name in arm.treatments])),
        jnp.asarray(np.stack([e.concentration for e in each]).transpose(2, 1, 0, 3)),
        jnp.asarray(np.stack([e.usual for e in each])),
        jnp.asarray(drawn["resistance"]),
        jnp.asarray(np.stack([drawn[f"own_{slot}"] for slot in range(len(each))])),
        jnp.asarray(drawn["placebo"]),
        model.resistant(jnp.asarray(drawn["resistant"]), twins, theta),
        model.marks(jnp.asarray(drawn["marks"]), twins, theta),
        Cycle(
            jnp.asarray(np.where(flares, float(theta["cycle.amplitude"]), 0.0)),
            theta["cycle.length"] * special.ndtr(drawn["peak"]),
        ),
        people.rest,
    )


def _stack(alone: list[Arms]) -> Arms:
    def together(name: str, axis: int) -> Array:
        return jnp.stack([getattr(one, name) for one in alone], axis)

    return Arms(
        drugs=together("drugs", -1),
        concentration=together("concentration", -2),
        usual=together("usual", -2),
        resistance=together("resistance", -2),
        own=together("own", -2),
        placebo=together("placebo", -2),
        resistant=together("resistant", -2),
        marks=together("marks", -2),
        cycle=Cycle(*(jnp.stack(each) for each in zip(*(one.cycle for one in alone), strict=True))),
        rest=Counts(*(jnp.stack(each) for each in zip(*(one.rest for one in alone), strict=True))),
    )


def course(arms: Arms, at: Steps, theta: Theta, vehicle: Array, year: Array) -> Seen:
    """Lesions of arms week by week; vehicle: what each arm's trial adds to its vehicle, year: when it was published,
    both (arms,)."""
    person = _person(arms, theta | {"trial.vehicle": vehicle[:, None], "trial.year": year[:, None]})
    slots = arms.drugs.shape[0]
    days = jnp.asarray(at.days)
    begins = jnp.cumsum(days) - days

    def signal(concentration: Array, day: Array) -> tuple[Array, ...]:
        each = tuple(concentration[slot] for slot in range(slots))
        return model.signal(person, each, jnp.zeros_like(arms.placebo), day)

    def step(state: model.State, now: tuple[Array, Array, Array]) -> tuple[model.State, Seen]:
        h, day, c = now

        def stage(carry: tuple[model.State, model.State], at: Stage) -> tuple[tuple[model.State, model.State], None]:
            rate, done = carry
            driven = signal(c[at.place], day + at.place.astype("float64") * h / 2)
            rate = model.drift(person, _plus(state, rate, h * at.ahead), driven)
            return (rate, _plus(done, rate, h * at.weight)), None

        (_, state), _ = lax.scan(stage, (nothing, state), stages)
        return state, _seen(state)

    stages = Stage(
        jnp.asarray([0.0, 0.5, 0.5, 1.0]), jnp.asarray([1 / 6, 1 / 3, 1 / 3, 1 / 6]), jnp.asarray([0, 1, 1, 2])
    )
    nothing = tuple(map(jnp.zeros_like, model.start(person)))
    first = model.start(person)
    _, later = lax.scan(step, first, (days, begins, arms.concentration))
    weekly = jnp.asarray(at.weeks)
    return Seen(*(jnp.concatenate([a[None], b])[weekly] for a, b in zip(_seen(first), later, strict=True)))


def _seen(state: model.State) -> Seen:
    at = Counts(*state[PLACE["M"] : PLACE["E"] + 1])
    spots = at.E + state[PLACE["H1"]] + state[PLACE["H2"]]
    return Seen(at.Pa + at.Pu + at.D, at.Cc + at.Co, at.D, at.Pa, at.Pu, spots)


def _person(arms: Arms, theta: Theta) -> model.Individual:
    nothing = jnp.zeros_like(arms.placebo)
    slots = []
    for drugs, own, usual in zip(arms.drugs, arms.own, arms.usual, strict=True):
        needs = jnp.exp(unknown(arms.resistance, own, theta))
        blank: dict[str, Any] = dict.fromkeys(Slot._fields, nothing)
        half = treatments.half_maximal(drugs[:, None], needs, usual, theta)
        slots.append(Slot(**blank | {"half_maximal": half, "strength": treatments.strengths(drugs[:, None], theta)}))
    unused: dict[str, Any] = dict.fromkeys(model.Individual._fields, nothing)
    return model.Individual(
        **unused
        | {
            "theta": theta,
            "rest": arms.rest,
            "rates": rates(arms.rest, theta),
            "placebo": model.placebo(arms.placebo, theta),
            "resistant": arms.resistant,
            "marks": arms.marks,
            "cycle": arms.cycle,
            "slots": tuple(slots),
        }
    )


def _plus(state: model.State, rate: model.State, h: Array) -> model.State:
    return tuple(s + h * r for s, r in zip(state, rate, strict=True))
