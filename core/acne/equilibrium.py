"""Lesions of an untreated face at rest, and the rates (1/day) that keep them there.

Counts and mean lifetimes say what enters and leaves each kind of lesion; where lesions come from and what becomes of
them divides these flows. Every face is at rest from the start, whatever its counts.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

Theta = dict[str, Array]


class Counts(NamedTuple):
    """Lesions of a face: microcomedones, closed and open comedones, papules, pustules, nodules, red macules left."""

    M: Array
    Cc: Array
    Co: Array
    Pa: Array
    Pu: Array
    D: Array
    E: Array


class Rates(NamedTuple):
    """Rates per lesion and day from one kind to the next: `kMC` from microcomedone to closed comedone, and so on.

    P papule, U pustule, D nodule, C and O closed and open comedone, E macule; `k?0` is healing. FM: microcomedones
    that form, 1/day. pE: macules a healed lesion leaves.
    """

    FM: Array
    kMC: Array
    kMP: Array
    kM0: Array
    kCP: Array
    kCO: Array
    kC0: Array
    kOP: Array
    kO0: Array
    kPU: Array
    kPD: Array
    kP0: Array
    kU0: Array
    kD0: Array
    kEP: Array
    kE0: Array
    pE: Array


def counts(inflammatory: Array, noninflammatory: Array, nodules: Array, theta: Theta) -> Counts:
    """A face with these lesions; what is not counted (microcomedones, macules) follows from what is.

    Nodules come and go, so that their number on one day tells their mean only in part: it is taken as a Poisson number
    about a mean that is exponential between people with as many inflammatory lesions.

    Args:
      inflammatory: papules, pustules and nodules. noninflammatory: comedones. nodules: on the day of entry.
    """
    expected = theta["lesions.nodules"] * inflammatory
    D = jnp.minimum((1 + nodules) / (1 + 1 / expected), theta["lesions.nodules_limit"] * inflammatory)
    Pu = theta["lesions.pustules"] * (inflammatory - D)
    Pa = inflammatory - D - Pu
    Co = theta["lesions.open"] * noninflammatory
    Cc = noninflammatory - Co
    papules = Pa / theta["lesions.papule_life"]
    closed = Cc / theta["lesions.closed_life"]
    onward = closed + _sources(Cc, Co, papules, theta)[0] * papules
    M = theta["lesions.microcomedone_life"] / theta["lesions.microcomedone_onward"] * onward
    return Counts(M, Cc, Co, Pa, Pu, D, theta["lesions.macules"] * papules)


def rates(at: Counts, theta: Theta) -> Rates:
    """The rates at which these counts are at rest; all are positive for the counts that `counts` makes."""
    life = {name: theta[f"lesions.{name}_life"] for name in ("microcomedone", "closed", "open", "papule", "macule")}
    kU0, kD0 = 1 / theta["lesions.pustule_life"], 1 / theta["lesions.nodule_life"]
    papules, closed = at.Pa / life["papule"], at.Cc / life["closed"]
    from_micro, from_comedo = _sources(at.Cc, at.Co, papules, theta)
    kMC, kMP = closed / at.M, from_micro * papules / at.M
    kCP = from_comedo * papules / (at.Cc + theta["lesions.open_inflaming"] * at.Co)
    kOP = theta["lesions.open_inflaming"] * kCP
    kCO = at.Co / life["open"] / at.Cc
    kPU, kPD = at.Pu * kU0 / at.Pa, at.D * kD0 / at.Pa
    kP0 = 1 / life["papule"] - kPU - kPD
    kEP = theta["lesions.from_macules"] * papules / at.E
    healed = kP0 * at.Pa + kU0 * at.Pu + kD0 * at.D
    none = jnp.zeros_like(at.M)
    return Rates(
        FM=at.M / life["microcomedone"],
        kMC=kMC,
        kMP=kMP,
        kM0=1 / life["microcomedone"] - kMC - kMP,
        kCP=kCP,
        kCO=kCO,
        kC0=1 / life["closed"] - kCP - kCO,
        kOP=kOP,
        kO0=1 / life["open"] - kOP,
        kPU=kPU,
        kPD=kPD,
        kP0=kP0,
        kU0=none + kU0,
        kD0=none + kD0,
        kEP=kEP,
        kE0=1 / life["macule"] - kEP,
        pE=at.E / life["macule"] / healed,
    )


def _sources(Cc: Array, Co: Array, papules: Array, theta: Theta) -> tuple[Array, Array]:
    """Shares of new papules that come from microcomedones and from comedones one can see, papules appearing at a rate.

    A face with many papules and few comedones has not enough of the latter: at most a part of them inflames.
    """
    enough = (Cc + theta["lesions.open_inflaming"] * Co) / theta["lesions.closed_life"]
    from_comedo = jnp.minimum(theta["lesions.from_comedones"], theta["lesions.inflaming_limit"] * enough / papules)
    return 1 - from_comedo - theta["lesions.from_macules"], from_comedo
