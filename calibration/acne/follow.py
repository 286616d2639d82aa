"""Twins of the shipped population on regimens of one's choice, followed with the trial engine's own course.

All regimens are followed in the same people with the same luck, so that what differs between them is the treatment.
People take the doses that they take in a trial: their habit, less what irritation keeps them from; supervised, all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.acne import model
from ...core.acne.disease import ACNE, pharmacokinetics
from ...core.acne.treatments import number
from ...core.engine.course import Body, Grid, advance, at_rest
from ...core.keys import normals, people, root, stream
from ...population.attributes import RACES
from ...population.sample import POPULATIONS, sample
from ..evidence.regimens import Course
from ..exposure import doses
from .exposure import taken

SEED = 20261123
CANDIDATES = 4096
PEOPLE = 1024
SLOTS = 3  # treatments that somebody may have
WEEK = 7  # days
CHUNK = 4  # breaks that are followed by one call
NODES = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 5.5]) / WEEK  # of a stretch between breaks: fine after a dose
DRAWN = ("inflammatory", "noninflammatory", "nodules")  # criteria that act on what is counted


class Crowd(NamedTuple):
    """People, by their keys and attributes, (people,)."""

    keys: Array
    twins: dict[str, Array]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.twins["weight"])


class Plan(NamedTuple):
    """What each person gets. drugs: treatment numbers, (slots, people). given: at the begin of each week, inputs: a day
    throughout it, (weeks, slots, people)."""

    drugs: np.ndarray
    given: np.ndarray
    inputs: np.ndarray


@dataclass(frozen=True)
class Followed:
    """A crowd on a plan. days: at which it was looked at, from 0 on. states: by name, (days, people).

    share: of the daily doses, that were taken from each day on, (days - 1, people).
    """

    person: model.Individual
    crowd: Crowd
    days: np.ndarray
    states: Mapping[str, np.ndarray]
    share: np.ndarray

    @property
    def inflammatory(self) -> np.ndarray:
        """Mean inflammatory lesions, (days, people)."""
        return self.states["Pa"] + self.states["Pu"] + self.states["D"]

    @property
    def comedones(self) -> np.ndarray:
        """Mean comedones."""
        return self.states["Cc"] + self.states["Co"]

    def lesions(self, kind: str) -> np.ndarray:
        """Mean lesions: inflammatory, noninflammatory or total."""
        both = {"inflammatory": self.inflammatory, "noninflammatory": self.comedones}
        return self.inflammatory + self.comedones if kind == "total" else both[kind]

    def at(self, day: float) -> int:
        """Where a day stands.

        Raises:
          ValueError: nobody was looked at on it.
        """
        place = int(np.searchsorted(self.days, day))
        if place == len(self.days) or self.days[place] != day:
            raise ValueError(f"day {day:g} was not looked at; days are {self.days[0]:g} to {self.days[-1]:g}")
        return place

    def change(self, kind: str, week: int) -> float:
        """Mean change of lesions by a week, per cent, without the scatter of counts."""
        there = self.lesions(kind)
        return float(100 * np.mean(there[self.at(WEEK * week)] / there[0] - 1))

    def visit(self, week: int) -> dict[str, np.ndarray]:
        """What is read at the end of a week, details too, as in a trial; the same luck in every regimen."""
        place = self.at(WEEK * week)
        state = tuple(jnp.asarray(self.states[name][place]) for name in model.STATES)
        found = _read(self.crowd.keys, self.person, state, jnp.asarray(float(WEEK * week)))
        return {name: np.asarray(values) for name, values in found.items()}


@dataclass(frozen=True)
class Scene:
    """A model by its numbers, and the candidates whom criteria choose from; regimens that were followed are kept.

    seen: what a screening visit shows of the candidates, details too.
    """

    numbers: Mapping[str, float]
    people: int
    candidates: Crowd
    seen: dict[str, np.ndarray]
    kept: dict[Any, Followed] = field(default_factory=dict)

    def crowd(self, entry: Mapping[str, Mapping[str, Any]]) -> Crowd:
        """The first people whom criteria, written as in a study file, admit; the same again if they are too few.

        Raises:
          ValueError: a criterion is not known, or nobody meets them.
        """
        found = np.flatnonzero(self._admits(entry))
        if not len(found):
            raise ValueError(f"nobody of {self.candidates.size} candidates meets {dict(entry)}")
        chosen = np.resize(found, self.people)
        twins = {name: values[chosen] for name, values in self.candidates.twins.items()}
        return Crowd(self.candidates.keys[chosen], twins)

    def follow(
        self,
        courses: tuple[Course, ...],
        weeks: int,
        entry: Mapping[str, Mapping[str, Any]],
        supervised: bool = False,
        numbers: Mapping[str, float] | None = None,
    ) -> Followed:
        """People of some criteria on courses; numbers: of the model, that are others than the scene's."""
        key = (courses, weeks, repr(entry), supervised, tuple((numbers or {}).items()))
        if key not in self.kept:
            crowd = self.crowd(entry)
            self.kept[key] = self.on(crowd, plan(courses, crowd, weeks), supervised, numbers=numbers)
        return self.kept[key]

    def on(
        self,
        crowd: Crowd,
        of: Plan,
        supervised: bool = False,
        every: int = WEEK,
        begin: Mapping[str, float] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> Followed:
        """A crowd on a plan, looked at at every break of `every` days, which the plan's weeks then are.

        begin: states that are others than at rest. numbers: of the model, that are others than the scene's.
        """
        known = dict(self.numbers) | dict(numbers or {})
        theta = {name: jnp.asarray(value, dtype="float64") for name, value in known.items()}
        person = _individual(crowd.keys, crowd.twins, jnp.asarray(of.drugs), theta)
        habit = np.ones(crowd.size) if supervised else taken(np.asarray(normals(crowd.keys, "adherence")))
        return _followed(person, crowd, of, jnp.asarray(habit), jnp.asarray(not supervised), every, dict(begin or {}))

    def _admits(self, entry: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
        admitted = np.ones(self.candidates.size, dtype=bool)
        for name, rule in entry.items():
            if name not in (*DRAWN, "iga", "age", "male", "race") or set(rule) - {"min", "max", "one_of"}:
                raise ValueError(f"no criterion {name}: {dict(rule)}")
            values = self.seen[name] if name in (*DRAWN, "iga") else np.asarray(self.candidates.twins[name])
            values = np.floor(values) if name == "age" else values
            admitted &= (values >= rule.get("min", -np.inf)) & (values <= rule.get("max", np.inf))
            if "one_of" in rule:
                allowed = [RACES.index(race) for race in rule["one_of"]] if name == "race" else rule["one_of"]
                admitted &= np.isin(values, allowed)
        return admitted


def scene(numbers: Mapping[str, float], people: int = PEOPLE) -> Scene:
    """The scene of a model.

    Raises:
      ValueError: the number of people does not divide that of candidates, or a number of the model is missing.
    """
    if people < 1 or CANDIDATES % people:
        raise ValueError(f"people must divide {CANDIDATES}, such as {PEOPLE}; got {people}")
    lacking = sorted(set(ACNE.parameters.numbers()) - set(numbers))
    if lacking:
        raise ValueError(f"numbers of the model are missing: {', '.join(lacking[:5])}")
    keys, twins = _candidates()
    theta = {name: jnp.asarray(value, dtype="float64") for name, value in numbers.items()}
    nobody, parts = jnp.zeros((SLOTS, people), dtype="int64"), []
    at = jax.vmap(lambda key: stream(key, "screening"))(keys)
    for first in range(0, CANDIDATES, people):
        part = slice(first, first + people)
        person = _individual(keys[part], {name: v[part] for name, v in twins.items()}, nobody, theta)
        found = _observe(at[part], person, model.start(person), jnp.asarray(0.0))
        parts.append({name: np.asarray(values) for name, values in found.items()})
    seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Scene(numbers, people, Crowd(keys, twins), seen)


def plan(courses: tuple[Course, ...], crowd: Crowd, weeks: int) -> Plan:
    """What courses give each person of a crowd.

    Raises:
      ValueError: there are more than SLOTS treatments, or a dose is not due at the begin of a week.
    """
    names = tuple(dict.fromkeys(course.treatment for course in courses))
    if len(names) > SLOTS:
        raise ValueError(f"at most {SLOTS} treatments can be followed, not {', '.join(names)}")
    weight = np.asarray(crowd.twins["weight"])
    drugs = np.zeros((SLOTS, crowd.size), dtype="int64")
    given, inputs = np.zeros((2, weeks, SLOTS, crowd.size))
    for place, name in enumerate(names):
        drugs[place] = number(name)
        once, daily = doses(tuple(course for course in courses if course.treatment == name), weight, weeks)
        given[:, place], inputs[:, place] = once[: WEEK * weeks : WEEK], daily[: WEEK * weeks : WEEK]
        if once[: WEEK * weeks].sum() > 1.000001 * given[:, place].sum():
            raise ValueError(f"{name}: doses that are not due at the begin of a week cannot be followed")
    return Plan(drugs, given, inputs)


def nothing(crowd: Crowd, breaks: int) -> Plan:
    """No treatment."""
    return Plan(
        np.zeros((SLOTS, crowd.size), dtype="int64"), *(np.zeros((breaks, SLOTS, crowd.size)) for _ in range(2))
    )


def _followed(
    person: model.Individual, crowd: Crowd, of: Plan, habit: Array, free: Array, every: int, begin: dict[str, float]
) -> Followed:
    state = dict(zip(model.STATES, model.start(person), strict=True))
    state |= {name: jnp.full_like(state[name], value) for name, value in begin.items()}
    breaks = len(of.given)
    body, parts = at_rest(tuple(state.values()), SLOTS), []
    for first in range(0, breaks, CHUNK):
        given, inputs = (_chunk(values, first) for values in (of.given, of.inputs))
        body, found = _chunked(person, body, given, inputs, habit, free, _grid(first, every))
        parts.append(jax.tree.map(np.asarray, found))
    later, share = (np.concatenate(each, -2)[..., :breaks, :] for each in zip(*parts, strict=True))
    states = {
        name: np.concatenate([np.asarray(first)[None], values])
        for (name, first), values in zip(state.items(), later, strict=True)
    }
    return Followed(person, crowd, every * np.arange(breaks + 1.0), states, share)


def _chunk(values: np.ndarray, first: int) -> Array:
    """CHUNK entries from `first` on; nothing beyond the last."""
    part = values[first : first + CHUNK]
    return jnp.asarray(np.concatenate([part, np.zeros((CHUNK - len(part), *values.shape[1:]))]))


def _grid(first: int, every: int) -> Grid:
    """Nodes of the breaks from the `first` on."""
    times = every * (first + (np.arange(CHUNK)[:, None] + NODES[None, :]).ravel())
    return Grid(jnp.asarray(np.append(times, every * (first + CHUNK))), jnp.asarray(len(NODES) * np.arange(CHUNK + 1)))


@cache
def _candidates() -> tuple[Array, dict[str, Array]]:
    """Keys and attributes of all candidates."""
    ids = jnp.arange(CANDIDATES)
    drawn = sample(POPULATIONS["acne"], stream(root(SEED), "twins"), ids)
    return people(stream(root(SEED), "response"), ids), {name: drawn[name] for name in ACNE.attributes}


_individual = jax.jit(model.individual)


@jax.jit
def _observe(keys: Array, person: model.Individual, state: model.State, day: Array) -> dict[str, Array]:
    return ACNE.observe(keys, person, state, day, True)


def _read(keys: Array, person: model.Individual, state: model.State, day: Array) -> dict[str, Array]:
    at = jax.vmap(lambda key: stream(key, "visit", day.astype("int64")))(keys)
    return _observe(at, person, state, day)


@jax.jit
def _chunked(
    person: model.Individual, body: Body, given: Array, inputs: Array, habit: Array, free: Array, grid: Grid
) -> tuple[Body, tuple[Array, Array]]:
    """From break to break; the states (states, breaks, people) and the share of doses taken, (breaks, people)."""
    kinetics = pharmacokinetics(person, grid.times[0], False)
    none = jnp.zeros_like(habit)

    def signal(concentrations: tuple[Array, ...], day: Array) -> tuple[Array, ...]:
        return model.signal(person, concentrations, none, day)

    def stretch(body: Body, now: tuple[Array, Array, Array]) -> tuple[Body, tuple[Array, Array]]:
        number, once, daily = now
        willing = jnp.ones_like(habit) if ACNE.willing is None else ACNE.willing(person, body.state)
        share = habit * jnp.where(free, willing, 1.0)
        drift = partial(model.drift, person)
        body = advance(drift, signal, kinetics, body, tuple(once), tuple(daily * share[None, :]), grid, number)
        return body, (jnp.stack(body.state), share)

    body, (states, share) = lax.scan(stretch, body, (jnp.arange(CHUNK), given, inputs))
    return body, (jnp.swapaxes(states, 0, 1), share)
