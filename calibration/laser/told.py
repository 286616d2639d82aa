"""What the reports of lasers are told beside their tables."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from ...core.parameters import Table, read_table
from ..report.summary import inside, judged
from ..report.told import NOTHING, Criterion, Outcome, Pool, Told, Words, criterion
from .trials import rankings

HERE = Path(__file__).parent
NAMES = {
    "hair": "hair that is gone",
    "ink": "ink that is gone",
    "stain_75": "stain, three quarters gone",
    "ink_75": "tattoo, three quarters gone",
    "ink_95": "tattoo removed",
    "melasma_75": "melasma, three quarters gone",
    "texture": "scars that are gone",
    "texture_10": "scars, a tenth gone",
    "texture_25": "scars or wrinkles, a quarter gone",
    "texture_50": "scars or wrinkles, half gone",
    "purpura": "purpura",
    "blister": "blisters",
    "burn": "burns that leave a mark",
    "pih": "change of pigment",
    "any": "any of blister, burn, change of pigment",
}
POOLS = {
    "hair": Pool("Hair", ("hair",), "hair"),
    "stains": Pool("Stains", ("stain_75", "purpura"), "stains"),
    "pigment": Pool("Ink and pigment", ("ink", "ink_75", "ink_95", "melasma_75"), "pigment"),
    "columns": Pool("Scars and wrinkles", ("texture", "texture_10", "texture_25", "texture_50"), "scars"),
    "events": Pool("Adverse events", ("blister", "burn", "pih", "any"), "events"),
}


@cache
def limits() -> Table:
    """The limits of the criteria."""
    return read_table(HERE / "limits.yaml", sources=HERE / "sources.yaml")


def criteria(frames: Mapping[str, pd.DataFrame]) -> list[Criterion]:
    """The share of held-out figures inside their intervals, and of published orders of arms that are kept: of all of
    them, and of those that were named beforehand."""
    seen = judged(frames["predictions"], "held", TOLD.judged)
    caught = sum(inside(row) for row in seen) / len(seen) if seen else NOTHING
    checks = frames["checks"]
    orders = checks.loc[checks["check"].astype(str).str.startswith("order")]
    named = {f"order_{one.trial}" for one in rankings() if one.named}
    few = orders.loc[orders["check"].isin(named)]
    kept, wanted = (float(part["met"].astype(float).mean()) if len(part) else NOTHING for part in (orders, few))
    return [
        criterion(limits(), "coverage", caught, low="coverage.least"),
        criterion(limits(), "orders", kept, low="orders.least"),
        criterion(limits(), "orders_named", wanted, low="orders_named.least"),
    ]


TOLD = Told(
    outcomes={key: Outcome(name) for key, name in NAMES.items()},
    pools=tuple(POOLS.values()),
    panels=tuple(pool._replace(name=pool.short.capitalize()) for pool in POOLS.values()),
    controls=(),
    criteria=criteria,
    words=Words(
        figures="figures",
        observed="shares of people, and mean shares of hair or ink gone, in published trials",
        control="control",
        simulated="what the trial told of its settings, the rest by the device's protocol",
        fitted=(
            "Parameters are fitted to the figures that were chosen for it before any fit: counts of people, with more "
            "than binomial variation, and mean shares with the standard error of as many people. Each trial adds to "
            "the log odds of all its efficacy and of all its adverse events. Figures of trials that were held out are "
            "predicted, not seen."
        ),
        untested="Acne (which is its own model's) and all but black ink are not tested.",
        differences="Differences between arms",
    ),
    by_class=False,
    left_out=("differences", "onset", "courses", "relapse", "effects", "importance"),
)
