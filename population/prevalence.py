"""People with a disease, drawn from people in general by how frequent the disease is among them.

Shares of cells (sex, race, smoking) are tilted by the frequency of the disease; ages within a cell are thinned by its
curve over age: a person drawn is kept with a chance that the curve gives, else the next is drawn in their place.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..core.keys import stream

Person = Callable[[Array, Array, np.ndarray], dict[str, Array]]
MOST_TRIED = 10_000  # people drawn in the place of one; a bound on the loop that is never reached in earnest
ROUNDS = 1_000


class Curve(NamedTuple):
    """How frequent a disease is by age, relative to the age and sex where it is most frequent; 0 outside the ages."""

    ages: np.ndarray  # years, rising; straight lines between, shape (ages,)
    heights: np.ndarray  # 0 to 1, of women and of men, shape (2, ages)


def curve(ages: Sequence[float], women: Sequence[float], men: Sequence[float]) -> Curve:
    """The curve through frequencies at some ages.

    Raises:
      ValueError: ages do not rise, or a frequency is below 0, or all are 0.
    """
    years, heights = np.array(ages, dtype=float), np.array([women, men], dtype=float)
    if len(years) < 2 or np.any(np.diff(years) <= 0):
        raise ValueError(f"ages must rise, got {', '.join(f'{a:g}' for a in years)}")
    if np.any(heights < 0) or not heights.max() > 0:
        raise ValueError("frequencies by age must not be negative, and some must be above 0")
    return Curve(years, heights / heights.max())


class Tilt(NamedTuple):
    """How to draw people with a disease from people in general.

    Each band of ages and sex is drawn as often as its most frequent age asks for, and then thinned to the curve.
    """

    shares: np.ndarray  # of the cells to draw from, shape (cells,), sum 1
    curve: Curve
    edges: np.ndarray  # of the bands of ages, years, shape (bands + 1,)
    most: np.ndarray  # highest point of the curve in each band, shape (2 sexes, bands)


def tilted(wanted: np.ndarray, of: Curve, bands: np.ndarray, male: np.ndarray) -> Tilt:
    """The tilt whose cases have the curve over ages, on top of `wanted`.

    Args:
      wanted: shares of cells before ages are thinned, relative to each other, shape (cells,).
      bands: edges of ages, years, shape (cells, 2). male: 0 or 1, shape (cells,).

    Raises:
      ValueError: nobody has the disease.
    """
    edges = np.unique(bands)
    if np.any((edges > bands[:, :1]) & (edges < bands[:, 1:])):  # bands overlap: they cannot be told by the age alone
        edges = edges[[0, -1]]
    grid = np.union1d(np.linspace(edges[0], edges[-1], 4001), of.ages)
    heights = np.array([_height(of, grid, np.full(len(grid), sex)) for sex in (0, 1)])
    inside = (grid >= edges[:-1, None]) & (grid <= edges[1:, None])
    most = np.where(inside, heights[:, None], 0.0).max(axis=2)
    shares = wanted * most[male.astype(int), np.searchsorted(edges, bands[:, 0], side="right") - 1]
    if not shares.sum() > 0:
        raise ValueError("nobody is of the ages and kinds that the disease has")
    return Tilt(shares / shares.sum(), of, edges, most)


def chance(of: Tilt, age: Array, male: Array) -> Array:
    """Chance that a person of this age (years) and sex is kept once drawn."""
    ages, heights, sex = jnp.asarray(of.curve.ages), jnp.asarray(of.curve.heights), male.astype(int)
    within = (age >= ages[0]) & (age < ages[-1])
    most = jnp.asarray(of.most)[sex, jnp.sum(age >= jnp.asarray(of.edges[1:-1]))]
    return jnp.where(within, jnp.interp(age, ages, heights[sex]) / most, 0.0)


def kept(of: Curve, bands: np.ndarray, male: np.ndarray) -> np.ndarray:
    """Share of each cell that is kept, were its ages spread evenly over its band.

    Args:
      bands: edges of ages, years, shape (cells, 2). male: 0 or 1, shape (cells,).
    """
    parts = np.linspace(0, 1, 401)[:-1] + 1 / 800
    age = bands[:, :1] + (bands[:, 1:] - bands[:, :1]) * parts
    return np.mean([_height(of, years, np.full(len(years), sex)) for years, sex in zip(age, male, strict=True)], axis=1)


def _height(of: Curve, age: np.ndarray, male: np.ndarray) -> np.ndarray:
    high = np.where(male == 1, np.interp(age, of.ages, of.heights[1]), np.interp(age, of.ages, of.heights[0]))
    return np.where((age >= of.ages[0]) & (age < of.ages[-1]), high, 0.0)


def raked(start: np.ndarray, margins: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Shares of cells in proportion to `start`, but with these margins: iterative proportional fitting.

    Args:
      start: shape (cells,), not negative.
      margins: by what they are of, the level of each cell, shape (cells,), and the share of each level, sum 1.

    Raises:
      ValueError: a level that people should have has no cell, or the margins exclude each other.
    """
    shares = start / start.sum()
    for _ in range(ROUNDS):
        worst = 0.0
        for name, (levels, wanted) in margins.items():
            got = np.bincount(levels, weights=shares, minlength=len(wanted))
            if np.any((got == 0) & (wanted > 0)):
                raise ValueError(f"{name}: nobody has level {int(np.argmax((got == 0) & (wanted > 0)))}")
            worst = max(worst, float(np.abs(got - wanted).max()))
            shares = shares * np.divide(wanted, got, out=np.zeros_like(wanted), where=got > 0)[levels]
        if worst < 1e-12:
            return shares
    raise ValueError(f"the shares of {' and '.join(margins)} cannot hold at once")


def case(key: Array, i: Array, person: Person, of: Tilt) -> dict[str, Array]:
    """Person number `i` among those with the disease that `key` names: general attributes, scalars.

    The same whoever is drawn beside them: each attempt has a key of its own.
    """

    def attempted(attempt: Array) -> dict[str, Array]:
        return person(stream(key, "attempt", attempt), i, of.shares)

    def refused(state: tuple[Array, Array]) -> Array:
        attempt, keep = state
        return ~keep & (attempt < MOST_TRIED)

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        attempt, _ = state
        someone = attempted(attempt)
        luck = jax.random.uniform(stream(key, "kept", attempt, i), dtype="float64")
        return attempt + 1, luck < chance(of, someone["age"], someone["male"])

    tried, _ = lax.while_loop(refused, again, (jnp.asarray(0, "int32"), jnp.asarray(False)))
    return attempted(tried - 1)
