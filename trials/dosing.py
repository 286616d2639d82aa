"""What each twin is due: amounts that are the same for all, or that depend on body weight or on skin.

A plan is a stage of an arm, entered at a visit: the courses of the stage laid out in time. Plans of the first stages
come first, in the order of arms, so that in a trial without stages a twin's plan is the number of its arm.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from .regimen import BY_ERYTHEMA, BY_WEIGHT

MILLIJOULES = 1000.0  # in a joule; `med` is in mJ/cm2


class Scaled(NamedTuple):
    """Doses that depend on the twin: amounts times a measure of it.

    amounts: (breaks, plans, slots, measures). per: what a measure is, `regimen.ALONE` and so on, (measures,);
    over, up_to: the body weights it is for, kg, (measures,). erythema: minimal erythema dose under the light of a slot
    over the twin's `med`, (plans, slots).
    """

    amounts: Array
    per: Array
    over: Array
    up_to: Array
    erythema: Array


class Daily(NamedTuple):
    """Treatments taken every day, from each break to the next.

    rates: amount a day if every dose is taken, the same for all twins, (breaks, plans, slots). scaled: amounts a day
    that depend on the twin; None if there are none. times: doses a day, (breaks, plans).
    """

    rates: Array
    scaled: Scaled | None
    times: Array


class Doses(NamedTuple):
    """All plans of a trial. single: amounts at the breaks, the same for all twins, (breaks, plans, slots).

    scaled, daily: None if the trial has no such doses, which spares the kernel from looking.
    in_use: the drug is in use from a break to the next, (breaks, plans, slots).
    """

    single: Array
    scaled: Scaled | None
    daily: Daily | None
    in_use: Array


def due(doses: Doses, twins: dict[str, Array], plan: Array, break_: Array) -> Array:
    """Amounts due at a break, shape (slots, people).

    Args:
      twins: attributes, (people,); `weight` in kg and `med` in mJ/cm2 where doses need them.
      plan: plan numbers, (people,).
    """
    return _amounts(doses.single, doses.scaled, twins, plan, break_)


def taken_daily(
    doses: Doses, twins: dict[str, Array], plan: Array, adherence: Array, break_: Array
) -> tuple[Array, ...] | None:
    """Amounts a day that reach people who take this share of them, one (people,) a slot; None if there are none.

    Args:
      adherence: (slots, people), or (1, people) for all slots.
    """
    if doses.daily is None:
        return None
    return tuple(_amounts(doses.daily.rates, doses.daily.scaled, twins, plan, break_) * adherence)


def _amounts(same: Array, scaled: Scaled | None, twins: dict[str, Array], plan: Array, break_: Array) -> Array:
    """What is the same for all twins and what depends on them, (slots, people)."""
    if scaled is None:
        return same[break_][plan].T
    own = (scaled.amounts[break_][plan] * _measures(scaled, twins, plan)).sum(-1)
    return same[break_][plan].T + own.T


def _measures(scaled: Scaled, twins: dict[str, Array], plan: Array) -> Array:
    """What the amounts are multiplied by, shape (people, slots, measures)."""
    nothing = jnp.ones((plan.shape[0],))
    weight = twins.get("weight", nothing)[:, None, None]
    erythema = (twins.get("med", nothing)[:, None] / MILLIJOULES * scaled.erythema[plan])[:, :, None]
    per = scaled.per[None, None, :]
    here = (weight > scaled.over[None, None, :]) & (weight <= scaled.up_to[None, None, :])
    factor = jnp.where(per == BY_WEIGHT, weight, jnp.where(per == BY_ERYTHEMA, erythema, 1.0))
    return jnp.where(here, factor, 0.0)
