"""Three made-up trials of topicals, small enough to be calibrated within seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import numpy as np

from cutis.calibration.acne.calibrate import Calibrated, calibrate
from cutis.calibration.acne.evidence.arms import Arm, Baseline, Readout, Trial
from cutis.calibration.acne.evidence.regimens import read_acne_courses
from cutis.calibration.acne.table import Table, build
from cutis.calibration.scale import Prior, Vector
from cutis.core.acne.treatments import PARAMETERS

SIZE = 32  # people an arm
DOSE = {"dose": "1 application", "times_a_day": 1, "weeks": [0], "until": 12}
REGIMENS = {
    "vehicle": {"treatment": "vehicle", **DOSE},
    "benzoyl_peroxide": {"treatment": "benzoyl_peroxide", "strength": 2.5, **DOSE},
    "adapalene": {"treatment": "adapalene", "strength": 0.1, **DOSE},
}
VALUES = {  # success, inflammatory and non-inflammatory lesions at week 12
    "vehicle": (16.0, -40.0, -33.0),
    "benzoyl_peroxide": (28.0, -56.0, -46.0),
    "adapalene": (24.0, -50.0, -44.0),
}
OUTCOMES = ("iga_success", "inflammatory_percent", "noninflammatory_percent")
PLAN = {
    "one": ("vehicle", "benzoyl_peroxide"),
    "two": ("vehicle", "adapalene"),
    "three": ("vehicle", "benzoyl_peroxide", "adapalene"),
}
BETTER = {"one": 1.0, "two": 0.8, "three": 1.15}  # what vehicles do, and the rest with them, by trial
ENTRY = {"iga": {"one_of": [3, 4]}, "inflammatory": {"min": 20, "max": 50}, "noninflammatory": {"min": 20, "max": 100}}
PRIORS = {
    "placebo.inflammation": Prior(0.34, "logit", 0.6, "why not"),
    "benzoyl_peroxide.keratolytic": Prior(0.22, "log", 0.5, "told by comedones"),
    "adapalene.comedolysis": Prior(0.17, "log", 0.5, "told by comedones"),
}
VECTOR = Vector(tuple(PRIORS), tuple(prior.scale for prior in PRIORS.values()))
START = VECTOR.vector({name: prior.middle for name, prior in PRIORS.items()})


def readouts(values: Sequence[float], n: int = 200, week: int = 12, status: str = "measured") -> tuple[Readout, ...]:
    """Figures of OUTCOMES."""
    return tuple(Readout(week, name, x, n, status, status) for name, x in zip(OUTCOMES, values, strict=False))


def arm(name: str, found: tuple[Readout, ...] | None = None) -> Arm:
    """An arm called by what it receives."""
    courses = read_acne_courses({"regimen": [REGIMENS[name]]}, name)
    return Arm(name, 200, 200, courses, readouts(VALUES[name]) if found is None else found, Baseline())


def trial(key: str, *arms_: Arm, week: int = 12, entry: Mapping | None = None) -> Trial:
    """A trial."""
    told = ENTRY if entry is None else entry
    return Trial(
        key, key.upper(), "", "", "", "measured", week, "randomised", (), 2015, "iga", told, "assumed", "", "", arms_
    )


def trials() -> tuple[Trial, ...]:
    """The three trials."""

    def of(key: str, name: str) -> Arm:
        return arm(name, readouts([round(BETTER[key] * value, 1) for value in VALUES[name]]))

    return tuple(trial(key, *(of(key, name) for name in names)) for key, names in PLAN.items())


@cache
def table() -> Table:
    """The table of the three trials."""
    numbers = PARAMETERS.numbers() | {name: prior.middle for name, prior in PRIORS.items()}
    return build(trials(), VECTOR, {k: jnp.asarray(v, dtype="float64") for k, v in numbers.items()}, SIZE)


@cache
def calibrated() -> Calibrated:
    """The calibration on them."""
    return calibrate(trials(), people=SIZE, priors=PRIORS)


def told(values: np.ndarray, n: int) -> tuple[Trial, ...]:
    """The three trials with these figures (as the table has them) of arms of `n` people."""
    place = table().place

    def of(key: str, name: str) -> Arm:
        found = [values[place[key, name, outcome, 12]] for outcome in OUTCOMES]
        return arm(name, readouts((100 * found[0], *found[1:]), n))

    return tuple(replace(t, arms=tuple(of(t.key, a.name) for a in t.arms)) for t in trials())
