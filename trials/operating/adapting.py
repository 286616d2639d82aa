"""Response-adaptive randomisation: the arms of replicates whose shares follow what was seen before.

People up to the first update are randomised in the blocks of the study. After an update each is given an arm by luck of
its own, addressed by the replicate and the place in it, in the shares that the responders so far ask for
(`designs.adaptive.response`). What those before have shown is known at an update, as at a look; whoever has no value
counts in nothing.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.diseases import DISEASES
from ...core.keys import stream
from .. import stages
from ..designs.adaptive.response import shares
from ..study import Study
from .adaptations import Adaptation
from .draw import Allocation, Drawn, draw, keys
from .replicates import Trials
from .sample import EVERYBODY, Data


def problems(study: Study, adapt: Adaptation, sizes: tuple[int, ...]) -> Iterator[str]:
    """What keeps shares from following responders."""
    arms, block = len(study.trial.arms), study.trial.randomisation.block_size
    if adapt.least * arms > 1:
        yield f"design.adapt.least: expected 0 to {1 / arms:g} with {arms} arms, got {adapt.least:g}"
    known = stages.responders(DISEASES[study.trial.disease])
    for name in adapt.analyses:
        analysis = study.trial.analyses.get(name)
        if analysis is not None and analysis.outcome not in known:
            yield (
                f"design.adapt.analyses: {name} is of {analysis.outcome}, which is no yes or no; shares follow "
                f"responders, such as {', '.join(known[:3])}"
            )
    for size in sizes:
        if round(size * adapt.updates[0]) < block:
            yield (
                f"design.adapt.updates: {round(size * adapt.updates[0])} people before the first "
                f"({adapt.updates[0]:g} of {size}) do not fill one block of the randomisation; expected {block} or more"
            )


def drawn(trials: Trials, numbers: np.ndarray, strata: np.ndarray) -> tuple[Drawn, np.ndarray]:
    """People of replicates, their arms by blocks, and the luck by which others are given, (replicates, room) each."""
    found, luck = _draws(trials.allocation, trials.room)(keys(trials.seed, jnp.asarray(numbers), trials.stage), strata)
    return Drawn(np.asarray(found.people), np.asarray(found.arms)), np.asarray(luck)  # pyright: ignore[reportArgumentType]


@cache
def _draws(allocation: Allocation, room: int) -> Any:
    def one(key: Array, strata: Array) -> Any:
        return draw(key, strata, allocation, room), jax.random.uniform(stream(key, "adapt"), (room,))

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def arms(trials: Trials, adapt: Adaptation, numbers: np.ndarray, data: Data) -> np.ndarray:
    """Arm numbers, (replicates, hypotheses, room).

    Args:
      data: of the analyses, whose first ones are those of `adapt`.
    """
    many = len(trials.allocation.shares)
    people, luck = drawn(trials, numbers, data.strata)
    who, cuts = np.asarray(people.people), [round(trials.size * at) for at in adapt.updates]
    found = []
    for sources in trials.hypotheses.values():
        value, there = outcomes(data, sources, len(adapt.analyses), many)
        given = np.array(people.arms)
        for start, stop in zip(cuts, [*cuts[1:], given.shape[1]], strict=True):
            yes, n = seen(given[:, :start], who[:, :start], value, there)
            share = shares(yes, n, adapt.rule, adapt.power, adapt.least)
            edges = np.cumsum(share, axis=1)[:, None, :-1]
            given[:, start:stop] = (luck[:, start:stop, None] >= edges).sum(axis=2)
        found.append(given)
    return np.stack(found, axis=1)


def outcomes(data: Data, sources: np.ndarray, tested: int, many: int) -> tuple[np.ndarray, np.ndarray]:
    """What every twin of the pool shows in every arm, and whether it does, (arms, pool) each."""
    size = data.columns.shape[1]
    value, there = np.zeros((many, size)), np.zeros((many, size), dtype=bool)
    for place, source in list(zip(data.places, sources, strict=True))[:tested]:
        for arm, side in zip(place.arms, source, strict=True):
            value[arm] = data.columns[place.value[side]]
            weight = place.weight[side]
            there[arm] = True if weight == EVERYBODY else data.columns[weight] > 0
    return value, there


def seen(given: np.ndarray, who: np.ndarray, value: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Responders and people with a value in each arm, (replicates, arms) each.

    Args:
      given: numbers of arms; who: places in the pool, (replicates, people). value, there: (arms, pool).
    """
    counts = there[given, who].astype(float)
    yes = counts * value[given, who]
    of = [(given == arm) for arm in range(len(value))]
    responders, people = (np.stack([(x * mine).sum(axis=1) for mine in of], axis=1) for x in (yes, counts))
    return responders, people
