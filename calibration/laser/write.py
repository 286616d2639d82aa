"""A calibration as the files that the lasers read: `calibrated.yaml` and `uncertainty.csv`."""

from dataclasses import replace

from ...core.laser.calibrated import FILE, TABLE
from ...core.parameters import Table
from ..estimates import Estimates, covariance_text, estimated, table_text
from .calibrate import Calibrated

SOURCE = "calibration2026"


def files(calibrated: Calibrated) -> dict[str, str]:
    """Text of each file by its name in `core/laser`."""
    vector, fit = calibrated.vector, calibrated.fit
    known = Table({name: replace(p, note="") if name in vector.labels else p for name, p in TABLE.items()}, {})
    found = Estimates("laser", vector, fit, calibrated.numbers, known, {}, SOURCE)
    return {
        FILE.name: table_text(found, estimated(FILE)),
        "uncertainty.csv": covariance_text(vector, fit),
    }
