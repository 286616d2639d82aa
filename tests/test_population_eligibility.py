"""Criteria against twins: ranges, lists, and every way in which a criterion can miss its column."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.population.eligibility import meets

LEVELS = {"race": ("white", "black", "asian", "other")}
COLUMNS = {
    "age": np.array([17.9, 18.0, 45.0, 80.0, np.nan]),
    "smoker": np.array([True, False, True, False, True]),
    "race": jnp.asarray([0, 1, 2, 3, 0]),
    "iga": np.array([2, 3, 4, 3, 1]),
}


class Rule(NamedTuple):
    min: float | None = None
    max: float | None = None
    one_of: tuple[str | int | bool, ...] | None = None


def mask(name, **rule):
    return meets({name: Rule(**rule)}, COLUMNS, LEVELS)[name].tolist()


def test_both_bounds_belong_to_the_range():
    assert mask("age", min=18, max=80) == [False, True, True, True, False]


def test_one_bound_is_enough():
    assert mask("iga", min=3) == [False, True, True, True, False]
    assert mask("age", max=45) == [True, True, True, False, False]


def test_a_missing_value_meets_nothing():
    assert not mask("age", min=0)[-1]
    assert not mask("age", one_of=(18,))[-1]


def test_categories_are_chosen_by_name():
    assert mask("race", one_of=("asian", "white")) == [True, False, True, False, True]


def test_yes_and_no_are_chosen_by_true_and_false():
    assert mask("smoker", one_of=(False,)) == [False, True, False, True, False]


def test_grades_are_chosen_by_number():
    assert mask("iga", one_of=(3, 4)) == [False, True, True, True, False]


def test_a_range_and_a_list_must_both_be_met():
    assert mask("iga", min=3, one_of=(1, 3)) == [False, True, False, True, False]


def test_each_criterion_has_its_own_mask():
    found = meets({"age": Rule(min=18), "smoker": Rule(one_of=(True,))}, COLUMNS, LEVELS)
    assert list(found) == ["age", "smoker"]
    assert (found["age"] & found["smoker"]).tolist() == [False, False, True, False, False]
    assert all(m.dtype == bool for m in found.values())


def test_no_criteria_give_no_masks():
    assert meets({}, COLUMNS, LEVELS) == {}


def test_an_unknown_column_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"eligibility.pasi: no such .* there are age, iga, race, smoker"):
        mask("pasi", min=12)


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("race", {"one_of": ("martian",)}, r"eligibility.race: one_of has 'martian'; the levels are white, black"),
        ("race", {"one_of": (0,)}, r"eligibility.race: one_of has 0; the levels are"),
        ("race", {"min": 1}, r"eligibility.race: min and max need a number, but race is a category"),
        ("smoker", {"max": 0}, r"eligibility.smoker: min and max need a number, but smoker is yes or no"),
        ("smoker", {"one_of": (1,)}, r"eligibility.smoker: one_of has 1; expected true or false"),
        ("smoker", {"one_of": ("no",)}, r"eligibility.smoker: one_of has 'no'; expected true or false"),
        ("iga", {"one_of": (True,)}, r"eligibility.iga: one_of has True; expected whole numbers"),
        ("iga", {"one_of": ("3",)}, r"eligibility.iga: one_of has '3'; expected whole numbers"),
    ],
)
def test_a_criterion_that_does_not_fit_its_column_is_refused(name, rule, message):
    with pytest.raises(ValueError, match=message):
        mask(name, **rule)
