"""Every analysis on data that do not answer its question: a flag or a clear error, never a silent number.

Each method meets each situation. What it may do: refuse in words; flag, with p = 1 or none; or give, without a flag,
all the numbers that it gives on ordinary data. A number less than those, without a word, fails. A method that is added
must be added here.
"""

import importlib
import inspect
import pkgutil
import warnings
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from cutis.core.keys import root
from cutis.trials import statistics
from cutis.trials.statistics import paired
from cutis.trials.statistics.imputation import analyse, conditional, pool, posterior, sequential
from cutis.trials.statistics.imputation.incomplete import incomplete
from cutis.trials.statistics.methods import (
    ancova,
    bayes,
    cmh,
    contrast,
    counts,
    cox,
    crossover,
    exact,
    likelihood,
    linear,
    logistic,
    logrank,
    ordinal,
    ranks,
    recurrent,
    score,
    share,
    strata,
    survival,
    wilcoxon,
)
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.statistics.mmrm import fit, inference, replicates, robust
from cutis.trials.statistics.mmrm.model import Model, lay

N = 24


def ordinary():
    """People in two arms with outcomes of every kind, a covariate of two columns and a stratum."""
    rng = np.random.default_rng(3)
    arm = np.tile([1.0, 0.0], N // 2)
    x = rng.standard_normal((N, 2))
    visits = x[:, :1] + rng.standard_normal((N, 3)) + 0.3 * arm[:, None]
    visits[[3, 8, 11], 2] = np.nan
    return {
        "arm": arm, "x": x, "stratum": np.repeat([0, 1], N // 2), "y": visits[:, 0], "visits": visits,
        "z": (rng.random(N) < 0.4 + 0.2 * arm).astype(float), "count": rng.negative_binomial(2, 0.4, N).astype(float),
        "grade": rng.integers(0, 4, N).astype(float), "time": np.round(rng.exponential(5.0, N), 1) + 0.1,
        "event": (rng.random(N) < 0.7).astype(float), "other": rng.standard_normal(N), "alone": np.arange(N) % 2 == 0,
    }  # fmt: skip


def everywhere(data, value):
    """The same outcome in everybody."""
    return data | {name: np.full(N, value) for name in ("z", "count", "grade", "event")} | {
        "y": np.full(N, value), "other": np.full(N, value),
        "visits": np.where(np.isnan(data["visits"]), np.nan, value),
    }  # fmt: skip


def separated(data):
    """A covariate that tells every outcome without error."""
    z = (data["x"][:, 0] > 0).astype(float)
    time = 1.0 + np.argsort(np.argsort(-data["x"][:, 0]))
    return data | {"z": z, "grade": z, "count": 10 * z, "time": time, "event": np.ones(N), "y": data["x"][:, 0],
                   "visits": np.repeat(data["x"][:, :1], 3, axis=1)}  # fmt: skip


def decided(data):
    """The arm decides every outcome."""
    arm = data["arm"]
    return data | {"z": arm, "grade": arm, "count": 5 * arm, "event": arm, "y": arm, "other": 1 - arm,
                   "visits": np.repeat(arm[:, None], 3, axis=1)}  # fmt: skip


SITUATIONS = {
    "an arm without people": lambda d: d | {"arm": np.ones(N), "alone": np.ones(N, bool)},
    "all alike, all respond, all have events": lambda d: everywhere(d, 1.0),
    "nobody responds, no events": lambda d: everywhere(d, 0.0),
    "separation by a covariate": separated,
    "separation by the arm": decided,
    "covariates that repeat each other": lambda d: d | {"x": np.repeat(d["x"][:, :1], 2, axis=1)},
    "a covariate that is the arm": lambda d: d | {"x": np.stack([d["arm"], d["x"][:, 0]], axis=1)},
    "visits that repeat each other": lambda d: d | {"visits": np.repeat(d["visits"][:, :1], 3, axis=1)},
    "one person an arm": lambda d: {name: column[:2] for name, column in d.items()},
}


def responders(d):
    """Responders and sizes of both arms."""
    one = d["arm"] == 1
    return int(d["z"][one].sum()), int(one.sum()), int(d["z"][~one].sum()), int((~one).sum())


def by_stratum(d):
    """The same in each stratum, (strata,) each."""
    cells = [[(d["z"] * mask).sum(), mask.sum()] for s in (0, 1) for a in (1, 0)
             for mask in [(d["stratum"] == s) & (d["arm"] == a)]]  # fmt: skip
    cells = np.array(cells, float).reshape(2, 4)
    return tuple(cells.T)


def tables(d, outcome="z", outcomes=2):
    """Counts (strata, arms, outcomes)."""
    found = np.zeros((2, 2, outcomes))
    np.add.at(found, (d["stratum"], d["arm"].astype(int), d[outcome].astype(int)), 1.0)
    return found


def rows(d):
    """Each person's time cut in two, as recurrent events."""
    start = np.concatenate([np.zeros(len(d["arm"])), d["time"] / 2])
    stop = np.concatenate([d["time"] / 2, d["time"]])
    event, arm, person = np.tile(d["event"], 2), np.tile(d["arm"], 2), np.tile(np.arange(len(d["arm"])), 2)
    return start, stop, event, arm, person, np.repeat([1, 2], len(d["arm"]))


def long(d):
    """The visits as a long table."""
    people = len(d["arm"])
    return pd.DataFrame({
        "person": np.repeat([f"p{i:02}" for i in range(people)], 3), "visit": np.tile(["a", "b", "c"], people),
        "arm": np.repeat(np.where(d["arm"] == 1, "drug", "placebo"), 3), "x": np.repeat(d["x"][:, 0], 3),
        "w": np.repeat(d["x"][:, 1], 3), "y": d["visits"].reshape(-1),
    })  # fmt: skip


MODEL = Model("y", "person", "visit", "arm", ("w",), ("x",), arms=("placebo", "drug"))


def mmrm(d, method="satterthwaite", structure="unstructured", middle=False):
    laid = lay(long(d), MODEL)
    fitted = fit.fit(laid.panel, structure)
    contrast_of = np.zeros(len(laid.panel.columns))
    contrast_of[list(laid.panel.columns).index("arm[drug]")] = 1.0
    sandwich = robust.sandwich(laid.panel, fitted, structure) if middle and bool(fitted.converged) else None
    return inference.estimate(laid.panel, fitted, contrast_of, method=method, sandwich=sandwich)


def replicate(d):
    """The same as replicates do it, visits and arm by visit without covariates."""
    design = np.zeros((len(d["arm"]), 3, 6))
    for t in range(3):
        design[:, t, t], design[:, t, 3 + t] = 1.0, d["arm"]
    return COMPARE(jnp.asarray(d["visits"]), jnp.asarray(design))


COMPARE = jax.jit(lambda y, x: replicates.compare(y, x, jnp.asarray(np.eye(6)[5]), np.tril(np.ones((3, 3), bool))))


def imputed(d, strategy="missing_at_random"):
    data = incomplete(long(d), MODEL)
    made = posterior.impute(root(1), data, strategy, 4, 4)
    if made.flag:
        return pool.Pooled(*[float("nan")] * 5, 1.0, *[float("nan")] * 3, made.flag)
    return analyse.ancova(made.values[:, :, -1], analyse.ancova_design(data, ("x",)))


def in_turn(d):
    made = sequential.impute_in_turn(root(1), d["visits"], d["x"], np.arange(len(d["arm"])), 4)
    return analyse.ancova(made.values[:, :, -1], np.column_stack([np.ones(len(d["arm"])), d["arm"], d["x"]]))


def conditional_mean(d):
    data = incomplete(long(d), MODEL)
    return conditional.conditional_mean(data, analyse.ancova_design(data, ("x",)), "jump_to_reference")


def threshold(d):
    made = sequential.impute_in_turn(root(1), d["visits"], d["x"], np.arange(len(d["arm"])), 4)
    return analyse.risk_difference(analyse.responders(made, 2, lambda v: v > 0.5), d["arm"].astype(int))


def columns(d, *extra):
    return np.column_stack([np.ones(len(d["arm"])), *extra, d["arm"]])


def two_curves(d):
    return survival.kaplan_meier(d["time"][d["arm"] == 0], d["event"][d["arm"] == 0])


def pairs(d):
    """Everybody's two outcomes as responses of two sides: both, first, second, neither."""
    one, two = d["z"] == 1, (d["other"] > 0) == 1
    return tuple(int((a & b).sum()) for a, b in ((one, two), (one, ~two), (~one, two), (~one, ~two)))


def mean_and_error(values):
    if len(values) < 2:
        return 0.0, 0.0
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def compiled(kernel, read=lambda d: d):
    """A kernel as replicates run it, where values cannot be looked at: nothing can be refused, all must be flagged."""
    run = jax.jit(lambda given: kernel(given))

    def method(d):
        return run(jax.tree.map(jnp.asarray, read(d)))

    method.compiled = True
    return method


def of_pair(test, **settings):
    return compiled(lambda four: test(score.Pair(*four), **settings), lambda d: tuple(
        np.array([value], float) for value in responders(d)))  # fmt: skip


METHODS = {
    "ancova.ancova": compiled(lambda d: ancova.ancova(d["y"], d["arm"], d["x"], d["stratum"], 2).difference),
    "ancova.ancova, classical": compiled(
        lambda d: ancova.ancova(d["y"], d["arm"], d["x"], covariance="classical").difference
    ),
    "linear.combination": compiled(
        lambda d: linear.combination(
            linear.least_squares(d["columns"], d["y"], jnp.ones(len(d["y"]))), jnp.eye(d["columns"].shape[1])[-1]
        ), lambda d: {"columns": columns(d, d["x"]), "y": d["y"]},
    ),
    "logistic.logistic": compiled(lambda d: logistic.logistic(d["z"], d["arm"], d["x"], d["stratum"], 2)),
    **{
        f"logistic.standardised_difference, {variance}": compiled(
            lambda d, v=variance: logistic.standardised_difference(d["z"], d["arm"], d["x"], variance=v)
        )
        for variance in ("ye", "ge", "hc3")
    },
    "score.binomial": of_pair(score.binomial),
    "score.binomial, ratio": of_pair(score.binomial, contrast="ratio"),
    "score.binomial, odds": of_pair(score.binomial, contrast="odds"),
    "score.binomial, skewness": of_pair(score.binomial, skewness=True),
    "score.binomial, strata": compiled(
        lambda four: score.binomial(score.Pair(*four)), lambda d: by_stratum(d)
    ),
    "score.non_inferiority": of_pair(score.non_inferiority, margin=0.1),
    "score.poisson": of_pair(score.poisson),
    "score.poisson, ratio": of_pair(score.poisson, contrast="ratio"),
    "cmh.general_association": compiled(cmh.general_association, lambda d: tables(d, "grade", 4)),
    "cmh.row_means": compiled(cmh.row_means, lambda d: tables(d, "grade", 4)),
    "cmh.correlation": compiled(cmh.correlation, lambda d: tables(d, "grade", 4)),
    "cmh.mantel_haenszel": compiled(cmh.mantel_haenszel, tables),
    "cmh.common_difference": compiled(cmh.common_difference, tables),
    "cmh.common_odds_ratio": compiled(cmh.common_odds_ratio, tables),
    "ranks.van_elteren": compiled(lambda d: ranks.van_elteren(d["y"], d["arm"], d["stratum"], 2)),
    "logrank.logrank": compiled(lambda d: logrank.logrank(d["time"], d["event"], d["arm"], d["stratum"], 2)),
    "logrank.max_combo": compiled(lambda d: logrank.max_combo(d["time"], d["event"], d["arm"])),
    "share.proportion": lambda d: share.proportion(*responders(d)[:2], "wald"),
    "share.binomial_test": lambda d: share.binomial_test(*responders(d)[2:], 0.4),
    "contrast.risk_difference": lambda d: contrast.risk_difference(*responders(d)),
    "contrast.risk_ratio": lambda d: contrast.risk_ratio(*responders(d)),
    "contrast.odds_ratio": lambda d: contrast.odds_ratio(*responders(d)),
    "contrast.chi_squared": lambda d: contrast.chi_squared(*responders(d)),
    "exact.odds_ratio": lambda d: exact.odds_ratio(*responders(d)),
    "exact.risk_difference": lambda d: exact.risk_difference(*responders(d)),
    "strata.summary_score": lambda d: strata.summary_score(*by_stratum(d)),
    "strata.newcombe": lambda d: strata.newcombe(*by_stratum(d)),
    "strata.newcombe, variance": lambda d: strata.newcombe(*by_stratum(d), weights="variance"),
    "likelihood.coefficient": lambda d: likelihood.coefficient(likelihood.fit(columns(d, d["x"]), d["z"]), 3),
    "likelihood.profile": lambda d: likelihood.profile(likelihood.fit(columns(d, d["x"]), d["z"]), 3),
    "likelihood.profile, Firth": lambda d: likelihood.profile(
        likelihood.fit(columns(d, d["x"][:, :1]), d["z"], penalised=True), 2
    ),
    "likelihood.profile, Poisson": lambda d: likelihood.profile(
        likelihood.fit(columns(d, d["x"]), d["count"], "poisson"), 3
    ),
    "likelihood.coefficient, quasi-Poisson": lambda d: likelihood.coefficient(
        likelihood.fit(columns(d, d["x"]), d["count"], "poisson", quasi=True), 3, df=len(d["arm"]) - 4
    ),
    "likelihood.likelihood_ratio": lambda d: likelihood.likelihood_ratio(
        likelihood.fit(columns(d, d["x"]), d["z"]), likelihood.fit(columns(d), d["z"])
    ),
    "counts.combination": lambda d: counts.combination(
        counts.negative_binomial(columns(d, d["x"]), d["count"]), [0, 0, 0, 1.0]
    ),
    "ordinal.proportional_odds": lambda d: ordinal.proportional_odds(d["grade"], d["arm"], d["x"]),
    "survival.survival_at": lambda d: survival.survival_at(two_curves(d), 3.0),
    "survival.quantile": lambda d: survival.quantile(two_curves(d)),
    "survival.restricted_mean": lambda d: survival.restricted_mean(d["time"], d["event"], 3.0),
    "survival.restricted_mean_difference": lambda d: survival.restricted_mean_difference(
        d["time"], d["event"], d["arm"], 3.0
    ),
    "survival.incidence_at": lambda d: survival.incidence_at(
        survival.cumulative_incidence(d["time"], d["event"] * (1 + d["stratum"])), 3.0
    ),
    "cox.coefficient": lambda d: cox.coefficient(cox.cox(d["time"], d["event"], columns(d, d["x"])[:, 1:]), 2),
    "cox.coefficient, robust": lambda d: cox.coefficient(
        cox.cox(d["time"], d["event"], d["arm"], stratum=d["stratum"]), robust=True
    ),
    "recurrent.andersen_gill": lambda d: cox.coefficient(recurrent.andersen_gill(*rows(d)[:5]), robust=True),
    "recurrent.prentice_williams_peterson": lambda d: cox.coefficient(
        recurrent.prentice_williams_peterson(*rows(d)), robust=True
    ),
    "recurrent.wei_lin_weissfeld": lambda d: cox.coefficient(
        recurrent.wei_lin_weissfeld(*rows(d)[1:]), robust=True
    ),
    "wilcoxon.rank_sum": lambda d: wilcoxon.rank_sum(d["y"][d["arm"] == 1], d["y"][d["arm"] == 0]),
    "wilcoxon.rank_sum, exact": lambda d: wilcoxon.rank_sum(d["y"][d["arm"] == 1], d["y"][d["arm"] == 0], "exact"),
    "wilcoxon.signed_rank": lambda d: wilcoxon.signed_rank(d["y"] - d["other"]),
    "crossover.ab_ba": lambda d: crossover.ab_ba(d["y"], d["other"], d["arm"]).treatment,
    "crossover.equivalence": lambda d: crossover.equivalence(
        Estimate._make(np.asarray(v) for v in ancova.ancova(d["y"], d["arm"]).difference), -1.0, 1.0
    ),
    "crossover.bioequivalence": lambda d: crossover.bioequivalence(np.exp(d["y"]), np.exp(d["other"])),
    "bayes.share_difference": lambda d: bayes.share_difference(*responders(d), bayes.power_prior(5, 20, 0.5)),
    "bayes.mean_difference": lambda d: bayes.mean_difference(
        *mean_and_error(d["y"][d["arm"] == 1]), *mean_and_error(d["y"][d["arm"] == 0]),
        bayes.mean_map_prior([0.1, 0.2], [0.1, 0.1], 0.1, 0.8, 0.0, 1.0),
    ),
    "paired.tango": lambda d: paired.tango(*pairs(d)),
    "inference.estimate": lambda d: mmrm(d),
    "inference.estimate, kenward_roger": lambda d: mmrm(d, "kenward_roger", "toeplitz"),
    "inference.estimate, sandwich": lambda d: mmrm(d, structure="compound_symmetry", middle=True),
    "replicates.compare": replicate,
    "posterior.impute": imputed,
    "posterior.impute, jump_to_reference": lambda d: imputed(d, "jump_to_reference"),
    "sequential.impute_in_turn": in_turn,
    "conditional.conditional_mean": conditional_mean,
    "analyse.risk_difference": threshold,
}  # fmt: skip
P_VALUES = ("p", "p_low", "p_high")
# What a score test calls its standard error is the distance from the null over the statistic: none where both are zero,
# or where the estimate is infinite. Its interval and p exist all the same, without a flag.
DERIVED = {"score.": {"se"}}
# Tests that stand although the flag says that an estimate or a standard error does not.
STANDS = (
    "contrast.",  # the pooled chi-squared test; where the arm decides all, only Wald's standard error is zero
    "likelihood.profile",  # the likelihood ratio of a separated table; the estimate is infinite
    "survival.restricted_mean_difference",  # an arm without events has a mean without variance
)


def numbers(found):
    return {name: float(value) for name, value in found._asdict().items() if name not in ("flag", "name")}


@cache
def usual(name):
    """Which numbers a method gives on ordinary data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = METHODS[name](ordinary())
    assert not getattr(found, "flag", 0), f"ordinary data are flagged: {found}"
    there = {field for field, value in numbers(found).items() if not np.isnan(value)}
    assert there
    return there


# Two people have arrays of another shape, for which all kernels would be compiled again.
MEETINGS = [
    (name, situation) for name, method in METHODS.items() for situation in SITUATIONS
    if situation != "one person an arm" or not getattr(method, "compiled", False)
]  # fmt: skip


@pytest.mark.parametrize(("name", "situation"), MEETINGS)
def test_no_method_gives_a_silent_number(name, situation):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = METHODS[name](SITUATIONS[situation](ordinary()))
    except ValueError as refused:
        said = str(refused)
        assert len(said.split()) > 3, f"an error that says nothing: {said}"
        return
    given = numbers(found)
    if getattr(found, "flag", 0):
        for field in () if name.startswith(STANDS) else P_VALUES:
            assert np.isnan(given.get(field, np.nan)) or given[field] == 1.0, found
        return
    derived = next((fields for start, fields in DERIVED.items() if name.startswith(start)), set())
    lost = {field for field in usual(name) - derived if np.isnan(given[field])}
    assert not lost, f"{sorted(lost)} are not a number, and nothing says why: {found}"
    for field in P_VALUES:
        assert field not in given or np.isnan(given[field]) or 0 <= given[field] <= 1


@pytest.mark.parametrize("name", METHODS)
def test_an_arm_without_people_is_always_said(name):
    """No method but of one group may pass over it: a flag or an error, not a number."""
    of_one = ("share.", "survival.", "wilcoxon.signed_rank", "crossover.bioequivalence", "paired.tango")
    if name.startswith(of_one) and name != "survival.restricted_mean_difference":
        pytest.skip("is of one group")
    try:
        found = METHODS[name](SITUATIONS["an arm without people"](ordinary()))
    except ValueError:
        return
    assert getattr(found, "flag", 0), found


def test_every_method_is_asked():
    """Public functions that give an estimate, in the rooms of the methods."""
    asked = {name.split(",")[0] for name in METHODS}
    within = {
        "logistic.difference", "logistic.log_ratio", "logistic.log_odds_ratio", "logistic.standardised",
        "estimate.wald", "estimate.chi_squared", "estimate.spoil", "estimate.plain", "estimate.nothing", "cox.ratio",
        "inference.joint", "replicates.compare_all", "methods.estimate",
    }  # fmt: skip
    public = set()
    for room in ("methods", "mmrm", "imputation"):
        path = importlib.import_module(f"{statistics.__name__}.{room}").__path__
        for module in pkgutil.iter_modules(path):
            loaded = importlib.import_module(f"{statistics.__name__}.{room}.{module.name}")
            for name, value in inspect.getmembers(loaded, callable):
                given = str(getattr(value, "__annotations__", {}).get("return", ""))
                if getattr(value, "__module__", "") == loaded.__name__ and not name.startswith("_") and any(
                    word in given for word in ("Estimate", "Posterior", "Equivalence", "Crossover", "Compared", "Joint")
                ) and "list" not in given:  # fmt: skip
                    public.add(f"{module.name}.{name}")
    assert not public - asked - within
