"""The report of a design: one HTML text that opens offline, without a script or an outside resource."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

from ..report.svg import COLOURS, SOFT, UNTREATED, Drawing, drawing, style
from ..study import Study
from . import tables
from .tables import MODEL, NULLS, one

HERE = Path(__file__).parent
WIDTH, HEIGHT = 640, 360
HALF = 1.959963984540054  # of a 95 % interval, in Monte Carlo standard errors


def build(study: Study, results: dict[str, Any], identity: dict[str, Any]) -> str:
    """The report as HTML: the same bytes for the same results.

    Args:
      results: what `results.json` holds.
      identity: `fingerprint` of study and design, `seed`, `cutis` and other versions.
    """
    with style():
        drawings = [power_curve(results), bounds(results), forest(results)]
    several = len(results["bounds"]["looks"]) > 1
    return _template().render(
        css=Markup((HERE.parent / "report" / "report.css").read_text(encoding="utf-8")),
        study=study,
        results=results,
        identity=identity,
        sentences=tables.sentences(results),
        drawings=drawings,
        power=tables.power(results),
        estimation={hypothesis: tables.estimation(results, hypothesis) for hypothesis in (MODEL, *NULLS)},
        stopping=tables.stopping(results) if several else None,
        bounds=tables.bounds(results),
        shared=tables.shared(results) if tables.together(results) else None,
        zones=tables.zones(results) if results["design"]["reestimate"] else None,
        subgroups=tables.subgroups(results),
        assured=tables.assured(results) if results["assurance"] else None,
    )


def power_curve(results: dict[str, Any]) -> Drawing:
    """Chance to reject against the size, under the model and both nulls, with intervals for the Monte Carlo error."""
    name, sizes = results["decisive"], results["sizes"]
    error = "familywise error" if tables.together(results) else "rejection"
    nulls = [null for null in NULLS if null in tables.hypotheses(results)]
    lines = [("power", "success", MODEL), *((null, error, null) for null in nulls)]
    wanted = results["design"]["power"]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.09, 0.15, 0.66, 0.75))
        for number, (label, measure, hypothesis) in enumerate(lines):
            found = [one(results, measure=measure, hypothesis=hypothesis, analysis=name, size=size) for size in sizes]
            y = np.array([np.nan if f is None else f["value"] for f in found]) * 100
            error = np.array([0.0 if f is None else f["mcse"] or 0.0 for f in found]) * 100 * HALF
            axes.errorbar(
                sizes, y, yerr=error, color=COLOURS[number], marker="os^"[number], markersize=5, capsize=2,
                label=label, linewidth=1.6,
            )  # fmt: skip
        if results["assurance"]:
            certain = results["assurance"]
            error = [100 * HALF * (row["mcse"] or 0.0) for row in certain]
            axes.errorbar(
                [row["size"] for row in certain], [100 * row["value"] for row in certain], yerr=error, linestyle="--",
                color=COLOURS[4], marker="D", markersize=5, capsize=2, label="assurance",
            )  # fmt: skip
        axes.axhline(100 * results["bounds"]["level"], color=UNTREATED, linewidth=1, linestyle=":")
        if wanted is not None:
            axes.axhline(100 * wanted, color=SOFT, linewidth=1, linestyle="--")
        axes.set(ylim=(0, 102), xlabel="People randomised, all arms together", ylabel="Per cent of the trials")
        axes.grid(axis="y")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=11)

    told = "; ".join(
        f"{size} people: {tables.shown(one(results, measure='success', hypothesis=MODEL, analysis=name, size=size))}"
        for size in sizes
    )
    return drawing("power", "Power and type I error by size", f"Power: {told}.", (WIDTH, HEIGHT), draw)


def bounds(results: dict[str, Any]) -> Drawing:
    """The bounds of the looks on the scale of the standardised statistic."""
    told = results["bounds"]
    looks = np.array(told["looks"])

    def line(values: list[float | None]) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in values], float)

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.09, 0.15, 0.66, 0.75))
        high = line(told["efficacy"])
        axes.plot(looks, high, color=COLOURS[0], marker="o", label="success")
        if told["sided"] == 2:
            axes.plot(looks, -high, color=COLOURS[1], marker="s", label="the opposite")
        elif told["futility"]:
            axes.plot(looks, line(told["futility"]), color=COLOURS[1], marker="s", label="futility")
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set(xlim=(0, 1.04), xlabel="Share of the people seen", ylabel="Standardised statistic")
        axes.grid(axis="y")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=11)

    _, rows = tables.bounds(results)
    words = "; ".join(f"look {row[0]}: {row[2]}" for row in rows)
    return drawing("bounds", "Bounds of the looks", f"Success from {words}.", (WIDTH, HEIGHT), draw)


def forest(results: dict[str, Any]) -> Drawing:
    """The effect in everybody and in subgroups of the pool, with intervals for the pool as a sample."""
    rows = results["subgroups"]
    height = 90 + 26 * len(rows)

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.3, 56 / height, 0.44, 1 - 84 / height))
        for place, row in enumerate(rows):
            half, whole = HALF * row["se"], row["group"] == "everybody"
            axes.plot([row["difference"] - half, row["difference"] + half], [place] * 2, color=COLOURS[0], linewidth=2)
            axes.plot(row["difference"], place, marker="D" if whole else "o", markersize=8 if whole else 6,
                      color=COLOURS[0])  # fmt: skip
            told = f"{row['difference']:.3g} ({row['difference'] - half:.3g} to {row['difference'] + half:.3g})"
            axes.annotate(told, (1.03, place), xycoords=("axes fraction", "data"), va="center", fontsize=11)
        axes.axvline(0, color=SOFT, linewidth=0.8)
        if rows:
            axes.axvline(rows[0]["difference"], color=UNTREATED, linewidth=1, linestyle=":")
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="Difference in the mean outcome, the same twins in either arm")
        axes.set_yticks(range(len(rows)), [f"{r['group']} {r['level']}".strip() + f" ({r['twins']:,})" for r in rows])
        axes.grid(axis="x")

    told = "; ".join(f"{row['group']} {row['level']}: {row['difference']:.3g}" for row in rows)
    return drawing("subgroups", "The effect in subgroups of the pool", f"{told}.", (WIDTH, height), draw)


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rooms.get_template("design.html.j2")
