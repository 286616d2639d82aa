"""Adaptive designs: the level holds whatever is changed, closed forms, and refusals."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from cutis.trials.designs.adaptive import closed, response
from cutis.trials.designs.adaptive.combination import (
    fisher,
    fisher_success,
    inverse_normal,
    repeated_interval,
    stage_p,
    stage_weights,
)
from cutis.trials.designs.adaptive.conditional_error import redesign, remaining_level, success
from cutis.trials.designs.adaptive.reestimation import (
    blinded_rate_size,
    blinded_sd,
    blinded_size,
    combined_statistic,
    power_under_trend,
    promising_zone,
)
from cutis.trials.designs.samplesize import proportions
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.scales import decide
from cutis.trials.designs.sequential.spending import Spending

LDOF, POCOCK = Spending("obrien_fleming"), Spending("pocock")
TWO = spending_bounds([1, 2], 0.025, LDOF)
N = 20_000
NONE = np.zeros((2, 3))


def close(hits, rate):
    """Within 4.5 Monte Carlo standard errors."""
    return abs(hits.mean() - rate) < 4.5 * math.sqrt(rate * (1 - rate) / len(hits))


def kept(hits, alpha):
    """Not above alpha by more than chance."""
    return hits.mean() < alpha + 4.5 * math.sqrt(alpha * (1 - alpha) / len(hits))


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_planned_stages_combined_are_the_planned_statistic():
    z, times = normals(50, 3), np.array([0.3, 0.5, 1.0])
    combined = inverse_normal(norm.sf(z), stage_weights(times))
    assert combined == pytest.approx((z * stage_weights(times)).cumsum(axis=1) / np.sqrt(times), abs=1e-9)


def test_a_stage_size_that_depends_on_the_first_leaves_the_level_alone():
    z1 = normals(N)
    second = np.where(np.abs(z1) < 1, 400, 25)
    sums = np.random.default_rng(1).normal(0, np.sqrt(second))
    z2 = sums / np.sqrt(second)
    hits = decide(TWO, np.stack([z1, combined_statistic(TWO, z1, z2)], axis=1)).success
    assert close(hits, 0.025)


def test_fisher_s_bounds_keep_the_level():
    assert fisher(0.025).product == pytest.approx(0.00380, abs=5e-6)  # exp(-chi2(4, 0.975) / 2)
    p = np.random.default_rng(0).uniform(size=(N, 2))
    for bounds in (fisher(0.025), fisher(0.025, 0.5), fisher(0.025, 0.5, 0.01), fisher(0.05, 0.3, 0.0)):
        low = 0.05 if bounds == fisher(0.05, 0.3, 0.0) else 0.025
        assert close(fisher_success(p, bounds), low), bounds
        assert bounds.product <= low


def test_repeated_intervals_cover_at_any_look():
    weights, effect = [1.0, 1.0], 0.4
    estimates = effect + normals(2000, 2, seed=3)
    first = np.array([repeated_interval(TWO, weights, row[:1], [1.0]).low for row in estimates])
    last = np.array([repeated_interval(TWO, weights, row, [1.0, 1.0]).low for row in estimates])
    assert kept(np.maximum(first, last) > effect, 0.025)
    usual = repeated_interval(spending_bounds([1.0], 0.025, LDOF), [1.0], [1.3], [0.5])
    assert usual.low == pytest.approx(1.3 - 1.959964 * 0.5, abs=1e-6)
    assert usual.estimate == pytest.approx(1.3, abs=1e-9)
    assert repeated_interval(TWO, weights, [1.0], [1.0], 1e9).low == pytest.approx(1 - TWO.efficacy[0], abs=1e-6)
    assert stage_p(1.0, 0.5, np.inf) == pytest.approx(norm.sf(2))


def test_any_redesign_at_the_remaining_level_keeps_the_level():
    """After the first look the number of further looks and the size depend on what was seen."""
    z1 = normals(N, seed=5)
    early = z1 >= TWO.efficacy[0]
    left = remaining_level(TWO, 1, z1)
    spent = np.where(early, 1.0, left)
    assert spent.mean() == pytest.approx(0.025, abs=4.5 * spent.std() / math.sqrt(N))
    new = redesign(TWO, 1, 1.3, [1, 2, 5], POCOCK)
    assert new.alpha == pytest.approx(float(remaining_level(TWO, 1, 1.3)))
    p = np.random.default_rng(6).uniform(size=N)
    assert close(early | (~early & success(TWO, 1, z1, p)), 0.025)


def test_the_unchanged_second_stage_is_the_plan_itself():
    z1, z2 = normals(1000, seed=7), normals(1000, seed=8)
    planned = combined_statistic(TWO, z1, z2) >= TWO.efficacy[1]
    assert (success(TWO, 1, z1, norm.sf(z2)) == planned).all()


def test_promising_zone_enlarges_where_it_says_and_keeps_the_level():
    z1 = normals(N, seed=9)
    plan = promising_zone(TWO, z1, 100, 100, 300, 0.3, 0.9)
    assert (plan.second[plan.zone != 1] == 100).all()
    assert ((plan.second >= 100) & (plan.second <= 300)).all()
    assert plan.power == pytest.approx(power_under_trend(TWO, z1))
    inner = (plan.zone == 1) & (plan.second < 300)
    reached = promising_zone(TWO, z1[inner], 100, plan.second[inner][0], 1e9, 0.01, 0.99).power[0]
    assert reached == pytest.approx(0.9, abs=1e-9)
    hits = decide(TWO, np.stack([z1, combined_statistic(TWO, z1, normals(N, seed=10))], axis=1)).success
    assert close(hits, 0.025)


def test_blinded_variance_knows_no_arms():
    rng = np.random.default_rng(11)
    arm = np.arange(200) % 2
    outcome = rng.normal(0.8 * arm, 2.0, (4000, 200))
    assert blinded_sd(outcome, 0.8).mean() == pytest.approx(2.0, abs=0.01)
    assert blinded_sd(outcome).mean() > 2.02
    assert blinded_size(100, 2.0, [1.0, 2.0, 4.0], 80, 300).tolist() == [80, 100, 300]


def test_blinded_rates_give_the_planned_size_when_the_plan_was_right():
    planned = proportions.two_groups(0.5, 0.3, 0.025, 0.9)
    assert blinded_rate_size(0.4, 0.2, 0.025, 0.9, 1, 1e6) == pytest.approx(planned)
    sizes = blinded_rate_size([0.2, 0.4, 0.5], 0.2, 0.025, 0.9, 50, 1000)
    assert sizes[0] < sizes[1] < sizes[2]


ARMS = {"dunnett": closed.dunnett((1, 1, 1), 1), "simes": closed.simes, "bonferroni": closed.bonferroni}


@pytest.mark.parametrize("test", ARMS)
@pytest.mark.parametrize("choice", ["best", "near", "worst"])
def test_dropping_arms_keeps_the_familywise_level(test, choice):
    """Whatever the choice, even the least sensible one, with one arm truly better and one look of the others."""
    noise = normals(2, N, 4, seed=12)
    for effects in ([0, 0, 0], [3, 0, 0]):
        z = (noise[:, :, 1:] - noise[:, :, :1]) / math.sqrt(2) + effects
        on = {
            "best": closed.keep_best(z[0]),
            "near": closed.keep_near(z[0], 0.5),
            "worst": closed.keep_best(-z[0], 2),
        }[choice]
        found = closed.closed_combination(z[0], z[1], on, TWO, ARMS[test])
        null = np.array(effects) == 0
        assert kept(found.final[:, null].any(axis=1), 0.025)
        assert (found.first <= found.final).all()
        assert not (found.final & ~on & ~found.first).any()


def test_dunnett_s_intersections_combined_use_the_whole_level():
    """The intersection of all arms does; single arms may not, as one stage's best arm need not be the other's."""
    noise = normals(2, N, 4, seed=13)
    z = (noise[:, :, 1:] - noise[:, :, :1]) / math.sqrt(2)
    p = np.stack([ARMS["dunnett"](stage, (0, 1, 2)) for stage in z], axis=1)
    assert close(p[:, 0] <= 0.025, 0.025)
    assert close(decide(TWO, inverse_normal(p, stage_weights(TWO.information))).success, 0.025)
    found = closed.closed_combination(z[0], z[1], np.ones(z[0].shape, bool), TWO, ARMS["dunnett"])
    assert kept(found.final.any(axis=1), 0.025)


def test_one_arm_without_a_choice_is_the_group_sequential_design():
    z = normals(2, 5000, 1, seed=14) + 1.5
    found = closed.closed_combination(z[0], z[1], np.ones((5000, 1), bool), TWO, closed.simes)
    planned = decide(TWO, np.stack([z[0, :, 0], combined_statistic(TWO, z[0, :, 0], z[1, :, 0])], axis=1)).success
    assert (found.final[:, 0] == planned).all()


@pytest.mark.parametrize("test", [closed.nested(0.4), closed.simes])
def test_enrichment_keeps_the_familywise_level(test):
    share = 0.4
    for effect in (0.0, 3.0):
        within, outside = normals(2, N, seed=15) + effect, normals(2, N, seed=16)
        # The null is true of all if the subgroup's gain is offset outside.
        everyone = math.sqrt(share) * within + math.sqrt(1 - share) * (
            outside - effect * math.sqrt(share / (1 - share))
        )
        z = np.stack([everyone, within], axis=2)
        on = closed.enrich(z[0], 0.5, 0.8)
        found = closed.closed_combination(z[0], z[1], on, TWO, test)
        null = [0, 1] if effect == 0 else [0]
        assert kept(found.final[:, null].any(axis=1), 0.025)
    assert closed.enrich(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), 0.5, 0.8).tolist() == [
        [True, True],
        [False, True],
        [False, False],
    ]


@pytest.mark.parametrize("rule", response.RULES)
def test_shares_sum_to_one_and_keep_their_floor(rule):
    rng = np.random.default_rng(17)
    n = rng.integers(0, 50, (200, 3))
    share = response.shares(rng.binomial(n, 0.4), n, rule, least=0.1)
    assert share.sum(axis=1) == pytest.approx(1)
    assert (share >= 0.1 - 1e-12).all()


def test_shares_by_closed_form():
    # Beta(2, 1) against Beta(1, 2): the chance that the first is larger is 5/6.
    assert response.best_probability([1, 0], [1, 1]) == pytest.approx([5 / 6, 1 / 6], abs=1e-10)
    even = response.shares([9, 1], [10, 10], "thompson", power=0.0)
    assert even == pytest.approx([0.5, 0.5])
    assert response.shares([100, 400], [1000, 1000], "neyman")[1] == pytest.approx(0.489898 / 0.789898, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: inverse_normal([0.1, 0.2], [1.0]), "above 0 for each"),
        (lambda: inverse_normal([0.1, 1.2], [1.0, 1.0]), "from 0 to 1"),
        (lambda: fisher(0.025, 0.01), "above alpha"),
        (lambda: fisher(0.025, 0.5, 0.03), "below alpha"),
        (lambda: fisher_success([0.1, 0.1, 0.1], fisher(0.025)), "two stages"),
        (lambda: repeated_interval(TWO, [1, 1], [1.0], [0.0]), "errors above 0"),
        (lambda: repeated_interval(TWO, [1, 1], [1.0] * 3, [1.0] * 3), "1 to 2 stages"),
        (lambda: redesign(TWO, 1, -30.0, [1, 2], LDOF), "no redesign can succeed"),
        (lambda: redesign(TWO, 1, 5.0, [1, 2], LDOF), "success already"),
        (lambda: promising_zone(TWO, [1.0], 100, 100, 50, 0.3, 0.9), "planned second stage"),
        (lambda: promising_zone(TWO, [1.0], 100, 100, 200, 0.9, 0.3), "rising"),
        (lambda: blinded_sd([1.0, 1.0, 1.0, 1.1], 5.0), "more than all variance"),
        (lambda: blinded_sd([1.0, 2.0]), "3 or more"),
        (lambda: blinded_size(100, 1.0, 1.0, 300, 80), "rise"),
        (lambda: closed.closed_combination(NONE, NONE[:, :2], NONE, TWO, closed.simes), "one shape"),
        (lambda: closed.closed_combination(NONE + np.nan, NONE, NONE, TWO, closed.simes), "NaN"),
        (lambda: closed.keep_best(np.zeros((2, 3)), 4), "expected 1 to 3"),
        (lambda: closed.nested(1.0), "between 0 and 1"),
        (lambda: response.shares([3, 4], [2, 9], "neyman"), "0 to people"),
        (lambda: response.shares([1, 1], [2, 9], "coin"), "expected one of"),
        (lambda: response.shares([1, 1], [2, 9], "neyman", least=0.6), "expected 0 to 0.5"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
