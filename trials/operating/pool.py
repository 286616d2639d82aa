"""A pool of potential outcomes: eligible twins of a study, each put through every arm.

POOL/
  <arm>/twins/ observations/ events/   as in a run, every twin of the pool in each arm
  <arm>/shards/                        which shards are finished, with checksums

A twin's luck does not depend on its arm, so the arms differ in what the treatments do and in nothing else.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...cluster import ledger
from ...cluster.execute import EXECUTORS
from ...cluster.settings import Cluster
from ...core.diseases import DISEASES
from ...population.sample import POPULATIONS
from .. import bundle
from ..progress import task
from ..run import Plan, plan
from ..shard import Done, work
from ..statistics import dataset, design, times
from ..statistics.offered import METHODS
from ..statistics.outcomes import named
from ..statistics.proportions import Contrast
from ..statistics.repeated import by_visit
from ..statistics.subgroups import Effect, groups
from ..statistics.subgroups import effects as of_groups
from ..study import Analysis, Study
from . import gaps
from .gaps import VISIT, imputes


class Columns(NamedTuple):
    """What one analysis needs of the pool: of its arm (row 0) and its comparator (row 1).

    value: (2, pool), NaN where a twin has none. missing: nothing was observed, (2, pool). covariates: (2, pool, k);
    complete: whether a twin has them all, (2, pool). arms: numbers of the two arms.
    more: what else the method reads: the time of an event, or the outcome of each visit (NaN where a twin has none),
      (2, pool, m). there: who counts, (2, pool), if that is not everybody with a value.
    extra: covariates of an imputation that the analysis itself does not have, (2, pool, e).
    """

    value: np.ndarray
    missing: np.ndarray
    covariates: np.ndarray
    complete: np.ndarray
    arms: tuple[int, int]
    more: np.ndarray | None = None
    there: np.ndarray | None = None
    extra: np.ndarray | None = None

    @property
    def counts(self) -> np.ndarray:
        """Who counts in the analysis, (2, pool)."""
        valued = ~np.isnan(self.value) if self.there is None else self.there
        return self.complete & valued


class Pool(NamedTuple):
    """The twins of a pool and their strata, (pool,), and what each analysis needs. twins: their attributes."""

    ids: np.ndarray
    strata: np.ndarray
    labels: tuple[str, ...]
    columns: dict[str, Columns]
    twins: pd.DataFrame | None = None

    @property
    def size(self) -> int:
        """Twins of the pool."""
        return len(self.ids)


def of_size(study: Study, size: int) -> Study:
    """The same study with so many people, and no analyses beside those of the replicates."""
    return study.model_copy(update={"population": study.population.model_copy(update={"size": size})})


def simulate(study: Study, size: int, cluster: Cluster, folder: Path) -> Plan:
    """Put the twins through every arm; finished shards are kept.

    Raises:
      BadInput: hardly anyone is eligible. StoreError: a file could not be written; what was finished stays.
    """
    planned = plan(of_size(study, size))
    arms = list(study.trial.arms)
    with task("simulating the pool", planned.pieces * len(arms)) as advance:
        done = 0
        for number, arm in enumerate(arms):
            place = folder / arm
            kept = ledger.finished(place)
            todo = [
                shard._replace(arms=np.full_like(shard.arms, number))
                for shard in planned.shards()
                if shard.number not in kept
            ]
            done += planned.pieces - len(todo)
            result: Done
            for result in EXECUTORS[cluster.kind](partial(work, planned.job, place.resolve()), todo, cluster):
                ledger.record(place, result.number, result.files)
                done += 1
                advance(done)
    return planned


def read(study: Study, planned: Plan, folder: Path, analyses: Mapping[str, Analysis]) -> Pool:
    """What the analyses need of a pool that `simulate` made."""
    needed = dict.fromkeys(arm for analysis in analyses.values() for arm in (analysis.arm, analysis.comparator))
    records = {}
    for arm in needed:
        tables = bundle.tables(folder / arm)
        records[arm] = dataset.align(tables["twins"], tables["observations"], tables["events"])
    people = planned.enrolment
    found = {name: columns(study, analysis, records) for name, analysis in analyses.items()}
    twins = next(iter(records.values())).twins
    return Pool(people.ids, people.strata, people.labels, found, twins)


def columns(study: Study, analysis: Analysis, records: Mapping[str, dataset.Records]) -> Columns:
    """Values and covariates of an analysis in its two arms, by the tables of these arms."""
    names, covariates = list(study.trial.arms), in_order(analysis)
    frames = [frame(study, analysis, records[arm]) for arm in (analysis.arm, analysis.comparator)]
    both = pd.concat([part.assign(arm=str(arm)) for arm, part in enumerate(frames)], ignore_index=True)
    complete = np.asarray(~both[list(covariates)].isna().to_numpy().any(axis=1))
    # `design.read` keeps rows with a value and all covariates: each is given one, so that none falls out.
    numbers = [name for name in covariates if pd.api.types.is_float_dtype(both[name])]
    filled = both.assign(value=0.0, **{name: both[name].fillna(0.0) for name in numbers})
    data, _, _ = design.read(filled, Contrast("0", "1", covariates))
    shape = (2, len(frames[0]))
    own = [name for name in both.columns if name in ("time", *gaps.OWN) or str(name).startswith(VISIT)]
    more = both[own].to_numpy(float).reshape(*shape, -1) if own else None
    there = extra = None
    if METHODS[analysis.method].reads == "visits" and more is not None:
        there = np.asarray(~np.all(np.isnan(more), 2))
    if imputes(analysis):
        there = both[gaps.ABOUT].to_numpy(bool).reshape(shape)
    if gaps.EXTRA in both:
        extra = both[gaps.EXTRA].fillna(0.0).to_numpy(float).reshape(*shape, 1)
        complete = complete & ~both[gaps.EXTRA].isna().to_numpy()
    return Columns(
        both["value"].to_numpy(float).reshape(shape),
        both["missing"].to_numpy(bool).reshape(shape),
        data.covariates.reshape(*shape, -1),
        complete.reshape(shape),
        (names.index(analysis.arm), names.index(analysis.comparator)),
        more,
        there,
        extra,
    )


def effects(study: Study, pool: Pool, name: str) -> list[Effect]:
    """The effect on an analysis's outcome in everybody and in the groups of every report.

    The same twins are in either arm, so that no comparison of people enters; who counts in both arms is in it.
    """
    found = pool.columns[name]
    one, other = np.where(found.counts, found.value, np.nan)
    members = {} if pool.twins is None else groups(POPULATIONS[study.population.source].attributes, pool.twins)
    return of_groups(one, other, members)


def in_order(analysis: Analysis) -> tuple[str, ...]:
    """An analysis's covariates; with a model for repeated measures, those whose effect differs between visits last."""
    if METHODS[analysis.method].reads != "visits" and not imputes(analysis):
        return analysis.covariates
    return tuple(sorted(analysis.covariates, key=by_visit))


def weeks(analysis: Analysis, planned: Iterable[int]) -> tuple[int, ...]:
    """The visits that a model for repeated measures reads, of those planned."""
    return analysis.options.visits or tuple(week for week in sorted(planned) if 0 < week <= analysis.week)


def frame(study: Study, analysis: Analysis, records: dataset.Records) -> pd.DataFrame:
    """The analysis table of the twins of an arm, as in `statistics.analyses`; visits stand side by side."""
    outcome, chosen = named(DISEASES[study.trial.disease], analysis.outcome), analysis.options
    if outcome is None:
        raise ValueError(f"{study.trial.disease} has no outcome {analysis.outcome!r}")
    reads = METHODS[analysis.method].reads
    if reads == "times":
        kind, start = chosen.time_to or "response", chosen.from_week or 0
        return times.table(records, outcome, analysis.week, analysis.intercurrent, kind, start)
    if imputes(analysis):
        return gaps.frame(DISEASES[study.trial.disease], analysis, outcome, records)
    table = dataset.table(records, outcome, analysis.week, analysis.intercurrent)
    if reads == "visits":
        seen = weeks(analysis, records.rows)
        values = {f"{VISIT}{week}": dataset.value(records, outcome, week, analysis.intercurrent)[0] for week in seen}
        return pd.concat([table, pd.DataFrame(values, index=table.index)], axis=1)
    if analysis.missing == "non_response" and analysis.intercurrent != "composite":
        table["value"] = table["value"].where(~table["missing"], 0.0)
    return table
