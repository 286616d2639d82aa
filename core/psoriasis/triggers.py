r"""What makes psoriasis flare: infections, stress and season multiply the dendritic drive.

$$G(t) = \frac{1 + \sum_k C_k(t)}{1 + \sum_k E[C_k(t)]}\,\{1 + a \cos[2\pi (t + t_0)/365.25]\}$$

An infection or a stressful event, one at most a week of each kind, adds $A (e^{-t/\tau} - e^{-t/r})$ over
$1 - r/\tau$ to its own $C_k$, with rise time $r$, decay $\tau$ and a size $A$ of its own. Dividing by what the person
has to expect keeps the mean of $G$ at 1 at any time, so that triggers add variation and do not shift efficacy.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ..engine.pharmacokinetics import Rates, rates
from ..keys import normals, uniforms

KINDS = ("infection", "stress")
WEEK, YEAR = 7.0, 365.25  # days


class Triggers(NamedTuple):
    """What makes a person flare; arrays of people.

    theta: parameters of the disease. weekly: chance of an event of each of `KINDS` in a week.
    season: amplitude of the yearly swing; above 0 is worse in winter. entry: days from midwinter to the first visit.
    """

    theta: dict[str, Array]
    weekly: tuple[Array, ...]
    season: Array
    entry: Array

    def drive(self, disturbances: tuple[Array, ...], day: Array) -> Array:
        """The factor of the drive on a day since the first visit.

        disturbances: what is left of the events of each of `KINDS`, (people,); none where events are not followed:
        the drive is then its mean, 1.
        """
        if not disturbances:
            return jnp.ones_like(self.season)
        expected = sum(
            chance * _mean_size(kind, self.theta) * _summed(kind, self.theta, day)
            for kind, chance in zip(KINDS, self.weekly, strict=True)
        )
        season = 1 + self.season * jnp.cos(2 * jnp.pi / YEAR * (day + self.entry))
        return (1 + sum(disturbances)) / (1 + expected) * season


def triggers(keys: Array, twins: dict[str, Array], theta: dict[str, Array]) -> Triggers:
    """Draw each person's triggers; keys (people,), twins with `hla_c0602`, theta `Table.numbers()`."""
    carrier = jnp.where(twins["hla_c0602"], theta["triggers.infection_carrier"], 1.0)
    share = theta["triggers.carrier_share"]
    typical = 1 - share + share * theta["triggers.infection_carrier"]
    rise = {"infection": carrier / typical, "stress": jnp.ones_like(carrier)}
    return Triggers(
        theta,
        tuple(-jnp.expm1(-theta[f"triggers.{kind}_rate"] * rise[kind] * WEEK / YEAR) for kind in KINDS),
        theta["triggers.season"] + theta["triggers.season:sd"] * normals(keys, "season"),
        YEAR * uniforms(keys, "entry"),
    )


def impulses(keys: Array, person: Triggers, day: Array) -> tuple[Array, ...]:
    """Sizes of the events that begin in the week of this day, 0 where none does: (people,) of each of `KINDS`.

    keys: one a person, the same at every call; a week's events are addressed by the week's number.
    """
    week = (day / WEEK).astype("int32")

    def one(kind: str, chance: Array) -> Array:
        spread = person.theta[f"triggers.{kind}_size:sd"] * normals(keys, f"{kind} size", week)
        size = person.theta[f"triggers.{kind}_size"] * jnp.exp(spread)
        return jnp.where(uniforms(keys, kind, week) < chance, size, 0.0)

    return tuple(map(one, KINDS, person.weekly))


def disposition(person: Triggers) -> tuple[Rates, ...]:
    """How an impulse rises and decays, for each of `KINDS`; an impulse goes into the depot."""
    one, zero = jnp.ones_like(person.season), jnp.zeros_like(person.season)

    def of(kind: str) -> Rates:
        rise, decay = _times(kind, person.theta)
        return rates(one / rise, one / decay, one, zero, one, one)

    return tuple(map(of, KINDS))


def _times(kind: str, theta: dict[str, Array]) -> tuple[Array, Array]:
    return theta[f"triggers.{kind}_rise"], theta[f"triggers.{kind}_decay"]


def _mean_size(kind: str, theta: dict[str, Array]) -> Array:
    """Mean of the log-normal sizes."""
    return theta[f"triggers.{kind}_size"] * jnp.exp(theta[f"triggers.{kind}_size:sd"] ** 2 / 2)


def _summed(kind: str, theta: dict[str, Array], day: Array) -> Array:
    """What an impulse of 1 at the beginning of every week since day 0 would have left on a day."""
    rise, decay = _times(kind, theta)
    weeks = jnp.floor(day / WEEK)

    def left(time: Array) -> Array:
        latest = jnp.exp(-(day - WEEK * weeks) / time)
        return latest * jnp.expm1(-(weeks + 1) * WEEK / time) / jnp.expm1(-WEEK / time)

    return (left(decay) - left(rise)) / (1 - rise / decay)
