"""Requests to end are taken like Ctrl-C, unless somebody has arranged otherwise."""

import os
import signal
import threading

import pytest

from cutis.cluster.stop import REQUESTS, kept, like_ctrl_c


@pytest.fixture(autouse=True)
def untouched():
    before = {request: signal.getsignal(request) for request in REQUESTS}
    for request in REQUESTS:
        signal.signal(request, signal.SIG_DFL)
    yield
    for request, action in before.items():
        signal.signal(request, action)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_raises_what_ctrl_c_raises(request_):
    with pytest.raises(KeyboardInterrupt), like_ctrl_c():
        os.kill(os.getpid(), request_)
    assert signal.getsignal(request_) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with like_ctrl_c():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_elsewhere_than_in_the_main_thread_nothing_changes():
    seen = []

    def look():
        with like_ctrl_c(), kept():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_what_is_arranged_outlives_a_library_that_arranges_something_else():
    with like_ctrl_c():
        with kept():
            signal.signal(signal.SIGTERM, lambda *_: None)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
