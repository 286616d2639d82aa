"""Files that are either whole or not there, whatever happens while they are written."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import socket
from pathlib import Path
from types import TracebackType

from .errors import StoreError

__all__ = ["Lock", "StoreError", "append", "digest", "half_written", "write"]

TEMPORARY = ".tmp"
REASONS = {
    errno.ENOSPC: "no space is left there; free some",
    errno.EDQUOT: "your quota there is used up; free some space",
    errno.EFBIG: "the file would be larger than is allowed there (see `ulimit -f`)",
    errno.EACCES: "no permission; choose another folder, or change its permissions",
    errno.EPERM: "no permission; choose another folder, or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another folder",
    errno.EISDIR: "a folder is in its place; move it away",
    errno.EEXIST: "a file stands where a folder is needed; choose another folder",
    errno.ENOENT: "it is not there",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the device reports an error; check the disk",
    errno.ENOLCK: "the file system has no locks; choose a folder on another one",
    errno.EOPNOTSUPP: "the file system has no locks; choose a folder on another one",
    errno.ENOSYS: "the file system has no locks; choose a folder on another one",
}


def write(path: Path, data: bytes) -> str:
    """Make or replace a file in one step, and its folders if needed; returns its SHA-256 (hex).

    After a crash or a failure the file is the old one or the new one, never part of one.

    Raises:
      StoreError: it could not be written; what was there before is intact.
    """
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(6)}{TEMPORARY}"
    try:
        _make(path.parent)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise _failed(path, "cannot be written", error) from error
    return hashlib.sha256(data).hexdigest()


def append(path: Path, data: bytes) -> None:
    """Add to the end of a log.

    Raises:
      StoreError: it could not be written.
    """
    try:
        with path.open("ab", buffering=0) as file:
            file.write(data)
    except OSError as error:
        raise _failed(path, "cannot be written", error) from error


def digest(path: Path) -> str:
    """SHA-256 (hex) of a file of any size.

    Raises:
      StoreError: it could not be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _failed(path, "cannot be read", error) from error


class Lock:
    """Keeps a folder to one process: `with Lock(folder): ...`. The kernel lets go when the process ends, however.

    Who holds the lock alone writes there, so what a killed process left half written is cleared away, before and after.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __enter__(self) -> "Lock":
        """Take the lock.

        Raises:
          StoreError: another process holds it, or the folder has none to give.
        """
        path = self.folder / ".lock"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _failed(path, "cannot be opened", error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            _clear(self.folder)
        except BlockingIOError:
            holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "of unknown number"
            os.close(file)
            raise StoreError(
                f"{self.folder}: process {holder} is at work in this folder; wait until it is done, or stop it"
            ) from None
        except BaseException as error:
            os.close(file)
            if isinstance(error, OSError):
                raise _failed(path, "cannot be locked", error) from error
            raise
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                _clear(self.folder)
            os.close(self._file)  # lets go of the lock; the file stays, since removing it would let two hold it
            self._file = None


def half_written(path: Path) -> bool:
    """Whether a file is one that `write` has not finished, and never will if its process is gone."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY)


def _clear(folder: Path) -> None:
    for left in folder.rglob(f".*{TEMPORARY}"):
        left.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Make a folder that survives a power cut: its name is on disk as well."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync(made.parent)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot, and need not
            raise
    finally:
        os.close(file)


def _failed(path: Path, what: str, error: OSError) -> StoreError:
    reason = REASONS.get(error.errno or 0) or error.strerror or str(error)
    return StoreError(f"{path} {what}: {reason}")
