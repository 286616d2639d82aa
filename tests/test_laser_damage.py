"""Damage: matched pairs, the integral in logarithms, sweeps over fluence, burns, particles under short pulses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from cutis.core.laser.damage import burns, confined, kinetics
from cutis.core.laser.damage.sweep import sweep
from cutis.core.laser.heat import column, grid, radial
from cutis.core.laser.heat.timeline import AIR, CRYOGEN, Phase, timeline
from cutis.core.laser.heat.tissue import thermal

EDGES = grid.graded()
COURSE = timeline([Phase(0.03, CRYOGEN), Phase(0.01, AIR, 1.0), Phase(1.0, AIR, steps=48)])


def skin(n=1, dtype="float64"):
    fall = 4e-3 * -np.diff(np.exp(-EDGES)) / np.diff(EDGES)
    return column.column(np.diff(EDGES), thermal(np.full((48, n), 0.65)), fall[:, None] * np.ones(n), dtype=dtype)


@pytest.mark.parametrize("name", kinetics.NAMES)
def test_every_pair_of_the_table_meets_the_temperature_stated_with_it(name):
    found = float(kinetics.critical_temperature(kinetics.kinetics(name), 1.0))
    assert found == pytest.approx(kinetics.TABLE.value(f"{name}.threshold"), abs=0.06)


def test_a_wrong_pair_is_refused():
    """Henriques' A with the energy of another set: the integral would be 4.9 times too small."""
    with pytest.raises(ValueError, match="not of one set"):
        kinetics.pair("mixed", 3.1e98, 6.28e5, "J/mol", seconds=1.0, celsius=57.6)
    own = kinetics.pair("own", 3.1e99, 6.28e5, "J/mol", seconds=1.0, celsius=56.6)
    assert float(own.activation) == pytest.approx(75532, abs=1)
    with pytest.raises(ValueError, match="unit"):
        kinetics.pair("own", 3.1e99, 150.0, "kcal/mol", seconds=1.0, celsius=56.6)
    with pytest.raises(ValueError, match="positive"):
        kinetics.pair("own", -1.0, 6e5, "J/mol", seconds=1.0, celsius=56.6)
    with pytest.raises(ValueError, match="none of"):
        kinetics.kinetics("henrique")


def test_the_integral_over_a_course_agrees_with_quadrature():
    of = kinetics.kinetics("henriques")

    def celsius(t):
        return 37 + 35 * np.exp(-((t - 0.5) ** 2) / 0.02)

    times = np.linspace(0, 1, 801)
    ours = float(kinetics.log_damage(of, jnp.asarray(celsius(times))[:, None], np.diff(times)[:, None])[0])
    exact, _ = quad(lambda t: 3.1e98 * np.exp(-75000 / (celsius(t) + 273.15)), 0, 1, points=[0.5], limit=200)
    assert ours == pytest.approx(np.log(exact), abs=2e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_damage_at_constant_temperature_is_rate_times_time(dtype):
    for name, celsius in (("henriques", 60.0), ("collagen", 90.0), ("weaver_stoll_below_50", 45.0)):
        value = kinetics.TABLE.value
        temperature = jnp.full((4, 1), celsius, dtype)
        ours = float(kinetics.log_damage(kinetics.kinetics(name), temperature, np.full((3, 1), 0.1))[0])
        exact = np.log(value(f"{name}.frequency") * 0.3) - value(f"{name}.activation") / (celsius + 273.15)
        assert ours == pytest.approx(exact, abs=1e-3 if dtype == "float32" else 1e-9)


def test_a_shift_is_an_offset_of_the_logarithm():
    temperature, step = jnp.linspace(40.0, 70.0, 11)[:, None] * jnp.ones((1, 2)), np.full((10, 1), 0.01)
    plain = kinetics.log_damage(kinetics.kinetics("vessel"), temperature, step)
    moved = kinetics.log_damage(kinetics.kinetics("vessel", jnp.array([2.0, -1.0])), temperature, step)
    assert np.asarray(moved - plain) == pytest.approx([2.0, -1.0], abs=1e-9)


def test_watching_equals_keeping_the_history():
    of = kinetics.kinetics("epidermis")
    run = column.simulate(skin(2), COURSE, np.array([8.0, 12.0]))
    kept = kinetics.log_damage(of, run.temperature, COURSE.step)
    for cells in (48, 10):
        (_, seen), validity = column.watch(
            skin(2), COURSE, np.array([8.0, 12.0]), kinetics.observe, (of, kinetics.undamaged((cells, 2)))
        )
        assert np.asarray(seen) == pytest.approx(np.asarray(kept)[:cells], abs=1e-9)
        assert validity.trusted.all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sweep_equals_single_runs(dtype):
    of, fluences = kinetics.kinetics("henriques"), np.array([5.0, 10.0, 14.0])
    swept = sweep(skin(dtype=dtype), COURSE, of, fluences, cells=20)
    for i, fluence in enumerate(fluences):
        run = column.simulate(skin(), COURSE, fluence)
        kept = np.asarray(kinetics.log_damage(of, run.temperature, COURSE.step))[:20]
        assert np.asarray(swept.log_omega[i]) == pytest.approx(kept, abs=5e-3 if dtype == "float32" else 1e-4)
        assert float(swept.peak[i, 0]) == pytest.approx(float(run.temperature.max()), abs=1e-2)
    assert not swept.overheated.any()
    assert bool(sweep(skin(), COURSE, of, [90.0], cells=20).overheated[0, 0])


def test_impossible_sweeps_are_refused():
    of = kinetics.kinetics("henriques")
    with pytest.raises(ValueError, match="fluences"):
        sweep(skin(), COURSE, of, [-1.0])
    with pytest.raises(ValueError, match="cells"):
        sweep(skin(), COURSE, of, [1.0], cells=99)
    with pytest.raises(ValueError, match="step"):
        kinetics.log_damage(of, jnp.full((3, 1), 40.0), np.full((3, 1), 0.1))
    with pytest.raises(ValueError, match="positive"):
        kinetics.log_damage(of, jnp.full((3, 1), 40.0), np.full((2, 1), -0.1))


def test_gradients_of_damage_agree_with_differences():
    of = kinetics.kinetics("henriques")

    def basal(fluence, shift=0.0):
        own = kinetics.kinetics("henriques", shift)
        (_, seen), _ = column.watch(skin(), COURSE, fluence, kinetics.observe, (own, kinetics.undamaged((12, 1))))
        return seen[10, 0]

    assert float(jax.grad(basal)(9.0)) == pytest.approx((float(basal(9.001)) - float(basal(8.999))) / 0.002, rel=1e-4)
    assert float(jax.grad(basal, 1)(9.0, 0.0)) == pytest.approx(1.0, rel=1e-6)
    assert of.name == "henriques"


def test_burns_are_graded_and_lost_numbers_are_not():
    omega = jnp.array([0.0, 0.52, 0.54, 0.99, 1.01, 9.9e3, 1.1e4, np.nan])
    assert burns.degree(jnp.log(omega)).tolist() == [0, 0, 1, 1, 2, 2, 3, -1]
    assert kinetics.dead(jnp.array([0.0, 100.0, -100.0])).tolist() == pytest.approx([1 - np.exp(-1), 1.0, 0.0])


def test_short_pulses_on_particles():
    """Thresholds do not depend on the pulse while heat is confined, then rise; picoseconds need less, by stress."""
    found = confined.threshold(50.0, 5e-4, jnp.array([1e-10, 1e-8, 1e-7, 1e-5, 1e-3]))
    assert found.by_stress.tolist() == [True, False, False, False, False]
    assert found.stress_confined.tolist() == [True, False, False, False, False]
    assert found.heat_confined.tolist() == [True, True, True, False, False]
    assert np.all(np.diff(np.asarray(found.thermal)) > 0)
    assert float(found.thermal[4] / found.thermal[1]) > 30
    assert np.all(np.asarray(found.fluence) <= np.asarray(found.thermal))
    twice = confined.threshold(100.0, 5e-4, 1e-8)
    assert float(twice.fluence) == pytest.approx(float(found.fluence[1]) / 2, rel=0.05)


@pytest.mark.parametrize("share", [0.01, 0.3, 3.0])
def test_the_surface_of_a_particle_agrees_with_the_radial_solver(share):
    def one(value):
        return jnp.full((1,), value)

    alpha, radius = burns.VALUES["particle.diffusivity"], 5e-4
    seconds = share * radius**2 / alpha
    body = radial.Body(one(radius), one(4 * alpha), one(4.0), one(4 * alpha), one(4.0), one(4e-3))
    rise = radial.rise(body, timeline([Phase(seconds, energy=1.0, steps=60)], finest=seconds / 500), 3)
    assert float(confined.surface_share(radius, seconds)) == pytest.approx(float(rise.wall[-1, 0]), rel=0.02)


def test_impossible_particles_are_refused():
    for values, word in (
        ((-1.0, 1e-3, 1e-9), "absorption"),
        ((1.0, 0.0, 1e-9), "radius"),
        ((1.0, 1e-3, -1.0), "pulse"),
    ):
        with pytest.raises(ValueError, match=word):
            confined.threshold(*values)
    with pytest.raises(ValueError, match="tissue"):
        confined.threshold(1.0, 1e-3, 1e-9, tissue=200.0)


def test_shifts_await_calibration_and_say_so():
    shifts = burns.TABLE.within("shift")
    assert all(
        parameter.value == 0 and parameter.status == "assumed" and parameter.spread for parameter in shifts.values()
    )
