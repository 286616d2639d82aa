"""How fast people with psoriasis are followed: the kernel of one drug a class, side by side with general solvers.

    python bench/psoriasis.py [--people N] [--few N] [--weeks N]

All on one core, in one process and in turn, so that a busy machine slows all of them; the best of several rounds
counts. Both kernels, the lean one and the one for saturable elimination, follow the same people on the mesh that keeps
states within a study's tolerance: of the largest error, or of the mean where elimination saturates (`trials.numerics`).
diffrax follows a few of them with its adaptive explicit solver (Tsit5) and an implicit one (Kvaerno3), each at the
loosest tolerance with which it is as accurate, by the same measure, as the kernel on that mesh at weeks' ends. It is
given what the kernel has: concentrations in closed form, or, where elimination saturates, differential equations.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

import cutis.core  # noqa: F401 (64 bits)
from cutis.calibration.psoriasis import quantities, steps
from cutis.calibration.psoriasis.simulate import Scenario
from cutis.core.diseases import DISEASES
from cutis.core.engine import pharmacokinetics as pk
from cutis.core.psoriasis import model
from cutis.core.psoriasis.treatments import disposition
from cutis.trials.numerics import MEAN_TOLERANCE, TOLERANCE, largest, mean_of_worst_arm

DRUGS = (
    "adalimumab",
    "ustekinumab",
    "risankizumab",
    "ixekizumab",
    "bimekizumab",
    "apremilast",
    "methotrexate",
    "brodalumab",
)
ROUNDS = 3
SOLVERS = {"Tsit5": diffrax.Tsit5(), "Kvaerno3": diffrax.Kvaerno3()}
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
Measure = Callable[[np.ndarray, np.ndarray], float]  # of the error of states, (weeks, variables, people)
THETA = {name: jnp.asarray(v, dtype="float64") for name, v in DISEASES["psoriasis"].parameters.numbers().items()}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--people", type=int, default=1024, help="a power of 2")
    words.add_argument("--few", type=int, default=256, help="people whom diffrax follows, a power of 2")
    words.add_argument("--weeks", type=int, default=52)
    told = words.parse_args()
    print(f"{told.weeks} weeks; diffrax: its time over that of the kernel, for {told.few} people at equal accuracy")
    heads = ("twins/s", "saturable costs", "steps", "error", *SOLVERS)
    print(f"{'':<14}" + "".join(f"{head:>17}" for head in heads))
    for drug in DRUGS:
        print(
            f"{drug:<14}" + "".join(f"{cell:>17}" for cell in row(drug, told.people, told.few, told.weeks)), flush=True
        )


def row(drug: str, people: int, few: int, weeks: int) -> list[str]:
    """Twins a second of the kernel, what the saturable one costs over the lean one, steps, error, ratios of diffrax."""
    saturable = drug == "brodalumab"
    large, small = (longer(quantities.usual(drug, n), weeks) for n in (people, few))
    error = typical if saturable else largest
    scale = tuned(small, weeks, error, MEAN_TOLERANCE if saturable else TOLERANCE)
    exact, ours = (steps.follow(small, THETA, s, weeks) for s in (scale / 8, scale))
    person, course = steps.someone(large, THETA), steps.lay_out(large, scale, weeks)
    kernels = [partial(steps.run, kind, person, course) for kind in (False, True)]
    lean, full = seconds(*kernels)
    own = full if saturable else lean
    person, course = steps.someone(small, THETA), steps.lay_out(small, scale, weeks)
    ratios = []
    for solver in SOLVERS.values():
        found = matched(saturable, solver, small, weeks, error, exact, error(ours, exact))
        if found is None:
            ratios.append("not reached")
            continue
        kernel, other = seconds(partial(steps.run, saturable, person, course), found)
        ratios.append(f"{other / kernel:.1f}")
    costs = f"{full / lean:.2f}"
    mesh = steps.mesh_of(small, scale, weeks)
    return [f"{people / own:,.0f}", costs, f"{mesh.steps:,}", f"{error(ours, exact):.1e}", *ratios]


def longer(scenario: Scenario, weeks: int) -> Scenario:
    """The same regimen for so many weeks."""
    courses = tuple(replace(c, until=weeks) if c.until and c.until >= 24 else c for c in scenario.arm.courses)
    return replace(scenario, arm=replace(scenario.arm, courses=courses))


def tuned(scenario: Scenario, weeks: int, error: Measure, tolerance: float) -> float:
    """The coarsest scale of the mesh, in powers of 2, that keeps states within tolerance by step doubling."""
    scale = steps.LONGEST
    coarse = steps.follow(scenario, THETA, scale, weeks)
    while scale > steps.SHORTEST:
        fine = steps.follow(scenario, THETA, scale / 2, weeks)
        if error(coarse, fine) <= tolerance:
            break
        scale, coarse = scale / 2, fine
    return scale


def typical(states: np.ndarray, exact: np.ndarray) -> float:
    """The mean relative error over people, of the worst state at the worst week's end."""
    return mean_of_worst_arm(states, exact, np.zeros(states.shape[-1]))


def seconds(*ways: Callable[[], Array]) -> list[float]:
    """Of each way the best of ROUNDS, in turn; once before, to compile."""
    best = [np.inf] * len(ways)
    for way in ways:
        jax.block_until_ready(way())
    for _ in range(ROUNDS):
        for number, way in enumerate(ways):
            start = time.perf_counter()
            jax.block_until_ready(way())
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def matched(
    saturable: bool,
    solver: diffrax.AbstractSolver,
    scenario: Scenario,
    weeks: int,
    error: Measure,
    exact: np.ndarray,
    wanted: float,
) -> Callable[[], Array] | None:
    """diffrax at the loosest of TOLERANCES that comes as near as wanted; None if none does."""
    person = steps.someone(scenario, THETA)
    course = steps.lay_out(scenario, 1.0, weeks)
    breaks = int(np.searchsorted(np.asarray(course.days), 7 * weeks))
    weekly = np.searchsorted(np.asarray(course.days), 7 * np.arange(1, weeks + 1)) - 1
    for tolerance in TOLERANCES:
        way = partial(diffrax_states, saturable, solver, breaks, person, course, jnp.asarray(tolerance))
        if error(np.asarray(way())[weekly], exact) <= wanted:
            return way
    return None


@partial(jax.jit, static_argnums=(0, 1, 2))
def diffrax_states(
    saturable: bool,
    solver: diffrax.AbstractSolver,
    breaks: int,
    person: model.Individual,
    course: steps.Course,
    tolerance: Array,
) -> Array:
    """States at the end of each break's interval, (breaks, states, people), each person with steps of their own."""
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance * steps.FLOOR)
    shared = person._replace(theta={}, triggers=None, lesions=None)  # what has no axis of people is put back inside

    def alone(one: model.Individual, given: Array, daily: Array) -> Array:
        slot = one.slots[0]
        whole = one._replace(theta=person.theta, triggers=person.triggers._replace(season=slot.volume))

        def drift(day: Array, state: tuple, concentration: Array) -> tuple:
            nothing = jnp.zeros_like(concentration)
            return model.drift(whole, state, model.signal(whole, (concentration,), nothing, day))

        def interval(carry: tuple, b: Array) -> tuple:
            state, amounts = carry
            begin, end = course.days[b], course.days[b + 1]
            rates = disposition(slot, begin, saturable)
            amounts = pk.inject(amounts, rates, given[b])
            ahead = pk.course(rates, amounts, daily[b])

            def closed(t: Array, y: tuple, _: None) -> tuple:
                return drift(t, y, pk.concentration(ahead, t - begin))

            def followed(t: Array, y: tuple, _: None) -> tuple:
                central, rest, *disease = y
                c = central / rates.volume
                moved = rates.out * central - rates.back * rest
                left = rates.elimination * central + rates.most * c / (rates.half + jnp.abs(c))
                change = pk.absorbed(rates, amounts, daily[b], t - begin) - left - moved
                return (change, moved, *drift(t, tuple(disease), jnp.maximum(c, 0.0)))

            field, y = (followed, (*amounts[1:], *state)) if saturable else (closed, state)
            term = diffrax.ODETerm(field)
            solved = diffrax.diffeqsolve(
                term, solver, begin, end, None, y, stepsize_controller=control, max_steps=100_000, throw=False
            )
            values = tuple(v[-1] for v in solved.ys)
            later = pk.after(rates, amounts, daily[b], end - begin)
            if saturable:
                later, values = pk.Amounts(later.depot, *values[:2]), values[2:]
            return (values, later), jnp.stack(values)

        nothing = jnp.zeros_like(slot.volume)
        begin = (model.start(whole), pk.Amounts(nothing, nothing, nothing))
        return lax.scan(interval, begin, jnp.arange(breaks))[1]

    return jax.vmap(alone, in_axes=(0, 1, 1), out_axes=-1)(shared, course.given, course.daily)


if __name__ == "__main__":
    main()
