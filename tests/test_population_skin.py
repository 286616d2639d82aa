"""The skin layer: its margins against the figures they come from, its facts, and its tables against the survey."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from cutis.core.keys import root, stream
from cutis.population.attributes import RACES
from cutis.population.skin import build, colour
from cutis.population.skin.attributes import ATTRIBUTES, HABITS, REACTIONS
from cutis.population.skin.draw import (
    NUMBERS,
    OUTDOORS,
    PARAMETERS,
    constants,
    derive,
    given_by,
    skin,
    topical_adherence,
)
from cutis.population.skin.margins import Continuous, log_normal

from .recording import Recording

N = 40_000
NUMBER = PARAMETERS.numbers()
SURVEY = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "population" / "nhanes"
SURVEY_FILE = SURVEY / "nhanes_deq_sun_2013_14_2017_18.parquet"


@cache
def drawn(air="us"):
    """One compiled function for all tests."""
    return jax.jit(jax.vmap(lambda key, i, person: skin(stream(key, "twin", i), person, air), (None, 0, 0)))


@cache
def people(male=None, race=None, age=None, smoker=None, n=N, seed=1, air="us"):
    """Skin layers of n people, all alike where it is told."""
    rng = np.random.default_rng(7)
    person = {
        "age": np.full(n, float(age)) if age is not None else rng.uniform(12, 85, n),
        "male": np.full(n, male) if male is not None else rng.random(n) < 0.5,
        "race": np.full(n, RACES.index(race)) if race else rng.integers(0, 6, n),
        "smoker": np.full(n, smoker) if smoker is not None else rng.random(n) < 0.2,
    }
    twins = drawn(air)(root(seed), jnp.arange(n), {name: jnp.asarray(x) for name, x in person.items()})
    return {name: np.asarray(x) for name, x in twins.items()} | {"person": person}


def close(sample, mean, sd=None):
    """Mean (and SD) within 4.5 standard errors, and a thousandth for what the linear effects leave."""
    error = 4.5 * sample.std() / np.sqrt(len(sample)) + 0.001 * abs(mean)
    assert sample.mean() == pytest.approx(mean, abs=error)
    if sd is not None:
        fourth = np.mean((sample - sample.mean()) ** 4) / sample.var() ** 2
        assert sample.std() == pytest.approx(sd, rel=4.5 * np.sqrt((fourth - 1) / len(sample)) / 2 + 0.002)


def at_the_centre(name):
    """A person for whom no effect shifts a number: at the centre of each that is not a share."""
    ages = [NUMBER[key] for key in NUMBER if key == f"{name}.effect.age.centre"]
    return {"age": ages[0] if ages else 40.0}


@pytest.mark.parametrize("name", sorted(set(NUMBERS) - {"med", "melanin_index"}))
def test_means_and_spreads_are_those_of_the_table(name):
    group = NUMBERS[name].by[0] if NUMBERS[name].by else None
    for level in {"sex": ("women", "men"), "race": RACES, None: ("",)}[group]:
        end = f".{level}" if level else ""
        told = {"sex": {"male": level == "men"}, "race": {"race": level}, None: {}}[group]
        shares = {p: NUMBER[f"{name}.effect.{p}.centre"] for p in NUMBERS[name].effects if p in ("male", "smoker")}
        n, age = 20_000, at_the_centre(name)["age"]
        rng = np.random.default_rng(3)
        person = {
            "age": np.full(n, age),
            "male": np.full(n, told["male"]) if "male" in told else rng.random(n) < shares.get("male", 0.5),
            "race": np.full(n, RACES.index(told.get("race", "white"))),
            "smoker": rng.random(n) < shares.get("smoker", 0.2),
        }
        given = jax.vmap(lambda p: given_by(p, "float64"))({k: jnp.asarray(v) for k, v in person.items()})
        margin = constants().margins[name]
        sample = np.asarray(jax.vmap(margin.value)(jnp.asarray(rng.standard_normal(n)), given))
        mean, sd = NUMBER[f"{name}.mean{end}"], NUMBER[f"{name}.sd{end}"]
        mixing = np.sqrt(sum((NUMBER[f"{name}.effect.{p}.per"] ** 2) * s * (1 - s) for p, s in shares.items()))
        slack = mixing**2 / 2 + 0.002 if margin.link == "log" else 0.01 * sd / mean
        assert sample.mean() == pytest.approx(mean, abs=4.5 * sd / np.sqrt(n) + slack * mean)
        assert sample.std() == pytest.approx(sd, rel=0.06)  # effects of the sexes widen it a little


def test_published_figures_come_out():
    danes = people(race="white", age=45)
    for site, horny, living in (
        ("forearm", (18.3, 4.9), (56.6, 11.5)),
        ("shoulder", (11.0, 2.2), (70.3, 13.6)),
        ("buttock", (14.9, 3.4), (81.5, 15.7)),
    ):
        assert danes[f"stratum_corneum_{site}"].mean() == pytest.approx(horny[0], rel=0.015)
        assert danes[f"stratum_corneum_{site}"].std() == pytest.approx(horny[1], rel=0.04)
        assert danes[f"epidermis_{site}"].mean() == pytest.approx(living[0], rel=0.015)
        assert danes[f"epidermis_{site}"].std() == pytest.approx(living[1], rel=0.06)
    for male, forehead, cheek in ((False, 1.913, 2.0), (True, 2.395, 2.48)):
        chinese = people(race="asian", age=35, male=male)
        close(chinese["skin_forehead"], forehead)
        close(chinese["skin_cheek"], cheek)
    close(people(male=False, age=30)["uv_dose"], 220)
    close(people(male=True, age=30)["uv_dose"], 280)
    close(people()["pm25"], 7.41, 1.9)


def test_the_air_of_the_world_has_its_published_shares():
    air = people(air="world")["pm25"]
    for above, share in ((10, 0.92), (15, 0.81), (25, 0.65), (35, 0.51)):
        assert np.mean(air > above) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / N))
    assert air.min() >= 3 - 1e-5  # single precision
    assert air.max() <= 120 + 1e-4
    with pytest.raises(ValueError, match="air: expected one of us, world, got 'mars'"):
        constants("mars")


@pytest.mark.parametrize("race", RACES)
def test_reactions_to_sun_and_skin_types_have_the_shares_of_the_race(race):
    twins = people(race=race)
    reactions = np.array([NUMBER[f"sun_reaction.{race}.{r}"] for r in REACTIONS])
    counts = np.bincount(twins["sun_reaction"], minlength=5)
    assert stats.chisquare(counts, reactions / reactions.sum() * N).pvalue > 1e-5
    nothing = np.array([NUMBER[f"fitzpatrick.nothing.{race}.type_{i}"] for i in range(1, 7)])
    types = np.append(reactions[:4], [0, 0]) + reactions[4] * nothing
    for grade, share in enumerate(types / types.sum(), start=1):
        error = 4.5 * np.sqrt(share * (1 - share) / N)
        assert np.mean(twins["fitzpatrick"] == grade) == pytest.approx(share, abs=error + 1e-12)


def test_carriers_have_their_shares():
    for name in ("hla_c0602", "flg_loss", "keloid_prone"):
        for race in RACES:
            share = NUMBER[f"{name}.{race}"]
            assert people(race=race)[name].mean() == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / N))
    assert people(race="black")["keloid_prone"].mean() > 5 * people(race="white")["keloid_prone"].mean()
    assert people(race="white")["flg_loss"].mean() > 2 * people(race="black")["flg_loss"].mean()


def test_the_dose_that_reddens_has_its_median_in_each_type_and_rises_with_it():
    twins = people(n=200_000)
    medians = []
    for grade in range(1, 7):
        dose = twins["med"][twins["fitzpatrick"] == grade]
        medians.append(np.median(dose))
        error = 4.5 * 1.2533 * NUMBER["med.log_sd"] / np.sqrt(len(dose))
        assert np.log(medians[-1] / NUMBER[f"med.median.type_{grade}"]) == pytest.approx(0, abs=error)
    assert np.all(np.diff(medians) > 0)


def test_facts_of_sex_age_and_colour():
    def mean(name, **told):
        return people(**told)[name].mean()

    young, old = {"age": 25}, {"age": 75}
    for site in ("forearm", "shoulder", "buttock", "cheek"):
        assert mean(f"epidermis_{site}", male=True) > mean(f"epidermis_{site}", male=False)
        assert mean(f"epidermis_{site}", **old) < mean(f"epidermis_{site}", **young)
        assert mean(f"stratum_corneum_{site}", smoker=True) < mean(f"stratum_corneum_{site}", smoker=False)
        assert np.corrcoef(people(race="white")[f"stratum_corneum_{site}"], people(race="white")["ita"])[0, 1] < -0.1
    assert mean("skin_cheek", male=True) > mean("skin_cheek", male=False)
    assert mean("sebum_forehead", male=True) > mean("sebum_forehead", male=False)
    assert mean("sebum_forehead", male=False, **old) < 0.7 * mean("sebum_forehead", male=False, **young)
    close(people(male=True, **old)["sebum_forehead"], mean("sebum_forehead", male=True, **young))
    for r in ("r2", "r5", "r7"):
        assert mean(f"elasticity_{r}", **old) < mean(f"elasticity_{r}", **young)
    for site in ("forearm", "cheek"):
        assert mean(f"tewl_{site}", male=True, **young) < mean(f"tewl_{site}", male=False, **young)
        assert mean(f"tewl_{site}", male=True, **old) == pytest.approx(
            mean(f"tewl_{site}", male=False, **old), rel=0.03
        )
        assert mean(f"hydration_{site}", male=True, **old) < mean(f"hydration_{site}", male=True, **young)
        assert mean(f"erythema_{site}", male=True) > mean(f"erythema_{site}", male=False)
    for site in ("forehead", "forearm"):
        assert mean(f"ph_{site}", male=True) < mean(f"ph_{site}", male=False)
    assert mean("uv_dose", age=14) < mean("uv_dose", age=30)
    assert mean("melanosome_fraction", race="black") > 3 * mean("melanosome_fraction", race="white")
    everyone = people()
    assert np.corrcoef(everyone["lightness"], np.log(everyone["med"]))[0, 1] < -0.3


@pytest.mark.parametrize("male", [False, True])
@pytest.mark.parametrize("age", [0, 12, 90, 120])
def test_nobody_is_impossible_at_the_extremes(male, age):
    for race in RACES:
        twins = people(male=male, age=age, race=race, smoker=male, n=4000)
        for name, attribute in ATTRIBUTES.items():
            values = twins[name]
            assert np.all(np.isfinite(values)), name
            if attribute.kind == "number" and name not in ("ita", "adherence_propensity", "dropout_propensity"):
                assert np.all(values > 0) or name.startswith("outdoor"), name
            if attribute.kind == "category":
                assert set(np.unique(values)) <= set(range(len(attribute.levels)))
            if attribute.kind == "grade":
                assert set(np.unique(values)) <= {int(n) for n in attribute.levels}
        assert np.all((twins["lightness"] > 0) & (twins["lightness"] < 100))
        assert np.all((twins["melanosome_fraction"] > 0.0049999) & (twins["melanosome_fraction"] < 0.4300001))
        assert np.all((twins["outdoor_offday"] >= 0) & (twins["outdoor_offday"] <= 480))
        assert np.all(abs(twins["ita"]) < 75)


def test_scores_depend_on_each_other_as_told():
    twins = people(n=100_000, race="white", male=False, age=40, smoker=False)
    pairs = (
        ("elasticity_r2", "elasticity_r7"),
        ("skin_forehead", "skin_cheek"),
        ("ita", "melanin_index"),
        ("adherence_propensity", "dropout_propensity"),
        ("epidermis_shoulder", "epidermis_cheek"),
    )
    for a, b in pairs:
        told = NUMBER.get(f"correlation.{a}.{b}", NUMBER.get(f"correlation.{b}.{a}"))
        rank = stats.spearmanr(twins[a], twins[b]).statistic
        assert rank == pytest.approx(6 / np.pi * np.arcsin(told / 2), abs=0.015)
    for a, b in (("sebum_forehead", "pm25"), ("uv_dose", "keloid_prone")):
        assert abs(stats.spearmanr(twins[a], twins[b]).statistic) < 0.015


@pytest.mark.parametrize("name", ["ita", "tewl_cheek", "hydration_forearm", "med", "adherence_propensity"])
def test_a_margin_inverts_and_its_density_is_one(name):
    margin = constants().margins[name]
    assert isinstance(margin, Continuous)
    given = given_by({"age": 63.0, "male": True, "race": 1, "smoker": True}, "float64") | {"type": jnp.asarray(3)}
    scores = jnp.linspace(-5, 5, 41)
    values = jax.vmap(lambda s: margin.value(s, given))(scores)
    assert jnp.all(jnp.diff(values) > 0)
    np.testing.assert_allclose(jax.vmap(lambda v: margin.score(v, given))(values), scores, atol=1e-9)
    slopes = jax.vmap(jax.grad(lambda s: margin.value(s, given)))(scores)
    np.testing.assert_allclose(jax.vmap(lambda s: margin.slope(s, given))(scores), slopes, rtol=1e-9)
    fine = jnp.linspace(margin.value(jnp.asarray(-8.0), given), margin.value(jnp.asarray(8.0), given), 20_001)[1:-1]
    at = jax.vmap(lambda v: margin.score(v, given))(fine)
    density = jnp.exp(log_normal(at)) / jax.vmap(lambda s: margin.slope(s, given))(at)
    assert integrate.simpson(np.asarray(density), x=np.asarray(fine)) == pytest.approx(1, abs=1e-4)


def test_a_logit_normal_has_the_moments_asked_for():
    for mean, sd, low, high in ((45, 11, -75, 70), (-15, 25, -75, 70), (0.45, 0.06, 0, 1), (5.25, 0.68, 3, 8)):
        location, scale = build.logit_normal(mean, sd, low, high)
        z = np.linspace(-9, 9, 20_001)
        x = low + (high - low) * special.expit(location + scale * z)
        moment = [integrate.simpson(x**p * stats.norm.pdf(z), x=z) for p in (1, 2)]
        assert moment[0] == pytest.approx(mean, rel=1e-6)
        assert np.sqrt(moment[1] - moment[0] ** 2) == pytest.approx(sd, rel=1e-5)
    with pytest.raises(ValueError, match=r"between 0 and 1 with mean 0\.5, SD 0\.7"):
        build.logit_normal(0.5, 0.7, 0, 1)


def test_the_colour_of_skin_is_consistent():
    twins = people()
    angle = np.degrees(np.arctan2(twins["lightness"] - 50, twins["yellowness"]))
    np.testing.assert_allclose(angle, twins["ita"], atol=0.01)
    nodes = constants().curve
    np.testing.assert_allclose(colour.melanosomes(nodes, jnp.asarray(nodes.ita)), np.exp(nodes.log_melanosomes))
    np.testing.assert_allclose(colour.yellowness(nodes, jnp.asarray(nodes.ita)), nodes.yellowness)
    assert colour.ita_of((64.15, 0), (18.34, 0)) == pytest.approx((37.65, 0), abs=0.01)
    rng = np.random.default_rng(1)
    noisy = np.degrees(np.arctan2(rng.normal(30, 0.4, N) - 50, rng.normal(15, 0.3, N)))
    assert colour.ita_of((30, 0.4), (15, 0.3)) == pytest.approx((noisy.mean(), noisy.std()), rel=0.02)
    with pytest.raises(ValueError, match="lightness: 164 is outside the possible range 0 to 100"):
        colour.ita_of((164, 1), (15, 1))
    with pytest.raises(ValueError, match="yellowness: -3 is outside the possible range 0 to 60"):
        colour.ita_of((64, 1), (-3, 1))


def test_adherence_has_the_beta_margin_of_the_table():
    shares = np.asarray(topical_adherence(jnp.asarray(stats.norm.ppf((np.arange(1000) + 0.5) / 1000))))
    expected = stats.beta(NUMBER["adherence.topical.a"], NUMBER["adherence.topical.b"])
    assert stats.kstest(shares, expected.cdf).statistic < 0.001
    assert shares.mean() == pytest.approx(0.345, abs=0.001)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_twin_does_not_depend_on_who_is_drawn_beside_it(size):
    many = people(n=4000)
    some = drawn()(
        root(1), jnp.arange(size) + 61, {k: jnp.asarray(v[61 : 61 + size]) for k, v in many["person"].items()}
    )
    for name in ATTRIBUTES:
        beside = many[name][61 : 61 + size].astype(float)
        np.testing.assert_allclose(np.asarray(some[name], float), beside, rtol=2e-5, atol=1e-4)  # single precision


def test_every_number_of_the_tables_is_used():
    numbers = Recording(NUMBER)
    derive(numbers)
    assert set(NUMBER) - numbers.read == set()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correlation.ita.melanin_index": 0.9}, "correlations contradict each other"),
        ({"correlation.ita.sunn": 0.1}, r"correlation.ita.sunn: expected two scores of sun, yellowness"),
        ({"correlation.med.ita": 0.1}, "this pair is given twice"),
        ({"sun_reaction.white.nothing": 0.4}, "sun_reaction: shares of a group must be at least 0 and sum to 1"),
        ({"tewl_cheek.mean": None}, "tewl_cheek.mean is missing"),
        ({"outdoor_offday.men.asian.p90": 10}, "outdoor_offday: quantiles must not fall"),
        ({"elasticity_r7.sd": 0.9}, "between 0 and 1 with mean 0.45, SD 0.9"),
        ({"colour.point_2.ita": 60}, "colour: from point to point"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(change, message):
    numbers = {name: value for name, value in (NUMBER | change).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        derive(numbers)


def test_a_person_without_what_is_needed_is_refused():
    with pytest.raises(KeyError, match="a person needs age, male, race, smoker; smoker is missing"):
        skin(root(1), {"age": jnp.asarray(40.0), "male": jnp.asarray(True), "race": jnp.asarray(0)})


def test_units_of_the_tables_are_those_of_the_attributes():
    for name in NUMBERS:
        for figure in (f"{name}.mean", f"{name}.median"):
            for key, parameter in PARAMETERS.items():
                if key == figure or key.startswith(f"{figure}."):
                    assert parameter.unit == ATTRIBUTES[name].unit


@pytest.mark.skipif(not SURVEY_FILE.exists(), reason="the survey's files are not here")
def test_the_tables_of_the_sun_are_those_of_the_survey():
    survey = pd.read_parquet(SURVEY_FILE)
    survey["race"] = survey.ridreth3.map(dict(zip((3, 4, 1, 2, 6, 7), RACES, strict=True)))
    codes = {"sun_reaction_code": REACTIONS, "sunscreen_code": HABITS, "shade_code": HABITS, "long_sleeve_code": HABITS}
    names = ("sun_reaction", "sunscreen", "shade", "long_sleeves")
    for (column, levels), name in zip(codes.items(), names, strict=True):
        known = survey[survey[column].between(1, 5)]
        groups = ["race"] if name == "sun_reaction" else ["female", "race"]
        for where, people_of in known.groupby(groups):
            place = [("men", "women")[int(w)] if not isinstance(w, str) else w for w in where]
            shares = people_of.groupby(column).wt_int.sum() / people_of.wt_int.sum()
            for code, level in enumerate(levels, start=1):
                told = NUMBER[".".join((name, *place, level))]
                assert told == pytest.approx(shares.get(code, 0.0), abs=6e-5)
    for column, name in (("min_outdoor_workday", "outdoor_workday"), ("min_outdoor_offday", "outdoor_offday")):
        for (female, race), people_of in survey[survey[column].notna()].groupby(["female", "race"]):
            ordered = people_of.sort_values(column)
            below = ordered.wt_int.cumsum() / ordered.wt_int.sum()
            sex = ("men", "women")[int(female)]
            for quantile, share in OUTDOORS.items():
                assert NUMBER[f"{name}.{sex}.{race}.{quantile}"] == ordered[column][below >= share].iloc[0]
            mean = np.average(people_of[column], weights=people_of.wt_int)
            told = people(male=female == 0, race=race)[name].mean()
            assert told == pytest.approx(mean, rel=0.16)  # seven quantiles of answers heaped at the hours
