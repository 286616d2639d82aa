"""What a waiting person sees: bars on a terminal, plain lines in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
EVERY = 5.0  # seconds between lines in a pipe


@contextmanager
def task(name: str, total: int) -> Iterator[Advance]:
    """Show progress of one step; call what is yielded with how much is done."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            bar = bars.add_task(name, total=total)
            yield lambda done: bars.update(bar, completed=done)
    else:
        yield _lines(name, total)


def _lines(name: str, total: int) -> Advance:
    last = time.monotonic()

    def advance(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= EVERY or (done >= total and now - last >= 1):
            last = now
            print(f"{name}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return advance
