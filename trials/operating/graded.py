"""Proportional odds of many samples side by side: the estimate of `statistics.methods.ordinal`, by Newton's steps.

The chance of a grade up to j is F(a_j - eta), with F the logistic distribution, cuts a that rise and a linear
predictor eta. The log-likelihood is concave in cuts and slopes [Pratt 1981, J Am Stat Assoc 76:103], so that steps
that are held back only where cuts would cross climb to its one maximum. Grades that nobody of a sample has take no cut.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..statistics.methods.estimate import Estimate, Flag, spoil, wald
from ..statistics.methods.logistic import EXTREME, RUNAWAY
from . import passes
from .passes import People

STEPS, CLOSE, SETTLED = 60, 1e-9, 1e-6
WITHIN = 0.9  # of the way to where two cuts meet, which a step goes at most


def proportional_odds(people: People, grades: int, seen: Array, level: float) -> Estimate:
    """Log odds ratio of a higher grade given the covariates, (samples,); an empty arm is left to the caller.

    Args:
      people: whose outcomes are numbers of grades, from 0 to `grades` - 1. seen: nobody from this place on counts.
    """
    people, tally = _dense(people, grades)
    cuts, slopes, samples = grades - 1, people.columns - 1, people.weight.shape[1]
    top = jnp.sum((tally > 0).astype(float), axis=0) - 1
    above = jnp.cumsum(tally, axis=0)[:-1] / jnp.maximum(tally.sum(axis=0), 1.0)[None, :]
    there = jnp.arange(float(cuts))[:, None] < top[None, :]
    begun = jnp.where(there, jnp.log(above / jnp.where(there, 1 - above, 1.0)), 0.0)
    begun = jnp.concatenate([jnp.where(there, begun, 0.0), jnp.zeros((slopes, samples))])

    def step(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        theta, spread, kept, last, taken = carry
        found = passes.side_by_side(
            lambda given, end: _step(given[0], given[1], given[2], end, cuts), (people, theta, top), seen
        )
        on = last > CLOSE  # who has arrived stays, so that no one depends on who is beside them
        theta = theta + jnp.where(on[None, :], found.move, 0.0)
        new = found.variance, found.kept, jnp.max(jnp.abs(found.move), axis=0)
        return theta, *(jnp.where(on, x, old) for x, old in zip(new, (spread, kept, last), strict=True)), taken + 1

    def going(carry: tuple[Array, ...]) -> Array:
        return jnp.any(carry[3] > CLOSE) & (carry[4] < STEPS)

    nothing = (begun, jnp.zeros(samples), jnp.ones(samples), jnp.full(samples, jnp.inf), jnp.asarray(0))
    theta, spread, kept, last, _ = lax.while_loop(going, step, nothing)
    # The intercept stands before the covariates, so that a linear predictor without one has a zero there.
    far = passes.farthest(people, jnp.concatenate([jnp.zeros((1, samples)), theta[cuts:]]), seen)
    settled = jnp.isfinite(last) & (last < SETTLED)
    flag = jnp.where(top > 0, 0, int(Flag.NO_VARIATION)) | jnp.where(settled, 0, int(Flag.NOT_CONVERGED))
    flag = flag | jnp.where((far > EXTREME) | (~settled & (far > RUNAWAY)), int(Flag.SEPARATION), 0)
    flag = (flag | jnp.where(kept > 0, 0, int(Flag.DETERMINED))).astype(jnp.int32)
    return jax.vmap(lambda one, se, bad: spoil(wald(one, se, level), bad))(theta[-1], jnp.sqrt(spread), flag)


def _dense(people: People, grades: int) -> tuple[People, Array]:
    """The same with the grades of each sample numbered without gaps, and how many have each, (grades, samples)."""
    own = [(people.outcome == grade).astype(float) * people.weight for grade in range(grades)]
    tally = jnp.stack([of.sum(axis=0) for of in own])
    number = jnp.cumsum((tally > 0).astype(float), axis=0) - 1
    outcome = sum((number[grade][None, :] * own[grade] for grade in range(1, grades)), number[0][None, :] * own[0])
    dense = jnp.stack([jnp.sum(jnp.where((number == g) & (tally > 0), tally, 0.0), axis=0) for g in range(grades)])
    return people._replace(outcome=outcome), dense


def _step(people: People, theta: Array, top: Array, seen: Array, cuts: int) -> passes.Step:
    """A step of cuts and slopes from `theta`, (cuts + slopes,), and the variance of the arm's slope there.

    With u and l the cuts above and below a person's grade less eta, P = F(u) - F(l), which loses no digits as
    F(u) (1 - F(l)) (1 - exp(l - u)); the derivatives of log P by u and l are f(u) / P and -f(l) / P.
    """
    slopes = people.columns - 1
    beta = [theta[cuts + j] for j in range(slopes)]
    pairs = [(i, j) for i in range(slopes) for j in range(i, slopes)]

    def terms(columns: list[Array], y: Array, w: Array) -> list[Array]:
        x = columns[1:]
        eta = passes.dot(beta, x)
        below, over = jnp.zeros(()), jnp.zeros(())
        for j in range(cuts):
            over = over + jnp.where(y == j, theta[j], 0.0)
            below = below + jnp.where(y == j + 1, theta[j], 0.0)
        first, last = y == 0, y == top
        u, low = over - eta, below - eta
        upper = jnp.where(last, 1.0, 1 / (1 + jnp.exp(-u)))
        lower = jnp.where(first, 0.0, 1 / (1 + jnp.exp(-low)))
        apart = jnp.where(first | last, 1.0, 1 - jnp.exp(jnp.where(first | last, 0.0, below - over)))
        rest = jnp.where(first, 1.0, 1 / (1 + jnp.exp(low)))
        chance = jnp.maximum(upper * rest * apart, 1e-300)
        by_u = jnp.where(last, 0.0, upper * (1 - upper) / chance)
        by_l = jnp.where(first, 0.0, -lower * (1 - lower) / chance)
        bend_u = by_u * (by_u - (1 - 2 * upper))
        bend_l = by_l * (by_l - (1 - 2 * lower))
        both = by_u * by_l
        up, down, mixed = w * bend_u, w * bend_l, w * both
        score = [w * (jnp.where(y == j, by_u, 0.0) + jnp.where(y == j + 1, by_l, 0.0)) for j in range(cuts)]
        score += [-w * (by_u + by_l) * value for value in x]
        own = [jnp.where(y == j, up, 0.0) + jnp.where(y == j + 1, down, 0.0) for j in range(cuts)]
        near = [jnp.where(y == j + 1, mixed, 0.0) for j in range(cuts - 1)]
        with_x = [jnp.where(y == j, up + mixed, 0.0) + jnp.where(y == j + 1, down + mixed, 0.0) for j in range(cuts)]
        of_x = up + down + 2 * mixed
        return [*score, *own, *near, *(-one * value for one in with_x for value in x),
                *(of_x * x[i] * x[j] for i, j in pairs)]  # fmt: skip

    many = cuts + slopes + cuts + (cuts - 1) + cuts * slopes + len(pairs)
    found = passes.sums(people, seen, many, terms)
    score, found = found[: cuts + slopes], found[cuts + slopes :]
    own, near, found = found[:cuts], found[cuts : 2 * cuts - 1], found[2 * cuts - 1 :]
    mixed, of_x = found[: cuts * slopes], passes.square(pairs, found[cuts * slopes :])
    none = jnp.zeros(())
    rows = [
        [own[i] if i == j else near[min(i, j)] if abs(i - j) == 1 else none for j in range(cuts)]
        + mixed[i * slopes : (i + 1) * slopes]
        for i in range(cuts)
    ]
    rows += [[mixed[i * slopes + j] for i in range(cuts)] + of_x[j] for j in range(slopes)]
    inverse, kept = passes.sweep(rows)
    move = passes.times(inverse, score)
    scale = jnp.ones(())
    for j in range(cuts - 1):
        gap, closing = theta[j + 1] - theta[j], move[j] - move[j + 1]
        meet = jnp.where(closing > 0, gap / jnp.where(closing > 0, closing, 1.0), jnp.inf)
        scale = jnp.where(j + 1 < top, jnp.minimum(scale, WITHIN * meet), scale)
    return passes.Step(jnp.stack([scale * value for value in move]), inverse[-1][-1], kept[-1])
