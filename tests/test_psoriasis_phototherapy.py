"""Phototherapy: reading patients, their courses, the likelihood and its gradient, and what the cohort shows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from statsmodels.stats.proportion import proportion_confint

from cutis.calibration.psoriasis import lamp, phototherapy, phototherapy_check
from cutis.calibration.psoriasis.lamp import Patients, at_days, plaques, read_patients
from cutis.calibration.psoriasis.phototherapy import BOUNDS, NAMES, Fit, Likelihood, estimate
from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.core.psoriasis.disease import PSORIASIS
from cutis.core.psoriasis.model import drift, individual, signal, start
from cutis.core.psoriasis.treatments import PARAMETERS, number
from cutis.population.psoriasis import twin

THETA = PARAMETERS.numbers()
SHARED = jnp.array([0.1, 1.0, 0.5])  # light.memory, light.plaque, nb_uvb.clearance
COHORT = read_patients()
TRUE = {"median": 0.03, "sd": 0.6, "memory": 0.05, "plaque": 1.5, "fading": 0.5, "floor": 0.03, "noise": 0.2}
LOGS = np.log([TRUE[name] for name in NAMES])


def some(count):
    """The first patients of the cohort."""
    return Patients(*(getattr(COHORT, name)[:count] for name in Patients.__dataclass_fields__))


# --- reading


def table(rows):
    names = ["ID", "PASI_PRE_TREATMENT", *(f"PASI_END_WEEK_{w}" for w in range(1, 13)), "PASI_END_TREATMENT"]
    names += ["LAST_FU_PASI", "LAST_FU_MONTH", *(f"UVB_DOSE_{s}" for s in range(1, 34))]
    return "\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)])


PATIENT = {
    "ID": 7,
    "PASI_PRE_TREATMENT": 10,
    "PASI_END_WEEK_1": 8,
    "PASI_END_WEEK_3": 2,
    "PASI_END_TREATMENT": 2,
    "LAST_FU_PASI": 7,
    "LAST_FU_MONTH": 4,
    **{f"UVB_DOSE_{s}": 0.4 + 0.1 * s for s in range(1, 10)},
}


def read(tmp_path, *rows, text=None):
    file = tmp_path / "patients.csv"
    file.write_text(table(rows) if text is None else text)
    return read_patients(file)


def test_a_patient_is_read_as_shares_of_the_pasi_before(tmp_path):
    patient = read(tmp_path, PATIENT)
    np.testing.assert_allclose(patient.weekly[0, :4], [0.8, np.nan, 0.2, np.nan])
    np.testing.assert_allclose(patient.carried()[0, [0, 1, 2, 11]], [0.8, 0.8, 0.2, 0.2])
    assert patient.last_week[0] == 3
    assert patient.relapse_day[0] == pytest.approx(21 + 4 * 30.4375)
    assert patient.lost_half()[0] == 1  # 0.7 is above the middle between 0.2 and 1
    np.testing.assert_allclose(patient.doses[0, :10], [*(0.5 + 0.1 * np.arange(9)), 0.0])
    np.testing.assert_allclose(patient.relative_doses(), patient.doses)  # the first dose is the median first


def test_who_was_not_seen_again_is_no_relapse_and_who_has_no_doses_is_left_out(tmp_path):
    lost = PATIENT | {"ID": 8, "LAST_FU_PASI": "LTFU", "LAST_FU_MONTH": 3}
    patients = read(tmp_path, lost, {"ID": 9, "PASI_PRE_TREATMENT": 5})
    assert patients.ids.tolist() == [8]
    assert np.isnan(patients.lost_half()[0])
    assert np.isnan(patients.relapse_day[0])


@pytest.mark.parametrize(
    ("rows", "text", "why"),
    [
        ([PATIENT | {"PASI_END_WEEK_3": "two"}], None, "patient 7: PASI_END_WEEK_3: expected a number, got 'two'"),
        ([PATIENT | {"PASI_PRE_TREATMENT": 0}], None, "expected a PASI above 0"),
        ([PATIENT | {"PASI_PRE_TREATMENT": ""}], None, "expected a PASI above 0"),
        ([PATIENT | {f"PASI_END_WEEK_{w}": "" for w in (1, 3)}], None, "patient 7: no PASI in any week"),
        ([PATIENT | {"UVB_DOSE_2": -1}], None, "expected doses of at least 0"),
        ([], None, "no patient with a dose"),
        ([], "ID,UVB_DOSE_1\n1,0.5", "no column LAST_FU_MONTH"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, rows, text, why):
    with pytest.raises(ValueError, match=why):
        read(tmp_path, *rows, text=text)


def test_the_cohort_is_as_published():
    assert COHORT.size == 94
    seen = ~np.isnan(COHORT.relapse)
    assert seen.sum() == 68
    assert np.nanmean(COHORT.lost_half()) == 0.75
    assert np.median(COHORT.baseline) == pytest.approx(8.0, abs=1.0)


# --- courses


def test_courses_are_those_of_the_trial_engine():
    """The same doses through the kernel that trials run, in people who differ in the same ways."""
    doses = np.tile(np.linspace(0.4, 2.0, 12), (1, 1))
    sensitivities, deviations = jnp.array([0.02, 0.1, 0.5]), jnp.array([[-1.0, 0.5], [0.3, -0.7]])
    course = np.asarray(plaques(doses, THETA, SHARED, sensitivities, deviations, 20))[0].reshape(6, 21)

    theta = {name: jnp.asarray(v, dtype="float64") for name, v in THETA.items()}
    theta |= {"light.memory": SHARED[0], "light.plaque": SHARED[1], "nb_uvb.clearance": SHARED[2]}
    keys, twins = people(root(1), jnp.arange(6)), jax.vmap(twin, (None, 0))(root(1), jnp.arange(6))
    person = individual(keys, twins, jnp.full((1, 6), number("nb_uvb")), theta)
    alike = lamp._person(theta, jnp.tile(deviations, (1, 3)))
    person = person._replace(
        light=jnp.repeat(sensitivities, 2), plaque_rate=alike.plaque_rate, il23_free=alike.il23_free
    )
    days = [7 * week + day for week in range(4) for day in lamp.SESSION_DAYS]
    mesh = graded([0], days, [7 * w for w in range(21)], 0.5)
    grid, none = on_device(mesh.times, mesh.begins), jnp.zeros(6)
    rates = PSORIASIS.pharmacokinetics(person, jnp.asarray(0.0), False)[:1]

    @jax.jit
    def to_next(body, b, dose):
        def driven(c, day):
            return signal(person, c, none, day)

        return advance(lambda y, u: drift(person, y, u), driven, rates, body, (dose,), (none,), grid, b)

    body, given, plaque = at_rest(start(person), 1), dict(zip(days, doses[0], strict=True)), []
    for b, day in enumerate(mesh.breaks[:-1]):
        if day % 7 == 0:
            plaque.append(body.state[4])
        body = to_next(body, jnp.asarray(b), jnp.full(6, given.get(round(day), 0.0)))
    np.testing.assert_allclose(course[:, :20], np.stack(plaque, axis=1), atol=2e-3)


def test_shorter_steps_change_little(monkeypatch):
    arguments = (COHORT.doses[:8], THETA, SHARED, jnp.array([0.02, 0.2, 1.0]), jnp.zeros((2, 1)), 40)
    usual = np.asarray(plaques(*arguments))
    monkeypatch.setattr(lamp, "STEPS", 8)
    monkeypatch.setattr(lamp, "STEPS_AFTER", 14)
    np.testing.assert_allclose(usual, np.asarray(plaques(*arguments)), atol=3e-3)


def test_without_doses_nothing_moves():
    course = plaques(np.zeros((2, 24)), THETA, SHARED, jnp.array([0.1]), jnp.zeros((2, 1)), 30)
    np.testing.assert_allclose(course, 1.0, atol=1e-12)


def test_a_day_between_weeks_is_interpolated():
    course = jnp.array([[[0.0, 1.0, 4.0]], [[0.0, 2.0, 6.0]]])
    np.testing.assert_allclose(at_days(course, np.array([3.5, 14.0])), [[0.5], [6.0]])


# --- likelihood


@pytest.mark.parametrize("relapse", [False, True])
def test_the_gradient_is_that_of_the_likelihood(relapse):
    likelihood, used = Likelihood(some(6), THETA, relapse=relapse), np.array([1.0, 1, 1, 0, 1, 1])
    _, gradient = likelihood(LOGS, used)
    for place, step in enumerate(1e-4 * np.eye(len(NAMES))):
        slope = (likelihood(LOGS + step, used)[0] - likelihood(LOGS - step, used)[0]) / 2e-4
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_the_marginal_likelihood_is_an_integral_over_sensitivity(monkeypatch):
    """One patient in whom nothing but sensitivity is unknown, against adaptive quadrature."""
    monkeypatch.setattr(phototherapy, "DEVIATIONS", 1)
    patient = Patients(*(getattr(COHORT, name)[5:6] for name in Patients.__dataclass_fields__))
    value, _ = Likelihood(patient, THETA)(LOGS, np.ones(1))
    doses, seen = patient.relative_doses(), ~np.isnan(patient.weekly[0])
    course = jax.jit(
        lambda s: plaques(doses, THETA, jnp.array([0.05, 1.5, 0.5]), jnp.exp(s)[None], jnp.zeros((2, 1)), 12)[
            0, 0, 0, 1:
        ]
    )

    def density(log):
        expected = np.asarray(course(jnp.asarray(log)))[seen]
        sd = np.hypot(TRUE["floor"], TRUE["noise"] * expected)
        each = np.exp(-0.5 * ((patient.weekly[0, seen] - expected) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        z = (log - np.log(TRUE["median"])) / TRUE["sd"]
        return each.prod() * np.exp(-0.5 * z * z) / (TRUE["sd"] * np.sqrt(2 * np.pi))

    whole, _ = quad(density, np.log(0.003), np.log(2.0), epsrel=1e-7, limit=200)
    assert -value == pytest.approx(np.log(whole), abs=5e-3)


@pytest.mark.slow
def test_known_parameters_are_found_again():
    """Patients made by the model: estimates within 4.5 of their standard errors."""
    rng, patients = np.random.default_rng(3), some(48)
    likelihood = Likelihood(patients, THETA)
    table, _ = likelihood.courses(TRUE)
    expected = np.asarray(likelihood.expected(table))[:, :, :, 0, :-1]
    own = np.log(TRUE["median"]) + TRUE["sd"] * rng.standard_normal(patients.size)
    nearest = np.abs(phototherapy.SENSITIVITIES[None, :] - own[:, None]).argmin(1)
    kind = rng.choice(len(likelihood.grid.weights), patients.size, p=likelihood.grid.weights)
    true = expected[np.arange(patients.size), nearest, kind]
    sd = np.hypot(TRUE["floor"], TRUE["noise"] * true)
    made = np.where(np.isnan(patients.weekly), np.nan, true + sd * rng.standard_normal(true.shape))
    again = Patients(*(made if n == "weekly" else getattr(patients, n) for n in Patients.__dataclass_fields__))
    fit = estimate(Likelihood(again, THETA), errors=True)
    assert {"median", "sd", "floor", "noise"} <= set(fit.errors)
    for name, error in fit.errors.items():
        assert np.log(fit.values[name]) == pytest.approx(np.log(TRUE[name]), abs=4.5 * error), name
    assert fit.values["noise"] == pytest.approx(TRUE["noise"], rel=0.3)


class Rough:
    """A likelihood without a gradient."""

    patients = some(1)

    def __call__(self, logs, used):
        return float(np.sum(logs)), np.full(len(logs), np.nan)


def test_a_fit_that_does_not_converge_is_told():
    with pytest.raises(RuntimeError, match="did not converge"):
        estimate(Rough())  # pyright: ignore[reportArgumentType]


def test_parameters_at_a_bound_have_no_standard_error():
    logs = LOGS.copy()
    logs[NAMES.index("memory")] = BOUNDS[NAMES.index("memory")][0]
    errors = phototherapy._errors(Likelihood(some(6), THETA), logs, np.ones(6))
    assert "memory" not in errors


# --- the cohort


def chosen():
    light = {"median": "light.sensitivity", "sd": "light.sensitivity:sd", "memory": "light.memory"}
    light |= {"plaque": "light.plaque", "fading": "nb_uvb.clearance"}
    values = {name: THETA[key] for name, key in light.items()}
    return Fit(values | {"floor": 0.015, "noise": 0.34}, {}, 0.0, 0)


@pytest.fixture(scope="module")
def cohort():
    return Likelihood(COHORT, THETA)


def test_the_cohorts_median_pasi_is_within_a_tenth_of_baseline(cohort):
    everybody = ((np.ones(COHORT.size, dtype=bool), chosen()),)
    for week in phototherapy_check.weeks(cohort, chosen(), everybody):
        if week.week in phototherapy_check.CHECKED:
            assert week.predicted[1] == pytest.approx(week.observed[1], abs=0.10)
            assert week.unseen == week.predicted  # the same fit


def test_relapse_is_as_observed_within_its_sampling_error():
    found = phototherapy_check.relapse(Likelihood(COHORT, THETA, relapse=True), chosen())
    assert (found.patients, found.observed, found.month) == (68, 0.75, pytest.approx(5, abs=0.5))
    low, high = proportion_confint(51, 68, method="wilson")
    assert low < found.predicted < high


def test_folds_hold_every_patient_once(monkeypatch):
    monkeypatch.setattr(phototherapy_check, "estimate", lambda likelihood, used, start: used.sum())
    held = phototherapy_check.left_out(Likelihood(some(23), THETA), chosen(), 5, 1)
    assert np.sum([who for who, _ in held], axis=0).tolist() == [1] * 23
    assert all(used == 23 - who.sum() for who, used in held)


def test_more_sessions_clear_more():
    rates = [phototherapy_check.responses(some(5), THETA, chosen(), week) for week in (2, 8)]
    assert rates[0]["pasi75"] < rates[1]["pasi75"]
    assert rates[1]["pasi90"] < rates[1]["pasi75"] < rates[1]["pasi50"]


def test_other_trials_of_light_are_predicted_at_their_own_weeks(monkeypatch):
    def at(patients, theta, fit, week):
        return dict.fromkeys(phototherapy_check.LIMITS, week / 100)

    monkeypatch.setattr(phototherapy_check, "responses", at)
    found = phototherapy_check.unseen(COHORT, THETA, chosen())
    assert {u.trial for u in found} >= {"PLUTO", "VIP"}
    assert all(u.predicted == pytest.approx(u.week) for u in found)
