"""The true value of a comparison as a row of the results, and how far this run's estimate is from it."""

import math
from typing import TYPE_CHECKING

from .estimands import Attributes
from .result import Finding, Result, joined

if TYPE_CHECKING:
    from ..truth import Truth

METHOD = "potential_outcomes"
WORLD = "each twin in both arms, nobody lost, no visit missed"


def beside(truth: "Truth", row: Result, estimand: Attributes, responder: bool) -> Finding:
    """The row of the true value that belongs to the row of an estimate.

    Its `se` is that of the true value as an estimate for the population, and its note gives the error of this run.
    """
    ratio = row.statistic.endswith("ratio")
    about = {"estimand": estimand._asdict(), "potential_outcomes": WORLD, "twins": truth.twins}
    events = [round(mean * truth.n) if responder and truth.n else 0 for mean in (truth.arm, truth.comparator)]
    return Finding(
        row.arm, row.comparator, METHOD, about, f"true {truth.statistic}", truth.value, math.nan, math.nan, truth.n,
        se=truth.se, n_comparator=truth.n, events=events[0], events_comparator=events[1], engine="cutis",
        note=joined(truth.note, _error(truth.value, row, ratio)),
    )  # fmt: skip


def _error(value: float, row: Result, ratio: bool) -> str:
    """What this run misses the true value by, in words; empty where one of the two does not exist."""
    if math.isnan(value) or math.isnan(row.estimate):
        return ""
    if ratio:
        said = f"the estimate of this run is {row.estimate / value:.4g} times as large" if value else ""
    else:
        said = f"the estimate of this run is off by {row.estimate - value:+.4g}"
    if math.isnan(row.low) or math.isnan(row.high):
        return said
    inside = row.low <= value <= row.high
    return joined(said, f"its interval {'holds' if inside else 'misses'} it")
