"""All analyses of a study: which method serves which outcome, and every row of the results."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ...core.disease import Disease, Outcome
from ...core.keys import root, stream
from ..study import Analysis, Study
from . import completed, dataset, estimands, pooled, times
from .means import mean
from .offered import METHODS
from .offered import PAIRED as PAIRED
from .outcomes import named
from .proportions import Contrast, Tally, share
from .result import Finding, Result, engine_version
from .rules import BY_VISIT, MEAN_BY_VISIT, check

POPULATION = "full analysis set"
LEVEL = 0.95
ROLES = ("primary", "secondary", "exploratory", "descriptive")


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
        outcome = named(disease, plan.outcome)
        assert outcome is not None  # `check` asks for it
        contrast = Contrast(plan.arm, plan.comparator, plan.covariates, round(1 - plan.alpha, 12), plan.options)
        if plan.missing in completed.APPROACHES:
            key, records = stream(root(study.seed), "statistics", plan.outcome), arms[plan.arm][0]
            filled = completed.fill(
                key, records, disease, outcome, contrast, plan.week, plan.intercurrent, plan.missing or ""
            )
            found = pooled.analyse(filled, contrast, plan.method)
        else:
            # Only the two arms: a third one must not move what they show.
            found = METHODS[plan.method].run(_compared(arms, outcome, plan), contrast)
        for finding in found:
            if plan.missing:
                finding = replace(finding, options=finding.options | {"missing": plan.missing})
            rows.append(_row(finding, contrast.level, name, plan.role, plan.outcome, plan.week, plan.intercurrent))
    rows += _truths(study, disease, twins, rows)
    return sorted(rows, key=_order)


def compared(
    study: Study,
    twins: pd.DataFrame,
    observations: pd.DataFrame,
    events: pd.DataFrame,
    outcome: Outcome,
    plan: Analysis,
) -> pd.DataFrame:
    """The table that an analysis of a study reads, of its two arms: for figures that show more than its result."""
    return _compared(_arms(study, twins, observations, events), outcome, plan)


def _truths(study: Study, disease: Disease, twins: pd.DataFrame, rows: list[Result]) -> list[Result]:
    """Beside each comparison whose study asks for it, its true value in these twins, in both arms."""
    wanted = [name for name, plan in study.trial.analyses.items() if plan.estimand and plan.estimand.true_value]
    if not wanted:
        return []
    from .. import truth  # deferred: few studies ask, and it simulates
    from .truths import beside

    true = truth.true_values(study, disease, wanted, twins)
    estimated = {row.analysis: row for row in rows if row.comparator}
    found = []
    for name in wanted:
        plan, row = study.trial.analyses[name], estimated[name]
        outcome = named(disease, plan.outcome)
        responder = outcome is not None and outcome.kind == "responder"
        finding = beside(true[name], row, estimands.attributes(study, disease, plan), responder)
        found.append(_row(finding, row.level, name, plan.role, plan.outcome, plan.week, plan.intercurrent))
    return found


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
        table = _read(chosen[0][0], outcome, plan)
        found = table.loc[table["arm"].isin([plan.arm, plan.comparator])]
        found.attrs["until"] = plan.week - (plan.options.from_week or 0)
        return found
    parts = [dataset.table(records, outcome, plan.week, plan.intercurrent) for records, _ in chosen]
    return pd.concat(parts, ignore_index=True)


def _read(records: dataset.Records, outcome: Outcome, plan: Analysis) -> pd.DataFrame:
    """The table that a method reads: a row a twin, a row a twin and visit, or times."""
    reads, chosen = METHODS[plan.method].reads, plan.options
    if reads == "times":
        kind = chosen.time_to or "response"
        return times.table(records, outcome, plan.week, plan.intercurrent, kind, chosen.from_week or 0)
    if reads == "visits":
        weeks = chosen.visits or [week for week in sorted(records.rows) if 0 < week <= plan.week]
        return dataset.over_visits(records, outcome, weeks, plan.intercurrent)
    table = dataset.table(records, outcome, plan.week, plan.intercurrent)
    if plan.missing == "non_response" and plan.intercurrent != "composite":
        table["value"] = table["value"].where(~table["missing"], 0.0)
    return table


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
