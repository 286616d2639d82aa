"""Comparisons of grades and of counts: proportional odds, van Elteren's rank test, negative binomial regression."""

import jax.numpy as jnp
import numpy as np
import pandas as pd

from . import design
from .means import mean
from .proportions import Contrast
from .result import Finding, joined
from .told import compared, of_arms, strata


def proportional_odds(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Ratio of the odds of a higher grade, given the covariates, and the mean grade of each arm."""
    from .methods import ordinal

    data, rows, note = design.read(table, contrast)
    settings = {
        "covariates": data.kinds,
        "interval": "Wald on the log odds ratio, observed information",
        "model": "proportional odds, maximum likelihood [McCullagh 1980, J R Stat Soc B 42:109]",
    }
    columns = design.assemble(data)
    found = _empty(rows, contrast) or ordinal.proportional_odds(
        data.outcome, data.arms[:, -1], columns.columns[:, 1 : columns.arm], level=contrast.level
    )
    return _both(table, rows, contrast, "proportional_odds", settings, "cumulative odds ratio", found, note, True)


def van_elteren(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Chance of a higher value less that of a lower one, rank tests of the strata together, and each arm's mean."""
    from .methods import ranks

    code, number, how = strata(table, contrast)
    settings = {
        "estimate": "chance that the arm's value is higher less that it is lower (Mann-Whitney), weighted as the test",
        "interval": "none: the standard error holds if the arms are equal",
        "strata": how,
        "test": "Wilcoxon rank sums weighted by 1 / (n + 1) [van Elteren 1960, Bull Inst Int Stat 37:351]",
    }
    one, two = of_arms(table, contrast)
    rows = table.loc[one | two]
    found = _empty(rows, contrast)
    if found is None:
        kept = one | two
        columns = (rows["value"].to_numpy(float), one[kept].astype(float), code[kept])
        test = ranks.van_elteren(*(jnp.asarray(column) for column in columns), strata=number)
        found = test._replace(estimate=2 * test.estimate - 1, se=2 * test.se)
    return _both(table, rows, contrast, "van_elteren", settings, "Mann-Whitney difference", found)


def negative_binomial(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Ratio of the mean counts given the covariates, and each arm's mean count.

    Raises:
      ValueError: a value that is not a count.
    """
    from .methods import counts

    data, rows, note = design.read(table, contrast)
    odd = data.outcome[(data.outcome < 0) | (data.outcome != np.round(data.outcome))]
    if odd.size:
        raise ValueError(f"negative_binomial needs counts, whole numbers from 0; got {odd[0]:g}")
    expected = contrast.options.variance == "expected"
    settings = {
        "covariates": data.kinds,
        "information": "expected, dispersion as known" if expected else "observed, of coefficients and dispersion",
        "interval": "Wald on the log ratio",
        "model": "negative binomial (NB2), maximum likelihood",
    }
    columns, found = design.assemble(data), _empty(rows, contrast)
    if found is None and columns.arm is None:
        found = _nothing("DETERMINED")
    if found is None:
        fit = counts.negative_binomial(columns.columns, data.outcome)
        place = np.eye(columns.columns.shape[1])[columns.arm]
        found = counts.combination(fit, place, not expected, contrast.level)
        note = joined(note, f"dispersion {fit.dispersion:.3g}" if np.isfinite(fit.dispersion) else "")
    return _both(table, rows, contrast, "negative_binomial", settings, "count ratio", found, note, True)


def _both(
    table: pd.DataFrame, rows: pd.DataFrame, contrast: Contrast, method: str, settings: dict, statistic: str,
    found, note: str = "", ratio: bool = False,
) -> list[Finding]:  # fmt: skip
    """The comparison, and the mean of each arm."""
    values = [rows["value"].to_numpy(float)[mask] for mask in of_arms(rows, contrast)]
    arms = table["arm"].to_numpy()
    lacking = [int(table["missing"].to_numpy(bool)[arms == arm].sum()) for arm in (contrast.arm, contrast.comparator)]
    first = compared(
        contrast, method, settings, statistic, found, (len(values[0]), len(values[1])), missing=sum(lacking), note=note,
        ratio=ratio,
    )  # fmt: skip
    named = zip((contrast.arm, contrast.comparator), values, lacking, strict=True)
    return [first, *(mean(arm, numbers, without, contrast.level) for arm, numbers, without in named)]


def _empty(rows: pd.DataFrame, contrast: Contrast):
    """A flagged estimate where an arm brings no value, else None."""
    return None if all(mask.any() for mask in of_arms(rows, contrast)) else _nothing("EMPTY_ARM")


def _nothing(flag: str):
    from .methods.estimate import Flag, nothing

    return nothing(Flag[flag])
