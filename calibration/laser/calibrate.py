"""The calibration of lasers: light and heat once, then one climb to the posterior mode of what acts on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from ...core.laser import outcomes
from ...core.laser.calibrated import FILE
from ..climb import Fit, Group, Posterior, climb
from ..estimates import estimated
from ..scale import Believed, Prior, Vector, believed, read_priors
from ..terms import Term
from .crowd import given
from .likelihood import terms
from .solve import solved
from .table import ACT, EFFECTS, Table
from .trials import Arm, arms

PRIORS = Path(__file__).parent / "priors.yaml"
PEOPLE = 96  # of each part of an arm
ROUNDS, STEPS = 2, (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of the search for a start, in SD of the prior

Say = Callable[[str], None]


def quiet(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Calibrated:
    """A calibration. numbers: all numbers of outcomes with the estimates in their place."""

    arms: tuple[Arm, ...]
    numbers: dict[str, float]
    priors: dict[str, Prior]
    table: Table
    fit: Fit

    @property
    def vector(self) -> Vector:
        return self.table.vector


def calibrate(
    evidence: Sequence[Arm] | None = None,
    people: int = PEOPLE,
    priors: Mapping[str, Prior] | None = None,
    say: Say = quiet,
) -> Calibrated:
    """Estimate the parameters from the figures that are to be fitted.

    Args:
      evidence: arms, all if none are given; figures that are held out are predicted, not seen.
      people: of each part of an arm. priors: of the parameters that are estimated, those of PRIORS if none are given.
    Raises:
      ValueError: a parameter that is estimated is none of those that a calibration writes, or one of ACT is not.
    """
    evidence = arms() if evidence is None else tuple(evidence)
    priors = dict(read_priors(PRIORS) if priors is None else priors)
    stray, lacking = set(priors) - set(estimated(FILE)), set(ACT) - set(priors)
    if stray or lacking:
        told = "not in calibrated.yaml of laser" if stray else "lacks"
        raise ValueError(f"{PRIORS.name}: {told}: {', '.join(sorted(stray or lacking))}")
    vector = Vector(tuple(priors), tuple(prior.scale for prior in priors.values()))
    begin = vector.vector({name: prior.middle for name, prior in priors.items()})
    solution, parts = solved(evidence, people, say)
    table = Table(evidence, parts, solution, vector, dict(outcomes.TABLE.numbers()))
    told = terms(table)
    say(", ".join(f"{term.telling} figures of {name}" for name, term in told.items()))
    begin = near(table, told, believed(priors), begin)
    found = climb(table, told, believed(priors), groups(table), begin, adapt=False, say=say)
    estimates = {name: float(value) for name, value in vector.numbers(jnp.asarray(found.vector)).items()}
    return Calibrated(evidence, dict(outcomes.TABLE.numbers()) | estimates, priors, table, found)


def near(table: Table, told: Mapping[str, Term], prior: Believed, begin: np.ndarray) -> np.ndarray:
    """A vector from which there is a way up: the best of a few values of each parameter in turn, twice. Where a share
    is all but 0 or 1, as many are at the middle of the prior, slopes tell nothing."""
    at = Posterior(table, told, prior, groups(table))
    effects = np.zeros(len(at.spread))
    vector, (_, sd) = begin.copy(), prior.all()
    best = at.height(table.values(vector, effects), vector, effects)
    for _ in range(ROUNDS):
        for place in range(len(vector)):
            middle = vector[place]
            for step in STEPS:
                tried = vector.copy()
                tried[place] = middle + step * sd[place]
                height = at.height(table.values(tried, effects), tried, effects)
                if height > best:
                    best, vector = height, tried
    return vector


def groups(table: Table) -> tuple[Group, ...]:
    """What each trial adds, in the order of the table's effects, with its spread: too few trials to estimate it from,
    and one that is estimated grows until trials explain away what the parameters miss."""
    return tuple(Group(name, len(table.trials), given().value(f"spread.{name}")) for name in EFFECTS)
