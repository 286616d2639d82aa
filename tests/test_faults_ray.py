"""Faults on a Ray cluster of two machines, played by one: cutis shipped to them, one of them lost, the head lost."""

import os
import secrets
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from .test_faults import AFTER_THE_FIRST_SHARD, ROOT, contents, resumed, run, undisturbed

__all__ = ["undisturbed"]  # the run that the others are compared with

MACHINES = """
import os, sys
from ray.cluster_utils import Cluster
os.makedirs(os.path.join(os.environ["RAY_TMPDIR"], "ray"))
head = {"num_cpus": 1, "include_dashboard": False}
def patiently(start):
    for _ in range(3):  # Ray gives a machine 30 seconds to start, too little on a busy one
        try:
            return start()
        except Exception as error:
            print(error, file=sys.stderr)
    sys.exit("no cluster")
cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=dict(head)))
other = patiently(lambda: cluster.add_node(num_cpus=1))
pids = [node.all_processes[name][0].process.pid for node, name in
        ((other, "raylet"), (cluster.head_node, "gcs_server"), (cluster.head_node, "raylet"))]
print(cluster.address, *pids, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def machines():
    """Address of a cluster of two machines; process numbers of the second one, and of the head's two; environment."""
    env = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a short path: Ray puts sockets there
        env["RAY_TMPDIR"] = folder
        line = [sys.executable, "-c", MACHINES]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdout is not None
            told = process.stdout.readline().split()
            while told and ":" not in told[0]:
                told = process.stdout.readline().split()
            assert told, "no cluster"
            yield told[0], [int(word) for word in told[1:]], env
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What `pip wheel --no-deps .` makes, without the tools that it fetches."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    name = f"cutis-{version('cutis')}"
    path = tmp_path_factory.mktemp("dist") / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for package in told["packages"]:
            folder = ROOT / Path(*package.split(".")[1:])
            for pattern in ("*.py", *told["package-data"].get(package, ())):
                for file in folder.glob(pattern):
                    archive.write(file, Path("cutis") / file.relative_to(ROOT))
        archive.writestr(f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: cutis\nVersion: {name[6:]}\n")
    return path


WHERE = """
import sys
from cutis.cluster.execute import on_ray
from cutis.cluster.settings import Cluster
def task(i):
    import cutis
    from importlib.metadata import distribution
    return cutis.__file__, str(distribution("cutis").locate_file(""))
print(*next(on_ray(task, [1], Cluster(kind="ray", address=sys.argv[1], wheel=sys.argv[2]))))
"""


def test_a_wheel_is_given_to_the_machines(machines, wheel, tmp_path):
    address, _, env = machines
    line = [sys.executable, "-c", WHERE, address, str(wheel)]
    done = subprocess.run(line, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for place in done.stdout.split():
        assert "/runtime_resources/py_modules_files/" in place
        assert not place.startswith(str(ROOT))


def test_a_lost_machine_is_survived_with_the_same_bytes(undisturbed, machines, wheel, tmp_path):
    address, (other, *_), env = machines
    kill = AFTER_THE_FIRST_SHARD.format(what=f"os.kill({other}, signal.SIGKILL)")
    words = ("cluster=ray", "cluster.workers=null", f"cluster.address={address}", f"cluster.wheel={wheel}")
    code, said = run(tmp_path / "run", *words, env=env, first=kill)
    assert code == 0, said
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_a_run_whose_cluster_is_gone_ends_and_is_finished_elsewhere(undisturbed, machines, tmp_path):
    address, (_, gcs, raylet), env = machines
    kill = AFTER_THE_FIRST_SHARD.format(what=f"[os.kill(pid, signal.SIGKILL) for pid in ({raylet}, {gcs})]")
    words = ("cluster=ray", "cluster.workers=null", f"cluster.address={address}")
    code, said = run(tmp_path / "run", *words, env=env | {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}, first=kill)
    assert code != 0, said
    assert not (tmp_path / "run" / "manifest.json").exists()
    resumed(tmp_path / "run", undisturbed)
