"""Missing values and intercurrent events as a study may ask for them, and every combination that is refused."""

import json
import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError
from statsmodels.regression.linear_model import OLS

from cutis.core.keys import root, stream
from cutis.trials.report import sentences
from cutis.trials.statistics import dataset
from cutis.trials.statistics.analyses import analyse, check
from cutis.trials.statistics.imputation import posterior
from cutis.trials.statistics.imputation.incomplete import incomplete
from cutis.trials.statistics.imputation.pool import pool
from cutis.trials.statistics.imputation.posterior import apply, draw
from cutis.trials.statistics.methods import logistic
from cutis.trials.statistics.mmrm.model import Model
from cutis.trials.study import Analysis

from .offered import DISEASE, OUTCOMES, PLAN, study, tables

FEW = {"imputations": 10}
POLICY = PLAN | {"intercurrent": "treatment_policy", "options": FEW}
CHANGE = POLICY | {"outcome": "change", "method": "ancova", "covariates": ["baseline_pasi"]}
PLANS = {
    "random": CHANGE | {"missing": "multiple_imputation", "options": FEW | {"tipping": [0, 5, 100]}},
    "jump": CHANGE | {"missing": "jump_to_reference", "intercurrent": "hypothetical"},
    "copy": CHANGE | {"missing": "copy_reference", "intercurrent": "hypothetical"},
    "increments": CHANGE | {"missing": "copy_increments", "intercurrent": "hypothetical"},
    "g": PLAN
    | {"method": "g_computation", "covariates": ["baseline_pasi"], "missing": "multiple_imputation", "options": FEW},
    "odds": POLICY | {"method": "logistic", "missing": "multiple_imputation"},
    "common": POLICY | {"method": "cochran_mantel_haenszel", "missing": "multiple_imputation"},
    "none": POLICY | {"method": "newcombe", "missing": "none", "options": {}},
    "never": POLICY | {"method": "newcombe", "missing": "non_response", "options": {}},
}


@pytest.fixture(scope="module")
def results():
    plans = {name: plan | {"role": "secondary"} for name, plan in PLANS.items()}
    return analyse(study(plans), DISEASE, *tables())


def comparison(results, name):
    (row,) = [row for row in results if row.analysis == name and row.comparator]
    return row


def imputed(strategy, endpoint, hypothetical):
    """Twins of both arms and their completed values at week 12, made here from the tables."""
    twins, observations, events = tables()
    both = twins.loc[twins["arm"].isin(["active", "placebo"])]
    seen = observations.merge(both[["twin"]], on="twin").assign(y=lambda t: t["pasi"].where(t["seen"]))
    base = seen.loc[seen["week"] == 0].set_index("twin")["y"]
    long = seen.loc[seen["week"] > 0].copy()
    long["base"] = long["twin"].map(base)
    if not endpoint:
        long["y"] = long["y"] - long["base"]
    stopped = long["twin"].isin(events["twin"])
    if hypothetical:
        long.loc[stopped & (long["week"] > 6), "y"] = np.nan
    model = Model("y", "twin", "week", "arm", (), ("base",), visits=("4", "8", "12"), arms=("placebo", "active"))
    departure = {str(twin): "8" for twin in both["twin"][both["twin"].isin(events["twin"])]}
    data = incomplete(long.sort_values(["twin", "week"]), model, departure)
    data = replace(data, ids=both["twin"].sort_values().to_numpy())
    key = stream(root(1), "statistics", "half" if endpoint else "change")
    values = apply(draw(key, data, 10), data, strategy).values[:, :, -1]
    table = both.sort_values("twin")
    return table, base.loc[table["twin"]].to_numpy(), values, table["twin"].isin(events["twin"]).to_numpy()


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("random", "missing_at_random"),
        ("jump", "jump_to_reference"),
        ("copy", "copy_reference"),
        ("increments", "copy_increments"),
    ],
)
def test_imputed_values_are_analysed_one_by_one_and_pooled(results, name, strategy):
    table, base, values, _ = imputed(strategy, False, name != "random")
    arm = (table["arm"] == "active").to_numpy(float)
    columns = np.column_stack([np.ones(len(arm)), base, arm])
    fits = [OLS(y, columns).fit(cov_type="HC3") for y in values]
    found = pool(np.array([f.params[2] for f in fits]), np.array([f.bse[2] for f in fits]) ** 2, len(arm) - 3)
    row = comparison(results, name)
    assert (row.estimate, row.se, row.low, row.high) == pytest.approx(
        (found.estimate, found.se, found.low, found.high), rel=1e-7
    )
    assert row.p == pytest.approx(found.p, rel=1e-5)
    assert row.note == f"{100 * found.fraction:.0f} % of the variance is due to what is missing"
    options = json.loads(row.options)
    assert (options["missing"], options["imputations"]) == (PLANS[name]["missing"], 10)


def test_a_response_is_derived_from_what_was_imputed(results):
    table, base, values, stopped = imputed("missing_at_random", True, False)
    responds = np.where(stopped, 0.0, np.clip(values, 0, 72) <= base / 2)
    arm = (table["arm"] == "active").to_numpy(float)
    each = [logistic.standardised_difference(y, arm, base) for y in responds]
    found = pool(np.array([float(e.estimate) for e in each]), np.array([float(e.se) for e in each]) ** 2)
    row = comparison(results, "g")
    assert (row.estimate, row.se, row.p) == pytest.approx((found.estimate, found.se, found.p), rel=1e-6)
    assert row.events == round(responds.mean(axis=0)[arm == 1].sum())


def test_references_take_from_the_difference(results):
    at_random, jump = comparison(results, "random"), comparison(results, "jump")
    assert at_random.estimate < comparison(results, "increments").estimate < jump.estimate < 0


def test_a_ratio_is_pooled_on_its_logarithm(results):
    row = comparison(results, "odds")
    assert math.log(row.high / row.estimate) == pytest.approx(math.log(row.estimate / row.low))
    assert comparison(results, "common").missing == row.missing == 19


def test_the_tipping_point_is_the_first_shift_that_loses_the_difference(results):
    (row,) = [r for r in results if r.statistic == "tipping point"]
    first = comparison(results, "random")
    assert row.estimate == 100  # where the difference is significant again, the other way round
    assert f"0: p {first.p:.3g}" in row.note
    spared = {"t": PLANS["random"] | {"options": FEW | {"tipping": [0.0]}}}
    (row,) = [r for r in analyse(study(spared), DISEASE, *tables()) if r.statistic == "tipping point"]
    assert math.isnan(row.estimate)
    assert row.note.endswith("at no shift tried is the difference lost")


def test_missing_values_are_left_out_or_count_as_non_response(results):
    left_out, counted = comparison(results, "none"), comparison(results, "never")
    assert (left_out.n, counted.n) == (50, 60)
    assert left_out.events == counted.events
    assert json.loads(counted.options)["missing"] == "non_response"
    said = sentences.in_short(results, list(PLANS), DISEASE)
    hows = dict(zip(PLANS, said, strict=True))
    assert "missing values count as non-response" in hows["never"].how
    assert "(jump to reference)" in hows["jump"].how
    assert hows["g"].how.startswith(
        "Standardised difference of proportions, logistic model; stopping treatment or rescue counts as non-response "
        "(composite); missing values imputed at random; responses are derived from imputed measurements, which makes "
        "intervals wider than need be"
    )
    assert "wider than need be" not in hows["never"].how


def test_draws_belong_to_the_seed_and_the_twin(results):
    twins, observations, events = tables()
    again = analyse(study({"random": PLANS["random"]}), DISEASE, twins.iloc[::-1].reset_index(drop=True),
                    observations.sample(frac=1, random_state=3), events)  # fmt: skip
    assert comparison(again, "random").estimate == pytest.approx(comparison(results, "random").estimate, rel=1e-12)
    asked = study({"random": PLANS["random"]}).model_copy(update={"seed": 2})
    assert comparison(analyse(asked, DISEASE, *tables()), "random").estimate != comparison(again, "random").estimate


@pytest.mark.parametrize("name", ["random", "g"])
def test_an_arm_without_twins_is_flagged(name):
    row = comparison(analyse(study({name: PLANS[name]}), DISEASE, *tables(60, arms=("active", "high"))), name)
    assert math.isnan(row.estimate)
    assert math.isnan(row.p)
    assert "no twin of placebo has a value" in row.note


def test_a_model_that_cannot_be_drawn_from_is_flagged_and_a_twin_without_a_covariate_counted(monkeypatch):
    def nothing(key, data, number, steps):
        people, visits = data.panel.outcome.shape
        shape = (number, people, visits)
        none = [jnp.full(s, jnp.nan) for s in ((number, data.panel.design.shape[2]), (number, visits, visits), shape)]
        return posterior.Draws(*none, "the model did not converge")

    monkeypatch.setattr(posterior, "draw", nothing)
    monkeypatch.setattr(posterior, "apply", lambda draws, data, strategy: posterior.Imputed(
        np.asarray(draws.noise), ~data.panel.seen, draws.flag))  # fmt: skip
    twins, observations, events = tables()
    twins.loc[0, "weight"] = np.nan
    plan = CHANGE | {"missing": "multiple_imputation", "covariates": ["weight"]}
    row = comparison(analyse(study({"a": plan}), DISEASE, twins, observations, events), "a")
    assert (row.n, row.n_comparator) == (59, 60)
    assert math.isnan(row.estimate)
    assert row.note == "twins left out for lack of a covariate: 1; no estimate: the model did not converge"


def test_hypothetical_leaves_out_what_was_seen_after_the_event():
    twins, observations, events = tables()
    seen, _ = dataset.value(dataset.align(twins, observations, events), OUTCOMES["change"], 12, "treatment_policy")
    kept, missing = dataset.value(dataset.align(twins, observations, events), OUTCOMES["change"], 12, "hypothetical")
    stopped = twins["twin"].isin(events["twin"]).to_numpy()
    assert np.isnan(kept[stopped]).all()
    assert missing[stopped].all()
    np.testing.assert_array_equal(kept[~stopped], seen[~stopped])


IMPUTE = {"missing": "multiple_imputation"}
REFUSED = [
    ({"outcome": "iga", "method": "negative_binomial", "intercurrent": "treatment_policy"},
     "method: negative_binomial is for a count outcome, but iga is a grade outcome; "
     "choose from proportional_odds, van_elteren"),
    ({"outcome": "nodules", "method": "negative_binomial", "intercurrent": "treatment_policy"},
     "outcome: nodules is recorded only with details: true"),
    ({"outcome": "pasi", "method": "ancova"},
     "outcome: psoriasis has no outcome 'pasi'; choose from change, half, mixed, severe"),
    ({"outcome": "iga", "method": "van_elteren"},
     "intercurrent: composite counts an intercurrent event as non-response, but iga is a grade outcome; "
     "choose treatment_policy or while_on_treatment"),
    ({"method": "cox", "intercurrent": "while_on_treatment"},
     "intercurrent: censoring at the event asks what would have happened without it; choose hypothetical"),
    ({"outcome": "change", "method": "mmrm", "intercurrent": "while_on_treatment"},
     "intercurrent: mmrm reads every visit, not the last; choose treatment_policy or hypothetical"),
    ({"outcome": "change", "method": "mmrm", "intercurrent": "treatment_policy"} | IMPUTE,
     "missing: mmrm takes missing values as missing at random by itself; leave missing out"),
    ({"method": "log_rank"} | IMPUTE, "missing: log_rank censors times; leave missing out"),
    ({"outcome": "change", "method": "ancova", "intercurrent": "treatment_policy", "missing": "non_response"},
     "missing: non_response is for a responder outcome, but change is a continuous outcome"),
    ({"method": "newcombe", "missing": "none"},
     "missing: composite counts a missing value as non-response; choose treatment_policy to leave it out"),
    ({"outcome": "change", "method": "ancova", "intercurrent": "while_on_treatment"} | IMPUTE,
     "intercurrent: while_on_treatment takes the last value, so nothing is left to impute; choose another"),
    ({"outcome": "change", "method": "ancova", "intercurrent": "hypothetical"},
     "missing: hypothetical asks what would have been seen without the event; choose one of copy_increments, "
     "copy_reference, jump_to_reference, multiple_imputation, or method: mmrm for a continuous outcome"),
    ({"method": "logistic", "missing": "jump_to_reference"},
     "missing: composite counts who stops as non-responder, so that no reference applies; choose multiple_imputation"),
    ({"method": "miettinen_nurminen"} | IMPUTE,
     "missing: miettinen_nurminen cannot be pooled over imputations; choose from ancova, cochran_mantel_haenszel, "
     "g_computation, logistic"),
    ({"outcome": "mixed", "method": "logistic"} | IMPUTE,
     "missing: mixed is made of iga, pasi; only one measurement can be imputed"),
    ({"method": "newcombe", "options": {"ties": "efron"}}, "options.ties: newcombe has no such setting; it has none"),
    ({"method": "cox", "options": {"variance": "ye"}},
     "options.variance: cox has no such setting; it knows from_week, stratified, ties, time_to"),
    ({"method": "g_computation", "options": {"variance": "HC3"}},
     "options.variance: g_computation has no 'HC3'; choose from ge, hc0, hc3, ye"),
    ({"method": "logistic", "options": {"imputations": 20}},
     "options.imputations: nothing is imputed; give missing: one of copy_increments, copy_reference, "
     "jump_to_reference, multiple_imputation"),
    ({"outcome": "change", "method": "ancova", "intercurrent": "treatment_policy", "options": {"tipping": [1]}},
     "options.tipping: nothing is imputed; give missing: one of copy_increments, copy_reference, "
     "jump_to_reference, multiple_imputation"),
    ({"method": "cox", "options": {"time_to": "loss"}},
     "options.from_week: a loss is of those who had the outcome at a later visit; say at which week"),
    ({"method": "cox", "options": {"time_to": "loss", "from_week": 12}},
     "options.from_week: week 12 is not a visit before week 12"),
    ({"method": "cox", "options": {"from_week": 4}},
     "options.from_week: the time to a response counts from baseline; leave it out, or give time_to: loss"),
]  # fmt: skip
MMRM = {"outcome": "change", "method": "mmrm", "intercurrent": "treatment_policy"}
REPEATED = [
    ({"structure": "diagonal"}, "options.structure: no covariance 'diagonal'; choose from ante_dependence, "),
    ({"structure": "spatial_exponential"}, "options.structure: no covariance 'spatial_exponential'; choose from "),
    ({"visits": [4, 5, 12]}, "options.visits: week 5 is not a visit after baseline"),
    ({"visits": [4, 8]}, "options.visits: expected weeks that rise to the analysis's own, 12"),
    ({"visits": [8, 4, 12]}, "options.visits: expected weeks that rise to the analysis's own, 12"),
    ({"visits": [12], "structure": "toeplitz"}, "options.structure: toeplitz needs 2 visits, there are 1"),
]


@pytest.mark.parametrize(
    ("change", "words"), REFUSED + [(MMRM | {"options": options}, words) for options, words in REPEATED]
)
def test_what_makes_no_sense_is_refused(change, words):
    asked = study({"a": PLAN | change})
    (problem,) = check(asked, DISEASE)
    assert problem.startswith(f"analyses.a.{words}")
    with pytest.raises(ValueError, match=r"analyses\.a\."):
        analyse(asked, DISEASE, *tables(30))


def test_sides_of_a_body_are_neither_imputed_nor_hypothetical():
    plan = PLAN | {"outcome": "change", "method": "paired_t", "intercurrent": "treatment_policy"}
    for change in (IMPUTE, {"intercurrent": "hypothetical"}):
        (problem,) = check(study({"a": plan | change}, split=True), DISEASE)
        assert problem == "analyses.a.missing: paired_t needs values on both sides; leave missing and hypothetical out"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"missing": "carried_forward"}, "missing"),
        ({"options": {"imputations": 1}}, "options.imputations"),
        ({"options": {"tipping": []}}, "options.tipping"),
        ({"options": {"time_to": "death"}}, "options.time_to"),
        ({"options": {"degrees_of_freedom": "many"}}, "options.degrees_of_freedom"),
        ({"options": {"variances": "HC3"}}, "options.variances"),
    ],
)
def test_an_unknown_word_is_refused_by_the_schema(change, where):
    with pytest.raises(ValidationError) as error:
        Analysis.model_validate(PLAN | {"method": "ancova"} | change)
    assert ".".join(map(str, error.value.errors()[0]["loc"])) == where
