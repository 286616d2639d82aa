"""The engine's parts, one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.engine.elimination import factorise, order
from cutis.core.engine.jacobian import jacobian, pattern
from cutis.core.engine.mesh import graded
from cutis.core.engine.rosenbrock import Drive, drive, step
from cutis.core.keys import normals, people, root, stream

A = jnp.asarray


def chain(x, y, z):
    return (jnp.sin(x) * 2.0, x * y, jnp.where(y > 0.0, z, z * z) + 1.0)


def test_the_pattern_holds_what_each_output_depends_on_and_no_more():
    state = (A([0.3]), A([0.7]), A([0.2]))
    assert pattern(chain, state) == {(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)}


def test_the_generated_jacobian_equals_that_of_jax():
    state = tuple(A(v) for v in (0.3, 0.7, 0.2))
    dense = jax.jacfwd(lambda y: jnp.stack(chain(*y)))(jnp.stack(state))
    entries = jacobian(chain, state)
    for i in range(3):
        for j in range(3):
            assert float(entries.get((i, j), A(0.0))) == pytest.approx(float(dense[i, j]), abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_elimination_solves_random_sparse_systems(seed):
    rng = np.random.default_rng(seed)
    n = 8
    matrix = np.where(rng.random((n, n)) < 0.3, rng.normal(size=(n, n)), 0.0) + 6 * np.eye(n)
    right = rng.normal(size=n)
    entries = {(i, j): A(matrix[i, j]) for i in range(n) for j in range(n) if matrix[i, j] != 0}
    got = factorise(entries, n)([A(r) for r in right])
    np.testing.assert_allclose(np.stack(got), np.linalg.solve(matrix, right), rtol=1e-12)


def test_pivots_avoid_fill_in():
    arrow = {(0, j) for j in range(5)} | {(i, 0) for i in range(5)} | {(i, i) for i in range(5)}
    assert order(arrow, 5)[-2:].count(0) == 1  # the hub goes with the last, or everything would fill


def exact_and_numerical(h):
    """y' = -30 (y - cos t) - sin t, whose solution from y(0) = 1 is cos t: stiff, driven by a signal."""

    def signal(t):
        return (jnp.cos(t), jnp.sin(t))

    def rate(y, u):
        return (-30.0 * (y[0] - u[0]) - u[1] + 0.5 * (y[0] * y[0] - u[0] * u[0]),)

    y, now, n = (A(1.0),), drive(signal, A(0.0)), round(2 / h)
    for k in range(n):
        then = drive(signal, A((k + 1) * h))
        y, now = step(rate, y, now, then, A(h)), then
    return abs(float(y[0]) - np.cos(2.0))


def test_halving_the_step_divides_the_error_by_eight():
    assert exact_and_numerical(0.01) / exact_and_numerical(0.005) == pytest.approx(8, rel=0.25)


def test_a_step_far_longer_than_the_time_scale_stays_bounded():
    still = Drive((A(0.0),), (A(0.0),))
    y = step(lambda y, u: (-1e8 * y[0],), (A(1.0),), still, still, A(1.0))
    assert abs(float(y[0])) < 1e-6


def test_an_effect_within_minutes_does_not_throw_a_long_step_off():
    def signal(t):
        return (t / (t + 1e-6),)

    start, end = drive(signal, A(0.0)), drive(signal, A(0.5))
    y = step(lambda y, u: (0.05 * (1 - u[0] - y[0]),), (A(1.0),), start, end, A(0.5))
    assert float(y[0]) == pytest.approx(np.exp(-0.025), abs=0.02)


def test_the_mesh_meets_every_break_and_grows_from_each_dose():
    mesh = graded([0], [0, 28], [0, 14, 28, 60], 1.0)
    np.testing.assert_array_equal(mesh.breaks, [0, 14, 28, 60])
    np.testing.assert_array_equal(mesh.times[mesh.begins], mesh.breaks)
    steps = np.diff(mesh.times[: mesh.steps + 1])
    assert (steps > 0).all()
    assert steps.max() <= 1.0 + 1e-9
    assert steps[0] < 0.0011  # a first dose
    assert 0.01 < steps[mesh.begins[2]] < 0.028  # a later one


def test_half_the_scale_is_about_twice_the_steps():
    coarse, fine = (graded([0], [0, 14, 28], [0, 28, 56], s).steps for s in (1.0, 0.5))
    assert 1.8 < fine / coarse < 2.2


def test_draws_are_addressed_by_name_and_person():
    key = root(3)
    everyone = people(stream(key, "response"), jnp.arange(100))
    some = people(stream(key, "response"), jnp.array([61, 7]))
    np.testing.assert_array_equal(normals(some, "age"), normals(everyone, "age")[jnp.array([61, 7])])
    assert not np.allclose(normals(some, "age"), normals(some, "weight"))
