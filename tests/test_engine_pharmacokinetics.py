"""Pharmacokinetics: closed forms against the matrix exponential, limited elimination against scipy's LSODA."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from cutis.core.engine import pharmacokinetics as pk
from cutis.core.engine import saturable
from cutis.core.engine.course import advance, at_rest, on_device, straight
from cutis.core.engine.mesh import graded

A = jnp.asarray
NOTHING = A(0.0)
TWO = {
    "absorption": 0.3,
    "clearance": 0.4,
    "volume": 5.0,
    "exchange": 0.6,
    "peripheral": 3.0,
    "bioavailability": 0.7,
    "direct": 0.0,
}
ONE = TWO | {"exchange": 0.0, "peripheral": 1.0}
BRODALUMAB = {  # of the typical person
    "absorption": 0.3,
    "clearance": 0.155,
    "volume": 4.68,
    "exchange": 0.328,
    "peripheral": 2.41,
    "bioavailability": 0.548,
    "direct": 0.0,
    "most": 6.07,
    "half": 0.02,
}


def rates(of, shape=()):
    return pk.rates(**{name: jnp.full(shape, value) for name, value in of.items()})


def exact(of, amounts, given, days):
    """Amounts in depot, central and peripheral compartment by the matrix exponential."""
    k, out, back = (
        of[a] / of[b] for a, b in (("clearance", "volume"), ("exchange", "volume"), ("exchange", "peripheral"))
    )
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 0] = -of["absorption"], of["absorption"]
    matrix[1, 1:] = -k - out, back, of["bioavailability"] * given
    matrix[2, 1:3] = out, -back
    return (expm(matrix * days) @ [*amounts, 1.0])[:3]


@pytest.mark.parametrize("given", [0.0, 12.0])
@pytest.mark.parametrize("days", [0.0, 0.01, 1.0, 14.0, 100.0])
@pytest.mark.parametrize("of", [ONE, TWO], ids=["one", "two"])
def test_compartments_agree_with_the_matrix_exponential(of, days, given):
    amounts = (70.0, 30.0, 20.0 if of is TWO else 0.0)
    expected = exact(of, amounts, given, days)
    here = pk.Amounts(*map(A, amounts))
    got = pk.after(rates(of), here, A(given), A(days))
    np.testing.assert_allclose(np.stack(got), expected, rtol=1e-10, atol=1e-12)
    ahead = pk.concentration(pk.course(rates(of), here, A(given)), A(days))
    assert float(ahead) == pytest.approx(expected[1] / of["volume"], rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("seed", range(20))
def test_any_compartments_agree_with_the_matrix_exponential(seed):
    rng = np.random.default_rng(seed)
    of = dict(zip(TWO, np.exp(1.5 * rng.normal(size=7)), strict=True))
    amounts, given, days = 100 * rng.random(3), 10 * rng.random(), np.exp(2 * rng.normal())
    got = pk.after(rates(of), pk.Amounts(*map(A, amounts)), A(given), A(days))
    expected = exact(of, amounts, given, days)
    np.testing.assert_allclose(np.stack(got), expected, rtol=1e-9, atol=1e-11 * amounts.max())


def after_dose(of, dose, days):
    dosed = pk.inject(pk.empty(NOTHING), rates(of), A(dose))
    return float(pk.concentration(pk.course(rates(of), dosed, NOTHING), A(days)))


def test_one_compartment_agrees_with_the_textbook_curve():
    ka, k = 0.3, 0.08
    expected = 70 * ka / (5 * (ka - k)) * (np.exp(-k * 9) - np.exp(-ka * 9))
    assert after_dose(ONE, 100.0, 9.0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("nearly", [1.0, 1 + 1e-7, 1 - 1e-5])
def test_equal_rate_constants_are_no_special_case(nearly):
    of = ONE | {"absorption": 0.08 * nearly, "bioavailability": 1.0}
    assert after_dose(of, 100.0, 9.0) == pytest.approx(20 * 0.08 * 9 * np.exp(-0.72), rel=1e-5)


def test_fast_elimination_over_a_long_time_does_not_overflow():
    of = TWO | {"absorption": 0.01, "clearance": 500.0, "exchange": 1.0}
    assert 0 < after_dose(of, 100.0, 90.0) < 1


def test_an_infusion_is_in_the_blood_at_once():
    of = TWO | {"direct": 1.0, "bioavailability": 1.0}
    assert after_dose(of, 100.0, 0.0) == pytest.approx(20.0, rel=1e-14)
    expected = exact(of, (0.0, 100.0, 0.0), 0.0, 3.0)[1] / 5.0
    assert after_dose(of, 100.0, 3.0) == pytest.approx(expected, rel=1e-12)


def test_a_constant_input_settles_where_it_equals_what_is_cleared():
    settled = pk.after(rates(TWO), pk.empty(NOTHING), A(12.0), A(2_000.0))
    assert float(settled.central) / 5.0 == pytest.approx(0.7 * 12 / 0.4, rel=1e-12)


@pytest.mark.parametrize("of", [ONE, TWO], ids=["one", "two"])
def test_doses_add_up(of):
    both = pk.after(rates(of), pk.inject(pk.empty(NOTHING), rates(of), A(80.0)), NOTHING, A(7.0))
    both = pk.inject(both, rates(of), A(40.0))
    got = float(pk.concentration(pk.course(rates(of), both, NOTHING), A(5.0)))
    assert got == pytest.approx(after_dose(of, 80.0, 12.0) + after_dose(of, 40.0, 5.0), rel=1e-12)


def follow(rates_at, doses, days, scale, people=1):
    """Drug and a variable that follows its concentration, by `advance`, at each of `days`: (amounts, variable)."""
    mesh = graded([min(doses)], list(doses), days, scale)
    grid = on_device(mesh.times, mesh.begins)

    @partial(jax.jit, static_argnums=0)  # `first`: before the switch
    def go(first, body, number, dose):
        rates = rates_at(0.0 if first else SWITCH)
        zero = jnp.zeros(people)
        return advance(
            lambda y, u: (u[0] - 0.1 * y[0],), lambda c, _: c, (rates,), body, (zero + dose,), (zero,), grid, number
        )

    body, seen = at_rest((jnp.zeros(people),), 1), {}
    for number, day in enumerate(mesh.breaks):
        seen[float(day)] = body
        if day < mesh.breaks[-1]:
            body = go(day < SWITCH, body, jnp.asarray(number), jnp.asarray(doses.get(float(day), 0.0)))
    return [(np.stack(seen[day].amounts[0]), np.asarray(seen[day].state[0])) for day in days]


SWITCH = 28.0


def test_clearance_that_rises_at_a_break_agrees_with_the_matrix_exponential():
    faster = TWO | {"clearance": 1.6}
    got = follow(lambda day: rates(TWO if day < SWITCH else faster, (1,)), {0.0: 100.0, 28.0: 100.0}, [0.0, 60.0], 1.0)
    before = exact(TWO, (70.0, 0.0, 0.0), 0.0, 28.0)
    expected = exact(faster, np.add(before, (70.0, 0.0, 0.0)), 0.0, 32.0)
    np.testing.assert_allclose(got[-1][0][:, 0], expected, rtol=1e-11)


def by_lsoda(of, doses, days):
    """(central and peripheral amount, variable) at each of `days`."""

    def change(_, y):
        depot, centre, rest, followed = y
        c = centre / of["volume"]
        exchanged = of["exchange"] * (c - rest / of["peripheral"])
        limited = of["most"] * c / (of["half"] + c)
        enters = of["absorption"] * depot
        return [-enters, enters - of["clearance"] * c - limited - exchanged, exchanged, c - 0.1 * followed]

    y, seen = np.zeros(4), []
    for begin, end in pairwise([*sorted({*doses, *days}), max(days) + 1]):
        if begin in days:
            seen.append(y.copy())
        y[0] += of["bioavailability"] * doses.get(begin, 0.0)
        y = solve_ivp(change, (begin, end), y, method="LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    return np.array(seen)


COURSE = {0.0: 210.0, 7.0: 210.0} | {14.0 * k: 210.0 for k in range(1, 7)}
WEEKS = [7.0 * k for k in range(26)]  # the last twelve after the drug is used up


@pytest.mark.parametrize("of", [BRODALUMAB, BRODALUMAB | {"exchange": 0.0}], ids=["two", "one"])
def test_limited_elimination_agrees_with_an_adaptive_solver_until_nothing_is_left(of):
    got = follow(lambda _: rates(of, (1,)), COURSE, WEEKS, 1.0)
    expected = by_lsoda(of, COURSE, WEEKS)
    peak = expected[:, 1].max()
    central = np.array([amounts[1, 0] for amounts, _ in got])
    np.testing.assert_allclose(central, expected[:, 1], atol=1e-4 * peak)
    assert (central >= 0).all()
    assert expected[-1, 1] < 1e-5 * peak  # it was used up
    followed = np.array([variable[0] for _, variable in got])
    np.testing.assert_allclose(followed, expected[:, 3], atol=1e-4 * expected[:, 3].max())


def test_halving_the_step_divides_the_error_of_limited_elimination_by_eight():
    """Away from the end of the drug, at a limit that is no cut: the order of the method."""
    of = BRODALUMAB | {"half": 5.0}
    r = rates(of)
    bound = saturable.limit(r)

    def error(h):
        state = (A(100.0), A(20.0))
        for k in range(round(4 / h)):
            state = saturable.step(r, bound, state, lambda day: 5 * jnp.exp(-0.3 * day), A(k * h), A(h))
        return abs(float(state[0]) - end)

    def change(t, y):
        exchanged = of["exchange"] * (y[0] / of["volume"] - y[1] / of["peripheral"])
        limited = of["most"] * y[0] / (of["half"] * of["volume"] + y[0])
        return [5 * np.exp(-0.3 * t) - of["clearance"] / of["volume"] * y[0] - limited - exchanged, exchanged]

    end = solve_ivp(change, (0, 4), [100.0, 20.0], method="LSODA", rtol=1e-12, atol=1e-12).y[0, -1]
    assert error(1.0) / error(0.5) == pytest.approx(8, rel=0.2)


def test_a_step_beyond_the_end_of_the_drug_leaves_next_to_nothing():
    state = saturable.step(
        rates(BRODALUMAB), saturable.limit(rates(BRODALUMAB)), (A(5.0), A(0.0)), lambda _: NOTHING, NOTHING, A(30.0)
    )
    assert abs(float(state[0])) < 0.05


def test_without_a_limit_a_slot_keeps_its_closed_form_beside_one_that_has_it():
    """One slot may hold a drug with limited elimination in one arm and another drug in the other."""
    both = {name: np.array([value, value]) for name, value in BRODALUMAB.items()}
    both["most"] = np.array([6.07, 0.0])
    mixed = pk.rates(**{name: A(value) for name, value in both.items()})
    alone = rates({name: value for name, value in BRODALUMAB.items() if name not in ("most", "half")}, (2,))
    got, lean = (follow(lambda _, r=r: r, COURSE, WEEKS, 1.0, people=2) for r in (mixed, alone))
    for (amounts, _), (expected, _) in zip(got, lean, strict=True):
        np.testing.assert_allclose(amounts[:, 1], expected[:, 1], rtol=1e-12)
    assert got[-1][0][1, 0] < 0.1 * lean[-1][0][1, 0]
    assert got[-1][1][1] == pytest.approx(lean[-1][1][1], rel=1e-4)  # what follows it, on the line that replaces it


def test_the_line_that_replaces_a_signal_has_its_mean_and_first_moment():
    h, parts = 2.0, 8
    times = np.linspace(0, h, parts + 1)
    signal = np.where(times < 1.3, 1.0, 0.0)
    now, then = straight([(A(v),) for v in signal], A(h))
    line = float(now.value[0]) + (float(then.value[0]) - float(now.value[0])) * times / h
    weights = np.full(parts + 1, h / parts)
    weights[[0, -1]] /= 2
    for power in (0, 1):
        assert (weights * line * times**power).sum() == pytest.approx((weights * signal * times**power).sum())
    assert float(now.rate[0]) == pytest.approx((float(then.value[0]) - float(now.value[0])) / h)


def test_a_straight_signal_replaces_itself():
    now, then = straight([(A(1.0 + 0.25 * k),) for k in range(9)], A(0.5))
    assert (float(now.value[0]), float(then.value[0]), float(now.rate[0])) == pytest.approx((1.0, 3.0, 4.0))
