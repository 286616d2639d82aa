"""Every slip that a table of published evidence can have is told with its place."""

import re

import pytest
import yaml

from cutis.calibration.psoriasis.evidence import targets
from cutis.calibration.psoriasis.evidence.arms import read_trials
from cutis.calibration.psoriasis.evidence.regimens import read_course

ARM = {"n": 10, "readouts": [{"week": 12, "pasi75": 50}]}
TRIAL = {"title": "T", "citation": "C", "read_in": "here", "status": "measured", "week": 12, "arms": {"a": ARM}}
COURSE = {"treatment": "adalimumab", "dose": "40 mg", "weeks": [0]}


def read(tmp_path, trial):
    file, people = tmp_path / "arms.yaml", tmp_path / "people.yaml"
    file.write_text(yaml.safe_dump({"origins": {"here": "here"}, "trials": {"t": trial}}))
    people.write_text(yaml.safe_dump({"origins": {}, "tables": {"known": {"arms": {"1 x": {"n": 10}}}}}))
    return read_trials(file, people)


def with_arm(**changes):
    return TRIAL | {"arms": {"a": ARM | changes}}


def test_a_sound_file_is_read(tmp_path):
    (trial,) = read(tmp_path, with_arm(regimen=[COURSE]))
    assert trial.arm("a").readouts[0].count == 5


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ({k: v for k, v in TRIAL.items() if k != "week"}, "t: lacks week"),
        (TRIAL | {"weeks": 12}, "t: unknown weeks"),
        (TRIAL | {"read_in": "there"}, "t.read_in: 'there' is none of here"),
        (TRIAL | {"status": "sure"}, "t.status: 'sure' is none of"),
        (TRIAL | {"table": "unknown"}, "t.table: no baseline table 'unknown'"),
        (TRIAL | {"entry": {"weight": 80}}, "t.entry: 'weight' is none of pasi, bsa, iga"),
        (TRIAL | {"entry": {"iga": 5}}, "t.entry.iga: 5 is not from 0 to 4"),
        (TRIAL | {"arms": {}}, "t.arms: expected names and values"),
        (with_arm(n=0), "t.arms.a.n: expected a whole number of at least 1"),
        (with_arm(n="ten"), "t.arms.a.n: expected a whole number"),
        (with_arm(randomised=9), "t.arms.a.randomised: expected a whole number of at least 10"),
        (TRIAL | {"table": "known", "arms": {"a": ARM | {"people": "2 x"}}}, "no arm '2 x'; it has 1 x"),
        (with_arm(readouts=[]), "t.arms.a.readouts: expected a list"),
        (with_arm(readouts=[{"week": 12}]), "t.arms.a.readouts.0: tells no outcome"),
        (with_arm(readouts=[{"week": 12, "pasi75": 101}]), "pasi75: 101 is not from 0 to 100"),
        (with_arm(readouts=[{"week": 12, "pasi75": "n/a"}]), "pasi75: expected a number, got 'n/a'"),
        (with_arm(readouts=[{"week": 12, "pasi60": 10}]), "readouts.0: unknown pasi60"),
        (with_arm(readouts=[{"week": 12, "pasi75": 10}] * 2), "tells an outcome of a week twice"),
        (with_arm(readouts=[{"week": 12, "pasi75": 10, "pasi90": 20}]), "20 % with pasi90 at week 12, more than"),
        (with_arm(regimen="adalimumab"), "t.arms.a.regimen: expected a list"),
        (with_arm(regimen=[COURSE | {"treatment": "aspirin"}]), "regimen.0.treatment: 'aspirin' is none of"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_place(tmp_path, trial, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read(tmp_path, trial)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dose": "40"}, "expected an amount and its unit"),
        ({"dose": "0 mg"}, "expected an amount and its unit"),
        ({"dose": "40 kg"}, "expected an amount and its unit"),
        ({"dose": None, "tiers": None}, "give one of dose, tiers, doses"),
        ({"doses": ["1 mg"]}, "give one of dose, tiers, doses"),
        ({"weeks": []}, "weeks: expected a list"),
        ({"weeks": [4, 0]}, "weeks: must rise"),
        ({"weeks": [-1]}, "expected a whole number of at least 0"),
        ({"every": 2}, "what is repeated has one first week and an end, until"),
        ({"until": 12}, "what is repeated has one first week and an end, until"),
        ({"every": 2, "until": 0}, "until: week 0 is not after week 0"),
        ({"every": 2, "times_a_week": 2, "until": 12}, "give at most one of every, times_a_week"),
        ({"times_a_week": 4, "until": 12}, "expected 1 to 3 times a week, got 4"),
        ({"times_a_week": 2, "weeks": [0, 4], "until": 12}, "one first week"),
        ({"raise_by": -0.1}, "raise_by: -0.1 is not from 0"),
        ({"raise_each": "month"}, "raise_each: 'month' is none of week, session"),
        ({"dose": None, "tiers": [{"up_to": "100 kg", "dose": "1 mg"}]}, "the last tier has no up_to"),
        ({"dose": None, "tiers": [{"up_to": "100", "dose": "1 mg"}, {"dose": "2 mg"}]}, "such as '100 kg'"),
        ({"colour": "red"}, "unknown colour"),
    ],
)
def test_a_slip_in_a_course_is_told(change, said):
    entry = {key: value for key, value in (COURSE | change).items() if value is not None}
    with pytest.raises(ValueError, match=re.escape(said)):
        read_course(entry, "here")


@pytest.mark.parametrize("text", ["{a: ", "trials: {}\n", "[]"])
def test_a_file_that_is_no_table_is_told(tmp_path, text):
    file = tmp_path / "arms.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"^arms\.yaml: "):
        read_trials(file, file)


@pytest.mark.parametrize(
    ("read_file", "content", "said"),
    [
        (targets.read_relapses, {"relapses": {"x": {"read_in": "o", "status": "measured"}}}, "x: lacks among"),
        (targets.read_relapses, {"relapses": {"x": {"read_in": "o"}}}, "x: lacks status"),
        (targets.read_timecourses, {"courses": {"x": {"read_in": "p", "status": "measured"}}}, "'p' is none of o"),
        (
            targets.read_timecourses,
            {"courses": {"x": {"read_in": "o", "status": "measured", "pasi75": {4: 110}}}},
            "pasi75.4: 110 is not from 0 to 100",
        ),
    ],
)
def test_a_slip_in_another_table_is_told(tmp_path, read_file, content, said):
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump({"origins": {"o": "o"}} | content))
    with pytest.raises(ValueError, match=re.escape(said)):
        read_file(file)


def effect(tmp_path, **entry):
    told = {"covariate": "age", "contrast": "1 year", "outcome": "pasi90", "setting": "trial"} | entry
    file = tmp_path / "effects.yaml"
    told |= {"read_in": "o", "status": "measured"}
    file.write_text(yaml.safe_dump({"origins": {"o": "o"}, "effects": {"x": told}, "subgroups": {}}))
    return targets.read_effects(file)


def test_an_effect_has_one_size_within_its_limits(tmp_path):
    assert effect(tmp_path, odds_ratio=0.9, low=0.8, high=1.0)[0].odds_ratio == 0.9
    for sizes in ({}, {"odds_ratio": 0.9, "points": 3}):
        with pytest.raises(ValueError, match="give one of odds_ratio and points"):
            effect(tmp_path, **sizes)
    with pytest.raises(ValueError, match="is not within its limits"):
        effect(tmp_path, odds_ratio=0.9, low=0.95, high=1.0)
