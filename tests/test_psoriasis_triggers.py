"""Flares: how often events come, how they rise and decay, and that they do not shift the mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cutis.calibration.psoriasis import triggers as calibration
from cutis.core.engine import pharmacokinetics as pk
from cutis.core.keys import people, root
from cutis.core.psoriasis import triggers as flares
from cutis.core.psoriasis.treatments import PARAMETERS
from cutis.core.psoriasis.triggers import YEAR, Triggers, disposition, impulses, triggers

N, WEEKS = 4000, 52
NUMBERS = PARAMETERS.numbers() | {
    "triggers.infection_size": 0.5,
    "triggers.stress_size": 0.25,
    "triggers.season": 0.01,
    "triggers.season:sd": 0.05,
}
THETA = {name: jnp.asarray(value, dtype="float64") for name, value in NUMBERS.items()}
KEYS = people(root(11), jnp.arange(N))
CARRIER = jnp.arange(N) % 20 < 9  # the share of carriers that the average rate is for


def somebody(carrier=CARRIER):
    return triggers(KEYS, {"hla_c0602": carrier}, THETA)


def year(person, keys=KEYS):
    """Impulses of a year, (kinds, weeks, people)."""
    return np.array([impulses(keys, person, jnp.asarray(7.0 * week)) for week in range(WEEKS)]).swapaxes(0, 1)


EVENTS = year(somebody())


def test_events_come_at_their_yearly_rates():
    for kind, sizes in zip(flares.KINDS, EVENTS, strict=True):
        expected = NUMBERS[f"triggers.{kind}_rate"] * 7 * WEEKS / YEAR  # two events of a week count as one
        assert (sizes > 0).sum() / N == pytest.approx(expected, abs=4.5 * np.sqrt(expected / N) + 0.01 * expected)


def test_carriers_of_hla_c0602_have_more_infections_and_not_more_stress():
    infection, stress = ((sizes > 0).sum(0) for sizes in EVENTS)
    carrier = np.asarray(CARRIER)
    error = 4.5 * np.sqrt(1 / infection[carrier].sum() + 1 / infection[~carrier].sum())
    ratio = infection[carrier].mean() / infection[~carrier].mean()
    assert np.log(ratio) == pytest.approx(np.log(NUMBERS["triggers.infection_carrier"]), abs=error)
    error = 4.5 * np.sqrt(1 / stress[carrier].sum() + 1 / stress[~carrier].sum())
    assert np.log(stress[carrier].mean() / stress[~carrier].mean()) == pytest.approx(0, abs=error)


def test_sizes_are_log_normal():
    for kind, sizes in zip(flares.KINDS, EVENTS, strict=True):
        logs, sd = np.log(sizes[sizes > 0]), NUMBERS[f"triggers.{kind}_size:sd"]
        assert logs.mean() == pytest.approx(np.log(NUMBERS[f"triggers.{kind}_size"]), abs=4.5 * sd / np.sqrt(len(logs)))
        assert logs.std() == pytest.approx(sd, rel=4.5 / np.sqrt(2 * len(logs)))


def test_a_person_flares_alike_in_any_company_and_a_week_alike_on_any_of_its_days():
    some = jnp.array([3, 77, 500])
    few = Triggers(THETA, tuple(c[some] for c in somebody().weekly), jnp.zeros(3), jnp.zeros(3))
    np.testing.assert_array_equal(year(few, KEYS[some]), EVENTS[:, :, np.asarray(some)])
    again = impulses(KEYS, somebody(), jnp.asarray(7.0 * 20))
    np.testing.assert_array_equal(np.stack(again), EVENTS[:, 20])


def test_an_impulse_rises_and_decays_as_the_equations_say():
    rates = disposition(somebody())[0]
    rise, decay = NUMBERS["triggers.infection_rise"], NUMBERS["triggers.infection_decay"]
    days = np.array([1.0, 4.0, 10.0, 30.0, 90.0])
    amounts = pk.inject(pk.empty(jnp.zeros(N)), rates, jnp.ones(N))
    ahead = pk.course(rates, amounts, jnp.zeros(N))
    left = [float(pk.concentration(ahead, jnp.asarray(day))[0]) for day in days]
    solved = solve_ivp(
        lambda _, y: (-y[0] / rise, y[0] / rise - y[1] / decay), (0, 90), (1, 0), t_eval=days, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(left, solved.y[1], rtol=1e-5)
    whole = decay  # the time integral of an impulse of 1
    assert np.trapezoid([float(pk.concentration(ahead, jnp.asarray(d))[0]) for d in np.arange(0, 400, 2.0)], dx=2) == (
        pytest.approx(whole, rel=0.005)
    )


def test_the_mean_of_the_drive_is_one_at_any_time():
    """Against impulses carried on week by week: the closed form of what is expected, and the season."""
    person = somebody()
    rates, nothing = disposition(person), jnp.zeros(N)
    amounts = tuple(pk.empty(nothing) for _ in rates)

    @jax.jit
    def week(amounts, sizes):
        given = tuple(map(pk.inject, amounts, rates, sizes))
        return given, tuple(pk.after(r, a, nothing, jnp.asarray(7.0)) for r, a in zip(rates, given, strict=True))

    for number in range(WEEKS):
        given, amounts = week(amounts, tuple(jnp.asarray(s) for s in EVENTS[:, number]))
        for ahead in (0.5, 4.0, 6.999):
            left = tuple(
                pk.concentration(pk.course(r, a, nothing), jnp.asarray(ahead))
                for r, a in zip(rates, given, strict=True)
            )
            drive = np.asarray(person.drive(left, jnp.asarray(7.0 * number + ahead)))
            assert drive.mean() == pytest.approx(1, abs=4.5 * drive.std() / np.sqrt(N))


def test_the_season_comes_back_after_a_year_and_is_worst_in_midwinter():
    person = somebody()._replace(season=jnp.full(N, 0.1), entry=jnp.zeros(N), weekly=(jnp.zeros(N),) * 2)
    none = (jnp.zeros(N),) * 2
    drive = [float(person.drive(none, jnp.asarray(day))[0]) for day in (0.0, YEAR / 4, YEAR / 2, YEAR)]
    np.testing.assert_allclose(drive, [1.1, 1.0, 0.9, 1.1], atol=1e-12)


def test_the_drive_is_one_where_events_are_not_followed():
    np.testing.assert_array_equal(somebody().drive((), jnp.asarray(10.0)), 1.0)


def test_the_drive_is_continuous_where_a_week_ends():
    person = somebody()
    left = (jnp.full(N, 0.1), jnp.full(N, 0.2))
    before, after = (np.asarray(person.drive(left, jnp.asarray(day))) for day in (21 - 1e-9, 21.0))
    np.testing.assert_allclose(before, after, atol=1e-8)


def test_the_season_is_noticed_by_as_many_as_published():
    gain = 3.0
    found = calibration.season_of(gain)
    draws = found["triggers.season"] + found["triggers.season:sd"] * np.random.default_rng(1).standard_normal(200_000)
    swing = gain * draws
    assert (swing > 0.10).mean() == pytest.approx(0.30, abs=4.5 * np.sqrt(0.21 / 200_000))
    assert (swing < -0.10).mean() == pytest.approx(0.20, abs=4.5 * np.sqrt(0.16 / 200_000))


def test_variation_within_people_does_not_count_differences_between_them():
    weeks = np.array([[0.9], [1.1]]) * np.array([[1.0, 5.0, 20.0]])
    assert calibration.within_person(weeks) == pytest.approx(0.1)


def test_an_unstable_plaque_is_told():
    unstable = NUMBERS | {"model.tnf_free_drive": 0.0, "model.feedback": 0.9, "model.memory_floor": 0.0}
    with pytest.raises(ValueError, match=r"steady state|run away"):
        calibration.estimate(unstable, size=50)


def test_a_variation_that_cannot_be_reached_is_told():
    with pytest.raises(ValueError, match="season alone"):
        calibration._bracket(lambda size: 0.1 + size)
    with pytest.raises(ValueError, match="vary people less"):
        calibration._bracket(lambda size: 0.01 * size - 0.175)
    assert calibration._bracket(lambda size: size - 0.15) == (0.1, 0.2)
