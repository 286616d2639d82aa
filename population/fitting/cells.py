"""Groups of people with distributions of their own, and the wider groups that small ones borrow from."""

from typing import NamedTuple

import numpy as np

from .data import Data, effective_size
from .plan import Plan, PlanError


class Grouping(NamedTuple):
    """The cells that have people.

    levels: level numbers of each cell, by category, shape (cells,).
    band: ends of each cell's band, shape (cells, 2); minus and plus infinity where the plan has none.
    cell: number of each person's cell, shape (people,).
    parent: of each cell, the people of its wider group, as masks; shape (cells, people).
    """

    levels: dict[str, np.ndarray]
    band: np.ndarray
    cell: np.ndarray
    parent: np.ndarray


def complete(plan: Plan, data: Data) -> np.ndarray:
    """Who can be given a cell: people with all its categories and a banded number not below its first edge."""
    known = np.ones(data.size, dtype=bool)
    for name in plan.cells.by:
        known &= data.categories[name] >= 0
    if plan.cells.band is not None:
        known &= data.numbers[plan.cells.band.number] >= plan.cells.band.edges[0]  # False where missing
    return known


def group(plan: Plan, data: Data) -> Grouping:
    """The cells of people who all have one.

    A cell's wider group is everyone in its band who shares its categories but the one with most levels; if that group
    is worth fewer people than the plan has cells borrow, the next category is left out too, and last the band.

    Raises:
      PlanError: nobody has a cell.
    """
    if not data.size:
        raise PlanError("cells: nobody has all categories and the banded number that cells are made of")
    columns = {name: data.categories[name] for name in plan.cells.by}
    edges = np.array([-np.inf, np.inf])
    if plan.cells.band is not None:
        edges = np.array([*plan.cells.band.edges, plan.numbers[plan.cells.band.number].high])
    band = np.zeros(data.size, dtype=int)
    if plan.cells.band is not None:
        band = np.searchsorted(edges[1:-1], data.numbers[plan.cells.band.number], side="right")
    codes = np.stack([*columns.values(), band], axis=1)
    cells, cell = np.unique(codes, axis=0, return_inverse=True)
    cell = cell.ravel()
    order = sorted(range(len(columns)), key=lambda k: -len(data.levels[plan.cells.by[k]]))
    order.append(len(columns))  # the band goes last
    parents = np.stack([_wider(codes, row, order, data.weights, plan.borrow) for row in cells])
    return Grouping(
        {name: cells[:, k] for k, name in enumerate(columns)},
        np.stack([edges[cells[:, -1]], edges[cells[:, -1] + 1]], axis=1),
        cell,
        parents,
    )


def _wider(codes: np.ndarray, row: np.ndarray, order: list[int], weights: np.ndarray, least: float) -> np.ndarray:
    kept = list(order)
    while kept:
        kept.pop(0)
        mask = np.all(codes[:, kept] == row[kept], axis=1)
        if effective_size(weights[mask]) >= least:
            return mask
    return np.ones(len(codes), dtype=bool)
