"""What results depend on beside the study: the processor, the versions, and how XLA is told to compute.

Measured with jaxlib 0.10.2 on x86-64 (64-bit kernels with exp, expm1, log1p, tanh, threefry normals; sums; products):
elementwise results have the same bits on 1 and 2 cores, at vector widths of 128, 256 and 512 bits, with AVX2 and
AVX-512, and differ without fused multiply-add (AVX, SSE4.2). Sums of 32,768 numbers and large matrix products differ
between one XLA thread and several; `--xla_cpu_multi_thread_eigen=false` does not change that. So XLA computes with one
thread, whatever the machine has. That is also the fastest: split over 2, 4 or 16 threads, the small operations of a
trial's kernel run at 50, 39 and 29 % of the speed of one (shards of 1,024 twins); cores are used by processes.
"""

import hashlib
import os
import platform as host
import shlex
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .errors import ClusterError

THREADS = 1  # that XLA splits an operation over
FLAGS = {"--xla_cpu_prefer_vector_width": "512"}  # a quarter faster than the default 256, with the same bits
PACKAGES = ("cutis", "jax", "jaxlib", "llvmlite", "numpy", "scipy", "pandas", "pyarrow", "statsmodels")
FEATURES = ("avx2", "avx512f", "fma", "asimd", "sve")
READ_BY_JAX = ("JAX_PLATFORMS", "XLA_FLAGS", "PJRT_NPROC")


def prepare() -> None:
    """Set what results depend on, before JAX reads it; any process that computes calls this first, workers too.

    Raises:
      ClusterError: JAX was imported with other settings, or the user's settings cannot work.
    """
    wanted = environment()
    if "jax" in sys.modules:
        late = [name for name in READ_BY_JAX if os.environ.get(name) != wanted[name]]
        if late:
            settings = " ".join(f"{name}={shlex.quote(wanted[name])}" for name in late)
            raise ClusterError(
                "JAX was imported before cutis could set how it computes. Call cutis.cluster.platform.prepare() "
                f"before anything imports jax, or start Python with {settings}"
            )
    os.environ.update(wanted)
    folder = cache_folder()
    if folder and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)


def environment() -> dict[str, str]:
    """Environment variables under which a process computes; the same for every worker of a run.

    The user's JAX_PLATFORMS and XLA_FLAGS are kept (and recorded in the manifest), threads are not theirs to choose.

    Raises:
      ClusterError: XLA would silently ignore part of the user's XLA_FLAGS.
    """
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return one_thread | {
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS") or "cpu",
        "XLA_FLAGS": _merged(os.environ.get("XLA_FLAGS", "")),
        "PJRT_NPROC": str(THREADS),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_RAISE_PERSISTENT_CACHE_ERRORS": "false",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE") or "token",
    }


def _merged(flags: str) -> str:
    """Our flags and the user's, who wins where both name one."""
    try:
        words = shlex.split(flags)
    except ValueError as error:
        raise ClusterError(f"XLA_FLAGS={flags!r} cannot be read: {error}") from None
    for word in words:
        if not word.startswith("--"):
            raise ClusterError(
                f"XLA_FLAGS={flags!r}: {word!r} does not begin with '--'; XLA would ignore it and all that follows it"
            )
    named = {word.split("=")[0] for word in words}
    ours = [f"{name}={value}" for name, value in FLAGS.items() if name not in named]
    return " ".join([*ours, flags.strip()]).strip()


def cache_folder() -> Path | None:
    """Folder of compiled kernels: CUTIS_CACHE, else the user's cache folder; None if that cannot be written.

    Machines that compile differently get folders of their own, so that a shared home folder is safe.

    Raises:
      ClusterError: CUTIS_CACHE cannot be written.
    """
    chosen = os.environ.get("CUTIS_CACHE")
    try:
        parent = Path(chosen) if chosen else _user_cache() / "cutis"
        folder = parent.expanduser().absolute() / f"kernels-{_compiler()}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        if chosen:
            raise ClusterError(f"CUTIS_CACHE={chosen}: the folder cannot be made: {error}") from None
        return None
    if os.access(folder, os.W_OK | os.X_OK):
        return folder
    if chosen:
        raise ClusterError(f"CUTIS_CACHE={chosen}: no permission to write there")
    return None


def _user_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():  # the XDG specification has others ignored
        return Path(given)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _compiler() -> str:
    """What compiled code depends on and JAX's own cache key leaves out: the processor and the number of threads."""
    parts = [host.machine(), *sorted(_cpuinfo()[1]), os.environ.get("PJRT_NPROC", "")]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def describe() -> dict:
    """The platform, for the manifest; the number of cores is left out, since nothing depends on it."""
    processor, features = _cpuinfo()
    return {
        "system": f"{host.system()} {'-'.join(host.libc_ver())}".strip(" -"),
        "machine": host.machine(),
        "processor": processor,
        "features": [name for name in FEATURES if name in features],
        "jax_platforms": os.environ.get("JAX_PLATFORMS", ""),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "versions": {"python": host.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def differences(here: dict, there: dict) -> list[str]:
    """Versions in which two descriptions differ, as `jax 0.10.2, there 0.11.0`."""
    ours, theirs = here["versions"], there["versions"]
    names = sorted(set(ours) | set(theirs))
    return [f"{n} {ours.get(n)}, there {theirs.get(n)}" for n in names if ours.get(n) != theirs.get(n)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@cache
def _cpuinfo() -> tuple[str, frozenset[str]]:
    """Model name and instruction sets, where Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    features = fields.get("flags") or fields.get("Features") or ""
    return fields.get("model name") or host.processor() or host.machine(), frozenset(features.split())
