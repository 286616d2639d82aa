"""Lanes and XLA follow the same people to the same states: the reference problem, psoriasis, acne."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.integrate import solve_ivp

from cutis.core.diseases import DISEASES
from cutis.core.engine.course import at_rest, on_device
from cutis.core.engine.lanes_course import WAYS, onward, respond
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.population.sample import POPULATIONS, sample

from . import derm12

AGREE = 1e-10  # relative, or of 1e-3 where a state is below that
COARSE = 16.0  # scale of the mesh: the same few steps for both
COURSES = {  # population, drug, mg at a dose, mg a day, days of doses
    "psoriasis": ("psoriasis_moderate_severe", "ustekinumab", 45.0, 0.0, [0, 28]),
    "acne": ("acne", "isotretinoin", 0.0, 40.0, [0]),
}


def derm12_states(way, n, scale=1.0, dtype="float64"):
    """States of the first n people at the visits, (visits, states, people)."""
    mesh, courses, visits = derm12.plan(n, scale)
    person = {name: jnp.asarray(v, dtype=dtype) for name, v in derm12.people(n).items()}
    given, daily, days = (jnp.asarray(a, dtype=dtype) for a in courses)
    grid = on_device(jnp.asarray(mesh.times, dtype=dtype), mesh.begins)
    return np.stack(_derm12(way, person, given, daily, days, grid), axis=1)[visits]


@partial(jax.jit, static_argnums=0)
def _derm12(way, *course):
    return respond(derm12.MODEL, *course, way=WAYS[way])


def exact(n):
    """The same by scipy's LSODA from dose to dose, written as one system of twelve equations."""
    found = []
    parameters = np.stack(list(derm12.people(n).values()), axis=1)
    for p in parameters:
        y, states = np.r_[np.zeros(3), np.ones(9)], []
        for begin, end in zip(derm12.DOSES, [*derm12.DOSES[1:], derm12.VISITS[-1]], strict=True):
            y[0] += derm12.SHARE * derm12.DOSE
            at = [v for v in derm12.VISITS if begin < v <= end]
            done = solve_ivp(derm12.field, (begin, end), y, "LSODA", [*at], args=(p,), rtol=1e-11, atol=1e-12)
            states.append(done.y[3:])
            y = done.y[:, -1].copy()
        found.append(np.concatenate(states, axis=1).T)
    return np.stack(found, axis=-1)


def test_the_reference_problem_comes_out_as_by_an_independent_solver():
    few = exact(3)
    errors = [derm12.error(derm12_states("lanes", 3, scale), few).max() for scale in (1.0, 0.5, 0.25)]
    assert errors[2] < 1e-4
    assert errors[0] > 4 * errors[1] > 16 * errors[2]  # of third order: an eighth, or nearly


def test_the_reference_problem_is_the_same_through_lanes_and_xla():
    lanes, xla = derm12_states("lanes", 40), derm12_states("xla", 40)
    assert derm12.error(lanes, xla).max() < AGREE


def test_single_precision_is_enough_for_a_ten_thousandth():
    double, single = derm12_states("lanes", 40), derm12_states("lanes", 40, dtype="float32")
    assert single.dtype == "float32"
    assert derm12.error(single, double).max() < 1e-4


@partial(jax.jit, static_argnums=0)
def stretches(way, person, given, daily, grid):
    """The body after two breaks, one call each within a loop, as a trial has it."""

    def between(b, body):
        rates = derm12.pharmacokinetics(person, b, False)
        topical = jnp.zeros_like(person["ka"])
        doses, inputs = (given[b, 0],), (daily[b, 0],)
        return onward(derm12.MODEL, person, topical, rates, body, doses, inputs, grid, b, way=WAYS[way])

    return lax.fori_loop(0, 2, between, at_rest(derm12.start(person), 1))


def test_from_break_to_break_within_a_loop_lanes_and_xla_agree():
    mesh, (given, daily, _), _ = derm12.plan(19)
    person = {name: jnp.asarray(v) for name, v in derm12.people(19).items()}
    course = (person, jnp.asarray(given), jnp.asarray(daily), on_device(mesh.times, mesh.begins))
    lanes, xla = (jax.tree.leaves(stretches(way, *course)) for way in WAYS)
    for ours, theirs in zip(lanes, xla, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=AGREE, atol=1e-13)


def test_a_person_has_the_same_bits_in_any_company():
    many, few = derm12_states("lanes", 40), derm12_states("lanes", 7)
    np.testing.assert_array_equal(many[..., :7], few)


@pytest.mark.parametrize("name", COURSES)
def test_a_disease_is_the_same_through_lanes_and_xla(name):
    disease, n = DISEASES[name], 20
    source, drug, dose, daily, days = COURSES[name]
    theta = {name: jnp.asarray(v, dtype="float64") for name, v in disease.parameters.numbers().items()}
    key, ids = root(3), jnp.arange(n)
    twins = sample(POPULATIONS[source], key, ids)
    person = jax.jit(disease.individual)(people(key, ids), twins, jnp.full((1, n), disease.number(drug)), theta)
    mesh = graded([0], days, [0, 28, 56], COARSE)
    slots = len(disease.pharmacokinetics(person, jnp.asarray(0.0), False))
    shape = (len(mesh.breaks), slots, n)
    given, every = np.zeros(shape), np.zeros(shape)
    given[np.isin(mesh.breaks, days), 0], every[:, 0] = dose, daily
    if slots > 1:
        given[1, 1] = 0.7  # an infection
    course = (jnp.asarray(given), jnp.asarray(every), jnp.asarray(mesh.breaks, dtype="float64"))
    grid = on_device(mesh.times, mesh.begins)
    lanes = np.stack(jax.jit(partial(respond, disease, way=WAYS["lanes"]))(person, *course, grid))
    with jax.disable_jit():  # operation by operation, which spares a minute of compiling
        xla = np.stack(respond(disease, person, *course, grid, way=WAYS["xla"]))
    assert np.isfinite(xla).all()
    assert np.ptp(xla, axis=1).max() > 0.1
    assert (np.abs(lanes - xla) / np.maximum(np.abs(xla), 1e-3)).max() < AGREE
