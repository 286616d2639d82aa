"""Requests to end, from `kill`, a scheduler, a container or a closing terminal, are taken like Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

REQUESTS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Meanwhile such a request raises KeyboardInterrupt, so that what has begun is ended properly.

    What a program has arranged for a signal itself (`nohup` has SIGHUP ignored) stays; so do all signals where this
    is not the main thread, which alone may change them.
    """
    with ExitStack() as after:
        if threading.current_thread() is threading.main_thread():
            for request in REQUESTS:
                if signal.getsignal(request) is signal.SIG_DFL:
                    signal.signal(request, signal.default_int_handler)
                    after.callback(signal.signal, request, signal.SIG_DFL)
        yield


@contextmanager
def kept() -> Iterator[None]:
    """What is arranged for these signals survives a library that arranges something else."""
    arranged = {request: signal.getsignal(request) for request in REQUESTS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for request, action in arranged.items():
                if action is not None:  # None: arranged outside Python, and cannot be put back from here
                    signal.signal(request, action)
