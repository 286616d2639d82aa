"""Psoriasis: the model's equations, the model at rest and under treatment, and what a rater reads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.mesh import graded
from cutis.core.keys import people, root
from cutis.core.psoriasis import model
from cutis.core.psoriasis.disease import PSORIASIS
from cutis.core.psoriasis.endpoints import ENDPOINTS, OUTCOMES
from cutis.core.psoriasis.model import BLOCKED, activity, bounded, drift, individual, signal, start
from cutis.core.psoriasis.safety import KINDS
from cutis.core.psoriasis.skin import Burden, Lesions, _smooth_pasi, read
from cutis.core.psoriasis.treatments import NAMES, PARAMETERS, hooks, number
from cutis.core.slots import unknown
from cutis.population.sample import POPULATIONS, sample

from .recording import Recording

N = 400
THETA = jax.tree.map(jnp.asarray, PARAMETERS.numbers())
KEYS = people(root(5), jnp.arange(N))
TWINS = sample(POPULATIONS["psoriasis_moderate_severe"], root(5), jnp.arange(N))
NOTHING, DAY = jnp.zeros(N), jnp.asarray(0.0)
DRUGS = [name for name, t in PSORIASIS.treatments.items() if set(t.hooks) <= set(BLOCKED)]
DRUG, LIGHT, TOPICAL = "guselkumab", "nb_uvb", "calcipotriol_betamethasone"


def person(*drugs, theta=THETA):
    numbers = jnp.array([[number(name)] * N for name in drugs], dtype="int64").reshape(len(drugs), N)
    return jax.jit(individual)(KEYS, TWINS, numbers, theta)


def outside(light=0.0, topical=0.0, drive=1.0, **blocked):
    """What `drift` sees, the same for everybody."""
    return tuple(jnp.full(N, value) for value in (*(blocked.get(s, 0.0) for s in BLOCKED), light, topical, drive))


def changed(someone, **at):
    """Rates of change at the untreated state, by the name of the state."""
    return dict(zip("DNMTKL", drift(someone, start(someone), outside(**at)), strict=True))


def settled(someone, given):
    """States after three years of the same signal."""
    grid = graded([0], [], [0, 1100], 1.0)
    follow = jax.jit(
        lambda body: advance(
            lambda y, u: drift(someone, y, u),
            lambda c, day: given,
            (),
            body,
            (),
            (),
            on_device(grid.times, grid.begins),
            jnp.asarray(0),
        )
    )
    return dict(zip("DNMTKL", follow(at_rest(start(someone), 0)).state, strict=True))


def treated(drug, doses, weeks):
    """States at each week under doses {week: mg}, everybody alike, without triggers."""
    someone = person(drug)
    mesh = graded([0], [7 * w for w in doses], [7 * w for w in weeks], 1.0)
    grid = on_device(mesh.times, mesh.begins)

    @jax.jit
    def to_next(body, b, dose):
        day = grid.times[grid.begins[b]]
        return advance(
            lambda y, u: drift(someone, y, u),
            lambda c, time: signal(someone, c, NOTHING, time),
            PSORIASIS.pharmacokinetics(someone, day, False)[:1],
            body,
            (jnp.full(N, dose),),
            (NOTHING,),
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
    someone = person(DRUG)
    rates = drift(someone, start(someone), signal(someone, (NOTHING,), NOTHING, DAY))
    np.testing.assert_allclose(np.stack(rates), 0.0, atol=1e-15)


def test_the_untreated_plaque_is_stable():
    """Whatever state people are pushed to nearby, they come back."""
    someone = person()
    quiet = (*(jnp.zeros(()) for _ in (*BLOCKED, "light", "topical")), jnp.ones(()))
    everybody = jax.jit(jax.vmap(jax.jacfwd(lambda y, p: jnp.stack(drift(p, tuple(y), quiet)))))
    alone = someone._replace(theta={name: jnp.full(N, value) for name, value in someone.theta.items()})
    alone = alone._replace(triggers=None, lesions=None)
    slopes = np.asarray(everybody(jnp.ones((N, 6)), alone))
    assert np.linalg.eigvals(slopes).real.max() < 0


@pytest.mark.parametrize("drug", DRUGS)
def test_a_drug_blocks_its_own_sites_by_half_at_its_half_maximal_concentration(drug):
    someone = person(drug)
    blocked = signal(someone, (someone.slots[0].half_maximal,), NOTHING, DAY)
    most = PARAMETERS.value(f"{drug}.maximum") if f"{drug}.maximum" in PARAMETERS else 1.0
    for site, share in zip(BLOCKED, blocked, strict=False):
        expected = 0.5 * most * PSORIASIS.treatments[drug].hooks.get(site, 0.0)
        np.testing.assert_allclose(share, expected, atol=1e-12)


def test_every_site_is_blocked_by_some_drug():
    assert {site for t in PSORIASIS.treatments.values() for site in t.hooks} == {*BLOCKED, "light", "topical"}


def test_blocking_tnf_acts_on_what_tnf_drives_alone():
    rates = changed(person(), tnf=0.3)
    np.testing.assert_allclose(rates.pop("N"), -0.3 * THETA["model.tnf_rate"], rtol=1e-12)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


def test_blocking_il23_acts_on_memory_and_active_cells():
    someone = person()
    rates, share = changed(someone, il23=0.3), 0.3 * (1 - someone.il23_free)
    memory = -THETA["model.memory_rate"] * (1 - THETA["model.memory_floor"]) * share
    np.testing.assert_allclose(rates.pop("M"), memory, rtol=1e-9)
    np.testing.assert_allclose(rates.pop("T"), -THETA["model.t17_rate"] * share, rtol=1e-9)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


@pytest.mark.parametrize("site", ["il17a", "il17f"])
def test_blocking_a_cytokine_acts_on_the_plaque_by_its_share(site):
    someone = person()
    rates = changed(someone, **{site: 0.3})
    share = someone.il17f_share if site == "il17f" else 1 - someone.il17f_share
    np.testing.assert_allclose(rates.pop("K"), -0.3 * someone.plaque_rate * share, rtol=1e-9)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


def test_blocking_active_cells_acts_on_their_output_alone():
    rates = changed(person(), t17=0.3)
    np.testing.assert_allclose(rates.pop("T"), -0.3 * THETA["model.t17_rate"], rtol=1e-12)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


def test_light_kills_each_kind_of_cell_at_its_rate():
    rates = changed(person(), light=0.2)
    for state, factor in {"D": 1.0, "M": THETA["light.memory"], "T": 1.0, "K": THETA["light.plaque"]}.items():
        np.testing.assert_allclose(rates.pop(state), -0.2 * factor, rtol=1e-9)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


def test_light_acts_in_proportion_to_the_dose_and_the_persons_sensitivity():
    someone = person(LIGHT)
    seen = signal(someone, (jnp.full(N, 1.5),), NOTHING, DAY)[len(BLOCKED)]
    np.testing.assert_allclose(seen, 1.5 * someone.light, rtol=1e-12)
    logs = np.log(someone.light / THETA["light.sensitivity"])
    assert np.std(logs) == pytest.approx(float(THETA["light.sensitivity:sd"]), rel=4.5 / np.sqrt(2 * N))


def test_a_topical_blocks_the_plaques_input_and_clears_it():
    someone = person()
    rates = changed(someone, topical=0.6)
    expected = -0.6 * (someone.plaque_rate * someone.topical_block + someone.topical_clearing)
    np.testing.assert_allclose(rates.pop("K"), expected, rtol=1e-9)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


def test_a_topical_as_rescue_is_that_topical_once_a_day_and_is_not_given_twice():
    drug, rescue = person(TOPICAL), person(DRUG)
    given = signal(drug, (jnp.ones(N),), NOTHING, DAY)
    np.testing.assert_array_equal(given, signal(rescue, (NOTHING,), jnp.ones(N), DAY))
    np.testing.assert_array_equal(given, signal(drug, (jnp.ones(N),), jnp.ones(N), DAY))
    np.testing.assert_allclose(given[len(BLOCKED) + 1], THETA["topical.use"], rtol=1e-12)


def test_topical_potency_varies_and_never_blocks_more_than_all():
    someone = person()
    assert 0 < float(someone.topical_block.min()) < float(someone.topical_block.max()) < 1
    potency = np.log1p(-someone.topical_block) / np.log1p(-THETA["topical.input_block"])
    np.testing.assert_allclose(someone.topical_clearing, THETA["topical.clearing"] * potency, rtol=1e-9)
    assert np.std(np.log(potency)) == pytest.approx(float(THETA["topical.input_block:sd"]), rel=4.5 / np.sqrt(2 * N))


def test_triggers_multiply_the_dendritic_drive():
    rates = changed(person(), drive=1.25)
    np.testing.assert_allclose(rates.pop("D"), 0.25 * THETA["model.drive_rate"], rtol=1e-9)
    np.testing.assert_allclose(np.stack(list(rates.values())), 0.0, atol=1e-15)


UNCOUPLED = THETA | {
    "model.feedback": jnp.asarray(0.0),
    "model.tnf_free_drive": jnp.asarray(1.0),
    "model.tnf_free_plaque": jnp.asarray(1.0),
}


def test_without_feedback_the_steady_state_is_a_product():
    """M = m + (1 - m) S, T = M S (1 - I), K = T (1 - (1 - f) I), N = (1 + K) / 2 with S what IL-23 is left."""
    someone = person(theta=UNCOUPLED)
    states = settled(someone, outside(il23=0.6, t17=0.2, il17a=0.5))
    S = someone.il23_free + (1 - someone.il23_free) * 0.4
    M = THETA["model.memory_floor"] + (1 - THETA["model.memory_floor"]) * S
    T = M * S * 0.8
    K = T * (1 - 0.5 * (1 - someone.il17f_share))
    slow = someone.plaque_rate > 0.02  # the others are not there after three years
    for name, expected in {"D": jnp.ones(N), "M": M, "T": T, "K": K, "L": K, "N": (1 + K) / 2}.items():
        np.testing.assert_allclose(states[name][slow], expected[slow], rtol=1e-6)


def test_the_plaques_input_is_bounded_above_alone():
    some = jnp.linspace(0, 1, 11)
    np.testing.assert_array_equal(bounded(some), some)
    above = bounded(jnp.array([1.0, 1.5, 2.0, 10.0, 1e9]))
    np.testing.assert_allclose(above, [1, 2 - 1 / 1.5, 1.5, 1.9, 2.0], rtol=1e-9)
    slope = jax.vmap(jax.grad(bounded))(jnp.array([1 - 1e-9, 1 + 1e-9]))
    np.testing.assert_allclose(slope, 1.0, rtol=1e-6)  # smooth where it begins to act


def test_lasting_triggers_worsen_the_plaque_without_end_to_it():
    states = settled(person(), outside(drive=3.0))
    assert 1 < float(states["K"].min()) <= float(states["K"].max()) < 2


def test_placebo_is_an_asymmetric_laplace_distribution():
    improving, size, worsening = (THETA[f"placebo.{name}"] for name in ("improving", "size", "worsening"))
    draws = jnp.asarray((np.arange(20_000) + 0.5) / 20_000)
    got = np.asarray(model.placebo(draws, THETA))
    assert (got > 0).mean() == pytest.approx(float(improving), abs=1e-4)
    for tail in (0.1, 0.5, 2.0):
        assert (got > tail).mean() == pytest.approx(float(improving * jnp.exp(-tail / size)), abs=1e-4)
        assert (got < -tail).mean() == pytest.approx(float((1 - improving) * jnp.exp(-tail / worsening)), abs=1e-4)
    middle = -worsening * jnp.log(2 * (1 - improving)) if improving < 0.5 else size * jnp.log(2 * improving)
    assert np.median(got) == pytest.approx(float(middle), abs=1e-4)
    assert got.mean() == pytest.approx(float(improving * size - (1 - improving) * worsening), abs=1e-3)
    assert (np.diff(got) > 0).all()
    assert np.isfinite(np.asarray(model.placebo(jnp.array([0.0]), THETA))).all()  # a draw may be exactly 0


@pytest.mark.parametrize("name", ["il23_free", "il17f_share"])
def test_shares_vary_on_the_logit_scale(name):
    typical, sd = THETA[f"model.{name}"], THETA[f"model.{name}:sd"]
    got = model.share(name, jnp.array([0.0, 1.0, -1.0, 50.0]), THETA)
    assert float(got[0]) == pytest.approx(float(typical))
    odds = np.asarray(got[:3] / (1 - got[:3]))
    np.testing.assert_allclose(np.log(odds[1:] / odds[0]), [sd, -sd], rtol=1e-9)
    assert float(got[3]) <= 1


def test_the_placebo_part_sets_in_at_its_rate():
    someone = person(DRUG)
    for day in (0.0, 28.0, 112.0):
        seen, felt = activity(someone, start(someone), jnp.asarray(day))
        part = 1 - np.exp(-float(THETA["placebo.rate"]) * day)
        np.testing.assert_allclose(seen, np.exp(-part * np.asarray(someone.placebo)), rtol=1e-12)
        np.testing.assert_array_equal(seen, felt)


def test_what_a_trial_adds_improves_everybody_alike():
    more = person(DRUG, theta=THETA | {"trial.effect": jnp.asarray(0.2)})
    day = jnp.asarray(112.0)
    (seen, _), (usual, _) = (activity(p, start(p), day) for p in (more, person(DRUG)))
    np.testing.assert_allclose(seen / usual, np.exp(0.2 * np.expm1(-float(THETA["placebo.rate"]) * 112)), rtol=1e-12)


def test_two_drugs_act_independently():
    both = person("adalimumab", "adalimumab")
    blocked = signal(both, (both.slots[0].half_maximal,) * 2, NOTHING, DAY)
    np.testing.assert_allclose(blocked[BLOCKED.index("tnf")], 0.75, atol=1e-12)


def test_no_drug_does_nothing():
    nobody = jax.jit(individual)(KEYS, TWINS, jnp.zeros((1, N), dtype="int64"), THETA)
    *blocked, drive = signal(nobody, (jnp.full(N, 100.0),), NOTHING, DAY)
    np.testing.assert_array_equal(np.stack(blocked), 0.0)
    np.testing.assert_array_equal(drive, 1.0)
    assert not np.asarray(hooks(jnp.array([0]))).any()


def test_a_person_is_the_same_whatever_else_is_given():
    alone, beside = person(DRUG), person("adalimumab", DRUG)
    for mine, other in zip(alone.slots[0][:-1], beside.slots[1][:-1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    np.testing.assert_allclose(alone.plaque_rate, beside.plaque_rate, rtol=1e-12)


def test_who_needs_much_of_one_drug_tends_to_need_much_of_another():
    common, *own = np.random.default_rng(1).normal(size=(3, 20_000))
    logs = [unknown(jnp.asarray(common), jnp.asarray(mine), THETA) for mine in own]
    shared = float(THETA["sensitivity.shared"])
    assert np.corrcoef(logs)[0, 1] == pytest.approx(shared, abs=4.5 * (1 - shared**2) / np.sqrt(20_000))
    assert np.std(logs[0]) == pytest.approx(float(THETA["sensitivity.potency:sd"]), rel=4.5 / np.sqrt(40_000))
    halves = np.log([slot.half_maximal for slot in person("adalimumab", "secukinumab").slots])
    assert np.corrcoef(halves)[0, 1] > shared - 4.5 * (1 - shared**2) / np.sqrt(N)  # covariates are shared, too


def test_heavier_people_clear_more_and_need_more():
    light, heavy = (TWINS | {"weight": jnp.full(N, w)} for w in (60.0, 120.0))
    drugs = jnp.full((1, N), number(DRUG))
    one, two = (jax.jit(individual)(KEYS, t, drugs, THETA).slots[0] for t in (light, heavy))
    np.testing.assert_allclose(two.half_maximal / one.half_maximal, 2 ** THETA["sensitivity.weight"], rtol=1e-12)
    np.testing.assert_allclose(two.clearance / one.clearance, 2 ** THETA[f"{DRUG}.clearance_weight"], rtol=1e-10)


def test_plaques_clear_under_treatment_and_come_back_after_it():
    states = treated(DRUG, {0: 100, 4: 100, 12: 100, 20: 100}, (0, 12, 24, 80))
    plaque = {week: np.median(state[4]) for week, state in states.items()}
    assert plaque[0] == 1
    assert plaque[12] < 0.25
    assert plaque[24] < 0.15
    assert plaque[80] > 0.6


def test_without_doses_nothing_moves():
    states = treated(DRUG, {}, (0, 12, 48))
    np.testing.assert_allclose(np.stack(states[48]), 1.0, atol=1e-12)


def test_baseline_skin_matches_the_severity_of_the_twin():
    someone = person(DRUG)
    smooth = _smooth_pasi(someone.lesions.extent, someone.lesions.severity)
    reached = np.asarray(TWINS["severity"]) < 64  # beyond, signs of 4 everywhere leave no room
    np.testing.assert_allclose(np.asarray(smooth)[reached], np.asarray(TWINS["severity"])[reached], rtol=1e-6)


CHECKED = (".highest_dose", ".erythema_ratio")  # read by the checks of a study
FITTED = {"trial.effect:sd", "trial.attrition", "trial.intraclass"}  # of predictions and of the fit


def test_every_number_of_the_tables_is_used_and_no_other():
    numbers = Recording(THETA)
    two, keys, day = {name: values[:2] for name, values in TWINS.items()}, KEYS[:2], jnp.asarray(7.0)
    someone = individual(keys, two, jnp.ones((1, 2), dtype="int64"), numbers)
    PSORIASIS.pharmacokinetics(someone, day, True)
    struck = PSORIASIS.disturb(keys, someone, day)
    drift(someone, start(someone), signal(someone, (jnp.zeros(2), *struck), jnp.zeros(2), day))
    PSORIASIS.observe(keys, someone, start(someone), day)
    PSORIASIS.adverse(someone, jnp.ones((1, 2), dtype=bool))
    told = {name for name in THETA if name.endswith(CHECKED)} | FITTED & set(THETA)
    idle = {name for name in set(THETA) - numbers.read if f"{name}:sd" not in numbers.read}  # some are spreads alone
    assert idle == told
    of_drugs = tuple(f"{head}." for head in (*NAMES, *KINDS))
    assert {name for name in numbers.read - set(THETA) if not name.startswith(of_drugs)} == set()  # these may lack some


def skin(extent, severity, n=1):
    wide = jnp.ones((4, n))
    reports = (Burden(level * wide[0], wide[0]) for level in (12.0, 6.0))
    return Lesions(extent * wide, severity * jnp.ones((4, 3, n)), wide, *reports)


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
    """50 % read PASI 0 at an activity of 0.016, which fits PASI 100 and PASI 75 rates of 110 arms."""
    someone = person("guselkumab")
    clear = [
        float((read(KEYS, someone.lesions, *(jnp.full(N, k),) * 2, THETA)["pasi"] == 0).mean()) for k in (0.008, 0.03)
    ]
    assert clear[0] > 0.5 > clear[1]


@pytest.mark.parametrize("percent", [50, 75, 90])
def test_every_pair_of_scores_is_judged_as_in_whole_numbers(percent):
    tenths = np.arange(0, 721, dtype=np.int64)
    now, base = np.meshgrid(tenths, tenths[120:])
    got = OUTCOMES[f"pasi{percent}"].derive({"pasi": now / 10}, {"pasi": base / 10})
    np.testing.assert_array_equal(got, 100 * now <= (100 - percent) * base)
