"""Acne on top of people in general: counts, grades, ages and histories against closed forms and published shares."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from cutis.core.keys import root, stream
from cutis.population import acne
from cutis.population.attributes import RACES
from cutis.population.general.model import shipped

from .recording import Recording

KEY = stream(root(2026), "population")
NUMBERS = acne.PARAMETERS.numbers()
N = 65_536


@cache
def drawn(twin):
    return jax.jit(jax.vmap(twin, in_axes=(None, 0)))


def draw(size=N, key=KEY) -> pd.DataFrame:
    return pd.DataFrame({name: np.asarray(x) for name, x in drawn(acne.twin)(key, jnp.arange(size)).items()})


@pytest.fixture(scope="module")
def twins() -> pd.DataFrame:
    return draw()


def assert_share(yes, share: float) -> None:
    assert len(yes) > 400
    assert np.mean(yes) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / len(yes)))


# Who has acne


def test_ages_and_sexes_are_those_of_trials(twins):
    # 363 participants had a mean age of 19.7 years and 54 % women; 117 others 18.2 years (SD 5.9) and 53 %.
    assert 18.2 < twins.age.mean() < 20.7
    assert 5 < twins.age.std() < 7
    assert 0.47 < 1 - twins.male.mean() < 0.58


def test_women_outnumber_men_among_adults_and_not_among_the_young(twins):
    assert twins.male[twins.age.between(15, 18)].mean() > 0.5
    assert twins.male[twins.age >= 25].mean() < 0.42


@pytest.fixture(scope="module")
def general() -> pd.DataFrame:
    """People in general, with the weight that the table gives each by age, sex and race."""
    people = pd.DataFrame({k: np.asarray(v) for k, v in drawn(acne.person)(KEY, jnp.arange(4 * N)).items()})
    heights = [
        np.interp(people.age, acne.AGES, [NUMBERS[f"frequency.{sex}.at_{age}"] for age in acne.AGES])
        for sex in acne.SEXES
    ]
    races = np.array([NUMBERS[f"race.{race}"] for race in RACES])
    enrolled = np.exp(-NUMBERS["enrolment.decay"] * np.maximum(people.age - NUMBERS["enrolment.full_to"], 0))
    weight = np.where(people.male, heights[1], heights[0]) * enrolled * races[people.race]
    return people.assign(weight=np.where(people.age < 45, weight, 0.0))


@pytest.mark.parametrize("name", ["male", "black", "asian", "smoker", "16 to 17", "18 to 24", "25 to 29", "obese"])
def test_cases_are_people_in_general_weighted_by_how_frequent_acne_is(twins, general, name):
    """Accepting and refusing people must do what weights do, which is another route to the same cases."""

    def has(people):
        tests = {
            "male": people.male,
            "black": people.race == 1,
            "asian": people.race == 4,
            "smoker": people.smoking == 2,
            "16 to 17": people.age.between(16.5, 17.5),
            "18 to 24": people.age.between(18, 24),
            "25 to 29": people.age.between(25, 29),
            "obese": people.bmi > 30,
        }
        return tests[name].astype(float)

    share = np.average(has(general), weights=general.weight)
    spread = np.sum(general.weight**2 * (has(general) - share) ** 2) / general.weight.sum() ** 2
    # Between whole years the curve of the twins is straight and the weights bend: half a per cent of a share at most.
    error = 4.5 * np.sqrt(spread + share * (1 - share) / N) + 0.005 * share
    assert has(twins).mean() == pytest.approx(share, abs=error)


# The face


@pytest.mark.parametrize(("name", "median", "sd", "low", "high"), [
    ("inflammatory", 30, 0.5, 10, 100), ("noninflammatory", 43, 0.55, 10, 150),
])  # fmt: skip
def test_counts_are_rounded_log_normals_within_their_ends(twins, name, median, sd, low, high):
    x = twins[name]
    assert (x == np.round(x)).all()
    assert x.between(low, high).all()
    edges = np.append(np.arange(low, high + 1) - 0.5, high + 0.5)
    mass = np.diff(stats.norm.cdf(np.log(edges / median) / sd))
    mass /= mass.sum()
    counts = np.arange(low, high + 1)
    mean = mass @ counts
    spread = np.sqrt(mass @ (counts - mean) ** 2)
    assert x.mean() == pytest.approx(mean, abs=4.5 * spread / np.sqrt(N))
    bins = np.array([low, low + 5, median, 1.5 * median, high + 1])
    expected = np.histogram(counts, bins, weights=mass)[0] * N
    assert stats.chisquare(np.histogram(x, bins)[0], expected).pvalue > 6.8e-6


def test_counts_go_together_as_the_table_says(twins):
    rho = 6 / np.pi * np.arcsin(NUMBERS["counts_correlation"] / 2)  # of ranks, for normal scores; ties are few
    got = stats.spearmanr(twins.inflammatory, twins.noninflammatory).statistic
    assert got == pytest.approx(rho, abs=4.5 / np.sqrt(N) + 0.002)


@pytest.mark.parametrize(
    ("inflammatory", "comedones"), [((28.1, 7.12), (41.1, 16.54)), ((42.5, 12), (61, 21.5))], ids=["mild", "severe"]
)
def test_baselines_of_trials_on_either_side_can_be_matched(twins, inflammatory, comedones):
    """Weights that tilt the twins to the published moments exist, and leave many twins."""
    x = twins[["inflammatory", "noninflammatory"]].to_numpy()
    wanted = np.array([inflammatory, comedones])
    features = np.hstack([x - wanted[:, 0], (x - wanted[:, 0]) ** 2 - wanted[:, 1] ** 2])
    features /= features.std(axis=0)
    tilt = np.zeros(4)
    for _ in range(60):  # Newton's method on the convex dual of entropy balancing
        w = np.exp(features @ tilt - (features @ tilt).max())
        w /= w.sum()
        miss = w @ features
        tilt -= 0.5 * np.linalg.solve((features * w[:, None]).T @ features - np.outer(miss, miss), miss)
    assert np.abs(miss).max() < 1e-4
    assert 1 / np.sum(w**2) > 0.2 * N


def test_nodules_are_few_and_follow_the_inflammatory_lesions(twins):
    mean = NUMBERS["nodules.share"] * twins.inflammatory
    variance = mean + mean**2 * np.expm1(NUMBERS["nodules.deviation"] ** 2)  # of a Poisson mixed with a log-normal
    z = (twins.nodules - mean).sum() / np.sqrt(variance.sum())
    assert abs(z) < 4.5
    assert (twins.nodules - mean).var() == pytest.approx(variance.mean(), rel=0.1)
    assert (twins.nodules == np.round(twins.nodules)).all()


def test_grades_follow_the_cuts(twins):
    x = np.log1p(twins.inflammatory) + 0.06 * np.log1p(twins.noninflammatory) + 0.5 * twins.nodules
    for grade in (3, 4):
        chance = special.expit((x - NUMBERS[f"iga.cut_{grade}"]) / NUMBERS["iga.scale"])
        z = ((twins.iga >= grade) - chance).sum() / np.sqrt((chance * (1 - chance)).sum())
        assert abs(z) < 4.5
    assert set(twins.iga) == {2, 3, 4}


def test_severe_acne_is_as_frequent_as_in_a_trial(twins):
    # 9.1 % of 1,614 participants with grade 3 or 4.
    entry = twins.inflammatory.between(20, 50) & twins.noninflammatory.between(25, 100) & (twins.nodules <= 2)
    enrolled = twins[entry & (twins.iga >= 3)]
    assert_share(enrolled.iga == 4, 0.091)


# The history


def test_onset_is_in_youth_or_late(twins):
    assert (twins.late_onset == (twins.onset >= 25)).all()
    # Onset before 25 is a normal cut at 8 years and at the present age; beyond 26 the age cuts nothing.
    for male, mean, share in ((False, 12.8, 0.184), (True, 13.8, 0.083)):
        group = twins[(twins.male == male) & (twins.age > 26)]
        young = group.onset[~group.late_onset]
        law = stats.truncnorm((8 - mean) / 2.2, (25 - mean) / 2.2, loc=mean, scale=2.2)
        assert stats.kstest(young, law.cdf).pvalue > 6.8e-6
        assert_share(group.late_onset, share)


def test_adult_acne_is_of_women_from_25(twins):
    assert (twins.adult_female == (~twins.male & (twins.age >= 25))).all()


def test_truncal_acne_and_family_history_have_the_published_shares(twins):
    assert_share(twins.truncal[twins.iga == 2], 0.46)
    assert_share(twins.truncal[twins.iga > 2], 0.60)
    assert_share(twins.family_history, 0.50)


def test_scars_are_as_frequent_as_among_patients_and_depend_as_the_table_says(twins):
    # 43 % of 1,972 people, so the figure itself has a standard error of 1.1 %.
    assert twins.scarring.mean() == pytest.approx(0.43, abs=0.011)
    names = ["duration", "iga", "male"]
    found = sm.Logit(twins.scarring.astype(float), sm.add_constant(twins[names].astype(float))).fit(disp=0)
    for name in names:
        assert found.params[name] == pytest.approx(NUMBERS[f"history.scarring.{name}"], abs=4.5 * found.bse[name])


@pytest.mark.parametrize("name", ["prior_topical", "prior_antibiotic", "scarring"])
def test_histories_are_longer_with_longer_and_worse_acne(twins, name):
    assert twins.duration[twins[name]].mean() > twins.duration[~twins[name]].mean()
    shares = twins.groupby("iga")[name].mean()
    assert shares.is_monotonic_increasing


@pytest.mark.parametrize("seed", range(2))
def test_impossible_people_never_occur(seed):
    twins = draw(key=stream(root(seed), "population"))
    assert not twins.isna().any().any()
    assert twins.age.between(12, 45, inclusive="left").all()
    assert twins.onset.min() >= 8
    assert twins.duration.min() >= 0.25 - 1e-9
    np.testing.assert_allclose(twins.onset + twins.duration, twins.age, rtol=1e-12)
    assert not (twins.late_onset & (twins.age < 25)).any()
    assert not (twins.adult_female & twins.male).any()


# The table


def test_a_twin_has_the_described_attributes_besides_those_of_people_in_general(twins):
    assert set(acne.ATTRIBUTES) <= set(twins)
    for name, attribute in acne.ATTRIBUTES.items():
        assert attribute.name == name
        assert attribute.kind == {"b": "yes/no", "f": "number", "i": "grade"}[twins[name].dtype.kind]
        assert (attribute.levels is None) == (attribute.kind != "grade")


def test_a_twin_does_not_depend_on_who_is_drawn_beside_them(twins):
    pd.testing.assert_frame_equal(draw(64), twins[:64], check_exact=False, rtol=1e-6)


def test_every_number_of_the_table_is_used():
    numbers = Recording(NUMBERS)
    acne.derive(numbers, shipped().cells)
    assert set(NUMBERS) - numbers.read == set()


def test_every_source_is_cited_and_every_assumption_says_why():
    table = acne.PARAMETERS
    assert {p.source for p in table.values()} == set(table.sources)
    assert all(p.note for p in table.values() if p.status != "measured")
    assert all(p.status != "measured" for p in table.values() if "recalled" in p.note or p.source == "design2026")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts_correlation": 1.0}, "counts_correlation: must lie between -1 and 1, not 1"),
        ({"inflammatory.low": 200}, "inflammatory: the fewest, 200, exceed the most, 100"),
        ({"history.scarring.at_centre": 0.0}, "history.scarring.at_centre: a chance between 0 and 1"),
        ({"frequency.men.at_17": -1}, "must not be negative"),
        ({f"race.{race}": 0.0 for race in RACES}, "nobody is of the ages and kinds"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        acne.derive({**NUMBERS, **change}, shipped().cells)
