"""Shares of responders: one arm's with Wilson's limits, the difference of two with Newcombe's."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..study import Options
from .result import Finding

WILSON = {"interval": "Wilson score, no continuity correction [Wilson 1927, J Am Stat Assoc 22:209]"}
NEWCOMBE = {
    "interval": "Newcombe, hybrid of two Wilson intervals, no continuity correction [Newcombe 1998, Stat Med 17:873]",
    "test": "chi-squared with pooled variance, no continuity correction",
}


class Contrast(NamedTuple):
    """Which two arms are compared, adjusted for what, at which confidence level, with which settings of the method."""

    arm: str
    comparator: str
    covariates: tuple[str, ...] = ()
    level: float = 0.95
    options: Options = Options()


class Interval(NamedTuple):
    """An estimate between its confidence limits."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference between its confidence limits, with the two-sided p-value of no difference."""

    estimate: float
    low: float
    high: float
    p: float


class Tally(NamedTuple):
    """What one arm brings to an analysis."""

    events: int
    n: int
    missing: int


def wilson(events: int, n: int, level: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval; NaN for an empty arm."""
    from .methods.share import proportion as one_share

    _possible(events, n)
    found = one_share(events, n, level=level)
    return Interval(float(found.estimate), float(found.low), float(found.high))


def newcombe(events: int, n: int, events_0: int, n_0: int, level: float = 0.95) -> Difference:
    """Difference of two proportions: Newcombe's interval, chi-squared test; NaN if an arm is empty.

    With all or none responding in both arms the data speak for no difference at all: p is 1.
    """
    from .methods.contrast import risk_difference as two_shares

    _possible(events, n)
    _possible(events_0, n_0)
    found = two_shares(events, n, events_0, n_0, level=level)
    p = math.nan if math.isnan(found.estimate) else float(found.p)
    return Difference(float(found.estimate), float(found.low), float(found.high), p)


def tally(table: pd.DataFrame, arm: str) -> Tally:
    """Responders, twins with a value, and twins without, of one arm (columns `arm`, `value`, `missing`)."""
    of_arm = (table["arm"] == arm).to_numpy()
    value = table["value"].to_numpy(float)[of_arm]
    value = value[~np.isnan(value)]
    return Tally(int(value.sum()), len(value), int(table["missing"].to_numpy(bool)[of_arm].sum()))


def proportion(table: pd.DataFrame, arm: str, level: float) -> Finding:
    """The share of responders of one arm."""
    return share(arm, tally(table, arm), level)


def share(arm: str, counts: Tally, level: float) -> Finding:
    """The share of responders of one arm, counted before."""
    note = "" if counts.n else empty(arm)
    estimate, low, high = wilson(counts.events, counts.n, level)
    return Finding(
        arm, "", "wilson", WILSON, "proportion", estimate, low, high, counts.n,
        events=counts.events, missing=counts.missing, engine="cutis", note=note,
    )  # fmt: skip


def risk_difference(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference of the shares of responders, not adjusted for anything, and the share of each arm."""
    responders(table, "newcombe")
    one, two = tally(table, contrast.arm), tally(table, contrast.comparator)
    estimate, low, high, p = newcombe(one.events, one.n, two.events, two.n, contrast.level)
    note = "; ".join(empty(a) for a, t in ((contrast.arm, one), (contrast.comparator, two)) if not t.n)
    difference = Finding(
        contrast.arm, contrast.comparator, "newcombe", NEWCOMBE, "risk difference", estimate, low, high, one.n,
        p=p, n_comparator=two.n, events=one.events, events_comparator=two.events,
        missing=one.missing + two.missing, engine="cutis", note=note,
    )  # fmt: skip
    return [difference, *(proportion(table, arm, contrast.level) for arm in (contrast.arm, contrast.comparator))]


def responders(table: pd.DataFrame, method: str) -> None:
    """Refuse an outcome that is not yes or no."""
    value = table["value"].to_numpy(float)
    odd = value[~(np.isnan(value) | (value == 0) | (value == 1))]
    if odd.size:
        raise ValueError(f"{method} needs a responder outcome, with values 0 and 1; got {odd[0]:g} (use ancova)")


def empty(arm: str) -> str:
    """The note on an arm that brings nothing."""
    return f"no twin of {arm} has a value"


def _possible(events: int, n: int) -> None:
    if not 0 <= events <= n:
        raise ValueError(f"{events} responders among {n} twins is impossible: expected 0 to {n}")
