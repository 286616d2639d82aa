"""True values of estimands: the same twins put through both arms of a comparison, and their outcomes compared.

Draws are addressed by twin and purpose, so a twin has one course in each arm: what would happen to it there. In this
world nobody is lost and no visit is missed: who stops treatment stays under observation. An intercurrent event under
a hypothetical strategy does not happen at all. What the method would estimate from all these courses together, every
twin in both arms, is the true value for these twins: without allocation, without missing values.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from ..core.disease import Disease, Outcome
from ..core.keys import root
from ..population.sample import POPULATIONS
from . import numerics, ways
from .conduct import NEVER, kernel, parameters_of, twins_of
from .enrol import enrol
from .levels import categories
from .schedule import mesh, protocol
from .shard import SIZE
from .statistics import dataset, estimands, times
from .statistics.offered import METHODS
from .statistics.outcomes import named
from .statistics.proportions import Contrast
from .study import Analysis, Study

ARM_SPECIFIC = ("arm", "doses_planned", "doses_taken")  # columns of a run's twins that depend on the arm


class Truth(NamedTuple):
    """The true value of one analysis' estimand in some twins.

    value: of the comparison, a ratio as a ratio. se: its standard error as an estimate for the population that the
    twins come from, where the value is a mean difference between what the same twin has in either arm; else NaN.
    arm, comparator: mean outcome of the twins in either arm. n: twins in the estimand's population, of `twins`.
    note: why there is no value; empty if there is one.
    """

    statistic: str
    value: float
    se: float
    arm: float
    comparator: float
    n: int
    twins: int
    note: str


class Course(NamedTuple):
    """What happens to all twins in one arm: records, and the week at which each kind of event begins, or infinity."""

    records: dataset.Records
    events: dict[str, np.ndarray]


def true_value(study: Study, disease: Disease, name: str, twins: pd.DataFrame | None = None) -> Truth:
    """The true value of one analysis, by its name; see `true_values`."""
    return true_values(study, disease, [name], twins)[name]


def true_values(
    study: Study, disease: Disease, names: Iterable[str], twins: pd.DataFrame | None = None
) -> dict[str, Truth]:
    """The true value of each of these analyses.

    Args:
      twins: in which twins, as in a run's table: twin, arm, stratum and attributes. Those of the study by default; for
        the value in the population enrol more (`enrolled` of a study with a larger `population.size`).

    Raises:
      ValueError: the study has no such analysis, or none of this analysis' kind has a true value.
    """
    plans = study.trial.analyses
    for name in names:
        if name not in plans:
            raise ValueError(f"analyses: no analysis {name!r}; choose from {', '.join(sorted(plans))}")
        if study.trial.split or plans[name].method == "log_rank":
            what = "of a split-body trial" if study.trial.split else "of a log-rank test"
            raise ValueError(f"analyses.{name}: there is no true value {what}")
    twins = enrolled(study, disease) if twins is None else twins
    way = ways.choose(study, "auto").name
    scale = _scale(study, disease, twins, way)
    lived: dict[tuple[tuple[str, ...], str], Course] = {}
    found = {}
    for name in names:
        plan = plans[name]
        strategies = estimands.events(study, plan)
        without = tuple(event for event, strategy in strategies.items() if strategy == "hypothetical")
        for arm in (plan.arm, plan.comparator):
            if (without, arm) not in lived:
                lived[without, arm] = follow(study, disease, twins, arm, without, scale, way)
        outcome = named(disease, plan.outcome)
        if outcome is None:
            raise ValueError(f"analyses.{name}.outcome: {disease.name} has no outcome {plan.outcome!r}")
        courses = lived[without, plan.arm], lived[without, plan.comparator]
        found[name] = compared(courses, plan, outcome, strategies)
    return found


def enrolled(study: Study, disease: Disease) -> pd.DataFrame:
    """The twins of a study, as a run would list them, but for the doses."""
    key = root(study.seed)
    people = enrol(study, disease, key)
    levels = categories(POPULATIONS[study.population.source].attributes)
    frame = {"twin": people.ids, "arm": np.array(list(study.trial.arms))[people.arms]}
    frame["stratum"] = np.array(people.labels)[people.strata]
    known = twins_of(study.population.source, key, jnp.asarray(people.ids))
    for name, values in known.items():
        if name in POPULATIONS[study.population.source].attributes:
            frame[name] = np.array(levels[name])[np.asarray(values)] if name in levels else np.asarray(values)
    for name, column in people.added.items():
        frame[name] = np.array(column.levels)[column.values] if column.levels else column.values
    return pd.DataFrame(frame)


def world(study: Study, without: tuple[str, ...] = ()) -> Study:
    """The study with nobody lost and no visit missed, and without some kinds of intercurrent events."""
    conduct = study.trial.conduct
    rates: dict[str, float] = {"followed_up": 1.0}
    if "treatment_stopped" in without:
        rates |= {"adverse_event": 0.0, "lack_of_efficacy": 0.0, "other": 0.0}
    changes = {"missed_visit": 0.0, "discontinuation": conduct.discontinuation.model_copy(update=rates)}
    if "rescue_started" in without:
        changes["rescue"] = None
    trial = study.trial.model_copy(update={"conduct": conduct.model_copy(update=changes)})
    return study.model_copy(update={"trial": trial})


def follow(
    study: Study, disease: Disease, twins: pd.DataFrame, arm: str, without: tuple[str, ...], scale: float,
    way: str = ways.XLA,
) -> Course:  # fmt: skip
    """All twins in one arm, in the world without some kinds of events, on a time mesh of this scale.

    way: what computes, `lanes` or `xla`.
    """
    asked = world(study, without)
    trial = protocol(asked, disease, mesh(asked.trial, scale))
    theta = parameters_of(disease, study.model.draw)
    run = kernel(disease.name, study.population.source, study.trial.details, False, way)
    ids, key = twins["twin"].to_numpy(), root(study.seed)
    number = list(study.trial.arms).index(arm)
    parts = []
    for start in range(0, len(ids), SIZE):
        some = ids[start : start + SIZE]
        # Always one shape, that of a run's shards: the last bit depends on it.
        padded = jnp.asarray(np.resize(some, SIZE)), jnp.full(SIZE, number, dtype="int64")
        record = jax.tree.map(np.asarray, run(key, *padded, trial, theta))
        parts.append((record.visits, record.status.stopped, record.status.rescue, len(some)))
    visits = {
        name: np.concatenate([part[0][name][:, : part[3]] for part in parts], axis=1)
        for name in disease.endpoints
        if name in parts[0][0]
    }
    weeks = np.array(study.trial.visits, float)
    stopped, rescued = (np.concatenate([part[i][: part[3]] for part in parts]) for i in (1, 2))
    at = {"treatment_stopped": stopped, "rescue_started": rescued}
    begun = {name: np.where(visit == NEVER, np.inf, weeks[visit]) for name, visit in at.items()}
    frame = twins.drop(columns=[c for c in ARM_SPECIFIC if c in twins.columns]).assign(arm=arm).reset_index(drop=True)
    rows = {week: v * len(ids) + np.arange(len(ids)) for v, week in enumerate(study.trial.visits)}
    endpoints = {name: values.ravel() for name, values in visits.items()}
    return Course(dataset.Records(frame, endpoints, rows, np.full(len(ids), np.inf)), begun)


def compared(courses: tuple[Course, Course], plan: Analysis, outcome: Outcome, strategies: dict[str, str]) -> Truth:
    """The comparison of what the same twins have in either arm, by the strategies for intercurrent events."""
    tables = [_table(course, plan, outcome, strategies) for course in courses]
    inside = np.full(len(tables[0]), True)
    for course, table in zip(courses, tables, strict=True):
        stratum = _first(course, strategies, "principal_stratum")
        inside &= (stratum > plan.week) & table["value"].notna().to_numpy()
    one, two = (table.loc[inside] for table in tables)
    n, statistic = int(inside.sum()), estimands.SUMMARIES[plan.method]
    nan = math.nan
    if not n:
        return Truth(statistic, nan, nan, nan, nan, 0, len(inside), "no twin belongs to the population of the estimand")
    means = float(one["value"].mean()), float(two["value"].mean())
    if plan.method in estimands.DIFFERENCES:
        away = one["value"].to_numpy(float) - two["value"].to_numpy(float)
        se = float(away.std(ddof=1) / math.sqrt(n)) if n > 1 else nan
        return Truth(statistic, float(away.mean()), se, *means, n, len(inside), "")
    both = pd.concat([one, two], ignore_index=True)
    both.attrs["until"] = plan.week - (plan.options.from_week or 0)
    contrast = Contrast(plan.arm, plan.comparator, plan.covariates, round(1 - plan.alpha, 12), plan.options)
    row = METHODS[plan.method].run(both, contrast)[0]
    return Truth(row.statistic, row.estimate, nan, *means, n, len(inside), row.note if math.isnan(row.estimate) else "")


def _table(course: Course, plan: Analysis, outcome: Outcome, strategies: dict[str, str]) -> pd.DataFrame:
    """A row a twin, as `dataset.table`, with the outcome by the strategies; and `time` for methods that need it."""
    counted = _first(course, strategies, "composite")
    if METHODS[plan.method].reads == "times":
        strategy = "composite" if "composite" in strategies.values() else "treatment_policy"
        records, options = replace(course.records, event=counted), plan.options
        return times.table(records, outcome, plan.week, strategy, options.time_to or "response", options.from_week or 0)
    strategy = "while_on_treatment" if "while_on_treatment" in strategies.values() else "treatment_policy"
    records = replace(course.records, event=_first(course, strategies, "while_on_treatment"))
    table = dataset.table(records, outcome, plan.week, strategy)
    value = table["value"].to_numpy(float)
    return table.assign(value=np.where(~np.isnan(value) & (counted <= plan.week), 0.0, value))


def _first(course: Course, strategies: dict[str, str], strategy: str) -> np.ndarray:
    """Week of each twin's first event of the kinds under a strategy, infinity if none."""
    chosen = [course.events[event] for event, given in strategies.items() if given == strategy]
    return np.min(chosen, axis=0) if chosen else np.full(len(course.records.twins), np.inf)


def _scale(study: Study, disease: Disease, twins: pd.DataFrame, way: str) -> float:
    """Of the time mesh, as a run of the study chooses it."""
    arms = pd.Index(list(study.trial.arms)).get_indexer(np.asarray(twins["arm"]))
    ids = twins["twin"].to_numpy()
    return numerics.tune(study, disease, root(study.seed), *numerics.probe(ids[: 4 * SIZE], arms, 0), way).scale
