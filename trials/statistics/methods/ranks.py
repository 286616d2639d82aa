"""Ranks within strata: the tests of Wilcoxon and van Elteren as a kernel of one replicate."""

import jax.numpy as jnp
from jax import Array

from .ancova import empty_arm
from .estimate import Estimate, Flag, check_binary, check_finite, check_lengths, check_strata, spoil, two_sided
from .logrank import run_ends


def van_elteren(
    outcome: Array,
    arm: Array,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
) -> Estimate:
    """Wilcoxon's rank-sum tests of the strata, weighted by 1 / (n + 1) [van Elteren 1960, Bull Inst Int Stat 37:351].

    With one stratum it is Wilcoxon's test, variance corrected for ties, without a continuity correction. The two-arm
    row-mean-scores test on modified ridits gives the same (z^2).

    Args:
      outcome: (n,); arm: 1 or 0; stratum: 0 to `strata` - 1; weight: 1 where a person counts, else 0.

    Returns:
      `estimate`: P(arm's outcome is larger) + P(equal)/2, strata weighted as in the test (Mann-Whitney); `statistic`:
      signed, positive where the arm has larger values; `se`: of the estimate if the arms are equal.
    """
    check_lengths(outcome=outcome, arm=arm)
    arm = jnp.asarray(arm, float)
    weight = jnp.ones_like(arm) if weight is None else jnp.asarray(weight, float)
    check_binary("arm", arm, weight)
    check_finite("outcome", outcome, weight)
    stratum = jnp.zeros(arm.shape, jnp.int32) if stratum is None else jnp.asarray(stratum, jnp.int32)
    check_strata("stratum", stratum, strata, weight)
    rank, group, active, live = midranks(jnp.asarray(outcome, float), arm, stratum, strata, weight)
    of = (group[None, :] == jnp.arange(strata, dtype=jnp.int32)[:, None]).astype(float) * live[None, :]
    n, n1 = of.sum(axis=1), of @ active
    n0 = n - n1
    mean = (n + 1) / 2
    about = (rank[None, :] - mean[:, None]) * of
    square = jnp.sum(about**2, axis=1)
    score = about @ active
    variance = n1 * n0 / jnp.maximum(n * (n - 1), 1.0) * square
    weigh = 1 / (n + 1)
    total, spread = weigh @ score, weigh**2 @ variance
    # The rank sum moves the Mann-Whitney share by 1 / (n1 n0); in the stratified test strata count by n1 n0 / (n + 1).
    pairs = jnp.sum(weigh * n1 * n0)
    still = jnp.where(spread > 0, 0, int(Flag.NO_VARIATION))
    one_armed = jnp.where(pairs > 0, 0, int(Flag.EMPTY_ARM))
    flag = (empty_arm(arm, weight) | one_armed | jnp.where(one_armed > 0, 0, still)).astype(jnp.int32)
    sd = jnp.sqrt(jnp.where(spread > 0, spread, 1.0))
    share = 0.5 + total / jnp.where(pairs > 0, pairs, 1.0)
    nan = jnp.asarray(jnp.nan)
    z = total / sd
    test = Estimate(share, sd / pairs, nan, nan, z, jnp.asarray(jnp.inf), two_sided(z, jnp.inf), flag)
    return spoil(test, flag)


def midranks(
    outcome: Array, arm: Array, stratum: Array, strata: int, weight: Array
) -> tuple[Array, Array, Array, Array]:
    """Ranks within the stratum from 1, ties at their mean; with stratum, arm and weight in the same (sorted) order."""
    group = jnp.where(weight > 0, stratum, jnp.int32(strata))
    value = jnp.where(weight > 0, outcome, 0.0)
    order = jnp.lexsort((value, group))
    group, value = group[order], value[order]
    new_group = jnp.concatenate([jnp.ones(1, bool), group[1:] != group[:-1]])
    new_value = new_group | jnp.concatenate([jnp.ones(1, bool), value[1:] != value[:-1]])
    first, last = run_ends(new_value)
    begin, _ = run_ends(new_group)
    rank = (first + last).astype(value.dtype) / 2 - begin.astype(value.dtype) + 1
    live = jnp.where(weight[order] > 0, 1.0, 0.0)
    return rank, group, jnp.where(live > 0, arm[order], 0.0), live
