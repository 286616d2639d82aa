"""From the user's words, or a file, to a valid sweep; every mistake is named before any work starts.

A sweep is plain data, ours as well as anybody's: no tags, no interpolation, nothing that runs.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from ...cluster.settings import Cluster
from ...population.messages import explain, nearest
from ...population.plain import read_mapping
from ..compose import options
from ..errors import BadInput
from .plan import Sweep

CONF = Path(__file__).parent.parent.parent / "conf" / "sweep"
BESIDE_A_FILE = ("seed", "size", "population.size", "draws")  # of the plan, what may still be said beside --study
PLACES = ("sweep", "out", "cluster", "workers", "address")


class Asked(NamedTuple):
    """A sweep that is asked for, and where it is made and kept."""

    plan: Sweep
    out: Path
    cluster: Cluster


def asked(words: Sequence[str], file: Path | None) -> Asked:
    """Read `sweep=laser/hair_755 population.size=600 grid.fluence=[10,20] out=FOLDER cluster=local workers=2`.

    Raises:
      BadInput: what is wrong, one line a mistake.
    """
    told = _pairs(words)
    places = {key: told.pop(key) for key in PLACES if key in told}
    if "size" in told:
        told["population.size"] = told.pop("size")
    if file is not None:
        wrong = sorted({"sweep"} & set(places)) + [key for key in told if key not in BESIDE_A_FILE]
        if wrong:
            allowed = ", ".join((*BESIDE_A_FILE, *PLACES[1:]))
            raise BadInput(f"{', '.join(wrong)}: beside --study only {allowed} can be given; change {file} instead")
        where, data = str(file), _mapping(file)
    else:
        name = places.pop("sweep", None)
        if name is None:
            raise BadInput(f"sweep is missing; choose sweep=… from {', '.join(options('sweep'))}, or give --study FILE")
        if name not in options("sweep"):
            raise BadInput(f"sweep={name}: no such sweep; {nearest(str(name), options('sweep'))}")
        where, data = f"conf/sweep/{name}.yaml", _mapping(CONF / f"{name}.yaml")
    origins: dict[str, str] = dict.fromkeys(Sweep.model_fields, where)
    for key, value in told.items():
        _put(data, key, value)
        origins[key] = "command line"
    plan = valid(data, origins | {"": where})
    cluster = _cluster(places)
    out = places.get("out")
    if out is not None and (not isinstance(out, str) or not out.strip()):
        raise BadInput(f"out: expected a folder, got {out!r}")
    folder = Path(out) if out else Path("sweeps") / f"{plan.device}-{plan.fingerprint()[:8]}"
    return Asked(plan, folder, cluster)


def valid(data: Mapping[str, Any], origins: Mapping[str, str]) -> Sweep:
    """The plan that plain data describe.

    Raises:
      BadInput: what is wrong, one line a mistake.
    """
    try:
        return Sweep.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise BadInput("\n".join(explain(error, Sweep, data, origins))) from None


def _mapping(file: Path) -> dict[str, Any]:
    try:
        return read_mapping(file, "a sweep")
    except ValueError as error:
        raise BadInput(str(error)) from None


def _pairs(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise BadInput(f"{word}: expected key=value, such as population.size=600")
        if key in found:
            raise BadInput(f"{key}: given twice")
        try:
            found[key] = yaml.safe_load(text) if text else ""
        except yaml.YAMLError:
            raise BadInput(f"{word}: the value is not readable; write lists as {key}=[10,20]") from None
    return found


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set what a dotted key names; the schema refuses what does not belong there."""
    *path, last = key.split(".")
    at = data
    for part in path:
        inner = at.get(part)
        at[part] = dict(inner) if isinstance(inner, dict) else {}
        at = at[part]
    at[last] = value


def _cluster(places: Mapping[str, Any]) -> Cluster:
    named = {"cluster": "kind", "workers": "workers", "address": "address"}
    told = {"kind": "local"} | {named[key]: value for key, value in places.items() if key in named}
    try:
        return Cluster.model_validate(told)
    except ValidationError as error:
        origins = dict.fromkeys(Cluster.model_fields, "command line")
        raise BadInput("\n".join(explain(error, Cluster, told, origins))) from None
