"""Does a run still say what it said: every file re-hashed, results computed again, some shards simulated again.

On the platform of the run all must have the same bytes. On another one it is told whether they have, and if not
whether the values are within the tolerance that the run's manifest states.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..cluster import platform, store
from ..core.diseases import DISEASES
from . import bundle
from .agreement import BYTES, VALUES, Tolerance, promised, statistics_apart, twins_apart
from .errors import Unfinished
from .run import Plan, plan
from .shard import encode, simulate


class Finding(NamedTuple):
    """One check: what was looked at, what is wrong (empty if nothing is), and how well what was made again agrees."""

    what: str
    wrong: str = ""
    level: str = BYTES


def verify(folder: Path, rerun: int) -> Iterator[Finding]:
    """Check a run: its files, its analyses, and `rerun` of its shards made again from the study.

    Raises:
      BadInput: there is no run. Unfinished: it is not complete, or its manifest is damaged.
    """
    content = bundle.manifest(folder)
    intact = True
    for finding in _files(folder, content):
        intact = intact and not finding.wrong
        yield finding
    if not intact:
        return
    study = bundle.stored_study(folder)
    if study.fingerprint() != content["study_sha256"]:
        raise Unfinished(f"{folder / 'study.yaml'}: is not the study of the manifest")
    differs = _differences(content)
    yield _analyses(folder, content, differs)
    if rerun:
        kernel = content["numerics"].get("kernel", "xla")
        planned = plan(study, "auto" if differs and kernel == "lanes" else kernel)  # lanes may not be had here
        if differs:  # the mesh follows from an error whose last bits may be others here
            planned = planned._replace(job=planned.job._replace(scale=content["plan"]["mesh"]["scale"]))
        yield from _shards(folder, planned, rerun, content, differs)


def _files(folder: Path, content: dict) -> Iterator[Finding]:
    listed, present = content["files"], set(bundle.files(folder))
    for name in sorted(set(listed) | present):
        if name not in present:
            yield Finding(name, "is missing")
        elif name not in listed:
            yield Finding(name, "is not in the manifest")
        elif store.digest(folder / name) != listed[name]["sha256"]:
            yield Finding(name, "was changed: its SHA-256 is not the one in the manifest")
        else:
            yield Finding(name)


def _analyses(folder: Path, content: dict, differs: str) -> Finding:
    from .piecewise import analyse
    from .statistics.result import to_arrow

    study = bundle.stored_study(folder)
    again = to_arrow(analyse(study, DISEASES[study.trial.disease], folder))
    what, kept = "results.parquet, analysed again", folder / "results.parquet"
    if encode(again) == kept.read_bytes():
        return Finding(what)
    if differs:
        apart = statistics_apart(again, pq.read_table(kept), promised(content).statistics)
        if not apart:
            return Finding(what, level=VALUES)
        return Finding(what, f"{apart} of {again.num_rows} statistics come out differently{differs}")
    return Finding(what, "comes out differently")


def _shards(folder: Path, planned: Plan, rerun: int, content: dict, differs: str) -> Iterator[Finding]:
    chosen = np.random.default_rng().choice(planned.pieces, min(rerun, planned.pieces), replace=False)
    for shard in planned.shards():
        if shard.number in chosen:
            tables, _ = simulate(planned.job, shard)
            for kind, table in tables.items():
                name = f"{kind}/part-{shard.number:05d}.parquet"
                what = f"{name}, simulated again"
                if encode(table) == (folder / name).read_bytes():
                    yield Finding(what)
                elif not differs:
                    yield Finding(what, "comes out differently")
                else:
                    yield _within(what, table, pq.read_table(folder / name), len(shard.ids), promised(content), differs)


def _within(what: str, again: pa.Table, kept: pa.Table, twins: int, allowed: Tolerance, differs: str) -> Finding:
    """A table of another platform, held to the tolerance that its run states."""
    try:
        apart = len(twins_apart(again, kept, allowed.relative))
    except ValueError as error:
        return Finding(what, f"comes out with other columns: {error}{differs}")
    if apart <= max(1, allowed.twins_apart * twins):
        return Finding(what, level=VALUES)
    return Finding(
        what,
        f"comes out differently: {apart} of {twins} twins have a value more than {allowed.relative:g} off, where "
        f"{allowed.twins_apart:.1%} may{differs}",
    )


def _differences(content: dict) -> str:
    """What is not as it was when the run was made, as a remark; equal bytes are promised only without it."""
    here, then = platform.describe(), content["platform"]
    changed = platform.differences(here, content)
    changed += [
        f"{name} {here[name]!r}, there {then.get(name)!r}"
        for name in sorted(set(here) - {"versions"})
        if then.get(name) != here[name]
    ]
    return f" (what is here differs from what the run was made with: {'; '.join(changed)})" if changed else ""
