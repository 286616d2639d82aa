"""Concentrations behind the calibration: doses by hand, and each form of dosing against SciPy's solver of equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cutis.calibration.exposure import PART, doses
from cutis.calibration.psoriasis.cohort import participants, pool
from cutis.calibration.psoriasis.evidence.regimens import read_course
from cutis.calibration.psoriasis.exposure import concentrations, spans
from cutis.core.psoriasis.treatments import disposition, number, slot

from .smalltrials import arm, theta, trial

SIZE, WEEKS = 32, 6
THETA = theta() | {"adalimumab.ada_rate": jnp.asarray(0.02)}  # so that antibodies come in time to be seen
TIERS = [{"up_to": "100 kg", "dose": "45 mg"}, {"dose": "90 mg"}]
FORMS = {
    "subcutaneous": {"treatment": "adalimumab", "dose": "40 mg", "weeks": [0, 1], "every": 2, "until": WEEKS},
    "twice a week": {"treatment": "etanercept", "dose": "50 mg", "weeks": [0], "times_a_week": 2, "until": WEEKS},
    "intravenous": {"treatment": "infliximab", "dose": "5 mg/kg", "weeks": [0, 2]},
    "by weight": {"treatment": "ustekinumab", "tiers": TIERS, "weeks": [0, 4]},
    "daily": {"treatment": "apremilast", "dose": "30 mg", "weeks": [1], "times_a_day": 2, "until": 4},
    "weekly": {"treatment": "methotrexate", "dose": "15 mg", "weeks": [0], "every": 1, "until": WEEKS},
    "saturable": {"treatment": "brodalumab", "dose": "210 mg", "weeks": [0, 1, 2, 4]},
}


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def course(entry):
    return read_course(entry, "here")


def twins():
    alone = arm("placebo")
    return participants(trial("t", alone), alone, SIZE)


def times(weeks):
    """When a concentration is told: at the begin and the middle of each step, and at the end."""
    steps, _ = spans(weeks)
    ends = np.cumsum(steps)
    return np.sort(np.r_[0.0, ends - steps / 2, ends])


def test_steps_end_with_the_last_week_and_have_whole_parts():
    for weeks in (2, 3, 12, 16, 108):
        steps, parts = spans(weeks)
        assert steps.sum() == 7 * weeks
        assert (2 * parts * PART == steps).all()
    assert set(np.arange(1, 13) * 7.0) <= set(np.cumsum(spans(12)[0]))  # weeks end at the end of steps


def test_doses_come_on_their_days():
    given, daily = doses((course(FORMS["subcutaneous"]),), np.array([80.0, 120.0]), WEEKS)
    assert given.shape == daily.shape == (43, 2)
    assert {day: given[day].tolist() for day in np.flatnonzero(given.any(1))} == {
        0: [40, 40], 7: [40, 40], 21: [40, 40], 35: [40, 40],
    }  # fmt: skip
    assert not daily.any()


def test_doses_follow_the_weight_of_each_person():
    weights = np.array([60.0, 100.0, 100.5])
    assert doses((course(FORMS["by weight"]),), weights, 2)[0][0].tolist() == [45, 45, 90]
    assert doses((course(FORMS["intravenous"]),), weights, 2)[0][0].tolist() == [300, 500, 502.5]


def test_doses_on_the_same_day_add_and_later_ones_than_the_horizon_do_not_count():
    load = course({"treatment": "adalimumab", "dose": "80 mg", "weeks": [0]})
    given, _ = doses((load, course(FORMS["subcutaneous"])), np.array([80.0]), 1)
    assert given[:, 0].tolist() == [120, 0, 0, 0, 0, 0, 0, 40]


def test_what_is_taken_every_day_is_a_constant_input_until_it_is_stopped():
    given, daily = doses((course(FORMS["daily"]),), np.array([80.0]), WEEKS)
    assert not given.any()
    assert np.flatnonzero(daily[:, 0]).tolist() == list(range(7, 28))
    assert set(daily[7:28, 0]) == {60.0}
    long = course(FORMS["daily"] | {"until": 52})
    assert np.flatnonzero(doses((long,), np.array([80.0]), 2)[1][:, 0]).tolist() == list(range(7, 15))


@pytest.mark.parametrize("form", FORMS)
def test_concentrations_are_those_of_the_equations(form):
    told = course(FORMS[form])
    saturable = form == "saturable"
    people = twins()
    found = concentrations(told.treatment, people, (told,), WEEKS, THETA)
    drugs = jnp.full(SIZE, number(told.treatment))
    person = slot(pool(SIZE).keys, {k: jnp.asarray(v) for k, v in people.items()}, drugs, THETA)
    assert found.shape == (len(times(WEEKS)), SIZE)
    earliest = int(np.argmin(np.asarray(person.onset)))
    for who in {0, 7, earliest}:
        exact = solved(told, person, who, people["weight"][who], saturable)
        # The engine's own steps of an eighth of a day for what saturates; all else is a closed form.
        assert np.abs(found[:, who] - exact).max() < (2e-3 if saturable else 1e-6) * exact.max()


def test_antibodies_lower_concentrations_from_their_onset_on():
    told = course(FORMS["subcutaneous"])
    found = concentrations("adalimumab", twins(), (told,), WEEKS, THETA)
    without = concentrations("adalimumab", twins(), (told,), WEEKS, THETA | {"adalimumab.ada_rate": jnp.asarray(0.0)})
    drugs = jnp.full(SIZE, number("adalimumab"))
    onset = np.asarray(slot(pool(SIZE).keys, {k: jnp.asarray(v) for k, v in twins().items()}, drugs, THETA).onset)
    early = onset < 7 * WEEKS - 2
    assert early.any()
    assert (found[-1, early] < without[-1, early]).all()
    before = times(WEEKS)[:, None] <= np.floor(onset)
    np.testing.assert_allclose(found[before], without[before], rtol=1e-12)


def solved(told, person, who, weight, saturable):
    """Concentrations of one person by SciPy, from day to day; an intravenous dose shows at the first visit, later from
    the time after it on."""
    at = times(WEEKS)
    given, daily = (part[:, 0] for part in doses((told,), np.array([weight]), WEEKS))
    amounts, seen = np.zeros(3), {}
    for day in range(7 * WEEKS + 1):
        rates = disposition(person, jnp.asarray(float(day)), saturable)
        r = type(rates)(*(None if v is None else float(v[who]) for v in rates))
        seen.setdefault(float(day), amounts[1] / r.volume)
        amounts = amounts + r.bioavailability * given[day] * np.array([1 - r.direct, r.direct, 0.0])
        if day == 0:
            seen[0.0] = amounts[1] / r.volume

        def flow(_, state, r=r, day=day):
            depot, central, peripheral = state
            limited = 0.0 if r.most is None else r.most * central / (r.half * r.volume + abs(central))
            out = r.out * central - r.back * peripheral
            enters = r.absorption * depot + r.bioavailability * daily[day]
            return -r.absorption * depot, enters - r.elimination * central - out - limited, out

        inside = at[(at > day) & (at <= day + 1)]
        method = "LSODA" if saturable else "DOP853"
        run = solve_ivp(flow, (day, day + 1), amounts, method=method, rtol=1e-10, atol=1e-10, dense_output=True)
        seen |= {float(t): float(run.sol(t)[1]) / r.volume for t in inside}
        amounts = run.y[:, -1]
    return np.array([seen[float(t)] for t in at])
