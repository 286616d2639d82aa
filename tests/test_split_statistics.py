"""Comparisons of two sides of the same twins, against closed forms, other packages and published figures."""

import json
import math
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from cutis.core.disease import Outcome
from cutis.trials.statistics import dataset, paired
from cutis.trials.statistics.proportions import Contrast

BOTH = Contrast("laser", "untreated")
RNG = np.random.default_rng(5)
ONE = RNG.normal(10, 3, 40)
TWO = ONE + RNG.normal(2, 2, 40)


def sides(one, two, **columns):
    """An analysis table, a row a twin and side, in no order; columns as pairs of values of either side."""
    frames = [
        pd.DataFrame({"twin": np.arange(len(values)), "arm": arm, "value": values, "missing": np.isnan(values)}
                     | {name: pair[i] for name, pair in columns.items()})
        for i, (arm, values) in enumerate((("laser", np.asarray(one, float)), ("untreated", np.asarray(two, float))))
    ]  # fmt: skip
    return pd.concat(frames).sample(frac=1, random_state=1)


@pytest.mark.parametrize(
    ("counts", "chi2", "p", "exact"),
    [  # R mcnemar.test, https://psiaims.github.io/CAMIS (colds at age 12 and 14; without continuity correction)
        ((707, 256, 144, 212), 31.36, 2.144e-8, 2.331e-8),
    ],
)
def test_mcnemar_is_that_of_other_packages(counts, chi2, p, exact):
    found = paired.tango(*counts)
    assert stats.norm.isf(found.p / 2) ** 2 == pytest.approx(chi2, abs=0.005)
    assert found.p == pytest.approx(p, rel=5e-4)
    assert paired.exact_p(*counts[1:3]) == pytest.approx(exact, rel=5e-4)
    table = np.array(counts).reshape(2, 2)
    assert found.p == pytest.approx(statsmodels_mcnemar(table, exact=False, correction=False).pvalue, rel=1e-9)
    assert paired.exact_p(*counts[1:3]) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-9)


def test_the_interval_is_tangos():
    """Airway hyper-responsiveness of 21 children before and after transplantation (Bentur et al. 2009), as tabulated by
    Fagerland, Lydersen and Laake (2014, Stat Med 33:2850; figures recalled): -0.286, 95 % interval -0.517 to -0.026."""
    found = paired.tango(1, 1, 7, 12)
    assert found.estimate == pytest.approx(-0.286, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


def fitted(counts, difference):
    """The score at a difference, its nuisance found by a search over the likelihood and not by the closed form."""
    from scipy.optimize import minimize_scalar

    both, first, second, neither = counts
    n = sum(counts)

    def against(q):
        p = q + difference
        return -(first * math.log(p) + second * math.log(q) + (both + neither) * math.log(1 - p - q))

    low, high = max(0.0, -difference), (1 - difference) / 2
    q = minimize_scalar(against, bounds=(low + 1e-12, high - 1e-12), method="bounded", options={"xatol": 1e-12}).x
    return (first - second - n * difference) / math.sqrt(n * (2 * q + difference - difference**2))


@pytest.mark.parametrize("counts", [(20, 15, 6, 5), (30, 3, 12, 8), (5, 40, 9, 2)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_at_the_limits_the_score_of_the_fitted_likelihood_is_the_normal_quantile(counts, level):
    found, z = paired.tango(*counts, level), stats.norm.isf((1 - level) / 2)
    assert fitted(counts, found.low) == pytest.approx(z, abs=1e-4)
    assert fitted(counts, found.high) == pytest.approx(-z, abs=1e-4)


def test_pairs_that_do_not_part_or_all_do_have_an_interval_and_a_p():
    none = paired.tango(5, 0, 0, 7)
    assert (none.estimate, none.p) == (0.0, 1.0)
    assert none.low == pytest.approx(-none.high)
    assert 0 < none.high < 1
    every = paired.tango(0, 9, 0, 0)
    assert (every.estimate, every.high) == (1.0, 1.0)
    assert every.low < 1
    assert np.isnan(paired.tango(0, 0, 0, 0)).all()
    with pytest.raises(ValueError, match="cannot be negative"):
        paired.tango(1, -1, 0, 0)


def test_swapping_the_arms_turns_the_interval_round():
    one, other = paired.tango(20, 15, 6, 5), paired.tango(20, 6, 15, 5)
    assert (one.low, one.high, one.p) == pytest.approx((-other.high, -other.low, other.p), abs=1e-9)


def test_the_tango_interval_covers():
    draws = np.random.default_rng(3).multinomial(60, [0.3, 0.25, 0.1, 0.35], 2000)
    limits = [paired.tango(*map(int, counts)) for counts in np.unique(draws, axis=0)]
    _, weight = np.unique(draws, axis=0, return_counts=True)
    inside = sum(w for w, found in zip(weight, limits, strict=True) if found.low <= 0.15 <= found.high)
    assert inside / 2000 == pytest.approx(0.95, abs=4.5 * math.sqrt(0.95 * 0.05 / 2000))


def test_mcnemar_of_a_table_counts_pairs():
    one, two = np.repeat([1, 1, 0, 0], (20, 15, 6, 5)), np.repeat([1, 0, 1, 0], (20, 15, 6, 5))
    difference, *shares = paired.mcnemar(sides(one, two), BOTH)
    assert (difference.n, difference.n_comparator, difference.events, difference.events_comparator) == (46, 46, 35, 26)
    assert (difference.estimate, difference.low, difference.high, difference.p) == paired.tango(20, 15, 6, 5)
    assert "both sides of 20 twins responded, only that with laser of 15" in difference.note
    assert f"exact p {stats.binomtest(15, 21).pvalue:.4g}" in difference.note
    assert [s.estimate for s in shares] == [35 / 46, 26 / 46]


def test_the_unadjusted_comparison_is_the_paired_t_test():
    difference, first, second = paired.paired_t(sides(ONE, TWO), BOTH)
    told = cast(Any, stats.ttest_rel(ONE, TWO))
    assert difference.p == pytest.approx(told.pvalue, rel=1e-12)
    interval = told.confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert difference.n == difference.n_comparator == 40
    assert (first.estimate, second.estimate) == pytest.approx((ONE.mean(), TWO.mean()))
    assert f"correlation between the sides {np.corrcoef(ONE, TWO)[0, 1]:.2f}" in difference.note


def test_it_is_the_model_with_the_twin_as_block():
    """Fixed effects of twins and of the arm, by least squares."""
    block = np.vstack([np.eye(40), np.eye(40)])
    arm = np.repeat([1.0, 0.0], 40)
    fit = OLS(np.concatenate([ONE, TWO]), np.column_stack([arm, block])).fit()
    found = paired.paired_t(sides(ONE, TWO), BOTH)[0]
    assert (found.estimate, found.se) == pytest.approx((fit.params[0], fit.bse[0]), rel=1e-9)


def test_adjusting_takes_the_difference_of_the_covariate_as_a_regressor():
    before = ONE + RNG.normal(0, 1, 40), TWO - 2 + RNG.normal(0, 1, 40)
    contrast = BOTH._replace(covariates=("baseline_count",))
    found = paired.paired_t(sides(ONE, TWO, baseline_count=before), contrast)[0]
    fit = OLS(ONE - TWO, np.column_stack([np.ones(40), before[0] - before[1]])).fit(cov_type="HC3", use_t=True)
    assert (found.estimate, found.se, found.p) == pytest.approx((fit.params[0], fit.bse[0], fit.pvalues[0]), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)
    assert found.statistic == "adjusted mean paired difference"


def test_twins_without_a_value_on_one_side_are_left_out_and_counted():
    one, two = ONE.copy(), TWO.copy()
    one[3], two[[3, 7]] = np.nan, np.nan
    found = paired.paired_t(sides(one, two), BOTH)[0]
    kept = np.setdiff1d(np.arange(40), [3, 7])
    assert (found.n, found.missing) == (38, 2)
    assert found.estimate == pytest.approx((ONE - TWO)[kept].mean())


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [([], [], "0 pairs"), ([1.0], [2.0], "1 pairs"), ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], "do not vary")],
)
def test_what_has_no_spread_has_no_interval_and_says_so(one, two, said):
    found = paired.paired_t(sides(one, two), BOTH)[0]
    assert np.isnan([found.low, found.high, found.p, found.se]).all()
    assert said in found.note


def test_a_covariate_that_says_nothing_leaves_no_estimate_and_a_note():
    same = np.ones(40), np.ones(40)
    contrast = BOTH._replace(covariates=("baseline_count",))
    found = paired.paired_t(sides(ONE, TWO, baseline_count=same), contrast)[0]
    assert np.isnan(found.estimate)
    assert "do not determine a model" in found.note


def test_a_paired_method_refuses_arms_of_different_people():
    table = sides(ONE, TWO)
    apart = table.assign(twin=np.where(table["arm"] == "laser", table["twin"], table["twin"] + 100))
    for method in (paired.paired_t, paired.mcnemar):
        with pytest.raises(ValueError, match="two sides of the same twins"):
            method(apart.assign(value=1.0), BOTH)
    with pytest.raises(ValueError, match="no covariate 'age'"):
        paired.paired_t(table, BOTH._replace(covariates=("age",)))
    with pytest.raises(ValueError, match="mcnemar needs a responder outcome"):
        paired.mcnemar(table, BOTH)


def test_the_records_of_a_side_are_those_of_all_twins_and_events_count_for_both():
    twins = pd.DataFrame({"twin": [1, 2], "left_arm": ["a", "b"], "right_arm": ["b", "a"], "stratum": "all"})
    rows = [(1, "a", 0, 9.0), (1, "a", 4, 5.0), (1, "b", 0, 8.0), (1, "b", 4, 8.0),
            (2, "b", 0, 7.0), (2, "b", 4, 6.0), (2, "a", 0, 6.0), (2, "a", 4, 1.0)]  # fmt: skip
    seen = pd.DataFrame(rows, columns=["twin", "arm", "week", "count"]).assign(seen=True)
    events = pd.DataFrame({"twin": [2], "week": [4], "event": ["treatment stopped"]})
    half = Outcome("half", "half", "responder", "", lambda now, base: 1.0 * (2 * now["count"] <= base["count"]))
    change = Outcome("change", "", "continuous", "1", lambda now, base: now["count"] - base["count"])
    found = dataset.sides(twins, seen, events, ["a", "b"])
    assert dataset.value(found["a"], change, 4, "treatment_policy")[0].tolist() == [-4, -5]
    assert dataset.value(found["b"], change, 4, "treatment_policy")[0].tolist() == [0, -1]
    assert dataset.value(found["a"], half, 4, "treatment_policy")[0].tolist() == [0, 1]
    assert dataset.value(found["a"], half, 4, "composite")[0].tolist() == [0, 0]  # stopping counts against both sides
    assert json.dumps(found["a"].twins["arm"].tolist()) == '["a", "a"]'
