"""How lesions are counted: a face that waxes and wanes, lesions that come and go, and a rater who miscounts.

About the mean that the equations follow, disease activity wanders slowly (an Ornstein-Uhlenbeck process of its
logarithm). Lesions form at random and last, so that what is counted is Poisson on any day and much the same a few days
later: a Poisson number whose uniform score wanders with the lifetime of its kind. The rater sees more or less than
there is, by a gamma factor of each visit, which makes counts negative binomial. What wanders is drawn by week, not by
visit: who is seen more often has the same face.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr, ndtri

from ..keys import normals

Theta = dict[str, Array]
WEEK = 7.0  # days
PAST = 26  # weeks that a wandering score remembers
KINDS = ("closed", "open", "papule", "pustule", "nodule")  # in the order of `Counts` from Cc to D
FEW = 12.0  # mean up to which a Poisson number is found by summing its chances
MOST = 48  # beyond which a Poisson number of so small a mean has no chance to speak of


class Face(NamedTuple):
    """What a person's counts wander with, (people,). keys: one a person. rater: counted for each lesion there."""

    keys: Array
    rater: Array


def face(keys: Array, deviation: Array, theta: Theta) -> Face:
    """The faces of people whose raters have these standard normal deviations; keys one a person, (people,)."""
    sd = theta["counts.rater:sd"]
    return Face(keys, jnp.exp(sd * deviation - sd * sd / 2))


def wandering(keys: Array, day: Array, lives: Array) -> Array:
    """Standard normal scores that lose their memory over these lives (days), shape (*lives.shape, people).

    A score is a sum over the past weeks' draws, the same whenever somebody asks; between weeks it stands still.
    """
    week = jnp.floor(day / WEEK).astype("int64")

    def drawn(back: Array) -> Array:
        return normals(keys, "week", week + PAST - back, shape=lives.shape)

    forgotten = WEEK / lives
    weights = jnp.exp(-jnp.outer(jnp.arange(PAST, dtype="float64"), forgotten))
    weights = weights * jnp.sqrt(jnp.expm1(-2 * forgotten) / jnp.expm1(-2 * PAST * forgotten))[None, :]
    return jnp.einsum("wk,wkp->kp", weights, jax.vmap(drawn)(jnp.arange(PAST)))


class Today(NamedTuple):
    """The scores of a day. activity: factor of disease activity, (people,). chances: of each of KINDS."""

    activity: Array
    chances: Array


def today(person: Face, day: Array, theta: Theta) -> Today:
    """A face's activity, whose mean over time is 1, and where each kind of lesion stands in its distribution."""
    lives = [theta["counts.activity_life"], *(theta[f"lesions.{kind}_life"] for kind in KINDS)]
    scores = wandering(person.keys, day, jnp.stack([jnp.asarray(life, dtype="float64") for life in lives]))
    sd = theta["counts.activity:sd"]
    return Today(jnp.exp(sd * scores[0] - sd * sd / 2), ndtr(scores[1:]))


def count(comedones: Array, inflammatory: Array, person: Face, at: Today, means: Array, theta: Theta) -> Array:
    """What a rater counts at one visit, shape (KINDS, people).

    Args:
      comedones, inflammatory: standard normal scores of how the rater counts them this time, (people,).
      means: of each kind today, activity included, (KINDS, people).
    """
    visit = [gamma(score, theta["counts.dispersion"]) for score in (comedones, inflammatory)]
    return poisson(at.chances, means * person.rater[None, :] * jnp.stack([visit[0]] * 2 + [visit[1]] * 3))


def gamma(score: Array, shape: Array) -> Array:
    """A gamma variable of mean 1 and this shape, from a standard normal score [wilson1931]."""
    return jnp.maximum(1 - 1 / (9 * shape) + score / (3 * jnp.sqrt(shape)), 0.0) ** 3


def poisson(chance: Array, mean: Array) -> Array:
    """The Poisson number at this place (0 to 1) of its distribution: exact for small means, by expansion for others.

    The expansion is that of Cornish and Fisher in the form of Temme [giles2016].
    """
    chance = jnp.clip(chance, 1e-12, 1 - 1e-12)
    small, large = jnp.clip(mean, 1e-9, FEW), jnp.maximum(mean, FEW)

    def add(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        found, here, below = carry
        found = found + jnp.where(chance >= below, 1.0, 0.0)
        here = here * small / (number.astype("float64") + 1)
        return found, here, below + here

    none = jnp.exp(-small)
    few, _, _ = jax.lax.fori_loop(0, MOST, add, (jnp.zeros_like(chance), none, none))
    w, root = ndtri(chance), jnp.sqrt(large)
    many = large + root * w + (2 + w * w) / 6 - (w + w**3 / 2) / (36 * root)
    many = many + (-8 / 405 + 7 * w * w / 810 + w**4 / 270) / large
    return jnp.where(mean > FEW, jnp.maximum(jnp.floor(many), 0.0), few)


def spread(mean: Array, theta: Theta) -> Array:
    """Variance of what one rater counts where so many are expected, of people alike: for those who fit to counts."""
    activity = jnp.expm1(theta["counts.activity:sd"] ** 2)
    seen = (1 + activity) * (1 + 1 / theta["counts.dispersion"]) * jnp.exp(theta["counts.rater:sd"] ** 2) - 1
    return mean + seen * mean * mean
