"""How fine the time mesh must be: chosen once a study by step doubling, checked on the twins of every run."""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.engine.course import Body, at_rest
from ..core.keys import uniforms
from .conduct import Protocol, keys_of, onward, parameters_of, twins_of
from .dosing import due, taken_daily
from .schedule import mesh, protocol
from .study import Study

PROBE = 256  # twins on which a mesh is tried
TOLERANCE = 1e-4  # largest relative error of any state of any probed twin at any visit
FIRST_TRY, COARSEST, FINEST = 2.0, 4.0, 1 / 64
MARGIN = 0.85  # of the scale at which the method's third order puts the error at the tolerance
MOVING = 0.3  # chance a visit that a probed twin goes on to the next stage of its arm, where it can
FLOOR = 1e-2  # states are 1 untreated and PASI reads 0 near 0.04; below this an error is relative to the floor


class Accuracy(NamedTuple):
    """A mesh and the error that step doubling finds on it."""

    scale: float
    steps: int
    error: float


def tune(study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray) -> Accuracy:
    """The coarsest mesh that keeps the error of the probed twins within tolerance.

    Raises:
      ArithmeticError: no mesh does.
    """
    scale = FIRST_TRY
    while scale >= FINEST:
        error = check(study, disease, key, ids, arms, scale)
        wanted = MARGIN * scale * (TOLERANCE / max(error, 1e-12)) ** (1 / 3)
        if error <= TOLERANCE and (wanted < 1.2 * scale or scale == COARSEST):
            return Accuracy(scale, mesh(study.trial, scale).steps, error)
        scale = float(f"{min(wanted, COARSEST):.3g}")
    raise ArithmeticError(f"the model of {disease.name} is not resolved by {FINEST:g} of the usual time step")


def check(study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray, scale: float) -> float:
    """The error of a mesh on some twins, by step doubling: largest, relative."""
    coarse = _states(study, disease, key, ids, arms, scale)
    return _difference(coarse, _states(study, disease, key, ids, arms, scale / 2))


def probe(ids: np.ndarray, arms: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random sample of a run's twins, always of the same size (with repeats if there are fewer)."""
    chosen = np.random.default_rng(seed).choice(len(ids), PROBE, replace=len(ids) < PROBE)
    return ids[chosen], arms[chosen]


def _states(study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray, scale: float) -> np.ndarray:
    trial = protocol(study, disease, mesh(study.trial, scale))
    follow = _follower(disease.name, study.population.source)
    theta = parameters_of(disease, study.model.draw)
    return np.asarray(follow(key, jnp.asarray(ids), jnp.asarray(arms), trial, theta))


def _difference(coarse: np.ndarray, fine: np.ndarray) -> float:
    return float((np.abs(coarse - fine) / np.maximum(np.abs(fine), FLOOR)).max())


@cache
def _follower(disease: str, source: str):
    return jax.jit(partial(_follow, DISEASES[disease], source))


def _follow(
    disease: Disease, source: str, key: Array, ids: Array, arms: Array, protocol: Protocol, theta: dict[str, Array]
) -> Array:
    """States at visits when every dose is taken, shape (visits, variables, people)."""
    twins, keys = twins_of(source, key, ids), keys_of(key, ids)
    person = disease.individual(keys, twins, protocol.drugs[arms].T, theta)
    begin = disease.start(person)
    no_topical, every = jnp.zeros_like(begin[0]), jnp.ones_like(begin[0])

    def visit(carry: tuple[Body, Array, Array], number: Array) -> tuple[tuple[Body, Array, Array], Array]:
        before, stage, plan = carry
        stage, plan = _go_on(protocol, keys, arms, stage, plan, number)

        def between(b: Array, body: Body) -> Body:
            doses = tuple(due(protocol.doses, twins, plan, b))
            daily = taken_daily(protocol.doses, plan, every, b)
            return onward(disease, keys, person, no_topical, body, doses, daily, protocol, b)

        after = lax.fori_loop(protocol.first[number], protocol.first[number + 1], between, before)
        return (after, stage, plan), jnp.stack(before.state)

    slots = protocol.drugs.shape[1] + len(disease.disturb(keys, person, protocol.days[0]))
    start = (at_rest(begin, slots), jnp.zeros_like(arms), arms)
    _, states = lax.scan(visit, start, jnp.arange(protocol.days.shape[0]))
    return states


def _go_on(
    protocol: Protocol, keys: Array, arms: Array, stage: Array, plan: Array, number: Array
) -> tuple[Array, Array]:
    """Stages and plans of probed twins from a visit on: whatever they measure, so that all stages are tried."""
    if protocol.stages is None:
        return stage, plan
    following = jnp.minimum(stage + 1, protocol.stages.plans.shape[1] - 1)
    found = protocol.stages.plans[arms, following, number]
    goes = (found != arms) & (following != stage) & (uniforms(keys, "probe", number) < MOVING)
    return jnp.where(goes, following, stage), jnp.where(goes, found, plan)
