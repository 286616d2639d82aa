"""A sweep on disk: what lies where, and whose folder it is.

SWEEP/
  sweep.yaml                        the plan
  parameters.sha256                 of the tables of numbers that it was begun with
  twins/ sums/                      one Parquet file a piece each
  surfaces.parquet                  one row a setting, skin type and quantity
  answer.json                       the settings that are kept, and the most effective
  report.html                       opens offline
  shards/                           which pieces are finished, with checksums
  manifest.json manifest.sha256     written last: a sweep is complete when they are there
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...cluster import store
from ...core.laser.calibrated import HERE as LASER
from ...population.plain import read_mapping
from .. import bundle
from ..errors import BadInput
from .plan import Sweep, plain
from .read import valid

PLAN, TABLES = "sweep.yaml", "parameters.sha256"


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep rather than a run of a trial."""
    return (folder / PLAN).is_file()


def examine(folder: Path, plan: Sweep, resume: bool) -> str:
    """What a folder is to a sweep: `new`, `unfinished`, or `complete`.

    Raises:
      BadInput: the folder belongs to something else, or holds an unfinished sweep and `resume` was not asked for, or
        one that was begun with other parameters.
    """

    def other() -> str:
        if stored(folder).fingerprint() != plan.fingerprint():
            return "another sweep"
        begun = folder / TABLES
        changed = begun.is_file() and begun.read_text(encoding="ascii").strip() != parameters()
        unfinished = not (folder / "manifest.json").is_file()
        return "this sweep, begun with other parameter tables" if changed and unfinished else ""

    return bundle.examined(folder, PLAN, other, "this sweep is there, unfinished", resume)


def stored(folder: Path) -> Sweep:
    """The plan of a sweep on disk.

    Raises:
      BadInput: there is none, or it is damaged.
    """
    try:
        return valid(read_mapping(folder / PLAN, "a sweep"), {"": str(folder / PLAN)})
    except ValueError as error:
        raise BadInput(str(error)) from None


@contextmanager
def claimed(folder: Path, plan: Sweep, resume: bool) -> Iterator[None]:
    """Hold the folder for a sweep; nobody else writes there meanwhile.

    Raises:
      BadInput: as `examine`, or the folder cannot be written. StoreError: another process is at work there.
    """
    with bundle.held(folder, PLAN, plain(plan), lambda: examine(folder, plan, resume)) as new:
        if new:
            store.write(folder / TABLES, f"{parameters()}\n".encode())
        yield


def parameters() -> str:
    """SHA-256 of all tables of numbers behind lasers: names and contents."""
    digest = hashlib.sha256()
    for file in sorted(f for kind in ("*.yaml", "*.csv") for f in LASER.rglob(kind)):
        digest.update(file.relative_to(LASER).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
