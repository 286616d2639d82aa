"""What computes the courses of a study's twins: lanes where they can, else XLA; chosen once a run, and told why.

Both give the same numbers to 1e-10 but not the same last bits, so that all shards of a run are made by one of them.
"""

import json
import threading
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import jax

from ..core.diseases import DISEASES
from ..core.engine.lanes import Unsupported
from . import numerics
from .errors import BadInput
from .study import Study, canonical

LANES, XLA = "lanes", "xla"
Wanted = Literal["auto", "lanes", "xla"]
MARK = b"kernel"  # of a table: what computed it

_ONE_AT_A_TIME = threading.Lock()


class Way(NamedTuple):
    """What computes a run. why: in words, for the manifest."""

    name: str
    why: str


def choose(study: Study, wanted: Wanted) -> Way:
    """Lanes where this is a processor and they know all that the model does; else XLA.

    The reason is the same whether a run is begun or gone on with, where `auto` has become what it was before.

    Raises:
      BadInput: lanes are asked for and cannot be had.
    """
    with _ONE_AT_A_TIME:
        refused = _refused(canonical(study))
    if refused and wanted == LANES:
        raise BadInput(f"cluster.kernel: lanes cannot compute this study: {refused}; take auto or xla")
    if refused:
        return Way(XLA, f"lanes cannot compute this study: {refused}")
    return Way(XLA, "asked for") if wanted == XLA else Way(LANES, "the model fits them")


def of_run(folder: Path, numbers: dict[int, dict[str, str]]) -> str | None:
    """What computed the finished shards of a run; None if there are none, or they do not say."""
    import pyarrow.parquet as pq

    for files in numbers.values():
        for name in files:
            found = (pq.read_schema(folder / name).metadata or {}).get(MARK)
            return found.decode() if found else None
    return None


def kept(asked: Wanted, before: str | None) -> Wanted:
    """What a run that goes on is to be computed by: what computed its finished shards.

    Raises:
      BadInput: something else is asked for.
    """
    if before is None or before == asked:
        return asked
    if asked == "auto" and before in (LANES, XLA):
        return LANES if before == LANES else XLA
    raise BadInput(f"cluster.kernel: {asked} is asked for, but the finished shards were computed by {before}")


@cache
def _refused(study: str) -> str:
    """Why lanes cannot compute a study (canonical JSON); empty if they can."""
    if (backend := jax.default_backend()) != "cpu":
        return f"JAX computes on {backend}, they on a processor"
    plan = Study.model_validate(json.loads(study))
    try:
        numerics.trace(plan, DISEASES[plan.trial.disease], LANES)
    except Unsupported as error:
        return str(error)
    return ""
