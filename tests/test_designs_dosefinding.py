"""MCP-Mod: contrasts have the most power, the level is kept, curves and doses that are known are found again."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from cutis.trials.designs.dosefinding import contrasts as mct
from cutis.trials.designs.dosefinding.fit import averaged, averaged_target, fit, target_dose
from cutis.trials.designs.dosefinding.models import SHAPES, Candidate

DOSES = [0, 0.05, 0.2, 0.6, 1]
CANDIDATES = (
    Candidate("emax", (0.2,)),
    Candidate("linear"),
    Candidate("exponential", (0.28,)),
    Candidate("quadratic", (-0.854,)),
    Candidate("logistic", (0.4, 0.09)),
    Candidate("sigmoid_emax", (0.3, 3.0)),
)
EVEN = mct.optimal_contrasts(DOSES, CANDIDATES, np.ones(5))
CURVES = {
    "linear": (),
    "log_linear": (0.1,),
    "emax": (0.2,),
    "sigmoid_emax": (0.3, 2.5),
    "exponential": (0.5,),
    "quadratic": (-0.6,),
    "logistic": (0.4, 0.1),
    "beta": (0.8, 0.5),
}


def test_contrasts_of_equal_groups_are_the_centred_curves():
    for row, candidate in zip(EVEN.coefficients, CANDIDATES, strict=True):
        curve = candidate.values(DOSES)
        assert row == pytest.approx((curve - curve.mean()) / np.linalg.norm(curve - curve.mean()), abs=1e-12)
        assert row.sum() == pytest.approx(0, abs=1e-12)


def test_no_other_contrast_has_more_power():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    spread = root @ root.T + np.eye(5)
    best = mct.optimal_contrasts(DOSES, CANDIDATES, spread).coefficients
    other = rng.normal(size=(2000, 5))
    other -= other.mean(axis=1, keepdims=True)

    def power(rows, curve):
        return rows @ curve / np.sqrt(np.einsum("cd,de,ce->c", rows, spread, rows))

    for row, candidate in zip(best, CANDIDATES, strict=True):
        curve = candidate.values(DOSES)
        assert power(row[None], curve)[0] >= power(other, curve).max() - 1e-12


@pytest.mark.parametrize("df", [np.inf, 20.0])
def test_the_level_is_kept(df):
    """Six contrasts of five doses depend on each other, so their correlation has no inverse."""
    n, rng = 40_000, np.random.default_rng(1)
    estimates = rng.normal(size=(n, 5))
    if math.isfinite(df):
        estimates /= np.sqrt(rng.chisquare(df, (n, 1)) / df)
    bound = mct.critical_value(EVEN, 0.025, df)
    hits = ((estimates @ EVEN.coefficients.T).max(axis=1) > bound).mean()
    assert hits == pytest.approx(0.025, abs=4.5 * math.sqrt(0.025 * 0.975 / n))


def test_a_single_candidate_is_a_z_test():
    one = mct.optimal_contrasts(DOSES, (Candidate("linear"),), np.ones(5))
    assert mct.critical_value(one, 0.025) == pytest.approx(norm.isf(0.025), abs=1e-9)
    means = np.array(DOSES) * 2.0
    drift = float(one.coefficients[0] @ means)
    assert mct.power(one, means, np.ones(5), 0.025) == pytest.approx(norm.sf(norm.isf(0.025) - drift), abs=1e-9)


def test_adjusted_p_values_say_what_the_bound_says_for_every_replicate():
    rng = np.random.default_rng(2)
    estimates = rng.normal(0, 0.3, (10, 5)) + np.array([0.0, 0.1, 0.3, 0.4, 0.5])
    found = mct.signal(EVEN, estimates, np.full(5, 0.04), 0.025, df=95)
    assert found.p.shape == (10, 6)
    clear = np.abs(found.p - 0.025) > 1e-5
    assert ((found.p <= 0.025) == (found.statistic >= found.critical))[clear].all()
    full = np.broadcast_to(np.diag(np.full(5, 0.04)), (10, 5, 5))
    assert mct.signal(EVEN, estimates, full, 0.025, 95).statistic == pytest.approx(found.statistic)


def test_power_is_what_simulation_gives():
    means, spread = 0.6 * CANDIDATES[0].values(DOSES), np.full(5, 0.05)
    estimates = np.random.default_rng(3).normal(means, np.sqrt(0.05), (40_000, 5))
    found = (estimates @ EVEN.coefficients.T / math.sqrt(0.05)).max(axis=1) > mct.critical_value(EVEN, 0.05)
    assert mct.power(EVEN, means, spread, 0.05) == pytest.approx(found.mean(), abs=4.5 * 0.5 / 200)


@pytest.mark.parametrize("family", CURVES)
def test_a_curve_without_noise_is_found_again(family):
    doses = np.linspace(0, 1, 8)
    means = 0.2 + 0.7 * SHAPES[family].curve(doses, CURVES[family], 1.0)
    found = fit(family, doses, means, np.full(8, 0.01))
    assert found.deviance == pytest.approx(0, abs=1e-9)
    assert found.response(doses) == pytest.approx(means, abs=1e-5)
    assert not found.bounded
    dose = target_dose(found, 0.2)
    assert float(found.effect(dose)) == pytest.approx(0.2, abs=1e-9)


def test_target_doses_by_closed_form():
    doses = np.array(DOSES)
    line = fit("linear", doses, 1 + 2 * doses, np.ones(5))
    assert target_dose(line, 0.5) == pytest.approx(0.25)
    assert math.isnan(target_dose(line, 2.5))
    curve = fit("emax", doses, 0.6 * doses / (0.2 + doses), np.full(5, 0.01))
    assert target_dose(curve, 0.3) == pytest.approx(0.2, abs=1e-6)


def test_averages_lean_to_the_better_curve():
    doses = np.array(DOSES)
    means = 0.6 * doses / (0.1 + doses)
    curves = tuple(fit(family, doses, means, np.full(5, 0.002)) for family in ("emax", "linear"))
    weights = averaged(curves)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.99
    assert averaged_target(curves, 0.3) == pytest.approx(target_dose(curves[0], 0.3), abs=5e-3)


def test_covariance_weighs_the_doses():
    """Generalised least squares of a line, by its textbook formula."""
    rng = np.random.default_rng(4)
    root = rng.normal(size=(5, 5))
    spread, means = root @ root.T + np.eye(5), rng.normal(size=5)
    columns = np.column_stack([np.ones(5), DOSES])
    inverse = np.linalg.inv(spread)
    expected = np.linalg.solve(columns.T @ inverse @ columns, columns.T @ inverse @ means)
    found = fit("linear", DOSES, means, spread)
    assert (found.placebo, found.scale) == pytest.approx(tuple(expected))


def test_a_parameter_on_its_limit_is_flagged():
    doses = np.array(DOSES)
    assert fit("exponential", doses, np.sqrt(doses), np.full(5, 0.01)).bounded


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Candidate("emax"), "emax has"),
        (lambda: Candidate("spline"), "expected one of"),
        (lambda: Candidate("emax", (-0.1,)), "above 0"),
        (lambda: Candidate("emax", (math.nan,)), "finite"),
        (lambda: mct.optimal_contrasts([0, 1, 1], CANDIDATES, np.ones(3)), "rising"),
        (lambda: mct.optimal_contrasts(DOSES, (), np.ones(5)), "one at least"),
        (lambda: mct.optimal_contrasts(DOSES, CANDIDATES, np.ones(4)), "expected a symmetric matrix"),
        (lambda: mct.optimal_contrasts(DOSES, CANDIDATES, [1, 1, 0, 1, 1]), "not positive definite"),
        (lambda: mct.optimal_contrasts(DOSES, (Candidate("logistic", (1e3, 0.01)),), np.ones(5)), "flat"),
        (lambda: mct.signal(EVEN, np.ones(4), np.ones(5), 0.05), "expected 5 doses"),
        (lambda: mct.signal(EVEN, np.ones(5), np.ones(4), 0.05), "covariance: expected shape"),
        (lambda: mct.signal(EVEN, np.ones(5), np.zeros(5), 0.05), "variances above 0"),
        (lambda: fit("beta", [0, 0.5, 1], [0, 1, 2], np.ones(3)), "more than the 3 doses"),
        (lambda: fit("cubic", DOSES, np.ones(5), np.ones(5)), "expected one of"),
        (lambda: fit("linear", DOSES, [1, 2, 3, 4, math.nan], np.ones(5)), "finite"),
        (lambda: target_dose(fit("linear", DOSES, np.array(DOSES), np.ones(5)), -0.1), "above 0"),
        (lambda: averaged(()), "one at least"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says), np.errstate(all="ignore"):
        call()
