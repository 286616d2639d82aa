"""True values of estimands: a disease that adds up doses tells by hand what each strategy must give."""

import dataclasses
import json
import math
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.disease import Outcome
from cutis.core.diseases import DISEASES
from cutis.core.keys import root, stream, uniforms
from cutis.population.sample import POPULATIONS
from cutis.trials import truth
from cutis.trials.conduct import keys_of
from cutis.trials.enrol import enrol
from cutis.trials.report import forest, sentences, tables
from cutis.trials.shard import Job, Shard, simulate
from cutis.trials.statistics import estimands
from cutis.trials.statistics.analyses import analyse, check
from cutis.trials.statistics.truths import beside
from cutis.trials.study import Study, canonical

from .toy import WEIGHED
from .toydisease import TOY

SIZE, WEEKS, HAZARD, SCALE = 600, (0, 4, 8, 12), 0.05, 0.5
WEEKLY = {"treatment": "shot", "dose": "100 mg", "weeks": [0], "every": 1, "until": 12}
MEASURED = {
    "level": Outcome("level", "what is not yet forgotten", "continuous", "mg", lambda now, _: now["level"]),
    "some": Outcome(
        "some", "more than 60 mg left", "responder", "", lambda now, _: (now["level"] > 60).astype("float64")
    ),
    "sixth": Outcome(
        "sixth", "level, of light twins", "continuous", "mg",
        lambda now, base: np.where(base["odd"] == 1, now["level"], np.nan), lambda base: base["odd"] == 1
    ),
}  # fmt: skip
GIVEN = dataclasses.replace(TOY, name="given", lack_of_efficacy="some", outcomes=dict(TOY.outcomes) | MEASURED)
PLAN = {"outcome": "total", "week": 12, "arm": "drug", "comparator": "none", "method": "ancova"}
POLICY = PLAN | {"intercurrent": "treatment_policy"}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setitem(DISEASES, "given", GIVEN)
    monkeypatch.setitem(POPULATIONS, "weighed", WEIGHED)
    monkeypatch.setattr(truth, "_scale", lambda *_: SCALE)


def study(plans, size=SIZE, missed=0.0, arms=None, rescue=None, **discontinuation):
    stops = {"adverse_event": 0, "other": HAZARD, "lack_of_efficacy": 0, "lack_of_efficacy_from": 0, "followed_up": 0.5}
    named = arms or {"drug": {"regimen": [WEEKLY]}, "none": {}}
    trial = {
        "title": "t",
        "question": "q",
        "disease": "given",
        "arms": named,
        "visits": WEEKS,
        "eligibility": {},
        "randomisation": {"allocation": dict.fromkeys(named, 1), "block_size": len(named)},
        "conduct": {
            "adherence": {"probability": 1 - 1e-12, "spread": 0},
            "discontinuation": stops | discontinuation,
            "missed_visit": missed,
            "rescue": rescue,
        },
        "outcomes": ["odd"],
        "analyses": plans,
    }
    return Study.model_validate({"seed": 3, "population": {"source": "weighed", "size": size}, "trial": trial})


def with_strategy(strategy, **changes):
    return POLICY | {"estimand": {"events": {"treatment_stopped": strategy}}} | changes


def stops(size=SIZE, reason=2, hazard=HAZARD):
    """Number of the visit at which each twin stops for a reason (other: 2), from its own draws; 4 if never."""
    keys = keys_of(root(3), jnp.arange(size))
    found = np.full(size, 4)
    for visit in (3, 2, 1):
        at = jax.vmap(lambda key, visit=visit: stream(key, "visit", visit))(keys)
        draws = np.asarray(uniforms(at, "conduct", shape=(6,)))[reason]
        found = np.where(draws < -math.expm1(-4 * hazard), visit, found)
    return found


def left(doses, weeks):
    """What is not forgotten at a week of 100 mg a week, in drug that leaves at 3/day and is forgotten at 0.1/day."""
    since = 7.0 * (weeks - np.arange(doses))
    return float((100 * 3 / (3 - 0.1) * (np.exp(-0.1 * since) - np.exp(-3 * since))).sum())


def value(plan, **changes):
    return truth.true_value(study({"a": plan}, **changes), GIVEN, "a")


def test_treatment_policy_is_what_was_given_until_each_twin_stopped():
    found, visits = value(POLICY), stops()
    given = 400.0 * np.minimum(visits, 3)
    assert found.value == pytest.approx(given.mean(), rel=2e-3)
    assert found.se == pytest.approx(given.std(ddof=1) / math.sqrt(SIZE), rel=2e-3)
    assert (found.arm, found.comparator) == (pytest.approx(found.value), 0)
    assert (found.n, found.twins, found.note) == (SIZE, SIZE, "")
    # And as the hazard says: the chance to go on from visit to visit.
    stay = math.exp(-4 * HAZARD)
    assert abs(found.value - 400 * (1 + stay + stay**2)) < 4.5 * found.se


def test_hypothetical_is_the_whole_regimen():
    assert value(with_strategy("hypothetical")).value == pytest.approx(1200, rel=2e-3)
    assert value(with_strategy("hypothetical")).se == pytest.approx(0, abs=0.01)


def test_while_on_treatment_is_what_was_there_when_each_twin_stopped():
    level = with_strategy("while_on_treatment", outcome="level")
    visits = np.minimum(stops(), 3)
    expected = np.array([left(4 * visit, 4 * visit) for visit in (1, 2, 3)])[visits - 1]
    assert value(level).value == pytest.approx(expected.mean(), rel=2e-3)
    gone = np.array([left(4, 12), left(8, 12), left(12, 12)])[visits - 1]
    assert value(POLICY | {"outcome": "level"}).value == pytest.approx(gone.mean(), rel=2e-3)
    assert gone.mean() < 0.9 * expected.mean()


def test_composite_is_the_share_who_had_it_and_never_stopped():
    plan = PLAN | {"outcome": "some", "method": "newcombe", "intercurrent": "composite"}
    assert left(12, 12) > 60
    assert value(plan).value == pytest.approx((stops() == 4).mean(), rel=1e-12)
    policy = value(plan | {"intercurrent": "treatment_policy"}).value
    assert policy == pytest.approx((stops() >= 3).mean(), rel=1e-12)  # who stops at week 12 has it still


def test_the_principal_stratum_is_of_those_who_stop_in_neither_arm():
    found = value(with_strategy("principal_stratum"))
    assert found.n == (stops() == 4).sum()
    assert found.value == pytest.approx(1200, rel=2e-3)


def test_the_principal_stratum_asks_both_arms():
    """Only twins without the drug lack efficacy, and may stop for it; with the drug nobody stops."""
    found = value(with_strategy("principal_stratum"), other=0.0, lack_of_efficacy=0.03)
    stay = stops(reason=1, hazard=0.03) == 4
    assert found.n == stay.sum() < SIZE
    assert value(POLICY, other=0.0, lack_of_efficacy=0.03).n == SIZE


def test_nobody_in_the_population_gives_no_number_and_says_so():
    found = value(with_strategy("principal_stratum"), size=6, other=1.0, adverse_event=1.0)
    assert found.n == 0
    assert math.isnan(found.value)
    assert found.note == "no twin belongs to the population of the estimand"


def test_an_outcome_about_some_is_compared_in_them():
    found = value(POLICY | {"outcome": "sixth"})
    assert (found.n, found.twins) == (SIZE // 2, SIZE)


def test_who_is_lost_or_misses_visits_counts_all_the_same():
    assert value(POLICY, missed=0.3, followed_up=0).value == value(POLICY).value


def test_a_ratio_is_that_of_the_model_with_every_twin_in_both_arms():
    """0.8 mg/kg a week leave more than 60 mg in twins of 80 kg or more."""
    arms = {"drug": {"regimen": [WEEKLY]}, "none": {"regimen": [WEEKLY | {"dose": "0.8 mg/kg"}]}}
    found = value(POLICY | {"outcome": "some", "method": "logistic"}, arms=arms)
    stay = stops() >= 3
    one, two = stay.mean(), (stay & (np.arange(SIZE) % 6 >= 2)).mean()
    assert (found.arm, found.comparator) == (pytest.approx(one), pytest.approx(two))
    assert found.value == pytest.approx(one / (1 - one) / (two / (1 - two)), rel=1e-4)
    assert found.statistic == "odds ratio"
    assert math.isnan(found.se)


def test_times_are_compared_up_to_the_week():
    """The drug's twins have more than 60 mg from the first visit on, the others never."""
    plan = POLICY | {"outcome": "some", "method": "restricted_mean"}
    assert left(4, 4) > 60
    assert value(plan).value == pytest.approx(4 - 12)
    assert value(plan | {"method": "kaplan_meier"}).value == pytest.approx(1)


@pytest.mark.parametrize("way", ["xla", "lanes"])
def test_a_twin_has_the_course_that_it_has_in_a_run(way):
    asked = study({"a": POLICY}, followed_up=1.0)
    people = enrol(asked, GIVEN, root(3))
    shard = Shard(0, people.ids, people.arms, people.strata, {})
    made, _ = simulate(Job(canonical(asked), 1.0, people.labels, way), shard)
    seen = made["observations"].to_pandas()
    twins = truth.enrolled(asked, GIVEN)
    for arm in ("drug", "none"):
        course = truth.follow(asked, GIVEN, twins, arm, (), 1.0, way)
        mine = (twins["arm"] == arm).to_numpy()
        for week in WEEKS:
            there = seen.loc[(seen["arm"] == arm) & (seen["week"] == week)]
            for name in ("total", "level"):
                np.testing.assert_array_equal(course.records.at(week)[name][mine], there[name])


def test_estimates_scatter_about_the_true_value_and_the_results_say_so():
    told = {"true_value": True, "population": "everyone"}
    plans = {
        "policy": POLICY | {"estimand": told, "role": "primary"},
        "share": PLAN | {"outcome": "some", "method": "newcombe", "estimand": {"true_value": True}},
    }
    asked = study(plans, followed_up=1.0)
    people = enrol(asked, GIVEN, root(3))
    shard = Shard(0, people.ids, people.arms, people.strata, {})
    made, _ = simulate(Job(canonical(asked), 1.0, people.labels), shard)
    frames = [made[name].to_pandas() for name in ("twins", "observations", "events")]
    rows = analyse(asked, GIVEN, *frames)
    for name in plans:
        estimated, true = (row for row in rows if row.analysis == name and row.comparator)
        assert true.method == "potential_outcomes"
        assert true.statistic == f"true {estimands.SUMMARIES[plans[name]['method']]}"
        # 4.5 standard errors, of which the interval has 2 x 1.96.
        assert abs(estimated.estimate - true.estimate) < 4.5 / 3.92 * (estimated.high - estimated.low)
        assert f"off by {estimated.estimate - true.estimate:+.4g}" in true.note
        assert ("holds it" in true.note) == (estimated.low <= true.estimate <= estimated.high)
        assert true.estimate == truth.true_value(asked, GIVEN, name).value
    (primary,) = sentences.in_short(rows, list(plans), GIVEN)
    assert "With the same twins in both arms, nobody lost and no visit missed, it is +" in primary.text
    assert primary.text.endswith(" mg.")
    assert ": this run is off by " in primary.text
    assert len(forest.comparisons(rows, list(plans))) == len(plans)
    assert "population: everyone" in tables.plan(asked, GIVEN)[0][-1]
    figures, _ = tables.analysis_figures(asked, GIVEN, rows)
    (shown,) = [figure for figure in figures if figure.statistic == "true risk difference"]
    assert shown.estimate.endswith(" points")
    (true,) = [row for row in rows if row.analysis == "share" and row.method == "potential_outcomes"]
    assert json.loads(true.options)["estimand"]["events"] == {"treatment_stopped": "composite"}


@pytest.mark.parametrize(
    ("statistic", "row", "value", "words"),
    [
        ("risk difference", (0.5, 0.4, 0.6), 0.45, "the estimate of this run is off by +0.05; its interval holds it"),
        ("risk difference", (0.5, 0.4, 0.6), 0.7, "the estimate of this run is off by -0.2; its interval misses it"),
        ("odds ratio", (3.0, 1.0, 9.0), 2.0, "the estimate of this run is 1.5 times as large; its interval holds it"),
        ("Mann-Whitney difference", (0.5, math.nan, math.nan), 0.25, "the estimate of this run is off by +0.25"),
        ("odds ratio", (math.nan, math.nan, math.nan), 2.0, ""),
    ],
)
def test_the_note_tells_the_error_of_the_run(statistic, row, value, words):
    numbers = dict(zip(("estimate", "low", "high"), row, strict=True))
    estimated: Any = SimpleNamespace(arm="drug", comparator="none", statistic=statistic, **numbers)
    true = truth.Truth(statistic, value, math.nan, 0.75, 0.25, 8, 10, "")
    found = beside(true, estimated, estimands.Attributes("", "", "", {}, ""), True)
    assert found.note == words
    assert (found.events, found.events_comparator, found.n, found.estimate) == (6, 2, 8, value)


def test_a_study_that_does_not_ask_has_no_true_values_and_is_written_as_before():
    asked = study({"a": POLICY})
    assert "estimand" not in canonical(asked)
    assert asked.trial.analyses["a"].estimand is None


def test_the_attributes_follow_from_the_analysis_or_from_the_study():
    told = {"treatment": "drug or none", "summary": "mean difference", "events": {"treatment_stopped": "hypothetical"}}
    asked = study({"a": POLICY, "b": POLICY | {"estimand": told}, "c": with_strategy("principal_stratum")})
    plain, own, stratum = (estimands.attributes(asked, GIVEN, asked.trial.analyses[name]) for name in "abc")
    assert plain.treatment == "drug against none, as randomised"
    assert plain.population == "all randomised twins"
    assert plain.variable == "all that was given, at week 12"
    assert plain.events == {"treatment_stopped": "treatment_policy"}
    assert plain.summary == "difference in adjusted means"
    assert (own.treatment, own.summary) == ("drug or none", "mean difference")
    assert own.events == {"treatment_stopped": "hypothetical"}
    assert stratum.population == "all randomised twins who in neither arm would have treatment stopped"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"estimand": {"events": {"rescue_started": "hypothetical"}}}, "this trial has no rescue"),
        ({"estimand": {"events": {"treatment_stopped": "composite"}}}, "total is a continuous outcome"),
        (
            {"outcome": "some", "method": "cox", "estimand": {"events": {"treatment_stopped": "while_on_treatment"}}},
            "choose hypothetical or composite",
        ),
        ({"outcome": "some", "method": "log_rank", "estimand": {"true_value": True}}, "log_rank counts events"),
    ],
)
def test_what_makes_no_sense_is_refused(change, words):
    (problem,) = check(study({"a": POLICY | change}), GIVEN)
    assert problem.startswith("analyses.a.estimand.")
    assert words in problem


def test_an_analysis_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no analysis 'b'; choose from a"):
        truth.true_value(study({"a": POLICY}), GIVEN, "b")
    with pytest.raises(ValueError, match="there is no true value of a log-rank test"):
        value(POLICY | {"outcome": "some", "method": "log_rank"})
