"""What damage at the base of the epidermis amounts to; and the table of this folder's numbers."""

from pathlib import Path

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...parameters import read_table

HERE = Path(__file__).parent
TABLE = read_table(HERE / "parameters.yaml", sources=HERE / "sources.yaml")
VALUES = {name: parameter.value for name, parameter in TABLE.items()}
DEGREES = ("first", "second", "third")


def degree(log_omega: ArrayLike) -> Array:
    """Degree of burn, 0 to 3, from ln Omega at the base of the epidermis [moritz1947]; -1 where that is not a number.

    >>> degree(jnp.log(jnp.asarray([0.1, 0.6, 2.0, 2e4]))).tolist()
    [0, 1, 2, 3]
    """
    log_omega = jnp.asarray(log_omega)
    reached = [log_omega >= jnp.log(VALUES[f"burn.{name}"]).astype(log_omega.dtype) for name in DEGREES]
    return jnp.where(jnp.isnan(log_omega), -1, sum(part.astype("int32") for part in reached))
