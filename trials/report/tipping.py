"""Tipping-point maps: how far imputed values must be wrong, in either arm, before a difference is lost."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...core.disease import Disease
from ..statistics.pooled import GRID
from .svg import INK, SOFT, Drawing, blank, drawing
from .words import NOTHING, decimal, minus, outcome_label, p_value, spaced, unit

if TYPE_CHECKING:
    from ..statistics.result import Result

_CELL, _ROW, _LEFT, _TOP, _FOOT, _WIDE = 92, 40, 150, 66, 70, 940
_SCALE = LinearSegmentedColormap.from_list("tipping", ["#d55e00", "#f7f7f7", "#0072b2"])


class Map(NamedTuple):
    """What each pair of shifts gives; rows are the comparator's shifts, columns the arm's."""

    row: "Result"
    arm: list[float]
    comparator: list[float]
    difference: list[list[float | None]]
    p: list[list[float | None]]
    lost: list[list[bool]]


def maps(results: "Sequence[Result]") -> list[Map]:
    """Of every analysis that was asked for its tipping point."""
    found = []
    for row in results:
        grid = json.loads(row.options).get(GRID) if row.statistic == "tipping point" else None
        if grid:
            found.append(Map(row, grid["arm"], grid["comparator"], grid["difference"], grid["p"], grid["lost"]))
    return found


def figure(number: int, found: Map, disease: Disease) -> Drawing:
    """A cell a pair of shifts, coloured by the difference, with difference and p; lost ones are crossed."""
    wide, high = max(_WIDE, _LEFT + _CELL * len(found.arm) + 20), _TOP + _ROW * len(found.comparator) + _FOOT
    most = max((abs(value or 0.0) for line in found.difference for value in line), default=0.0) or 1.0
    of = unit(disease.outcomes.get(found.row.outcome)) or "units of the scale"

    def draw(canvas: Figure) -> None:
        axes = blank(canvas, wide, high)
        axes.text(_LEFT, 22, f"Shift of the imputed values of {spaced(found.row.arm)}, {of}", color=SOFT, fontsize=11,
                  va="center")  # fmt: skip
        axes.text(8, _TOP - 16, "Comparator's", color=SOFT, fontsize=11, va="center")
        for i, shift in enumerate(found.arm):
            axes.text(_LEFT + _CELL * (i + 0.5), _TOP - 16, minus(f"{shift:+g}"), ha="center", va="center", fontsize=12)
        for j, other in enumerate(found.comparator):
            y = _TOP + _ROW * j
            axes.text(_LEFT - 14, y + _ROW / 2, minus(f"{other:+g}"), ha="right", va="center", fontsize=12)
            for i in range(len(found.arm)):
                x, value = _LEFT + _CELL * i, found.difference[j][i]
                colour = _SCALE(0.5 + 0.45 * (value or 0.0) / most)
                axes.add_patch(Rectangle((x, y), _CELL - 2, _ROW - 2, facecolor=colour, edgecolor="none"))
                axes.text(x + _CELL / 2 - 1, y + 13, _number(value), ha="center", va="center", fontsize=12)
                told = f"p {_p(found.p[j][i])}"
                axes.text(x + _CELL / 2 - 1, y + 28, told, ha="center", va="center", fontsize=10)
                if found.lost[j][i]:
                    axes.plot([x, x + _CELL - 2], [y + _ROW - 2, y], color=INK, linewidth=1)
        axes.text(_LEFT, high - 44, "Crossed: the difference is lost. +0 leaves values as imputed.", color=SOFT,
                  fontsize=11, va="center")  # fmt: skip

    gone = sum(sum(line) for line in found.lost)
    words = f"The difference is lost at {gone} of {len(found.arm) * len(found.comparator)} pairs of shifts."
    label = f"{outcome_label(disease, found.row.outcome)}, week {found.row.week}"
    title = f"{label}: tipping points of {spaced(found.row.arm)}"
    return drawing(f"tipping-{number}", title, words, (wide, high), draw)


def rows(found: Map) -> list[list[str]]:
    """Behind the map: shifts, difference, p, whether it is lost."""
    return [
        [minus(f"{other:+g}"), minus(f"{shift:+g}"), _number(found.difference[j][i]), _p(found.p[j][i]),
         "yes" if found.lost[j][i] else "no"]
        for j, other in enumerate(found.comparator)
        for i, shift in enumerate(found.arm)
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return NOTHING if value is None else decimal(value, 2)


def _p(value: float | None) -> str:
    return NOTHING if value is None else p_value(value)
