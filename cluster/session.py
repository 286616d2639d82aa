"""A connection to Ray: a private one on this machine, or a running cluster, and one task carried out there.

Tasks keep no state, so any of them can be repeated anywhere; only what this process started is stopped at the end.
"""

import contextlib
import logging
import os
import pickle
import re
import secrets
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray import ObjectRef, cloudpickle
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import platform
from .errors import ClusterError
from .settings import Cluster

RETRIES = 3  # of a shard whose worker or machine was lost
STORE = 128 * 2**20  # bytes of shared memory; shards and results are small
PATIENCE = 60  # seconds for a machine of the cluster to tell its versions

COLOUR = re.compile(r"\x1b\[[0-9;]*m")

log = logging.getLogger("cutis.cluster")


class Session:
    """`with Session(task, settings) as session:` starts or joins Ray, checks it, and leaves it as it was found."""

    def __init__(self, task: Callable[[Any], Any], settings: Cluster) -> None:
        self.in_flight = 0
        self._task = task
        self._settings = settings
        self._folder: Path | None = None
        self._connected = False

    def __enter__(self) -> "Session":
        try:
            if not ray.is_initialized():
                self._connect()
            self.in_flight = self._places()
            here = platform.describe()
            if self._settings.address is not None:
                check_nodes(here)
            pickled = cloudpickle.dumps(self._task)  # pyright: ignore[reportPrivateImportUsage]
            remote = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(carry_out)
            self._submit = partial(remote.remote, ray.put(here), ray.put(pickled))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected:
            ray.shutdown()
            self._connected = False
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def submit(self, shard: Any) -> ObjectRef:
        """Have the task done for a shard."""
        return self._submit(shard)

    def wait(self, running: Sequence[ObjectRef]) -> tuple[list[ObjectRef], list[ObjectRef]]:
        """Wait until one is done: (done, still running)."""
        return ray.wait(list(running))

    def result(self, reference: ObjectRef) -> Any:
        """What the task gave back, or its own error."""
        try:
            return ray.get(reference)
        except RayTaskError as error:
            cause = getattr(error, "cause", None)
            if not isinstance(cause, Exception):
                raise
            cause.add_note(f"in a Ray worker: {COLOUR.sub('', str(error)).strip()}")
            raise cause from None
        except RayError as error:
            raise ClusterError(
                f"a shard was tried {RETRIES + 1} times on Ray, and its worker was lost each time "
                f"({type(error).__name__}). Most often memory has run out: take fewer workers"
            ) from error

    def cancel(self, running: Sequence[ObjectRef]) -> None:
        """Have what was submitted not begin any more."""
        for reference in running:
            with contextlib.suppress(RayError, ValueError, RuntimeError):
                ray.cancel(reference)

    def _connect(self) -> None:
        address, environment = self._settings.address, platform.environment()
        authorise(address)
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        self._connected = True
        try:
            if address is not None:
                _reach(address)
                ray.init(address=address, runtime_env={"env_vars": environment}, **quiet)
                return
            os.environ.update(environment)  # which the workers inherit
            self._folder = Path(tempfile.mkdtemp(prefix="cutis-", dir=os.environ.get("RAY_TMPDIR")))
            with warnings.catch_warnings():
                # JAX may have computed here already. Ray's child does next to nothing between its fork and exec.
                warnings.filterwarnings("ignore", ".*fork", Warning)
                ray.init(
                    num_cpus=self._settings.cores(),
                    num_gpus=0,
                    object_store_memory=STORE,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._folder / "r"),  # which Ray opens to everybody; the folder around it is private
                    **quiet,
                )
        except (RayError, OSError, RuntimeError, ValueError) as error:
            if address is None:
                raise ClusterError(f"Ray cannot be started here: {_first_line(error)}") from error
            raise ClusterError(
                f"the Ray cluster at {address!r} cannot be joined: {_first_line(error)}. Is it running, is its token "
                "the one set here, and does this machine belong to it?"
            ) from error

    def _places(self) -> int:
        """Shards to have on the way: two a core, so that none waits; no more than `workers` on a shared cluster."""
        if self._settings.workers and not self._folder:
            return self._settings.workers
        return 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))


def carry_out(here: dict, task: bytes, shard: Any) -> Any:
    """Runs in a worker: the task, unpacked only after the worker is set up, since that imports JAX."""
    return _unpacked(task, pickle.dumps(here))(shard)


@cache
def _unpacked(task: bytes, driver: bytes) -> Callable[[Any], Any]:
    platform.prepare()
    _same(pickle.loads(driver), platform.describe(), f"machine {ray.util.get_node_ip_address()}")
    return pickle.loads(task)


def check_nodes(here: dict) -> None:
    """See that all machines of the cluster that compute have this machine's versions.

    Raises:
      ClusterError: a machine has other versions, lacks cutis or does not answer; all such machines are named.
    """
    ask, wrong, answers = ray.remote(num_cpus=0, max_retries=0)(platform.describe), [], {}
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answers[node["NodeManagerAddress"], node["NodeID"]] = ask.options(scheduling_strategy=there).remote()
    for (name, _), answer in answers.items():
        try:
            found: Any = ray.get(answer, timeout=PATIENCE)
            _same(here, found, f"machine {name}")
        except ClusterError as error:
            wrong.append(str(error))
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            wrong.append(f"machine {name} cannot run cutis {here['versions']['cutis']}: {_first_line(cause)}")
    if wrong:
        raise ClusterError("\n".join(wrong))


def _same(here: dict, there: dict, where: str) -> None:
    if found := platform.differences(here, there):
        raise ClusterError(
            f"{where} has other versions, so results would differ: {'; '.join(found)}. Install the same there"
        )
    if here["features"] != there["features"]:
        log.warning(
            "%s has another kind of processor (%s, here %s): the last bits of its results may differ",
            where,
            there["processor"],
            here["processor"],
        )


def authorise(address: str | None) -> None:
    """Let nobody else use our Ray: a cluster needs its token, a private one gets a fresh one.

    Raises:
      ClusterError: authentication is switched off, or the cluster's token is not known here.
    """
    mode = os.environ.get("RAY_AUTH_MODE") or "token"
    if mode != "token":
        raise ClusterError(
            f"RAY_AUTH_MODE={mode}: a Ray without a token runs the code of anybody who reaches it; unset it"
        )
    os.environ["RAY_AUTH_MODE"] = mode
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token")
    with contextlib.suppress(OSError, RuntimeError):
        if file.expanduser().read_text().strip():
            return
    if address is not None:
        raise ClusterError(
            f"the Ray cluster at {address!r} needs a token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, or put it into "
            "~/.ray/auth_token; `ray get-auth-token --generate` makes one"
        )
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _reach(address: str) -> None:
    """Fail in seconds where Ray would try for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
