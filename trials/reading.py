"""Many Parquet files of one table, read one after the other into columns of their final size.

So a large run needs little more memory than its columns: never all files beside them.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def joined(
    files: Sequence[Path], columns: Collection[str] | None = None, weeks: Collection[int] | None = None
) -> pd.DataFrame:
    """The rows of all files in order; texts become categories, in the order in which they first appear.

    columns: those wanted, of which a table may lack some; None takes all. weeks: of which rows are wanted, by the
    column `week`; None takes all.

    Raises:
      ValueError: there is no file, or the files have different columns.
    """
    if not files:
        raise ValueError("expected at least one file of the table, got none")
    rows = [_rows(file, weeks) for file in files]
    schema = pq.read_schema(files[0])
    wanted = [name for name in schema.names if columns is None or name in columns]
    whole: dict[str, np.ndarray] = {}
    levels: dict[str, dict[str, int]] = {}
    begin = 0
    for file, count in zip(files, rows, strict=True):
        for name, column in _part(file, schema.names, wanted, weeks).items():
            values = _codes(column, levels.setdefault(name, {})) if _text(column.type) else column.to_numpy()
            kept = whole.setdefault(name, np.empty(sum(rows), dtype=values.dtype))
            if not np.can_cast(values.dtype, kept.dtype):
                kept = whole[name] = kept.astype(np.result_type(kept.dtype, values.dtype))
            kept[begin : begin + count] = values
        begin += count
    return pd.DataFrame(
        {name: _category(values, levels[name]) if name in levels else values for name, values in whole.items()},
        copy=False,
    )


def _rows(file: Path, weeks: Collection[int] | None) -> int:
    if weeks is None:
        return pq.read_metadata(file).num_rows
    return int(np.isin(_weeks(file), list(weeks)).sum())


def _weeks(file: Path) -> np.ndarray:
    return pq.read_table(file, columns=["week"], use_threads=False).column(0).to_numpy()


def _part(
    file: Path, expected: list[str], wanted: list[str], weeks: Collection[int] | None
) -> dict[str, pa.ChunkedArray]:
    """The wanted columns of one file."""
    with pq.ParquetFile(file) as opened:
        if opened.schema_arrow.names != expected:
            raise ValueError(f"{file}: has other columns than the first file of its table")
        part = opened.read(wanted, use_threads=False)
    if weeks is not None:
        part = part.filter(pa.array(np.isin(_weeks(file), list(weeks))))
    return dict(zip(part.column_names, part.columns, strict=True))


def _text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_dictionary(kind)


def _codes(column: pa.ChunkedArray, known: dict[str, int]) -> np.ndarray:
    """Numbers of texts, -1 where there is none; `known` learns those that are new."""
    whole = column.combine_chunks()
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    own = [known.setdefault(word, len(known)) for word in whole.dictionary.to_pylist()]
    places = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.array([*own, -1], dtype=np.int16)[places]


def _category(codes: np.ndarray, known: dict[str, int]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(list(known), dtype="str"))
