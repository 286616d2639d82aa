"""Enrichment: who goes on, errors under the nulls of the subgroup and of the others, both stages again, refusals."""

import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from cutis.trials.operating import enriching, later, looks, replicates, report, stages
from cutis.trials.operating.adaptations import Enrichment
from cutis.trials.operating.decisions import Rule, ahead, decide, scores
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.enriching import INSIDE, OUTSIDE
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.settings import Design, chosen, problems
from cutis.trials.operating.stages import Staged
from cutis.trials.operating.worlds import worlds
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

from .studies import study

REPLICATES, SHARE, POOL = 20_000, 0.4, 2000
TWO = Allocation((1, 1), 4, 1)
NAMES = ("y", "y in the subgroup")


def at_most(hits, rate):
    return hits.mean() < rate + 4 * math.sqrt(rate * (1 - rate) / len(hits))


def rule(cuts=(100, 200), **words):
    enrich = {"subgroup": {"weight": {"min": 90}}, "everybody_from": 1.0} | words
    design = Design.model_validate({"looks": [0.5, 1], "enrich": enrich})
    return Rule(design, looks.bounds(design, 0.05), (1.0, 1.0), ((0, 1), (0, 1)), TWO, cuts, SHARE)


def estimates(z):
    zero = np.zeros(z.shape)
    found = Estimate(z, zero + 1, zero, zero, z, zero + np.inf, 2 * norm.sf(abs(z)), zero.astype(int))
    return found._replace(p=np.nan_to_num(found.p, nan=1.0))


def two_stages(plan, inside, outside, seed=4):
    """Both stages of many trials; effects in SD of a stage's statistic of everybody, if all were so."""
    rng = np.random.default_rng(seed)
    root, rest = math.sqrt(SHARE), math.sqrt(1 - SHARE)

    def stage():
        of_members = rng.normal(size=REPLICATES) + inside * root
        of_others = rng.normal(size=REPLICATES) + outside * rest
        return np.stack([root * of_members + rest * of_others, of_members], axis=1)

    first, all_again, alone = stage(), stage(), rng.normal(size=REPLICATES) + inside
    on = ahead(plan, first)
    second = np.where(on.kept[:, :1], all_again, np.stack([np.full(REPLICATES, np.nan), alone], axis=1))
    second[on.ends] = np.nan
    return decide(plan, estimates(np.stack([first, second], axis=1))), on


@pytest.mark.parametrize("test", ["nested", "simes", "bonferroni"])
@pytest.mark.parametrize(("inside", "outside"), [(0, 0), (0, 3)])
def test_the_familywise_error_holds_whoever_goes_on(test, inside, outside):
    verdict, on = two_stages(rule(test=test), inside, outside)
    null = [True, True] if not outside else [False, True]
    assert at_most(verdict.rejected[:, null].any(axis=1), 0.025)
    assert on.kept[:, 1].any()


def test_an_effect_in_the_subgroup_alone_is_found_more_often_with_enrichment():
    enriched, on = two_stages(rule(), 3.0, 0.0)
    never, _ = two_stages(rule(everybody_from=-9.0), 3.0, 0.0)
    assert enriched.success.mean() > never.success.mean() + 0.05
    alone = ~on.kept[:, 0] & on.kept[:, 1] & ~on.ends
    assert 0.1 < alone.mean() < 0.7
    assert not enriched.rejected[alone, 0].any()


@pytest.fixture(scope="module")
def made():
    """Both stages of trials from a made-up pool, in which the subgroup alone gains."""
    rng = np.random.default_rng(9)
    members = rng.random(POOL) < SHARE
    value = rng.normal(size=(2, POOL)) + np.array([[1.0], [0.0]]) * members
    value[rng.random((2, POOL)) < 0.02] = np.nan
    words = {"outcome": "y", "week": 16, "arm": "a", "comparator": "c", "method": "ancova", "covariates": ["x"]}
    plan = Analysis.model_validate(words | {"intercurrent": "treatment_policy"})
    x = np.stack([rng.normal(size=(POOL, 1))] * 2)
    whole = Columns(value, np.isnan(value), x, np.ones((2, POOL), bool), (0, 1))
    twins = pd.DataFrame({"weight": np.where(members, 95.0, 80.0)})
    pool = Pool(np.arange(POOL), np.zeros(POOL, int), ("all",), dict.fromkeys(NAMES, whole), twins)
    analyses = dict.fromkeys(NAMES, plan)
    plan_of = rule((60, 120))
    pool, enriched = enriching.prepared(study(), plan_of.design.enrich, pool, analyses)
    plan_of = plan_of._replace(share=enriched.share)
    trials = Trials(1, 120, (60, 120), TWO, NAMES, tuple(analyses.values()), worlds=worlds(plan_of.design, NAMES))
    staged = Staged(trials, plan_of, enriched)
    data = replicates.data(pool, NAMES, trials.analyses)
    return staged, pool, data, stages.analyse(staged, np.arange(64), data)


def test_members_are_those_who_meet_the_criteria(made):
    staged, pool, _, _ = made
    np.testing.assert_array_equal(staged.enriched.members, pool.twins["weight"] >= 90)
    counts = pool.columns[NAMES[1]].counts
    assert not counts[:, ~staged.enriched.members].any()


def test_both_stages_are_what_the_routines_of_a_run_give(made):
    staged, pool, _, found = made
    some = np.arange(0, 64, 8)
    again = later.recheck(staged, pool, some, Estimate._make(values[some] for values in found))
    assert again.analyses > len(some) * 5 * 2
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-9


def test_where_the_subgroup_goes_on_alone_all_later_people_are_its_members(made):
    staged, pool, _, found = made
    h = list(staged.first.hypotheses).index(OUTSIDE)
    mine = Estimate._make(values[:, h] for values in found)
    on = ahead(staged.rule, scores(staged.rule, mine)[:, 0])
    alone = np.flatnonzero(~on.ends & ~on.kept[:, 0])
    both = np.flatnonzero(~on.ends & on.kept[:, 0])
    assert len(alone) > 5
    assert len(both) > 5
    assert np.isnan(mine.estimate[alone, 1, 0]).all()
    assert np.isfinite(mine.estimate[alone, 1, 1]).all()
    drawn = later.second(staged, int(alone[0]), (False, True), 60, pool.strata)
    assert staged.enriched.members[drawn.people].all()
    # As many people either way, so the subgroup's error is smaller where all of them are its own.
    ratio = mine.se[alone, 1, 1].mean() / mine.se[both, 1, 1].mean()
    assert ratio == pytest.approx(math.sqrt(staged.enriched.share), rel=0.1)


def test_supposed_outcomes_differ_on_one_side_alone(made):
    staged, pool, _, _ = made
    inside, outside = (one.columns["y"] for one in staged.enriched.supposed)
    members, own = staged.enriched.members, pool.columns["y"].value
    np.testing.assert_array_equal(inside.value[0, members], own[1, members])
    np.testing.assert_array_equal(inside.value[0, ~members], own[0, ~members])
    np.testing.assert_array_equal(outside.value[0, members], own[0, members])
    np.testing.assert_array_equal(outside.value[0, ~members], own[1, ~members])


def test_figures_of_a_design_that_enriches(made):
    staged, _, _, found = made
    truth = {NAMES[0]: staged.enriched.share, NAMES[1]: 1.0}
    figures = {(f.hypothesis, f.analysis, f.measure): f for f in measured(staged.first, found, staged.rule, truth)}
    for hypothesis in staged.first.hypotheses:
        choices = ("everybody goes on", "the subgroup goes on alone", "nobody goes on", "shown at the look")
        told = [figures[hypothesis, "y", measure].value for measure in choices]
        assert sum(told) == pytest.approx(1)
    assert figures["null as comparator", "y", "familywise error"].value <= 0.025 + 4 * math.sqrt(0.025 * 0.975 / 64)
    assert figures[INSIDE, "y", "familywise error"].value <= 0.025 + 4 * math.sqrt(0.025 * 0.975 / 64)
    # Outside nothing is to be found by the model, so this is the model itself.
    one, other = figures["model", NAMES[1], "shown"].value, figures[OUTSIDE, NAMES[1], "shown"].value
    assert abs(one - other) < 4 * math.sqrt(0.25 / 64)
    size, screened = (figures["model", "y", f"expected {what}"].value for what in ("size", "screened"))
    assert 60 <= size < screened <= 60 + 60 / staged.enriched.share


def test_a_subgroup_that_hardly_anybody_is_in_is_refused(made):
    _, pool, _, _ = made
    enrich = Enrichment.model_validate({"subgroup": {"weight": {"min": 200}}, "everybody_from": 1})
    plan = dict.fromkeys(NAMES, None)
    with pytest.raises(ValueError, match="0 of 2,000 twins of the pool are in the subgroup; expected 50 or more"):
        enriching.prepared(study(), enrich, pool, plan)


def test_levels_are_found_by_name_or_number():
    twins = pd.DataFrame({"male": [True, False, True]})
    enrich = Enrichment.model_validate({"subgroup": {"male": {"one_of": [True]}}, "everybody_from": 1})
    np.testing.assert_array_equal(enriching.belongs(study(), enrich, twins), [True, False, True])


ENRICH = {"subgroup": {"weight": {"min": 90}}, "everybody_from": 1.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"enrich": ENRICH}, "enrich takes place at the first of two looks"),
        ({"enrich": ENRICH | {"subgroup": {}}, "looks": [0.5, 1]}, "at least 1"),
        ({"enrich": ENRICH | {"subgroup": {"weight": {}}}, "looks": [0.5, 1]}, "expected min, max or one_of"),
        ({"enrich": ENRICH | {"subgroup": {"weight": {"min": 9, "max": 3}}}, "looks": [0.5, 1]}, "min 9 is above max"),
        ({"enrich": ENRICH, "reestimate": {"most": 2}, "looks": [0.5, 1]}, "a design has one of the two"),
        ({"enrich": ENRICH, "futility": "pocock", "power": 0.9, "looks": [0.5, 1]}, "said by enrich.subgroup_from"),
    ],
)
def test_an_enrichment_that_cannot_be_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(words)


@pytest.mark.parametrize(
    ("subgroup", "message"),
    [
        ({"wait": {"min": 90}}, "design.enrich.subgroup.wait: no such attribute; did you mean 'weight'"),
        ({"male": {"min": 1}}, "design.enrich.subgroup.male: min and max need a number, but male is yes or no"),
        ({"male": {"one_of": ["no"]}}, "one_of has 'no'; expected true or false"),
    ],
)
def test_a_subgroup_that_the_population_does_not_know_is_refused(subgroup, message):
    design = Design.model_validate({"looks": [0.5, 1], "enrich": ENRICH | {"subgroup": subgroup}})
    found = problems(study(), design)
    assert any(message in line for line in found), found


def test_the_subgroup_has_an_analysis_of_its_own():
    design = Design.model_validate({"looks": [0.5, 1], "enrich": ENRICH, "analysis": "pasi90_against_adalimumab"})
    found = chosen(study(), design)
    assert list(found) == ["pasi90_against_adalimumab", "pasi90_against_adalimumab in the subgroup"]
    assert problems(study(), design) == []


def test_the_report_tells_in_words_who_the_subgroup_is():
    rules = {"weight": {"min": 90.0, "max": None, "one_of": None}, "smoker": {"one_of": [True]}}
    found = report.members(study(), rules)
    assert found == "body weight at least 90 kg; current smoker yes"
