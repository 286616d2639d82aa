"""From a study and a design to operating characteristics: pools, replicates, figures.

DESIGN/
  design.yaml                       the resolved study and the design
  pool/ pool-draw-00000/ …          potential outcomes, see `pool`
  replicates/size-N/                a Parquet file a shard: one row a replicate, hypothesis, look and analysis
  replay-K/                         a replicate in full, if asked for
  results.parquet results.json      one row a figure
  report.html                       opens offline
  manifest.json manifest.sha256     written last
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...cluster import ledger
from ...cluster.execute import EXECUTORS
from ...cluster.settings import Cluster
from ..designs.sequential.bounds import Bounds
from ..progress import task
from ..statistics.methods.estimate import Estimate
from ..study import Analysis, Study
from . import looks, pool, recheck, replicates, search
from .assurance import Assurance, assurance
from .draw import Allocation
from .measures import Cell, Figure, lookup, of_estimate, of_test
from .replicates import HYPOTHESES, Data, Trials
from .search import Needed
from .settings import Design, chosen, cuts, sizes
from .truth import shares, truths

FARTHEST = 20  # times the largest size tried, beyond which a size that the search finds is not tried itself
MODEL = next(iter(HYPOTHESES))


class Outcome(NamedTuple):
    """All that a design has shown. The first analysis decides.

    truth, means: of each analysis, its true value, and the mean outcome under arm and comparator in the pool.
    needed: the size that reaches the power, and that size rounded up, if it was asked for and exists.
    """

    analyses: dict[str, Analysis]
    bounds: Bounds
    sizes: tuple[int, ...]
    figures: list[Figure]
    truth: dict[str, float]
    means: dict[str, tuple[float, float]]
    agreement: dict[int, recheck.Agreement]
    assurance: list[Assurance]
    needed: Needed | None
    found: int | None


class Prepared(NamedTuple):
    """A pool, read, with what the replicates of any size need of it."""

    folder: Path
    pool: pool.Pool
    data: Data
    analyses: dict[str, Analysis]


def carry_out(study: Study, design: Design, cluster: Cluster, folder: Path) -> Outcome:
    """Simulate, try out, measure; finished shards are kept.

    Raises:
      BadInput: hardly anyone is eligible. ValueError: the power is out of reach with these bounds.
    """
    analyses = chosen(study, design)
    bounds = looks.bounds(design, next(iter(analyses.values())).alpha)
    ready = prepare(study, design, cluster, folder / "pool")
    truth = truths(study, ready.pool, analyses)
    figures: list[Figure] = []
    agreement: dict[int, recheck.Agreement] = {}
    tried = list(sizes(study, design))
    for size in tried:
        figures += _of_size(study, design, cluster, ready, folder, size, bounds, truth, agreement)
    needed, found = None, None
    if design.power is not None:
        needed = _needed(design.power, figures)
        found = _worth_trying(study, needed, tried)
        if found is not None and found not in tried:
            figures += _of_size(study, design, cluster, ready, folder, found, bounds, truth, agreement)
            tried = sorted([*tried, found])
    direction = _direction(next(iter(truth.values())))
    certain = list(_assurance(study, design, cluster, folder, tuple(tried), bounds, direction))
    return Outcome(
        analyses, bounds, tuple(tried), figures, truth, shares(ready.pool, analyses), agreement, certain, needed, found
    )


def prepare(study: Study, design: Design, cluster: Cluster, folder: Path) -> Prepared:
    """Make the pool where it is not there, and read it."""
    analyses = chosen(study, design)
    planned = pool.simulate(study, design.pool, cluster, folder)
    found = pool.read(study, planned, folder, analyses)
    return Prepared(folder, found, replicates.data(found, tuple(analyses), tuple(analyses.values())), analyses)


def trials_of(study: Study, design: Design, ready: Prepared, size: int) -> Trials:
    """The trials of one size."""
    plan = study.trial.randomisation
    shares = tuple(plan.allocation[name] for name in study.trial.arms)
    allocation = Allocation(shares, plan.block_size, len(ready.pool.labels))
    names, analyses = tuple(ready.analyses), tuple(ready.analyses.values())
    return Trials(study.seed, size, cuts(size, design), allocation, names, analyses)


def estimates(trials: Trials, design: Design, cluster: Cluster, ready: Prepared, folder: Path) -> Estimate:
    """All estimates of the trials of one size; shards that are there are kept."""
    place = folder / f"size-{trials.size}"
    kept = ledger.finished(place)
    todo = [piece for piece in replicates.pieces(design.replicates) if piece.number not in kept]
    with task(f"replicates of {trials.size:,} people", design.replicates) as advance:
        done = design.replicates - sum(piece.stop - piece.start for piece in todo)
        lengths = {piece.number: piece.stop - piece.start for piece in todo}
        job = partial(replicates.work, trials, ready.data, place.resolve())
        for result in EXECUTORS[cluster.kind](job, todo, cluster):
            ledger.record(place, result.number, result.files)
            done += lengths[result.number]
            advance(done)
    return replicates.read(trials, place, design.replicates)


def _of_size(
    study: Study, design: Design, cluster: Cluster, ready: Prepared, folder: Path, size: int, bounds: Bounds,
    truth: dict[str, float], agreement: dict[int, recheck.Agreement],
) -> Iterator[Figure]:  # fmt: skip
    trials = trials_of(study, design, ready, size)
    found = estimates(trials, design, cluster, ready, folder / "replicates")
    again = recheck.selected(study.seed, design.replicates, design.recheck)
    if len(again):
        some = Estimate._make(values[again] for values in found)
        agreement[size] = recheck.recheck(trials, ready.pool, ready.analyses, again, some)
    return measured(trials, found, bounds, truth)


def measured(trials: Trials, found: Estimate, bounds: Bounds, truth: dict[str, float]) -> Iterator[Figure]:
    """The figures of one size: of the decisive analysis with its looks, of the others as they stand at the end."""
    direction = _direction(truth[trials.names[0]])
    for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
        for h, hypothesis in enumerate(HYPOTHESES):
            mine = Estimate._make(values[:, h, :, place] for values in found)
            value = truth[name] if hypothesis == MODEL else 0.0
            cell = Cell(trials.size, hypothesis, name, mine, value, trials.cuts, analysis.alpha)
            if place == 0:
                yield from of_test(cell, bounds, direction)
            yield from of_estimate(cell)


def _direction(truth: float) -> float:
    """The side on which a difference is a success: that of the true value in the pool."""
    return -1.0 if truth < 0 else 1.0


def _needed(power: float, figures: list[Figure]) -> Needed:
    decisive = figures[0].analysis
    seen = lookup(figures, "success", MODEL, decisive)
    return search.size_for(power, {size: (figure.value, figure.replicates) for size, figure in seen.items()})


def _worth_trying(study: Study, needed: Needed, tried: list[int]) -> int | None:
    """The size found, rounded up to what the allocation divides; None if there is none, or it is far from those tried.

    At least a block, below which a trial is not randomised as planned.
    """
    if not np.isfinite(needed.size) or needed.size > FARTHEST * max(tried):
        return None
    plan = study.trial.randomisation
    return max(plan.block_size, search.rounded(needed.size, sum(plan.allocation.values())))


def _assurance(
    study: Study, design: Design, cluster: Cluster, folder: Path, tried: tuple[int, ...], bounds: Bounds,
    direction: float,
) -> Iterator[Assurance]:  # fmt: skip
    """Power under draws of the model's parameters; what counts as a success is what does so under their estimates."""
    powers: dict[int, list[float]] = {size: [] for size in tried}
    for number in range(design.draws):
        drawn = study.model_copy(update={"model": study.model.model_copy(update={"draw": number})})
        ready = prepare(drawn, design, cluster, folder / f"pool-draw-{number:05d}")
        for size in tried:
            trials = trials_of(drawn, design, ready, size)
            found = estimates(trials, design, cluster, ready, folder / f"replicates-draw-{number:05d}")
            mine = Estimate._make(values[:, 0, :, 0] for values in found)
            z = looks.statistics(mine.p, np.sign(mine.statistic))
            powers[size].append(float(looks.ends(bounds, z, direction).success.mean()))
    for size, found in powers.items():
        if found:
            yield assurance(size, np.array(found))
