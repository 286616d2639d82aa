"""The groups in which every report shows an effect by default, and the effect in them: who gains less.

The groups are those of sex, Fitzpatrick skin type, weight and treatment before, as far as the population knows them.
Reports of runs and of designs have the same, by the same names: `groups`. A run compares different people (`within`); a
design has the same twins in either arm (`effects`).

A group that nobody is in is shown as such, since that is whom a trial tells nothing of; one of fewer than `FEW` is
shown as uncertain. Where all are in one group of a kind, that kind divides nobody and is left out.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ..levels import place
from ..recruitment import TABLE
from .proportions import Contrast, empty, newcombe, tally
from .result import Finding, joined

if TYPE_CHECKING:
    from ...population.attributes import Attribute

FIRST = {"male": "Sex", "fitzpatrick": "Skin type (Fitzpatrick)", "weight": "Weight"}  # then treatments before
EARLIER = "prior_"
WEIGHTS = tuple(TABLE.value(f"subgroups.weight.{edge}") for edge in ("light", "middle", "heavy"))  # kg
FEW = int(TABLE.value("representation.few"))  # below this many twins of an arm the effect is mostly chance
EVERYBODY = "All twins"
_SEX = {"yes": "men", "no": "women"}

Groups = Mapping[str, Mapping[str, np.ndarray]]
WELCH = {
    "interval": "t, degrees of freedom of Welch and Satterthwaite [Welch 1947, Biometrika 34:28]",
    "variance": "of each arm",
}


class Subgroup(NamedTuple):
    """A comparison of different people within one group.

    Args:
      factor: what divides the twins, such as sex. level: the group's name.
      difference: not adjusted for anything; NaN with a note where an arm has too few.
    """

    factor: str
    level: str
    difference: Finding


class Effect(NamedTuple):
    """Mean difference between what the same twins have in one arm and in another; NaN of nobody.

    Args:
      factor, level: as of `Subgroup`.
      se: its standard error as a value for the population that the twins are a sample of. means: in either arm.
    """

    factor: str
    level: str
    twins: int
    difference: float
    se: float
    means: tuple[float, float]


def groups(attributes: "Mapping[str, Attribute]", twins: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Of each factor that the twins have, its groups in words and who is in them, as masks (twins,).

    Args:
      twins: a column an attribute; categories and grades as numbers or as names.
    """
    earlier = [name for name in attributes if name.startswith(EARLIER)]
    found: dict[str, dict[str, np.ndarray]] = {}
    for name in (*FIRST, *earlier):
        if name not in attributes or name not in twins:
            continue
        attribute = attributes[name]
        if name == "weight":
            masks = bands(twins[name].to_numpy(float), WEIGHTS, attribute.unit)
        elif attribute.kind == "number":
            continue
        else:
            masks = _levels(attribute, pd.Series(twins[name]))
        if sum(bool(mask.any()) for mask in masks.values()) > 1:
            found[FIRST.get(name, name.replace("_", " ").capitalize())] = masks
    return found


def _levels(attribute: "Attribute", values: pd.Series) -> dict[str, np.ndarray]:
    """Who has each level of an attribute, by the level in words; what is stored as a name is looked up by it."""
    if attribute.kind == "yes/no":
        told = values.map({True: "yes", False: "no"}).to_numpy()
        return {(_SEX if attribute.name == "male" else {}).get(name, name): told == name for name in ("no", "yes")}
    names = tuple(attribute.levels or ())
    if pd.api.types.is_numeric_dtype(values):
        at = place(attribute, values.to_numpy())
    else:
        at = pd.Index(names).get_indexer(pd.Index(values.astype(str)))
    return {name.replace("_", " "): at == number for number, name in enumerate(names)}


def effects(one: np.ndarray, other: np.ndarray, members: Groups) -> list[Effect]:
    """The effect in all twins who have a value in both arms, and in those of each group.

    Args:
      one, other: what each twin has in the arm and in the comparator, NaN where nothing, (twins,).
      members: as `groups` gives them.
    """
    away = one - other
    there = ~np.isnan(away)
    everybody = {EVERYBODY: {"": there}}
    found = []
    for factor, levels in (everybody | dict(members)).items():
        for level, mask in levels.items():
            mine = there & mask
            number = int(mine.sum())
            mean = float(away[mine].mean()) if number else np.nan
            se = float(away[mine].std(ddof=1) / np.sqrt(number)) if number > 1 else np.nan
            means = (float(one[mine].mean()), float(other[mine].mean())) if number else (np.nan, np.nan)
            found.append(Effect(factor, level, number, mean, se, means))
    return found


def within(table: pd.DataFrame, contrast: Contrast, responder: bool, groups: Groups) -> list[Subgroup]:
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
