"""For whom a treatment does less: the primary comparisons within skin types, sexes, weights and earlier treatments."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...core.disease import Disease
from ..statistics import analyses, outcomes, subgroups
from ..statistics.offered import METHODS
from ..statistics.proportions import Contrast
from ..study import Study
from .participants import FEW, named
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, shortened
from .words import count, estimate, interval, known, minus, outcome_label, p_value, scale, spaced, unit

if TYPE_CHECKING:
    from ...population.attributes import Attribute

FIRST = ("fitzpatrick", "male", "weight")  # then whatever says what a twin was treated with before
EARLIER = "prior_"
WEIGHTS = (70.0, 90.0, 110.0)  # kg; doses of biologics change at 90 or 100 kg
_SEX = {"yes": "men", "no": "women"}
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 940, 330, 640, 46, 24, 62


class Within(NamedTuple):
    """A primary comparison in all twins and in each group."""

    title: str
    unit: str
    whole: subgroups.Subgroup
    groups: list[subgroups.Subgroup]


def comparisons(
    study: Study, disease: Disease, attributes: "Mapping[str, Attribute]", twins: pd.DataFrame,
    observations: pd.DataFrame, events: pd.DataFrame,
) -> list[Within]:  # fmt: skip
    """Every primary comparison of arms that are different people, within groups; none where there is no such group.

    Each is the difference without adjustment at the analysis's week, with its strategy for intercurrent events.
    """
    members = groups(attributes, twins)
    chosen = [plan for plan in study.trial.analyses.values() if plan.role == "primary"]
    if study.trial.split or not members:
        return []
    found = []
    for plan in chosen:
        outcome = outcomes.named(disease, plan.outcome)
        if outcome is None or METHODS[plan.method].reads != "visit" or plan.intercurrent == "hypothetical":
            continue  # what was not seen is imputed or modelled, which groups are too small for
        table = analyses.compared(study, twins, observations, events, outcome, plan)
        contrast = Contrast(plan.arm, plan.comparator, level=round(1 - plan.alpha, 12))
        responder = outcome.kind == "responder"
        everybody = {"": {"All twins": table["twin"].to_numpy()}}
        (whole,) = subgroups.within(table, contrast, responder, everybody)
        title = f"{outcome_label(disease, plan.outcome)}, week {plan.week}"
        of = "percentage points" if responder else unit(disease.outcomes.get(plan.outcome)) or "units of the scale"
        found.append(Within(title, of, whole, subgroups.within(table, contrast, responder, members)))
    return found


def groups(attributes: "Mapping[str, Attribute]", twins: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Of each factor that the twins have, its groups in words and the numbers of the twins in them."""
    earlier = [name for name in attributes if name.startswith(EARLIER)]
    found: dict[str, dict[str, np.ndarray]] = {}
    number = twins["twin"].to_numpy()
    for name in (*FIRST, *earlier):
        if name not in attributes or name not in twins:
            continue
        attribute = attributes[name]
        if name == "weight":
            masks = subgroups.bands(twins[name].to_numpy(float), WEIGHTS, attribute.unit)
        elif attribute.kind == "number":
            continue
        else:
            names, at = named(attribute, pd.Series(twins[name]))
            words = _SEX if name == "male" else {}
            masks = {words.get(level, spaced(level)): at == i for i, level in enumerate(names)}
        found[_factor(name, attribute)] = {level: number[mask] for level, mask in masks.items() if mask.any()}
    return {factor: levels for factor, levels in found.items() if len(levels) > 1}


def _factor(name: str, attribute: "Attribute") -> str:
    return {"male": "Sex", "fitzpatrick": "Skin type (Fitzpatrick)", "weight": "Weight"}.get(
        name, spaced(name).capitalize()
    )


def rows(found: Within) -> list[list[str]]:
    """Behind the figure: factor, group, twins, difference, interval, p."""
    return [
        [
            one.factor or "All twins", one.level if one.factor else "", f"{count(one.difference.n)} and "
            f"{count(one.difference.n_comparator)}", _number(one), interval(one.difference.low, one.difference.high,
            one.difference.statistic), p_value(one.difference.p), one.difference.note,
        ]
        for one in (found.whole, *found.groups)
    ]  # fmt: skip


def _number(one: subgroups.Subgroup) -> str:
    value = one.difference.estimate
    return estimate(value, one.difference.statistic) if known(value) else "not estimated"


def figure(number: int, found: Within, arms: Mapping[str, Look]) -> Drawing:
    """All twins above, then a block a factor; open circles where an arm has few twins in the group."""
    lines = _lines(found)
    height = _TOP + _ROW * len(lines) + _FOOT
    first = found.whole.difference
    colour = arms[first.arm].colour if first.arm in arms else INK

    def draw(canvas: Figure) -> None:
        axes = blank(canvas, _WIDTH, height)
        x, ticks = _line_of([one for _, one in lines if one is not None])
        bottom = _TOP + _ROW * len(lines)
        whole = scale(first.statistic)[0] * first.estimate
        for at, text, side in ((8, "Group (twins in either arm)", "left"), (_RIGHT + 24, "Difference", "left"),
                               (_WIDTH - 8, "p", "right")):  # fmt: skip
            axes.text(at, 30, text, color=SOFT, fontsize=11, ha=side, va="center")
        axes.plot([8, _WIDTH - 8], [_TOP, _TOP], color=RULE, linewidth=1)
        axes.plot([x(0.0)] * 2, [_TOP, bottom], color=INK, linewidth=1)
        if known(whole):
            axes.plot([x(whole)] * 2, [_TOP, bottom], color=colour, linewidth=1, linestyle=(0, (4, 3)))
        for tick in ticks:
            axes.text(x(tick), bottom + 15, minus(f"{tick:g}"), color=SOFT, fontsize=10.5, ha="center", va="center")
        axes.plot([_LEFT, _RIGHT], [bottom, bottom], color=SOFT, linewidth=0.8)
        versus = f"{spaced(first.arm)} less {spaced(first.comparator)}, {found.unit}"
        axes.text((_LEFT + _RIGHT) / 2, bottom + 36, versus, color=SOFT, fontsize=11, ha="center", va="center")
        for i, (text, one) in enumerate(lines):
            y = _TOP + _ROW * (i + 0.5)
            if one is None:
                axes.text(8, y, text, weight="bold", fontsize=12, va="center")
                continue
            _entry(axes, text, one, x, y, colour)

    words = "; ".join(f"{' '.join(row[:2]).strip()}: {row[3]} ({row[4]})" for row in rows(found))
    title = f"{found.title}: {spaced(first.arm)} less {spaced(first.comparator)} within groups ({found.unit})"
    return drawing(f"fairness-{number}", title, f"{words}.", (_WIDTH, height), draw)


def _lines(found: Within) -> list[tuple[str, subgroups.Subgroup | None]]:
    """Lines of the figure: all twins, then each factor's name above its groups."""
    lines: list[tuple[str, subgroups.Subgroup | None]] = [("All twins", found.whole)]
    factor = ""
    for one in found.groups:
        if one.factor != factor:
            lines.append((factor := one.factor, None))
        lines.append((one.level, one))
    return lines


def _entry(axes: Axes, text: str, one: subgroups.Subgroup, x: Callable[[float], float], y: float, colour: str) -> None:
    """A line of the figure: name, interval and estimate, and the numbers."""
    of = one.difference
    few = min(of.n, of.n_comparator) < FEW
    size = f" ({count(of.n)} and {count(of.n_comparator)})"
    axes.text(8 if not one.factor else 22, y, shortened(text, 26) + size, weight="normal" if one.factor else "bold",
              fontsize=11.5, va="center", color=SOFT if few else INK)  # fmt: skip
    factor = scale(of.statistic)[0]
    if known(of.low) and known(of.high):
        axes.plot([x(factor * of.low), x(factor * of.high)], [y, y], color=colour, linewidth=2, solid_capstyle="butt",
                  alpha=0.45 if few else 1.0)  # fmt: skip
    if known(of.estimate):
        axes.plot([x(factor * of.estimate)], [y], "o" if one.factor else "D", markersize=6 if one.factor else 8,
                  markerfacecolor="white" if few else colour, markeredgecolor=colour, markeredgewidth=1.5)  # fmt: skip
    limits = interval(of.low, of.high, of.statistic)
    axes.text(_RIGHT + 24, y, f"{_number(one)} ({limits})", fontsize=11.5, va="center", color=SOFT if few else INK)
    axes.text(_WIDTH - 8, y, p_value(of.p), color=SOFT, fontsize=11, ha="right", va="center")


def _line_of(chosen: Sequence[subgroups.Subgroup]) -> tuple[Callable[[float], float], list[float]]:
    """Position in pixels of a printed number, and the ticks."""
    values = [0.0]
    for one in chosen:
        of = one.difference
        values += [scale(of.statistic)[0] * v for v in (of.estimate, of.low, of.high) if known(v)]
    ticks = [float(tick) for tick in MaxNLocator(6).tick_values(min(values), max(values))]
    low, width = ticks[0], (_RIGHT - _LEFT) / (ticks[-1] - ticks[0])
    return lambda value: _LEFT + width * (value - low), ticks
