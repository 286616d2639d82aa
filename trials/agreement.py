"""How closely a run comes out again: the same bytes on one platform, the same values within a tolerance on another.

On one platform (processor's instruction sets, versions, flags) every executor, number of workers and order gives the
same bytes, since a shard has a fixed size and is computed by itself. On another the last bits of a value may differ:
instructions that multiply and add at once round once where others round twice, and exp or log of another library are
off by another last bit. Chance begins with the same integers everywhere. A value that is compared with a limit (a
grade, a response, a rescue) can then fall on its other side in a few twins, whose further course is another one.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

BYTES, VALUES = "the same bytes", "the same values within the stated tolerance"
RELATIVE = 1e-5  # of a value, absolutely where it is below 1; 4e-6 was found (ITA, drawn in 32 bits): docs/faults.md
APART = 1e-3  # share of twins with some value further off
STATISTICS = 1e-6  # of a statistic worked out again from the same tables: iterations end where a step is that small


class Tolerance(NamedTuple):
    """What two platforms may differ by: in a value, in the share of twins beyond that, in a statistic."""

    relative: float = RELATIVE
    twins_apart: float = APART
    statistics: float = STATISTICS


def promise() -> dict[str, Any]:
    """What a run promises to whoever makes it again, for its manifest."""
    return {
        "same_platform": "identical bytes for any executor, number of workers and order",
        "other_platform": Tolerance()._asdict(),
    }


def promised(manifest: dict[str, Any]) -> Tolerance:
    """The tolerance in a manifest; today's for a run of before it was stated."""
    return Tolerance(**manifest.get("reproducibility", {}).get("other_platform", {}))


def twins_apart(again: pa.Table, kept: pa.Table, relative: float) -> np.ndarray:
    """Numbers of the twins of whom two tables (rows in the order of twins) say something different.

    Raises:
      ValueError: the tables have other columns.
    """
    if again.column_names != kept.column_names:
        raise ValueError(f"columns {', '.join(again.column_names)}, there {', '.join(kept.column_names)}")
    ours, theirs = (np.asarray(table["twin"]) for table in (again, kept))
    both = np.union1d(ours, theirs)
    rows = [np.bincount(np.searchsorted(both, twins), minlength=len(both)) for twins in (ours, theirs)]
    uneven = both[rows[0] != rows[1]]
    here, there = (t.filter(pa.array(~np.isin(twins, uneven))) for t, twins in ((again, ours), (kept, theirs)))
    off = ~np.logical_and.reduce([close(here[name], there[name], relative) for name in kept.column_names])
    return np.union1d(uneven, np.asarray(there["twin"])[off])


def close(ours: pa.ChunkedArray, theirs: pa.ChunkedArray, tolerance: float) -> np.ndarray:
    """Which values agree: numbers within a tolerance (relative, absolute below 1), all else exactly."""
    a, b = (column.to_numpy(zero_copy_only=False) for column in (ours, theirs))
    if pa.types.is_floating(theirs.type) and pa.types.is_floating(ours.type):
        return np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    return np.asarray(a == b)


def statistics_apart(again: pa.Table, kept: pa.Table, tolerance: float) -> int:
    """How many rows of two tables of results say something different; all if they have other rows or columns."""
    if again.column_names != kept.column_names or again.num_rows != kept.num_rows:
        return max(again.num_rows, kept.num_rows)
    return int((~np.logical_and.reduce([close(again[n], kept[n], tolerance) for n in kept.column_names])).sum())
