"""Score tests and intervals for two proportions or two rates, in strata or not: kernels of one replicate.

The variance is taken at the values most likely under the effect that is tried [Miettinen and Nurminen 1985, Stat Med
4:213; closed form for a difference: Farrington and Manning 1990, Stat Med 9:1447]. Zero and full cells need nothing of
their own. Limits are found by halving a fixed number of times.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from .estimate import Estimate, Flag, check_counts, concrete, normal_quantile, two_sided

Contrast = Literal["difference", "ratio", "odds"]
HALVINGS = 60
TINY = 1e-300


class Pair(NamedTuple):
    """Responders and sizes, or events and person-time, of an arm and its comparator; shape (strata,)."""

    x1: Array
    n1: Array
    x0: Array
    n0: Array


class Score(NamedTuple):
    """The score of an effect, its variance, and the third central moment where skewness is allowed for."""

    score: Array
    variance: Array
    third: Array


def pair(x1, n1, x0, n0) -> Pair:
    """Counts as columns, one element a stratum.

    Raises:
      ValueError: more responders than people, or fewer than none.
    """
    check_counts(x1, n1)
    check_counts(x0, n0)
    return Pair(*(jnp.atleast_1d(jnp.asarray(value, float)) for value in (x1, n1, x0, n0)))


def person_time(x1, t1, x0, t0) -> Pair:
    """Events and person-time as columns.

    Raises:
      ValueError: negative events or time.
    """
    values = [jnp.atleast_1d(jnp.asarray(value, float)) for value in (x1, t1, x0, t0)]
    if concrete(*values):
        for name, value in zip(("events", "time", "events", "time"), values, strict=True):
            if not bool((value >= 0).all()):
                raise ValueError(f"{name} {float(value.min()):g}: expected a number of 0 or more")
    return Pair(*values)


def binomial(
    counts: Pair,
    contrast: Contrast = "difference",
    level: float = 0.95,
    null: float | None = None,
    unbiased: bool = True,
    skewness: bool = False,
    correction: float = 0.0,
) -> Estimate:
    """Score interval and test for two proportions, common to the strata.

    Args:
      null: the effect that is tested; no effect if None. `se` is that of the score at it (NaN where the statistic is 0
        or the estimate infinite), and the statistic is signed.
      unbiased: variance times n/(n - 1), Miettinen and Nurminen; without it Mee's interval, Farrington and Manning's
        test.
      skewness: allow for that of the score [Gart and Nam 1990, Biometrics 46:637; Laud 2017, Pharm Stat 16:334].
      correction: of continuity, in people of the smaller arm; 0.5 is that of Hauck and Anderson [1986, Am Stat 40:318].
        For a difference only.

    Strata are weighted by n1 n0 / n, an empty one by zero. All or none responding is no degenerate case for a
    difference: the interval exists, p is 1.
    """
    if correction and contrast != "difference":
        raise ValueError(f"contrast {contrast!r}: a continuity correction exists for a difference only")
    weights = _weights(counts)
    share1, share0 = _share(counts.x1, counts.n1), _share(counts.x0, counts.n0)

    def statistic(effect: Array, sign: float = 0.0) -> Array:
        found = _binomial(effect, counts, contrast, unbiased)
        shift = sign * correction / jnp.maximum(jnp.minimum(counts.n1, counts.n0), 1.0)
        return _standard(found._replace(score=found.score + shift), weights, skewness)

    estimate = _pooled(share1, share0, weights, contrast)
    if skewness:
        # What this score calls the middle is not quite the observed effect.
        estimate = _solve(lambda t: statistic(_effect(t, contrast)), 0.0, contrast)
    null_effect = (0.0 if contrast == "difference" else 1.0) if null is None else null
    return _finish(statistic, estimate, jnp.asarray(null_effect, float), contrast, level, counts, correction > 0)


def poisson(
    counts: Pair,
    contrast: Literal["difference", "ratio"] = "difference",
    level: float = 0.95,
    null: float | None = None,
    skewness: bool = False,
) -> Estimate:
    """Score interval and test for two rates of events per person-time: exposure-adjusted incidence [`person_time`]."""
    weights = _weights(counts)

    def statistic(effect: Array, sign: float = 0.0) -> Array:
        return _standard(_poisson(effect, counts, contrast), weights, skewness)

    share1, share0 = _share(counts.x1, counts.n1), _share(counts.x0, counts.n0)
    scale = 1.0
    if contrast == "difference":
        # Rates have no upper bound: the search is on a scale that holds every plausible difference.
        most = (counts.x1 + counts.x0 + 10.0) / jnp.maximum(jnp.minimum(counts.n1, counts.n0), TINY)
        scale = 4.0 * jnp.max(jnp.where(weights > 0, most, 0.0))
    estimate = _pooled(share1, share0, weights, contrast)
    null_effect = (0.0 if contrast == "difference" else 1.0) if null is None else null
    return _finish(statistic, estimate, jnp.asarray(null_effect, float), contrast, level, counts, False, scale)


def non_inferiority(counts: Pair, margin: float, level: float = 0.95, unbiased: bool = False) -> Estimate:
    """Test that the difference exceeds -margin [Farrington and Manning 1990]; p is one-sided.

    Raises:
      ValueError: the margin is not above 0 and below 1.
    """
    from jax.scipy.special import ndtr

    if not 0 < margin < 1:
        raise ValueError(f"margin {margin}: expected a difference of shares above 0 and below 1, such as 0.1")
    found = binomial(counts, "difference", level, -margin, unbiased)
    exists = jnp.isfinite(found.statistic)
    p = jnp.where(exists, ndtr(-jnp.where(exists, found.statistic, 0.0)), 1.0)
    return found._replace(p=p)


def _finish(
    statistic, estimate, null, contrast, level, counts: Pair, corrected: bool, scale: Array | float = 1.0
) -> Estimate:
    z = normal_quantile(level)
    low = _effect(_search(lambda t: statistic(_effect(t, contrast, scale), -1.0), z), contrast, scale)
    high = _effect(_search(lambda t: statistic(_effect(t, contrast, scale), 1.0), -z), contrast, scale)
    test = statistic(null)
    if corrected:
        toward = statistic(null, -1.0), statistic(null, 1.0)
        test = jnp.where(test > 0, jnp.maximum(toward[0], 0.0), jnp.minimum(toward[1], 0.0))
    empty = (jnp.sum(counts.n1) <= 0) | (jnp.sum(counts.n0) <= 0) | (jnp.sum(_weights(counts)) <= 0)
    flag = jnp.where(empty, int(Flag.EMPTY_ARM), 0)
    responders = jnp.sum(counts.x1) + jnp.sum(counts.x0)
    if contrast != "difference":
        flag = flag | jnp.where(responders <= 0, int(Flag.NO_EVENTS), 0)
    if contrast == "odds":
        everybody = responders >= jnp.sum(counts.n1) + jnp.sum(counts.n0)
        flag = flag | jnp.where(everybody, int(Flag.NO_VARIATION), 0)
    bad, nan = flag > 0, jnp.nan
    test = jnp.where(bad, nan, test)
    away = estimate - null
    se = jnp.where((test != 0) & jnp.isfinite(away), away / jnp.where(test == 0, 1.0, test), nan)
    p = jnp.where(bad, 1.0, two_sided(jnp.where(bad, 0.0, test), jnp.inf))
    numbers = (jnp.where(bad, nan, value) for value in (estimate, jnp.where(jnp.isfinite(se), se, nan), low, high))
    return Estimate._make([*numbers, test, jnp.asarray(jnp.inf), p, flag.astype(jnp.int32)])


def _share(x: Array, n: Array) -> Array:
    return jnp.where(n > 0, x / jnp.where(n > 0, n, 1.0), 0.0)


def _weights(counts: Pair) -> Array:
    total = counts.n1 + counts.n0
    weight = jnp.where(total > 0, counts.n1 * counts.n0 / jnp.where(total > 0, total, 1.0), 0.0)
    return weight / jnp.maximum(weight.sum(), TINY)


def _pooled(share1: Array, share0: Array, weights: Array, contrast: Contrast) -> Array:
    one, two = weights @ share1, weights @ share0
    if contrast == "difference":
        return one - two
    if contrast == "ratio":
        return one / two
    return (weights @ (share1 * (1 - share0))) / (weights @ (share0 * (1 - share1)))


def _effect(t: Array, contrast: Contrast, scale: Array | float = 1.0) -> Array:
    """From the line of the search, -1 to 1, to an effect; ratios run from 0 to infinity."""
    if contrast == "difference":
        return t * scale
    return jnp.where(t > 1 - 1e-14, jnp.inf, jnp.tan(jnp.pi / 4 * (t + 1)))


def _solve(rising_down, target, contrast: Contrast) -> Array:
    return _effect(_search(rising_down, target), contrast)


def _search(falling, target) -> Array:
    """Where on -1 to 1 a falling function crosses the target; the end it does not cross before."""

    def halve(bounds: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = bounds
        middle = 0.5 * (low + high)
        above = falling(middle) > target
        return (jnp.where(above, middle, low), jnp.where(above, high, middle)), None

    ends = (jnp.asarray(-1.0), jnp.asarray(1.0))
    (low, high), _ = lax.scan(halve, ends, None, length=HALVINGS)
    return 0.5 * (low + high)


def _standard(found: Score, weights: Array, skewness: bool) -> Array:
    """The score over its standard deviation, strata together."""
    score = jnp.sum(weights * jnp.where(weights > 0, found.score, 0.0))
    variance = jnp.sum(weights**2 * jnp.where(weights > 0, found.variance, 0.0))
    z = score / jnp.sqrt(jnp.maximum(variance, TINY))
    z = jnp.where(jnp.abs(score) < 1e-14, 0.0, z)
    if not skewness:
        return z
    third = jnp.sum(weights**3 * jnp.where(weights > 0, found.third, 0.0))
    bend = third / (6 * jnp.maximum(variance, TINY) ** 1.5)
    # The root of bend z^2 + z - (bend + observed) that goes over into the observed score without skewness.
    inside = jnp.maximum(1 + 4 * bend * (bend + z), 0.0)
    bent = 2 * (bend + z) / (1 + jnp.sqrt(inside))
    return jnp.where(variance > TINY, bent, z)


def _binomial(effect: Array, counts: Pair, contrast: Contrast, unbiased: bool) -> Score:
    x1, n1, x0, n0 = counts
    total = n1 + n0
    safe1, safe0 = jnp.maximum(n1, 1e-9), jnp.maximum(n0, 1e-9)
    inflate = total / jnp.maximum(total - 1, 1e-9) if unbiased else jnp.ones_like(total)
    if contrast == "difference":
        p0 = likely_under_difference(effect, counts)
        p1 = jnp.clip(p0 + effect, 0.0, 1.0)
        score, gain = _share(x1, n1) - _share(x0, n0) - effect, jnp.ones_like(effect)
    elif contrast == "ratio":
        p0 = _likely_under_ratio(effect, counts)
        p1 = jnp.clip(p0 * effect, 0.0, 1.0)
        score, gain = _share(x1, n1) - _share(x0, n0) * effect, effect
    else:
        p0 = _likely_under_odds(effect, counts)
        p1 = p0 * effect / (1 + p0 * (effect - 1))
        v1, v0 = jnp.maximum(p1 * (1 - p1), 1e-200), jnp.maximum(p0 * (1 - p0), 1e-200)
        score = (_share(x1, n1) - p1) / v1 - (_share(x0, n0) - p0) / v0
        variance = (1 / (safe1 * v1) + 1 / (safe0 * v0)) * inflate
        third = (1 - 2 * p1) / (safe1 * v1) ** 2 - (1 - 2 * p0) / (safe0 * v0) ** 2
        return Score(score, variance, third)
    v1, v0 = p1 * (1 - p1), p0 * (1 - p0)
    variance = (v1 / safe1 + gain**2 * v0 / safe0) * inflate
    third = v1 * (1 - 2 * p1) / safe1**2 - gain**3 * v0 * (1 - 2 * p0) / safe0**2
    return Score(score, jnp.maximum(variance, 0.0), third)


def _poisson(effect: Array, counts: Pair, contrast: str) -> Score:
    x1, t1, x0, t0 = counts
    safe1, safe0 = jnp.maximum(t1, TINY), jnp.maximum(t0, TINY)
    events, time = x1 + x0, jnp.maximum(t1 + t0, TINY)
    if contrast == "difference":
        # The rate r solves time r^2 - (events - time effect) r - x0 effect = 0.
        b = events - time * effect
        r0 = (b + jnp.sqrt(jnp.maximum(b * b + 4 * time * effect * x0, 0.0))) / (2 * time)
        r0 = jnp.maximum(r0, jnp.maximum(0.0, -effect))
        r1, gain = r0 + effect, jnp.ones_like(effect)
        score = _share(x1, t1) - _share(x0, t0) - effect
    else:
        r0 = events / jnp.maximum(t1 * effect + t0, TINY)
        r1, gain = r0 * effect, effect
        score = _share(x1, t1) - _share(x0, t0) * effect
    variance = r1 / safe1 + gain**2 * r0 / safe0
    third = r1 / safe1**2 - gain**3 * r0 / safe0**2
    return Score(score, jnp.maximum(variance, 0.0), third)


def likely_under_difference(effect: Array, counts: Pair) -> Array:
    """The comparator's most likely share if the arm's is larger by `effect` (Farrington and Manning's cubic)."""
    x1, n1, x0, n0 = counts
    n = jnp.maximum(n1 + n0, 1e-9)
    square = (n1 + 2 * n0) * effect - n - (x1 + x0)
    line = (n0 * effect - n - 2 * x0) * effect + x1 + x0
    constant = x0 * effect * (1 - effect)
    b = square / (3 * n)
    q = b**3 - square * line / (6 * n * n) + constant / (2 * n)
    half = jnp.sqrt(jnp.maximum(b * b - line / (3 * n), 0.0)) * jnp.where(q >= 0, 1.0, -1.0)
    cosine = jnp.where(half != 0, q / jnp.where(half != 0, half, 1.0) ** 3, 0.0)
    angle = (jnp.pi + jnp.arccos(jnp.clip(cosine, -1.0, 1.0))) / 3
    root = 2 * half * jnp.cos(angle) - b
    return jnp.clip(root, jnp.maximum(0.0, -effect), jnp.minimum(1.0, 1.0 - effect))


def _likely_under_ratio(effect: Array, counts: Pair) -> Array:
    x1, n1, x0, n0 = counts
    a = (n1 + n0) * effect
    b = -(n1 * effect + x1 + n0 + x0 * effect)
    c = x1 + x0
    root = jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0))
    p0 = 2 * c / jnp.maximum(-b + root, TINY)
    return jnp.clip(p0, 0.0, jnp.minimum(1.0, 1 / jnp.maximum(effect, TINY)))


def _likely_under_odds(effect: Array, counts: Pair) -> Array:
    x1, n1, x0, n0 = counts
    a = n0 * (effect - 1)
    b = n1 * effect + n0 - (x1 + x0) * (effect - 1)
    c = -(x1 + x0)
    root = jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0))
    # Written so that nothing cancels, near no effect or far from it.
    return jnp.clip(-2 * c / jnp.maximum(b + root, TINY), 0.0, 1.0)
