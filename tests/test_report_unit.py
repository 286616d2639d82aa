"""The words and marks of the report, by hand."""

import math
from itertools import pairwise

import pandas as pd
import pytest
from markupsafe import Markup

from cutis.trials.report import curves, harms, svg, words
from cutis.trials.statistics.result import Result
from cutis.trials.study import Arm, Course, Criterion, Stratum
from cutis.trials.units import amount


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0009, "< 0.001"), (0.001, "0.001"), (0.04996, "0.050"), (0.9999, "> 0.999"), (math.nan, words.NOTHING)],
)
def test_a_p_value_has_three_decimals_and_never_reads_zero_or_one(p: float, text: str) -> None:
    assert words.p_value(p) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (-0.00001, "\u22121 \u00d7 10⁻⁵"),
        (1234567.0, "1.2346 \u00d7 10⁶"),
        (0.0, "0"),
        (90.0, "90"),
        (math.inf, "∞"),
        (-math.inf, "\u2212∞"),
    ],
)
def test_a_parameter_reads_as_a_person_would_write_it(number: float, text: str) -> None:
    assert words.plain_number(number) == text


def test_a_rounded_zero_has_no_minus() -> None:
    assert words.decimal(-0.04) == "0.0"
    assert words.decimal(-0.06) == "\u22120.1"


def test_risk_differences_are_in_percentage_points_and_ratios_as_they_are() -> None:
    assert words.interval(-0.0512, 0.2, "common risk difference") == "\u22125.1 to 20.0"
    assert words.interval(0.5, 2.25, "odds ratio") == "0.50 to 2.25"
    assert words.interval(math.nan, 2.25, "odds ratio") == words.NOTHING


def test_a_regimen_is_told_with_its_last_dose() -> None:
    arm = Arm(
        regimen=(
            Course.model_validate({"treatment": "blue_light", "dose": "80 mg", "weeks": [0]}),
            Course.model_validate(
                {"treatment": "blue_light", "dose": "40 mg", "weeks": [1, 3], "every": 2, "until": 48}
            ),
        )
    )
    told = "blue light 80 mg at week 0; blue light 40 mg at weeks 1 and 3, then every 2 weeks (last dose week 47)"
    assert words.regimen(arm) == told
    assert words.regimen(Arm()) == "placebo throughout"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("0.02 mg", "20 µg"),
        ("1 application", "1 application"),
        ("2 sessions", "2 sessions"),
        ("1 tablet", "1 tablet"),
        ("0.5 application", "0.5 application"),
        ("700 mJ/cm2", "0.7 J/cm²"),
    ],
)
def test_a_dose_is_told_in_its_unit(given: str, told: str) -> None:
    assert words.dose(amount(given)) == told


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ({"min": 18}, "at least 18 years", "below 18 years"),
        ({"max": 80.5}, "at most 80.5 years", "above 80.5 years"),
        ({"min": 18, "max": 80}, "18 to 80 years", "outside 18 to 80 years"),
        ({"one_of": [1, 2, 3]}, "1, 2 or 3", "other than 1, 2 or 3"),
        ({"one_of": [True]}, "yes", "other than yes"),
        ({"min": 0, "one_of": ["a"]}, "at least 0 years, and a", "below 0 years, or other than a"),
    ],
)
def test_a_criterion_is_told_for_those_inside_and_those_outside(rule: dict, inside: str, outside: str) -> None:
    assert words.criterion(Criterion(**rule), "year") == inside
    assert words.criterion(Criterion(**rule), "year", broken=True) == outside


def test_a_stratum_names_its_cut() -> None:
    assert (
        words.stratum(Stratum(attribute="weight", above=90), "body weight", "kg") == "body weight (above 90 kg or not)"
    )
    assert words.stratum(Stratum(attribute="prior"), "treated before", "1") == "treated before"


def test_the_first_untreated_arm_is_grey_and_the_others_keep_their_colours() -> None:
    drawn = svg.looks({"placebo": None, "low_dose": 0, "late": 4})
    assert drawn["placebo"].colour == svg.UNTREATED
    assert [drawn["low_dose"].colour, drawn["late"].colour] == list(svg.COLOURS[:2])
    assert drawn["low_dose"].name == "low dose"
    assert svg.looks({"only": 4})["only"].colour == svg.COLOURS[0]


def test_more_arms_than_colours_still_differ_in_their_marker() -> None:
    drawn = svg.looks({f"arm{i}": 0 for i in range(7)})
    assert len({(look.colour, look.marker) for look in drawn.values()}) == 7


def mean(arm: str, week: int, estimate: float) -> Result:
    return Result(
        "mean_by_visit", "descriptive", "itch", week, "all", "treatment_policy", arm, "", "mean", "{}", "mean",
        estimate, estimate - 1, estimate + 1, 0.95, 0.5, math.nan, 40, 0, 0, 0, 0, "cutis", "0.1.0", "",
    )  # fmt: skip


def test_means_by_visit_are_drawn_in_their_own_unit() -> None:
    rows = [mean("a", 8, -60.0), mean("a", 4, -30.0)]
    courses = curves.by_outcome(rows, ["clear"])
    assert [row.week for row in courses["itch"]["a"]] == [4, 8]
    with svg.style():
        drawing = curves.panel("c", "Itch", "points", courses["itch"], svg.looks({"a": 0}), (0, 4, 8))
    assert drawing.caption == "Itch: mean by visit"
    assert ">Itch, points</text>" in drawing.svg
    assert curves.curve_rows(courses["itch"], svg.looks({"a": 0}))[1][1] == (
        "40 twins: \u221260.00 (\u221261.00 to \u221259.00)"
    )


def test_names_at_the_ends_of_lines_never_overlap() -> None:
    arms = [f"arm{i}" for i in range(6)]
    course = {arm: [mean(arm, 4, 1.0), mean(arm, 8, 2.0)] for arm in arms}
    with svg.style():
        drawing = curves.panel("c", "Itch", "", course, svg.looks(dict.fromkeys(arms, 0)), (0, 4, 8))
    heights = sorted(svg_y(drawing.svg, f">{arm}</text>") for arm in arms)
    assert all(below - above >= 11.5 for above, below in pairwise(heights))


def svg_y(text: Markup, end: str) -> float:
    tag = str(text)[: str(text).index(end)].rpartition("<text")[2]
    return float(tag.partition(' y="')[2].partition('"')[0])


def test_adverse_events_are_counted_once_a_twin_in_the_time_at_risk() -> None:
    """Of arm a one twin had a rash in week 10, one left at week 26, the third stayed to week 52."""
    twins = pd.DataFrame({"twin": [7, 8, 9, 10], "arm": ["a", "a", "a", "b"]})
    rows = [
        (7, 10, "adverse event: rash"),
        (7, 30, "adverse event: rash"),
        (8, 26, "left the study"),
        (9, 4, "treatment stopped"),
        (10, 0, "moved to rash"),
    ]
    events = pd.DataFrame(rows, columns=["twin", "week", "event"])
    kinds = {"rash": "rash", "cold": "common cold"}
    found = harms.tally(["a", "b", "empty"], kinds, twins, events, 52)
    years = 365.25 / 7
    assert found["a"]["rash"] == (1, pytest.approx((10.5 + 26 + 52) / years))
    assert found["a"]["cold"] == (0, pytest.approx((52 + 26 + 52) / years))
    assert found["b"]["rash"] == (0, pytest.approx(52 / years))
    assert harms.rows(found, kinds) == [
        ["Rash", f"1 ({100 * years / 88.5:.1f})", "0 (0.0)", "0 (no time at risk)"],
        ["Common cold", "0 (0.0)", "0 (0.0)", "0 (no time at risk)"],
    ]


def test_an_event_after_leaving_adds_no_time() -> None:
    twins = pd.DataFrame({"twin": [1], "arm": ["a"]})
    rows = [(1, 12, "left the study"), (1, 12, "adverse event: rash")]
    found = harms.tally(["a"], {"rash": "rash"}, twins, pd.DataFrame(rows, columns=["twin", "week", "event"]), 52)
    assert found["a"]["rash"] == (1, pytest.approx(12 * 7 / 365.25))
