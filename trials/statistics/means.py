"""The mean of a continuous outcome in one arm, with limits by the t distribution."""

import math

import numpy as np

from .result import Finding


def mean(arm: str, values: np.ndarray, missing: int, level: float) -> Finding:
    """The mean of the twins of an arm that have a value, (twins,)."""
    from scipy.stats import t

    n = len(values)
    average, se, half = (float(values.mean()) if n else math.nan), math.nan, math.nan
    if n > 1 and np.ptp(values) > 0:
        se = float(values.std(ddof=1)) / math.sqrt(n)
        half = float(t.isf((1 - level) / 2, n - 1)) * se
    note = "" if n > 1 and se > 0 else f"no interval: {n} twins with a value, or none that differ"
    return Finding(
        arm, "", "mean", {"interval": "t"}, "mean", average, average - half, average + half, n,
        se=se, missing=missing, engine="cutis", note=note,
    )  # fmt: skip
