"""The reports of a calibration and of a validation: one HTML text each, which opens offline."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ....calibration.report.frames import SCHEMES, rows
from ....calibration.report.summary import JUDGED, Summary, inside, missed, primary, within
from .. import words
from ..svg import Drawing, style
from . import plots, tables
from .names import called, heading
from .strips import Mark, Panel, Strip, strips

HERE = Path(__file__).parent
CSS = HERE.parent / "report.css"
NAN = float("nan")
RANKED, ENOUGH = 20, 8  # parameters of the figure of importance, and of those of one quantity
SECTIONS = {
    "short": "In short",
    "how": "How it was done",
    "agreement": "Observed and predicted",
    "coverage": "Errors and coverage",
    "arms": "Every arm",
    "differences": "Head-to-head",
    "onset": "Onset of action",
    "courses": "Courses",
    "relapse": "Relapse",
    "effects": "Covariates",
    "phototherapy": "Phototherapy",
    "parameters": "Parameters",
    "importance": "What matters most",
    "assumed": "Assumed parameters",
    "limits": "What it is not good for",
    "record": "Settings and versions",
}
FITTED_ONLY = (
    "short",
    "how",
    "agreement",
    "coverage",
    "courses",
    "relapse",
    "effects",
    "parameters",
    "limits",
    "record",
)


def validation(disease: str, frames: Mapping[str, pd.DataFrame], summary: Summary, settings: Mapping[str, str]) -> str:
    """The report of a validation, from the tables of `frames.take`: the same bytes for the same tables."""
    return _build("validation", disease, frames, summary, settings, tuple(SECTIONS))


def calibration(disease: str, frames: Mapping[str, pd.DataFrame], summary: Summary, settings: Mapping[str, str]) -> str:
    """The report of a fit: how near it comes to what it has seen, which is no test of it."""
    seen = dict(frames)
    for name in ("predictions", "differences"):
        seen[name] = frames[name].query("scheme == 'fitted'")
    return _build("calibration", disease, seen, summary, settings, FITTED_ONLY)


def _build(
    kind: str,
    disease: str,
    frames: Mapping[str, pd.DataFrame],
    summary: Summary,
    settings: Mapping[str, str],
    sections: Sequence[str],
) -> str:
    found = {name: rows(frame) for name, frame in frames.items()}
    unseen = [row for row in found["differences"] if row.scheme == "trials"]
    titles = {row.trial: row.title for row in found["predictions"]}
    schemes = SCHEMES if kind == "validation" else ("fitted",)
    with style():
        figures = {
            "agreement": _agreement(frames["predictions"]),
            "by_class": _by_class(frames["predictions"]),
            "arms": _arms(frames["predictions"]) if kind == "validation" else [],
            "differences": _differences(unseen, titles),
            "courses": _courses(found["courses"]),
            "relapse": _relapse(found["relapses"]),
            "effects": _effects(found["effects"]),
            "phototherapy": _phototherapy(found["phototherapy"]),
            "importance": _importance(found["importance"]),
        }
    return _template().render(
        css=Markup(CSS.read_text(encoding="utf-8")),
        kind=kind,
        disease=words.spaced(disease),
        sections={key: SECTIONS[key] for key in sections},
        words=words,
        tables=tables,
        summary=summary,
        verdicts=tables.verdicts(summary),
        figures=figures,
        found=found,
        scores=tables.scores(s for s in summary.scores if s.scheme in schemes and s.group in tables.MAIN),
        all_scores=tables.scores(s for s in summary.scores if s.scheme in schemes),
        classes=tables.classes(frames["predictions"]),
        worst=tables.worst(frames["predictions"], "trials" if kind == "validation" else "fitted"),
        rates=[tables.rate(row) for row in primary(frames["predictions"], "trials")],
        differences=tables.differences(unseen, titles),
        wrong=sum(missed(row) for row in unseen),
        outside=sum(not row.inside for row in unseen),
        parameters=tables.parameters(found["parameters"]),
        ranking=tables.ranking(found["importance"]),
        assumed=tables.assumed(found["assumed"], found["importance"]),
        settings=settings,
    )


def _agreement(predictions: pd.DataFrame) -> list[Drawing]:
    """One panel a scheme: seen and unseen never in one."""
    heads = {"trials": "Unseen: trial left out", "class": "Unseen: class left out", "fitted": "Seen by the fit"}
    drawn = []
    for scheme, head in heads.items():
        judged = [row for row in primary(predictions, scheme) if row.outcome in JUDGED]
        if judged:
            drawn.append(plots.agreement(f"agreement-{scheme}", head, judged))
    return drawn


def _by_class(predictions: pd.DataFrame) -> dict[str, list[Drawing]]:
    """By scheme of unseen rates, a panel a drug class."""
    found: dict[str, list[Drawing]] = {}
    for scheme in ("trials", "class"):
        judged = [row for row in primary(predictions, scheme) if row.outcome in JUDGED]
        parts = {
            name: [row for row in judged if row.drug_class == name] for name in sorted({r.drug_class for r in judged})
        }
        found[scheme] = [
            plots.agreement(f"agreement-{scheme}-{i}", heading(name), part)
            for i, (name, part) in enumerate(parts.items())
        ]
    return {scheme: drawings for scheme, drawings in found.items() if drawings}


def _arms(predictions: pd.DataFrame) -> list[Drawing]:
    """A forest of unseen arms for each drug class; PASI 75 and PASI 90 side by side."""
    seen = [row for row in primary(predictions, "trials") if row.outcome in JUDGED]
    panels = [Panel(called(outcome), "% of people", (0.0, 100.0)) for outcome in JUDGED]
    found = []
    for i, name in enumerate(sorted({row.drug_class for row in seen})):
        arms: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in seen:
            if row.drug_class == name:
                arms.setdefault((row.title, row.arm, row.week, row.n), {})[row.outcome] = row
        lines = [
            Strip(
                f"{title}: {words.spaced(arm)}",
                f"n {n}, wk {week}",
                tuple(_rate(told[outcome]) if outcome in told else None for outcome in JUDGED),
            )
            for (title, arm, week, n), told in arms.items()
        ]
        found.append(strips(f"arms-{i}", f"{heading(name)}: arms of unseen trials", panels, lines))
    return found


def _rate(row: Any) -> Mark:
    return Mark(100 * row.observed, NAN, NAN, 100 * row.predicted, 100 * row.low, 100 * row.high, inside(row))


def _differences(unseen: Sequence[Any], titles: Mapping[str, str]) -> Drawing | None:
    if not unseen:
        return None
    pairs: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in unseen:
        pairs.setdefault((row.trial, row.arm, row.comparator), {})[row.outcome] = row
    panels = [Panel(called(name), "difference, percentage points", None, 0.0) for name in JUDGED]
    lines = [
        Strip(
            f"{titles.get(trial, trial)}: {words.spaced(arm)} {words.MINUS} {words.spaced(comparator)}",
            "",
            tuple(_difference(told[outcome]) if outcome in told else None for outcome in JUDGED),
        )
        for (trial, arm, comparator), told in pairs.items()
    ]
    return strips("differences", "Differences between active arms of unseen trials", panels, lines)


def _difference(row: Any) -> Mark:
    observed = (row.observed, row.observed_low, row.observed_high)
    return Mark(*observed, row.predicted, row.low, row.high, not missed(row))


def _courses(found: Sequence[Any]) -> list[Drawing]:
    names = dict.fromkeys(row.drug for row in found)
    return [
        plots.course(f"course-{i}", heading(name), [row for row in found if row.drug == name])
        for i, name in enumerate(names)
    ]


def _relapse(found: Sequence[Any]) -> dict[str, Drawing]:
    """Seen and unseen apart."""
    panel = Panel("Without relapse", "% of those observed", (0.0, 100.0))
    drawn = {}
    for name, fitted in (("unseen", False), ("fitted", True)):
        lines = [
            Strip(
                f"{called(row.drug)}, of {called(row.among)}",
                f"wk {row.week}",
                (_kept(row),),
            )
            for row in found
            if bool(row.fitted) == fitted
        ]
        if lines:
            drawn[name] = strips(f"relapse-{name}", f"Share without relapse, {name}", [panel], lines)
    return drawn


def _kept(row: Any) -> Mark:
    low, high = (100 * v if words.known(v) else NAN for v in (row.low, row.high))
    good = bool(row.low <= row.published <= row.high) if words.known(row.low) else True
    return Mark(100 * row.published, NAN, NAN, 100 * row.predicted, low, high, good)


def _effects(found: Sequence[Any]) -> dict[str, Drawing]:
    """Seen and unseen apart."""
    panel = Panel("Odds ratio of response", "logarithmic scale", None, 1.0, ratio=True)
    drawn = {}
    for name, fitted in (("unseen", False), ("fitted", True)):
        lines = [
            Strip(heading(row.covariate), called(row.outcome), (_ratio(row),))
            for row in found
            if bool(row.fitted) == fitted
        ]
        if lines:
            drawn[name] = strips(f"effects-{name}", f"Effects of covariates, {name}", [panel], lines)
    return drawn


def _ratio(row: Any) -> Mark:
    low, high = (NAN, NAN) if within(row) is None else (float(row.low), float(row.high))
    return Mark(row.published, low, high, row.predicted, NAN, NAN, within(row) is not False)


def _phototherapy(weeks: Sequence[Any]) -> list[Drawing]:
    if not weeks:
        return []
    draw = partial(plots.phototherapy, weeks=weeks)
    return [
        draw("phototherapy-unseen", "Unseen: patients left out", what="unseen"),
        draw("phototherapy-fitted", "Seen: all patients fitted", what="predicted"),
    ]


def _importance(found: Sequence[Any]) -> list[Drawing]:
    """The largest effect of each parameter on any quantity; then quantities with enough parameters, each by itself."""
    if not found:
        return []
    ranked = sorted(found, key=lambda row: -row.mu_star)
    first = {row.parameter: row for row in reversed(ranked)}
    largest = sorted(first.values(), key=lambda row: -row.mu_star)[:RANKED]
    drawn = [
        plots.importance(
            "importance", "The largest effect on any rate", largest, [tables.quantity(r.quantity) for r in largest]
        )
    ]
    for i, quantity in enumerate(dict.fromkeys(row.quantity for row in found)):
        own = [row for row in ranked if row.quantity == quantity]
        if len(own) >= ENOUGH:
            drawn.append(plots.importance(f"importance-{i}", tables.quantity(quantity), own[:ENOUGH]))
    return drawn


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rooms.get_template("report.html.j2")
