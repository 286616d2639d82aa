"""What analyses read: the pool as columns, and samples of replicates side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..study import Analysis
from .newton import begin
from .passes import People
from .pool import Pool

EVERYBODY = -1  # in the place of a column of ones
Two = tuple[int, int]


class Sample(NamedTuple):
    """Two arms of replicates, which are the last axis.

    outcome: (people, samples), 0 where the weight is 0. arm: 1 or, the comparator, 0. covariates: (k, people, samples),
      about the pool's mean in its SD.
    stratum: of the randomisation. weight: 1 for people of these arms with a value who are seen by this look, else 0.
    start: where a regression begins, (2 + k,), `newton.under`; of grades nothing but their number, by its length.
    more: what else a method reads, such as times, (m, people, samples). seen: nobody from this place on counts.
    extra: covariates of the imputation alone, (e, people, samples). luck: the seed of its draws, (samples,).
    """

    outcome: Array
    arm: Array
    covariates: Array
    stratum: Array
    weight: Array
    start: Array
    more: Array
    seen: Array
    extra: Array
    luck: Array

    def people(self) -> People:
        """As a regression reads them."""
        return People(self.outcome, self.arm, self.weight, self.covariates if self.covariates.shape[0] else None)


class Place(NamedTuple):
    """Where an analysis finds its columns, of its arm and of its comparator. arms: their numbers."""

    arms: Two
    value: Two
    weight: Two
    covariates: tuple[Two, ...]
    more: tuple[Two, ...]
    extra: tuple[Two, ...] = ()


class Data(NamedTuple):
    """The pool as the program reads it: stratum, (pool,), and the columns of all analyses, each once, (columns, pool).

    places: of each analysis. starts: where its regression begins, (2 + k,); of grades, zeros, one for each and k.
    """

    strata: np.ndarray
    columns: np.ndarray
    places: tuple[Place, ...]
    starts: tuple[np.ndarray, ...]


def data(pool: Pool, names: Sequence[str], analyses: Sequence[Analysis]) -> Data:
    """The pool's columns of these analyses."""
    from .kernels import kernel

    known: dict[bytes, int] = {}
    kept: list[np.ndarray] = []

    def place(column: np.ndarray) -> int:
        key = column.tobytes()
        if key not in known:
            known[key] = len(kept)
            kept.append(column)
        return known[key]

    places, starts = [], []
    for name, analysis in zip(names, analyses, strict=True):
        columns = pool.columns[name]
        counts = columns.counts
        of, wide = kernel(analysis), _centred(columns.covariates)
        value, grades = columns.value, 2
        if of.graded:
            value, grades = _numbered(value, counts)
        value = np.where(np.isnan(value) | ~counts, 0.0, value)
        more: np.ndarray = np.zeros((*value.shape, 0)) if columns.more is None else columns.more
        extra = [] if columns.extra is None else np.moveaxis(_centred(columns.extra), -1, 0)
        places.append(Place(
            columns.arms,
            _both(place, value),
            _both(lambda column: EVERYBODY if column.all() else place(column), counts.astype(float)),
            tuple(_both(place, wide[..., j]) for j in range(wide.shape[-1])),
            tuple(_both(place, more[..., j]) for j in range(more.shape[-1])),
            tuple(_both(place, one) for one in extra),
        ))  # fmt: skip
        starts.append(begin(value, counts, wide) if of.begins else np.zeros(grades + wide.shape[2]))
    return Data(pool.strata, np.stack(kept), tuple(places), tuple(starts))


def samples(
    place: Place, source: Array, start: Array, drawn: Array, given: Array, stratum: Array, window: Array,
    luck: Array | None = None,
) -> Sample:  # fmt: skip
    """Samples of one analysis.

    Args:
      source: whose outcomes the arm and the comparator have, 0 the arm's own, 1 the comparator's, (2,).
      drawn: the pool's columns of everybody, (columns, people, samples). given: numbers of the arms.
      window: first place that counts, and the first that does not any more, (2, samples).
      luck: seeds of imputations, (samples,); zeros if not given.
    """
    of_arm = given == place.arms[0]
    entry = jnp.arange(given.shape[0])[:, None]
    here = (of_arm | (given == place.arms[1])) & (entry >= window[0][None, :]) & (entry < window[1][None, :])
    side = jnp.where(of_arm, source[0], source[1]) == 0

    def of(two: Two) -> Array:
        one, other = (jnp.ones(given.shape) if column == EVERYBODY else drawn[column] for column in two)
        return one if two[0] == two[1] else jnp.where(side, one, other)

    def stacked(columns: tuple[Two, ...]) -> Array:
        return jnp.stack([of(two) for two in columns]) if columns else jnp.zeros((0, *given.shape))

    weight = here.astype(float) * of(place.weight)
    return Sample(
        of(place.value), of_arm.astype(float), stacked(place.covariates), stratum, weight, start,
        stacked(place.more), jnp.max(window[1]), stacked(place.extra),
        jnp.zeros(given.shape[1], dtype=int) if luck is None else luck,
    )  # fmt: skip


def _both(place, columns: np.ndarray) -> Two:
    return place(np.ascontiguousarray(columns[0])), place(np.ascontiguousarray(columns[1]))


def _numbered(value: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, int]:
    """The number of each value in the order of those that the pool has, and how many these are, at least two."""
    known = np.unique(value[counts])
    return np.searchsorted(known, value).astype(float), max(len(known), 2)


def _centred(covariates: np.ndarray) -> np.ndarray:
    """Covariates about the pool's mean in its SD, so that sums over people lose no digits, (2, pool, k)."""
    about = covariates - covariates.mean(axis=(0, 1))
    return about / np.maximum(about.std(axis=(0, 1)), 1e-300)
