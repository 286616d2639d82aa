import math
import time

import numpy as np
import pandas as pd
import pytest

from cutis.core.disease import Outcome
from cutis.trials.statistics.dataset import analysis_table


def halved(now, baseline):
    return np.where(np.isnan(now["pasi"] + baseline["pasi"]), np.nan, now["pasi"] <= baseline["pasi"] / 2)


def change(now, baseline):
    return now["pasi"] - baseline["pasi"]


PASI50 = Outcome("pasi50", "PASI at least halved", "responder", "", halved)
CHANGE = Outcome("pasi_change", "change of PASI", "continuous", "points", change)

TWINS = pd.DataFrame(
    {
        "twin": [11, 12, 13, 14, 15, 16],
        "arm": ["active", "active", "active", "placebo", "placebo", "placebo"],
        "stratum": ["light", "heavy"] * 3,
        "weight": [70.0, 110.0, 80.0, 95.0, 60.0, 120.0],
    }
)
# Twin: PASI at weeks 0, 4, 8 and 12; None where it was not seen.
PASI = {
    11: [20, 12, 8, 6],  # to the end
    12: [20, 9, 8, 7],  # stops treatment at week 8, stays under observation
    13: [20, 9, None, None],  # leaves at week 6
    14: [20, 18, 15, 5],  # rescue from week 10
    15: [20, 8, 9, None],  # misses the visit at week 12
    16: [20, None, None, None],  # stops at week 2 and is not seen again
}
EVENTS = pd.DataFrame(
    [
        (12, "active", 8, "treatment stopped", "adverse event"),
        (13, "active", 6, "treatment stopped", "other"),
        (13, "active", 6, "left the study", "other"),
        (14, "placebo", 10, "rescue started", "lack of efficacy"),
        (16, "placebo", 2, "treatment stopped", "other"),
    ],
    columns=["twin", "arm", "week", "event", "reason"],
)


def observations():
    rows = [
        {"twin": twin, "week": week, "seen": pasi is not None, "pasi": pasi}
        for twin, course in PASI.items()
        for week, pasi in zip((0, 4, 8, 12), course, strict=True)
    ]
    data = pd.DataFrame(rows)
    return data.assign(pasi=data["pasi"].astype(float), on_treatment=True, rescued=False, arm="")


def at_week(outcome, week, intercurrent, **tables):
    return analysis_table(
        tables.get("twins", TWINS),
        tables.get("observations", observations()),
        tables.get("events", EVENTS),
        outcome,
        week,
        intercurrent,
    )


def values(*arguments, **tables):
    return at_week(*arguments, **tables)["value"].tolist()


def same(found, expected):
    return np.array_equal(np.array(found, float), np.array(expected, float), equal_nan=True)


NONE = math.nan


@pytest.mark.parametrize(
    ("week", "expected"),
    # Week 8: twin 12 stops in that very week, which counts. Twin 14 is rescued only later.
    [(4, [0, 1, 1, 0, 1, 0]), (8, [1, 0, 0, 0, 1, 0]), (12, [1, 0, 0, 0, 0, 0])],
)
def test_composite_counts_events_and_missing_values_as_non_response(week, expected):
    assert values(PASI50, week, "composite") == expected


def test_composite_says_which_values_were_missing():
    assert at_week(PASI50, 12, "composite")["missing"].tolist() == [False, False, True, False, True, True]


def test_treatment_policy_takes_what_was_seen_whatever_had_happened():
    assert same(values(PASI50, 12, "treatment_policy"), [1, 1, NONE, 1, NONE, NONE])
    assert same(values(CHANGE, 12, "treatment_policy"), [-14, -13, NONE, -15, NONE, NONE])


def test_while_on_treatment_carries_the_last_value_before_the_event():
    # 12: seen at the week of stopping. 14: before rescue. 15: before the missed visit. 16: nothing after baseline.
    assert same(values(CHANGE, 12, "while_on_treatment"), [-14, -12, -11, -5, -11, NONE])
    assert same(values(CHANGE, 4, "while_on_treatment"), [-8, -11, -11, -2, -12, NONE])


def test_the_table_carries_covariates_and_the_measured_baseline():
    table = at_week(CHANGE, 12, "treatment_policy")
    assert list(table.columns) == ["twin", "arm", "stratum", "value", "missing", "weight", "baseline_pasi"]
    assert table["weight"].tolist() == TWINS["weight"].tolist()
    assert set(table["baseline_pasi"]) == {20.0}


def test_the_order_of_rows_does_not_matter():
    shuffled = observations().sample(frac=1, random_state=2)
    assert same(values(CHANGE, 12, "while_on_treatment", observations=shuffled), [-14, -12, -11, -5, -11, NONE])
    turned = TWINS.iloc[::-1]
    assert values(PASI50, 8, "composite", twins=turned) == [0, 1, 0, 0, 0, 1]


def test_a_value_at_a_visit_that_was_not_seen_does_not_count():
    data = observations()
    data.loc[(data["twin"] == 11) & (data["week"] == 12), "seen"] = False
    assert same(values(CHANGE, 12, "treatment_policy", observations=data), [NONE, -13, NONE, -15, NONE, NONE])


def test_a_missing_baseline_leaves_no_change_and_no_response():
    data = observations()
    data.loc[(data["twin"] == 11) & (data["week"] == 0), ["seen", "pasi"]] = [False, np.nan]
    assert math.isnan(values(CHANGE, 12, "treatment_policy", observations=data)[0])
    assert values(PASI50, 12, "composite", observations=data)[0] == 0


def test_absent_rows_and_nullable_whole_numbers_are_read_as_missing():
    data = observations().convert_dtypes().dropna(subset=["pasi"])
    assert str(data["pasi"].dtype) == "Int64"
    assert values(PASI50, 12, "composite", observations=data) == [1, 0, 0, 0, 0, 0]
    nulls = observations().convert_dtypes()
    assert same(values(CHANGE, 12, "treatment_policy", observations=nulls), [-14, -13, NONE, -15, NONE, NONE])


def test_no_events_at_all_is_an_ordinary_trial():
    none = EVENTS.iloc[:0]
    assert values(PASI50, 12, "composite", events=none) == [1, 1, 0, 1, 0, 0]
    empty = pd.DataFrame({"twin": [], "week": [], "event": []})
    assert values(PASI50, 12, "composite", events=empty) == [1, 1, 0, 1, 0, 0]


def test_a_composite_of_a_measurement_is_refused_with_the_right_choices():
    with pytest.raises(
        ValueError, match="pasi_change is a continuous outcome; choose treatment_policy or while_on_treatment"
    ):
        at_week(CHANGE, 12, "composite")


def test_an_unknown_strategy_is_refused_with_the_right_choices():
    with pytest.raises(ValueError, match=r"'principal_stratum' is none of composite, .*, while_on_treatment, hyp"):
        at_week(CHANGE, 12, "principal_stratum")


@pytest.mark.parametrize("strategy", ["treatment_policy", "while_on_treatment"])
def test_a_week_without_a_visit_is_refused_with_the_weeks_there_are(strategy):
    with pytest.raises(ValueError, match="no observations at week 10; the weeks are 0, 4, 8, 12"):
        at_week(CHANGE, 10, strategy)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="twins lacks the column 'stratum'; it has twin, arm, weight"):
        at_week(CHANGE, 12, "treatment_policy", twins=TWINS.drop(columns="stratum"))


def test_a_twin_listed_twice_is_named():
    with pytest.raises(ValueError, match="twin 13 is listed twice"):
        at_week(CHANGE, 12, "treatment_policy", twins=pd.concat([TWINS, TWINS.iloc[[2]]]))


def test_a_twin_seen_twice_at_a_visit_is_named():
    data = observations()
    data = pd.concat([data, data[(data["twin"] == 14) & (data["week"] == 8)]])
    with pytest.raises(ValueError, match="twin 14 has two rows at week 8"):
        at_week(CHANGE, 12, "treatment_policy", observations=data)


@pytest.mark.parametrize("name", ["observations", "events"])
def test_a_stranger_is_named(name):
    tables = {"observations": observations(), "events": EVENTS}
    tables[name] = tables[name].assign(twin=tables[name]["twin"].replace(12, 99))
    with pytest.raises(ValueError, match=f"{name}: twin 99 is not among the randomised twins"):
        at_week(CHANGE, 12, "treatment_policy", **tables)


def test_an_unknown_event_is_named_with_the_choices():
    with pytest.raises(ValueError, match="'died' is none of treatment stopped, left the study, rescue started"):
        at_week(PASI50, 12, "composite", events=EVENTS.replace("rescue started", "died"))


def test_hundred_thousand_twins_take_seconds():
    n, weeks = 100_000, np.arange(0, 28, 2)
    twins = pd.DataFrame({"twin": np.arange(n), "arm": "a", "stratum": "s"})
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"twin": np.repeat(np.arange(n), len(weeks)), "week": np.tile(weeks, n), "seen": True})
    data["pasi"] = rng.gamma(2, 5, len(data))
    events = pd.DataFrame({"twin": np.arange(0, n, 7), "week": 10, "event": "treatment stopped"})
    start = time.perf_counter()
    for strategy in ("composite", "treatment_policy", "while_on_treatment"):
        analysis_table(twins, data, events, PASI50, 26, strategy)
    assert time.perf_counter() - start < 20


def severe(baseline):
    return baseline["pasi"] >= 15


def halved_if_severe(now, baseline):
    return np.where(severe(baseline), halved(now, baseline), np.nan)


SEVERE = Outcome("severe", "in severe cases", "responder", "", halved_if_severe, severe)


@pytest.mark.parametrize("intercurrent", ["composite", "treatment_policy", "while_on_treatment"])
def test_people_whom_an_outcome_is_not_about_are_left_out_and_not_missing(intercurrent):
    """Neither their values nor their intercurrent events count; the others are as if it were about all."""
    seen = observations()
    seen.loc[(seen["week"] == 0) & seen["twin"].isin([11, 12, 16]), "pasi"] = 14.0
    everyone, some = (
        analysis_table(TWINS, seen, EVENTS, outcome, 12, intercurrent).set_index("twin") for outcome in (PASI50, SEVERE)
    )
    for twin in (11, 12, 16):
        assert np.isnan(some.loc[twin, "value"])
        assert not some.loc[twin, "missing"]
    others = ["value", "missing"]
    pd.testing.assert_frame_equal(some.loc[[13, 14, 15], others], everyone.loc[[13, 14, 15], others])


def test_people_whose_baseline_is_not_known_belong_to_nobody_in_particular():
    seen = observations()
    seen.loc[(seen["week"] == 0) & (seen["twin"] == 11), ["pasi", "seen"]] = np.nan, False
    found = analysis_table(TWINS, seen, EVENTS, SEVERE, 12, "composite").set_index("twin")
    assert np.isnan(found.loc[11, "value"])
