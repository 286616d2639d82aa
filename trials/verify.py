"""Does a run still say what it said: every file re-hashed, results computed again, some shards simulated again."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..cluster import platform, store
from ..core.diseases import DISEASES
from . import bundle
from .errors import Unfinished
from .run import Plan, plan
from .shard import encode, simulate


class Finding(NamedTuple):
    """One check: what was looked at, and what is wrong (empty if nothing is)."""

    what: str
    wrong: str = ""


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
    yield _analyses(folder, differs)
    if rerun:
        yield from _shards(folder, plan(study), rerun, differs)


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


def _analyses(folder: Path, differs: str) -> Finding:
    from .statistics.analyses import analyse
    from .statistics.result import to_arrow

    study = bundle.stored_study(folder)
    again = to_arrow(analyse(study, DISEASES[study.trial.disease], **bundle.tables(folder)))
    same = encode(again) == (folder / "results.parquet").read_bytes()
    return Finding("results.parquet, analysed again", "" if same else f"comes out differently{differs}")


def _shards(folder: Path, planned: Plan, rerun: int, differs: str) -> Iterator[Finding]:
    chosen = np.random.default_rng().choice(planned.pieces, min(rerun, planned.pieces), replace=False)
    for shard in planned.shards():
        if shard.number in chosen:
            tables, _ = simulate(planned.job, shard)
            for kind, table in tables.items():
                name = f"{kind}/part-{shard.number:05d}.parquet"
                same = encode(table) == (folder / name).read_bytes()
                yield Finding(f"{name}, simulated again", "" if same else f"comes out differently{differs}")


def _differences(content: dict) -> str:
    """What is not as it was when the run was made, as a remark; equal bytes are promised only without it."""
    here, then = platform.describe(), content["platform"]
    changed = platform.differences(here, content)
    changed += [
        f"{name} {here[name]!r}, there {then.get(name)!r}"
        for name in ("processor", "xla_flags")
        if then.get(name) != here[name]
    ]
    return f" (what is here differs from what the run was made with: {'; '.join(changed)})" if changed else ""
