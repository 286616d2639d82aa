"""One attribute as a function of a standard normal score and of the person: forwards, backwards, and its slope.

`given` holds what attributes depend on, by name (PARENTS); groups of a table follow the order of GROUPS.
Functions compute in the precision of the score, as tables do not need more than single precision.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..attributes import RACES

Given = Mapping[str, Array]
Link = Literal["log", "logit", "identity"]

PARENTS = ("age", "male", "smoker")  # what numbers may depend on: years, and 0 or 1
GROUPS: dict[str, tuple[str, ...]] = {
    "sex": ("women", "men"),
    "race": RACES,
    "type": tuple(f"type_{i}" for i in range(1, 7)),
}


class Effect(NamedTuple):
    """Shift of a location for each unit of a parent above `centre`; outside [low, high] the parent adds no more."""

    parent: str
    women: float
    men: float
    centre: float
    low: float
    high: float

    def shift(self, given: Given) -> Array:
        above = jnp.clip(given[self.parent], self.low, self.high) - self.centre
        return above * jnp.where(given["sex"] > 0, self.men, self.women).astype(above.dtype)


class Continuous(NamedTuple):
    """A number whose link (logarithm, logit between its ends, or itself) is normal; effects are on the link's scale."""

    link: Link
    ends: tuple[float, float]  # what values can be: the open interval
    by: tuple[str, ...]  # the groups that choose location and scale
    location: np.ndarray  # shape (levels of each group ...,)
    scale: np.ndarray
    effects: tuple[Effect, ...]

    def value(self, score: Array, given: Given) -> Array:
        centre, scale = self._at(given, score)
        return self._unlinked(centre + scale * score)

    def score(self, value: Array, given: Given) -> Array:
        """The score that gives this value, which must lie strictly between the ends."""
        centre, scale = self._at(given, value)
        return (self._linked(value) - centre) / scale

    def slope(self, score: Array, given: Given) -> Array:
        """Derivative of the value by the score."""
        centre, scale = self._at(given, score)
        link = centre + scale * score
        if self.link == "identity":
            return scale
        if self.link == "log":
            return scale * jnp.exp(link)
        return scale * (self.ends[1] - self.ends[0]) * jax.nn.sigmoid(link) * jax.nn.sigmoid(-link)

    def _at(self, given: Given, like: Array) -> tuple[Array, Array]:
        centre = pick(self.location, self.by, given, like)
        for effect in self.effects:
            centre = centre + effect.shift(given).astype(like.dtype)
        return centre, pick(self.scale, self.by, given, like)

    def _unlinked(self, link: Array) -> Array:
        if self.link == "identity":
            return link
        if self.link == "log":
            return jnp.exp(link)
        return self.ends[0] + (self.ends[1] - self.ends[0]) * jax.nn.sigmoid(link)

    def _linked(self, value: Array) -> Array:
        if self.link == "identity":
            return value
        if self.link == "log":
            return jnp.log(value)
        return jnp.log(value - self.ends[0]) - jnp.log(self.ends[1] - value)


class Levels(NamedTuple):
    """A category or a grade: the score lies between two of its group's cuts, which rise."""

    first: int  # the lowest level
    by: tuple[str, ...]
    cuts: np.ndarray  # scores, shape (levels of each group ..., levels - 1)

    def value(self, score: Array, given: Given) -> Array:
        above = score >= pick(self.cuts, self.by, given, score, width=self.cuts.shape[-1])
        return self.first + jnp.sum(above, axis=-1, dtype="int32")

    def interval(self, level: int, given: Given, like: Array) -> tuple[Array, Array]:
        """The scores that give this level: from, to."""
        ends = np.full((*self.cuts.shape[:-1], 1), np.inf)
        padded = np.concatenate([-ends, self.cuts, ends], axis=-1)
        row = pick(padded, self.by, given, like, width=padded.shape[-1])
        return row[level - self.first], row[level - self.first + 1]


class Knots(NamedTuple):
    """A quantile table: linear in the score between knots, flat beyond them."""

    by: tuple[str, ...]
    scores: np.ndarray  # rising, shape (knots,)
    values: np.ndarray  # shape (levels of each group ..., knots)

    def value(self, score: Array, given: Given) -> Array:
        width = len(self.scores) - 1
        steepness = pick(np.diff(self.values) / np.diff(self.scores), self.by, given, score, width=width)
        low, high = (jnp.asarray(ends, score.dtype) for ends in (self.scores[:-1], self.scores[1:]))
        climbed = jnp.sum(steepness * (jnp.clip(score, low, high) - low), axis=-1)
        return pick(self.values[..., 0], self.by, given, score) + climbed


Margin = Continuous | Levels | Knots


def pick(table: np.ndarray, by: tuple[str, ...], given: Given, like: Array, width: int = 0) -> Array:
    """The entry of this person's group, in the precision of `like`: a scalar, or a row of `width` numbers."""
    flat = jnp.asarray(table.reshape((-1, width) if width else -1), like.dtype)
    if not by:
        return flat[0]
    index = given[by[0]]
    for group in by[1:]:
        index = index * len(GROUPS[group]) + given[group]
    return flat[index]


def log_normal(score: Array) -> Array:
    """Logarithm of the standard normal density."""
    return -0.5 * (score * score + float(np.log(2 * np.pi)))
