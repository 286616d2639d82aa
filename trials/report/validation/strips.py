"""Rows of what was observed beside what was predicted: arms, differences, relapse, odds ratios."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..likeness import drawing
from ..svg import INK, RULE, SOFT, Drawing, blank, shortened
from ..words import minus

WITHIN, BEYOND, BAND = "#0072B2", "#D55E00", "#c3ccd5"
_WIDTH, _LABEL, _MARGIN, _TOP, _ROW, _FOOT, _GAP = 940, 318, 18, 44, 21, 46, 30
_RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)


class Mark(NamedTuple):
    """What was observed, with its limits if there are any (else NaN), and predicted, with its interval."""

    observed: float
    observed_low: float
    observed_high: float
    predicted: float
    low: float
    high: float
    good: bool


class Strip(NamedTuple):
    """A row: a label, a word at its end, and a mark in each panel that has one."""

    label: str
    detail: str
    marks: tuple[Mark | None, ...]


class Panel(NamedTuple):
    """A scale. none: where a line is drawn for no effect. ratio: whether it is logarithmic."""

    title: str
    scale: str
    ends: tuple[float, float] | None = None
    none: float | None = None
    ratio: bool = False


def strips(name: str, title: str, panels: Sequence[Panel], rows: Sequence[Strip]) -> Drawing:
    """Rows: grey the predicted interval, a tick its middle; observed as blue dots within, orange diamonds beyond."""
    height = _TOP + _ROW * len(rows) + _FOOT
    width = (_WIDTH - _MARGIN - _LABEL - _GAP * (len(panels) - 1)) / len(panels)
    bottom = _TOP + _ROW * len(rows)

    def draw(figure: Figure) -> None:
        axes = blank(figure, _WIDTH, height)
        axes.plot([8, _WIDTH - 8], [_TOP, _TOP], color=RULE, linewidth=1)
        for i, row in enumerate(rows):
            y = _TOP + _ROW * (i + 0.5)
            axes.text(8, y, shortened(row.label, 41 if row.detail else 48), fontsize=11, va="center")
            axes.text(_LABEL - 14, y, row.detail, color=SOFT, fontsize=10, ha="right", va="center")
        for k, panel in enumerate(panels):
            left = _LABEL + k * (width + _GAP)
            marks = [row.marks[k] for row in rows]
            x, ticks = _scale(panel, [mark for mark in marks if mark], left, width)
            _frame(axes, panel, x, ticks, (left, left + width), bottom)
            for i, mark in enumerate(marks):
                if mark:
                    _mark(axes, mark, x, _TOP + _ROW * (i + 0.5))

    good = sum(mark.good for row in rows for mark in row.marks if mark)
    many = sum(mark is not None for row in rows for mark in row.marks)
    return drawing(name, title, f"{good} of {many} within; all numbers are in the table.", (_WIDTH, height), draw)


def _scale(
    panel: Panel, marks: Sequence[Mark], left: float, width: float
) -> tuple[Callable[[float], float], list[float]]:
    values = [v for mark in marks for v in mark[:6] if math.isfinite(v)] or [0.0, 1.0]
    low, high = panel.ends or (min(values), max(values))
    if panel.ratio:
        low = max((tick for tick in _RATIOS if tick <= low), default=_RATIOS[0])
        high = min((tick for tick in _RATIOS if tick >= high), default=_RATIOS[-1])
        ticks = [tick for tick in _RATIOS if low <= tick <= high]
        low, high = math.log(low), math.log(high)
    else:
        ticks = [float(tick) for tick in MaxNLocator(5).tick_values(low, high)]
        if panel.ends:
            ticks = [tick for tick in ticks if low <= tick <= high]
        else:
            low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        at = math.log(value) if panel.ratio else value
        return left + width * (min(max(at, low), high) - low) / (high - low)

    return x, ticks


def _frame(
    axes: Axes,
    panel: Panel,
    x: Callable[[float], float],
    ticks: Sequence[float],
    ends: tuple[float, float],
    bottom: float,
) -> None:
    axes.text(ends[0], 26, panel.title, fontsize=12, weight="bold", va="center")
    for tick in ticks:
        axes.plot([x(tick)] * 2, [_TOP, bottom], color="#e3e8ed", linewidth=0.8, zorder=0.5)
        axes.text(x(tick), bottom + 13, minus(f"{tick:g}"), color=SOFT, fontsize=10, ha="center", va="center")
    axes.plot(ends, [bottom, bottom], color=SOFT, linewidth=0.8)
    if panel.none is not None:
        axes.plot([x(panel.none)] * 2, [_TOP, bottom], color=INK, linewidth=0.9, zorder=0.6)
    axes.text(sum(ends) / 2, bottom + 31, panel.scale, color=SOFT, fontsize=10.5, ha="center", va="center")


def _mark(axes: Axes, mark: Mark, x: Callable[[float], float], y: float) -> None:
    colour = WITHIN if mark.good else BEYOND
    if math.isfinite(mark.low):
        axes.fill_between([x(mark.low), x(mark.high)], y - 6, y + 6, color=BAND, linewidth=0, zorder=1)
    axes.plot([x(mark.predicted)] * 2, [y - 7, y + 7], color=INK, linewidth=1.4, zorder=2)
    if math.isfinite(mark.observed_low):
        axes.plot([x(mark.observed_low), x(mark.observed_high)], [y, y], color=colour, linewidth=1.5, zorder=3)
    shape = "o" if mark.good else "D"
    axes.plot([x(mark.observed)], [y], shape, markersize=6.5, color=colour, markeredgecolor="white", zorder=4)
