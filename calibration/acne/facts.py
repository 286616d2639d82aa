"""What the calibrated model says of its parameters, and of published facts that it was not fitted to."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...core.acne.treatments import PARAMETERS
from .. import estimates
from .calibrate import Calibrated
from .evidence.arms import Arm, Baseline, Readout, Trial
from .evidence.regimens import read_acne_courses
from .evidence.targets import checks as published
from .table import EFFECTS, Table, build

ENTRY = {"inflammatory": {"min": 20, "max": 60}, "noninflammatory": {"min": 25, "max": 100}, "age": {"min": 12}}
USUAL = {"iga": {"one_of": [3, 4]}, **ENTRY}  # who is enrolled by most trials
TOPICAL = {"dose": "1 application", "times_a_day": 1, "weeks": [0]}
TABLET = {"times_a_day": 1, "weeks": [0]}
REGIMENS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "vehicle": ({"treatment": "vehicle", **TOPICAL, "until": 12},),
    "adapalene": ({"treatment": "adapalene", "strength": 0.1, **TOPICAL, "until": 12},),
    "tretinoin": ({"treatment": "tretinoin", "strength": 0.05, **TOPICAL, "until": 12},),
    "clindamycin": ({"treatment": "clindamycin", "strength": 1.2, **TOPICAL, "until": 12},),
    "placebo": ({"treatment": "placebo_tablet", "dose": "1 tablet", **TABLET, "until": 16},),
    "doxycycline_40": ({"treatment": "doxycycline", "dose": "40 mg", **TABLET, "until": 16},),
    "doxycycline_100": ({"treatment": "doxycycline", "dose": "100 mg", **TABLET, "until": 16},),
    "minocycline": ({"treatment": "minocycline", "dose": "1 mg/kg", **TABLET, "until": 16},),
}
COMEDONES, INFLAMED = "noninflammatory_percent", "inflammatory_percent"
ALIKE = 0.25  # of 1, by which a ratio that is told in words ("comparable") may miss


class Fact(NamedTuple):
    """A number of the model, and the ends between which it is to lie."""

    key: str
    about: str
    unit: str
    low: float
    high: float
    predicted: float
    status: str


def parameters(calibrated: Calibrated) -> pd.DataFrame:
    """Estimates with their limits, and what was believed before."""
    return estimates.parameters(calibrated.vector, calibrated.fit, PARAMETERS, calibrated.priors, "")


def checks(calibrated: Calibrated) -> pd.DataFrame:
    """Published facts beside trials, and what the model has (columns of `report.frames`)."""
    table = _table(calibrated)
    value = table.values(calibrated.fit.vector, np.zeros(len(EFFECTS) * len(table.trials)))

    def left(arm: str, over: str, outcome: str, week: int) -> float:
        """Lesions left with a treatment over those left with its control."""
        one, other = (value[table.place["facts", name, outcome, week]] for name in (arm, over))
        return float((100 + one) / (100 + other))

    found = []
    for arm in ("adapalene", "tretinoin"):
        ratio = left(arm, "vehicle", COMEDONES, 12) / left(arm, "vehicle", INFLAMED, 12)
        about = f"comedones left with {arm} at week 12, over vehicle, as a part of inflammatory lesions left"
        found.append(Fact(f"order_{arm}", about, "1", -math.inf, 1.0, ratio, "assumed"))
    for arm, over in (("clindamycin", "vehicle"), ("doxycycline_100", "placebo"), ("minocycline", "placebo")):
        ratio = left(arm, over, INFLAMED, 12) / left(arm, over, COMEDONES, 12)
        drug = arm.split("_")[0]
        about = f"inflammatory lesions left with {drug} at week 12, over {over}, as a part of comedones left"
        found.append(Fact(f"order_{arm}", about, "1", -math.inf, 1.0, ratio, "assumed"))
    known = {check.key: check for check in published()}["doxycycline_40_of_100"]
    low, usual, none = (
        value[table.place["facts", name, INFLAMED, 16]] for name in ("doxycycline_40", "doxycycline_100", "placebo")
    )
    ratio = float((low - none) / (usual - none))
    found.append(Fact(known.key, known.about, "1", known.low - ALIKE, known.high + ALIKE, ratio, known.status))
    rows = [
        fact._asdict() | {"check": fact.key, "met": bool(fact.low <= fact.predicted <= fact.high)} for fact in found
    ]
    return pd.DataFrame(rows).drop(columns="key")


def _table(calibrated: Calibrated) -> Table:
    """Of one made-up trial with the arms of REGIMENS, in the usual people."""
    of = calibrated.table
    size = of.groups[0][1].arms.placebo.shape[-1]
    return build((_trial(),), of.vector, of.fixed, size)


def _trial() -> Trial:
    arms = tuple(_arm(name) for name in REGIMENS)
    return Trial(
        *("facts", "facts", "", "", "", "assumed", 12, "randomised", (), "iga", USUAL, "assumed", "", ""), arms
    )


def _arm(name: str) -> Arm:
    courses = read_acne_courses({"regimen": [dict(course) for course in REGIMENS[name]]}, name)
    weeks = (12, 16) if courses[0].until == 16 else (12,)
    readouts = tuple(
        Readout(week, outcome, 0.0, 1, "assumed", "assumed") for week in weeks for outcome in (INFLAMED, COMEDONES)
    )
    return Arm(name, 1, 1, courses, readouts, Baseline())
