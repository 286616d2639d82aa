import math
import time

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from cutis.trials.statistics.proportions import Contrast
from cutis.trials.statistics.regression import ancova, logistic
from cutis.trials.statistics.separation import foretold

PLAIN = Contrast("active", "placebo")


def trial(n=200, seed=1, effect=0.0, response=False):
    """A simulated two-arm trial with a number, a yes/no and a category to adjust for."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "arm": np.where(rng.random(n) < 0.5, "active", "placebo"),
            "weight": rng.normal(88, 20, n),
            "prior": rng.random(n) < 0.3,
            "race": rng.choice(["asian", "black", "white"], n, p=[0.3, 0.2, 0.5]),
        }
    )
    middle = effect * (data["arm"] == "active") - 0.02 * (data["weight"] - 88) - 0.5 * data["prior"]
    if response:
        data["value"] = (rng.random(n) < 1 / (1 + np.exp(-middle))).astype(float)
    else:
        data["value"] = middle + rng.normal(0, 1, n)
    return data.assign(stratum="all", missing=False)


def counts(active, placebo):
    """Twins from responders and others of each arm."""
    values = [1.0] * active[0] + [0.0] * active[1] + [1.0] * placebo[0] + [0.0] * placebo[1]
    data = pd.DataFrame({"arm": ["active"] * sum(active) + ["placebo"] * sum(placebo), "value": values})
    return data.assign(missing=False)


def matrix(data):
    """Columns written out without the code under test: 1, arm, covariates."""
    columns = [np.ones(len(data)), data["arm"] == "active", data["weight"], data["prior"]]
    return np.column_stack([*columns, data["race"] == "black", data["race"] == "white"]).astype(float)


COVARIATES = ("weight", "prior", "race")
ADJUSTED = Contrast("active", "placebo", COVARIATES)


def test_without_covariates_the_odds_ratio_is_the_cross_product_with_woolfs_error():
    ratio = logistic(counts((30, 20), (15, 35)), PLAIN)[0]
    assert ratio.estimate == pytest.approx(30 * 35 / (20 * 15), rel=1e-8)
    assert ratio.se == pytest.approx(math.sqrt(1 / 30 + 1 / 20 + 1 / 15 + 1 / 35), rel=1e-6)
    z = math.log(ratio.estimate) / ratio.se
    assert ratio.p == pytest.approx(2 * stats.norm.sf(z), rel=1e-9)
    assert (ratio.events, ratio.n, ratio.events_comparator, ratio.n_comparator) == (30, 50, 15, 50)


def test_the_adjusted_odds_ratio_maximises_the_likelihood():
    data = trial(300, response=True, effect=0.8)
    X, y = matrix(data), data["value"].to_numpy()
    X[:, 2] = (X[:, 2] - 88) / 20

    def minus_log_likelihood(b):
        return np.logaddexp(0, X @ b).sum() - y @ X @ b

    best = optimize.minimize(minus_log_likelihood, np.zeros(X.shape[1]), method="BFGS", options={"gtol": 1e-8}).x
    share = 1 / (1 + np.exp(-X @ best))
    se = math.sqrt(np.linalg.inv((X * (share * (1 - share))[:, None]).T @ X)[1, 1])
    ratio = logistic(data, ADJUSTED)[0]
    assert math.log(ratio.estimate) == pytest.approx(best[1], abs=1e-6)
    assert ratio.se == pytest.approx(se, rel=1e-5)
    assert ratio.options["covariates"] == {"weight": "number", "prior": "yes/no", "race": "category (reference asian)"}


@pytest.mark.parametrize(
    ("active", "placebo", "words"),
    [
        ((20, 0), (5, 15), "every twin of active responded, so no finite odds ratio fits"),
        ((9, 11), (0, 20), "no twin of placebo responded, so no finite odds ratio fits"),
        ((20, 0), (0, 20), "every twin of active responded and no twin of placebo responded"),
        ((20, 0), (20, 0), "every twin of active responded and every twin of placebo responded"),
        ((9, 11), (0, 0), "no twin of placebo has a value"),
    ],
)
def test_an_odds_ratio_that_is_not_finite_is_nan_and_says_why(active, placebo, words):
    ratio, one, _ = logistic(counts(active, placebo), PLAIN)
    assert all(math.isnan(x) for x in (ratio.estimate, ratio.low, ratio.high, ratio.se, ratio.p))
    assert words in ratio.note
    assert one.estimate == active[0] / sum(active)


def test_a_covariate_that_foretells_the_response_leaves_no_odds_ratio():
    data = trial(60, response=True)
    data["score"] = data["value"] * 10 + np.random.default_rng(1).random(60)
    ratio = logistic(data, Contrast("active", "placebo", ("score",)))[0]
    assert math.isnan(ratio.estimate)
    assert "predict response without error (separation)" in ratio.note


def test_arm_and_covariate_that_together_foretell_the_response_leave_no_odds_ratio():
    # All heavy twins on active respond and no light one on placebo; within the rest, arm and weight group coincide.
    rows = [("active", True, 1)] * 5 + [("active", False, 1)] * 4 + [("active", False, 0)] * 4
    rows += [("placebo", False, 0)] * 5 + [("placebo", True, 1)] * 3 + [("placebo", True, 0)] * 3
    data = pd.DataFrame(rows, columns=["arm", "heavy", "value"]).astype({"value": float}).assign(missing=False)
    ratio = logistic(data, Contrast("active", "placebo", ("heavy",)))[0]
    assert math.isnan(ratio.estimate)
    assert "separation" in ratio.note


def test_a_rare_category_that_always_responds_does_not_spoil_the_odds_ratio():
    data = trial(200, response=True, effect=0.7)
    rare = data.head(3).assign(race="other", value=1.0)
    with_rare = logistic(pd.concat([data, rare], ignore_index=True), ADJUSTED)[0]
    without = logistic(data, ADJUSTED)[0]
    assert with_rare.estimate == pytest.approx(without.estimate, rel=1e-6)
    assert with_rare.se == pytest.approx(without.se, rel=1e-5)
    assert "predict their response without error (separation): 3" in with_rare.note
    assert "determined by the others: race other" in with_rare.note


def test_separation_is_found_exactly_where_it_is():
    x = np.array([1.0, 2, 3, 4, 5, 6])
    columns = np.column_stack([np.ones(6), x])
    assert foretold(columns, (x > 3.5).astype(float)).all()
    assert not foretold(columns, np.array([0.0, 1, 0, 1, 0, 1])).any()
    # Quasi-complete: both outcomes at 3, so those two twins remain.
    columns[3, 1] = 3
    assert foretold(columns, (x > 3.5).astype(float)).tolist() == [True, True, False, False, True, True]


def test_strong_but_not_perfect_prediction_is_not_taken_for_separation():
    rng = np.random.default_rng(4)
    data = trial(400, response=True)
    strong = rng.normal(0, 12, 400)
    data["value"] = (rng.random(400) < 1 / (1 + np.exp(-strong - (data["arm"] == "active")))).astype(float)
    data["strong"] = strong
    ratio = logistic(data, Contrast("active", "placebo", ("strong",)))[0]
    assert math.isfinite(ratio.estimate)
    assert ratio.note == ""


def test_ancova_solves_the_normal_equations_with_the_hc3_sandwich():
    data = trial(120, effect=-0.4)
    X, y = matrix(data), data["value"].to_numpy()
    inverse = np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ y
    leverage = np.einsum("ij,jk,ik->i", X, inverse, X)
    weight = ((y - X @ b) / (1 - leverage)) ** 2
    se = math.sqrt((inverse @ (X * weight[:, None]).T @ X @ inverse)[1, 1])
    difference, active, placebo = ancova(data, ADJUSTED)
    assert (difference.estimate, difference.se) == pytest.approx((b[1], se), rel=1e-8)
    df = len(y) - X.shape[1]
    assert difference.high == pytest.approx(b[1] + stats.t.ppf(0.975, df) * se, rel=1e-8)
    assert difference.p == pytest.approx(2 * stats.t.sf(abs(b[1]) / se, df), rel=1e-8)
    assert active.estimate - placebo.estimate == pytest.approx(difference.estimate, rel=1e-9)
    centre = X.mean(axis=0)
    centre[1] = 0
    assert placebo.estimate == pytest.approx(centre @ b, rel=1e-8)
    assert math.isnan(placebo.p)


def test_classical_ancova_without_covariates_is_the_t_test():
    data = trial(60, effect=0.5)
    groups = [data.loc[data["arm"] == arm, "value"] for arm in ("active", "placebo")]
    assert ancova(data, PLAIN, "nonrobust")[0].p == pytest.approx(stats.ttest_ind(*groups).pvalue, rel=1e-9)


def test_a_twin_alone_in_its_category_is_left_out_and_changes_nothing():
    data = trial(80)
    alone = data.head(1).assign(race="other", value=50.0)
    here, there = ancova(data, ADJUSTED)[0], ancova(pd.concat([data, alone], ignore_index=True), ADJUSTED)[0]
    assert (there.estimate, there.se, there.n) == pytest.approx((here.estimate, here.se, here.n), rel=1e-9)
    assert there.note.startswith("twins left out, being fitted exactly (say as the only one of a category): 1")


def test_constant_and_repeated_covariates_are_left_out_and_named():
    data = trial(80).assign(site="one", kilograms=lambda d: 2 * d["weight"] + 1)
    difference = ancova(data, Contrast("active", "placebo", ("weight", "kilograms", "prior")))[0]
    assert difference.estimate == pytest.approx(
        ancova(data, Contrast("active", "placebo", ("weight", "prior")))[0].estimate
    )
    assert difference.note == "left out of the model, being constant or determined by the others: kilograms"
    constant = ancova(data.assign(prior=True), Contrast("active", "placebo", ("prior", "site")))[0]
    assert constant.note == "left out of the model, being constant or determined by the others: prior"


@pytest.mark.parametrize("method", [logistic, ancova])
def test_a_covariate_that_is_the_arm_itself_leaves_no_comparison(method):
    data = trial(80, response=method is logistic).assign(group=lambda d: d["arm"] + "!")
    found = method(data, Contrast("active", "placebo", ("group",)))[0]
    assert math.isnan(found.estimate)
    assert "the covariates determine who is in active" in found.note


@pytest.mark.parametrize("method", [logistic, ancova])
def test_missing_values_and_covariates_are_left_out_and_counted(method):
    data = trial(150, response=method is logistic)
    holes = data.copy()
    holes.loc[:9, "value"] = np.nan
    holes.loc[:9, "missing"] = True
    holes.loc[10:12, "weight"] = np.nan
    found, complete = method(holes, ADJUSTED)[0], method(data.drop(index=range(13)), ADJUSTED)[0]
    assert found.estimate == pytest.approx(complete.estimate, rel=1e-12)
    assert (found.n, found.n_comparator) == (complete.n, complete.n_comparator)
    assert found.missing == 10
    assert found.note == "twins left out for lack of a covariate: 3"


def test_an_unknown_covariate_is_named_with_the_choices():
    with pytest.raises(
        ValueError, match="no covariate 'wieght' in the analysis table; it has prior, race, stratum, weight"
    ):
        ancova(trial(20), Contrast("active", "placebo", ("wieght",)))


def test_an_infinite_value_is_refused():
    with pytest.raises(ValueError, match="infinite value or covariate"):
        ancova(trial(20).assign(weight=math.inf), ADJUSTED)


def test_logistic_refuses_a_measurement():
    with pytest.raises(ValueError, match="logistic needs a responder outcome"):
        logistic(trial(20), PLAIN)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("active", 1.0)], "each arm needs two twins in the fit, active has 1 and placebo has 0"),
        ([("active", 1.0), ("placebo", 2.0), ("placebo", 3.0)], "each arm needs two twins in the fit, active has 1"),
        ([("active", 1.0)] * 3 + [("placebo", 2.0)] * 3, "the values do not vary about the model"),
    ],
)
def test_ancova_of_too_little_says_what_lacks(rows, words):
    data = pd.DataFrame(rows, columns=["arm", "value"]).assign(missing=False)
    difference = ancova(data, PLAIN)[0]
    assert math.isnan(difference.low)
    assert math.isnan(difference.p)
    assert words in difference.note


def test_equal_arms_are_told_apart_by_ancova_as_often_as_the_level_says():
    draws = 400
    hits = sum(ancova(trial(100, seed=s), Contrast("active", "placebo", ("weight",)))[0].p < 0.05 for s in range(draws))
    assert abs(hits / draws - 0.05) < 4.5 * math.sqrt(0.05 * 0.95 / draws)


def test_equal_arms_are_told_apart_by_logistic_as_often_as_the_level_says():
    draws = 400
    contrast = Contrast("active", "placebo", ("weight", "prior"))
    hits = sum(logistic(trial(200, seed=s, response=True), contrast)[0].p < 0.05 for s in range(draws))
    assert abs(hits / draws - 0.05) < 4.5 * math.sqrt(0.05 * 0.95 / draws)


def test_hc3_keeps_its_level_where_the_small_arm_varies_more_and_the_classical_variance_does_not():
    rng, draws, hits = np.random.default_rng(6), 400, {"HC3": 0, "nonrobust": 0}
    arms = ["active"] * 20 + ["placebo"] * 60
    for _ in range(draws):
        value = rng.normal(0, 1, 80) * np.where(np.arange(80) < 20, 3, 1)
        data = pd.DataFrame({"arm": arms, "value": value, "missing": False})
        for covariance in hits:
            hits[covariance] += ancova(data, PLAIN, covariance)[0].p < 0.05
    error = 4.5 * math.sqrt(0.05 * 0.95 / draws)
    assert abs(hits["HC3"] / draws - 0.05) < error
    assert hits["nonrobust"] / draws > 0.05 + error


def test_separation_among_many_twins_is_found_in_seconds():
    data = trial(30_000, response=True).assign(race=lambda d: d["race"].where(d.index > 4, "other"))
    data.loc[:4, "value"] = 1.0
    start = time.perf_counter()
    ratio = logistic(data, ADJUSTED)[0]
    assert math.isfinite(ratio.estimate)
    assert "(separation): 5" in ratio.note
    assert time.perf_counter() - start < 60
