"""How skin responds: parameters, integrator and disease models, in pure JAX.

Importing this room switches JAX to 64-bit numbers, in which all of it computes.
"""

import jax

jax.config.update("jax_enable_x64", True)
