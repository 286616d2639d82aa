"""The report of a fitted population: one HTML text that opens offline, made from aggregates and nothing else."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ...population.quality.assess import limits
from ...population.quality.picture import SHARES
from . import likeness, risks, words
from .svg import style

if TYPE_CHECKING:
    from ...population.quality.assess import Gate, Likeness, Quality
    from ...population.quality.fit import Fit

HERE = Path(__file__).parent
TITLES = {
    "margins": ("Distributions", "mean Kolmogorov-Smirnov distance"),
    "correlations": ("Rank correlations", "root mean squared error"),
    "subgroups": ("Means in subgroups", "root mean squared difference, standard deviations"),
    "classifier": ("Classifier", "area under its curve"),
    "impossible": ("Impossible combinations", "number among the twins"),
}


class Cell(NamedTuple):
    """One gate in one fit: value, what two halves of the people reach, and whether it is within the limit."""

    value: str
    floor: str
    passed: bool


def build(fit: "Fit") -> str:
    """The report as HTML: the same bytes for the same fit."""
    about = {column.name: _title(column.about) for column in fit.columns}
    shown = fit.splits[-1] if fit.splits else fit.final
    with style():
        figures = _figures(fit, shown.twins, about)
    return _template().render(
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        fit=fit,
        about=about,
        words=words,
        colours={"people": likeness.PEOPLE, "twins": likeness.TWINS},
        shades=likeness.legend_of_correlations(),
        fewest=words.plain_number(limits().value("shown.fewest")),
        smallest=words.plain_number(limits().value("subgroup.smallest")),
        band=words.plain_number(limits().value("subgroups")),
        verdict=_verdict(fit),
        gates=_gates(fit),
        quantiles=_quantiles(fit, about),
        distances=_distances(shown, about),
        levels=_levels(fit, about),
        tails=[
            (f"{about[t.x]} and {about[t.y]}", *map(words.percent, (t.people, t.others))) for t in shown.twins.tails
        ],
        correlations=_correlations(shown.twins, about),
        partitions=_partitions(fit),
        means=_means(shown.twins, about),
        missing=[(about[c.name], words.percent(c.missing)) for c in fit.columns if c.missing > 0],
        impossible=[(v.rule, words.count(v.checked), words.count(v.broken)) for v in fit.final.impossible],
        privacy=_privacy(fit),
        cells=_cells(fit),
        held_out=bool(fit.splits),
        **figures,
    )


def _figures(fit: "Fit", like: "Likeness", about: Mapping[str, str]) -> dict[str, Any]:
    distance = {margin.name: margin.ks for margin in fit.final.twins.margins}
    unit = {column.name: column.unit for column in fit.columns}
    rank, (wide, *_) = like.dependence, like.subgroups
    return {
        "margin_figures": [
            likeness.histogram(i, shown, about[shown.name], distance[shown.name])
            for i, shown in enumerate(fit.picture.histograms)
        ],
        "pair_figures": [
            likeness.pair(i, shown, *(_with_unit(about[name], unit[name]) for name in (shown.x, shown.y)))
            for i, shown in enumerate(fit.picture.pairs)
        ],
        "correlation_figure": likeness.correlations([about[n] for n in rank.names], rank.people, rank.others),
        "subgroup_figures": [
            likeness.subgroups(i, wide, i, about[name], unit[name], limits().value("subgroups"))
            for i, name in enumerate(wide.names)
        ],
        "risk_figures": [risks.forest(i, group, title) for i, (title, group) in enumerate(_risk_groups(fit).items())],
    }


def _title(about: str) -> str:
    """With a capital, unless the name is written otherwise, as pH is."""
    return about if any(letter.isupper() for letter in about) else words.sentence(about)


def _with_unit(label: str, unit: str) -> str:
    return f"{label},{words.units(unit)}" if words.units(unit) else label


def _risk_groups(fit: "Fit") -> dict[str, list[Any]]:
    """Risks that are 0 of a blind model, and those that are 0.5 of one: each on its own scale."""
    found = fit.privacy.risks if fit.privacy else ()
    groups = {
        "residual risk, 0 is none": [risk for risk in found if risk.blind == 0],
        "area or share, 0.5 is none": [risk for risk in found if risk.blind != 0],
    }
    return {title: group for title, group in groups.items() if group}


def _verdict(fit: "Fit") -> list[tuple[str, bool, str]]:
    """What the report comes to: label, whether all is well, and a sentence."""
    found = []
    if fit.splits:
        good = sum(split.passed for split in fit.splits)
        failed = dict.fromkeys(g.name for split in fit.splits for g in split.gates if not g.passed)
        text = f"{good} of {words.plural(len(fit.splits), 'split')} by halves of the sampling units met every limit"
        found.append(("Held-out people", good == len(fit.splits), text + _exceeded(failed)))
    failed = dict.fromkeys(gate.name for gate in fit.final.gates if not gate.passed)
    text = "The population fitted to all people " + ("meets every limit" if not failed else "does not meet every limit")
    found.append(("Final fit", not failed, text + _exceeded(failed)))
    if fit.privacy is None:
        return [*found, ("Privacy", False, "No attack was made")]
    passed = sum(risk.passed for risk in fit.privacy.risks)
    text = (
        f"{passed} of {words.plural(len(fit.privacy.risks), 'attack')} on the people of the fit stayed within its limit"
    )
    return [*found, ("Privacy", fit.privacy.passed, text)]


def _exceeded(failed: Mapping[str, None]) -> str:
    return f"; exceeded: {words.listed(TITLES[name][0].lower() for name in failed)}" if failed else ""


def _gates(fit: "Fit") -> list[tuple[str, str, str, list[Cell]]]:
    """Each gate: title, measure, limit, and a cell for every split and the final fit."""
    rows = []
    for i, gate in enumerate(fit.final.gates):
        title, measure = TITLES[gate.name]
        limit = words.plain_number(limits().value(gate.name))
        limit = f"{limit} {words.TIMES} floor" if gate.name == "margins" else limit
        cells = [_cell(quality.gates[i]) for quality in (*fit.splits, fit.final)]
        rows.append((title, measure, limit, cells))
    return rows


def _cell(gate: "Gate") -> Cell:
    if gate.name == "impossible":
        return Cell(words.count(gate.value), "", gate.passed)
    return Cell(words.decimal(gate.value, 3), words.decimal(gate.floor, 3), gate.passed)


def _quantiles(fit: "Fit", about: Mapping[str, str]) -> list[tuple[str, ...]]:
    rows = []
    for shown in fit.picture.histograms:
        label = _with_unit(about[shown.name], shown.unit)
        for who, values in (("people", shown.people_quantiles), ("twins", shown.twins_quantiles)):
            rows.append((f"{label}: {who}", *(_short(value) for value in values)))
    return rows


def _short(value: float) -> str:
    """Three significant digits: no more than a distribution needs, fewer than a record has."""
    return words.plain_number(float(f"{value:.3g}")) if math.isfinite(value) else words.NOTHING


def _distances(quality: "Quality", about: Mapping[str, str]) -> list[tuple[str, ...]]:
    """By number: distances of twins from the people, and of the other half of the people where it is known."""
    halves = quality.floor.margins if quality.floor else [None] * len(quality.twins.margins)
    return [
        (
            about[twin.name],
            words.decimal(twin.ks, 3),
            words.decimal(half.ks if half else math.nan, 3),
            words.decimal(twin.wasserstein, 3),
            words.decimal(half.wasserstein if half else math.nan, 3),
            words.decimal(twin.mean_ratio, 3),
        )
        for twin, half in zip(quality.twins.margins, halves, strict=True)
    ]


def _levels(fit: "Fit", about: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [
        (f"{about[x.category]}: {words.spaced(x.level)}", words.percent(x.people), words.percent(x.twins))
        for x in fit.picture.levels
    ]


def _correlations(like: "Likeness", about: Mapping[str, str]) -> list[tuple[str, ...]]:
    """All pairs, the largest difference first."""
    rank = like.dependence
    first, second = np.triu_indices(len(rank.names), 1)
    order = np.argsort(-np.abs(np.nan_to_num(rank.others - rank.people))[first, second], kind="stable")
    return [
        (
            f"{about[rank.names[i]]} and {about[rank.names[j]]}",
            *(
                words.decimal(float(matrix[i, j]), 3)
                for matrix in (rank.people, rank.others, rank.others - rank.people)
            ),
        )
        for i, j in zip(first[order], second[order], strict=True)
    ]


def _partitions(fit: "Fit") -> list[tuple[str, ...]]:
    """By partition: how far the subgroups' means are apart, averaged over the splits, or in the final fit."""
    chosen = fit.splits or (fit.final,)
    rows = []
    for i, found in enumerate(chosen[0].twins.subgroups):
        each = [quality.twins.subgroups[i] for quality in chosen]
        halves = [quality.floor.subgroups[i].rms for quality in chosen if quality.floor]
        rows.append(
            (
                words.spaced(found.name),
                words.count(len(found.labels)),
                words.count(int(np.sum(~found.judged))),
                *(
                    words.decimal(float(np.mean([getattr(part, name) for part in each])), 3)
                    for name in ("rms", "noise", "beyond", "rms_all")
                ),
                words.decimal(float(np.mean(halves)) if halves else math.nan, 3),
            )
        )
    return rows


def _means(like: "Likeness", about: Mapping[str, str]) -> list[tuple[str, ...]]:
    """By subgroup of the wide bands: effective people and the largest difference."""
    found = like.subgroups[0]
    rows = []
    for i, label in enumerate(found.labels):
        gaps = np.abs(np.nan_to_num(found.difference[i]))
        worst = int(np.argmax(gaps))
        known = np.isfinite(found.difference[i])
        rms = float(np.sqrt(np.mean(found.difference[i][known] ** 2))) if known.any() else math.nan
        rows.append(
            (
                words.sentence(label),
                words.count(round(found.effective[i])),
                words.decimal(rms, 2),
                f"{about[found.names[worst]]} {words.decimal(float(found.difference[i, worst]), 2)}",
            )
        )
    return rows


def _privacy(fit: "Fit") -> list[tuple[str, ...]]:
    return [
        (
            words.sentence(words.spaced(risk.name)),
            risk.about,
            _rate(risk.attack_rate),
            _rate(risk.control_rate),
            risks.line(risk),
            f"{words.decimal(risk.null_low, 3)} to {words.decimal(risk.null_high, 3)}",
            words.decimal(risk.threshold, 2) if risk.asked else "not asked",
            "yes" if risk.passed else "no",
        )
        for risk in (fit.privacy.risks if fit.privacy else ())
    ]


def _rate(share: float | None) -> str:
    return words.percent(share) if share is not None else words.NOTHING


def _cells(fit: "Fit") -> list[tuple[str, str]]:
    """How many groups there are of each size."""
    sizes, rows = np.asarray(fit.cells.effective), []
    edges: Sequence[float] = (0, 10, 30, 100, 300, 1000, math.inf)
    for low, high in pairwise(edges):
        many = int(np.sum((sizes >= low) & (sizes < high)))
        label = (
            f"below {high:g}" if not low else f"{low:g} and more" if math.isinf(high) else f"{low:g} to below {high:g}"
        )
        rows.append((f"Effective people {label}", words.count(many)))
    return rows


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rooms.globals["quantile_names"] = [f"{100 * share:g}\u202f%" for share in SHARES]
    return rooms.get_template("population.html.j2")
