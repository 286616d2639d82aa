"""What a trial measures: PASI and its components, outcomes and their gaps, readings against plaque activity."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.calibration.psoriasis.readings import GRID, RESPONSES, response_curves
from cutis.core.keys import people, root
from cutis.core.psoriasis.endpoints import DETAILS, ENDPOINTS, OUTCOMES
from cutis.core.psoriasis.skin import REGIONS, SIGNS, lesions, read
from cutis.core.psoriasis.treatments import PARAMETERS

N = 800
THETA = jax.tree.map(jnp.asarray, PARAMETERS.numbers())
KEYS = people(root(3), jnp.arange(N))
SEVERITY = 12 + 8 * jnp.asarray(np.random.default_rng(4).exponential(size=N))
SKIN = jax.jit(lesions)(KEYS, {"severity": SEVERITY}, THETA)
WEIGHTS = dict(zip(REGIONS, (0.1, 0.2, 0.3, 0.4), strict=True))


@jax.jit
def visit(activity):
    level = jnp.full(N, activity)
    return read(KEYS, SKIN, level, level, THETA, details=True)


@pytest.fixture(scope="module")
def visits():
    """Readings of the same people at falling activity."""
    return [jax.tree.map(np.asarray, visit(float(k))) for k in (1.0, 0.5, 0.25, 0.1, 0.03, 0.001)]


@pytest.fixture(scope="module")
def curves():
    return response_curves(PARAMETERS.numbers(), seed=2, people=2000)


def test_pasi_follows_exactly_from_its_sixteen_components(visits):
    for got in visits:
        by_hand = sum(
            weight * sum(got[f"pasi_{region}_{sign}"] for sign in SIGNS) * got[f"pasi_{region}_area"]
            for region, weight in WEIGHTS.items()
        )
        np.testing.assert_array_equal(np.round(10 * by_hand), np.round(10 * got["pasi"]))
        np.testing.assert_allclose(got["pasi"], by_hand, rtol=1e-14)


def test_components_are_whole_on_their_scales_and_told_as_details(visits):
    assert len(DETAILS) == 16
    assert all(e.detail for e in DETAILS.values())
    assert not any(e.detail for e in ENDPOINTS.values())
    for got in visits:
        assert set(got) == set(ENDPOINTS) | set(DETAILS)
        for name, endpoint in (ENDPOINTS | DETAILS).items():
            assert endpoint.low <= got[name].min()
            assert got[name].max() <= endpoint.high
        for name in DETAILS:
            np.testing.assert_array_equal(got[name], np.round(got[name]))


def test_a_region_without_extent_has_no_signs_and_one_without_signs_no_extent(visits):
    for got in visits:
        for region in REGIONS:
            signs = sum(got[f"pasi_{region}_{sign}"] for sign in SIGNS)
            np.testing.assert_array_equal(signs == 0, got[f"pasi_{region}_area"] == 0)


def test_details_are_left_out_unless_asked_for():
    level = jnp.full(N, 0.3)
    plain = read(KEYS, SKIN, level, level, THETA)
    assert set(plain) == set(ENDPOINTS)
    for name, values in plain.items():
        np.testing.assert_array_equal(values, visit(0.3)[name])


def test_less_activity_never_reads_worse_on_average_and_ends_clear(visits):
    for name in ENDPOINTS:
        means = [got[name].mean() for got in visits]
        assert all(np.diff(means) < 0), name
        assert means[-1] < 0.1 * means[0]


def test_pasi_follows_activity_person_by_person():
    """With the same rater's error, less activity never gives a higher PASI."""
    scores = np.stack([visit(float(k))["pasi"] for k in np.linspace(1, 0.01, 12)])
    assert (np.diff(scores, axis=0) <= 1e-9).all()


def test_what_patients_report_follows_pasi_more_closely_under_treatment_than_before():
    mixed = jnp.asarray(np.random.default_rng(6).lognormal(-0.7, 1.0, N))
    treated = jax.jit(lambda k: read(KEYS, SKIN, k, k, THETA))(mixed)
    before, after = (np.corrcoef(v["pasi"], v["dlqi"])[0, 1] for v in (visit(1.0), treated))
    assert 0.05 < before < 0.4 < after


def test_dlqi_of_people_with_clear_skin_is_not_always_zero(visits):
    """About 80 % with PASI 100 report 0 or 1, the others are bothered still."""
    free = (visits[-2]["dlqi"] <= 1).mean()
    assert 0.6 < free < 0.95


def columns(**values):
    return {name: np.array([float(value)]) for name, value in values.items()}


@pytest.mark.parametrize(
    ("name", "now", "before", "expected"),
    [
        ("pasi_at_most_1", {"pasi": 1.0}, {"pasi": 20}, 1.0),
        ("pasi_at_most_1", {"pasi": 1.1}, {"pasi": 20}, 0.0),
        ("pasi_at_most_2", {"pasi": 2.0}, {"pasi": 20}, 1.0),
        ("pasi_at_most_3", {"pasi": 3.1}, {"pasi": 20}, 0.0),
        ("pasi_at_most_5", {"pasi": 5.0}, {"pasi": 5.0}, 1.0),  # improvement is not asked for
        ("pasi50", {"pasi": 10.0}, {"pasi": 20.0}, 1.0),
        ("pasi75", {"pasi": 3.2}, {"pasi": 12.4}, 0.0),
        ("iga01", {"iga": 1}, {"iga": 3}, 1.0),
        ("iga01", {"iga": 1}, {"iga": 2}, 0.0),
        ("bsa_at_most_1", {"bsa": 1.0}, {"bsa": 30}, 1.0),
        ("bsa_at_most_1", {"bsa": 1.1}, {"bsa": 30}, 0.0),
        ("dlqi01", {"dlqi": 1}, {"dlqi": 12}, 1.0),
        ("dlqi01", {"dlqi": 2}, {"dlqi": 12}, 0.0),
        ("itch_response", {"itch": 3}, {"itch": 7}, 1.0),
        ("itch_response", {"itch": 4}, {"itch": 7}, 0.0),
        ("itch_response", {"itch": 0}, {"itch": 4}, 1.0),
        ("itch_response", {"itch": 0}, {"itch": 3}, np.nan),  # could not improve by so much
        ("pasi_change", {"pasi": 5.0}, {"pasi": 20.0}, -75.0),
        ("pasi_points", {"pasi": 5.0}, {"pasi": 20.0}, -15.0),
        ("dlqi_change", {"dlqi": 2}, {"dlqi": 12}, -10.0),
        ("itch_change", {"itch": 2}, {"itch": 6}, -4.0),
    ],
)
def test_outcomes_by_hand(name, now, before, expected):
    assert OUTCOMES[name].derive(columns(**now), columns(**before))[0] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("gap", ["now", "baseline"])
def test_a_missing_value_has_no_outcome(name, gap):
    there = {"pasi": 20.0, "bsa": 30.0, "iga": 3.0, "dlqi": 12.0, "itch": 7.0}
    gone = columns(**dict.fromkeys(there, np.nan))
    full = columns(**there)
    assert np.isnan(OUTCOMES[name].derive(*((gone, full) if gap == "now" else (full, gone)))[0])
    assert not np.isnan(OUTCOMES[name].derive(full, full)[0])


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_are_the_same_inside_the_simulation(name):
    """JAX arrays, compiled, give what NumPy gives."""
    rng = np.random.default_rng(8)
    now, before = (
        {
            "pasi": rng.integers(0, 400, 200) / 10,
            "bsa": rng.integers(0, 40, 200) / 10,
            "iga": rng.integers(0, 5, 200).astype(float),
            "dlqi": rng.integers(0, 30, 200).astype(float),
            "itch": np.where(rng.random(200) < 0.2, np.nan, rng.integers(0, 11, 200)),
        }
        for _ in range(2)
    )
    before["pasi"] += 1
    ours = jax.jit(OUTCOMES[name].derive)(*(jax.tree.map(jnp.asarray, c) for c in (now, before)))
    np.testing.assert_array_equal(np.asarray(ours), OUTCOMES[name].derive(now, before))


@pytest.mark.parametrize("name", [n for n, o in OUTCOMES.items() if o.kind == "responder"])
def test_responders_are_yes_or_no(name):
    now, before = (jax.tree.map(np.asarray, visit(k)) for k in (0.1, 1.0))
    values = OUTCOMES[name].derive(now, before)
    assert set(values[~np.isnan(values)]) <= {0.0, 1.0}


def test_response_curves_fall_with_activity_and_are_nested(curves):
    assert set(curves) == set(RESPONSES)
    for name, share in curves.items():
        assert share.shape == GRID.shape
        assert (np.diff(share) < 0.02).all(), name  # up to luck, since no rater's error is redrawn
        assert share[0] > 0.7
        assert share[-1] < 0.15
    for lower, higher in pairwise(RESPONSES[:4]):
        assert (curves[lower] >= curves[higher]).all()


def test_half_have_pasi_75_where_activity_is_a_quarter(curves):
    """What activity means: PASI over baseline PASI. The standard error of a share at 2,000 candidates is 0.01."""
    at = GRID[np.argmin(np.abs(curves["pasi75"] - 0.5))]
    assert at == pytest.approx(np.log(0.25), abs=0.15)


def test_response_curves_do_not_depend_on_what_else_is_simulated(curves):
    again = response_curves(dict(PARAMETERS.numbers()), seed=2, people=2000)
    for name in RESPONSES:
        np.testing.assert_array_equal(again[name], curves[name])


def test_an_outcome_of_some_people_has_no_value_in_others():
    some = {name: o for name, o in OUTCOMES.items() if o.of is not None}
    assert set(some) == {"itch_response"}
    now, before = (jax.tree.map(np.asarray, visit(k)) for k in (0.1, 1.0))
    for outcome in some.values():
        about = outcome.of(before)
        assert 0 < about.mean() < 1
        np.testing.assert_array_equal(np.isnan(outcome.derive(now, before)), ~about)
