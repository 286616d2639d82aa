"""Every probability that the evidence is compared with, as one vector, and its slopes in all parameters.

An arm has one drug at most and belongs to one trial, so the slopes in all half-maximal concentrations together cost one
directional derivative, and those in all trial effects another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.psoriasis.treatments import NAMES
from .cohort import participants
from .evidence.arms import Arm, Baseline, Trial
from .evidence.targets import Relapse, TimeCourse
from .readings import GRID
from .scale import Vector
from .simulate import Arms, Scenario, activity, gather

LADDER = ("pasi50", "pasi75", "pasi90", "pasi100")
RESPONSES = (*LADDER, "iga01", "dlqi01")
READ_AS = {"half_improvement": "pasi50", "iga3": "pasi50"}  # the nearest response that the readings tell of
STANDARD = {"pasi": 12.0, "bsa": 10.0, "iga": 3.0}


class Entry(NamedTuple):
    """What one place of the vector is: an arm's share of `outcome` at `week`, or (relapse) of those of `among` at week
    `since` who still have it. drug, trial: -1 for none."""

    kind: str
    key: str
    arm: str
    outcome: str
    week: int
    drug: int
    trial: int
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
    rows: np.ndarray  # (entries of the group, 5): arm, week, response, week and response of those observed (-1: all)


@dataclass(frozen=True)
class Table:
    """The vector of probabilities of some evidence."""

    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    trials: tuple[str, ...]
    vector: Vector
    fixed: dict[str, Array]
    curves: Array
    attrition: float

    @cached_property
    def place(self) -> dict[tuple[str, str, str, int], int]:
        """Where a share stands, by trial, arm, outcome and week."""
        return {(e.key, e.arm, e.outcome, e.week): i for i, e in enumerate(self.entries)}

    @property
    def drug_names(self) -> tuple[str, ...]:
        """Names by the numbers of entries."""
        return NAMES

    @cached_property
    def drugs(self) -> np.ndarray:
        return np.array([e.drug for e in self.entries])

    @cached_property
    def of_trial(self) -> np.ndarray:
        return np.array([e.trial for e in self.entries])

    def values(self, vector: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Probabilities, (entries,), given the parameters and what each trial adds."""
        return np.asarray(self._value(jnp.asarray(vector), jnp.asarray(effects)))

    def slopes(self, vector: np.ndarray, effects: np.ndarray) -> Slopes:
        """Probabilities and their slopes."""
        models = len(self.vector.names)
        tangents = np.zeros((models + 1, self.vector.size))
        tangents[range(models), range(models)] = 1.0
        tangents[models, models:] = 1.0
        value, parameters, trial = self._slopes(jnp.asarray(vector), jnp.asarray(effects), jnp.asarray(tangents))
        parameters = np.asarray(parameters)
        return Slopes(np.asarray(value), parameters[:-1], parameters[-1], np.asarray(trial))

    @cached_property
    def _value(self):
        return jax.jit(self._probabilities)

    @cached_property
    def _slopes(self):
        def run(vector: Array, effects: Array, tangents: Array) -> tuple[Array, Array, Array]:
            def along(tangent: Array) -> Array:
                return jax.jvp(lambda v: self._probabilities(v, effects), (vector,), (tangent,))[1]

            by_trial = jax.jvp(lambda e: self._probabilities(vector, e), (effects,), (jnp.ones_like(effects),))[1]
            return self._probabilities(vector, effects), lax.map(along, tangents), by_trial

        return jax.jit(run)

    def _probabilities(self, vector: Array, effects: Array) -> Array:
        theta = self.fixed | self.vector.numbers(vector)
        padded = jnp.concatenate([effects, jnp.zeros(1)])
        return jnp.concatenate([self._group(group, theta, padded) for group in self.groups])

    def _group(self, group: Group, theta: dict[str, Array], effects: Array) -> Array:
        seen = activity(group.arms, group.weeks, theta, effects[group.trial])

        def share(row: Array) -> Array:
            arm, week, response, since, among = row
            reached = self._read(seen[week - 2, arm], response)
            left = jnp.exp(-self.attrition * week)
            observed = self._read(seen[since - 2, arm], among)
            of_those = (reached * observed).mean() / observed.mean()
            return jnp.where(among < 0, left * reached.mean(), of_those)

        return lax.map(share, jnp.asarray(group.rows))

    def _read(self, seen: Array, response: Array) -> Array:
        """Chance of a response at some plaque activity, linear between the points of GRID."""
        at = jnp.clip((seen - GRID[0]) / (GRID[1] - GRID[0]), 0.0, len(GRID) - 1.001)
        below = at.astype("int64")
        curve = self.curves[response]
        return curve[below] + (at - below) * (curve[below + 1] - curve[below])


def build(
    trials: Sequence[Trial],
    courses: Sequence[TimeCourse],
    relapses: Sequence[Relapse],
    vector: Vector,
    fixed: dict[str, Array],
    curves: dict[str, np.ndarray],
    attrition: float,
    size: int,
) -> Table:
    """The table of some evidence.

    Args:
      fixed: all parameters; those of `vector` are overridden. curves: of `readings.response_curves`.
      attrition: hazard a week of a responder's leaving, who then counts as one without response.
      size: people an arm.
    """
    keys = tuple(trial.key for trial in trials)
    asked: dict[int, list[tuple[Scenario, list[Entry]]]] = {}
    for number, trial in enumerate(trials):
        for arm in trial.arms:
            found = [
                Entry("arm", trial.key, arm.name, r.outcome, r.week, _drug(arm), number)
                for r in arm.readouts
                if 2 <= r.week <= LONGEST
            ]
            if found and followed(arm):
                last = max(e.week for e in found)
                weeks = next(w for w in HORIZONS if w >= last)
                asked.setdefault(weeks, []).append((Scenario(trial, arm, participants(trial, arm, size)), found))
    for course in courses:
        scenario = _reference(course.key, course.courses, size)
        if not followed(scenario.arm):
            continue
        found = [
            Entry("course", course.key, "", outcome, week, _drug(scenario.arm), -1)
            for outcome, percents in course.percents.items()
            for week in percents
        ]
        asked.setdefault(24, []).append((scenario, found))
    for relapse in relapses:
        scenario = _reference(relapse.key, relapse.courses, size)
        if not followed(scenario.arm):
            continue
        weeks = dict.fromkeys(relapse.kept)
        if relapse.median_days is not None:
            weeks[relapse.stopped + round(relapse.median_days / 7)] = None
        found = [
            Entry("relapse", relapse.key, "", READ_AS.get(relapse.loss, relapse.loss), week, _drug(scenario.arm), -1, relapse.among, relapse.at)
            for week in weeks
        ]
        asked.setdefault(next(w for w in HORIZONS if w >= max(weeks)), []).append((scenario, found))
    groups, entries = [], []
    for weeks, list_ in sorted(asked.items()):
        rows = []
        for place, (_, found) in enumerate(list_):
            rows += [(place, e.week, RESPONSES.index(e.outcome), *_observed(e)) for e in found]
            entries += found
        arms = gather([scenario for scenario, _ in list_], weeks, size, fixed)
        trial = np.array([found[0].trial for _, found in list_])
        groups.append(Group(arms, weeks, trial, np.array(rows)))
    stacked = jnp.asarray(np.stack([curves[name] for name in RESPONSES]))
    return Table(tuple(entries), tuple(groups), keys, vector, fixed, stacked, attrition)


HORIZONS = (12, 16, 24, 60, 108)
LONGEST = 24


def followed(arm: Arm) -> bool:
    """Whether the table can follow an arm: one drug at most, and no light or topical."""
    return len(arm.treatments) <= 1 and not {"nb_uvb", "calcipotriol_betamethasone"} & set(arm.treatments)


def _drug(arm: Arm) -> int:
    return NAMES.index(arm.treatments[0]) if arm.treatments else -1


def _observed(entry: Entry) -> tuple[int, int]:
    if not entry.among or entry.among == "all":
        return 2, -1
    return entry.since, RESPONSES.index(entry.among)


def _reference(key: str, courses: tuple, size: int) -> Scenario:
    """An arm of typical participants of trials with a mean weight of 90 kg."""
    arm = Arm(key, 1, 1, courses, (), Baseline(weight=90.0, prior_biologic=0.249, severity=20.0))
    trial = Trial(key, key, "", "", "", "assumed", 12, STANDARD, False, "", "", "", (arm,))
    return Scenario(trial, arm, participants(trial, arm, size))
