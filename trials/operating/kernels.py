"""The analyses as kernels of one replicate, by the names that a study uses.

Each takes a sample and gives an estimate as in `statistics.methods`: a difference, or the logarithm of a ratio. They
agree with the routines of `cutis run`, to which a share of the replicates is given again (`recheck`).

The incomplete beta function takes most of the time that XLA needs to compile a method. So p-values and limits by t or
the normal distribution are added afterwards, for all replicates at once (`finish`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..statistics.methods import cmh, score
from ..statistics.methods.ancova import ancova
from ..statistics.methods.estimate import Estimate, Flag, normal_quantile, spoil
from ..statistics.methods.linear import Covariance
from ..statistics.methods.logistic import standardised_difference
from ..study import Analysis
from .newton import logistic


class Sample(NamedTuple):
    """Two arms of a replicate.

    outcome: (people,), anything where the weight is 0. arm: 1 or, the comparator, 0. covariates: (people, k).
    stratum: of the randomisation. weight: 1 for people of these arms with a value who are seen by this look, else 0.
    start: where a logistic model begins, (2 + k,), `newton.under`.
    """

    outcome: Array
    arm: Array
    covariates: Array
    stratum: Array
    weight: Array
    start: Array


class Kernel(NamedTuple):
    """run: from a sample, the number of strata and a level to an estimate, whose p is left to `finish`.

    estimand: what is estimated, in words. ratio: on the log scale. wald: its limits are left to `finish`, too.
    """

    run: Callable[[Sample, int, float], Estimate]
    estimand: str
    ratio: bool = False
    wald: bool = True


def kernel(analysis: Analysis) -> Kernel:
    """The kernel of an analysis, with its settings.

    Raises:
      KeyError: there is none for its method.
    """
    return KERNELS[analysis.method](analysis)


def finish(found: Estimate, level: float, wald: bool) -> Estimate:
    """The estimates of a program (arrays of NumPy) with their p-values and, where they are Wald's, their limits."""
    from scipy.stats import norm, t

    bad = (found.flag > 0) | ~np.isfinite(found.statistic)
    df = np.where(np.isfinite(found.df) & (found.df > 0), found.df, 1.0)
    by_t, size = np.isfinite(found.df), np.abs(np.where(bad, 0.0, found.statistic))
    tail = 2 * norm.sf(size)
    half = norm.isf((1 - level) / 2)
    if by_t.any():
        tail = np.where(by_t, 2 * t.sf(size, df), tail)
        few, place = np.unique(df, return_inverse=True)  # the quantile is slow
        half = np.where(by_t, t.isf((1 - level) / 2, few)[place].reshape(df.shape), half)
    low, high = (
        (found.estimate - half * found.se, found.estimate + half * found.se) if wald else (found.low, found.high)
    )
    return found._replace(low=low, high=high, p=np.where(bad, 1.0, tail))


def _ancova(analysis: Analysis) -> Kernel:
    covariance: Covariance = "classical" if analysis.options.variance == "classical" else "HC3"

    def run(sample: Sample, strata: int, level: float) -> Estimate:
        outcome, arm, covariates, _, weight, _ = sample
        wide = covariates if covariates.shape[1] else None
        return ancova(outcome, arm, wide, weight=weight, covariance=covariance, level=level).difference

    return Kernel(run, "difference in means")


def _logistic(analysis: Analysis) -> Kernel:
    def run(sample: Sample, strata: int, level: float) -> Estimate:
        outcome, arm, covariates, _, weight, start = sample
        found = logistic(outcome, arm, covariates, weight, start, level)
        return spoil(found, _all_or_none(sample))

    return Kernel(run, "log odds ratio given the covariates", ratio=True)


def _g_computation(analysis: Analysis) -> Kernel:
    given = analysis.options.variance
    variance = given if given in ("ge", "hc0", "hc3") else "ye"

    def run(sample: Sample, strata: int, level: float) -> Estimate:
        outcome, arm, covariates, _, weight, _ = sample
        wide = covariates if covariates.shape[1] else None
        return standardised_difference(outcome, arm, wide, weight=weight, variance=variance, level=level)

    return Kernel(run, "risk difference")


def _miettinen_nurminen(analysis: Analysis) -> Kernel:
    stratified = analysis.options.stratified is not False

    def run(sample: Sample, strata: int, level: float) -> Estimate:
        x1, n1, x0, n0 = _counts(sample, strata if stratified else 1)
        return score.binomial(score.Pair(x1, n1, x0, n0), level=level)

    return Kernel(run, "risk difference", wald=False)


def _newcombe(analysis: Analysis) -> Kernel:
    def run(sample: Sample, strata: int, level: float) -> Estimate:
        x1, n1, x0, n0 = (count[0] for count in _counts(sample, 1))
        return newcombe(x1, n1, x0, n0, level)

    return Kernel(run, "risk difference", wald=False)


def _common_difference(analysis: Analysis) -> Kernel:
    def run(sample: Sample, strata: int, level: float) -> Estimate:
        x1, n1, x0, n0 = _counts(sample, strata)
        tables = jnp.stack([jnp.stack([n0 - x0, x0], axis=-1), jnp.stack([n1 - x1, x1], axis=-1)], axis=1)
        found, test = cmh.common_difference(tables, level), cmh.mantel_haenszel(tables)
        sato, half = jnp.isfinite(found.se), normal_quantile(level) * found.se
        low, high = hybrid(x1, n1, x0, n0, level)
        low = jnp.where(sato, jnp.maximum(-1.0, found.estimate - half), low)
        high = jnp.where(sato, jnp.minimum(1.0, found.estimate + half), high)
        flag = jnp.where(jnp.isfinite(found.estimate), 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
        # Without variation nothing speaks against equal arms.
        z = jnp.where(flag > 0, jnp.nan, jnp.nan_to_num(test.statistic))
        return Estimate(found.estimate, found.se, low, high, z, test.df, test.p, flag)

    return Kernel(run, "risk difference", wald=False)


KERNELS: dict[str, Callable[[Analysis], Kernel]] = {
    "ancova": _ancova,
    "logistic": _logistic,
    "g_computation": _g_computation,
    "miettinen_nurminen": _miettinen_nurminen,
    "newcombe": _newcombe,
    "cochran_mantel_haenszel": _common_difference,
}


def newcombe(x1: Array, n1: Array, x0: Array, n0: Array, level: float) -> Estimate:
    """Difference of two shares: Newcombe's hybrid of two Wilson intervals and the chi-squared test, pooled variance.

    With all or none responding in both arms p is 1 [Newcombe 1998, Stat Med 17:873].
    """
    one, two = _wilson(x1, n1, level), _wilson(x0, n0, level)
    share1, share0 = x1 / jnp.maximum(n1, 1.0), x0 / jnp.maximum(n0, 1.0)
    difference, pooled = share1 - share0, (x1 + x0) / jnp.maximum(n1 + n0, 1.0)
    below = jnp.sqrt((share1 - one[0]) ** 2 + (two[1] - share0) ** 2)
    above = jnp.sqrt((one[1] - share1) ** 2 + (share0 - two[0]) ** 2)
    variance = pooled * (1 - pooled) * (1 / jnp.maximum(n1, 1.0) + 1 / jnp.maximum(n0, 1.0))
    z = jnp.where(variance > 0, difference / jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
    infinity, nan = jnp.asarray(jnp.inf), jnp.asarray(jnp.nan)
    flag = jnp.where((n1 > 0) & (n0 > 0), 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
    low, high = jnp.maximum(-1.0, difference - below), jnp.minimum(1.0, difference + above)
    return spoil(Estimate(difference, nan, low, high, z, infinity, nan, flag), flag)


def hybrid(x1: Array, n1: Array, x0: Array, n0: Array, level: float) -> tuple[Array, Array]:
    """Limits of the Mantel-Haenszel risk difference that exist for all outcomes, as `stratified.hybrid_limits`.

    Args:
      x1, n1, x0, n0: responders and people of each stratum, (strata,).
    """
    total = jnp.maximum(n1 + n0, 1.0)
    weight = n1 * n0 / total
    weight = weight / jnp.maximum(weight.sum(), 1e-300)
    z2 = normal_quantile(level) ** 2
    limits = []
    for x, n in ((x1, n1), (x0, n0)):
        size = jnp.maximum(n, 1.0)
        share, inverse = weight @ (x / size), (weight**2) @ (1 / size)  # of a simple sample with the same variance
        middle = (share + z2 * inverse / 2) / (1 + z2 * inverse)
        reach = jnp.sqrt(z2 * inverse * (share * (1 - share) + z2 * inverse / 4)) / (1 + z2 * inverse)
        low, high = jnp.clip(middle - reach, 0.0, 1.0), jnp.clip(middle + reach, 0.0, 1.0)
        limits.append((share, inverse, low, high))
    (share1, inverse1, low1, high1), (share0, inverse0, low0, high0) = limits
    below = jnp.sqrt(z2 * (inverse1 * low1 * (1 - low1) + inverse0 * high0 * (1 - high0)))
    above = jnp.sqrt(z2 * (inverse1 * high1 * (1 - high1) + inverse0 * low0 * (1 - low0)))
    difference = share1 - share0
    return jnp.maximum(-1.0, difference - below), jnp.minimum(1.0, difference + above)


def _wilson(x: Array, n: Array, level: float) -> tuple[Array, Array]:
    z2, size = normal_quantile(level) ** 2, jnp.maximum(n, 1.0)
    share = x / size
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = jnp.sqrt(z2 * (share * (1 - share) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return jnp.minimum(share, jnp.maximum(0.0, middle - half)), jnp.maximum(share, jnp.minimum(1.0, middle + half))


def _counts(sample: Sample, strata: int) -> tuple[Array, Array, Array, Array]:
    """Responders and people of the arm and of the comparator by stratum, (strata,) each."""
    outcome = jnp.where(sample.weight > 0, sample.outcome, 0.0)
    arm, other = sample.weight * sample.arm, sample.weight * (1 - sample.arm)
    columns = jnp.stack([arm * outcome, arm, other * outcome, other])
    if strata == 1:
        return tuple(columns.sum(axis=1, keepdims=True))  # pyright: ignore[reportReturnType]
    of = (sample.stratum[:, None] == jnp.arange(strata)[None, :]).astype(float)
    return tuple(columns @ of)  # pyright: ignore[reportReturnType]


def _all_or_none(sample: Sample) -> Array:
    """Set where all or none of an arm respond: no finite odds ratio fits."""
    x1, n1, x0, n0 = (count[0] for count in _counts(sample, 1))
    no = (x1 <= 0) | (x1 >= n1) | (x0 <= 0) | (x0 >= n0)
    return jnp.where(no, int(Flag.SEPARATION), 0).astype(jnp.int32)
