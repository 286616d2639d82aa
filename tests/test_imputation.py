"""Imputation: printed figures, closed forms, references by hand, and all that a user can do wrong."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cutis.core.keys import people, root, stream
from cutis.trials.statistics.imputation import analyse
from cutis.trials.statistics.imputation.conditional import conditional_mean, jackknifed
from cutis.trials.statistics.imputation.incomplete import incomplete
from cutis.trials.statistics.imputation.pool import pool
from cutis.trials.statistics.imputation.posterior import Imputed, apply, draw, impute, inverse_wishart, known
from cutis.trials.statistics.imputation.reference import STRATEGIES, expected, filled
from cutis.trials.statistics.imputation.sequential import impute_in_turn
from cutis.trials.statistics.mmrm.model import Model

from .fev import EVIDENCE
from .fev import expected as printed

SIGMA = np.array([[1.0, 0.7, 0.5], [0.7, 1.2, 0.8], [0.5, 0.8, 1.5]])
MODEL = Model("y", "person", "visit", "arm", (), ("x",), arms=("placebo", "drug"))
NAMES = {"MAR": "missing_at_random", "CR": "copy_reference", "J2R": "jump_to_reference", "CIR": "copy_increments"}


def trial(n=120, seed=0, effect=(0.3, 0.9, 1.6), leave=0.2):
    """A long table; the effect grows, and people leave more often when they do badly, and do not come back."""
    rng = np.random.default_rng(seed)
    arm, x = np.arange(n) % 2, rng.standard_normal(n)
    y = 0.4 * x[:, None] + arm[:, None] * np.array(effect) + rng.standard_normal((n, 3)) @ np.linalg.cholesky(SIGMA).T
    for t in (1, 2):
        gone = np.isnan(y[:, t - 1]) | (rng.random(n) < leave * np.exp(-0.5 * np.nan_to_num(y[:, t - 1])))
        y[gone, t] = np.nan
    rows = [(f"p{i:04}", f"v{t}", ("placebo", "drug")[arm[i]], x[i], y[i, t]) for i in range(n) for t in range(3)]
    return pd.DataFrame(rows, columns=["person", "visit", "arm", "x", "y"])


@cache
def data():
    return incomplete(trial(), MODEL)


@cache
def drawn():
    return draw(root(4), data(), 100, steps=20)


@cache
def imputed(strategy):
    return apply(drawn(), data(), strategy)


# --- printed figures --------------------------------------------------------------------------------------------------


@cache
def antidepressant():
    if not EVIDENCE.is_dir():
        pytest.skip("the data set is not here")
    table = pd.read_csv(EVIDENCE / "antidepressant_data.csv", dtype={"PATIENT": str, "VISIT": str})
    model = Model("CHANGE", "PATIENT", "VISIT", "THERAPY", ("GENDER",), ("BASVAL",), arms=("PLACEBO", "DRUG"))
    return incomplete(table, model)


@cache
def antidepressant_draws():
    # 500 instead of their 5,000: the Monte Carlo error is 0.02, within the tolerance of 0.03 for this key.
    return draw(root(1), antidepressant(), 500, steps=20)


@cache
def result(strategy):
    made = apply(antidepressant_draws(), antidepressant(), NAMES[strategy])
    design = analyse.ancova_design(antidepressant(), ("BASVAL", "GENDER"))
    return analyse.ancova(made.values[:, :, -1], design)


@pytest.mark.parametrize("row", printed("imputation_expected.csv"), ids=lambda r: f"{r['ref_id']}-{r['quantity']}")
def test_a_printed_figure_is_met(row):
    strategy, which = row["quantity"].split("_")
    found = result(strategy)
    assert {"est": found.estimate, "se": found.se}[which] == pytest.approx(row["value"], abs=row["tolerance"])


@pytest.mark.parametrize("strategy", ["MAR", "CR", "J2R", "CIR"])
def test_conditional_means_meet_the_printed_estimates(strategy):
    """No Monte Carlo error here, so the tolerance is that of the printed figures alone (M = 5,000)."""
    people_with_gaps = antidepressant()
    design = analyse.ancova_design(people_with_gaps, ("BASVAL", "GENDER"))
    found = conditional_mean(people_with_gaps, design, NAMES[strategy])
    rows = [r for r in printed("imputation_expected.csv") if r["quantity"] == f"{strategy}_est"]
    assert all(float(found.estimate) == pytest.approx(r["value"], abs=0.015) for r in rows)
    assert not bool(found.flag)
    # Rubin's variance is too large for references, not for missing at random [Wolbers et al. 2022].
    rubin = next(r["value"] for r in printed("imputation_expected.csv") if r["quantity"] == f"{strategy}_se")
    assert float(found.se) == pytest.approx(rubin, rel=0.02) if strategy == "MAR" else float(found.se) < 0.95 * rubin


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "mean"),
    [
        ("missing_at_random", [1, 2, 4, 8]),
        ("jump_to_reference", [1, 2, 30, 40]),
        ("copy_reference", [10, 20, 30, 40]),
        ("copy_increments", [1, 2, 12, 22]),
    ],
)
def test_the_mean_of_who_leaves_after_two_visits(strategy, mean):
    own, reference = jnp.array([1.0, 2, 4, 8]), jnp.array([10.0, 20, 30, 40])
    np.testing.assert_allclose(expected(strategy, own, reference, jnp.asarray(2)), mean)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_stays_keeps_the_own_arm(strategy):
    own, reference = jnp.array([1.0, 2]), jnp.array([10.0, 20])
    np.testing.assert_allclose(expected(strategy, own, reference, jnp.asarray(2)), own)


def test_who_was_never_seen_gets_the_reference_under_increments():
    own, reference = jnp.array([1.0, 2]), jnp.array([10.0, 20])
    np.testing.assert_allclose(expected("copy_increments", own, reference, jnp.asarray(0)), reference)


def test_a_gap_is_filled_with_the_regression_on_what_was_seen():
    outcome, mean = jnp.array([2.0, jnp.nan, 1.0]), jnp.array([1.0, 5, 0])
    s = [0, 2]
    precision = np.zeros((3, 3))
    precision[np.ix_(s, s)] = np.linalg.inv(SIGMA[np.ix_(s, s)])
    found = filled(outcome, mean, jnp.asarray(SIGMA), jnp.asarray(precision), jnp.zeros(3))
    by_hand = 5 + SIGMA[1, s] @ np.linalg.solve(SIGMA[np.ix_(s, s)], [1, 1])
    np.testing.assert_allclose(found, [2, by_hand, 1])


def test_draws_of_a_gap_have_the_conditional_distribution():
    outcome, mean = jnp.array([2.0, jnp.nan, jnp.nan]), jnp.zeros(3)
    precision = np.zeros((3, 3))
    precision[0, 0] = 1 / SIGMA[0, 0]
    noise = np.random.default_rng(0).standard_normal((20000, 3)) @ np.linalg.cholesky(SIGMA).T
    draws = np.asarray(
        jax.vmap(lambda e: filled(outcome, mean, jnp.asarray(SIGMA), jnp.asarray(precision), e))(jnp.asarray(noise))
    )
    inside = SIGMA[1:, 1:] - np.outer(SIGMA[1:, 0], SIGMA[0, 1:])
    np.testing.assert_allclose(draws[:, 1:].mean(axis=0), 2 * SIGMA[1:, 0], atol=4.5 * math.sqrt(1.3 / 20000))
    np.testing.assert_allclose(np.cov(draws[:, 1:].T), inside, atol=4.5 * 1.3 * math.sqrt(2 / 20000))


def test_inverse_wishart_draws_have_their_mean():
    draws = jax.vmap(lambda k: inverse_wishart(k, 30, jnp.asarray(SIGMA)))(people(root(2), jnp.arange(4000)))
    mean = SIGMA / (30 - 3 - 1)
    np.testing.assert_allclose(np.asarray(draws).mean(axis=0), mean, rtol=4.5 * math.sqrt(2 / (26 * 4000)) * 2)


# --- multiple imputation ----------------------------------------------------------------------------------------------


def test_what_was_seen_stays_and_all_else_is_filled():
    made = imputed("missing_at_random")
    seen = data().panel.seen
    assert (made.values[:, seen] == data().panel.outcome[seen][None]).all()
    assert np.isfinite(made.values).all()
    assert (made.missing == ~seen).all()


def test_an_imputation_is_the_same_however_many_are_made():
    fewer = impute(root(4), data(), "missing_at_random", 3, steps=20)
    np.testing.assert_array_equal(fewer.values, imputed("missing_at_random").values[:3])
    other = impute(root(5), data(), "missing_at_random", 3, steps=20)
    assert not np.allclose(other.values, fewer.values)


def test_the_reference_arm_is_imputed_alike_under_all_assumptions():
    placebo = data().arm == 0
    for strategy in STRATEGIES[1:]:
        np.testing.assert_allclose(
            imputed(strategy).values[:, placebo], imputed("missing_at_random").values[:, placebo]
        )


def test_references_draw_the_effect_towards_none():
    design = analyse.ancova_design(data(), ("x",))
    effect = {s: analyse.ancova(imputed(s).values[:, :, -1], design).estimate for s in STRATEGIES}
    assert effect["missing_at_random"] > effect["copy_increments"] > effect["jump_to_reference"] > 0
    assert effect["missing_at_random"] > effect["copy_reference"] > 0


def test_missing_at_random_agrees_with_regression_in_turn_and_conditional_means():
    """Three ways to the same estimate; imputations differ by their Monte Carlo error."""
    design = analyse.ancova_design(data(), ("x",))
    covariates = np.stack([data().arm, data().covariate("x")[:, 0]], axis=1).astype(float)
    turn = impute_in_turn(root(6), data().panel.outcome, covariates, data().ids, 200)
    one = analyse.ancova(imputed("missing_at_random").values[:, :, -1], design)
    two = analyse.ancova(turn.values[:, :, -1], design)
    three = conditional_mean(data(), design, "missing_at_random")
    error = math.sqrt(one.between / 100 + two.between / 200)
    assert abs(one.estimate - two.estimate) < 4.5 * error
    assert abs(two.estimate - float(three.estimate)) < 4.5 * math.sqrt(two.between / 200)
    assert one.se == pytest.approx(two.se, rel=0.1)
    assert float(three.se) == pytest.approx(two.se, rel=0.15)


def test_without_gaps_all_methods_are_the_plain_analysis():
    whole = trial(60, leave=0.0)
    known_all = incomplete(whole, MODEL)
    design = analyse.ancova_design(known_all, ("x",))
    made = impute(root(0), known_all, "jump_to_reference", 2, steps=1)
    found = analyse.ancova(made.values[:, :, -1], design)
    y = known_all.panel.outcome[:, -1]
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    assert found.estimate == pytest.approx(beta[1])
    assert found.between == 0
    # Barnard and Rubin's degrees of freedom without anything missing are (v + 1) / (v + 3) v.
    assert found.df == pytest.approx(57 * 58 / 60)
    assert float(conditional_mean(known_all, design, "jump_to_reference").estimate) == pytest.approx(beta[1])


def test_conditional_means_of_a_replicate_are_flagged_where_the_fit_fails():
    given = known(data())
    design = jnp.asarray(analyse.ancova_design(data(), ("x",)))
    patterns = np.tril(np.ones((3, 3), bool))
    outcome = given.outcome.at[1::2, 1].set(jnp.nan).at[::2, 2].set(jnp.nan)
    assert bool(jackknifed(given._replace(outcome=outcome), design, patterns, "missing_at_random").flag)


def test_shifts_are_added_to_what_was_imputed_only():
    made = imputed("missing_at_random")
    worse = analyse.shifted(made, data(), np.array([0.0, -2.0]))
    each = analyse.shifted(made, data(), np.array([0.0, -2.0]), per_visit=True)
    drug = data().arm == 1
    gone = made.missing & drug[:, None]
    np.testing.assert_allclose((worse - made.values)[:, gone], -2)
    assert not (worse - made.values)[:, ~gone].any()
    first = gone & (np.arange(3)[None] == data().departure[:, None])
    second = gone & (np.arange(3)[None] == data().departure[:, None] + 1)
    np.testing.assert_allclose((each - made.values)[:, first], -2)
    np.testing.assert_allclose((each - made.values)[:, second], -4)


def test_the_tipping_point_is_where_the_result_is_lost():
    design = analyse.ancova_design(data(), ("x",))
    active, reference = np.linspace(0, -6, 13), np.array([0.0, 1.0])
    found = analyse.tipping(imputed("missing_at_random"), data(), design, active, reference)
    plain = analyse.ancova(imputed("missing_at_random").values[:, :, -1], design)
    assert found.p[0, 0] == pytest.approx(plain.p)
    assert found.p[0, 0] < 0.05 < found.p[-1, 0]
    at = int(np.flatnonzero(active == found.tips[0])[0])
    assert found.p[at, 0] > 0.05 >= found.p[at - 1, 0]
    # The estimate falls linearly: each shift counts as often as the active arm was imputed.
    np.testing.assert_allclose(np.diff(found.estimate[:, 0], 2), 0, atol=1e-12)
    assert found.tips[1] > found.tips[0]


def test_a_difference_that_is_significant_the_other_way_round_has_tipped():
    design = analyse.ancova_design(data(), ("x",))
    found = analyse.tipping(imputed("missing_at_random"), data(), design, np.array([0.0, -1000.0]), np.zeros(1))
    assert found.p[1, 0] < 0.05
    assert found.estimate[1, 0] * found.estimate[0, 0] < 0
    assert found.tips[0] == -1000


def test_responders_by_threshold_and_by_non_response():
    made = imputed("missing_at_random")
    responds = analyse.responders(made, 2, lambda y: y > 0)
    found = analyse.risk_difference(responds, data().arm)
    seen = data().panel.seen[:, 2]
    strict = analyse.non_responder(np.where(seen, data().panel.outcome[:, 2] > 0, np.nan))
    crude = strict[data().arm == 1].mean() - strict[data().arm == 0].mean()
    assert found.low < found.estimate < found.high
    assert (strict <= responds.mean(axis=0)).all()
    assert crude == pytest.approx(found.estimate, abs=0.25)


# --- pooling ----------------------------------------------------------------------------------------------------------


def test_rubins_rules_by_hand():
    found = pool(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 0.5]), complete_df=50)
    total = 0.5 + 4 / 3
    fraction = 4 / 3 / total
    old, observed = 2 / fraction**2, 51 / 53 * 50 * (1 - fraction)
    df = old * observed / (old + observed)
    assert found.se == pytest.approx(math.sqrt(total))
    assert found.df == pytest.approx(df)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / math.sqrt(total), df))
    assert found.high == pytest.approx(2 + stats.t.isf(0.025, df) * math.sqrt(total))


def test_imputations_that_agree_leave_the_complete_degrees_of_freedom():
    assert pool(np.ones(5), np.ones(5)).df == math.inf
    assert pool(np.ones(5), np.ones(5)).p == pytest.approx(2 * stats.norm.sf(1))


def test_what_has_no_variance_is_flagged():
    found = analyse.risk_difference(np.ones((5, 10)), np.arange(10) % 2)
    assert found.p == 1
    assert "no variance" in found.flag
    assert "no estimate" in pool(np.array([1.0, np.nan]), np.ones(2)).flag


# --- what a user can do wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="x"), "the table has no column 'x'"),
        (lambda t: t.assign(x=np.arange(len(t)) * 1.0), "x changes within person p0000"),
        (lambda t: t.assign(x=t.x.mask(t.person == "p0003")), "x is missing for person p0003"),
        (lambda t: pd.concat([t, t.head(1)]), "person p0000 has two rows at visit v0"),
        (lambda t: t.assign(y=t.y.mask(t.visit == "v2")), "visit 'v2' has no observation"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        incomplete(change(trial(20)), MODEL)


def test_an_unknown_departure_is_refused():
    with pytest.raises(ValueError, match="departure of 'nobody' at 'v1'"):
        incomplete(trial(20), MODEL, {"nobody": "v1"})
    assert incomplete(trial(20), MODEL, {"p0001": "v0"}).departure[1] == 0


def test_wrong_words_and_numbers_are_refused():
    with pytest.raises(ValueError, match="no strategy 'J2R'; choose from missing_at_random"):
        impute(root(0), data(), "J2R")
    with pytest.raises(ValueError, match="1 imputations of 50 steps"):
        impute(root(0), data(), imputations=1)
    with pytest.raises(ValueError, match="cannot tell the covariance of 3 visits"):
        impute(root(0), incomplete(trial(10), MODEL))
    with pytest.raises(ValueError, match="two or more of both"):
        pool(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="a variance is negative"):
        pool(np.ones(2), np.array([1.0, -1]))
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        analyse.risk_difference(np.full((2, 4), 0.5), np.arange(4) % 2)
    with pytest.raises(ValueError, match="arm 1 has no people"):
        analyse.risk_difference(np.ones((2, 4)), np.zeros(4))
    with pytest.raises(ValueError, match="3 shifts for 2 arms"):
        analyse.shifted(imputed("missing_at_random"), data(), np.zeros(3))
    with pytest.raises(ValueError, match="depend on each other"):
        analyse.ancova(np.ones((2, 5)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="no covariate 'z'"):
        data().covariate("z")
    with pytest.raises(ValueError, match="neither 0, 1 nor missing"):
        analyse.non_responder(np.array([0.5]))
    with pytest.raises(ValueError, match="nothing was imputed: why"):
        analyse.responders(Imputed(np.zeros((1, 1, 1)), np.zeros((1, 1)), "why"), 0, lambda y: y)


def test_regression_in_turn_refuses_gaps_and_few_people():
    outcome = np.random.default_rng(0).standard_normal((20, 3))
    outcome[3, 1] = np.nan
    covariates = np.arange(20.0)[:, None]
    with pytest.raises(ValueError, match="1 people were seen after a gap, the first in row 3"):
        impute_in_turn(root(0), outcome, covariates, np.arange(20))
    outcome[4:, 2] = np.nan
    outcome[3, 2] = np.nan
    with pytest.raises(ValueError, match="3 people seen cannot tell 4 coefficients"):
        impute_in_turn(root(0), outcome, covariates, np.arange(20))
    with pytest.raises(ValueError, match="a covariate is missing"):
        impute_in_turn(root(0), outcome, covariates * np.nan, np.arange(20))


def test_a_model_that_cannot_be_fitted_gives_a_flag_and_no_numbers():
    table = trial(60, leave=0.0)
    number = table.person.str[1:].astype(int)
    gone = ((number % 4 < 2) & (table.visit == "v2")) | ((number % 4 >= 2) & (table.visit == "v1"))
    made = impute(root(0), incomplete(table.assign(y=table.y.mask(gone)), MODEL), imputations=2)
    assert "did not converge" in made.flag
    assert np.isnan(made.values).all()


def test_draws_are_addressed():
    assert not np.array_equal(
        jax.random.key_data(stream(root(1), "imputation", 0)), jax.random.key_data(stream(root(1), "imputation", 1))
    )
