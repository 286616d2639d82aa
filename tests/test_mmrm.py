"""MMRM: closed forms, other programs, known truth, and all that a user can do wrong."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from cutis.trials.statistics.mmrm import replicates
from cutis.trials.statistics.mmrm.fit import fit
from cutis.trials.statistics.mmrm.inference import covariance_of, estimate, freedom_of, joint
from cutis.trials.statistics.mmrm.likelihood import deviance, inverse
from cutis.trials.statistics.mmrm.means import adjusted_means, contrasts, differences
from cutis.trials.statistics.mmrm.model import Model, lay
from cutis.trials.statistics.mmrm.panel import Panel, blocks_of
from cutis.trials.statistics.mmrm.robust import sandwich
from cutis.trials.statistics.mmrm.structures import STRUCTURES, UNSTRUCTURED

from .fev import MODEL, fitted, fitted_of_arm, laid, of_arm, table

VISITS = 3
SIGMA = np.array([[1.0, 0.6, 0.4], [0.6, 1.5, 0.7], [0.4, 0.7, 2.0]])


def trial(n, seed=0, effect=0.0, replicates=None):
    """Outcomes of two arms of n / 2 and the design with an intercept and an arm for each visit."""
    rng = np.random.default_rng(seed)
    shape = (n, VISITS) if replicates is None else (replicates, n, VISITS)
    arm = np.arange(n) % 2.0
    outcome = rng.standard_normal(shape) @ np.linalg.cholesky(SIGMA).T + effect * arm[:, None]
    eye = np.broadcast_to(np.eye(VISITS), (n, VISITS, VISITS))
    return outcome, np.concatenate([eye, eye * arm[:, None, None]], axis=2), arm, rng


def named(outcome, design, **more):
    return Panel(outcome, design, tuple(f"b{i}" for i in range(design.shape[2])), ("1", "2", "3"), **more)


@pytest.fixture(scope="module")
def complete():
    outcome, design, arm, _ = trial(24, seed=1)
    panel = named(outcome, design)
    return panel, fit(panel), arm


def test_with_complete_data_a_visit_is_a_two_sample_t_test(complete):
    """Unstructured, all terms by visit: estimates, errors and degrees of freedom are those of each visit alone."""
    panel, model, arm = complete
    for t in range(VISITS):
        row = estimate(panel, model, np.eye(6)[3 + t])
        test = stats.ttest_ind(panel.outcome[arm == 1, t], panel.outcome[arm == 0, t])
        assert row.estimate == pytest.approx(np.diff([panel.outcome[arm == a, t].mean() for a in (0, 1)])[0], abs=1e-10)
        assert row.t == pytest.approx(test.statistic, rel=1e-8)
        assert row.df == pytest.approx(22, rel=1e-7)
        assert row.p == pytest.approx(test.pvalue, rel=1e-7)


def test_with_complete_data_change_between_visits_is_a_t_test_of_differences(complete):
    panel, model, arm = complete
    change = panel.outcome[:, 2] - panel.outcome[:, 0]
    row = estimate(panel, model, np.array([0, 0, 0, -1, 0, 1]))
    test = stats.ttest_ind(change[arm == 1], change[arm == 0])
    assert row.t == pytest.approx(test.statistic, rel=1e-8)
    assert row.df == pytest.approx(22, rel=1e-7)


def test_with_complete_data_kenward_and_roger_add_nothing(complete):
    """Least squares, which does not look at the covariance, has a variance without bias."""
    _, model, _ = complete
    np.testing.assert_allclose(model.kenward, model.covariance, rtol=1e-8, atol=1e-12)


def test_with_complete_data_the_covariance_is_that_of_the_residuals(complete):
    panel, model, arm = complete
    rest = panel.outcome - np.array([panel.outcome[arm == a].mean(axis=0) for a in (0, 1)])[arm.astype(int)]
    np.testing.assert_allclose(model.visits[0], rest.T @ rest / 22, rtol=1e-7)


def test_with_complete_data_the_joint_test_is_hotellings(complete):
    """Exact for Kenward and Roger in one dimension; in three their F has Hotelling's scale and degrees of freedom."""
    panel, model, arm = complete
    found = joint(panel, model, np.eye(6)[3:], method="kenward_roger")
    gap = np.diff([panel.outcome[arm == a].mean(axis=0) for a in (0, 1)], axis=0)[0]
    squared = 6 * gap @ np.linalg.solve(np.asarray(model.visits[0]), gap)
    f = (22 - 3 + 1) / (22 * 3) * squared
    assert found.denominator == pytest.approx(20, rel=1e-6)
    assert found.f == pytest.approx(f, rel=1e-6)


def test_one_visit_is_analysis_of_covariance():
    rng = np.random.default_rng(3)
    design = np.stack([np.ones(30), np.arange(30) % 2.0, rng.standard_normal(30)], axis=1)
    outcome = design @ [1, 0.5, 0.8] + rng.standard_normal(30)
    panel = Panel(outcome[:, None], design[:, None], ("i", "arm", "x"), ("1",))
    row, ols = estimate(panel, fit(panel), np.array([0, 1, 0])), sm.OLS(outcome, design).fit()
    assert (row.estimate, row.se, row.df) == pytest.approx((ols.params[1], ols.bse[1], 27), rel=1e-8)
    assert row.p == pytest.approx(ols.pvalues[1], rel=1e-7)


def test_compound_symmetry_with_complete_data_is_a_random_intercept():
    """The test within people has the degrees of freedom of the split-plot analysis."""
    outcome, _, arm, _ = trial(20, seed=4)
    model = lay(
        pd.DataFrame(
            [(i, f"v{t}", f"a{int(arm[i])}", outcome[i, t]) for i in range(20) for t in range(VISITS)],
            columns=["person", "visit", "arm", "y"],
        ),
        Model("y", "person", "visit", "arm"),
    )
    row = estimate(model.panel, fit(model.panel, "compound_symmetry"), np.eye(6)[4])
    assert row.df == pytest.approx((20 - 2) * (VISITS - 1), rel=1e-6)


def test_the_score_is_zero_and_matches_differences():
    blocks, _ = blocks_of(laid().panel, UNSTRUCTURED)

    @jax.jit
    def at(x):
        return deviance(UNSTRUCTURED, x[None], blocks)

    best = fitted().natural[0]
    assert np.abs(jax.grad(at)(best)).max() < 1e-6
    away = best * 1.1
    step = 1e-4
    numeric = [(at(away + step * e) - at(away - step * e)) / (2 * step) for e in np.eye(10)]
    # Rounding of the deviance, 3,400 to 16 figures, over the step.
    np.testing.assert_allclose(jax.grad(at)(away), numeric, rtol=1e-5, atol=3400 * 1e-13 / step)


def test_the_deviance_is_that_of_the_whole_normal_density():
    """Written out with the covariance of all observations, as in Patterson and Thompson."""
    panel = laid().panel
    seen = panel.seen
    X, y = panel.design[seen], panel.outcome[seen]
    person = np.nonzero(seen)[0]
    sigma = np.asarray(fitted().visits[0])
    visit = np.nonzero(seen)[1]
    V = np.where(person[:, None] == person[None], sigma[visit[:, None], visit[None]], 0)
    inner = np.linalg.inv(V)
    information = X.T @ inner @ X
    rest = y - X @ np.linalg.solve(information, X.T @ inner @ y)
    value = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + rest @ inner @ rest
    value += (len(y) - X.shape[1]) * np.log(2 * np.pi)
    assert float(fitted().deviance) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("name", [n for n in STRUCTURES if n != "spatial_exponential"])
def test_a_structure_is_positive_definite_and_near_its_start(name):
    structure = STRUCTURES[name]
    rng = np.random.default_rng(5)
    distance = jnp.zeros((4, 4))
    free = structure.start(0.7 * jnp.eye(4) + 0.3)
    for shift in (0, *rng.standard_normal((3, len(free)))):
        sigma = structure.covariance(structure.natural(free + shift, 4), distance)
        assert np.linalg.eigvalsh(sigma)[0] > 0
        np.testing.assert_allclose(sigma, sigma.T)


def test_the_inverse_of_what_was_seen():
    seen = jnp.array([True, False, True])
    part, log_determinant = inverse(jnp.asarray(SIGMA), seen)
    inside = SIGMA[np.ix_([0, 2], [0, 2])]
    np.testing.assert_allclose(part[jnp.ix_(jnp.array([0, 2]), jnp.array([0, 2]))], np.linalg.inv(inside), rtol=1e-12)
    assert float(log_determinant) == pytest.approx(np.linalg.slogdet(inside)[1])
    assert not np.asarray(part)[1].any()


def test_a_structure_with_more_parameters_fits_no_worse():
    deviances = [float(fitted_of_arm(s).deviance) for s in ("compound_symmetry", "heterogeneous_compound_symmetry")]
    assert deviances[0] >= deviances[1] >= float(fitted_of_arm("unstructured").deviance)


def test_groups_with_their_own_covariance_are_fitted_apart():
    """Two arms with all terms apart: the deviance is the sum of two, the coefficients those of each."""
    outcome, design, arm, rng = trial(40, seed=6)
    outcome[rng.random(outcome.shape) < 0.15] = np.nan
    both = fit(named(outcome, design, group=arm.astype(int)))
    alone = [fit(named(outcome[arm == a], design[arm == a][:, :, :3])) for a in (0, 1)]
    whole = float(both.deviance)
    assert whole == pytest.approx(sum(float(f.deviance) for f in alone), rel=1e-10)
    np.testing.assert_allclose(both.visits, [f.visits[0] for f in alone], rtol=1e-5)


def test_weights_divide_the_variance():
    outcome, design, _, _ = trial(24, seed=1)
    plain = fit(named(outcome, design))
    double = fit(named(outcome, design, weight=np.full(outcome.shape, 2.0)))
    np.testing.assert_allclose(double.visits, 2 * plain.visits, rtol=1e-6)
    np.testing.assert_allclose(double.coefficients, plain.coefficients, rtol=1e-8, atol=1e-12)
    assert float(double.deviance) == pytest.approx(float(plain.deviance), rel=1e-10)


def test_spatial_correlation_over_equal_steps_is_autoregressive():
    outcome, design, _, _ = trial(60, seed=7)
    spatial = fit(named(outcome, design), "spatial_exponential")
    steps = fit(named(outcome, design), "autoregressive")
    assert float(spatial.deviance) == pytest.approx(float(steps.deviance), rel=1e-9)
    late = np.broadcast_to([0.0, 7.0, 14.0], outcome.shape)
    weeks = fit(named(outcome, design, time=late), "spatial_exponential")
    assert float(weeks.natural[0, 1]) == pytest.approx(7 * float(spatial.natural[0, 1]), rel=1e-5)


def test_the_sandwich_of_independent_people_is_written_out():
    panel, model = laid().panel, fitted()
    meat = np.zeros((11, 11))
    for i in np.flatnonzero(panel.seen.any(axis=1)):
        s = panel.seen[i]
        inner = np.linalg.inv(np.asarray(model.visits[0])[np.ix_(s, s)])
        X = panel.design[i][s]
        score = X.T @ inner @ (panel.outcome[i][s] - X @ np.asarray(model.coefficients))
        meat += np.outer(score, score)
    bread = np.asarray(model.covariance)
    np.testing.assert_allclose(sandwich(panel, model).covariance, bread @ meat @ bread, rtol=1e-9)


def test_the_jackknife_sandwich_is_that_of_leaving_people_out(complete):
    """With complete data and terms by visit, CR3 is the jackknife about the estimate."""
    panel, model, _ = complete
    robust = sandwich(panel, model, correction="jackknife")
    each = []
    for i in range(24):
        rest = np.arange(24) != i
        X, y = panel.design[rest].reshape(-1, 6), panel.outcome[rest].reshape(-1)
        each.append(np.linalg.lstsq(X, y, rcond=None)[0])
    gaps = np.array(each) - np.asarray(model.coefficients)
    np.testing.assert_allclose(robust.covariance, 23 / 24 * gaps.T @ gaps, rtol=1e-8, atol=1e-12)


def test_corrected_sandwiches_are_larger():
    sizes = [
        np.diag(sandwich(laid().panel, fitted(), correction=c).covariance)
        for c in ("none", "bias_reduced", "jackknife")
    ]
    assert (sizes[0] < sizes[1]).all()
    assert (sizes[1] < sizes[2]).all()


def test_adjusted_means_weigh_factors_as_told():
    equal, observed = (contrasts(laid(), w)("TRT", "VIS1") for w in ("equal", "observed"))
    names = laid().panel.columns
    assert equal[names.index("SEX[Male]")] == 0.5
    male = table().dropna(subset="FEV1").SEX.eq("Male").mean()
    assert observed[names.index("SEX[Male]")] == pytest.approx(male)


def test_differences_are_those_of_adjusted_means():
    means = {e.name: e.estimate for e in adjusted_means(laid(), fitted())}
    for gap in differences(laid(), fitted()):
        visit = gap.name.split(" at ")[1]
        assert gap.estimate == pytest.approx(means[f"TRT at {visit}"] - means[f"PBO at {visit}"], abs=1e-9)
        assert gap.low < gap.estimate < gap.high


# --- replicates -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many():
    """400 replicates without an effect, 60 people, dropout that depends on what was seen; and one without sense."""
    outcome, design, _, rng = trial(60, seed=8, replicates=401)
    for t in (1, 2):
        leaves = rng.random(outcome.shape[:2]) < np.where(outcome[:, :, t - 1] > 0.5, 0.35, 0.1)
        outcome[:, :, t] = np.where(leaves | np.isnan(outcome[:, :, t - 1]), np.nan, outcome[:, :, t])
    # In the last, visits 2 and 3 were never seen together.
    outcome[400] = trial(60, seed=9)[0]
    outcome[400, :30, 2] = outcome[400, 30:, 1] = np.nan
    designs = jnp.asarray(np.broadcast_to(design, (401, *design.shape)))
    found = replicates.compare_all(jnp.asarray(outcome), designs, jnp.asarray(np.eye(6)[5]))
    return outcome, design, found


def test_a_replicate_is_the_single_fit(many):
    outcome, design, found = many
    for r in (0, 17):
        panel = named(outcome[r], design)
        row = estimate(panel, fit(panel), np.eye(6)[5])
        for field in ("estimate", "se", "df", "low", "high", "p"):
            assert float(getattr(found, field)[r]) == pytest.approx(getattr(row, field), rel=1e-6), field


def test_under_the_null_with_dropout_at_random_the_test_and_interval_are_nominal(many):
    found = replicates.Compared(*(np.asarray(x)[:400] for x in many[2]))
    assert not found.flag.any()
    rejected = float((found.p < 0.05).mean())
    assert rejected == pytest.approx(0.05, abs=4.5 * np.sqrt(0.05 * 0.95 / 400))
    spread = float(found.estimate.std())
    assert abs(float(found.estimate.mean())) < 4.5 * spread / 20
    assert float((found.se**2).mean() ** 0.5) == pytest.approx(spread, rel=4.5 / np.sqrt(800))


def test_completers_alone_would_be_biased_where_the_model_is_not():
    """Arms that leave for different reasons: what was seen at the end differs, the model's difference does not."""
    outcome, design, arm, _ = trial(2000, seed=9)
    last = outcome[:, 2].copy()
    leaves = (arm == 1) & (outcome[:, 0] > 0)
    outcome[leaves, 1:] = np.nan
    seen = ~np.isnan(outcome[:, 2])
    crude = last[seen & (arm == 1)].mean() - last[seen & (arm == 0)].mean()
    panel = named(outcome, design)
    row = estimate(panel, fit(panel), np.eye(6)[5])
    assert crude < -0.2
    assert abs(row.estimate) < 4.5 * row.se


def test_a_replicate_whose_visits_were_never_seen_together_is_flagged(many):
    found = replicates.Compared(*(np.asarray(x)[400] for x in many[2]))
    assert bool(found.flag)
    assert float(found.p) == 1
    assert np.isnan([found.estimate, found.se, found.df, found.low, found.high]).all()


@pytest.mark.parametrize(("patterns", "fine"), [(replicates.monotone_patterns, False), (replicates.all_patterns, True)])
def test_visits_that_were_not_told_do_not_pass(patterns, fine):
    outcome, design, _, _ = trial(60, seed=8)
    outcome[0, 1] = np.nan
    sets = patterns(VISITS)
    _, block = replicates.sums(jnp.asarray(outcome), jnp.asarray(design), sets)
    assert bool(replicates.placed(jnp.asarray(outcome), block, sets)) is fine


def test_many_visits_need_their_patterns_told():
    with pytest.raises(ValueError, match="8 visits have 255 sets; say which occur"):
        replicates.all_patterns(8)
    with pytest.raises(ValueError, match="the design is not finite"):
        replicates.compare_all(jnp.zeros((1, 4, 2)), jnp.full((1, 4, 2, 1), jnp.nan), jnp.ones(1))


# --- what a user can do wrong -----------------------------------------------------------------------------------------


def test_visits_that_nobody_has_together_leave_the_covariance_unknown():
    outcome, design, _, _ = trial(24, seed=1)
    outcome[:12, 2], outcome[12:, 1] = np.nan, np.nan
    panel = named(outcome, design)
    model = fit(panel)
    assert not bool(model.converged)
    row = estimate(panel, model, np.eye(6)[5])
    assert np.isnan(row.estimate)
    assert "did not converge" in row.flag
    assert "did not converge" in joint(panel, model, np.eye(6)[4:]).flag


def test_an_outcome_without_noise_is_flagged():
    outcome, design, _, _ = trial(24, seed=1)
    outcome[:, 2] = outcome[:, 1]
    panel = named(outcome, design)
    assert "did not converge" in estimate(panel, fit(panel), np.eye(6)[5]).flag


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="SEX"), "the table has no column 'SEX'"),
        (lambda t: pd.concat([t, t.dropna().head(1)]), "has two rows at visit"),
        (lambda t: t.assign(FEV1=np.nan), "no row has 'FEV1' and all covariates"),
        (lambda t: t.assign(SEX="Male"), "'SEX' is always 'Male'"),
        (lambda t: t.assign(ARMCD=np.where(t.index % 4 > 1, "TRT", "PBO")), "ARMCD changes within a person"),
        (lambda t: t.assign(FEV1=t.FEV1.mask((t.AVISIT == "VIS3") & (t.ARMCD == "TRT"))), r"arm\[TRT\]:visit\[VIS3\]"),
        (lambda t: t.assign(FEV1=t.FEV1.replace(t.FEV1.max(), np.inf)), "the outcome is infinite"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        lay(change(table()), MODEL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visits": ("VIS1", "VIS9")}, "AVISIT is never 'VIS9'"),
        ({"arms": ("PBO", "X")}, "ARMCD is never 'X'"),
        ({"by_visit": ("SEX",)}, "SEX is both a covariate and one by visit"),
        ({"weight": "nothing"}, "no column 'nothing'"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        lay(table(), replace(MODEL, **change))


def test_arrays_that_do_not_fit_are_refused():
    outcome, design, arm, _ = trial(24, seed=1)
    gap = outcome.copy()
    gap[:, 1] = np.nan
    with pytest.raises(ValueError, match="visit '2' has no observation"):
        named(gap, design)
    with pytest.raises(ValueError, match="b6: zero in all observations, or a combination"):
        named(outcome, np.concatenate([design, design[:, :, 3:4] - design[:, :, :1]], axis=2))
    with pytest.raises(ValueError, match=r"weight has shape \(24,\)"):
        named(outcome, design, weight=np.ones(24))
    with pytest.raises(ValueError, match="a weight is not above zero"):
        named(outcome, design, weight=np.zeros(outcome.shape))
    with pytest.raises(ValueError, match=r"groups are \[0, 2\]"):
        named(outcome, design, group=2 * arm.astype(int))
    with pytest.raises(ValueError, match="'b0' is missing or infinite in 1 observations"):
        named(outcome, np.where(np.arange(design.size).reshape(design.shape) == 0, np.nan, design))
    with pytest.raises(ValueError, match="6 observations cannot tell 6 coefficients"):
        named(outcome[:2], design[:2])


def test_wrong_words_are_refused():
    panel, model = laid().panel, fitted()
    with pytest.raises(ValueError, match="no covariance structure 'ar2'; choose from ante_dependence"):
        fit(panel, "ar2")
    with pytest.raises(ValueError, match="autoregressive needs 2 visits, there are 1"):
        fit(Panel(panel.outcome[:, :1], panel.design[:, :1, :1], ("i",), ("1",)), "autoregressive")
    with pytest.raises(ValueError, match="no degrees of freedom 'kr'"):
        freedom_of(panel, model, np.eye(11)[0], "kr")
    with pytest.raises(ValueError, match="one number a coefficient, 11"):
        estimate(panel, model, np.ones(3))
    with pytest.raises(ValueError, match="the contrasts depend on each other"):
        joint(panel, model, [np.eye(11)[0], 2 * np.eye(11)[0]])
    with pytest.raises(ValueError, match="a joint test needs"):
        joint(panel, model, [np.eye(11)[0]], method="residual")
    with pytest.raises(ValueError, match="with a sandwich use satterthwaite"):
        covariance_of(model, "kenward_roger", sandwich(panel, model))
    with pytest.raises(ValueError, match="no correction 'cr9'"):
        sandwich(panel, model, correction="cr9")
    with pytest.raises(ValueError, match="no weights 'some'"):
        contrasts(laid(), "some")
    with pytest.raises(ValueError, match="no arm 'X'"):
        contrasts(laid())("X", "VIS1")
    assert of_arm().n == 197
