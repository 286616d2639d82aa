"""Psoriasis: the model at rest and under treatment, and what a rater reads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.core.psoriasis.disease import PSORIASIS
from cutis.core.psoriasis.endpoints import ENDPOINTS, OUTCOMES, Lesions, _smooth_pasi, read
from cutis.core.psoriasis.model import activity, drift, individual, signal, start
from cutis.core.psoriasis.treatments import PARAMETERS, SITES, SYSTEMIC, hooks, number
from cutis.population.sample import POPULATIONS, sample

from .recording import Recording

N = 400
THETA = jax.tree.map(jnp.asarray, PARAMETERS.numbers())
KEYS = people(root(5), jnp.arange(N))
TWINS = sample(POPULATIONS["psoriasis_moderate_severe"], root(5), jnp.arange(N))


def person(*drugs):
    numbers = jnp.array([[number(name)] * N for name in drugs], dtype="int64").reshape(len(drugs), N)
    return jax.jit(individual)(KEYS, TWINS, numbers, THETA)


def treated(drug, doses, weeks):
    """States at each week under doses {week: mg}, everybody alike."""
    someone = person(drug)
    mesh = graded([0], [7 * w for w in doses], [7 * w for w in weeks], 1.0)
    grid = on_device(mesh.times, mesh.begins)
    nothing = jnp.zeros(N)

    @jax.jit
    def to_next(body, b, dose):
        return advance(
            lambda y, u: drift(someone, y, u),
            lambda c: signal(someone, c, nothing),
            PSORIASIS.pharmacokinetics(someone),
            body,
            (jnp.full(N, dose),),
            grid,
            b,
        )

    body, states = at_rest(start(someone), 1), {}
    for b, day in enumerate(mesh.breaks[:-1]):
        if day in [7 * w for w in weeks]:
            states[round(day / 7)] = body.state
        body = to_next(body, jnp.asarray(b), jnp.asarray(float(doses.get(round(day / 7), 0))))
    return states | {weeks[-1]: body.state}


def test_the_untreated_plaque_is_a_steady_state():
    someone = person("guselkumab")
    rates = drift(someone, start(someone), signal(someone, (jnp.zeros(N),), jnp.zeros(N)))
    np.testing.assert_allclose(np.stack(rates), 0.0, atol=1e-15)


@pytest.mark.parametrize("drug", SYSTEMIC)
def test_a_drug_blocks_its_own_site_by_half_at_its_half_maximal_concentration(drug):
    someone = person(drug)
    blocked = signal(someone, (someone.slots[0].half_maximal,), jnp.zeros(N))
    for site, share in zip(SITES, blocked, strict=False):
        expected = 0.5 * PSORIASIS.treatments[drug].hooks.get(site, 0.0)
        np.testing.assert_allclose(share, expected, atol=1e-12)


def test_two_drugs_act_independently():
    both = person("adalimumab", "adalimumab")
    blocked = signal(both, (both.slots[0].half_maximal,) * 2, jnp.zeros(N))
    np.testing.assert_allclose(blocked[SITES.index("tnf")], 0.75, atol=1e-12)


def test_no_drug_does_nothing():
    nobody = jax.jit(individual)(KEYS, TWINS, jnp.zeros((1, N), dtype="int64"), THETA)
    blocked = signal(nobody, (jnp.full(N, 100.0),), jnp.zeros(N))
    np.testing.assert_array_equal(np.stack(blocked), 0.0)
    assert not np.asarray(hooks(jnp.array([0]))).any()


def test_a_person_is_the_same_whatever_else_is_given():
    alone, beside = person("guselkumab"), person("adalimumab", "guselkumab")
    np.testing.assert_allclose(alone.slots[0].half_maximal, beside.slots[1].half_maximal, rtol=1e-12)
    np.testing.assert_allclose(alone.plaque_rate, beside.plaque_rate, rtol=1e-12)


def test_who_needs_much_of_one_drug_tends_to_need_much_of_another():
    someone = person("adalimumab", "secukinumab")
    logs = np.log([slot.half_maximal for slot in someone.slots])
    error = 4.5 * (1 - 0.5**2) / np.sqrt(N)  # of a correlation near one half
    assert np.corrcoef(logs)[0, 1] == pytest.approx(0.5, abs=error + 0.05)  # and what covariates share


def test_heavier_people_clear_more_and_need_more():
    light, heavy = (TWINS | {"weight": jnp.full(N, w)} for w in (60.0, 120.0))
    one, two = (jax.jit(individual)(KEYS, t, jnp.full((1, N), 2), THETA).slots[0] for t in (light, heavy))
    np.testing.assert_allclose(two.half_maximal / one.half_maximal, 2**0.9, rtol=1e-12)
    clearance = [s.rates.fast / s.rates.per_fast for s in (one, two)]  # one compartment: (CL/V) V
    np.testing.assert_allclose(clearance[1] / clearance[0], 2**0.998, rtol=1e-10)


def test_plaques_clear_under_treatment_and_come_back_after_it():
    states = treated("guselkumab", {0: 100, 4: 100, 12: 100, 20: 100}, (0, 12, 24, 80))
    plaque = {week: np.median(state[4]) for week, state in states.items()}
    assert plaque[0] == 1
    assert plaque[12] < 0.25
    assert plaque[24] < 0.15
    assert plaque[80] > 0.6


def test_without_doses_nothing_moves():
    states = treated("guselkumab", {}, (0, 12, 48))
    np.testing.assert_allclose(np.stack(states[48]), 1.0, atol=1e-12)


def test_placebo_improves_most_and_worsens_some():
    someone = person("guselkumab")
    seen, felt = activity(someone, start(someone), jnp.asarray(112.0))
    assert 0.6 < np.median(seen) < 0.95
    assert 0.2 < np.mean(seen > 1) < 0.55
    np.testing.assert_array_equal(seen, felt)


def test_baseline_skin_matches_the_severity_of_the_twin():
    someone = person("guselkumab")
    smooth = _smooth_pasi(someone.lesions.extent, someone.lesions.severity)
    reached = np.asarray(TWINS["severity"]) < 64  # beyond, signs of 4 everywhere leave no room
    np.testing.assert_allclose(np.asarray(smooth)[reached], np.asarray(TWINS["severity"])[reached], rtol=1e-6)


def test_every_number_of_the_tables_is_used_and_no_other():
    numbers = Recording(THETA)
    two = {name: values[:2] for name, values in TWINS.items()}
    someone = individual(KEYS[:2], two, jnp.ones((1, 2), dtype="int64"), numbers)
    nothing = signal(someone, (jnp.zeros(2),), jnp.zeros(2))
    drift(someone, start(someone), nothing)
    PSORIASIS.observe(KEYS[:2], someone, start(someone), jnp.asarray(7.0))
    told = {name for name in THETA if name.endswith(".highest_dose")}  # read by the checks of a study
    idle = {name for name in set(THETA) - numbers.read if f"{name}:sd" not in numbers.read}  # some are spreads alone
    assert idle == told
    unknown = {
        name for name in numbers.read - set(THETA) if not name.startswith(tuple(f"{drug}." for drug in SYSTEMIC))
    }
    assert unknown == set()  # drugs may lack a spread


def skin(extent, severity, n=1):
    wide = jnp.ones((4, n))
    return Lesions(extent * wide, severity * jnp.ones((4, 3, n)), wide, 12.0 * wide[0], 6.0 * wide[0])


QUIET = THETA | {name: jnp.asarray(0.0) for name in THETA if name.endswith(":sd")}


@pytest.mark.parametrize(
    ("extent", "severity", "pasi", "bsa", "iga"),
    [
        (1.0, 4.0, 72.0, 100.0, 4.0),
        (0.2, 3.0, 18.0, 20.0, 3.0),
        (0.05, 2.0, 6.0, 5.0, 2.0),
        (0.005, 3.0, 0.0, 0.0, 0.0),
    ],
)
def test_scores_by_hand(extent, severity, pasi, bsa, iga):
    """PASI is 0.1, 0.2, 0.3, 0.4 times (sum of signs) times the area score, here alike in all regions."""
    got = read(people(root(0), jnp.arange(1)), skin(extent, severity), jnp.ones(1), jnp.ones(1), QUIET)
    assert float(got["pasi"][0]) == pasi
    assert float(got["bsa"][0]) == pytest.approx(bsa)
    assert float(got["iga"][0]) == iga


@pytest.mark.parametrize("activity_", [1.0, 0.5, 0.1, 0.01])
def test_every_reading_is_on_its_scale_and_pasi_in_tenths(activity_):
    someone = person("guselkumab")
    level = jnp.full(N, activity_)
    got = read(KEYS, someone.lesions, level, level, THETA)
    for name, values in got.items():
        assert ENDPOINTS[name].low <= float(values.min())
        assert float(values.max()) <= ENDPOINTS[name].high
    tenths = np.asarray(got["pasi"]) * 10
    np.testing.assert_allclose(tenths, np.round(tenths), atol=1e-9)


def test_half_are_read_as_clear_near_the_activity_inferred_from_trials():
    """50 % read PASI 0 at an activity of 0.036, inferred from PASI 100 and PASI 75 rates of 110 arms."""
    someone = person("guselkumab")
    clear = [
        float((read(KEYS, someone.lesions, *(jnp.full(N, k),) * 2, THETA)["pasi"] == 0).mean()) for k in (0.02, 0.06)
    ]
    assert clear[0] > 0.5 > clear[1]


def responder(name, now, baseline):
    columns = [{"pasi": np.array([p]), "iga": np.array([i]), "dlqi": np.array([5.0])} for p, i in (now, baseline)]
    return OUTCOMES[name].derive(*columns)[0]


@pytest.mark.parametrize(
    ("name", "now", "baseline", "expected"),
    [
        ("pasi75", (3.1, 1), (12.4, 3), 1.0),  # exactly three quarters
        ("pasi75", (3.2, 1), (12.4, 3), 0.0),
        ("pasi90", (1.3, 1), (13.0, 3), 1.0),
        ("pasi90", (1.4, 1), (13.0, 3), 0.0),
        ("pasi100", (0.0, 0), (13.0, 3), 1.0),
        ("pasi100", (0.1, 1), (13.0, 3), 0.0),
        ("iga01", (2.0, 1), (13.0, 3), 1.0),
        ("iga01", (2.0, 1), (13.0, 2), 0.0),  # one grade only
        ("dlqi01", (2.0, 1), (13.0, 3), 0.0),
    ],
)
def test_responders_by_hand(name, now, baseline, expected):
    assert responder(name, now, baseline) == expected


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_missing_value_has_no_outcome(name):
    gone = {"pasi": np.array([np.nan]), "iga": np.array([np.nan]), "dlqi": np.array([np.nan])}
    there = {"pasi": np.array([20.0]), "iga": np.array([3.0]), "dlqi": np.array([9.0])}
    assert np.isnan(OUTCOMES[name].derive(gone, there)[0])


@pytest.mark.parametrize("percent", [50, 75, 90])
def test_every_pair_of_scores_is_judged_as_in_whole_numbers(percent):
    tenths = np.arange(0, 721, dtype=np.int64)
    now, base = np.meshgrid(tenths, tenths[120:])
    got = OUTCOMES[f"pasi{percent}"].derive({"pasi": now / 10}, {"pasi": base / 10})
    np.testing.assert_array_equal(got, 100 * now <= (100 - percent) * base)
