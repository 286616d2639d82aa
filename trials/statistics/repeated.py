"""The model for repeated measures as an analysis: the difference and each arm's adjusted mean at one visit."""

from typing import Any

import numpy as np
import pandas as pd

from .proportions import Contrast
from .result import Finding, joined
from .told import compared, numbers, of_arms

VALUES = "value"


def mmrm(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference in adjusted means at the last week of the table, and each arm's adjusted mean there.

    Args:
      table: as `dataset.over_visits`. Covariates measured at baseline have an effect of their own at each visit.

    Where the data do not tell the model (an arm without values, a covariance that is singular) all is NaN, with a note.
    """
    structure = contrast.options.structure or "unstructured"
    method = contrast.options.degrees_of_freedom or "satterthwaite"
    weeks = sorted(table["week"].unique())
    settings = {
        "adjusted_means": "numbers at their mean over the observations, levels of factors alike",
        "covariance": structure,
        "covariates": sorted(n for n in contrast.covariates if not by_visit(n)),
        "covariates_by_visit": sorted(filter(by_visit, contrast.covariates)),
        "degrees_of_freedom": method,
        "estimation": "restricted maximum likelihood",
        "visits": [int(week) for week in weeks],
    }
    last = table.loc[table["week"] == weeks[-1]]
    found, note = _fitted(table, contrast, structure, method, str(weeks[-1]))
    sizes = [int(mask.sum()) for mask in of_arms(last, contrast)]
    arms = last["arm"].to_numpy()
    absent = [int(last["missing"].to_numpy(bool)[arms == arm].sum()) for arm in (contrast.arm, contrast.comparator)]
    difference = compared(
        contrast, "mmrm", settings, "difference in adjusted means", found[0], (sizes[0], sizes[1]),
        missing=sum(absent), note=joined(_freedom(found[0]), note),
    )  # fmt: skip
    means = [
        Finding(
            arm, "", "mmrm", settings, "adjusted mean", n=size, missing=lacking, engine="cutis",
            **numbers(one._replace(p=np.nan)), note=joined(_freedom(one), note if np.isnan(one.estimate) else ""),
        )
        for arm, size, lacking, one in zip((contrast.arm, contrast.comparator), sizes, absent, found[1:], strict=True)
    ]  # fmt: skip
    return [difference, *means]


def by_visit(covariate: str) -> bool:
    """Whether a covariate's effect differs between visits: what is measured at baseline loses hold with time."""
    return covariate.startswith("baseline_")


def model(contrast: Contrast, weeks: tuple[str, ...]) -> Any:
    """Terms of the model for two arms, the comparator the reference."""
    from .mmrm.model import Model

    covariates = tuple(name for name in contrast.covariates if not by_visit(name))
    of_visits = tuple(filter(by_visit, contrast.covariates))
    arms = (contrast.comparator, contrast.arm)
    return Model(VALUES, "twin", "week", "arm", covariates, of_visits, visits=weeks, arms=arms)


def _fitted(table: pd.DataFrame, contrast: Contrast, structure: str, method: str, last: str) -> tuple[list, str]:
    """Difference, mean of the arm, mean of the comparator; and what was left out, or why there is nothing."""
    from .mmrm.fit import fit
    from .mmrm.inference import estimate
    from .mmrm.means import contrasts
    from .mmrm.model import lay

    wanted = list(contrast.covariates)
    lacking = table.loc[table[VALUES].notna() & table[wanted].isna().any(axis=1), "twin"].nunique() if wanted else 0
    note = f"twins left out for lack of a covariate: {lacking}" if lacking else ""
    try:
        laid = lay(table, model(contrast, tuple(str(week) for week in sorted(table["week"].unique()))))
        fitted = fit(laid.panel, structure)
    except ValueError as error:  # what the data do not tell is no fault of the study
        return [_nothing()] * 3, joined(note, f"no estimate: {error}")
    of = contrasts(laid)
    one, two = of(contrast.arm, last), of(contrast.comparator, last)
    found = [
        estimate(laid.panel, fitted, vector, method=method, level=contrast.level) for vector in (one - two, one, two)
    ]
    return found, note


def _freedom(found: Any) -> str:
    return f"degrees of freedom {found.df:.1f}" if np.isfinite(found.df) else ""


def _nothing() -> Any:
    from .mmrm.inference import Estimate

    nan = float("nan")
    return Estimate("", nan, nan, nan, nan, nan, nan, nan)
