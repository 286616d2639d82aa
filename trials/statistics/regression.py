"""Comparisons adjusted for covariates: logistic regression for responders, analysis of covariance for numbers."""

import math
import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from . import design
from .proportions import Contrast, empty, responders, share, tally
from .result import Finding, joined
from .separation import foretold

# A linear predictor this large (odds of 3 million to 1) is where a fit is checked for separation.
SUSPECT = 15.0
ITERATIONS = 50
Covariance = Literal["HC3", "nonrobust"]


class Coefficient(NamedTuple):
    """One estimate of a regression, or NaN and the reason."""

    estimate: float
    se: float
    low: float
    high: float
    p: float
    note: str


def logistic(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Odds ratio of response given the covariates (maximum likelihood, Wald), and the crude share of each arm.

    Where the estimate does not exist (all or none of an arm respond, an empty arm, separation) it is NaN, with a note.
    """
    responders(table, "logistic")
    data, rows, note = design.read(table, contrast)
    settings = design.options(data, rows) | {
        "estimand": "odds ratio given the covariates (conditional)",
        "interval": "Wald on the log odds ratio, information matrix",
        "optimiser": f"Newton, at most {ITERATIONS} iterations",
        "test": "Wald",
    }
    arms = (contrast.arm, contrast.comparator)
    counts = {arm: tally(rows, arm)._replace(missing=tally(table, arm).missing) for arm in arms}
    reason = _no_comparison(counts)
    fit = _nothing(reason) if reason else _log_odds(data, contrast)
    one, two = counts[contrast.arm], counts[contrast.comparator]
    with np.errstate(over="ignore"):
        estimate, low, high = (float(np.exp(x)) for x in (fit.estimate, fit.low, fit.high))
    ratio = Finding(
        contrast.arm, contrast.comparator, "logistic", settings, "odds ratio",
        estimate, low, high, one.n, se=fit.se, p=fit.p, n_comparator=two.n,
        events=one.events, events_comparator=two.events, missing=one.missing + two.missing,
        note=joined(note, fit.note),
    )  # fmt: skip
    return [ratio, *(share(arm, counts[arm], contrast.level) for arm in counts)]


def ancova(table: pd.DataFrame, contrast: Contrast, covariance: Covariance = "HC3") -> list[Finding]:
    """Difference in means adjusted for the covariates (least squares), and each arm's adjusted mean.

    HC3 holds whether or not the arms vary alike [MacKinnon and White 1985, J Econom 29:305]; `nonrobust` is the
    classical variance. Adjusted means stand at the average of the covariates over the twins of the fit.
    """
    data, rows, note = design.read(table, contrast)
    covariance = "nonrobust" if contrast.options.variance == "classical" else covariance
    settings = design.options(data, rows) | {
        "adjusted_means": "at the average of the covariates over the twins of the fit",
        "covariance": "HC3" if covariance == "HC3" else "classical",
        "interval": "t, residual degrees of freedom",
        "test": "t",
    }
    few = _few(_sizes(data, contrast))
    columns = design.assemble(data)
    if not few:
        data, columns, alone = _spread(data)
        few, note = _few(_sizes(data, contrast)), joined(note, alone, _dropped(columns.dropped))
    n = _sizes(data, contrast)
    fits = [_nothing(few)] * 3 if few else _means(data, columns, contrast, covariance)
    rest: dict[str, Any] = {"method": "ancova", "options": settings}
    missing = tally(table, contrast.arm).missing + tally(table, contrast.comparator).missing
    difference = Finding(
        contrast.arm, contrast.comparator, statistic="difference in adjusted means", n=n[contrast.arm],
        n_comparator=n[contrast.comparator], missing=missing, **_numbers(fits[0], note), **rest,
    )  # fmt: skip
    means = [
        Finding(
            arm, "", statistic="adjusted mean", n=n[arm], missing=tally(table, arm).missing,
            **_numbers(fit._replace(p=math.nan), note), **rest,
        )
        for arm, fit in zip(n, fits[1:], strict=True)
    ]  # fmt: skip
    return [difference, *means]


def _log_odds(data: design.Data, contrast: Contrast) -> Coefficient:
    columns = design.assemble(data)
    note = _dropped(columns.dropped)
    if columns.arm is None:
        return _nothing(joined(note, f"the covariates determine who is in {contrast.arm}, so there is no odds ratio"))
    fit, problem = _newton(columns.columns, data.outcome)
    sure = _foretold(columns.columns, data.outcome, fit)
    if sure.any():
        data = data.keep(~sure)
        columns = design.assemble(data)
        if columns.arm is None or not 0 < data.outcome.mean() < 1:
            return _nothing("arm and covariates predict response without error (separation): no finite odds ratio fits")
        note = joined(
            f"twins left out, as covariates predict their response without error (separation): {int(sure.sum())}",
            _dropped(columns.dropped),
        )
        fit, problem = _newton(columns.columns, data.outcome)
    if fit is None:
        return _nothing(joined(note, problem))
    return _coefficient(fit, columns.arm, contrast.level, note)


def _newton(columns: np.ndarray, outcome: np.ndarray) -> tuple[Any, str]:
    """A fit, or None and what went wrong."""
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = Logit(outcome, columns).fit(method="newton", maxiter=ITERATIONS, disp=0)
        except (np.linalg.LinAlgError, PerfectSeparationError):
            return None, "the information matrix of the logistic model is singular, so there is no estimate"
    if not fit.mle_retvals["converged"]:
        return None, f"the logistic model did not converge in {ITERATIONS} iterations, so there is no estimate"
    return fit, ""


def _foretold(columns: np.ndarray, outcome: np.ndarray, fit: Any) -> np.ndarray:
    """Twins that the model predicts without error; a converged fit without extreme predictions has none."""
    if fit is not None and np.abs(columns @ fit.params).max() < SUSPECT:
        return np.zeros(len(outcome), bool)
    return foretold(columns, outcome)


def _sizes(data: design.Data, contrast: Contrast) -> dict[str, int]:
    of_comparator = data.arms.sum(axis=1) == 0
    return {contrast.arm: int(data.arms[:, -1].sum()), contrast.comparator: int(of_comparator.sum())}


def _few(sizes: dict[str, int]) -> str:
    few = [f"{arm} has {size}" for arm, size in sizes.items() if size < 2]
    return f"each arm needs two twins in the fit, {' and '.join(few)}" if few else ""


def _means(data: design.Data, columns: design.Design, contrast: Contrast, covariance: Covariance) -> list[Coefficient]:
    """Difference, mean of the arm, mean of the comparator."""
    from statsmodels.regression.linear_model import OLS

    if columns.arm is None:
        return [_nothing(f"the covariates determine who is in {contrast.arm}: no difference can be estimated")] * 3
    X = columns.columns
    if len(X) <= X.shape[1]:
        return [_nothing(f"{len(X)} twins are too few for a model with {X.shape[1]} coefficients")] * 3
    fit = OLS(data.outcome, X).fit(cov_type=covariance, use_t=True)
    # Covariates are centred, so the intercept is the comparator's adjusted mean.
    intercept, arm = np.eye(X.shape[1])[[0, columns.arm]]
    flat = 1e-10 * max(float(np.abs(data.outcome).max()), 1e-300)
    found = []
    for combination in (arm, intercept + arm, intercept):
        test = fit.t_test(combination)
        estimate, se = float(test.effect[0]), float(test.sd[0, 0])
        if se <= flat:
            found.append(_nothing("the values do not vary about the model, so there is no interval", estimate))
        else:
            low, high = (float(x) for x in test.conf_int(alpha=1 - contrast.level)[0])
            found.append(Coefficient(estimate, se, low, high, float(test.pvalue), ""))
    return found


def _spread(data: design.Data) -> tuple[design.Data, design.Design, str]:
    """Leave out twins that a column of their own fits exactly: they say nothing, and HC3 divides by zero on them."""
    count = len(data.outcome)
    columns = design.assemble(data)
    while columns.arm is not None:
        basis, _ = np.linalg.qr(columns.columns)
        alone = (basis**2).sum(axis=1) > 1 - design.TOLERANCE
        if not alone.any() or len(basis) <= basis.shape[1]:
            break
        data = data.keep(~alone)
        columns = design.assemble(data)
    left = count - len(data.outcome)
    note = f"twins left out, being fitted exactly (say as the only one of a category): {left}" if left else ""
    return data, columns, note


def _coefficient(fit: Any, place: int, level: float, note: str) -> Coefficient:
    low, high = (float(x) for x in fit.conf_int(alpha=1 - level)[place])
    return Coefficient(float(fit.params[place]), float(fit.bse[place]), low, high, float(fit.pvalues[place]), note)


def _no_comparison(counts: dict[str, Any]) -> str:
    """Why there is no odds ratio, seen from the counts alone; empty if there may be one."""
    reasons = []
    for arm, counted in counts.items():
        if counted.n == 0:
            reasons.append(empty(arm))
        elif counted.events in (0, counted.n):
            reasons.append(f"{'no twin' if counted.events == 0 else 'every twin'} of {arm} responded")
    return f"{' and '.join(reasons)}, so no finite odds ratio fits" if reasons else ""


def _nothing(note: str, estimate: float = math.nan) -> Coefficient:
    return Coefficient(estimate, math.nan, math.nan, math.nan, math.nan, note)


def _numbers(fit: Coefficient, note: str) -> dict[str, Any]:
    return fit._asdict() | {"note": joined(note, fit.note)}


def _dropped(names: tuple[str, ...]) -> str:
    return f"left out of the model, being constant or determined by the others: {', '.join(names)}" if names else ""
