"""A calibration as the files that the disease reads: `calibrated.yaml` and `uncertainty.csv`."""

import re

import yaml

from ...core.psoriasis.treatments import HERE, PARAMETERS
from ..estimates import Estimates, covariance_text, estimated, line, rounded, table_text
from .calibrate import Calibrated
from .outside import Outside
from .readings_write import rewritten

SOURCE = "calibration2026"
UNTOLD = "without a standard error, at an end of what was searched or where the likelihood is flat"
ERRORS = rf"standard error of the logarithm [\d.]*\d(, of the SD's [\d.]*\d)?|{UNTOLD}"
DERIVED = {
    "sensitivity.weight": "odds ratio of PASI 90 0.99 a kg (Warren 2019), less what concentrations explain",
    "sensitivity.prior_biologic": "odds ratio of PASI 90 0.66, half of that in practice (0.44, Hjort 2024)",
    "sensitivity.smoker": "odds ratio of PASI 90 0.78 (Hjort 2024)",
    "sensitivity.female": "odds ratio of PASI 90 0.78 (Warren 2019)",
    "sensitivity.age": "odds ratio of PASI 90 0.99 a year (Hjort 2024)",
    **dict.fromkeys(("trial.effect", "trial.intraclass"), ""),
}


def files(calibrated: Calibrated, beside: Outside) -> dict[str, str]:
    """Text of each file by its name in `core/psoriasis`."""
    readings = (HERE / "parameters.yaml").read_text(encoding="utf-8")
    vector, fit = calibrated.vector, calibrated.fit
    found = Estimates("psoriasis", vector, fit, calibrated.numbers, PARAMETERS, DERIVED, SOURCE)
    return {
        "calibrated.yaml": table_text(found, estimated(HERE / "calibrated.yaml")),
        "uncertainty.csv": covariance_text(vector, fit),
        "parameters.yaml": rewritten(readings, calibrated.read.estimates),
        "outside.yaml": outside_text((HERE / "outside.yaml").read_text(encoding="utf-8"), beside),
    }


def outside_text(text: str, beside: Outside) -> str:
    """`outside.yaml` with the estimates of light, topical and triggers, one line a parameter.

    Raises:
      ValueError: an estimate has no parameter in the file.
    """
    content = yaml.safe_load(text)
    heads = {row.split(":")[0]: row for row in text.splitlines() if row and not row.startswith((" ", "#"))}
    left = dict(beside.values)
    out = [row for row in text.splitlines()[:1] if row.startswith("#")]
    for group, leaves in content.items():
        out += ["", heads[group]]
        for leaf, entry in leaves.items():
            name = f"{group}.{leaf}"
            told = [key for key in (name, f"{name}:sd") if key in left]
            if name in told:
                entry["value"] = rounded(left.pop(name))
            if f"{name}:sd" in told:
                entry["spread"]["sd"] = rounded(left.pop(f"{name}:sd"))
            if told:
                entry["note"] = _with_errors(entry.get("note", ""), [beside.errors.get(key) for key in told])
            out.append(line(leaf, entry))
    if left:
        raise ValueError(f"outside.yaml: no parameter {', '.join(left)}")
    return "\n".join(out) + "\n"


def _with_errors(note: str, errors: list[float | None]) -> str:
    """A note with its standard errors replaced by new ones."""
    told = [f"{error:.2g}" for error in errors if error is not None]
    said = "standard error of the logarithm " + ", of the SD's ".join(told) if told else UNTOLD
    return re.sub(ERRORS, said, note)
