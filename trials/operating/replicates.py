"""Batches of replicates: drawn, randomised and analysed in one compiled program. A pure function of its numbers."""

import io
import threading
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jax import Array, lax
from jax.stages import Compiled

from ...cluster import store
from ..shard import Done, encode
from ..statistics.methods.estimate import Estimate
from ..study import Analysis
from .draw import Allocation, draw, keys
from .kernels import Sample, finish, kernel
from .newton import begin, under
from .pool import Pool

HYPOTHESES = {"model": (0, 1), "null as comparator": (1, 1), "null as arm": (0, 0)}
"""Whose potential outcomes the arm and the comparator have; the nulls differ in how many respond at all."""
BATCH = 32  # replicates computed side by side: what the cache of a core holds
PIECE = 512  # replicates of a shard: fixed, so that one program serves all
_ONE_AT_A_TIME = threading.Lock()  # threads that need the same program wait for the first to compile it


class Trials(NamedTuple):
    """What all replicates of a size share: people of the trial, people seen at each look, and the program's shape."""

    seed: int
    size: int
    cuts: tuple[int, ...]
    allocation: Allocation
    names: tuple[str, ...]
    analyses: tuple[Analysis, ...]

    @property
    def room(self) -> int:
        """People that the program makes room for: few sizes, so that few programs are compiled."""
        return padded(self.size)


class Data(NamedTuple):
    """The pool as the program reads it: stratum, (pool,); of each analysis value, weight and covariates in one table.

    tables: (2 * pool, 2 + k): the arm's rows, then the comparator's. arms: numbers of the two.
    starts: where logistic models begin, (2 + k,) each.
    """

    strata: np.ndarray
    tables: tuple[np.ndarray, ...]
    arms: tuple[tuple[int, int], ...]
    starts: tuple[np.ndarray, ...]


class Piece(NamedTuple):
    """Replicates `start` to `stop` - 1, the `number`-th shard of its size."""

    number: int
    start: int
    stop: int


def pieces(replicates: int) -> list[Piece]:
    """The shards of so many replicates."""
    starts = range(0, replicates, PIECE)
    return [Piece(number, start, min(start + PIECE, replicates)) for number, start in enumerate(starts)]


def work(trials: Trials, pool: "Data", folder: Path, piece: Piece) -> Done:
    """Compute a shard and write its file into the folder of its size."""
    numbers = np.arange(piece.start, piece.stop)
    found = analyse(trials, np.resize(numbers, PIECE), pool)
    found = Estimate._make(values[: len(numbers)] for values in found)
    name = f"part-{piece.number:05d}.parquet"
    return Done(piece.number, {name: store.write(folder / name, encode(to_arrow(trials, numbers, found)))}, 0.0)


def to_arrow(trials: Trials, numbers: np.ndarray, found: Estimate) -> pa.Table:
    """One row a replicate, hypothesis, look and analysis, in this order."""
    places = np.indices(found.estimate.shape).reshape(4, -1)
    columns = {
        "replicate": pa.array(numbers[places[0]]),
        "hypothesis": pa.array(list(HYPOTHESES)).take(pa.array(places[1])),
        "look": pa.array(places[2] + 1),
        "analysis": pa.array(list(trials.names)).take(pa.array(places[3])),
    }
    return pa.table(columns | {name: pa.array(values.ravel()) for name, values in found._asdict().items()})


def read(trials: Trials, folder: Path, replicates: int) -> Estimate:
    """The estimates that `work` wrote, (replicates, hypotheses, looks, analyses)."""
    shape = (-1, len(HYPOTHESES), len(trials.cuts), len(trials.names))
    files = [folder / f"part-{piece.number:05d}.parquet" for piece in pieces(replicates)]
    parts = [pq.read_table(io.BytesIO(file.read_bytes())) for file in files]
    whole = pa.concat_tables(parts)
    return Estimate(**{name: whole[name].to_numpy().reshape(shape) for name in Estimate._fields})


def padded(size: int) -> int:
    """The next size of a ladder whose rungs are at most a third apart.

    >>> [padded(size) for size in (100, 300, 990)]
    [128, 320, 1024]
    """
    power = 1 << max(size - 1, 1).bit_length()
    return next(rung for rung in (power // 2, power * 5 // 8, power * 3 // 4, power) if rung >= size)


def data(pool: Pool, names: tuple[str, ...], analyses: tuple[Analysis, ...]) -> Data:
    """The pool's columns of these analyses."""
    tables, starts = [], []
    for name, analysis in zip(names, analyses, strict=True):
        columns = pool.columns[name]
        counts = columns.complete & ~np.isnan(columns.value)
        value, wide = np.where(counts, columns.value, 0.0), _centred(columns.covariates)
        tables.append(np.concatenate([value[..., None], counts[..., None], wide], axis=2).reshape(2 * pool.size, -1))
        fits = kernel(analysis).ratio
        starts.append(begin(value, counts, wide) if fits else np.zeros(2 + wide.shape[2]))
    return Data(pool.strata, tuple(tables), tuple(pool.columns[name].arms for name in names), tuple(starts))


def _centred(covariates: np.ndarray) -> np.ndarray:
    """Covariates about the pool's mean in its SD, so that sums over people lose no digits, (2, pool, k)."""
    about = covariates - covariates.mean(axis=(0, 1))
    return about / np.maximum(about.std(axis=(0, 1)), 1e-300)


def analyse(trials: Trials, numbers: np.ndarray, pool: Data) -> Estimate:
    """Every estimate of some replicates.

    Args:
      numbers: of the replicates, (replicates,).

    Returns:
      Arrays (replicates, hypotheses, looks, analyses).
    """
    inputs = (
        keys(trials.seed, jnp.asarray(numbers)),
        jnp.asarray(np.array(trials.cuts)),
        jnp.asarray(np.array(list(HYPOTHESES.values()))),
        jnp.asarray(pool.strata),
        tuple(map(jnp.asarray, pool.tables)),
        tuple(map(jnp.asarray, pool.starts)),
    )
    shape = (trials.room, trials.allocation, trials.analyses, pool.arms)
    widths = tuple(table.shape[1] for table in pool.tables)
    with _ONE_AT_A_TIME:
        run = _program(*shape, len(numbers), len(trials.cuts), len(pool.strata), widths)
    raw = run(*inputs)
    parts = []
    for place, analysis in enumerate(trials.analyses):
        mine = Estimate._make(np.asarray(values[..., place]) for values in raw)
        parts.append(finish(mine, level_of(analysis), kernel(analysis).wald))
    return Estimate._make(np.stack(values, axis=-1) for values in zip(*parts, strict=True))


def level_of(analysis: Analysis) -> float:
    """Confidence level of an analysis's interval."""
    return round(1 - analysis.alpha, 12)


@cache
def _program(
    room: int, allocation: Allocation, analyses: tuple[Analysis, ...], arms: tuple[tuple[int, int], ...],
    replicates: int, looks: int, pool: int, widths: tuple[int, ...],
) -> Compiled:  # fmt: skip
    one = partial(_replicate, room, allocation, analyses, arms)

    def run(keys: Array, *pool: Any) -> Estimate:
        return lax.map(lambda key: one(key, *pool), keys, batch_size=BATCH)

    def of(*shape: int, dtype: str = "int64") -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype)

    some = jax.eval_shape(lambda: keys(0, jnp.arange(replicates)))
    tables = tuple(of(2 * pool, width, dtype="float64") for width in widths)
    starts = tuple(of(width, dtype="float64") for width in widths)  # as many as value, weight and covariates
    return jax.jit(run).lower(some, of(looks), of(len(HYPOTHESES), 2), of(pool), tables, starts).compile()


def _replicate(
    room: int,
    allocation: Allocation,
    analyses: tuple[Analysis, ...],
    arms: tuple[tuple[int, int], ...],
    key: Array,
    cuts: Array,
    sources: Array,
    strata: Array,
    tables: tuple[Array, ...],
    starts: tuple[Array, ...],
) -> Estimate:
    """Estimates of one replicate, (hypotheses, looks, analyses)."""
    people, given = draw(key, strata, allocation, room)
    stratum, twins = strata[people], strata.shape[0]
    entry = jnp.arange(room)

    def supposing(source: Array) -> Estimate:
        rows = []
        for analysis, (arm, comparator), table, start in zip(analyses, arms, tables, starts, strict=True):
            of_arm, compared = given == arm, (given == arm) | (given == comparator)
            side = jnp.where(of_arm, source[0], source[1])
            mine, first = table[side * twins + people], under(start, source)
            method, level = kernel(analysis), level_of(analysis)

            def look(
                cut: Array, mine=mine, first=first, of_arm=of_arm, compared=compared, method=method, level=level
            ) -> Estimate:
                weight = mine[:, 1] * (compared & (entry < cut)).astype(float)
                sample = Sample(mine[:, 0], of_arm.astype(float), mine[:, 2:], stratum, weight, first)
                return _kept(method.run(sample, allocation.strata, level), method.wald)

            rows.append(lax.map(look, cuts))
        return jax.tree.map(lambda *parts: jnp.stack(parts, axis=-1), *rows)

    return lax.map(supposing, sources)


def _kept(found: Estimate, wald: bool) -> Estimate:
    """What `finish` does not add, as arrays of one type a field; what it does is dropped before it is compiled."""
    nan = jnp.asarray(jnp.nan)
    limits = (nan, nan) if wald else (found.low, found.high)
    numbers = (found.estimate, found.se, *limits, found.statistic, found.df, nan)
    flag = jnp.asarray(found.flag, jnp.int32)
    return Estimate._make([*(jnp.asarray(value, float) for value in numbers), flag])
