"""How fine the time mesh must be: chosen once a study by step doubling, checked on the twins of every run."""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.engine.course import Body, advance, at_rest
from .conduct import Protocol, keys_of, parameters_of, twins_of
from .schedule import mesh, protocol
from .study import Study

PROBE = 256  # twins on which a mesh is tried
TOLERANCE = 1e-4  # largest relative error of any state of any probed twin at any visit
FIRST_TRY, COARSEST, FINEST = 2.0, 4.0, 1 / 64
MARGIN = 0.85  # of the scale at which the method's third order puts the error at the tolerance
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
    return np.asarray(follow(key, jnp.asarray(ids), jnp.asarray(arms), trial, parameters_of(disease)))


def _difference(coarse: np.ndarray, fine: np.ndarray) -> float:
    return float((np.abs(coarse - fine) / np.maximum(np.abs(fine), FLOOR)).max())


@cache
def _follower(disease: str, source: str):
    return jax.jit(partial(_follow, DISEASES[disease], source))


def _follow(
    disease: Disease, source: str, key: Array, ids: Array, arms: Array, protocol: Protocol, theta: dict[str, Array]
) -> Array:
    """States at visits when every dose is taken, shape (visits, variables, people)."""
    twins = twins_of(source, key, ids)
    person = disease.individual(keys_of(key, ids), twins, protocol.drugs[arms].T, theta)
    rates, begin = disease.pharmacokinetics(person), disease.start(person)
    signal = partial(disease.signal, person, topical=jnp.zeros_like(begin[0]))

    def visit(body: Body, number: Array) -> tuple[Body, Array]:
        def between(b: Array, body: Body) -> Body:
            doses = tuple(protocol.doses[b][arms].T)
            return advance(partial(disease.drift, person), signal, rates, body, doses, protocol.grid, b)

        after = lax.fori_loop(protocol.first[number], protocol.first[number + 1], between, body)
        return after, jnp.stack(body.state)

    _, states = lax.scan(visit, at_rest(begin, protocol.drugs.shape[1]), jnp.arange(protocol.days.shape[0]))
    return states
