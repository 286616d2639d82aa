"""For whom a treatment does less: the primary comparisons in the groups of `statistics.subgroups`.

The figure serves reports of runs and of designs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...core.disease import Disease
from ..statistics import analyses, outcomes, subgroups
from ..statistics.offered import METHODS
from ..statistics.proportions import Contrast
from ..study import Study
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, shortened
from .words import NOTHING, count, estimate, interval, known, minus, outcome_label, p_value, scale, spaced, unit

if TYPE_CHECKING:
    from ...population.attributes import Attribute

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 940, 330, 640, 46, 24, 62
NOBODY = "no twins"


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
    number = twins["twin"].to_numpy()
    members = {
        factor: {level: number[mask] for level, mask in levels.items()}
        for factor, levels in subgroups.groups(attributes, twins).items()
    }
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
        everybody = {subgroups.EVERYBODY: {"": table["twin"].to_numpy()}}
        (whole,) = subgroups.within(table, contrast, responder, everybody)
        title = f"{outcome_label(disease, plan.outcome)}, week {plan.week}"
        of = "percentage points" if responder else unit(disease.outcomes.get(plan.outcome)) or "units of the scale"
        found.append(Within(title, of, whole, subgroups.within(table, contrast, responder, members)))
    return found


class Line(NamedTuple):
    """A line of the figure.

    Args:
      value, low, high: as printed on the axis, NaN where there is none. told, p: in words. few: uncertain.
    """

    factor: str
    level: str
    size: str
    value: float
    low: float
    high: float
    told: str
    p: str
    few: bool


def rows(found: Within) -> list[list[str]]:
    """Behind the figure: factor, group, twins, difference, interval, p."""
    return [
        [
            one.factor, one.level, f"{count(one.difference.n)} and {count(one.difference.n_comparator)}", _number(one),
            interval(one.difference.low, one.difference.high, one.difference.statistic), p_value(one.difference.p),
            one.difference.note,
        ]
        for one in (found.whole, *found.groups)
    ]  # fmt: skip


def _number(one: subgroups.Subgroup) -> str:
    value = one.difference.estimate
    return estimate(value, one.difference.statistic) if known(value) else "not estimated"


def figure(number: int, found: Within, arms: Mapping[str, Look]) -> Drawing:
    """All twins above, then a block a factor; open circles where an arm has few twins in the group."""
    first = found.whole.difference
    colour = arms[first.arm].colour if first.arm in arms else INK
    words = "; ".join(f"{' '.join(row[:2]).strip()}: {row[3]} ({row[4]})" for row in rows(found))
    versus = f"{spaced(first.arm)} less {spaced(first.comparator)}"
    return plot(
        f"fairness-{number}", (f"{found.title}: {versus} within groups ({found.unit})", f"{words}."),
        [_line(one) for one in (found.whole, *found.groups)], colour,
        ("Group (twins in either arm)", "Difference", "p", f"{versus}, {found.unit}"),
    )  # fmt: skip


def _line(one: subgroups.Subgroup) -> Line:
    of = one.difference
    factor = scale(of.statistic)[0]
    value, low, high = (factor * x if known(x) else math.nan for x in (of.estimate, of.low, of.high))
    limits = interval(of.low, of.high, of.statistic)
    told = _number(one) if limits == NOTHING else f"{_number(one)} ({limits})"
    return Line(
        one.factor, one.level, f"{count(of.n)} and {count(of.n_comparator)}", value, low, high,
        told if of.n + of.n_comparator else NOBODY, p_value(of.p) if known(of.p) else "",
        min(of.n, of.n_comparator) < subgroups.FEW,
    )  # fmt: skip


def plot(
    name: str, titles: tuple[str, str], lines: Sequence[Line], colour: str, heads: tuple[str, str, str, str]
) -> Drawing:
    """The figure of these lines, the first of which is of everybody.

    Args:
      titles: and the same in full, for those who cannot see the figure.
      heads: of groups, of differences and of p, and what the axis shows.
    """
    placed = _placed(lines)
    bottom = _TOP + _ROW * len(placed)

    def draw(canvas: Figure) -> None:
        axes = blank(canvas, _WIDTH, bottom + _FOOT)
        x, ticks = _line_of(lines)
        for at, text, side in ((8, heads[0], "left"), (_RIGHT + 24, heads[1], "left"), (_WIDTH - 8, heads[2], "right")):
            axes.text(at, 30, text, color=SOFT, fontsize=11, ha=side, va="center")
        axes.plot([8, _WIDTH - 8], [_TOP, _TOP], color=RULE, linewidth=1)
        axes.plot([x(0.0)] * 2, [_TOP, bottom], color=INK, linewidth=1)
        if known(lines[0].value):
            axes.plot([x(lines[0].value)] * 2, [_TOP, bottom], color=colour, linewidth=1, linestyle=(0, (4, 3)))
        for tick in ticks:
            axes.text(x(tick), bottom + 15, minus(f"{tick:g}"), color=SOFT, fontsize=10.5, ha="center", va="center")
        axes.plot([_LEFT, _RIGHT], [bottom, bottom], color=SOFT, linewidth=0.8)
        axes.text((_LEFT + _RIGHT) / 2, bottom + 36, heads[3], color=SOFT, fontsize=11, ha="center", va="center")
        for i, (text, one) in enumerate(placed):
            y = _TOP + _ROW * (i + 0.5)
            if one is None:
                axes.text(8, y, text, weight="bold", fontsize=12, va="center")
            else:
                _entry(axes, text, one, x, y, colour)

    return drawing(name, *titles, (_WIDTH, bottom + _FOOT), draw)


def _placed(lines: Sequence[Line]) -> list[tuple[str, Line | None]]:
    """The lines of the figure: everybody, then each factor's name above its groups."""
    placed: list[tuple[str, Line | None]] = []
    factor = ""
    for one in lines:
        if one.level and one.factor != factor:
            placed.append((factor := one.factor, None))
        placed.append((one.level or one.factor, one))
    return placed


def _entry(axes: Axes, text: str, one: Line, x: Callable[[float], float], y: float, colour: str) -> None:
    """A line of the figure: name, interval and estimate, and the numbers."""
    ink = SOFT if one.few else INK
    axes.text(22 if one.level else 8, y, f"{shortened(text, 26)} ({one.size})", fontsize=11.5, va="center", color=ink,
              weight="normal" if one.level else "bold")  # fmt: skip
    if known(one.low) and known(one.high):
        axes.plot([x(one.low), x(one.high)], [y, y], color=colour, linewidth=2, solid_capstyle="butt",
                  alpha=0.45 if one.few else 1.0)  # fmt: skip
    if known(one.value):
        marker, size = ("o", 6) if one.level else ("D", 8)
        axes.plot([x(one.value)], [y], marker, markersize=size, markerfacecolor="white" if one.few else colour,
                  markeredgecolor=colour, markeredgewidth=1.5)  # fmt: skip
    axes.text(_RIGHT + 24, y, one.told, fontsize=11.5, va="center", color=ink)
    axes.text(_WIDTH - 8, y, one.p, color=SOFT, fontsize=11, ha="right", va="center")


def _line_of(lines: Sequence[Line]) -> tuple[Callable[[float], float], list[float]]:
    """Position in pixels of a printed number, and the ticks."""
    values = [0.0, *(v for one in lines for v in (one.value, one.low, one.high) if known(v))]
    ticks = [float(tick) for tick in MaxNLocator(6).tick_values(min(values), max(values))]
    low, width = ticks[0], (_RIGHT - _LEFT) / (ticks[-1] - ticks[0])
    return lambda value: _LEFT + width * (value - low), ticks
