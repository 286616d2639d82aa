"""Replicates whose arms are not those of one series of blocks: they follow responders, or arms open over time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..statistics.methods.estimate import Estimate
from . import adapting, platforms, replicates
from . import recheck as checks
from .decisions import Rule
from .draw import Drawn
from .measures import Figure, average
from .pool import Pool
from .recheck import Agreement
from .replicates import PIECE, Trials
from .sample import Data


class Assigned(NamedTuple):
    """A drop-in for `Trials` where replicates are computed, kept and read."""

    first: Trials
    rule: Rule


def arms(assigned: Assigned, numbers: np.ndarray, data: Data) -> np.ndarray:
    """Arm numbers of replicates in the order of entry, (replicates, hypotheses, room)."""
    trials, rule = assigned
    if rule.design.adapt is not None:
        return adapting.arms(trials, rule.design.adapt, numbers, data)
    assert rule.design.platform is not None  # else arms are those of the blocks
    found = platforms.arms(trials, rule.design.platform, rule.arms, numbers, data.strata)
    return np.repeat(found[:, None], len(trials.hypotheses), axis=1)


def windows(assigned: Assigned) -> np.ndarray:
    """First person who counts in each analysis, and the first who does not any more, (analyses, 2)."""
    trials, platform = assigned.first, assigned.rule.design.platform
    if platform is None:
        return np.tile([0, trials.size], (len(trials.names), 1))
    return platforms.windows(platform, trials.size, len(trials.names))


def analyse(assigned: Assigned, numbers: np.ndarray, data: Data) -> Estimate:
    """Estimates of some replicates, (replicates, hypotheses, 1, analyses)."""
    trials, given = assigned.first, arms(assigned, numbers, data)
    if assigned.rule.design.platform is None:
        return replicates.analyse(trials, numbers, data, given=given)
    own = windows(assigned)  # of each analysis, tried on all, of which its own is kept
    wide = np.broadcast_to(own, (len(numbers), len(trials.hypotheses), *own.shape))
    found = replicates.analyse(trials, numbers, data, wide, given)
    return Estimate._make(np.diagonal(values, axis1=2, axis2=3)[:, :, None] for values in found)


def people(assigned: Assigned, number: int, data: Data) -> list[Drawn]:
    """Who takes part in a replicate, and which arm each has, in order of entry, under each hypothesis."""
    trials = assigned.first
    who = checks.people(trials, number, data.strata).people
    given = arms(assigned, np.array([number]), data)[0, :, : trials.size]
    return [Drawn(who, mine) for mine in given]  # pyright: ignore[reportArgumentType]


def recheck(assigned: Assigned, pool: Pool, data: Data, numbers: np.ndarray, found: Estimate) -> Agreement:
    """Analyse replicates again by the routines of `cutis run`, under every hypothesis.

    Args:
      numbers: of the replicates, (replicates,). found: their estimates, (replicates, hypotheses, 1, analyses).
    """
    trials, own = assigned.first, windows(assigned)
    largest, many, flagged = dict.fromkeys(trials.names, 0.0), 0, 0
    for row, number in enumerate(numbers):
        luck, drawn = checks.luck_of(trials, int(number)), people(assigned, int(number), data)
        for h, outcomes in enumerate(trials.hypotheses.values()):
            for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
                mine = within(drawn[h], own[place])
                frame = checks.table(pool, pool.columns[name], analysis, mine, outcomes[place], trials.size)
                ours = Estimate._make(values[row, h, 0, place] for values in found)
                apart = checks.difference(analysis, ours, checks.again(analysis, frame, luck))
                many, flagged = many + 1, flagged + int(np.isnan(apart))
                largest[name] = max(largest[name], 0.0 if np.isnan(apart) else apart)
    return Agreement(many, largest, flagged)


def within(drawn: Drawn, window: np.ndarray) -> Drawn:
    """The same people, of whom those outside the window have no arm."""
    entry, given = np.arange(len(drawn.arms)), np.asarray(drawn.arms)
    return Drawn(drawn.people, np.where((entry >= window[0]) & (entry < window[1]), given, -1))  # pyright: ignore[reportArgumentType]


def figures(assigned: Assigned, many: int, data: Data) -> Iterator[Figure]:
    """How many people each arm has, and how many respond; of a platform, how many concurrent controls there are.

    Args:
      many: replicates.
    """
    trials, rule = assigned
    names = dict(pair for analysis, place in zip(trials.analyses, data.places, strict=True)
                 for pair in zip(place.arms, (analysis.arm, analysis.comparator), strict=True))  # fmt: skip
    parts = [
        _counted(assigned, np.arange(start, min(start + PIECE, many)), data, len(names))
        for start in range(0, many, PIECE)
    ]
    given, yes, controls = (np.concatenate(part) for part in zip(*parts, strict=True))

    def figure(hypothesis: str, measure: str, values: np.ndarray, analysis: str = trials.names[0]) -> Figure:
        return Figure(trials.size, hypothesis, analysis, measure, 0, *average(values), len(values))

    for h, hypothesis in enumerate(trials.hypotheses):
        for arm in sorted(names):
            yield figure(hypothesis, f"share of people: {names[arm]}", given[:, h, arm] / trials.size)
        if rule.design.adapt is not None:
            yield figure(hypothesis, "expected responders", yes[:, h].sum(axis=1))
        else:
            for place, name in enumerate(trials.names[: len(rule.directions)]):
                yield figure(hypothesis, "concurrent controls", controls[:, h, place], name)


def _counted(
    assigned: Assigned, numbers: np.ndarray, data: Data, many: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """People and responders of each arm, (replicates, hypotheses, arms), and controls of each analysis."""
    trials, rule = assigned
    given, tested = arms(assigned, numbers, data)[..., : trials.size], len(rule.directions)
    drawn, _ = adapting.drawn(trials, numbers, data.strata)
    who = np.asarray(drawn.people)[:, : trials.size]
    people = np.stack([(given == arm).sum(axis=2) for arm in range(many)], axis=2)
    yes = []
    for h, sources in enumerate(trials.hypotheses.values()):
        value, there = adapting.outcomes(data, sources, tested, many)
        yes.append(adapting.seen(given[:, h], who, value, there)[0])
    own = windows(assigned)[:tested]
    controls = [(given[..., a:b] == pair[1]).sum(axis=2) for (a, b), pair in zip(own, rule.arms, strict=True)]
    return people, np.stack(yes, axis=1), np.stack(controls, axis=2)
