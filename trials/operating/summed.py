"""Replicates whose analyses need no more than the means of groups: factorials, earlier controls, dose-finding.

Nothing is compiled but the draw of the people; the estimates are NumPy's, of many replicates at once.
"""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..statistics.methods.estimate import Estimate
from . import dosefinding, external, factorial
from . import recheck as checks
from .decisions import Rule
from .draw import Allocation, Drawn, draw, keys
from .groups import contrasted, groups
from .recheck import Agreement
from .replicates import Trials, level_of
from .sample import Data


class Summed(NamedTuple):
    """A drop-in for `Trials` where replicates are computed, kept and read. cells: numbers of the arms of the data."""

    first: Trials
    rule: Rule
    cells: tuple[int, ...]


def drawn(summed: Summed, numbers: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in the pool and numbers of arms, (replicates, people) each."""
    trials, design = summed.first, summed.rule.design
    found = draws(trials.allocation, trials.room)(keys(trials.seed, jnp.asarray(numbers)), jnp.asarray(strata))
    who, given = (np.asarray(part)[:, : trials.size] for part in found)
    if design.external is not None and not design.external.concurrent:
        given = np.full_like(given, summed.cells[0])
    return who, given


@cache
def draws(allocation: Allocation, room: int) -> Any:
    """The draw of people and arms, compiled: from keys and the pool's strata to (replicates, room) each."""

    def one(key: Array, strata: Array) -> Drawn:
        return draw(key, strata, allocation, room)

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def people(summed: Summed, number: int, strata: np.ndarray) -> Drawn:
    """Who takes part in a replicate, and which arm each has, in order of entry."""
    who, given = drawn(summed, np.array([number]), strata)
    return Drawn(who[0], given[0])  # pyright: ignore[reportArgumentType]


def analyse(summed: Summed, numbers: np.ndarray, data: Data) -> Estimate:
    """Estimates of some replicates, (replicates, hypotheses, 1, analyses).

    Args:
      data: whose columns are the values in each of the cells.
    """
    who, given = drawn(summed, numbers, data.strata)
    found = [_under(summed, name, numbers, who, given, data) for name in summed.first.hypotheses]
    return Estimate._make(np.stack(values, axis=1)[:, :, None] for values in zip(*found, strict=True))


def _under(
    summed: Summed, hypothesis: str, numbers: np.ndarray, who: np.ndarray, given: np.ndarray, data: Data
) -> Estimate:  # fmt: skip
    """Estimates under one hypothesis, (replicates, analyses)."""
    trials, design = summed.first, summed.rule.design
    level = level_of(trials.analyses[0])
    if design.factorial is not None:
        values = data.columns[list(factorial.sources(design.factorial)[hypothesis])]
        return contrasted(groups(values, who, given, summed.cells), factorial.WEIGHTS, level)
    if design.dose_finding is not None:
        values = _doses(summed, hypothesis, data)
        return dosefinding.analyse(
            design.dose_finding, doses_tested(summed), groups(values, who, given, summed.cells), level
        )
    assert design.external is not None  # else the replicates are not of this kind
    case = external.cases(design.external)[hypothesis]
    values = data.columns[list(case.sources)]
    seen = groups(values, who, given, summed.cells)
    earlier = external.controls(design.external, case.shift, values[1], keys(trials.seed, jnp.asarray(numbers)))
    shares = external.responses(data.columns)
    return external.compared(design.external, seen, earlier, shares, level)


def doses_tested(summed: Summed) -> dosefinding.Test:
    """The test of a dose-finding trial of this size."""
    trials, plan = summed.first, summed.rule.design.dose_finding
    assert plan is not None
    return dosefinding.planned(plan, trials.allocation.shares, summed.cells, trials.size)


def _doses(summed: Summed, hypothesis: str, data: Data) -> np.ndarray:
    """Values at the doses under one hypothesis, (doses, pool)."""
    plan = summed.rule.design.dose_finding
    assert plan is not None
    return data.columns[list(dosefinding.sources(plan, summed.first.analyses[0].arm)[hypothesis])]


def recheck(summed: Summed, numbers: np.ndarray, data: Data, found: Estimate) -> Agreement:
    """Analyse replicates again, one by one: by statsmodels, or by the posterior of `cutis`' own Bayesian methods.

    Args:
      numbers: of the replicates, (replicates,). found: their estimates, (replicates, hypotheses, 1, analyses).
    """
    trials, design = summed.first, summed.rule.design
    who, given = drawn(summed, numbers, data.strata)
    largest, many, flagged = dict.fromkeys(trials.names, 0.0), 0, 0
    for row, number in enumerate(numbers):
        for h, hypothesis in enumerate(trials.hypotheses):
            ours = Estimate._make(values[row, h, 0] for values in found)
            if design.factorial is not None:
                values = data.columns[list(factorial.sources(design.factorial)[hypothesis])]
                theirs = factorial.again(
                    values, who[row], given[row], summed.cells, ours.df, level_of(trials.analyses[0])
                )
            elif design.dose_finding is not None:
                values, test = _doses(summed, hypothesis, data), doses_tested(summed)
                theirs = dosefinding.again(design.dose_finding, test, values, who[row], given[row], summed.cells,
                                           level_of(trials.analyses[0]))  # fmt: skip
            else:
                assert design.external is not None
                case, key = external.cases(design.external)[hypothesis], keys(trials.seed, jnp.asarray([number]))
                theirs = external.again(design.external, case, data.columns, who[row], given[row], summed.cells, key,
                                        level_of(trials.analyses[0]))  # fmt: skip
            for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
                one, other = (Estimate._make(values[place] for values in whole) for whole in (ours, theirs))
                if design.dose_finding is not None:
                    apart = dosefinding.difference(design.dose_finding, one, other)
                else:
                    apart = checks.difference(analysis, one, other)  # pyright: ignore[reportArgumentType]
                many, flagged = many + 1, flagged + int(np.isnan(apart))
                largest[name] = max(largest[name], 0.0 if np.isnan(apart) else apart)
    return Agreement(many, largest, flagged)
