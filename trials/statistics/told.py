"""From an estimate of a method to a row of the results: the number on its scale, and its flag in words."""

import math
from typing import Any

import numpy as np
import pandas as pd

from .proportions import Contrast
from .result import Finding, joined


def compared(
    contrast: Contrast, method: str, settings: dict[str, Any], statistic: str, found: Any, n: tuple[int, int],
    *, events: tuple[int, int] = (0, 0), missing: int = 0, note: str = "", ratio: bool = False,
) -> Finding:  # fmt: skip
    """The row of a comparison.

    Args:
      found: a `methods.estimate.Estimate`; with ratio True it is on the log scale, and its limits become ratios.
      n, events: of the arm and of the comparator.
    """
    return Finding(
        contrast.arm, contrast.comparator, method, settings, statistic, n=n[0], n_comparator=n[1],
        events=events[0], events_comparator=events[1], missing=missing, engine="cutis",
        **numbers(found, ratio), note=joined(note, reason(found)),
    )  # fmt: skip


def numbers(found: Any, ratio: bool = False) -> dict[str, Any]:
    """Estimate, limits, standard error and p of a row; without an estimate there is no p either."""
    estimate, low, high = (float(np.exp(x)) if ratio else float(x) for x in (found.estimate, found.low, found.high))
    p = math.nan if math.isnan(estimate) else float(found.p)
    return {"estimate": estimate, "low": low, "high": high, "se": float(found.se), "p": p}


def reason(found: Any) -> str:
    """What is the matter with an estimate, in words; empty if all is well."""
    from .methods.estimate import says

    words = found.flag if isinstance(found.flag, str) else says(found.flag)
    if not words:
        return ""
    return f"no estimate: {words}" if math.isnan(float(found.estimate)) else words


def of_arms(table: pd.DataFrame, contrast: Contrast) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the rows with a value, of the arm and of the comparator."""
    valued = table["value"].notna().to_numpy()
    arm = table["arm"].to_numpy()
    return valued & (arm == contrast.arm), valued & (arm == contrast.comparator)


def strata(table: pd.DataFrame, contrast: Contrast) -> tuple[np.ndarray, int, str]:
    """Number of each row's stratum of randomisation, how many strata there are, and what was done, in words."""
    if contrast.options.stratified is False:
        return np.zeros(len(table), int), 1, "none"
    code, names = pd.factorize(table["stratum"], sort=True, use_na_sentinel=False)
    return code, max(len(names), 1), "strata of randomisation"
