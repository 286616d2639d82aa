"""All tests compute as a run does, and JAX refuses silent broadcasting and silent changes of type."""
# ruff: noqa: E402, I001

from cutis.cluster import platform

platform.prepare()

import resource

import cutis.core  # noqa: F401 (switches on 64 bits before anything is computed)
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

MOST = 4 * 1024 * 1024  # KiB that a process of tests may hold before it forgets what it compiled


@pytest.fixture(scope="module", autouse=True)
def forgetful():
    """The programs that thousands of tests compile would fill the machine's memory."""
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST:
        jax.clear_caches()
