"""Calibration and validation as tables of their reports (`calibration.report.frames`), and the files of the disease."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ...core.diseases import DISEASES
from ..estimates import assumed
from . import facts, relapse, validate, write
from .calibrate import PEOPLE, Calibrated, Say, calibrate, quiet
from .checks import checks

TWINS = 1024  # of each regimen, for facts beside trials


@dataclass(frozen=True)
class Calibration:
    """A calibration with the tables that tell of it; `files` are those of `core/acne` that it writes anew."""

    found: Calibrated
    files: Mapping[str, bytes]
    predictions: pd.DataFrame
    differences: pd.DataFrame
    parameters: pd.DataFrame
    checks: pd.DataFrame
    assumed: pd.DataFrame


def calibration(people: int = PEOPLE, say: Say = quiet, twins: int = TWINS) -> Calibration:
    """Estimate the parameters, and tell what the model then says; people: an arm of a trial, twins: for other facts."""
    fit = calibrate(people=people, say=say)
    say("relapse after isotretinoin")
    after = relapse.estimate(fit.numbers, people=twins, say=say)
    found = replace(fit, numbers=fit.numbers | dict(after.values))
    say("predictions of what was fitted")
    seen = validate.fitted(found)
    say("other published facts")
    told = checks(found.numbers, people=twins, say=say)
    return Calibration(
        found,
        {name: text.encode() for name, text in write.files(found, relapse.notes(after)).items()},
        seen.predictions,
        seen.differences,
        facts.parameters(found),
        told.loc[told["answered"]],
        assumed(DISEASES["acne"].parameters, lambda name: "no ranking of acne's parameters yet"),
    )


def validation(of: Calibration, folds: int = validate.FOLDS, say: Say = quiet) -> Calibration:
    """The same with predictions of what was left out of the fit."""
    found = validate.validate(of.found, folds, say)
    return replace(of, predictions=found.predictions, differences=found.differences)
