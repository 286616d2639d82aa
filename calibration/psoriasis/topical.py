"""Calcipotriol with betamethasone as foam: how fast it clears, from response rates at week 4.

One number is estimated, the rate of direct clearing; four rates of one week cannot tell it from the share of input that
is blocked, from the spread between people or from how much of the prescribed is used, which stay assumed. The people
are milder than those of other trials: their skin is drawn for the severity of trials of topicals, and a rater reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.optimize import minimize_scalar

from ...core.engine.rosenbrock import Drive, State, step
from ...core.keys import normals, people, root, stream
from ...core.psoriasis.endpoints import OUTCOMES
from ...core.psoriasis.model import activity, drift, individual, signal, start
from ...core.psoriasis.skin import read
from ...population.psoriasis import twin
from .evidence import targets
from .triggers import TARGETS

SEED, PEOPLE = 20261, 4000
WEEKS = 12
STEPS = 2  # a day
LEAST, MOST = 1e-3, 0.5  # rates of clearing that are tried, 1/day
APART = (
    2.0  # by which both ends of that range must be less likely than the estimate (logarithm): 95 % limits lie within
)
STEP = 0.05  # of the logarithm, over which the curvature is taken: wide enough for simulated rates


@dataclass(frozen=True)
class Rate:
    """A published response rate at week 4 (%) and the estimated model's."""

    trial: str
    outcome: str
    n: int
    observed: float
    predicted: float


@dataclass(frozen=True)
class Clearing:
    """The estimate (1/day), the standard error of its logarithm, and what it gives.

    success: share with treatment success by week, of weeks 1 to 12 (half had it by week 6 in PSO-ABLE).
    """

    clearing: float
    error: float
    rates: tuple[Rate, ...]
    success: tuple[float, ...]


def foam_rates() -> tuple[tuple[str, str, int, float], ...]:
    """Trial, outcome, people, percentage: of arms on foam at the week that the fit uses."""
    week = int(TARGETS.value("topical.week"))
    found = [(t, r) for t in targets.topical() for arm in t.arms if arm.name == "foam" for r in arm.at(week).values()]
    return tuple((t.title, r.outcome, r.n, r.percent) for t, r in found)


def estimate(theta: Mapping[str, float], seed: int = SEED, size: int = PEOPLE) -> Clearing:
    """The rate of clearing under which the published responses are most likely.

    Raises:
      ValueError: no rate between LEAST and MOST gives such responses.
    """
    published = foam_rates()
    week = int(TARGETS.value("topical.week"))

    def simulated(log: float) -> dict[str, np.ndarray]:
        return responses(dict(theta) | {"topical.clearing": float(np.exp(log))}, seed, size)

    def deviance(log: float) -> float:
        shares = {name: np.clip(values[week - 1], 1e-4, 1 - 1e-4) for name, values in simulated(log).items()}
        return -sum(
            n * (percent / 100 * np.log(shares[o]) + (1 - percent / 100) * np.log(1 - shares[o]))
            for _, o, n, percent in published
        )

    ends = (np.log(LEAST), np.log(MOST))
    found: Any = minimize_scalar(deviance, bounds=ends, method="bounded")
    best = float(found.x)
    if min(map(deviance, ends)) < deviance(best) + APART:
        raise ValueError(f"topical: no rate of clearing between {LEAST} and {MOST} a day gives the published responses")
    curvature = (deviance(best + STEP) - 2 * deviance(best) + deviance(best - STEP)) / STEP**2
    reached = simulated(best)
    rates = tuple(Rate(t, o, n, percent, 100 * float(reached[o][week - 1])) for t, o, n, percent in published)
    return Clearing(float(np.exp(best)), float(curvature**-0.5), rates, tuple(reached["iga01"].tolist()))


def responses(theta: Mapping[str, float], seed: int, size: int) -> dict[str, np.ndarray]:
    """Shares of simulated people with each response at the end of every week of a topical, (weeks,) each."""
    numbers = {name: jnp.asarray(value, dtype="float64") for name, value in theta.items()}
    typical = {"value": TARGETS.value("topical.severity"), "sd": TARGETS.sd("topical.severity")}
    shares = _responses(root(seed), jnp.arange(size), numbers, {k: jnp.asarray(v) for k, v in typical.items()})
    return {name: np.asarray(values) for name, values in shares.items()}


@jax.jit
def _responses(key: Array, ids: Array, theta: dict[str, Array], severity: dict[str, Array]) -> dict[str, Array]:
    keys, twins = people(key, ids), jax.vmap(twin, (None, 0))(key, ids)
    mild = severity["value"] * jnp.exp(severity["sd"] * normals(keys, "severity of topical trials"))
    person = individual(keys, twins | {"severity": mild}, jnp.zeros((0, ids.shape[0]), dtype="int64"), theta)
    used = signal(person, (), jnp.ones_like(mild), jnp.zeros(()))
    held, h = Drive(used, tuple(map(jnp.zeros_like, used))), jnp.asarray(1 / STEPS)

    def look(state: State, day: Array, visit: int | Array) -> dict[str, Array]:
        at = jax.vmap(lambda k: stream(k, "topical visit", visit))(keys)
        return read(at, person.lesions, *activity(person, state, day), person.theta)

    before = look(start(person), jnp.zeros(()), 0)

    def week(state: State, number: Array) -> tuple[State, dict[str, Array]]:
        after = lax.fori_loop(0, 7 * STEPS, lambda _, y: step(partial(drift, person), y, held, held, h), state)
        now = look(after, 7.0 * number.astype("float64"), number)
        return after, {name: OUTCOMES[name].derive(now, before).mean() for name in ("pasi75", "iga01")}

    return lax.scan(week, start(person), jnp.arange(1, WEEKS + 1))[1]
