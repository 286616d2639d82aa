"""All analyses of a study: which method serves which outcome, and every row of the results."""

import json
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from ...core.disease import Disease, Outcome
from ..study import Analysis, Study
from . import dataset, paired
from .means import mean
from .proportions import Contrast, Tally, risk_difference, share
from .regression import ancova, logistic
from .result import Finding, Result, engine_version
from .stratified import common_risk_difference

POPULATION = "full analysis set"
LEVEL = 0.95
ROLES = ("primary", "secondary", "exploratory", "descriptive")
BY_VISIT, MEAN_BY_VISIT = "by_visit", "mean_by_visit"

METHODS: dict[str, Callable[[pd.DataFrame, Contrast], list[Finding]]] = {
    "newcombe": risk_difference,
    "cochran_mantel_haenszel": common_risk_difference,
    "logistic": logistic,
    "ancova": ancova,
    "paired_t": paired.paired_t,
    "mcnemar": paired.mcnemar,
}
CONTINUOUS = ("ancova", "paired_t")
SERVES = {name: "continuous" if name in CONTINUOUS else "responder" for name in METHODS}
PAIRED = ("paired_t", "mcnemar")  # compare two sides of the same twins
ADJUSTS = ("logistic", "ancova", "paired_t")


def analyse(
    study: Study, disease: Disease, twins: pd.DataFrame, observations: pd.DataFrame, events: pd.DataFrame
) -> list[Result]:
    """Every result of a study: its comparisons, and what each arm shows at each visit after baseline.

    Args:
      twins, observations, events: the tables of a run, as in `dataset.analysis_table`.

    Returns:
      Rows in an order that depends on their content alone.

    Raises:
      ValueError: the study asks for what `check` would refuse, or the tables do not fit together.
    """
    problems = check(study, disease, twins.columns)
    if problems:
        raise ValueError("; ".join(problems))
    arms = _arms(study, twins, observations, events)
    rows = list(_describe(study, disease, arms))
    for name, plan in study.trial.analyses.items():
        # Only the two arms: a third one must not move what they show.
        table = _compared(arms, disease.outcomes[plan.outcome], plan)
        contrast = Contrast(plan.arm, plan.comparator, plan.covariates, round(1 - plan.alpha, 12))
        for finding in METHODS[plan.method](table, contrast):
            rows.append(_row(finding, contrast.level, name, plan.role, plan.outcome, plan.week, plan.intercurrent))
    return sorted(rows, key=_order)


def _arms(
    study: Study, twins: pd.DataFrame, observations: pd.DataFrame, events: pd.DataFrame
) -> dict[str, tuple[dataset.Records, np.ndarray]]:
    """Of each arm the records that hold it, and which twins of these are its own; with two sides, all twins are."""
    if study.trial.split:
        sides = dataset.sides(twins, observations, events, list(study.trial.arms))
        return {arm: (records, np.full(len(twins), True)) for arm, records in sides.items()}
    records = dataset.align(twins, observations, events)
    return {arm: (records, (records.twins["arm"] == arm).to_numpy()) for arm in study.trial.arms}


def _compared(arms: dict[str, tuple[dataset.Records, np.ndarray]], outcome: Outcome, plan: Analysis) -> pd.DataFrame:
    """The analysis table of two arms, `dataset.table`; with two sides, a row a twin and side."""
    chosen = [arms[plan.arm], arms[plan.comparator]]
    if chosen[0][0] is chosen[1][0]:
        table = dataset.table(chosen[0][0], outcome, plan.week, plan.intercurrent)
        return table.loc[chosen[0][1] | chosen[1][1]]
    parts = [dataset.table(records, outcome, plan.week, plan.intercurrent) for records, _ in chosen]
    return pd.concat(parts, ignore_index=True)


def check(study: Study, disease: Disease, attributes: Iterable[str] = ()) -> list[str]:
    """What is wrong with the analyses, known before anything is simulated: one sentence a problem.

    Args:
      attributes: what is known of each twin besides the disease's own attributes (those of its population).
    """
    split = study.trial.split
    measured = [name for name, endpoint in disease.endpoints.items() if study.trial.details or not endpoint.detail]
    if split and disease.sides is not None:
        measured = [name for name in measured if name in disease.sides.shares]
    baseline = {f"baseline_{name}" for name in measured}
    covariates = {"stratum", *disease.attributes, *baseline, *attributes}
    covariates = baseline if split else covariates - {"twin", "arm"}
    problems = [
        f"outcomes: {disease.name} has no outcome {name!r}; choose from {_names(disease.outcomes)}"
        for name in study.trial.outcomes
        if name not in disease.outcomes
    ]
    for name, analysis in study.trial.analyses.items():
        if name in (BY_VISIT, MEAN_BY_VISIT):
            problems.append(f"analyses.{name}: this name is kept for the description of each visit; choose another")
        outcome = disease.outcomes.get(analysis.outcome)
        if outcome is None:
            choices = _names(disease.outcomes)
            problems.append(
                f"analyses.{name}.outcome: {disease.name} has no outcome {analysis.outcome!r}; choose from {choices}"
            )
        else:
            problems += _mismatches(name, analysis, outcome, split)
        problems += _covariate_problems(name, analysis, covariates)
    return problems


def _mismatches(name: str, analysis: Analysis, outcome: Outcome, split: bool) -> list[str]:
    problems = []
    choices = _names(m for m, kind in SERVES.items() if kind == outcome.kind and (m in PAIRED) == split)
    if (analysis.method in PAIRED) != split:
        why = (
            "compares different people, but with design: split_body every twin has both arms"
            if split
            else "compares two sides of the same twins, but with design: parallel the arms are different people"
        )
        problems.append(f"analyses.{name}.method: {analysis.method} {why}; choose from {choices}")
    elif SERVES[analysis.method] != outcome.kind:
        problems.append(
            f"analyses.{name}.method: {analysis.method} is for a {SERVES[analysis.method]} outcome, "
            f"but {outcome.name} is a {outcome.kind} outcome; choose from {choices}"
        )
    if analysis.intercurrent == "composite" and outcome.kind != "responder":
        problems.append(
            f"analyses.{name}.intercurrent: composite counts an intercurrent event as non-response, "
            f"but {outcome.name} is a {outcome.kind} outcome; choose treatment_policy or while_on_treatment"
        )
    return problems


def _covariate_problems(name: str, analysis: Analysis, known: set[str]) -> list[str]:
    where = f"analyses.{name}.covariates"
    if analysis.covariates and analysis.method not in ADJUSTS:
        given = ", ".join(analysis.covariates)
        others = _names(m for m in ADJUSTS if (m in PAIRED) == (analysis.method in PAIRED))
        return [f"{where}: {analysis.method} would ignore {given}; leave them out, or choose from {others}"]
    problems = [
        f"{where}: no covariate {covariate!r}; choose from {_names(known)}"
        for covariate in dict.fromkeys(analysis.covariates)
        if covariate not in known
    ]
    twice = sorted({covariate for covariate in analysis.covariates if analysis.covariates.count(covariate) > 1})
    return problems + [f"{where}: {covariate!r} is listed twice; list it once" for covariate in twice]


def _describe(study: Study, disease: Disease, arms: dict[str, tuple[dataset.Records, np.ndarray]]) -> Iterator[Result]:
    """Each outcome of the trial, in each arm, at each visit after baseline."""
    for name in dict.fromkeys(study.trial.outcomes):
        outcome = disease.outcomes[name]
        responder = outcome.kind == "responder"
        kind, strategy = (BY_VISIT, "composite") if responder else (MEAN_BY_VISIT, "treatment_policy")
        for week in study.trial.visits[1:]:
            for arm, (records, of_arm) in arms.items():
                values, missing = dataset.value(records, outcome, week, strategy)
                mine = values[of_arm & ~np.isnan(values)]
                lacking = int(missing[of_arm].sum())
                if responder:
                    finding = share(arm, Tally(int(mine.sum()), len(mine), lacking), LEVEL)
                else:
                    finding = mean(arm, mine, lacking, LEVEL)
                yield _row(finding, LEVEL, kind, "descriptive", name, week, strategy)


def _row(
    finding: Finding, level: float, analysis: str, role: str, outcome: str, week: int, intercurrent: str
) -> Result:
    found = {key: item for key, item in vars(finding).items() if key != "options"}
    return Result(
        analysis=analysis,
        role=role,
        outcome=outcome,
        week=week,
        population=POPULATION,
        intercurrent=intercurrent,
        level=level,
        options=json.dumps(finding.options, sort_keys=True),
        engine_version=engine_version(finding.engine),
        **found,
    )


def _order(row: Result) -> tuple[int, str, str, int, bool, str, str, str]:
    """By role and name; a comparison before the figures of its arms."""
    return (
        ROLES.index(row.role), row.analysis, row.outcome, row.week,
        not row.comparator, row.arm, row.comparator, row.statistic,
    )  # fmt: skip


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
