"""What results depend on is the same whoever computes, and is set before JAX is imported or not at all."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cutis.cluster import platform
from cutis.cluster.errors import ClusterError

OURS = {"XLA_FLAGS", "PJRT_NPROC", "CUTIS_CACHE", "XDG_CACHE_HOME"}


def run(code, *, cores=None, **environment):
    """Output of a fresh Python, without the settings that this one may have."""
    kept = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith(("JAX_", "RAY_"))}
    if cores:
        code = f"import os; os.sched_setaffinity(0, {cores})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


KERNEL = """
from cutis.cluster import platform
platform.prepare()
import hashlib
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)

@jax.jit
def kernel(key):
    z = jax.random.normal(key, (4, 1024))
    def step(i, state):
        x, y = state
        rate = -jnp.expm1(-jnp.exp(0.3 * z[2]) * 0.05)
        return x + rate * (jnp.log1p(y * y) - x), jnp.log(1.0 + jnp.exp(y - x)) * jnp.tanh(z[3])
    x, y = jax.lax.fori_loop(0, 50, step, (z[0], z[1]))
    long = jax.random.normal(key, (300_000,))
    return x, y, long.sum(), long[:90_000].reshape(300, 300) @ long[:90_000].reshape(300, 300).T

bits = b"".join(np.asarray(part).tobytes() for part in kernel(jax.random.key(3)))
print(hashlib.sha256(bits).hexdigest())
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def bits(cache):
    return run(KERNEL, CUTIS_CACHE=str(cache)).stdout


def test_one_core_gives_the_bits_of_all_cores(bits, tmp_path):
    one = sorted(os.sched_getaffinity(0))[:1]
    assert run(KERNEL, cores=one, CUTIS_CACHE=str(tmp_path)).stdout == bits


def test_the_width_of_vectors_does_not_change_the_bits(bits, tmp_path):
    assert run(KERNEL, XLA_FLAGS="--xla_cpu_prefer_vector_width=128", CUTIS_CACHE=str(tmp_path)).stdout == bits


def test_a_kernel_from_the_cache_gives_the_same_bits(bits, cache):
    kept = {p.name for p in cache.rglob("*-cache")}
    assert any(name.startswith("jit_kernel") for name in kept)
    assert run(KERNEL, CUTIS_CACHE=str(cache)).stdout == bits
    assert {p.name for p in cache.rglob("*-cache")} == kept


def test_a_damaged_cache_does_not_break_a_run(bits, tmp_path):
    run(KERNEL, CUTIS_CACHE=str(tmp_path))
    entries = sorted(tmp_path.rglob("*-cache"))
    for number, entry in enumerate(entries):
        data = entry.read_bytes()
        entry.write_bytes((b"", data[: len(data) // 2], os.urandom(len(data)))[number % 3])
    assert len(entries) >= 3
    assert run(KERNEL, CUTIS_CACHE=str(tmp_path)).stdout == bits


def test_two_processes_may_fill_the_cache_at_once(bits, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(run, KERNEL, CUTIS_CACHE=str(tmp_path)) for _ in range(2)]
    assert {f.result().stdout for f in both} == {bits}


PREPARED = """
import json, os
from cutis.cluster import platform
platform.prepare()
first = dict(os.environ)
platform.prepare()
assert first == dict(os.environ)
print(json.dumps({"environment": first, "described": platform.describe()}))
"""


def prepared(**environment):
    return json.loads(run(PREPARED, **environment).stdout)["environment"]


def test_the_users_platform_and_flags_are_kept_beside_ours(tmp_path):
    found = prepared(JAX_PLATFORMS="cuda,cpu", XLA_FLAGS="--xla_a=1 --xla_b='x y'", CUTIS_CACHE=str(tmp_path))
    assert found["JAX_PLATFORMS"] == "cuda,cpu"
    assert found["XLA_FLAGS"] == "--xla_cpu_prefer_vector_width=512 --xla_a=1 --xla_b='x y'"


def test_a_flag_of_the_user_wins_over_ours(tmp_path):
    flags = "--xla_cpu_prefer_vector_width=256"
    assert prepared(XLA_FLAGS=flags, CUTIS_CACHE=str(tmp_path))["XLA_FLAGS"] == flags


def test_threads_are_not_the_users_to_choose(tmp_path):
    assert prepared(PJRT_NPROC="8", CUTIS_CACHE=str(tmp_path))["PJRT_NPROC"] == "1"


@pytest.mark.parametrize("flags", ["--xla_a=1 threads=1 --xla_b=2", "flags.txt", "-xla_a=1"])
def test_flags_that_xla_would_drop_silently_are_refused(monkeypatch, flags):
    monkeypatch.setenv("XLA_FLAGS", flags)
    with pytest.raises(ClusterError, match="does not begin with '--'"):
        platform.environment()


def test_flags_that_cannot_be_read_are_refused(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_a='1")
    with pytest.raises(ClusterError, match="No closing quotation"):
        platform.environment()


LATE = """
import jax
from cutis.cluster import platform
from cutis.cluster.errors import ClusterError
try:
    platform.prepare()
except ClusterError as error:
    print(error)
"""


def test_jax_imported_too_early_is_refused_with_the_settings_it_needs(tmp_path):
    told = run(LATE, CUTIS_CACHE=str(tmp_path)).stdout
    assert "before anything imports jax" in told
    assert "XLA_FLAGS=--xla_cpu_prefer_vector_width=512" in told


def test_jax_imported_early_with_our_settings_is_fine(tmp_path):
    settings = {name: prepared(CUTIS_CACHE=str(tmp_path))[name] for name in platform.READ_BY_JAX}
    assert run(LATE, CUTIS_CACHE=str(tmp_path), **settings).stdout == ""


def test_the_cache_lies_where_the_user_says_or_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTIS_CACHE", str(tmp_path / "mine"))
    assert platform.cache_folder().parent == tmp_path / "mine"
    monkeypatch.delenv("CUTIS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert platform.cache_folder().parent == tmp_path / "xdg" / "cutis"


def test_a_relative_xdg_folder_is_ignored_as_its_specification_says(tmp_path, monkeypatch):
    monkeypatch.delenv("CUTIS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert platform.cache_folder().is_relative_to(tmp_path)


def test_a_cache_that_cannot_be_made_is_an_error_only_if_it_was_asked_for(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("CUTIS_CACHE", raising=False)
    assert platform.cache_folder() is None
    monkeypatch.setenv("CUTIS_CACHE", str(tmp_path / "file"))
    with pytest.raises(ClusterError, match=f"CUTIS_CACHE={tmp_path / 'file'}"):
        platform.cache_folder()


def test_kernels_of_another_kind_of_machine_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTIS_CACHE", str(tmp_path))
    here = platform.cache_folder()
    monkeypatch.setattr(platform, "_cpuinfo", lambda: ("another", frozenset({"sse4_2"})))
    assert platform.cache_folder() != here


def test_the_description_is_plain_data_and_says_nothing_of_cores(tmp_path):
    one = sorted(os.sched_getaffinity(0))[:1]
    all_cores, one_core = (
        json.loads(run(PREPARED, cores=cores, CUTIS_CACHE=str(tmp_path)).stdout)["described"] for cores in (None, one)
    )
    assert all_cores == one_core
    assert all_cores["versions"]["cutis"] == platform.version("cutis")
    assert all_cores["versions"]["jax"] == platform.version("jax")
    assert all_cores["processor"]


def test_differences_name_package_and_both_versions():
    here, there = ({"versions": {"jax": v, "numpy": "2"}} for v in ("1", "3"))
    assert platform.differences(here, here) == []
    assert platform.differences(here, there) == ["jax 1, there 3"]
