"""The people of a published arm: one pool for all arms, made to look as each arm is reported to have looked.

All arms share their luck (common random numbers), and what matters most is spread evenly over its range (a scrambled
Sobol sequence), so that a few hundred people give an arm's response rate to about half a percentage point.
"""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import special
from scipy.stats import qmc

from ...core.keys import people, root, stream
from ...population.sample import POPULATIONS, sample
from .evidence.arms import Arm, Trial

SEED = 20261122
LEAST = 12.0  # PASI at which the pool's severity begins
RACES = {"white": 0, "black": 1, "asian": 2}


class Pool(NamedTuple):
    """People before they are made to fit an arm; arrays of people.

    keys: one a person. twins: attributes. chance: uniform draws that decide yes/no attributes of which an arm tells the
    share. luck: standard normal deviations of what the model does not know of a person; `own` is of the person for one
    drug, the same draws whichever the drug, since nobody gets two.
    """

    keys: object
    twins: dict[str, np.ndarray]
    chance: dict[str, np.ndarray]
    luck: dict[str, np.ndarray]


LUCK = ("resistance", "plaque_rate", "il23_free", "il17f_share", "placebo", "own")
SHARES = ("male", "prior_biologic", "psoriatic_arthritis")


@cache
def pool(size: int) -> Pool:
    """`size` people (a power of 2)."""
    key = root(SEED)
    ids = jnp.arange(size)
    twins = {
        k: np.asarray(v) for k, v in sample(POPULATIONS["psoriasis_moderate_severe"], stream(key, "twins"), ids).items()
    }
    even = qmc.Sobol(len(LUCK), seed=SEED).random(size)  # pyright: ignore[reportCallIssue]
    normal = special.ndtri(np.clip(even, 0.5 / size, 1 - 0.5 / size))
    rng = np.random.default_rng(SEED)
    chance = {name: rng.permutation((np.arange(size) + 0.5) / size) for name in SHARES}
    return Pool(people(stream(key, "response"), ids), twins, chance, dict(zip(LUCK, normal.T, strict=True)))


def participants(trial: Trial, arm: Arm, size: int) -> dict[str, np.ndarray]:
    """Attributes of an arm's people, each (people,): the pool's, with the means and shares that the arm reports.

    What an arm does not report is taken from the mean of the trial's other arms, else left as the pool has it.
    """
    drawn = pool(size)
    twins = dict(drawn.twins)
    for name in SHARES:
        share = _reported(trial, arm, name)
        if name == "prior_biologic" and trial.naive:
            share = 0.0
        if share is not None:
            twins[name] = drawn.chance[name] < share
    weight, severity, age = (_reported(trial, arm, name) for name in ("weight", "severity", "age"))
    if weight is not None:
        twins["weight"] = twins["weight"] * weight / twins["weight"].mean()
    if age is not None:
        twins["age"] = np.maximum(twins["age"] + age - twins["age"].mean(), 18.0)
    if severity is not None:
        least = min(LEAST, severity - 1)
        above = twins["severity"] - twins["severity"].min()
        twins["severity"] = least + above * (severity - least) / above.mean()
    if trial.race in RACES:
        twins["race"] = np.full_like(twins["race"], RACES[trial.race])
    return twins


def _reported(trial: Trial, arm: Arm, name: str) -> float | None:
    value = getattr(arm.baseline, name)
    if value is not None:
        return value
    others = [(a.n, getattr(a.baseline, name)) for a in trial.arms if getattr(a.baseline, name) is not None]
    return sum(n * v for n, v in others) / sum(n for n, _ in others) if others else None
