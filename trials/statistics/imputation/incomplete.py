"""Outcomes with gaps, and what imputation must know of each person."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..mmrm.model import Laid, Model, lay
from ..mmrm.panel import Panel


@dataclass(frozen=True)
class Incomplete:
    """People by visits, with the design also where the outcome is missing.

    Args:
      panel: the outcomes and each person's own design.
      reference: the design if the person had been in the reference arm, (people, visits, columns).
      departure: number of the first visit after which references apply (number of visits: never), shape (people,).
      arm: number of each person's arm, the reference 0, shape (people,).
      ids: a whole number for each person, which addresses its draws, shape (people,).
      laid: how the columns came about.
    """

    panel: Panel
    reference: np.ndarray
    departure: np.ndarray
    arm: np.ndarray
    ids: np.ndarray
    laid: Laid

    def covariate(self, name: str) -> np.ndarray:
        """Columns of a covariate, one row a person: (people, columns)."""
        for term in self.laid.terms:
            if term.name == name:
                return term.values[:, 0]
        raise ValueError(f"no covariate {name!r}; choose from {', '.join(t.name for t in self.laid.terms)}")


def incomplete(table: pd.DataFrame, model: Model, departure: dict[str, str] | None = None) -> Incomplete:
    """Outcomes of a long table. Everyone in it counts, also who has no outcome at all.

    Args:
      model: its first arm is the reference; covariates are those of a person (of any of their rows).
      departure: by person, the first visit that an intercurrent event affects; who is not named departs after the
        visit that was seen last. Gaps before it are missing at random.

    Raises:
      ValueError: what `lay` refuses, a covariate that changes within a person or is missing, an unknown person or
        visit.
    """
    if model.weight or model.time:
        raise ValueError("imputation knows no weights and no times of visits; leave them out of the model")
    covariates = list(
        dict.fromkeys([model.arm, *model.covariates, *model.by_visit, *([model.group] * bool(model.group))])
    )
    for name in (model.person, model.visit, model.outcome, *covariates):
        if name not in table.columns:
            raise ValueError(f"the table has no column {name!r}; it has {', '.join(map(str, table.columns))}")
    of_person = _one_each(table, model.person, covariates)
    visits = model.visits or tuple(map(str, sorted(table[model.visit].dropna().unique())))
    full = of_person.merge(pd.DataFrame({model.visit: visits}), how="cross").assign(**{model.outcome: 0.0})
    laid = lay(full, replace(model, visits=visits))
    return _with_gaps(table, model, laid, departure or {})


def _one_each(table: pd.DataFrame, person: str, covariates: list[str]) -> pd.DataFrame:
    """The covariates of each person, from any of their rows."""
    each = table.groupby(person, sort=True)[covariates]
    different, of_person = pd.DataFrame(each.nunique(dropna=True)), pd.DataFrame(each.first())
    for name in covariates:
        changing = different.index[different[name].to_numpy() > 1]
        if len(changing):
            raise ValueError(f"{name} changes within person {changing[0]}; imputation needs one a person")
        lacking = of_person.index[pd.isna(of_person[name].to_numpy())]
        if len(lacking):
            raise ValueError(f"{name} is missing for person {lacking[0]}; complete it or leave them out")
    return of_person.reset_index()


def _with_gaps(table: pd.DataFrame, model: Model, laid: Laid, departure: dict[str, str]) -> Incomplete:
    there = table.assign(**{model.visit: table[model.visit].astype(str), model.person: table[model.person].astype(str)})
    visits = list(laid.panel.visits)
    there = there.loc[there[model.visit].isin(visits) & there[model.person].isin(laid.people)]
    twice = there.duplicated([model.person, model.visit]).to_numpy(bool)
    if twice.any():
        first = int(twice.argmax())
        person, visit = (there[column].tolist()[first] for column in (model.person, model.visit))
        raise ValueError(f"person {person} has two rows at visit {visit}; expected one")
    wide = there.pivot(index=model.person, columns=model.visit, values=model.outcome)
    outcome = wide.reindex(index=list(laid.people), columns=visits).to_numpy(float)
    panel = replace(laid.panel, outcome=outcome)
    seen = panel.seen
    leaves = np.where(seen.any(axis=1), len(visits) - seen[:, ::-1].argmax(axis=1), 0)
    for person, visit in departure.items():
        if str(person) not in laid.people or str(visit) not in visits:
            raise ValueError(f"departure of {person!r} at {visit!r}: no such person, or no such visit among {visits}")
        leaves[laid.people.index(str(person))] = visits.index(str(visit))
    values = [t.values for t in laid.terms]
    reference = laid.design(np.zeros_like(laid.arm), values)
    return Incomplete(panel, reference, leaves, laid.arm, np.arange(len(outcome)), replace(laid, panel=panel))
