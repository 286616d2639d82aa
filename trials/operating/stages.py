"""Two stages, the second of which depends on the first: replicates whose later people are drawn apart.

The second stage's people, and how they are randomised, are addressed by the replicate and the stage. So what they show
is independent of the first stage given the decision, as the combination of stages needs.
"""

from typing import NamedTuple

import numpy as np

from ..statistics.methods.estimate import Estimate, Flag
from . import replicates
from .decisions import Ahead, Rule, ahead, scores
from .draw import Allocation
from .enriching import Enriched
from .replicates import Trials
from .sample import Data

SECOND = "design, second stage"
GROUP = 64  # replicates of a second stage that are computed together


class Staged(NamedTuple):
    """Trials of two stages: a drop-in for `Trials` where replicates are computed, kept and read."""

    first: Trials
    rule: Rule
    enriched: Enriched | None = None

    @property
    def cuts(self) -> tuple[int, ...]:
        """People by each look, as planned."""
        return self.rule.cuts


def analyse(staged: Staged, numbers: np.ndarray, pool: Data) -> Estimate:
    """Estimates of some replicates: of the first stage, and of the second stage's people alone.

    Returns:
      Arrays (replicates, hypotheses, 2, analyses). A second stage that does not take place, and an analysis of an arm
      that was dropped, have no estimate.
    """
    if staged.enriched is None:
        return _both(staged, numbers, pool)
    parts = [
        _both(staged._replace(first=some), numbers, data) for some, data in staged.enriched.parts(staged.first, pool)
    ]
    return Estimate._make(np.concatenate(values, axis=1) for values in zip(*parts, strict=True))


def _both(staged: Staged, numbers: np.ndarray, pool: Data) -> Estimate:
    """Both stages under hypotheses that read the same data."""
    rule, trials = staged.rule, staged.first
    first = replicates.analyse(trials._replace(cuts=rule.cuts[:1]), numbers, pool)
    decided = [ahead(rule, scores(rule, _of(first, h))[:, 0]) for h in range(first.p.shape[1])]
    second = _nothing(first)
    for pattern, of in _patterns(decided).items():
        for h, rows in of.items():
            later = _later(staged, pattern, numbers[rows], h, decided[h].people[rows], pool)
            _fill(second, later if staged.enriched is None else _gone(later, pattern), rows, h)
    return Estimate._make(np.concatenate([one, two], axis=2) for one, two in zip(first, second, strict=True))


def allocation(rule: Rule, kept: tuple[bool, ...]) -> Allocation:
    """How the people of the second stage are randomised: to the arms that are kept, in the shares they had."""
    if rule.design.select is None:
        return rule.allocation
    going = {rule.arms[0][1]} | {arm for (arm, _), on in zip(rule.arms, kept, strict=True) if on}
    shares = tuple(share if arm in going else 0 for arm, share in enumerate(rule.allocation.shares))
    whole = sum(shares)
    return Allocation(shares, -(-rule.allocation.block // whole) * whole, rule.allocation.strata)


def _patterns(decided: list[Ahead]) -> dict[tuple[bool, ...], dict[int, np.ndarray]]:
    """For each set of arms that goes on somewhere, under each hypothesis the replicates in which it does."""
    found: dict[tuple[bool, ...], dict[int, np.ndarray]] = {}
    for h, one in enumerate(decided):
        for pattern in np.unique(one.kept[~one.ends], axis=0):
            rows = np.flatnonzero((one.kept == pattern).all(axis=1) & ~one.ends)
            found.setdefault(tuple(map(bool, pattern)), {})[h] = rows
    return found


def _later(
    staged: Staged, pattern: tuple[bool, ...], numbers: np.ndarray, hypothesis: int, people: np.ndarray, pool: Data
) -> Estimate:  # fmt: skip
    """Estimates of the second stages of some replicates, (replicates, 1, 1, analyses)."""
    rule, trials, enriched = staged.rule, staged.first, staged.enriched
    pool = pool if enriched is None or pattern[0] else enriched.inside(pool)
    name, sources = list(trials.hypotheses.items())[hypothesis]
    later = trials._replace(
        size=rule.most, cuts=(rule.most,), allocation=allocation(rule, pattern), stage=SECOND,
        worlds=((name, tuple((int(one), int(other)) for one, other in sources)),),
    )  # fmt: skip
    # Few shapes, so that few programs are compiled: replicates in whole groups.
    rows = np.resize(np.arange(len(numbers)), -(-len(numbers) // GROUP) * GROUP)
    windows = np.zeros((len(rows), 1, 1, 2), int)
    windows[:, 0, 0, 1] = people[rows]
    parts = [
        replicates.analyse(later, numbers[rows[i : i + GROUP]], pool, windows[i : i + GROUP])
        for i in range(0, len(rows), GROUP)
    ]
    return Estimate._make(np.concatenate(values)[: len(numbers)] for values in zip(*parts, strict=True))


def _gone(found: Estimate, pattern: tuple[bool, ...]) -> Estimate:
    """Without the estimates of everybody where the subgroup went on alone; those of `also` are of its people then."""
    if pattern[0]:
        return found
    nothing = _nothing(found)
    everybody = np.arange(found.p.shape[-1]) == 0
    return Estimate._make(np.where(everybody, none, value) for none, value in zip(nothing, found, strict=True))


def _of(found: Estimate, hypothesis: int) -> Estimate:
    return Estimate._make(values[:, hypothesis] for values in found)


def _nothing(like: Estimate) -> Estimate:
    values = [np.full(like.p.shape, np.nan) for _ in range(6)]
    return Estimate._make([*values, np.ones(like.p.shape), np.full(like.p.shape, int(Flag.NOT_REACHED))])


def _fill(whole: Estimate, part: Estimate, rows: np.ndarray, hypothesis: int) -> None:
    for target, values in zip(whole, part, strict=True):
        target[rows, hypothesis] = values[:, 0]
