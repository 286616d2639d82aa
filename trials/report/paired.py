"""Split-body trials in the report: people counted once, sides beside each other, differences within twins."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...core.disease import Disease
from ..events import BOTH_SIDES
from ..sides import NAMES
from ..study import Study
from . import participants, waterfall
from .svg import INK, SOFT, Drawing, Look, drawing
from .words import count, decimal, outcome_label, primary_week, sentence, share, unit, units

_WIDTH, _HEIGHT = 760, 320
PEOPLE = {BOTH_SIDES: Look("Both sides", INK, INK, "o")}  # how people are drawn who are given both arms


class Difference(NamedTuple):
    """Arm minus comparator in each twin with a value on both sides, largest first, and how many have none.

    label: of the outcome. of: its unit.
    """

    values: np.ndarray
    missing: int
    arm: str
    comparator: str
    label: str
    of: str
    week: int


def people(twins: pd.DataFrame) -> pd.DataFrame:
    """The twins as people: one arm for all, doses of both sides together."""
    doses = {name: twins[[f"{side}_{name}" for side in NAMES]].sum(axis=1) for name in ("doses_planned", "doses_taken")}
    return twins.assign(arm=BOTH_SIDES, **doses)


def doses(twins: pd.DataFrame, arms: Mapping[str, Look]) -> list[list[str]]:
    """Rows of the flow: doses taken of those planned for the sides of each arm."""
    rows = []
    for arm, look in arms.items():
        planned, taken = (
            int(sum(twins.loc[twins[f"{side}_arm"] == arm, f"{side}_{name}"].sum() for side in NAMES))
            for name in ("doses_planned", "doses_taken")
        )
        told = share(taken, planned) + f" of {count(planned)}" if planned else "no dose planned"
        rows.append([f"Doses taken, {look.name} side", told])
    return rows


def baseline(disease: Disease, observations: pd.DataFrame, arms: Sequence[str]) -> list[participants.Row]:
    """What was measured of each side at week 0, one column an arm."""
    start = observations.loc[observations["week"] == 0]
    masks = {arm: (start["arm"] == arm).to_numpy() for arm in arms}
    rows: list[participants.Row] = []
    for name, endpoint in disease.endpoints.items():
        if name in start and not endpoint.detail:
            head = participants.label(f"{endpoint.about}, of one side", endpoint.unit)
            rows += participants.numbers(head, start[name].to_numpy(float), masks)
    return rows


def difference(study: Study, disease: Disease, observations: pd.DataFrame) -> Difference:
    """Differences of the first analysis' continuous outcome (or of the disease's waterfall outcome), as observed."""
    arm, comparator = study.trial.arms
    name, week = disease.waterfall, primary_week(study)
    for analysis in sorted(study.trial.analyses.values(), key=lambda item: item.role != "primary"):
        if disease.outcomes[analysis.outcome].kind == "continuous":
            name, week, arm, comparator = analysis.outcome, analysis.week, analysis.arm, analysis.comparator
            break
    values = {side: waterfall.values(disease, name, observations, side, week) for side in (arm, comparator)}
    found = (values[arm] - values[comparator]).to_numpy(float)
    seen = np.sort(found[np.isfinite(found)])[::-1]
    of = unit(disease.outcomes[name])
    return Difference(seen, len(found) - len(seen), arm, comparator, outcome_label(disease, name), of, week)


def figure(found: Difference, arms: Mapping[str, Look]) -> Drawing:
    """A bar a twin (or a quantile), in the colour of the side that has the lower value."""
    one, two = arms[found.arm], arms[found.comparator]
    many = len(found.values) > waterfall.EACH
    shown = np.quantile(found.values, np.linspace(1, 0, waterfall.EACH)) if many else found.values
    title = f"{sentence(found.label)} at week {found.week}, {one.name} minus {two.name} side"

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((70 / _WIDTH, 44 / _HEIGHT, (_WIDTH - 90) / _WIDTH, (_HEIGHT - 100) / _HEIGHT))
        edges = np.linspace(0, 1, len(shown) + 1)
        axes.stairs(np.minimum(shown, 0), edges, fill=True, color=one.colour, linewidth=0)
        axes.stairs(np.maximum(shown, 0), edges, fill=True, color=two.colour, linewidth=0)
        axes.axhline(0, color=INK, linewidth=1)
        if len(found.values):
            axes.axhline(float(found.values.mean()), color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlim=(0, 1), xticks=[], ylabel=found.of)
        bars = f"{waterfall.EACH} quantiles of the twins" if many else "a bar a twin"
        axes.set_xlabel(f"{bars}, largest difference first; dashed: the mean", fontsize=11)
        axes.spines["bottom"].set_visible(False)
        for y, look, text in (
            (20, one, f"below zero: {one.name} side lower"),
            (38, two, f"above: {two.name} side lower"),
        ):
            figure.text(10 / _WIDTH, 1 - y / _HEIGHT, text, color=look.ink, weight="bold", fontsize=12, va="center")
        figure.text(1 - 80 / _WIDTH, 1 - 20 / _HEIGHT, _note(found), color=SOFT, fontsize=11, va="center", ha="right")

    return drawing("paired", title, f"{_note(found)}.", (_WIDTH, _HEIGHT), draw)


def rows(found: Difference) -> list[list[str]]:
    """Behind the picture: twins, mean, SD and percentiles of the differences."""
    values = found.values
    spots = np.quantile(values, (0.1, 0.25, 0.5, 0.75, 0.9)) if len(values) else np.full(5, np.nan)
    mean = float(values.mean()) if len(values) else np.nan
    sd = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    lower = share(int((values < 0).sum()), len(values))
    return [[count(len(values)), count(found.missing), *map(decimal, (mean, sd, *map(float, spots))), lower]]


def _note(found: Difference) -> str:
    if not len(found.values):
        return "no twin with a value on both sides"
    mean = f"{decimal(float(found.values.mean()))}{units(found.of)}"
    return f"{count(len(found.values))} twins; mean difference {mean}"
