"""All analyses of a study: which method serves which outcome, and every row of the results."""

import json
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from ...core.disease import Disease, Outcome
from ..study import Analysis, Study
from . import dataset
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
}
SERVES = {name: "continuous" if name == "ancova" else "responder" for name in METHODS}
ADJUSTS = ("logistic", "ancova")


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
    records = dataset.align(twins, observations, events)
    rows = list(_describe(study, disease, records))
    for name, plan in study.trial.analyses.items():
        table = dataset.table(records, disease.outcomes[plan.outcome], plan.week, plan.intercurrent)
        # Only the two arms: a third one must not move what they show.
        table = table.loc[table["arm"].isin([plan.arm, plan.comparator])]
        contrast = Contrast(plan.arm, plan.comparator, plan.covariates, round(1 - plan.alpha, 12))
        for finding in METHODS[plan.method](table, contrast):
            rows.append(_row(finding, contrast.level, name, plan.role, plan.outcome, plan.week, plan.intercurrent))
    return sorted(rows, key=_order)


def check(study: Study, disease: Disease, attributes: Iterable[str] = ()) -> list[str]:
    """What is wrong with the analyses, known before anything is simulated: one sentence a problem.

    Args:
      attributes: what is known of each twin besides the disease's own attributes (those of its population).
    """
    measured = (name for name, endpoint in disease.endpoints.items() if study.trial.details or not endpoint.detail)
    baseline = {f"baseline_{name}" for name in measured}
    covariates = {"stratum", *disease.attributes, *baseline, *attributes}
    covariates -= {"twin", "arm"}
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
            problems += _mismatches(name, analysis, outcome)
        problems += _covariate_problems(name, analysis, covariates)
    return problems


def _mismatches(name: str, analysis: Analysis, outcome: Outcome) -> list[str]:
    problems = []
    if SERVES[analysis.method] != outcome.kind:
        choices = _names(method for method, kind in SERVES.items() if kind == outcome.kind)
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
        return [f"{where}: {analysis.method} would ignore {given}; leave them out, or choose from {_names(ADJUSTS)}"]
    problems = [
        f"{where}: no covariate {covariate!r}; choose from {_names(known)}"
        for covariate in dict.fromkeys(analysis.covariates)
        if covariate not in known
    ]
    twice = sorted({covariate for covariate in analysis.covariates if analysis.covariates.count(covariate) > 1})
    return problems + [f"{where}: {covariate!r} is listed twice; list it once" for covariate in twice]


def _describe(study: Study, disease: Disease, records: dataset.Records) -> Iterator[Result]:
    """Each outcome of the trial, in each arm, at each visit after baseline."""
    arms = {arm: (records.twins["arm"] == arm).to_numpy() for arm in study.trial.arms}
    for name in dict.fromkeys(study.trial.outcomes):
        outcome = disease.outcomes[name]
        responder = outcome.kind == "responder"
        kind, strategy = (BY_VISIT, "composite") if responder else (MEAN_BY_VISIT, "treatment_policy")
        for week in study.trial.visits[1:]:
            values, missing = dataset.value(records, outcome, week, strategy)
            for arm, of_arm in arms.items():
                mine = values[of_arm & ~np.isnan(values)]
                lacking = int(missing[of_arm].sum())
                if responder:
                    finding = share(arm, Tally(int(mine.sum()), len(mine), lacking), LEVEL)
                else:
                    finding = _mean(arm, mine, lacking)
                yield _row(finding, LEVEL, kind, "descriptive", name, week, strategy)


def _mean(arm: str, values: np.ndarray, missing: int) -> Finding:
    from scipy.stats import t

    n = len(values)
    mean, se, half = (float(values.mean()) if n else math.nan), math.nan, math.nan
    if n > 1 and np.ptp(values) > 0:
        se = float(values.std(ddof=1)) / math.sqrt(n)
        half = float(t.isf((1 - LEVEL) / 2, n - 1)) * se
    note = "" if n > 1 and se > 0 else f"no interval: {n} twins with a value, or none that differ"
    return Finding(
        arm, "", "mean", {"interval": "t"}, "mean", mean, mean - half, mean + half, n,
        se=se, missing=missing, engine="cutis", note=note,
    )  # fmt: skip


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
