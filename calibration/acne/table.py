"""Every number that published arms of acne are compared with, as one vector, and its slopes in all parameters.

A treatment's parameters move only the arms that receive it, so that those of treatments that no arm combines share a
directional derivative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.acne.treatments import LIKE, NAMES
from ..climb import scattered
from ..scale import Vector
from . import readings
from .cohort import GRADES, KINDS, SLOTS, Admitted, admitted
from .evidence.arms import SCALES, Arm, Readout, Trial
from .exposure import Steps, fine, steps
from .readings import COUNTED, GRADED, HALVES, SCORES, Entrants, Today
from .simulate import Arms, Seen, course, gather

EFFECTS = (  # what each trial adds
    "vehicle",  # to the effect of a vehicle (log-odds)
    "rater",  # to the cuts between grades
)
STEP = 1e-5  # of central differences, on the scale of the vector
HORIZONS = (12, 26, 58)  # weeks; beyond the second all is followed day by day, as there are few such arms
SIZE = 256  # people an arm


class Entry(NamedTuple):
    """What one place of the vector is: `statistic` (share, mean, median) of `outcome` of an arm at `week`.

    drugs: what the arm receives. place: the trial's number.
    """

    kind: str
    trial: str
    arm: str
    outcome: str
    week: int
    statistic: str
    drugs: tuple[str, ...]
    place: int


class Slopes(NamedTuple):
    """The vector (entries,), and its slopes in each parameter, (parameters, entries), and in each of EFFECTS of the
    entry's trial, (effects, entries)."""

    value: np.ndarray
    parameters: np.ndarray
    effects: np.ndarray


class Rows(NamedTuple):
    """Figures of one kind that are read off a group's arms; arrays run over figures.

    what: number of what is read (of COUNTED and lesions, of SCORES). at: arm, week, and number of the trial. kept: of
    activity at baseline. one, two, many: what the reading needs besides (`_read`).
    """

    what: Array
    at: Array
    kept: Array
    one: Array
    two: Array
    many: Array


class Group(NamedTuple):
    """Arms followed together. trial: their trials' numbers. year: when these were published. scale: number of the
    grading of each trial there is, of SCALES. rows: by kind of reading."""

    arms: Arms
    first: Entrants
    trial: Array
    year: Array
    scale: Array
    rows: dict[str, Rows]


Reader = Callable[[Group, Rows, Seen, dict[str, Array], Array], Array]


@dataclass(frozen=True)
class Shape:
    """What a compilation is for: the vector, the weeks that are followed, day by day or not, and parts of each step."""

    vector: Vector
    weeks: int
    fine: bool
    parts: int

    @property
    def steps(self) -> Steps:
        return steps(self.weeks, self.fine, self.parts)


@dataclass(frozen=True)
class Table:
    """The vector of numbers of some evidence: shares from 0 to 1, changes in per cent or in lesions, points.

    fixed: all parameters; those of `vector` are overridden. Effects are those of EFFECTS, one a trial, the first of all
    trials before the second of all.
    """

    entries: tuple[Entry, ...]
    trials: tuple[str, ...]
    vector: Vector
    fixed: dict[str, Array]
    groups: tuple[tuple[Shape, Group], ...]

    @cached_property
    def place(self) -> dict[tuple[str, str, str, int], int]:
        """Where a number stands, by trial, arm, outcome and week."""
        return {(e.trial, e.arm, e.outcome, e.week): i for i, e in enumerate(self.entries)}

    @cached_property
    def shares(self) -> np.ndarray:
        """Whether a number is a share, (entries,)."""
        return np.array([e.statistic == "share" for e in self.entries])

    @cached_property
    def belongs(self) -> dict[str, np.ndarray]:
        """Of each of EFFECTS: the trial whose effect moves a number, (entries,), -1 for none."""
        of_trial = np.array([e.place for e in self.entries])
        graded = np.array([e.outcome in GRADED for e in self.entries])
        return {"vehicle": of_trial, "rater": np.where(graded, of_trial, -1)}

    @cached_property
    def touched(self) -> np.ndarray:
        """Whether a parameter can move an entry, (parameters, entries)."""
        received = [{LIKE.get(drug, drug) for drug in e.drugs} for e in self.entries]
        owners = [name.split(".")[0] for name in self.vector.labels]
        return np.array([[o not in NAMES or LIKE.get(o, o) in drugs for drugs in received] for o in owners])

    def values(self, vector: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """The vector, (entries,), given the parameters and effects."""
        given = jnp.asarray(vector), jnp.asarray(effects)
        return np.concatenate([_values(shape, group, self.fixed, *given) for shape, group in self.groups])

    def slopes(self, vector: np.ndarray, effects: np.ndarray, exact: bool = False) -> Slopes:
        """The vector and its slopes: `exact` by forward differentiation, else by central differences, which are
        faster (a test holds that both agree)."""
        along = partial(self._exact if exact else self._difference, vector, effects)
        parameters = np.zeros((self.vector.size, len(self.entries)))
        for together in self._apart:
            found = along(np.isin(np.arange(self.vector.size), together).astype(float), np.zeros_like(effects))
            for parameter in together:
                parameters[parameter] = np.where(self.touched[parameter], found, 0.0)
        directions = np.repeat(np.eye(len(EFFECTS)), len(self.trials), 1)
        by_trial = [along(np.zeros_like(vector), direction) for direction in directions]
        return Slopes(self.values(vector, effects), parameters, np.stack(by_trial))

    def full(self, slopes: Slopes) -> np.ndarray:
        """Slopes in every parameter and then in every effect, (parameters + effects, entries)."""
        each = zip(slopes.effects, EFFECTS, strict=True)
        by_trial = [scattered(slope, self.belongs[name], len(self.trials)) for slope, name in each]
        return np.concatenate([slopes.parameters, *by_trial])

    @cached_property
    def _apart(self) -> tuple[tuple[int, ...], ...]:
        """Parameters in sets, of which no two move the same entry."""
        sets: list[list[int]] = []
        for parameter, mine in enumerate(self.touched):
            free = (one for one in sets if not (self.touched[one] & mine).any())
            found = next(free, None)
            if found is None:
                sets.append([parameter])
            else:
                found.append(parameter)
        return tuple(map(tuple, sets))

    def _difference(self, vector: np.ndarray, effects: np.ndarray, more: np.ndarray, added: np.ndarray) -> np.ndarray:
        up, down = (self.values(vector + step * more, effects + step * added) for step in (STEP, -STEP))
        return (up - down) / (2 * STEP)

    def _exact(self, vector: np.ndarray, effects: np.ndarray, more: np.ndarray, added: np.ndarray) -> np.ndarray:
        at, along = (vector, effects), (more, added)
        given = tuple(map(jnp.asarray, at)), tuple(map(jnp.asarray, along))
        return np.concatenate([_along(shape, group, self.fixed, *given) for shape, group in self.groups])


def build(trials: Sequence[Trial], vector: Vector, fixed: dict[str, Array], size: int = SIZE, parts: int = 1) -> Table:
    """The table of some trials; those figures that it `covers`.

    Args:
      fixed: all parameters. size: people an arm, a power of 2. parts: that each step in time is cut into.
    """
    numbers = {name: float(value) for name, value in fixed.items()}
    asked: dict[tuple[int, int, bool], list[tuple[int, Trial, Arm, tuple[Readout, ...]]]] = {}
    for number, trial in enumerate(trials):
        for arm in trial.arms:
            found = tuple(readout for readout in arm.readouts if covers(arm, readout))
            if found:
                weeks = next(w for w in HORIZONS if w >= max(r.week for r in found))
                often = fine(arm.courses) or weeks > HORIZONS[1]
                asked.setdefault((weeks, len(arm.treatments), often), []).append((number, trial, arm, found))
    scale = jnp.asarray(np.array([SCALES.index(trial.scale) for trial in trials]))
    entries: list[Entry] = []
    groups = []
    for (weeks, _, often), members in sorted(asked.items(), key=lambda item: item[0]):
        shape = Shape(vector, weeks, often, parts)
        people = [admitted(trial, arm, size, numbers) for _, trial, arm, _ in members]
        told, rows = _rows(members, people, fixed)
        entries += told
        arms = gather([(arm, one) for (_, _, arm, _), one in zip(members, people, strict=True)], shape.steps, fixed)
        trial = jnp.asarray(np.array([number for number, *_ in members]))
        year = jnp.asarray(np.array([_year(one) for _, one, _, _ in members]))
        groups.append((shape, Group(arms, readings.entrants(people), trial, year, scale, rows)))
    return Table(tuple(entries), tuple(trial.key for trial in trials), vector, fixed, tuple(groups))


def _year(trial: Trial) -> float:
    """When a trial was published.

    Raises:
      ValueError: it does not tell.
    """
    if trial.published is None:
        raise ValueError(f"{trial.key}: lacks published, the year; what is calibrated on tells it")
    return float(trial.published)


def covers(arm: Arm, readout: Readout) -> bool:
    """Whether the table has a figure: none of arms with more than three treatments or with none, no largest change of
    anybody, no median of changes in lesions, no week beyond the last horizon."""
    if not 1 <= len(arm.treatments) <= SLOTS or readout.week > HORIZONS[-1] or readout.statistic == "most":
        return False
    return readout.statistic == "mean" or readout.outcome.endswith("_percent")


def _rows(
    members: list[tuple[int, Trial, Arm, tuple[Readout, ...]]], people: list[Admitted], theta: dict[str, Array]
) -> tuple[list[Entry], dict[str, Rows]]:
    """Figures of arms in the order in which `_read` gives them."""
    found: dict[str, list[tuple[Entry, tuple[object, ...]]]] = {}
    for place, ((number, trial, arm, told), one) in enumerate(zip(members, people, strict=True)):
        for readout in told:
            kind, statistic, needs = _needs(readout, one, theta)
            entry = Entry("arm", trial.key, arm.name, readout.outcome, readout.week, statistic, arm.treatments, number)
            at = np.array([place, readout.week, number])
            found.setdefault(kind, []).append((entry, (needs[0], at, readings.kept(readout.week, theta), *needs[1:])))
    entries, rows = [], {}
    for kind in sorted(found):
        entries += [entry for entry, _ in found[kind]]
        rows[kind] = Rows(
            *(jnp.asarray(np.stack(column)) for column in zip(*(row for _, row in found[kind]), strict=True))
        )
    return entries, rows


def _needs(
    readout: Readout, people: Admitted, theta: dict[str, Array]
) -> tuple[str, str, tuple[int, float, float, np.ndarray]]:
    """How a figure is read, its statistic, and what the reading needs."""
    name, nothing = readout.outcome, np.zeros(0)
    if name in GRADED:
        worst = {
            "iga_success": [min(1, grade - 2) for grade in GRADES],
            "iga01": [1 for _ in GRADES],
            "two_grades": [grade - 2 for grade in GRADES],
            "iga01_or_two_grades": [max(1, grade - 2) for grade in GRADES],
        }
        return "graded", "share", (0, 0.0, 0.0, np.array(worst[name]))
    if name in SCORES:
        return "score", "mean", (SCORES.index(name), 0.0, 0.0, nothing)
    kind, told = name.rsplit("_", 1)
    if name in HALVES:
        share = HALVES[name]
        part = (1 - share) / 2  # of a lesion, by which a whole number is below this share of another, on average
        return "fallen", "share", (COUNTED.index(kind), share, part, people.places[kind])
    if readout.statistic == "median":
        return "median", "median", (COUNTED.index(kind), 0.0, 0.0, people.places[kind])
    weights, less = readings.weights(people, kind, readout.week, told == "percent", theta)
    return "mean", "mean", (KINDS.index(kind), less, 0.0, weights)


def _read(shape: Shape, group: Group, fixed: dict[str, Array], vector: Array, effects: Array) -> Array:
    """All numbers of a group."""
    theta = fixed | shape.vector.numbers(vector)
    vehicles, raters = effects.reshape(len(EFFECTS), -1)
    seen = course(group.arms, shape.steps, theta, vehicles[group.trial], group.year)
    raters = raters + jnp.log(jnp.stack([theta[f"scale.{name}"] for name in SCALES]))[group.scale]
    return jnp.concatenate([READ[kind](group, rows, seen, theta, raters) for kind, rows in group.rows.items()])


def _means(group: Group, rows: Rows, seen: Seen, theta: dict[str, Array], raters: Array) -> Array:
    both = seen.inflammatory + seen.noninflammatory
    kinds = (seen.inflammatory, seen.noninflammatory, seen.nodules, both, seen.papules, seen.pustules)  # as KINDS
    arm, week, _ = rows.at.T
    return (jnp.stack(kinds)[rows.what, week, arm] * rows.many).sum(-1) - rows.one


def _each(read: Callable[[Rows, Today, dict[str, Array]], Array]) -> Reader:
    """Read figures one by one, each from what its arm shows on that day."""

    def all_(group: Group, rows: Rows, seen: Seen, theta: dict[str, Array], raters: Array) -> Array:
        def one(row: Rows) -> Array:
            arm, week, trial = row.at
            now = Today(
                seen.inflammatory[week, arm],
                seen.noninflammatory[week, arm],
                seen.nodules[week, arm],
                seen.spots[week, arm],
                row.kept,
                Entrants(*(values[arm] for values in group.first)),
            )
            return read(row, now, theta | {"trial.rater": raters[trial]})

        return lax.map(one, rows)

    return all_


def _score(row: Rows, now: Today, theta: dict[str, Array]) -> Array:
    each = jnp.stack([readings.score(name, now, theta) for name in SCORES])
    return each[row.what]


READ: dict[str, Reader] = {
    "mean": _means,
    "graded": _each(lambda row, now, theta: readings.graded(row.many, now, theta)),
    "fallen": _each(lambda row, now, theta: readings.fallen(row.what, row.one, row.many, row.two, now, theta)),
    "median": _each(lambda row, now, theta: readings.median(row.what, row.many, now, theta)),
    "score": _each(_score),
}


@partial(jax.jit, static_argnums=0)
def _values(shape: Shape, group: Group, fixed: dict[str, Array], vector: Array, effects: Array) -> Array:
    return _read(shape, group, fixed, vector, effects)


@partial(jax.jit, static_argnums=0)
def _along(
    shape: Shape, group: Group, fixed: dict[str, Array], at: tuple[Array, Array], along: tuple[Array, Array]
) -> Array:
    return jax.jvp(partial(_read, shape, group, fixed), at, along)[1]
