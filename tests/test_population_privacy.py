"""Privacy tests: their arithmetic against other libraries, and whether they tell what memorises from what does not."""

from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cutis.population.fitting.data import Data, halves
from cutis.population.privacy import chance, guesses
from cutis.population.privacy.assess import Privacy, assess, refuse
from cutis.population.privacy.records import codes, gather, step
from cutis.population.privacy.settings import PARAMETERS, settings
from cutis.population.privacy.space import nearest, place, rank, squared

# Fewer attacks and rearrangements than a fit makes: the memory planted here is plain.
QUICK = settings()._replace(people=2500, attacks=1000, rearrangements=300, secrets=2)
SECRETS = ("age", "race")
MISSING = 0.03


def people(count, seed, *, first=0, units=80):
    """Two mixed kinds of people: seven numbers as they are measured, three categories; units that differ a little."""
    truth, rng = np.random.default_rng(1), np.random.default_rng(seed)
    factors, centres = truth.normal(size=(2, 7, 7)) / 2.5, np.array([np.zeros(7), np.ones(7)])
    unit, kind = rng.integers(units, size=count), (rng.random(count) < 0.3).astype(int)
    z = np.einsum("nij,nj->ni", factors[kind], rng.normal(size=(count, 7))) + centres[kind]
    z += 0.3 * rng.normal(size=(count, 7)) + 0.1 * rng.normal(size=(units, 7))[unit]
    numbers = {
        "age": np.round(45 + 13 * z[:, 0]),
        "weight": np.round(80 + 15 * z[:, 1], 1),
        "height": np.round(170 + 9 * z[:, 2], 1),
        "crp": np.exp(z[:, 3]),
        "cholesterol": np.round(190 + 40 * z[:, 4]),
        "albumin": np.round(4.3 + 0.3 * z[:, 5], 1),
        "cotinine": np.exp(2 * z[:, 6]),
    }
    numbers["crp"][rng.random(count) < MISSING] = np.nan
    categories = {
        "male": (rng.random(count) < 0.5).astype(int),
        "race": np.digitize(z[:, 0] + rng.normal(size=count), [0, 1, 1.5]),
        "smoking": np.digitize(z[:, 1] + rng.normal(size=count), [0.5, 1.2]),
    }
    levels = {"male": ("no", "yes"), "race": tuple("abcd"), "smoking": ("never", "former", "current")}
    units_of = dict.fromkeys(numbers, "1")
    return Data(numbers, categories, levels, units_of, np.ones(count), unit + first, unit // 4)


def bootstrap(data, rng, *, noise=0.0):
    """A model that repeats its people, the heavier ones more often, its numbers blurred by a share of their SD."""
    weights = rng.lognormal(0, 0.5, data.size)
    twins = data.take(rng.choice(data.size, 2 * data.size, p=weights / weights.sum()))
    blurred = {n: v + noise * np.nanstd(v) * rng.normal(size=twins.size) for n, v in twins.numbers.items()}
    return twins._replace(numbers=blurred)


@cache
def divided(seed=0):
    return halves(people(4000, seed), seed)


def assessed(twins, seed=0, **options):
    train, control = divided()
    return assess(train, control, twins, seed, secrets=SECRETS, how=QUICK, **options)


def risks(privacy):
    return {risk.name: risk for risk in privacy.risks}


@pytest.mark.parametrize(("successes", "attempts"), [(0, 50), (1, 2000), (700, 2000), (50, 50)])
def test_limits_of_a_rate_are_wilsons(successes, attempts):
    found = chance.wilson(successes, attempts, 0.95)
    expected = proportion_confint(successes, attempts, method="wilson")
    assert found[1:] == pytest.approx(expected, abs=1e-12)
    assert found.value == pytest.approx(np.mean(expected))


def test_the_residual_risk_is_the_share_of_those_whom_the_attack_on_others_misses():
    attack, control = chance.wilson(600_000, 1_000_000, 0.95), chance.wilson(200_000, 1_000_000, 0.95)
    assert chance.residual(attack, control).value == pytest.approx(0.5, abs=1e-4)
    assert chance.plain_residual(0.6, 0.2) == pytest.approx(0.5)
    assert chance.plain_residual(1.0, 1.0) == 0


def test_limits_of_the_residual_risk_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    truth, n, times = (0.4 - 0.3) / (1 - 0.3), 800, 2000
    inside = 0
    for a, b in rng.binomial(n, (0.4, 0.3), (times, 2)):
        found = chance.residual(chance.wilson(a, n, 0.95), chance.wilson(b, n, 0.95))
        inside += found.low <= truth <= found.high
    assert inside / times == pytest.approx(0.95, abs=4.5 * np.sqrt(0.95 * 0.05 / times))


@pytest.mark.parametrize("decimals", [0, 3])
def test_the_area_under_the_curve_agrees_with_scikit_learn_with_and_without_ties(decimals):
    rng = np.random.default_rng(2)
    member = rng.random(500) < 0.4
    score = np.round(rng.normal(size=500) + 0.5 * member, decimals)
    assert chance.ranked_area(stats.rankdata(score), member) == pytest.approx(roc_auc_score(member, score), abs=1e-12)


def test_rearrangements_move_whole_units_and_keep_the_strata_balanced():
    rng = np.random.default_rng(3)
    unit = rng.integers(40, size=2000)
    member = unit % 2 == 0
    others = chance.rearranged(member, unit, unit // 4, times=300, fewest=200, rng=rng)
    sides = np.stack([others[:, unit == u][:, 0] for u in range(40)], axis=1)
    for u in range(40):
        assert np.all(others[:, unit == u] == sides[:, [u]])
    assert np.all(sides.reshape(300, 10, 4).sum(axis=2) == 2)
    share = sides.mean(axis=0)
    assert np.all(np.abs(share - 0.5) < 4.5 * np.sqrt(0.25 / 300))


def test_units_of_strata_with_one_side_only_are_rearranged_among_themselves():
    unit = np.arange(200)
    others = chance.rearranged(unit % 2 == 0, unit, unit, times=50, fewest=200, rng=np.random.default_rng(0))
    assert np.all(others.sum(axis=1) == 100)
    assert np.any(others[0] != others[1])


def test_people_of_one_unit_on_both_sides_are_refused():
    train, control = divided()
    mixed = control._replace(clusters=np.resize(train.clusters, control.size))
    with pytest.raises(ValueError, match="both in the fit and held out; divide by whole units"):
        assess(train, mixed, train, 0, how=QUICK)


def test_too_few_sampling_units_are_refused():
    train, control = halves(people(400, 0, units=6)._replace(strata=np.zeros(400)), 0)
    with pytest.raises(ValueError, match=r"6 sampling units .* in only 20 ways; .* fewer than 200"):
        assess(train, control, train, 0, how=QUICK)


def test_fewer_twins_than_people_are_refused():
    train, control = divided()
    with pytest.raises(ValueError, match=r"100 twins for \d+ people of the fit; draw at least as many"):
        assess(train, control, train.take(np.arange(100)), 0)


def test_an_empty_group_is_refused():
    train, control = divided()
    with pytest.raises(ValueError, match="one group is empty"):
        assess(train, control.take(np.arange(0)), train, 0)


def test_an_unknown_secret_is_refused():
    train, control = divided()
    with pytest.raises(ValueError, match="no attribute shoe_size; there are age, weight"):
        assess(train, control, train, 0, secrets=["age", "shoe_size"], how=QUICK)


def test_different_levels_are_refused():
    train, control = divided()
    twins = train._replace(levels={**train.levels, "race": tuple("dcba")})
    with pytest.raises(ValueError, match="race has different levels"):
        assess(train, control, twins, 0)


def test_twins_with_nothing_in_common_are_refused():
    train, control = divided()
    with pytest.raises(ValueError, match="fewer than two attributes in common"):
        assess(train, control, train._replace(numbers={}, categories={}), 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([50.0, 61, 70]), 1.0),
        (np.array([171.3, 160.0, np.nan, 150.2]), 0.1),
        (np.array([171.3, 160.0, 150.2], dtype=np.float32), 0.1),
        (np.array([1e-9, 2e-9, 3.5e-9]), 0.001 * np.std([1e-9, 2e-9, 3.5e-9])),
        (np.array([0.0, 1.0, 0.0, 0.0]), 0.1),  # never coarser than the spread
        (np.array([2.5, 2.5]), 2.5),
    ],
)
def test_the_step_of_a_number_is_that_of_its_decimals(values, expected):
    assert step(values, 0.001) == pytest.approx(expected)


def test_distances_agree_with_scipy_where_all_is_known():
    data = people(300, 5)
    data = data._replace(numbers={n: np.nan_to_num(v, nan=1.0) for n, v in data.numbers.items()})
    a, b = place(data, data.take(np.arange(100)))
    expected = cdist(a.at, b.at)
    np.testing.assert_allclose(np.sqrt(squared(a, b)), expected, atol=1e-6)
    far, where = nearest(b, a, 3)
    np.testing.assert_allclose(np.sort(far, axis=1), np.sort(expected.T, axis=1)[:, :3], atol=1e-6)
    assert np.all((where == np.arange(100)[:, None]).any(axis=1))


def test_a_category_that_differs_counts_one():
    data = people(200, 6)
    races = place(data, data)[0].only(["race"])
    expected = data.categories["race"][:, None] != data.categories["race"]
    np.testing.assert_allclose(squared(races, races), expected, atol=1e-9)


def test_what_is_missing_counts_as_the_average_between_two_people():
    data = people(400, 7)
    crp = place(data, data)[0].only(["crp"])
    lacks = np.isnan(data.numbers["crp"])
    assert lacks.any()
    between = squared(crp, crp)
    known = between[~lacks][:, ~lacks]
    assert between[lacks] == pytest.approx(np.full((lacks.sum(), 400), known.mean()))


def test_ranks_are_shares_of_people_below():
    values = np.array([1.0, 2, 2, 5, np.nan])
    np.testing.assert_allclose(rank(values, values), [0.125, 0.5, 0.5, 0.875, np.nan])


def gathered(twins=None):
    train, control = divided()
    return gather(
        train, control, train if twins is None else twins, people=500, attacks=100, resolution=0.001,
        rng=np.random.default_rng(0),
    )  # fmt: skip


def test_groups_are_sampled_to_equal_size_and_attacked_alike():
    found = gathered()
    assert found.member.sum() == 500
    assert len(found.member) == 1000
    assert found.member[found.attacked].sum() == 100
    assert len(found.attacked) == 200
    train, _ = divided()
    assert np.all(np.isin(found.people.clusters[found.member], train.clusters))


def test_a_univariate_guess_is_right_where_one_person_has_what_one_twin_has():
    found = gathered()
    made = guesses.univariate(found, 10**6, np.random.default_rng(0))
    people_codes, twin_codes = (codes(d, found.steps) for d in (found.people, found.twins))
    twin_codes = np.unique(twin_codes, axis=0)
    expected = 0
    for j in range(twin_codes.shape[1]):
        known = twin_codes[twin_codes[:, j] > np.iinfo(np.int64).min, j]
        _, counts = np.unique(known, return_counts=True)
        expected += np.sum(counts == 1) + 2 * (j < len(found.people.numbers))
    assert len(made) == expected
    for guess in made[:: max(1, len(made) // 200)]:
        assert (
            any(len(np.unique(people_codes[guess, j])) <= 1 for j in range(people_codes.shape[1])) or len(guess) < 100
        )


def test_a_multivariate_guess_holds_one_twin_only():
    found = gathered(twins=divided()[0])
    made = guesses.multivariate(found, 50, tries=100, attributes=4, window=0.05, rng=np.random.default_rng(0))
    assert len(made) == 50
    # Twins are people of the fit here, so most of those who made a guess are found again, and few others.
    hit = np.concatenate(made)
    assert found.member[hit].mean() > 0.4
    assert all(len(guess) < 20 for guess in made)


@cache
def remembered(noise) -> Privacy:
    return assessed(bootstrap(divided()[0], np.random.default_rng(1), noise=noise))


def test_a_model_that_repeats_people_fails_every_test():
    found = risks(remembered(0.0))
    assert len(found) == 9
    assert {name for name, risk in found.items() if risk.passed} == set()
    assert found["exact_copies"].risk > 0.8
    assert found["membership"].risk > 0.7


def test_a_model_that_repeats_people_blurred_by_a_tenth_is_told_too():
    found = risks(remembered(0.1))
    assert found["exact_copies"].passed  # nobody is copied, so this test alone would not do
    for name in ("nearest_record", "membership", "close_distance", "linkability", "inference (age)"):
        assert not found[name].within_null
        assert not found[name].passed
    assert not found["singling_out (some values)"].within_null


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_model_that_memorises_is_not_exported(noise):
    with pytest.raises(ValueError, match="the model is not exported; its twins give away people") as refused:
        refuse(remembered(noise))
    message = str(refused.value)
    assert "membership: risk 0." in message
    assert "allowed 0.55" in message
    assert "fewer cells" in message


def test_a_few_copies_among_honest_twins_are_found():
    train, _ = divided()
    fresh = people(2 * train.size, 99, first=10_000, units=1000)
    copies = np.random.default_rng(0).integers(train.size, size=fresh.size // 20)
    mixed = fresh._replace(
        numbers={n: np.r_[train.numbers[n][copies], v[len(copies) :]] for n, v in fresh.numbers.items()},
        categories={n: np.r_[train.categories[n][copies], v[len(copies) :]] for n, v in fresh.categories.items()},
    )
    assert not risks(assessed(mixed))["exact_copies"].passed


def test_twins_drawn_afresh_from_the_truth_pass_for_at_least_nine_of_ten_seeds():
    passed = within = 0
    for seed in range(10):
        train, control = halves(people(4000, seed), seed)
        twins = people(2 * train.size, 100 + seed, first=10_000, units=1000)
        found = assess(train, control, twins, seed, secrets=SECRETS, how=QUICK)
        passed += found.passed
        within += found.within_null
    assert passed >= 9
    assert within >= 9


def test_tables_that_hold_what_people_alone_have_are_told():
    train, _ = divided()
    fresh = people(2 * train.size, 99, first=10_000, units=1000)
    names = ("weight", "crp")
    grid = {n: np.nanquantile(train.numbers[n], np.linspace(0.02, 0.98, 49)) for n in names}
    everyone = {n: train.numbers[n] for n in names}
    assert risks(assessed(fresh, stored=grid))["stored_values"].passed
    assert not risks(assessed(fresh, stored=everyone))["stored_values"].passed


def test_too_few_people_are_not_taken_for_a_model_that_memorises():
    train, control = halves(people(160, 3, units=40), 3)
    found = assess(train, control, people(500, 103, first=10_000), 0, secrets=["race"], how=QUICK)
    assert found.within_null
    with pytest.raises(ValueError, match=r"\d+ people and as many held out are too few to show"):
        refuse(found)


def test_a_model_that_passes_is_let_through_and_the_same_seed_gives_the_same_risks():
    train, control = divided()
    twins = people(2 * train.size, 99, first=10_000, units=1000)
    found = assessed(twins)
    refuse(found)
    assert found == assessed(twins)
    assert found.people == min(train.size, control.size)


def test_tests_that_cannot_be_made_are_named_with_the_reason():
    data = people(3000, 8)
    coarse = data._replace(
        numbers={"age": np.round(data.numbers["age"], -1)}, categories={"male": data.categories["male"]}
    )
    train, control = halves(coarse, 0)
    found = assess(train, control, train, 0, how=QUICK)
    assert "guesses, fewer than 100" in found.left_out["singling_out (a value)"]


def test_every_threshold_is_a_parameter_with_a_source():
    assert set(settings().threshold) == {name.removeprefix("threshold.") for name in PARAMETERS if "threshold." in name}
    assert all(PARAMETERS[name].source in PARAMETERS.sources for name in PARAMETERS)
