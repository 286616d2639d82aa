"""All predicted numbers of the evidence as a function of the parameters and of what each trial adds, with slopes.

Damage of every person is the costly step and depends on two parameters alone (ACT); slopes of all else go through its
linear change with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import expit, logit

from ...core.laser import outcomes, treat
from ...core.laser.damage import kinetics
from ...core.laser.targets import Follicles, Pigment, Vessels
from ..climb import scattered
from ..scale import Vector
from .solve import Solved, between
from .trials import EVENTS, Arm, Part, Reported

ACT = ("epidermis.folding", "death.activation")
EFFECTS = ("efficacy", "events")
CERTAIN = outcomes.COLUMN
NEAREST = 1e-6  # to 0 and 1 that a share comes

Values = Mapping[str, Any]


class Slopes(NamedTuple):
    """Numbers with slopes: in places of the vector, (places, entries), and in their own effects, (entries,)."""

    value: np.ndarray
    vector: np.ndarray
    effect: np.ndarray


@dataclass(frozen=True, eq=False)
class Table:
    """Predicted numbers, all shares, one for each figure of each arm.

    parts: of `solved`, whose they are. fixed: all numbers of outcomes; those of `vector` are overridden.
    """

    arms: tuple[Arm, ...]
    parts: tuple[tuple[Arm, Part], ...]
    solved: Solved
    vector: Vector
    fixed: dict[str, float]

    @cached_property
    def entries(self) -> tuple[tuple[Arm, Reported], ...]:
        """Arm and figure of each number."""
        return tuple((arm, figure) for arm in self.arms for figure in arm.figures)

    @cached_property
    def place(self) -> dict[tuple[str, str, str, int], int]:
        """Where a number stands, by trial, arm, outcome and day."""
        return {(a.trial, a.name, f.what, f.day): i for i, (a, f) in enumerate(self.entries)}

    @cached_property
    def trials(self) -> tuple[str, ...]:
        """Trials, in the order of the effects of each kind."""
        return tuple(dict.fromkeys(arm.trial for arm in self.arms))

    @property
    def shares(self) -> np.ndarray:
        """All numbers are shares, (entries,)."""
        return np.ones(len(self.entries), bool)

    @cached_property
    def belongs(self) -> dict[str, np.ndarray]:
        """Of each of EFFECTS: the trial whose effect moves a number, (entries,), -1 for none."""
        trial = np.array([self.trials.index(arm.trial) for arm, _ in self.entries])
        harm = np.array([figure.what in EVENTS for _, figure in self.entries])
        return {"efficacy": np.where(harm, -1, trial), "events": np.where(harm, trial, -1)}

    @cached_property
    def effect(self) -> np.ndarray:
        """The effect of each number among all, (entries,)."""
        both = [self.belongs[name] for name in EFFECTS]
        return np.where(both[0] >= 0, both[0], len(self.trials) + both[1])

    def values(self, vector: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Predicted numbers, (entries,)."""
        plain = self._plain(jnp.asarray(vector), self.damage(vector), self._light)
        return np.asarray(expit(logit(plain) + effects[self.effect]))

    def slopes(self, vector: np.ndarray, effects: np.ndarray, exact: bool = False) -> Slopes:
        """Predicted numbers with their slopes."""
        at = jnp.asarray(self._acting(vector))
        damage, along = _damage(self.solved, at), _along(self.solved, at)
        plain, steep = (
            np.asarray(self._plain(jnp.asarray(vector), damage, self._light)),
            self._steep(jnp.asarray(vector), damage, along, self._light),
        )
        value = np.asarray(expit(logit(plain) + effects[self.effect]))
        moved = value * (1 - value)
        return Slopes(value, np.asarray(steep).T * moved / (plain * (1 - plain)), moved)

    def full(self, slopes: Slopes) -> np.ndarray:
        """Slopes in every place of the vector and then in every effect, (places + effects, entries)."""
        own = scattered(slopes.effect, self.effect, len(EFFECTS) * len(self.trials))
        return np.concatenate([slopes.vector, own])

    def _acting(self, vector: np.ndarray) -> np.ndarray:
        return np.asarray(vector)[[self.vector.names.index(name) for name in ACT]]

    def damage(self, vector: np.ndarray) -> Array:
        """ln Omega at POINTS, (parts, points, people); kept until other parameters of ACT are asked for."""
        acting = self._acting(vector)
        if acting.tobytes() not in self._kept:
            self._kept.clear()
            self._kept[acting.tobytes()] = _damage(self.solved, jnp.asarray(acting))
        return self._kept[acting.tobytes()]

    @cached_property
    def _kept(self) -> dict[bytes, Array]:
        return {}

    @cached_property
    def _plain(self) -> "jax.stages.Wrapped":
        return jax.jit(self._read)

    @cached_property
    def _steep(self) -> "jax.stages.Wrapped":
        places = np.array([self.vector.names.index(name) for name in ACT])

        def read(vector: Array, damage: Array, along: Array, light: "_Light") -> Array:
            moved = vector[places] - lax.stop_gradient(vector[places])
            return self._read(vector, damage + along @ moved, light)

        return jax.jit(jax.jacfwd(read))

    @property
    def _light(self) -> "_Light":
        of = self.solved
        return _Light(of.typology, _Harmed(of.purpuric, of.closed, of.broken, of.ink), of.area, of.renewed)

    def _read(self, vector: Array, damage: Array, light: "_Light") -> Array:
        """All numbers without effects of trials. damage: ln Omega at POINTS, (parts, points, people)."""
        values = self.fixed | self.vector.numbers(vector)
        weights = between(jnp.asarray(values["epidermis.folding"]))
        harmed = _Harmed(*(jnp.tensordot(weights, x, 1) for x in light.harmed))
        risks = _risks(self.parts, light, damage[:, 0], values)
        found = jnp.zeros(len(self.entries))
        for reading, rows in self._readings.items():
            entry, part, weight = (np.array(column) for column in zip(*rows, strict=True))
            if reading.what in EVENTS:
                once = risks[reading.what][part]
                each = outcomes.ever(once, 1 if reading.each == "session" else reading.sessions)
            else:
                each = _gone(reading, damage[part], _Harmed(*(x[part] for x in harmed)), light.renewed[part], values)
            found = found.at[entry].add(weight * each.mean(axis=-1))
        return jnp.clip(found, NEAREST, 1 - NEAREST)

    @cached_property
    def _readings(self) -> "dict[_Reading, list[tuple[int, int, float]]]":
        """Entry, part and its weight, of what is read alike."""
        found: dict[_Reading, list[tuple[int, int, float]]] = {}
        for place, (arm, figure) in enumerate(self.entries):
            reading = _Reading(figure.what, float(figure.day), arm.sessions, arm.interval, figure.each)
            mine = [(place, i, part.weight) for i, (whose, part) in enumerate(self.parts) if whose is arm]
            found.setdefault(reading, []).extend(mine)
        return found


class _Reading(NamedTuple):
    """How a figure is read; see `trials.Arm` and `trials.Reported`."""

    what: str
    day: float
    sessions: int
    interval: float
    each: str


class _Harmed(NamedTuple):
    """As in `Solved`, at all folds or at one."""

    purpuric: Array
    closed: Array
    broken: Array
    ink: Array


class _Light(NamedTuple):
    """What a compilation is given of `Solved` beside its heat: baked in, it would be folded for minutes."""

    typology: Array
    harmed: _Harmed
    area: Array
    renewed: Array


def _omega(solved: Solved, acting: Array) -> Array:
    """ln Omega at POINTS, (parts, points, people). acting: logarithms of ACT, (2,)."""
    folding, activation = jnp.exp(acting)
    of = treat.death("epidermis", {"death.activation": activation})
    heat = solved.base + jnp.tensordot(between(folding), solved.rise, 1)

    def add(total: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        before, after, step = now
        return jnp.logaddexp(total, kinetics.log_increment(of, before, after, step[:, None, None])), None

    nothing = jnp.full(heat.shape[1:], -1e3)
    done = lax.scan(add, nothing, (heat[:-1], heat[1:], solved.step))[0]
    return jnp.where(solved.heated[:, None, None], done, CERTAIN)


_damage = jax.jit(_omega)
_along = jax.jit(jax.jacfwd(_omega, argnums=1))


def _risks(parts: tuple[tuple[Arm, Part], ...], light: _Light, basal: Array, values: Values) -> dict[str, Array]:
    """Risks of one session, each (parts, people)."""
    sought = np.array([arm.sought for arm, _ in parts])[:, None]
    found = outcomes.events(basal, light.typology, sought, None, light.area, values)
    whole = 1 - (1 - found.blister) * (1 - found.burn) * (1 - found.hyperpigmentation)
    return {"blister": found.blister, "burn": found.burn, "pih": found.hyperpigmentation, "any": whole}


def _gone(of: _Reading, damage: Array, harmed: _Harmed, renewed: Array, values: Values) -> Array:
    """What a figure other than of events is in each person, (parts, people)."""
    what, days = of.what, np.array([of.day])
    if what == "hair":
        harm = Follicles(damage[:, 1], damage[:, 2])
        return outcomes.hair_reduction(harm, of.sessions, of.interval, days, values)[0]
    if what == "purpura":
        return outcomes.purpuric(jnp.exp(harmed.purpuric), values)
    if what.startswith("stain"):
        vessels = Vessels(harmed.closed, harmed.closed, harmed.closed)  # of which blanching reads what is closed
        gone = outcomes.blanching(vessels, of.sessions, of.interval, days, values)[0]
        return gone if what == "stain" else outcomes.cleared(gone, 0.75, values["port_wine.between"])
    if what.startswith("texture"):
        gone = outcomes.texture(renewed, of.sessions, of.interval, days, values)[0]
        least = what.removeprefix("texture").removeprefix("_")
        return outcomes.cleared(gone, int(least) / 100, values["columns.between"]) if least else gone
    broken = Pigment(harmed.broken, harmed.ink)
    if what.startswith("melasma"):
        gone = outcomes.pigment_clearance(broken, of.sessions, of.interval, days, values)[0]
    else:
        gone = outcomes.ink_clearance(broken, of.sessions, values)
    least = what.removeprefix("melasma").removeprefix("ink").removeprefix("_")
    return outcomes.cleared(gone, int(least) / 100, values["pigment.between"]) if least else gone
