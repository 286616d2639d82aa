"""A skin layer given what was measured: against closed forms and quadrature, and every wrong measurement."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import simpson

from cutis.core.keys import root
from cutis.population.attributes import RACES
from cutis.population.skin.attributes import ATTRIBUTES
from cutis.population.skin.condition import condition
from cutis.population.skin.draw import PARAMETERS, constants, given_by

NUMBER = PARAMETERS.numbers()
N = 20_000
ONE = {"age": 41.0, "male": False, "race": 0, "smoker": False}
GIVEN = given_by(ONE, "float64")


def candidates(n=N, **same):
    rng = np.random.default_rng(5)
    person = {
        "age": rng.uniform(18, 80, n),
        "male": rng.random(n) < 0.5,
        "race": rng.integers(0, 6, n),
        "smoker": rng.random(n) < 0.2,
    }
    return {name: jnp.asarray(np.full(n, same[name]) if name in same else x) for name, x in person.items()}


def score(name, value):
    """By the margin of ONE person, with the logarithm of its slope."""
    margin = constants().margins[name]
    s = margin.score(jnp.asarray(float(value)), GIVEN)
    return float(s), float(jnp.log(margin.slope(s, GIVEN)))


def correlation(*names):
    c = constants()
    rows = [c.scores.index(name) for name in names]
    return c.correlation[np.ix_(rows, rows)]


def weighted(found, name):
    """Weighted mean, SD, and the standard error of the mean."""
    weights = np.exp(np.asarray(found.log_weights) - np.max(found.log_weights))
    weights /= weights.sum()
    values = np.asarray(found.draws[name], float)
    mean = weights @ values
    error = np.sqrt(weights**2 @ (values - mean) ** 2)
    return mean, np.sqrt(weights @ (values - mean) ** 2), error


def test_without_measurements_the_prior_is_left():
    found = condition(root(1), candidates(**ONE), {})
    assert np.all(np.asarray(found.log_weights) == 0)
    assert set(found.draws) == set(ATTRIBUTES)
    for name in ("ita", "tewl_forearm", "elasticity_r7", "skin_cheek"):
        scores = [score(name, x)[0] for x in np.asarray(found.draws[name])[:400]]
        assert stats.kstest(scores, "norm").pvalue > 1e-5
    share = NUMBER["hla_c0602.white"]
    assert np.mean(found.draws["hla_c0602"]) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 20_000))


def test_normal_margins_give_the_closed_form():
    told = {"adherence_propensity": (1.2, 0.5), "dropout_propensity": (0.4, 0.8)}
    found = condition(root(2), candidates(**ONE), told)
    prior = correlation(*told)
    value, noise = np.array([1.2, 0.4]), np.diag([0.25, 0.64])
    evidence = stats.multivariate_normal([0, 0], prior + noise).logpdf(value)
    np.testing.assert_allclose(found.log_weights, evidence, rtol=1e-9)
    gain = prior @ np.linalg.inv(prior + noise)
    drawn = np.stack([np.asarray(found.draws[name]) for name in told])
    posterior = prior - gain @ prior
    np.testing.assert_allclose(drawn.mean(axis=1), gain @ value, atol=4.5 * np.sqrt(np.max(posterior) / 20_000))
    np.testing.assert_allclose(np.cov(drawn), posterior, atol=0.02)


def test_values_without_error_weigh_by_their_density():
    told = {"tewl_forearm": 12.0, "hydration_cheek": 50.0, "elasticity_r2": 0.7, "stratum_corneum_forearm": 20.0}
    found = condition(root(3), candidates(**ONE), {name: (value, 0) for name, value in told.items()})
    scores, slopes = np.transpose([score(name, value) for name, value in told.items()])
    density = stats.multivariate_normal(np.zeros(4), correlation(*told)).logpdf(scores) - slopes.sum()
    np.testing.assert_allclose(found.log_weights, density, rtol=1e-9)
    for name, value in told.items():
        np.testing.assert_array_equal(found.draws[name], value)


def test_the_rest_follows_from_the_conditional():
    found = condition(root(4), candidates(**ONE), {"ita": (20.0, 0)})
    z = score("ita", 20.0)[0]
    rho = correlation("ita", "melanin_index")[0, 1]
    location, scale = (
        np.log(NUMBER["melanin_index.median.white"]) + NUMBER["melanin_index.log_sd.white"] * rho * z,
        NUMBER["melanin_index.log_sd.white"] * np.sqrt(1 - rho**2),
    )
    logs = np.log(np.asarray(found.draws["melanin_index"]))
    assert logs.mean() == pytest.approx(location, abs=4.5 * scale / np.sqrt(20_000))
    assert logs.std() == pytest.approx(scale, rel=0.03)
    alike = np.ptp(np.asarray(found.draws["melanosome_fraction"]))
    assert alike < 1e-12  # follows from the angle alone


@pytest.mark.parametrize(
    ("name", "value", "sd"),
    [
        ("stratum_corneum_forearm", 30.0, 6.0),
        ("stratum_corneum_forearm", 4.0, 5.0),
        ("ita", 69.9, 4.0),
        ("ita", 20.0, 12.0),
        ("elasticity_r7", 0.6, 0.05),
        ("sebum_forehead", 60.0, 0.5),
    ],
)
def test_a_value_with_error_agrees_with_quadrature(name, value, sd):
    found = condition(root(5), candidates(**ONE), {name: (value, sd)})
    margin = constants().margins[name]
    z = np.linspace(-9, 9, 40_001)
    x = np.asarray(margin.value(jnp.asarray(z), GIVEN))
    weight = stats.norm.pdf(z) * stats.norm.pdf(value, x, sd)
    evidence = simpson(weight, x=z)
    mean = simpson(weight * x, x=z) / evidence
    spread = np.sqrt(simpson(weight * (x - mean) ** 2, x=z) / evidence)
    ratio = np.exp(np.asarray(found.log_weights)) / evidence
    assert ratio.mean() == pytest.approx(1, abs=4.5 * ratio.std() / np.sqrt(len(ratio)) + 1e-6)
    assert ratio.sum() ** 2 / (ratio @ ratio) > 0.6 * len(ratio)  # few draws are wasted
    got, got_spread, error = weighted(found, name)
    assert got == pytest.approx(mean, abs=4.5 * error)
    assert got_spread == pytest.approx(spread, rel=0.05)


def test_a_useless_instrument_leaves_the_prior():
    people = candidates()
    nothing = condition(root(6), people, {})
    useless = condition(root(6), people, {"ita": (10.0, 1e7), "tewl_cheek": (3.0, 1e7), "ph_forehead": (6.0, 1e6)})
    weights = np.asarray(useless.log_weights)
    assert np.ptp(weights) < 1e-3
    for name in ("ita", "tewl_cheek", "ph_forehead", "melanin_index", "hydration_cheek"):
        a, b = np.asarray(nothing.draws[name]), np.asarray(useless.draws[name])
        assert stats.ks_2samp(a, b).pvalue > 1e-5


def test_a_perfect_instrument_is_the_limit_of_good_ones():
    people = candidates()
    exact = condition(root(7), people, {"ita": (30.0, 0), "elasticity_r5": (0.7, 0)})
    good = condition(root(7), people, {"ita": (30.0, 1e-4), "elasticity_r5": (0.7, 1e-6)})
    np.testing.assert_allclose(good.log_weights, exact.log_weights, atol=1e-3)
    np.testing.assert_allclose(good.draws["ita"], 30, atol=1e-3)


def test_people_weigh_by_what_they_are():
    """The angle tells the race: weights are the densities of the races."""
    people = candidates()
    race = np.asarray(people["race"])
    dark = np.exp(np.asarray(condition(root(8), people, {"ita": (-40.0, 2.0)}).log_weights))
    assert np.average(race == RACES.index("black"), weights=dark) > 0.85
    light = np.exp(np.asarray(condition(root(8), people, {"ita": (55.0, 2.0)}).log_weights))
    assert np.average(race == RACES.index("black"), weights=light) < 0.01


def test_a_known_type_weighs_by_its_share_and_is_kept():
    people = candidates()
    found = condition(root(9), people, {"fitzpatrick": (4, 0), "hla_c0602": (True, 0)})
    assert np.all(np.asarray(found.draws["fitzpatrick"]) == 4)
    assert np.all(np.asarray(found.draws["hla_c0602"]))
    for index, race in enumerate(RACES):
        shares = np.array([NUMBER[f"sun_reaction.{race}.{r}"] for r in ("tans", "nothing")])
        four = shares[0] + shares[1] * NUMBER[f"fitzpatrick.nothing.{race}.type_4"]
        here = np.asarray(people["race"]) == index
        expected = np.log(four * NUMBER[f"hla_c0602.{race}"])
        np.testing.assert_allclose(np.asarray(found.log_weights)[here], expected, atol=2e-4)  # shares are rounded
    told = condition(root(9), people, {"sun_reaction": ("tans", 0), "shade": ("never", 0)})
    assert np.all(np.asarray(told.draws["sun_reaction"]) == 3)
    assert np.all(np.asarray(told.draws["shade"]) == 4)


def test_people_who_cannot_have_a_type_weigh_nothing():
    people = candidates()
    found = condition(root(10), people, {"fitzpatrick": (6, 0)})
    white = np.asarray(people["race"]) == 0
    assert np.all(np.asarray(found.log_weights)[white] == -np.inf)
    assert np.all(np.isfinite(np.asarray(found.log_weights)[np.asarray(people["race"]) == 1]))
    for values in found.draws.values():
        assert np.all(np.isfinite(np.asarray(values, float)))
    with pytest.raises(ValueError, match="none of the 20000 candidates can have fitzpatrick 6"):
        condition(root(10), candidates(race=0), {"fitzpatrick": (6, 0)})
    with pytest.raises(ValueError, match="can have sun_reaction blisters, fitzpatrick 6"):
        condition(root(10), people, {"sun_reaction": ("blisters", 0), "fitzpatrick": (6, 0)})


def test_a_dose_that_reddens_tells_the_type():
    found = condition(root(11), candidates(**ONE), {"med": (90.0, 0)})
    shares = np.array([NUMBER[f"sun_reaction.white.{r}"] for r in ("blisters", "peels", "burns_and_tans", "tans")])
    nothing = [NUMBER[f"fitzpatrick.nothing.white.type_{i}"] for i in range(1, 7)]
    types = np.append(shares, [0, 0]) + NUMBER["sun_reaction.white.nothing"] * np.array(nothing)
    medians = np.array([NUMBER[f"med.median.type_{i}"] for i in range(1, 7)])
    joint = types / types.sum() * stats.lognorm(NUMBER["med.log_sd"], scale=medians).pdf(90.0)
    weights = np.exp(np.asarray(found.log_weights))
    error = 4.5 * weights.std() / np.sqrt(len(weights))
    assert weights.mean() == pytest.approx(joint.sum(), abs=error)
    mean, _, error = weighted(found, "fitzpatrick")
    assert mean == pytest.approx(np.arange(1, 7) @ joint / joint.sum(), abs=4.5 * error)


def test_a_colorimeter_counts_as_the_angle_it_gives():
    people = candidates()
    lab = condition(root(12), people, {"lightness": (64.15, 0.5), "yellowness": (18.34, 0.4)})
    angle = condition(root(12), people, {"ita": (37.651, 1.1)})
    assert weighted(lab, "ita")[0] == pytest.approx(weighted(angle, "ita")[0], abs=0.1)


def test_readings_of_correlated_numbers_agree_with_quadrature():
    told = {"epidermis_forearm": (60.0, 9.0), "epidermis_shoulder": (100.0, 15.0)}
    found = condition(root(13), candidates(**ONE), told)
    line = np.linspace(-7, 7, 801)
    z = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    weight = stats.multivariate_normal(np.zeros(2), correlation(*told)).pdf(z)
    for k, (name, (value, sd)) in enumerate(told.items()):
        x = np.asarray(constants().margins[name].value(jnp.asarray(z[..., k]), GIVEN))
        weight = weight * stats.norm.pdf(value, x, sd)
    evidence = simpson(simpson(weight, x=line), x=line)
    ratio = np.exp(np.asarray(found.log_weights)) / evidence
    assert ratio.mean() == pytest.approx(1, abs=4.5 * ratio.std() / np.sqrt(N))
    assert ratio.std() < 0.3
    mean = simpson(simpson(weight * x, x=line), x=line) / evidence
    got, _, error = weighted(found, "epidermis_shoulder")
    assert got == pytest.approx(mean, abs=4.5 * error)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"stratum_corneum_forearm": (-3, 1)}, r"stratum_corneum_forearm: -3 is outside the possible range .* um"),
        ({"skin_cheek": (2100, 100)}, r"skin_cheek: 2100 is outside the possible range .* mm; is the unit right\?"),
        (
            {"ita": (200, 2)},
            r"ita: 200 is outside the possible range of these people, .* to 69.4 deg; is the unit right\?",
        ),
        ({"ita": (70.5, 0)}, "ita: 70.5 is outside"),
        ({"ph_forearm": (9, 0)}, "ph_forearm: 9 is outside the possible range of these people, .* to 7.73; is"),
        ({"itta": (20, 2)}, "itta: no attribute of the skin layer; did you mean 'ita'"),
        ({"ita": (float("nan"), 2)}, "ita: expected a number, not nan"),
        ({"ita": ("fair", 2)}, "ita: expected a number, not 'fair'"),
        ({"ita": (True, 2)}, "ita: expected a number, not True"),
        ({"ita": (20, -2)}, "ita: the SD of its error must be a number, 0 or more, not -2"),
        ({"ita": (20, float("inf"))}, "ita: the SD of its error must be a number, 0 or more, not inf"),
        ({"outdoor_offday": (60, 10)}, "outdoor_offday: is drawn from a table of quantiles and cannot be given"),
        ({"dermis_cheek": (1.9, 0.1)}, "dermis_cheek: follows from other attributes and cannot be given itself"),
        ({"fitzpatrick": (7, 0)}, "fitzpatrick: expected one of 1, 2, 3, 4, 5, 6, not 7"),
        ({"fitzpatrick": (3, 1)}, "fitzpatrick: a level has no SD of error, so 0, not 1"),
        ({"shade": ("often", 0)}, "shade: expected one of always, mostly, sometimes, rarely, never, not 'often'"),
        ({"flg_loss": ("R501X", 0)}, "flg_loss: expected yes or no"),
        ({"lightness": (60, 1)}, "lightness: L\\* and b\\* are read together"),
        ({"lightness": (60, 1), "yellowness": (15, 1), "ita": (20, 1)}, "L\\* and b\\* are read together"),
        ({"lightness": (160, 1), "yellowness": (15, 1)}, "lightness: 160 is outside the possible range 0 to 100"),
    ],
)
def test_wrong_measurements_are_refused(told, message):
    with pytest.raises(ValueError, match=message):
        condition(root(1), candidates(20), told)
