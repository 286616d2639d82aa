"""Designs that share alpha, drop arms or choose their size: their errors, their power, and what cannot be asked for."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from cutis.trials.designs.multiplicity.dunnett import co_primary_power
from cutis.trials.operating import decisions, looks, replicates, stages
from cutis.trials.operating.decisions import Rule, ahead, decide
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.settings import Design, problems
from cutis.trials.operating.stages import Staged
from cutis.trials.operating.worlds import worlds
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

from .studies import study

REPLICATES = 40_000
THREE, TWO = Allocation((1, 1, 1), 6, 1), Allocation((1, 1), 4, 1)


def at_most(hits, rate):
    """Whether a share is no further above a rate than 4.5 of its standard errors."""
    return hits.mean() < rate + 4.5 * math.sqrt(rate * (1 - rate) / len(hits))


def close(hits, rate):
    return abs(hits.mean() - rate) < 4.5 * math.sqrt(rate * (1 - rate) / len(hits))


def estimates(z):
    """Estimates whose tests have these statistics, (replicates, looks, analyses)."""
    zero = np.zeros(z.shape)
    return Estimate(z, zero + 1, zero, zero, z, zero + np.inf, 2 * norm.sf(abs(z)), zero.astype(int))


def rule(words, analyses, allocation=TWO, cuts=(100,), arms=((0, 1),)):
    design = Design.model_validate(words)
    return Rule(design, looks.bounds(design, 0.05), (1.0,) * analyses, arms, allocation, cuts)


def normal(means, correlation, seed=1):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(means, correlation, REPLICATES)[:, None, :]


@pytest.mark.parametrize("test", ["graph", "simes", "holm", "hochberg", "fixed_sequence"])
def test_the_familywise_error_holds_under_every_null(test):
    for null in (3, 1):
        plan = rule({"family": {"analyses": ["a", "b", "c"], "test": test}}, 3)
        means = np.where(np.arange(3) < null, 0.0, 3.0)
        found = decide(plan, estimates(normal(means, 0.5 * np.eye(3) + 0.5)))
        assert at_most(found.rejected[:, :null].any(axis=1), 0.025)


def test_the_shares_of_a_graph_are_those_of_bonferroni():
    words = {"analyses": ["a", "b"], "weights": [0.8, 0.2], "transitions": [[0, 0], [0, 0]]}
    found = decide(rule({"family": words}, 2), estimates(normal([0, 0], np.eye(2))))
    assert close(found.rejected[:, 0], 0.02)
    assert close(found.rejected[:, 1], 0.005)


def test_co_primary_analyses_have_the_power_of_the_formula():
    correlation = np.array([[1, 0.4], [0.4, 1.0]])
    plan = rule({"family": {"analyses": ["a", "b"], "test": "co_primary", "success": "all"}}, 2)
    found = decide(plan, estimates(normal([3.0, 2.6], correlation)))
    assert close(found.success, co_primary_power([3.0, 2.6], correlation, 0.025))


def test_co_primary_analyses_may_be_looked_at_twice():
    plan = rule({"family": {"analyses": ["a", "b"], "test": "co_primary"}, "looks": [0.5, 1]}, 2, cuts=(50, 100))
    first, more = (normal([0.0, 9.0], np.eye(2), seed) for seed in (1, 2))
    found = decide(plan, estimates(np.concatenate([first, (first + more) / math.sqrt(2)], axis=1)))
    assert close(found.success, 0.025)
    assert np.isin(found.people, (50, 100)).all()


def two_stages(plan, means, correlation):
    """Both stages of many trials whose statistics move with the people of a stage; the second if it takes place."""
    first = normal(np.array(means) * math.sqrt(plan.cuts[0]), correlation, 3)[:, 0]
    on = ahead(plan, first)
    noise = normal(np.zeros(len(means)), correlation, 4)[:, 0]
    second = np.array(means) * np.sqrt(on.people)[:, None] + noise
    second[on.ends] = np.nan
    found = estimates(np.stack([first, second], axis=1))
    return found._replace(p=np.nan_to_num(found.p, nan=1.0)), on


@pytest.mark.parametrize("futility", [{}, {"futility": "obrien_fleming", "power": 0.9}])
def test_a_size_chosen_at_a_look_keeps_the_level(futility):
    plan = rule({"looks": [0.5, 1], "reestimate": {"most": 3}} | futility, 1, cuts=(100, 200))
    found, on = two_stages(plan, [0.0], np.eye(1))
    verdict = decide(plan, found)
    assert at_most(verdict.success, 0.025)
    assert on.people.max() <= plan.most == 300
    assert (on.people % 2 == 0).all()
    assert verdict.people[verdict.look == 0].max() == 100
    assert set(np.unique(verdict.zone)) == {0, 1, 2}


def test_a_size_chosen_at_a_look_gains_power_where_it_is_promising():
    plan = rule({"looks": [0.5, 1], "reestimate": {"most": 3}}, 1, cuts=(100, 200))
    fixed = rule({"looks": [0.5, 1]}, 1, cuts=(100, 200))
    drift = 2.4 / math.sqrt(200)
    found, on = two_stages(plan, [drift], np.eye(1))
    more = decide(plan, found).success[(on.zone == 1) & ~on.ends].mean()
    first = normal([drift * 10], np.eye(1), 3)[:, 0]
    later = (first + normal([drift * 10], np.eye(1), 4)[:, 0]) / math.sqrt(2)
    planned = decide(fixed, estimates(np.stack([first, later], axis=1))).success[(on.zone == 1) & ~on.ends].mean()
    assert more > planned + 0.1


@pytest.mark.parametrize(
    "words", [{}, {"keep": "within", "margin": 1.0, "least": 0.0}, {"test": "simes"}, {"test": "bonferroni"}]
)
def test_dropping_arms_keeps_the_familywise_error(words):
    select = {"analyses": ["a", "b"]} | words
    plan = rule({"looks": [0.5, 1], "select": select}, 2, THREE, (150, 300), ((0, 2), (1, 2)))
    shared = np.array([[1, 0.5], [0.5, 1]])
    verdict = decide(plan, two_stages(plan, [0.0, 0.0], shared)[0])
    assert at_most(verdict.success, 0.025)
    good = decide(plan, two_stages(plan, [0.3, 0.0], shared)[0])
    assert good.rejected[:, 0].mean() > 0.9
    assert at_most(good.rejected[:, 1], 0.025)
    assert good.kept[:, 0].mean() > 0.9


def test_the_people_of_a_dropped_arm_go_to_the_others():
    plan = rule({"looks": [0.5, 1], "select": {"analyses": ["a", "b"]}}, 2, THREE, (150, 300), ((0, 2), (1, 2)))
    assert stages.allocation(plan, (False, True)) == Allocation((0, 1, 1), 6, 1)
    assert stages.allocation(plan, (True, True)) == Allocation((1, 1, 1), 6, 1)


def test_hypotheses_are_the_model_all_nulls_and_each_part():
    family = Design.model_validate({"family": {"analyses": ["a", "b"]}})
    found = dict(worlds(family, ("a", "b", "more")))
    assert list(found) == ["model", "null as comparator", "null as arm", "null of a", "null of b"]
    assert found["null of a"] == ((1, 1), (0, 1), (0, 1))
    chosen = Design.model_validate({"looks": [0.5, 1], "select": {"analyses": ["a", "b"]}})
    assert "null as arm" not in dict(worlds(chosen, ("a", "b")))
    assert worlds(Design(), ("a",)) == ()
    assert len(worlds(Design.model_validate({"family": {"analyses": list("abcd")}}), tuple("abcd"))) == 3 + 8


@pytest.fixture(scope="module")
def staged():
    """Both stages of a few trials in which the better of two arms goes on, from a made-up pool."""
    rng = np.random.default_rng(5)
    value = rng.normal(size=(3, 900)) + np.array([[0.9], [0.0], [0.0]])
    words = {"outcome": "y", "week": 16, "comparator": "c", "method": "ancova", "intercurrent": "treatment_policy"}
    plans = tuple(Analysis.model_validate(words | {"arm": arm}) for arm in "ab")
    nothing = np.zeros((2, 900), bool)
    columns = {
        name: Columns(value[[arm, 2]], nothing, np.zeros((2, 900, 0)), ~nothing, (arm, 2))
        for arm, name in enumerate("ab")
    }
    pool = Pool(np.arange(900), np.zeros(900, int), ("all",), columns)
    plan = rule({"looks": [0.5, 1], "select": {"analyses": ["a", "b"]}}, 2, THREE, (60, 120), ((0, 2), (1, 2)))
    trials = Trials(1, 120, (60, 120), THREE, ("a", "b"), plans, worlds=worlds(plan.design, ("a", "b"))[:2])
    whole = Staged(trials, plan)
    return whole, pool, stages.analyse(whole, np.arange(24), replicates.data(pool, ("a", "b"), plans))


def test_a_second_stage_is_that_of_the_arms_that_are_kept(staged):
    whole, pool, found = staged
    z = decisions.scores(whole.rule, Estimate._make(values[:, 0] for values in found))
    on = ahead(whole.rule, z[:, 0])
    there = np.isfinite(found.estimate[:, 0, 1])
    np.testing.assert_array_equal(there, on.kept & ~on.ends[:, None])
    assert on.kept[:, 0].mean() > 0.9
    again = stages.analyse(whole, np.arange(3, 9), replicates.data(pool, ("a", "b"), whole.first.analyses))
    np.testing.assert_array_equal(found.estimate[3:9], again.estimate)
    going = there[:, 0]
    assert found.se[going, 0, 1, 0].mean() == pytest.approx(math.sqrt(2 / 30), rel=0.1)  # 30 an arm instead of 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"family": {"analyses": ["a"]}}, "expected two analyses or more"),
        ({"family": {"analyses": ["a", "a"]}}, "its share of alpha would be spent twice"),
        ({"family": {"analyses": ["a", "b"], "weights": [0.5, 0.6]}}, "sum to 1.1; the shares of alpha must sum to 1"),
        ({"family": {"analyses": ["a", "b"], "weights": [0.5, 0.4]}}, "sum to 0.9"),
        ({"family": {"analyses": ["a", "b"], "weights": [1.0]}}, "one for each of 2 analyses, got 1"),
        (
            {"family": {"analyses": ["a", "b"], "weights": [0.5, 0.5], "transitions": [[0, 1], [1, 0.5]]}},
            "0 on the diagonal",
        ),
        ({"family": {"analyses": ["a", "b"], "test": "holm", "weights": [0.5, 0.5]}}, "holm has none"),
        ({"family": {"analyses": ["a", "b"], "test": "hochberg"}, "looks": [0.5, 1]}, "alpha would be spent twice"),
        (
            {"family": {"analyses": ["a", "b"]}, "looks": [0.5, 1], "futility": "pocock", "power": 0.9},
            "not of a family",
        ),
        ({"select": {"analyses": ["a", "b"]}}, "at the first of two looks"),
        ({"select": {"analyses": ["a", "b"], "margin": 1}, "looks": [0.5, 1]}, "with keep: within"),
        ({"reestimate": {"most": 2, "low": 0.9, "target": 0.8}, "looks": [0.5, 1]}, "rising conditional powers"),
        ({"reestimate": {"most": 0.5}, "looks": [0.5, 1]}, "greater than 1"),
        (
            {"reestimate": {"most": 2}, "select": {"analyses": ["a", "b"]}, "looks": [0.5, 1]},
            "a design has one of the two",
        ),
        ({"spending": "table"}, "expected pairs with spending: table"),
        (
            {"spending": "table", "spending_table": [[0.5, 0.04], [1, 0.03]], "looks": [0.5, 1]},
            "what is spent is spent",
        ),
        ({"looks": [0.5, 0.5, 1]}, "expected fractions that rise to 1"),
    ],
)
def test_a_design_that_cannot_be_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(words)


def test_a_table_spends_what_it_says_on_both_sides_together():
    words = {"spending": "table", "spending_table": [[0.5, 0.01], [1, 0.05]], "looks": [0.5, 1]}
    found = looks.bounds(Design.model_validate(words), 0.05)
    assert found.efficacy[0] == pytest.approx(norm.isf(0.005))
    with pytest.raises(ValueError, match="above the level"):
        looks.bounds(Design.model_validate(words | {"spending_table": [[0.5, 0.01], [1, 0.06]]}), 0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"family": {"analyses": ["pasi90_against_placebo", "none"]}}, "design.family.analyses: the trial has no"),
        (
            {"select": {"analyses": ["pasi90_against_placebo", "pasi90_against_adalimumab"]}, "looks": [0.5, 1]},
            "one analysis an arm, all against one comparator",
        ),
        ({"reestimate": {"most": 2}, "looks": [0.5, 1], "replay": 10_000}, "expected a replicate from 0 to 9999"),
        (
            {"family": {"analyses": ["pasi90_against_placebo", "iga01_against_placebo"]},
             "analysis": "pasi90_against_adalimumab"},
            "is not among family.analyses",
        ),
    ],
)  # fmt: skip
def test_a_design_that_does_not_fit_its_trial_is_refused(words, message):
    found = problems(study(), Design.model_validate(words))
    assert any(message in line for line in found), found
