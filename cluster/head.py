"""A Ray of this command's own, started by a process beside it: this one computes meanwhile, and never forks.

`python -m cutis.cluster.head` is that process. It starts Ray, tells the address, and ends Ray and itself when the
command that started it is done, or gone.
"""

import contextlib
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from . import platform
from .errors import ClusterError
from .settings import Cluster

STORE = 128 * 2**20  # bytes of shared memory; shards and results are small, so that nothing is ever spilled to disk
HERE = "127.0.0.1"  # nobody else reaches it
PATIENCE = 60  # seconds for Ray to end by itself
PROGRAM = ["-m", "cutis.cluster.head"]
ACCELERATORS = {"cuda", "rocm", "gpu"}  # how JAX calls what Ray calls a GPU
OF_SHARE = 0.9  # of its share of a GPU's memory that a worker may fill; the rest is the driver's and the kernels' own
TOLD = "cutis-ray "  # before what the process says: an address, or why there is none

log = logging.getLogger("cutis.cluster")


class Head:
    """`with Head(settings) as head:` has a Ray start; `head.address()` waits for it. Inside another one, that one.

    folder: of its files, which nobody else may enter.
    """

    current: ClassVar["Head | None"] = None

    def __init__(self, settings: Cluster) -> None:
        self.folder: Path | None = None
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._told = ""

    def __enter__(self) -> "Head":
        """Begin.

        Raises:
          ClusterError: the settings do not allow it.
        """
        if Head.current is not None:
            return Head.current
        environment = platform.environment() | on_a_gpu(self._settings.gpus)
        authorise(None)
        os.environ.update(environment)  # which the workers inherit
        self.folder = Path(tempfile.mkdtemp(prefix="cutis-", dir=os.environ.get("RAY_TMPDIR")))
        Head.current = self
        options = {
            "num_cpus": self._settings.cores(),
            "num_gpus": None if self._settings.gpus else 0,
            "object_store_memory": STORE,
            "include_dashboard": False,
            "log_to_driver": False,
            "_node_ip_address": HERE,
            "_temp_dir": str(self.folder / "r"),  # which Ray opens to everybody; the folder around it is private
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, *PROGRAM, json.dumps(options), str(self.folder)],
                env=os.environ | {"RAY_prestart_worker_first_driver": "0"},  # this process needs no workers, we do
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C in a terminal is the command's to handle
            )
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def address(self) -> str:
        """Where the Ray is, once it is there.

        Raises:
          ClusterError: it cannot be started.
        """
        if not self._told:
            assert self._process is not None
            assert self._process.stdout is not None
            lines = (line for line in self._process.stdout if line.startswith(TOLD))
            self._told = next(lines, f"{TOLD}the process that starts it was lost").removeprefix(TOLD).strip()
        host, _, port = self._told.rpartition(":")
        if " " in host or not port.isdigit():
            raise ClusterError(
                f"Ray cannot be started here: {self._told} (on a busy machine a second try may do, or cluster=local)"
            )
        return self._told

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if Head.current is not self:
            return
        Head.current = None
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                log.warning("Ray has not ended within %d seconds; it is killed", PATIENCE)
            finally:
                self._process.kill()  # with which what it started ends, too
                self._process.wait()
                assert self._process.stdout is not None
                self._process.stdout.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def on_a_gpu(share: float) -> dict[str, str]:
    """Further environment of workers that have a share of a GPU.

    Raises:
      ClusterError: JAX is not told to use one.
    """
    if not share:
        return {}
    named = os.environ.get("JAX_PLATFORMS") or "cpu"
    if not ACCELERATORS & set(named.split(",")):
        raise ClusterError(
            f"cluster.gpus={share:g}, but JAX computes on {named!r} here: set JAX_PLATFORMS=cuda, which needs jax with "
            "CUDA on all machines and a GPU on this one"
        )
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{OF_SHARE * share:.3f}"}


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


def first_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def main() -> None:
    """Start Ray, tell where it is, and end it when the other end of the input is closed."""
    import ray

    try:
        ray.init(**json.loads(sys.argv[1]), logging_level=logging.ERROR)
        print(f"{TOLD}{ray.get_runtime_context().gcs_address}", flush=True)
        sys.stdin.read()
    except Exception as error:  # Ray has no class of its own for all that can go wrong here
        print(f"{TOLD}{first_line(error)}", flush=True)
    finally:
        ray.shutdown()
        shutil.rmtree(sys.argv[2], ignore_errors=True)  # also where the command was killed


if __name__ == "__main__":
    main()
