"""The model of acne: at rest, under effects of each kind, against a prototype in plain NumPy and scipy's LSODA."""

import importlib.util
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cutis.core.acne.disease import ACNE
from cutis.core.acne.effects import Effects
from cutis.core.acne.equilibrium import Counts, counts, rates
from cutis.core.acne.model import STATES, drift, signal, start
from cutis.core.engine.course import advance, at_rest, on_device
from cutis.core.engine.jacobian import pattern
from cutis.core.engine.mesh import graded

from .faces import (
    FACE,
    FIXED,
    NO_PLACEBO,
    THETA,
    VEHICLE,
    comedones,
    drawn,
    follow,
    inflammatory,
    twins,
    typical,
    under,
)

PROTOTYPE = Path(__file__).resolve().parents[2] / "shared/design/prototypes/acne/acne_prototype.py"
N = 400
LASTING = [name for name in STATES if name != "X"]  # scars only ever become more
ARMS = {  # of the prototype: what it calls an effect, and what the model does
    "vehicle": {},
    "adapalene": {"comedolysis": 0.108, "inflammation": 0.042},
    "retinoid": {"retinoid": 0.09, "comedolysis": 0.18, "inflammation": 0.07},
    "benzoyl_peroxide": {"bpo": 2.0, "keratolytic": 0.17},
    "combination": {"comedolysis": 0.108, "inflammation": 0.042, "bpo": 2.0, "keratolytic": 0.17},
    "clindamycin_bpo": {"bpo": 2.0, "keratolytic": 0.17, "antibiotic": 1.5, "selection": 1.0},
    "dapsone": {"inflammation": 0.06, "keratolytic": 0.05},
    "clascoterone": {"receptor": 0.47},
    "sarecycline": {"antibiotic": 1.25, "selection": 1.0, "inflammation": 0.16},
    "isotretinoin": {"isotretinoin": 0.9, "durable": 1 / 1.3},
    "low_isotretinoin": {"isotretinoin": 0.84, "durable": 0.5},
    "contraceptive": {"androgen": 0.3},
}
CALLED = {
    "comedolysis": "cret",
    "inflammation": "Eai",
    "retinoid": "Eret",
    "bpo": "Ebpo",
    "keratolytic": "kbpo",
    "antibiotic": "Eabx",
    "receptor": "arK",
    "isotretinoin": "Eiso",
    "androgen": "coc",
}
DOSE = {"isotretinoin": 1.0, "low_isotretinoin": 0.3}  # mg/kg a day
NO_VEHICLE = (*DOSE, "contraceptive")  # the first without any placebo, the last with that of a tablet
TABLET = 0.68
WEEKS = (2, 4, 8, 12, 20, 52)


@pytest.fixture(scope="module")
def arms():
    """States of the typical face in each arm, on treatment for 20 weeks, {week: {name: (arms,)}}."""
    placebo = [NO_PLACEBO if name in DOSE else VEHICLE for name in ARMS]
    used = [{"tablet": 1.0} if name == "contraceptive" else {"vehicle": 1.0} for name in ARMS]
    on = under([effects | use for effects, use in zip(ARMS.values(), used, strict=True)])
    off = under(used)
    states = follow(typical(len(ARMS), placebo), {0: on, 140: off}, [0, *(7 * week for week in WEEKS)])
    return {day // 7: state for day, state in states.items()}


def left(arms, what, week, name, over="vehicle"):
    """Lesions left in an arm over those in another."""
    values, names = what(arms[week]), list(ARMS)
    return values[names.index(name)] / values[names.index(over)]


def quiet(person, n):
    """Nothing from outside, the menstrual cycle at its mean."""
    return tuple(Effects(*signal(person, (), jnp.zeros(n), jnp.asarray(3.0)))._replace(cycle=jnp.ones(n)))


def test_every_untreated_face_is_at_rest():
    person = drawn(N)
    state = start(person)
    for name, value, change in zip(STATES, state, drift(person, state, quiet(person, N)), strict=True):
        if name != "X":
            np.testing.assert_allclose(change, 0.0, atol=1e-14 * (1 + float(jnp.abs(value).max())), err_msg=name)
    assert (np.asarray(drift(person, state, quiet(person, N))[STATES.index("X")]) > 0).all()


@pytest.mark.parametrize("inflammatory_lesions", [10.0, 30.0, 100.0])
@pytest.mark.parametrize("comedones_there", [10.0, 45.0, 150.0])
@pytest.mark.parametrize("nodules", [0.0, 3.0, 40.0])
def test_no_face_has_negative_lesions_or_rates(inflammatory_lesions, comedones_there, nodules):
    at = counts(*(jnp.full(1, value) for value in (inflammatory_lesions, comedones_there, nodules)), THETA)
    assert all(float(value[0]) > 0 for value in (*at, *rates(at, THETA)))
    assert float(at.Pa[0] + at.Pu[0] + at.D[0]) == pytest.approx(inflammatory_lesions)
    assert float(at.Cc[0] + at.Co[0]) == pytest.approx(comedones_there)


def test_the_counts_are_the_twins_own():
    some, person = twins(N), drawn(N)
    np.testing.assert_allclose(person.rest.Pa + person.rest.Pu + person.rest.D, some["inflammatory"], rtol=1e-12)
    np.testing.assert_allclose(person.rest.Cc + person.rest.Co, some["noninflammatory"], rtol=1e-12)
    assert float(person.rest.D.mean()) == pytest.approx(float(some["nodules"].mean()), rel=0.15)
    with_none, with_some = (float(person.rest.D[some["nodules"] == n].mean()) for n in (0, 2))
    assert 0 < with_none < with_some < 2  # a day's number is in part chance


def test_the_typical_face_is_that_of_the_prototype():
    at = counts(jnp.full(1, 29.6), jnp.full(1, 45.0), jnp.full(1, 0.0), THETA)
    for name in ("M", "Cc", "Co", "E"):
        assert float(getattr(at, name)[0]) == pytest.approx(getattr(FACE, name), rel=0.02)
    published = {"FM": 5.36, "kMC": 0.0091, "kMP": 0.0066, "kM0": 0.0200, "kCP": 0.0238, "kCO": 0.0111}
    published |= {"kC0": 0.0105, "kOP": 0.0083, "kO0": 0.0139, "kPU": 0.0635, "kPD": 0.00095, "kP0": 0.0356}
    published |= {"kU0": 0.167, "kD0": 0.0333, "kEP": 0.0137, "kE0": 0.0149, "pE": 0.272}
    made = rates(Counts(*(jnp.full(1, value) for value in FACE)), FIXED)
    for name, value in published.items():
        assert float(getattr(made, name)[0]) == pytest.approx(value, rel=0.01), name


def test_the_jacobian_is_sparse():
    person = drawn(2)
    entries = pattern(lambda *y: drift(person, y, quiet(person, 2)), start(person))
    assert len(entries) < 4 * len(STATES)


def prototype():
    if not PROTOTYPE.is_file():
        pytest.skip("the prototype is not here")
    spec = importlib.util.spec_from_file_location("acne_prototype", PROTOTYPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_courses_are_those_of_the_prototype(arms):
    """The prototype follows them with exponential Euler steps of a quarter of a day."""
    module = prototype()
    fitted = {"wB": 0.235, "wS": 0.15, "wKI": 0.9, "eta": 0.25}
    for number, (name, effects) in enumerate(ARMS.items()):
        drug = {CALLED[site]: value for site, value in effects.items() if site in CALLED}
        share = 0.0 if name in DOSE else TABLET if name == "contraceptive" else 1.0
        expected = dict(
            module.simulate(
                drug | {"iso_mgkg": DOSE.get(name, 0.0)},
                par=module.PAR | fitted,
                weeks=52,
                obs=WEEKS,
                toff=140.0,
                **{"vM": 0.0, "vI": 0.343 * share, "vC": 0.917 * share},
                dt=0.05,
            )
        )
        for week in WEEKS:
            for what, key in ((inflammatory, "IL"), (comedones, "NIL")):
                got = what(arms[week])[number]
                assert got == pytest.approx(expected[week][key][0], rel=0.01, abs=0.02), (name, week, key)


PUBLISHED = {  # share of lesions left over that on the vehicle at week 12, by the fit of the prototype
    "benzoyl_peroxide": (0.67, 0.71),
    "adapalene": (0.88, 0.86),
    "combination": (0.60, 0.61),
    "clascoterone": (0.82, 0.85),
    "sarecycline": (0.75, 0.97),
    "dapsone": (0.88, 0.91),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shares_of_lesions_left_are_those_of_the_first_fit(arms, name):
    for what, expected in zip((inflammatory, comedones), PUBLISHED[name], strict=True):
        assert left(arms, what, 12, name) == pytest.approx(expected, abs=0.02)


def test_retinoids_act_more_on_comedones_and_antibiotics_more_on_inflammation(arms):
    assert left(arms, comedones, 12, "retinoid") < left(arms, inflammatory, 12, "retinoid")
    assert left(arms, inflammatory, 12, "sarecycline") < left(arms, comedones, 12, "sarecycline")


def test_a_vehicle_and_a_tablet_act_by_themselves_and_the_tablet_less():
    states = follow(typical(2), {0: under([{"vehicle": 1.0}, {"tablet": 1.0}])}, [0, 84])
    falls = [100 * (1 - what(states[84]) / what(states[0])) for what in (inflammatory, comedones)]
    np.testing.assert_allclose(falls[0], [44.7, 33], atol=1.5)
    np.testing.assert_allclose(falls[1][0], 33.5, atol=1.5)
    assert falls[1][1] < falls[1][0]


def test_a_tablet_can_do_less_to_comedones_than_to_inflammation():
    """Less of it on comedones leaves more of both: lesions come from comedones."""
    alike, less = typical(1), typical(1)
    less = less._replace(theta=less.theta | {"placebo.tablet_comedones": jnp.asarray(0.4)})
    after = [follow(person, {0: under([{"tablet": 1.0}])}, [0, 84])[84] for person in (alike, less)]
    on_vehicle = [follow(person, {0: under([{"vehicle": 1.0}])}, [0, 84])[84] for person in (alike, less)]
    assert comedones(after[1])[0] > 1.1 * comedones(after[0])[0]
    assert 1 < inflammatory(after[1])[0] / inflammatory(after[0])[0] < comedones(after[1])[0] / comedones(after[0])[0]
    np.testing.assert_array_equal(comedones(on_vehicle[0]), comedones(on_vehicle[1]))


def test_a_session_acts_by_itself_and_its_effect_wears_off():
    person = typical(1)
    states = follow(person, {0: under([{"session": 1.0}]), 7: under([{}])}, [0, 7, 97, 364])
    assert 0.9 < states[7]["N"][0] < 1
    assert states[97]["N"][0] == pytest.approx(states[7]["N"][0] / math.e, rel=1e-3)
    assert inflammatory(states[97])[0] < 0.95 * inflammatory(states[0])[0]
    assert inflammatory(states[364])[0] > 0.97 * inflammatory(states[0])[0]


def test_what_light_destroys_comes_back_over_years():
    """Glands that are gone work no more and no drug shrinks them; isotretinoin leaves their number alone."""
    arms_ = under([{"gland": math.log(2)}, {"durable": 1.0}])
    states = follow(typical(2, NO_PLACEBO), {0: arms_, 1: under([{}, {}])}, [0, 1, 365])
    assert states[1]["Z"][0] == pytest.approx(0.5, abs=1e-3)
    regrown = 1 - 0.5 * math.exp(-float(THETA["model.gland_regrowth"]) * 364)
    assert states[365]["Z"][0] == pytest.approx(regrown, abs=1e-3)
    assert states[365]["P"][0] == pytest.approx(1)
    assert states[365]["Z"][1] == pytest.approx(1)
    assert states[1]["P"][1] < 1


def test_several_vehicles_act_as_one():
    states = follow(typical(2), {0: under([{"vehicle": 1.0}, {"vehicle": 1.0, "tablet": 1.0}])}, [0, 84])
    for state in states.values():
        for name in LASTING:
            if name != "O":
                np.testing.assert_allclose(state[name][0], state[name][1], rtol=1e-9)


def test_isotretinoin_clears_and_the_effect_outlasts_it(arms):
    strong = list(ARMS).index("isotretinoin")
    assert arms[20]["G"][strong] < 0.1
    assert inflammatory(arms[20])[strong] < 0.05 * inflammatory(arms[0])[strong]
    assert 0.1 < inflammatory(arms[52])[strong] / inflammatory(arms[0])[strong] < 0.5
    assert left(arms, inflammatory, 52, "isotretinoin", "low_isotretinoin") < 1  # more lasts longer
    assert np.isclose(arms[0]["P"], 1).all()
    assert arms[52]["P"][strong] < 0.8


def test_antibiotics_alone_select_resistance_and_benzoyl_peroxide_prevents_it(arms):
    alone, both = (arms[20]["q"][list(ARMS).index(name)] for name in ("sarecycline", "clindamycin_bpo"))
    assert alone > -2.9 + 1.5
    assert both == pytest.approx(-2.9, abs=1e-9)


def test_a_third_to_half_less_sebum_means_about_half_the_lesions():
    """Whatever lowers it: here fewer androgen receptors, and a loss of half of the glands."""
    person = typical(2, NO_PLACEBO)
    states = follow(
        person, {0: under([{"receptor": 2.0}, {"gland": math.log(2)}]), 1: under([{"receptor": 2.0}, {}])}, [0, 112]
    )
    sebum = 1 - states[112]["G"]
    total = {day: inflammatory(state) + comedones(state) for day, state in states.items()}
    fewer = 1 - total[112] / total[0]
    assert (sebum > 0.3).all()
    assert (sebum < 0.55).all()
    assert (fewer > 0.4).all()
    assert (fewer < 0.7).all()


def test_the_menstrual_swing_makes_a_quarter_more_inflammatory_lesions():
    days = list(range(140, 196))
    states = follow(typical(2, amplitude=0.6), {0: under([{}, {}])}, days)
    course = np.array([inflammatory(states[day])[0] for day in days])
    assert course.max() / course.min() == pytest.approx(1.25, abs=0.03)
    assert course.mean() == pytest.approx(29.6, rel=0.03)  # of a woman who is at the mean of her cycle at the start


def test_contraceptives_take_most_of_the_swing():
    women = {"male": np.zeros(40, dtype=bool), "age": np.full(40, 25.0)}
    person, factor = drawn(40, "combined_contraceptive", **women), Effects._fields.index("cycle")
    at = jax.jit(lambda level, day: signal(person, (level,), jnp.zeros(40), day)[factor])
    flaring = np.asarray(person.cycle.amplitude) > 0
    for level, most in ((0.0, 1.0), (1.0, 0.35)):  # exposure relative to the usual one
        swing = np.array([at(jnp.full(40, level), jnp.asarray(28.0 + day)) for day in range(28)]) - 1
        assert (np.abs(swing).max(0)[flaring] <= most * 0.6 + 1e-9).all()
        assert (swing[:, ~flaring] == 0).all()
    assert 0.4 < flaring.mean() < 0.9


def test_men_and_girls_before_puberty_have_no_cycle():
    some = twins(N)
    person = drawn(N)
    assert not np.asarray(person.cycle.amplitude)[np.asarray(some["male"])].any()
    young = drawn(N, age=np.full(N, 11.0))
    assert not np.asarray(young.cycle.amplitude).any()


def test_sebum_follows_age_and_sex():
    def median(age, male):
        return float(jnp.median(drawn(N, age=np.full(N, age), male=np.full(N, male)).sebum))

    assert median(12.0, True) < median(15.0, True) < median(20.0, True)
    assert median(20.0, True) > median(20.0, False) > median(45.0, False)
    assert median(45.0, True) / median(20.0, True) > median(45.0, False) / median(20.0, False)


def test_low_dose_doxycycline_acts_on_inflammation_and_selects_nothing():
    person = drawn(N, "doxycycline")
    kinetics = ACNE.pharmacokinetics(person, jnp.asarray(0.0), False)[0]

    @jax.jit
    def at(dose):
        average = dose * kinetics.bioavailability / (kinetics.elimination * kinetics.volume)
        return Effects(*signal(person, (average,), jnp.zeros(N), jnp.asarray(0.0)))

    low, full = at(40.0), at(100.0)
    assert float(jnp.median(low.inflammation)) > 0.6 * float(jnp.median(full.inflammation))
    for site in ("selection", "antibiotic"):
        assert float(jnp.median(getattr(low, site))) < 0.15 * float(jnp.median(getattr(full, site)))


DOSED = ("adapalene", "benzoyl_peroxide", "doxycycline")


def test_a_treated_face_agrees_with_scipy():
    """Kinetics as differential equations and LSODA, against the closed form and the kernel; breaks at 0, 28, 84."""
    n, who, given = 3, 1, (1.0, 1.0, 100.0)
    person = drawn(n, *DOSED)
    mesh = graded([0], [], [0, 28, 84], 0.5)
    grid, none = on_device(mesh.times, mesh.begins), jnp.zeros(n)
    kinetics = ACNE.pharmacokinetics(person, jnp.asarray(0.0), False)

    @jax.jit
    def onward(body, b):
        return advance(
            lambda y, u: drift(person, y, u),
            lambda c, day: signal(person, c, none, day),
            kinetics,
            body,
            (none,) * 3,
            tuple(none + rate for rate in given),
            grid,
            b,
        )

    body = at_rest(start(person), 3)
    for b in range(len(mesh.breaks) - 1):
        body = onward(body, jnp.asarray(b))

    @jax.jit
    def right(t, y):
        state, change = tuple(y[: len(STATES)]), []
        concentrations = []
        for s in range(3):
            centre, rest = y[len(STATES) + 2 * s], y[len(STATES) + 2 * s + 1]
            k = kinetics[s]
            concentrations.append(centre / k.volume)
            change.append(k.bioavailability * given[s] - (k.elimination + k.out) * centre + k.back * rest)
            change.append(k.out * centre - k.back * rest)
        return jnp.stack([*drift(person, state, signal(person, tuple(concentrations), none, t)), *change])

    whole = np.concatenate([np.stack(start(person)), np.zeros((6, n))])

    def one(t, y):
        whole[:, who] = y
        return np.asarray(right(jnp.asarray(t), jnp.asarray(whole)))[:, who]

    expected = solve_ivp(one, (0, 84), whole[:, who].copy(), method="LSODA", rtol=1e-9, atol=1e-10).y[:, -1]
    got = np.stack(body.state)[:, who]
    np.testing.assert_allclose(got, expected[: len(STATES)], rtol=2e-4, atol=2e-4)


def test_states_stay_positive_under_everything_at_once():
    everything = {"androgen": 0.9, "receptor": 5, "isotretinoin": 0.95, "durable": 1, "bpo": 3, "antibiotic": 2}
    everything |= {"inflammation": 0.8, "retinoid": 0.5, "keratolytic": 0.5, "comedolysis": 0.5, "irritation": 2}
    states = follow(typical(2), {0: under([everything, everything | {"gland": 0.3}])}, [0, 7, 84, 364], scale=2.0)
    for state in states.values():
        for name in LASTING:
            if name not in ("L", "q"):
                assert (state[name] >= 0).all(), name
        assert (state["T"] <= 1).all()


def test_irritation_comes_early_and_tolerance_follows(arms):
    states = follow(typical(2), {0: under([{"irritation": 0.1}, {}])}, [0, 7, 14, 84])
    course = [states[day]["B"][0] for day in (0, 7, 14, 84)]
    assert course[0] == 0
    assert course[2] > course[3] > 0
    assert states[84]["B"][1] == 0


def test_less_is_taken_by_those_whose_skin_is_irritated():
    person = drawn(3)
    state = list(start(person))
    state[STATES.index("B")] = jnp.array([0.0, 1.0, 3.0])
    share = np.asarray(ACNE.willing(person, tuple(state)))
    assert share[0] == 1
    assert share[1] > share[2] == pytest.approx(0.5)


def test_marks_are_more_in_darker_skin():
    left_behind = [float(start(drawn(N, fitzpatrick=np.full(N, t)))[STATES.index("H2")].mean()) for t in (1, 3, 6)]
    assert left_behind[0] < left_behind[1] < left_behind[2]


def test_light_of_any_strength_is_followed():
    """A person who is far more sensitive than others loses the glands, not the solver its footing."""
    states = follow(
        typical(2, NO_PLACEBO), {0: under([{"gland": 500.0}, {"gland": 2.0}]), 1: under([{}, {}])}, [0, 1, 28]
    )
    for state in states.values():
        assert all(np.isfinite(value).all() for value in state.values())
    assert states[1]["Z"][0] == pytest.approx(states[1]["Z"][1]) == pytest.approx(math.exp(-2), rel=1e-3)
