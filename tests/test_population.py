"""Twins against the published figures they were built from, against ones they were not, and against impossibility."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cutis.core.keys import root, stream
from cutis.population.psoriasis import ATTRIBUTES, PARAMETERS, RACES, derive
from cutis.population.sample import POPULATIONS, sample

from .recording import Recording

SOURCE = POPULATIONS["psoriasis_moderate_severe"]
KEY = stream(root(2026), "population")
NUMBERS = PARAMETERS.numbers()
N = 100_000


def draw(ids, key=KEY) -> pd.DataFrame:
    return pd.DataFrame({name: np.asarray(column) for name, column in sample(SOURCE, key, jnp.asarray(ids)).items()})


@pytest.fixture(scope="module")
def twins() -> pd.DataFrame:
    return draw(range(N))


def spearman(frame: pd.DataFrame, a: str, b: str) -> float:
    return float(stats.spearmanr(frame[a], frame[b]).statistic)


def assert_share(yes: pd.Series, share: float) -> None:
    assert len(yes) > 400
    assert yes.mean() == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / len(yes)))


@pytest.mark.parametrize("name", ["age", "bmi", "duration"])
def test_means_and_standard_deviations_are_those_of_the_trial_arms(twins, name):
    x = twins[name]
    assert x.mean() == pytest.approx(NUMBERS[f"{name}.mean"], abs=4.5 * x.std() / np.sqrt(N))
    se_of_sd = x.std() * np.sqrt((stats.kurtosis(x, fisher=False) - 1) / (4 * N))
    assert x.std() == pytest.approx(NUMBERS[f"{name}.sd"], abs=4.5 * se_of_sd)


def test_severity_is_twelve_and_a_gamma_cut_at_the_end_of_the_scale(twins):
    whole = stats.gamma(1.12, scale=7.2)

    def cdf(pasi):
        return whole.cdf(np.asarray(pasi) - 12) / whole.cdf(60)

    # A p-value below 6.8e-6 has the surprise of 4.5 standard errors.
    assert stats.kstest(twins.severity, cdf).pvalue > 6.8e-6
    assert twins.severity.median() == pytest.approx(17.9, abs=0.1)  # the published arms imply 17.9


def test_ages_follow_a_normal_cut_at_eighteen_and_eighty(twins):
    (location, scale), ends = derive(NUMBERS)[:2]
    assert stats.kstest(twins.age, stats.truncnorm(*ends, loc=location, scale=scale).cdf).pvalue > 6.8e-6


@pytest.mark.parametrize("name", ["male", "prior_biologic", "psoriatic_arthritis"])
def test_shares_are_those_of_the_trial_arms(twins, name):
    assert_share(twins[name], NUMBERS[name])


def test_races_mix_in_proportion_to_their_weights(twins):
    weights = [NUMBERS[f"race.{race}"] for race in RACES]
    for level, weight in enumerate(weights):
        assert_share(twins.race == level, weight / sum(weights))


def test_carriers_of_hla_c0602_are_as_frequent_as_the_table_says_for_their_race(twins):
    for level, race in enumerate(RACES):
        assert_share(twins.hla_c0602[twins.race == level], NUMBERS[f"hla_c0602.{race}"])


@pytest.mark.parametrize(("sex", "male"), [("men", True), ("women", False)])
def test_smoking_has_the_odds_of_psoriasis_over_the_population_by_sex_and_age(twins, sex, male):
    for low, high in ((18, 30), (40, 50), (70, 80)):
        general = NUMBERS[f"smoking.general.{sex}.from_{low}"]
        odds = 1.72 * general / (1 - general)
        group = twins[(twins.male == male) & (twins.age >= low) & (twins.age < high)]
        assert_share(group.smoker, odds / (1 + odds))


@pytest.mark.parametrize(("sex", "male"), [("men", True), ("women", False)])
def test_heights_are_those_of_the_survey_by_sex_and_race(twins, sex, male):
    for level, race in enumerate(RACES):
        x = twins.height[(twins.male == male) & (twins.race == level)]
        mean, sd = NUMBERS[f"height.{sex}.{race}"], NUMBERS[f"height.{sex}.{race}:sd"]
        assert x.mean() == pytest.approx(mean, abs=4.5 * sd / np.sqrt(len(x)))
        assert x.std() == pytest.approx(sd, abs=4.5 * sd / np.sqrt(2 * len(x)))


def test_black_twins_are_mostly_of_types_five_and_six(twins):
    types = twins.fitzpatrick[twins.race == RACES.index("black")]
    assert_share(types >= 5, 0.6882)


@pytest.mark.parametrize("pair", ["age_duration", "age_severity", "bmi_severity", "age_bmi", "severity_duration"])
def test_rank_correlations_are_those_of_the_table(twins, pair):
    white = twins[twins.race == 0]  # the table's correlations with body mass index are within a race
    rho = NUMBERS[f"correlation.{pair}"]
    assert spearman(white, *pair.split("_")) == pytest.approx(rho, abs=4.5 * (1 + rho**2 / 2) / np.sqrt(len(white)))


def test_the_limit_on_onset_leaves_a_trace_between_body_mass_and_duration(twins):
    # The table's note says 0.03; it is given to two digits.
    assert spearman(twins, "bmi", "duration") == pytest.approx(0.03, abs=0.005 + 4.5 / np.sqrt(N))


def test_earlier_biologics_go_with_long_disease_as_the_table_says(twins):
    assert spearman(twins, "duration", "prior_biologic") == pytest.approx(0.18, abs=4.5 / np.sqrt(N))


def test_weight_is_that_of_the_trial_arms_although_it_was_not_fitted(twins):
    # 88.61 kg; arm means differ by 6.61 kg (SD) over 150 trials, so their mean has a standard error of 0.54 kg.
    assert twins.weight.mean() == pytest.approx(88.61, abs=4.5 * 6.61 / np.sqrt(150))
    # The arms' own standard deviations: mean 21.56, quartiles 19.9 and 23.1 kg.
    assert 19.9 < twins.weight.std() < 23.1


def test_asian_twins_weigh_what_east_asian_trials_report(twins):
    # Arm-weighted mean 71.9 kg; those of LOTUS, PEARL, SustaIMM and two of Ohtsuki et al. have means
    # from 68.5 to 75.1 kg.
    assert 68.5 < twins.weight[twins.race == RACES.index("asian")].mean() < 75.1


def test_weight_goes_with_sex_and_body_mass_as_in_individual_data(twins):
    # 0.30 and 0.87 in data simulated to resemble four trials (4,118 people), given to two digits: those trials' height
    # and its spread differ from the survey's, so agreement is asked for to 0.03.
    assert spearman(twins, "male", "weight") == pytest.approx(0.30, abs=0.03)
    assert spearman(twins, "bmi", "weight") == pytest.approx(0.87, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_impossible_people_never_occur(seed):
    twins = draw(range(N), stream(root(seed), "population"))
    assert not twins.isna().any().any()
    assert twins.age.between(18, 80).all()
    assert (twins.age - twins.duration).min() >= 1 - 1e-9
    assert twins.duration.min() >= 0.5 - 1e-9
    assert twins.bmi.between(15, 70).all()
    assert twins.severity.between(12, 72).all()
    assert twins.fitzpatrick.between(1, 6).all()
    assert twins.race.between(0, len(RACES) - 1).all()
    np.testing.assert_allclose(twins.weight, twins.bmi * (twins.height / 100) ** 2, rtol=1e-12)


def test_a_twin_is_the_same_to_the_bit_in_any_batch_of_one_size():
    ids = np.arange(100, 164)
    order = np.random.default_rng(0).permutation(64)
    neighbours = np.where(ids == 130, 130, ids + 5000)
    first, shuffled, others = draw(ids), draw(ids[order]), draw(neighbours)
    pd.testing.assert_frame_equal(first.iloc[order].reset_index(drop=True), shuffled, check_exact=True)
    pd.testing.assert_frame_equal(first[ids == 130], others[ids == 130], check_exact=True)


@pytest.mark.parametrize("size", [1, 64])
def test_a_twin_is_the_same_to_rounding_in_batches_of_other_sizes(twins, size):
    some, whole = draw(range(size)), twins[:size]
    disease, layer = list(ATTRIBUTES), [name for name in whole if name not in ATTRIBUTES]
    pd.testing.assert_frame_equal(some[disease], whole[disease], check_exact=False, rtol=1e-12, atol=1e-12)
    pd.testing.assert_frame_equal(
        some[layer], whole[layer], check_exact=False, rtol=1e-5, atol=1e-5
    )  # single precision


def test_one_twin_alone_is_the_twin_of_the_batch(twins):
    alone = jax.jit(SOURCE.twin)(KEY, jnp.asarray(61))
    for name, x in alone.items():
        assert x.shape == ()
        assert float(x) == pytest.approx(float(twins[name][61]), rel=1e-12 if name in ATTRIBUTES else 1e-5)


def test_another_key_is_other_people():
    assert (draw(range(64)).age != draw(range(64), stream(root(1), "population")).age).all()


def test_no_two_twins_are_alike(twins):
    assert twins.age.is_unique


def test_sampling_can_be_part_of_a_larger_compiled_function(twins):
    ages = jax.jit(lambda ids: sample(SOURCE, KEY, ids)["age"])(jnp.arange(50))
    np.testing.assert_allclose(ages, twins.age[:50], rtol=1e-12)


def test_a_twin_has_exactly_the_described_attributes(twins):
    assert set(twins) == set(SOURCE.attributes) > set(ATTRIBUTES)
    for name, attribute in SOURCE.attributes.items():
        assert attribute.name == name
        kind = {"b": "yes/no", "f": "number"}.get(twins[name].dtype.kind, "code")
        assert attribute.kind == kind or (kind == "code" and attribute.kind in ("category", "grade"))
        assert (attribute.levels is None) == (attribute.kind not in ("category", "grade"))


def test_every_number_of_the_table_is_used():
    numbers = Recording(NUMBERS)
    derive(numbers)
    assert set(NUMBERS) - numbers.read == set()


def test_every_source_is_cited_and_every_assumption_says_why():
    assert {p.source for p in PARAMETERS.values()} == set(PARAMETERS.sources)
    assert all(p.note for p in PARAMETERS.values() if p.status == "assumed")
    assert all(p.status == "assumed" for p in PARAMETERS.values() if p.source in ("design2026", "multinma"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age.sd": 60}, r"normal in \[18, 80\] with mean 45.12, SD 60"),
        ({"bmi.mean": 90}, r"log-normals in \[15, 70\] with mean 90"),
        ({"duration.mean": 60}, "durations of mean 60 and SD 12"),
        ({"correlation.duration_prior_biologic": 0.95}, "rank correlation with duration is 0.95"),
        ({"correlation.age_bmi": 0.95, "correlation.bmi_severity": 0.95}, "exclude each other: .*age-bmi 0.95"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        derive({**NUMBERS, **change})
