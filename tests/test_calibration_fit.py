"""The posterior mode: known parameters are found again, and what it reports is what it claims to be."""

import re
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import gammaln

from cutis.calibration.climb import Group, climb
from cutis.calibration.psoriasis.likelihood import counts, summaries
from cutis.calibration.scale import Prior, believed
from cutis.calibration.terms import DISCOUNT, Summaries, subset

from .smalltrials import NUMBERS, VECTOR, table, trials

WEEKS = (4, 8, 12)
START = VECTOR.vector(NUMBERS)
TRUE = START + np.array([0.25, -0.2, 0.2, 0.4, -0.3, 0.3])
EFFECTS = np.array([0.1, -0.15, 0.05])
NOTHING = summaries((), (), table(), {})
WIDE = {
    "model.plaque_rate": Prior(0.06, "log", 1.0, ""),
    "sensitivity.potency:sd": Prior(1.8, "log", 1.0, ""),
    "placebo.improving": Prior(0.4, "logit", 1.0, ""),
}
REFERENCE = START[3:] + 1.5


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def fit(table, rows, told, prior, start, effects=None, spread=0.2, **how):
    """Climb on counts and summaries."""
    groups = (Group("trial", len(table.trials), spread),)
    return climb(table, {"counts": rows, "summaries": told}, prior, groups, start, effects, **how)


def prior():
    return believed(WIDE, REFERENCE)


def observed(n=200, rho=0.015):
    """Counts that chance makes of the true parameters in arms of `n` people, with an intraclass correlation."""
    rows = counts(trials(WEEKS), here())
    rng = np.random.default_rng(3)
    q, size = rows.conditional(here().values(TRUE, EFFECTS)), 1 / rho - 1
    among, reached = np.zeros_like(rows.n), np.zeros_like(rows.n)
    for row, lower in enumerate(rows.lower):
        among[row] = n if lower < 0 else reached[rows.upper == lower][0]
        reached[row] = rng.binomial(among[row], rng.beta(q[row] * size, (1 - q[row]) * size))
    return replace(rows, n=among, x=reached)


def here():
    return table(WEEKS)


@cache
def fitted():
    """A fit to the published counts, with what it said."""
    said = []
    return fit(here(), observed(), NOTHING, prior(), START, say=said.append), tuple(said)


def objective(rows, told, before, spread, rho, vector, effects):
    """The log posterior, by SciPy's beta-binomial distribution."""
    value = here().values(vector, effects)
    q, size = rows.conditional(value), 1 / rho - 1
    constant = gammaln(rows.n + 1) - gammaln(rows.x + 1) - gammaln(rows.n - rows.x + 1)
    likely = stats.betabinom.logpmf(rows.x, rows.n, q * size, (1 - q) * size) - constant
    middle, sd = before.all()
    missed = ((told.logits(value) - told.value) / told.sd, (vector - middle) / sd, effects / spread)
    return (likely / rows.inflation).sum() - 0.5 * sum((miss**2).sum() for miss in missed)


def heights(said):
    return [float(re.search(r"log posterior (-?[\d.]+)", text)[1]) for text in said]


def test_known_parameters_are_found_within_their_errors():
    found = fit(here(), replace(observed(20_000, 1e-6), rho=1e-5), NOTHING, prior(), START, adapt=False)
    sd = np.sqrt(np.diag(found.covariance))
    assert (sd[:6] < 0.1).all()  # the counts tell, not the prior
    off = (np.r_[found.vector, found.effects] - np.r_[TRUE, EFFECTS]) / sd
    assert np.abs(off).max() < 4.5
    assert (off**2).sum() < stats.chi2.isf(1e-4, len(off))
    assert np.abs(START - TRUE).min() > 4.5 * sd[:6].min()


def test_the_log_posterior_never_falls():
    said = []
    found = fit(here(), observed(), NOTHING, prior(), START + 0.5, adapt=False, say=said.append)
    rising = heights(said)
    assert len(rising) == found.steps > 2
    assert (np.diff(rising) >= 0).all()
    expected = objective(observed(), NOTHING, prior(), found.spreads["trial"], 0.005, found.vector, found.effects)
    assert found.objective == pytest.approx(expected, abs=1e-6)
    assert found.objective == pytest.approx(rising[-1], abs=0.006)


def test_no_other_method_climbs_higher():
    told = Summaries(np.array([4]), np.array([5]), np.array([0.4]), np.array([0.1]))
    found = fit(here(), observed(), told, prior(), START, adapt=False)

    def down(both):
        return -objective(observed(), told, prior(), found.spreads["trial"], 0.005, both[:6], both[6:])

    other = optimize.minimize(down, np.r_[found.vector, found.effects], method="BFGS", options={"maxiter": 30})
    assert -other.fun - found.objective < 0.3  # a few times the gain at which the climb ends
    sd = np.sqrt(np.diag(found.covariance))
    assert (np.abs(other.x - np.r_[found.vector, found.effects]) < 0.3 * sd).all()


def test_the_start_does_not_matter():
    one, other = (fit(here(), observed(), NOTHING, prior(), START + by, adapt=False) for by in (0.0, 0.6))
    sd = np.sqrt(np.diag(one.covariance))
    assert (np.abs(np.r_[one.vector - other.vector, one.effects - other.effects]) < 0.3 * sd).all()


def test_the_covariance_is_one():
    found, _ = fitted()
    assert found.covariance.shape == (9, 9)
    np.testing.assert_allclose(found.covariance, found.covariance.T, rtol=1e-9, atol=1e-14)
    assert np.linalg.eigvalsh(found.covariance).min() > 0
    middle, sd = found.believed.all()
    assert len(middle) == 6
    assert (np.sqrt(np.diag(found.covariance))[:6] < 1.01 * sd).all()


def test_counts_that_vary_more_than_they_are_weighted_for_widen_the_errors():
    rows = replace(observed(), rho=1e-5)
    wild = replace(rows, x=np.where(np.arange(len(rows.x)) % 2, rows.x // 2, rows.x))
    narrow, wide = (fit(here(), r, NOTHING, prior(), START, adapt=False, most=8) for r in (rows, wild))
    assert wide.variation["counts"] > 0.02 > narrow.variation["counts"]
    assert (np.diag(wide.covariance)[:6] > 1.5 * np.diag(narrow.covariance)[:6]).all()


def test_the_intraclass_correlation_of_counts_is_found():
    rng = np.random.default_rng(5)
    rows = observed(400)
    many, rho = subset(rows, np.tile(np.arange(len(rows.n)), 40)), 0.05
    q = many.conditional(here().values(TRUE, EFFECTS))
    size = 1 / rho - 1
    x = rng.binomial(many.n, rng.beta(q * size, (1 - q) * size))
    found = fit(here(), replace(many, x=x, rho=rho), NOTHING, prior(), TRUE, EFFECTS, adapt=False, most=4)
    assert found.variation["counts"] == pytest.approx(rho, rel=0.15)  # 4.5 standard errors at about 2,000 counts


def test_trial_effects_vanish_where_trials_are_believed_alike():
    alike = fit(here(), observed(), NOTHING, prior(), START, spread=1e-4, adapt=False)
    free = fit(here(), observed(), NOTHING, prior(), START, spread=1.0, adapt=False)
    assert np.abs(alike.effects).max() < 1e-5
    assert np.abs(free.effects).max() > 1e-3


def test_spreads_over_drugs_and_trials_agree_with_what_they_are_the_spreads_of():
    """The fixed point of the EM algorithm, up to the two percent at which it ends."""
    found, said = fitted()
    variance = np.diag(found.covariance)
    assert len(said) == found.steps
    assert found.spreads["trial"] == pytest.approx(
        max(np.sqrt(np.mean(found.effects**2 + variance[6:])), 0.02), rel=0.1
    )
    excess = found.believed.reference - found.vector[3:]
    assert found.believed.excess == pytest.approx(excess.mean(), abs=0.05)
    wanted = np.sqrt(np.mean((excess - found.believed.excess) ** 2 + variance[3:6]))
    assert found.believed.excess_sd == pytest.approx(wanted, rel=0.1)


def test_without_adaptation_nothing_is_adapted():
    found = fit(here(), observed(), NOTHING, prior(), START, spread=0.3, adapt=False, most=2)
    assert (found.spreads["trial"], found.steps) == (0.3, 2)
    assert found.believed.excess == prior().excess == 1.5


def test_what_is_believed_has_the_scale_of_the_vector():
    middle, sd = prior().all()
    np.testing.assert_allclose(middle, np.r_[np.log(0.06), np.log(1.8), np.log(0.4 / 0.6), START[3:]])
    np.testing.assert_allclose(sd, [1, 1, 1, 1.5, 1.5, 1.5])


def test_every_slope_stands_where_the_vector_and_the_effects_have_it():
    everything = here().full(here().slopes(TRUE, EFFECTS))
    both = np.r_[TRUE, EFFECTS]

    def value(at):
        return here().values(at[:6], at[6:])

    expected = [(value(both + 1e-6 * d) - value(both - 1e-6 * d)) / 2e-6 for d in np.eye(9)]
    np.testing.assert_allclose(everything, expected, atol=1e-6)


def test_the_same_evidence_gives_the_same_fit():
    one, other = (fit(here(), observed(), NOTHING, prior(), START, most=3) for _ in range(2))
    assert (one.vector == other.vector).all()
    assert (one.covariance == other.covariance).all()


def test_exact_slopes_give_the_same_errors():
    one, other = (
        fit(here(), observed(), NOTHING, prior(), START, most=1, adapt=False, exact=exact) for exact in (False, True)
    )
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=1e-8)


def test_evidence_that_no_parameters_explain_does_not_stop_the_climb_half_way():
    """Responses as high at week 4 as at week 12, from two starts."""
    rows = counts(trials(WEEKS), here())
    one, other = (fit(here(), rows, NOTHING, prior(), START + by, adapt=False) for by in (0.0, -0.5))
    assert one.variation["counts"] > 5 * DISCOUNT
    # So few people make the posterior rough where it is flat; without the slope of the likelihood the gap is 60.
    assert one.objective == pytest.approx(other.objective, abs=10.0)
