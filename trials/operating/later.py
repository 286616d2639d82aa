"""Both stages of a replicate analysed again by the routines of `cutis run`, where the second depends on the first."""

import jax.numpy as jnp
import numpy as np

from ..statistics.methods.estimate import Estimate
from . import recheck as checks
from .decisions import ahead, scores
from .draw import Drawn, draw, keys
from .pool import Pool
from .recheck import Agreement
from .replicates import Trials, padded
from .stages import SECOND, Staged, allocation


def second(staged: Staged, number: int, pattern: tuple[bool, ...], people: int, strata: np.ndarray) -> Drawn:
    """Who takes part in the second stage of a replicate, and which arm each has, in order of entry.

    Args:
      pattern: which analyses go on. people: of the stage. strata: of the pool, (pool,).
    """
    enriched, rule = staged.enriched, staged.rule
    who = np.arange(len(strata)) if enriched is None or pattern[0] else np.flatnonzero(enriched.members)
    key = keys(staged.first.seed, jnp.asarray([number]), SECOND)[0]
    drawn = draw(key, jnp.asarray(strata[who]), allocation(rule, pattern), padded(rule.most))
    return Drawn(who[np.asarray(drawn.people)[:people]], np.asarray(drawn.arms)[:people])  # pyright: ignore[reportArgumentType]


def people(staged: Staged, number: int, found: Estimate, strata: np.ndarray) -> Drawn:
    """Who takes part in both stages of a replicate under the model, and which arm each has, in order of entry.

    Args:
      found: its estimates, (1, hypotheses, 2, analyses).
    """
    trials, rule = staged.first, staged.rule
    early = checks.people(trials, number, strata)
    early = Drawn(early.people[: rule.cuts[0]], early.arms[: rule.cuts[0]])
    decided = ahead(rule, scores(rule, Estimate._make(values[:, 0] for values in found))[:, 0])
    if decided.ends[0]:
        return early
    late = second(staged, number, tuple(map(bool, decided.kept[0])), int(decided.people[0]), strata)
    parts = [np.concatenate([one, other]) for one, other in zip(early, late, strict=True)]
    return Drawn._make(parts)  # pyright: ignore[reportArgumentType]


def recheck(staged: Staged, pool: Pool, numbers: np.ndarray, found: Estimate) -> Agreement:
    """Analyse both stages of replicates again, under every hypothesis.

    Args:
      numbers: of the replicates, (replicates,). found: their estimates, (replicates, hypotheses, 2, analyses).
    """
    trials, enriched = staged.first, staged.enriched
    parts = [(trials, pool)]
    if enriched is not None:
        pools = (pool, *enriched.supposed)
        parts = [(some, own) for (some, _), own in zip(enriched.parts(trials, enriched.data[0]), pools, strict=True)]
    total, start = Agreement(0, dict.fromkeys(trials.names, 0.0), 0), 0
    for some, own in parts:
        stop = start + len(some.hypotheses)
        mine = Estimate._make(values[:, start:stop] for values in found)
        start = stop
        plans = dict(zip(trials.names, trials.analyses, strict=True))
        first = Estimate._make(values[:, :, :1] for values in mine)
        early = checks.recheck(some._replace(cuts=trials.cuts[:1]), own, plans, numbers, first)
        total = joined(joined(total, early), _later(staged, some, own, numbers, mine))
    return total


def joined(one: Agreement, other: Agreement) -> Agreement:
    """Two agreements of the same analyses as one."""
    largest = {name: max(apart, other.largest[name]) for name, apart in one.largest.items()}
    return Agreement(one.analyses + other.analyses, largest, one.flagged + other.flagged)


def _later(staged: Staged, trials: Trials, pool: Pool, numbers: np.ndarray, found: Estimate) -> Agreement:
    """The second stages that take place, of the analyses that have an estimate there."""
    largest, many, flagged = dict.fromkeys(trials.names, 0.0), 0, 0
    later = trials._replace(stage=SECOND)
    for h, outcomes in enumerate(trials.hypotheses.values()):
        decided = ahead(staged.rule, scores(staged.rule, Estimate._make(values[:, h] for values in found))[:, 0])
        for row in np.flatnonzero(~decided.ends):
            people, pattern = int(decided.people[row]), tuple(map(bool, decided.kept[row]))
            drawn = second(staged, int(numbers[row]), pattern, people, pool.strata)
            for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
                ours = Estimate._make(values[row, h, 1, place] for values in found)
                if np.isnan(ours.estimate):
                    continue  # of an arm that was dropped, or of everybody where the subgroup goes on
                frame = checks.table(pool, pool.columns[name], analysis, drawn, outcomes[place], people)
                luck = checks.luck_of(later, int(numbers[row]))
                apart = checks.difference(analysis, ours, checks.again(analysis, frame, luck))
                many, flagged = many + 1, flagged + int(np.isnan(apart))
                largest[name] = max(largest[name], 0.0 if np.isnan(apart) else apart)
    return Agreement(many, largest, flagged)
