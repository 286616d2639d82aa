"""A platform: arms that open and close over time, compared with a control that all share.

Between two openings or closings the people who come are randomised in blocks among the arms that are open then and the
control. Each arm is compared with its concurrent controls: those who could have been given the arm.
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.keys import stream
from ..study import Study
from .adaptations import Platform
from .draw import Allocation, allocate, keys
from .replicates import Trials


def problems(study: Study, platform: Platform, sizes: tuple[int, ...]) -> Iterator[str]:
    """What keeps a stretch of time from being randomised as planned."""
    shares, trial = study.trial.randomisation.allocation, study.trial
    for size in sizes:
        for start, stop in stretches(platform, size):
            going = [i for i in range(len(platform.analyses)) if _open(platform, size, i, start)]
            named = [trial.analyses[platform.analyses[i]] for i in going if platform.analyses[i] in trial.analyses]
            if not going:
                yield (
                    f"design.platform: no arm is open from {start / size:g} to {stop / size:g} of the people; let one "
                    "enter earlier or leave later"
                )
            elif named and stop - start < (least := shares[named[0].comparator] + sum(shares[a.arm] for a in named)):
                yield (
                    f"design.platform: {stop - start} of {size} people from {start / size:g} to {stop / size:g} do not "
                    f"fill one block of the arms open then; expected {least} or more"
                )


def stretches(platform: Platform, size: int) -> list[tuple[int, int]]:
    """Places in the order of entry between which the same arms are open; those beyond the size are in the last."""
    edges = sorted({0, size, *(round(size * at) for at in (*platform.enter, *platform.leaves))})
    return list(pairwise(edges))


def windows(platform: Platform, size: int, analyses: int) -> np.ndarray:
    """First person who counts in each analysis, and the first who does not any more, (analyses, 2)."""
    found = np.tile([0, size], (analyses, 1))
    for i, (enter, leave) in enumerate(zip(platform.enter, platform.leaves, strict=True)):
        found[i] = round(size * enter), round(size * leave)
    return found


def arms(trials: Trials, platform: Platform, pairs: tuple[tuple[int, int], ...], numbers: np.ndarray,
         strata: np.ndarray) -> np.ndarray:  # fmt: skip
    """Arm numbers, (replicates, room).

    Args:
      pairs: numbers of the arm and of the control of each analysis. strata: of the pool, (pool,).
    """
    plan = []
    parts = stretches(platform, trials.size)
    for start, stop in parts:
        going = {pairs[0][1]} | {pair[0] for i, pair in enumerate(pairs) if _open(platform, trials.size, i, start)}
        shares = tuple(share if arm in going else 0 for arm, share in enumerate(trials.allocation.shares))
        whole = sum(shares)
        block = -(-trials.allocation.block // whole) * whole
        end = trials.room if stop == trials.size else stop
        plan.append((start, end, Allocation(shares, block, trials.allocation.strata)))
    run = _program(tuple(plan), trials.room)
    return np.asarray(run(keys(trials.seed, jnp.asarray(numbers), trials.stage), jnp.asarray(strata)))


@cache
def _program(plan: tuple[tuple[int, int, Allocation], ...], room: int) -> Any:
    def one(key: Any, strata: Any) -> Any:
        # The same people as in `draw`, which the replicates are given.
        people = jax.random.randint(stream(key, "people"), (room,), 0, strata.shape[0])
        luck = stream(key, "randomise")
        parts = [
            allocate(stream(luck, "stretch", number), strata[people[start:stop]], allocation)
            for number, (start, stop, allocation) in enumerate(plan)
        ]
        return jnp.concatenate(parts)

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def _open(platform: Platform, size: int, number: int, start: int) -> bool:
    return round(size * platform.enter[number]) <= start < round(size * platform.leaves[number])
