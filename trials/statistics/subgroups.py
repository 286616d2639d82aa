"""The primary comparison within groups of twins, so that a report shows for whom a treatment does less."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from .proportions import Contrast, empty, newcombe, tally
from .result import Finding, joined

WELCH = {
    "interval": "t, degrees of freedom of Welch and Satterthwaite [Welch 1947, Biometrika 34:28]",
    "variance": "of each arm",
}


class Subgroup(NamedTuple):
    """A comparison within one group.

    Args:
      factor: what divides the twins, such as sex. level: the group's name.
      difference: not adjusted for anything; NaN with a note where an arm has too few.
    """

    factor: str
    level: str
    difference: Finding


def within(
    table: pd.DataFrame, contrast: Contrast, responder: bool, groups: Mapping[str, Mapping[str, np.ndarray]]
) -> list[Subgroup]:
    """The difference between two arms in every group, without adjustment: shares of responders, or means.

    Args:
      table: as `dataset.table`, a row a twin.
      groups: of each factor, the groups and which twins belong to them: twin numbers.
    """
    compare = _shares if responder else _means
    found = []
    for factor, levels in groups.items():
        for level, twins in levels.items():
            mine = table.loc[np.isin(table["twin"].to_numpy(), twins)]
            found.append(Subgroup(factor, level, compare(mine, contrast)))
    return found


def _shares(table: pd.DataFrame, contrast: Contrast) -> Finding:
    one, two = tally(table, contrast.arm), tally(table, contrast.comparator)
    estimate, low, high, p = newcombe(one.events, one.n, two.events, two.n, contrast.level)
    lacking = [empty(arm) for arm, of in ((contrast.arm, one), (contrast.comparator, two)) if not of.n]
    return Finding(
        contrast.arm, contrast.comparator, "newcombe", {"adjusted": "not"}, "risk difference", estimate, low, high,
        one.n, p=p, n_comparator=two.n, events=one.events, events_comparator=two.events,
        missing=one.missing + two.missing, engine="cutis", note="; ".join(lacking),
    )  # fmt: skip


def _means(table: pd.DataFrame, contrast: Contrast) -> Finding:
    from scipy.stats import t

    values = [
        of[~np.isnan(of)] for arm in (contrast.arm, contrast.comparator)
        for of in [table.loc[(table["arm"] == arm).to_numpy(), "value"].to_numpy(float)]
    ]  # fmt: skip
    sizes = [len(of) for of in values]
    difference = float(values[0].mean() - values[1].mean()) if all(sizes) else np.nan
    low = high = se = p = np.nan
    note = "; ".join(empty(arm) for arm, n in zip((contrast.arm, contrast.comparator), sizes, strict=True) if not n)
    if min(sizes) > 1:
        parts = [of.var(ddof=1) / len(of) for of in values]
        variance = float(sum(parts))
        if variance > 0:
            se = float(np.sqrt(variance))
            df = variance**2 / sum(part**2 / (n - 1) for part, n in zip(parts, sizes, strict=True))
            half = float(t.isf((1 - contrast.level) / 2, df)) * se
            low, high, p = difference - half, difference + half, float(2 * t.sf(abs(difference) / se, df))
    if np.isnan(se):
        note = joined(note, "" if note else "no interval: too few twins, or values that do not vary")
    return Finding(
        contrast.arm, contrast.comparator, "welch", WELCH, "difference in means", difference, low, high, sizes[0],
        se=se, p=p, n_comparator=sizes[1], missing=int(table["missing"].to_numpy(bool).sum()), engine="cutis",
        note=note,
    )  # fmt: skip


def bands(values: np.ndarray, edges: tuple[float, ...], unit: str) -> dict[str, np.ndarray]:
    """Groups of a number by fixed edges, as masks (twins,): below the first, between, and from the last on.

    >>> sorted(bands(np.array([60.0, 80.0]), (70.0,), "kg"))
    ['70 kg and above', 'under 70 kg']
    """
    of = f" {unit}".rstrip()
    names = [f"under {edges[0]:g}{of}"]
    names += [f"{low:g} to under {high:g}{of}" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:g}{of} and above"]
    place = np.where(np.isnan(values), -1, np.searchsorted(np.array(edges), values, side="right"))
    return {name: place == i for i, name in enumerate(names)}
