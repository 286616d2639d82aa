"""Methods that a study may ask for, end to end on a small made-up run, against the functions called directly."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import survdiff

from cutis.trials.report import forest, sentences, words
from cutis.trials.report import tables as report_tables
from cutis.trials.statistics.analyses import analyse, check
from cutis.trials.statistics.methods import ancova, counts, logistic, ordinal, ranks, score, survival
from cutis.trials.statistics.mmrm.fit import fit
from cutis.trials.statistics.mmrm.inference import estimate
from cutis.trials.statistics.mmrm.means import contrasts
from cutis.trials.statistics.mmrm.model import Model, lay
from cutis.trials.study import plain

from .offered import DISEASE, PLAN, study, tables

POLICY = PLAN | {"intercurrent": "treatment_policy"}
CHANGE = POLICY | {"outcome": "change", "covariates": ["baseline_pasi", "weight"]}
PLANS = {
    "mn": PLAN | {"method": "miettinen_nurminen"},
    "mn_plain": PLAN | {"method": "miettinen_nurminen", "options": {"stratified": False}},
    "g": PLAN | {"method": "g_computation", "covariates": ["weight", "baseline_pasi"]},
    "ge": PLAN | {"method": "g_computation", "covariates": ["weight", "baseline_pasi"], "options": {"variance": "ge"}},
    "classical": CHANGE | {"method": "ancova", "options": {"variance": "classical"}},
    "mmrm": CHANGE | {"method": "mmrm", "options": {"structure": "toeplitz", "degrees_of_freedom": "kenward_roger"}},
    "counts": POLICY | {"outcome": "lesions", "method": "negative_binomial", "covariates": ["weight"]},
    "odds": POLICY | {"outcome": "iga", "method": "proportional_odds", "covariates": ["weight"]},
    "ranks": POLICY | {"outcome": "iga", "method": "van_elteren"},
    "log_rank": POLICY | {"method": "log_rank"},
    "cox": POLICY | {"method": "cox", "covariates": ["weight"]},
    "mean": POLICY | {"method": "restricted_mean"},
    "curve": POLICY | {"method": "kaplan_meier"},
    "loss": PLAN | {"method": "cox", "options": {"time_to": "loss", "from_week": 4}},
}  # fmt: skip


@pytest.fixture(scope="module")
def results():
    plans = {name: plan | {"role": "secondary"} for name, plan in PLANS.items()}
    return analyse(study(plans), DISEASE, *tables())


def comparison(results, name):
    (row,) = [row for row in results if row.analysis == name and row.comparator]
    return row


def wide(endpoint="pasi"):
    """Of the two arms: twins, values by week where seen, and whether the twin stopped."""
    twins, observations, events = tables()
    seen = observations.assign(value=observations[endpoint].where(observations["seen"]))
    values = seen.pivot(index="twin", columns="week", values="value").to_numpy()
    two = twins["arm"].isin(["active", "placebo"]).to_numpy()
    return twins[two], values[two], twins["twin"].isin(events["twin"]).to_numpy()[two]


def responses():
    """Composite response at week 12."""
    twins, values, stopped = wide()
    with np.errstate(invalid="ignore"):
        return twins, ((values[:, 3] <= values[:, 0] / 2) & ~stopped).astype(float)


def arm_of(twins):
    return (twins["arm"] == "active").to_numpy(float)


def same(row, found, ratio=False, rel=1e-9):
    found = found._replace(**{name: float(getattr(found, name)) for name in ("estimate", "se", "low", "high", "p")})
    scale = np.exp if ratio else float
    assert (row.estimate, row.se, row.p) == pytest.approx((scale(found.estimate), found.se, found.p), rel=rel)
    if not math.isnan(found.low):
        assert (row.low, row.high) == pytest.approx((scale(found.low), scale(found.high)), rel=rel)


def test_score_interval_over_strata_and_without(results):
    twins, y = responses()
    heavy, arm = (twins["stratum"] == "heavy").to_numpy(), arm_of(twins) == 1
    cells = [[y[arm & h].sum(), (arm & h).sum(), y[~arm & h].sum(), (~arm & h).sum()] for h in (heavy, ~heavy)]
    same(comparison(results, "mn"), score.binomial(score.pair(*np.array(cells).T)))
    same(comparison(results, "mn_plain"), score.binomial(score.pair(*np.array(cells).sum(axis=0))))
    assert comparison(results, "mn").statistic == "common risk difference"
    assert comparison(results, "mn_plain").statistic == "risk difference"


@pytest.mark.parametrize(("name", "variance"), [("g", "ye"), ("ge", "ge")])
def test_standardised_difference(results, name, variance):
    twins, y = responses()
    x = np.column_stack([twins["weight"], wide()[1][:, 0]])
    same(comparison(results, name), logistic.standardised_difference(y, arm_of(twins), x, variance=variance), rel=1e-7)


def test_classical_analysis_of_covariance(results):
    twins, values, _ = wide()
    y = values[:, 3] - values[:, 0]
    seen = ~np.isnan(y)
    x = jnp.asarray(np.column_stack([values[:, 0], twins["weight"]])[seen])
    same(comparison(results, "classical"), ancova.ancova(y[seen], arm_of(twins)[seen], x, covariance="classical")[0])


def test_repeated_measures(results):
    twins, values, _ = wide()
    rows = [
        {"twin": i, "arm": arm, "week": week, "y": v[k] - v[0], "base": v[0], "weight": weight}
        for i, (arm, weight, v) in enumerate(zip(twins["arm"], twins["weight"], values, strict=True))
        for k, week in ((1, 4), (2, 8), (3, 12))
    ]
    model = Model(
        "y", "twin", "week", "arm", ("weight",), ("base",), visits=("4", "8", "12"), arms=("placebo", "active")
    )
    laid = lay(pd.DataFrame(rows), model)
    of = contrasts(laid)
    vector = of("active", "12") - of("placebo", "12")
    found = estimate(laid.panel, fit(laid.panel, "toeplitz"), vector, method="kenward_roger")
    row = comparison(results, "mmrm")
    same(row, found)
    assert row.note == f"degrees of freedom {found.df:.1f}"
    options = json.loads(row.options)
    assert (options["covariance"], options["degrees_of_freedom"]) == ("toeplitz", "kenward_roger")
    assert options["visits"] == [4, 8, 12]
    assert row.n == (~np.isnan(values[:, 3]) & (arm_of(twins) == 1)).sum()


def test_counts_grades_and_ranks(results):
    twins, lesions, _ = wide("lesions")
    seen = ~np.isnan(lesions[:, 3])
    arm, weight = arm_of(twins)[seen], twins["weight"].to_numpy()[seen]
    columns = np.column_stack([np.ones(seen.sum()), weight - weight.mean(), arm])
    fitted = counts.negative_binomial(columns, lesions[seen, 3])
    same(comparison(results, "counts"), counts.combination(fitted, [0, 0, 1]), ratio=True, rel=1e-5)
    iga = wide("iga")[1][seen, 3]
    same(comparison(results, "odds"), ordinal.proportional_odds(iga, arm, weight), ratio=True, rel=1e-5)
    stratum = (twins["stratum"] == "light").to_numpy(int)[seen]
    found, row = ranks.van_elteren(iga, arm, stratum, 2), comparison(results, "ranks")
    assert (row.estimate, row.p) == pytest.approx((2 * float(found.estimate) - 1, float(found.p)))
    assert math.isnan(row.low)


def times():
    """Weeks to the first response, or to the last visit seen, by hand."""
    twins, values, _ = wide()
    time, event = [], []
    for v in values:
        happened = [w for w, x in zip((4, 8, 12), v[1:], strict=True) if x <= v[0] / 2]
        seen = [w for w, x in zip((4, 8, 12), v[1:], strict=True) if not math.isnan(x)]
        time.append(happened[0] if happened else max(seen, default=0))
        event.append(float(bool(happened)))
    return twins, np.array(time, float), np.array(event)


def test_times_to_response(results):
    twins, time, event = times()
    arm, strata = arm_of(twins), (twins["stratum"] == "light").to_numpy(int)
    chi2, p = survdiff(time, event, arm, strata=strata)
    row = comparison(results, "log_rank")
    assert ((row.estimate / row.se) ** 2, row.p) == pytest.approx((chi2, p), rel=1e-6)
    assert (row.events, row.n) == (event[arm == 1].sum(), 60)
    weight = twins["weight"].to_numpy()
    known = PHReg(time, np.column_stack([weight - weight.mean(), arm]), event, strata=strata, ties="efron").fit()
    row = comparison(results, "cox")
    assert (math.log(row.estimate), row.se) == pytest.approx((known.params[1], known.bse[1]), rel=1e-5)
    same(comparison(results, "mean"), survival.restricted_mean_difference(time, event, arm, 12.0))
    left = [survival.survival_at(survival.kaplan_meier(time[arm == a], event[arm == a]), 12.0) for a in (1, 0)]
    row = comparison(results, "curve")
    assert (row.estimate, row.se) == pytest.approx(
        (left[1].estimate - left[0].estimate, math.hypot(left[0].se, left[1].se))
    )
    medians = [r for r in results if r.analysis == "curve" and r.statistic == "median time"]
    assert [r.note for r in medians if r.arm == "placebo"] == ["no estimate: not reached within the observations"]


def test_a_loss_is_of_those_who_had_responded_and_says_so(results):
    twins, v, stopped = wide()
    begun, active = v[:, 1] <= v[:, 0] / 2, arm_of(twins) == 1
    lost = stopped | (v[:, 2:] > v[:, :1] / 2).any(axis=1)  # all stopped at week 6, which counts as a loss
    row = comparison(results, "loss")
    assert (row.n, row.n_comparator) == ((begun & active).sum(), (begun & ~active).sum())
    assert (row.events, row.events_comparator) == ((begun & active & lost).sum(), (begun & ~active & lost).sum())
    assert "not all who were randomised" in row.note


def test_an_event_ends_a_time_as_the_strategy_says():
    plans = {s: PLAN | {"method": "kaplan_meier", "intercurrent": s} for s in ("composite", "hypothetical")}
    rows = analyse(study(plans), DISEASE, *tables())
    twins, time, event = times()
    stopped, arm = wide()[2], arm_of(twins)
    late = stopped & (time > 6)
    active = arm == 1
    # Stopping at week 6 leaves responses at week 4 as they are.
    curve = survival.kaplan_meier(np.where(late, 12.0, time)[active], np.where(late, 0.0, event)[active])
    found = [r for r in rows if r.arm == "active" and r.statistic == "share with the event"]
    by = {r.analysis: r for r in found}
    censored = np.where(stopped & (time <= 4) & (event == 0), 12.0, np.where(late, 12.0, time))
    curve = survival.kaplan_meier(censored[active], np.where(late, 0.0, event)[active])
    assert by["composite"].estimate == pytest.approx(1 - survival.survival_at(curve, 12.0).estimate)
    assert by["hypothetical"].events == by["composite"].events
    assert by["hypothetical"].estimate > by["composite"].estimate


def test_every_figure_says_how_it_came_about_and_which_engine_computed_it(results):
    for row in results:
        assert json.loads(row.options)
        assert row.engine_version[0].isdigit()
        assert row.engine == "cutis" or row.method in ("wilson", "ancova")


def test_a_third_arm_does_not_move_a_comparison(results):
    twins, observations, events = tables()
    other = observations.assign(pasi=observations["pasi"].where(observations["arm"] != "high", 1.0))
    names = ("mn", "g", "mmrm", "cox", "ranks")
    again = analyse(study({name: PLANS[name] for name in names}), DISEASE, twins, other, events)
    for name in names:
        before, after = comparison(results, name), comparison(again, name)
        assert (before.estimate, before.low, before.p, before.note) == pytest.approx(
            (after.estimate, after.low, after.p, after.note), nan_ok=True
        )


@pytest.mark.parametrize("name", sorted(PLANS))
def test_an_arm_without_twins_is_flagged_in_words_and_has_no_number(name):
    rows = analyse(study({name: PLANS[name] | {"role": "primary"}}), DISEASE, *tables(60, arms=("active", "high")))
    row = comparison(rows, name)
    assert math.isnan(row.estimate)
    assert math.isnan(row.p)
    assert "no estimate: " in row.note or "each arm needs two twins" in row.note
    (said,) = sentences.in_short(rows, [name], DISEASE)
    assert said.text.endswith("could not be estimated.")
    assert row.note.rstrip(".") in said.how


def test_a_covariance_that_the_data_do_not_tell_is_flagged():
    twins, observations, events = tables(60)
    odd = observations["twin"] % 12 >= 6
    nobody = ((observations["week"] == 8) & odd) | ((observations["week"] == 12) & ~odd)
    parted = observations.assign(seen=observations["seen"] & ~nobody)
    row = comparison(analyse(study({"m": CHANGE | {"method": "mmrm"}}), DISEASE, twins, parted, events), "m")
    assert "no estimate: the fit did not converge" in row.note
    assert math.isnan(row.estimate)


SENTENCES = {
    "g": "a standardised risk difference of ",
    "mmrm": f"means for change of PASI, the active arm minus the placebo arm, was {words.MINUS}",
    "counts": "the mean number of lesions in the active arm was 0.",
    "odds": "the odds of a higher value of Global Assessment in the active arm were 0.",
    "ranks": f"less the chance of a lower one, was {words.MINUS}0.",
    "log_rank": "events more in the active arm than expected if both were equal (no interval, p < 0.001)",
    "cox": "the hazard of reaching PASI halved in the active arm was ",
    "loss": "the hazard of losing PASI halved in the active arm was ",
    "mean": f"the active arm minus the placebo arm, was {words.MINUS}",
    "curve": "the chance of reaching PASI halved (Kaplan-Meier), the active arm minus the placebo arm, differed by ",
}


def test_each_method_has_its_sentence(results):
    said = sentences.in_short(results, list(PLANS), DISEASE)
    of = dict(zip([row.analysis for row in forest.comparisons(results, list(PLANS))], said, strict=True))
    for name, text in SENTENCES.items():
        assert text in of[name].text
        assert "p " in of[name].text
    assert all(plan["method"] in words.METHODS for plan in PLANS.values())
    assert of["mean"].figure.endswith("weeks")
    assert of["cox"].figure.startswith(words.TIMES)


def test_tables_and_forest_plots_take_every_method(results):
    panels = {panel.title: panel for panel in forest.panels(results, list(PLANS), DISEASE)}
    assert panels["Differences in responders"].rows[0].analysis == "mn"
    assert panels["Hazard ratios"].ratio
    assert panels["Count ratios"].ratio
    assert panels["Difference in restricted mean time"].scale == "weeks"
    for panel in panels.values():
        assert forest.forest(1, panel, DISEASE, {})
    asked = study(PLANS)
    figures, _ = report_tables.analysis_figures(asked, DISEASE, results)
    shares = [f.estimate for f in figures if f.statistic == "share with the event"]
    assert shares
    assert all(share.endswith("%") for share in shares if share != words.NOTHING)
    assert ("iga", "Global Assessment", "grade") in report_tables.outcomes(asked, DISEASE)
    strategies = {row[0]: row[-1] for row in report_tables.plan(asked, DISEASE)}
    assert strategies["loss"].startswith("Who stops treatment or begins rescue before")


def test_a_study_without_the_new_words_is_written_as_before():
    told = plain(study({"a": PLAN | {"method": "newcombe"}}))["trial"]["analyses"]["a"]
    assert told == PLAN | {"method": "newcombe"}
    assert check(study(PLANS), DISEASE) == []
