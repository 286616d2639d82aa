"""Calibration and validation as tables of their reports (`calibration.report.frames`), and the files of the lasers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ...core.laser import outcomes
from .. import estimates
from . import validate, write
from .calibrate import PEOPLE, Calibrated, Say, calibrate, quiet


@dataclass(frozen=True)
class Calibration:
    """A calibration with the tables that tell of it; `files` are those of `core/laser` that it writes anew."""

    found: Calibrated
    files: Mapping[str, bytes]
    predictions: pd.DataFrame
    parameters: pd.DataFrame
    checks: pd.DataFrame
    assumed: pd.DataFrame


def calibration(people: int = PEOPLE, say: Say = quiet) -> Calibration:
    """Estimate the parameters, and tell what the model then says of what was fitted; people: of each part of an arm."""
    found = calibrate(people=people, say=say)
    say("predictions")
    told = validate.predicted(found)
    return Calibration(
        found,
        {name: text.encode() for name, text in write.files(found).items()},
        told.loc[told["scheme"] == "fitted"].reset_index(drop=True),
        estimates.parameters(found.vector, found.fit, outcomes.TABLE, found.priors, ""),
        _orders(validate.ranked(found)),
        estimates.assumed(outcomes.TABLE, lambda name: "no ranking of the parameters of lasers yet"),
    )


def validation(of: Calibration, folds: int = 1, say: Say = quiet) -> Calibration:
    """The same with predictions of what was held out; which that is was settled beforehand, so there are no folds."""
    say("predictions of what was held out")
    return replace(of, predictions=validate.predicted(of.found))


def _orders(ranked: pd.DataFrame) -> pd.DataFrame:
    """Published orders of arms as checks."""
    origin = [" (named beforehand)" if named else " (added)" for named in ranked["named"]]
    about = ranked["what"] + " in " + ranked["trial"] + ": " + ranked["published"] + origin
    return pd.DataFrame(
        {
            "check": "order_" + ranked["trial"],
            "about": about,
            "unit": "chance that the order is kept",
            "low": 0.5,
            "high": 1.0,
            "predicted": ranked["chance"],
            "met": ranked["kept"],
            "status": "measured",
        }
    )
