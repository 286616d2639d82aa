"""How fine the time mesh must be: chosen once a study by step doubling, checked on the twins of every run.

The error that counts is relative, of any state at any visit: the largest of any probed twin. But a drug with
saturable elimination ends abruptly, at another time in each twin, and those on whom it has just ended have errors
that fall slowly with the step and say little of a trial: the largest would ask for ever finer meshes. Studies of such
drugs are held to the mean of its size over the probed twins of an arm, for the worst arm. No mean of an arm is
further off than this. With 5e-4 in plaque activity a share of responders is off by less than 2e-4, since the density
of its logarithm is below 0.4 where it varies as much as it does between people; chance leaves at least 5e-3 in an arm
of 1,000 with 3 to 97 % responders.
"""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.engine.course import Body, at_rest
from ..core.keys import root, uniforms
from .conduct import Protocol, keys_of, onward, parameters_of, twins_of
from .dosing import due, taken_daily
from .schedule import mesh, protocol, slots
from .study import Study

PROBE = 256  # twins on which a mesh is tried
TOLERANCE = 1e-4  # of the largest relative error
MEAN_TOLERANCE = 5e-4  # of the mean relative error, where some drug ends abruptly
FIRST_TRY, COARSEST, FINEST = 2.0, 4.0, 1 / 64
MARGIN = 0.85  # of the scale at which the method's third order puts the error at the tolerance
MOVING = 0.3  # chance a visit that a probed twin goes on to the next stage of its arm, where it can
FLOOR = 1e-2  # most states are 1 untreated; below this an error is relative to the floor


class Accuracy(NamedTuple):
    """A mesh and the error that step doubling finds on it."""

    scale: float
    steps: int
    error: float


def tune(study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray, way: str = "xla") -> Accuracy:
    """The coarsest mesh that keeps the error of the probed twins within tolerance.

    way: what computes them, `lanes` or `xla`.

    Raises:
      ArithmeticError: no mesh does.
    """
    scale, allowed = FIRST_TRY, tolerance(study, disease)
    while scale >= FINEST:
        error = check(study, disease, key, ids, arms, scale, way)
        wanted = MARGIN * scale * (allowed / max(error, 1e-12)) ** (1 / 3)
        if error <= allowed and (wanted < 1.2 * scale or scale == COARSEST):
            return Accuracy(scale, mesh(study.trial, scale).steps, error)
        scale = float(f"{min(wanted, COARSEST):.3g}")
    raise ArithmeticError(f"the model of {disease.name} is not resolved by {FINEST:g} of the usual time step")


def check(
    study: Study,
    disease: Disease,
    key: Array,
    ids: np.ndarray,
    arms: np.ndarray,
    scale: float,
    way: str = "xla",
) -> float:
    """The error of a mesh on some twins, by step doubling, as `measure` says."""
    coarse = _states(study, disease, key, ids, arms, scale, way)
    fine = _states(study, disease, key, ids, arms, scale / 2, way)
    return mean_of_worst_arm(coarse, fine, arms) if _abrupt(study, disease) else largest(coarse, fine)


def tolerance(study: Study, disease: Disease) -> float:
    """The most that `check` may find."""
    return MEAN_TOLERANCE if _abrupt(study, disease) else TOLERANCE


def measure(study: Study, disease: Disease) -> str:
    """What `check` finds, in words."""
    if _abrupt(study, disease):
        what = (
            f"largest mean over the twins of an arm ({PROBE} in all) of the relative change of any state at any visit"
        )
    else:
        what = f"largest relative change of any state of {PROBE} twins at any visit"
    return f"{what} when every step is halved"


def largest(coarse: np.ndarray, fine: np.ndarray) -> float:
    """The largest relative difference between states, (visits, variables, people)."""
    return float(_relative(coarse, fine).max())


def mean_of_worst_arm(coarse: np.ndarray, fine: np.ndarray, arms: np.ndarray) -> float:
    """The same, but its mean over people, (people,) of `arms`, in the worst arm, of any variable at any visit."""
    sizes = _relative(coarse, fine)
    return float(max(sizes[..., arms == arm].mean(-1).max() for arm in np.unique(arms)))


def probe(ids: np.ndarray, arms: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random sample of a run's twins, always of the same size (with repeats if there are fewer)."""
    chosen = np.random.default_rng(seed).choice(len(ids), PROBE, replace=len(ids) < PROBE)
    return ids[chosen], arms[chosen]


def trace(study: Study, disease: Disease, way: str) -> None:
    """Have what `check` computes traced, which compiles lanes.

    Raises:
      Unsupported: lanes do not know something that the model does.
    """
    nobody = np.zeros(PROBE, dtype=np.int64)
    _follower(disease.name, study.population.source, way).eval_shape(
        *_inputs(study, disease, root(study.seed), nobody, nobody, FIRST_TRY)
    )


def _inputs(study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray, scale: float) -> tuple:
    trial = protocol(study, disease, mesh(study.trial, scale))
    return key, jnp.asarray(ids), jnp.asarray(arms), trial, parameters_of(disease, study.model.draw)


def _states(
    study: Study, disease: Disease, key: Array, ids: np.ndarray, arms: np.ndarray, scale: float, way: str
) -> np.ndarray:
    follow = _follower(disease.name, study.population.source, way)
    return np.asarray(follow(*_inputs(study, disease, key, ids, arms, scale)))


def _abrupt(study: Study, disease: Disease) -> bool:
    """Some drug of the study has saturable elimination."""
    return any(disease.treatments[name].saturable for arm in study.trial.arms.values() for name in slots(arm))


def _relative(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    return np.abs(coarse - fine) / np.maximum(np.abs(fine), FLOOR)


@cache
def _follower(disease: str, source: str, way: str):
    return jax.jit(partial(_follow, DISEASES[disease], source, way))


def _follow(
    disease: Disease,
    source: str,
    way: str,
    key: Array,
    ids: Array,
    arms: Array,
    protocol: Protocol,
    theta: dict[str, Array],
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
            daily = taken_daily(protocol.doses, twins, plan, every[None, :], b)
            return onward(disease, keys, person, no_topical, body, doses, daily, protocol, b, way)

        after = lax.fori_loop(protocol.first[number], protocol.first[number + 1], between, before)
        return (after, stage, plan), jnp.stack(before.state)

    followed = protocol.drugs.shape[1] + len(disease.disturb(keys, person, protocol.days[0]))
    start = (at_rest(begin, followed), jnp.zeros_like(arms), arms)
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
