"""Executors: `(task, shards, settings) -> results as they come`, in no order. A result names its own shard.

At most twice as many shards as workers are drawn and not yet given back, so that neither the shards nor the results
of a large run are ever held together.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures import Executor as Pool
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Protocol, TypeVar

from .errors import ClusterError
from .head import Head
from .settings import Cluster

FEW = 64  # shards that threads finish before further processes have started
RETRIES = 3  # of a shard whose worker was lost

log = logging.getLogger("cutis.cluster")

S = TypeVar("S")
R = TypeVar("R")


class Executor(Protocol):
    """Applies a task to shards somewhere."""

    def __call__(self, task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]: ...


def on_local(task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]:
    """Yield `task(shard)` as each finishes: few shards by threads of this process, many by processes of their own.

    XLA computes with one thread a process (see `platform`), so only processes use all cores; but each takes some
    seconds to start. A shard whose process is lost is begun again in a fresh one, three times. After an error nothing
    new is begun; what has begun is still given back, and then the error is raised. After Ctrl-C nothing new is begun,
    and what has begun is waited for.

    Raises:
      ClusterError: a shard's process was lost each time.
    """
    workers = settings.cores()
    many = workers > 1 and isinstance(shards, Sized) and len(shards) > FEW
    queue: Iterator[tuple[int, S]] = enumerate(shards)
    losses: Counter[int] = Counter()
    while True:
        pool = _processes(workers) if many else ThreadPoolExecutor(workers, thread_name_prefix="cutis")
        try:
            lost = yield from _spread(pool, task, queue, 2 * workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if not lost:
            return
        losses.update(number for number, _ in lost)
        if max(losses.values()) > RETRIES:
            raise ClusterError(
                f"a shard was tried {RETRIES + 1} times, and a worker process was lost each time; most often memory "
                "has run out: take fewer workers, and go on with --resume"
            )
        log.warning("a worker process was lost, most often for want of memory; its shards are begun again")
        queue = chain(lost, queue)


def _spread(
    pool: Pool, task: Callable[[S], R], queue: Iterator[tuple[int, S]], in_flight: int
) -> Generator[R, None, list[tuple[int, S]]]:
    """Yield the results of numbered shards; gives back those that were on the way when a worker process was lost."""
    failure = None
    lost: list[tuple[int, S]] = []
    running: dict[Future[R], tuple[int, S]] = {}

    def begin(count: int) -> None:
        for numbered in islice(queue, count):
            try:
                running[pool.submit(task, numbered[1])] = numbered
            except BrokenProcessPool:
                lost.append(numbered)

    begin(in_flight)
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            numbered = running.pop(future)
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                lost.append(numbered)
            elif error is not None:
                failure = failure or error
                for other in running:
                    other.cancel()
            else:
                yield future.result()
                if failure is None and not lost:
                    begin(1)
    if failure is not None:
        raise failure
    return lost


def _processes(workers: int) -> ProcessPoolExecutor:
    """Fresh processes, since JAX does not survive a fork."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """In a worker process: Ctrl-C is the parent's to handle, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def on_ray(task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]:
    """Yield `task(shard)` as each finishes, from Ray workers of one core each, as many as the cluster has by then.

    A shard whose worker or machine is lost is tried again elsewhere, three times; an error of the task itself is not,
    and is raised here as it was there.

    Raises:
      ClusterError: Ray cannot be reached, its machines have other versions, or a shard's worker was lost each time.
    """
    from .session import Session  # deferred: imports Ray

    queue = iter(shards)
    with Session(task, settings) as session:
        running = []
        try:
            while True:
                running += [session.submit(shard) for shard in islice(queue, max(0, session.places() - len(running)))]
                if not running:
                    return
                done, running = session.wait(running)
                for reference in done:
                    yield session.result(reference)
        finally:
            session.cancel(running)


@contextmanager
def ready(settings: Cluster) -> Iterator[None]:
    """Have the place of work ready: a cluster is joined, a Ray of our own begins to start and is waited for at need.

    Raises:
      ClusterError: Ray cannot be started or reached.
    """
    if settings.kind != "ray":
        yield
        return
    if settings.address is None:
        with Head(settings):
            yield
        return
    from .connection import Connection  # deferred: imports Ray

    with Connection(settings):
        yield


EXECUTORS: Mapping[str, Executor] = {"local": on_local, "ray": on_ray}
