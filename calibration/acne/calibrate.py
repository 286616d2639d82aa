"""The calibration of acne: one climb to the posterior mode of its parameters and of what each trial adds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from ...core.acne.treatments import HERE, PARAMETERS
from ..climb import Fit, Group, climb
from ..estimates import estimated
from ..scale import Prior, Vector, believed, read_priors
from . import relapse
from .evidence.arms import Trial, arms, independent
from .likelihood import given, terms
from .table import EFFECTS, Table, build

PRIORS = Path(__file__).parent / "priors.yaml"
PEOPLE = 64  # an arm; 256 change its figures by 0.3 points on average
LEFT_OUT = {  # predicted all the same
    "xu_2017": "four weeks of treatment in 48 people an arm, without an arm on neither",
    "toossi_2008": "papules and pustules by themselves, without the arm on placebo",
    "satisfy": "open, and of those who stayed for a year",
}
SPREADS = {name: f"trial.{name}:sd" for name in EFFECTS}  # the parameter that is estimated as the spread of an effect

Say = Callable[[str], None]


def quiet(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Calibrated:
    """A calibration. trials: those that tell of people of their own. numbers: all parameters of the disease with the
    estimates in their place."""

    trials: tuple[Trial, ...]
    numbers: dict[str, float]
    priors: dict[str, Prior]
    table: Table
    fit: Fit

    @property
    def vector(self) -> Vector:
        return self.table.vector


def calibrate(
    trials: Sequence[Trial] | None = None,
    left_out: Sequence[str] = (),
    start: Mapping[str, float] | None = None,
    people: int = PEOPLE,
    priors: Mapping[str, Prior] | None = None,
    say: Say = quiet,
) -> Calibrated:
    """Estimate the parameters.

    Args:
      trials: the evidence; nobody may be counted in two of them. All published ones, if none are given.
      left_out: what must not be seen (`likelihood.seen`), beside trials of LEFT_OUT.
      start: parameters to start from; what is believed before, if none are given.
      people: an arm, a power of 2. priors: of the parameters that are estimated, those of PRIORS if none are given.
    Raises:
      ValueError: a parameter that is estimated is none of those that a calibration writes.
    """
    trials = independent(arms()) if trials is None else tuple(trials)
    priors = dict(read_priors(PRIORS) if priors is None else priors)
    stray = {name.removesuffix(":sd") for name in priors} - set(estimated(HERE / "calibrated.yaml"))
    if stray:
        raise ValueError(f"{PRIORS.name}: not in calibrated.yaml of acne: {', '.join(sorted(stray))}")
    vector = Vector(tuple(priors), tuple(prior.scale for prior in priors.values()))
    before = {name: prior.middle for name, prior in priors.items()}
    numbers = dict(PARAMETERS.numbers()) | relapse.before() | before
    fixed = {name: jnp.asarray(value, dtype="float64") for name, value in numbers.items()}
    say(f"people of {sum(len(trial.arms) for trial in trials)} arms of {len(trials)} trials")
    table = build(trials, vector, fixed, people)
    told = terms(trials, table, {*LEFT_OUT, *left_out})
    say(", ".join(f"{term.telling} figures of {name}" for name, term in told.items()))
    begin = vector.vector(before | {k: v for k, v in (start or {}).items() if k in before})
    found = climb(table, told, believed(priors), groups(table, trials), begin, say=say)
    numbers |= {name: float(value) for name, value in vector.numbers(jnp.asarray(found.vector)).items()}
    numbers |= {SPREADS[name]: spread for name, spread in found.spreads.items()}
    return Calibrated(trials, numbers, priors, table, found)


def groups(table: Table, trials: Sequence[Trial]) -> tuple[Group, ...]:
    """What each trial adds, in the order of the table's effects, with the spreads to start from.

    In trials with an arm on a vehicle the effects are told by how vehicles and drugs differ from one trial to the next.
    In the others they take up whatever makes all arms of a trial respond otherwise than predicted (everybody knows that
    he receives a drug, for one), and have spreads of their own.
    """
    controlled = {trial.key for trial in trials if trial.controls}
    usual = np.array([key in controlled for key in table.trials])
    spreads = {name: given().value(f"spread.{name}") for name in EFFECTS}
    return tuple(Group(name, len(usual), spread, usual, spread) for name, spread in spreads.items())
