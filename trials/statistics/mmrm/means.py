"""Adjusted (least-squares) means by arm and visit, and their differences."""

from collections.abc import Callable

import numpy as np

from .fit import Fit
from .inference import Estimate, estimate
from .model import Laid
from .robust import Sandwich

WEIGHTS = ("equal", "observed")


def at_covariates(laid: Laid, weights: str = "equal") -> dict[str, np.ndarray]:
    """Where adjusted means stand: numbers at their mean over the observations, factors by `weights`.

    `equal`: all levels count alike, as LSMEANS of SAS; `observed`: as often as they are among the observations.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"no weights {weights!r} of factors; choose from {', '.join(WEIGHTS)}")
    seen = laid.panel.seen
    return {
        term.name: np.full(len(term.columns), 1 / (len(term.columns) + 1))
        if term.factor and weights == "equal"
        else term.values[seen].mean(axis=0)
        for term in laid.terms
    }


def contrasts(laid: Laid, weights: str = "equal") -> Callable[[str, str], np.ndarray]:
    """A function of an arm and a visit that gives the contrast of their adjusted mean."""
    where = at_covariates(laid, weights)

    def of(arm: str, visit: str) -> np.ndarray:
        for name, names, what in ((arm, laid.arms, "arm"), (visit, laid.panel.visits, "visit")):
            if name not in names:
                raise ValueError(f"no {what} {name!r}; choose from {', '.join(names)}")
        return laid.row(laid.arms.index(arm), laid.panel.visits.index(visit), where)

    return of


def adjusted_means(
    laid: Laid, fitted: Fit, *, weights: str = "equal", method: str = "satterthwaite", level: float = 0.95,
    sandwich: Sandwich | None = None,
) -> list[Estimate]:  # fmt: skip
    """The adjusted mean of each arm at each visit, named `ARM at VISIT`."""
    of = contrasts(laid, weights)
    return [
        estimate(laid.panel, fitted, of(a, v), f"{a} at {v}", method=method, level=level, sandwich=sandwich)
        for a in laid.arms
        for v in laid.panel.visits
    ]


def differences(
    laid: Laid, fitted: Fit, *, method: str = "satterthwaite", level: float = 0.95, null: float = 0.0,
    sandwich: Sandwich | None = None,
) -> list[Estimate]:  # fmt: skip
    """Each arm less the reference (the first arm) at each visit, named `ARM - REFERENCE at VISIT`."""
    of, reference = contrasts(laid), laid.arms[0]
    return [
        estimate(
            laid.panel,
            fitted,
            of(a, v) - of(reference, v),
            f"{a} - {reference} at {v}",
            method=method,
            level=level,
            null=null,
            sandwich=sandwich,
        )
        for a in laid.arms[1:]
        for v in laid.panel.visits
    ]
