"""The psoriasis kernel against other programs: diffrax's adaptive solver, and the equations written out again."""

from itertools import pairwise

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.engine import pharmacokinetics as pk
from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.core.psoriasis.model import drift, individual, signal, start
from cutis.core.psoriasis.treatments import PARAMETERS
from cutis.population.sample import POPULATIONS, sample

N = 24
DOSES = {0: 80.0, 7: 40.0, 21: 40.0, 35: 40.0}
END = 56.0
TOLERANCE = 1e-4  # what a study asks of its mesh


@pytest.fixture(scope="module")
def someone():
    theta = jax.tree.map(jnp.asarray, PARAMETERS.numbers())
    twins = sample(POPULATIONS["psoriasis_moderate_severe"], root(9), jnp.arange(N))
    return jax.jit(individual)(people(root(9), jnp.arange(N)), twins, jnp.full((1, N), 1), theta)


@pytest.fixture(scope="module")
def ours(someone):
    mesh = graded([0], list(DOSES), [0, END], 1.0)
    grid, rates = on_device(mesh.times, mesh.begins), (someone.slots[0].rates,)

    @jax.jit
    def to_next(body, b, dose):
        zero = jnp.zeros(N)
        return advance(
            lambda y, u: drift(someone, y, u), lambda c: signal(someone, c, zero), rates, body, (zero + dose,), grid, b
        )

    body = at_rest(start(someone), 1)
    for b, day in enumerate(mesh.breaks[:-1]):
        body = to_next(body, jnp.asarray(b), jnp.asarray(DOSES.get(int(day), 0.0)))
    return np.stack(body.state)


def test_states_agree_with_an_adaptive_implicit_solver(someone, ours):
    rates, zero = someone.slots[0].rates, jnp.zeros(N)

    def concentration(t):
        """By superposition of doses, each from its own day: another way than ours, which carries modes along."""
        total = zero
        for day, dose in DOSES.items():
            given = pk.inject(pk.empty(zero), rates, zero + dose)
            total = total + jnp.where(t > day, pk.concentration(rates, given, jnp.maximum(t - day, 0.0)), 0.0)
        return total

    def right(t, y, _):
        return drift(someone, y, signal(someone, (concentration(t),), zero))

    days = [*DOSES, END]
    y = start(someone)
    for begin, end in pairwise(days):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(right),
            diffrax.Kvaerno5(),
            float(begin),
            float(end),
            1e-6,
            y,
            stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-11),
            max_steps=20_000,
        )
        y = tuple(v[-1] for v in solution.ys)
    reference = np.stack(y)
    assert np.max(np.abs(ours - reference) / np.maximum(reference, 0.01)) < TOLERANCE


def test_states_agree_with_the_equations_written_out_for_one_person(someone, ours):
    """scipy's LSODA on plain Python equations and on pharmacokinetics as differential equations."""
    from scipy.integrate import solve_ivp

    p = {name.removeprefix("model."): q.value for name, q in PARAMETERS.items() if name.startswith("model.")}
    who = 3
    rates = someone.slots[0].rates
    ka, k, per_volume = (float(x[who]) for x in (rates.absorption, rates.fast, rates.per_fast))
    half, plaque_rate = float(someone.slots[0].half_maximal[who]), float(someone.plaque_rate[who])

    def right(t, y):
        depot, centre, D, N_, M, T, K, L = y
        c = centre * per_volume
        Nf = N_ * (1 - c / (c + half))
        return [
            -ka * depot,
            ka * depot - k * centre,
            p["drive_rate"]
            * ((1 - p["feedback"] + p["feedback"] * K) * (p["tnf_free_drive"] + (1 - p["tnf_free_drive"]) * Nf) - D),
            p["tnf_rate"] * (0.5 * D + 0.5 * K - N_),
            p["memory_rate"] * (p["memory_floor"] + (1 - p["memory_floor"]) * D - M),
            p["t17_rate"] * (M * D - T),
            plaque_rate * (T * (p["tnf_free_plaque"] + (1 - p["tnf_free_plaque"]) * Nf) - K),
            (K - L) / p["itch_lag"],
        ]

    y, days = np.array([0.0, 0, 1, 1, 1, 1, 1, 1]), [*DOSES, END]
    for begin, end in pairwise(days):
        y[0] += DOSES[begin]
        y = solve_ivp(right, (begin, end), y, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(ours[:, who], y[2:], rtol=TOLERANCE)
