"""Executors: `(task, shards, settings) -> results as they come`, in no order. A result names its own shard.

At most twice as many shards as workers are drawn and not yet given back, so that neither the shards nor the results
of a large run are ever held together.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures import Executor as Pool
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Protocol, TypeVar

from .errors import ClusterError
from .settings import Cluster

FEW = 64  # shards that threads finish before further processes have started

S = TypeVar("S")
R = TypeVar("R")


class Executor(Protocol):
    """Applies a task to shards somewhere."""

    def __call__(self, task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]: ...


def on_local(task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]:
    """Yield `task(shard)` as each finishes: few shards by threads of this process, many by processes of their own.

    XLA computes with one thread a process (see `platform`), so only processes use all cores; but each takes some
    seconds to start. After an error nothing new is begun; what has begun is still given back, and then the error is
    raised. After Ctrl-C nothing new is begun, and what has begun is waited for.

    Raises:
      ClusterError: a worker process was lost.
    """
    workers = settings.cores()
    many = workers > 1 and isinstance(shards, Sized) and len(shards) > FEW
    pool = _processes(workers) if many else ThreadPoolExecutor(workers, thread_name_prefix="cutis")
    try:
        yield from _spread(pool, task, iter(shards), 2 * workers)
    except BrokenProcessPool as error:
        raise ClusterError(
            "a worker process was lost; most often memory has run out: take fewer workers, and go on with --resume"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _spread(pool: Pool, task: Callable[[S], R], queue: Iterator[S], in_flight: int) -> Iterator[R]:
    failure = None
    running: set[Future[R]] = {pool.submit(task, shard) for shard in islice(queue, in_flight)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            if future.cancelled():
                continue
            if error := future.exception():
                failure = failure or error
                for other in running:
                    other.cancel()
                continue
            yield future.result()
            if failure is None:
                running |= {pool.submit(task, shard) for shard in islice(queue, 1)}
    if failure is not None:
        raise failure


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
    """Yield `task(shard)` as each finishes, from Ray workers of one core each.

    A shard whose worker or machine is lost is tried again elsewhere, three times; an error of the task itself is not,
    and is raised here as it was there.

    Raises:
      ClusterError: Ray cannot be reached, its machines have other versions, or a shard's worker was lost each time.
    """
    from .session import Session  # deferred: imports Ray

    queue = iter(shards)
    with Session(task, settings) as session:
        running = [session.submit(shard) for shard in islice(queue, session.in_flight)]
        try:
            while running:
                done, running = session.wait(running)
                for reference in done:
                    yield session.result(reference)
                    running += [session.submit(shard) for shard in islice(queue, 1)]
        finally:
            session.cancel(running)


EXECUTORS: Mapping[str, Executor] = {"local": on_local, "ray": on_ray}
