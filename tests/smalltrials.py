"""Three made-up trials of three drugs, small enough to be calibrated within a second."""

from collections.abc import Mapping, Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from cutis.calibration.evidence.regimens import Course
from cutis.calibration.psoriasis.evidence.arms import Arm, Baseline, Readout, Trial
from cutis.calibration.psoriasis.evidence.regimens import read_course
from cutis.calibration.psoriasis.readings import GRID
from cutis.calibration.psoriasis.table import LADDER, Table, build
from cutis.calibration.scale import Vector
from cutis.core.diseases import DISEASES

SIZE = 32  # people an arm
DRUGS = ("adalimumab", "ustekinumab", "guselkumab")
VECTOR = Vector(("model.plaque_rate", "sensitivity.potency:sd", "placebo.improving"), ("log", "log", "logit"), DRUGS)
REGIMENS = {
    "placebo": (),
    "adalimumab": ({"treatment": "adalimumab", "dose": "40 mg", "weeks": [0, 1], "every": 2, "until": 12},),
    "ustekinumab": ({"treatment": "ustekinumab", "dose": "45 mg", "weeks": [0, 4]},),
    "guselkumab": ({"treatment": "guselkumab", "dose": "100 mg", "weeks": [0, 4]},),
}
RATES = {
    "placebo": (16.0, 6.0, 2.0),
    "adalimumab": (82.0, 66.0, 42.0),
    "ustekinumab": (84.0, 67.0, 41.0),
    "guselkumab": (92.0, 84.0, 60.0),
}
PLAN = {"one": ("placebo", "adalimumab"), "two": ("placebo", "guselkumab", "adalimumab"), "three": tuple(REGIMENS)[:3]}
NUMBERS = DISEASES["psoriasis"].parameters.numbers() | {  # round ones, so that another calibration changes no test
    **{"model.tnf_rate": 0.09, "model.memory_rate": 0.023, "model.t17_rate": 0.07, "model.plaque_rate": 0.063},
    **{"model.plaque_rate:sd": 0.85, "model.memory_floor": 0.17, "model.il17f_share": 0.008, "model.il23_free": 0.01},
    **{"model.il17f_share:sd": 0.6, "model.il23_free:sd": 0.8, "model.tnf_free_plaque": 0.008},
    **{"model.tnf_free_drive": 0.86, "sensitivity.potency:sd": 1.85, "sensitivity.shared": 0.34},
    **{"placebo.size": 0.88, "placebo.improving": 0.39, "placebo.worsening": 0.15, "placebo.rate": 0.026},
    **{"sensitivity.weight": 0.9, "sensitivity.prior_biologic": 0.5, "sensitivity.smoker": 0.3},
    **{"sensitivity.female": 0.0, "sensitivity.age": 0.012, "trial.attrition": 0.003},
    **{"adalimumab.half_maximal": 1.2, "ustekinumab.half_maximal": 0.23, "guselkumab.half_maximal": 0.1},
}
MIDDLES = (0.5, 0.25, 0.1, 0.02)  # plaque activity at which half of the people reach each response


def courses(name: str) -> tuple[Course, ...]:
    """What an arm receives."""
    return tuple(read_course(course, name) for course in REGIMENS[name])


def arm(name: str, n: int = 200, baseline: Baseline | None = None, weeks: Sequence[int] = (12,)) -> Arm:
    """An arm called by what it receives."""
    readouts = tuple(
        Readout(week, outcome, percent, n, "measured")
        for week in weeks
        for outcome, percent in zip(LADDER, RATES[name], strict=False)
    )
    return Arm(name, n, n, courses(name), readouts, baseline or Baseline())


def trial(key: str, *arms_: Arm, week: int = 12, naive: bool = False, race: str = "") -> Trial:
    """A trial."""
    return Trial(key, key.upper(), "", "", "", "measured", week, {"pasi": 12.0}, naive, "", race, "", arms_)


def trials(weeks: Sequence[int] = (12,)) -> tuple[Trial, ...]:
    """The three trials."""
    return tuple(trial(key, *(arm(name, weeks=weeks) for name in names)) for key, names in PLAN.items())


def curves() -> dict[str, np.ndarray]:
    """Response curves of a made-up rater."""
    steps = {name: expit((np.log(middle) - GRID) / 0.15) for name, middle in zip(LADDER, MIDDLES, strict=True)}
    return steps | {"iga01": steps["pasi90"], "dlqi01": steps["pasi90"]}


def theta(numbers: Mapping[str, float] = NUMBERS) -> dict[str, jax.Array]:
    """Parameters as arrays."""
    return {name: jnp.asarray(value, dtype="float64") for name, value in numbers.items()}


@cache
def table(weeks: tuple[int, ...] = (12,)) -> Table:
    """The table of the three trials."""
    with jax.numpy_dtype_promotion("standard"):
        return build(trials(weeks), (), (), VECTOR, theta(), curves(), SIZE)
