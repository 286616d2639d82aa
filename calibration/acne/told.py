"""What the reports of acne are told beside its tables."""

from collections.abc import Mapping
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.parameters import Table, read_table
from ..report.summary import inside, judged
from ..report.told import NOTHING, Criterion, Outcome, Pool, Told, Words, criterion
from .evidence.arms import CHANGES, PERCENTS, SCORES, SHARES
from .evidence.regimens import CLASSES, CONTROLS
from .readings import GRADED

HERE = Path(__file__).parent
POOLS = {  # what is judged
    "success": Pool("Success by the investigator's grade", GRADED, "success"),
    "inflammatory": Pool("Inflammatory lesions", ("inflammatory_percent",), "inflammatory"),
    "noninflammatory": Pool("Non-inflammatory lesions", ("noninflammatory_percent",), "non-inflammatory"),
}
LESIONS = {
    "inflammatory": "inflammatory lesions",
    "noninflammatory": "non-inflammatory lesions",
    "total": "all lesions",
}
NAMES = {
    "iga_success": "IGA 0/1 and two grades",
    "iga01": "IGA 0/1",
    "two_grades": "two grades better",
    "iga01_or_two_grades": "IGA 0/1 or two grades",
    "acne_qol": "Acne-QoL, points",
    "dlqi": "DLQI, points",
}


@cache
def limits() -> Table:
    """The limits of the criteria."""
    return read_table(HERE / "limits.yaml", sources=HERE / "sources.yaml")


def criteria(frames: Mapping[str, pd.DataFrame]) -> list[Criterion]:
    """All criteria, each measured or not."""
    found, caught = [], []
    for name, pool in POOLS.items():
        unseen = judged(frames["predictions"], "trials", pool.outcomes)
        factor = TOLD.outcomes[pool.outcomes[0]].factor
        error = factor * float(np.mean([abs(row.predicted - row.observed) for row in unseen])) if unseen else NOTHING
        found.append(criterion(limits(), f"error_{name}", error, high=f"error.{name}"))
        caught += [inside(row) for row in unseen]
    share = float(np.mean(caught)) if caught else NOTHING
    return [*found, criterion(limits(), "coverage", share, low="coverage.least", high="coverage.most")]


def _outcomes() -> dict[str, Outcome]:
    """All outcomes: those that are judged first."""
    found = {name: Outcome(NAMES[name] if name in NAMES else _lesions(name)) for name in SHARES}
    for name in PERCENTS:
        found[name] = Outcome(_lesions(name), "change, %", (-100.0, 25.0), 1.0)
    for name in CHANGES:
        found[name] = Outcome(_lesions(name), "change, lesions", (-60.0, 10.0), 1.0, "")
    for name, (low, high) in SCORES.items():
        found[name] = Outcome(NAMES[name], "points", (float(low), float(high)), 1.0, "")
    for pool in POOLS.values():
        if len(pool.outcomes) == 1:
            found[pool.outcomes[0]] = found[pool.outcomes[0]]._replace(name=pool.name)
    return found


def _lesions(key: str) -> str:
    """`all lesions, half or more gone` of `total_half`."""
    kind, told = key.rsplit("_", 1)
    ends = {
        "percent": "change in per cent",
        "change": "change in number",
        "half": "half or more gone",
        "tenth": "nine tenths or more gone",
    }
    return f"{LESIONS.get(kind, kind)}, {ends[told]}"


def _controls() -> tuple[str, ...]:
    """Classes of arms without a drug, as `drug_class` names them, whatever controls they combine."""
    names = [CLASSES[name] for name in CONTROLS]
    many = (order for size in range(1, len(names) + 1) for order in permutations(names, size))
    return tuple(" + ".join(dict.fromkeys(order)) for order in many)


TOLD = Told(
    outcomes=_outcomes(),
    pools=tuple(POOLS.values()),
    panels=tuple(pool._replace(name=pool.short.capitalize()) for pool in POOLS.values()),
    controls=_controls(),
    criteria=criteria,
    words=Words(
        figures="figures",
        observed="shares of people and mean or median changes of lesion counts in published trials",
        control="control",
        simulated="what the trial told of them compared with what it observed",
        fitted=(
            "Parameters are fitted to the figures of all arms at once: counts of people with success, with more than "
            "binomial variation, and changes of lesions, with the standard error of as many people. Each trial has "
            "effects of its own on what a vehicle or placebo tablet does and on where its raters set the grades; "
            "figures that are only recalled count a quarter. Arms that were left out are predicted without them."
        ),
        untested="Rare harms, pregnancy, acne of the trunk, and children below nine are not tested at all.",
        differences="Differences between arms",
    ),
    by_class=False,
    left_out=("onset", "courses", "relapse", "effects", "importance"),
)
