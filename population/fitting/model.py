"""A fitted population as numbers, and as a file of them."""

import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .plan import Plan
from .quantiles import SCORES


class Cells(NamedTuple):
    """The groups a population consists of.

    levels: level number of each cell by category. age: ends of the band of the banded number (age, for people in
    general), shape (cells, 2). share: of the population, sums to 1.
    """

    levels: dict[str, np.ndarray]
    age: np.ndarray
    share: np.ndarray


class Model(NamedTuple):
    """A Gaussian copula in each cell.

    levels: names of the levels of each category. people, effective: number in each cell, and what they are worth.
    tables: values of each number at SCORES, shape (cells, numbers, nodes).
    factors: lower Cholesky factors of the scores' correlations, shape (cells, numbers, numbers).
    """

    plan: Plan
    levels: dict[str, tuple[str, ...]]
    cells: Cells
    people: np.ndarray
    effective: np.ndarray
    tables: np.ndarray
    factors: np.ndarray


FORM = "cutis population 1"


def encode(model: Model, made: dict[str, str]) -> bytes:
    """The model as a Parquet table with one row a cell; equal models give equal bytes.

    Args:
      made: how it was made: digest of the table of people, version, and so on.
    """
    count = len(model.cells.share)
    columns: dict[str, pa.Array] = {name: pa.array(codes) for name, codes in model.cells.levels.items()}
    columns |= {
        "band_from": pa.array(model.cells.age[:, 0]),
        "band_to": pa.array(model.cells.age[:, 1]),
        "share": pa.array(model.cells.share),
        "people": pa.array(model.people),
        "effective": pa.array(model.effective),
        "factor": _lists(model.factors.reshape(count, -1)),
    }
    columns |= {f"quantiles.{name}": _lists(model.tables[:, j]) for j, name in enumerate(model.plan.numbers)}
    about = {
        "form": FORM,
        "plan": model.plan.model_dump_json(exclude_defaults=True),
        "levels": json.dumps(model.levels),
        "made": json.dumps(made),
    }
    sink = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata(about)
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, use_byte_stream_split=True)
    return sink.getvalue()


def decode(content: bytes | Path) -> Model:
    """The model in a file or its bytes.

    Raises:
      ValueError: it is not a fitted population.
    """
    name = str(content) if isinstance(content, Path) else "the population"
    try:
        table = pq.read_table(content if isinstance(content, Path) else io.BytesIO(content))
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: not a fitted population: {error}") from None
    if about.get("form") != FORM:
        raise ValueError(f"{name}: not a fitted population (expected the form {FORM!r})")
    plan = Plan.model_validate_json(about["plan"], strict=True)
    levels = {key: tuple(names) for key, names in json.loads(about["levels"]).items()}
    columns = {key: table[key] for key in table.column_names}
    count, numbers = len(table), len(plan.numbers)
    tables = np.stack([_array(columns[f"quantiles.{key}"]) for key in plan.numbers], axis=1)
    if tables.shape != (count, numbers, len(SCORES)):
        raise ValueError(f"{name}: tables of another size than this version reads")
    factors = _array(columns["factor"])
    if factors.shape[1] != numbers * numbers:
        raise ValueError(f"{name}: correlations of another number of attributes than its plan has")
    return Model(
        plan=plan,
        levels=levels,
        cells=Cells(
            {key: columns[key].to_numpy() for key in plan.cells.by},
            np.stack([columns["band_from"].to_numpy(), columns["band_to"].to_numpy()], axis=1),
            columns["share"].to_numpy(),
        ),
        people=columns["people"].to_numpy(),
        effective=columns["effective"].to_numpy(),
        tables=tables,
        factors=factors.reshape(count, numbers, numbers),
    )


def _lists(rows: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(rows, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])


def _array(column: pa.ChunkedArray) -> np.ndarray:
    whole = column.combine_chunks()
    return whole.flatten().to_numpy().reshape(len(column), -1)
