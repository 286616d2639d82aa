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
from . import decisions, looks, pool, recheck, replicates, search
from .assurance import Assurance, assurance
from .decisions import Rule
from .draw import Allocation
from .measures import Cell, Figure, at_the_end, lookup, of_estimate, of_stages, of_together, of_verdict
from .replicates import HYPOTHESES, Data, Trials
from .search import Needed
from .settings import Design, chosen, cuts, sizes
from .stages import Staged
from .subgroups import Effect, effects
from .truth import leaning, limits, shares, truths
from .worlds import worlds

FARTHEST = 20  # times the largest size tried, beyond which a size that the search finds is not tried itself
MODEL = next(iter(HYPOTHESES))


class Outcome(NamedTuple):
    """All that a design has shown. The first analysis decides.

    truth, limits: of each analysis, the true value of its estimand, and what it tends to as people are observed.
    means: mean outcome under arm and comparator in the pool. subgroups: the decisive analysis's effect in these.
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
    limits: dict[str, float]
    subgroups: list[Effect]


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
    truth, means = truths(study, ready.pool, analyses), shares(ready.pool, analyses)
    sides = {name: leaning(truth[name], means[name]) for name in analyses}
    figures: list[Figure] = []
    agreement: dict[int, recheck.Agreement] = {}
    tried = list(sizes(study, design))
    for size in tried:
        figures += _of_size(study, design, cluster, ready, folder, size, bounds, truth, sides, agreement)
    needed, found = None, None
    if design.power is not None:
        needed = _needed(design.power, figures)
        found = _worth_trying(study, needed, tried)
        if found is not None and found not in tried:
            figures += _of_size(study, design, cluster, ready, folder, found, bounds, truth, sides, agreement)
            tried = sorted([*tried, found])
    rule = rule_of(design, bounds, trials_of(study, design, ready, tried[0]), _arms(ready), sides)
    certain = list(_assurance(study, design, cluster, folder, tuple(tried), rule))
    seen = limits(study, ready.pool, analyses)
    groups = effects(ready.pool, ready.pool.columns[next(iter(analyses))])
    return Outcome(
        analyses, bounds, tuple(tried), figures, truth, means, agreement, certain, needed, found, seen, groups
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
    found = worlds(design, names)
    return Trials(study.seed, size, cuts(size, design), allocation, names, analyses, worlds=found)


def rule_of(
    design: Design, bounds: Bounds, trials: Trials, arms: tuple[tuple[int, int], ...], sides: dict[str, float]
) -> Rule:  # fmt: skip
    """How the trials of one size decide.

    Args:
      sides: of each analysis, on which a difference is a success. Arms of a selection all have that of most of them.
    """
    many = max(len(design.hypotheses), 1)
    directions = [sides[name] for name in trials.names[:many]]
    if design.select is not None:
        directions = [-1.0 if sum(directions) < 0 else 1.0] * many
    return Rule(design, bounds, tuple(directions), arms[:many], trials.allocation, trials.cuts)


def estimates(
    trials: Trials, rule: Rule, replicated: int, cluster: Cluster, data: Data, folder: Path
) -> Estimate:  # fmt: skip
    """All estimates of the trials of one size; shards that are there are kept."""
    place = folder / f"size-{trials.size}"
    kept = ledger.finished(place)
    todo = [piece for piece in replicates.pieces(replicated) if piece.number not in kept]
    whole = Staged(trials, rule) if rule.staged else trials
    with task(f"replicates of {trials.size:,} people", replicated) as advance:
        done = replicated - sum(piece.stop - piece.start for piece in todo)
        lengths = {piece.number: piece.stop - piece.start for piece in todo}
        job = partial(replicates.work, whole, data, place.resolve())
        for result in EXECUTORS[cluster.kind](job, todo, cluster):
            ledger.record(place, result.number, result.files)
            done += lengths[result.number]
            advance(done)
    return replicates.read(trials, place, replicated)


def _of_size(
    study: Study, design: Design, cluster: Cluster, ready: Prepared, folder: Path, size: int, bounds: Bounds,
    truth: dict[str, float], sides: dict[str, float], agreement: dict[int, recheck.Agreement],
) -> Iterator[Figure]:  # fmt: skip
    trials = trials_of(study, design, ready, size)
    rule = rule_of(design, bounds, trials, _arms(ready), sides)
    found = estimates(trials, rule, design.replicates, cluster, ready.data, folder / "replicates")
    again = recheck.selected(study.seed, design.replicates, design.recheck)
    if len(again):
        looks_ = 1 if rule.staged else len(trials.cuts)  # the second stage of a staged trial has people of its own
        some = Estimate._make(values[again][:, :, :looks_] for values in found)
        agreement[size] = recheck.recheck(
            trials._replace(cuts=trials.cuts[:looks_]), ready.pool, ready.analyses, again, some
        )
    return measured(trials, found, rule, truth)


def measured(trials: Trials, found: Estimate, rule: Rule, truth: dict[str, float]) -> Iterator[Figure]:
    """The figures of one size: of the decisive analysis with its looks, of the others as they stand at the end."""
    many = len(rule.directions)
    for h, (hypothesis, sources) in enumerate(trials.hypotheses.items()):
        verdict = decisions.decide(rule, Estimate._make(values[:, h] for values in found))
        null = [one == other for one, other in sources]
        for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
            mine = Estimate._make(values[:, h, :, place] for values in found)
            value = 0.0 if null[place] else truth[name]
            cell = Cell(trials.size, hypothesis, name, mine, value, trials.cuts, analysis.alpha)
            if place == 0:
                yield from of_verdict(cell, verdict, rule.bounds.looks)
                if rule.design.hypotheses:
                    yield from of_together(cell, trials.names[:many], verdict, null[:many])
            if rule.staged:
                kept = np.ones(len(mine.p), bool) if verdict.kept is None else verdict.kept[:, place]
                yield from of_stages(cell, verdict, kept, verdict.people - trials.cuts[0])
                continue
            if place == 0 and rule.bounds.looks > 1:
                yield from at_the_end(cell, verdict)
            yield from of_estimate(cell)


def _arms(ready: Prepared) -> tuple[tuple[int, int], ...]:
    """Numbers of the arm and the comparator of each analysis."""
    return tuple(ready.pool.columns[name].arms for name in ready.analyses)


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
    study: Study, design: Design, cluster: Cluster, folder: Path, tried: tuple[int, ...], rule: Rule
) -> Iterator[Assurance]:  # fmt: skip
    """Power under draws of the model's parameters; what counts as a success is what does so under their estimates."""
    powers: dict[int, list[float]] = {size: [] for size in tried}
    for number in range(design.draws):
        drawn = study.model_copy(update={"model": study.model.model_copy(update={"draw": number})})
        ready = prepare(drawn, design, cluster, folder / f"pool-draw-{number:05d}")
        for size in tried:
            trials = trials_of(drawn, design, ready, size)
            # The model alone: the nulls of a draw are not looked at.
            trials = trials._replace(worlds=(("model", ((0, 1),) * len(trials.names)),))
            mine = rule._replace(cuts=trials.cuts)
            place = folder / f"replicates-draw-{number:05d}"
            found = estimates(trials, mine, design.replicates, cluster, ready.data, place)
            verdict = decisions.decide(mine, Estimate._make(values[:, 0] for values in found))
            powers[size].append(float(verdict.success.mean()))
    for size, found in powers.items():
        if found:
            yield assurance(size, np.array(found))
