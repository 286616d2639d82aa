"""All tests compute as a run does, and JAX refuses silent broadcasting and silent changes of type."""
# ruff: noqa: E402, I001

from cutis.cluster import platform

platform.prepare()

import cutis.core  # noqa: F401 (switches on 64 bits before anything is computed)
import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
