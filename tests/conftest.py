"""JAX refuses silent broadcasting and silent changes of type in all tests."""

import jax

import cutis.core  # noqa: F401 (switches on 64 bits before anything is computed)

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
