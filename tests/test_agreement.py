"""Which twins of two tables differ: by more than a tolerance, in a word, in their rows."""

import numpy as np
import pyarrow as pa
import pytest

from cutis.trials.agreement import Tolerance, promise, promised, statistics_apart, twins_apart


def table(**changed):
    columns = {
        "twin": [3, 3, 5, 5, 9],
        "pasi": [12.0, 3.0, None, 1e-12, 40.0],
        "seen": [True, True, False, True, True],
        "arm": ["a", "a", "b", "b", "a"],
    }
    return pa.table(columns | changed)


def apart(**changed):
    return twins_apart(table(**changed), table(), 1e-9).tolist()


def test_equal_tables_have_no_twin_apart():
    assert apart() == []


def test_the_last_bits_of_a_number_are_let_pass_and_no_more():
    assert apart(pasi=[12.0 * (1 + 5e-10), 3.0, None, 1e-12, 40.0]) == []
    assert apart(pasi=[12.0 * (1 + 5e-9), 3.0, None, 1e-12, 40.0]) == [3]


def test_next_to_nothing_may_be_nothing():
    assert apart(pasi=[12.0, 3.0, None, 0.0, 40.0]) == []


@pytest.mark.parametrize(
    ("changed", "who"),
    [
        ({"pasi": [12.0, 3.0, 0.0, 1e-12, 40.0]}, [5]),  # seen where it was not
        ({"pasi": [12.0, None, None, 1e-12, 40.0]}, [3]),
        ({"seen": [True, True, False, False, True]}, [5]),
        ({"arm": ["a", "b", "b", "b", "b"]}, [3, 9]),
    ],
)
def test_what_is_not_a_number_must_be_the_same(changed, who):
    assert apart(**changed) == who


def test_a_twin_with_a_row_too_many_is_apart_and_shifts_nobody_else():
    longer = pa.table({"twin": [3, 3, 3, 5], "event": ["x", "y", "z", "w"]})
    shorter = pa.table({"twin": [3, 3, 5], "event": ["x", "y", "w"]})
    assert twins_apart(longer, shorter, 1e-9).tolist() == [3]
    assert twins_apart(shorter, longer, 1e-9).tolist() == [3]
    assert twins_apart(shorter, pa.table({"twin": [5], "event": ["w"]}), 1e-9).tolist() == [3]


def test_tables_without_rows_agree():
    empty = pa.table({"twin": pa.array([], pa.int64()), "event": pa.array([], pa.string())})
    assert twins_apart(empty, empty, 1e-9).tolist() == []


def test_other_columns_are_named():
    with pytest.raises(ValueError, match="columns twin, there twin, event"):
        twins_apart(pa.table({"twin": [1]}), pa.table({"twin": [1], "event": ["x"]}), 1e-9)


def test_statistics_may_differ_by_a_small_step_of_their_iterations():
    kept = pa.table({"analysis": ["a", "b"], "p": [0.04, 1e-30], "low": [np.nan, 2.0]})
    near = pa.table({"analysis": ["a", "b"], "p": [0.04 * (1 + 1e-8), 1e-29], "low": [np.nan, 2.0]})
    far = pa.table({"analysis": ["a", "b"], "p": [0.05, 1e-30], "low": [np.nan, 2.0]})
    assert statistics_apart(near, kept, 1e-6) == 0
    assert statistics_apart(far, kept, 1e-6) == 1
    assert statistics_apart(kept.slice(0, 1), kept, 1e-6) == 2


def test_the_tolerance_that_counts_is_that_of_the_manifest():
    stated = promise()
    assert promised({"reproducibility": stated}) == Tolerance()
    stated["other_platform"]["relative"] = 1e-3
    assert promised({"reproducibility": stated}).relative == 1e-3
    assert promised({}) == Tolerance()
