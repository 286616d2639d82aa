"""Cases of `bench/nulls.py` that take a shorter way than a study file gives the same figures; so do faster analyses."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cutis.core  # noqa: F401 (switches on 64 bits)
from cutis.trials.statistics.imputation import analyse
from cutis.trials.statistics.imputation.conditional import conditional_mean
from cutis.trials.statistics.imputation.incomplete import incomplete
from cutis.trials.statistics.methods import cox as hazards
from cutis.trials.statistics.methods import likelihood
from cutis.trials.statistics.methods.counts import combination, negative_binomial

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture(scope="module")
def missing():
    """The cases with missing values, from the folder of benchmarks, which is no package."""
    sys.path.insert(0, str(BENCH))
    try:
        from nullcases import missing

        return missing
    finally:
        sys.path.remove(str(BENCH))


def study(missing, y, x):
    """One replicate as a study file has it: a table that `incomplete` lays out."""
    people, visits = y.shape
    return incomplete(
        pd.DataFrame({
            "person": np.repeat([f"p{i:03}" for i in range(people)], visits),
            "visit": np.tile(["v0", "v1", "v2"], people),
            "arm": np.repeat(np.where(missing.arms(people) == 1, "drug", "placebo"), visits),
            "x": np.repeat(x, visits),
            "y": y.reshape(-1),
        }),
        missing.MODEL,
    )  # fmt: skip


def test_what_is_laid_out_without_a_table_is_what_a_table_gives(missing):
    for y, x in zip(*missing.courses(np.random.default_rng(11), 5), strict=True):
        one, two = study(missing, y, x), missing.laid(y, x)
        for a, b in (
            (one.panel.outcome, two.panel.outcome), (one.panel.design, two.panel.design),
            (one.reference, two.reference), (one.departure, two.departure), (one.arm, two.arm), (one.ids, two.ids),
            (analyse.ancova_design(one, ("x",)), analyse.ancova_design(two, ("x",))),
        ):  # fmt: skip
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["missing_at_random", "jump_to_reference"])
def test_conditional_means_of_all_replicates_at_once_are_those_of_each(missing, strategy):
    y, x = missing.courses(np.random.default_rng(12), 50)
    design = [analyse.ancova_design(missing.laid(*one), ("x",)) for one in zip(y, x, strict=True)]
    alone = [
        float(conditional_mean(study(missing, *one), columns, strategy).p)
        for one, columns in zip(zip(y, x, strict=True), design, strict=True)
    ]
    together = missing.conditional_p(strategy, y, x)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-8)


def cohort(rng, rows=40, strata=2):
    """Rows (start, stop] with ties, two covariates and strata."""
    start = np.floor(rng.uniform(0, 3, rows))
    stop = start + 1 + np.floor(rng.uniform(0, 4, rows))
    x = np.column_stack([rng.integers(0, 2, rows), rng.standard_normal(rows)]).astype(float)
    return start, stop, (rng.random(rows) < 0.7).astype(float), x, rng.integers(0, strata, rows)


def by_hand(start, stop, event, x, stratum, beta, ties):
    """The logarithm of the partial likelihood, event by event."""
    total = 0.0
    for s in np.unique(stratum):
        for t in np.unique(stop[(event == 1) & (stratum == s)]):
            at = (stratum == s) & (start < t) & (stop >= t)
            of = at & (stop == t) & (event == 1)
            d = int(of.sum())
            for k in range(d):
                share = k / d if ties == "efron" else 0.0
                total -= np.log(np.exp(x[at] @ beta).sum() - share * np.exp(x[of] @ beta).sum())
            total += (x[of] @ beta).sum()
    return total


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_partial_likelihood_is_its_definition_and_highest_at_the_estimate(ties):
    start, stop, event, x, stratum = cohort(np.random.default_rng(1))
    fit = hazards.cox(stop, event, x, start, stratum, ties=ties)
    rows = (start, stop, event, x - x.mean(axis=0), stratum)
    assert fit.log_likelihood == pytest.approx(by_hand(*rows, fit.coefficients, ties), rel=1e-12)
    assert fit.null == pytest.approx(by_hand(*rows, np.zeros(2), ties), rel=1e-12)
    step, size = 1e-4, np.eye(2)
    for k in range(2):
        around = [by_hand(*rows, fit.coefficients + sign * step * size[k], ties) for sign in (-1, 1)]
        assert max(around) < fit.log_likelihood
        curve = (2 * fit.log_likelihood - sum(around)) / step**2
        information = np.linalg.inv(fit.covariance)[k, k]
        assert curve == pytest.approx(information, rel=1e-4)


def test_the_sandwich_is_made_of_the_score_residuals_of_people():
    """Each row's part of the score by its definition [Lin and Wei 1989], without strata, ties as Breslow has them."""
    start, stop, event, x, _ = cohort(np.random.default_rng(2))
    person = np.arange(len(stop)) // 2
    fit = hazards.cox(stop, event, x, start, person=person, ties="breslow")
    risk, part = np.exp(x @ fit.coefficients), np.zeros_like(x)
    for row in np.flatnonzero(event):
        at = (start < stop[row]) & (stop >= stop[row])
        mean = risk[at] @ x[at] / risk[at].sum()
        part[row] += x[row] - mean
        part[at] -= (risk[at] / risk[at].sum())[:, None] * (x[at] - mean)
    summed = np.add.reduceat(part, np.arange(0, len(stop), 2))
    np.testing.assert_allclose(fit.robust, fit.covariance @ (summed.T @ summed) @ fit.covariance, rtol=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_table_of_times_that_is_cut_into_pieces_gives_the_same(ties, monkeypatch):
    start, stop, event, x, stratum = cohort(np.random.default_rng(3))
    whole = hazards.cox(stop, event, x, start, stratum, ties=ties)
    monkeypatch.setattr(hazards, "TABLE", 80)  # two times at once
    cut = hazards.cox(stop, event, x, start, stratum, ties=ties)
    for one, two in zip(whole[:6], cut[:6], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("penalised", [False, True])
def test_the_ratio_test_does_not_need_the_limits(penalised):
    rng = np.random.default_rng(4)
    columns = np.column_stack([np.ones(60), rng.standard_normal(60), np.arange(60) % 2])
    model = likelihood.fit(columns, (rng.random(60) < 0.4).astype(float), penalised=penalised)
    with_, without = likelihood.profile(model, 2), likelihood.profile(model, 2, limits=False)
    assert with_.p == without.p
    assert with_.low < with_.estimate < with_.high
    assert np.isnan(without.low)
    assert np.isnan(without.high)


def test_negative_binomial_agrees_with_statsmodels():
    """NB2 by another package: coefficients, dispersion, standard errors by the observed information."""
    from statsmodels.discrete.discrete_model import NegativeBinomial

    rng = np.random.default_rng(5)
    n, time = 200, rng.uniform(0.5, 1.0, 200)
    columns = np.column_stack([np.ones(n), rng.standard_normal(n), np.arange(n) % 2])
    y = rng.poisson(6 * time * np.exp(0.3 * columns[:, 1]) * rng.gamma(2.0, 0.5, n)).astype(float)
    ours = negative_binomial(columns, y, time)
    theirs = NegativeBinomial(y, columns, loglike_method="nb2", exposure=time).fit(
        disp=0, method="newton", maxiter=200, tol=1e-12, start_params=[*ours.coefficients, ours.dispersion]
    )
    np.testing.assert_allclose(ours.coefficients, theirs.params[:3], rtol=1e-6, atol=1e-7)
    assert ours.dispersion == pytest.approx(theirs.params[3], rel=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    assert combination(ours, [0.0, 0.0, 1.0]).se == pytest.approx(theirs.bse[2], rel=1e-4)
