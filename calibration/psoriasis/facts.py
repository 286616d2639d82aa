"""What the calibrated model says of other published facts: courses, relapse, covariates and speed of onset."""

from collections.abc import Sequence
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import rankdata

from ...core.psoriasis.treatments import PARAMETERS
from .. import estimates
from ..predict import LEVEL, Refit, draws
from . import covariates
from .calibrate import FITTED_RELAPSES, Calibrated
from .evidence.arms import Baseline, Trial
from .evidence.targets import TimeCourse, effects, rates, subgroups
from .likelihood import relapse_targets
from .table import RESPONSES, Table, build
from .typical import TYPICAL
from .validate import CLASS_OF

HEAVY = 115.0  # kg, taken as the mean weight of people above 100 kg


def parameters(calibrated: Calibrated) -> pd.DataFrame:
    """Estimates with their limits, and what was believed before."""
    why = "typical concentrations exceed it by a factor that varies over drugs"
    return estimates.parameters(calibrated.vector, calibrated.fit, PARAMETERS, calibrated.priors, why)


def courses(calibrated: Calibrated) -> pd.DataFrame:
    """Courses of response by regimen, published (in a meta-analysis) and by the model."""
    value = calibrated.fit.slopes.value
    rows = [
        {
            "drug": course.courses[0].treatment,
            "course": course.key,
            "outcome": outcome,
            "week": week,
            "published": percent / 100,
            "predicted": float(value[calibrated.table.place[course.key, "", outcome, week]]),
        }
        for course in calibrated.evidence.courses
        for outcome, percents in course.percents.items()
        for week, percent in percents.items()
    ]
    return pd.DataFrame(rows)


def relapses(calibrated: Calibrated) -> pd.DataFrame:
    """Shares that still had a response at a time after the last dose."""
    found = draws(Refit(calibrated.table, calibrated.fit))
    rows = []
    for relapse in calibrated.evidence.relapses:
        if not any(e.kind == "relapse" and e.key == relapse.key for e in calibrated.table.entries):
            continue
        for place, share in relapse_targets(relapse, calibrated.table):
            low, high = np.quantile(found.drawn[:, place], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            entry = calibrated.table.entries[place]
            rows.append(
                {
                    "key": relapse.key,
                    "drug": relapse.treatment,
                    "week": entry.week,
                    "weeks_after": entry.week - relapse.stopped,
                    "among": relapse.among,
                    "outcome": entry.outcome,
                    "published": share,
                    "predicted": float(found.value[place]),
                    "low": low,
                    "high": high,
                    "fitted": relapse.key in FITTED_RELAPSES,
                    "status": relapse.status,
                }
            )
    return pd.DataFrame(rows)


def onset(calibrated: Calibrated) -> pd.DataFrame:
    """Speed: the published rate of onset, and the share of the week-16 PASI 75 that is reached at week 4."""
    value = calibrated.fit.slopes.value
    place = calibrated.table.place
    rows = []
    for course in calibrated.evidence.courses:
        drug = course.courses[0].treatment
        if drug in rates() and not any(row["drug"] == drug for row in rows):
            early, late = (value[place[course.key, "", "pasi75", week]] for week in (4, 16))
            published = [course.percents["pasi75"][week] for week in (4, 16)]
            rows.append(
                {
                    "drug": drug,
                    "drug_class": CLASS_OF[drug],
                    "rate_published": rates()[drug],
                    "published": published[0] / published[1],
                    "predicted": float(early / late),
                }
            )
    frame = pd.DataFrame(rows)
    frame["rank_published"] = rankdata(-frame.published)
    frame["rank_predicted"] = rankdata(-frame.predicted)
    return frame.sort_values("rank_published", ignore_index=True)


def covariate_effects(calibrated: Calibrated) -> pd.DataFrame:
    """Odds ratios of PASI 90 at week 16 on biologics, and responses of heavy people, which were not fitted."""
    known = {effect.key: effect for effect in effects()}
    alike = {
        "prior_biologic_trials": (replace(TYPICAL, prior_biologic=0.0), replace(TYPICAL, prior_biologic=1.0), 1.0),
        "weight_badbir": (TYPICAL, replace(TYPICAL, weight=covariates.REFERENCE + 10), 10.0),
        "age": (replace(TYPICAL, age=45.0), replace(TYPICAL, age=55.0), 10.0),
        "female": (replace(TYPICAL, male=1.0), replace(TYPICAL, male=0.0), 1.0),
    }
    rows = []
    for key, (one, other, by) in alike.items():
        low, high = (_biologics(calibrated, people) for people in (one, other))
        effect = known[key]
        rows.append(
            {
                "covariate": effect.covariate,
                "contrast": effect.contrast,
                "outcome": effect.outcome,
                "published": effect.odds_ratio,
                "low": effect.low,
                "high": effect.high,
                "predicted": float(np.exp(np.mean(logit(high) - logit(low)) / by)),
                "fitted": True,
            }
        )
    return pd.DataFrame(rows + _heavy(calibrated))


def _biologics(calibrated: Calibrated, people: Baseline) -> np.ndarray:
    """PASI 90 at week 16 of each biologic in such people."""
    table = _table(calibrated, (), covariates.biologics(calibrated.evidence.courses), people)
    value = table.values(calibrated.fit.vector, np.zeros(0))
    return np.array([v for e, v in zip(table.entries, value, strict=True) if (e.outcome, e.week) == ("pasi90", 16)])


def _table(
    calibrated: Calibrated, trials: Sequence[Trial], courses: Sequence[TimeCourse], people: Baseline = TYPICAL
) -> Table:
    """Of other evidence, with what the calibration has found of covariates, which is no part of its vector."""
    of = calibrated.table
    curves = dict(zip(RESPONSES, np.asarray(of.curves), strict=True))
    fixed = of.fixed | {k: jnp.asarray(v) for k, v in calibrated.numbers.items() if k.startswith("sensitivity.")}
    size = of.groups[0].arms.known.shape[1]
    return build(trials, courses, (), of.vector, fixed, curves, size, people)


def _heavy(calibrated: Calibrated) -> list[dict[str, object]]:
    """Of trials' people above a weight, taken to weigh HEAVY on average."""
    trials = {trial.key: trial for trial in calibrated.evidence.trials}
    rows: list[dict[str, object]] = []
    for group in subgroups():
        trial = trials[group.trial]
        arm = trial.arm(group.arm)
        heavy = replace(trial, arms=(replace(arm, baseline=replace(arm.baseline, weight=HEAVY)),))
        table = _table(calibrated, (heavy,), ())
        value = table.values(calibrated.fit.vector, np.zeros(1))
        for outcome, percent in group.percents.items():
            place = table.place.get((group.trial, group.arm, outcome, group.week))
            if place is not None:
                rows.append(
                    {
                        "covariate": f"weight above {group.above:g} kg, {arm.treatments[0]} ({trial.title})",
                        "contrast": "share of responders",
                        "outcome": outcome,
                        "published": percent / 100,
                        "low": None,
                        "high": None,
                        "predicted": float(value[place]),
                        "fitted": False,
                    }
                )
    return rows
