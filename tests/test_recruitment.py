"""Who is let in besides the protocol's criteria: a match to a published table, quotas, regions and sites."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.population.baselines.tables import BASELINES
from cutis.population.sample import POPULATIONS
from cutis.trials import places, recruitment
from cutis.trials.checks import problems
from cutis.trials.conduct import parameters_of, screening, twins_of
from cutis.trials.enrol import allocate, enrol
from cutis.trials.errors import BadInput
from cutis.trials.study import Recruitment, Study

from .studies import study

PSORIASIS = DISEASES["psoriasis"]
SOURCE = POPULATIONS["psoriasis_moderate_severe"]
ASIA = {"share": 0.2, "sites": 8, "only": {"race": {"one_of": ["asian"]}}}
REGIONS = {
    "regions": {"north_america": {"share": 0.5, "sites": 20}, "europe": {"share": 0.3, "sites": 12}, "asia": ASIA}
}

# Of the shipped study before there was any selection: its fingerprint, and the arms of its first twins by their strata.
PRINT = "dbd73da99f6942289ace6da13b1b46cd36782bc7b7e4dd0e456dc7e4208ceaf4"
STRATA = "21203221210220103023200003000212022322021222302010"
ARMS = "00212211000100111212221020021021122101112201000202"


def plan(size=600, seed=1, **population):
    shipped = study(size=size, seed=seed).model_dump(exclude_defaults=True)
    shipped["population"] = {"source": SOURCE.name, "size": size} | population
    return Study.model_validate(shipped)


def enrolled(size=600, **population):
    return enrol(plan(size, **population), PSORIASIS, root(1))


def column(people, name):
    """An attribute of those who entered."""
    return np.asarray(twins_of(SOURCE.name, root(1), people.ids)[name])


def test_a_study_without_selection_enrols_the_first_who_are_eligible():
    """Screened and judged again by hand, one candidate after the other."""
    shipped, key, many = study(size=600, seed=20261121), root(20261121), np.arange(1024)
    theta = parameters_of(PSORIASIS)
    twins, measured = jax.tree.map(np.asarray, screening("psoriasis", SOURCE.name)(key, jnp.asarray(many), theta))
    failed = {
        "age": twins["age"] < 18,
        "pasi": measured["pasi"] < 12,
        "bsa": measured["bsa"] < 10,
        "iga": measured["iga"] < 3,
    }
    assert list(failed) == list(shipped.trial.eligibility)
    fine = np.flatnonzero(~np.any(list(failed.values()), axis=0))[:600]
    first = np.array(list(failed))[np.argmax(list(failed.values()), axis=0)]
    turned_away = np.setdiff1d(np.arange(fine[-1] + 1), fine)
    strata = 2 * (twins["weight"] > 90) + twins["prior_biologic"]
    people = enrol(shipped, PSORIASIS, key)
    np.testing.assert_array_equal(people.ids, fine)
    np.testing.assert_array_equal(people.strata, strata[fine])
    np.testing.assert_array_equal(people.arms, allocate(shipped, key, strata[fine]))
    assert people.screened == fine[-1] + 1
    assert people.excluded == {name: int((first[turned_away] == name).sum()) for name in failed}
    assert (people.added, people.account) == ({}, {})


def test_arms_go_by_stratum_as_they_always_did():
    arms = allocate(study(size=990, seed=20261121), root(20261121), np.array(list(map(int, STRATA))))
    assert "".join(map(str, arms)) == ARMS


def test_new_options_leave_the_fingerprint_of_a_study_without_them_alone():
    assert study(size=990, seed=20261121).fingerprint() == PRINT
    assert plan(990, seed=20261121, quotas={}, match=None, target={}, recruitment=None).fingerprint() == PRINT
    assert plan(990, seed=20261121, quotas={"race": {"black": 0.3}}).fingerprint() != PRINT


def test_quotas_are_met_to_the_twin_and_the_flow_adds_up():
    people = enrolled(quotas={"fitzpatrick": {"5": 0.2, "6": 0.15}})
    types = column(people, "fitzpatrick")
    assert ((types == 5).sum(), (types == 6).sum()) == (120, 90)
    assert len(np.unique(people.ids)) == 600
    assert people.excluded["quota full"] > 0
    assert people.screened == people.ids[-1] + 1 == 600 + sum(people.excluded.values())


def test_those_without_a_quota_keep_their_proportions_and_weights_lead_back():
    people, free = enrolled(20_000, quotas={"race": {"black": 0.4}}), enrolled(20_000)
    race, natural = (np.bincount(column(p, "race"), minlength=4) for p in (people, free))
    assert race[1] == 8000
    assert stats.chi2_contingency([race[[0, 2, 3]], natural[[0, 2, 3]]]).pvalue > 6.8e-6
    weights = people.added["design_weight"].values
    assert weights.mean() == pytest.approx(1)
    for name in ("fitzpatrick", "weight", "male", "hla_c0602"):  # moved by the quota, and brought back
        weighted, plain = column(people, name).astype(float), column(free, name).astype(float)
        mean = np.average(weighted, weights=weights)
        se = plain.std() * np.sqrt(1 / len(plain) + np.mean(weights**2) / len(weighted) + 1 / 65_536)
        assert mean == pytest.approx(plain.mean(), abs=4.5 * se), name
    assert column(people, "fitzpatrick").mean() > column(free, "fitzpatrick").mean() + 0.5
    assert people.account["effective_size"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), abs=0.1)


def test_several_quotas_hold_at_once_to_the_rounding_of_their_cells():
    wanted = {
        "fitzpatrick": {"5": 0.2, "6": 0.2},
        "race": {"black": 0.3},
        "male": {"true": 0.5},
        "age": {"18 to 39": 0.4},
    }
    people = enrolled(quotas=wanted)
    assert (column(people, "fitzpatrick") == 6).sum() == pytest.approx(120, abs=4)
    assert (column(people, "race") == 1).sum() == pytest.approx(180, abs=4)
    assert column(people, "male").sum() == pytest.approx(300, abs=4)
    assert (column(people, "age") < 40).sum() == pytest.approx(240, abs=4)


def test_regions_have_their_shares_and_their_own_people():
    people = enrolled(recruitment=REGIONS)
    region, race = people.added["region"].values, column(people, "race")
    np.testing.assert_array_equal(np.bincount(region), [300, 180, 120])
    assert (race[region == 2] == SOURCE.attributes["race"].levels.index("asian")).all()
    assert 0.7 < (race[region == 0] == 0).mean() < 0.95  # not the population without its Asian people
    site = people.added["site"]
    home = np.array([name.rsplit("_", 1)[0] for name in site.levels])[site.values]
    np.testing.assert_array_equal(home, np.array(people.added["region"].levels)[region])
    assert len(site.levels) == 40
    assert "design_weight" not in people.added


def test_regions_fill_at_the_same_time():
    """A region that takes a tenth of the people is offered ten times as many."""
    people = enrolled(recruitment=REGIONS)
    last = [people.ids[people.added["region"].values == r].max() for r in range(3)]
    assert min(last) > 0.7 * max(last)


def test_sites_recruit_as_a_poisson_gamma_process():
    """Numbers of a region's sites are Dirichlet-multinomial: variance against that of equal sites."""
    plan_ = Recruitment.model_validate({"regions": {"here": {"share": 1, "sites": 50}}})
    ids, shape, sites, n = np.arange(1000), recruitment.TABLE.value("sites.shape"), 50, 1000
    spread = []
    for seed in range(60):
        found = recruitment.sites(root(seed), plan_, ids, np.zeros(n, dtype=int))
        spread.append(np.bincount(found.values, minlength=sites).var(ddof=0))
    share = 1 / sites
    whole = n * share * (1 - share) * (n + sites * shape) / (1 + sites * shape)
    assert np.mean(spread) == pytest.approx(whole, abs=4.5 * np.std(spread) / np.sqrt(len(spread)))
    assert np.mean(spread) > 5 * n * share


def test_a_twin_has_the_same_region_and_site_in_any_batch():
    ids = np.arange(5000)
    chance = np.array([0.2, 0.5, 0.3])
    whole = recruitment.belongs(root(3), ids, chance)
    np.testing.assert_array_equal(whole[4321:], recruitment.belongs(root(3), ids[4321:], chance))
    assert np.bincount(whole) / 5000 == pytest.approx(chance, abs=4.5 * 0.5 / np.sqrt(5000))


def test_a_matched_trial_has_the_baseline_of_the_table():
    people = enrolled(8000, match="psoriasis/erasure")
    assert len(np.unique(people.ids)) == 8000
    means = {row.attribute: row for row in BASELINES["psoriasis/erasure"].rows if row.kind in ("mean", "share")}
    assert {"age", "weight", "male", "severity", "prior_biologic"} <= set(means)
    for name, row in means.items():
        values = column(people, name).astype(float)
        assert values.mean() == pytest.approx(row.value, abs=4.5 * values.std() * np.sqrt(1 / 8000 + 1 / 65_536)), name
    account = people.account["match"]
    assert len(account["rows"]) == len(BASELINES["psoriasis/erasure"].rows)
    entered = 8000 / (8000 + people.excluded["turned away to match the table"])
    assert entered == pytest.approx(account["acceptance_rate"], rel=0.05)


def test_enrolment_with_everything_is_the_same_twice():
    asked = {"quotas": {"fitzpatrick": {"6": 0.1}}, "recruitment": REGIONS}
    one, two = enrolled(**asked), enrolled(**asked)
    np.testing.assert_array_equal(one.ids, two.ids)
    np.testing.assert_array_equal(one.added["site"].values, two.added["site"].values)


def test_raking_gives_the_nearest_mix_with_the_margins():
    seed = np.array([[0.5, 0.1], [0.2, 0.2]])
    found = places.rake(seed, [np.array([0.5, 0.5]), np.array([0.4, 0.6])])
    np.testing.assert_allclose(found.sum(axis=1), [0.5, 0.5])
    np.testing.assert_allclose(found.sum(axis=0), [0.4, 0.6])
    odds = found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0])
    assert odds == pytest.approx(seed[0, 0] * seed[1, 1] / (seed[0, 1] * seed[1, 0]))  # dependence is kept
    with pytest.raises(ValueError, match="no mix"):
        places.rake(np.array([[0.9, 0.0], [0.0, 0.1]]), [np.array([0.5, 0.5]), np.array([0.4, 0.6])])


def test_places_are_whole_and_sum_to_the_size():
    for total in (1, 7, 100, 991):
        found = places.whole_numbers(np.array([0.2, 0.3, 0.05, 0.45]), total)
        assert found.sum() == total
        assert np.abs(found - total * np.array([0.2, 0.3, 0.05, 0.45])).max() < 1


def test_each_cell_is_filled_with_its_first_candidates():
    cells = np.array([1, 0, 1, 1, 0, 0])
    may = np.array([True, True, False, True, True, True])
    assert places.fill(cells, may, np.array([2, 1])).tolist() == [0, 1, 4]
    assert places.fill(cells, may, np.array([0, 5])).tolist() == [0, 3]


WRONG = [
    ({"quotas": {"races": {"black": 0.2}}}, "population.quotas.races: no such attribute; did you mean 'race'?"),
    ({"quotas": {"race": {"blck": 0.2}}}, "population.quotas.race: no level 'blck'; did you mean 'black'?"),
    ({"quotas": {"weight": {"90": 0.2}}}, "population.quotas.weight: weight is a number without levels"),
    ({"quotas": {"male": {"yes": 0.2, "no": 0.3}}}, "population.quotas.male: the shares of all levels sum to 0.5"),
    ({"target": {"race": {"martian": 0.2}}}, "population.target.race: no level 'martian'"),
    ({"match": "acne/safa"}, "population.match: acne/safa is no table of psoriasis; see `cutis list baselines`"),
    ({"match": "psoriasis/erazure"}, "population.match: no baseline table 'psoriasis/erazure'; did you mean"),
    (
        {"recruitment": {"regions": {"here": {"share": 1, "sites": 1, "only": {"rce": {"one_of": ["asian"]}}}}}},
        "population.recruitment.regions.here.only.rce: no such attribute or measurement; did you mean 'race'?",
    ),
    (
        {"recruitment": {"regions": {"here": {"share": 1, "sites": 1, "only": {"race": {"one_of": ["blue"]}}}}}},
        "population.recruitment.regions.here.only.race: one_of has 'blue'",
    ),
]


@pytest.mark.parametrize(("population", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_a_word_that_means_nothing_is_named_before_any_work(population, message):
    assert any(line.startswith(message) for line in problems(plan(**population))), problems(plan(**population))


REFUSED = [
    ({"quotas": {"race": {"black": 0.7, "white": 0.5}}}, "the shares sum to 1.2, more than 1"),
    ({"quotas": {"race": {"black": -0.1}}}, "greater than or equal to 0"),
    ({"quotas": {"race": {}}}, "at least 1 item"),
    ({"recruitment": {"regions": {"a": {"share": 0.5, "sites": 2}}}}, "the regions sum to 0.5; they must sum to 1"),
    ({"recruitment": {"regions": {"a": {"share": 1, "sites": 0}}}}, "greater than or equal to 1"),
    ({"recruitment": {"regions": {}}}, "at least 1 item"),
    ({"match": "a/b", "quotas": {"race": {"black": 0.5}}}, "'match' and 'quotas' both fix the mix"),
    ({"match": "a/b", "recruitment": {"regions": {"a": ASIA | {"share": 1}}}}, "recruitment.regions.a.only both fix"),
    ({"match": "../etc"}, "should match pattern"),
]


@pytest.mark.parametrize(("population", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_a_population_that_contradicts_itself_is_refused(population, message):
    with pytest.raises(ValidationError, match=message.replace("'", ".")):
        plan(**population)


IMPOSSIBLE = [
    (
        {"quotas": {"race": {"black": 0.9}, "fitzpatrick": {"1": 0.9}}},
        {},
        r"people with race black, fitzpatrick 1 are so rare that [\d,]+ eligible candidates",
    ),
    (
        {"quotas": {"race": {"black": 0.5}}},
        {"race": {"one_of": ["white"]}},
        r"quotas.race: 'black' is to be 0.5 of those randomised, but none of the eligible",
    ),
    (
        {"quotas": {"race": {"black": 0.5}}},
        {"race": {"one_of": ["black"]}},
        r"quotas.race: 'everyone else' is to be 0.5 of those randomised, but none",
    ),
    (
        {"quotas": {"race": {"white": 0.6}}, "recruitment": {"regions": {"a": ASIA | {"share": 1}}}},
        {},
        r"quotas.race: 'white' is to be 0.6",
    ),
    (
        {
            "quotas": {"race": {"white": 0.6}},
            "recruitment": {"regions": {"a": ASIA | {"share": 0.5}, "b": {"share": 0.5, "sites": 1}}},
        },
        {},
        r"the shares of race and the regions cannot hold at once",
    ),
    (
        {"recruitment": {"regions": {"a": {"share": 1, "sites": 1, "only": {"age": {"min": 79.99}}}}}},
        {},
        r"regions.a.only: .*% of the eligible candidates meet it \(age\)",
    ),
    ({"match": "psoriasis/erasure"}, {"age": {"min": 60}}, r"population.match: .*age mean 45"),
]


@pytest.mark.parametrize(("population", "eligibility", "message"), IMPOSSIBLE, ids=[m[:50] for *_, m in IMPOSSIBLE])
def test_what_the_population_cannot_give_is_refused_with_the_reason(population, eligibility, message):
    asked = plan(**population).model_dump(exclude_defaults=True)
    asked["trial"]["eligibility"] = eligibility
    with pytest.raises(BadInput, match=message):
        enrol(Study.model_validate(asked), PSORIASIS, root(1))


def test_places_that_nobody_comes_for_end_the_search(monkeypatch):
    monkeypatch.setattr("cutis.trials.enrol.PATIENCE", 8192)
    monkeypatch.setattr("cutis.trials.selection.Selection.gates", lambda self, ids, columns: {"nobody": ids < 100})
    with pytest.raises(BadInput, match=r"places are still empty after [\d,]+ candidates"):
        enrolled(quotas={"race": {"black": 0.3}})
