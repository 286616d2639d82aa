"""Samples of any size: twins drawn by number, in pieces of a fixed size, and written as Parquet.

Numbers are kept in single precision: seven digits, more than any clinic measures, in half the space. A figure worked
out from others, such as a weight from height and body mass index, agrees with them to that precision.
"""

import io
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jax import Array
from jax.stages import Compiled

from .attributes import Attribute
from .source import Source, Twin

SIZE = 65_536  # twins a file
BATCH = 16_384  # twins drawn at once: fixed, since the last bit of a twin depends on the shape it is computed in
ORIGIN = "simulated by Cutis: synthetic twins, no person's data"
STORED = {"number": pa.float32(), "yes/no": pa.bool_(), "category": pa.int8(), "grade": pa.int8()}
Kinds = tuple[tuple[str, type], ...]  # name and stored type of each attribute
_ONE_AT_A_TIME = threading.Lock()  # threads that need the same program wait for the first to compile it


def parts(size: int) -> int:
    """Number of files of a sample of `size` twins."""
    return -(-size // SIZE)


def part(source: Source, key: Array, number: int, size: int) -> pa.Table:
    """File `number`, counted from 0, of a sample of `size` twins: a row a twin, in the order of their numbers."""
    first = number * SIZE
    count = min(SIZE, size - first)
    return table(source.attributes, first, draw(source, key, first, count))


def draw(source: Source, key: Array, first: int, count: int) -> dict[str, np.ndarray]:
    """The twins with numbers `first` to `first + count - 1`, as they are stored, one array an attribute.

    A twin has the same bits in any sample, since it always has the same place in a batch of the same size.

    Raises:
      ValueError: `first` is not the first number of a batch, or `count` is below 1.
    """
    if first % BATCH or count < 1:
        raise ValueError(f"twins are drawn from a multiple of {BATCH} on, at least one; got {first}, {count}")
    kinds = tuple((name, STORED[attribute.kind].to_pandas_dtype()) for name, attribute in source.attributes.items())
    program = _program(source.twin, kinds)
    drawn = {name: np.empty(count, dtype=kind) for name, kind in kinds}
    for start in range(0, count, BATCH):
        twins = program(key, jnp.arange(first + start, first + start + BATCH))
        for name, values in drawn.items():
            place = values[start : start + BATCH]
            place[:] = np.asarray(twins[name])[: len(place)]
    return drawn


def table(attributes: Mapping[str, Attribute], first: int, twins: Mapping[str, np.ndarray]) -> pa.Table:
    """Twins as an Arrow table: units and meanings in the schema, categories by name."""
    count = len(next(iter(twins.values())))
    fields = [pa.field("twin", pa.int64(), metadata={"unit": "", "about": "number of the twin in its population"})]
    columns: list[pa.Array] = [pa.array(np.arange(first, first + count))]
    for name, attribute in attributes.items():
        column = pa.array(twins[name])
        if attribute.kind == "category":
            column = pa.DictionaryArray.from_arrays(column, pa.array(attribute.levels))
        about = {"unit": attribute.unit, "about": attribute.about}
        fields.append(pa.field(name, column.type, metadata=about))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata={"origin": ORIGIN}))


def encode(twins: pa.Table) -> bytes:
    """The table as Parquet; equal tables give equal bytes."""
    numbers = {field.name: "BYTE_STREAM_SPLIT" for field in twins.schema if pa.types.is_floating(field.type)}
    encoding = numbers | {"twin": "DELTA_BINARY_PACKED"}
    others = [name for name in twins.column_names if name not in encoding]
    sink = io.BytesIO()
    options: dict[str, Any] = {"use_dictionary": others, "column_encoding": encoding}
    pq.write_table(twins, sink, compression="zstd", **options)
    return sink.getvalue()


def _program(twin: Twin, kinds: Kinds) -> Compiled:
    with _ONE_AT_A_TIME:
        return _compiled(twin, kinds)


@cache
def _compiled(twin: Twin, kinds: Kinds) -> Compiled:
    """Twins of a batch as they are stored: rounded in the program itself, which halves the time it takes."""

    def one(key: Array, i: Array) -> dict[str, Array]:
        found = twin(key, i)
        return {name: found[name].astype(kind) for name, kind in kinds}

    key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
    ids = jax.ShapeDtypeStruct((BATCH,), "int64")
    return jax.jit(jax.vmap(one, in_axes=(None, 0))).lower(key, ids).compile()
