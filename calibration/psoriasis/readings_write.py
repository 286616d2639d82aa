"""Estimates of readings, written into the table of parameters line by line; all else in the file stays as it is."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from .readings_fit import SPREAD, Estimate

SOURCE = "arms2026"
PLAIN = ("kind", "sd", "cv", "value", "status", "source")


def rewritten(text: str, estimates: Iterable[Estimate]) -> str:
    """A parameter file with these estimates, their status and their standard errors.

    Args:
      text: groups of parameters, each parameter on one line.

    Raises:
      ValueError: an estimate has no line.
    """
    left = {estimate.name: estimate for estimate in estimates if estimate.name != SPREAD}
    lines, group = [], ""
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            group = line.split(":")[0]
        name = f"{group}.{line.split(':')[0].strip()}"
        mine = {part: left.pop(name + part) for part in ("", ":sd") if line.startswith("  ") and name + part in left}
        lines.append(_line(line, mine) if mine else line)
    if left:
        raise ValueError(f"no line of the file holds {', '.join(left)}")
    return "\n".join(lines) + "\n"


def _line(line: str, estimates: Mapping[str, Estimate]) -> str:
    key, entry = next(iter(yaml.safe_load(line).items()))
    said = []
    if "" in estimates:
        entry["value"] = _rounded(estimates[""].value)
        said.append(f"standard error {100 * estimates[''].relative:.0f} %")
    if ":sd" in estimates:
        entry["spread"]["sd"] = _rounded(estimates[":sd"].value)
        said.append(f"{'' if said else 'standard error '}of the spread {100 * estimates[':sd'].relative:.0f} %")
    elif entry.get("spread"):
        said.append("the spread is assumed")
    entry |= {"status": "calibrated", "source": SOURCE, "note": ", ".join(said)}
    return f"  {key}: {_flow(entry)}"


def _flow(entry: Mapping[str, Any]) -> str:
    def told(key: str, value: Any) -> str:
        if isinstance(value, Mapping):
            return _flow(value)
        return str(value) if key in PLAIN else json.dumps(value)

    return "{" + ", ".join(f"{key}: {told(key, value)}" for key, value in entry.items()) + "}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
