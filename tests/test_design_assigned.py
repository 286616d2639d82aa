"""Shares that follow responders, and arms that open over time: who is given what, errors, the routines, refusals."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from cutis.trials.designs.adaptive import response
from cutis.trials.operating import adapting, assigned, looks, platforms, replicates
from cutis.trials.operating.adaptations import Platform
from cutis.trials.operating.assigned import Assigned
from cutis.trials.operating.decisions import Rule, decide
from cutis.trials.operating.draw import Allocation, draw, keys
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.settings import Design, problems
from cutis.trials.operating.worlds import worlds
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

from .studies import study

TWINS, SIZE, MANY = 2000, 120, 640
THREE = Allocation((1, 1, 1), 6, 2)
ADAPT = {"analyses": ["a", "b"], "updates": [0.25, 0.5], "rule": "thompson", "power": 1.0, "least": 0.1}
PLATFORM = {"analyses": ["a", "b"], "enter": [0.0, 0.4], "leave": [0.7, 1.0]}


@pytest.fixture(scope="module")
def pool():
    """Responders to three arms: many to the first, few to the second and to the comparator."""
    rng = np.random.default_rng(3)
    responds = (rng.random((3, TWINS)) < np.array([[0.6], [0.3], [0.3]])).astype(float)
    responds[rng.random((3, TWINS)) < 0.03] = np.nan
    columns = {}
    for arm, name in enumerate("ab"):
        value = responds[[arm, 2]]
        columns[name] = Columns(value, np.isnan(value), np.zeros((2, TWINS, 0)), np.ones((2, TWINS), bool), (arm, 2))
    return Pool(np.arange(TWINS), rng.integers(0, 2, TWINS), ("s", "t"), columns)


def trials_of(words, pool):
    plan = {"outcome": "y", "week": 16, "comparator": "c", "method": "newcombe"}
    plans = tuple(Analysis.model_validate(plan | {"arm": arm}) for arm in "ab")
    design = Design.model_validate(words)
    trials = Trials(4, SIZE, (SIZE,), THREE, ("a", "b"), plans, worlds=worlds(design, ("a", "b")))
    rule = Rule(design, looks.bounds(design, 0.05), (1.0, 1.0), ((0, 2), (1, 2)), THREE, (SIZE,))
    return Assigned(trials, rule), replicates.data(pool, ("a", "b"), plans)


@pytest.fixture(scope="module")
def adapted(pool):
    whole, data = trials_of({"adapt": ADAPT}, pool)
    return whole, data, assigned.arms(whole, np.arange(MANY), data), assigned.analyse(whole, np.arange(MANY), data)


@pytest.fixture(scope="module")
def platform(pool):
    whole, data = trials_of({"platform": PLATFORM}, pool)
    return whole, data, assigned.arms(whole, np.arange(MANY), data), assigned.analyse(whole, np.arange(MANY), data)


def test_people_before_the_first_update_are_in_blocks(adapted, pool):
    whole, _, given, _ = adapted
    for number in (0, 5):
        key = keys(4, jnp.asarray([number]))[0]
        blocks = draw(key, jnp.asarray(pool.strata), THREE, whole.first.room).arms
        for mine in given[number]:
            np.testing.assert_array_equal(mine[:30], np.asarray(blocks)[:30])


def test_shares_follow_the_responders_of_each_hypothesis(adapted):
    whole, _, given, _ = adapted
    names = list(whole.first.hypotheses)
    assert names == ["model", "null as comparator", "null of a", "null of b"]
    late = given[:, :, 60:SIZE]
    share = np.stack([(late == arm).mean(axis=(0, 2)) for arm in range(3)], axis=1)
    assert share[names.index("model"), 0] > 0.6
    assert share[names.index("null of b"), 0] > 0.6
    for null in (
        "null as comparator",
        "null of a",
    ):  # a third each by symmetry; people of a trial share its luck
        for arm in range(3):
            each = (late[:, names.index(null)] == arm).mean(axis=1)
            assert abs(each.mean() - 1 / 3) < 4.5 * each.std() / math.sqrt(MANY)
    np.testing.assert_array_equal(given[3:6], assigned.arms(whole, np.arange(3, 6), adapted[1]))


def test_the_share_of_one_update_is_that_of_the_rule(adapted, pool):
    whole, data, given, _ = adapted
    people, luck = adapting.drawn(whole.first, np.arange(8), data.strata)
    values = [pool.columns["a"].value[0], pool.columns["b"].value[0], pool.columns["a"].value[1]]
    for row in range(8):
        yes, n = np.zeros(3), np.zeros(3)
        for who, arm in zip(people.people[row, :30], given[row, 0, :30], strict=True):
            if not np.isnan(values[arm][who]):
                yes[arm] += values[arm][who]
                n[arm] += 1
        share = response.shares(yes, n, "thompson", 1.0, 0.1)
        expected = np.searchsorted(np.cumsum(share)[:-1], luck[row, 30:60], side="right")
        np.testing.assert_array_equal(given[row, 0, 30:60], expected)


@pytest.mark.parametrize("which", ["adapted", "platform"])
def test_the_familywise_error_holds(which, request):
    whole, _, _, found = request.getfixturevalue(which)
    rule = whole.rule
    if which == "platform":  # of which each arm has the level by itself
        rule = rule._replace(design=Design.model_validate({"platform": PLATFORM | {"test": "holm"}}))
    for h, sources in enumerate(whole.first.hypotheses.values()):
        null = np.array([one == other for one, other in sources])
        if null.any():
            verdict = decide(rule, Estimate._make(values[:, h] for values in found))
            assert verdict.rejected[:, null].any(axis=1).mean() < 0.025 + 4 * math.sqrt(0.025 * 0.975 / MANY)
    model = decide(rule, Estimate._make(values[:, 0] for values in found))
    assert model.rejected[:, 0].mean() > 0.5


@pytest.mark.parametrize("which", ["adapted", "platform"])
def test_the_routines_of_a_run_agree(which, request, pool):
    whole, data, _, found = request.getfixturevalue(which)
    some = np.arange(0, MANY, 80)
    again = assigned.recheck(whole, pool, data, some, Estimate._make(values[some] for values in found))
    assert again.analyses == len(some) * len(whole.first.hypotheses) * 2
    assert max(again.largest.values()) < 1e-9


def test_arms_of_a_platform_have_people_while_they_are_open(platform):
    _, _, given, _ = platform
    mine = given[:, 0, :SIZE]
    assert not (mine[:, :48] == 1).any()
    assert not (mine[:, 84:] == 0).any()
    # In blocks by two strata: two arms until 48, three until 84, two again.
    for (start, stop), shares in {(0, 48): (24, 0, 24), (48, 84): (12, 12, 12), (84, 120): (0, 18, 18)}.items():
        for arm, many in enumerate(shares):
            counts = (mine[:, start:stop] == arm).sum(axis=1)
            assert abs(counts - many).max() <= (0 if not many else 6)
            assert abs(counts.mean() - many) < 0.5


def test_controls_are_concurrent(platform):
    whole, data, given, found = platform
    np.testing.assert_array_equal(assigned.windows(whole), [[0, 84], [48, 120]])
    row, people = 7, adapting.drawn(whole.first, np.array([7]), data.strata)[0].people[0]
    value = np.where(data.columns[data.places[1].weight[1]] > 0, data.columns[data.places[1].value[1]], np.nan)
    control = value[people[48:120]][given[row, 0, 48:120] == 2]
    one = np.where(data.columns[data.places[1].weight[0]] > 0, data.columns[data.places[1].value[0]], np.nan)
    arm = one[people[48:120]][given[row, 0, 48:120] == 1]
    assert found.estimate[row, 0, 0, 1] == pytest.approx(np.nanmean(arm) - np.nanmean(control))


@pytest.mark.parametrize("which", ["adapted", "platform"])
def test_figures_tell_who_is_given_what(which, request):
    whole, data, given, found = request.getfixturevalue(which)
    rows = [*measured(whole.first, found, whole.rule, {"a": 0.3, "b": 0.0}), *assigned.figures(whole, MANY, data)]
    figures = {(f.hypothesis, f.analysis, f.measure): f for f in rows}
    shares = [figures["model", "a", f"share of people: {arm}"] for arm in "abc"]
    assert sum(f.value for f in shares) == pytest.approx(1)
    for arm, told in enumerate(shares):
        mean = (given[:, 0, :SIZE] == arm).mean(axis=1)
        assert told.value == pytest.approx(mean.mean())
        assert told.mcse == pytest.approx(mean.std(ddof=1) / math.sqrt(MANY))
    if which == "adapted":
        even = 0.97 * SIZE * (0.6 + 0.3 + 0.3) / 3
        assert figures["model", "a", "expected responders"].value > even + 5
        assert abs(figures["null as comparator", "a", "expected responders"].value - 0.97 * SIZE * 0.3) < 3
    else:
        assert figures["model", "a", "concurrent controls"].value == pytest.approx(36, abs=0.5)
        assert figures["model", "b", "concurrent controls"].value == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"adapt": ADAPT, "looks": [0.5, 1]}, r"adapt is tested at one look, got looks \[0.5, 1.0\]"),
        ({"adapt": ADAPT | {"updates": [0.5, 0.25]}}, r"fractions that rise, such as \[0.25, 0.5, 0.75\], got"),
        ({"adapt": ADAPT | {"updates": [1.0]}}, "less than 1"),
        ({"adapt": ADAPT | {"analyses": ["a", "a"]}}, "an arm has one share"),
        ({"adapt": ADAPT | {"rule": "luck"}}, "neyman"),
        ({"adapt": ADAPT, "platform": PLATFORM}, "a design has one of the two"),
        ({"platform": PLATFORM | {"enter": [0.0]}}, "enter: expected one for each of 2 analyses, got 1"),
        ({"platform": PLATFORM | {"enter": [0.1, 0.4]}}, "the first opens at 0.1"),
        ({"platform": PLATFORM | {"enter": [0.0, 0.4], "leave": [1.0, 0.3]}}, "opens at 0.4 and closes at 0.3"),
        ({"platform": PLATFORM, "looks": [0.5, 1]}, "platform is tested at one look"),
    ],
)
def test_a_design_that_cannot_be_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"adapt": ADAPT | {"analyses": ["pasi_change_against_placebo"]}}, "which is no yes or no"),
        ({"adapt": ADAPT | {"analyses": ["pasi90_against_placebo"]}}, "no analysis of the arm adalimumab"),
        ({"adapt": ADAPT | {"analyses": ["pasi90_against_placebo"], "least": 0.5}}, "expected 0 to 0.333333 with 3"),
        ({"adapt": ADAPT | {"analyses": ["pasi90_against_placebo"], "updates": [0.01]}}, "do not fill one block"),
        (
            {"platform": PLATFORM | {"analyses": ["pasi90_against_placebo", "pasi90_against_adalimumab"]}},
            "design.platform.analyses: expected one analysis an arm, all against one comparator",
        ),
    ],
)  # fmt: skip
def test_a_design_that_does_not_fit_its_trial_is_refused(words, message):
    found = problems(study(), Design.model_validate(words))
    assert any(message in line for line in found), found


def test_a_stretch_that_no_block_fills_is_refused():
    plan = Platform.model_validate(PLATFORM | {"analyses": ["pasi90_against_placebo", "pasi75_against_adalimumab"]})
    found = list(platforms.problems(study(), plan, (4,)))
    assert any("do not fill one block of the arms open then" in line for line in found), found
