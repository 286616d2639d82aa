"""Psoriasis on top of people in general, and what twins of trials have besides: shares, odds and impossible people."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from cutis.core.diseases import DISEASES
from cutis.core.keys import root, stream
from cutis.population import comorbidity, logistic, prevalence, psoriasis, psoriasis_us
from cutis.population.attributes import RACES
from cutis.population.fitting.model import Cells
from cutis.population.general.model import shipped

from .recording import Recording

KEY = stream(root(2026), "population")
TRIAL = psoriasis.PARAMETERS.numbers()
US = psoriasis_us.PARAMETERS.numbers()
N = 65_536


@cache
def drawn(twin):
    return jax.jit(jax.vmap(twin, in_axes=(None, 0)))


def draw(twin, size=N, key=KEY) -> pd.DataFrame:
    columns = drawn(twin)(key, jnp.arange(size))
    return pd.DataFrame({name: np.asarray(column) for name, column in columns.items()})


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return draw(psoriasis.twin)


@pytest.fixture(scope="module")
def public() -> pd.DataFrame:
    return draw(psoriasis_us.twin)


def assert_share(yes, share: float) -> None:
    assert len(yes) > 400
    assert np.mean(yes) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / len(yes)))


def regression(twins: pd.DataFrame, disease: str, names: list[str]):
    """Log-odds per unit and their standard errors, by another library."""
    x = sm.add_constant(twins[names].astype(float))
    found = sm.Logit(twins[disease].astype(float), x).fit(disp=0)
    return found.params[names], found.bse[names]


# Candidates for systemic treatment


@pytest.mark.parametrize("name", ["prior_systemic", "prior_phototherapy"])
def test_earlier_treatments_are_as_frequent_as_in_trials_and_go_with_long_disease(patients, name):
    assert_share(patients[name], TRIAL[name])
    rho = stats.spearmanr(patients.duration, patients[name]).statistic
    assert rho == pytest.approx(TRIAL[f"correlation.duration_{name}"], abs=4.5 / np.sqrt(N))


@pytest.mark.parametrize("name", comorbidity.NAMES)
def test_other_diseases_are_as_frequent_as_among_patients(patients, name):
    assert_share(patients[name], TRIAL[f"comorbidity.{name}.share"])


@pytest.mark.parametrize("name", ["hypertension", "diabetes"])
def test_other_diseases_depend_on_age_body_mass_and_sex_as_in_general(patients, name):
    names = ["age", "bmi", "male"]
    slopes, errors = regression(patients, name, names)
    for x in names:
        assert slopes[x] == pytest.approx(TRIAL[f"comorbidity.{name}.{x}"], abs=4.5 * errors[x])


def test_carriers_of_hla_c0602_fell_ill_earlier_and_durations_stay_as_published(patients):
    early = patients.age - patients.duration < TRIAL["onset.early"]
    white = patients.race == 0
    odds = special.logit(patients.hla_c0602[white & early].mean()) - special.logit(
        patients.hla_c0602[white & ~early].mean()
    )
    counts = [(white & side & (patients.hla_c0602 == yes)).sum() for side in (early, ~early) for yes in (True, False)]
    assert odds == pytest.approx(np.log(2.85), abs=4.5 * np.sqrt(np.sum(1 / np.array(counts))))
    onset = (patients.age - patients.duration).groupby(patients.hla_c0602).mean()
    assert onset[True] < onset[False] - 3
    assert patients.duration.mean() == pytest.approx(18.34, abs=4.5 * 12 / np.sqrt(N))


def test_twins_of_trials_are_who_they_were_before_more_was_asked_of_them(patients):
    twin = patients.iloc[61]  # recorded before earlier treatments and other diseases were added
    was = {"age": 33.090009299823606, "bmi": 35.92580627867931, "severity": 12.765435395298578}
    was |= {"duration": 27.974878950504475, "height": 170.6954504106273}
    assert {name: twin[name] for name in was} == pytest.approx(was, rel=1e-12)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"share between 0 and 1 is needed, not 1\.2"):
        psoriasis.derive({**TRIAL, "comorbidity.diabetes.share": 1.2})


def test_odds_of_an_allele_that_cannot_give_its_share_are_refused():
    with pytest.raises(ValueError, match="odds of HLA-C"):
        psoriasis.derive({**TRIAL, "hla_c0602.white": 1.2})


# Logistic models


def test_a_logistic_model_says_its_chance_at_its_centres_and_its_odds_away_from_them():
    model = logistic.read({"ill.at_centre": 0.2, "ill.age": 0.1, "ill.bmi": 0.0}, "ill", {"age": 50.0, "bmi": 30.0})
    assert float(logistic.chance(model, {"age": jnp.asarray(50.0), "bmi": jnp.asarray(30.0)})) == pytest.approx(0.2)
    older = float(logistic.chance(model, {"age": jnp.asarray(60.0), "bmi": jnp.asarray(0.0)}, jnp.log(2.0)))
    assert older / (1 - older) == pytest.approx(0.25 * np.e * 2)


def test_a_fitted_logistic_model_gives_the_share_it_was_fitted_to():
    age = np.linspace(20, 80, 1001)
    weights = np.full(1001, 1 / 1001)
    model = logistic.fitted(0.07, logistic.Logistic(0.0, {"age": 0.06}, {"age": 50.0}), {"age": age}, weights)
    assert np.mean(special.expit(model.intercept + 0.06 * (age - 50))) == pytest.approx(0.07, rel=1e-6)


def test_a_chance_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"ill.at_centre: a chance between 0 and 1 is needed, not 20"):
        logistic.read({"ill.at_centre": 20}, "ill", {})


# Cases among people in general


def somebody(key, i, shares):
    """Ages spread evenly over a cell: women of 20 to 40, women of 40 to 60, men of 20 to 60 or of 40 to 60."""
    me = stream(key, i)
    cell = jnp.sum(jax.random.uniform(stream(me, "cell")) >= jnp.asarray(np.cumsum(shares)[:-1]))
    low, high = jnp.asarray([20.0, 40.0, 20.0, 40.0])[cell], jnp.asarray([40.0, 60.0, 40.0, 60.0])[cell]
    age = low + (high - low) * jax.random.uniform(stream(me, "age"), dtype="float64")
    return {"age": age, "male": cell >= 2}


BANDS = np.array([[20.0, 40.0], [40.0, 60.0], [20.0, 40.0], [40.0, 60.0]])
MALE = np.array([0, 0, 1, 1])
FALLING = prevalence.curve((25, 30, 55), (0.4, 0.4, 0.1), (0.2, 0.2, 0.05))


def test_ages_of_cases_follow_the_curve_within_and_across_cells():
    tilt = prevalence.tilted(np.full(4, 0.25), FALLING, BANDS, MALE)
    cases = draw(lambda key, i: prevalence.case(key, i, somebody, tilt), 40_000)
    grid = np.linspace(25, 55, 30_001)
    mass = np.cumsum(np.interp(grid, FALLING.ages, FALLING.heights[0]))
    assert stats.kstest(cases.age, lambda x: np.interp(x, grid, mass / mass[-1])).pvalue > 6.8e-6
    assert_share(cases.male, 1 / 3)  # men are ill half as often at any age


def test_the_share_of_a_cell_that_is_kept_is_the_mean_of_the_curve():
    expected = np.array([(5 * 1 + 10 * (1 + 0.7) / 2) / 20, (0.7 + 0.25) / 2 * 15 / 20])
    assert prevalence.kept(FALLING, BANDS, MALE) == pytest.approx([*expected, *expected / 2], rel=1e-3)


def test_bands_that_overlap_are_thinned_all_the_same():
    bands = np.array([[20.0, 60.0], [40.0, 60.0]])
    tilt = prevalence.tilted(np.array([0.5, 0.5]), FALLING, bands, np.array([0, 0]))
    assert tilt.shares == pytest.approx([0.5, 0.5])
    ages = jnp.asarray([20.0, 27.0, 55.0 - 1e-9])
    chances = jax.vmap(lambda age: prevalence.chance(tilt, age, jnp.asarray(False)))(ages)
    assert np.asarray(chances) == pytest.approx([0, 1, 0.25])


def test_raking_keeps_odds_ratios_and_meets_margins():
    start = np.array([0.4, 0.1, 0.2, 0.3])
    sex, race = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    shares = prevalence.raked(start, {"sex": (sex, np.array([0.3, 0.7])), "race": (race, np.array([0.6, 0.4]))})
    assert np.bincount(sex, weights=shares) == pytest.approx([0.3, 0.7])
    assert np.bincount(race, weights=shares) == pytest.approx([0.6, 0.4])
    odds_ratio = shares[0] * shares[3] / (shares[1] * shares[2])
    assert odds_ratio == pytest.approx(0.4 * 0.3 / (0.1 * 0.2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prevalence.curve((20, 20), (1, 1), (1, 1)), "ages must rise, got 20, 20"),
        (lambda: prevalence.curve((20, 30), (1, -1), (1, 1)), "must not be negative"),
        (lambda: prevalence.curve((20, 30), (0, 0), (0, 0)), "some must be above 0"),
        (
            lambda: prevalence.tilted(np.ones(1), FALLING, np.array([[60.0, 80.0]]), np.array([0])),
            "nobody is of the ages",
        ),
        (
            lambda: prevalence.raked(np.array([1.0, 0.0]), {"race": (np.array([0, 1]), np.array([0.5, 0.5]))}),
            "race: nobody has level 1",
        ),
        (
            lambda: prevalence.raked(
                np.array([1.0, 1e-300]),
                {"a": (np.array([0, 1]), np.array([0.5, 0.5])), "b": (np.array([0, 1]), np.array([0.2, 0.8]))},
            ),
            "shares of a and b cannot hold at once",
        ),
    ],
)
def test_frequencies_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Adults of the USA with psoriasis


def adults() -> tuple[Cells, np.ndarray]:
    cells = shipped().cells
    return cells, cells.share * (cells.age[:, 0] >= 20)


def test_cases_have_the_published_prevalence_by_sex_and_race(public):
    cells, share = adults()
    for column, keys in (("male", ("women", "men")), ("race", RACES)):
        people = np.bincount(cells.levels[column], weights=share)
        ill = people * [US[f"prevalence.{key}"] for key in keys]
        for level, wanted in enumerate(ill / ill.sum()):
            # Ages are not quite even within a band, so the margins that were raked hold to 1 % of themselves.
            got = (public[column].astype(int) == level).mean()
            assert got == pytest.approx(wanted, abs=0.01 * wanted + 4.5 * np.sqrt(wanted * (1 - wanted) / N))


def test_cases_smoke_with_the_published_odds_over_people_in_general(public):
    # Among White men of 40 to 59, one stratum of which all three kinds are frequent.
    cells, share = adults()
    here = (cells.levels["race"] == 0) & (cells.levels["male"] == 1) & (cells.age[:, 0] == 40)
    general = np.bincount(cells.levels["smoking"][here], weights=share[here])
    group = public[(public.race == 0) & public.male & public.age.between(40, 60, inclusive="left")]
    got = np.bincount(group.smoking, minlength=3)
    for level, name in ((1, "former"), (2, "current")):
        ratio = got[level] / got[0] / (general[level] / general[0])
        error = np.sqrt(1 / got[level] + 1 / got[0])
        assert np.log(ratio) == pytest.approx(np.log(US[f"smoking.{name}"]), abs=4.5 * error + 0.02)
    assert (public.smoker == (public.smoking == 2)).all()


def test_frequency_by_age_is_highest_in_the_fifties(public):
    in_general = draw(psoriasis_us.person)
    counts = [np.histogram(people.age, [20, 30, 40, 50, 60, 70, 80])[0] for people in (public, in_general)]
    relative = counts[0] / counts[1]
    assert np.argmax(relative) == 3
    assert relative[3] / relative[0] == pytest.approx(4.3 / 1.6, rel=0.15)


def test_the_affected_area_has_the_shares_of_the_survey_and_no_atom(public):
    limits = [0, US["area.few_from"], US["area.scattered_from"], US["area.extensive_from"], np.inf]
    for extent, low, high in zip(psoriasis_us.EXTENTS, limits[:-1], limits[1:], strict=True):
        assert_share(public.affected_area.between(low, high, inclusive="left"), US[f"area.{extent}"])
    assert public.affected_area.between(0, 90).all()
    assert public.affected_area.is_unique


def test_severity_follows_the_area_as_in_trials(public):
    residual = np.log(public.severity) - np.log(10) - 0.74 * np.log(public.affected_area / 10)
    free = public.severity < 72
    assert residual[free].std() == pytest.approx(0.31, abs=4.5 * 0.31 / np.sqrt(2 * N))
    severe = public[public.severity >= 12]
    rho = stats.spearmanr(severe.severity, severe.affected_area).statistic
    assert rho == pytest.approx(0.71, abs=4.5 / np.sqrt(len(severe)))
    # Not fitted: trials of systemic treatment have means of 20.2 points (SD between arms 2.7) and of 25 to 28 %.
    assert severe.severity.mean() == pytest.approx(20.2, abs=2.7)
    assert 18 < severe.affected_area.mean() < 28


def test_carriers_among_patients_follow_bayes(public):
    early = public.age - public.duration < 40
    for level, race in enumerate(RACES):
        q = US[f"hla_c0602.allele.{race}"]
        general, white = 1 - (1 - q) ** 2, 1 - (1 - US["hla_c0602.allele.white"]) ** 2
        for side, share in ((early, 0.540), (~early, 0.292)):
            ratio = share / (1 - share) / (white / (1 - white))
            odds = ratio * general / (1 - general)
            group = public.hla_c0602[(public.race == level) & side]
            if len(group) > 400:
                assert_share(group, odds / (1 + odds))


def test_earlier_treatment_is_as_frequent_as_nurses_report(public):
    ever = public.prior_systemic | public.prior_phototherapy | public.prior_biologic
    assert ever[public.affected_area < 3].mean() == pytest.approx(0.16, abs=0.02)
    assert ever[public.affected_area >= 3].mean() == pytest.approx(0.47, abs=0.03)


def test_arthritis_is_as_frequent_as_the_survey_found(public):
    # 71 of 601; the shares by extent behind it are recalled.
    assert 0.09 < public.psoriatic_arthritis.mean() < 0.14
    extensive = public.psoriatic_arthritis[public.affected_area >= 10].mean()
    assert extensive > 3 * public.psoriatic_arthritis[public.affected_area < 10].mean()


def test_diseases_agree_with_blood_pressure_and_sugar(public):
    slopes, errors = regression(public, "hypertension", ["age", "bmi", "male", "sbp"])
    assert slopes["sbp"] == pytest.approx(
        0.0298, abs=4.5 * errors["sbp"] + 0.001
    )  # odds ratios by grade blur it a little
    assert public.diabetes[public.hba1c > 8].mean() > 0.8
    assert public.diabetes[public.hba1c < 5.5].mean() < 0.12
    assert_share(public.ibd, US["comorbidity.ibd.at_centre"])
    assert public.mental_illness.mean() == pytest.approx(0.165, abs=0.01)


def test_time_since_onset_at_the_age_of_trials_is_near_that_of_trials(public):
    # Arm means of 42,121 people: 18.3 years at a mean age of 45.1, from 11.7 to 20.8 (5 to 95 %); not fitted.
    assert 11.7 < public.duration[public.age.between(43, 47)].mean() < 20.8


@pytest.mark.parametrize("seed", range(2))
def test_impossible_patients_never_occur(seed):
    twins = draw(psoriasis_us.twin, N, stream(root(seed), "population"))
    assert not twins.isna().any().any()
    assert twins.age.min() >= 20
    assert (twins.age - twins.duration).min() >= 1
    assert twins.duration.min() >= 0.1 - 1e-9
    assert twins.severity.between(0, 72, inclusive="right").all()
    assert (twins.dbp < twins.sbp).all()


def test_trials_can_use_the_public(public):
    assert set(DISEASES["psoriasis"].attributes) <= set(public)
    for name in ("age", "severity", "duration", "bmi", "weight"):
        assert public[name].dtype == np.float64
    assert set(psoriasis_us.ATTRIBUTES) <= set(public)
    shared = set(psoriasis.ATTRIBUTES) & set(psoriasis_us.ATTRIBUTES)
    assert all(psoriasis.ATTRIBUTES[x].unit == psoriasis_us.ATTRIBUTES[x].unit for x in shared)


def test_a_patient_does_not_depend_on_who_is_drawn_beside_them(public):
    few = draw(psoriasis_us.twin, 64)
    pd.testing.assert_frame_equal(few, public[:64], check_exact=False, rtol=1e-6)


def test_every_number_of_the_table_is_used():
    numbers = Recording(US)
    psoriasis_us.derive(numbers, shipped().cells)
    assert set(US) - numbers.read == set()


def test_every_source_is_cited_and_every_assumption_says_why():
    table = psoriasis_us.PARAMETERS
    assert {p.source for p in table.values()} == set(table.sources)
    assert all(p.note for p in table.values() if p.status != "measured")
    assert all(p.status != "measured" for p in table.values() if "recalled" in p.note or p.source == "design2026")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"area.little": 0.9}, "four extents of psoriasis must sum to 1"),
        ({"area.scattered_from": 0.5}, "limits of the extents of psoriasis must rise"),
        ({"comorbidity.ibd.at_centre": 1.2}, "comorbidity.ibd.at_centre: a chance between 0 and 1"),
        ({"frequency.at_25": -1}, "must not be negative"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        psoriasis_us.derive({**US, **change}, shipped().cells)
