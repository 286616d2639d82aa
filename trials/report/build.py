"""The report of a run: one HTML text that opens offline, without a script or an outside resource."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ...core.disease import Disease
from .. import recruitment
from ..enrol import on_each_side
from ..regimen import DAYS, Course
from ..schedule import plans
from ..statistics.analyses import compared
from ..statistics.offered import METHODS
from ..statistics.outcomes import named
from ..study import Study, plain
from . import (
    curves,
    fairness,
    flow,
    forest,
    harms,
    paired,
    participants,
    schedule,
    sentences,
    tables,
    tipping,
    waterfall,
    words,
)
from .svg import Drawing, Look, looks, style

if TYPE_CHECKING:
    from ...population.sample import Source as PopulationSource
    from ..statistics.result import Result

HERE = Path(__file__).parent


def build(
    run: Path,
    disease: Disease,
    population: "PopulationSource",
    manifest: Mapping[str, Any],
    study: Study,
    twins: pd.DataFrame,
    observations: pd.DataFrame,
    events: pd.DataFrame,
    results: "Sequence[Result]",
) -> str:
    """The report as HTML: the same bytes for the same run.

    Args:
      run: folder of the run; its `study.yaml` is shown as it stands there, if it is there.
      manifest: `cutis`, `study_sha256`, `status`, and, as far as known, `plan`, `screening`, `versions`, `platform`,
        `files`, `numerics`.
      twins: one row a randomised twin: twin, arm, the population's attributes, doses_planned, doses_taken.
      observations: one row a twin and planned visit: twin, arm, week, the disease's endpoints.
      events: twin, arm, week, event, reason.
      results: rows of the statistics; `by_visit` (and `mean_by_visit`) rows give the time courses.
    """
    first_doses = {name: _first_dose(study, disease, name) for name in study.trial.arms}
    arms = looks(first_doses)
    analyses, methods = tables.analysis_figures(study, disease, results)
    figures = _figures(disease, study, arms, observations, results)
    figures |= _of_twins(disease, study, arms, population.attributes, twins, observations, events)
    participants_ = _participants(disease, population, manifest, study, arms, twins, observations, events)
    return _template().render(
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        study=study,
        trial=study.trial,
        disease=disease,
        population=population,
        identity=_identity(manifest, study),
        arms=arms,
        untreated={name: week for name, week in first_doses.items() if week != 0},
        words=words,
        size=len(twins),
        statements=sentences.in_short(results, list(study.trial.analyses), disease),
        regimens={name: words.regimen(arm, disease.untreated) for name, arm in study.trial.arms.items()},
        rules=tables.rules(study, disease, population.attributes),
        strata=_strata(disease, population, study),
        outcomes=tables.outcomes(study, disease),
        plan=tables.plan(study, disease),
        doses=schedule.doses(study),
        analyses=analyses,
        methods=methods,
        evidence=_evidence(disease, population, study),
        study_text=_study_text(run, study),
        settings=tables.settings(manifest, "model", "plan", "numerics", "versions", "platform"),
        error=tables.numerical_error(manifest),
        files=tables.files(manifest),
        **figures,
        **participants_,
    )


def _identity(manifest: Mapping[str, Any], study: Study) -> dict[str, str]:
    return {
        "version": manifest.get("cutis") or "",
        "status": manifest.get("status") or "",
        "study": manifest.get("study_sha256") or study.fingerprint(),
    }


def _first_dose(study: Study, disease: Disease, arm: str) -> int | None:
    """Week of the first dose of a drug."""
    number = list(study.trial.arms).index(arm)
    mine = [plan for plan in plans(study.trial) if plan.arm == number]
    days = [plan.day + course.dose_days()[0] for plan in mine for course in plan.courses if _is_drug(course, disease)]
    return min(days) // DAYS if days else None


def _is_drug(course: Course, disease: Disease) -> bool:
    return course.treatment not in disease.controls


def _figures(
    disease: Disease, study: Study, arms: Mapping[str, Look], observations: pd.DataFrame, results: "Sequence[Result]"
) -> dict[str, Any]:
    """Figures about the plan and the results, each with the rows of the table behind it."""
    week = words.primary_week(study)
    courses = curves.by_outcome(results, study.trial.outcomes)
    found = waterfall.falls(disease, observations, list(arms), week)
    limits = waterfall.limits(found)
    thresholds = waterfall.THRESHOLDS if waterfall.is_percentage(disease) else ()
    scales = forest.panels(results, list(study.trial.analyses), disease)
    tips = tipping.maps(results)
    with style():
        return {
            "schedule": schedule.schedule(study, arms, disease.untreated),
            "courses": [
                (
                    curves.panel(f"course-{i}", *_named(disease, name), course, arms, study.trial.visits),
                    curves.curve_rows(course, arms),
                )
                for i, (name, course) in enumerate(courses.items())
            ],
            "levels": sorted({f"{100 * row.level:g} %" for row in results if row.analysis in curves.ANALYSES}),
            "absent": [words.outcome_label(disease, name) for name in study.trial.outcomes if name not in courses],
            "forests": [
                (
                    forest.forest(i, panel, disease, arms),
                    [(words.spaced(row.analysis), row.role, forest.line(row, disease)) for row in panel.rows],
                )
                for i, panel in enumerate(scales)
            ],
            "falls": [
                waterfall.waterfall(f"fall-{i}", arms[arm], fall, disease, week, limits)
                for i, (arm, fall) in enumerate(found.items())
            ],
            "fall_rows": waterfall.fall_rows(found, arms, thresholds),
            "fall_week": week,
            "tips": [(tipping.figure(i, tip, disease), tipping.rows(tip)) for i, tip in enumerate(tips)],
            "fall_cut": waterfall.beyond(found, limits),
            "thresholds": thresholds,
            "within": _within(study, disease, arms, observations),
        }


def _of_twins(
    disease: Disease,
    study: Study,
    arms: Mapping[str, Look],
    attributes: Mapping[str, Any],
    twins: pd.DataFrame,
    observations: pd.DataFrame,
    events: pd.DataFrame,
) -> dict[str, Any]:
    """Figures that show more than the results do: times to events, and the primary comparisons within groups.

    They are read from the tables as the analyses read them; twins without strata are those of no run, and have none.
    """
    if "stratum" not in twins:
        return {"times": [], "fairness": []}
    # Each comparison has a table of its own with all columns: what only the baseline table shows is left out.
    twins = twins.drop(columns=[name for name, one in attributes.items() if one.detail and name in twins])
    timed = []
    for plan in study.trial.analyses.values():
        outcome = named(disease, plan.outcome)
        if outcome is not None and METHODS[plan.method].reads == "times" and not study.trial.split:
            table = compared(study, twins, observations, events, outcome, plan)
            label = words.outcome_label(disease, plan.outcome)
            lost = plan.options.time_to == "loss"
            label = f"{label}, loss from week {plan.options.from_week}" if lost else f"{label}, first visit with it"
            timed.append(curves.kaplan_meier(label, table, [plan.arm, plan.comparator], round(1 - plan.alpha, 12)))
    # Several analyses may ask the same question.
    timed = list({(one.label, one.until, *one.shares): one for one in timed}.values())
    groups = fairness.comparisons(study, disease, attributes, twins, observations, events)
    with style():
        return {
            "times": [
                (curves.steps(f"times-{i}", one, arms), curves.step_rows(one, arms)) for i, one in enumerate(timed)
            ],
            "fairness": [(fairness.figure(i, one, arms), fairness.rows(one)) for i, one in enumerate(groups)],
        }


def _within(
    study: Study, disease: Disease, arms: Mapping[str, Look], observations: pd.DataFrame
) -> tuple[paired.Difference, Drawing, list[list[str]]] | None:
    """The differences within twins, as figure and rows; None where arms are different people."""
    if not study.trial.split:
        return None
    found = paired.difference(study, disease, observations)
    return found, paired.figure(found, arms), paired.rows(found)


def _named(disease: Disease, outcome: str) -> tuple[str, str]:
    return words.outcome_label(disease, outcome), words.unit(disease.outcomes.get(outcome))


def _participants(
    disease: Disease,
    population: "PopulationSource",
    manifest: Mapping[str, Any],
    study: Study,
    arms: Mapping[str, Look],
    twins: pd.DataFrame,
    observations: Any,
    events: pd.DataFrame,
) -> dict[str, Any]:
    screening = manifest.get("screening") or {}
    sides, both, sizes = [], arms, {}
    if study.trial.split:
        sides, given = paired.baseline(disease, observations, list(arms)), paired.doses(twins, arms)
        sizes, twins, both = dict.fromkeys(arms, len(twins)), paired.people(twins), paired.PEOPLE
        observations = observations.loc[observations["arm"] == next(iter(arms)), ["twin", "week"]]
    else:
        given = []
    fates = flow.tally(list(both), _criteria(study), twins, events, screening)
    criteria = tables.rules(study, disease, population.attributes, broken=True)
    rescue = study.trial.conduct.rescue is not None
    with style():
        diagram = flow.diagram(fates, both, study.trial.visits[-1], criteria, rescue)
    masks = participants.columns(list(both), twins)
    names = {name: look.name for name, look in both.items()}
    gone = harms.tally(list(both), disease.harms, twins, events, study.trial.visits[-1])
    groups = participants.composition(population.attributes, twins, manifest, disease)
    return {
        "flow": diagram,
        "flow_rows": flow.flow_rows(fates, both) + given,
        "groups": list(names.values()),
        "sizes": sizes or {name: int(mask.sum()) for name, mask in masks.items()},
        "side_rows": sides,
        "harms": harms.rows(gone, disease.harms),
        "screening": fates,
        "criteria": criteria,
        "baseline_columns": [(names.get(name, name), int(mask.sum())) for name, mask in masks.items()],
        "baseline": participants.baseline(population.attributes, disease, masks, twins, observations),
        "details": participants.details(population.attributes, masks, twins),
        "composition": groups,
        "sparse": participants.sparse(groups),
        "few": participants.FEW,
    }


def _criteria(study: Study) -> tuple[str, ...]:
    return (*study.trial.eligibility, *map(on_each_side, study.trial.each_side))


def _strata(disease: Disease, population: "PopulationSource", study: Study) -> list[str]:
    return [
        words.stratum(factor, *tables.described(factor.attribute, disease, population.attributes))
        for factor in study.trial.randomisation.stratify_by
    ]


def _evidence(disease: Disease, population: "PopulationSource", study: Study) -> list[dict[str, Any]]:
    """The parameter tables of the response model and of the population, with the sources that they cite."""
    draw, sides = study.model.draw, disease.sides if study.trial.split else None
    drawn = disease.draw(draw) if disease.draw and draw is not None else {}
    return [
        {
            "key": key,
            "title": title,
            "items": tables.parameters(table, drawn if table is disease.parameters else {}),
            "statuses": tables.statuses(table),
            "sources": tables.cited(table),
        }
        for key, title, table in (
            ("model", "Response model", disease.parameters),
            *([("sides", "Sides of the body", sides.parameters)] if sides else []),
            ("population", "Population", population.parameters),
            ("enrolment", "Enrolment and representation", recruitment.TABLE),
        )
    ]


def _study_text(run: Path, study: Study) -> str:
    sealed = run / "study.yaml"
    if sealed.is_file():
        return sealed.read_text(encoding="utf-8")
    return yaml.safe_dump(plain(study), sort_keys=False, allow_unicode=True, width=110)


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rooms.get_template("report.html.j2")
