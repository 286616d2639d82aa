"""A sweep on disk: what lies where, and whose folder it is.

SWEEP/
  sweep.yaml                        the plan
  twins/ sums/                      one Parquet file a piece each
  surfaces.parquet                  one row a setting, skin type and quantity
  answer.json                       the settings that are kept, and the most effective
  report.html                       opens offline
  shards/                           which pieces are finished, with checksums
  manifest.json manifest.sha256     written last: a sweep is complete when they are there
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...population.plain import read_mapping
from .. import bundle
from ..errors import BadInput
from .plan import Sweep, plain
from .read import valid

PLAN = "sweep.yaml"


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep rather than a run of a trial."""
    return (folder / PLAN).is_file()


def examine(folder: Path, plan: Sweep, resume: bool) -> str:
    """What a folder is to a sweep: `new`, `unfinished`, or `complete`.

    Raises:
      BadInput: the folder belongs to something else, or holds an unfinished sweep and `resume` was not asked for.
    """

    def other() -> str:
        return "" if stored(folder).fingerprint() == plan.fingerprint() else "another sweep"

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
    with bundle.held(folder, PLAN, plain(plan), lambda: examine(folder, plan, resume)):
        yield
