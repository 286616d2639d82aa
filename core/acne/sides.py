r"""One half of a face, for trials that treat the two halves differently (split-face).

A half is modelled as a whole face that is like it, of which one half is read: what is counted is half of it, what is
graded is not. The left half has the share $s = \mathrm{expit}(\sigma z)$ of the person's lesions, the right half the
rest, so the face that is like a half forms $2s$ or $2(1-s)$ times as many microcomedones as the person's. Sebum,
sensitivity to drugs, the cycle and the slow waxing and waning of the disease are the person's; which lesions come, and
how the rater counts them at a visit, is the half's own.
"""

from pathlib import Path

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit

from ..disease import Sides
from ..keys import normals
from ..parameters import read_table
from .equilibrium import Counts
from .lesions import Face, today
from .model import STATES, Individual, State

HERE = Path(__file__).parent
HALF = 0.5
LESIONS = ("Cc", "Co", "Pa", "Pu", "D", "E")  # that wax and wane when they are read
MARKS = ("H1", "H2", "X")  # that are read as they are
COUNTED = (
    *("inflammatory", "noninflammatory", "total", "nodules"),
    *("closed", "open", "papules", "pustules", "macules", "pih", "scars"),
)
GRADED = ("iga", "erythema", "dryness", "scaling", "stinging", "resistant", "sebum")


def side(keys: Array, own: Array, number: Array, person: Individual, theta: dict[str, Array]) -> Individual:
    """People as if both halves of the face were like one of them; half of what is there is counted.

    Args:
      keys: of the people, own: of the halves, number: 0 for left, 1 for right; each (people,).
    """
    left = expit(theta["sides.asymmetry"] * normals(keys, "asymmetry"))
    times = 2 * jnp.where(number == 0, left, 1 - left)
    rest = Counts(*(times * kind for kind in person.rest))
    rates = person.rates._replace(FM=times * person.rates.FM)  # the others are per lesion
    return person._replace(rest=rest, rates=rates, face=Face(own, HALF * person.face.rater))


def read(person: Individual, half: Individual, state: State, day: Array) -> State:
    """The state of a half as a visit reads it.

    A visit multiplies lesions by the activity that the reader's keys give, here the half's own; what waxes and wanes is
    the person, so that the person's activity takes its place.
    """
    waning = today(person.face, day, person.theta).activity / today(half.face, day, person.theta).activity
    factors = dict.fromkeys(LESIONS, waning) | dict.fromkeys(MARKS, jnp.full_like(waning, HALF))
    factors["E"] = HALF * waning
    return tuple(factors[name] * x if name in factors else x for name, x in zip(STATES, state, strict=True))


SIDES = Sides(
    about="half of the face",
    shares=dict.fromkeys(COUNTED, HALF) | dict.fromkeys(GRADED, 1.0),
    parameters=read_table(HERE / "sides.yaml", sources=HERE / "sources.yaml"),
    limits=(
        "How unlike the two halves of a face are has no source; the more they differ, the less is gained by comparing "
        "them.",
        "The slow waxing and waning of acne is taken as that of the whole face, the chance in single lesions and the "
        "rater's scatter at a visit as those of each half alone, and a rater who counts high as counting high on both.",
        "What being treated does by itself belongs to the treated half, sham or not; an untreated half has none.",
    ),
    side=side,
    read=read,
)
