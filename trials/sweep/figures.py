"""Figures of a sweep: the therapeutic window by dose, and benefit over two settings, for each skin type."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from ..report.svg import COLOURS, INK, SOFT, Drawing, drawing
from ..report.words import TIMES, percent, spaced
from . import words
from .plan import MOST, Sweep, combinations
from .surfaces import Share, Surfaces
from .window import Answer, edges

EFFICACY, SHADE, NEVER = COLOURS[0], "#dcefe6", "#e6e9ed"
HARMS = {"burn": COLOURS[1], "blister": COLOURS[4], "hyperpigmentation": "#6b4226", "purpura": COLOURS[3]}
STYLES = {"burn": "-", "blister": "--", "hyperpigmentation": "-.", "purpura": ":"}
BLUES = LinearSegmentedColormap.from_list("benefit", ["#f3f8fc", "#8cbfe0", "#0072B2", "#003c63"])
MARKED = 0.1  # share of twins that are not trusted, above which a benefit is not drawn
TICKS = (0, 1, 5, 10, 25, 50, 75, 100)  # per cent
COLUMNS, PANEL_WIDTH, PANEL_HEIGHT = 3, 320, 235


def series(plan: Sweep, combination: int) -> slice:
    """Numbers of the settings of a combination, by rising dose."""
    count = len(plan.doses())
    return slice(combination * count, (combination + 1) * count)


def span(plan: Sweep, found: Surfaces, combination: int, place: int) -> tuple[float, float] | None:
    """Doses of the window of one skin type (see `window.edges`)."""
    at = series(plan, combination)
    limits: dict[float, list[np.ndarray]] = {}
    for name, most in plan.risk.most.items():
        limits.setdefault(most, []).append(found.shares[name].high[at, place])
    benefit = found.shares["efficacy"].mean[at, place]
    return edges(np.array(plan.doses()), benefit, plan.efficacy.least, limits)


def window(plan: Sweep, found: Surfaces, combination: int) -> Drawing:
    """Benefit and risks against the dose, a panel a skin type, with the window shaded; all else of one combination."""
    doses = np.array(plan.doses())
    at = series(plan, combination)
    spans = [span(plan, found, combination, place) for place in range(len(plan.population.skin_types))]

    def panel(axes: Axes, place: int) -> None:
        wide = spans[place]
        if wide is not None:
            axes.axvspan(*wide, color=SHADE, zorder=0, linewidth=0)
        share = found.shares["efficacy"]
        marked = 1 - found.trusted[at, place] / found.twins[at, place]
        shown = np.where(marked > MARKED, np.nan, 100.0)
        _line(axes, doses, share, at, place, EFFICACY, "-", shown)
        for name in plan.risk.most:
            _line(axes, doses, found.shares[name], at, place, HARMS[name], STYLES[name], np.full(len(shown), 100.0))
        for most in sorted(set(plan.risk.most.values())):
            axes.axhline(100 * most, color=SOFT, linewidth=0.7, linestyle=(0, (1, 2)))
        axes.set_yscale("function", functions=(_root, np.square))  # bounds of a per cent or so can be read
        axes.set(ylim=(0, 100), yticks=TICKS, yticklabels=[*map(str, TICKS[:-1]), "100 %"])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set(xlim=(0, doses[-1] * 1.02))
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)

    unit = words.UNITS[plan.dose]
    told = "; ".join(
        f"skin type {words.tone(tone)} {f'{wide[0]:.3g} to {wide[1]:.3g} {unit}' if wide else 'none'}"
        for tone, wide in zip(plan.population.skin_types, spans, strict=True)
    )
    title = f"Therapeutic window by {plan.dose}{_rest(plan, combination)}"
    return _panels(plan, f"window-{combination}", title, f"Windows: {told}.", panel, words.axis(plan.dose))


def _root(share: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(share, 0.0))


def _line(
    axes: Axes, x: np.ndarray, share: Share, at: slice, place: int, colour: str, style: str, factor: np.ndarray
) -> None:
    low, mean, high = (factor * getattr(share, side)[at, place] for side in ("low", "mean", "high"))
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(x, mean, color=colour, linestyle=style, linewidth=1.9, marker="o", markersize=2.6)


def second(plan: Sweep) -> str | None:
    """What varies beside the dose and is drawn against it: the first with several values."""
    return next((name for name, values in plan.others().items() if len(values) > 1), None)


def heat(plan: Sweep, found: Surfaces, told: Answer, name: str, those: list[int]) -> Drawing:
    """Benefit by dose and a second setting, a panel a skin type; grey where a risk exceeds its bound."""
    values, doses = plan.others()[name], plan.doses()
    rows = np.array([list(range(*series(plan, combination).indices(MOST))) for combination in those])
    highest = max(0.05, float(np.nanmax(np.where(told.kept, found.shares["efficacy"].mean, 0.0))))

    def panel(axes: Axes, place: int) -> None:
        kept = told.kept[rows, place]
        benefit = found.shares["efficacy"].mean[rows, place]
        picture = BLUES(np.nan_to_num(benefit) / highest)
        picture[~kept] = [int(NEVER[i : i + 2], 16) / 255 for i in (1, 3, 5)] + [1.0]
        for row in range(rows.shape[0]):
            for column in range(rows.shape[1]):
                box = (column - 0.5, row - 0.5)
                axes.add_patch(_square(box, picture[row, column]))
                if kept[row, column]:
                    dark = benefit[row, column] > 0.45 * highest
                    text = f"{100 * benefit[row, column]:.0f}"
                    axes.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if dark else INK)
                else:
                    axes.text(column, row, TIMES, ha="center", va="center", fontsize=9, color=SOFT)
                if rows[row, column] == told.best:
                    axes.add_patch(_square(box, "none", edge=INK))
        axes.set(xlim=(-0.5, rows.shape[1] - 0.5), ylim=(-0.5, rows.shape[0] - 0.5))
        axes.set(xticks=range(len(doses)), xticklabels=[f"{dose:g}" for dose in doses])
        axes.set(yticks=range(len(values)), yticklabels=[words.value(name, of) for of in values])
        axes.tick_params(length=0, labelsize=9.5)
        for side in axes.spines.values():
            side.set_visible(False)

    counts = ", ".join(
        f"{words.tone(tone)}: {int(told.kept[rows, place].sum())}"
        for place, tone in enumerate(plan.population.skin_types)
    )
    rest = _rest(plan, those[0], without=name)
    title = f"Benefit by {plan.dose} and {name}{rest}"
    text = f"Settings within all bounds, of {rows.size}, by skin type: {counts}."
    return _panels(plan, f"heat-{those[0]}", title, text, panel, words.axis(plan.dose))


def _square(corner: tuple[float, float], colour: Any, edge: str = "white") -> Rectangle:
    return Rectangle(corner, 1, 1, facecolor=colour, edgecolor=edge, linewidth=2.2 if edge == INK else 1.0)


def _panels(
    plan: Sweep, name: str, title: str, description: str, panel: Callable[[Axes, int], None], below: str
) -> Drawing:
    """One panel a skin type, three a row."""
    tones = plan.population.skin_types
    columns = min(COLUMNS, len(tones))
    lines = -(-len(tones) // columns)
    width, height = columns * PANEL_WIDTH, lines * PANEL_HEIGHT + 14

    def draw(figure: Figure) -> None:
        for place, tone in enumerate(tones):
            left = (place % columns) * PANEL_WIDTH + 62
            top = 14 + (place // columns) * PANEL_HEIGHT + 32
            tall = PANEL_HEIGHT - 78
            axes = figure.add_axes(
                (left / width, 1 - (top + tall) / height, (PANEL_WIDTH - 84) / width, tall / height)
            )  # fmt: skip
            panel(axes, place)
            axes.set_title(f"Skin type {words.tone(tone)}", pad=8)
            axes.set_xlabel(below, fontsize=10.5)

    return drawing(name, title, description, (width, height), draw)


def _rest(plan: Sweep, combination: int, without: str = "") -> str:
    chosen = next(one for one in combinations(plan) if one.number == combination).changes
    told = [words.change(name, of) for name, of in chosen.items() if name != without]
    return f": {', '.join(told)}" if told else ""


def key(plan: Sweep) -> list[tuple[str, str]]:
    """Colours of the lines and what they are."""
    harms = [
        (HARMS[name], f"Risk of {words.event(name)}, at most {percent(most)}") for name, most in plan.risk.most.items()
    ]
    return [(EFFICACY, spaced(plan.efficacy.outcome).capitalize()), *harms, (SHADE, "Window")]
