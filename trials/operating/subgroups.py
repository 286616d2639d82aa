"""The effect in subgroups of the pool: the same twins in either arm, so that no comparison of people enters.

Shown by default, as far as the population knows them: sex, skin type, weight, treatment before.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from .pool import Columns, Pool

FEWEST = 20  # twins of a subgroup that is shown
SKIN = {"1": "I-II", "2": "I-II", "3": "III-IV", "4": "III-IV", "5": "V-VI", "6": "V-VI"}
HEAVY = 90.0  # kg, near the median of trials in psoriasis


class Effect(NamedTuple):
    """Mean difference between what the same twins have in the arm and in the comparator.

    se: its standard error as a value for the population that the pool is a sample of. means: of arm and comparator.
    """

    group: str
    level: str
    twins: int
    difference: float
    se: float
    means: tuple[float, float]


def effects(pool: Pool, columns: Columns) -> list[Effect]:
    """The effect in everybody, and in each subgroup with enough twins who have a value in both arms."""
    there = columns.counts.all(axis=0) & ~np.isnan(columns.value).any(axis=0)
    found = []
    for group, level, mask in (("everybody", "", np.ones(pool.size, bool)), *_groups(pool.twins)):
        mine = there & mask
        if int(mine.sum()) >= FEWEST:
            one, two = columns.value[0][mine], columns.value[1][mine]
            away = one - two
            se = float(away.std(ddof=1) / np.sqrt(len(away)))
            means = float(one.mean()), float(two.mean())
            found.append(Effect(group, level, len(away), float(away.mean()), se, means))
    return found


def _groups(twins: pd.DataFrame | None) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, level and members of each subgroup that the twins' table tells."""
    if twins is None:
        return
    if "male" in twins:
        male = twins["male"].to_numpy(bool)
        yield from (("sex", "female", ~male), ("sex", "male", male))
    if "fitzpatrick" in twins:
        skin = twins["fitzpatrick"].astype(str).map(lambda kind: SKIN.get(kind, kind)).to_numpy()
        yield from (("skin type", str(kind), skin == kind) for kind in sorted(set(skin)))
    if "weight" in twins:
        heavy = twins["weight"].to_numpy(float) > HEAVY
        yield from (("weight", f"up to {HEAVY:g} kg", ~heavy), ("weight", f"above {HEAVY:g} kg", heavy))
    for name in (str(column) for column in twins.columns if str(column).startswith("prior_")):
        if pd.api.types.is_bool_dtype(twins[name]):
            before, said = twins[name].to_numpy(bool), name.replace("_", " ")
            yield from ((said, "no", ~before), (said, "yes", before))
