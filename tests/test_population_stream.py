"""Twins in pieces of a fixed size: the same twin in any sample, and nothing lost on the way to a file and back."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from cutis.core.keys import root
from cutis.population.sample import POPULATIONS, sample
from cutis.population.stream import BATCH, ORIGIN, SIZE, draw, encode, part, parts

from .toy import ATTRIBUTES, TOY

KEY = root(5)


def test_a_twin_has_the_same_bits_in_any_sample_and_any_file():
    large = draw(TOY, KEY, 0, 3 * BATCH + 7)
    for first, count in ((0, 100), (BATCH, BATCH), (2 * BATCH, BATCH + 1)):
        for name, values in draw(TOY, KEY, first, count).items():
            assert values.tobytes() == large[name][first : first + count].tobytes()


def test_the_shipped_population_has_the_same_twins_in_any_sample():
    source = POPULATIONS["psoriasis_moderate_severe"]
    small, large = draw(source, KEY, 0, 62), draw(source, KEY, 0, BATCH + 62)
    assert list(small) == list(source.attributes)
    for name in small:
        assert small[name][61].tobytes() == large[name][61].tobytes()


def test_twins_are_those_of_the_population_to_single_precision():
    source = POPULATIONS["psoriasis_moderate_severe"]
    streamed = draw(source, KEY, 0, 300)
    for name, values in sample(source, KEY, np.arange(300)).items():
        if source.attributes[name].kind == "number":
            wide = np.asarray(values, dtype=float)
            assert np.max(np.abs(streamed[name] - wide) / (wide.std() + np.abs(wide))) < 1e-5, name
        else:
            np.testing.assert_array_equal(streamed[name], np.asarray(values))


def test_twins_of_a_stream_follow_their_distribution():
    twins = draw(TOY, KEY, 0, 4 * BATCH)
    assert stats.kstest(twins["score"].astype(float), "norm").pvalue > 1e-4
    assert abs(twins["yes"].mean() - 0.3) < 4.5 * np.sqrt(0.3 * 0.7 / (4 * BATCH))


@pytest.mark.parametrize(("first", "count"), [(1, 10), (BATCH - 1, 1), (0, 0), (0, -5)])
def test_a_draw_begins_with_a_batch_and_is_not_empty(first, count):
    with pytest.raises(ValueError, match="multiple of"):
        draw(TOY, KEY, first, count)


@pytest.mark.parametrize(("size", "sizes"), [(1, [1]), (SIZE, [SIZE]), (2 * SIZE + 1, [SIZE, SIZE, 1])])
def test_parts_hold_every_twin_once_and_in_order(size, sizes):
    tables = [part(TOY, KEY, number, size) for number in range(parts(size))]
    assert [len(table) for table in tables] == sizes
    whole = pa.concat_tables(tables)
    np.testing.assert_array_equal(whole["twin"], np.arange(size))
    np.testing.assert_array_equal(whole["number"], np.arange(size))


def test_a_file_gives_back_what_was_drawn_with_units_and_levels():
    table = part(TOY, KEY, 0, 1000)
    found = pq.read_table(io.BytesIO(encode(table)))
    assert found.equals(table, check_metadata=True)
    assert found.schema.metadata[b"origin"].decode() == ORIGIN
    assert found.column_names == ["twin", *ATTRIBUTES]  # and not the hidden one
    assert [str(found.schema.field(name).type) for name in ("score", "yes", "grade")] == ["float", "bool", "int8"]
    for name, attribute in ATTRIBUTES.items():
        told = {key.decode(): value.decode() for key, value in found.schema.field(name).metadata.items()}
        assert told == {"unit": attribute.unit, "about": attribute.about}


def test_any_reader_of_parquet_sees_names_of_levels():
    frame = pd.read_parquet(io.BytesIO(encode(part(TOY, KEY, 0, 1000))))
    drawn = draw(TOY, KEY, 0, 1000)
    assert list(frame.colour.cat.categories) == ["red", "green", "blue"]
    np.testing.assert_array_equal(frame.colour == "green", drawn["colour"] == 1)
    np.testing.assert_array_equal(frame.score, drawn["score"])


def test_equal_tables_give_equal_bytes_and_others_do_not():
    assert encode(part(TOY, KEY, 0, 500)) == encode(part(TOY, root(5), 0, 500))
    assert encode(part(TOY, KEY, 0, 500)) != encode(part(TOY, root(6), 0, 500))


def test_a_file_is_small():
    """Twenty-three bits of a random mantissa cannot be packed; all else can, nearly."""
    table = part(TOY, KEY, 0, SIZE)
    one_number = 4 * SIZE
    assert len(encode(table.select(["twin", "score"]))) < one_number
