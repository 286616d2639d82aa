"""The tables of a run read from many files: the same as read at once, whatever stands in them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cutis.trials.reading import joined


def write(folder, *tables):
    files = []
    for number, table in enumerate(tables):
        files.append(folder / f"part-{number:05d}.parquet")
        pq.write_table(table, files[-1])
    return files


def part(first, n, words):
    value = pa.array(np.linspace(0, 1, n), mask=np.arange(n) % 3 == 0)
    return pa.table(
        {
            "twin": np.arange(first, first + n),
            "week": np.arange(n, dtype=np.int16),
            "arm": pa.array(np.resize(words, n)),
            "seen": np.arange(n) % 2 == 0,
            "pasi": value,
        }
    )


def test_parts_come_out_as_one_table_in_their_order(tmp_path):
    tables = part(0, 5, ["b", "a"]), part(5, 7, ["a", "c"])
    found = joined(write(tmp_path, *tables))
    expected = pa.concat_tables(tables).to_pandas()
    assert list(found["arm"].cat.categories) == ["b", "a", "c"]
    assert dict(found.dtypes.astype(str)) == {
        "twin": "int64",
        "week": "int16",
        "arm": "category",
        "seen": "bool",
        "pasi": "float64",
    }
    pd.testing.assert_frame_equal(found.astype({"arm": expected["arm"].dtype}), expected)


def test_parts_without_rows_and_texts_that_are_missing_are_kept(tmp_path):
    kind = pa.schema([("twin", pa.int64()), ("reason", pa.string())])
    tables = [pa.table({"twin": ids, "reason": why}, kind) for ids, why in (([], []), ([3, 4], [None, "other"]))]
    found = joined(write(tmp_path, *tables))
    assert found["twin"].tolist() == [3, 4]
    assert found["reason"].isna().tolist() == [True, False]


def test_dictionaries_that_differ_between_parts_are_told_apart_by_their_words(tmp_path):
    tables = [pa.table({"stage": pa.array(words).dictionary_encode()}) for words in (["x", "y"], ["y", "z", "x"])]
    assert joined(write(tmp_path, *tables))["stage"].tolist() == ["x", "y", "y", "z", "x"]


def test_a_missing_value_in_a_later_part_is_not_lost(tmp_path):
    tables = pa.table({"n": pa.array([1, 2])}), pa.table({"n": pa.array([3, None])})
    found = joined(write(tmp_path, *tables))["n"]
    assert found[:3].tolist() == [1, 2, 3]
    assert np.isnan(found[3])


def test_only_the_columns_and_weeks_that_are_asked_for_are_read(tmp_path):
    files = write(tmp_path, part(0, 5, ["b", "a"]), part(5, 7, ["a", "c"]), part(12, 2, ["d"]))
    whole = joined(files)
    some = joined(files, {"pasi", "arm", "height"}, [3, 4, 6, 99])
    expected = whole.loc[whole["week"].isin([3, 4, 6]), ["arm", "pasi"]].reset_index(drop=True)
    assert list(some.columns) == ["arm", "pasi"]
    pd.testing.assert_frame_equal(some.astype({"arm": str}), expected.astype({"arm": str}))
    assert list(joined(files, weeks=[99]).columns) == list(whole.columns)
    assert joined(files, weeks=[99]).empty


def test_no_file_and_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one file"):
        joined([])
    with pytest.raises(ValueError, match=r"part-00001.parquet: has other columns"):
        joined(write(tmp_path, pa.table({"a": [1]}), pa.table({"b": [1]})))


def test_memory_stays_near_the_size_of_the_columns(tmp_path):
    files = write(tmp_path, *(part(0, 100_000, ["guselkumab", "placebo"]) for _ in range(12)))
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    found = joined(files)
    size = found.memory_usage(deep=True).sum()
    assert size > 20e6
    assert pool.bytes_allocated() - before < 0.1 * size
