"""Imputation visit by visit: each is regressed on the covariates and the visits before it.

Rubin 1987, Multiple Imputation for Nonresponse in Surveys, Wiley, ch. 5; the method of SAS PROC MI, MONOTONE REG.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ....core.keys import normals, people, stream
from .posterior import IMPUTATIONS, Imputed


def impute_in_turn(
    key: Array, outcome: np.ndarray, covariates: np.ndarray, ids: np.ndarray, imputations: int = IMPUTATIONS,
    within: np.ndarray | None = None,
) -> Imputed:  # fmt: skip
    """Multiple imputation of outcomes that, once missing, stay missing; missing at random given what was seen.

    Args:
      outcome: NaN where missing, shape (people, visits).
      covariates: without an intercept, finite, shape (people, columns).
      ids: a whole number for each person, which addresses its draws.
      within: number of the group (the arm) in which regressions are made apart; all together if None.

    Raises:
      ValueError: gaps before a visit that was seen, covariates that are not finite, fewer than two imputations, or too
        few people seen at a visit.
    """
    seen = ~np.isnan(outcome)
    if imputations < 2:
        raise ValueError(f"{imputations} imputations; expected at least 2")
    if not np.isfinite(covariates).all():
        raise ValueError("a covariate is missing or infinite; complete it first")
    gaps = (~seen[:, :-1] & seen[:, 1:]).any(axis=1)
    if gaps.any():
        raise ValueError(
            f"{int(gaps.sum())} people were seen after a gap, the first in row {int(np.flatnonzero(gaps)[0])}; "
            "use posterior.impute, which fills such gaps too"
        )
    groups = np.zeros(len(outcome), int) if within is None else within
    values = np.broadcast_to(outcome, (imputations, *outcome.shape)).copy()
    for t in range(outcome.shape[1]):
        lacking = ~seen[:, t]
        if not lacking.any():
            continue
        z = np.asarray(_noise(key, jnp.asarray(ids), t, imputations))
        for group in np.unique(groups[lacking]):
            mine = groups == group
            rows, empty = mine & seen[:, t], mine & lacking
            before = np.concatenate([np.ones((imputations, len(outcome), 1)),
                                     np.broadcast_to(covariates, (imputations, *covariates.shape)),
                                     values[:, :, :t]], axis=2)  # fmt: skip
            beta, sd = _drawn(stream(key, "regression", t, int(group)), before[0, rows], outcome[rows, t], imputations)
            mean = np.einsum("kia,ka->ki", before[:, empty], beta)
            values[:, empty, t] = mean + sd[:, None] * z[:, empty]
    return Imputed(values, ~seen)


@partial(jax.jit, static_argnums=3)
def _noise(key: Array, ids: Array, visit: int, imputations: int) -> Array:
    """Standard normal draws, (imputations, people)."""
    return jax.vmap(lambda k: normals(people(stream(key, "imputation", k), ids), "visit", visit))(
        jnp.arange(imputations)
    )


def _drawn(key: Array, design: np.ndarray, outcome: np.ndarray, imputations: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (imputations, columns) and residual standard deviations from their posterior, flat prior."""
    n, columns = design.shape
    if n <= columns or np.linalg.matrix_rank(design) < columns:
        raise ValueError(
            f"{n} people seen cannot tell {columns} coefficients of a visit; use fewer covariates or visits"
        )
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ outcome)
    squares = float(((outcome - design @ beta) ** 2).sum())
    chi, z = (np.asarray(part) for part in _luck(key, jnp.asarray((n - columns) / 2), columns, imputations))
    sd = np.sqrt(squares / chi)
    return beta + sd[:, None] * z.T @ np.linalg.cholesky(inverse).T, sd


@partial(jax.jit, static_argnums=(2, 3))
def _luck(key: Array, half: Array, columns: int, imputations: int) -> tuple[Array, Array]:
    """Chi-squared draws with degrees of freedom twice `half`, (imputations,), normal ones, (columns, imputations)."""
    keys = people(key, jnp.arange(imputations))
    chi = jax.vmap(lambda k: 2 * jax.random.gamma(stream(k, "variance"), half, dtype="float64"))(keys)
    return chi, normals(keys, "coefficients", shape=(columns,))
