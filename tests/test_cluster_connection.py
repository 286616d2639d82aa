"""What a connection to Ray needs is asked for before it is used: a wheel that is one, a GPU that is there."""

import zipfile
from pathlib import Path

import pytest
import ray

from cutis.cluster import connection, head
from cutis.cluster.connection import unpacked
from cutis.cluster.errors import ClusterError
from cutis.cluster.head import Head, on_a_gpu
from cutis.cluster.session import Session
from cutis.cluster.settings import Cluster


def wheel(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


def test_a_wheel_is_unpacked_into_its_folders(tmp_path):
    file = wheel(tmp_path / "cutis-1-py3-none-any.whl", "cutis/__init__.py", "cutis-1.dist-info/METADATA")
    folders = [Path(name) for name in unpacked(file, tmp_path / "here")]
    assert [folder.name for folder in folders] == ["cutis", "cutis-1.dist-info"]
    assert (folders[0] / "__init__.py").read_text() == "x"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "no.whl", "no.whl cannot be read"),
        (lambda p: p, "cannot be read"),
        (lambda p: wheel(p / "other.whl", "other/__init__.py"), "is not a wheel of cutis; `pip wheel --no-deps"),
        (lambda p: wheel(p / "cutis.zip", "cutis/__init__.py"), "is not a wheel of cutis"),
    ],
)
def test_what_is_not_a_wheel_of_cutis_is_refused(tmp_path, make, says):
    with pytest.raises(ClusterError, match=rf"cluster\.wheel: .*{says}"):
        unpacked(make(tmp_path), tmp_path / "here")


def test_a_damaged_wheel_is_refused(tmp_path):
    file = wheel(tmp_path / "cutis.whl", "cutis/__init__.py")
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ClusterError, match="cannot be read"):
        unpacked(file, tmp_path / "here")


def test_a_share_of_a_gpu_is_one_of_its_memory(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda,cpu")
    assert on_a_gpu(0.25) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.225"}
    assert on_a_gpu(0) == {}


@pytest.mark.parametrize("platforms", ["", "cpu"])
def test_a_share_of_a_gpu_that_jax_would_not_use_is_refused(monkeypatch, platforms):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    with pytest.raises(ClusterError, match=r"gpus=0\.5, but JAX computes on .cpu. here: set JAX_PLATFORMS=cuda"):
        on_a_gpu(0.5)


def test_a_cluster_without_a_gpu_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    connection._enough_gpus(0)
    with pytest.raises(ClusterError, match="Ray finds 0 GPUs here; a shard would wait for ever"):
        connection._enough_gpus(0.5)


STARTS = """
import sys, time
folder = sys.argv[2]
print("a line of no interest")
print({told!r}, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def starting(monkeypatch, tmp_path):
    """Have the process that starts Ray say something else, or nothing at all."""
    program = tmp_path / "program.py"
    monkeypatch.setattr(head, "PROGRAM", [str(program)])
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
    return lambda told: program.write_text(STARTS.format(told=told) if told else "")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("cutis-ray The current node timed out during startup.", "The current node timed out during startup"),
        ("cutis-ray Timed out: 30", "Timed out: 30"),
        ("", "the process that starts it was lost"),
    ],
)
def test_a_ray_that_does_not_start_is_told_with_what_to_do(starting, told, says):
    starting(told)
    made = connection.Connection(Cluster(kind="ray"))
    with pytest.raises(ClusterError, match=rf"cannot be started here: {says}.*a second try.*cluster=local"):
        made.__enter__()
    assert Head.current is None
    assert not made.folder.exists()


def test_a_ray_that_has_begun_to_start_is_waited_for_only_when_it_is_needed_and_ended_where_it_was_begun(starting):
    starting("cutis-ray 127.0.0.1:6379")
    with Head(Cluster(kind="ray")) as first:
        assert first.folder.stat().st_mode & 0o777 == 0o700
        with Head(Cluster(kind="ray")) as second:
            assert second is first
        assert Head.current is first
        assert second.address() == first.address() == "127.0.0.1:6379"
    assert Head.current is None
    assert not first.folder.exists()


def test_a_ray_that_does_not_end_is_killed_and_takes_nothing_with_it(starting, monkeypatch, caplog):
    starting("cutis-ray 127.0.0.1:6379")
    program = Path(head.PROGRAM[0])
    program.write_text(program.read_text() + "import time\ntime.sleep(600)\n")
    monkeypatch.setattr(head, "PATIENCE", 0.5)
    with Head(Cluster(kind="ray")) as begun:
        assert begun.address()
    assert "it is killed" in caplog.text
    assert not begun.folder.exists()


@pytest.mark.parametrize(
    ("there", "settings", "places"),
    [
        ({"CPU": 16.0}, {}, 32),
        ({"CPU": 16.0, "GPU": 2.0}, {"gpus": 0.25}, 16),
        ({"CPU": 4.0, "GPU": 2.0}, {"gpus": 0.25}, 8),
        ({}, {}, 2),  # none yet: they come while the first shard waits
        ({"CPU": 16.0}, {"address": "auto", "workers": 5}, 5),
    ],
)
def test_as_many_shards_are_on_the_way_as_there_are_places_for(monkeypatch, there, settings, places):
    monkeypatch.setattr(ray, "cluster_resources", lambda: there)
    assert Session(abs, Cluster(kind="ray", **settings)).places() == places


def test_machines_that_come_later_are_counted_later(monkeypatch):
    now, there = [0.0], {"CPU": 2.0}
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(ray, "cluster_resources", lambda: there)
    session = Session(abs, Cluster(kind="ray"))
    assert session.places() == 4
    there["CPU"] = 8.0
    assert session.places() == 4
    now[0] += 60
    assert session.places() == 16
