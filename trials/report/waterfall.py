"""Every twin's change in order of size, one panel an arm."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...core.disease import Disease
from .svg import INK, SOFT, Drawing, Look, drawing, shortened
from .words import MINUS, count, decimal, percent, sentence, unit

_WIDTH, _HEIGHT = 320, 310
THRESHOLDS = (50, 75, 90, 100)
EACH = 400  # twins drawn one by one; beyond, as many quantiles


class Fall(NamedTuple):
    """Changes of the twins of one arm, largest value first, and the number without a value."""

    values: np.ndarray
    missing: int


def falls(disease: Disease, observations: pd.DataFrame, arms: Sequence[str], week: int) -> dict[str, Fall]:
    """The disease's waterfall outcome at a week, as observed whatever happened to treatment."""
    found: dict[str, Fall] = {}
    for arm in arms:
        mine = values(disease, disease.waterfall, observations, arm, week).to_numpy(float)
        seen = np.sort(mine[np.isfinite(mine)])[::-1]
        found[arm] = Fall(seen, len(mine) - len(seen))
    return found


def values(disease: Disease, outcome: str, observations: pd.DataFrame, arm: str, week: int) -> pd.Series:
    """An outcome at a week of the twins of an arm, by twin; NaN where it is not known."""
    columns = [name for name in disease.endpoints if name in observations]
    mine = observations.loc[observations["arm"] == arm, ["twin", "week", *columns]]
    start = mine.loc[mine["week"] == 0].set_index("twin")
    now = mine.loc[mine["week"] == week].set_index("twin").reindex(start.index)
    base, current = ({name: frame[name].to_numpy(float) for name in columns} for frame in (start, now))
    return pd.Series(np.asarray(disease.outcomes[outcome].derive(current, base), float), start.index)


def is_percentage(disease: Disease) -> bool:
    """Whether the waterfall shows a change in per cent of baseline, to which the response thresholds belong."""
    return unit(disease.outcomes[disease.waterfall]) == "%"


def limits(found: Mapping[str, Fall]) -> tuple[float, float]:
    """A common axis of the panels: the 0.5th to 99.5th percentile over all arms, widened to steps of 25."""
    values = np.concatenate([fall.values for fall in found.values()])
    if not len(values):
        return -100.0, 25.0
    low, high = (float(spot) for spot in np.quantile(values, (0.005, 0.995)))
    step = 25.0 if high - low > 25 else max(high - low, 1e-9) / 4
    return min(step * np.floor(low / step), 0.0), max(step * np.ceil(high / step), step)


def beyond(found: Mapping[str, Fall], axis: tuple[float, float]) -> int:
    """How many twins have a value outside the common axis, where their bar is cut."""
    return sum(int(((fall.values < axis[0]) | (fall.values > axis[1])).sum()) for fall in found.values())


def waterfall(name: str, look: Look, fall: Fall, disease: Disease, week: int, axis: tuple[float, float]) -> Drawing:
    """One arm: a bar a twin (or a quantile), and lines at the response thresholds of a percentage change."""
    outcome = disease.outcomes[disease.waterfall]
    shown = fall.values if len(fall.values) <= EACH else np.quantile(fall.values, np.linspace(1, 0, EACH))
    reached = reach(fall) if is_percentage(disease) else {}

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((44 / _WIDTH, 28 / _HEIGHT, (_WIDTH - 122) / _WIDTH, (_HEIGHT - 88) / _HEIGHT))
        edges = np.linspace(0, 1, len(shown) + 1)
        axes.stairs(np.clip(shown, *axis), edges, fill=True, color=look.colour, linewidth=0)
        axes.axhline(0, color=INK, linewidth=1)
        axes.set(xlim=(0, 1), ylim=axis, xticks=[])
        if is_percentage(disease):
            axes.tick_params(labelsize=11)
            axes.set_yticks(np.arange(50 * np.ceil(axis[0] / 50), axis[1] + 1, 50))
        axes.grid(axis="y", visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        for threshold, responders in reached.items():
            axes.axhline(-threshold, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
            place = {75: 5.0, 90: 1.5, 100: -5.0}.get(threshold, 0.0)  # keeps the labels apart
            axes.annotate(
                f"{MINUS}{threshold}: {percent(responders, 0)}", (1, -threshold), (6, place), fontsize=11,
                textcoords="offset points", va="center", annotation_clip=False,
            )  # fmt: skip
        left = 10 / _WIDTH
        figure.text(
            left, 1 - 20 / _HEIGHT, shortened(look.name, 27), color=look.ink, weight="bold", fontsize=13, va="center"
        )
        figure.text(left, 1 - 38 / _HEIGHT, _note(fall, outcome.unit), color=SOFT, fontsize=11, va="center")
        bars = "a bar a twin" if len(fall.values) <= EACH else f"{EACH} quantiles of the twins"
        axes.set_xlabel(f"{bars}, largest value first", fontsize=11)

    words = [f"{percent(part)} with a fall of at least {threshold} %" for threshold, part in reached.items()]
    description = "; ".join([_note(fall, outcome.unit), *words]) + "."
    title = f"{sentence(outcome.about)} at week {week}: {look.name}"
    return drawing(name, title, description, (_WIDTH, _HEIGHT), draw)


def reach(fall: Fall) -> dict[int, float]:
    """Share of the twins with a value whose fall reaches each threshold, in per cent."""
    if not len(fall.values):
        return {}
    return {threshold: float(np.mean(fall.values <= -threshold + 1e-9)) for threshold in THRESHOLDS}


def _note(fall: Fall, of: str) -> str:
    if not len(fall.values):
        return "no twin with a value"
    return f"{count(len(fall.values))} twins; median {decimal(float(np.median(fall.values)))} {of}"


def fall_rows(found: Mapping[str, Fall], arms: Mapping[str, Look], thresholds: Sequence[int]) -> list[list[str]]:
    """Behind the picture: twins with a value, missing, percentiles and shares that reach each threshold."""
    rows: list[list[str]] = []
    for arm, fall in found.items():
        spots = np.quantile(fall.values, (0.1, 0.25, 0.5, 0.75, 0.9)) if len(fall.values) else np.full(5, np.nan)
        reached = [percent(reach(fall).get(threshold, np.nan)) for threshold in thresholds]
        numbers = [count(len(fall.values)), count(fall.missing), *(decimal(float(spot)) for spot in spots)]
        rows.append([arms[arm].name, *numbers, *reached])
    return rows
