"""Replicates a second of a two-arm trial, 300 an arm: ours beside a loop of statsmodels and a version batched in NumPy.

    python bench/design.py [replicates]

Every replicate has an analysis of covariance (HC3), an adjusted logistic regression and a score interval for the
difference of the responders' shares (Miettinen and Nurminen). All four ways get the same pool of twins. Ours also draws
and randomises each replicate, and analyses it under three hypotheses, each of which counts as one; the others are given
theirs. Times are seconds of processor, so that other work on the machine changes them little. "On two cores" is ours by
two processes, as `cutis design` uses cores, over one core of the other, which is what a loop has: timed by the clock
where the machine has two cores to itself, else twice ours on one. The largest difference of any estimate, standard
error or limit between ours and the loop over arrays is printed.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t

import cutis.core  # noqa: F401 (switches on 64 bits before anything is computed)
from cutis.trials.operating import recheck, replicates
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

PEOPLE, TWINS, FEW = 600, 20_000, 40
QUIET = 1.1  # seconds by the clock for one of the processor, up to which the machine is taken as idle beside us
Z = norm.isf(0.025)
Ours = dict[str, np.ndarray]  # of each analysis (replicates, 4): estimate, standard error, limits


def plan(method: str, *covariates: str) -> Analysis:
    """An analysis of the pool."""
    words = {"outcome": "y", "week": 16, "arm": "active", "comparator": "placebo", "method": method,
             "covariates": covariates, "options": {"stratified": False} if method == "miettinen_nurminen" else {},
             "intercurrent": "treatment_policy"}  # fmt: skip
    return Analysis.model_validate(words)


PLANS = {
    "ancova": plan("ancova", "x", "w"),
    "logistic": plan("logistic", "x", "w"),
    "score": plan("miettinen_nurminen"),
}
TRIALS = replicates.Trials(1, PEOPLE, (PEOPLE,), Allocation((1, 1), 4, 1), tuple(PLANS), tuple(PLANS.values()))
_READY: dict[str, Any] = {}  # of a process beside this one


def pool() -> Pool:
    """Twins with two covariates, a number and a response under both arms."""
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(TWINS, 2))
    linear = wide @ [0.6, -0.3] + np.array([[0.3], [0.0]])
    number = linear + rng.normal(size=(2, TWINS))
    responds = (rng.random((2, TWINS)) < 1 / (1 + np.exp(-linear))).astype(float)
    all_, nothing = np.ones((2, TWINS), bool), np.zeros((2, TWINS), bool)

    def columns(name: str) -> Columns:
        value = number if name == "ancova" else responds
        return Columns(value, nothing, np.stack([wide[:, : len(PLANS[name].covariates)]] * 2), all_, (0, 1))

    return Pool(np.arange(TWINS), np.zeros(TWINS, int), ("all",), {name: columns(name) for name in PLANS})


def samples(many: int) -> dict[str, np.ndarray]:
    """The replicates as arrays: arm, covariates, number, response; (replicates, people, …)."""
    twins = pool()
    parts = {"arm": [], "x": [], "y": [], "b": []}
    for number in range(many):
        who, given = recheck.people(TRIALS, number, twins.strata)
        parts["arm"].append(1.0 - np.asarray(given))
        parts["x"].append(twins.columns["ancova"].covariates[0][who])
        parts["y"].append(twins.columns["ancova"].value[given, who])
        parts["b"].append(twins.columns["score"].value[given, who])
    return {name: np.stack(values) for name, values in parts.items()}


def formulas(data: dict[str, np.ndarray]) -> None:
    """One replicate after the other, by formulas."""
    import statsmodels.formula.api as smf

    for arm, x, y, b in zip(*data.values(), strict=True):
        frame = pd.DataFrame({"arm": arm, "x": x[:, 0], "w": x[:, 1], "y": y, "b": b})
        smf.ols("y ~ x + w + arm", frame).fit(cov_type="HC3", use_t=True).conf_int()
        smf.logit("b ~ x + w + arm", frame).fit(disp=0).conf_int()
        _their_score(arm, b)


def arrays(data: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same on arrays: (estimate, standard error) of both regressions."""
    from statsmodels.api import OLS, Logit

    found = []
    for arm, x, y, b in zip(*data.values(), strict=True):
        X = np.column_stack([np.ones(len(y)), x, arm])
        fits = OLS(y, X).fit(cov_type="HC3", use_t=True), Logit(b, X).fit(disp=0)
        for fit in fits:
            fit.conf_int()
        _their_score(arm, b)
        found.append((np.array([fit.params[-1] for fit in fits]), np.array([fit.bse[-1] for fit in fits])))
    return found


def _their_score(arm: np.ndarray, b: np.ndarray) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    counts = b[arm > 0].sum(), (arm > 0).sum(), b[arm == 0].sum(), (arm == 0).sum()
    with suppress(ValueError):  # statsmodels 0.15.0 fails on some tables, see its issue 10269
        confint_proportions_2indep(*counts, compare="diff", method="score")


def batched(data: dict[str, np.ndarray]) -> None:
    """All replicates at once in NumPy, 100 at a time."""
    for start in range(0, len(data["arm"]), 100):
        arm, x, y, b = (values[start : start + 100] for values in data.values())
        X = np.concatenate([np.ones_like(arm)[..., None], x, arm[..., None]], axis=2)
        Xt = X.swapaxes(1, 2)
        inverse = np.linalg.inv(Xt @ X)
        beta = (inverse @ (Xt @ y[..., None]))[..., 0]
        residual = y - (X @ beta[..., None])[..., 0]
        leverage = ((X @ inverse) * X).sum(axis=2)
        pulled = X * (residual / (1 - leverage))[..., None]
        spread = inverse @ (pulled.swapaxes(1, 2) @ pulled) @ inverse
        t.isf(0.025, y.shape[1] - 4) * np.sqrt(spread[:, -1, -1])
        theta = np.zeros_like(beta)
        for _ in range(8):
            mean = 1 / (1 + np.exp(-(X @ theta[..., None])[..., 0]))
            information = (Xt * (mean * (1 - mean))[:, None, :]) @ X
            theta = theta + np.linalg.solve(information, Xt @ (b - mean)[..., None])[..., 0]
        np.sqrt(np.linalg.inv(information)[:, -1, -1])
        _score(arm, b)


def _score(arm: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Miettinen and Nurminen's limits by halving, as many times as ours."""
    x1, n1, x0, n0 = (arm * b).sum(1), arm.sum(1), ((1 - arm) * b).sum(1), (1 - arm).sum(1)
    limits = []
    for sign in (1, -1):
        low, high = np.full(len(x1), -1.0), np.ones(len(x1))
        for _ in range(60):
            middle = 0.5 * (low + high)
            n = n1 + n0
            square = (n1 + 2 * n0) * middle - n - (x1 + x0)
            line = (n0 * middle - n - 2 * x0) * middle + x1 + x0
            bb = square / (3 * n)
            q = bb**3 - square * line / (6 * n * n) + x0 * middle * (1 - middle) / (2 * n)
            half = np.sqrt(np.maximum(bb * bb - line / (3 * n), 0.0)) * np.where(q >= 0, 1.0, -1.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                cosine = np.nan_to_num(q / half**3)
            angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
            p0 = np.clip(2 * half * np.cos(angle) - bb, np.maximum(0, -middle), np.minimum(1, 1 - middle))
            p1 = np.clip(p0 + middle, 0, 1)
            variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * n / (n - 1)
            z = (x1 / n1 - x0 / n0 - middle) / np.sqrt(np.maximum(variance, 1e-300))
            above = z > sign * Z
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        limits.append(0.5 * (low + high))
    return limits[0], limits[1]


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of some work, after a warm-up."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ours(many: int) -> Callable[[], Estimate]:
    """All replicates by the engine of `cutis design`, compiled."""
    data = replicates.data(pool(), TRIALS.names, TRIALS.analyses)

    def work() -> Estimate:
        return replicates.analyse(TRIALS, np.arange(many), data)

    work()
    return work


def on_two_cores(work: Callable[[], object], many: int) -> float | None:
    """How much sooner two processes do the same work twice than one after the other; None on a busy machine."""
    begun, start = time.process_time(), time.perf_counter()
    for _ in range(3):
        work()
    used, alone = time.process_time() - begun, time.perf_counter() - start
    if (os.cpu_count() or 1) < 2 or alone > QUIET * used:
        return None
    here = multiprocessing.get_context("spawn")
    together = here.Barrier(2)
    with here.Pool(2, _beside, (together, many)) as processes:
        return 2 * alone / max(processes.map(_clock, [3, 3], chunksize=1))


def _beside(together: Barrier, many: int) -> None:
    """What a process beside this one has at hand."""
    _READY.update(together=together, work=ours(many))


def _clock(times: int) -> float:
    """Seconds by the clock for work that two processes begin together."""
    _READY["together"].wait()
    start = time.perf_counter()
    for _ in range(times):
        _READY["work"]()
    return time.perf_counter() - start


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    work = ours(many)
    found = work()
    gain = on_two_cores(work, many)
    two = 2.0 if gain is None else gain
    rate = many * len(replicates.HYPOTHESES) / min(seconds(work) for _ in range(3))
    given = samples(200)
    few = {name: values[:FEW] for name, values in given.items()}
    warnings.simplefilter("ignore")
    for loop in (formulas, arrays):
        loop({name: values[:2] for name, values in few.items()})
    batched(given)
    others = {
        "statsmodels, formulas": (FEW / seconds(lambda: formulas(few)), 300),
        "statsmodels, arrays": (FEW / seconds(lambda: arrays(few)), 50),
        "NumPy, batched": (200 / min(seconds(lambda: batched(given)) for _ in range(3)), 5),
    }
    apart = 0.0
    for number, (estimates, errors) in enumerate(arrays(few)):
        mine = [values[number, 0, 0, :2] for values in (found.estimate, found.se)]
        apart = max(apart, np.abs(mine[0] - estimates).max(), np.abs(mine[1] - errors).max())
    low, high = _score(few["arm"], few["b"])
    apart = max(apart, np.abs(found.low[:FEW, 0, 0, 2] - low).max(), np.abs(found.high[:FEW, 0, 0, 2] - high).max())
    print(f"{'':>24} {'replicates/s':>13} {'ours, one core':>15} {'ours, two cores':>16} {'asked':>6}")
    print(f"{'ours, with the draws':>24} {rate:>13,.0f} {1:>15.1f} {two:>16.1f}")
    for name, (theirs, asked) in others.items():
        print(f"{name:>24} {theirs:>13,.0f} {rate / theirs:>15.1f} {two * rate / theirs:>16.1f} {asked:>6}")
    print("two cores: " + ("doubled, the machine is busy" if gain is None else f"{gain:.2f} times one, by the clock"))
    print(f"largest difference from the loop: {apart:.1e}")


if __name__ == "__main__":
    main()
