"""Does a sweep still say what it said: files re-hashed, surfaces worked out again, some pieces computed again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...cluster import platform, store
from .. import bundle
from ..errors import Unfinished
from ..shard import encode
from ..verify import Finding
from . import surfaces as surface
from .place import PLAN, stored
from .plan import Sweep, canonical
from .run import planned
from .shard import simulate


def verify(folder: Path, rerun: int) -> Iterator[Finding]:
    """Check a sweep: its files, its surfaces, and `rerun` of its pieces made again from the plan.

    Raises:
      BadInput: there is no sweep. Unfinished: it is not complete, or its manifest is damaged.
    """
    content, plan = bundle.manifest(folder), stored(folder)
    listed, present = content["files"], set(bundle.files(folder))
    intact = True
    for name in sorted(set(listed) | present):
        wrong = ""
        if name not in present:
            wrong = "is missing"
        elif name not in listed:
            wrong = "is not in the manifest"
        elif store.digest(folder / name) != listed[name]["sha256"]:
            wrong = "was changed: its SHA-256 is not the one in the manifest"
        intact = intact and not wrong
        yield Finding(name, wrong)
    if not intact:
        return
    if plan.fingerprint() != content["sweep_sha256"]:
        raise Unfinished(f"{folder / PLAN}: is not the plan of the manifest")
    changed = platform.differences(platform.describe(), content)
    differs = f" (what is here differs from what it was made with: {'; '.join(changed)})" if changed else ""
    again = encode(surface.table(plan, surface.surfaces(plan, surface.read(folder))))
    same = again == (folder / "surfaces.parquet").read_bytes()
    yield Finding("surfaces.parquet, worked out again", "" if same else f"comes out differently{differs}")
    if rerun:
        yield from _pieces(folder, plan, rerun, differs)


def _pieces(folder: Path, plan: Sweep, rerun: int, differs: str) -> Iterator[Finding]:
    parts, count = planned(plan)
    for number in np.random.default_rng().choice(count, min(rerun, count), replace=False):
        for kind, table in simulate(canonical(plan), parts[number]).items():
            name = f"{kind}/part-{number:05d}.parquet"
            same = encode(table) == (folder / name).read_bytes()
            yield Finding(f"{name}, computed again", "" if same else f"comes out differently{differs}")
