"""Many Parquet files of one table, read one after the other into columns of their final size.

So a large run needs little more memory than its columns: never all files beside them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def joined(files: Sequence[Path]) -> pd.DataFrame:
    """The rows of all files in order; texts become categories, in the order in which they first appear.

    Raises:
      ValueError: there is no file, or the files have different columns.
    """
    if not files:
        raise ValueError("expected at least one file of the table, got none")
    rows = [pq.read_metadata(file).num_rows for file in files]
    columns: dict[str, np.ndarray] = {}
    levels: dict[str, dict[str, int]] = {}
    begin, schema = 0, pq.read_schema(files[0])
    for file, count in zip(files, rows, strict=True):
        part = pq.read_table(file, use_threads=False)
        if part.schema.names != schema.names:
            raise ValueError(f"{file}: has other columns than {files[0].name}")
        for name, column in zip(part.column_names, part.columns, strict=True):
            values = _codes(column, levels.setdefault(name, {})) if _text(column.type) else column.to_numpy()
            whole = columns.setdefault(name, np.empty(sum(rows), dtype=values.dtype))
            if not np.can_cast(values.dtype, whole.dtype):
                whole = columns[name] = whole.astype(np.result_type(whole.dtype, values.dtype))
            whole[begin : begin + count] = values
        begin += count
    return pd.DataFrame(
        {name: _category(values, levels[name]) if name in levels else values for name, values in columns.items()},
        copy=False,
    )


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
