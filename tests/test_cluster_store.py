"""Files stay whole when writing fails, and a folder has one owner at a time."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from cutis.cluster import store
from cutis.cluster.store import Lock, StoreError


def python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, **options
    )


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_written_file_is_found_whole_with_the_digest_that_was_returned(tmp_path):
    path = tmp_path / "new" / "deep" / "part.bin"
    data = bytes(range(256)) * 5000
    assert store.write(path, data) == hashlib.sha256(data).hexdigest() == store.digest(path)
    assert path.read_bytes() == data
    assert names(path.parent) == ["part.bin"]


def test_the_digest_of_a_file_is_the_published_one(tmp_path):
    # FIPS 180-4, the message "abc"
    (tmp_path / "abc").write_bytes(b"abc")
    assert store.digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_new_files_have_the_permissions_the_user_asks_for(tmp_path):
    before = os.umask(0o027)
    try:
        store.write(tmp_path / "f", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


FULL = """
import resource, sys
from pathlib import Path
from cutis.cluster import store
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.write(Path(sys.argv[1]), b"n" * 5000)
except store.StoreError as error:
    print(error)
"""


def test_the_old_file_stays_when_the_new_one_does_not_fit(tmp_path):
    path = tmp_path / "results"
    store.write(path, b"old")
    told = python(FULL, path).communicate(timeout=60)[0]
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["results"]
    assert str(path) in told
    assert "larger than is allowed" in told


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "no space"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission"), (errno.EDQUOT, "quota")],
)
def test_what_the_disk_says_is_said_in_words_and_leaves_no_trace(tmp_path, monkeypatch, number, says):
    def fails(file):
        raise OSError(number, os.strerror(number))

    store.write(tmp_path / "f", b"old")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreError, match=rf"{tmp_path / 'f'} cannot be written: .*{says}"):
        store.write(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_ctrl_c_while_writing_leaves_no_trace(tmp_path, monkeypatch):
    def interrupted(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(tmp_path / "f", b"new")
    assert names(tmp_path) == []


def test_a_path_through_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"file/f cannot be written: .*choose another folder"):
        store.write(tmp_path / "file" / "f", b"x")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(StoreError, match="a folder is in its place"):
        store.write(tmp_path / "f", b"x")
    assert names(tmp_path) == ["f"]


def test_a_file_that_is_not_there_cannot_be_digested(tmp_path):
    with pytest.raises(StoreError, match="gone cannot be read: it is not there"):
        store.digest(tmp_path / "gone")


def test_a_log_grows_line_by_line(tmp_path):
    for line in (b"one\n", b"two\n"):
        store.append(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreError, match="no/log cannot be written"):
        store.append(tmp_path / "no" / "log", b"x")


HOLD = """
import sys, time
from pathlib import Path
from cutis.cluster.store import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    process = python(HOLD, tmp_path)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(StoreError, match=rf"^{tmp_path}: process {holder.pid} on "), Lock(tmp_path):
        pass


def test_the_lock_is_free_again_when_its_holder_is_killed(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Lock(tmp_path):
        pass


def test_a_folder_is_locked_once_in_one_process_too(tmp_path):
    with Lock(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()} on "), Lock(tmp_path):
        pass
    with Lock(tmp_path):
        pass


def test_a_child_of_the_holder_does_not_keep_the_lock(tmp_path):
    with Lock(tmp_path):
        child = python("import time; print(1, flush=True); time.sleep(600)")
        child.stdout.readline()
    try:
        with Lock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened: it is not there"), Lock(tmp_path / "no"):
        pass


def test_what_a_killed_worker_left_half_written_is_gone_when_the_work_is_done(tmp_path):
    with Lock(tmp_path):
        store.write(tmp_path / "part" / "0", b"whole")
        left = tmp_path / "part" / ".1.0123.tmp"
        left.write_bytes(b"half")
        assert store.half_written(left)
        assert not store.half_written(tmp_path / "part" / "0")
    assert names(tmp_path / "part") == ["0"]


WRITE_FOREVER = """
import sys
from pathlib import Path
from cutis.cluster import store
data = b"x" * 2_000_000
while True:
    for i in range(20):
        store.write(Path(sys.argv[1]) / "part" / str(i), data)
        print(i, flush=True)
"""


def test_no_file_is_ever_half_written_by_a_process_that_is_killed(tmp_path):
    for _ in range(4):
        writer = python(WRITE_FOREVER, tmp_path)
        writer.stdout.readline()
        time.sleep(0.02)
        writer.kill()
        writer.communicate()
    (tmp_path / "part" / ".left.0123.tmp").write_bytes(b"half")
    with Lock(tmp_path):
        assert not list(tmp_path.rglob("*.tmp"))
    sizes = {p.stat().st_size for p in (tmp_path / "part").iterdir()}
    assert sizes == {2_000_000}
