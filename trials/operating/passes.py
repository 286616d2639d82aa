"""Regressions of many samples side by side: every pass over the people fills all the sums that a step needs.

A sample is a lane of the processor's vectors (`core.engine.lanes`): its sums stay in registers while its people go by,
so that nothing of people times columns is written down. On accelerators XLA computes the same functions. Covariates
should be about the pool's mean in its SD, so that sums of squares lose no digits.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ...core.engine.lanes import Unsupported, each
from ..statistics.methods.linear import COLLINEAR, EXACT

Terms = Callable[[list[Array], Array, Array], list[Array]]  # from columns, outcome and weight of a person


class People(NamedTuple):
    """Samples, the last axis of every array. Whose weight is 0 does not count, but has finite numbers.

    outcome, arm, weight: (people, samples). covariates: (k, people, samples), or None.
    """

    outcome: Array
    arm: Array
    weight: Array
    covariates: Array | None

    @property
    def columns(self) -> int:
        """Of the regression: one, covariates, arm."""
        return 2 + (0 if self.covariates is None else self.covariates.shape[0])


class Swept(NamedTuple):
    """A generalised inverse, (p, p), and which columns are in, (p,): lists of numbers, as `methods.linear.Inverse`."""

    matrix: list[list[Array]]
    kept: list[Array]


class Slope(NamedTuple):
    """Of a regression, the arm's coefficient. kept: 1 if it is in. largest: of the coefficients. df: residual."""

    estimate: Array
    variance: Array
    kept: Array
    largest: Array
    df: Array


class Step(NamedTuple):
    """A step of Newton's: where to, (p, samples); of the arm the variance there and whether it is in."""

    move: Array
    variance: Array
    kept: Array


def side_by_side(function: Callable[[Any, Any], Any], people: Any, common: Any) -> Any:
    """`function(people, common)` of every sample, in lanes where there are any."""
    if jax.default_backend() == "cpu":
        try:
            return each(function, people, common)
        except Unsupported:  # what lanes do not know is left to XLA
            pass
    return jax.vmap(lambda one: function(one, common), in_axes=-1, out_axes=-1)(people)


def least_squares(people: People, seen: Array, robust: bool) -> Slope:
    """The arm's slope, as `methods.linear.least_squares` with its HC3 or, if not `robust`, classical variance.

    Args:
      seen: nobody from this place on counts in any sample.
    """
    return side_by_side(lambda one, last: _least_squares(one, last, robust), people, seen)


def newton(people: People, coefficients: Array, seen: Array) -> Step:
    """A step uphill of logistic regression from coefficients, (p, samples)."""
    return side_by_side(lambda given, last: _newton(given[0], given[1], last), (people, coefficients), seen)


def farthest(people: People, coefficients: Array, seen: Array) -> Array:
    """The largest linear predictor of those who count, without its sign, (samples,)."""
    return side_by_side(lambda given, last: _farthest(given[0], given[1], last), (people, coefficients), seen)


def sums(people: People, seen: Array, many: int, terms: Terms, start: float = 0.0, join: Any = jnp.add) -> list[Array]:
    """Sums of `many` terms over the people of one sample."""

    def turn(i: Array, so_far: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(join(old, new) for old, new in zip(so_far, terms(*_person(people, i)), strict=True))

    return list(lax.fori_loop(0, seen, turn, (jnp.asarray(start),) * many))


def sweep(matrix: Sequence[Sequence[Array]]) -> Swept:
    """`methods.linear.invert_symmetric` number by number [Goodnight 1979, Am Stat 33:149]."""
    p = len(matrix)
    size = [jnp.sqrt(jnp.maximum(matrix[i][i], 1e-300)) for i in range(p)]
    a = [[matrix[i][j] / (size[i] * size[j]) for j in range(p)] for i in range(p)]
    scale, kept = [a[i][i] for i in range(p)], []
    for k in range(p):
        keep = a[k][k] > COLLINEAR * jnp.maximum(scale[k], 1e-300)
        over = 1 / jnp.where(keep, a[k][k], 1.0)
        column, row = [a[i][k] * over for i in range(p)], list(a[k])
        after = [[a[i][j] - column[i] * row[j] for j in range(p)] for i in range(p)]
        for i in range(p):
            after[i][k], after[k][i] = -column[i], row[i] * over
        after[k][k] = over
        a = [[jnp.where(keep, after[i][j], a[i][j]) for j in range(p)] for i in range(p)]
        kept.append(keep.astype(float))
    whole = [[a[i][j] * kept[i] * kept[j] / (size[i] * size[j]) for j in range(p)] for i in range(p)]
    return Swept(whole, kept)


def _least_squares(people: People, seen: Array, robust: bool) -> Slope:
    p = people.columns
    pairs = [(i, j) for i in range(p + 1) for j in range(i, p + 1)]

    def products(x: list[Array], y: Array, w: Array) -> list[Array]:
        values = [*x, y]
        return [w * values[i] * values[j] for i, j in pairs]

    whole = square(pairs, sums(people, seen, len(pairs), products))
    inverse, kept = sweep([row[:p] for row in whole[:p]])
    beta = times(inverse, whole[p][:p])

    def left(x: list[Array], y: Array) -> Array:
        return y - dot(beta, x)

    # A second pass on the residuals takes out what rounding left.
    rest = sums(people, seen, p, lambda x, y, w: [w * left(x, y) * value for value in x])
    beta = [b + more for b, more in zip(beta, times(inverse, rest), strict=True)]
    df = whole[0][0] - sum(kept[1:], kept[0])
    if robust:

        def pulled(x: list[Array], y: Array, w: Array) -> list[Array]:
            away = 1 - w * dot(times(inverse, x), x)
            share = jnp.where(away > EXACT, left(x, y) / jnp.where(away > EXACT, away, 1.0), 0.0)
            return [w * (share * dot(inverse[-1], x)) ** 2]

        variance = sums(people, seen, 1, pulled)[0]
    else:
        rest_of = sums(people, seen, 1, lambda x, y, w: [w * left(x, y) ** 2])[0]
        variance = inverse[-1][-1] * rest_of / jnp.where(df > 0, df, jnp.nan)
    largest = jnp.abs(beta[0])
    for value in beta[1:]:
        largest = jnp.maximum(largest, jnp.abs(value))
    return Slope(beta[-1], variance, kept[-1], largest, df)


def _newton(people: People, coefficients: Array, seen: Array) -> Step:
    p = people.columns
    beta = [coefficients[j] for j in range(p)]
    pairs = [(i, j) for i in range(p) for j in range(i, p)]

    def terms(x: list[Array], y: Array, w: Array) -> list[Array]:
        mean = 1 / (1 + jnp.exp(-dot(beta, x)))
        slope, away = w * mean * (1 - mean), w * (y - mean)
        bent = [slope * value for value in x]
        return [*(away * value for value in x), *(bent[i] * x[j] for i, j in pairs)]

    found = sums(people, seen, p + len(pairs), terms)
    inverse, kept = sweep(square(pairs, found[p:]))
    return Step(jnp.stack(times(inverse, found[:p])), inverse[-1][-1], kept[-1])


def _farthest(people: People, coefficients: Array, seen: Array) -> Array:
    beta = [coefficients[j] for j in range(people.columns)]

    def reach(x: list[Array], y: Array, w: Array) -> list[Array]:
        return [jnp.where(w > 0, jnp.abs(dot(beta, x)), 0.0)]

    return sums(people, seen, 1, reach, join=jnp.maximum)[0]


def _person(people: People, i: Array) -> tuple[list[Array], Array, Array]:
    """Columns, outcome and weight of a person of one sample."""
    outcome, arm, weight = (lax.dynamic_index_in_dim(a, i, keepdims=False) for a in people[:3])
    wide = []
    if people.covariates is not None:
        mine = lax.dynamic_slice_in_dim(people.covariates, i, 1, axis=1)
        wide = [mine[j, 0] for j in range(people.covariates.shape[0])]
    return [jnp.ones(()), *wide, arm], outcome, weight


def square(pairs: Sequence[tuple[int, int]], values: Sequence[Array]) -> list[list[Array]]:
    """A symmetric matrix from its upper half."""
    known = dict(zip(pairs, values, strict=True))
    p = 1 + max(j for _, j in pairs)
    return [[known[min(i, j), max(i, j)] for j in range(p)] for i in range(p)]


def dot(one: Sequence[Array], other: Sequence[Array]) -> Array:
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total = total + a * b
    return total


def times(matrix: Sequence[Sequence[Array]], vector: Sequence[Array]) -> list[Array]:
    return [dot(row, vector) for row in matrix]
