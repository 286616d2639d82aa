"""What the calibrated model says of its parameters."""

import pandas as pd

from ...core.acne.treatments import PARAMETERS
from .. import estimates
from .calibrate import Calibrated


def parameters(calibrated: Calibrated) -> pd.DataFrame:
    """Estimates with their limits, and what was believed before."""
    return estimates.parameters(calibrated.vector, calibrated.fit, PARAMETERS, calibrated.priors, "")
