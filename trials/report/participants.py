"""Who the twins are: the baseline table and the make-up of the study by sex, race and skin type."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ...core.disease import Disease
from .words import NOTHING, count, decimal, percent, plain_number, sentence, share, units

if TYPE_CHECKING:
    from ...population.attributes import Attribute

FEW = 30  # below this many twins a subgroup's results are mostly chance
COMPOSITION = ("male", "race", "fitzpatrick")
_SEX = {"yes": "men", "no": "women"}


class Row(NamedTuple):
    """A line of the baseline table; `level` rows are indented under their characteristic."""

    label: str
    cells: tuple[str, ...]
    level: bool


class Group(NamedTuple):
    """One subgroup: how many twins, of all, and whether there are too few to say much."""

    label: str
    number: int
    share: str
    width: float
    few: bool


def columns(arms: Sequence[str], twins: pd.DataFrame) -> dict[str, np.ndarray]:
    """A mask for each column of the table: every arm, then all twins if there are several arms."""
    masks = {arm: (twins.arm == arm).to_numpy() for arm in arms}
    return masks if len(arms) == 1 else masks | {"All": np.ones(len(twins), bool)}


def baseline(
    attributes: "Mapping[str, Attribute]", disease: Disease, masks: Mapping[str, np.ndarray], twins: pd.DataFrame,
    observations: pd.DataFrame,
) -> list[Row]:  # fmt: skip
    """Characteristics at entry by arm: attributes of the population, then endpoints as measured at week 0."""
    rows: list[Row] = []
    for name, attribute in attributes.items():
        if name not in twins:
            continue
        if attribute.kind == "number":
            rows += _numbers(_label(attribute.about, attribute.unit), twins[name].to_numpy(float), masks)
        else:
            rows += _levels(attribute, pd.Series(twins[name]), masks)
    measured = [name for name in disease.endpoints if name in observations]
    start = observations.loc[observations.week == 0, ["twin", *measured]].set_index("twin").reindex(twins.twin)
    for name in measured:
        label = _label(f"{disease.endpoints[name].about}, as measured", disease.endpoints[name].unit)
        rows += _numbers(label, start[name].to_numpy(float), masks)
    return rows


def _label(about: str, unit: str) -> str:
    return sentence(f"{about},{units(unit)}" if units(unit) else about)


def _numbers(label: str, values: np.ndarray, masks: Mapping[str, np.ndarray]) -> list[Row]:
    means, medians, missing = [], [], []
    for mask in masks.values():
        seen = values[mask & np.isfinite(values)]
        missing.append(int(mask.sum()) - len(seen))
        if not len(seen):
            means.append(NOTHING)
            medians.append(NOTHING)
            continue
        deviation = f" ({decimal(float(seen.std(ddof=1)))})" if len(seen) > 1 else ""
        low, middle, high = (decimal(float(spot)) for spot in np.quantile(seen, (0.25, 0.5, 0.75)))
        means.append(f"{decimal(float(seen.mean()))}{deviation}")
        medians.append(f"{middle} [{low}, {high}]")
    rows = [
        Row(label, (), False),
        Row("mean (SD)", tuple(means), True),
        Row("median [quartiles]", tuple(medians), True),
    ]
    return rows + ([Row("missing", tuple(map(count, missing)), True)] if any(missing) else [])


def named(attribute: "Attribute", values: pd.Series) -> tuple[list[str], np.ndarray]:
    """The levels of an attribute, and for each twin the position of its level, -1 where missing."""
    if attribute.kind == "yes/no":
        filled = values.map({True: 0, False: 1}).fillna(-1)
        return ["yes", "no"], filled.to_numpy(int)
    if attribute.levels and pd.api.types.is_numeric_dtype(values) and str(attribute.levels[0]).strip("-").isdigit():
        levels, cells = list(attribute.levels), values.map(plain_number, na_action="ignore")
    elif attribute.levels and pd.api.types.is_numeric_dtype(values):
        return list(attribute.levels), values.fillna(-1).to_numpy(int) - (attribute.kind == "grade")
    else:
        cells = values.map(plain_number, na_action="ignore") if pd.api.types.is_numeric_dtype(values) else values
        levels = list(attribute.levels or sorted(map(str, cells.dropna().unique())))
    return levels, pd.Index(levels).get_indexer(pd.Index(cells.astype(str)))


def _levels(attribute: "Attribute", values: pd.Series, masks: Mapping[str, np.ndarray]) -> list[Row]:
    levels, place = named(attribute, values)
    sizes = {column: int(mask.sum()) for column, mask in masks.items()}

    def cells(i: int) -> tuple[str, ...]:
        return tuple(share(int((place[mask] == i).sum()), sizes[column]) for column, mask in masks.items())

    if attribute.kind == "yes/no":
        rows = [Row(f"{sentence(attribute.about)}, n (%)", cells(0), False)]
    else:
        rows = [Row(f"{sentence(attribute.about)}, n (%)", (), False)]
        rows += [Row(level, cells(i), True) for i, level in enumerate(levels)]
    return rows + ([Row("missing", cells(-1), True)] if (place < 0).any() else [])


def composition(attributes: "Mapping[str, Attribute]", twins: pd.DataFrame) -> dict[str, list[Group]]:
    """Twins by sex, race and skin type, as far as the population knows them; levels nobody has are listed too."""
    found: dict[str, list[Group]] = {}
    for name in COMPOSITION:
        if name not in attributes or name not in twins:
            continue
        levels, place = named(attributes[name], pd.Series(twins[name]))
        numbers = [int((place == i).sum()) for i in range(len(levels))]
        title = "Sex" if name == "male" else sentence(attributes[name].about.split(",")[0])
        labels = [_SEX[level] for level in levels] if name == "male" else levels
        found[title] = [
            Group(label, number, percent(number / max(len(twins), 1)), 100 * number / max(len(twins), 1), number < FEW)
            for label, number in zip(labels, numbers, strict=True)
        ]
    return found


def sparse(groups: Mapping[str, Sequence[Group]]) -> list[str]:
    """The subgroups with too few twins, in words."""
    return [
        f"{title} {group.label} ({count(group.number) if group.number else 'none'})"
        for title, members in groups.items()
        for group in members
        if group.few
    ]
