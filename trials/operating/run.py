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
from dataclasses import replace
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
from ..statistics.subgroups import Effect
from ..study import Analysis, Study
from . import (
    arranged,
    assigned,
    decisions,
    dosefinding,
    enriching,
    factorial,
    later,
    looks,
    paired,
    pool,
    recheck,
    replicates,
    search,
    sided,
    summed,
)
from .arranged import Arranged
from .assigned import Assigned
from .assurance import Assurance, assurance
from .decisions import Rule, Verdict
from .draw import Allocation
from .measures import Cell, Figure, at_the_end, lookup, of_choice, of_estimate, of_stages, of_together, of_verdict
from .paired import Paired
from .replicates import HYPOTHESES, Data, Trials
from .search import Needed
from .settings import Design, chosen, cuts, sizes, together
from .stages import Staged
from .summed import Summed
from .truth import leaning, limits, shares, truths
from .worlds import worlds

FARTHEST = 20  # times the largest size tried, beyond which a size that the search finds is not tried itself
MODEL = next(iter(HYPOTHESES))


class Outcome(NamedTuple):
    """All that a design has shown. The first analysis decides.

    truth, limits: of each analysis, the true value of its estimand, and what it tends to as people are observed.
    means: mean outcome under arm and comparator in the pool. subgroups: the decisive analysis's effect in these.
    needed: the size that reaches the power, and that size rounded up, if it was asked for and exists.
    notes: what is to be said of how people are arranged.
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
    notes: tuple[str, ...] = ()


class Prepared(NamedTuple):
    """A pool, read, with what the replicates of any size need of it."""

    folder: Path
    pool: pool.Pool
    data: Data
    analyses: dict[str, Analysis]
    enriched: enriching.Enriched | None = None
    arranged: Arranged | None = None


def carry_out(study: Study, design: Design, cluster: Cluster, folder: Path) -> Outcome:
    """Simulate, try out, measure; finished shards are kept.

    Raises:
      BadInput: hardly anyone is eligible. ValueError: the power is out of reach with these bounds.
    """
    looks.bounds(design, next(iter(chosen(study, design).values())).alpha)  # told before anything is simulated
    ready = prepare(study, design, cluster, folder / "pool")
    analyses = ready.analyses
    bounds, truth, means, sides = deciding(study, design, ready)
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
    rule = rule_of(design, bounds, trials_of(study, design, ready, tried[0]), ready, sides)
    certain = list(_assurance(study, design, cluster, folder, tuple(tried), rule))
    seen = limits(study, ready.pool, analyses)
    if design.factorial is not None:
        seen, means = arranged.observed(design, ready.data)
    if study.trial.split:
        seen = sided.limits(ready.data, analyses)
    begun = None if ready.arranged is None else ready.arranged.begun
    notes = tuple(sided.notes(ready.data, analyses) if study.trial.split
                  else arranged.notes(study, design, tuple(tried), begun, truth, seen))  # fmt: skip
    groups = pool.effects(study, ready.pool, next(iter(analyses)))
    return Outcome(
        analyses, bounds, tuple(tried), figures, truth, means, agreement, certain, needed, found, seen, groups, notes
    )


def deciding(
    study: Study, design: Design, ready: Prepared
) -> tuple[Bounds, dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    """What trials decide by: bounds, and of each analysis the true value, the means and the side of a success."""
    analyses = ready.analyses
    bounds = looks.bounds(design, next(iter(analyses.values())).alpha)
    means = shares(ready.pool, analyses)
    if study.trial.split:
        truth = sided.truths(study, design.pool, analyses)
    else:
        truth = (arranged.truths(study, design, ready.pool, analyses) if design.arranged
                 else truths(study, ready.pool, analyses))  # fmt: skip
    if design.enrich is not None:
        name, inside = list(analyses)[:2]
        truth[inside] = enriching.truth_inside(study, design.enrich, ready.pool, name)
    return bounds, truth, means, {name: leaning(truth[name], means[name]) for name in analyses}


def prepare(study: Study, design: Design, cluster: Cluster, folder: Path) -> Prepared:
    """Make the pool where it is not there, and read it."""
    analyses = chosen(study, design)
    planned = pool.simulate(study, design.pool, cluster, folder)
    if study.trial.split:
        return Prepared(folder, *sided.prepared(study, planned, folder, analyses), analyses)
    if design.arranged:
        own = arranged.prepared(study, design, planned, folder, analyses)
        return Prepared(folder, own.pool, own.data, analyses, arranged=own)
    found, enriched = pool.read(study, planned, folder, analyses), None
    if design.enrich is not None:
        found, enriched = enriching.prepared(study, design.enrich, found, analyses)
    data = replicates.data(found, tuple(analyses), tuple(analyses.values()))
    return Prepared(folder, found, data, analyses, enriched)


def trials_of(study: Study, design: Design, ready: Prepared, size: int) -> Trials:
    """The trials of one size."""
    plan = study.trial.randomisation
    shares = tuple(plan.allocation[name] for name in study.trial.arms)
    allocation = Allocation(shares, plan.block_size, len(ready.pool.labels))
    names, analyses = tuple(ready.analyses), tuple(ready.analyses.values())
    found = worlds(design, names)
    return Trials(study.seed, size, cuts(size, design), allocation, names, analyses, worlds=found)


def rule_of(
    design: Design, bounds: Bounds, trials: Trials, ready: Prepared, sides: dict[str, float]
) -> Rule:  # fmt: skip
    """How the trials of one size decide.

    Args:
      sides: of each analysis, on which a difference is a success. Arms of a selection all have that of most of them.
    """
    many = max(len(together(design, trials.names)), 1)
    directions = [sides[name] for name in trials.names[:many]]
    if design.select or design.adapt or design.platform:
        directions = [-1.0 if sum(directions) < 0 else 1.0] * many
    if design.enrich is not None:  # a subgroup has the side of everybody
        directions = directions[:1] * many
    if design.dose_finding is not None:  # its statistics are on the side of the effect that is wanted
        directions = [1.0]
    share = 1.0 if ready.enriched is None else ready.enriched.share
    return Rule(design, bounds, tuple(directions), _arms(ready)[:many], trials.allocation, trials.cuts, share)


def as_decided(trials: Trials, rule: Rule, ready: Prepared) -> Trials | Staged | Assigned | Summed | Paired:
    """The trials with what their people and arms depend on."""
    if sided.compared(ready.analyses):
        return Paired(trials, tuple(arm for arm, _ in _arms(ready)))
    if rule.summed and ready.arranged is not None:
        return Summed(trials, rule, ready.arranged.cells)
    if rule.staged:
        return Staged(trials, rule, ready.enriched)
    return Assigned(trials, rule) if rule.assigned else trials


def estimates(
    trials: Trials, rule: Rule, replicated: int, cluster: Cluster, ready: Prepared, folder: Path
) -> Estimate:  # fmt: skip
    """All estimates of the trials of one size; shards that are there are kept."""
    place = folder / f"size-{trials.size}"
    kept = ledger.finished(place)
    todo = [piece for piece in replicates.pieces(replicated) if piece.number not in kept]
    whole = as_decided(trials, rule, ready)
    with task(f"replicates of {trials.size:,} people", replicated) as advance:
        done = replicated - sum(piece.stop - piece.start for piece in todo)
        lengths = {piece.number: piece.stop - piece.start for piece in todo}
        job = partial(replicates.work, whole, ready.data, place.resolve())
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
    rule = rule_of(design, bounds, trials, ready, sides)
    found = estimates(trials, rule, design.replicates, cluster, ready, folder / "replicates")
    again = recheck.selected(study.seed, design.replicates, design.recheck)
    if len(again):
        some = Estimate._make(values[again] for values in found)
        agreement[size] = rechecked(as_decided(trials, rule, ready), ready, again, some)
    yield from measured(trials, found, rule, truth)
    if rule.assigned:
        yield from assigned.figures(Assigned(trials, rule), design.replicates, ready.data)


def rechecked(
    whole: Trials | Staged | Assigned | Summed | Paired, ready: Prepared, numbers: np.ndarray, found: Estimate
) -> recheck.Agreement:  # fmt: skip
    """Replicates analysed again by the routines of a run; found: their estimates, (replicates, …)."""
    if isinstance(whole, Staged):
        return later.recheck(whole, ready.pool, numbers, found)
    if isinstance(whole, Assigned):
        return assigned.recheck(whole, ready.pool, ready.data, numbers, found)
    if isinstance(whole, Summed):
        return summed.recheck(whole, numbers, ready.data, found)
    if isinstance(whole, Paired):
        return paired.recheck(whole, numbers, ready.data, found)
    return recheck.recheck(whole, ready.pool, ready.analyses, numbers, found)


def measured(trials: Trials, found: Estimate, rule: Rule, truth: dict[str, float]) -> Iterator[Figure]:
    """The figures of one size: of the decisive analysis with its looks, of the others as they stand at the end."""
    many, tested = len(rule.directions), together(rule.design, trials.names)
    supposed: dict[tuple[str, str], float] = {}
    if rule.design.enrich is not None:
        inside = truth[trials.names[1]]
        supposed = enriching.supposed_truth(
            trials.names, trials.analyses[0], truth[trials.names[0]], inside, rule.share
        )
    if rule.design.factorial is not None:
        supposed = factorial.supposed_truth(rule.design.factorial, truth)
    for h, (hypothesis, sources) in enumerate(trials.hypotheses.items()):
        verdict = decisions.decide(rule, Estimate._make(values[:, h] for values in found))
        null = [one == other for one, other in sources]
        for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
            mine = Estimate._make(values[:, h, :, place] for values in found)
            value = 0.0 if null[place] else supposed.get((hypothesis, name), truth[name])
            cell = Cell(trials.size, hypothesis, name, mine, value, trials.cuts, analysis.alpha)
            if place == 0:
                yield from of_verdict(cell, verdict, rule.bounds.looks)
                if tested:
                    yield from of_together(cell, tested, verdict, null[:many])
                if rule.design.dose_finding is not None:
                    whole = Estimate._make(values[:, h, -1] for values in found)
                    told = replace(cell, found=whole)
                    yield from dosefinding.figures(rule.design.dose_finding, told, trials.names, truth)
                    break  # what candidates estimate is told there
                if rule.design.enrich is not None:
                    yield from of_choice(cell, verdict, rule.share)
            if rule.staged:
                yield from of_stages(cell, verdict, *_stages(rule, verdict, place))
                continue
            if place == 0 and rule.bounds.looks > 1:
                yield from at_the_end(cell, verdict)
            yield from of_estimate(cell)


def _stages(rule: Rule, verdict: Verdict, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of an analysis in each replicate: whether it goes on, and how many of its people the two stages have."""
    first = np.full(len(verdict.look), float(rule.cuts[0]))
    second = verdict.people - first
    if verdict.kept is None:
        return np.ones(len(first), bool), first, second
    if rule.design.enrich is None:
        on = verdict.kept[:, place] if place < len(rule.directions) else np.any(verdict.kept, axis=1)
        return np.asarray(on), first, second
    if place == 1:
        return verdict.kept[:, 1], rule.share * first, np.where(verdict.kept[:, 0], rule.share, 1.0) * second
    return verdict.kept[:, 0], first, second


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
            share = rule.share if ready.enriched is None else ready.enriched.share
            mine = rule._replace(cuts=trials.cuts, share=share)
            place = folder / f"replicates-draw-{number:05d}"
            found = estimates(trials, mine, design.replicates, cluster, ready, place)
            verdict = decisions.decide(mine, Estimate._make(values[:, 0] for values in found))
            powers[size].append(float(verdict.success.mean()))
    for size, found in powers.items():
        if found:
            yield assurance(size, np.array(found))
