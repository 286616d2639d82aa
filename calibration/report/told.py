"""What the reports of a disease are told beside its tables: its outcomes, what is judged, and words of its own."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from ...core.parameters import Table

NOTHING = float("nan")
PARTS = {  # sections of the reports, in their order
    "short": "In short",
    "how": "How it was done",
    "agreement": "Observed and predicted",
    "coverage": "Errors and coverage",
    "arms": "Every arm",
    "differences": "Differences between arms",
    "onset": "Onset of action",
    "courses": "Courses",
    "relapse": "Relapse",
    "effects": "Covariates",
    "checks": "Other published facts",
    "own": "",
    "parameters": "Parameters",
    "importance": "What matters most",
    "assumed": "Assumed parameters",
    "limits": "What it is not good for",
    "record": "Settings and versions",
}
UNSEEN_ONLY = ("arms", "differences", "onset", "own", "importance", "assumed")  # parts of a validation alone


class Outcome(NamedTuple):
    """How figures of an outcome are shown.

    scale: what their axis is called. ends: of the axis. factor: by which a figure is multiplied there. unit: behind a
    figure. A share of people is one in per cent there, if nothing else is told.
    """

    name: str
    scale: str = "% of people"
    ends: tuple[float, float] = (0.0, 100.0)
    factor: float = 100.0
    unit: str = "\u202f%"


class Pool(NamedTuple):
    """Outcomes on one scale whose figures are shown or scored together. short: its name where a part of it is named."""

    name: str
    outcomes: tuple[str, ...]
    short: str = ""


class Criterion(NamedTuple):
    """Something a validation must meet: `low` <= value <= `high`. value: NaN if it was not measured, which is a miss.

    set_by: key of the source of the limits. aim: what would be better still; NaN if nothing is told.
    """

    key: str
    about: str
    value: float
    low: float
    high: float
    unit: str
    set_by: str
    met: bool
    aim: float = NOTHING


class Words(NamedTuple):
    """Sentences of the reports that a disease tells by itself.

    figures: what is compared, many of it. observed: what that is in the trials. control: what arms without a drug get.
    simulated, fitted: how arms are predicted, what is fitted, ends of sentences. untested: what was never looked at.
    differences: heading of differences between active arms.
    """

    figures: str
    observed: str
    control: str
    simulated: str
    fitted: str
    untested: str
    differences: str = "Head-to-head"


@dataclass(frozen=True)
class Told:
    """What the reports of a disease are told.

    outcomes: by key. pools: what is judged. panels: what stands side by side in figures.
    by_class: whether observed and predicted figures are drawn for each class of treatments too.
    controls: classes of treatments that are none. names: of drugs, classes and others by their keys.
    starred: covariates that a criterion looks at. criteria: from the tables of `frames.take`.
    left_out: parts of the reports that the disease does not have.
    """

    outcomes: Mapping[str, Outcome]
    pools: tuple[Pool, ...]
    panels: tuple[Pool, ...]
    controls: tuple[str, ...]
    criteria: Callable[[Mapping[str, pd.DataFrame]], list[Criterion]]
    words: Words
    by_class: bool = True
    names: Mapping[str, str] = field(default_factory=dict)
    starred: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[str, ...]:
        """Outcomes of all pools."""
        return tuple(name for pool in self.pools for name in pool.outcomes)

    def sections(self, tested: bool, own: str = "") -> dict[str, str]:
        """Titles of the parts that a report has, by their keys.

        tested: whether it is one of a validation. own: title of a part that this disease alone has.
        """
        absent = {*self.left_out, *(() if tested else UNSEEN_ONLY), *(() if own else ("own",))}
        titles = PARTS | {"differences": self.words.differences, "own": own}
        return {key: title for key, title in titles.items() if key not in absent}


def criterion(limits: Table, key: str, value: float, low: str = "", high: str = "", aim: str = "") -> Criterion:
    """A criterion whose limits stand in a table under these names; no limit where none is named."""
    told = limits[low or high]
    least, most = (limits.value(name) if name else end for name, end in ((low, -math.inf), (high, math.inf)))
    better = limits.value(aim) if aim else NOTHING
    return Criterion(key, told.about, value, least, most, told.unit, told.source, bool(least <= value <= most), better)
