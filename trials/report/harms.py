"""Adverse events by arm: how many twins had one of a kind, and how many in 100 years at risk."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..events import ADVERSE, LEFT
from .words import count, decimal, sentence

WEEKS = 365.25 / 7  # in a year


class Harmed(NamedTuple):
    """Twins of an arm who had an event of a kind, and the years until it, or until they left or the trial ended."""

    twins: int
    years: float


def tally(
    arms: Sequence[str], kinds: Mapping[str, str], twins: pd.DataFrame, events: pd.DataFrame, last_week: int
) -> dict[str, dict[str, Harmed]]:
    """First events of each kind in each arm, {arm: {kind: ...}}.

    An event is known by its week, in the middle of which it counts as having happened.

    Args:
      twins: one row a randomised twin: twin, arm. events: twin, week, event.
    """
    end = _first(events, LEFT).reindex(twins["twin"]).fillna(last_week).to_numpy(float)
    arm_of = twins["arm"].to_numpy()
    found: dict[str, dict[str, Harmed]] = {arm: {} for arm in arms}
    for kind in kinds:
        week = _first(events, f"{ADVERSE}{kind}").reindex(twins["twin"]).to_numpy(float)
        had = ~np.isnan(week)
        years = np.where(had, np.minimum(week + 0.5, end), end) / WEEKS
        for arm in arms:
            mine = arm_of == arm
            found[arm][kind] = Harmed(int(had[mine].sum()), float(years[mine].sum()))
    return found


def rows(found: Mapping[str, Mapping[str, Harmed]], kinds: Mapping[str, str]) -> list[list[str]]:
    """One row a kind, one column an arm: twins with an event, and events in 100 years at risk."""
    return [[sentence(told), *(_cell(arm[kind]) for arm in found.values())] for kind, told in kinds.items()]


def _cell(harmed: Harmed) -> str:
    rate = decimal(100 * harmed.twins / harmed.years) if harmed.years > 0 else "no time at risk"
    return f"{count(harmed.twins)} ({rate})"


def _first(events: pd.DataFrame, event: str) -> pd.Series:
    """Week of each twin's first event of this name, by twin."""
    return events.loc[events["event"] == event].groupby("twin")["week"].min()
