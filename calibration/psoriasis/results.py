"""Calibration and validation as tables of their reports (`calibration.report.frames`), and the files of the disease."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ...core.diseases import DISEASES
from ..estimates import assumed
from ..report.frames import COLUMNS
from . import facts, importance, outside, validate, write
from .calibrate import PEOPLE, SEED, Calibrated, Say, calibrate, quiet


@dataclass(frozen=True)
class Calibration:
    """A calibration with the tables that tell of it; `files` are those of `core/psoriasis` that it writes anew."""

    found: Calibrated
    files: Mapping[str, bytes]
    predictions: pd.DataFrame
    differences: pd.DataFrame
    parameters: pd.DataFrame
    courses: pd.DataFrame
    relapses: pd.DataFrame
    effects: pd.DataFrame
    onset: pd.DataFrame
    phototherapy: pd.DataFrame
    phototherapy_relapse: pd.DataFrame
    phototherapy_trials: pd.DataFrame
    assumed: pd.DataFrame
    importance: pd.DataFrame | None = None


def calibration(people: int = PEOPLE, say: Say = quiet) -> Calibration:
    """Estimate everything: readings, the model, what covariates do, then light, topical and triggers."""
    found = calibrate(people=people, say=say)
    say("light, topical and triggers")
    beside = outside.estimate(found.numbers)
    seen = validate.fitted(found)
    light = of_phototherapy(beside.light)
    return Calibration(
        found,
        {name: text.encode() for name, text in write.files(found, beside).items()},
        seen.predictions,
        seen.differences,
        facts.parameters(found),
        facts.courses(found),
        facts.relapses(found),
        facts.covariate_effects(found),
        facts.onset(found),
        light["phototherapy"],
        light["phototherapy_relapse"],
        light["phototherapy_trials"],
        assumed(DISEASES["psoriasis"].parameters, importance.unranked),
    )


def validation(of: Calibration, folds: int = validate.FOLDS, say: Say = quiet) -> Calibration:
    """The same with predictions of what was left out of the fit, and the importance of assumed parameters."""
    found = validate.validate(of.found, folds, say)
    ranking = importance.importance(SEED, say=say)
    return replace(of, predictions=found.predictions, differences=found.differences, importance=ranking)


def of_phototherapy(check: Any) -> dict[str, pd.DataFrame]:
    """The three tables of phototherapy, from what `phototherapy_check.check` finds."""
    quartiles = ("_low", "", "_high")
    weeks = [
        {"week": week.week}
        | {
            f"{what}{end}": value
            for what in ("observed", "predicted", "unseen")
            for end, value in zip(quartiles, getattr(week, what), strict=True)
        }
        for week in check.weeks
    ]
    fits = {"weekly PASI alone": check.relapse, "weekly PASI and relapse": check.relapse_if_fitted}
    relapses = [
        {"fit": fit, "patients": r.patients, "month": r.month, "observed": r.observed, "predicted": r.predicted}
        for fit, r in fits.items()
    ]
    trials = [
        {"trial": u.trial, "arm": u.arm, "outcome": u.outcome, "week": u.week, "n": u.n}
        | {"observed": u.observed / 100, "predicted": u.predicted / 100}
        for u in check.unseen
    ]
    parts = {"phototherapy": weeks, "phototherapy_relapse": relapses, "phototherapy_trials": trials}
    return {name: pd.DataFrame(found, columns=list(COLUMNS[name])) for name, found in parts.items()}
