"""What a trial of acne measures: grades, outcomes and their gaps, quality of life, tolerability, laboratory, harms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import expit

from cutis.core.acne import reading
from cutis.core.acne.disease import ACNE, observe
from cutis.core.acne.endpoints import DETAILS, ENDPOINTS, OUTCOMES
from cutis.core.acne.equilibrium import Counts
from cutis.core.acne.model import STATES, start
from cutis.core.acne.safety import KINDS, OF_WOMEN, hazards
from cutis.core.acne.treatments import number
from cutis.core.keys import people, root
from cutis.population.acne import PARAMETERS as POPULATION

from .faces import THETA, drawn, twins

N = 4000
SOME, PERSON = twins(N), drawn(N)
BASELINE = start(PERSON)


@jax.jit
def visit(state, day, number):
    keys = jax.vmap(lambda key: jax.random.fold_in(key, number))(people(root(12), jnp.arange(N)))
    return observe(keys, PERSON, state, day, True)


def read(day=0, **changes):
    """Readings of everybody with some states changed, lesions by a common `factor`."""
    state = dict(zip(STATES, BASELINE, strict=True))
    factor = changes.pop("factor", 1.0)
    state |= {kind: state[kind] * factor for kind in ("M", "Cc", "Co", "Pa", "Pu", "D", "E")}
    state |= {name: jnp.full(N, value) for name, value in changes.items()}
    return jax.tree.map(np.asarray, visit(tuple(state.values()), jnp.asarray(float(day)), jnp.asarray(day)))


def columns(**values):
    return {name: np.array([float(value)]) for name, value in values.items()}


def test_everything_declared_is_read_on_its_scale_and_details_where_asked_for():
    for factor in (0.0, 0.3, 1.0, 2.0):
        got = read(28, factor=factor, B=1.0, W=0.9, X=2.0)
        assert set(got) == set(ENDPOINTS) | set(DETAILS)
        for name, endpoint in (ENDPOINTS | DETAILS).items():
            assert np.isfinite(got[name]).all(), name
            assert endpoint.low <= got[name].min(), name
            assert got[name].max() <= endpoint.high, name
    plain = jax.jit(lambda k: observe(k, PERSON, BASELINE, jnp.asarray(0.0)))(people(root(12), jnp.arange(N)))
    assert set(plain) == set(ENDPOINTS)


def test_counts_add_up():
    got = read(28)
    np.testing.assert_array_equal(got["total"], got["inflammatory"] + got["noninflammatory"])
    np.testing.assert_array_equal(got["inflammatory"], got["papules"] + got["pustules"] + got["nodules"])
    np.testing.assert_array_equal(got["noninflammatory"], got["closed"] + got["open"])


def test_the_grade_at_baseline_is_that_of_the_twin_whoever_rates():
    np.testing.assert_array_equal(read(0)["iga"], np.asarray(SOME["iga"]))
    again = jax.jit(lambda k: observe(k, PERSON, BASELINE, jnp.asarray(0.0)))(people(root(99), jnp.arange(N)))
    np.testing.assert_array_equal(np.asarray(again["iga"]), np.asarray(SOME["iga"]))


def test_untreated_grades_later_are_those_of_the_population():
    later = read(84)["iga"]
    for grade in (2, 3, 4):
        share = float((SOME["iga"] == grade).mean())
        assert (later == grade).mean() == pytest.approx(share, abs=0.07)
    assert (later <= 1).mean() < 0.05


def test_success_falls_with_lesions_left_as_the_cuts_say():
    for factor in (0.6, 0.4, 0.2, 0.05):
        got = read(84, factor=factor)
        left = Counts(*(factor * kind for kind in PERSON.rest))
        severe = reading.severity(left, jnp.ones(N), THETA)
        severe = severe + PERSON.report.anchor
        expected = float(expit((reading.cuts(THETA)[1] - severe) / THETA["iga.scale"]).mean())
        assert (got["iga"] <= 1).mean() == pytest.approx(expected, abs=0.06)


def test_cuts_and_weights_are_those_of_the_population():
    pairs = {"comedones": "comedones", "nodule": "nodule", "moderate": "cut_3", "severe": "cut_4"}
    for ours, theirs in pairs.items():
        assert float(THETA[f"iga.{ours}"]) == POPULATION.value(f"iga.{theirs}")
    assert float(THETA["lesions.nodules"]) == POPULATION.value("nodules.share")


def test_a_lenient_rater_changes_later_grades_but_not_that_at_baseline():
    keys, theta = people(root(12), jnp.arange(N)), THETA | {"trial.rater": jnp.asarray(-0.5)}
    person = drawn(N, theta=theta)
    now, later = (jax.jit(lambda d: observe(keys, person, BASELINE, d))(jnp.asarray(day)) for day in (0.0, 84.0))
    np.testing.assert_array_equal(np.asarray(now["iga"]), np.asarray(SOME["iga"]))
    assert float(later["iga"].mean()) != float(read(84)["iga"].mean())


@pytest.mark.parametrize(
    ("name", "now", "before", "expected"),
    [
        ("iga_success", {"iga": 1}, {"iga": 3}, 1.0),
        ("iga_success", {"iga": 0}, {"iga": 2}, 1.0),
        ("iga_success", {"iga": 1}, {"iga": 2}, 0.0),
        ("iga_success", {"iga": 2}, {"iga": 4}, 0.0),
        ("iga_moderate", {"iga": 3}, {"iga": 4}, 1.0),
        ("iga_moderate", {"iga": 2}, {"iga": 4}, 0.0),
        ("inflammatory_half", {"inflammatory": 15}, {"inflammatory": 30}, 1.0),
        ("inflammatory_half", {"inflammatory": 16}, {"inflammatory": 31}, 0.0),
        ("inflammatory_back", {"inflammatory": 24}, {"inflammatory": 32}, 1.0),
        ("inflammatory_back", {"inflammatory": 23}, {"inflammatory": 32}, 0.0),
        ("inflammatory_percent", {"inflammatory": 12}, {"inflammatory": 30}, -60.0),
        ("inflammatory_percent", {"inflammatory": 12}, {"inflammatory": 0}, np.nan),
        ("noninflammatory_percent", {"noninflammatory": 60}, {"noninflammatory": 40}, 50.0),
        ("total_percent", {"total": 50}, {"total": 100}, -50.0),
        ("inflammatory_change", {"inflammatory": 12}, {"inflammatory": 30}, -18.0),
        ("noninflammatory_change", {"noninflammatory": 12}, {"noninflammatory": 30}, -18.0),
        ("nodules_change", {"nodules": 1}, {"nodules": 6}, -5.0),
        ("qol_change", {"acne_qol": 20}, {"acne_qol": 13}, 7.0),
        ("dlqi_change", {"dlqi": 4}, {"dlqi": 9}, -5.0),
    ],
)
def test_outcomes_by_hand(name, now, before, expected):
    assert OUTCOMES[name].derive(columns(**now), columns(**before))[0] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("gap", ["now", "baseline"])
def test_a_missing_value_has_no_outcome(name, gap):
    there = columns(**dict.fromkeys(ENDPOINTS, 3))
    missing = columns(**dict.fromkeys(ENDPOINTS, np.nan))
    now, before = (missing, there) if gap == "now" else (there, missing)
    assert np.isnan(OUTCOMES[name].derive(now, before)[0])


def test_outcomes_can_be_derived_from_jax_arrays():
    for outcome in OUTCOMES.values():
        values = {name: jnp.full(2, 3.0) for name in ENDPOINTS}
        assert np.isfinite(np.asarray(outcome.derive(values, values))).all()


def test_quality_of_life_follows_severity_and_spots():
    """Points lost for each unit of severity, with the spread between people that a trial of women had (SD 4.9)."""
    before, after = read(0), read(84, factor=0.3)
    rest = reading.severity(PERSON.rest, jnp.ones(N), THETA)
    left = reading.severity(Counts(*(0.3 * kind for kind in PERSON.rest)), jnp.ones(N), THETA)
    lost = float(THETA["quality.severity"]) * float((rest - left).mean())
    gained = float((after["acne_qol"] - before["acne_qol"]).mean())
    assert lost < gained < lost + 1.5  # fewer macules count too
    near = np.abs(np.asarray(rest) - np.median(rest)) < 0.2
    assert before["acne_qol"][near].std() == pytest.approx(4.9, abs=0.7)


def test_dlqi_follows_what_is_left():
    """Means of 4.4 and 6.3 where inflammatory lesions had fallen by 74 and 53 %."""
    low, high = (read(84, factor=factor)["dlqi"].mean() for factor in (0.26, 0.47))
    assert low == pytest.approx(4.4, abs=1.0)
    assert high == pytest.approx(6.3, abs=1.0)


def test_skin_that_is_not_irritated_tolerates_and_irritated_skin_does_not():
    for sign in reading.SIGNS:
        calm, sore, worse = (read(28, B=level)[sign] for level in (0.0, 1.0, 2.0))
        assert not calm.any()
        assert 0 < sore.mean() < worse.mean() <= 3


def test_isotretinoin_shows_on_lips_and_in_the_laboratory():
    before, under, after = (read(day, W=level) for day, level in ((0, 0.0), (84, 0.9), (168, 0.0)))
    assert not before["cheilitis"].any()
    assert under["cheilitis"].mean() == pytest.approx(0.9 * float(THETA["laboratory.cheilitis"]), abs=0.03)
    assert not after["cheilitis"].any()
    for name in ("triglycerides", "alt"):
        assert under[name].mean() > before[name].mean()
        assert after[name].mean() == pytest.approx(before[name].mean(), rel=0.03)


@pytest.mark.parametrize(("name", "limit", "published"), [("triglycerides", 150, 0.44), ("alt", 45, 0.11)])
def test_new_laboratory_abnormalities_are_as_frequent_as_reported(name, limit, published):
    """In people with normal values before, looked at every four weeks for twenty."""
    normal = read(0)[name] <= limit
    seen = np.stack([read(day, W=0.88)[name] for day in range(28, 141, 28)])
    assert (seen[:, normal] > limit).any(0).mean() == pytest.approx(published, abs=0.06)


def test_harms_come_at_the_rates_named():
    drugs = [jnp.full(N, number(name)) for name in ("spironolactone", "isotretinoin_lidose_fasted")]
    women = ~SOME["male"]
    on = hazards(drugs, jnp.array([[True] * N, [False] * N]), women, THETA)
    off = hazards(drugs, jnp.zeros((2, N), dtype=bool), women, THETA)
    assert set(on) == set(KINDS) == set(ACNE.harms)
    weeks = 24 * 7
    for rates, share in ((on, 0.20), (off, 0.12)):
        assert -np.expm1(-float(rates["headache"][0]) * weeks) == pytest.approx(share, abs=0.002)
    for kind in OF_WOMEN:
        assert not np.asarray(on[kind])[np.asarray(SOME["male"])].any()
        assert np.asarray(on[kind])[np.asarray(women)].min() > np.asarray(off[kind]).max() > 0
    other = hazards(drugs, jnp.array([[False] * N, [True] * N]), women, THETA)
    assert float(other["photosensitivity"][0]) > float(off["photosensitivity"][0])  # whatever it is taken with
    for kind in set(KINDS) - {"headache", *OF_WOMEN}:
        np.testing.assert_array_equal(on[kind], off[kind])


def test_every_named_harm_belongs_to_a_treatment():
    for name in ACNE.parameters.within("harms"):
        kind, what = name.split(".")
        assert kind in KINDS
        assert what == "background" or what in ACNE.treatments
