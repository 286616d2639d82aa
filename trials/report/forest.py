"""Forest plots of the comparisons: one plot a scale, every interval beside its numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...core.disease import Disease
from ..statistics.truths import METHOD as TRUE
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, shortened
from .words import (
    DIFFERENCES,
    NOTHING,
    count,
    estimate,
    interval,
    known,
    minus,
    outcome_label,
    p_value,
    scale,
    scale_unit,
    sentence,
    spaced,
)

if TYPE_CHECKING:
    from ..statistics.result import Result

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 940, 350, 640, 46, 44, 62
_ROLES = {"primary": 0, "secondary": 1, "exploratory": 2}
_RATIOS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000)


class Panel(NamedTuple):
    """Comparisons on one scale."""

    title: str
    scale: str
    ratio: bool
    rows: "list[Result]"


class Line(NamedTuple):
    """One comparison in words."""

    label: str
    detail: str
    estimate: str
    interval: str
    p: str
    note: str


def comparisons(results: "Sequence[Result]", planned: Sequence[str]) -> "list[Result]":
    """The rows that compare two arms: primary ones first, then in the order planned."""
    order = {name: i for i, name in enumerate(planned)}
    rows = [row for row in results if row.comparator and row.analysis in order and row.method != TRUE]
    return sorted(rows, key=lambda row: (_ROLES.get(row.role, 3), order[row.analysis]))


def panels(results: "Sequence[Result]", planned: Sequence[str], disease: Disease) -> list[Panel]:
    """Group the comparisons by scale: risk differences, odds ratios, then other statistics by unit."""
    groups: dict[tuple[str, str], Panel] = {}
    for row in comparisons(results, planned):
        of = scale_unit(row.statistic, disease.outcomes.get(row.outcome))
        if row.statistic in DIFFERENCES:
            key, panel = ("0", ""), Panel("Differences in responders", "percentage points", False, [])
        elif row.statistic.endswith("ratio"):
            name = sentence(row.statistic) + "s"
            key, panel = ("1" + name, ""), Panel(name, "logarithmic scale", True, [])
        else:
            name = sentence(row.statistic)
            key, panel = ("2" + name, of), Panel(name, of or "units of the scale", False, [])
        groups.setdefault(key, panel).rows.append(row)
    return [groups[key] for key in sorted(groups)]


def line(row: "Result", disease: Disease) -> Line:
    """One comparison in words, as the figure and the table behind it print it."""
    versus = f"{shortened(spaced(row.arm), 18)} against {shortened(spaced(row.comparator), 18)}"
    return Line(
        f"{outcome_label(disease, row.outcome)}, week {row.week}",
        f"{versus} · {count(row.n)} and {count(row.n_comparator)} twins",
        estimate(row.estimate, row.statistic) if known(row.estimate) else "not estimated",
        interval(row.low, row.high, row.statistic),
        p_value(row.p),
        row.note,
    )


def forest(number: int, panel: Panel, disease: Disease, arms: Mapping[str, Look]) -> Drawing:
    """Draw one panel; a primary comparison is a filled diamond, the others are circles."""
    height = _TOP + _ROW * len(panel.rows) + _FOOT
    lines = [line(row, disease) for row in panel.rows]

    def draw(figure: Figure) -> None:
        axes = blank(figure, _WIDTH, height)
        x, ticks = _scale(panel)
        bottom = _TOP + _ROW * len(panel.rows)
        _frame(axes, panel, x, ticks, bottom)
        for i, (row, words) in enumerate(zip(panel.rows, lines, strict=True)):
            y = _TOP + _ROW * (i + 0.5)
            axes.plot([8, _WIDTH - 8], [y + _ROW / 2] * 2, color="#eef1f4", linewidth=1, zorder=0.5)
            weight = "bold" if row.role == "primary" else "normal"
            axes.text(8, y - 8, words.label, weight=weight, fontsize=12, va="center")
            axes.text(8, y + 9, words.detail, color=SOFT, fontsize=10.5, va="center")
            gap = f" ({words.interval})" if words.interval != NOTHING else ""
            axes.text(_RIGHT + 24, y, words.estimate + gap, weight=weight, fontsize=12, va="center")
            axes.text(_WIDTH - 8, y, words.p, color=SOFT, fontsize=11.5, ha="right", va="center")
            _mark(axes, row, panel, x, y, arms[row.arm].colour if row.arm in arms else INK)

    words = "; ".join(f"{item.label}, {item.detail}: {item.estimate} ({item.interval}), p {item.p}" for item in lines)
    return drawing(f"forest-{number}", f"{panel.title} ({panel.scale})", f"{words}.", (_WIDTH, height), draw)


def _scale(panel: Panel) -> tuple[Callable[[float], float], Sequence[float]]:
    """Position in pixels of a printed number, and the ticks; everything finite is in range, and so is no effect."""
    factors = [scale(row.statistic)[0] for row in panel.rows]
    values = [1.0 if panel.ratio else 0.0] + [
        factor * value
        for factor, row in zip(factors, panel.rows, strict=True)
        for value in (row.estimate, row.low, row.high)
        if known(value) and math.isfinite(value)
    ]
    if panel.ratio:
        low, high = max(min(values), 1e-3), min(max(values), 1e3)
        low = max((tick for tick in _RATIOS if tick <= min(low, 0.999)), default=_RATIOS[0])
        high = min((tick for tick in _RATIOS if tick >= max(high, 1.001)), default=_RATIOS[-1])
        ticks = [tick for tick in _RATIOS if low <= tick <= high]
        start, span = math.log(low), math.log(high) - math.log(low)
        return lambda value: _LEFT + (_RIGHT - _LEFT) * (math.log(min(max(value, low), high)) - start) / span, ticks
    ticks = MaxNLocator(6).tick_values(min(values), max(values))
    low, high = float(ticks[0]), float(ticks[-1])
    width = (_RIGHT - _LEFT) / (high - low)
    return lambda value: _LEFT + width * (min(max(value, low), high) - low), [*map(float, ticks)]


def _frame(axes: Axes, panel: Panel, x: Callable[[float], float], ticks: Sequence[float], bottom: float) -> None:
    level = {row.level for row in panel.rows}
    share = f"{100 * level.pop():g} % interval" if len(level) == 1 else "interval"
    for place, text, side in (
        (8, "Comparison", "left"),
        (_RIGHT + 24, f"Estimate ({share})", "left"),
        (_WIDTH - 8, "p", "right"),
    ):
        axes.text(place, 30, text, color=SOFT, fontsize=11, ha=side, va="center")
    axes.plot([8, _WIDTH - 8], [_TOP, _TOP], color=RULE, linewidth=1)
    for tick in ticks:
        axes.plot([x(tick)] * 2, [bottom, bottom + 4], color=SOFT, linewidth=0.8)
        axes.text(x(tick), bottom + 15, minus(f"{tick:g}"), color=SOFT, fontsize=10.5, ha="center", va="center")
    axes.plot([_LEFT, _RIGHT], [bottom, bottom], color=SOFT, linewidth=0.8)
    none = x(1.0 if panel.ratio else 0.0)
    axes.plot([none, none], [_TOP, bottom], color=INK, linewidth=1)
    axes.text((_LEFT + _RIGHT) / 2, bottom + 34, panel.scale, color=SOFT, fontsize=11, ha="center", va="center")
    for place, text, side in (
        (none - 8, "← higher in the second arm", "right"),
        (none + 8, "higher in the first arm →", "left"),
    ):
        axes.text(place, bottom + 52, text, color=SOFT, fontsize=10.5, ha=side, va="center")


def _mark(axes: Axes, row: "Result", panel: Panel, x: Callable[[float], float], y: float, colour: str) -> None:
    factor = scale(row.statistic)[0]
    if known(row.low) and known(row.high):
        axes.plot([x(factor * row.low), x(factor * row.high)], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    if known(row.estimate):
        primary = row.role == "primary"
        axes.plot(
            [x(factor * row.estimate)], [y], "D" if primary else "o", markersize=9 if primary else 7,
            markerfacecolor=colour if primary else "white", markeredgecolor=colour, markeredgewidth=1.8,
        )  # fmt: skip
