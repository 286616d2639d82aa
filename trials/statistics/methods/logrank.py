"""Log-rank tests, weighted and stratified, and the largest of several: kernels of one replicate."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .ancova import empty_arm
from .estimate import Estimate, Flag, check_binary, check_lengths, check_strata, concrete, spoil, two_sided
from .normal import any_beyond

Weighting = Literal["gehan", "tarone-ware", "peto", "modified-peto"]


class AtRisk(NamedTuple):
    """People in order of stratum and time; each is told who is at risk at its time in its stratum."""

    event: Array  # 1 if it happened and counts
    arm: Array
    n: Array  # at risk
    n1: Array  # of these, in the arm
    d: Array  # events at this time
    before: Array  # Kaplan-Meier survival of both arms together, just before this time
    peto: Array  # survival by product of 1 - d/(n + 1), at this time


class Family(NamedTuple):
    """Scores of several weightings and their covariance."""

    score: Array  # observed minus expected events of the arm, (weightings,)
    covariance: Array
    flag: Array


def logrank(
    time: Array,
    event: Array,
    arm: Array,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
    weighting: Weighting | tuple[float, float] = (0.0, 0.0),
) -> Estimate:
    """Weighted log-rank test of two arms; `statistic` is signed, positive where the arm has more events.

    Args:
      time: of event or censoring, 0 or more, (n,); event: 1 or 0; arm: 1 or 0.
      stratum: 0 to `strata` - 1 or None. weight: 1 where a person counts, else 0.
      weighting: (rho, gamma) of Fleming and Harrington's S^rho (1 - S)^gamma [1991, Counting Processes and
        Survival Analysis], S the survival of both arms just before; or a name.

    Returns:
      `estimate`: observed minus expected events, weighted; `se`: the root of its hypergeometric variance.
    """
    found = family(time, event, arm, stratum, strata, weight, (weighting,))
    score, variance = found.score[0], found.covariance[0, 0]
    z = score / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
    nan = jnp.asarray(jnp.nan)
    test = Estimate(
        score, jnp.sqrt(variance), nan, nan, z, jnp.asarray(jnp.inf), two_sided(z, jnp.inf), jnp.zeros((), jnp.int32)
    )
    return spoil(test, found.flag)


def max_combo(
    time: Array,
    event: Array,
    arm: Array,
    stratum: Array | None = None,
    strata: int = 1,
    weight: Array | None = None,
    weightings: tuple[tuple[float, float], ...] = ((0, 0), (1, 0), (0, 1), (1, 1)),
) -> Estimate:
    """The most extreme of several Fleming-Harrington tests, two-sided [Lin et al. 2020, Stat Biopharm Res 12:187].

    `statistic` is the signed one; p comes from the joint normal distribution of all.
    """
    found = family(time, event, arm, stratum, strata, weight, weightings)
    sd = jnp.sqrt(jnp.where(jnp.diagonal(found.covariance) > 0, jnp.diagonal(found.covariance), 1.0))
    z = found.score / sd
    most = jnp.argmax(jnp.abs(z))
    p = any_beyond(jnp.abs(z[most]), found.covariance / jnp.outer(sd, sd))
    nan = jnp.asarray(jnp.nan)
    test = Estimate(nan, nan, nan, nan, z[most], jnp.asarray(jnp.inf), p, jnp.zeros((), jnp.int32))
    return spoil(test, found.flag)


def family(
    time: Array,
    event: Array,
    arm: Array,
    stratum: Array | None,
    strata: int,
    weight: Array | None,
    weightings: tuple[Weighting | tuple[float, float], ...],
) -> Family:
    """Scores of several weightings on the same people, and their covariance.

    Raises:
      ValueError: negative times, events or arms other than 0 and 1, unknown strata.
    """
    arm = jnp.asarray(arm, float)
    weight = jnp.ones_like(arm) if weight is None else jnp.asarray(weight, float)
    check_binary("arm", arm, weight)
    risk = at_risk(time, event, arm, stratum, strata, weight)
    share = risk.n1 / jnp.maximum(risk.n, 1.0)
    rare = jnp.where(risk.n > 1, (risk.n - risk.d) / jnp.maximum(risk.n - 1, 1.0), 0.0)
    weights = jnp.stack([_weights(weighting, risk) for weighting in weightings])
    # Everybody with an event brings the expectation at its time, so ties count as often as they are.
    score = weights @ (risk.event * (risk.arm - share))
    variance = risk.event * share * (1 - share) * rare
    covariance = (weights * variance[None, :]) @ weights.T
    nobody = jnp.where(risk.event.sum() > 0, 0, int(Flag.NO_EVENTS))
    still = jnp.where((nobody == 0) & (jnp.diagonal(covariance) <= 0).any(), int(Flag.NO_VARIATION), 0)
    flag = (nobody | still | empty_arm(arm, weight)).astype(jnp.int32)
    return Family(score, covariance, flag)


def at_risk(time: Array, event: Array, arm: Array, stratum: Array | None, strata: int, weight: Array) -> AtRisk:
    """People in order, with the numbers at risk."""
    check_lengths(time=time, event=event, arm=arm)
    time, event = jnp.asarray(time, float), jnp.asarray(event, float)
    check_binary("event", event, weight)
    if concrete(time, weight):
        seen = np.asarray(time)[np.asarray(weight) > 0]
        if not (np.isfinite(seen) & (seen >= 0)).all():
            raise ValueError("time holds a value that is negative or not a number")
    if stratum is None:
        stratum = jnp.zeros(time.shape, jnp.int32)
    check_strata("stratum", stratum, strata, weight)
    counts = weight > 0
    # Who does not count stands behind all others, in a stratum of its own.
    group = jnp.where(counts, jnp.asarray(stratum, jnp.int32), strata)
    moment = jnp.where(counts, time, 0.0)
    order = jnp.lexsort((moment, group))
    group, moment = group[order], moment[order]
    live = jnp.where(counts[order], 1.0, 0.0)
    event, arm = jnp.where(live > 0, event[order], 0.0), jnp.where(live > 0, arm[order], 0.0)
    new_group = jnp.concatenate([jnp.ones(1, bool), group[1:] != group[:-1]])
    new_time = new_group | jnp.concatenate([jnp.ones(1, bool), moment[1:] != moment[:-1]])
    first, last = run_ends(new_time)
    begin, end = run_ends(new_group)
    place = jnp.arange(time.shape[0])
    n = (end - first + 1).astype(time.dtype) * live
    n1 = _upto(arm, end) - _upto(arm, first - 1)
    d = _upto(event, last) - _upto(event, first - 1)
    closing = (place == last) & (live > 0)
    # Survival once a time and stratum, as a sum of logarithms; where nobody is left it ends near e^-700.
    step = jnp.where(closing, jnp.log(jnp.maximum(1 - d / jnp.maximum(n, 1.0), 1e-304)), 0.0)
    gentle = jnp.where(closing, jnp.log(1 - d / (n + 1)), 0.0)
    before = jnp.exp(_upto(step, first - 1) - _upto(step, begin - 1))
    peto = jnp.exp(_upto(gentle, last) - _upto(gentle, begin - 1))
    return AtRisk(event, arm, n, n1, d, before, peto)


def run_ends(new: Array) -> tuple[Array, Array]:
    """First and last place of the run that each place belongs to."""
    place = jnp.arange(new.shape[0])
    first = jax.lax.cummax(jnp.where(new, place, 0))
    ends = jnp.concatenate([new[1:], jnp.ones(1, bool)])
    last = jax.lax.cummin(jnp.where(ends, place, new.shape[0]), reverse=True)
    return first, last


def _upto(values: Array, place: Array) -> Array:
    """Sum of the values up to and with a place; place -1 gives 0."""
    total = jnp.concatenate([jnp.zeros(1, values.dtype), jnp.cumsum(values)])
    return total[place + 1]


def _weights(weighting: Weighting | tuple[float, float], risk: AtRisk) -> Array:
    if weighting == "gehan":
        return risk.n
    if weighting == "tarone-ware":
        return jnp.sqrt(risk.n)
    if weighting == "peto":
        return risk.peto
    if weighting == "modified-peto":
        return risk.peto * risk.n / (risk.n + 1)
    if isinstance(weighting, str):
        raise ValueError(f"weighting {weighting!r}: expected gehan, tarone-ware, peto, modified-peto or (rho, gamma)")
    rho, gamma = weighting
    if rho < 0 or gamma < 0:
        raise ValueError(f"weighting {weighting}: rho and gamma must be 0 or more")
    ones = jnp.ones_like(risk.before)
    early = risk.before**rho if rho else ones
    # The root of what rounding leaves below zero is not a number.
    late = jnp.maximum(1 - risk.before, 0.0) ** gamma if gamma else ones
    return early * late
