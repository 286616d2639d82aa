"""The data sets of the published values, and small helpers of the functions that compute them."""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
EVIDENCE = HERE.parents[1] / "shared" / "evidence" / "statistics"
OWN = HERE / "data" / "statistics"


def frame(name: str) -> pd.DataFrame:
    """A data set of the evidence folder; FileNotFoundError where that is not beside the repository."""
    return pd.read_csv(EVIDENCE / "datasets" / name)


def codes(column: pd.Series) -> np.ndarray:
    return pd.factorize(column, sort=True)[0]


def numbers(*columns) -> np.ndarray:
    return np.column_stack(columns).astype(float)


def ends(found, prefix: str) -> dict[str, float]:
    return {f"{prefix}_lower": float(found.low), f"{prefix}_upper": float(found.high)}
