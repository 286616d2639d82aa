"""From the tables of a run to the table of an analysis: one value a twin, by the strategy for intercurrent events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...core.disease import Outcome
from ..events import ADVERSE, INTERCURRENT, MOVED

STRATEGIES = ("composite", "treatment_policy", "while_on_treatment", "hypothetical")
FRAME = ("twin", "side", "arm", "week", "seen", "on_treatment", "rescued", "stage")


@dataclass(frozen=True)
class Records:
    """A run's tables, aligned once so that each analysis only picks from them.

    Args:
      twins: one row a randomised twin.
      endpoints: each endpoint as observed, NaN where not seen, shape (rows of observations,).
      rows: for each planned week, the row of each twin in the observations, -1 if none, shape (twins,).
      event: week of each twin's first intercurrent event, infinity if none, shape (twins,).
    """

    twins: pd.DataFrame
    endpoints: Mapping[str, np.ndarray]
    rows: Mapping[int, np.ndarray]
    event: np.ndarray

    def at(self, week: int) -> dict[str, np.ndarray]:
        """Endpoints of each twin at a planned week, NaN where not seen."""
        if week not in self.rows:
            raise ValueError(f"no observations at week {week}; the weeks are {', '.join(map(str, sorted(self.rows)))}")
        row = self.rows[week]
        return {name: np.where(row < 0, np.nan, column[row]) for name, column in self.endpoints.items()}


def align(twins: pd.DataFrame, observations: pd.DataFrame, events: pd.DataFrame) -> Records:
    """Check a run's tables and align them.

    Raises:
      ValueError: a column is missing, a twin is unknown or listed twice, an event is of no known kind.
    """
    _need(twins, ("twin", "arm", "stratum"), "twins")
    _need(observations, ("twin", "week", "seen"), "observations")
    _need(events, ("twin", "week", "event"), "events")
    index = pd.Index(twins["twin"])
    if not index.is_unique:
        raise ValueError(f"twins: twin {index[index.duplicated()][0]} is listed twice; expected one row a twin")
    place = _places(index, observations["twin"], "observations")
    week = observations["week"].to_numpy()
    rows = {}
    for visit in np.unique(week):
        at = np.flatnonzero(week == visit)
        row = np.full(len(index), -1)
        row[place[at]] = at
        if (row >= 0).sum() < len(at):
            twice = index[np.bincount(place[at]).argmax()]
            raise ValueError(f"observations: twin {twice} has two rows at week {visit}; expected one a planned visit")
        rows[int(visit)] = row
    seen = observations["seen"].to_numpy(bool)
    endpoints = {
        str(name): _observed(column, seen)
        for name, column in observations.items()
        if name not in FRAME and pd.api.types.is_numeric_dtype(column)
    }
    return Records(twins, endpoints, rows, _first_event(index, events))


def sides(
    twins: pd.DataFrame, observations: pd.DataFrame, events: pd.DataFrame, arms: Sequence[str]
) -> dict[str, Records]:
    """The records of each arm of a split-body trial: of all twins, what was seen on the side that had the arm.

    Events are the person's, so that they count for both sides.

    Args:
      twins: as in `align`, without an arm. observations: with the arm of the side.
    """
    _need(observations, ("twin", "arm", "week", "seen"), "observations")
    return {arm: align(twins.assign(arm=arm), observations.loc[observations["arm"] == arm], events) for arm in arms}


def value(records: Records, outcome: Outcome, week: int, intercurrent: str) -> tuple[np.ndarray, np.ndarray]:
    """Each twin's value of an outcome (NaN if none), and whether it is missing before the strategy replaces it.

    Twins whom the outcome is not about, by their baseline, have no value, and none is missing.

    `composite`: non-response if an intercurrent event happened by that week (the same week counts) or nothing was
    seen. `treatment_policy`: what was seen at that week, whatever had happened. `while_on_treatment`: what was seen
    last, after baseline and no later than the first intercurrent event or that week. `hypothetical`: what was seen at
    that week, if no intercurrent event had happened before.

    Raises:
      ValueError: an unknown strategy, a composite of a continuous outcome, or a week without observations.
    """
    if intercurrent not in STRATEGIES:
        raise ValueError(f"intercurrent {intercurrent!r} is none of {', '.join(STRATEGIES)}")
    if intercurrent == "composite" and outcome.kind != "responder":
        raise ValueError(
            f"composite counts an intercurrent event as non-response, but {outcome.name} is a {outcome.kind} outcome; "
            "choose treatment_policy or while_on_treatment"
        )
    baseline = records.at(0)
    about = np.full(len(records.twins), True) if outcome.of is None else np.asarray(outcome.of(baseline), bool)
    if intercurrent == "while_on_treatment":
        last = np.full(len(records.twins), np.nan)
        records.at(week)  # a week without a visit is an error here too
        for visit in sorted(v for v in records.rows if 0 < v <= week):
            seen = _derive(outcome, records.at(visit), baseline)
            last = np.where(~np.isnan(seen) & (visit <= records.event), seen, last)
        return last, np.isnan(last) & about
    seen = _derive(outcome, records.at(week), baseline)
    if intercurrent == "hypothetical":
        seen = np.where(week <= records.event, seen, np.nan)
    missing = np.isnan(seen) & about
    if intercurrent == "composite":
        return np.where(missing | (about & (records.event <= week)), 0.0, seen), missing
    return seen, missing


def table(records: Records, outcome: Outcome, week: int, intercurrent: str) -> pd.DataFrame:
    """`analysis_table` of tables aligned before."""
    values, missing = value(records, outcome, week, intercurrent)
    covariates = records.twins.drop(columns=["twin", "arm", "stratum"])
    baseline = {f"baseline_{name}": column for name, column in records.at(0).items()}
    frame = records.twins[["twin", "arm", "stratum"]].assign(value=values, missing=missing)
    return pd.concat([frame, covariates, pd.DataFrame(baseline, index=frame.index)], axis=1)


def over_visits(records: Records, outcome: Outcome, weeks: Sequence[int], intercurrent: str) -> pd.DataFrame:
    """A row a twin and week, as in `table`, with the columns `week` and `event` (week of the first event, or infinity).

    Raises:
      ValueError: as in `value`.
    """
    parts = [table(records, outcome, week, intercurrent).assign(week=week, event=records.event) for week in weeks]
    return pd.concat(parts, ignore_index=True)


def analysis_table(
    twins: pd.DataFrame,
    observations: pd.DataFrame,
    events: pd.DataFrame,
    outcome: Outcome,
    week: int,
    intercurrent: str,
) -> pd.DataFrame:
    """One row a randomised twin: twin, arm, stratum, value, missing, and what the analysis may adjust for.

    That is the other columns of `twins` and each endpoint at baseline (`baseline_pasi`). `value` is NaN where the
    strategy leaves none; `missing` says that nothing was observed for it (see `value`).

    Args:
      twins: columns twin, arm, stratum and attributes, one row a randomised twin.
      observations: columns twin, week, seen and endpoints, one row a twin and planned visit.
      events: columns twin, week and event (treatment stopped, left the study, rescue started).
    """
    return table(align(twins, observations, events), outcome, week, intercurrent)


def _derive(outcome: Outcome, now: Mapping[str, np.ndarray], baseline: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(outcome.derive(now, baseline), float)


def _observed(column: pd.Series, seen: np.ndarray) -> np.ndarray:
    """An endpoint, NaN where not seen; the table's own numbers where that is so already, as in any run of ours."""
    of_doubles = column.dtype == np.dtype(float)
    values = column.to_numpy() if of_doubles else column.to_numpy(dtype=float, na_value=np.nan)
    return values if np.isnan(values[~seen]).all() else np.where(seen, values, np.nan)


def _first_event(index: pd.Index, events: pd.DataFrame) -> np.ndarray:
    events = events.loc[~events["event"].astype(str).str.startswith((MOVED, ADVERSE))]  # these are part of the plan
    unknown = sorted(set(events["event"].unique()) - set(INTERCURRENT))
    if unknown:
        raise ValueError(f"events: {unknown[0]!r} is none of {', '.join(INTERCURRENT)}")
    first = np.full(len(index), np.inf)
    np.minimum.at(first, _places(index, events["twin"], "events"), events["week"].to_numpy(float))
    return first


def _places(index: pd.Index, twins: Any, name: str) -> np.ndarray:
    place = index.get_indexer(pd.Index(twins))
    if (place < 0).any():
        raise ValueError(f"{name}: twin {np.asarray(twins)[place < 0][0]} is not among the randomised twins")
    return place


def _need(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} lacks the column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
