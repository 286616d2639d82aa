"""From a long table and the terms of a model to a panel, with the columns that adjusted means need."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .panel import Panel


@dataclass(frozen=True)
class Model:
    """Terms of a model for repeated measures: arm, visit, arm by visit, and covariates.

    Args:
      outcome, person, visit, arm: columns of the table. Rows without an outcome or a covariate are left out.
      covariates: columns that shift all visits alike; text and categories are factors, numbers enter as they are.
      by_visit: columns whose effect differs between visits (usually the baseline).
      group: column by which the covariance of the visits differs (usually the arm), if any.
      weight: column of weights that divide the variance, if any.
      time: columns with the time or the coordinates of each observation, for spatial structures.
      visits: the visits to analyse, in order; all, sorted, if empty.
      arms: the arms, the reference first; all, sorted, if empty.
    """

    outcome: str
    person: str
    visit: str
    arm: str
    covariates: tuple[str, ...] = ()
    by_visit: tuple[str, ...] = ()
    group: str = ""
    weight: str = ""
    time: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """A covariate as columns.

    Args:
      columns: names; a factor has one for each level but the first.
      values: shape (people, visits, columns).
      factor: whether it is a factor.
      by_visit: whether its effect differs between visits.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray
    factor: bool
    by_visit: bool


@dataclass(frozen=True)
class Laid:
    """A panel and how its columns came about."""

    panel: Panel
    people: tuple[str, ...]
    arms: tuple[str, ...]
    arm: np.ndarray  # number of each person's arm, the reference 0, shape (people,)
    terms: tuple[Term, ...]

    def row(self, arm: int, visit: int, covariates: dict[str, np.ndarray]) -> np.ndarray:
        """The design's row of an arm at a visit, with covariates (by term) as given: shape (columns,)."""
        shape = (1, len(self.panel.visits))
        values = [np.broadcast_to(covariates[t.name], (*shape, len(t.columns))) for t in self.terms]
        return self.design(np.array([arm]), values)[0, visit]

    def design(self, arm: np.ndarray, values: list[np.ndarray]) -> np.ndarray:
        """The design of people in these arms, with these values of each term: (people, visits, columns)."""
        return _design(arm, len(self.arms), len(self.panel.visits), self.terms, values)


def lay(table: pd.DataFrame, model: Model) -> Laid:
    """Arms by visits and covariates as a panel.

    Raises:
      ValueError: a column is missing, a visit or an arm is unknown, a person has two rows at a visit or two arms, or
        what `Panel` refuses.
    """
    named = [model.outcome, model.person, model.visit, model.arm, *model.covariates, *model.by_visit, *model.time]
    named += [name for name in (model.group, model.weight) if name]
    for name in named:
        if name not in table.columns:
            raise ValueError(f"the table has no column {name!r}; it has {', '.join(map(str, table.columns))}")
    both = set(model.covariates) & set(model.by_visit)
    if both:
        raise ValueError(f"{', '.join(sorted(both))} is both a covariate and one by visit; the latter holds both")
    visits = _chosen(table, model.visit, model.visits)
    table = table.loc[table[model.visit].astype(str).isin(visits)]
    used = [n for n in named if n not in (model.outcome, model.person, model.visit, model.arm)]
    full = table.dropna(subset=list(dict.fromkeys([model.outcome, *used])))
    if full.empty:
        raise ValueError(f"no row has {model.outcome!r} and all covariates")
    arms = _chosen(full, model.arm, model.arms)
    full = full.loc[full[model.arm].astype(str).isin(arms)]
    twice = full.duplicated([model.person, model.visit])
    if twice.any():
        person, visit = full.loc[twice, [model.person, model.visit]].iloc[0]
        raise ValueError(f"person {person} has two rows at visit {visit}; expected one")
    code, people = pd.factorize(full[model.person], sort=True)
    place = (code, pd.Categorical(full[model.visit].astype(str), visits).codes)
    shape = (len(people), len(visits))

    def grid(values: np.ndarray) -> np.ndarray:
        laid = np.full((*shape, *values.shape[1:]), np.nan)
        laid[place] = values
        return laid

    arm = _of_person(full, model.arm, code, arms)
    terms = tuple(_term(full, name, grid, name in model.by_visit) for name in (*model.covariates, *model.by_visit))
    design = _design(arm, len(arms), len(visits), terms, [t.values for t in terms])
    group = None
    if model.group:
        group = _of_person(full, model.group, code, _chosen(full, model.group, ()))
    panel = Panel(
        grid(full[model.outcome].to_numpy(float)),
        design,
        _names(arms, visits, terms),
        visits,
        group,
        grid(full[model.weight].to_numpy(float)) if model.weight else None,
        grid(full[list(model.time)].to_numpy(float)) if model.time else None,
    )
    return Laid(panel, tuple(map(str, people)), arms, arm, terms)


def _chosen(table: pd.DataFrame, column: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    there = sorted(table[column].dropna().unique())
    names = tuple(map(str, there))
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"{column} is never {', '.join(map(repr, unknown))}; it is {', '.join(names)}")
    return wanted or names


def _of_person(table: pd.DataFrame, column: str, code: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """Number of the level of each person."""
    level = np.asarray(pd.Categorical(table[column].astype(str), levels).codes, int)
    mine = np.zeros(code.max() + 1, int)
    mine[code] = level
    if (mine[code] != level).any():
        person = table.index[mine[code] != level][0]
        raise ValueError(f"{column} changes within a person (row {person}); expected one a person")
    return mine


def _term(table: pd.DataFrame, name: str, grid: Callable[[np.ndarray], np.ndarray], by_visit: bool) -> Term:
    column = table[name]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return Term(name, (name,), grid(column.to_numpy(float)[:, None]), False, by_visit)
    levels = sorted(column.astype(str).unique())
    if len(levels) < 2:
        raise ValueError(f"{name!r} is always {levels[0]!r}; leave it out")
    ones = (column.astype(str).to_numpy()[:, None] == np.array(levels[1:])[None]).astype(float)
    return Term(name, tuple(f"{name}[{level}]" for level in levels[1:]), grid(ones), True, by_visit)


def _design(arm: np.ndarray, arms: int, visits: int, terms: tuple[Term, ...], values: list[np.ndarray]) -> np.ndarray:
    """Intercept, arms, visits, arms by visits, covariates, covariates by visits: (people, visits, columns)."""
    people = len(arm)
    is_arm = np.broadcast_to((arm[:, None] == np.arange(1, arms))[:, None].astype(float), (people, visits, arms - 1))
    at = np.broadcast_to(np.eye(visits)[None, :, 1:], (people, visits, visits - 1))
    parts = [np.ones((people, visits, 1)), is_arm, at, _times(is_arm, at)]
    for term, columns in zip(terms, values, strict=True):
        parts += [columns, _times(columns, at)] if term.by_visit else [columns]
    return np.concatenate(parts, axis=2)


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[..., :, None] * b[..., None, :]).reshape(*a.shape[:2], -1)


def _names(arms: tuple[str, ...], visits: tuple[str, ...], terms: tuple[Term, ...]) -> tuple[str, ...]:
    is_arm, at = [f"arm[{a}]" for a in arms[1:]], [f"visit[{v}]" for v in visits[1:]]
    names = ["intercept", *is_arm, *at, *(f"{a}:{v}" for a in is_arm for v in at)]
    for term in terms:
        names += term.columns
        names += [f"{c}:{v}" for c in term.columns for v in at] if term.by_visit else []
    return tuple(names)
