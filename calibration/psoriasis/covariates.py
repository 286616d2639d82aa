"""From published odds ratios to shifts of half-maximal concentrations.

The model turns a shift of the logarithm of a half-maximal concentration into one of the logit of PASI 90; the mean of
that slope over biologics makes an odds ratio a shift. Weight acts by way of concentrations too; that is
taken off first.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from ..climb import Fit
from .evidence.targets import Effect, TimeCourse
from .table import Table

OUTCOME, WEEK = "pasi90", 16
BIOLOGICS = (
    *("adalimumab", "etanercept", "infliximab", "certolizumab", "ustekinumab", "guselkumab", "tildrakizumab"),
    *("risankizumab", "secukinumab", "ixekizumab", "brodalumab", "bimekizumab"),
)
TAKEN = {  # parameter: published effect, and the direction in which the parameter counts
    "sensitivity.prior_biologic": "prior_biologic_trials",
    "sensitivity.smoker": "smoker",
    "sensitivity.female": "female",
    "sensitivity.age": "age",
}
WEIGHT = "weight_badbir"
REFERENCE = 90.0  # kg
HEAVIER = 1.1


def steepness(table: Table, fitted: Fit) -> float:
    """Fall of the logit of PASI 90 at week 16 with the logarithm of the half-maximal concentration, over biologics."""
    places = _places(table)
    value, slope = fitted.slopes.value[places], fitted.slopes.drug[places]
    return float(np.mean(-slope / (value * (1 - value))))


def shifts(effects: Mapping[str, Effect], steep: float, by_concentration: float) -> dict[str, float]:
    """Covariate parameters of the model.

    Args:
      steep: of `steepness`. by_concentration: change of the logit with the logarithm of weight by concentrations.
    Raises:
      ValueError: a published effect is no odds ratio.
    """
    found = {name: -_log_odds(effects[key]) / steep for name, key in TAKEN.items()}
    wanted = REFERENCE * _log_odds(effects[WEIGHT])
    return found | {"sensitivity.weight": max(0.0, (by_concentration - wanted) / steep)}


def by_concentration(table: Table, heavier: Table, fitted: Fit) -> float:
    """Change of the logit with the logarithm of weight, where weight acts on concentrations alone.

    heavier: the same courses in people HEAVIER times as heavy, with what weight does beside that left out of both.
    """
    nothing = np.zeros(len(table.trials))
    light = table.values(fitted.vector, nothing)[_places(table)]
    heavy = heavier.values(fitted.vector, nothing)[_places(heavier)]
    return float(np.mean(logit(heavy) - logit(light)) / np.log(HEAVIER))


def biologics(courses: tuple[TimeCourse, ...]) -> tuple[TimeCourse, ...]:
    """The courses of biologics."""
    return tuple(c for c in courses if c.courses and c.courses[0].treatment in BIOLOGICS)


def _log_odds(effect: Effect) -> float:
    if effect.odds_ratio is None:
        raise ValueError(f"effects.yaml: {effect.key}: gives no odds ratio")
    return float(np.log(effect.odds_ratio))


def _places(table: Table) -> list[int]:
    return [i for i, e in enumerate(table.entries) if (e.kind, e.outcome, e.week) == ("course", OUTCOME, WEEK)]
