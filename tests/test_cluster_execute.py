"""The local executor: same results in any order, errors as they are, a bounded number on the way."""

import os
import subprocess
import sys
import threading
import time

import pytest

from cutis.cluster.errors import ClusterError
from cutis.cluster.execute import EXECUTORS, FEW, on_local
from cutis.cluster.settings import Cluster

TWO = Cluster(kind="local", workers=2)


@pytest.mark.parametrize("workers", [1, 2, 5, 64, None])
def test_every_shard_is_done_once_by_any_number_of_workers(workers):
    done = list(on_local(lambda i: i * i, range(40), Cluster(kind="local", workers=workers)))
    assert sorted(done) == [i * i for i in range(40)]


def test_results_come_as_they_finish_and_not_in_the_order_of_the_shards():
    gate = threading.Event()

    def task(i):
        if i == 0:
            gate.wait(30)
        return i

    results = on_local(task, range(4), TWO)
    assert {next(results), next(results), next(results)} == {1, 2, 3}
    gate.set()
    assert list(results) == [0]


def test_no_shards_give_no_results():
    assert list(on_local(lambda i: i, [], TWO)) == []


class Drawn:
    """Shards that count how many were taken."""

    def __init__(self, n):
        self.n, self.taken = n, 0

    def __iter__(self):
        for i in range(self.n):
            self.taken += 1
            yield i


def test_no_more_than_twice_the_workers_are_on_the_way():
    shards, given, most = Drawn(60), 0, 0
    for _ in on_local(lambda i: time.sleep(0.002), shards, TWO):
        most = max(most, shards.taken - given)
        given += 1
    assert given == 60
    assert most <= 4


def test_no_more_than_the_workers_run_at_once():
    running, most, lock = 0, 0, threading.Lock()

    def task(i):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    list(on_local(task, range(30), Cluster(kind="local", workers=3)))
    assert 2 <= most <= 3


class Unlucky(Exception):
    pass


def test_the_first_error_is_raised_as_it_is_and_nothing_new_is_begun():
    shards, begun = Drawn(1000), []

    def task(i):
        begun.append(i)
        if i == 5:
            raise Unlucky(i)
        return i

    results = []
    with pytest.raises(Unlucky, match=r"^5$"):
        results.extend(on_local(task, shards, TWO))
    stopped = len(begun)
    time.sleep(0.05)
    assert len(begun) == stopped <= 6 + 4
    assert shards.taken <= 6 + 4


def test_work_finished_beside_a_failing_shard_is_not_lost():
    both = threading.Barrier(2, timeout=30)

    def task(i):
        both.wait()
        if i == 0:
            raise Unlucky
        return i

    results = []
    with pytest.raises(Unlucky):
        results.extend(on_local(task, range(2), TWO))
    assert results == [1]


def test_a_caller_who_stops_early_stops_the_work():
    begun = []
    results = on_local(lambda i: begun.append(i), iter(range(1000)), TWO)
    next(results)
    results.close()
    stopped = len(begun)
    time.sleep(0.05)
    assert len(begun) == stopped <= 6


CTRL_C = """
import signal
import time
from cutis.cluster.execute import on_local
from cutis.cluster.settings import Cluster
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    for i in on_local(%s, Cluster(kind="local", workers=2)):
        print(i, flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.parametrize(
    "work",
    ["lambda i: time.sleep(0.2) or i, iter(range(10_000))", "eval, [\"__import__('time').sleep(0.2)\"] * 2000"],
    ids=["threads", "processes"],
)
def test_ctrl_c_ends_the_work_within_one_shard(work):
    process = subprocess.Popen([sys.executable, "-c", CTRL_C % work], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(2)
    begun = time.monotonic()
    rest = process.communicate(timeout=60)[0]
    assert rest.splitlines()[-1] == "stopped"
    assert time.monotonic() - begun < 30  # of the minutes that are left; a busy machine starts workers slowly
    assert process.returncode == 0


def test_choosing_an_executor_imports_neither_ray_nor_jax():
    code = "import sys, cutis.cluster.execute, cutis.cluster.platform; print({'ray', 'jax', 'numpy'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_every_kind_of_cluster_has_an_executor():
    assert set(EXECUTORS) == set(Cluster.model_fields["kind"].annotation.__args__)


WHERE = "__import__('os').getpid()"


def test_many_shards_are_spread_over_processes_of_their_own():
    pids = set(on_local(eval, [WHERE] * (FEW + 20), TWO))
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_few_shards_stay_in_this_process():
    assert set(on_local(eval, [WHERE] * FEW, TWO)) == {os.getpid()}


def test_a_shard_that_takes_every_worker_process_with_it_is_given_up_with_what_to_do():
    with pytest.raises(ClusterError, match=r"tried 4 times.*take fewer workers, and go on with --resume"):
        list(on_local(os._exit, [1] * (FEW + 1), TWO))


def test_shards_whose_worker_process_is_killed_are_done_by_another(tmp_path, caplog):
    file = repr(str(tmp_path / "killed"))
    once = f"__import__('os').path.exists({file}) or open({file}, 'x') and __import__('os')._exit(1)"
    shards = [*map(str, range(10)), once, *map(str, range(10, FEW + 5))]
    done = list(on_local(eval, shards, TWO))
    assert sorted(done, key=str) == sorted([True, *range(FEW + 5)], key=str)
    assert "a worker process was lost, most often for want of memory; its shards are begun again" in caplog.text


def test_an_error_in_a_worker_process_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        list(on_local(eval, ["1/0", *["1"] * FEW], TWO))


def test_worker_processes_end_with_a_parent_that_is_killed():
    code = (
        "from cutis.cluster.execute import on_local\n"
        "from cutis.cluster.settings import Cluster\n"
        f"shards = [\"print({WHERE}, flush=True) or __import__('time').sleep(0.2)\"] * 500\n"
        "if __name__ == '__main__':\n"
        "    list(on_local(eval, shards, Cluster(kind='local', workers=2)))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = {int(process.stdout.readline()) for _ in range(4)}
    process.kill()
    process.wait()
    for _ in range(100):
        alive = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
        if not alive:
            return
        time.sleep(0.1)
    pytest.fail(f"processes {alive} outlived their parent")
