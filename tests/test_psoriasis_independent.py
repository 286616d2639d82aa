"""The psoriasis kernel against other programs: diffrax's adaptive solver with pharmacokinetics as differential
equations, and scipy's LSODA on all equations written out again."""

from itertools import pairwise
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.core.psoriasis.model import drift, individual, signal, start
from cutis.core.psoriasis.treatments import PARAMETERS, disposition, number
from cutis.population.sample import POPULATIONS, sample

N = 6
END = 56.0
SOME = 20.0  # day on which every third person has antidrug antibodies
THETA = jax.tree.map(jnp.asarray, PARAMETERS.numbers())


class Case(NamedTuple):
    """A drug's doses (mg by day) and input (mg/day), the mesh, and how near the states must come (relative)."""

    drug: str
    doses: dict[float, float]
    given: float = 0.0
    scale: float = 1.0
    tolerance: float = 1e-4  # what a study asks of its mesh
    saturable: bool = False


ADALIMUMAB = Case("adalimumab", {0.0: 80.0, 7.0: 40.0, 21.0: 40.0, 35.0: 40.0})
CASES = [
    ADALIMUMAB,
    Case("infliximab", {0.0: 400.0, 14.0: 400.0, 42.0: 400.0}),
    Case("apremilast", {0.0: 0.0}, given=60.0),
    # The drug ends abruptly, at another time in each person, so that the order of the method is lost.
    Case("brodalumab", {0.0: 210.0, 7.0: 210.0, 14.0: 210.0}, scale=0.25, tolerance=1e-3, saturable=True),
]


def someone(drug):
    twins = sample(POPULATIONS["psoriasis_moderate_severe"], root(9), jnp.arange(N))
    person = jax.jit(individual)(people(root(9), jnp.arange(N)), twins, jnp.full((1, N), number(drug)), THETA)
    onset = jnp.where(jnp.arange(N) % 3 == 0, SOME, person.slots[0].onset)
    return person._replace(slots=(person.slots[0]._replace(onset=onset),))


def ours(person, case):
    mesh = graded([0], list(case.doses), [0, 28, END], case.scale)
    grid, zero = on_device(mesh.times, mesh.begins), jnp.zeros(N)

    @jax.jit
    def to_next(body, b, dose):
        rates = (disposition(person.slots[0], grid.times[grid.begins[b]], case.saturable),)
        return advance(
            lambda y, u: drift(person, y, u),
            lambda c, day: signal(person, c, zero, day),
            rates,
            body,
            (zero + dose,),
            (zero + case.given,),
            grid,
            b,
        )

    body = at_rest(start(person), 1)
    for b, day in enumerate(mesh.breaks[:-1]):
        body = to_next(body, jnp.asarray(b), jnp.asarray(case.doses.get(float(day), 0.0)))
    return np.stack(body.state)


def breaks(case):
    return sorted({*case.doses, 28.0, END})


@jax.jit
def reference(person, given, limit, y, begin, end, clearance):
    """Amounts in depot, central and peripheral compartment, then the states, from one break to the next.

    limit: greatest rate of the saturable elimination, mg/day.
    """
    drug, zero = person.slots[0], jnp.zeros(N)

    def right(t, y, _):
        depot, central, rest, *state = y
        c = central / drug.volume
        exchanged = drug.exchange * (c - rest / drug.peripheral)
        enters = drug.absorption * depot + drug.bioavailability * given
        left = clearance * c + limit * c / (drug.half + jnp.abs(c))
        change = drift(person, tuple(state), signal(person, (jnp.maximum(c, 0.0),), zero, t))
        return (-drug.absorption * depot, enters - left - exchanged, exchanged, *change)

    control = diffrax.PIDController(rtol=1e-8, atol=1e-10)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(right), diffrax.Kvaerno5(), begin, end, 1e-6, y, stepsize_controller=control, max_steps=50_000
    )
    return tuple(v[-1] for v in solution.ys)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.drug)
def test_states_agree_with_an_adaptive_implicit_solver(case):
    person = someone(case.drug)
    drug, zero = person.slots[0], jnp.zeros(N)
    y = (zero, zero, zero, *start(person))
    for begin, end in pairwise(breaks(case)):
        dose = drug.bioavailability * case.doses.get(begin, 0.0)
        y = (y[0] + (1 - drug.direct) * dose, y[1] + drug.direct * dose, *y[2:])
        clearance = drug.clearance * jnp.where(begin >= drug.onset, drug.clearance_ada, 1.0)
        limit = drug.most if case.saturable else zero
        y = reference(person, jnp.asarray(case.given), limit, y, jnp.asarray(begin), jnp.asarray(end), clearance)
    expected = np.stack(y[3:])
    assert np.max(np.abs(ours(person, case) - expected) / np.maximum(expected, 0.01)) < case.tolerance


def test_states_agree_with_the_equations_written_out_for_one_person():
    """scipy's LSODA on plain Python equations and on pharmacokinetics as differential equations."""
    p = {name.removeprefix("model."): q.value for name, q in PARAMETERS.items() if name.startswith("model.")}
    person, who = someone("adalimumab"), 4
    drug = {
        name: float(getattr(person.slots[0], name)[who]) for name in ("absorption", "clearance", "volume", "onset")
    } | {"half": float(person.slots[0].half_maximal[who])}
    rate, free = float(person.plaque_rate[who]), float(person.il23_free[who])
    assert drug["onset"] > END

    def right(t, y):
        depot, centre, D, N_, M, T, K, L = y
        c = max(centre, 0.0) / drug["volume"]
        left = drug["half"] / (c + drug["half"])
        S23 = free + (1 - free) * D
        plaque = T * (p["tnf_free_plaque"] + (1 - p["tnf_free_plaque"]) * N_)
        return [
            -drug["absorption"] * depot,
            drug["absorption"] * depot - drug["clearance"] * c,
            p["drive_rate"]
            * ((1 - p["feedback"] + p["feedback"] * K) * (p["tnf_free_drive"] + (1 - p["tnf_free_drive"]) * N_) - D),
            p["tnf_rate"] * ((0.5 * D + 0.5 * K) * left - N_),
            p["memory_rate"] * (p["memory_floor"] + (1 - p["memory_floor"]) * S23 - M),
            p["t17_rate"] * (M * S23 - T),
            rate * ((plaque if plaque < 1 else 2 - 1 / plaque) - K),
            (K - L) / p["itch_lag"],
        ]

    y, doses = np.array([0.0, 0, 1, 1, 1, 1, 1, 1]), ADALIMUMAB.doses
    for begin, end in pairwise(breaks(ADALIMUMAB)):
        y[0] += doses.get(begin, 0.0)
        y = solve_ivp(right, (begin, end), y, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(ours(person, ADALIMUMAB)[:, who], y[2:], rtol=ADALIMUMAB.tolerance)
