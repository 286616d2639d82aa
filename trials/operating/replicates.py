"""Batches of replicates: drawn, randomised and analysed in one compiled program. A pure function of its numbers."""

import io
import threading
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from .draw import Allocation, draw, keys, seed
from .kernels import finish, kernel
from .newton import under
from .sample import Data, Place, data, samples

if TYPE_CHECKING:
    from .assigned import Assigned
    from .paired import Paired
    from .stages import Staged
    from .summed import Summed

__all__ = ["Data", "data"]

HYPOTHESES = {"model": (0, 1), "null as comparator": (1, 1), "null as arm": (0, 0)}
"""Whose potential outcomes the arm and the comparator have; the nulls differ in how many respond at all."""
World = tuple[str, tuple[tuple[int, int], ...]]
BATCH = 16  # replicates computed side by side: what the cache of a core holds
PIECE = 512  # replicates of a shard: fixed, so that one program serves all
_ONE_AT_A_TIME = threading.Lock()  # threads that need the same program wait for the first to compile it


class Trials(NamedTuple):
    """What all replicates of a size share: people of the trial, people seen at each look, and the program's shape.

    stage: by which the draws of a stage are addressed, so that a later one has people of its own.
    worlds: of each hypothesis, its name and whose outcomes the arm and the comparator of each analysis have.
    """

    seed: int
    size: int
    cuts: tuple[int, ...]
    allocation: Allocation
    names: tuple[str, ...]
    analyses: tuple[Analysis, ...]
    stage: str = "design"
    worlds: tuple[World, ...] = ()

    @property
    def hypotheses(self) -> dict[str, np.ndarray]:
        """Under each hypothesis, whose outcomes the arms of each analysis have, (analyses, 2)."""
        if self.worlds:
            return {name: np.array(sources) for name, sources in self.worlds}
        return {name: np.array([pair] * len(self.analyses)) for name, pair in HYPOTHESES.items()}

    @property
    def room(self) -> int:
        """People that the program makes room for: few sizes, so that few programs are compiled."""
        return padded(self.size)


class Piece(NamedTuple):
    """Replicates `start` to `stop` - 1, the `number`-th shard of its size."""

    number: int
    start: int
    stop: int


def pieces(replicates: int) -> list[Piece]:
    """The shards of so many replicates."""
    starts = range(0, replicates, PIECE)
    return [Piece(number, start, min(start + PIECE, replicates)) for number, start in enumerate(starts)]


def work(trials: "Trials | Staged | Assigned | Summed | Paired", pool: Data, folder: Path, piece: Piece) -> Done:
    """Compute a shard and write its file into the folder of its size."""
    from . import assigned, paired, stages, summed

    numbers = np.resize(np.arange(piece.start, piece.stop), PIECE)
    plain = isinstance(trials, Trials)
    if plain:
        found = analyse(trials, numbers, pool)
    elif isinstance(trials, stages.Staged):
        found = stages.analyse(trials, numbers, pool)
    elif isinstance(trials, summed.Summed):
        found = summed.analyse(trials, numbers, pool)
    elif isinstance(trials, paired.Paired):
        found = paired.analyse(trials, numbers, pool)
    else:
        found = assigned.analyse(trials, numbers, pool)
    found = Estimate._make(values[: piece.stop - piece.start] for values in found)
    name = f"part-{piece.number:05d}.parquet"
    whole = to_arrow(trials if plain else trials.first, numbers, found)
    return Done(piece.number, {name: store.write(folder / name, encode(whole))}, 0.0)


def to_arrow(trials: Trials, numbers: np.ndarray, found: Estimate) -> pa.Table:
    """One row a replicate, hypothesis, look and analysis, in this order."""
    places = np.indices(found.estimate.shape).reshape(4, -1)
    columns = {
        "replicate": pa.array(numbers[places[0]]),
        "hypothesis": pa.array(list(trials.hypotheses)).take(pa.array(places[1])),
        "look": pa.array(places[2] + 1),
        "analysis": pa.array(list(trials.names)).take(pa.array(places[3])),
    }
    return pa.table(columns | {name: pa.array(values.ravel()) for name, values in found._asdict().items()})


def read(trials: Trials, folder: Path, replicates: int) -> Estimate:
    """The estimates that `work` wrote, (replicates, hypotheses, looks, analyses)."""
    shape = (-1, len(trials.hypotheses), len(trials.cuts), len(trials.names))
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


def analyse(
    trials: Trials, numbers: np.ndarray, pool: Data, windows: np.ndarray | None = None, given: np.ndarray | None = None
) -> Estimate:  # fmt: skip
    """Every estimate of some replicates.

    Args:
      numbers: of the replicates, (replicates,).
      windows: first person who counts, and the first who does not any more, (replicates, hypotheses, looks, 2);
        if not given, those of the looks.
      given: numbers of arms, (replicates, hypotheses, room); if not given, those of the blocks.

    Returns:
      Arrays (replicates, hypotheses, looks, analyses).
    """
    count, analyses = len(numbers), trials.analyses
    sources = np.stack(list(trials.hypotheses.values()))
    if windows is None:
        cuts = np.stack([np.zeros(len(trials.cuts), int), np.array(trials.cuts)], axis=1)
        windows = np.broadcast_to(cuts, (count, len(sources), *cuts.shape))
    rows = np.resize(np.arange(count), -(-count // BATCH) * BATCH)  # whole batches
    inputs = (
        _grouped(keys(trials.seed, jnp.asarray(numbers[rows]), trials.stage)),
        _side_by_side(windows[rows]),
        None if given is None else _side_by_side(given[rows]),
        jnp.asarray(sources),
        jnp.asarray(pool.strata),
        jnp.asarray(pool.columns),
        tuple(map(jnp.asarray, pool.starts)),
    )
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs)
    leaves, tree = jax.tree.flatten(shapes)
    with _ONE_AT_A_TIME:
        run = _program(trials.room, trials.allocation, analyses, pool.places, tree, tuple(leaves))
    raw = [np.moveaxis(np.asarray(values), -2, 1) for values in run(*inputs)]  # (groups, batch, hypotheses, looks, …)
    raw = Estimate._make(values.reshape(-1, *values.shape[2:])[:count] for values in raw)
    parts = []
    for place, analysis in enumerate(analyses):
        mine = Estimate._make(values[..., place] for values in raw)
        parts.append(finish(mine, level_of(analysis), kernel(analysis).wald))
    return Estimate._make(np.stack(values, axis=-1) for values in zip(*parts, strict=True))


def level_of(analysis: Analysis) -> float:
    """Confidence level of an analysis's interval."""
    return round(1 - analysis.alpha, 12)


def _side_by_side(values: np.ndarray) -> Array:
    """(replicates, …) as (groups, …, batch)."""
    return jnp.asarray(np.moveaxis(values.reshape(-1, BATCH, *values.shape[1:]), 1, -1))


def _grouped(keys: Array) -> Array:
    return keys.reshape(-1, BATCH)


@cache
def _program(
    room: int, allocation: Allocation, analyses: tuple[Analysis, ...], places: tuple[Place, ...], tree: Any,
    leaves: tuple[jax.ShapeDtypeStruct, ...],
) -> Compiled:  # fmt: skip
    batch = partial(_batch, room, allocation, analyses, places)

    def run(keys: Array, windows: Array, given: Array | None, *pool: Any) -> Estimate:
        return lax.map(lambda group: batch(*group, *pool), (keys, windows, given))

    return jax.jit(run).lower(*jax.tree.unflatten(tree, leaves)).compile()


def _batch(
    room: int, allocation: Allocation, analyses: tuple[Analysis, ...], places: tuple[Place, ...],
    keys: Array, windows: Array, assigned: Array | None, sources: Array, strata: Array, columns: Array,
    starts: tuple[Array, ...],
) -> Estimate:  # fmt: skip
    """Estimates of a batch of replicates, (hypotheses, looks, batch, analyses).

    Args:
      keys: (batch,). windows: (hypotheses, looks, 2, batch). assigned: numbers of arms, (hypotheses, room, batch), if
        not those of the blocks. sources: (hypotheses, analyses, 2).
      strata: of the pool; columns: (columns, pool); starts: of each analysis.
    """
    people, of_blocks = jax.vmap(lambda key: draw(key, strata, allocation, room), out_axes=-1)(keys)
    luck = jax.vmap(seed)(keys)
    stratum, drawn = strata[people], columns[:, people]

    def supposing(case: tuple[Array, Array, Array | None]) -> Estimate:
        source, looks, mine = case
        given = of_blocks if mine is None else mine
        rows = []
        for number, (analysis, place, start) in enumerate(zip(analyses, places, starts, strict=True)):
            first, method, level = under(start, source[number]), kernel(analysis), level_of(analysis)

            def look(window: Array, number=number, place=place, first=first, method=method, level=level) -> Estimate:
                sample = samples(place, source[number], first, drawn, given, stratum, window, luck)
                return _kept(method.run(sample, allocation.strata, level), method.wald)

            rows.append(lax.map(look, looks))
        return jax.tree.map(lambda *parts: jnp.stack(parts, axis=-1), *rows)

    return lax.map(supposing, (sources, windows, assigned))


def _kept(found: Estimate, wald: bool) -> Estimate:
    """What `finish` does not add, as arrays of one type a field; what it does is dropped before it is compiled."""
    nan = jnp.full(found.estimate.shape, jnp.nan)
    limits = (nan, nan) if wald else (found.low, found.high)
    numbers = (found.estimate, found.se, *limits, found.statistic, found.df, nan)
    shape = found.estimate.shape
    flag = jnp.broadcast_to(jnp.asarray(found.flag, jnp.int32), shape)
    return Estimate._make([*(jnp.broadcast_to(jnp.asarray(value, float), shape) for value in numbers), flag])
