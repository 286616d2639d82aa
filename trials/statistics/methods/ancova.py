"""Difference in means adjusted for baseline and strata: a kernel of one replicate."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .estimate import Estimate, Flag, check_finite, check_lengths, check_strata, concrete, spoil
from .linear import Covariance, combination, design, least_squares


class Compared(NamedTuple):
    """A comparison of two arms, and each arm at the average of the covariates."""

    difference: Estimate
    active: Estimate
    control: Estimate


def ancova(
    outcome: Array,
    arm: Array,
    covariates: Array | None = None,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
    covariance: Covariance = "HC3",
    level: float = 0.95,
) -> Compared:
    """Analysis of covariance of two arms, by t with the residual degrees of freedom.

    Args:
      outcome: (n,); what does not count may be NaN.
      arm: 1 active, 0 control, (n,). Any number, such as a dose, gives the slope on it as the difference.
      covariates: (n, k) or None.
      stratum: 0 to `strata` - 1, (n,) or None; one column a stratum.
      weight: 1 where a person counts, else 0, (n,).

    Returns:
      Flagged with p = 1: an empty arm, values that do not vary, covariates that determine the arm.

    Raises:
      ValueError: columns of different length, values that are not numbers, an unknown stratum or covariance.
    """
    columns = {"outcome": outcome, "arm": arm, "covariates": covariates, "stratum": stratum, "weight": weight}
    check_lengths(**{name: column for name, column in columns.items() if column is not None})
    if covariance not in ("classical", "HC0", "HC3"):
        raise ValueError(f"covariance {covariance!r}: expected classical, HC0 or HC3")
    outcome, arm, weight, wide = prepared(outcome, arm, covariates, stratum, strata, weight)
    check_finite("outcome", outcome, weight)
    X = design(arm, wide, weight)
    fit = least_squares(X, outcome, weight, covariance)
    flag = empty_arm(arm, weight)
    p = X.shape[1]
    slope, one = jnp.zeros(p).at[-1].set(1.0), jnp.zeros(p).at[0].set(1.0)
    # Covariates are about their mean, so the first coefficient is the control arm's mean there.
    return Compared(*(spoil(combination(fit, vector, level), flag) for vector in (slope, slope + one, one)))


def prepared(
    outcome: Array,
    arm: Array,
    covariates: Array | None,
    stratum: Array | None,
    strata: int,
    weight: Array | None,
) -> tuple[Array, Array, Array, Array | None]:
    """Outcome, arm and weight as numbers, and covariates and strata as columns (None if there are none)."""
    outcome, arm = jnp.asarray(outcome, float), jnp.asarray(arm, float)
    weight = jnp.ones_like(outcome) if weight is None else jnp.asarray(weight, float)
    check_finite("arm", arm, weight)
    wide = []
    if covariates is not None:
        covariates = jnp.asarray(covariates, float)
        covariates = covariates[:, None] if covariates.ndim == 1 else covariates
        if concrete(covariates, weight):
            check_finite("covariates", np.asarray(covariates)[np.asarray(weight) > 0])
        wide.append(covariates)
    if stratum is not None:
        check_strata("stratum", stratum, strata, weight)
        wide.append(jax.nn.one_hot(jnp.asarray(stratum, jnp.int32), strata, dtype=float)[:, 1:])
    return outcome, arm, weight, jnp.concatenate(wide, axis=1) if wide else None


def empty_arm(arm: Array, weight: Array) -> Array:
    """Set where everybody who counts is in the same arm, or nobody counts."""
    low = jnp.min(jnp.where(weight > 0, arm, jnp.inf))
    high = jnp.max(jnp.where(weight > 0, arm, -jnp.inf))
    return jnp.where(high > low, 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
