"""What a connection to Ray needs is asked for before it is used: a wheel that is one, a GPU that is there."""

import zipfile
from pathlib import Path

import pytest
import ray

from cutis.cluster import connection
from cutis.cluster.connection import unpacked
from cutis.cluster.errors import ClusterError
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
    assert connection._on_a_gpu(0.25) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.225"}
    assert connection._on_a_gpu(0) == {}


@pytest.mark.parametrize("platforms", ["", "cpu"])
def test_a_share_of_a_gpu_that_jax_would_not_use_is_refused(monkeypatch, platforms):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    with pytest.raises(ClusterError, match=r"gpus=0\.5, but JAX computes on .cpu. here: set JAX_PLATFORMS=cuda"):
        connection._on_a_gpu(0.5)


def test_a_cluster_without_a_gpu_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    connection._enough_gpus(0)
    with pytest.raises(ClusterError, match="Ray finds 0 GPUs here; a shard would wait for ever"):
        connection._enough_gpus(0.5)


def test_a_ray_that_does_not_start_is_told_with_what_to_do(monkeypatch):
    def late(**_):
        raise Exception("The current node timed out during startup. Some more.\nAnd more.")

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(ClusterError, match=r"cannot be started here: The current node timed out.*cluster=local"):
        connection.Connection(Cluster(kind="ray")).__enter__()


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
