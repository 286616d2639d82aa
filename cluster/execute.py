"""Executors: `(task, shards, settings) -> results as they come`, in no order. A result names its own shard.

At most twice as many shards as workers are drawn and not yet given back, so that neither the shards nor the results
of a large run are ever held together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol, TypeVar

from .settings import Cluster

S = TypeVar("S")
R = TypeVar("R")


class Executor(Protocol):
    """Applies a task to shards somewhere."""

    def __call__(self, task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]: ...


def on_local(task: Callable[[S], R], shards: Iterable[S], settings: Cluster) -> Iterator[R]:
    """Yield `task(shard)` as each finishes, from threads of this process.

    Kernels of JAX run without Python's lock, so threads use all cores and share one compiled kernel.
    After an error or Ctrl-C nothing new is begun, and what has begun is waited for.
    """
    workers, queue = settings.cores(), iter(shards)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cutis")
    try:
        running: set[Future[R]] = {pool.submit(task, shard) for shard in islice(queue, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda f: f.exception() is not None):  # no finished work is lost
                yield future.result()
                running |= {pool.submit(task, shard) for shard in islice(queue, 1)}
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
