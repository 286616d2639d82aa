"""How much more of a drug a person needs than the typical person: what is known of them, and what is not."""

import jax.numpy as jnp
from jax import Array


def known(twins: dict[str, Array], carriers: Array, theta: dict[str, Array]) -> Array:
    """Logarithm of a person's half-maximal concentration over the typical one, as far as attributes tell, (people,).

    Covariates are centred at the mix of people for which the half-maximal concentrations are typical.

    Args:
      twins: attributes, each (people,).
      carriers: a drug's shift in carriers of HLA-C*06:02, opposite in others, (people,).
      theta: `Table.numbers()`.
    """
    return (
        theta["sensitivity.weight"] * jnp.log(twins["weight"] / 90)
        + theta["sensitivity.prior_biologic"] * (_number(twins["prior_biologic"]) - theta["sensitivity.biologic_mean"])
        + theta["sensitivity.smoker"] * (_number(twins["smoker"]) - theta["sensitivity.smoker_mean"])
        + theta["sensitivity.female"] * (_number(~twins["male"]) - theta["sensitivity.female_mean"])
        + theta["sensitivity.age"] * (twins["age"] - 45)
        + theta["sensitivity.severity"] * jnp.log(twins["severity"] / 20)
        + carriers * jnp.where(twins["hla_c0602"], 1.0, -1.0)
    )


def _number(yes: Array) -> Array:
    return yes.astype("float64")
