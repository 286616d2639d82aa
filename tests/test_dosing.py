"""What a protocol can say: doses by hand, for which twin on which day, and every mistake a user can make."""

import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.population.sample import POPULATIONS
from cutis.trials import shard
from cutis.trials.checks import problems
from cutis.trials.conduct import kernel, parameters_of
from cutis.trials.dosing import due
from cutis.trials.regimen import Course
from cutis.trials.report import flow, schedule, words
from cutis.trials.schedule import mesh, plans, protocol
from cutis.trials.study import Study, canonical

from .studies import study
from .toy import WEIGHED
from .toydisease import FORGETTING, LEAVING, RATIO, TOY, TROUBLED

N = 48
IDS = np.arange(N)
WEIGHT, MED = 60 + 10.0 * (IDS % 6), (20 + 10.0 * (IDS % 4)) / 1000  # kg, J/cm2


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setitem(DISEASES, "toy", TOY)
    monkeypatch.setitem(DISEASES, "troubled", TROUBLED)
    monkeypatch.setitem(POPULATIONS, "weighed", WEIGHED)


def plan(*arms, visits=tuple(range(13)), disease="toy", **parts):
    """A study of the toy disease: arms as regimens or as whole arms."""
    named = {f"arm{n}": arm if isinstance(arm, dict) else {"regimen": arm} for n, arm in enumerate(arms)}
    quiet = {"adverse_event": 0, "other": 0, "lack_of_efficacy": 0, "lack_of_efficacy_from": 0, "followed_up": 0}
    trial = {
        "title": "toy",
        "question": "how much",
        "disease": disease,
        "arms": named,
        "visits": visits,
        "eligibility": parts.get("eligibility", {}),
        "randomisation": {"allocation": dict.fromkeys(named, 1), "block_size": len(named)},
        "conduct": {
            "adherence": {"probability": parts.get("adherence", 1 - 1e-12), "spread": 0},
            "discontinuation": quiet | parts.get("discontinuation", {}),
            "missed_visit": parts.get("missed_visit", 0),
        },
        "outcomes": ["odd"],
        "analyses": parts.get("analyses", {}),
        "details": parts.get("details", False),
    }
    rest = {key: parts[key] for key in ("model",) if key in parts}
    return Study.model_validate({"seed": 3, "population": {"source": "weighed", "size": 10}, "trial": trial, **rest})


def one(**course):
    return [{"treatment": "shot", **course}]


def given(asked, arm=0):
    """Amounts due in an arm's first slot: {day: (twins,)}, read from the protocol as the kernel reads it."""
    told = DISEASES[asked.trial.disease]
    trial = protocol(asked, told, mesh(asked.trial, 4.0))
    twins = {"weight": jnp.asarray(WEIGHT), "med": jnp.asarray(1000 * MED)}
    arms = jnp.full(N, arm)
    amounts = {int(day): np.asarray(due(trial.doses, twins, arms, b))[0] for b, day in enumerate(trial.dose_days)}
    return {day: amount for day, amount in amounts.items() if amount.any()}


def followed(asked, arms=None, ids=IDS):
    told = DISEASES[asked.trial.disease]
    trial = protocol(asked, told, mesh(asked.trial, 0.5))
    chosen = ids % len(asked.trial.arms) if arms is None else arms
    run = kernel(asked.trial.disease, "weighed")
    return run(root(asked.seed), jnp.asarray(ids), jnp.asarray(chosen), trial, parameters_of(told))


def total(record, visit=-1):
    return np.asarray(record.visits["total"][visit])


# Doses by hand


def test_a_plain_dose_is_the_same_for_everyone():
    found = given(plan(one(dose="0.1 g", weeks=[0, 2], every=4, until=12)))
    assert list(found) == [0, 14, 42, 70]
    for amounts in found.values():
        np.testing.assert_array_equal(amounts, 100)


def test_a_dose_by_weight_is_in_proportion():
    found = given(plan(one(dose="5 mg/kg", weeks=[0, 2, 6])))
    assert list(found) == [0, 14, 42]
    np.testing.assert_allclose(found[14], 5 * WEIGHT)


def test_tiers_give_each_twin_the_dose_of_its_weight_and_the_bound_belongs_to_the_lower():
    tiers = [{"up_to": "70 kg", "dose": "45 mg"}, {"up_to": "100 kg", "dose": "60 mg"}, {"dose": "90 mg"}]
    found = given(plan(one(tiers=tiers, weeks=[0, 4], every=12, until=12)))
    assert list(found) == [0, 28]
    np.testing.assert_array_equal(found[0][:6], [45, 45, 60, 60, 60, 90])  # 60, 70, 80, 90, 100, 110 kg


def test_tiers_may_be_by_weight_themselves():
    tiers = [{"up_to": "80 kg", "dose": "0.5 mg/kg"}, {"dose": "45 mg"}]
    np.testing.assert_allclose(given(plan(one(tiers=tiers, weeks=[0])))[0][:4], [30, 35, 40, 45])


def test_forms_add_up_on_a_day():
    regimen = one(dose="100 mg", weeks=[0]) + one(dose="1 mg/kg", weeks=[0])
    np.testing.assert_allclose(given(plan(regimen))[0], 100 + WEIGHT)


def test_twice_a_week_is_on_days_0_and_3():
    assert list(given(plan(one(dose="50 mg", weeks=[2], times_a_week=2, until=4)))) == [14, 17, 21, 24]


def test_days_can_be_listed_for_the_first_doses():
    assert list(given(plan(one(dose="50 mg", days=[0, 3, 10], every=1, until_day=25)))) == [0, 3, 10, 17, 24]


def lamp(**course):
    return [{"treatment": "lamp", "weeks": [0], "sessions_a_week": 3, **course}]


def test_sessions_are_three_a_week_and_raised_to_a_limit():
    found = given(plan(lamp(dose="0.5 J/cm2", until=3, raise_by=0.2, at_most="1 J/cm2")))
    assert list(found) == [0, 2, 4, 7, 9, 11, 14, 16, 18]
    expected = [min(0.5 * 1.2**k, 1.0) for k in range(9)]
    np.testing.assert_allclose([amount[0] for amount in found.values()], expected)


def test_sessions_may_be_raised_each_week():
    found = given(plan(lamp(dose="500 mJ/cm2", until=3, raise_by=0.5, raise_each="week")))
    expected = [0.5 * 1.5**week for week in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    np.testing.assert_allclose([amount[0] for amount in found.values()], expected)


def test_each_session_may_have_its_own_dose():
    found = given(plan(lamp(doses=["0.4 J/cm2", "0.5 J/cm2", "0.7 J/cm2", "0.6 J/cm2"])))
    np.testing.assert_allclose(
        [(day, amount[0]) for day, amount in found.items()], [(0, 0.4), (2, 0.5), (4, 0.7), (7, 0.6)]
    )


def test_sessions_of_a_device_may_be_weeks_apart():
    found = given(plan([{"treatment": "heater", "dose": "1 session", "weeks": [0, 3, 6]}]))
    assert list(found) == [0, 21, 42]
    np.testing.assert_allclose([amount[0] for amount in found.values()], 1)


def test_a_multiple_of_the_minimal_erythema_dose_is_that_of_each_twin_under_that_light():
    found = given(plan(lamp(dose="0.7 MED", until=1, raise_by=0.1, at_most="0.8 MED")))
    for day, multiple in ((0, 0.7), (2, 0.77), (4, 0.8)):
        np.testing.assert_allclose(found[day], multiple * RATIO * MED)


# What the twins receive


def pill(**parts):
    return [{"treatment": "pill", "dose": "10 mg", "times_a_day": 1, "weeks": [0], "until": 11} | parts]


TITRATED = [
    {"treatment": "pill", "times_a_day": 1, "dose": "10 mg", "days": [0], "until_day": 2},
    {"treatment": "pill", "times_a_day": 1, "dose": "20 mg", "days": [2], "until_day": 5},
    {"treatment": "pill", "times_a_day": 2, "dose": "30 mg", "days": [5], "until": 2},
]
COMBINED = [
    {"treatment": "shot", "dose": "100 mg", "weeks": [0, 4]},
    {"treatment": "cream", "dose": "1 application", "times_a_day": 1, "weeks": [0], "until": 4},
    {"treatment": "lamp", "dose": "1 J/cm2", "weeks": [0], "sessions_a_week": 2, "until": 2},
]
FORMS = (  # of one trial, whose twins share a kernel
    one(dose="100 mg", weeks=[0, 2], every=4, until=11),
    one(dose="5 mg/kg", weeks=[0, 2, 6]),
    lamp(dose="0.7 MED", until=4),
    pill(),
    TITRATED,
    COMBINED,
    [],
)


def test_what_was_due_is_what_the_body_has_received():
    record, arm = followed(plan(*FORMS)), IDS % len(FORMS)
    expected = [400, 15 * WEIGHT, 12 * 0.7 * RATIO * MED, 770, 20 + 60 + 9 * 60, 200 + 28 + 4, 0]
    np.testing.assert_allclose(total(record), np.select([arm == a for a in range(7)], expected), rtol=2e-3)
    planned = np.array([4, 3, 12, 77, 2 + 3 + 18, 1 + 1 + 28 + 3, 0])  # doses of one day at a visit count once
    np.testing.assert_array_equal(record.status.doses_planned, planned[arm])
    np.testing.assert_array_equal(record.status.doses_taken, planned[arm])


def test_daily_doses_arrive_by_the_share_that_a_twin_takes():
    record = followed(plan(*FORMS, adherence=0.7), arms=np.full(N, 3))
    np.testing.assert_allclose(total(record), 0.7 * 770, rtol=2e-3)
    np.testing.assert_array_equal(record.status.doses_planned, 77)
    assert np.mean(record.status.doses_taken) == pytest.approx(0.7 * 77, abs=4.5 * np.sqrt(11 * 0.25 / N))


def test_daily_doses_may_depend_on_weight():
    tiers = [{"dose": "60 mg", "up_to": "80 kg"}, {"dose": "1 mg/kg"}]
    asked = plan(pill(dose="0.5 mg/kg", times_a_day=2), pill(dose=None, tiers=tiers), pill(dose="5 mg"), adherence=0.8)
    record, arm = followed(asked), IDS % 3
    daily = np.select([arm == 0, arm == 1, arm == 2], [WEIGHT, np.where(WEIGHT <= 80, 60, WEIGHT), 5.0])
    np.testing.assert_allclose(total(record), 0.8 * 77 * daily, rtol=2e-3)
    np.testing.assert_array_equal(record.status.doses_planned, np.where(arm == 0, 154, 77))


def test_who_stops_gets_no_more_of_any_form():
    stop = {"adverse_event": 0.2, "followed_up": 1}
    record = followed(plan(*FORMS, discontinuation=stop), arms=np.full(N, 3))
    stopped = np.asarray(record.status.stopped)
    weeks = np.where(stopped < 0, 11, np.minimum(stopped, 11))
    assert len(set(weeks)) > 5
    np.testing.assert_allclose(total(record)[weeks < 12], 70.0 * weeks[weeks < 12], rtol=2e-3, atol=0.5)


# Stages

WITHDRAWAL = {
    "stages": {
        "induction": {"regimen": one(dose="100 mg", weeks=[0], every=1, until=12)},
        "withdrawal": {},
        "again": {"regimen": one(dose="100 mg", weeks=[0], every=2, until=12)},
    },
    "rules": [
        {"from": "induction", "to": "withdrawal", "at": 4, "if": "odd", "share": 0.5},
        {"from": "withdrawal", "to": "again", "after": 4, "unless": "high"},
    ],
}
SPLIT = {
    "stages": {name: {"regimen": one(dose=f"{mg} mg", weeks=[0])} for name, mg in (("a", 1), ("b", 10), ("c", 100))},
    "rules": [
        {"from": "a", "to": "b", "at": 2, "if": "odd", "share": 0.3},
        {"from": "a", "to": "c", "at": 2, "if": "odd"},
    ],
}


def crossover(**rule):
    stages = {"placebo": {}, "active": {"regimen": one(dose="100 mg", weeks=[0, 1])}}
    return {"stages": stages, "rules": [{"from": "placebo", "to": "active", **rule}]}


STAGED = (  # of one trial
    WITHDRAWAL,
    SPLIT,
    crossover(at=4),
    crossover(at=11),
    crossover(at=4, unless="odd"),
    crossover(at=4, **{"if": "third"}),
    one(dose="7 mg", weeks=[0]),
)


def in_arm(number, **parts):
    return followed(plan(*STAGED, **parts), arms=np.full(N, number))


def entered(record, stage):
    """The visit at which each twin first was in a stage when it came, -1 for never."""
    there = np.asarray(record.visits["stage"]) == stage
    return np.where(there.any(0), there.argmax(0), -1)


def level(doses, day):
    """The toy's level on a day, after doses (mg) on days."""
    past = [(amount, day - at) for at, amount in doses if at < day]
    forgotten = LEAVING - FORGETTING
    return sum(LEAVING * a * (np.exp(-FORGETTING * t) - np.exp(-LEAVING * t)) / forgotten for a, t in past)


def test_withdrawal_and_retreatment_happen_when_the_closed_form_says_so():
    record = in_arm(0)
    gone = entered(record, 1) >= 0
    odd = IDS % 2 == 1
    assert not gone[~odd].any()
    assert 0.2 < gone[odd].mean() < 0.8
    assert set(entered(record, 1)[gone]) == {5}  # decided at week 4, so first seen there at week 5
    weekly = [(7 * week, 100.0) for week in range(4)]
    low = next(week for week in range(5, 13) if level(weekly, 7 * week) < 25)
    assert 5 < low < 10
    assert set(entered(record, 2)[gone]) == {low + 1}
    later = len(range(low, 12, 2))
    np.testing.assert_allclose(total(record), np.where(gone, 100.0 * (4 + later), 1200.0), rtol=1e-3)
    np.testing.assert_array_equal(record.status.doses_planned, np.where(gone, 4 + later, 12))


def test_the_randomised_part_is_as_large_as_asked_and_the_rest_may_go_by_the_next_rule():
    ids = np.arange(4000)
    record = followed(plan(*STAGED), arms=np.full(4000, 1), ids=ids)
    odd, got = ids % 2 == 1, total(record)
    np.testing.assert_allclose(got[~odd], 1, rtol=1e-3)
    b = np.isclose(got[odd], 11, rtol=1e-3)
    assert (b | np.isclose(got[odd], 101, rtol=1e-3)).all()
    assert b.mean() == pytest.approx(0.3, abs=4.5 * np.sqrt(0.21 / 2000))


def test_without_a_condition_everyone_goes():
    np.testing.assert_allclose(total(in_arm(2)), 200, rtol=1e-3)


def test_doses_of_a_stage_that_the_end_of_the_trial_cuts_off_are_not_given():
    np.testing.assert_allclose(total(in_arm(3)), 100, rtol=1e-3)


def test_arms_with_and_without_stages_share_a_trial():
    np.testing.assert_allclose(total(in_arm(6)), 7, rtol=1e-3)


def test_an_outcome_decides_by_being_reached_or_missed_and_not_where_it_is_not_known():
    np.testing.assert_allclose(total(in_arm(4)), np.where(IDS % 2 == 1, 0, 200), rtol=1e-3)
    np.testing.assert_allclose(total(in_arm(5)), np.where(IDS % 3 == 0, 0, 200), rtol=1e-3)


def test_who_stopped_treatment_goes_nowhere():
    record = in_arm(2, discontinuation={"other": 0.1, "followed_up": 1})
    early = (np.asarray(record.status.stopped) >= 0) & (np.asarray(record.status.stopped) <= 4)
    assert 5 < early.sum() < N
    np.testing.assert_array_equal(np.asarray(record.visits["moved"]).any(0), ~early)


def test_a_missed_visit_decides_at_the_next_that_is_seen():
    record = followed(plan(crossover(at=4), missed_visit=0.4))
    seen = np.asarray(record.visits["seen"])
    first = np.array([next((v for v in range(4, 13) if seen[v, twin]), 99) for twin in IDS])
    moved = np.asarray(record.visits["moved"])
    decided = np.where(moved.any(0), moved.argmax(0), 99)
    assert len(set(first)) > 2
    np.testing.assert_array_equal(decided, first)
    expected = np.where(first <= 10, 200, np.where(first == 11, 100, 0))
    np.testing.assert_allclose(total(record)[seen[-1]], expected[seen[-1]], atol=0.05)


def test_a_stage_can_only_be_entered_where_its_rules_can_decide():
    found = plans(plan(WITHDRAWAL).trial)
    assert [(p.stage, p.visit) for p in found] == [(0, 0), (1, 4), *((2, v) for v in range(5, 13))]
    late = plans(plan(WITHDRAWAL, missed_visit=0.1).trial)
    assert {p.visit for p in late if p.stage == 1} == set(range(4, 13))


# Tables


def tables(asked, ids):
    job = shard.Job(canonical(asked), 2.0, ("all",))
    arms = ids // 2 % len(asked.trial.arms)
    found, _ = shard.simulate(job, shard.Shard(0, ids, arms, np.zeros_like(ids), {}))
    return {name: table.to_pandas() for name, table in found.items()}


def test_stages_and_moves_stand_in_the_tables_and_do_not_depend_on_the_shard():
    asked = plan(WITHDRAWAL, crossover(at=4))
    whole = tables(asked, IDS)
    parts = [tables(asked, IDS[:20]), tables(asked, IDS[20:])]
    for name, table in whole.items():
        again = [row for part in parts for row in part[name].astype(object).to_numpy().tolist()]
        assert json.dumps(again, default=str) == json.dumps(table.astype(object).to_numpy().tolist(), default=str)
    seen, events = whole["observations"], whole["events"]
    assert set(seen[seen.arm == "arm1"].groupby("week").stage.first()) == {"placebo", "active"}
    assert (seen[(seen.arm == "arm1") & (seen.week <= 4)].stage == "placebo").all()
    assert (seen[(seen.arm == "arm1") & (seen.week > 4)].stage == "active").all()
    told = events[["event", "reason"]].drop_duplicates().to_numpy().tolist()
    assert ["moved to active", "planned at week 4"] in told
    assert ["moved to withdrawal", "odd at week 4, randomised"] in told
    assert ["moved to again", "no high after week 4"] in told
    assert set(events[events.event == "moved to active"].week) == {4}


def test_a_trial_without_new_forms_compiles_the_lean_kernel():
    asked = study()
    trial = protocol(asked, DISEASES["psoriasis"], mesh(asked.trial, 2.0))
    assert [trial.saturable, trial.stages, trial.doses.scaled, trial.doses.daily] == [None] * 4
    assert "stage" not in tables(plan(one(dose="1 mg", weeks=[0])), IDS)["observations"]


def test_a_saturable_drug_is_told_to_the_kernel():
    asked = plan(one(dose="1 mg", weeks=[0]), [{"treatment": "thick", "dose": "10 mg", "weeks": [0]}])
    trial = protocol(asked, TOY, mesh(asked.trial, 2.0))
    np.testing.assert_array_equal(trial.saturable, [[False], [True]])
    np.testing.assert_allclose(total(followed(asked)), np.where(IDS % 2, 10, 1), rtol=1e-3)


def test_details_are_recorded_where_a_study_asks_for_them_alone():
    plain = plan(one(dose="1 mg", weeks=[0]))
    asked = plan(one(dose="1 mg", weeks=[0]), details=True)
    without, told = (tables(p, IDS)["observations"] for p in (plain, asked))
    np.testing.assert_array_equal(told.half, told.total / 2)
    pd.testing.assert_frame_equal(told.drop(columns="half"), without)
    assert "details" not in canonical(plain)  # a study of before keeps its fingerprint


def test_a_detail_selects_nobody():
    trial = plan(one(dose="1 mg", weeks=[0]), details=True, eligibility={"half": {"min": 1}})
    assert problems(trial)[0].startswith("trial.eligibility.half: no such attribute or measurement")


def test_an_analysis_may_adjust_for_a_detail_that_is_recorded():
    analysis = {"outcome": "odd", "week": 12, "arm": "arm0", "comparator": "arm1", "method": "logistic"}
    for details, wrong in ((False, ["analyses.a.covariates: no covariate 'baseline_half'"]), (True, [])):
        shots = (one(dose="1 mg", weeks=[0]), one(dose="2 mg", weeks=[0]))
        asked = plan(*shots, details=details, analyses={"a": analysis | {"covariates": ["baseline_half"]}})
        assert [text.split(";")[0] for text in problems(asked)] == wrong


# Triggers and harms


def test_triggers_begin_on_whole_weeks_only():
    regimen = one(dose="1 mg", days=[17], every=5, until=12)
    record = followed(plan(regimen, visits=(0, 6, 12), disease="troubled"))
    np.testing.assert_allclose(record.visits["struck"][-1], IDS, rtol=5e-3, atol=1e-9)
    untold = followed(plan(regimen, visits=(0, 6, 12)))
    np.testing.assert_array_equal(untold.visits["struck"][-1], 0)


HARMED = (one(dose="1 mg", weeks=[2], every=2, until=12), [])  # in use from day 14 to day 84


def test_the_first_adverse_event_follows_its_hazard_in_the_time_on_the_drug():
    ids = np.arange(4000)
    record = followed(plan(*HARMED, visits=(0, 6, 20), disease="troubled"), arms=np.zeros(4000, int), ids=ids)
    days = {kind: np.asarray(day) for kind, day in record.status.harms.day.items()}
    assert set(days) == {"rash", "cold"}
    for kind, start, stop, hazard in (("rash", 14, 84, 0.02), ("cold", 0, 140, 0.01)):
        had = ~np.isnan(days[kind])
        assert days[kind][had].min() >= start
        assert days[kind][had].max() <= stop
        for until in (start + 20, stop):
            expected = 1 - np.exp(-hazard * (until - start))
            close = 4.5 * np.sqrt(expected * (1 - expected) / len(ids))
            assert np.mean(days[kind][had] <= until) * had.mean() == pytest.approx(expected, abs=close)


def test_a_twin_has_the_same_luck_in_every_arm():
    asked = plan(*HARMED, visits=(0, 6, 20), disease="troubled")
    on, off = (followed(asked, np.full(N, arm)).status.harms.day for arm in (0, 1))
    np.testing.assert_array_equal(on["cold"], off["cold"])
    assert np.isnan(off["rash"]).all()
    assert not np.isnan(on["rash"]).all()


def test_adverse_events_stand_in_the_table():
    events = tables(plan(one(dose="1 mg", weeks=[0]), disease="troubled"), IDS)["events"]
    assert set(events.event) == {"adverse event: rash", "adverse event: cold"}
    assert events.week.between(0, 11).all()
    assert not events.duplicated(["twin", "event"]).any()


# Parameters


def test_a_draw_replaces_the_numbers_it_names():
    assert float(parameters_of(TROUBLED)["speed"]) == 1
    assert float(parameters_of(TROUBLED, 4)["speed"]) == 5
    assert set(parameters_of(TROUBLED, 4)) == set(parameters_of(TROUBLED))


def test_draws_must_be_known():
    with pytest.raises(ValueError, match="toy does not know the uncertainty"):
        parameters_of(TOY, 0)
    assert problems(plan(one(dose="1 mg", weeks=[0]), model={"draw": 1})) == [
        "model.draw: the uncertainty of the parameters of toy is not known; leave it out"
    ]
    assert problems(plan(one(dose="1 mg", weeks=[0]), disease="troubled", model={"draw": 1})) == []


# A study as text


def test_every_form_survives_being_written_down():
    asked = plan(
        one(tiers=[{"up_to": "100 kg", "dose": "45 mg"}, {"dose": "90 mg"}], weeks=[0]),
        lamp(dose="0.7 MED", until=2, raise_by=0.1, raise_each="week", at_most="2 MED"),
        lamp(doses=["0.4 J/cm2", "500 mJ/cm2"]),
        [{"treatment": "pill", "dose": "30 mg", "times_a_day": 2, "days": [0], "until_day": 9}],
        WITHDRAWAL,
    )
    text = canonical(asked)
    assert Study.model_validate_json(text) == asked
    assert canonical(Study.model_validate_json(text, strict=True)) == text
    assert '"from":"induction"' in text
    assert '"unless":"high"' in text


def test_a_single_arm_needs_no_comparison():
    assert problems(plan(one(dose="1 mg", weeks=[0]))) == []


# The report

TOLD = [
    (
        one(dose="5 mg/kg", weeks=[0, 2, 6], every=8, until=24),
        "shot 5 mg/kg at weeks 0, 2 and 6, then every 8 weeks (last dose week 22)",
    ),
    (
        one(tiers=[{"up_to": "100 kg", "dose": "45 mg"}, {"dose": "90 mg"}], weeks=[0]),
        "shot 45 mg up to 100 kg, 90 mg above at week 0",
    ),
    (one(dose="50 mg", weeks=[0], times_a_week=2, until=12), "shot 50 mg twice a week from week 0 until week 12"),
    (one(dose="50 ug", days=[0, 3]), "shot 50 µg at day 0 and day 3"),
    (
        lamp(dose="0.7 MED", until=12, raise_by=0.1, raise_each="week", at_most="3 MED"),
        "lamp 0.7 MED, raised by 10\u202f% each week to at most 3 MED in 3 sessions a week from week 0 until week 12",
    ),
    (
        lamp(doses=["0.4 J/cm2", "500 mJ/cm2"]),
        "lamp 0.4 J/cm² to 0.5 J/cm², by session in 3 sessions a week from week 0 (2 sessions)",
    ),
    (pill(times_a_day=2, until=None, until_day=9), "pill 10 mg twice a day from week 0 until day 9"),
]  # fmt: skip


@pytest.mark.parametrize(("regimen", "said"), TOLD, ids=[said for _, said in TOLD])
def test_a_course_is_told_in_words(regimen, said):
    assert words.regimen(plan(regimen, visits=(0, 24)).trial.arms["arm0"]) == said


def test_stages_are_told_with_who_goes_there():
    assert words.regimen(plan(crossover(at=4)).trial.arms["arm0"]) == (
        "stage placebo: no treatment. Stage active (those at week 4, from placebo): shot 100 mg at weeks 0 and 1"
    )
    told = words.regimen(plan(WITHDRAWAL).trial.arms["arm0"])
    assert "Stage withdrawal (50\u202f% of those with odd at week 4, from induction): no treatment." in told
    assert "Stage again (those without high at visits after week 4, from withdrawal)" in told


def test_the_table_of_doses_names_the_stage_and_its_clock():
    assert schedule.doses(plan(crossover(at=4), pill())) == [
        ("arm0, active (weeks from entering it)", "shot", "100 mg", "0 and 1"),
        ("arm1", "pill", "10 mg", "once a day from week 0 until week 11"),
    ]


def test_the_flow_counts_a_twin_once_for_each_stage():
    twins = pd.DataFrame({"twin": [0, 1], "arm": "a", "doses_planned": 1, "doses_taken": 1})
    rows = [(0, "moved to b"), (0, "moved to b"), (1, "moved to b"), (1, "adverse event: rash")]
    events = pd.DataFrame(
        [(twin, "a", 4, event, "") for twin, event in rows], columns=["twin", "arm", "week", "event", "reason"]
    )
    found = flow.tally(["a"], [], twins, events, {}).arms["a"]
    assert (found.moved, found.stopped) == ({"b": 2}, {})


# Mistakes

COURSES = [
    ({"dose": "100 mg"}, "say when: give 'weeks' or 'days'"),
    ({"dose": "100 mg", "weeks": [0], "days": [1]}, "say when: give 'weeks' or 'days'"),
    ({"dose": "100 mg", "days": [3, 3]}, "days must rise: day 3 comes after day 3"),
    ({"dose": "100 mg", "days": [-1]}, "day -1 is before baseline, day 0"),
    ({"dose": "100 mg", "days": [5000]}, "day 5000 is after week 520"),
    ({"weeks": [0]}, "say how much: give one of 'dose', 'doses' (one a session) and 'tiers'"),
    ({"weeks": [0], "dose": "1 mg", "doses": ["1 mg"]}, "say how much: give one of"),
    ({"weeks": [0], "dose": "1 mg", "every": 2}, "'every' and 'until' go together"),
    ({"weeks": [0], "dose": "1 mg", "until": 2}, "'every' and 'until' go together"),
    ({"weeks": [0], "dose": "1 mg", "every": 2, "until": 4, "until_day": 9}, "'until' is a week, 'until_day' a day"),
    ({"weeks": [0], "dose": "1 mg", "every": 2, "times_a_day": 2, "until": 4}, "give one of 'every' and 'times_a_day'"),
    ({"weeks": [0], "dose": "1 mg", "times_a_week": 2}, "'times_a_week' needs an end: give 'until'"),
    ({"weeks": [0, 4], "dose": "1 mg", "times_a_day": 2, "until": 8}, "'weeks' names the start alone, such as"),
    ({"days": [4], "dose": "1 mg", "every": 2, "until_day": 4}, "'until_day' (day 4) must be later than the last"),
    ({"weeks": [4], "dose": "1 mg", "every": 2, "until": 4}, "'until' (week 4) must be later than the last"),
    ({"weeks": [0], "doses": ["1 J/cm2"] * 2, "sessions_a_week": 3, "until": 1}, "leave out 'until'"),
    ({"weeks": [0, 1], "doses": ["1 J/cm2"] * 3}, "3 doses for 2 sessions: give one a session"),
    ({"weeks": [0], "doses": ["1 J/cm2", "1 MED"], "sessions_a_week": 3}, "have one unit, got J/cm2 and MED"),
    ({"weeks": [0], "dose": "1 J/cm2", "raise_by": 0.1}, "it needs 'dose' and 'sessions_a_week'"),
    ({"weeks": [0], "dose": "1 J/cm2", "at_most": "2 J/cm2"}, "'at_most' and 'raise_each' belong to 'raise_by'"),
    ({"weeks": [0], "dose": "1 J/cm2", "raise_each": "week"}, "'at_most' and 'raise_each' belong to 'raise_by'"),
    (
        {"weeks": [0], "dose": "1 J/cm2", "sessions_a_week": 3, "until": 2, "raise_by": 0.1, "at_most": "0.9 J/cm2"},
        "'at_most' (0.9 J/cm2) is below the first dose (1 J/cm2)",
    ),
    ({"weeks": [0], "dose": "1 MED", "times_a_day": 2, "until": 2}, "what is taken every day is no light"),
    ({"weeks": [0], "doses": ["1 mg"], "times_a_day": 2, "until": 2}, "write one course for each dose"),
    ({"weeks": [0], "tiers": [{"dose": "1 mg"}]}, "every tier but the last says 'up_to'"),
    ({"weeks": [0], "tiers": [{"dose": "1 mg"}, {"dose": "2 mg"}]}, "every tier but the last says 'up_to'"),
    (
        {"weeks": [0], "tiers": [{"dose": "1 mg", "up_to": f"{kg} kg"} for kg in (90, 80)] + [{"dose": "1 mg"}]},
        "tiers must rise: up_to 80 kg comes after 90 kg",
    ),
    ({"weeks": [0], "tiers": [{"dose": "1 mg", "up_to": "100 lb"}, {"dose": "2 mg"}]}, "'100 kg', got '100 lb'"),
    ({"weeks": [0], "dose": "5 mg/lb"}, "an amount with its unit (mg, g, ug), such as '100 mg', got '5 mg/lb'"),
    ({"weeks": [0], "dose": "0 J/cm2"}, "a dose must be above zero"),
    ({"weeks": [0], "dose": 5}, "expected an amount with its unit"),
]  # fmt: skip


@pytest.mark.parametrize(("course", "said"), COURSES)
def test_a_course_that_cannot_be_is_refused(course, said):
    with pytest.raises(ValidationError) as caught:
        Course.model_validate({"treatment": "shot", **course})
    assert said in str(caught.value)


STAGES = {"a": {}, "b": {}}
TO_B = {"from": "a", "to": "b"}
ARMS = [
    ({"stages": STAGES, "regimen": one(dose="1 mg", weeks=[0])}, "give 'regimen' (one for the whole trial) or"),
    ({"rules": [{**TO_B, "at": 4}]}, "'rules' lead from stage to stage, but there are no 'stages'"),
    ({"stages": STAGES}, "stages.b: no rule leads to it; add one, such as {from: a, to: b, at: 16}"),
    ({"stages": STAGES, "rules": [{"from": "a", "to": "c", "at": 4}]}, "rules.0: no stage 'c'; the stages are a, b"),
    ({"stages": STAGES, "rules": [{"from": "a", "to": "a", "at": 4}]}, "leads from 'a' to itself"),
    ({"stages": STAGES, "rules": [TO_B]}, "say when: 'at' (the week of one visit) or 'after' (any later visit)"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 4, "after": 4}]}, "say when: 'at'"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 4, "if": "odd", "unless": "odd"}]}, "give 'if' or 'unless', not both"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 4, "share": 0}]}, "greater than 0"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 13}]}, "arms.arm0.rules.0: at: week 13 is not a visit after baseline"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 0}]}, "week 0 is not a visit after baseline"),
    ({"stages": STAGES, "rules": [{**TO_B, "after": 12}]}, "after: there is no visit later than week 12"),
    ({"stages": STAGES, "rules": [{**TO_B, "at": 4, "when": "odd"}]}, "Extra inputs are not permitted"),
    (one(dose="1 mg", days=[85]), "a dose of shot at day 85, after the last visit (week 12)"),
    (
        [{"treatment": "pill", "dose": "1 mg", "times_a_day": 1, "weeks": [0], "until": 13}],
        "pill goes on after the last visit (week 12)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arm", "said"), ARMS)
def test_an_arm_that_cannot_be_is_refused(arm, said):
    with pytest.raises(ValidationError) as caught:
        plan(arm)
    assert said in str(caught.value)


def course(treatment, **parts):
    return [{"treatment": treatment, "weeks": [0], **parts}]


PROBLEMS = [
    (course("shoot", dose="1 mg"), "regimen.0.treatment: unknown treatment 'shoot'; did you mean 'shot'?"),
    (course("shot", dose="1 J/cm2"), "1 J/cm2 does not fit shot, which is given in mg or mg/kg, such as 100 mg"),
    (course("lamp", dose="1 mg", sessions_a_week=3, until=2), "1 mg does not fit lamp, which is given in J/cm2 or MED"),
    (course("cream", dose="1 g", times_a_day=1, until=2), "given in application, such as 1 application"),
    (course("lamp", dose="1 session"), "1 session does not fit lamp, which is given in J/cm2 or MED"),
    (course("cream", dose="1 tablet", times_a_day=1, until=2), "1 tablet does not fit cream"),
    (course("heater", dose="1 J/cm2"), "1 J/cm2 does not fit heater, which is given in session, such as 1 session"),
    (course("heater", dose="3 sessions"), "3 session is above 2 session, the highest single dose of heater"),
    (course("heater", dose="1 session", times_a_day=1, until=2), "times_a_day: heater is light: list weeks"),
    (course("shot", dose="1 mg", times_a_day=1, until=2), "times_a_day: shot is intravenous: list weeks"),
    (course("lamp", dose="1 J/cm2", times_a_week=3, until=2), "times_a_week: lamp is given in sessions: write"),
    (course("shot", dose="1 mg", sessions_a_week=3, until=2), "sessions_a_week: shot is not given in sessions"),
    (course("shot", doses=["1 mg"]), "doses: shot is not given in sessions"),
    (course("shot", dose="2 g"), "regimen.0.dose: 2000 mg is above 1000 mg, the highest single dose of shot"),
    (course("shot", dose="11 mg/kg"), "1100 mg in a twin of 100 kg is above 1000 mg"),
    (course("lamp", dose="5.5 MED"), "5.5 J/cm2 where a minimal erythema dose is 1 J/cm2 is above 5 J/cm2"),
    (course("shot", tiers=[{"up_to": "90 kg", "dose": "1 mg"}, {"dose": "1.5 g"}]), "1500 mg is above 1000 mg"),
    (
        course("lamp", dose="1 J/cm2", sessions_a_week=5, until=12, raise_by=0.1),
        "is above 5 J/cm2, the highest single dose of lamp that is accepted",
    ),
    (
        {"stages": STAGES, "rules": [{**TO_B, "at": 4, "if": "ood"}]},
        "trial.arms.arm0.rules.0.if: no responder outcome 'ood'; did you mean 'odd'?",
    ),
    (
        {"stages": STAGES, "rules": [{**TO_B, "at": 4, "unless": "total"}]},
        "rules.0.unless: no responder outcome 'total'; choose from high, odd, third",
    ),
    (
        {"stages": {"a": {}, "b": {"regimen": one(dose="9 g", weeks=[0])}}, "rules": [{**TO_B, "at": 4}]},
        "trial.arms.arm0.stages.b.regimen.0.dose: 9000 mg is above",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arm", "said"), PROBLEMS)
def test_a_study_that_means_nothing_is_refused(arm, said):
    found = problems(plan(arm))
    assert len(found) == 1
    assert said in found[0]


def test_doses_by_what_the_population_does_not_tell_are_refused(monkeypatch):
    monkeypatch.setitem(POPULATIONS, "weighed", WEIGHED._replace(attributes={"number": WEIGHED.attributes["number"]}))
    monkeypatch.setitem(DISEASES, "toy", TOY.__class__(**{**TOY.__dict__, "attributes": ("number",)}))
    assert problems(plan(one(dose="1 mg/kg", weeks=[0])))[0].endswith(
        "a dose by body weight, which weighed does not tell"
    )
    assert "does not tell the minimal erythema dose (med): give J/cm2" in problems(plan(lamp(dose="1 MED", until=2)))[0]


def test_a_light_whose_minimal_erythema_dose_is_not_known_is_dosed_in_joules(monkeypatch):
    bare = {**TOY.__dict__, "parameters": TROUBLED.parameters.__class__({}, {})}
    monkeypatch.setitem(DISEASES, "toy", TOY.__class__(**bare))
    found = problems(plan(lamp(dose="1 MED", until=2)))
    assert found == ["trial.arms.arm0.regimen.0.dose: the minimal erythema dose under lamp is not known: give J/cm2"]
