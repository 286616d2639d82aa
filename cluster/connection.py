"""A connection to Ray: a private one on this machine, or a running cluster whose machines have what is needed.

Only what this process started is stopped at the end.
"""

import logging
import os
import shutil
import socket
import tempfile
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import platform, stop
from .errors import ClusterError
from .head import HERE, Head, authorise, first_line, on_a_gpu
from .settings import Cluster

PATIENCE = 60  # seconds for a machine of the cluster to tell its versions

log = logging.getLogger("cutis.cluster")


class Connection:
    """`with Connection(settings):` joins a Ray, which it starts if need be, and leaves it as it was found.

    Inside another connection it does nothing. A Ray that a `Head` has begun to start is waited for and used.
    """

    def __init__(self, settings: Cluster) -> None:
        self.folder: Path | None = None
        self._settings = settings
        self._connected = False
        self._head: Head | None = None

    def __enter__(self) -> "Connection":
        """Start or join.

        Raises:
          ClusterError: Ray cannot be started or joined, or its machines lack what the settings need.
        """
        if ray.is_initialized():
            return self
        try:
            with stop.kept():  # Ray has its own way to end, which leaves the run's last words unsaid
                if self._settings.address is None:
                    self._start()
                else:
                    self._join(self._settings.address)
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
        if self._head is not None:
            self._head.__exit__(kind, error, trace)
        elif self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self._head = Head(self._settings)
        head = self._head.__enter__()
        self.folder = head.folder
        address = head.address()
        self._connected = True
        try:
            ray.init(address=address, _node_ip_address=HERE, **_quiet())
        except Exception as error:  # Ray has no class of its own for all that can go wrong here
            raise ClusterError(
                f"Ray cannot be started here: {first_line(error)} (on a busy machine a second try may do, or "
                "cluster=local)"
            ) from error

    def _join(self, address: str) -> None:
        environment = platform.environment() | on_a_gpu(self._settings.gpus)
        authorise(address)
        self.folder = Path(tempfile.mkdtemp(prefix="cutis-", dir=os.environ.get("RAY_TMPDIR")))
        self._connected = True
        try:
            _reach(address)
            shipped: dict[str, Any] = {"env_vars": environment}
            if self._settings.wheel is not None:
                shipped["py_modules"] = unpacked(Path(self._settings.wheel), self.folder)
            ray.init(address=address, runtime_env=shipped, **_quiet())
        except Exception as error:  # see above
            raise ClusterError(
                f"the Ray cluster at {address!r} cannot be joined: {first_line(error)}. Is it running, is its "
                "token the one set here, and does this machine belong to it?"
            ) from error


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


def _reach(address: str) -> None:
    """Fail in seconds where Ray would try for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
