"""One replicate written out: its tables as those of a run, and all analyses of the study."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ...cluster import store
from ...cluster.settings import Cluster
from ..run import write_results
from ..shard import encode
from ..study import Study
from .recheck import replay
from .run import prepare, trials_of
from .settings import Design, sizes


def write(study: Study, design: Design, cluster: Cluster, folder: Path) -> Iterator[str]:
    """Write replicate `design.replay` of the largest size asked for into `replay-K`; yield what it shows.

    Files: twins, observations and events (Parquet and, of the twins, CSV), results of every analysis of the study.
    """
    number = design.replay
    assert number is not None
    ready = prepare(study, design, cluster, folder / "pool")
    trials = trials_of(study, design, ready, sizes(study, design)[-1])
    tables, results = replay(study, trials, ready.pool, folder / "pool", number)
    place = folder / f"replay-{number}"
    for kind, table in tables.items():
        store.write(place / f"{kind}.parquet", encode(pa.Table.from_pandas(table, preserve_index=False)))
    store.write(place / "twins.csv", tables["twins"].to_csv(index=False).encode())
    write_results(place, results)
    yield f"replicate {number} of {trials.size:,} people, in full: {place}"
    for row in results:
        if row.analysis in ready.analyses and row.comparator:
            yield (
                f"  {row.analysis}: {row.statistic} {row.estimate:.4g} "
                f"({row.level:.0%} interval {row.low:.4g} to {row.high:.4g}), p {row.p:.3g}"
            )
