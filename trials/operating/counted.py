"""Negative binomial regression of many samples side by side, as `statistics.methods.counts`.

Newton's steps in coefficients and the logarithm of the dispersion together, from the Poisson fit and the dispersion of
its residuals. With a the inverse of the dispersion and m the mean, the log-likelihood of a count y is
log Gamma(a + y) - log Gamma(a) + y log(m / (a + m)) + a log(a / (a + m)), constants apart.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..statistics.methods.counts import POISSON
from ..statistics.methods.estimate import Estimate, Flag, spoil, wald
from . import passes
from .passes import People

STEPS, CLOSE, SETTLED = 60, 1e-9, 1e-6
FARTHEST = 1.0  # that a step may move the logarithm of the dispersion
SHIFT = 10  # by recurrence, after which the asymptotic series is exact to 1e-12
LARGEST = 30.0  # of a linear predictor


def negative_binomial(people: People, seen: Array, observed: bool, level: float) -> Estimate:
    """Log ratio of the means given the covariates, (samples,); an empty arm is left to the caller.

    Args:
      observed: variance by the observed information of coefficients and dispersion, else by the expected one.
    """
    p, samples = people.columns, people.weight.shape[1]
    n = jnp.maximum(people.weight.sum(axis=0), 1.0)
    mean = (people.weight * people.outcome).sum(axis=0) / n
    begun = jnp.zeros((p, samples)).at[0].set(jnp.log(jnp.maximum(mean, 1e-6)))
    beta, spread, kept, last = _climb(_poisson, people, seen, begun, 25)
    over, square = passes.side_by_side(lambda given, end: _spare(given[0], given[1], end), (people, beta), seen)
    crowded = over > 0  # else no dispersion above 0 is more likely than none
    dispersion = jnp.clip(jnp.where(crowded, over, 0.0) / jnp.maximum(square, 1e-300), 1e-3, 50.0)
    theta = jnp.concatenate([beta, jnp.log(dispersion)[None, :]])
    theta, both, known, moved = _climb(lambda one, at, end: _joint(one, at, end, observed), people, seen, theta, STEPS)
    poisson = ~crowded | (theta[-1] < jnp.log(POISSON))
    estimate = jnp.where(poisson, beta[-1], theta[-2])
    variance = jnp.where(poisson, spread, both)
    settled = jnp.where(poisson, last < SETTLED, moved < SETTLED) & jnp.isfinite(estimate) & (variance > 0)
    flag = jnp.where(mean > 0, 0, int(Flag.NO_EVENTS)) | jnp.where(settled, 0, int(Flag.NOT_CONVERGED))
    flag = flag | jnp.where(jnp.where(poisson, kept, known) > 0, 0, int(Flag.DETERMINED))
    told = jax.vmap(lambda b, v: wald(b, jnp.sqrt(v), level))(estimate, variance)
    return spoil(told, flag.astype(jnp.int32))


def _climb(step, people: People, seen: Array, start: Array, most: int) -> tuple[Array, ...]:
    """Where Newton's steps lead, the arm's variance there, whether it is in, and the size of the last step."""
    samples = start.shape[1]

    def once(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        at, spread, kept, last, taken = carry
        move, variance, known = passes.side_by_side(lambda given, end: step(*given, end), (people, at), seen)
        on = last > CLOSE
        new = variance, known, jnp.max(jnp.abs(move), axis=0)
        at = at + jnp.where(on[None, :], move, 0.0)
        return at, *(jnp.where(on, x, old) for x, old in zip(new, (spread, kept, last), strict=True)), taken + 1

    def going(carry: tuple[Array, ...]) -> Array:
        return jnp.any(carry[3] > CLOSE) & (carry[4] < most)

    nothing = (start, jnp.zeros(samples), jnp.ones(samples), jnp.full(samples, jnp.inf), jnp.asarray(0))
    return lax.while_loop(going, once, nothing)[:4]


def _poisson(people: People, beta: Array, seen: Array) -> tuple[Array, Array, Array]:
    p = people.columns
    pairs = [(i, j) for i in range(p) for j in range(i, p)]

    def terms(x: list[Array], y: Array, w: Array) -> list[Array]:
        mean = w * jnp.exp(_predictor(beta, x))
        return [*((w * y - mean) * value for value in x), *(mean * x[i] * x[j] for i, j in pairs)]

    found = passes.sums(people, seen, p + len(pairs), terms)
    return _moved(found, p, pairs)


def _spare(people: People, beta: Array, seen: Array) -> tuple[Array, Array]:
    """Squares of the residuals beyond Poisson's, and of the means."""

    def terms(x: list[Array], y: Array, w: Array) -> list[Array]:
        mean = jnp.exp(_predictor(beta, x))
        return [w * ((y - mean) ** 2 - y), w * mean * mean]

    over, square = passes.sums(people, seen, 2, terms)
    return over, square


def _joint(people: People, theta: Array, seen: Array, observed: bool) -> tuple[Array, Array, Array]:
    """A step of coefficients and log dispersion; the variance of the arm's coefficient."""
    p = people.columns
    pairs = [(i, j) for i in range(p) for j in range(i, p)]
    size = jnp.exp(-theta[p])
    low, low_slope = _digamma(size)

    def terms(x: list[Array], y: Array, w: Array) -> list[Array]:
        mean = jnp.exp(_predictor(theta, x))
        whole = size + mean
        up = w * (y - mean) * size / whole
        bend = w * mean * size * (size + y) / whole**2
        mixed = w * (y - mean) * mean / whole**2
        high, high_slope = _digamma(size + y)
        first = high - low - jnp.log1p(mean / size) + (mean - y) / whole
        second = high_slope - low_slope + 1 / size - 2 / whole + (size + y) / whole**2
        expected = w * mean * size / whole
        told = [*(up * value for value in x), *(bend * x[i] * x[j] for i, j in pairs)]
        of_expected = [] if observed else [expected * x[i] * x[j] for i, j in pairs]
        return [*told, *(mixed * value for value in x), w * first, w * second, *of_expected]

    many = 2 * p + 2 + len(pairs) * (1 if observed else 2)
    found = passes.sums(people, seen, many, terms)
    score, rest = found[:p], found[p:]
    bent, rest = rest[: len(pairs)], rest[len(pairs) :]
    mixed, first, second = rest[:p], rest[p], rest[p + 1]
    # By the chain rule: the slope of the inverse dispersion by the logarithm of the dispersion is minus itself.
    score = [*score, -size * first]
    information = passes.square(pairs, bent)
    for i in range(p):
        information[i].append(size * mixed[i])
    # Where the likelihood is not concave in the dispersion, the size of its bend still tells how far to go.
    own = -(size**2 * second + size * first)
    information.append([*(size * mixed[i] for i in range(p)), jnp.maximum(jnp.abs(own), 1e-8)])
    inverse, kept = passes.sweep(information)
    move = passes.times(inverse, score)
    scale = jnp.minimum(1.0, FARTHEST / jnp.maximum(jnp.abs(move[p]), 1e-300))
    if observed:
        return jnp.stack([scale * value for value in move]), inverse[p - 1][p - 1], kept[p - 1]
    simple, there = passes.sweep(passes.square(pairs, rest[p + 2 :]))
    return jnp.stack([scale * value for value in move]), simple[p - 1][p - 1], there[p - 1]


def _moved(found: list[Array], p: int, pairs: list[tuple[int, int]]) -> tuple[Array, Array, Array]:
    inverse, kept = passes.sweep(passes.square(pairs, found[p:]))
    return jnp.stack(passes.times(inverse, found[:p])), inverse[p - 1][p - 1], kept[p - 1]


def _predictor(theta: Array, x: list[Array]) -> Array:
    total = theta[0] * x[0]
    for j in range(1, len(x)):
        total = total + theta[j] * x[j]
    return jnp.clip(total, -LARGEST, LARGEST)


def _digamma(x: Array) -> tuple[Array, Array]:
    """Digamma and trigamma of a number above 0 [Abramowitz and Stegun 1964, 6.3.18 and 6.4.12]."""
    first, second = jnp.zeros(()), jnp.zeros(())
    for k in range(SHIFT):
        part = 1 / (x + k)
        first, second = first - part, second + part * part
    part = 1 / (x + SHIFT)
    square = part * part
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    slope = square * part * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square * (1 / 30 - square * 5 / 66))))
    return first + jnp.log(x + SHIFT) - part / 2 - series, second + part + square / 2 + slope
