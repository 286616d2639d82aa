"""The reports of a calibration and of a validation: one HTML text each, which opens offline."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ....calibration.report.frames import AGAINST, SCHEMES, rows
from ....calibration.report.summary import Summary, inside, judged, missed, primary, within
from ....calibration.report.told import Told
from .. import words
from ..svg import Drawing, style
from . import phototherapy, plots, tables
from .names import called, heading
from .strips import Mark, Panel, Strip, strips

HERE = Path(__file__).parent
CSS = HERE.parent / "report.css"
NAN = float("nan")
RANKED, ENOUGH = 20, 8  # parameters of the figure of importance, and of those of one quantity
HEADS = {  # of panels, one a scheme
    "trials": "Unseen: trial left out",
    "class": "Unseen: class left out",
    "held": "Unseen: held back",
    "fitted": "Seen by the fit",
}


class Own(NamedTuple):
    """A part of the reports that one disease alone has.

    shown: from the rows of all tables and what the reports are told to what `template` takes as `own`.
    """

    title: str
    template: str
    shown: Callable[[Mapping[str, Sequence[Any]], Told], dict[str, Any]]


OWN = {"psoriasis": Own("Phototherapy", "psoriasis.html.j2", phototherapy.shown)}


def validation(
    disease: str, frames: Mapping[str, pd.DataFrame], summary: Summary, told: Told, settings: Mapping[str, str]
) -> str:
    """The report of a validation, from the tables of `frames.take`: the same bytes for the same tables."""
    return _build("validation", disease, frames, summary, told, settings)


def calibration(
    disease: str, frames: Mapping[str, pd.DataFrame], summary: Summary, told: Told, settings: Mapping[str, str]
) -> str:
    """The report of a fit: how near it comes to what it has seen, which is no test of it."""
    seen = dict(frames)
    for name in ("predictions", "differences"):
        seen[name] = frames[name].query("scheme == 'fitted'")
    return _build("calibration", disease, seen, summary, told, settings)


def _build(
    kind: str,
    disease: str,
    frames: Mapping[str, pd.DataFrame],
    summary: Summary,
    told: Told,
    settings: Mapping[str, str],
) -> str:
    tested, predictions = kind == "validation", frames["predictions"]
    found = {name: rows(frame) for name, frame in frames.items()}
    unseen = [row for row in found["differences"] if row.scheme == "trials"]
    titles = {row.trial: row.title for row in found["predictions"]}
    schemes = SCHEMES if tested else ("fitted",)
    own = OWN.get(disease)
    with style():
        figures = {
            "agreement": _agreement(predictions, told),
            "by_class": _by_class(predictions, told) if told.by_class else {},
            "arms": _arms(predictions, told) if tested else [],
            "differences": {kind: _differences(unseen, kind, titles, told) for kind in AGAINST},
            "courses": _courses(found["courses"], told),
            "relapse": _relapse(found["relapses"], told),
            "effects": _effects(found["effects"], told),
            "importance": _importance(found["importance"], told),
        }
        alone = own.shown(found, told) if own else {}
    return _template().render(
        css=Markup(CSS.read_text(encoding="utf-8")),
        kind=kind,
        disease=words.spaced(disease),
        told=told,
        shapes=_shapes(told),
        colours=[(of.name, colour) for of, colour in zip(told.outcomes.values(), plots.COLOURS, strict=False)],
        sections=told.sections(tested, own.title if own else ""),
        own=alone,
        own_template=own.template if own else "",
        words=words,
        tables=tables,
        summary=summary,
        verdicts=tables.verdicts(summary),
        figures=figures,
        found=found,
        scores=tables.scores(s for s in summary.scores if s.scheme in schemes and s.group in tables.main(told)),
        all_scores=tables.scores(s for s in summary.scores if s.scheme in schemes),
        classes=tables.classes(predictions, told),
        worst=tables.worst(predictions, "trials" if tested else "fitted", told),
        rates=[tables.rate(row, told) for row in primary(predictions, "trials")],
        differences={kind: _told_of(unseen, kind, titles, told) for kind in AGAINST},
        parameters=tables.parameters(found["parameters"]),
        ranking=tables.ranking(found["importance"], told),
        assumed=tables.assumed(found["assumed"], found["importance"]),
        settings=settings,
    )


def _shapes(told: Told) -> str:
    """What the marks of panels mean: `PASI 75 (circles) and PASI 90 (squares)`."""
    parts = []
    for pool in told.pools:
        names = [told.outcomes[outcome].name for outcome in pool.outcomes]
        marked = [f"{name} ({shape})" for name, (_, shape) in zip(names, plots.SHAPES, strict=False)]
        parts.append(words.listed(marked) if len(names) > 1 else names[0])
    return "; ".join(parts)


def _told_of(unseen: Sequence[Any], kind: str, titles: Mapping[str, str], told: Told) -> dict[str, Any]:
    """Differences against one kind of comparator as text, how many are missed, and how many lie outside."""
    found = [row for row in unseen if row.against == kind]
    return {
        "rows": tables.differences(found, titles, told),
        "wrong": sum(missed(row) for row in found),
        "outside": sum(not row.inside for row in found),
    }


def _agreement(predictions: pd.DataFrame, told: Told) -> list[Drawing]:
    """One panel a scheme and pool: seen and unseen never in one."""
    drawn = []
    for scheme, head in HEADS.items():
        for i, pool in enumerate(told.pools):
            seen = judged(predictions, scheme, pool.outcomes)
            if seen:
                title = head if len(told.pools) == 1 else f"{head}: {pool.short}"
                name = f"agreement-{scheme}" + (f"-pool-{i}" if i else "")
                drawn.append(plots.agreement(name, title, seen, pool, told))
    return drawn


def _by_class(predictions: pd.DataFrame, told: Told) -> dict[str, list[Drawing]]:
    """By scheme of unseen figures, a panel a drug class and pool."""
    found: dict[str, list[Drawing]] = {}
    for scheme in ("trials", "class"):
        for pool in told.pools:
            seen = judged(predictions, scheme, pool.outcomes)
            for name in sorted({row.drug_class for row in seen}):
                drawn = found.setdefault(scheme, [])
                part = [row for row in seen if row.drug_class == name]
                place = f"agreement-{scheme}-{len(drawn)}"
                drawn.append(plots.agreement(place, heading(name, told), part, pool, told))
    return found


def _arms(predictions: pd.DataFrame, told: Told) -> list[Drawing]:
    """A forest of unseen arms for each drug class; panels side by side."""
    seen = judged(predictions, "trials", [name for panel in told.panels for name in panel.outcomes])
    scales = [told.outcomes[panel.outcomes[0]] for panel in told.panels]
    panels = [Panel(panel.name, scale.scale, scale.ends) for panel, scale in zip(told.panels, scales, strict=True)]
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
                tuple(_first(panel.outcomes, own, told) for panel in told.panels),
            )
            for (title, arm, week, n), own in arms.items()
        ]
        found.append(strips(f"arms-{i}", f"{heading(name, told)}: arms of unseen trials", panels, lines))
    return found


def _first(outcomes: Sequence[str], own: Mapping[str, Any], told: Told) -> Mark | None:
    """The mark of the first of a panel's outcomes that an arm has."""
    return next((_rate(own[name], told) for name in outcomes if name in own), None)


def _rate(row: Any, told: Told) -> Mark:
    observed, predicted, low, high = (
        told.outcomes[row.outcome].factor * value for value in (row.observed, row.predicted, row.low, row.high)
    )
    return Mark(observed, NAN, NAN, predicted, low, high, inside(row))


def _differences(unseen: Sequence[Any], kind: str, titles: Mapping[str, str], told: Told) -> Drawing | None:
    """Differences of unseen trials against one kind of comparator."""
    pairs: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in unseen:
        if row.against == kind:
            pairs.setdefault((row.trial, row.arm, row.comparator), {})[row.outcome] = row
    if not pairs:
        return None
    panels = [Panel(panel.name, "difference, percentage points", None, 0.0) for panel in told.panels]
    lines = [
        Strip(
            f"{titles.get(trial, trial)}: {words.spaced(arm)} {words.MINUS} {words.spaced(comparator)}",
            "",
            tuple(
                next((_difference(own[name]) for name in panel.outcomes if name in own), None) for panel in told.panels
            ),
        )
        for (trial, arm, comparator), own in pairs.items()
    ]
    name, about = "differences", "Differences between active arms of unseen trials"
    if kind == "control":
        name, about = "differences-control", f"Active minus {told.words.control} arms of unseen trials"
    return strips(name, about, panels, lines)


def _difference(row: Any) -> Mark:
    observed = (row.observed, row.observed_low, row.observed_high)
    return Mark(*observed, row.predicted, row.low, row.high, not missed(row))


def _courses(found: Sequence[Any], told: Told) -> list[Drawing]:
    names = dict.fromkeys(row.drug for row in found)
    return [
        plots.course(f"course-{i}", heading(name, told), [row for row in found if row.drug == name], told)
        for i, name in enumerate(names)
    ]


def _relapse(found: Sequence[Any], told: Told) -> dict[str, Drawing]:
    """Seen and unseen apart."""
    panel = Panel("Without relapse", "% of those observed", (0.0, 100.0))
    drawn = {}
    for name, fitted in (("unseen", False), ("fitted", True)):
        lines = [
            Strip(
                f"{called(row.drug, told)}, of {called(row.among, told)}",
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


def _effects(found: Sequence[Any], told: Told) -> dict[str, Drawing]:
    """Seen and unseen apart."""
    panel = Panel("Odds ratio of response", "logarithmic scale", None, 1.0, ratio=True)
    drawn = {}
    for name, fitted in (("unseen", False), ("fitted", True)):
        lines = [
            Strip(heading(row.covariate, told), called(row.outcome, told), (_ratio(row),))
            for row in found
            if bool(row.fitted) == fitted
        ]
        if lines:
            drawn[name] = strips(f"effects-{name}", f"Effects of covariates, {name}", [panel], lines)
    return drawn


def _ratio(row: Any) -> Mark:
    low, high = (NAN, NAN) if within(row) is None else (float(row.low), float(row.high))
    return Mark(row.published, low, high, row.predicted, NAN, NAN, within(row) is not False)


def _importance(found: Sequence[Any], told: Told) -> list[Drawing]:
    """The largest effect of each parameter on any quantity; then quantities with enough parameters, each by itself."""
    if not found:
        return []
    ranked = sorted(found, key=lambda row: -row.mu_star)
    first = {row.parameter: row for row in reversed(ranked)}
    largest = sorted(first.values(), key=lambda row: -row.mu_star)[:RANKED]
    drawn = [
        plots.importance(
            "importance",
            "The largest effect on any rate",
            largest,
            [tables.quantity(r.quantity, told) for r in largest],
        )
    ]
    for i, quantity in enumerate(dict.fromkeys(row.quantity for row in found)):
        own = [row for row in ranked if row.quantity == quantity]
        if len(own) >= ENOUGH:
            drawn.append(plots.importance(f"importance-{i}", tables.quantity(quantity, told), own[:ENOUGH]))
    return drawn


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rooms.get_template("report.html.j2")
