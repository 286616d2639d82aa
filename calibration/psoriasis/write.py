"""A calibration as the files that the disease reads: `calibrated.yaml` and `uncertainty.csv`."""

import csv
import io
import json
import re
from typing import Any

import numpy as np
import yaml

from ...core.parameters import Parameter
from ...core.psoriasis.treatments import HERE, PARAMETERS
from .calibrate import Calibrated
from .outside import Outside
from .readings_write import rewritten

HEAD = """\
# Written by the calibration (`cutis calibrate psoriasis`); not to be edited by hand. uncertainty: standard deviation of
# the estimate on its scale, and the one before the trials were seen (prior_sd). What the trials hardly tell has the
# status assumed.
"""
SOURCE = "calibration2026"
ERRORS = r"standard error of the logarithm [\d.]*\d(, of the SD's [\d.]*\d)?"
HARDLY = 0.9  # share of the prior's standard deviation above which the trials hardly told of a parameter
COVARIATES = {
    "sensitivity.weight": "odds ratio of PASI 90 0.99 a kg (Warren 2019), less what concentrations explain",
    "sensitivity.prior_biologic": "odds ratio of PASI 90 0.66, half of that in practice (0.44, Hjort 2024)",
    "sensitivity.smoker": "odds ratio of PASI 90 0.78 (Hjort 2024)",
    "sensitivity.female": "odds ratio of PASI 90 0.78 (Warren 2019)",
    "sensitivity.age": "odds ratio of PASI 90 0.99 a year (Hjort 2024)",
}


def files(calibrated: Calibrated, beside: Outside) -> dict[str, str]:
    """Text of each file by its name in `core/psoriasis`."""
    readings = (HERE / "parameters.yaml").read_text(encoding="utf-8")
    return {
        "calibrated.yaml": _table(calibrated),
        "uncertainty.csv": _covariance(calibrated),
        "parameters.yaml": rewritten(readings, calibrated.read.estimates),
        "outside.yaml": outside_text((HERE / "outside.yaml").read_text(encoding="utf-8"), beside),
    }


def outside_text(text: str, beside: Outside) -> str:
    """`outside.yaml` with the estimates of light, topical and triggers, one line a parameter.

    Raises:
      ValueError: an estimate has no parameter in the file.
    """
    content = yaml.safe_load(text)
    heads = {line.split(":")[0]: line for line in text.splitlines() if line and not line.startswith((" ", "#"))}
    left = dict(beside.values)
    out = [line for line in text.splitlines()[:1] if line.startswith("#")]
    for group, leaves in content.items():
        out += ["", heads[group]]
        for leaf, entry in leaves.items():
            name = f"{group}.{leaf}"
            told = [key for key in (name, f"{name}:sd") if key in left]
            if name in told:
                entry["value"] = _rounded(left.pop(name))
            if f"{name}:sd" in told:
                entry["spread"]["sd"] = _rounded(left.pop(f"{name}:sd"))
            if told:
                entry["note"] = _with_errors(entry.get("note", ""), [beside.errors.get(key) for key in told])
            out.append(f"  {leaf}: {_flow(entry)}")
    if left:
        raise ValueError(f"outside.yaml: no parameter {', '.join(left)}")
    return "\n".join(out) + "\n"


def _with_errors(note: str, errors: list[float | None]) -> str:
    """A note with its standard errors replaced by new ones."""
    told = [f"{error:.2g}" for error in errors if error is not None]
    if not told:
        return note
    return re.sub(ERRORS, "standard error of the logarithm " + ", of the SD's ".join(told), note)


def _table(calibrated: Calibrated) -> str:
    """All parameters that the present table has from the same file, with the new estimates."""
    groups: dict[str, list[str]] = {}
    known = _uncertainties(calibrated)
    for name in estimated():
        group, leaf = name.split(".")
        entry = _entry(name, PARAMETERS[name], calibrated.numbers, known)
        groups.setdefault(group, []).append(f"  {leaf}: {_flow(entry)}")
    return HEAD + "".join(f"{group}:\n" + "\n".join(lines) + "\n" for group, lines in groups.items())


def estimated() -> list[str]:
    """Names of the parameters of `calibrated.yaml`."""
    content = yaml.safe_load((HERE / "calibrated.yaml").read_text(encoding="utf-8"))
    return [f"{group}.{leaf}" for group, leaves in content.items() for leaf in leaves]


def _uncertainties(calibrated: Calibrated) -> dict[str, dict[str, Any]]:
    sd = np.sqrt(np.diag(calibrated.fit.covariance))
    _, before = calibrated.fit.believed.all()
    vector = calibrated.vector
    scales = (*vector.scales, *("log" for _ in vector.drugs))
    return {
        name: {"scale": scale, "sd": round(float(s), 4), "prior_sd": round(float(b), 4)}
        for name, scale, s, b in zip(vector.labels, scales, sd, before, strict=False)
    }


def _entry(name: str, old: Parameter, numbers: dict[str, float], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"about": old.about, "value": _rounded(numbers[name]), "unit": old.unit}
    if old.spread is not None:
        entry["spread"] = {"kind": old.spread.kind, "sd": _rounded(numbers[f"{name}:sd"])}
    found = {key: known[n] for key, n in (("uncertainty", name), ("spread_uncertainty", f"{name}:sd")) if n in known}
    told = [u["sd"] < HARDLY * u["prior_sd"] for u in found.values()]
    by_formula = name in COVARIATES or name in ("trial.effect", "trial.intraclass")
    if any(told) or by_formula:
        return entry | {"status": "calibrated", "source": SOURCE, "note": COVARIATES.get(name, old.note)} | found
    if found:
        return (
            entry
            | {"status": "assumed", "source": SOURCE, "note": "the trials hardly tell; close to the prior"}
            | found
        )
    return entry | {"status": old.status, "source": old.source, "note": old.note}


def _rounded(number: float) -> float:
    return float(f"{number:.5g}")


def _flow(entry: dict[str, Any]) -> str:
    def told(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
        return json.dumps(value, ensure_ascii=False)

    return "{" + ", ".join(f"{key}: {told(value)}" for key, value in entry.items() if value != "") + "}"


def _covariance(calibrated: Calibrated) -> str:
    vector = calibrated.vector
    scales = (*vector.scales, *("log" for _ in vector.drugs))
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["parameter", "scale", *vector.labels])
    for name, scale, row in zip(vector.labels, scales, calibrated.fit.covariance, strict=False):
        out.writerow([name, scale, *(f"{number:.6e}" for number in row[: vector.size])])
    return text.getvalue()
