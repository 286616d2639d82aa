"""Crossovers and randomised withdrawal: who is compared with whom, closed forms, the routines of a run, refusals."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import nct
from scipy.stats import t as student

from cutis.trials.operating import crossing, looks, recheck, replicates, withdrawing
from cutis.trials.operating.arranged import problems
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.settings import Design
from cutis.trials.operating.withdrawing import Begun
from cutis.trials.statistics.methods.crossover import ab_ba
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis, Study

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
POOL, SIZE, MANY = 10_000, 40, 2048
EFFECT, PERIOD, CARRY, BETWEEN, WITHIN = 0.6, 0.5, 0.4, 2.0, 1.0
TWO = Allocation((1, 1), 4, 1)


def example(name, **changes):
    whole = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = whole
        for parent in parents:
            part = part[parent]
        part[last] = value
    return Study.model_validate(whole)


def outcomes(carry):
    """Of two sequences, (sequences, periods, pool): people differ, the second period adds, A leaves a part behind."""
    rng = np.random.default_rng(11)
    noise = rng.normal(size=(2, 2, POOL)) * WITHIN
    noise -= noise.mean(axis=2, keepdims=True)
    found = rng.normal(size=POOL) * BETWEEN + noise
    found[0, 0] += EFFECT
    found[0, 1] += PERIOD + carry
    found[1, 1] += PERIOD + EFFECT
    return found


def trials_of(carry):
    words = {"outcome": "y", "week": 24, "arm": "ab", "comparator": "ba", "method": "newcombe", "covariates": ["x"]}
    analyses = crossing.chosen("y", Analysis.model_validate(words))
    values = outcomes(carry)
    columns = {n: crossing.compared(values, row, (0, 1)) for n, row in zip(analyses, crossing.PERIODS, strict=True)}
    pool = Pool(np.arange(POOL), np.zeros(POOL, int), ("all",), columns)
    trials = Trials(2, SIZE, (SIZE,), TWO, tuple(analyses), tuple(analyses.values()))
    data = replicates.data(pool, trials.names, trials.analyses)
    return trials, pool, values, replicates.analyse(trials, np.arange(MANY), data)


@pytest.fixture(scope="module")
def crossed():
    return trials_of(CARRY)


def figures(trials, found):
    design = Design.model_validate({"crossover": {"first": 12}})
    rule = Rule(design, looks.bounds(design, 0.05), (1.0,), ((0, 1),), TWO, (SIZE,))
    truth = crossing.of_periods("y", EFFECT, -EFFECT + CARRY)
    return {(f.hypothesis, f.analysis, f.measure): f for f in measured(trials, found, rule, truth)}


def test_the_analysis_is_that_of_hills_and_armitage(crossed):
    trials, pool, values, found = crossed
    people = recheck.people(trials, 5, pool.strata)
    who, ab = np.asarray(people.people), 1 - np.asarray(people.arms)
    one, two = (np.where(ab == 1, values[0, period, who], values[1, period, who]) for period in (0, 1))
    told = ab_ba(one, two, ab)
    for place, other in ((0, told.treatment), (2, told.carryover)):
        mine = Estimate._make(part[5, 0, 0, place] for part in found)
        for name in ("estimate", "se", "low", "high", "p"):
            assert getattr(mine, name) == pytest.approx(float(getattr(other, name)))


def test_power_is_that_of_differences_within_people(crossed):
    """Of half a difference the variance is WITHIN^2 / 2; carry-over takes half of itself from the effect."""
    trials, _, _, found = crossed
    told = figures(trials, found)
    seen = told["model", "y", "rejection of the full trial"]
    drift = (EFFECT - CARRY / 2) / (WITHIN * math.sqrt(0.5 * 4 / SIZE))
    edge = student.isf(0.025, SIZE - 2)
    assert abs(seen.value - nct.sf(edge, SIZE - 2, drift) - nct.cdf(-edge, SIZE - 2, drift)) < 4 * seen.mcse
    bias = told["model", "y", "bias"]
    assert abs(bias.value + CARRY / 2) < 4 * bias.mcse
    alone = told["model", "y, first period alone", "bias"]
    assert abs(alone.value) < 4 * alone.mcse
    carry = told["model", "y, carry-over", "mean estimate"]
    assert abs(carry.value - CARRY) < 4 * carry.mcse
    error = told["null as comparator", "y", "rejection"]
    assert abs(error.value - 0.05) < 4 * math.sqrt(0.05 * 0.95 / MANY)


def test_the_routines_of_a_run_agree_in_a_crossover(crossed):
    trials, pool, _, found = crossed
    some = np.arange(0, MANY, 1024)
    plans = dict(zip(trials.names, trials.analyses, strict=True))
    again = recheck.recheck(trials, pool, plans, some, Estimate._make(part[some] for part in found))
    assert again.analyses == 2 * 3 * 3
    assert max(again.largest.values()) < 1e-9


def test_whoever_misses_a_period_is_in_what_needs_the_other_alone():
    values = np.array([[[1.0, 2.0], [3.0, np.nan]], [[0.0, 0.0], [1.0, 1.0]]])
    effect, first, _ = (crossing.compared(values, row, (0, 1)) for row in crossing.PERIODS)
    np.testing.assert_array_equal(effect.value, [[-1.0, np.nan], [-0.5, -0.5]])
    np.testing.assert_array_equal(first.value, [[1.0, 2.0], [0.0, 0.0]])


def test_what_is_said_of_a_crossover_has_its_carry_over():
    told = crossing.notes(crossing.of_periods("y", 0.6, -0.2), {"y": 0.4})
    assert "true effect in the first period 0.6" in told[0]
    assert "tends to 0.4" in told[0]
    assert "carry-over (difference between the sequences of the sum of both periods) 0.4" in told[1]


def test_the_examples_are_sound():
    for name in ("crossover", "randomised_withdrawal"):
        study = example(name)
        assert list(problems(study, study.design)) == []


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("crossover", {"design__crossover": {"first": 13}}, "design.crossover.first: week 13 is not a visit"),
        ("crossover", {"design__crossover": {"first": 36}}, "ends at week 36, not after the first (week 36)"),
        ("crossover", {"design__also": ["pasi"]}, "crossover has analyses of its own"),
        (
            "crossover",
            {"trial__arms__etanercept_first": {"regimen": []}},
            "guselkumab_first has etanercept, guselkumab and etanercept_first has no treatment; expected two sequences",
        ),
        ("randomised_withdrawal", {"design__withdraw__week": 20}, "design.withdraw.week: week 20 is not a visit"),
        ("randomised_withdrawal", {"design__withdraw__week": 48}, "kept_pasi75 is of week 48, before people are"),
        ("randomised_withdrawal", {"design__withdraw__outcome": "pasi_change"}, "'pasi_change' is no yes or no of"),
        (
            "randomised_withdrawal",
            {"trial__arms__withdraw": {"regimen": []}},
            "continue and withdraw differ before week 28",
        ),
    ],
)
def test_a_design_that_does_not_fit_its_trial_is_refused(name, changes, message):
    study = example(name, **changes)
    found = list(problems(study, study.design))
    assert any(message in line for line in found), found


def test_sequences_that_begin_alike_are_refused():
    study = example("crossover")
    arms = {"guselkumab_first": study.trial.arms["guselkumab_first"]}
    arms["etanercept_first"] = arms["guselkumab_first"]
    study = study.model_copy(update={"trial": study.trial.model_copy(update={"arms": arms})})
    found = list(problems(study, study.design))
    assert any("give the same up to week 12; the sequences must differ" in line for line in found), found


def responders(monkeypatch, responds):
    """A pool whose twins respond as told, by arm."""
    records = dict(zip(("continue", "withdraw"), responds, strict=True))
    monkeypatch.setattr(withdrawing.bundle, "tables", lambda folder: dict.fromkeys(
        ("twins", "observations", "events"), folder.name))  # fmt: skip
    monkeypatch.setattr(withdrawing.dataset, "align", lambda twins, *_: twins)
    monkeypatch.setattr(withdrawing.dataset, "value", lambda arm, *_: (records[arm], None))
    many = len(responds[0])
    value = np.stack([np.arange(many), np.arange(many) + 0.5])
    column = Columns(value, value < 0, np.zeros((2, many, 0)), value >= 0, (0, 1))
    twins = pd.DataFrame({"twin": np.arange(many) + 7})
    return Pool(np.arange(many) + 7, np.arange(many) % 2, ("s", "t"), {"kept_pasi75": column}, twins)


def test_those_who_respond_are_randomised(monkeypatch):
    responds = (np.arange(300) % 3 == 0).astype(float)
    pool = responders(monkeypatch, (responds, responds))
    study = example("randomised_withdrawal")
    found, begun = withdrawing.prepared(study, study.design.withdraw, pool, Path("pool"))
    assert begun == Begun(300, 100)
    np.testing.assert_array_equal(found.ids, np.arange(0, 300, 3) + 7)
    np.testing.assert_array_equal(found.strata, np.arange(0, 300, 3) % 2)
    np.testing.assert_array_equal(found.columns["kept_pasi75"].value[1], np.arange(0, 300, 3) + 0.5)
    np.testing.assert_array_equal(found.twins["twin"], found.ids)
    told = withdrawing.notes(study.design.withdraw, begun, (40, 100))
    assert "33.3 % of the twins have pasi90 at week 28 and are randomised: 40 of 120 who begin, 100 of 300" in told[0]


def test_arms_that_differ_before_and_too_few_responders_are_refused(monkeypatch):
    study, responds = example("randomised_withdrawal"), np.ones(300)
    other = responds.copy()
    other[4] = 0
    with pytest.raises(ValueError, match="1 of 300 twins have pasi90 at week 28 in one arm and not in another"):
        withdrawing.prepared(study, study.design.withdraw, responders(monkeypatch, (responds, other)), Path("pool"))
    few = (np.arange(300) < 50).astype(float)
    with pytest.raises(ValueError, match="50 of 300 twins of the pool have pasi90 at week 28; expected 100 or more"):
        withdrawing.prepared(study, study.design.withdraw, responders(monkeypatch, (few, few)), Path("pool"))
