"""A connection to Ray: a private one on this machine, or a running cluster whose machines have what is needed.

Only what this process started is stopped at the end.
"""

import contextlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
import warnings
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import platform, stop
from .errors import ClusterError
from .settings import Cluster

STORE = 128 * 2**20  # bytes of shared memory; shards and results are small, so that nothing is ever spilled to disk
PATIENCE = 60  # seconds for a machine of the cluster to tell its versions
ACCELERATORS = {"cuda", "rocm", "gpu"}  # how JAX calls what Ray calls a GPU
OF_SHARE = 0.9  # of its share of a GPU's memory that a worker may fill; the rest is the driver's and the kernels' own

log = logging.getLogger("cutis.cluster")


class Connection:
    """`with Connection(settings):` starts or joins Ray, checks its machines, and leaves it as it was found.

    Inside another connection it does nothing.
    """

    def __init__(self, settings: Cluster) -> None:
        self.folder: Path | None = None
        self._settings = settings
        self._connected = False

    def __enter__(self) -> "Connection":
        """Start or join.

        Raises:
          ClusterError: Ray cannot be started or joined, or its machines lack what the settings need.
        """
        if ray.is_initialized():
            return self
        try:
            self._connect()
            _enough_gpus(self._settings.gpus)
            if self._settings.address is not None:
                check_nodes(platform.describe())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected:
            ray.shutdown()
            self._connected = False
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _connect(self) -> None:
        address = self._settings.address
        environment = platform.environment() | _on_a_gpu(self._settings.gpus)
        authorise(address)
        self.folder = Path(tempfile.mkdtemp(prefix="cutis-", dir=os.environ.get("RAY_TMPDIR")))
        self._connected = True
        with stop.kept():  # Ray has its own way to end, which leaves the run's last words unsaid
            try:
                if address is None:
                    self._start(environment)
                else:
                    self._join(address, environment)
            except Exception as error:  # Ray has no class of its own for all that can go wrong here
                if address is None:
                    raise ClusterError(
                        f"Ray cannot be started here: {first_line(error)} (on a busy machine a second try may do, or "
                        "cluster=local)"
                    ) from error
                raise ClusterError(
                    f"the Ray cluster at {address!r} cannot be joined: {first_line(error)}. Is it running, is its "
                    "token the one set here, and does this machine belong to it?"
                ) from error

    def _start(self, environment: dict[str, str]) -> None:
        assert self.folder is not None
        os.environ.update(environment)  # which the workers inherit
        with warnings.catch_warnings():
            # A program may have let JAX compute before. Ray's child does next to nothing between its fork and exec.
            warnings.filterwarnings("ignore", ".*fork", Warning)
            ray.init(
                num_cpus=self._settings.cores(),
                num_gpus=None if self._settings.gpus else 0,
                object_store_memory=STORE,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(self.folder / "r"),  # which Ray opens to everybody; the folder around it is private
                **_quiet(),
            )

    def _join(self, address: str, environment: dict[str, str]) -> None:
        assert self.folder is not None
        _reach(address)
        shipped: dict[str, Any] = {"env_vars": environment}
        if self._settings.wheel is not None:
            shipped["py_modules"] = unpacked(Path(self._settings.wheel), self.folder)
        ray.init(address=address, runtime_env=shipped, **_quiet())


def _quiet() -> dict[str, Any]:
    return {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}


def unpacked(wheel: Path, folder: Path) -> list[str]:
    """The folders of a wheel, which Ray then takes to every machine.

    Ray would hand a wheel as such to pip there, which fetches all that it depends on anew and from anywhere.

    Raises:
      ClusterError: there is no such wheel, or it is not one of cutis.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            tops = {name.partition("/")[0] for name in archive.namelist()}
            if wheel.suffix != ".whl" or "cutis" not in tops:
                raise ClusterError(f"cluster.wheel: {wheel} is not a wheel of cutis; `pip wheel --no-deps .` makes one")
            archive.extractall(folder / "wheel")
    except (OSError, zipfile.BadZipFile) as error:
        raise ClusterError(f"cluster.wheel: {wheel} cannot be read: {first_line(error)}") from None
    return [str(folder / "wheel" / name) for name in sorted(tops)]


def _on_a_gpu(share: float) -> dict[str, str]:
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


def _enough_gpus(share: float) -> None:
    there = ray.cluster_resources().get("GPU", 0)
    if there < share:
        raise ClusterError(f"cluster.gpus={share:g}, but Ray finds {there:g} GPUs here; a shard would wait for ever")


def check_nodes(here: dict) -> None:
    """See that all machines of the cluster that compute have this machine's versions.

    Raises:
      ClusterError: a machine has other versions, lacks cutis or does not answer; all such machines are named.
    """
    ask, wrong, answers = ray.remote(num_cpus=0, max_retries=0)(platform.describe), [], {}
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answers[node["NodeManagerAddress"], node["NodeID"]] = ask.options(scheduling_strategy=there).remote()
    for (name, _), answer in answers.items():
        try:
            found: Any = ray.get(answer, timeout=PATIENCE)
            same(here, found, f"machine {name}")
        except ClusterError as error:
            wrong.append(str(error))
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            wrong.append(f"machine {name} cannot run cutis {here['versions']['cutis']}: {first_line(cause)}")
    if wrong:
        raise ClusterError("\n".join(wrong))


def same(here: dict, there: dict, where: str) -> None:
    """See that two platforms give the same results; another kind of processor is only remarked on.

    Raises:
      ClusterError: versions differ.
    """
    if found := platform.differences(here, there):
        raise ClusterError(
            f"{where} has other versions, so results would differ: {'; '.join(found)}. Install the same there"
        )
    if here["features"] != there["features"]:
        log.warning(
            "%s has another kind of processor (%s, here %s): the last bits of its results may differ",
            where,
            there["processor"],
            here["processor"],
        )


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


def _reach(address: str) -> None:
    """Fail in seconds where Ray would try for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def first_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
