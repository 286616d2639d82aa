"""The methods that a study may ask for: what each serves, what it reads and which settings it knows."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from . import graded, paired, times
from .pooled import POOLED
from .proportions import Contrast, risk_difference
from .regression import ancova, logistic
from .repeated import mmrm
from .result import Finding
from .standardised import g_computation
from .stratified import common_risk_difference, miettinen_nurminen


class Method(NamedTuple):
    """One method.

    Args:
      run: from the table of two arms to the comparison and the figures of each arm.
      serves: kinds of outcomes: responder, continuous, count, grade.
      reads: a table with a row a twin (`visit`), a row a twin and visit (`visits`), or times to an event (`times`).
      adjusts: whether covariates enter.
      paired: compares two sides of the same twins.
      settings: names of the options that it knows, with the values where not all will do.
    """

    run: Callable[[pd.DataFrame, Contrast], list[Finding]]
    serves: tuple[str, ...]
    reads: str = "visit"
    adjusts: bool = False
    paired: bool = False
    settings: dict[str, tuple[str, ...]] = {}  # noqa: RUF012, never changed


STRATIFIED: dict[str, tuple[str, ...]] = {"stratified": ()}
TIMED: dict[str, tuple[str, ...]] = {"time_to": (), "from_week": ()}
ANY_VALUE = ("continuous", "count", "grade")

METHODS: dict[str, Method] = {
    "newcombe": Method(risk_difference, ("responder",)),
    "cochran_mantel_haenszel": Method(common_risk_difference, ("responder",), settings={"imputations": ()}),
    "miettinen_nurminen": Method(miettinen_nurminen, ("responder",), settings=STRATIFIED),
    "logistic": Method(logistic, ("responder",), adjusts=True, settings={"imputations": ()}),
    "g_computation": Method(
        g_computation, ("responder",), adjusts=True,
        settings={"variance": ("ye", "ge", "hc0", "hc3"), "imputations": ()},
    ),
    "ancova": Method(
        ancova, ("continuous",), adjusts=True,
        settings={"variance": ("HC3", "classical"), "imputations": (), "tipping": ()},
    ),
    "mmrm": Method(
        mmrm, ("continuous",), "visits", adjusts=True,
        settings={"structure": (), "degrees_of_freedom": (), "visits": ()},
    ),
    "negative_binomial": Method(
        graded.negative_binomial, ("count",), adjusts=True, settings={"variance": ("observed", "expected")}
    ),
    "proportional_odds": Method(graded.proportional_odds, ("grade",), adjusts=True),
    "van_elteren": Method(graded.van_elteren, ANY_VALUE, settings=STRATIFIED),
    "log_rank": Method(times.log_rank, ("responder",), "times", settings=STRATIFIED | TIMED),
    "cox": Method(times.cox, ("responder",), "times", adjusts=True, settings=STRATIFIED | TIMED | {"ties": ()}),
    "restricted_mean": Method(times.restricted_mean, ("responder",), "times", settings=TIMED),
    "kaplan_meier": Method(times.kaplan_meier, ("responder",), "times", settings=TIMED),
    "paired_t": Method(paired.paired_t, ("continuous",), adjusts=True, paired=True),
    "mcnemar": Method(paired.mcnemar, ("responder",), paired=True),
}  # fmt: skip
PAIRED = tuple(name for name, method in METHODS.items() if method.paired)
ADJUSTS = tuple(name for name, method in METHODS.items() if method.adjusts)
IMPUTES = tuple(name for name in METHODS if name in POOLED)
