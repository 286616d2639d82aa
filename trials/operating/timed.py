"""Times to an event as kernels of one replicate: Kaplan-Meier's curve, restricted means, proportional hazards.

They give what `statistics.methods.survival` and `cox` give, without their loops over times: people stand in order of
stratum and time, and sums over those at risk are differences of running sums.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..statistics.methods.estimate import Estimate, Flag, spoil, wald
from ..statistics.methods.linear import invert_symmetric
from ..statistics.methods.logrank import run_ends

Ties = Literal["efron", "breslow"]
STEPS, SETTLED, EXTREME = 25, 1e-10, 15.0
FARTHEST = 2.0  # that a step may move a coefficient


class Order(NamedTuple):
    """People in order of group and time; who does not count stands last.

    first, last: places of those with the same time in the group. begin, end: of the group.
    d: events at this time in the group. rank: of an event among these, from 0.
    """

    order: Array
    time: Array
    event: Array
    live: Array
    first: Array
    last: Array
    begin: Array
    end: Array
    d: Array
    rank: Array


def ordered(time: Array, event: Array, group: Array, groups: int, weight: Array) -> Order:
    """Sort the people of a sample."""
    counts = weight > 0
    group, time = jnp.where(counts, group, groups), jnp.where(counts, time, 0.0)
    order = jnp.lexsort((time, group))
    group, time, live = group[order], time[order], jnp.where(counts[order], 1.0, 0.0)
    event = event[order] * live
    new_group = jnp.concatenate([jnp.ones(1, bool), group[1:] != group[:-1]])
    new_time = new_group | jnp.concatenate([jnp.ones(1, bool), time[1:] != time[:-1]])
    first, last = run_ends(new_time)
    begin, end = run_ends(new_group)
    before = upto(event, first - 1)
    d = upto(event, last) - before
    return Order(order, time, event, live, first, last, begin, end, d, upto(event, jnp.arange(len(time))) - before - 1)


def upto(values: Array, place: Array) -> Array:
    """Sum of the values up to and with a place, along the first axis; place -1 gives 0."""
    total = jnp.concatenate([jnp.zeros((1, *values.shape[1:])), jnp.cumsum(values, axis=0)])
    return total[place + 1]


def cox(
    time: Array, event: Array, columns: Array, stratum: Array, strata: int, weight: Array, ties: Ties, level: float
) -> Estimate:
    """Log hazard ratio of the last column, maximum of the partial likelihood; as `statistics.methods.cox`.

    Args:
      columns: covariates and, last, the arm, (n, p).
    """
    people = ordered(time, event, stratum, strata, weight)
    x, p = columns[people.order] * people.live[:, None], columns.shape[1]
    x = x - (people.live @ x / jnp.maximum(people.live.sum(), 1.0))[None, :]
    one, other = np.triu_indices(p)
    place = np.zeros((p, p), int)
    place[one, other] = place[other, one] = np.arange(len(one))
    share = people.rank / jnp.maximum(people.d, 1.0) if ties == "efron" else jnp.zeros(len(people.time))

    def parts(beta: Array) -> tuple[Array, Array]:
        risk = people.live * jnp.exp(jnp.minimum(x @ beta, 500.0))
        values = jnp.concatenate([jnp.ones((len(risk), 1)), x, x[:, one] * x[:, other]], axis=1) * risk[:, None]
        there = upto(values, people.end) - upto(values, people.first - 1)
        tied = values * people.event[:, None]
        gone = share[:, None] * (upto(tied, people.last) - upto(tied, people.first - 1))
        total = there - gone
        mean = total[:, 1:] / jnp.where(people.event > 0, total[:, 0], 1.0)[:, None]
        of_events = people.event @ (mean[:, p:] - mean[:, one] * mean[:, other])
        return people.event @ (x - mean[:, :p]), of_events[place]

    def step(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        beta, _, taken = carry
        score, information = parts(beta)
        move = jnp.clip(invert_symmetric(information).matrix @ score, -FARTHEST, FARTHEST)
        return beta + move, jnp.max(jnp.abs(move)), taken + 1

    def going(carry: tuple[Array, ...]) -> Array:
        return (carry[1] > SETTLED) & (carry[2] < STEPS)

    beta, last, _ = lax.while_loop(going, step, (jnp.zeros(p), jnp.asarray(jnp.inf), jnp.asarray(0)))
    inverse = invert_symmetric(parts(beta)[1])
    size = jnp.max(jnp.abs(x), axis=0)
    far = jnp.max(jnp.abs(beta) * jnp.where(size > 0, size, 1.0)) > EXTREME * jnp.maximum(1.0, size.max())
    flag = jnp.where(people.event.sum() > 0, 0, int(Flag.NO_EVENTS)) | jnp.where(far, int(Flag.SEPARATION), 0)
    flag = flag | jnp.where(last <= 1e-8, 0, int(Flag.NOT_CONVERGED))
    flag = flag | jnp.where(inverse.kept[-1] > 0, 0, int(Flag.DETERMINED))
    return spoil(wald(beta[-1], jnp.sqrt(inverse.matrix[-1, -1]), level), flag.astype(jnp.int32))


def shares(time: Array, event: Array, arm: Array, weight: Array, until: float, level: float) -> Estimate:
    """Difference of the shares with the event by a time, Greenwood's variances, as `statistics.times.kaplan_meier`."""
    people, n = _arms(time, event, arm, weight)
    left = jnp.maximum(n - people.d, 0.0)
    lost = jnp.where(people.event > 0, jnp.log(jnp.maximum(left / n, 1e-304)) / jnp.maximum(people.d, 1.0), 0.0)
    greenwood = jnp.where(people.event > 0, 1 / (n * jnp.where(left > 0, left, 1.0)), 0.0)
    found, short = [], jnp.zeros((), bool)
    for mine in _masks(people, arm):
        nobody_left = jnp.any((mine * people.event > 0) & (left <= 0))
        share = jnp.where(nobody_left, 0.0, jnp.exp(mine @ lost))
        se = jnp.where(nobody_left, jnp.nan, share * jnp.sqrt(mine @ greenwood))
        short = short | ((until > jnp.max(mine * people.time)) & ~nobody_left)
        found.append((1 - share, se))
    (one, se1), (two, se0) = found
    flag = jnp.where(short, int(Flag.NOT_REACHED), 0).astype(jnp.int32)
    return spoil(wald(one - two, jnp.sqrt(se1**2 + se0**2), level), flag | _one_armed(people, arm))


def restricted_mean(time: Array, event: Array, arm: Array, weight: Array, until: float, level: float) -> Estimate:
    """Difference of the mean times without the event up to a time, as `survival.restricted_mean_difference`."""
    people, n = _arms(time, event, arm, weight)
    left = jnp.maximum(n - people.d, 0.0)
    counts = (people.event > 0) & (people.time < until)
    lost = jnp.where(counts, jnp.log(jnp.maximum(left / n, 1e-304)) / jnp.maximum(people.d, 1.0), 0.0)
    share = jnp.exp(upto(lost, people.last) - upto(lost, people.begin - 1))
    share = jnp.where(share < 1e-300, 0.0, share)
    here, following = jnp.minimum(people.time, until), jnp.append(people.time[1:], 0.0)
    place = jnp.arange(len(people.time))
    to = jnp.where(place == people.end, until, jnp.minimum(following, until))
    area = jnp.where(place == people.last, share * (to - here), 0.0) * people.live
    come = upto(area, people.end) - upto(area, people.last - 1)
    noise = jnp.where(counts & (left > 0), come**2 / (n * jnp.where(left > 0, left, 1.0)), 0.0)
    means, variance, short = [], jnp.zeros(()), jnp.zeros((), bool)
    for mine in _masks(people, arm):
        first = jnp.min(jnp.where(mine > 0, here, until))
        means.append(first + mine @ area)
        variance = variance + mine @ noise
        at_end = jnp.min(jnp.where(mine > 0, share, 1.0))
        short = short | ((jnp.max(mine * people.time) < until) & (at_end > 0))
    flag = jnp.where(short, int(Flag.NOT_REACHED), 0).astype(jnp.int32)
    return spoil(wald(means[0] - means[1], jnp.sqrt(variance), level), flag | _one_armed(people, arm))


def _arms(time: Array, event: Array, arm: Array, weight: Array) -> tuple[Order, Array]:
    """People in order of arm and time, and how many of their arm are at risk."""
    people = ordered(time, event, jnp.where(arm > 0, 0, 1), 2, weight)
    return people, jnp.maximum((people.end - people.first + 1).astype(float), 1.0)


def _masks(people: Order, arm: Array) -> tuple[Array, Array]:
    mine = arm[people.order] > 0
    return people.live * mine.astype(float), people.live * (~mine).astype(float)


def _one_armed(people: Order, arm: Array) -> Array:
    one, two = (mask.sum() > 0 for mask in _masks(people, arm))
    return jnp.where(one & two, 0, int(Flag.EMPTY_ARM)).astype(jnp.int32)
