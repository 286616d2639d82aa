"""The Ray executor, in one private Ray: the results of the local one, lost workers survived, errors not repeated."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cutis.cluster import platform
from cutis.cluster.connection import authorise, check_nodes
from cutis.cluster.errors import ClusterError
from cutis.cluster.execute import on_local, on_ray
from cutis.cluster.session import Session
from cutis.cluster.settings import Cluster

RAY = Cluster(kind="ray", workers=2)


@pytest.fixture(scope="module")
def ray():
    """A Ray that stays up while this file is tested; `on_ray` joins one that is there."""
    import ray

    before = dict(os.environ)
    try:
        with Session(abs, RAY) as session:
            folder = session.connection.folder
            assert folder is not None
            assert folder.stat().st_mode & 0o777 == 0o700
            yield ray
            assert ray.is_initialized(), "a session that joined this Ray stopped it"
        assert not ray.is_initialized()
        assert not folder.exists()
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_ray_gives_the_results_of_the_local_executor_to_the_bit(ray):
    def task(i):
        import jax

        jax.config.update("jax_enable_x64", True)
        return i, jax.jit(lambda key: jax.numpy.exp(jax.random.normal(key, (1024,))))(jax.random.key(i)).tobytes()

    assert dict(on_ray(task, range(12), RAY)) == dict(on_local(task, range(12), Cluster(kind="local")))


def test_a_worker_is_set_up_before_the_task_is_unpacked(ray):
    def task(i):
        import jax

        return jax.config.jax_compilation_cache_dir, os.environ["PJRT_NPROC"], os.environ["XLA_FLAGS"]

    for cache, threads, flags in on_ray(task, range(2), RAY):
        assert Path(cache) == platform.cache_folder() or "JAX_COMPILATION_CACHE_DIR" in os.environ
        assert threads == platform.environment()["PJRT_NPROC"]
        assert flags == platform.environment()["XLA_FLAGS"]


def test_a_shard_whose_worker_dies_is_done_again(ray, tmp_path):
    def task(i):
        marker = tmp_path / str(i)
        if i == 3 and not marker.exists():
            marker.write_bytes(b"")
            os._exit(1)
        return i

    assert sorted(on_ray(task, range(8), RAY)) == list(range(8))
    assert (tmp_path / "3").exists()


def test_a_shard_that_kills_every_worker_is_given_up_with_advice(ray, tmp_path):
    def task(i):
        with (tmp_path / "tries").open("a") as file:
            file.write("x")
        os._exit(1)

    with pytest.raises(ClusterError, match=r"tried 4 times on Ray.*memory"):
        list(on_ray(task, range(1), RAY))
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_an_error_of_the_task_is_raised_as_it_is_and_not_tried_again(ray, tmp_path):
    def task(i):
        if i == 2:
            with (tmp_path / "tries").open("a") as file:
                file.write("x")
            raise FloatingPointError("shard 2 diverged", i)
        return i

    with pytest.raises(FloatingPointError) as caught:
        list(on_ray(task, range(8), RAY))
    assert type(caught.value) is FloatingPointError
    assert caught.value.args == ("shard 2 diverged", 2)
    assert "in a Ray worker" in caught.value.__notes__[0]
    assert (tmp_path / "tries").read_text() == "x"


def test_no_more_shards_are_drawn_than_may_be_on_the_way(ray):
    taken = given = most = 0

    def shards():
        nonlocal taken
        for i in range(30):
            taken += 1
            yield i

    for _ in on_ray(abs, shards(), RAY):
        most = max(most, taken - given)
        given += 1
    assert given == 30
    assert most <= 4


def test_a_caller_who_stops_early_leaves_ray_usable(ray):
    results = on_ray(abs, range(100), RAY)
    next(results)
    results.close()
    assert sorted(on_ray(abs, range(-3, 0), RAY)) == [1, 2, 3]


def test_machines_with_other_versions_are_named_before_the_work_begins(ray):
    here = platform.describe()
    check_nodes(here)
    other = here | {"versions": here["versions"] | {"jax": "0.0.1"}}
    with pytest.raises(ClusterError, match=r"machine [\d.]+ has other versions.*jax 0\.0\.1, there \d"):
        check_nodes(other)


def test_another_kind_of_processor_is_remarked_on(ray, caplog):
    check_nodes(platform.describe() | {"features": ["sse2"]})
    assert "another kind of processor" in caplog.text


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """No token anywhere; what is set during the test is forgotten after it."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "x")  # so that it is put back even if it was not set
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_a_cluster_without_a_token_is_refused(clean):
    with pytest.raises(ClusterError, match=r"'10\.0\.0\.5:6379' needs a token: set RAY_AUTH_TOKEN"):
        authorise("10.0.0.5:6379")


def test_an_empty_token_file_is_no_token(clean, tmp_path):
    (tmp_path / "token").write_text("\n")
    clean.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(ClusterError, match="needs a token"):
        authorise("auto")


@pytest.mark.parametrize("place", ["variable", "file", "home"])
def test_a_token_is_found_where_ray_looks_for_it(clean, tmp_path, place):
    if place == "variable":
        clean.setenv("RAY_AUTH_TOKEN", "secret")
    elif place == "file":
        (tmp_path / "token").write_text("secret")
        clean.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    else:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("secret")
    authorise("10.0.0.5:6379")
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_a_private_ray_gets_a_token_of_its_own(clean):
    authorise(None)
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_ray_without_authentication_is_refused(clean):
    clean.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ClusterError, match="RAY_AUTH_MODE=disabled"):
        authorise(None)


UNREACHABLE = """
from cutis.cluster.errors import ClusterError
from cutis.cluster.execute import on_ray
from cutis.cluster.settings import Cluster
try:
    list(on_ray(abs, range(3), Cluster(kind="ray", address="127.0.0.1:1")))
except ClusterError as error:
    print(error)
"""


def test_an_address_without_a_cluster_is_told_within_seconds():
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", UNREACHABLE],
        env=os.environ | {"RAY_AUTH_TOKEN": "a" * 64, "RAY_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "'127.0.0.1:1' cannot be joined" in done.stdout, done.stderr
    assert time.monotonic() - begun < 30


CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import time
from cutis.cluster.execute import on_ray
from cutis.cluster.settings import Cluster
from cutis.cluster.stop import like_ctrl_c
def task(i):
    time.sleep(0.1 if i == 0 else 60)
    return i
try:
    with like_ctrl_c():
        for i in on_ray(task, range(9), Cluster(kind="ray", workers=2)):
            print(i, flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def relatives(mark):
    """Numbers of the processes that inherited an environment with this mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_a_terminal_or_a_request_to_end_stops_ray_and_leaves_no_process_behind(how):
    mark = f"CUTIS_TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    name, _, value = mark.partition("=")
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C],
        env=os.environ | {name: value},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "0\n"
    assert len(relatives(mark)) > 3
    os.killpg(process.pid, how)
    assert process.communicate(timeout=60)[0] == "stopped\n"
    until = time.monotonic() + 30
    while relatives(mark) and time.monotonic() < until:
        time.sleep(0.2)
    assert relatives(mark) == []


KILLED = """
import os, signal
from cutis.cluster.head import Head
from cutis.cluster.settings import Cluster
with Head(Cluster(kind="ray", workers=1)) as head:
    head.address()
    print(head.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_a_ray_whose_command_is_killed_ends_by_itself_and_leaves_nothing_behind():
    mark = f"CUTIS_TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    name, _, value = mark.partition("=")
    line = [sys.executable, "-c", KILLED]
    done = subprocess.run(line, env=os.environ | {name: value}, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL
    until = time.monotonic() + 60
    while relatives(mark) and time.monotonic() < until:
        time.sleep(0.2)
    assert relatives(mark) == []
    assert not Path(done.stdout.strip()).exists()
