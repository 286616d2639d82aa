"""The analyses as kernels of one replicate, by the names that a study uses.

Each takes a sample and gives an estimate as in `statistics.methods`: a difference, or the logarithm of a ratio. They
agree with the routines of `cutis run`, to which a share of the replicates is given again (`recheck`).

The incomplete beta function takes most of the time that XLA needs to compile a method. So p-values and limits by t or
the normal distribution are added afterwards, for all replicates at once (`finish`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..statistics.estimands import SUMMARIES
from ..statistics.methods import cmh, ranks
from ..statistics.methods.estimate import Estimate, Flag, normal_quantile, spoil, wald
from ..statistics.methods.logistic import standardised_difference
from ..statistics.methods.logrank import logrank
from ..statistics.methods.score import Pair
from ..study import Analysis
from . import counted, graded, imputed, passes, repeated, timed
from .gaps import imputes
from .limits import score_difference
from .newton import logistic
from .sample import Sample


class Kernel(NamedTuple):
    """run: from samples, the number of strata and a level to estimates, (samples,), whose p is left to `finish`.

    estimand: what is estimated, in words. ratio: on the log scale. wald: its limits are left to `finish`, too.
    begins: it is sooner done from the fit to the pool. graded: outcomes are numbers of grades, from 0.
    """

    run: Callable[[Sample, int, float], Estimate]
    estimand: str
    ratio: bool = False
    wald: bool = True
    begins: bool = False
    graded: bool = False


def kernel(analysis: Analysis) -> Kernel:
    """The kernel of an analysis, with its settings.

    Raises:
      KeyError: there is none for its method.
    """
    found = KERNELS[analysis.method](analysis)
    return _imputed(analysis, found) if imputes(analysis) else found


def alone(run: Callable[[Sample, int, float], Estimate]) -> Callable[[Sample, int, float], Estimate]:
    """A kernel of one sample, over many side by side."""
    axes: Any = Sample(*(-1, -1, -1, -1, -1, None, -1, None, -1, -1))  # pyright: ignore[reportArgumentType]

    def many(samples: Sample, strata: int, level: float) -> Estimate:
        return jax.vmap(lambda one: run(one, strata, level), in_axes=(axes,), out_axes=-1)(samples)

    return many


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
    robust = analysis.options.variance != "classical"

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        found = passes.least_squares(samples.people(), samples.seen, robust)
        flag = jnp.where(found.kept > 0, 0, int(Flag.DETERMINED)) | jnp.where(found.df > 0, 0, int(Flag.TOO_FEW))
        se = jnp.sqrt(found.variance)
        se = jnp.where(se > 1e-12 * (found.largest + jnp.abs(found.estimate)), se, 0.0)
        told = jax.vmap(lambda b, s, n, bad: wald(b, s, level, n, bad))(found.estimate, se, found.df, flag)
        return spoil(told, _empty(samples))

    return Kernel(run, "difference in means")


def _logistic(analysis: Analysis) -> Kernel:
    def run(samples: Sample, strata: int, level: float) -> Estimate:
        found = logistic(samples.people(), samples.start, samples.seen, level)
        return spoil(found, _empty(samples) | _all_or_none(samples))

    return Kernel(run, "log odds ratio given the covariates", ratio=True, begins=True)


def _g_computation(analysis: Analysis) -> Kernel:
    given = analysis.options.variance
    variance = given if given in ("ge", "hc0", "hc3") else "ye"

    def run(sample: Sample, strata: int, level: float) -> Estimate:
        wide = sample.covariates.T if sample.covariates.shape[0] else None
        return standardised_difference(
            sample.outcome, sample.arm, wide, weight=sample.weight, variance=variance, level=level
        )

    return Kernel(alone(run), "risk difference")


def _miettinen_nurminen(analysis: Analysis) -> Kernel:
    stratified = analysis.options.stratified is not False

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        counts = Pair(*_counts(samples, strata if stratified else 1))
        return jax.vmap(lambda one: score_difference(one, level), in_axes=-1, out_axes=-1)(counts)

    return Kernel(run, "risk difference", wald=False)


def _newcombe(analysis: Analysis) -> Kernel:
    def run(samples: Sample, strata: int, level: float) -> Estimate:
        x1, n1, x0, n0 = (count[0] for count in _counts(samples, 1))
        return jax.vmap(lambda a, b, c, d: newcombe(a, b, c, d, level))(x1, n1, x0, n0)

    return Kernel(run, "risk difference", wald=False)


def _common_difference(analysis: Analysis) -> Kernel:
    def of_one(x1: Array, n1: Array, x0: Array, n0: Array, level: float) -> Estimate:
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

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        return jax.vmap(lambda a, b, c, d: of_one(a, b, c, d, level), -1, out_axes=-1)(*_counts(samples, strata))

    return Kernel(run, "risk difference", wald=False)


def _negative_binomial(analysis: Analysis) -> Kernel:
    observed = analysis.options.variance != "expected"

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        return spoil(counted.negative_binomial(samples.people(), samples.seen, observed, level), _empty(samples))

    return Kernel(run, "log ratio of mean counts given the covariates", ratio=True)


def _proportional_odds(analysis: Analysis) -> Kernel:
    def run(samples: Sample, strata: int, level: float) -> Estimate:
        grades = samples.start.shape[0] - samples.covariates.shape[0]  # cuts, covariates and arm: one more than grades
        return spoil(graded.proportional_odds(samples.people(), grades, samples.seen, level), _empty(samples))

    return Kernel(run, "log cumulative odds ratio given the covariates", ratio=True, graded=True)


def _van_elteren(analysis: Analysis) -> Kernel:
    def run(one: Sample, strata: int, level: float) -> Estimate:
        stratum, many = (one.stratum, strata) if analysis.options.stratified is not False else (None, 1)
        stratum = None if stratum is None else stratum.astype(jnp.int32)
        found = ranks.van_elteren(one.outcome, one.arm, stratum, many, one.weight)
        return found._replace(estimate=2 * found.estimate - 1, se=2 * found.se)

    return Kernel(alone(run), "Mann-Whitney difference", wald=False)


def _log_rank(analysis: Analysis) -> Kernel:
    def run(one: Sample, strata: int, level: float) -> Estimate:
        stratum, many = (one.stratum, strata) if analysis.options.stratified is not False else (None, 1)
        return logrank(one.more[0], one.outcome, one.arm, stratum, many, one.weight)

    return Kernel(alone(run), "observed minus expected events", wald=False)


def _cox(analysis: Analysis) -> Kernel:
    ties = analysis.options.ties or "efron"

    def run(one: Sample, strata: int, level: float) -> Estimate:
        stratum, many = (one.stratum, strata) if analysis.options.stratified is not False else (one.stratum * 0, 1)
        columns = jnp.concatenate([one.covariates, one.arm[None]]).T
        return timed.cox(one.more[0], one.outcome, columns, stratum, many, one.weight, ties, level)

    def checked(samples: Sample, strata: int, level: float) -> Estimate:
        return spoil(alone(run)(samples, strata, level), _empty(samples))

    return Kernel(checked, "log hazard ratio given the covariates", ratio=True)


def _kaplan_meier(analysis: Analysis) -> Kernel:
    until = float(analysis.week - (analysis.options.from_week or 0))

    def run(one: Sample, strata: int, level: float) -> Estimate:
        return timed.shares(one.more[0], one.outcome, one.arm, one.weight, until, level)

    return Kernel(alone(run), "difference in shares with the event")


def _restricted_mean(analysis: Analysis) -> Kernel:
    until = float(analysis.week - (analysis.options.from_week or 0))

    def run(one: Sample, strata: int, level: float) -> Estimate:
        return timed.restricted_mean(one.more[0], one.outcome, one.arm, one.weight, until, level)

    return Kernel(alone(run), "difference in restricted mean time")


def _imputed(analysis: Analysis, of: Kernel) -> Kernel:
    responder = analysis.method != "ancova"

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        return spoil(imputed.compare(samples, analysis, of.run, responder, strata, level), _empty(samples))

    return of._replace(run=run, wald=True, begins=False)


def _mmrm(analysis: Analysis) -> Kernel:
    def run(samples: Sample, strata: int, level: float) -> Estimate:
        return spoil(repeated.compare(samples, analysis), _empty(samples))

    return Kernel(run, "difference in adjusted means")


def _of_sides(analysis: Analysis) -> Kernel:
    """The sides of people are compared by `paired`, which compiles nothing."""

    def run(samples: Sample, strata: int, level: float) -> Estimate:
        raise NotImplementedError(f"{analysis.method} compares sides; replicates of people have none")

    return Kernel(run, SUMMARIES[analysis.method], wald=False)


KERNELS: dict[str, Callable[[Analysis], Kernel]] = {
    "ancova": _ancova,
    "logistic": _logistic,
    "g_computation": _g_computation,
    "miettinen_nurminen": _miettinen_nurminen,
    "newcombe": _newcombe,
    "cochran_mantel_haenszel": _common_difference,
    "negative_binomial": _negative_binomial,
    "proportional_odds": _proportional_odds,
    "van_elteren": _van_elteren,
    "log_rank": _log_rank,
    "cox": _cox,
    "kaplan_meier": _kaplan_meier,
    "restricted_mean": _restricted_mean,
    "mmrm": _mmrm,
    "paired_t": _of_sides,
    "mcnemar": _of_sides,
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


def _counts(samples: Sample, strata: int) -> tuple[Array, Array, Array, Array]:
    """Responders and people of the arm and of the comparator by stratum, (strata, samples) each."""
    arm, other = samples.weight * samples.arm, samples.weight * (1 - samples.arm)
    columns = (arm * samples.outcome, arm, other * samples.outcome, other)
    if strata == 1:
        return tuple(column.sum(axis=0)[None, :] for column in columns)  # pyright: ignore[reportReturnType]

    def of(stratum: Array) -> tuple[Array, ...]:
        mine = (samples.stratum == stratum).astype(float)
        return tuple((mine * column).sum(axis=0) for column in columns)

    return lax.map(of, jnp.arange(strata))  # pyright: ignore[reportReturnType]


def _empty(samples: Sample) -> Array:
    """Set where everybody who counts is in the same arm, or nobody counts."""
    n, n1 = samples.weight.sum(axis=0), (samples.weight * samples.arm).sum(axis=0)
    return jnp.where((n1 > 0) & (n1 < n), 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)


def _all_or_none(samples: Sample) -> Array:
    """Set where all or none of an arm respond: no finite odds ratio fits."""
    x1, n1, x0, n0 = (count[0] for count in _counts(samples, 1))
    no = (x1 <= 0) | (x1 >= n1) | (x0 <= 0) | (x0 >= n0)
    return jnp.where(no, int(Flag.SEPARATION), 0).astype(jnp.int32)
