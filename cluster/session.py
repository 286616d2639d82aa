"""One task, carried out on Ray. Tasks keep no state, so any of them can be repeated anywhere."""

import contextlib
import logging
import math
import pickle
import re
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from types import TracebackType
from typing import Any

import ray
from ray import ObjectRef, cloudpickle
from ray.exceptions import RayError, RayTaskError

from . import platform
from .connection import Connection, same
from .errors import ClusterError
from .settings import Cluster

RETRIES = 3  # of a shard whose worker or machine was lost
QUIET = 300  # seconds without a finished shard after which it is said that the cluster has no core left
RECOUNT = 10  # seconds after which the cores of the cluster are counted again
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

log = logging.getLogger("cutis.cluster")


class Session:
    """`with Session(task, settings) as session:` has a task ready on a Ray that is started or joined if need be."""

    def __init__(self, task: Callable[[Any], Any], settings: Cluster) -> None:
        self.connection = Connection(settings)
        self._task = task
        self._settings = settings
        self._counted, self._places = -math.inf, 0

    def __enter__(self) -> "Session":
        self.connection.__enter__()
        try:
            pickled = cloudpickle.dumps(self._task)  # pyright: ignore[reportPrivateImportUsage]
            needs = {"num_cpus": 1, "num_gpus": self._settings.gpus}
            remote = ray.remote(**needs, max_retries=RETRIES, retry_exceptions=False)(carry_out)
            self._submit = partial(remote.remote, ray.put(platform.describe()), ray.put(pickled))
        except BaseException:
            self.connection.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.__exit__(kind, error, trace)

    def places(self) -> int:
        """Shards to have on the way: two a core, so that none waits; no more than `workers` on a shared cluster.

        Machines come and go, so that the cores are counted anew from time to time.
        """
        if time.monotonic() - self._counted >= RECOUNT:
            self._counted, self._places = time.monotonic(), self._count()
        return self._places

    def _count(self) -> int:
        if self._settings.workers and self._settings.address is not None:
            return self._settings.workers
        there = ray.cluster_resources()
        workers = there.get("CPU", 0)
        if self._settings.gpus:
            workers = min(workers, there.get("GPU", 0) // self._settings.gpus)
        return 2 * max(1, int(workers))

    def submit(self, shard: Any) -> ObjectRef:
        """Have the task done for a shard."""
        return self._submit(shard)

    def wait(self, running: Sequence[ObjectRef]) -> tuple[list[ObjectRef], list[ObjectRef]]:
        """Wait until one is done: (done, still running)."""
        while True:
            done, left = ray.wait(list(running), timeout=QUIET)
            if done:
                return done, left
            if not ray.cluster_resources().get("CPU"):
                log.warning("no machine of the Ray cluster that computes is left; waiting for one to come back")

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
                f"({type(error).__name__}). Most often memory has run out: take fewer workers, and go on with --resume"
            ) from error

    def cancel(self, running: Sequence[ObjectRef]) -> None:
        """Have what was submitted not begin any more."""
        for reference in running:
            with contextlib.suppress(RayError, ValueError, RuntimeError):
                ray.cancel(reference)


def carry_out(here: dict, task: bytes, shard: Any) -> Any:
    """Runs in a worker: the task, unpacked only after the worker is set up, since that imports JAX."""
    return _unpacked(task, pickle.dumps(here))(shard)


@cache
def _unpacked(task: bytes, driver: bytes) -> Callable[[Any], Any]:
    platform.prepare()
    same(pickle.loads(driver), platform.describe(), f"machine {ray.util.get_node_ip_address()}")
    return pickle.loads(task)
