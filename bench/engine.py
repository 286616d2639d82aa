"""How fast a response is computed at matched error: lanes, XLA, and general solvers, side by side in one run.

    python bench/engine.py [--problems derm12,psoriasis,acne] [--people N] [--few N]

Subjects per CPU second of one core, compiling apart; the best of several rounds, taken in turn, since the machine may
be busy. Every tool runs at the loosest setting with which the largest relative error over a few people, at all visits
and states, is at most 1e-4 against our own solution on a mesh of sixteenths of its usual steps; that of the reference
problem is first held against scipy's LSODA at 1e-11. libroadrunner is measured where it and antimony are installed
(reference problem only). The share of the peak counts multiplications, sums and divisions of the compiled step as one
operation each, over the rate of fused multiplications and sums that this core reaches in registers in the same run.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import argparse
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.integrate import solve_ivp

import cutis.core  # noqa: F401 (64 bits)
from cutis.core.diseases import DISEASES
from cutis.core.engine import lanes
from cutis.core.engine import pharmacokinetics as pk
from cutis.core.engine.course import on_device
from cutis.core.engine.lanes_course import WAYS, respond
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.population.sample import POPULATIONS, sample
from cutis.tests import derm12

ALLOWED, FLOOR = 1e-4, 1e-3
ROUNDS = 3
SCALES = tuple(4.0 * 0.84**k for k in range(28))
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
SOLVERS = {"diffrax Tsit5": diffrax.Tsit5(), "diffrax Kvaerno3": diffrax.Kvaerno3()}
OURS = (("lanes f64", "lanes", "float64"), ("lanes f32", "lanes", "float32"), ("XLA f64", "xla", "float64"))
Run = Callable[[], Any]


class Problem(NamedTuple):
    """People under a regimen.

    person(n): parameters of the first n. dose: mg on `days`, daily: mg/day, both in the first slot.
    """

    name: str
    told: Any
    person: Callable[[int], Any]
    dose: float
    daily: float
    days: tuple[float, ...]
    visits: tuple[float, ...]


class Course(NamedTuple):
    """What `respond` takes beside the person; steps of the mesh, and which rows are visits."""

    given: Array
    daily: Array
    days: Array
    grid: Any
    steps: int
    seen: np.ndarray


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--problems", default="derm12,psoriasis,acne")
    words.add_argument("--people", type=int, default=2048, help="whom lanes and XLA follow")
    words.add_argument("--few", type=int, default=16, help="whom the error is taken of, and other tools follow")
    told = words.parse_args()
    peaks = {dtype: peak(dtype) for dtype in ("float64", "float32")}
    reached = ", ".join(f"{v / 1e9:.1f} GFLOP/s in {k}" for k, v in peaks.items())
    print(f"{lanes.machine()}; fused multiplications and sums: {reached}")
    known = {"derm12": reference, "psoriasis": psoriasis, "acne": acne}
    for name in told.problems.split(","):
        print(
            f"\n{name}\n{'':<22}{'setting':>12}{'error':>10}{'subjects/CPU s':>16}{'x fastest other':>17}{'of peak':>9}"
        )
        rows = list(measured(known[name](), told.people, told.few, peaks))
        others = max((rate for tool, _, _, rate, _ in rows if not tool.startswith(("lanes", "XLA"))), default=np.nan)
        for tool, setting, error, rate, share in rows:
            part = f"{share:9.0%}" if share else ""
            print(f"{tool:<22}{setting:>12}{error:>10.1e}{rate:>16,.1f}{rate / others:>17.2f}{part}", flush=True)


def measured(
    problem: Problem, n: int, few: int, peaks: dict[str, float]
) -> Iterator[tuple[str, str, float, float, float | None]]:
    """Tool, setting, error, subjects per CPU second, share of the peak."""
    scale, exact = tuned(problem, few)
    runs: dict[str, tuple[str, float, int, Run, float | None]] = {}
    for tool, way, dtype in OURS:
        error = off(states(problem, few, scale, way, dtype), exact)
        person, course = problem.person(n), lay_out(problem, n, scale)
        run = partial(follow, way, problem, *cast((person, course), dtype))
        count = operations(problem, *cast((person, course), dtype)) * course.steps if way == "lanes" else None
        runs[tool] = (f"{course.steps} steps", error, n, run, count)
    for tool, find in rivals(problem):
        found = next(((t, e, r) for t in TOLERANCES for r in [find(few, t)] if (e := off(r(), exact)) <= ALLOWED), None)
        if found:
            runs[tool] = (f"rtol {found[0]:.0e}", found[1], few, found[2], None)
    best = dict.fromkeys(runs, np.inf)
    for turn in range(ROUNDS + 1):
        for tool, (_, _, _, run, _) in runs.items():
            begin = time.process_time()
            jax.block_until_ready(run())
            if turn:  # the first compiles
                best[tool] = min(best[tool], time.process_time() - begin)
    for tool, (setting, error, size, _, count) in runs.items():
        rate = size / best[tool]
        share = count * rate / peaks["float32" if "f32" in tool else "float64"] if count else None
        yield tool, setting, error, rate, share


def tuned(problem: Problem, few: int) -> tuple[float, np.ndarray]:
    """The coarsest scale within the error, and the solution it is held against."""
    exact = states(problem, few, SCALES[0] / 64, "lanes")
    if problem.name == "derm12":
        other = lsoda(problem, few, 1e-11)()
        print(f"our solution differs from LSODA's at 1e-11 by {off(exact, other):.1e}")
    place = bisect_left(SCALES, True, key=lambda s: off(states(problem, few, s, "lanes"), exact) <= ALLOWED)
    if place == len(SCALES):
        raise ArithmeticError(f"{problem.name}: no mesh keeps the error within {ALLOWED}")
    return SCALES[place], exact


def states(problem: Problem, n: int, scale: float, way: str, dtype: str = "float64") -> np.ndarray:
    """At the visits, (visits, states, people)."""
    course = lay_out(problem, n, scale)
    found = follow(way, problem, *cast((problem.person(n), course), dtype))
    return np.stack(found, axis=1)[course.seen]


def follow(way: str, problem: Problem, person: Any, course: Course) -> tuple[Array, ...]:
    return _follow(way, problem.name, problem.told, person, *course[:4])


@partial(jax.jit, static_argnums=(0, 1, 2))
def _follow(way: str, name: str, told: Any, person: Any, given: Array, daily: Array, days: Array, grid: Any) -> Any:
    return respond(told, person, given, daily, days, grid, way=WAYS[way])


def lay_out(problem: Problem, n: int, scale: float) -> Course:
    mesh = graded(problem.days[:1], problem.days, (0.0, *problem.visits), scale)
    slots = len(problem.told.pharmacokinetics(problem.person(1), jnp.asarray(0.0), False))
    given, daily = np.zeros((2, len(mesh.breaks), slots, n))
    given[np.isin(mesh.breaks, problem.days), 0], daily[:, 0] = problem.dose, problem.daily
    days, grid = jnp.asarray(mesh.breaks), on_device(mesh.times, mesh.begins)
    seen = np.isin(mesh.breaks[1:], problem.visits)
    return Course(jnp.asarray(given), jnp.asarray(daily), days, grid, mesh.steps, seen)


def cast(tree: Any, dtype: str) -> Any:
    """The same with floating-point arrays of a type."""

    def one(leaf: Any) -> Any:
        return leaf.astype(dtype) if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(one, tree)


def off(found: np.ndarray, exact: np.ndarray) -> float:
    return float((np.abs(found - exact) / np.maximum(np.abs(exact), FLOOR)).max())


def reference() -> Problem:
    def person(n: int) -> Any:
        return {name: jnp.asarray(v) for name, v in derm12.people(n).items()}

    return Problem("derm12", Told(derm12.MODEL), person, derm12.DOSE, 0.0, tuple(derm12.DOSES), tuple(derm12.VISITS))


class Told:
    """A disease that is equal to itself alone, so that it is compiled once."""

    def __init__(self, disease: Any):
        self.start, self.signal, self.drift = disease.start, disease.signal, disease.drift
        self.pharmacokinetics = disease.pharmacokinetics


def psoriasis() -> Problem:
    visits = tuple(range(28, 365, 28))
    return _disease("psoriasis", "psoriasis_moderate_severe", "ustekinumab", 45.0, 0.0, (0, 28, 112, 196, 280), visits)


def acne() -> Problem:
    return _disease("acne", "acne", "isotretinoin", 0.0, 40.0, (0,), tuple(range(28, 169, 28)))


def _disease(name: str, source: str, drug: str, dose: float, daily: float, days: Any, visits: Any) -> Problem:
    told = DISEASES[name]
    theta = {n: jnp.asarray(v, dtype="float64") for n, v in told.parameters.numbers().items()}

    @jax.jit
    def everybody(ids: Array) -> Any:
        key = root(1)
        twins = sample(POPULATIONS[source], key, ids)
        return told.individual(people(key, ids), twins, jnp.full((1, len(ids)), told.number(drug)), theta)

    return Problem(name, Told(told), lambda n: everybody(jnp.arange(n)), dose, daily, days, visits)


def rivals(problem: Problem) -> Iterator[tuple[str, Callable[[int, float], Run]]]:
    """Other tools: (people, tolerance) -> a run that gives states as `states` does."""
    for name, solver in SOLVERS.items():
        yield name, partial(with_diffrax, solver, problem)
    if problem.name == "derm12":
        yield "scipy LSODA", partial(lsoda, problem)
        if find_spec("roadrunner") and find_spec("antimony"):
            yield "libroadrunner", roadrunner
    else:
        yield "scipy LSODA, JAX field", partial(with_lsoda, problem)


def lsoda(problem: Problem, n: int, tolerance: float) -> Run:
    parameters = np.stack(list(derm12.people(n).values()), axis=1)

    def one(p: np.ndarray) -> np.ndarray:
        y, found = np.r_[np.zeros(3), np.ones(9)], []
        for begin, end in zip(derm12.DOSES, [*derm12.DOSES[1:], derm12.VISITS[-1]], strict=True):
            y[0] += derm12.SHARE * derm12.DOSE
            at = [v for v in derm12.VISITS if begin < v <= end]
            done = solve_ivp(
                derm12.field, (begin, end), y, "LSODA", at, args=(p,), rtol=tolerance, atol=tolerance * FLOOR
            )
            found.append(done.y[3:])
            y = done.y[:, -1].copy()
        return np.concatenate(found, axis=1).T

    return lambda: np.stack([one(p) for p in parameters], axis=-1)


def with_lsoda(problem: Problem, n: int, tolerance: float) -> Run:
    """One person after the other, drug in closed form, the field compiled by JAX and called from Python."""
    course, told = lay_out(problem, n, 1.0), problem.told
    leaves, tree = jax.tree.flatten(problem.person(n))

    def one(i: int) -> np.ndarray:
        person = jax.tree.unflatten(tree, [leaf[..., i] if leaf.ndim else leaf for leaf in leaves])
        y = np.asarray(told.start(person), dtype=float)
        amounts = [pk.empty(jnp.asarray(y[0])) for _ in range(course.given.shape[1])]
        found = []
        for b, (begin, end) in enumerate(pairwise(np.asarray(course.days))):
            ahead, amounts = _drug(told, person, amounts, course.given[b, :, i], course.daily[b, :, i], begin, end)
            field = partial(_rate, told, person, ahead, begin)
            solved = solve_ivp(field, (begin, end), y, "LSODA", [end], rtol=tolerance, atol=tolerance * FLOOR)
            found.append(y := solved.y[:, -1].copy())
        return np.stack(found)[course.seen]

    return lambda: np.stack([one(i) for i in range(n)], axis=-1)


@partial(jax.jit, static_argnums=0)
def _drug(told: Any, person: Any, amounts: Any, doses: Array, inputs: Array, begin: Array, end: Array) -> Any:
    """What follows of each slot's drug after a break, and what is left of it at the next."""
    rates = told.pharmacokinetics(person, begin, False)
    held = [pk.inject(a, r, d) for a, r, d in zip(amounts, rates, doses, strict=True)]
    ahead = [pk.course(r, a, i) for r, a, i in zip(rates, held, inputs, strict=True)]
    return ahead, [pk.after(r, a, i, end - begin) for r, a, i in zip(rates, held, inputs, strict=True)]


@partial(jax.jit, static_argnums=0)
def _rate(told: Any, person: Any, ahead: Any, begin: Array, t: Array, y: Array) -> Array:
    seen = tuple(pk.concentration(c, t - begin) for c in ahead)
    return jnp.stack(told.drift(person, tuple(y), told.signal(person, seen, jnp.zeros_like(y[0]), t)))


def roadrunner(n: int, tolerance: float) -> Run:
    """CVODE of libroadrunner on generated machine code, one person after the other."""
    import antimony  # optional
    from roadrunner import RoadRunner

    names, states_ = list(derm12.TYPICAL), ["Ad", "Ac", "Ap", "X1", "X2", "X3", "T", "Kp", "K1", "K2", "P", "S"]
    enters = derm12.SHARE * derm12.DOSE
    lines = [f"{x} = {enters if x == 'Ad' else 0 if x[0] == 'A' else 1};" for x in states_]
    lines += [f"{name} = 1;" for name in names] + [f"at time >= {t}: Ad = Ad + {enters};" for t in derm12.DOSES[1:]]
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString("model derm12\n" + EQUATIONS + "\n".join(lines) + "\nend") < 0:
        raise RuntimeError(antimony.getLastError())
    engine = RoadRunner(antimony.getSBMLString("derm12"))
    engine.integrator.setValue("relative_tolerance", tolerance)
    engine.integrator.setValue("absolute_tolerance", tolerance * FLOOR)
    engine.timeCourseSelections = states_[3:]
    parameters, times = np.stack(list(derm12.people(n).values()), axis=1), [0.0, *derm12.VISITS]

    def one(p: np.ndarray) -> np.ndarray:
        engine.reset()
        for name, value in zip(names, p, strict=True):
            engine[name] = value
        return np.asarray(engine.simulate(times=times))[1:]

    return lambda: np.stack([one(p) for p in parameters], axis=-1)


EQUATIONS = """
C := (max(Ac, 1e-30) / V1)^1.3; E := 0.95 * C / (IC50^1.3 + C); g := 2 * X1 / (1 + X1); Z := 0.6 * X2 + 0.4 * X3;
Ad' = -ka * Ad; Ac' = ka * Ad - (CL + 0.5) / V1 * Ac + 0.5 / V2 * Ap; Ap' = 0.5 / V1 * Ac - 0.5 / V2 * Ap;
X1' = k1 * ((1 - E) * (1 + 0.3 * (T - 1) + 0.2 * (Kp - 1)) - X1); X2' = k2 * (T * g - X2);
X3' = 10 * (0.5 * T + 0.5 * g - X3); T' = kT * (0.2 + 0.8 * X1 - T);
Kp' = kp * ((1 + 3 * Z * Z / (1 + Z * Z)) / 2.5 - Kp); K1' = 0.25 * (Kp - K1); K2' = 0.25 * (K1 - K2);
P' = ko * (K2 * 1.5 / (1 + 0.5 * P) - P); S' = 0.15 * (P * (0.4 + 0.6 * X2) - S);
"""


def with_diffrax(solver: Any, problem: Problem, n: int, tolerance: float) -> Run:
    """Adaptive steps of each person's own, drug in closed form as ours has it."""
    course, person = lay_out(problem, n, 1.0), problem.person(n)
    run = partial(_diffrax, solver, problem.told, person, *course[:3], jnp.asarray(tolerance))
    return lambda: np.asarray(run())[course.seen]


@partial(jax.jit, static_argnums=(0, 1))
def _diffrax(solver: Any, told: Any, person: Any, given: Array, daily: Array, days: Array, tolerance: Array) -> Array:
    """States at the end of each break's interval, (breaks - 1, states, people)."""
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance * FLOOR)
    axes = jax.tree.map(lambda leaf: leaf.ndim - 1 if leaf.ndim else None, person)

    def alone(one: Any, given: Array, daily: Array) -> Array:
        def interval(carry: tuple, now: tuple) -> tuple:
            state, amounts = carry
            begin, end, doses, inputs = now
            ahead, left = _drug(told, one, amounts, doses, inputs, begin, end)

            def field(t: Array, y: tuple, _: None) -> tuple:
                return tuple(_rate(told, one, ahead, begin, t, jnp.stack(y)))

            solved = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                *(solver, begin, end, None, state),
                stepsize_controller=control,
                max_steps=100_000,
                throw=False,
            )
            last = tuple(v[-1] for v in solved.ys)
            return (last, left), jnp.stack(last)

        state = told.start(one)
        nothing = [pk.empty(state[0]) for _ in range(given.shape[1])]
        return lax.scan(interval, (tuple(state), nothing), (days[:-1], days[1:], given[:-1], daily[:-1]))[1]

    return jax.vmap(alone, in_axes=(axes, 2, 2), out_axes=-1)(person, given, daily)


def operations(problem: Problem, person: Any, course: Course) -> int:
    """Multiplications, sums and divisions of a person's step, as compiled."""
    seen = []

    def keep(*told: Any) -> str:
        seen.append((written(*told), told[-1]))
        return seen[-1][0]

    written, lanes.written = lanes.written, keep
    try:
        jax.eval_shape(partial(respond, problem.told, way=lanes.each), person, *course[:4])
    finally:
        lanes.written = written
    blocks, width = str(lanes.optimised(seen[0][0])).split("\n\n"), seen[0][1]
    return max(len(re.findall(rf"= f(?:mul|add|sub|div) [a-z ]*<{width} x", block)) for block in blocks)


def peak(dtype: str) -> float:
    """Operations a second of a core that does nothing but fused multiplications and sums on lanes."""
    turns, chains, links = 20_000, 6, 8  # chains of two registers keep the units busy, none goes to memory
    x = jnp.linspace(0.1, 0.2, lanes.side_by_side([dtype]) * 8, dtype=dtype)

    def chain(people: Any, common: Array) -> Array:
        def turn(_: Array, values: tuple) -> tuple:
            for _ in range(links):
                values = tuple(v * people + common for v in values)
            return values

        return sum(lax.fori_loop(0, turns, turn, tuple(people * (1 + 0.01 * k) for k in range(chains))))

    run = jax.jit(partial(lanes.each, chain))
    common, best = jnp.asarray(0.5, dtype=dtype), np.inf
    for _ in range(10 * ROUNDS):
        begin = time.process_time()
        jax.block_until_ready(run(x, common))
        best = min(best, time.process_time() - begin)
    return 2.0 * len(x) * turns * chains * links / best


if __name__ == "__main__":
    main()
