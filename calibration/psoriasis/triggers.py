"""Sizes of what makes psoriasis flare, such that plaque activity varies within untreated people as it should.

The yearly swing of the drive follows from the shares of patients who are better in summer and in winter: individual
amplitudes are taken as normal, with the same least amplitude noticed in either direction. Events then fill what is
missing to the variation within a person over a year.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.optimize import brentq
from scipy.special import ndtri

from ...core.engine.course import Body, Grid, advance, at_rest
from ...core.keys import people, root
from ...core.parameters import read_table
from ...core.psoriasis import triggers
from ...core.psoriasis.model import drift, individual, signal, start
from ...core.psoriasis.treatments import HERE
from ...population.psoriasis import twin

TARGETS = read_table(Path(__file__).parent / "outside_targets.yaml", sources=HERE / "sources.yaml")
BURN_IN, YEAR = 26, 52  # weeks
LADDER = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # sizes of an infection that are tried; each twice the one before
RUNAWAY = 30.0  # plaque activity that skin cannot have: the most widespread psoriasis is some ten times the typical
STEADY = 10.0  # largest gain of a yearly swing that a stable plaque can have
PROBE = 0.02  # amplitude of the drive at which the gain of the yearly swing is measured
SEED, PEOPLE = 20260, 2000


@dataclass(frozen=True)
class Sizes:
    """Estimates: `values` by parameter (`:sd` for a spread), and what they give.

    gain: amplitude of plaque activity over that of the drive. within_person: variation within a person over a year.
    drive, plaque: means of both over people and time, 1 without triggers.
    """

    values: Mapping[str, float]
    gain: float
    within_person: float
    drive: float
    plaque: float


def estimate(theta: Mapping[str, float], seed: int = SEED, size: int = PEOPLE) -> Sizes:
    """Sizes of infections, stress and season for the parameters `theta`, whose own sizes are not used.

    Raises:
      ValueError: untreated plaques do not keep to their steady state or run away under flares, or no size of events
        gives the variation.
    """
    goal = TARGETS.value("triggers.within_person")
    calm = dict(theta) | {f"triggers.{kind}_size": 0.0 for kind in triggers.KINDS}
    gain = _swing(calm | {"triggers.season": PROBE, "triggers.season:sd": 0.0}, seed, size) / PROBE
    if not 0 < gain < STEADY:
        raise ValueError(f"triggers: untreated plaques do not keep to their steady state (gain {gain:.3g})")
    season = season_of(gain)

    def sized(infection: float) -> dict[str, float]:
        ratio = TARGETS.value("triggers.stress_over_infection")
        return season | {"triggers.infection_size": infection, "triggers.stress_size": ratio * infection}

    def missing(infection: float) -> float:
        return within_person(courses(dict(theta) | sized(infection), seed, size)[0]) - goal

    size_found: Any = brentq(missing, *_bracket(missing), xtol=1e-4)
    values = sized(size_found)
    plaque, drive = courses(dict(theta) | values, seed, size)
    return Sizes(values, gain, within_person(plaque), float(np.mean(drive)), float(np.mean(plaque)))


def _bracket(missing: Callable[[float], float]) -> tuple[float, float]:
    """Two sizes of an infection between which the variation reaches what it should be."""
    if missing(0.0) > 0:
        raise ValueError("triggers: the season alone varies people more than they should vary")
    for size in LADDER:
        if missing(size) > 0:
            return 0.0 if size == LADDER[0] else size / 2, size
    raise ValueError(f"triggers: infections of size {LADDER[-1]} vary people less than they should vary")


def season_of(gain: float) -> dict[str, float]:
    """Mean and spread of the drive's yearly swing whose effect on plaque activity is `gain` times as large."""
    summer, winter = (float(-ndtri(TARGETS.value(f"triggers.better_in_{s}"))) for s in ("summer", "winter"))
    noticed = TARGETS.value("triggers.noticed") / gain
    sd = 2 * noticed / (summer + winter)
    return {"triggers.season": noticed - summer * sd, "triggers.season:sd": sd}


def within_person(plaque: np.ndarray) -> float:
    """Coefficient of variation over the weeks within people, (weeks, people): root of the mean of its square."""
    return float(np.sqrt(np.mean(plaque.var(axis=0) / plaque.mean(axis=0) ** 2)))


def _swing(theta: Mapping[str, float], seed: int, size: int) -> float:
    """Amplitude of a course that is a sine, root mean square of people."""
    return float(np.sqrt(2) * within_person(courses(theta, seed, size)[0]))


def courses(theta: Mapping[str, float], seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Plaque activity of untreated people and their drive at the end of each week of a year, (weeks, people) both.

    Raises:
      ValueError: plaque activity runs away, so that the untreated state is not stable.
    """
    numbers = {name: jnp.asarray(value, dtype="float64") for name, value in theta.items()}
    plaque, drive = _courses(root(seed), jnp.arange(size), numbers)
    if not np.abs(plaque).max() < RUNAWAY:  # not a number fails too
        raise ValueError("triggers: untreated plaques run away under flares: the model's feedback is too strong")
    return np.asarray(plaque)[BURN_IN:], np.asarray(drive)[BURN_IN:]


@jax.jit
def _courses(key: Array, ids: Array, theta: dict[str, Array]) -> tuple[Array, Array]:
    keys, twins = people(key, ids), jax.vmap(twin, (None, 0))(key, ids)
    person = individual(keys, twins, jnp.zeros((0, ids.shape[0]), dtype="int64"), theta)
    grid = Grid(jnp.arange(7.0 * (BURN_IN + YEAR) + 1), 7 * jnp.arange(BURN_IN + YEAR + 1))
    rates, none = triggers.disposition(person.triggers), jnp.zeros_like(person.plaque_rate)

    def week(body: Body, number: Array) -> tuple[Body, tuple[Array, Array]]:
        day = grid.times[7 * number]
        events = triggers.impulses(keys, person.triggers, day)
        inputs = (none,) * len(events)
        driven = partial(_signal, person)
        after = advance(partial(drift, person), driven, rates, body, events, inputs, grid, number)
        left = tuple(a.central / r.volume for a, r in zip(after.amounts, rates, strict=True))
        return after, (after.state[4], person.triggers.drive(left, day + 7.0))

    begin = at_rest(start(person), len(triggers.KINDS))
    return lax.scan(week, begin, jnp.arange(BURN_IN + YEAR))[1]


def _signal(person: Any, concentrations: tuple[Array, ...], day: Array) -> tuple[Array, ...]:
    return signal(person, concentrations, jnp.zeros_like(person.plaque_rate), day)
