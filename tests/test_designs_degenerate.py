"""Every function of every design, given what cannot be: a clear error, never a number.

Alpha spent twice, weights that do not sum to one, arms without people, no events, covariances that are singular,
statistics that do not exist. A function that is added to the designs must be added here, or the last test fails.
"""

import importlib
import inspect
import pkgutil

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.keys import root
from cutis.trials import designs
from cutis.trials.designs import checks, multivariate
from cutis.trials.designs.adaptive import closed, combination, conditional_error, reestimation, response
from cutis.trials.designs.allocation import blocks, minimisation
from cutis.trials.designs.dosefinding import batched, contrasts, fit, models
from cutis.trials.designs.multiplicity import closure, dunnett, graph, presets, stepwise
from cutis.trials.designs.samplesize import means, proportions, survival
from cutis.trials.designs.sequential import bounds, classic, conditional, inference, plan, scales, size
from cutis.trials.designs.sequential.spending import Spending

NAN = float("nan")
OBF = Spending("obrien_fleming")
TWO = bounds.spending_bounds([0.5, 1.0], 0.025, OBF)
BOTH_SIDES = bounds.spending_bounds([0.5, 1.0], 0.05, OBF, 2)
HALVES = graph.graph([0.5, 0.5], [[0, 1], [1, 0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 1.0]])  # no covariance at all: an eigenvalue is negative
SHAPES = (models.Candidate("linear"), models.Candidate("emax", (1.0,)))
FOUND = contrasts.optimal_contrasts([0, 1, 2], SHAPES, np.ones(3))
CURVE = fit.fit("linear", [0, 1, 2], [0.0, 1.0, 2.0], np.ones(3))
COURSE = survival.Course(1.0, 1.0, 0.5, 0.7)
FIXED = plan.plan(TWO, 0.9)
AGAIN = [0.5, 0.5, 1.0]  # two looks at the same data
Z = np.zeros((2, 2))

# Function, then what it is given: each a call that has no sound answer.
REFUSED = {
    "spending_bounds": [lambda: bounds.spending_bounds(AGAIN, 0.025, OBF),
                        lambda: bounds.spending_bounds([0.0, 1.0], 0.025, OBF),
                        lambda: bounds.spending_bounds([0.5, 1.0], 0.025, OBF, time=[0.6, 0.5])],
    "upper_bounds": [],
    "crossing": [lambda: bounds.crossing(TWO, NAN)],
    "Spending": [lambda: Spending("table", table=((0.5, 0.02), (1.0, 0.01))),
                 lambda: Spending("table", table=((0.5, 0.01), (1.0, 0.05))).spent(0.025, [0.5, 1.0])],
    "wang_tsiatis": [lambda: classic.wang_tsiatis(AGAIN, 0.025, 0.25)],
    "obrien_fleming": [lambda: classic.obrien_fleming(AGAIN, 0.025)],
    "pocock": [lambda: classic.pocock(AGAIN, 0.025)],
    "haybittle_peto": [lambda: classic.haybittle_peto([0.5, 1.0], 0.025, 1.0)],
    "plan": [lambda: plan.plan(TWO, 0.01), lambda: plan.plan(TWO, NAN)],
    "fixed_futility": [lambda: plan.fixed_futility(TWO, [4.0]), lambda: plan.fixed_futility(TWO, [NAN])],
    "beta_spending": [lambda: plan.beta_spending(AGAIN, 0.025, 0.9, OBF, OBF),
                      lambda: plan.beta_spending([0.5, 1.0], 0.025, 0.9, OBF, OBF, futility_looks=[True, False])],
    "expected": [lambda: plan.expected(TWO, NAN)],
    "decide": [lambda: scales.decide(TWO, [[NAN, 0.0]])],
    "scales": [lambda: scales.scales(TWO, 0.0)],
    "log_rank_information": [lambda: scales.log_rank_information(0)],
    "conditional_power": [lambda: conditional.conditional_power(TWO, 2, 0.0),
                          lambda: conditional.conditional_power(TWO, 1, NAN)],
    "predictive_power": [lambda: conditional.predictive_power(TWO, 1, 0.0, sd=0.0),
                         lambda: conditional.predictive_power(TWO, 1, NAN)],
    "rejection_probability": [lambda: conditional.rejection_probability(TWO, 1, NAN)],
    "stagewise_p": [lambda: inference.stagewise_p(TWO, 3, 0.0), lambda: inference.stagewise_p(TWO, 1, NAN)],
    "adjusted": [lambda: inference.adjusted(TWO, 1, NAN), lambda: closure.adjusted(HALVES, [0.1, NAN])],
    "repeated_interval": [lambda: inference.repeated_interval(TWO, 1, NAN),
                          lambda: combination.repeated_interval(TWO, [0.7, 0.7], [0.1], [0.0])],
    "repeated_p": [lambda: inference.repeated_p(lambda a: TWO, 1, NAN)],
    "naive_p": [lambda: inference.naive_p(NAN)],
    "sequential_size": [lambda: size.sequential_size(FIXED, 0.0)],
    "survival_size": [lambda: size.survival_size(FIXED, COURSE, "nobody")],
    "inverse_normal": [lambda: combination.inverse_normal([0.1, 0.2], [1.0, 0.0]),
                       lambda: combination.inverse_normal([0.1, NAN], [1.0, 1.0])],
    "stage_weights": [lambda: combination.stage_weights(AGAIN)],
    "fisher": [lambda: combination.fisher(0.025, 0.01), lambda: combination.fisher(0.025, 0.5, 0.025)],
    "fisher_success": [lambda: combination.fisher_success([0.1, NAN], combination.fisher(0.025))],
    "stage_p": [lambda: combination.stage_p([0.1], [0.0], 10), lambda: combination.stage_p([NAN], [1.0], 10)],
    "remaining_level": [lambda: conditional_error.remaining_level(TWO, 1, NAN)],
    "redesign": [lambda: conditional_error.redesign(TWO, 1, -9.0, [1.0], OBF)],
    "success": [lambda: conditional_error.success(TWO, 1, 0.0, NAN)],
    "blinded_sd": [lambda: reestimation.blinded_sd([1.0, 2.0]), lambda: reestimation.blinded_sd([1.0, 1.0, 1.0])],
    "blinded_size": [lambda: reestimation.blinded_size(100, 1.0, NAN, 50, 200),
                     lambda: reestimation.blinded_size(100, 1.0, 0.0, 50, 200)],
    "blinded_rate_size": [lambda: reestimation.blinded_rate_size(1.2, 0.1, 0.025, 0.8, 50, 200),
                          lambda: reestimation.blinded_rate_size(0.3, 0.0, 0.025, 0.8, 50, 200)],
    "promising_zone": [lambda: reestimation.promising_zone(TWO, NAN, 100, 100, 200, 0.3, 0.9)],
    "combined_statistic": [lambda: reestimation.combined_statistic(TWO, 0.0, NAN)],
    "power_under_trend": [lambda: reestimation.power_under_trend(TWO, NAN)],
    "shares": [lambda: response.shares([3, 5], [2, 5], "neyman"), lambda: response.shares([0, 0], [0, 0], "neyman", 2)],
    "best_probability": [lambda: response.best_probability([3, 5], [2, 5])],
    "simes": [lambda: closed.simes(np.array([[0.0, NAN]]), (0, 1))],
    "bonferroni": [lambda: closed.bonferroni(np.array([[0.0, NAN]]), (0, 1)),
                   lambda: stepwise.adjust([0.1, NAN], "bonferroni")],
    "dunnett": [lambda: closed.dunnett((0.0, 1.0), 1.0)(Z, (0, 1))],
    "nested": [lambda: closed.nested(1.0)],
    "closed_combination": [lambda: closed.closed_combination(Z + NAN, Z, Z == 0, TWO, closed.simes),
                           lambda: closed.closed_combination(Z, Z, Z == 0, BOTH_SIDES, closed.simes)],
    "keep_best": [lambda: closed.keep_best(Z, 3), lambda: closed.keep_best(Z + NAN)],
    "keep_near": [lambda: closed.keep_near(Z, -1.0), lambda: closed.keep_near(Z + NAN, 1.0)],
    "enrich": [lambda: closed.enrich(np.zeros((2, 3)), 0, 0), lambda: closed.enrich(Z + NAN, 0, 0)],
    "permuted_blocks": [lambda: blocks.permuted_blocks(root(1), jnp.zeros(4, int), (1, 1), 3, 1),
                        lambda: blocks.permuted_blocks(root(1), jnp.zeros(4, int), (1, 0), 4, 1),
                        lambda: blocks.permuted_blocks(root(1), jnp.ones(4, int), (1, 1), 4, 1)],
    "minimise": [lambda: minimisation.minimise(root(1), jnp.zeros((4, 1), int), 1, (1, 0), 0.8),
                 lambda: minimisation.minimise(root(1), jnp.zeros((4, 1), int), 1, (1, 1), 0.8, (1.0, 1.0)),
                 lambda: minimisation.minimise(root(1), jnp.zeros((4, 1), int), 1, (1, 1), 0.8, (-1.0,))],
    "optimal_contrasts": [lambda: contrasts.optimal_contrasts([0, 1], SHAPES, SINGULAR),
                          lambda: contrasts.optimal_contrasts([0, 1, 2], SHAPES, [1.0, 0.0, 1.0])],
    "critical_value": [lambda: contrasts.critical_value(FOUND, 0.0), lambda: dunnett.critical_value(0.025, [0.0], 1.0)],
    "signal": [lambda: contrasts.signal(FOUND, [0.0, NAN, 0.0], np.ones(3), 0.025),
               lambda: contrasts.signal(FOUND, [0.0, 0.0, 0.0], np.zeros(3), 0.025)],
    "power": [lambda: contrasts.power(FOUND, [0.0, NAN, 0.0], np.ones(3), 0.025),
              lambda: contrasts.power(FOUND, [0.0, 0.0, 1.0], np.zeros(3), 0.025)],
    "fit": [lambda: fit.fit("emax", [0, 1], [0.0, 1.0], np.ones(2)),
            lambda: fit.fit("linear", [0, 1, 2], [0.0, NAN, 1.0], np.ones(3)),
            lambda: fit.fit("linear", [0, 1, 2], [0.0, 0.5, 1.0], [1.0, 0.0, 1.0])],
    "fits": [lambda: batched.fits("straight", np.arange(3), np.ones((1, 3)), np.ones((1, 3))),
             lambda: batched.fits("emax", np.arange(2), np.ones((1, 2)), np.ones((1, 2))),
             lambda: batched.fits("linear", np.arange(3), np.full((1, 3), NAN), np.ones((1, 3))),
             lambda: batched.fits("linear", np.arange(3), np.ones((1, 3)), np.zeros((1, 3)))],
    "targets": [lambda: batched.targets(batched.fits("linear", np.arange(3), np.eye(3), np.ones((3, 3))), 0.0)],
    "target_dose": [lambda: fit.target_dose(CURVE, 0.0)],
    "averaged": [lambda: fit.averaged(())],
    "averaged_target": [lambda: fit.averaged_target((), 1.0)],
    "dose_grid": [lambda: models.dose_grid([0, 0, 1])],
    "Candidate": [lambda: models.Candidate("emax", ()), lambda: models.Candidate("straight")],
    "graph": [lambda: graph.graph([0.6, 0.6], [[0, 1], [1, 0]]), lambda: graph.graph([0.5, NAN], [[0, 1], [1, 0]]),
              lambda: graph.graph([0.5, 0.5], [[0, 1.5], [1, 0]]),
              lambda: graph.graph([0.5, 0.5], [[0.5, 0.5], [1, 0]])],
    "shortcut": [lambda: graph.shortcut(HALVES, [0.1, NAN])],
    "rejections": [lambda: closure.rejections(HALVES, [0.1, 2.0], 0.025),
                   lambda: closure.rejections(HALVES, [0.1, 0.2], 0.025,
                                              (closure.Group((0, 1), "parametric", SINGULAR),))],
    "holm": [lambda: presets.holm(0), lambda: stepwise.adjust([0.1, NAN], "holm")],
    "fixed_sequence": [lambda: presets.fixed_sequence(0), lambda: stepwise.fixed_sequence([0.1, NAN])],
    "fallback": [lambda: presets.fallback([0.8, 0.8])],
    "simple_successive": [lambda: presets.simple_successive(1)],
    "parallel_gatekeeping": [lambda: presets.parallel_gatekeeping(0, 1)],
    "truncated": [lambda: presets.truncated([0.1, NAN], 0.025, 0.5), lambda: presets.truncated([0.1], 0.025, 1.5)],
    "gatekeeping": [lambda: presets.gatekeeping([0.1, 0.2], ((0,), (0, 1)), 0.025, 0.5),
                    lambda: presets.gatekeeping([0.1, 0.2], ((0,), (1,)), 0.025, 1.0)],
    "adjust": [lambda: stepwise.adjust([], "holm"), lambda: stepwise.adjust([0.1], "none")],
    "co_primary": [lambda: stepwise.co_primary([0.1, NAN])],
    "correlations": [lambda: dunnett.correlations([0.0, 1.0], 1.0)],
    "overlapping": [lambda: dunnett.overlapping([0, 5], [5, 5], np.zeros((2, 2))),
                    lambda: dunnett.overlapping([5, 5], [5, 5], np.full((2, 2), 6.0))],
    "dunnett_p": [lambda: dunnett.dunnett_p(NAN, [1.0], 1.0), lambda: dunnett.dunnett_p(0.0, [1.0], 0.0)],
    "step_down": [lambda: dunnett.step_down([0.0, NAN], [1.0, 1.0], 1.0)],
    "co_primary_power": [lambda: dunnett.co_primary_power([1.0, 1.0], SINGULAR, 0.025)],
    "exceed": [lambda: multivariate.exceed([1.0, 1.0], SINGULAR), lambda: multivariate.exceed([1.0, NAN], np.eye(2))],
    "root_of": [lambda: multivariate.root_of(SINGULAR)],
    "equal_bound": [lambda: multivariate.equal_bound(0.025, SINGULAR), lambda: multivariate.equal_bound(0.0, np.eye(2)),
                    lambda: multivariate.equal_bound(0.025, np.eye(2), weights=[0.0, 0.0])],
    "two_groups": [lambda: means.two_groups(0.0, 1.0, 0.05, 0.8), lambda: means.two_groups(1.0, 0.0, 0.05, 0.8),
                   lambda: proportions.two_groups(0.3, 0.3, 0.025, 0.8),
                   lambda: proportions.two_groups(1.3, 0.3, 0.025, 0.8)],
    "two_group_power": [lambda: means.two_group_power(0, 1.0, 1.0, 0.05),
                        lambda: proportions.two_group_power(0, 0.5, 0.3, 0.025)],
    "one_group": [lambda: means.one_group(0.0, 1.0, 0.05, 0.8)],
    "one_group_power": [lambda: means.one_group_power(0, 1.0, 1.0, 0.05)],
    "equivalence": [lambda: means.equivalence(1.0, 1.0, 0.05, 0.8, difference=1.0),
                    lambda: proportions.equivalence(0.5, 0.3, 0.1, 0.05, 0.8)],
    "equivalence_power": [lambda: means.equivalence_power(1.0, -1.0, 0.0, 1.0, 10, 0.05),
                          lambda: means.equivalence_power(-1.0, 1.0, 0.0, 0.0, 10, 0.05)],
    "bioequivalence": [lambda: means.bioequivalence(0.3, 0.8, ratio=1.25)],
    "bioequivalence_power": [lambda: means.bioequivalence_power(2, 0.3), lambda: means.bioequivalence_power(20, 0.0)],
    "power_curve": [lambda: means.power_curve(lambda n: n, [])],
    "constrained": [lambda: proportions.constrained(1.2, 0.3, 0.0)],
    "pairs": [lambda: proportions.pairs(0.2, 0.2, 0.05, 0.8), lambda: proportions.pairs(0.8, 0.5, 0.05, 0.8)],
    "trend": [lambda: proportions.trend([0.3, 0.3], [0, 1], 0.025, 0.8),
              lambda: proportions.trend([0.3, 0.5], [0, 1], 0.025, 0.8, shares=[0.5, 0.8])],
    "Course": [lambda: survival.Course(0.0, 0.0, 0.5, 0.7), lambda: survival.Course(1.0, 1.0, 0.0, 0.7)],
    "event_probability": [lambda: survival.event_probability(COURSE, 0.0, 1.0)],
    "overall_probability": [lambda: survival.overall_probability(COURSE, -1.0)],
    "events_needed": [lambda: survival.events_needed(1.0, 0.025, 0.8)],
    "schoenfeld": [lambda: survival.schoenfeld(survival.Course(1.0, 1.0, 0.5, 1.0), 0.025, 0.8)],
    "lachin_foulkes": [lambda: survival.lachin_foulkes(survival.Course(1.0, 1.0, 0.5, 1.0), 0.025, 0.8)],
    "time_of_events": [lambda: survival.time_of_events(COURSE, 100, 1000)],
}  # fmt: skip
CALLS = [(name, number) for name, calls in REFUSED.items() for number in range(len(calls))]

# What is not asked directly: pieces that others check before they use them, and plain curves.
WITHIN = {
    "type_one_error": "of bounds that exist", "imbalance": "a count of people",
    "intersections": "of a graph that exists",
    "remove": "within a graph", "quantile_above": "within bounds", "quantile_below": "within bounds",
    "upper_bounds": "within bounds", "whole_block": "within permuted_blocks", "permuted": "within permuted_blocks",
    "quantile": "of a p-value already checked", "spread": "points", "limits": "within fit and fits",
    "some_above": "within dunnett_p", "root": "a solver",
    "fineness": "grid", "nodes": "grid", "first": "grid", "onward": "grid", "above": "grid", "below": "grid",
    "advance": "grid",
    **dict.fromkeys(("hwang_shih_decani", "kim_demets"), "a spending function, within Spending"),
    **dict.fromkeys(("linear", "log_linear", "emax", "sigmoid_emax", "exponential", "quadratic", "logistic", "beta"),
                    "a curve, within Candidate"),
    **dict.fromkeys(("sidak", "hochberg", "hommel", "benjamini_hochberg", "benjamini_yekutieli"), "within adjust"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), CALLS)
def test_what_has_no_sound_answer_is_refused_in_words(name, number):
    with pytest.raises(ValueError, match=r"\w+.*: |expected|cannot|no redesign|out of reach"):
        REFUSED[name][number]()


def test_every_function_of_the_designs_is_asked():
    public = set()
    for module in pkgutil.walk_packages(designs.__path__, "cutis.trials.designs."):
        loaded = importlib.import_module(module.name)
        if loaded is checks:
            continue
        public |= {
            name for name, value in vars(loaded).items()
            if inspect.isfunction(value) and value.__module__ == module.name and not name.startswith("_")
        }  # fmt: skip
    assert not public - set(REFUSED) - set(WITHIN)
