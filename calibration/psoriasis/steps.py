"""What the length of time steps does to results: the engine on a mesh that a study would use, on a finer one, and the
calibration's own scheme, for the same people.

Response rates come from plaque activity by the smooth curves of `readings`, so that a few hundred people show errors
far below those of chance.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array, lax

from ...core.engine.course import Body, Grid, advance, at_rest, on_device
from ...core.engine.mesh import Mesh, graded
from ...core.keys import normals, uniforms
from ...core.psoriasis import model, sensitivity
from ...core.psoriasis.treatments import ADDRESSES, TREATMENTS, column, disposition, number
from ..exposure import doses
from .cohort import pool
from .exposure import concentrations, spans
from .readings import GRID
from .simulate import Arms, Scenario, activity

WEEKS = 16
BREAKS = 128  # one shape, hence one compilation, for every regimen
LONGEST, SHORTEST = 4.0, 1 / 64  # of the usual step, the first and the last to be tried
FLOOR = 1e-2  # below it the error of a state is relative to it
ARM, SHARE = 1000, 0.1  # steps may add this share of the standard error in an arm of so many people
FINER = 8  # the course taken for exact has steps so many times as short as those of the study


class Course(NamedTuple):
    """What an arm receives on a mesh; breaks beyond those of the mesh are empty.

    grid: the mesh. days: of the breaks, (breaks,). given, daily: amounts at them, and a day from them on,
    (breaks, people).
    """

    grid: Grid
    days: Array
    given: Array
    daily: Array


def refine(
    scenarios: Iterable[Scenario],
    theta: dict[str, Array],
    curves: Mapping[str, np.ndarray],
    tolerance: float,
    finer: int = FINER,
) -> pd.DataFrame:
    """Errors at week 16 of the engine, on the coarsest mesh that keeps states within `tolerance` as a study's does.

    Args:
      scenarios: arms of one treatment each. curves: of `readings.response_curves`.
    Returns:
      One row an arm and quantity: treatment, quantity (a response, or `activity`, the mean plaque activity), value,
      error, error_halved (with half the steps), allowed (SHARE of the standard error in ARM people), scale, steps.
    """
    rows = []
    for scenario in scenarios:
        scale, own = tune(scenario, theta, tolerance)
        half, exact = (seen(scenario, theta, scale / parts) for parts in (2, finer))
        steps = mesh_of(scenario, scale).steps
        found = [quantities(logs, curves) for logs in (exact, _seen(scenario, theta, own), half)]
        for name, (value, sd) in found[0].items():
            errors = [abs(told[name][0] - value) for told in found[1:]]
            rows.append((scenario.arm.name, name, value, *errors, SHARE * sd / np.sqrt(ARM), scale, steps))
    columns = ["treatment", "quantity", "value", "error", "error_halved", "allowed", "scale", "steps"]
    return pd.DataFrame(rows, columns=columns)


def compare(
    scenarios: Iterable[Scenario], theta: dict[str, Array], curves: Mapping[str, np.ndarray], scale: float
) -> pd.DataFrame:
    """The calibration's scheme against the engine on a mesh of some scale, the same people in both.

    Returns:
      One row an arm: treatment, difference (mean absolute, of the logarithm of plaque activity), and for each response
      the share by the engine and by the calibration.
    """
    rows = []
    for scenario in scenarios:
        engine, ours = seen(scenario, theta, scale), calibration(scenario, theta)
        row = {"treatment": scenario.arm.name, "difference": float(np.abs(engine - ours).mean())}
        for name in curves:
            row |= {name: quantities(engine, curves)[name][0], f"{name}_calibration": quantities(ours, curves)[name][0]}
        rows.append(row)
    return pd.DataFrame(rows)


def quantities(logs: np.ndarray, curves: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Means and standard deviations between people: of responses (with their binomial spread), of plaque activity."""
    shares = {name: float(np.interp(logs, GRID, curve).mean()) for name, curve in curves.items()}
    found = {name: (share, float(np.sqrt(share * (1 - share)))) for name, share in shares.items()}
    return found | {"activity": (float(np.exp(logs).mean()), float(np.exp(logs).std()))}


def tune(scenario: Scenario, theta: dict[str, Array], tolerance: float) -> tuple[float, np.ndarray]:
    """The largest scale of the mesh (a power of 2) that keeps states within tolerance, and the states at weeks' ends.

    Raises:
      ArithmeticError: none does.
    """
    scale = LONGEST
    coarse = follow(scenario, theta, scale)
    while scale >= SHORTEST:
        fine = follow(scenario, theta, scale / 2)
        if (np.abs(coarse - fine) / np.maximum(np.abs(fine), FLOOR)).max() <= tolerance:
            return scale, coarse
        scale, coarse = scale / 2, fine
    raise ArithmeticError(f"{scenario.arm.name}: not resolved by {SHORTEST:g} of the usual time step")


def seen(scenario: Scenario, theta: dict[str, Array], scale: float) -> np.ndarray:
    """Logarithm of plaque activity as seen at week 16 by the engine, (people,)."""
    return _seen(scenario, theta, follow(scenario, theta, scale))


def follow(scenario: Scenario, theta: dict[str, Array], scale: float, weeks: int = WEEKS) -> np.ndarray:
    """States at the end of each week by the engine, (weeks, states, people)."""
    person, course = someone(scenario, theta), lay_out(scenario, scale, weeks)
    saturable = any(TREATMENTS[name].saturable for name in scenario.arm.treatments)
    states = np.asarray(run(saturable, person, course))
    weekly = np.searchsorted(np.asarray(course.days), 7 * np.arange(1, weeks + 1))
    return states[weekly - 1]


def calibration(scenario: Scenario, theta: dict[str, Array]) -> np.ndarray:
    """Logarithm of plaque activity as seen at week 16 by the calibration's scheme, (people,)."""
    size = len(scenario.twins["weight"])
    keys: Any = pool(size).keys
    twins = _arrays(scenario.twins)
    name = scenario.arm.treatments[0] if scenario.arm.treatments else None
    drugs = jnp.asarray([number(name) if name else 0])
    mine = jax.vmap(lambda key: jax.random.fold_in(key, jnp.asarray(ADDRESSES)[drugs[0]]))(keys)
    nothing = np.zeros((2 * len(spans(WEEKS)[0]) + 1, size))
    exposure = concentrations(name, scenario.twins, scenario.arm.courses, WEEKS, theta) if name else nothing
    one = (
        sensitivity.known(twins, column(theta, "carriers", drugs), theta),
        normals(keys, "resistance"),
        normals(mine, "potency"),
        *(normals(keys, name) for name in ("plaque_rate", "il23_free", "il17f_share")),
        uniforms(keys, "placebo"),
    )
    arms = Arms(jnp.asarray(exposure)[:, None], drugs, *(values[None] for values in one))
    return np.asarray(activity(arms, WEEKS, theta, jnp.zeros(1)))[-1, 0]


@partial(jax.jit, static_argnums=0)
def run(saturable: bool, person: model.Individual, course: Course) -> Array:
    """States at the end of each break's interval, (breaks - 1, states, people)."""
    none = jnp.zeros_like(person.plaque_rate)

    def signal(concentrations: tuple[Array, ...], day: Array) -> tuple[Array, ...]:
        return model.signal(person, concentrations, none, day)

    def onward(body: Body, b: Array) -> tuple[Body, Array]:
        rates = (disposition(person.slots[0], course.days[b], saturable),)
        given, daily = (course.given[b],), (course.daily[b],)
        body = advance(partial(model.drift, person), signal, rates, body, given, daily, course.grid, b)
        return body, jnp.stack(body.state)

    _, states = lax.scan(onward, at_rest(model.start(person), 1), jnp.arange(BREAKS - 1))
    return states


def lay_out(scenario: Scenario, scale: float, weeks: int = WEEKS) -> Course:
    """An arm's doses on the mesh of a scale.

    Raises:
      ValueError: the arm has more doses than BREAKS allow.
    """
    mesh = mesh_of(scenario, scale, weeks)
    count = len(mesh.breaks)
    if count > BREAKS:
        raise ValueError(f"{scenario.arm.name}: {count} breaks, more than {BREAKS}")
    given, daily = doses(scenario.arm.courses, scenario.twins["weight"], weeks)
    days = np.r_[mesh.breaks, np.full(BREAKS - count, mesh.breaks[-1])].astype(int)
    begins = np.r_[mesh.begins, np.full(BREAKS - count, mesh.begins[-1])]
    own = (np.arange(BREAKS) < count - 1)[:, None]
    return Course(
        on_device(mesh.times, begins),
        jnp.asarray(days, dtype="float64"),
        jnp.asarray(np.where(own, given[days], 0.0)),
        jnp.asarray(np.where(own, daily[days], 0.0)),
    )


def mesh_of(scenario: Scenario, scale: float, weeks: int = WEEKS) -> Mesh:
    """The mesh that a study of this arm, seen every week, would use at a scale."""
    given, _ = doses(scenario.arm.courses, scenario.twins["weight"], weeks)
    return graded([0], [0, *np.flatnonzero(given.any(1)).tolist()], range(0, 7 * weeks + 1, 7), scale)


def someone(scenario: Scenario, theta: dict[str, Array]) -> model.Individual:
    """The people of an arm as the engine draws them, with the keys of the calibration's pool."""
    size = len(scenario.twins["weight"])
    drug = number(scenario.arm.treatments[0]) if scenario.arm.treatments else 0
    return _individual(pool(size).keys, _arrays(scenario.twins), jnp.full((1, size), drug), theta)


_individual = jax.jit(model.individual)


def _arrays(twins: Mapping[str, np.ndarray]) -> dict[str, Array]:
    return {name: jnp.asarray(value) for name, value in twins.items()}


def _seen(scenario: Scenario, theta: dict[str, Array], states: np.ndarray) -> np.ndarray:
    state = tuple(jnp.asarray(values) for values in states[-1])
    now, _ = model.activity(someone(scenario, theta), state, jnp.asarray(7.0 * WEEKS))
    return np.log(np.maximum(np.asarray(now), 1e-9))
