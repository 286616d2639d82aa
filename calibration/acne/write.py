"""A calibration as the files that the disease reads: `calibrated.yaml` and `uncertainty.csv`."""

from collections.abc import Mapping
from dataclasses import replace

from ...core.acne.treatments import HERE, PARAMETERS
from ...core.parameters import Table
from ..estimates import Estimates, covariance_text, estimated, table_text
from .calibrate import SPREADS, Calibrated

SOURCE = "calibration2026"
DERIVED = dict.fromkeys((name.removesuffix(":sd") for name in SPREADS.values()), "estimated with the parameters")


def files(calibrated: Calibrated, notes: Mapping[str, str]) -> dict[str, str]:
    """Text of each file by its name in `core/acne`; notes: on parameters that were estimated by themselves."""
    vector, fit = calibrated.vector, calibrated.fit
    estimates = {name.removesuffix(":sd") for name in vector.labels}
    known = Table({name: replace(p, note="") if name in estimates else p for name, p in PARAMETERS.items()}, {})
    found = Estimates("acne", vector, fit, calibrated.numbers, known, DERIVED | dict(notes), SOURCE)
    return {
        "calibrated.yaml": table_text(found, estimated(HERE / "calibrated.yaml")),
        "uncertainty.csv": covariance_text(vector, fit),
    }
