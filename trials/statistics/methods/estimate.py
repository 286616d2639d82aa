"""What every method gives back, what may be wrong with it, and the normal and t distributions for kernels.

Kernels in JAX serve one replicate and run under `jit` and `vmap`; the same code takes NumPy arrays. A degenerate
replicate is never dropped: its flag says what happened, its p-value is 1, and what does not exist is NaN.
"""

from enum import IntFlag
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.scipy import special


class Flag(IntFlag):
    """What is the matter with an estimate; several may be set at once."""

    FINE = 0
    EMPTY_ARM = 1  # an arm, or everybody, brings nothing
    NO_VARIATION = 2  # the data leave no variance: all or none respond, all values equal
    NO_EVENTS = 4  # nothing happened that the method could count
    SEPARATION = 8  # the covariates predict the outcome without error: no finite maximum of the likelihood
    NOT_CONVERGED = 16  # the iterations ended before the estimate settled
    DETERMINED = 32  # the covariates determine who is in the arm: nothing can be compared
    TOO_FEW = 64  # no degrees of freedom are left
    NOT_REACHED = 128  # the quantity lies beyond the end of the observations


SAYS = {
    Flag.EMPTY_ARM: "an arm brings no value",
    Flag.NO_VARIATION: "the values do not vary, so there is no variance",
    Flag.NO_EVENTS: "there are no events",
    Flag.SEPARATION: "the covariates predict the outcome without error (separation)",
    Flag.NOT_CONVERGED: "the iterations did not converge",
    Flag.DETERMINED: "the covariates determine the arm",
    Flag.TOO_FEW: "too few values for the model",
    Flag.NOT_REACHED: "not reached within the observations",
}


class Estimate(NamedTuple):
    """An estimate with its uncertainty and its two-sided test of no effect.

    `df` is infinite where the test is by the normal distribution, and the number of degrees of freedom of a
    chi-squared test. What a method does not have is NaN; `p` is 1 where the data are degenerate.
    """

    estimate: Any
    se: Any
    low: Any
    high: Any
    statistic: Any
    df: Any
    p: Any
    flag: Any  # bits of `Flag`


def says(flag: Any) -> str:
    """The flags in words; empty if all is well.

    >>> says(5)
    'an arm brings no value; there are no events'
    """
    return "; ".join(words for bit, words in SAYS.items() if int(flag) & bit)


# Compiled, since methods of one table call it by itself, and its hundred steps one by one take 25 times as long.
@partial(jax.jit, static_argnames="level")
def wald(estimate: Any, se: Any, level: float = 0.95, df: Any = jnp.inf, flag: Any = 0) -> Estimate:
    """Limits and test from an estimate and its standard error, by the normal or the t distribution.

    Where the standard error is zero or not a number there are no limits, p is 1, and a flag says so.
    """
    estimate, se = jnp.asarray(estimate, float), jnp.asarray(se, float)
    df = jnp.asarray(df, float)
    flag = jnp.asarray(flag, jnp.int32)
    finite = jnp.isfinite(estimate)
    flawed = ~(finite & (se > 0) & jnp.isfinite(se) & (df > 0))
    flag = jnp.where(flawed & (flag == 0), int(Flag.NO_VARIATION), flag)
    safe = jnp.where(flawed, 1.0, se)
    statistic = jnp.where(flawed, jnp.nan, estimate / safe)
    half = jnp.where(flawed, jnp.nan, critical(level, jnp.where(df > 0, df, 1.0)) * safe)
    p = jnp.where(flawed, 1.0, two_sided(jnp.where(flawed, 0.0, estimate / safe), jnp.where(df > 0, df, 1.0)))
    return Estimate(estimate, jnp.where(flawed, jnp.nan, se), estimate - half, estimate + half, statistic, df, p, flag)


def chi_squared(statistic: Any, df: Any, flag: Any = 0) -> Estimate:
    """A test without an estimate."""
    statistic, df = jnp.asarray(statistic, float), jnp.asarray(df, float)
    flag = jnp.asarray(flag, jnp.int32)
    flawed = ~(jnp.isfinite(statistic) & (df > 0))
    flag = jnp.where(flawed & (flag == 0), int(Flag.NO_VARIATION), flag)
    p = special.gammaincc(jnp.where(flawed, 1.0, df) / 2, jnp.where(flawed, 0.0, jnp.maximum(statistic, 0.0)) / 2)
    nan = jnp.full_like(statistic, jnp.nan)
    return Estimate(nan, nan, nan, nan, jnp.where(flawed, jnp.nan, statistic), df, jnp.where(flawed, 1.0, p), flag)


def spoil(found: Estimate, flag: Any) -> Estimate:
    """An estimate that does not exist where `flag` is set: everything NaN but the flag, the p-value 1."""
    flag = jnp.asarray(flag, jnp.int32)
    bad = flag > 0
    numbers = (jnp.where(bad, jnp.nan, jnp.asarray(value, float)) for value in found[:6])
    return Estimate._make([*numbers, jnp.where(bad, 1.0, found.p), found.flag | flag])


def plain(found: Estimate) -> Estimate:
    """The same with Python's own numbers."""
    return Estimate._make([*(float(value) for value in found[:7]), Flag(int(found.flag))])


def nothing(flag: Flag, estimate: float = np.nan) -> Estimate:
    """An estimate that does not exist, with the reason."""
    return Estimate(estimate, np.nan, np.nan, np.nan, np.nan, np.nan, 1.0, flag)


def normal_quantile(level: float) -> float:
    """The two-sided critical value of the normal distribution.

    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    from scipy.stats import norm

    check_level(level)
    return float(norm.isf((1 - level) / 2))


def critical(level: float, df: Any) -> Array:
    """The two-sided critical value of t; of the normal distribution where `df` is infinite.

    Newton steps on the logarithms of the tail and of the value. The tail is concave there, so the steps cannot
    miss; those of the normal distribution are where it begins.
    """
    df = jnp.asarray(df, float)
    start = normal_quantile(level)
    finite = jnp.isfinite(df)
    n = jnp.where(finite, df, 1.0)
    constant = special.gammaln((n + 1) / 2) - special.gammaln(n / 2) - 0.5 * jnp.log(n * jnp.pi)
    q = jnp.full_like(n, start)
    for _ in range(7):
        tail = two_sided(q, n)
        density = jnp.exp(constant - (n + 1) / 2 * jnp.log1p(q * q / n))
        q = q * jnp.exp((jnp.log(tail) - jnp.log(1 - level)) * tail / (2 * density * q))
    return jnp.where(finite, q, start)


def two_sided(statistic: Any, df: Any) -> Array:
    """Two-sided p-value by t, or by the normal distribution where `df` is infinite."""
    statistic, df = jnp.asarray(statistic, float), jnp.asarray(df, float)
    finite = jnp.isfinite(df)
    n = jnp.where(finite, df, 1.0)
    t = special.betainc(n / 2, jnp.full_like(n, 0.5), n / (n + statistic**2))
    return jnp.where(finite, t, special.erfc(jnp.abs(statistic) / jnp.sqrt(2.0)))


def concrete(*values: Any) -> bool:
    """Whether values can be looked at, which is not so while JAX compiles."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def check_level(level: float) -> None:
    """Refuse a confidence level that is none."""
    if not 0 < level < 1:
        raise ValueError(f"confidence level {level}: expected a number between 0 and 1, such as 0.95")


def check_counts(events: Any, n: Any) -> None:
    """Refuse counts of responders that cannot be."""
    if concrete(events, n):
        x, size = np.broadcast_arrays(np.asarray(events, float), np.asarray(n, float))
        odd = ~((x >= 0) & (x <= size))
        if odd.any():
            raise ValueError(f"{x[odd][0]:g} responders among {size[odd][0]:g} is impossible: expected 0 to n")


def check_binary(name: str, values: Any, weight: Any = None) -> None:
    """Refuse values other than 0 and 1, among those that count."""
    if concrete(values, weight):
        seen = _that_count(values, weight)
        odd = seen[~((seen == 0) | (seen == 1))]
        if odd.size:
            raise ValueError(f"{name} holds {odd[0]:g}: expected 0 and 1 only")


def check_finite(name: str, values: Any, weight: Any = None) -> None:
    """Refuse values that are not numbers, among those that count."""
    if concrete(values, weight):
        seen = _that_count(values, weight)
        if not np.isfinite(seen).all():
            raise ValueError(f"{name} holds a value that is not a finite number; leave it out by its weight")


def check_lengths(**columns: Any) -> None:
    """Refuse columns of different length."""
    lengths = {name: np.shape(column)[0] if np.ndim(column) else 1 for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {', '.join(f'{n} {k}' for n, k in lengths.items())}")


def check_strata(name: str, values: Any, levels: int, weight: Any = None) -> None:
    """Refuse codes other than 0 to `levels` - 1, among those that count."""
    if levels < 1:
        raise ValueError(f"{name}: expected one level or more, got {levels}")
    if concrete(values, weight):
        seen = _that_count(values, weight)
        odd = seen[~((seen >= 0) & (seen < levels) & (seen == np.round(seen)))]
        if odd.size:
            raise ValueError(f"{name} holds {odd[0]:g}: expected whole numbers from 0 to {levels - 1}")


def _that_count(values: Any, weight: Any) -> np.ndarray:
    values = np.asarray(values, float)
    return values if weight is None else values[np.asarray(weight, float) > 0]
