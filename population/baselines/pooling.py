"""Several arms as one group."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Group(NamedTuple):
    """An arm: its people, the mean (or share) of something, and its standard deviation (n - 1)."""

    n: int
    mean: float
    sd: float | None = None


def people(groups: Sequence[Group]) -> int:
    """How many there are in all groups."""
    return sum(group.n for group in groups)


def pooled_mean(groups: Sequence[Group]) -> float:
    """The mean over all people; of shares, the share."""
    return sum(group.n * group.mean for group in groups) / people(groups)


def pooled_sd(groups: Sequence[Group]) -> float:
    """The standard deviation (n - 1) over all people: that within groups and that between their means.

    >>> round(pooled_sd([Group(2, 1.0, 2.0), Group(2, 5.0, 2.0)]), 3)  # of 1 ± 1.41 and 5 ± 1.41
    2.828
    """
    total, mean = people(groups), pooled_mean(groups)
    within = sum((group.n - 1) * (group.sd or 0.0) ** 2 for group in groups)
    between = sum(group.n * (group.mean - mean) ** 2 for group in groups)
    return math.sqrt((within + between) / (total - 1)) if total > 1 else 0.0
