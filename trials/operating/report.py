"""The report of a design: one HTML text that opens offline, without a script or an outside resource."""

import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from ...core.diseases import DISEASES
from ...population.sample import POPULATIONS
from ..report import fairness
from ..report.svg import COLOURS, SOFT, UNTREATED, Drawing, drawing, style
from ..report.tables import described
from ..report.words import MINUS, criterion, minus
from ..statistics.subgroups import FEW
from ..study import Criterion, Study
from . import tables
from .tables import MODEL, NULLS, one

HERE = Path(__file__).parent
WIDTH, HEIGHT = 640, 360
_MINUS = re.compile(r"(?<![\w.])-(?=\d)")  # of a number, not of a name
HALF = 1.959963984540054  # of a 95 % interval, in Monte Carlo standard errors


def build(study: Study, results: dict[str, Any], identity: dict[str, Any]) -> str:
    """The report as HTML: the same bytes for the same results.

    Args:
      results: what `results.json` holds.
      identity: `fingerprint` of study and design, `seed`, `cutis` and other versions.
    """
    with style():
        people = "People, each with both arms" if study.trial.split else "People randomised, all arms together"
        drawings = [power_curve(results, people), bounds(results), forest(results)]
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
        choices=tables.choices(results) if results["design"]["enrich"] else None,
        allocation=tables.allocation(results) if results["design"]["adapt"] or results["design"]["platform"] else None,
        borrowed=tables.borrowed(results) if results["design"].get("external") else None,
        dosed=(tables.candidates(results), tables.doses(results)) if results["design"].get("dose_finding") else None,
        arranged=results.get("notes") or None,
        zones=tables.zones(results) if results["design"]["reestimate"] else None,
        enriched=members(study, results["design"]["enrich"]["subgroup"]) if results["design"]["enrich"] else None,
        subgroups=tables.subgroups(results),
        few=FEW,
        imputation={name: tables.imputation(analysis) for name, analysis in results["analyses"].items()},
        assured=tables.assured(results) if results["assurance"] else None,
    )


def members(study: Study, rules: dict[str, Any]) -> str:
    """Who belongs to a subgroup, in words: `body weight at least 90 kg`."""
    disease, attributes = DISEASES[study.trial.disease], POPULATIONS[study.population.source].attributes
    told = []
    for name, rule in rules.items():
        about, unit = described(name, disease, attributes)
        told.append(f"{about} {criterion(Criterion.model_validate(rule), unit)}")
    return "; ".join(told)


def power_curve(results: dict[str, Any], people: str) -> Drawing:
    """Chance to reject against the size, under the model and both nulls, with intervals for the Monte Carlo error.

    Args:
      people: who counts in a size, in words.
    """
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
        axes.set(ylim=(0, 102), xlabel=people, ylabel="Per cent of the trials")
        axes.xaxis.set_major_locator(FixedLocator(sizes) if len(sizes) == 1 else MaxNLocator(integer=True))
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
            axes.plot(looks, -high, color=COLOURS[1], marker="s", label="the opposite shown")
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
    of = results["analyses"][results["decisive"]]
    lines = [_line(row) for row in results["subgroups"]]
    told = "; ".join(f"{' '.join((one.factor, one.level)).strip()}: {one.told}" for one in lines)
    titles = "The effect in subgroups of the pool", f"{told}."
    axis = f"{of['arm']} less {of['comparator']}, the same twins in either arm".replace("_", " ")
    return fairness.plot("subgroups", titles, lines, COLOURS[0], ("Group (twins)", "Difference in means", "", axis))


def _line(row: dict[str, Any]) -> fairness.Line:
    value, se = (math.nan if row[name] is None else row[name] for name in ("difference", "se"))
    low, high = value - HALF * se, value + HALF * se
    told = f"{value:.3g}" if math.isnan(se) else f"{value:.3g} ({low:.3g} to {high:.3g})"
    few = row["twins"] < FEW
    told = told if row["twins"] else fairness.NOBODY
    return fairness.Line(row["factor"], row["level"], f"{row['twins']:,}", value, low, high, minus(told), "", few)


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rooms.filters["typeset"] = lambda cell: _MINUS.sub(MINUS, cell)
    return rooms.get_template("design.html.j2")
