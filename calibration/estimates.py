"""Estimates as a disease reads them (a table of parameters, and their covariance) and as the reports show them."""

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy.special import expit

from ..core.parameters import Parameter, Table
from .climb import Fit
from .scale import Prior, Vector

HEAD = """\
# Written by the calibration (`cutis calibrate {disease}`); not to be edited by hand. uncertainty: standard deviation of
# the estimate on its scale, and the one before the trials were seen (prior_sd). What the trials hardly tell has the
# status assumed.
"""
HARDLY = 0.9  # share of the prior's standard deviation above which the trials hardly told of a parameter


class Estimates(NamedTuple):
    """What a fit has found of a disease.

    numbers: all parameters by name, the estimates in their place, spreads as `name:sd`. known: the present table.
    derived: notes on parameters that follow from a fit by a formula, by name. source: key of the calibration.
    """

    disease: str
    vector: Vector
    fit: Fit
    numbers: Mapping[str, float]
    known: Table
    derived: Mapping[str, str]
    source: str


def estimated(file: Path) -> list[str]:
    """Names of the parameters of a table that the calibration writes."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [f"{group}.{leaf}" for group, leaves in content.items() for leaf in leaves]


def table_text(of: Estimates, names: Collection[str]) -> str:
    """The table of some parameters with the new estimates, one line a parameter."""
    groups: dict[str, list[str]] = {}
    told = _uncertainties(of)
    for name in names:
        group, leaf = name.split(".")
        groups.setdefault(group, []).append(line(leaf, _entry(of, name, of.known[name], told)))
    text = "".join(f"{group}:\n" + "\n".join(lines) + "\n" for group, lines in groups.items())
    return HEAD.format(disease=of.disease) + text


def covariance_text(vector: Vector, fit: Fit) -> str:
    """The covariance of the parameters on their scales, as a CSV file."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["parameter", "scale", *vector.labels])
    for name, scale, row in zip(vector.labels, vector.all_scales, fit.covariance, strict=False):
        out.writerow([name, scale, *(f"{number:.6e}" for number in row[: vector.size])])
    return text.getvalue()


def line(leaf: str, entry: Mapping[str, Any]) -> str:
    """A parameter of a table on one line; what is empty is left out."""

    def told(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
        return json.dumps(value, ensure_ascii=False)

    return f"  {leaf}: {{" + ", ".join(f"{key}: {told(value)}" for key, value in entry.items() if value != "") + "}"


def rounded(number: float) -> float:
    """A number as a table has it."""
    return float(f"{number:.5g}")


def parameters(vector: Vector, fit: Fit, known: Table, priors: Mapping[str, Prior], why: str) -> pd.DataFrame:
    """Estimates with 95 % limits, and how far the trials narrowed what was believed before.

    why: what is believed of those of the drugs, which have no prior of their own.
    """
    sd = np.sqrt(np.diag(fit.covariance))
    middle, before = fit.believed.all()
    rows = []
    for place, (name, scale) in enumerate(zip(vector.labels, vector.all_scales, strict=True)):
        back = np.exp if scale == "log" else expit
        at, spread = fit.vector[place], 1.96 * sd[place]
        parameter = known[name.removesuffix(":sd")]
        prior = priors.get(name)
        rows.append(
            {
                "name": name,
                "about": ("spread between people: " if name.endswith(":sd") else "") + parameter.about,
                "unit": "" if name.endswith(":sd") else parameter.unit,
                "estimate": float(back(at)),
                "low": float(back(at - spread)),
                "high": float(back(at + spread)),
                "prior_middle": float(back(middle[place])),
                "prior_sd": float(before[place]),
                "posterior_sd": float(sd[place]),
                "contraction": float(sd[place] / before[place]),
                "scale": scale,
                "why": prior.why if prior else why,
            }
        )
    return pd.DataFrame(rows)


def assumed(table: Table, unranked: Callable[[str], str]) -> pd.DataFrame:
    """Parameters that no data tell of.

    unranked: why a parameter has no place in the ranking of their importance; empty if it has one.
    """
    return pd.DataFrame(
        [
            {
                "name": name,
                "about": p.about,
                "value": p.value,
                "unit": p.unit,
                "source": table.sources[p.source].citation,
                "note": p.note,
                "unranked": unranked(name),
            }
            for name, p in table.items()
            if p.status == "assumed"
        ]
    )


def _uncertainties(of: Estimates) -> dict[str, dict[str, Any]]:
    sd = np.sqrt(np.diag(of.fit.covariance))
    _, before = of.fit.believed.all()
    return {
        name: {"scale": scale, "sd": round(float(s), 4), "prior_sd": round(float(b), 4)}
        for name, scale, s, b in zip(of.vector.labels, of.vector.all_scales, sd, before, strict=False)
    }


def _entry(of: Estimates, name: str, old: Parameter, told: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"about": old.about, "value": rounded(of.numbers[name]), "unit": old.unit}
    if old.spread is not None:
        entry["spread"] = {"kind": old.spread.kind, "sd": rounded(of.numbers[f"{name}:sd"])}
    found = {key: told[n] for key, n in (("uncertainty", name), ("spread_uncertainty", f"{name}:sd")) if n in told}
    known = any(u["sd"] < HARDLY * u["prior_sd"] for u in found.values())
    if known or name in of.derived:
        return entry | {"status": "calibrated", "source": of.source, "note": of.derived.get(name) or old.note} | found
    if found:
        note = "the trials hardly tell; close to the prior"
        return entry | {"status": "assumed", "source": of.source, "note": note} | found
    return entry | {"status": old.status, "source": old.source, "note": old.note}
