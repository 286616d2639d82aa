"""A population fitted to people: a Gaussian copula in each cell, with margins as tables.

Small cells borrow people from their wider group for the margins, and correlations are drawn towards those of everyone
in the same band. Both amounts stand in the plan.
"""

from collections.abc import Mapping

import numpy as np
from scipy import special

from .cells import Grouping, complete, group
from .correlations import pairwise, shrunk
from .data import Data, effective_size
from .margins import banded, borrowed, uncoded
from .model import Cells, Model
from .plan import Plan
from .quantiles import ranks


def fit(plan: Plan, data: Data) -> Model:
    """The population of a plan, from the people who have a cell.

    Raises:
      PlanError: nobody has a cell.
    """
    data = data.take(complete(plan, data))
    groups = group(plan, data)
    members = [groups.cell == c for c in range(len(groups.band))]
    values = {name: data.numbers[name] for name in plan.numbers}
    for name, number in plan.numbers.items():
        if number.top is not None:
            values[name] = uncoded(number.top, values[name], data.weights)
    factors = [np.linalg.cholesky(r) for r in _correlations(plan, values, data.weights, groups, members)]
    weight = np.array([data.weights[member].sum() for member in members])
    return Model(
        plan=plan,
        levels={name: data.levels[name] for name in plan.cells.by},
        cells=Cells(groups.levels, groups.band, weight / weight.sum()),
        people=np.array([int(member.sum()) for member in members]),
        effective=np.array([effective_size(data.weights[member]) for member in members]),
        tables=_tables(plan, values, data.weights, groups, members).astype(np.float32),
        factors=np.array(factors, dtype=np.float32),
    )


def _tables(
    plan: Plan, values: Mapping[str, np.ndarray], weights: np.ndarray, groups: Grouping, members: list[np.ndarray]
) -> np.ndarray:
    """Shape (cells, numbers, nodes)."""
    band = plan.cells.band.number if plan.cells.band else None
    columns = []
    for name, number in plan.numbers.items():
        column = values[name]
        if name == band:
            ends = zip(members, groups.band[:, 1], strict=True)
            columns.append([banded(number, column[own], weights[own], end) for own, end in ends])
        else:
            pairs = zip(members, groups.parent, strict=True)
            columns.append([borrowed(number, column, weights, own, wider, plan.borrow) for own, wider in pairs])
    return np.array(columns).transpose(1, 0, 2)


def _scores(values: Mapping[str, np.ndarray], weights: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """Normal scores of everyone within their cell, shape (people, numbers); NaN where missing."""
    scores = np.full((len(weights), len(values)), np.nan)
    for j, column in enumerate(values.values()):
        known = np.isfinite(column)
        for member in members:
            some = member & known
            if np.any(some):
                scores[some, j] = special.ndtri(ranks(column[some], weights[some]))
    return scores


def _correlations(
    plan: Plan, values: Mapping[str, np.ndarray], weights: np.ndarray, groups: Grouping, members: list[np.ndarray]
) -> list[np.ndarray]:
    """Of the scores in each cell, drawn towards those in its band, and those towards everyone's."""
    scores = _scores(values, weights, members)
    everyone = pairwise(scores, weights)[0]
    starts, band = np.unique(groups.band[:, 0], return_inverse=True)
    pooled = []
    for b in range(len(starts)):
        some = np.isin(groups.cell, np.flatnonzero(band == b))
        pooled.append(shrunk(*pairwise(scores[some], weights[some]), everyone, plan.borrow_correlations))
    return [
        shrunk(*pairwise(scores[own], weights[own]), pooled[band[c]], plan.borrow_correlations)
        for c, own in enumerate(members)
    ]
