"""Figures of people beside twins: distributions, pairs of numbers, correlations, subgroups. People only as shares."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .svg import INK, RULE, SOFT, Drawing, inline, shortened
from .words import decimal, minus, percent, plain_number, units

if TYPE_CHECKING:
    from ...population.quality.picture import Histogram, Pair
    from ...population.quality.subgroups import Subgroups

PEOPLE, TWINS = "#aab4be", "#D55E00"
SHADES = ("#dbe7f1", "#a9c8e0", "#6fa3cc", "#3a78ad", "#114a7d")  # few to many
HELD = (0.99, 0.9, 0.75, 0.5, 0.25)  # share of the people that the cells of a shade and all darker ones hold
_PANEL, _TALL, _HALF = (300, 214), (300, 290), (460, 268)
_CELL, _LABELS = 15, 128


def drawing(
    name: str, title: str, description: str, size: tuple[float, float], draw: Callable[[Figure], None]
) -> Drawing:
    """A figure of `size` CSS pixels without the mark across it: half of what it shows is of people."""
    width, height = size
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    draw(figure)
    return Drawing(Markup(_without_spaces(inline(figure, name, title, description))), title, round(width))


def _without_spaces(svg: str) -> str:
    """Paths of thousands of cells with as few letters as they need."""
    return re.sub(r' d="([^"]*)"', lambda path: f' d="{" ".join(path[1].split())}"', svg)


def histogram(number: int, shown: "Histogram", label: str, distance: float) -> Drawing:
    """One number: people as bars, twins as a line; KS is their distance."""
    width, height = _PANEL

    def draw(figure: Figure) -> None:
        axes = _axes(figure, _PANEL, 14, 44, 12, 40)
        axes.stairs(np.nan_to_num(shown.people), shown.edges, fill=True, color=PEOPLE, linewidth=0)
        axes.stairs(shown.twins, shown.edges, color=TWINS, linewidth=1.6)
        axes.set(yticks=[], ylim=(0, None), xlim=(shown.edges[0], shown.edges[-1]))
        axes.spines["left"].set_visible(False)
        _scale(axes, "x", shown.logarithmic)
        _heading(figure, width, height, label, units(shown.unit))
        figure.text(1 - 12 / width, 1 - 34 / height, f"KS {decimal(distance, 3)}", color=SOFT, fontsize=11, ha="right")

    middle = [plain_number(float(f"{q:.3g}")) for q in (shown.people_quantiles[2], shown.twins_quantiles[2])]
    words = (
        f"Median {middle[0]} of people and {middle[1]} of twins; Kolmogorov-Smirnov distance {decimal(distance, 3)}."
    )
    return drawing(f"margin-{number}", f"{label}: people and twins", words, _PANEL, draw)


def pair(number: int, shown: "Pair", x: str, y: str) -> Drawing:
    """Two numbers: the density of people and of twins side by side, in the same shades."""
    sides = zip((shown.x_edges, shown.y_edges), shown.logarithmic, strict=True)
    area = np.outer(*(np.diff(np.log(edges) if logarithmic else edges) for edges, logarithmic in sides))
    people, twins = np.nan_to_num(shown.people) / area, shown.twins / area
    levels = _levels(people, np.nan_to_num(shown.people))

    def draw(figure: Figure) -> None:
        width, height = _HALF
        for i, (title, density) in enumerate((("People", people), ("Twins, simulated", twins))):
            axes = figure.add_axes(((62 + 200 * i) / width, 46 / height, 188 / width, (height - 80) / height))
            for low, high, shade in zip(levels, [*levels[1:], np.inf], SHADES, strict=True):
                path = _cells((density >= low) & (density < high), shown.x_edges, shown.y_edges)
                if path is not None:
                    axes.add_patch(PathPatch(path, facecolor=shade, edgecolor="none", antialiased=False))
            axes.set(xlim=(shown.x_edges[0], shown.x_edges[-1]), ylim=(shown.y_edges[0], shown.y_edges[-1]))
            for side, logs in zip("xy", shown.logarithmic, strict=True):
                _scale(axes, side, logs, 4)
            axes.set_title(title, fontsize=12, weight="normal", color=SOFT, pad=5)
            axes.set_xlabel(x, fontsize=11)
            if i:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel(y, fontsize=11)

    return drawing(f"pair-{number}", f"{x} against {y}: people and twins", "Densities of the two.", _HALF, draw)


def _levels(density: np.ndarray, mass: np.ndarray) -> list[float]:
    """Densities above which the densest cells hold `HELD` of the people."""
    order = np.argsort(density, axis=None)[::-1]
    held = np.cumsum(mass.ravel()[order])
    places = np.minimum(np.searchsorted(held, np.array(HELD) * held[-1]), held.size - 1)
    return [max(float(density.ravel()[order[place]]), np.finfo(float).tiny) for place in places]


def _cells(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> Path | None:
    """One outline of all cells that are set: neighbours in a column are drawn as one box, to keep the page small."""
    corners, codes = [], []
    for i in range(mask.shape[0]):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], mask[i].astype(int), [0]])))
        for low, high in ends.reshape(-1, 2):
            corners += [(x[i], y[low]), (x[i + 1], y[low]), (x[i + 1], y[high]), (x[i], y[high]), (x[i], y[low])]
            codes += [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path(corners, codes) if corners else None


def correlations(names: Sequence[str], people: np.ndarray, twins: np.ndarray) -> Drawing:
    """Rank correlations of people, of twins, and ten times their difference, as coloured cells below the diagonal."""
    count = len(names)
    side = _CELL * count
    size = (_LABELS + 3 * (side + 14), side + 150)
    parts = (
        ("People", people, 1.0),
        ("Twins, simulated", twins, 1.0),
        ("Twins minus people, times 10", twins - people, 10.0),
    )

    def draw(figure: Figure) -> None:
        width, height = size
        for k, (title, matrix, factor) in enumerate(parts):
            place = ((_LABELS + k * (side + 14)) / width, 118 / height, side / width, side / height)
            axes = figure.add_axes(place)
            axes.set(xlim=(0, count), ylim=(count, 0), xticks=[], yticks=[])
            for edge in axes.spines.values():
                edge.set_visible(False)
            for i in range(count):
                for j in range(i):
                    value = factor * float(matrix[i, j])
                    axes.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], color=_diverging(value), linewidth=0)
            figure.text(place[0], 1 - 16 / height, title, fontsize=12.5, weight="bold", va="center")
            faint: dict[str, Any] = {"fontsize": 10, "color": SOFT}
            for i, name in enumerate(shortened(name, 19) for name in names):
                if not k:
                    axes.text(-0.4, i + 0.5, name, ha="right", va="center", **faint)
                axes.text(i + 0.5, count + 0.3, name, ha="center", va="top", rotation=90, **faint)

    gap = np.abs(twins - people)
    words = f"Largest difference {decimal(float(np.nanmax(gap)) if count > 1 else 0.0, 3)}."
    return drawing("correlations", "Rank correlations of people and of twins", words, size, draw)


def _diverging(value: float) -> tuple[float, float, float]:
    """Blue for -1, white for 0, orange for 1; grey where unknown."""
    if np.isnan(value):
        return (0.85, 0.85, 0.85)
    end = np.array([0.835, 0.369, 0.0]) if value > 0 else np.array([0.0, 0.447, 0.698])
    share = min(abs(value), 1.0) ** 0.8
    red, green, blue = (1 - share) * np.ones(3) + share * end
    return float(red), float(green), float(blue)


def legend_of_correlations() -> list[tuple[str, str]]:
    """Colour and meaning, for the key."""
    shades = [
        (f"rgb({', '.join(str(round(255 * c)) for c in _diverging(v))})", v) for v in (-1.0, -0.5, -0.2, 0.2, 0.5, 1.0)
    ]
    return [(colour, minus(f"{value:+.1f}")) for colour, value in shades]


def subgroups(number: int, found: "Subgroups", column: int, label: str, unit: str, band: float) -> Drawing:
    """Means of one number in every subgroup: people across, twins up; the bars are the people's 95 % intervals."""
    x, y, error = found.people[:, column], found.others[:, column], found.error[:, column]
    there = np.isfinite(x) & np.isfinite(y)
    x, y, error, judged = x[there], y[there], np.nan_to_num(error[there]), found.judged[there]
    ends = np.concatenate([x, y]) if len(x) else np.array([0.0, 1.0])
    pad = 0.06 * (np.ptp(ends) or 1.0)
    low, high = float(ends.min() - pad), float(ends.max() + pad)
    gap = band * found.sd[column]

    def draw(figure: Figure) -> None:
        width, height = _TALL
        axes = _axes(figure, _TALL, 50, 46, 14, 34)
        axes.fill_between([low, high], [low - gap, high - gap], [low + gap, high + gap], color="#eef2f5", linewidth=0)
        axes.plot([low, high], [low, high], color=SOFT, linewidth=0.8)
        bars = [[(a - 1.96 * e, b), (a + 1.96 * e, b)] for a, b, e in zip(x, y, error, strict=True)]
        axes.add_collection(LineCollection(bars, colors=RULE, linewidths=0.8))
        axes.plot(x[judged], y[judged], "o", markersize=3.6, color=TWINS, markeredgewidth=0)
        axes.plot(x[~judged], y[~judged], "o", markersize=3.6, markerfacecolor="white", markeredgecolor=TWINS)
        axes.set(xlim=(low, high), ylim=(low, high))
        for side in "xy":
            _scale(axes, side, False, 4)
        axes.set_xlabel("People", fontsize=11)
        axes.set_ylabel("Twins", fontsize=11)
        _heading(figure, width, height, label, units(unit))

    words = f"Means of {len(x)} subgroups; root mean squared difference {_rms(found.difference[:, column])} SD."
    return drawing(f"subgroups-{number}", f"{label} by subgroup: people and twins", words, _TALL, draw)


def _rms(difference: np.ndarray) -> str:
    known = difference[np.isfinite(difference)]
    return decimal(float(np.sqrt(np.mean(known**2))), 3) if known.size else percent(float("nan"))


def _axes(figure: Figure, size: tuple[float, float], left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes with margins in CSS pixels."""
    width, height = size
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )


def _heading(figure: Figure, width: float, height: float, label: str, unit: str) -> None:
    text = f"{shortened(label, 30)},{unit}" if unit else shortened(label, 34)
    figure.text(10 / width, 1 - 15 / height, text, weight="bold", fontsize=12.5, va="center", color=INK)


def _scale(axes: Axes, side: str, logarithmic: bool, ticks: int = 5) -> None:
    axis: Any = axes.xaxis if side == "x" else axes.yaxis
    if logarithmic:
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs=[]))
    else:
        axis.set_major_locator(MaxNLocator(ticks, prune=None))
    axis.set_major_formatter(FuncFormatter(lambda value, _: minus(f"{value:g}")))
    axis.set_tick_params(labelsize=10.5)
