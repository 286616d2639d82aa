"""Response rates of usual regimens at week 16 under many sets of parameters at once: what `importance` looks at.

The same people, skin and luck stand behind every set, so that rates differ by the parameters alone. Rows that agree in
all parameters that reach a step are computed once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.keys import root
from ...core.psoriasis import sensitivity
from ...core.psoriasis.endpoints import OUTCOMES
from ...core.psoriasis.treatments import NAMES, TREATMENTS, column
from ..evidence.regimens import Course
from . import readings
from .evidence.arms import arms
from .evidence.targets import timecourses
from .exposure import concentrations
from .simulate import Arms, Scenario, activity, gather
from .typical import alone

WEEK = 16
ASKED = ("pasi75", "pasi90", "iga01", "dlqi01")
GRID = readings.GRID[::4]  # 0.2 apart: what lies between is off by about 0.001 of a share
BATCH = 64  # sets of parameters that are followed together
READING = ("regions", "signs", "reported")  # parameters that act on what is seen of plaque activity only
DYNAMIC = ("model", "sensitivity", "placebo")  # those that act on plaque activity under any treatment
LEAVING = "trial.attrition"
EFFECT = ("half_maximal", "maximum", "carriers")  # of a drug; what else it has is pharmacokinetics
PLACEBO = "placebo"


@dataclass(frozen=True)
class Setting:
    """What all sets of parameters have in common.

    numbers: parameters by name, of which a set changes some. people: an arm (a power of 2). crowd: candidates behind
    the readings. seed: of the readings.
    """

    numbers: Mapping[str, float]
    people: int = 256
    crowd: int = 1024
    seed: int = 1

    @property
    def theta(self) -> dict[str, Array]:
        return {name: jnp.asarray(value, dtype="float64") for name, value in self.numbers.items()}


def regimens() -> dict[str, tuple[Course, ...]]:
    """Of each drug and of placebo: the regimen of its time course, else that of the largest arm that has it alone.

    Light and topicals, which the calibration follows in their own ways, are not among them.
    """
    found: dict[str, tuple[Course, ...]] = {PLACEBO: ()}
    for course in timecourses():
        if course.courses:
            found.setdefault(course.courses[0].treatment, course.courses)
    alone = [arm for trial in arms() for arm in trial.arms if len(arm.treatments) == 1]
    for arm in sorted(alone, key=lambda arm: -arm.n):
        found.setdefault(arm.treatments[0], arm.courses)
    drugs = [name for name in NAMES if TREATMENTS[name].route not in ("light", "topical")]
    return {name: found[name] for name in (PLACEBO, *drugs) if name in found}


def usual(treatment: str, people: int) -> Scenario:
    """An arm of usual participants of trials on the regimen of a drug, or on placebo."""
    return alone(treatment, regimens()[treatment], people)


def reaches(parameter: str, treatment: str) -> bool:
    """Whether a parameter can act on the rates of a treatment."""
    head = parameter.split(".")[0]
    return head in (*DYNAMIC, *READING, treatment) or parameter == LEAVING


def rates(
    setting: Setting, treatment: str, sets: Mapping[str, np.ndarray], curves: np.ndarray
) -> dict[str, np.ndarray]:
    """Share of people with each of ASKED at WEEK under each set of parameters, (sets,).

    Args:
      sets: values of each parameter that changes, (sets,). curves: of `response_curves` under the same sets.
    """
    seen = plaque(setting, treatment, sets)
    place = (seen - GRID[0]) / (GRID[1] - GRID[0])
    below = np.clip(place.astype(int), 0, len(GRID) - 2)
    part = np.clip(place - below, 0.0, 1.0)
    at = np.arange(len(seen))[:, None]
    left = np.exp(-WEEK * np.asarray(sets.get(LEAVING, setting.numbers[LEAVING])))
    shares = {}
    for name, curve in zip(ASKED, np.moveaxis(curves, 1, 0), strict=True):
        shares[name] = left * (curve[at, below] * (1 - part) + curve[at, below + 1] * part).mean(1)
    return shares


def plaque(setting: Setting, treatment: str, sets: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logarithm of plaque activity as seen at WEEK, (sets, people).

    Raises:
      ArithmeticError: some set lets rates be so high that the calibration's steps do not follow.
    """
    scenario, theta = usual(treatment, setting.people), setting.theta
    base = gather([scenario], WEEK, setting.people, theta)
    twins = {name: jnp.asarray(value) for name, value in scenario.twins.items()}
    changing = [name for name in sets if not _of_reading(name) and name != LEAVING]
    names, rows = _columns(sets, lambda name: name in changing and reaches(name, treatment))

    def follow(rows: np.ndarray) -> np.ndarray:
        values = {name: np.full(len(rows), setting.numbers[name]) for name in changing}
        values |= dict(zip(names, rows.T, strict=True))
        arms = base._replace(concentration=jnp.asarray(_exposures(scenario, base, theta, values)))
        return np.asarray(_follow(arms, twins, theta, {name: jnp.asarray(v) for name, v in values.items()}))

    def in_batches(rows: np.ndarray) -> np.ndarray:
        whole = np.resize(rows, (-(-len(rows) // BATCH) * BATCH, rows.shape[1]))  # one shape, hence one compilation
        return np.concatenate([follow(batch) for batch in np.split(whole, len(whole) // BATCH)])[: len(rows)]

    found = distinct(rows, in_batches)
    if not np.isfinite(found).all():
        raise ArithmeticError(
            f"{treatment}: the steps are too long for some parameters; is the range of a rate too wide?"
        )
    return found


@jax.jit
def _follow(arms: Arms, twins: dict[str, Array], theta: dict[str, Array], values: dict[str, Array]) -> Array:
    """Logarithm of plaque activity at WEEK, (sets, people); concentrations and `values` have one entry a set."""

    def one(concentration: Array, values: dict[str, Array]) -> Array:
        numbers = theta | values
        known = sensitivity.known(twins, column(numbers, "carriers", arms.drugs), numbers)
        changed = arms._replace(concentration=concentration, known=known[None])
        return activity(changed, WEEK, numbers, jnp.zeros(1))[-1, 0]

    return jax.vmap(one)(arms.concentration, values)


def _exposures(scenario: Scenario, base: Arms, theta: dict[str, Array], values: dict[str, np.ndarray]) -> np.ndarray:
    """Concentrations under each set, (sets, steps, 1, people)."""
    drug = scenario.arm.treatments[0] if scenario.arm.treatments else PLACEBO
    names, rows = _columns(values, lambda name: drug != PLACEBO and _kinetic(name, drug))

    def each(rows: np.ndarray) -> np.ndarray:
        if not names:
            return np.asarray(base.concentration)[None]
        sets = (theta | {name: jnp.asarray(v) for name, v in zip(names, row, strict=True)} for row in rows)
        found = [concentrations(drug, scenario.twins, scenario.arm.courses, WEEK, numbers) for numbers in sets]
        return np.stack(found)[:, :, None]

    return distinct(rows, each)


def response_curves(setting: Setting, sets: Mapping[str, np.ndarray]) -> np.ndarray:
    """Share of participants with each of ASKED at each plaque activity of GRID, (sets, outcomes, grid)."""
    names, rows = _columns(sets, _of_reading)
    theta, severity = setting.theta, readings.severities(setting.seed, setting.crowd)
    key, grid = root(setting.seed), jnp.asarray(GRID)

    def each(rows: np.ndarray) -> np.ndarray:
        changed = (theta | {name: jnp.asarray(v) for name, v in zip(names, row, strict=True)} for row in rows)
        return np.stack([np.asarray(_curves(numbers, key, severity, grid)) for numbers in changed])

    return distinct(rows, each)


@jax.jit
def _curves(theta: dict[str, Array], key: Array, severity: Array, grid: Array) -> Array:
    now, baseline, entered = readings.visits(theta, key, severity)

    def shares(activity: Array) -> Array:
        seen = now(jnp.exp(activity))
        return jnp.stack([readings.mean(OUTCOMES[name].derive(seen, baseline), entered) for name in ASKED])

    return jax.vmap(shares, out_axes=1)(grid)


def distinct(rows: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What `function` makes of some rows, computed once for rows that are the same."""
    if rows.shape[1] == 0:
        return np.repeat(function(rows[:1]), len(rows), axis=0)
    unique, place = np.unique(rows, axis=0, return_inverse=True)
    return function(unique)[place.reshape(-1)]


def _columns(sets: Mapping[str, np.ndarray], keep: Callable[[str], bool]) -> tuple[list[str], np.ndarray]:
    """Names of the parameters to keep, and their values, (sets, names)."""
    names = [name for name in sets if keep(name)]
    size = len(next(iter(sets.values())))
    return names, np.stack([sets[name] for name in names], axis=1) if names else np.zeros((size, 0))


def _of_reading(parameter: str) -> bool:
    return parameter.split(".")[0] in READING


def _kinetic(parameter: str, drug: str) -> bool:
    head, _, field = parameter.partition(".")
    return head == drug and field.split(":")[0] not in EFFECT
