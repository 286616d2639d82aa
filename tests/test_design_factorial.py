"""A factorial: power and error against normal theory, the routines of statsmodels, true values, refusals."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import nct
from scipy.stats import t as student

from cutis.trials.operating import factorial, looks, summed
from cutis.trials.operating.arranged import problems
from cutis.trials.operating.arrangements import Factorial
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.groups import Groups, contrasted
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.sample import Data
from cutis.trials.operating.settings import Design, chosen
from cutis.trials.operating.summed import Summed
from cutis.trials.operating.worlds import worlds
from cutis.trials.statistics.methods.estimate import Estimate, Flag
from cutis.trials.study import Analysis

from .studies import study

POOL, SIZE, MANY = 20_000, 160, 2560
WORDS = {"neither": "c", "first": "a", "second": "b", "both": "ab"}
PLAN = Factorial.model_validate(WORDS)
MEANS, SD = np.array([0.0, 0.4, 0.5, 0.6]), 1.0  # neither, first, second, both: they take away from each other
ANALYSIS = Analysis.model_validate(
    {"outcome": "y", "week": 16, "arm": "a", "comparator": "c", "method": "ancova", "covariates": ["x"]}
    | {"intercurrent": "treatment_policy"}
)


@pytest.fixture(scope="module")
def made():
    """Trials from a made-up pool whose cells have exactly the means and the SD of above."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(4, POOL))
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True) * SD + MEANS[:, None]
    design = Design.model_validate({"factorial": WORDS})
    analyses = factorial.chosen(PLAN, ANALYSIS)
    names, four = tuple(analyses), Allocation((1, 1, 1, 1), 8, 1)
    trials = Trials(3, SIZE, (SIZE,), four, names, tuple(analyses.values()), worlds=worlds(design, names))
    rule = Rule(design, looks.bounds(design, 0.05), (1.0, 1.0), ((1, 0), (2, 0)), four, (SIZE,))
    whole = Summed(trials, rule, (0, 1, 2, 3))
    data = Data(np.zeros(POOL, int), values, (), ())
    return whole, data, summed.analyse(whole, np.arange(MANY), data)


def figures(made):
    whole, _, found = made
    truth = factorial.of_cells(PLAN, MEANS)
    rows = measured(whole.first, found, whole.rule, truth)
    return {(f.hypothesis, f.analysis, f.measure): f for f in rows}


def test_true_values_are_those_of_the_cells():
    assert factorial.of_cells(PLAN, MEANS) == pytest.approx(
        {"a at the margins": 0.25, "b at the margins": 0.35, "interaction": -0.3, "a alone": 0.4, "b alone": 0.5}
    )
    supposed = factorial.supposed_truth(PLAN, factorial.of_cells(PLAN, MEANS))
    assert supposed["null of a", "b at the margins"] == pytest.approx(0.5)  # what b does alone, in either margin
    assert supposed["null of a", "a at the margins"] == supposed["null of a", "interaction"] == pytest.approx(0)
    assert supposed["model", "a at the margins"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "weights", "cells"), [("a at the margins", 1.0, 4), ("interaction", 4.0, 4), ("a alone", 2.0, 2)]
)
def test_power_is_that_of_normal_theory(made, name, weights, cells):
    """With n a cell the variance is SD^2 / n times the sum of squared weights, and t has n - 1 from each cell."""
    n, truth = SIZE // 4, factorial.of_cells(PLAN, MEANS)[name]
    drift, df = abs(truth) / (SD * math.sqrt(weights / n)), cells * (n - 1)
    edge = student.isf(0.025, df)
    power = nct.sf(edge, df, drift) + nct.cdf(-edge, df, drift)
    told = figures(made)["model", name, "rejection of the full trial"]
    assert abs(told.value - power) < 4 * told.mcse


def test_errors_are_at_their_level_and_intervals_cover(made):
    found = figures(made)
    nulls = ["null as comparator", "null as arm", "null of a"]
    for hypothesis in nulls:
        told = found[hypothesis, "a at the margins", "shown"]
        assert abs(told.value - 0.025) < 4 * math.sqrt(0.025 * 0.975 / MANY)
        told = found[hypothesis, "interaction", "rejection of the full trial"]
        assert abs(told.value - 0.05) < 4 * math.sqrt(0.05 * 0.95 / MANY)
    for hypothesis in ("model", "null of b"):
        for name in factorial.names(PLAN):
            assert abs(found[hypothesis, name, "coverage"].value - 0.95) < 4 * math.sqrt(0.05 * 0.95 / MANY)
            assert abs(found[hypothesis, name, "bias"].value) < 4 * found[hypothesis, name, "bias"].mcse


def test_two_main_effects_each_at_its_level_have_a_familywise_error_of_both(made):
    """At the margins the two estimates are independent."""
    told = figures(made)["null as comparator", "a at the margins", "familywise error"]
    assert abs(told.value - (1 - 0.975**2)) < 4 * told.mcse
    whole, _, found = made
    holm = Design.model_validate({"factorial": WORDS | {"test": "holm"}})
    strict = whole._replace(rule=whole.rule._replace(design=holm))
    other = figures((strict, None, found))["null as comparator", "a at the margins", "familywise error"]
    assert other.value < 0.025 + 4 * math.sqrt(0.025 * 0.975 / MANY) < told.value + 4 * told.mcse


def test_statsmodels_agrees(made):
    whole, data, found = made
    some = np.arange(0, MANY, 640)
    again = summed.recheck(whole, some, data, Estimate._make(values[some] for values in found))
    assert again.analyses == len(some) * 5 * 5
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-9


def test_a_replicate_does_not_depend_on_those_beside_it(made):
    whole, data, found = made
    alone = summed.analyse(whole, np.array([17]), data)
    np.testing.assert_array_equal(alone.estimate[0], found.estimate[17])


def test_the_degrees_of_freedom_of_two_groups_are_those_of_welch():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 9), rng.normal(0, 3, 14)
    seen = Groups(*(np.array([[f(one), f(other)]]) for f in (len, np.mean, lambda x: np.var(x, ddof=1))))
    found = contrasted(seen, np.array([[1.0, -1.0]]), 0.95)
    told = ttest_ind(one, other, equal_var=False)
    assert found.p[0, 0] == pytest.approx(told.pvalue)
    assert (found.low[0, 0], found.high[0, 0]) == pytest.approx(tuple(told.confidence_interval(0.95)))


def test_what_does_not_exist_is_flagged_and_rejects_nothing():
    n, mean = np.array([[5, 0], [5, 1], [5, 5]]), np.array([[1.0, np.nan], [1.0, 0.0], [1.0, 0.0]])
    found = contrasted(Groups(n, mean, np.array([[1, np.nan], [1, np.nan], [0, 0]])), np.array([[1.0, -1.0]]), 0.95)
    assert found.flag[:, 0].tolist() == [Flag.EMPTY_ARM, Flag.TOO_FEW, Flag.NO_VARIATION]
    assert found.p[:, 0].tolist() == [1, 1, 1]
    assert np.isnan(found.estimate[0, 0])


def test_the_cells_of_a_pool_are_found_by_their_arms():
    value = np.arange(8.0).reshape(4, 2)  # c, a, b, ab

    def columns(one, other):
        both = value[[one, other]]
        return Columns(both, np.isnan(both), np.zeros((2, 2, 0)), np.ones((2, 2), bool), (one, other))

    pool = Pool(np.arange(2), np.zeros(2, int), ("all",), {"one": columns(3, 0), "other": columns(1, 2)})
    pool, values, cells = factorial.prepared(PLAN, pool, ("b", "ab", "c", "a"))
    np.testing.assert_array_equal(values, value)
    assert cells == (2, 3, 0, 1)
    np.testing.assert_array_equal(pool.columns["interaction"].value, [[2, 2], [2, 2]])
    assert pool.columns["a at the margins"].value.tolist() == [[4, 5], [2, 3]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"factorial": WORDS | {"both": "a"}}, "four different arms, got c, a, b, a"),
        ({"factorial": WORDS | {"test": "hope"}}, "holm"),
        ({"factorial": WORDS, "looks": [0.5, 1]}, "factorial is tested at one look"),
        ({"factorial": WORDS, "crossover": {"first": 4}}, "a design has one of the two"),
    ],
)
def test_a_factorial_that_cannot_be_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(words)


def test_a_factorial_that_does_not_fit_its_trial_is_refused():
    arms = {"neither": "placebo", "first": "guselkumab", "second": "adalimumab", "both": "all"}
    found = list(problems(study(), Design.model_validate({"factorial": arms, "also": ["pasi90_adjusted"]})))
    assert any("design.factorial.both: no arm 'all'; the arms are guselkumab" in line for line in found)
    assert any("factorial has analyses of its own" in line for line in found)
    found = list(problems(study(), Design.model_validate({"factorial": arms, "analysis": "pasi90_adjusted"})))
    assert any("pasi90_adjusted is by logistic; it compares means or shares" in line for line in found)
    two = {"neither": "placebo", "first": "guselkumab", "second": "x", "both": "y"}
    found = list(problems(study(), Design.model_validate({"factorial": two})))
    assert any("the arm adalimumab is none of its four" in line for line in found)


def test_the_analyses_have_the_outcome_of_the_one_named():
    design = Design.model_validate({"factorial": WORDS, "analysis": "pasi_change_against_placebo"})
    found = chosen(study(), design)
    assert list(found) == list(factorial.names(PLAN))
    assert {analysis.outcome for analysis in found.values()} == {"pasi_change"}
    assert not any(analysis.covariates for analysis in found.values())
