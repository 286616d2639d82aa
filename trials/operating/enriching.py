"""Enrichment: who the subgroup is, what is supposed of its members, and what is true of them.

The subgroup's analysis is the decisive one of its members alone, under a name of its own. Beside the usual hypotheses
stand two that are about the subgroup: nothing is to be found in it, or nothing outside. There the twins on one side
have the comparator's potential outcomes in both arms.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core.diseases import DISEASES
from ...population.eligibility import meets
from ...population.messages import nearest
from ...population.sample import POPULATIONS
from ..levels import categories
from ..statistics.estimands import DIFFERENCES
from ..study import Analysis, Study
from ..truth import enrolled, true_values
from . import replicates
from .adaptations import Enrichment
from .pool import Columns, Pool, of_size
from .replicates import Data, Trials
from .truth import UNTRUE, scaled
from .worlds import INSIDE, OUTSIDE

FEW = 50  # twins of the pool, of the subgroup and of the others, below which a design tells nothing


class Enriched(NamedTuple):
    """A subgroup of a pool.

    members: who belongs to it, (pool,). supposed: the pools of `INSIDE` and of `OUTSIDE`; data: as programs read them.
    """

    members: np.ndarray
    supposed: tuple[Pool, Pool]
    data: tuple[Data, Data]

    @property
    def share(self) -> float:
        """Of the members among the twins of the pool."""
        return float(self.members.mean())

    def parts(self, trials: Trials, data: Data) -> Iterator[tuple[Trials, Data]]:
        """The trials by the data that their hypotheses need, in the order of the hypotheses."""
        plain = tuple(world for world in trials.worlds if world[0] not in (INSIDE, OUTSIDE))
        yield trials._replace(worlds=plain), data
        for name, own in zip((INSIDE, OUTSIDE), self.data, strict=True):
            if found := tuple(world for world in trials.worlds if world[0] == name):
                yield trials._replace(worlds=found), own

    def inside(self, data: Data) -> Data:
        """The data of the members alone."""
        return data._replace(strata=data.strata[self.members], columns=data.columns[:, self.members])


def problems(study: Study, enrich: Enrichment) -> Iterator[str]:
    """What keeps the criteria from naming a subgroup, tried on nobody."""
    attributes = POPULATIONS[study.population.source].attributes
    kinds = {"yes/no": bool, "category": np.int64, "grade": np.int64, "number": np.float64}
    for name, criterion in enrich.subgroup.items():
        where = f"design.enrich.subgroup.{name}"
        if name not in attributes:
            yield f"{where}: no such attribute; {nearest(name, attributes)}"
            continue
        try:
            meets({name: criterion}, {name: np.zeros(0, kinds[attributes[name].kind])}, categories(attributes))
        except ValueError as error:
            yield f"{where}: {str(error).removeprefix(f'eligibility.{name}: ')}"


def belongs(study: Study, enrich: Enrichment, twins: pd.DataFrame) -> np.ndarray:
    """Which twins meet all criteria of the subgroup, (twins,)."""
    levels = categories(POPULATIONS[study.population.source].attributes)
    columns = {}
    for name in enrich.subgroup:
        values = twins[name]
        if name in levels and not pd.api.types.is_numeric_dtype(values):
            columns[name] = pd.Index(levels[name]).get_indexer(pd.Index(values.astype(str)))
        else:
            columns[name] = values.to_numpy()
    return np.logical_and.reduce(list(meets(enrich.subgroup, columns, levels).values()))


def prepared(
    study: Study, enrich: Enrichment, pool: Pool, analyses: Mapping[str, Analysis]
) -> tuple[Pool, Enriched]:  # fmt: skip
    """The pool with the analysis of the subgroup, and the subgroup.

    Args:
      analyses: the second is that of the subgroup.

    Raises:
      ValueError: hardly anybody of the pool is in the subgroup, or outside.
    """
    assert pool.twins is not None  # `pool.read` gives them
    members = belongs(study, enrich, pool.twins)
    for many, where in ((int(members.sum()), "in"), (int((~members).sum()), "outside")):
        if many < FEW:
            raise ValueError(
                f"enrich.subgroup: {many} of {pool.size:,} twins of the pool are {where} the subgroup; expected {FEW} "
                "or more: change the criteria, or take a larger pool"
            )
    name = list(analyses)[1]
    whole = pool._replace(columns=pool.columns | {name: restricted(pool.columns[name], members)})
    supposed = treated_as_comparator(whole, members), treated_as_comparator(whole, ~members)
    names, plans = tuple(analyses), tuple(analyses.values())
    return whole, Enriched(members, supposed, tuple(replicates.data(one, names, plans) for one in supposed))  # pyright: ignore[reportArgumentType]


def restricted(columns: Columns, members: np.ndarray) -> Columns:
    """The columns of an analysis in which the members alone count."""
    there = None if columns.there is None else columns.there & members
    value = np.where(members, columns.value, np.nan)
    return columns._replace(value=value, complete=columns.complete & members, there=there)


def treated_as_comparator(pool: Pool, whom: np.ndarray) -> Pool:
    """The pool in which these twins have the comparator's potential outcomes in both arms of every analysis."""

    def switched(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        mask = whom.reshape(-1, *[1] * (values.ndim - 2))
        return np.stack([np.where(mask, values[1], values[0]), values[1]])

    def of(columns: Columns) -> Columns:
        return Columns(*(part if isinstance(part, tuple) else switched(part) for part in columns))  # pyright: ignore[reportArgumentType]

    return pool._replace(columns={name: of(columns) for name, columns in pool.columns.items()})


def truth_inside(study: Study, enrich: Enrichment, pool: Pool, name: str) -> float:
    """The true value of the decisive analysis in the members, on the scale of its estimate; NaN where there is none."""
    analysis = study.trial.analyses[name]
    if analysis.method in UNTRUE:
        return float("nan")
    whole, disease = of_size(study, pool.size), DISEASES[study.trial.disease]
    twins = enrolled(whole, disease)
    members = twins.loc[belongs(study, enrich, twins)].reset_index(drop=True)
    return scaled(true_values(whole, disease, [name], members)[name].value, analysis)


def supposed_truth(
    names: tuple[str, ...], analysis: Analysis, everybody: float, inside: float, share: float
) -> dict[tuple[str, str], float]:
    """True values under the hypotheses about the subgroup, by hypothesis and analysis; of differences alone.

    Args:
      names: of the analyses, the decisive one first, then that of the subgroup.
    """
    nan = float("nan")
    found = {(world, name): nan for world in (INSIDE, OUTSIDE) for name in names}
    found[INSIDE, names[1]], found[OUTSIDE, names[1]] = 0.0, inside
    if analysis.method in DIFFERENCES:
        found[INSIDE, names[0]], found[OUTSIDE, names[0]] = everybody - share * inside, share * inside
    return found
