import json
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cutis.trials.statistics.proportions import Contrast, newcombe
from cutis.trials.statistics.stratified import common_risk_difference, hybrid_limits, mantel_haenszel

CONTRAST = Contrast("active", "placebo")


def frame(tables):
    """One row a twin from counts, shape (strata, arms, responded or not)."""
    rows = [
        (f"stratum {k}", arm, float(responded))
        for k, stratum in enumerate(tables)
        for arm, (yes, no) in zip(("active", "placebo"), stratum, strict=True)
        for responded in [1] * yes + [0] * no
    ]
    data = pd.DataFrame(rows, columns=["stratum", "arm", "value"])
    return data.assign(missing=False)


def by_hand(tables):
    """The estimator and Sato's variance, summed stratum by stratum in exact fractions."""
    weights = top = P = Q = Fraction(0)
    for (a, b), (c, d) in np.asarray(tables).tolist():
        n1, n0 = a + b, c + d
        n = n1 + n0
        weights += Fraction(n1 * n0, n)
        top += Fraction(a * n0 - c * n1, n)
        P += (Fraction(n1**2 * c - n0**2 * a) + Fraction(n1 * n0 * (n0 - n1), 2)) / n**2
        Q += Fraction(a * d + c * b, 2 * n)
    difference = top / weights
    return float(difference), math.sqrt((difference * P + Q) / weights**2)


def test_the_estimate_and_its_error_are_those_of_a_sum_in_fractions():
    rng = np.random.default_rng(5)
    for _ in range(50):
        tables = rng.integers(1, 30, (rng.integers(1, 8), 2, 2))
        common = mantel_haenszel(tables)
        assert (common.estimate, common.se) == pytest.approx(by_hand(tables), rel=1e-12, abs=1e-14)
        z = stats.norm.ppf(0.975)
        assert common.high - common.low == pytest.approx(2 * z * common.se, rel=1e-12)


def test_a_worked_example_by_hand():
    # Strata 6/10 against 2/10 and 9/20 against 6/20: weights 5 and 10, differences 0.4 and 0.15.
    tables = np.array([[[6, 4], [2, 8]], [[9, 11], [6, 14]]])
    common = mantel_haenszel(tables)
    assert common.estimate == pytest.approx((5 * 0.4 + 10 * 0.15) / 15)
    # Expected responders in the active arm 4 and 7.5, hypergeometric variances 24/19 and 9.375 * 25/39/10.
    variance = 10 * 10 * 8 * 12 / (20**2 * 19) + 20 * 20 * 15 * 25 / (40**2 * 39)
    assert common.p == pytest.approx(stats.chi2.sf((15 - 11.5) ** 2 / variance, 1), rel=1e-12)


def test_one_stratum_gives_the_plain_difference():
    tables = np.array([[[30, 20], [20, 40]]])
    assert mantel_haenszel(tables).estimate == pytest.approx(30 / 50 - 20 / 60)


def test_a_tiny_p_value_is_not_rounded_to_zero():
    assert 0 < mantel_haenszel(np.array([[[200, 20], [10, 210]]])).p < 1e-60


def test_a_stratum_with_one_arm_carries_no_weight_and_is_mentioned():
    whole = np.array([[[6, 4], [2, 8]], [[9, 11], [6, 14]]])
    more = np.concatenate([whole, [[[3, 1], [0, 0]]], [[[0, 0], [0, 2]]]])
    here, there = mantel_haenszel(whole), mantel_haenszel(more)
    assert there[:5] == here[:5]
    assert there.note == "2 of 4 strata hold one arm only and carry no weight (twins: 6)"


def test_strata_that_never_hold_both_arms_give_nan_and_say_so():
    common = mantel_haenszel(np.array([[[3, 1], [0, 0]], [[0, 0], [1, 1]]]))
    assert all(math.isnan(x) for x in common[:5])
    assert common.note == "no stratum holds twins of both arms"


@pytest.mark.parametrize("place", [0, 1])
def test_all_or_none_responding_gives_a_real_interval_and_p_one(place):
    tables = np.zeros((2, 2, 2), int)
    tables[:, :, place] = [[10, 12], [20, 18]]
    common = mantel_haenszel(tables)
    assert common.estimate == 0
    assert -0.2 < common.low < 0 < common.high < 0.2
    assert common.p == 1
    assert math.isnan(common.se)
    assert "Sato's variance" in common.note
    assert "which says nothing against equal arms" in common.note


def test_all_against_none_gives_limits_that_hold_the_estimate():
    common = mantel_haenszel(np.array([[[10, 0], [0, 10]], [[8, 0], [0, 9]]]))
    assert common.estimate == 1
    assert 0.6 < common.low < common.high == 1
    assert common.p < 1e-6


def test_limits_stay_between_minus_one_and_one():
    assert mantel_haenszel(np.array([[[5, 0], [1, 4]], [[5, 0], [0, 5]]])).high == 1


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_hybrid_limits_of_one_stratum_are_newcombes(level):
    assert hybrid_limits(np.array([[[9, 21], [4, 26]]]), level) == pytest.approx(newcombe(9, 30, 4, 30, level)[1:3])


def test_hybrid_limits_cover_where_responses_are_rare():
    rng = np.random.default_rng(8)
    n, draws = np.array([[12, 12], [20, 20], [9, 9]]), 500
    hits = 0
    for _ in range(draws):
        events = rng.binomial(n, 0.04)
        low, high = hybrid_limits(np.stack([events, n - events], axis=2))
        hits += low <= 0 <= high
    assert hits / draws > 0.95 - 4.5 * math.sqrt(0.95 * 0.05 / draws)


def test_the_analysis_counts_strata_arms_and_responses():
    tables = np.array([[[6, 4], [2, 8]], [[9, 11], [6, 14]]])
    difference, active, placebo = common_risk_difference(frame(tables), CONTRAST)
    common = mantel_haenszel(tables)
    assert (difference.estimate, difference.low, difference.high, difference.p) == (*common[:3], common.p)
    assert (difference.n, difference.events, difference.n_comparator, difference.events_comparator) == (30, 15, 30, 8)
    assert (active.arm, active.estimate, placebo.arm) == ("active", 0.5, "placebo")
    assert "Sato" in json.dumps(difference.options)


def test_twins_without_a_stratum_are_a_stratum_of_their_own():
    tables = np.array([[[6, 4], [2, 8]], [[9, 11], [6, 14]]])
    data = frame(tables)
    data["stratum"] = data["stratum"].where(data["stratum"] == "stratum 0")
    assert common_risk_difference(data, CONTRAST)[0].estimate == pytest.approx(mantel_haenszel(tables).estimate)


def test_an_arm_without_values_is_named():
    data = frame([[[6, 4], [2, 8]]])
    data.loc[data["arm"] == "placebo", "value"] = np.nan
    difference = common_risk_difference(data, CONTRAST)[0]
    assert math.isnan(difference.estimate)
    assert difference.note == "no twin of placebo has a value"


def test_equal_arms_are_told_apart_no_more_often_than_the_level_says():
    rng = np.random.default_rng(21)
    n, share, draws = np.array([[30, 30], [50, 40], [20, 25]]), np.array([0.2, 0.5, 0.7])[:, None], 600
    hits = covered = 0
    for _ in range(draws):
        events = rng.binomial(n, share)
        common = mantel_haenszel(np.stack([events, n - events], axis=2))
        hits += common.p < 0.05
        covered += common.low <= 0 <= common.high
    error = 4.5 * math.sqrt(0.05 * 0.95 / draws)
    assert abs(hits / draws - 0.05) < error
    assert abs(covered / draws - 0.95) < error
