"""Square and line figures: observed against predicted figures, courses, importance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....calibration.report.summary import inside, score
from ....calibration.report.told import Pool, Told
from ..likeness import drawing
from ..svg import INK, RULE, SOFT, Drawing, shortened
from ..words import decimal
from .strips import BEYOND, WITHIN

SHAPES = (("o", "circles"), ("s", "squares"), ("^", "triangles"), ("v", "triangles upside down"))
COLOURS = ("#56B4E9", "#0072B2", "#D55E00", "#009E73")
_SQUARE, _PANEL = (300, 314), (300, 214)
_TICK = 25


def agreement(name: str, title: str, judged: Sequence[Any], pool: Pool, told: Told) -> Drawing:
    """Predicted against observed figures of a pool, a shape an outcome, with intervals; filled orange: outside."""
    error = score("", "", judged, told).error
    caught = sum(inside(row) for row in judged)
    scale = told.outcomes[pool.outcomes[0]]
    low, high = scale.ends
    edge = 0.02 * (high - low)
    ticks = np.arange(low, high + 1, _TICK)
    shapes = {outcome: shape for outcome, (shape, _) in zip(pool.outcomes, SHAPES, strict=False)}

    def draw(figure: Figure) -> None:
        axes = framed(figure, _SQUARE, title, 48)
        axes.plot([low, high], [low, high], color=SOFT, linewidth=0.9, zorder=1)
        for row in judged:
            good = inside(row)
            colour = WITHIN if good else BEYOND
            x, y, *ends = (scale.factor * value for value in (row.observed, row.predicted, row.low, row.high))
            axes.plot([x, x], ends, color=colour, alpha=0.45, linewidth=1, zorder=2)
            axes.plot(
                [x], [y], shapes[row.outcome], markersize=5, markeredgewidth=1.1, zorder=3,
                markeredgecolor=colour, markerfacecolor="white" if good else colour,
            )  # fmt: skip
        ends = (low - edge, high + edge)
        axes.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks)
        axes.set_xlabel(f"observed, {scale.unit.strip()}", fontsize=11)
        axes.set_ylabel(f"predicted, {scale.unit.strip()}", fontsize=11)
        axes.grid(visible=True)
        note = f"error {decimal(error)} points; {caught} of {len(judged)} inside"
        figure.text(0.98, 1 - 34 / _SQUARE[1], note, color=SOFT, fontsize=10.5, ha="right", va="center")

    many = told.words.figures
    words = f"{caught} of {len(judged)} {many} inside their 90 % interval; mean absolute error {decimal(error)} points."
    return drawing(name, f"{title}: observed and predicted {many}", words, _SQUARE, draw)


def course(name: str, title: str, points: Sequence[Any], told: Told) -> Drawing:
    """Response over time in one drug: published as dots, predicted as lines, a colour an outcome."""

    def draw(figure: Figure) -> None:
        axes = framed(figure, _PANEL, title)
        for outcome, colour in zip(told.outcomes, COLOURS, strict=False):
            seen = sorted((p.week, 100 * p.published, 100 * p.predicted) for p in points if p.outcome == outcome)
            if seen:
                weeks, published, predicted = zip(*seen, strict=True)
                axes.plot(weeks, predicted, color=colour, linewidth=1.6)
                axes.plot(weeks, published, "o", color=colour, markersize=5, markeredgecolor="white")
        axes.set(ylim=(0, 103), yticks=range(0, 101, 25))
        axes.set_xlabel("week", fontsize=10.5)
        axes.grid(visible=True, axis="y")

    gap = max(100 * abs(p.published - p.predicted) for p in points)
    return drawing(name, f"{title}: course of response", f"Largest gap {decimal(gap)} points.", _PANEL, draw)


def importance(name: str, title: str, ranked: Sequence[Any], details: Sequence[str] = ()) -> Drawing:
    """Mean absolute effects on a rate, the largest first. details: a word at the end of each bar."""
    width, left, room = (940, 286, 220) if details else (460, 216, 24)
    height = 74 + 19 * len(ranked)

    def draw(figure: Figure) -> None:
        plot = (left / width, 42 / height, (width - left - room) / width, (height - 74) / height)
        axes = figure.add_axes(plot)
        effects = [100 * row.mu_star for row in ranked]
        axes.barh(np.arange(len(ranked)), effects, height=0.66, color=WITHIN)
        axes.set(ylim=(len(ranked) - 0.5, -0.5), yticks=range(len(ranked)), xlim=(0, None))
        axes.set_yticklabels(
            [shortened(row.parameter, 40 if details else 30) for row in ranked], fontsize=11, color=INK
        )
        axes.set_xlabel("percentage points of the rate", fontsize=11)
        axes.grid(visible=True, axis="x")
        axes.spines["left"].set_visible(False)
        for i, detail in enumerate(details):
            axes.text(1.02, i, detail, transform=axes.get_yaxis_transform(), color=SOFT, fontsize=10.5, va="center")
        figure.text(6 / width, 1 - 14 / height, title, fontsize=12.5, weight="bold", va="center")

    words = f"Largest: {ranked[0].parameter}." if ranked else ""
    return drawing(name, f"{title}: what it depends on", words, (width, height), draw)


def framed(figure: Figure, size: tuple[int, int], title: str, head: float = 30) -> Axes:
    """Axes below a heading of so many pixels."""
    width, height = size
    axes = figure.add_axes((52 / width, 42 / height, (width - 66) / width, (height - 42 - head) / height))
    axes.tick_params(labelsize=10.5)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    figure.text(6 / width, 1 - 14 / height, shortened(title, 40), fontsize=12.5, weight="bold", va="center")
    return axes
