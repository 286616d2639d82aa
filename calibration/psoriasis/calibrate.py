"""The calibration of psoriasis from its evidence: readings, then the model, then what covariates do, and again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from ...core.diseases import DISEASES
from ...core.psoriasis.treatments import NAMES
from ..climb import Fit, Group, climb
from ..scale import Prior, Vector, believed, read_priors
from . import covariates, readings, readings_fit
from .evidence.arms import Trial, arms
from .evidence.targets import Relapse, TimeCourse, effects, relapses, timecourses
from .likelihood import counts, summaries
from .table import Table, build
from .typical import TYPICAL

PRIORS = Path(__file__).parent / "priors.yaml"
SEED = 1
PEOPLE = 256  # an arm
CROWD = 30_000  # candidates behind the readings
FITTED_RELAPSES = ("etanercept_pasi50", "etanercept_pasi75", "risankizumab_withdrawn", "guselkumab")
SPREADS = {"early": 0.2, "late": 0.15, "relapse": 0.3}  # what courses and relapse times may miss, on the logit scale
LEFT_OUT = {"pristine": "from week 12 on everybody could use topicals, which about a quarter did"}
NOT_FITTED = ("nb_uvb", "calcipotriol_betamethasone")  # calibrated on their own
ROUNDS = 2

Say = Callable[[str], None]


def quiet(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Evidence:
    """What a calibration may see."""

    trials: tuple[Trial, ...]
    courses: tuple[TimeCourse, ...]
    relapses: tuple[Relapse, ...]


@dataclass(frozen=True)
class Calibrated:
    """A calibration. numbers: all parameters of the disease with the estimates in their place."""

    evidence: Evidence
    numbers: dict[str, float]
    priors: dict[str, Prior]
    read: readings_fit.Fit
    table: Table
    fit: Fit
    steepness: float

    @property
    def vector(self) -> Vector:
        return self.table.vector


def everything() -> Evidence:
    """All evidence; relapses that are not fitted are predicted."""
    courses = tuple(course for course in timecourses() if course.courses)
    return Evidence(arms(), courses, relapses())


def calibrate(
    evidence: Evidence | None = None,
    left_out: Sequence[str] = (),
    start: Mapping[str, float] | None = None,
    people: int = PEOPLE,
    exact: bool = True,
    rounds: int = ROUNDS,
    crowd: int = CROWD,
    say: Say = quiet,
) -> Calibrated:
    """Estimate the parameters.

    Args:
      left_out: trials that must not be seen, beside those of LEFT_OUT.
      start: parameters to start from; what is believed before, if none are given.
      people: an arm, a power of 2. exact: of `climb`. rounds: how often readings, model and covariates are gone
        through. crowd: candidates behind the readings.
    Raises:
      ValueError: there is no round.
    """
    evidence = evidence or everything()
    unseen = {*LEFT_OUT, *left_out}
    seen = tuple(trial for trial in evidence.trials if trial.key not in unseen)
    priors = read_priors(PRIORS)
    drugs = tuple(name for name in NAMES if name not in NOT_FITTED)
    vector = Vector(tuple(priors), tuple(p.scale for p in priors.values()), drugs)
    numbers = dict(DISEASES["psoriasis"].parameters.numbers()) | dict(start or {})
    known = {effect.key: effect for effect in effects()}
    found = None
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: how plaque activity is read")
        read = readings_fit.fit(seen, numbers, people=crowd // 5)
        numbers |= {e.name: e.value for e in read.estimates if e.name in numbers}
        curves = readings.response_curves(numbers, SEED, crowd)
        fixed = {name: jnp.asarray(value, dtype="float64") for name, value in numbers.items()}
        table = build(evidence.trials, evidence.courses, evidence.relapses, vector, fixed, curves, people)
        fitted = [r for r in evidence.relapses if r.key in FITTED_RELAPSES]
        told = {
            "counts": counts(evidence.trials, table, unseen),
            "summaries": summaries(evidence.courses, fitted, table, SPREADS),
        }
        prior = believed(priors, references(table))
        say(f"round {number + 1} of {rounds}: the model, {told['counts'].telling} counts of {len(seen)} trials")
        begin = vector.vector(numbers) if start or number else prior.all()[0]
        last = number == rounds - 1
        result = climb(table, told, prior, (of_trials(table),), begin, exact=exact and last, say=say)
        numbers |= {name: float(value) for name, value in vector.numbers(jnp.asarray(result.vector)).items()}
        numbers |= {"trial.effect:sd": result.spreads["trial"], "trial.intraclass": result.variation["counts"]}
        steep = covariates.steepness(table, result)
        own = _by_concentration(evidence, vector, fixed, curves, people, result)
        numbers |= covariates.shifts(known, steep, own)
        say(f"round {number + 1} of {rounds}: steepness {steep:.3f}, weight by concentration {own:.3f}")
        found = Calibrated(evidence, numbers, priors, read, table, result, steep)
    if found is None:
        raise ValueError(f"rounds: expected at least 1, got {rounds}")
    return found


def of_trials(table: Table) -> Group:
    """What each trial adds to all of its arms."""
    return Group("trial", len(table.trials))


def references(table: Table) -> np.ndarray:
    """Logarithm of each drug's typical concentration: its mean over weeks 1 to 12 of the first course that has it."""
    found: dict[str, float] = {}
    for group in table.groups:
        for place, drug in enumerate(np.asarray(group.arms.drugs)):
            if drug > 0 and NAMES[drug - 1] not in found:
                seen = np.asarray(group.arms.concentration[14:108, place])
                found[NAMES[drug - 1]] = float(np.log(seen.mean()))
    return np.array([found[drug] for drug in table.vector.drugs])


def _by_concentration(
    evidence: Evidence, vector: Vector, fixed: dict, curves: dict[str, np.ndarray], people: int, result: Fit
) -> float:
    """What weight does to the logit of a response by way of concentrations."""
    courses = covariates.biologics(evidence.courses)
    plain = fixed | {"sensitivity.weight": jnp.asarray(0.0)}
    light, heavy = (
        build((), courses, (), vector, plain, curves, people, replace(TYPICAL, weight=covariates.REFERENCE * heavier))
        for heavier in (1.0, covariates.HEAVIER)
    )
    return covariates.by_concentration(light, heavy, result)
