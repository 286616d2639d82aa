"""One replicate written out: its tables as those of a run, and all analyses of the study."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...cluster import store
from ...cluster.settings import Cluster
from ..run import write_results
from ..shard import encode
from ..statistics.methods.estimate import Estimate
from ..study import Study
from . import assigned, external, later, replicates, stages, summed
from .assigned import Assigned
from .draw import Drawn
from .recheck import replay
from .replicates import PIECE, Trials
from .run import Prepared, as_decided, deciding, prepare, rechecked, rule_of, trials_of
from .settings import Design, sizes
from .stages import Staged
from .summed import Summed


def write(study: Study, design: Design, cluster: Cluster, folder: Path) -> Iterator[str]:
    """Write replicate `design.replay` of the largest size asked for into `replay-K`; yield what it shows.

    Files: twins, observations and events (Parquet and, of the twins, CSV), results of every analysis of the study.
    """
    number = design.replay
    assert number is not None
    ready = prepare(study, design, cluster, folder / "pool")
    trials = trials_of(study, design, ready, sizes(study, design)[-1])
    drawn, told = _adapted(study, design, ready, trials, number)
    tables, results = replay(study, trials, ready.pool, folder / "pool", number, drawn)
    if design.staged:
        tables["twins"]["stage"] = np.where(tables["twins"]["twin"] < trials.cuts[0], 1, 2)
    place = folder / f"replay-{number}"
    for kind, table in tables.items():
        store.write(place / f"{kind}.parquet", encode(pa.Table.from_pandas(table, preserve_index=False)))
    store.write(place / "twins.csv", tables["twins"].to_csv(index=False).encode())
    write_results(place, results)
    if design.external is not None:
        earlier = external.replayed(design.external, ready.data.columns, trials.seed, number)
        store.write(place / "earlier_controls.parquet", encode(pa.Table.from_pandas(earlier, preserve_index=False)))
    yield f"replicate {number} of {trials.size:,} people, in full: {place}"
    for row in results:
        if row.analysis in ready.analyses and row.comparator:
            yield (
                f"  {row.analysis}: {row.statistic} {row.estimate:.4g} "
                f"({row.level:.0%} interval {row.low:.4g} to {row.high:.4g}), p {row.p:.3g}"
            )
    yield from told


def _adapted(
    study: Study, design: Design, ready: Prepared, trials: Trials, number: int
) -> tuple[Drawn | None, list[str]]:  # fmt: skip
    """People and arms of a replicate whose course depends on what is seen, and how far its own analyses agree.

    The design analyses its stages, or concurrent controls, apart, or has analyses of its own; those of the study take
    all people as they stand. So those of the design are done again, too.
    """
    if not (design.staged or design.adapt or design.platform or design.arranged):
        return None, []
    bounds, _, _, sides = deciding(study, design, ready)
    whole = as_decided(trials, rule_of(design, bounds, trials, ready, sides), ready)
    shard = np.full(PIECE, number)  # as large as any other, so that its program is there already
    if isinstance(whole, Staged):
        found = _one(stages.analyse(whole, shard, ready.data))
        drawn = later.people(whole, number, found, ready.pool.strata)
    elif isinstance(whole, Trials):
        found, drawn = _one(replicates.analyse(whole, shard, ready.data)), None
    elif isinstance(whole, Summed):
        found = _one(summed.analyse(whole, shard, ready.data))
        drawn = summed.people(whole, number, ready.pool.strata)
    else:
        assert isinstance(whole, Assigned)  # a split-body trial does not adapt
        found = _one(assigned.analyse(whole, shard, ready.data))
        drawn = assigned.people(whole, number, ready.data)[0]
    again = rechecked(whole, ready, shard[:1], found)
    largest = max(again.largest.values(), default=0.0)
    return drawn, [f"  as the design analyses it: {again.analyses} analyses agree with a run's to {largest:.1e}"]


def _one(found: Estimate) -> Estimate:
    return Estimate._make(values[:1] for values in found)
