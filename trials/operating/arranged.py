"""What the arrangements of people ask of a pool: its columns, true values, and what is to be said of them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.diseases import DISEASES
from ..statistics.estimands import DIFFERENCES
from ..study import Analysis, Study
from ..truth import enrolled
from . import crossing, dosefinding, external, factorial, withdrawing
from . import pool as pools
from .gaps import imputes
from .pool import Pool, of_size
from .replicates import Data, data
from .settings import Design, decisive
from .truth import of_plans, scaled

if TYPE_CHECKING:
    from ..run import Plan


class Arranged(NamedTuple):
    """A pool as its arrangement has it, and as replicates read it.

    cells: numbers of the arms of the data, where these are values of groups. begun: of a randomised withdrawal.
    """

    pool: Pool
    data: Data
    cells: tuple[int, ...] = ()
    begun: withdrawing.Begun | None = None


def problems(study: Study, design: Design) -> Iterator[str]:
    """What keeps the study's arms and analyses from the arrangement that the design asks for."""
    name = decisive(study, design)
    analysis = study.trial.analyses.get(name)
    if analysis is None or not design.arranged:
        return
    if design.withdraw is not None:
        analyses = study.trial.analyses
        asked = {n: analyses[n] for n in (name, *design.also) if n in analyses}
        yield from withdrawing.problems(study, design.withdraw, asked)
        return
    if analysis.method not in DIFFERENCES or analysis.method == "mmrm" or imputes(analysis):
        yield (
            f"design.{design.way}: {name} is by {analysis.method}{' with imputation' if imputes(analysis) else ''}; "
            "it compares means or shares as they are seen: expected an analysis such as newcombe or ancova"
        )
    if design.also:
        yield f"design.also: {design.way} has analyses of its own; leave it out"
    if design.factorial is not None:
        yield from factorial.problems(study, design.factorial)
    if design.crossover is not None:
        yield from crossing.problems(study, design.crossover, name, analysis)
    if design.dose_finding is not None:
        yield from dosefinding.problems(study, design.dose_finding, name, analysis)


def prepared(
    study: Study, design: Design, planned: "Plan", folder: Path, analyses: Mapping[str, Analysis]
) -> Arranged:  # fmt: skip
    """Read a pool.

    Raises:
      ValueError: the pool does not allow what the design asks for.
    """
    if design.factorial is not None:
        pairs = factorial.pairs(design.factorial, next(iter(analyses.values())))
        found = pools.read(study, planned, folder, pairs)
        found, values, cells = factorial.prepared(design.factorial, found, tuple(study.trial.arms))
        return Arranged(found, _values(found, values), cells)
    if design.dose_finding is not None:
        plan, first = design.dose_finding, next(iter(analyses.values()))
        found = pools.read(study, planned, folder, dosefinding.pairs(plan, first))
        names = tuple(analyses)
        found, values, cells = dosefinding.prepared(plan, found, tuple(study.trial.arms), names, first.arm)
        return Arranged(found, _values(found, values), cells)
    if design.external is not None:
        found = pools.read(study, planned, folder, analyses)
        values, cells = external.prepared(design.external, found)
        return Arranged(found, _values(found, values), cells)
    if design.crossover is not None:
        found, begun = crossing.read(study, design.crossover, planned, folder, analyses), None
    else:
        assert design.withdraw is not None  # else there is no arrangement
        found, begun = withdrawing.prepared(
            study, design.withdraw, pools.read(study, planned, folder, analyses), folder
        )
    return Arranged(found, data(found, tuple(analyses), tuple(analyses.values())), (), begun)


def _values(pool: Pool, values: np.ndarray) -> Data:
    """Data whose columns are values of groups."""
    return Data(pool.strata, values, (), ())


def truths(study: Study, design: Design, pool: Pool, analyses: Mapping[str, Analysis]) -> dict[str, float]:
    """The true value of each analysis; NaN where there is none."""
    first, size = next(iter(analyses.values())), design.pool
    if design.factorial is not None:
        found = of_plans(study, size, factorial.pairs(design.factorial, first))
        means = [found["one"].comparator, found["other"].arm, found["other"].comparator, found["one"].arm]
        return factorial.of_cells(design.factorial, np.array(means))
    if design.crossover is not None:
        plans = {"first": first.model_copy(update={"week": design.crossover.first}), "second": first}
        found = of_plans(study, size, plans)
        return crossing.of_periods(next(iter(analyses)), found["first"].value, found["second"].value)
    if design.dose_finding is not None:
        found = of_plans(study, size, dosefinding.pairs(design.dose_finding, first))
        effects = {arm: one.value for arm, one in found.items()}
        return dosefinding.truths(design.dose_finding, tuple(analyses), first.arm, effects)
    if design.external is not None:
        found = of_plans(study, size, {"one": first})
        return dict.fromkeys(analyses, found["one"].value)
    twins = enrolled(of_size(study, size), DISEASES[study.trial.disease])
    members = twins.loc[np.isin(twins["twin"].to_numpy(), pool.ids)].reset_index(drop=True)
    found = of_plans(study, size, analyses, members)
    return {name: scaled(found[name].value, plan) if name in found else np.nan for name, plan in analyses.items()}


def observed(design: Design, data: Data) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Of a factorial, what the analyses tend to as people are observed, and the means of either side."""
    assert design.factorial is not None
    means = np.nanmean(data.columns, axis=1)
    return factorial.of_cells(design.factorial, means), factorial.sides(design.factorial, means)


def compared(design: Design, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What is to be said of analyses in place of the study's own words: `method`, and of a factorial both sides."""
    if design.factorial is not None:
        return factorial.compared(design.factorial)
    if design.external is not None:
        return {name: {"method": external.BORROWING[way]}
                for name, way in zip(names, design.external.ways, strict=True)}  # fmt: skip
    if design.dose_finding is not None:
        return {name: {"method": "contrasts of the doses (MCP-Mod)"} for name in names}
    if design.crossover is not None:
        return {name: {"method": words} for name, words in zip(names, crossing.METHODS, strict=True)}
    return {}


def notes(
    study: Study, design: Design, sizes: tuple[int, ...], begun: withdrawing.Begun | None, truth: dict[str, float],
    limits: dict[str, float],
) -> list[str]:  # fmt: skip
    """What a reader should know of the arrangement."""
    if design.factorial is not None:
        return factorial.notes(design.factorial, truth)
    if design.external is not None:
        return external.notes(design.external, decisive(study, design))
    if design.dose_finding is not None:
        return dosefinding.notes(
            study, design.dose_finding, truth, sizes, study.trial.analyses[decisive(study, design)].alpha
        )
    if design.crossover is not None:
        return crossing.notes(truth, limits)
    if design.withdraw is not None and begun is not None:
        return withdrawing.notes(design.withdraw, begun, sizes)
    return []
