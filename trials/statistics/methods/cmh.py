"""Cochran-Mantel-Haenszel tests of two or more arms and outcomes in strata: kernels of one replicate.

The three statistics of Landis, Heyman and Koch [1978, Int Stat Rev 46:237] and, for two arms and two outcomes, the
common risk difference and odds ratio. Tables are (strata, arms, outcomes) of counts.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from .estimate import Estimate, Flag, check_lengths, check_strata, chi_squared, concrete, spoil, two_sided, wald
from .linear import invert

Scores = Literal["table", "ridit"]


def tabulate(arm, outcome, stratum=None, shape: tuple[int, int, int] = (1, 2, 2), weight=None) -> Array:
    """Counts of people from one code a person: (strata, arms, outcomes) = `shape`.

    Args:
      arm, outcome, stratum: whole numbers from 0, (n,).
      weight: 1 where a person counts, else 0, (n,).
    """
    strata, arms, outcomes = (int(size) for size in shape)
    arm, outcome = jnp.asarray(arm), jnp.asarray(outcome)
    stratum = jnp.zeros_like(arm) if stratum is None else jnp.asarray(stratum)
    check_lengths(arm=arm, outcome=outcome, stratum=stratum)
    for name, column, levels in (("arm", arm, arms), ("outcome", outcome, outcomes), ("stratum", stratum, strata)):
        check_strata(name, column, levels, weight)
    counts = jnp.ones(arm.shape) if weight is None else jnp.asarray(weight, float)
    clean = [jnp.where(counts > 0, column, 0).astype(jnp.int32) for column in (stratum, arm, outcome)]
    cell = (clean[0] * arms + clean[1]) * outcomes + clean[2]
    of_cell = jax.nn.one_hot(cell, strata * arms * outcomes, dtype=float)
    return (counts @ of_cell).reshape(strata, arms, outcomes)


def general_association(tables) -> Estimate:
    """Whether arms and outcomes are associated in any way: (arms - 1)(outcomes - 1) degrees of freedom."""
    tables = _counts(tables)
    _, arms, outcomes = tables.shape
    n, rows, columns = _margins(tables)
    expected = rows[:, :, None] * columns[:, None, :] / n[:, None, None]
    away = (tables - expected)[:, :-1, :-1].sum(axis=0).reshape(-1)
    scale = 1 / (n * n * jnp.maximum(n - 1, 1.0))
    of_rows, of_columns = _spread(rows, n)[:, :-1, :-1], _spread(columns, n)[:, :-1, :-1]
    spread = jnp.einsum("s,sij,skl->ikjl", scale, of_rows, of_columns)
    size = (arms - 1) * (outcomes - 1)
    return _quadratic(away, spread.reshape(size, size), size)


def row_means(tables, scores: Scores | Array = "table") -> Estimate:
    """Whether the arms differ in mean outcome: arms - 1 degrees of freedom.

    Args:
      scores: of the outcomes: their numbers ("table"), within-stratum midranks over n + 1 ("ridit", with which this is
        van Elteren's test [van Elteren 1960, Bull Inst Int Stat 37:351]), or given, (outcomes,).
    """
    tables = _counts(tables)
    _, arms, _ = tables.shape
    n, rows, columns = _margins(tables)
    points = _scores(scores, columns, n)
    mean = jnp.sum(columns * points, axis=1) / n
    about = points - mean[:, None]
    away = jnp.einsum("sac,sc->a", tables, about)[:-1]
    variance = jnp.sum(columns * about**2, axis=1) / jnp.maximum(n - 1, 1.0)
    spread = jnp.einsum("s,sij->ij", variance / n, _spread(rows, n)[:, :-1, :-1])
    return _quadratic(away, spread, arms - 1)


def correlation(tables, of_arms: Array | None = None, scores: Scores | Array = "table") -> Estimate:
    """Whether the outcome rises or falls from arm to arm: one degree of freedom.

    Args:
      of_arms: scores of the arms, (arms,); their numbers if None. `scores`: as in `row_means`.
    """
    tables = _counts(tables)
    arms = tables.shape[1]
    n, rows, columns = _margins(tables)
    points = _scores(scores, columns, n)
    doses = jnp.arange(arms, dtype=float) if of_arms is None else jnp.asarray(of_arms, float)
    about = points - (jnp.sum(columns * points, axis=1) / n)[:, None]
    from_mean = doses[None, :] - (rows @ doses / n)[:, None]
    away = jnp.einsum("sac,sa,sc->", tables, from_mean, about)
    variance = jnp.sum(rows * from_mean**2, axis=1) * jnp.sum(columns * about**2, axis=1) / jnp.maximum(n - 1, 1.0)
    return _quadratic(away[None], jnp.sum(variance)[None, None], 1)


def mantel_haenszel(tables, correction: bool = False) -> Estimate:
    """The signed test that one of two arms responds more often; `estimate` is the sum of observed minus expected.

    Args:
      tables: (strata, 2, 2); arm 1 against arm 0, outcome 1 against outcome 0.
      correction: of continuity, one half.
    """
    tables = _two_by_two(tables)
    n, rows, columns = _margins(tables)
    away = jnp.sum(tables[:, 1, 1] - rows[:, 1] * columns[:, 1] / n)
    variance = jnp.sum(rows.prod(axis=1) * columns.prod(axis=1) / (n * n * jnp.maximum(n - 1, 1.0)))
    flag = _empty(tables) | jnp.where(variance > 0, 0, int(Flag.NO_VARIATION))
    size = jnp.maximum(jnp.abs(away) - (0.5 if correction else 0.0), 0.0) * jnp.sign(away)
    z = size / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
    nan = jnp.asarray(jnp.nan)
    found = Estimate(away, jnp.sqrt(variance), nan, nan, z, jnp.asarray(jnp.inf), two_sided(z, jnp.inf), flag)
    return spoil(found, flag)


def common_difference(tables, level: float = 0.95) -> Estimate:
    """Mantel-Haenszel risk difference with Sato's variance [Sato 1989, Biometrics 45:1323]; p is Wald's.

    The test of no difference that does not depend on the estimate is `mantel_haenszel`.
    """
    tables = _two_by_two(tables)
    n, rows, _ = _margins(tables)
    n1, n0, x1, x0 = rows[:, 1], rows[:, 0], tables[:, 1, 1], tables[:, 0, 1]
    weight = jnp.sum(n1 * n0 / n)
    estimate = jnp.sum((x1 * n0 - x0 * n1) / n) / jnp.where(weight > 0, weight, jnp.nan)
    P = jnp.sum((n1**2 * x0 - n0**2 * x1 + n1 * n0 * (n0 - n1) / 2) / n**2)
    Q = jnp.sum((x1 * (n0 - x0) + x0 * (n1 - x1)) / (2 * n))
    variance = jnp.maximum(estimate * P + Q, 0.0) / weight**2
    # Rounding leaves crumbs where the variance is zero.
    found = wald(estimate, jnp.sqrt(jnp.where(variance > 1e-14, variance, 0.0)), level)
    return spoil(found, _empty(tables))._replace(estimate=estimate)


def common_odds_ratio(tables, level: float = 0.95) -> Estimate:
    """Logarithm of the Mantel-Haenszel odds ratio, variance of Robins et al. [1986, Biometrics 42:311]."""
    tables = _two_by_two(tables)
    n, _, _ = _margins(tables)
    a, b, c, d = tables[:, 1, 1], tables[:, 1, 0], tables[:, 0, 1], tables[:, 0, 0]
    R, S = a * d / n, b * c / n
    P, Q = (a + d) / n, (b + c) / n
    r, s = R.sum(), S.sum()
    exists = (r > 0) & (s > 0)
    r, s = jnp.where(exists, r, 1.0), jnp.where(exists, s, 1.0)
    variance = (P * R).sum() / (2 * r * r) + (P * S + Q * R).sum() / (2 * r * s) + (Q * S).sum() / (2 * s * s)
    flag = _empty(tables) | jnp.where(exists, 0, int(Flag.NO_VARIATION))
    return spoil(wald(jnp.log(r / s), jnp.sqrt(variance), level), flag)


def _counts(tables) -> Array:
    tables = jnp.asarray(tables, float)
    if tables.ndim != 3 or min(tables.shape[1:]) < 2:
        raise ValueError(f"tables of shape {tables.shape}: expected (strata, 2 or more arms, 2 or more outcomes)")
    if concrete(tables) and not bool((tables >= 0).all()):
        raise ValueError(f"a count of {float(tables.min()):g}: expected 0 or more")
    return tables


def _two_by_two(tables) -> Array:
    tables = _counts(tables)
    if tables.shape[1:] != (2, 2):
        raise ValueError(f"tables of shape {tables.shape}: expected (strata, 2, 2)")
    return tables


def _margins(tables: Array) -> tuple[Array, Array, Array]:
    """People of each stratum (1 if none, which adds nothing), of each arm and of each outcome."""
    return jnp.maximum(tables.sum(axis=(1, 2)), 1.0), tables.sum(axis=2), tables.sum(axis=1)


def _spread(margin: Array, n: Array) -> Array:
    """n diag(margin) - margin margin', (strata, k, k)."""
    eye = jnp.eye(margin.shape[1])
    return n[:, None, None] * margin[:, :, None] * eye[None] - margin[:, :, None] * margin[:, None, :]


def _scores(scores: Scores | Array, columns: Array, n: Array) -> Array:
    if isinstance(scores, str):
        if scores not in ("table", "ridit"):
            raise ValueError(f"scores {scores!r}: expected table, ridit or one number an outcome")
        if scores == "table":
            return jnp.broadcast_to(jnp.arange(columns.shape[1], dtype=float)[None, :], columns.shape)
        before = jnp.cumsum(columns, axis=1) - columns
        return (before + (columns + 1) / 2) / (n[:, None] + 1)
    return jnp.broadcast_to(jnp.asarray(scores, float)[None, :], columns.shape)


def _quadratic(away: Array, spread: Array, df: int) -> Estimate:
    """away' spread^-1 away; a margin that is empty takes no degree of freedom."""
    inverse = invert(spread)
    lost = jnp.where(inverse.rank > 0, 0, int(Flag.NO_VARIATION))
    # In a row or column that holds nobody nothing is left to test.
    return chi_squared(away @ inverse.matrix @ away, jnp.minimum(inverse.rank, df), lost)


def _empty(tables: Array) -> Array:
    both = (tables.sum(axis=2) > 0).all(axis=1)
    return jnp.where(both.any(), 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
