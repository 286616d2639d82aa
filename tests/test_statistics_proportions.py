import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from cutis.trials.statistics.proportions import Contrast, newcombe, risk_difference, tally, wilson

CONTRAST = Contrast("active", "placebo")


def table(active, placebo):
    """Values of two arms; None is a missing one."""
    values = pd.Series([*active, *placebo], dtype=float)
    arms = ["active"] * len(active) + ["placebo"] * len(placebo)
    return pd.DataFrame({"arm": arms, "stratum": "all", "value": values, "missing": values.isna()})


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("events", "n"), [(0, 7), (1, 7), (3, 7), (7, 7), (250, 1000)])
def test_wilson_limits_are_the_proportions_that_a_score_test_just_rejects(events, n, level):
    interval = wilson(events, n, level)
    z = stats.norm.ppf((1 + level) / 2)
    for limit in interval[1:]:
        assert (events / n - limit) ** 2 == pytest.approx(z**2 * limit * (1 - limit) / n, rel=1e-9, abs=1e-15)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_wilson_covers_as_often_as_its_exact_coverage_says():
    n, share = 40, 0.3
    covers = [wilson(x, n).low <= share <= wilson(x, n).high for x in range(n + 1)]
    exact = float(stats.binom.pmf(np.arange(n + 1), n, share) @ covers)
    draws = np.random.default_rng(3).binomial(n, share, 4000)
    seen = np.mean([covers[x] for x in draws])
    assert abs(seen - exact) < 4.5 * math.sqrt(exact * (1 - exact) / 4000)
    assert 0.93 < exact < 0.97


def test_newcombe_turns_round_when_the_arms_change_places():
    here, there = newcombe(9, 30, 4, 25), newcombe(4, 25, 9, 30)
    assert (here.estimate, here.low, here.high) == pytest.approx((-there.estimate, -there.high, -there.low), rel=1e-12)
    assert here.p == pytest.approx(there.p, rel=1e-12)


def test_the_p_value_is_that_of_scipy_without_continuity_correction():
    expected = stats.chi2_contingency([[30, 70], [18, 82]], correction=False)[1]
    assert newcombe(30, 100, 18, 100).p == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("events", "n", "events_0", "n_0"), [(0, 7, 3, 9), (250, 1000, 171, 998), (7, 7, 9, 9)])
def test_limits_are_those_of_statsmodels(events, n, events_0, n_0, level):
    one = proportion_confint(events, n, alpha=1 - level, method="wilson")
    assert wilson(events, n, level)[1:] == pytest.approx(one, abs=1e-12)
    two = confint_proportions_2indep(events, n, events_0, n_0, method="newcomb", compare="diff", alpha=1 - level)
    assert newcombe(events, n, events_0, n_0, level)[1:3] == pytest.approx(two, abs=1e-12)


@pytest.mark.parametrize(("one", "two"), [(12, 12), (0, 0)])
def test_all_or_none_responding_gives_a_real_interval_and_p_one(one, two):
    difference = newcombe(one, 12, two, 12)
    assert difference.estimate == 0
    assert difference.low < 0 < difference.high
    assert difference.p == 1


@pytest.mark.parametrize(("events", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(events, n):
    with pytest.raises(ValueError, match=f"{events} responders among 5 twins is impossible: expected 0 to 5"):
        wilson(events, n)


def test_missing_values_are_counted_and_left_out():
    counts = tally(table([1, 0, None, 1], [0]), "active")
    assert (counts.events, counts.n, counts.missing) == (2, 3, 1)


def test_an_empty_arm_gives_nan_and_says_so():
    difference, active, placebo = risk_difference(table([1, 0, 1], [None, None]), CONTRAST)
    assert math.isnan(difference.estimate)
    assert math.isnan(difference.low)
    assert math.isnan(difference.p)
    assert difference.note == placebo.note == "no twin of placebo has a value"
    assert active.estimate == pytest.approx(2 / 3)
    assert (active.note, placebo.n, placebo.missing) == ("", 0, 2)


def test_a_measurement_in_place_of_a_response_is_refused():
    with pytest.raises(ValueError, match=r"newcombe needs a responder outcome, with values 0 and 1; got 3\.5"):
        risk_difference(table([1, 3.5], [0]), CONTRAST)


def test_the_rate_of_false_alarms_is_that_of_the_exact_test():
    n, share, draws = 80, 0.4, 600
    weight = np.outer(*[stats.binom.pmf(np.arange(n + 1), n, share)] * 2)
    pooled = np.add.outer(np.arange(n + 1), np.arange(n + 1)) / (2 * n)
    apart = np.subtract.outer(np.arange(n + 1), np.arange(n + 1)) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        rejects = apart**2 / (pooled * (1 - pooled) * 2 / n) > stats.chi2.ppf(0.95, 1)
    exact = float(weight[rejects].sum())
    rng = np.random.default_rng(11)
    hits = sum(newcombe(a, n, b, n).p < 0.05 for a, b in rng.binomial(n, share, (draws, 2)))
    assert abs(hits / draws - exact) < 4.5 * math.sqrt(exact * (1 - exact) / draws)
    assert exact == pytest.approx(0.05, abs=0.006)
