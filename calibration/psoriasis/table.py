"""Every probability that the evidence is compared with, as one vector, and its slopes in all parameters.

An arm has one drug at most and belongs to one trial, so the slopes in all half-maximal concentrations together cost one
directional derivative, and those in all trial effects another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.psoriasis.treatments import NAMES
from ..climb import scattered
from ..scale import Vector
from .cohort import participants
from .evidence.arms import Arm, Baseline, Trial
from .evidence.targets import Relapse, TimeCourse
from .readings import GRID
from .simulate import Arms, Scenario, activity, gather
from .typical import TYPICAL, alone

LADDER = ("pasi50", "pasi75", "pasi90", "pasi100")
RESPONSES: tuple[str, ...] = (*LADDER, "iga01", "dlqi01")
READ_AS = {"half_improvement": "pasi50", "iga3": "pasi50"}  # the nearest response that the readings tell of
HORIZONS = (12, 16, 24, 60, 108)  # weeks
STEP = 1e-6  # of central differences, on the scale of the vector; longer ones meet the bends of the response curves
LONGEST = 52  # week of an arm that is followed


class Entry(NamedTuple):
    """What one place of the vector is: an arm's share of `outcome` at `week`, or (relapse) of those of `among` at week
    `since` who still have it. drug, trial: -1 for none. leaving: weeks in which those who leave count as without it."""

    kind: str
    key: str
    arm: str
    outcome: str
    week: int
    drug: int
    trial: int
    leaving: int
    among: str = ""
    since: int = 0


class Slopes(NamedTuple):
    """Probabilities (entries,), and their slopes in each model parameter (parameters, entries), in the half-maximal
    concentration of the entry's drug and in the effect of its trial, each (entries,)."""

    value: np.ndarray
    model: np.ndarray
    drug: np.ndarray
    trial: np.ndarray


class Group(NamedTuple):
    """Arms followed together, their trials' numbers, and where the entries of the vector are read off."""

    arms: Arms
    weeks: int
    trial: np.ndarray
    rows: np.ndarray  # (entries, 6): arm, week, response, leaving, week and response of those observed (-1: all)


class Data(NamedTuple):
    """What the probabilities of a table depend on, beside the vector and the effects."""

    arms: tuple[Arms, ...]
    trials: tuple[Array, ...]
    rows: tuple[Array, ...]
    fixed: dict[str, Array]
    curves: Array


Shape = tuple[Vector, tuple[int, ...]]


@dataclass(frozen=True)
class Table:
    """The vector of probabilities of some evidence."""

    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    trials: tuple[str, ...]
    vector: Vector
    fixed: dict[str, Array]
    curves: Array

    @cached_property
    def place(self) -> dict[tuple[str, str, str, int], int]:
        """Where a share stands, by trial, arm, outcome and week."""
        return {(e.key, e.arm, e.outcome, e.week): i for i, e in enumerate(self.entries)}

    @cached_property
    def drugs(self) -> np.ndarray:
        return np.array([e.drug for e in self.entries])

    @cached_property
    def of_trial(self) -> np.ndarray:
        return np.array([e.trial for e in self.entries])

    @property
    def belongs(self) -> dict[str, np.ndarray]:
        """Whose effect an entry has: one group, one effect a trial."""
        return {"trial": self.of_trial}

    @property
    def shares(self) -> np.ndarray:
        """All entries are probabilities."""
        return np.ones(len(self.entries), bool)

    def values(self, vector: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Probabilities, (entries,), given the parameters and what each trial adds."""
        return np.asarray(_values(self._shape, self._data, jnp.asarray(vector), jnp.asarray(effects)))

    def slopes(self, vector: np.ndarray, effects: np.ndarray, exact: bool = False) -> Slopes:
        """Probabilities and their slopes: `exact` by forward differentiation, else by central differences.

        Both agree (a test holds this); differences are several times as fast on a processor, where the compiler makes
        one loop of a step of the model and many of its derivative.
        """
        models = len(self.vector.names)
        tangents = np.zeros((models + 1, self.vector.size))
        tangents[range(models), range(models)] = 1.0
        tangents[models, models:] = 1.0
        if not exact:
            return self._differences(vector, effects, tangents)
        found = _slopes(self._shape, self._data, jnp.asarray(vector), jnp.asarray(effects), jnp.asarray(tangents))
        value, parameters, trial = map(np.asarray, found)
        return Slopes(value, parameters[:-1], parameters[-1], trial)

    def full(self, slopes: Slopes) -> np.ndarray:
        """Slopes of every entry in every place of the vector and then in every trial effect."""
        places = {name: place for place, name in enumerate(self.vector.drugs)}
        place = np.array([places[NAMES[drug]] if drug >= 0 else -1 for drug in self.drugs], dtype=int)
        return np.vstack(
            [
                slopes.model,
                scattered(slopes.drug, place, len(places)),
                scattered(slopes.trial, self.of_trial, len(self.trials)),
            ]
        )

    def _differences(self, vector: np.ndarray, effects: np.ndarray, tangents: np.ndarray) -> Slopes:
        def along(tangent: np.ndarray, more: float) -> np.ndarray:
            up, down = (self.values(vector + s * STEP * tangent, effects + s * STEP * more) for s in (1, -1))
            return (up - down) / (2 * STEP)

        parameters = np.stack([along(tangent, 0.0) for tangent in tangents])
        trial = along(np.zeros_like(vector), 1.0)
        return Slopes(self.values(vector, effects), parameters[:-1], parameters[-1], trial)

    @property
    def _shape(self) -> Shape:
        """What a compilation is for."""
        return self.vector, tuple(group.weeks for group in self.groups)

    @cached_property
    def _data(self) -> Data:
        groups = self.groups
        return Data(
            tuple(group.arms for group in groups),
            tuple(jnp.asarray(group.trial) for group in groups),
            tuple(jnp.asarray(group.rows) for group in groups),
            self.fixed,
            self.curves,
        )


def _probabilities(shape: Shape, data: Data, vector: Array, effects: Array) -> Array:
    theta = data.fixed | shape[0].numbers(vector)
    padded = jnp.concatenate([effects, jnp.zeros(1)])
    parts = []
    for arms, weeks, trial, rows in zip(data.arms, shape[1], data.trials, data.rows, strict=True):
        seen = activity(arms, weeks, theta, padded[trial])
        parts.append(lax.map(lambda row, seen=seen: _share(seen, data.curves, theta, row), rows))
    return jnp.concatenate(parts)


def _share(seen: Array, curves: Array, theta: dict[str, Array], row: Array) -> Array:
    """One probability from the activity (weeks - 1, arms, people)."""
    arm, week, response, leaving, since, among = row
    reached = _read(curves[response], seen[week - 2, arm])
    observed = _read(curves[among], seen[since - 2, arm])
    stayed = jnp.exp(-theta["trial.attrition"] * leaving)
    return stayed * jnp.where(among < 0, reached.mean(), (reached * observed).mean() / observed.mean())


def _read(curve: Array, seen: Array) -> Array:
    """Chance of a response at some plaque activity, linear between the points of GRID."""
    at = jnp.clip((seen - GRID[0]) / (GRID[1] - GRID[0]), 0.0, len(GRID) - 1.001)
    below = at.astype("int64")
    return curve[below] + (at - below) * (curve[below + 1] - curve[below])


@partial(jax.jit, static_argnums=0)
def _values(shape: Shape, data: Data, vector: Array, effects: Array) -> Array:
    return _probabilities(shape, data, vector, effects)


@partial(jax.jit, static_argnums=0)
def _slopes(shape: Shape, data: Data, vector: Array, effects: Array, tangents: Array) -> tuple[Array, Array, Array]:
    def along(tangent: Array) -> Array:
        return jax.jvp(lambda v: _probabilities(shape, data, v, effects), (vector,), (tangent,))[1]

    by_trial = jax.jvp(lambda e: _probabilities(shape, data, vector, e), (effects,), (jnp.ones_like(effects),))
    return by_trial[0], lax.map(along, tangents), by_trial[1]


def build(
    trials: Sequence[Trial],
    courses: Sequence[TimeCourse],
    relapses: Sequence[Relapse],
    vector: Vector,
    fixed: dict[str, Array],
    curves: dict[str, np.ndarray],
    size: int,
    people: Baseline = TYPICAL,
) -> Table:
    """The table of some evidence.

    Args:
      fixed: all parameters; those of `vector` are overridden. curves: of `readings.response_curves`.
      size: people an arm. people: those who follow courses and relapses.
    """
    keys = tuple(trial.key for trial in trials)
    asked: dict[int, list[tuple[Scenario, list[Entry]]]] = {}
    for number, trial in enumerate(trials):
        for arm in trial.arms:
            found = [
                Entry("arm", trial.key, arm.name, r.outcome, r.week, _drug(arm), number, r.week)
                for r in arm.readouts
                if 2 <= r.week <= LONGEST
            ]
            if found and followed(arm):
                last = max(e.week for e in found)
                weeks = next(w for w in HORIZONS if w >= last)
                asked.setdefault(weeks, []).append((Scenario(trial, arm, participants(trial, arm, size)), found))
    for course in courses:
        scenario = alone(course.key, course.courses, size, people)
        if not followed(scenario.arm):
            continue
        found = [
            Entry("course", course.key, "", outcome, week, _drug(scenario.arm), -1, week)
            for outcome, percents in course.percents.items()
            for week in percents
        ]
        asked.setdefault(24, []).append((scenario, found))
    for relapse in relapses:
        scenario = alone(relapse.key, relapse.courses, size, people)
        if not followed(scenario.arm):
            continue
        kept = READ_AS.get(relapse.loss, relapse.loss)
        weeks = dict.fromkeys(relapse.kept)
        if relapse.median_days is not None:
            weeks[relapse.stopped + round(relapse.median_days / 7)] = None
        drug = _drug(scenario.arm)
        leaving = {week: week - relapse.at if relapse.nonresponse else 0 for week in weeks}
        found = [
            Entry("relapse", relapse.key, "", kept, week, drug, -1, leaving[week], relapse.among, relapse.at)
            for week in weeks
        ]
        asked.setdefault(next(w for w in HORIZONS if w >= max(weeks)), []).append((scenario, found))
    groups, entries = [], []
    for weeks, list_ in sorted(asked.items()):
        rows = []
        for place, (_, found) in enumerate(list_):
            rows += [(place, e.week, RESPONSES.index(e.outcome), e.leaving, *_observed(e)) for e in found]
            entries += found
        arms = gather([scenario for scenario, _ in list_], weeks, size, fixed)
        trial = np.array([found[0].trial for _, found in list_])
        groups.append(Group(arms, weeks, trial, np.array(rows)))
    stacked = jnp.asarray(np.stack([curves[name] for name in RESPONSES]))
    return Table(tuple(entries), tuple(groups), keys, vector, fixed, stacked)


def followed(arm: Arm) -> bool:
    """Whether the table can follow an arm: one drug at most, and no light or topical."""
    return len(arm.treatments) <= 1 and not {"nb_uvb", "calcipotriol_betamethasone"} & set(arm.treatments)


def _drug(arm: Arm) -> int:
    return NAMES.index(arm.treatments[0]) if arm.treatments else -1


def _observed(entry: Entry) -> tuple[int, int]:
    if not entry.among or entry.among == "all":
        return 2, -1
    return entry.since, RESPONSES.index(entry.among)
