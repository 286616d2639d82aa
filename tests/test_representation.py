"""Whom a trial speaks for: shares beside the target's, precision, what is outside the model's data, in words too."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.population.attributes import Attribute
from cutis.population.sample import POPULATIONS
from cutis.trials import representation
from cutis.trials.conduct import twins_of
from cutis.trials.levels import AGE_BANDS, levels, named, place, shares
from cutis.trials.report.participants import composition, sparse
from cutis.trials.study import Study

from .studies import study

PSORIASIS = DISEASES["psoriasis"]
SOURCE = POPULATIONS["psoriasis_moderate_severe"]
RACE = Attribute("race", "race, as reported", "1", "category", ("white", "black", "other_asian"))
AGE = Attribute("age", "age at baseline", "year", "number")
MALE = Attribute("male", "male sex", "1", "yes/no")
SKIN = Attribute("fitzpatrick", "Fitzpatrick skin type", "type", "grade", tuple("123456"))
KNOWN = {a.name: a for a in (AGE, MALE, RACE, SKIN)}


@dataclass(frozen=True)
class Told:
    """Evidence that names ranges."""

    ranges: dict


def test_people_are_grouped_by_level_and_age_band():
    assert place(AGE, np.array([17.99, 18, 39.9, 40, 64.9, 65, 75])).tolist() == [0, 1, 1, 2, 2, 3, 4]
    assert place(SKIN, np.array([1, 6, 3, 9])).tolist() == [0, 5, 2, -1]
    assert place(MALE, np.array([False, True])).tolist() == [0, 1]
    assert (levels(MALE), levels(AGE)) == (("no", "yes"), AGE_BANDS)
    assert levels(Attribute("weight", "body weight", "kg", "number")) == ()
    assert shares(RACE, np.array([0, 0, 0, 2])) == {"white": 0.75, "black": 0.0, "other_asian": 0.25}
    assert named({"true": 0.3}, MALE) == {"yes": 0.3}


def test_precision_is_that_of_wilsons_interval():
    for number in (1, 4, 30, 250):
        low, high = proportion_confint(number / 2, number, method="wilson")
        assert representation.precision(number) == pytest.approx((high - low) / 2)
    assert representation.precision(0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("number", "wanted", "off"),
    [(80, 0.1, False), (79, 0.1, True), (125, 0.1, False), (126, 0.1, True), (5, None, False)],
)
def test_a_share_far_from_the_targets_is_flagged(number, wanted, off):
    found = representation.member(number, 1000, wanted)
    assert found.off is off
    assert found.ratio == (None if wanted is None else pytest.approx(number / 1000 / wanted))


def test_a_group_that_the_target_lacks_has_no_ratio():
    assert representation.member(5, 10, 0.0).ratio is None
    assert representation.member(0, 0, 0.5).off is False
    assert (representation.member(29, 100, None).few, representation.member(30, 100, None).few) == (True, False)


def test_the_target_is_the_population_before_screening():
    found = representation.target(study(), PSORIASIS, SOURCE, root(1))
    race = np.asarray(twins_of(SOURCE.name, root(1), np.arange(65_536))["race"])
    assert found["shares"]["race"]["asian"] == pytest.approx((race == 2).mean(), abs=1e-12)
    assert sum(found["shares"]["age"].values()) == pytest.approx(1)
    assert found["given"] == []


def test_the_study_may_name_another_target():
    asked = study().model_dump(exclude_defaults=True)
    asked["population"] |= {"target": {"race": {"white": 0.6, "black": 0.13}, "male": {"true": 0.5, "false": 0.5}}}
    found = representation.target(Study.model_validate(asked), PSORIASIS, SOURCE, root(1))
    assert found["shares"]["race"] == {"white": 0.6, "black": 0.13}
    assert found["shares"]["male"] == {"yes": 0.5, "no": 0.5}
    assert found["given"] == ["race", "male"]
    assert sum(found["shares"]["fitzpatrick"].values()) == pytest.approx(1)


@pytest.fixture
def twins() -> pd.DataFrame:
    race = np.repeat(["white", "black", "other_asian"], [160, 25, 15])
    return pd.DataFrame({"age": np.linspace(20, 80, 200), "male": np.arange(200) % 2 == 0, "race": race})


def test_each_group_stands_beside_its_target(twins):
    told = {"basis": "everyone", "given": [], "shares": {"race": {"white": 0.6, "black": 0.3, "other_asian": 0.1}}}
    made_up = composition(KNOWN, twins, {"representation": told}, PSORIASIS)
    assert list(made_up.groups) == ["Sex", "Race", "Age, years"]
    black = made_up.groups["Race"][1]
    assert (black.number, black.share, black.target, black.ratio) == (25, "12.5\u202f%", "30.0\u202f%", "0.42")
    assert (black.few, black.off, black.precision) == (True, True, "±18")
    assert made_up.off == ["Race white (1.33)", "Race black (0.42)", "Race other asian (0.75)"]
    assert sparse(made_up) == ["Race black (25)", "Race other asian (15)", "Age, years 75 and above (17)"]
    assert made_up.groups["Age, years"][0].label == "18 to 39"  # nobody is or should be younger


def test_without_a_recorded_target_nothing_is_compared(twins):
    made_up = composition(KNOWN, twins, {}, PSORIASIS)
    assert (made_up.basis, made_up.off, made_up.effective, made_up.matched) == ("", [], "", [])
    assert {group.ratio for members in made_up.groups.values() for group in members} == {"\u2013"}


def test_design_weights_give_an_effective_number(twins):
    weights = np.where(twins.race == "white", 1.2, 0.2)
    made_up = composition(KNOWN, twins.assign(design_weight=weights), {}, PSORIASIS)
    assert made_up.effective == str(round(weights.sum() ** 2 / (weights**2).sum()))


def test_twins_outside_the_models_data_are_counted(twins):
    told = replace(PSORIASIS, evidence=Told({"age": (18, 65), "weight": (50, 90)}))
    assert representation.outside(told, KNOWN, twins) == {"age 18 to 65 year": int((twins.age > 65).sum())}
    said = composition(KNOWN, twins, {}, told).calibrated
    assert said.startswith("Outside the data that the response model was calibrated on: 50 (25.0")
    inside = composition(KNOWN, twins[twins.age < 60], {}, told).calibrated
    assert inside.startswith("All twins lie within the data")


def test_a_model_that_names_no_range_is_said_to_have_none(twins):
    assert representation.outside(PSORIASIS, KNOWN, twins) is None
    assert "names no range of people" in composition(KNOWN, twins, {}, PSORIASIS).calibrated


def test_match_quotas_and_regions_are_told_in_the_studys_order(twins):
    rows = [
        {
            "row": "age mean",
            "attribute": "age",
            "kind": "mean",
            "wanted": 45.06,
            "got": 44.9,
            "difference_in_sd": -0.012,
        },
        {
            "row": "race black",
            "attribute": "race",
            "kind": "share",
            "wanted": 0.1,
            "got": 0.125,
            "difference_in_sd": 0.08,
        },
    ]
    match = {"trial": "DAWN", "citation": "Doe 2020", "people": 1200, "read_in": "a paper", "acceptance_rate": 0.14}
    quota = {"attribute": "race", "level": "black", "wanted": 0.125, "places": 25, "without_quotas": 0.03}
    region = {"region": "south", "wanted": 0.6, "twins": 120, "sites": 9, "sites_with_twins": 8, "largest_site": 31}
    chosen = {"match": match | {"rows": rows, "left_out": ["bsa"]}, "quotas": [quota]}
    chosen["regions"] = [region, region | {"region": "north_east", "twins": 80}]
    made_up = composition(KNOWN, twins, {"recruitment": chosen}, PSORIASIS)
    assert made_up.matched[0] == ("Age at baseline, mean, years", "45.1", "44.9", "\u22120.012")
    assert made_up.matched[1][:3] == ("Race: black", "10.0\u202f%", "12.5\u202f%")
    assert "DAWN (Doe 2020), 1\u202f200 people." in made_up.table
    assert "does not tell bsa" in made_up.table
    assert made_up.quotas == [("Race: black", "12.5\u202f%", "25 (12.5\u202f%)", "3.0\u202f%")]
    assert [row[0] for row in made_up.regions] == ["South", "North east"]
