"""A shard counts as done only while its files are what was recorded."""

import json

import pytest

from cutis.cluster import ledger, store


@pytest.fixture
def run(tmp_path):
    for shard in range(3):
        names = (f"twins/part-{shard:05d}", f"observations/part-{shard:05d}")
        ledger.record(tmp_path, shard, {name: store.write(tmp_path / name, name.encode() * 50) for name in names})
    return tmp_path


def test_what_was_recorded_is_finished_with_its_files(run):
    found = ledger.finished(run)
    assert sorted(found) == [0, 1, 2]
    assert found[1] == {name: store.digest(run / name) for name in ("twins/part-00001", "observations/part-00001")}


def test_an_empty_folder_has_nothing_finished(tmp_path):
    assert ledger.finished(tmp_path) == {}
    assert ledger.finished(tmp_path / "no") == {}


def test_shards_beyond_the_padding_of_the_names_are_found(tmp_path):
    ledger.record(tmp_path, 123_456, {"f": store.write(tmp_path / "f", b"x")})
    assert list(ledger.finished(tmp_path)) == [123_456]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def remove(path):
    path.unlink()


def make_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, truncate, remove, make_a_folder])
@pytest.mark.parametrize("kind", ["twins", "observations"])
def test_a_shard_with_a_damaged_file_is_not_finished_and_others_are(run, harm, kind):
    harm(run / kind / "part-00001")
    assert sorted(ledger.finished(run)) == [0, 2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"shard": 1}',
        '{"shard": 1, "files": {}}',
        '{"shard": 1, "files": ["twins/part-00001"]}',
        '{"shard": 1, "files": {"twins/part-00001": null}}',
        '{"shard": "1", "files": {"twins/part-00001": "0"}}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_a_damaged_record_means_that_its_shard_is_not_finished(run, text):
    (run / "shards" / "00001.json").write_text(text)
    assert sorted(ledger.finished(run)) == [0, 2]


def test_a_record_under_another_shards_name_is_not_believed(run):
    (run / "shards" / "00001.json").write_bytes((run / "shards" / "00002.json").read_bytes())
    assert sorted(ledger.finished(run)) == [0, 2]


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "twins/../../outside", "a\0b"])
def test_a_record_that_points_out_of_the_folder_is_not_believed(run, name):
    digest = store.write(run.parent / "outside", b"x")
    (run / "shards" / "00001.json").write_text(json.dumps({"shard": 1, "files": {name: digest}}))
    assert sorted(ledger.finished(run)) == [0, 2]


def test_a_shard_made_again_is_finished_again(run):
    flip(run / "twins/part-00001")
    ledger.record(run, 1, {"twins/part-00001": store.write(run / "twins/part-00001", b"again")})
    assert sorted(ledger.finished(run)) == [0, 1, 2]


def test_a_record_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "shards").write_bytes(b"")
    with pytest.raises(store.StoreError, match=r"shards/00000\.json cannot be written"):
        ledger.record(tmp_path, 0, {"f": "0"})
