"""Marginal risk difference by g-computation on a logistic model."""

import numpy as np
import pandas as pd

from . import design
from .proportions import Contrast, empty, responders, share, tally
from .result import Finding, joined
from .told import compared

VARIANCES = {
    "ye": "robust to the model, covariates random [Ye et al. 2023, Stat Theory Relat Fields 7:159]",
    "ge": "delta method, covariates fixed [Ge et al. 2011, Drug Inf J 45:481]",
    "hc0": "delta method with the sandwich HC0, covariates fixed",
    "hc3": "delta method with the sandwich HC3, covariates fixed",
}


def settings(contrast: Contrast, kinds: dict[str, str]) -> dict[str, object]:
    """What the method did, for the options of a result."""
    return {
        "covariates": kinds,
        "estimand": "difference of the shares if everybody were in either arm (marginal)",
        "interval": "Wald",
        "model": "logistic, main effects, maximum likelihood",
        "variance": VARIANCES[contrast.options.variance or "ye"],
    }


def g_computation(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference of the shares of responders if everybody were in either arm, and the crude share of each arm."""
    from .methods.logistic import standardised_difference

    responders(table, "g_computation")
    data, rows, note = design.read(table, contrast)
    arms = (contrast.arm, contrast.comparator)
    counts = {arm: tally(rows, arm)._replace(missing=tally(table, arm).missing) for arm in arms}
    one, two = counts.values()
    found = standardised_difference(
        data.outcome, data.arms[:, -1], covariates(data), variance=contrast.options.variance or "ye",  # pyright: ignore[reportArgumentType]
        level=contrast.level,
    ) if len(data.outcome) else _nobody()  # fmt: skip
    lacking = "; ".join(empty(arm) for arm in arms if not counts[arm].n)
    difference = compared(
        contrast, "g_computation", settings(contrast, data.kinds), "standardised risk difference", found,
        (one.n, two.n), events=(one.events, two.events), missing=one.missing + two.missing, note=joined(note, lacking),
    )  # fmt: skip
    return [difference, *(share(arm, counts[arm], contrast.level) for arm in arms)]


def covariates(data: design.Data) -> np.ndarray | None:
    """Columns of the covariates that do not depend on each other, in units of their SD; None without any."""
    columns = design.assemble(data)
    last = columns.columns.shape[1] if columns.arm is None else columns.arm
    return columns.columns[:, 1:last] if last > 1 else None


def _nobody():
    from .methods.estimate import Flag, nothing

    return nothing(Flag.EMPTY_ARM)
