"""Figures for a statistician: comparisons within groups, Kaplan-Meier curves, tipping-point maps; what they show."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cutis.population.attributes import Attribute
from cutis.trials.designs.multiplicity import dunnett
from cutis.trials.report import curves, fairness, tipping
from cutis.trials.report.svg import Look, style
from cutis.trials.report.words import MINUS
from cutis.trials.statistics import subgroups
from cutis.trials.statistics.proportions import Contrast, newcombe
from cutis.trials.statistics.result import Result

ARMS = {
    "active": Look("active", "#0072B2", "#005F94", "o"),
    "placebo": Look("placebo", "#6b7480", "#56616d", "s"),
}
CONTRAST = Contrast("active", "placebo")


def table(n=40, seed=2):
    rng = np.random.default_rng(seed)
    arm = np.where(np.arange(n) % 2, "active", "placebo")
    value = (rng.random(n) < np.where(arm == "active", 0.7, 0.3)).astype(float)
    value[[3, 10]] = np.nan
    return pd.DataFrame({"twin": np.arange(100, 100 + n), "arm": arm, "value": value, "missing": np.isnan(value)})


def test_each_group_is_compared_by_itself():
    data = table()
    halves = {"Half": {"first": data["twin"].to_numpy()[:20], "second": data["twin"].to_numpy()[20:]}}
    first, second = subgroups.within(data, CONTRAST, True, halves)
    for one, rows in ((first, data[:20]), (second, data[20:])):
        seen = rows.dropna()
        counts = [int(v) for arm in ("active", "placebo") for v in seen[seen.arm == arm].value.agg(["sum", "count"])]
        expected = newcombe(*counts)
        assert (one.difference.estimate, one.difference.low, one.difference.high) == expected[:3]
        assert (one.difference.n, one.difference.n_comparator) == (counts[1], counts[3])
        assert one.difference.missing == int(rows.missing.sum())


def test_means_in_a_group_are_compared_as_welch_does():
    data = table().assign(value=np.random.default_rng(5).normal(size=40))
    (one,) = subgroups.within(data, CONTRAST, False, {"All": {"all": data["twin"].to_numpy()}})
    parts = [data.value[data.arm == arm] for arm in ("active", "placebo")]
    expected = stats.ttest_ind(*parts, equal_var=False)
    assert one.difference.p == pytest.approx(expected.pvalue, rel=1e-9)
    limits = expected.confidence_interval()
    assert (one.difference.low, one.difference.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


@pytest.mark.parametrize("responder", [True, False])
def test_a_group_without_an_arm_has_no_number_and_says_why(responder):
    data = table()
    alone = data["twin"].to_numpy()[(data.arm == "active").to_numpy()]
    (one,) = subgroups.within(data, CONTRAST, responder, {"Arm": {"active alone": alone}})
    assert math.isnan(one.difference.estimate)
    assert one.difference.note == "no twin of placebo has a value"


def test_weights_come_in_bands_of_which_each_twin_has_one():
    found = subgroups.bands(np.array([69.9, 70.0, 110.0, np.nan]), (70.0, 90.0, 110.0), "kg")
    assert list(found) == ["under 70 kg", "70 to under 90 kg", "90 to under 110 kg", "110 kg and above"]
    assert np.stack(list(found.values())).sum(axis=0).tolist() == [1, 1, 1, 0]


def test_groups_are_those_that_the_twins_have():
    attributes = {
        "male": Attribute("male", "sex", "", "yes/no"),
        "weight": Attribute("weight", "body weight", "kg", "number"),
        "prior_biologic": Attribute("prior_biologic", "an earlier biologic", "", "yes/no"),
        "height": Attribute("height", "height", "cm", "number"),
    }
    twins = pd.DataFrame({
        "twin": [5, 6, 7], "male": [True, False, True], "weight": [60.0, 80.0, 85.0], "prior_biologic": [False] * 3,
    })  # fmt: skip
    found = subgroups.groups(attributes, twins)
    found = {factor: {level: twins["twin"].to_numpy()[mask] for level, mask in levels.items()}
             for factor, levels in found.items()}  # fmt: skip
    assert {factor: {k: v.tolist() for k, v in levels.items()} for factor, levels in found.items()} == {
        "Sex": {"men": [5, 7], "women": [6]},
        # A group that nobody is in is told; treatment before, which divides nobody, is not.
        "Weight": {"under 70 kg": [5], "70 to under 90 kg": [6, 7], "90 to under 110 kg": [], "110 kg and above": []},
    }


def test_levels_stored_as_numbers_or_as_names_are_the_same_groups():
    skin = Attribute("fitzpatrick", "Fitzpatrick skin type", "type", "grade", tuple("123456"))
    numbers, names = (
        subgroups.groups({"fitzpatrick": skin}, pd.DataFrame({"fitzpatrick": pd.Series(column)}))
        for column in ([1, 6, 1], pd.Categorical(["1", "6", "1"]))
    )
    for found in (numbers, names):
        levels = found["Skin type (Fitzpatrick)"]
        assert list(levels) == list("123456")
        assert {level: mask.tolist() for level, mask in levels.items() if mask.any()} == {
            "1": [True, False, True], "6": [False, True, False],
        }  # fmt: skip


def test_an_effect_is_that_of_twins_with_a_value_in_both_arms():
    one, other = np.array([3.0, 5.0, np.nan, 4.0]), np.array([1.0, 1.0, 2.0, np.nan])
    first, nobody = np.array([True, False, True, False]), np.zeros(4, bool)
    whole, single, none = subgroups.effects(one, other, {"Sex": {"men": first, "women": nobody}})
    assert whole == subgroups.Effect("All twins", "", 2, 3.0, pytest.approx(1.0), (4.0, 1.0))
    assert (single.twins, single.difference, math.isnan(single.se)) == (1, 2.0, True)
    assert none.twins == 0
    assert math.isnan(none.difference)


def test_the_figure_says_where_nobody_is_in_a_group_and_draws_few_as_open():
    lines = [
        fairness.Line("All twins", "", "500", 30.0, 20.0, 40.0, "30 (20 to 40)", "", False),
        fairness.Line("Sex", "men", "490", 31.0, 21.0, 41.0, "31 (21 to 41)", "", False),
        fairness.Line("Sex", "women", "0", math.nan, math.nan, math.nan, fairness.NOBODY, "", True),
        fairness.Line("Weight", "under 70 kg", "9", 5.0, -20.0, 30.0, "5", "", True),
    ]
    with style():
        drawn = fairness.plot("g", ("Groups", "in full."), lines, "#0072B2", ("Group", "Difference", "", "axis"))
    assert "no twins" in drawn.svg
    assert drawn.svg.count("fill: #ffffff") + drawn.svg.count("fill:#ffffff") >= 1  # the open circle


def test_the_figure_of_groups_tells_every_one():
    data = table(200)
    number = data["twin"].to_numpy()
    (whole,) = subgroups.within(data, CONTRAST, True, {"All twins": {"": number}})
    groups = subgroups.within(data, CONTRAST, True, {"Sex": {"men": number[:150], "women": number[150:]}})
    found = fairness.Within("PASI 90, week 16", "percentage points", whole, groups)
    with style():
        drawn = fairness.figure(0, found, ARMS)
    for words in ("All twins", "men (", "women (", "active less placebo, percentage points"):
        assert words in drawn.svg
    assert [row[:2] for row in fairness.rows(found)] == [["All twins", ""], ["Sex", "men"], ["Sex", "women"]]


def test_a_curve_steps_at_visits_and_ends_at_the_share_counted_by_hand():
    data = pd.DataFrame({
        "arm": ["active"] * 4 + ["placebo"] * 4, "value": [1.0, 1, 1, 0, 1, 0, 0, 0],
        "time": [4.0, 4, 8, 12, 12, 12, 4, 12], "missing": False,
    })  # fmt: skip
    data.attrs["until"] = 12
    found = curves.kaplan_meier("PASI 75", data, ["active", "placebo"], 0.95)
    assert [(week, one.estimate) for week, one in found.shares["active"]] == [(0, 0), (4, 0.5), (8, 0.75), (12, 0.75)]
    assert found.at_risk["active"] == [4, 4, 2, 1]
    # One of the three still seen at week 12.
    assert found.shares["placebo"][-1][1].estimate == pytest.approx(1 / 3)
    with style():
        drawn = curves.steps("times-0", found, ARMS)
    assert "PASI 75" in drawn.svg
    assert ["active", "8", "2", "75.0\u202f%"] in [row[:4] for row in curves.step_rows(found, ARMS)]


def test_a_map_has_a_cell_a_pair_of_shifts():
    grid = {"arm": [0.0, 5.0], "comparator": [0.0], "difference": [[-8.0, None]], "p": [[0.001, None]],
            "lost": [[False, True]]}  # fmt: skip
    blank = dict.fromkeys(Result.__dataclass_fields__, "") | {"statistic": "tipping point", "arm": "active"}
    row = Result(**blank | {"outcome": "change", "week": 12, "options": json.dumps({"shifts": grid})})
    other = Result(**blank | {"statistic": "mean", "options": "{}"})
    (found,) = tipping.maps([row, other])

    class Disease:
        outcomes: dict = {}  # noqa: RUF012
        endpoints: dict = {}  # noqa: RUF012

    with style():
        drawn = tipping.figure(0, found, Disease())
    assert f"{MINUS}8.00" in drawn.svg
    assert tipping.rows(found)[0] == ["+0", "+0", f"{MINUS}8.00", "0.001", "no"]
    assert tipping.rows(found)[1][4] == "yes"


def test_comparisons_that_share_half_of_their_controls_correlate_a_quarter():
    found = dunnett.overlapping([60, 60], [60, 60], [[60, 30], [30, 60]])
    np.testing.assert_allclose(found, [[1, 0.25], [0.25, 1]])
    # All shared: Dunnett's.
    np.testing.assert_allclose(
        dunnett.overlapping([40, 80], [50, 50], [[50, 50], [50, 50]]), dunnett.correlations([40, 80], 50)
    )
