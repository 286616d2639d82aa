"""Who the twins are: the baseline table, and the make-up of the study beside that of its target."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ...core.disease import Disease
from ...population.fitting.data import effective_size
from .. import representation
from ..levels import AGE_BANDS, place
from ..recruitment import TABLE
from .words import NOTHING, count, decimal, percent, plain_number, sentence, share, spaced, units

if TYPE_CHECKING:
    from ...population.attributes import Attribute

FEW = int(TABLE.value("representation.few"))  # below this many twins a subgroup's results are mostly chance
_SEX = {"yes": "men", "no": "women"}


class Row(NamedTuple):
    """A line of the baseline table; `level` rows are indented under their characteristic."""

    label: str
    cells: tuple[str, ...]
    level: bool


class Group(NamedTuple):
    """One subgroup: how many twins, their share and the target's as text and as widths of bars, and the ratio.

    few: too few to say much. off: the ratio is outside what counts as represented.
    precision: how far the 95 % interval of a response of 50 % reaches to either side.
    """

    label: str
    number: int
    share: str
    width: float
    target: str
    target_width: float
    ratio: str
    precision: str
    few: bool
    off: bool


class Composition(NamedTuple):
    """The make-up of the study.

    groups: by title. basis: what the target is, empty where it was not recorded. off: who is over- or underrepresented.
    limits: the ratios that count as represented. calibrated: whether the twins lie in the model's data, in words.
    effective: effective number of twins, empty unless they have design weights.
    matched, quotas, regions: rows of tables, empty where the study has none. table: the published table's source.
    """

    groups: dict[str, list[Group]]
    basis: str
    off: list[str]
    limits: str
    calibrated: str
    effective: str
    matched: list[tuple[str, ...]]
    table: str
    quotas: list[tuple[str, ...]]
    regions: list[tuple[str, ...]]


def columns(arms: Sequence[str], twins: pd.DataFrame) -> dict[str, np.ndarray]:
    """A mask for each column of the table: every arm, then all twins if there are several arms."""
    masks = {arm: (twins.arm == arm).to_numpy() for arm in arms}
    return masks if len(arms) == 1 else masks | {"All": np.ones(len(twins), bool)}


def baseline(
    attributes: "Mapping[str, Attribute]", disease: Disease, masks: Mapping[str, np.ndarray], twins: pd.DataFrame,
    observations: pd.DataFrame,
) -> list[Row]:  # fmt: skip
    """Characteristics at entry by arm: attributes of the population, then endpoints as measured at week 0."""
    rows = _attributes({name: a for name, a in attributes.items() if not a.detail}, masks, twins)
    measured = [name for name, e in disease.endpoints.items() if name in observations and not e.detail]
    start = observations.loc[observations.week == 0, ["twin", *measured]].set_index("twin").reindex(twins.twin)
    for name in measured:
        head = label(f"{disease.endpoints[name].about}, as measured", disease.endpoints[name].unit)
        rows += numbers(head, start[name].to_numpy(float), masks)
    return rows


def details(attributes: "Mapping[str, Attribute]", masks: Mapping[str, np.ndarray], twins: pd.DataFrame) -> list[Row]:
    """The same of the attributes that are details."""
    return _attributes({name: a for name, a in attributes.items() if a.detail}, masks, twins)


def _attributes(
    attributes: "Mapping[str, Attribute]", masks: Mapping[str, np.ndarray], twins: pd.DataFrame
) -> list[Row]:
    rows: list[Row] = []
    for name, attribute in attributes.items():
        if name not in twins:
            continue
        if attribute.kind == "number":
            rows += numbers(label(attribute.about, attribute.unit), twins[name].to_numpy(float), masks)
        else:
            rows += _levels(attribute, pd.Series(twins[name]), masks)
    return rows


def label(about: str, unit: str) -> str:
    """A characteristic with its unit."""
    return sentence(f"{about},{units(unit)}" if units(unit) else about)


def numbers(label: str, values: np.ndarray, masks: Mapping[str, np.ndarray]) -> list[Row]:
    """Mean and median of a number in each column."""
    means, medians, missing = [], [], []
    for mask in masks.values():
        seen = values[mask & np.isfinite(values)]
        missing.append(int(mask.sum()) - len(seen))
        if not len(seen):
            means.append(NOTHING)
            medians.append(NOTHING)
            continue
        spread = float(seen.std(ddof=1)) if len(seen) > 1 else float("nan")
        digits = max(1, 1 - math.floor(math.log10(spread))) if 0 < spread < 1 else 1  # two of the deviation's
        deviation = f" ({decimal(spread, digits)})" if len(seen) > 1 else ""
        low, middle, high = (decimal(float(spot), digits) for spot in np.quantile(seen, (0.25, 0.5, 0.75)))
        means.append(f"{decimal(float(seen.mean()), digits)}{deviation}")
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
    numeric = pd.api.types.is_numeric_dtype(values)
    if attribute.levels and numeric and not str(attribute.levels[0]).strip("-").isdigit():
        return list(attribute.levels), values.fillna(-1).to_numpy(int) - (attribute.kind == "grade")
    place, kinds = pd.factorize(values)  # each kind is put into words once, not for every twin
    cells = [plain_number(kind) if numeric else str(kind) for kind in kinds]
    levels = list(attribute.levels or sorted(set(cells)))
    return levels, np.append(pd.Index(levels).get_indexer(pd.Index(cells)), -1)[place]


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


def composition(
    attributes: "Mapping[str, Attribute]",
    twins: pd.DataFrame,
    manifest: Mapping[str, Any],
    disease: Disease,
) -> Composition:
    """Twins by sex, race, skin type and age, as far as the population knows them; levels nobody has are listed too.

    Args:
      manifest: `representation` (the target) and `recruitment` (match, quotas, regions), as far as recorded.
    """
    told = manifest.get("representation") or {}
    found: dict[str, list[Group]] = {}
    for name in representation.COMPOSITION:
        if name in attributes and name in twins:
            title = {"male": "Sex", "age": "Age, years"}.get(name) or sentence(attributes[name].about.split(",")[0])
            found[title] = _groups(attributes[name], pd.Series(twins[name]), (told.get("shares") or {}).get(name) or {})
    chosen = manifest.get("recruitment") or {}
    weights = twins["design_weight"].to_numpy(float) if "design_weight" in twins else np.zeros(0)
    return Composition(
        groups=found,
        basis=_basis(told),
        off=[f"{title} {g.label} ({g.ratio})" for title, members in found.items() for g in members if g.off],
        limits=f"{TABLE.value('representation.low'):g} to {TABLE.value('representation.high'):g}",
        calibrated=_calibrated(
            representation.outside(disease, attributes, {str(k): v for k, v in twins.items()}), len(twins)
        ),
        effective=count(round(effective_size(weights))) if len(weights) else "",
        matched=_matched(chosen.get("match") or {}, attributes),
        table=_table(chosen.get("match") or {}),
        quotas=_quotas(chosen.get("quotas") or [], attributes, len(twins)),
        regions=_regions(chosen.get("regions") or [], len(twins)),
    )


def _groups(attribute: "Attribute", values: pd.Series, target: Mapping[str, float]) -> list[Group]:
    if attribute.name == "age":
        names, number = list(AGE_BANDS), place(attribute, values.to_numpy(float))
    else:
        names, number = named(attribute, values)
    found = []
    for i, name in enumerate(names):
        own = representation.member(int((number == i).sum()), len(values), target.get(name))
        if attribute.name == "age" and not own.number and not own.target:
            continue  # a band outside the people in question
        found.append(
            Group(
                label=_SEX[name] if attribute.name == "male" else spaced(name),
                number=own.number,
                share=percent(own.share),
                width=100 * own.share,
                target=NOTHING if own.target is None else percent(own.target),
                target_width=100 * (own.target or 0.0),
                ratio=NOTHING if own.ratio is None else decimal(own.ratio, 2),
                precision=f"±{100 * own.precision:.0f}" if own.number else NOTHING,
                few=own.few,
                off=own.off,
            )
        )
    return found


def _basis(told: Mapping[str, Any]) -> str:
    if not told.get("shares"):
        return ""
    given = [spaced(name) for name in told.get("given") or ()]
    own = f"; for {', '.join(given)}, the shares that the study gives" if given else ""
    return f"{told.get('basis') or 'the population'}{own}"


def _calibrated(outside: Mapping[str, int] | None, twins: int) -> str:
    if outside is None:
        return (
            "The response model names no range of people on whose data it was calibrated, so for none of these groups "
            "can its predictions be called interpolation."
        )
    beyond = [f"{share(number, twins)} outside {name}" for name, number in outside.items() if number]
    if not beyond:
        return f"All twins lie within the data that the response model was calibrated on ({', '.join(outside)})."
    return f"Outside the data that the response model was calibrated on: {'; '.join(beyond)}."


def _matched(told: Mapping[str, Any], attributes: "Mapping[str, Attribute]") -> list[tuple[str, ...]]:
    rows = []
    for row in told.get("rows") or ():
        numbers = percent if row["kind"] == "share" else decimal
        published, own = numbers(row["wanted"]), numbers(row["got"])
        rows.append((_row_label(row, attributes), published, own, decimal(row["difference_in_sd"], 3)))
    return rows


def _row_label(row: Mapping[str, Any], attributes: "Mapping[str, Attribute]") -> str:
    """`Body weight, SD, kg`, `Race: black`."""
    known = attributes.get(row["attribute"])
    about = known.about.split(",")[0] if known else spaced(row["attribute"])
    if row["kind"] == "share":
        of = spaced(row["row"].removeprefix(row["attribute"]).strip())
        return sentence(f"{about}: {of}" if of else about)
    return label(f"{about}, {'SD' if row['kind'] == 'sd' else 'mean'}", known.unit if known else "")


def _table(told: Mapping[str, Any]) -> str:
    if not told:
        return ""
    lacking = [spaced(name) for name in told.get("left_out") or ()]
    parts = [
        f"{told['trial']} ({told['citation']}), {count(told['people'])} people.",
        f"Read in: {told['read_in']}.",
        f"Each eligible candidate entered with a chance of its own, {percent(told['acceptance_rate'])} on average.",
        *(f"The population does not tell {', '.join(lacking)}." for _ in lacking[:1]),
        *(f"{sentence(text)}." for text in told.get("warnings") or ()),
    ]
    return " ".join(parts)


def _quotas(
    told: Sequence[Mapping[str, Any]], attributes: "Mapping[str, Attribute]", twins: int
) -> list[tuple[str, ...]]:
    rows = []
    for quota in told:
        name = quota["attribute"]
        about = attributes[name].about.split(",")[0] if name in attributes else spaced(name)
        rows.append(
            (
                f"{sentence(about)}: {spaced(quota['level'])}",
                percent(quota["wanted"]),
                share(quota["places"], twins),
                percent(quota["without_quotas"]),
            )
        )
    return rows


def _regions(told: Sequence[Mapping[str, Any]], twins: int) -> list[tuple[str, ...]]:
    return [
        (
            sentence(spaced(entry["region"])),
            percent(entry["wanted"]),
            share(entry["twins"], twins),
            count(entry["sites"]),
            count(entry["sites_with_twins"]),
            count(entry["largest_site"]),
        )
        for entry in told
    ]


def sparse(made_up: Composition) -> list[str]:
    """The subgroups with too few twins, in words."""
    return [
        f"{title} {group.label} ({count(group.number) if group.number else 'none'})"
        for title, members in made_up.groups.items()
        for group in members
        if group.few
    ]
