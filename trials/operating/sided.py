"""A split-body pool: what either side of every twin has under either treatment.

The pool puts each twin through both allocations, the arm on the left and the arm on the right. So each side is known
under both treatments, and a replicate may randomise which side has which. Both sides are always those of one twin with
one luck, so that they are as alike as in a run: under the null hypotheses, too, where both have what they have under
one treatment, the left from one allocation and the right from the other.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from .. import bundle, shard
from ..run import plan
from ..statistics import dataset
from ..statistics.estimands import events
from ..statistics.offered import METHODS
from ..study import Analysis, Study, canonical
from ..truth import world
from . import pool as pools
from .pool import Columns, Pool
from .sample import Data
from .settings import Design

if TYPE_CHECKING:
    from ..run import Plan

SHARED = ("", "family")  # ways of a design that a split-body trial may have
Allocations = Mapping[str, Mapping[str, dataset.Records]]
"""By the arm of the left sides, the records of the sides that have each arm, all twins in each."""


def problems(study: Study, design: Design) -> Iterator[str]:
    """What a design asks for that a split-body trial cannot be."""
    if design.way not in SHARED:
        yield (
            f"design.{design.way}: with trial.design: split_body every person has both arms; leave {design.way} out, "
            "or choose a parallel trial"
        )
    for name, analysis in study.trial.analyses.items():
        if analysis.missing not in (None, "none", "non_response"):
            yield f"trial.analyses.{name}.missing: {analysis.missing} does not impute sides; leave it out"


def compared(analyses: Mapping[str, Analysis]) -> bool:
    """Whether analyses compare the sides of people, as all of a split-body trial do."""
    return METHODS[next(iter(analyses.values())).method].paired


def prepared(study: Study, planned: "Plan", folder: Path, analyses: Mapping[str, Analysis]) -> tuple[Pool, Data]:
    """Read a pool: what reports show of it, and its data as `paired` reads them."""
    records = read(study, {arm: bundle.tables(folder / arm) for arm in study.trial.arms})
    values = {name: of_sides(study, analysis, records) for name, analysis in analyses.items()}
    arms, people = list(study.trial.arms), planned.enrolment
    columns = {name: _told(values[name][0], analysis, arms) for name, analysis in analyses.items()}
    twins = next(iter(next(iter(records.values())).values())).twins
    data = np.concatenate([found.reshape(-1, len(people.ids)) for found in values.values()])
    return Pool(people.ids, people.strata, people.labels, columns, twins), Data(people.strata, data, (), ())


def read(study: Study, tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> Allocations:
    """The records of the sides; tables: of all twins, by the arm of their left sides."""
    arms = list(study.trial.arms)
    return {arm: dataset.sides(found["twins"], found["observations"], found["events"], arms)
            for arm, found in tables.items()}  # fmt: skip


def of_sides(study: Study, analysis: Analysis, records: Allocations) -> np.ndarray:
    """The outcome and the covariates of both sides under both treatments, NaN where there is none.

    Returns:
      Array (1 + covariates, 2 sides, 2 treatments, pool): left and right, the arm and the comparator.
    """
    two = (analysis.arm, analysis.comparator)
    parts = []
    for right in (False, True):
        for arm, other in (two, two[::-1]):
            table = pools.frame(study, analysis, records[other if right else arm][arm])
            parts.append(table[["value", *analysis.covariates]].to_numpy(float).T)
    whole = np.stack(parts, axis=1)
    return whole.reshape(len(whole), 2, 2, -1)


def differences(values: np.ndarray) -> np.ndarray:
    """Arm less comparator of each twin, the arm on the left and on the right, (2, pool).

    Args:
      values: (2 sides, 2 treatments, pool).
    """
    return np.stack([values[0, 0] - values[1, 1], values[1, 0] - values[0, 1]])


def outcomes(data: Data, analyses: Mapping[str, Analysis]) -> dict[str, np.ndarray]:
    """The outcome of each analysis, (2 sides, 2 treatments, pool)."""
    found, row = {}, 0
    for name, analysis in analyses.items():
        found[name] = data.columns[row : row + 4].reshape(2, 2, -1)
        row += 4 * (1 + len(analysis.covariates))
    return found


def limits(data: Data, analyses: Mapping[str, Analysis]) -> dict[str, float]:
    """What each analysis tends to as people are observed: the mean difference of all pairs in both allocations."""
    return {name: float(np.nanmean(differences(values))) for name, values in outcomes(data, analyses).items()}


def truths(study: Study, size: int, analyses: Mapping[str, Analysis]) -> dict[str, float]:
    """The true value of each analysis in a pool of this size: nobody lost, no visit missed, both allocations.

    NaN for a principal stratum, to which no twin belongs as a pair of sides.
    """
    planned = plan(pools.of_size(study, size))
    lived: dict[tuple[str, ...], Allocations] = {}
    found = {}
    for name, analysis in analyses.items():
        strategy = events(study, analysis)["treatment_stopped"]
        if strategy == "principal_stratum":
            found[name] = np.nan
            continue
        without = ("treatment_stopped",) if strategy == "hypothetical" else ()
        if without not in lived:
            lived[without] = _followed(pools.of_size(world(study, without), size), planned)
        asked = analysis.model_copy(update={"intercurrent": strategy, "covariates": ()})
        found[name] = float(np.nanmean(differences(of_sides(study, asked, lived[without])[0])))
    return found


def notes(data: Data, analyses: Mapping[str, Analysis]) -> list[str]:
    """What a reader should know."""
    name, values = next(iter(outcomes(data, analyses).items()))
    arm = np.concatenate([values[0, 0], values[1, 0]])
    other = np.concatenate([values[1, 1], values[0, 1]])
    there = np.isfinite(arm) & np.isfinite(other)
    alike = np.corrcoef(arm[there], other[there])[0, 1]
    return [
        "sizes are of people, each with both treatments; which side has which is randomised in the blocks of the study",
        f"{name.replace('_', ' ')}: the sides of a twin of the pool, one with each treatment, correlate by {alike:.2f} "
        f"and their difference has the SD {np.std(arm[there] - other[there], ddof=1):.3g}",
        "under the null hypotheses both sides of a person have what they have under one treatment",
    ]


def _told(values: np.ndarray, analysis: Analysis, arms: list[str]) -> Columns:
    """What reports show: the mean of both sides under the arm and under the comparator, where both have a value."""
    value = values.mean(axis=0)
    numbers = (arms.index(analysis.arm), arms.index(analysis.comparator))
    return Columns(value, np.isnan(value), np.zeros((*value.shape, 0)), np.ones(value.shape, bool), numbers)


def _followed(study: Study, planned: "Plan") -> Allocations:
    """The twins of a plan in both allocations, as another study follows them."""
    job = planned.job._replace(study=canonical(study))
    tables = {}
    for number, arm in enumerate(study.trial.arms):
        parts = [shard.simulate(job, piece._replace(arms=np.full_like(piece.arms, number)))[0]
                 for piece in planned.shards()]  # fmt: skip
        tables[arm] = {kind: pa.concat_tables([part[kind] for part in parts]).to_pandas() for kind in bundle.TABLES}
    return read(study, tables)
