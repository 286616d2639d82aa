"""`cutis population fit`: a fitted population in a folder of its own.

FITTED/
  population.parquet   the model: one row a cell, with its tables; what `cutis population sample FITTED` draws from
  plan.yaml            the plan as it was given
  fit.json             gates, risks, notes and limits as numbers
  report.html          the same for a reader, with pictures; opens offline
  manifest.json        seed, versions, digest of the table of people, digests of the files; written last
"""

import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..cluster import store
from ..population.fitting import pipeline
from ..population.fitting.columns import TableError
from ..population.fitting.model import encode
from ..population.fitting.plan import PlanError, read_plan
from ..population.fitting.table import read
from ..population.privacy.assess import refuse
from ..population.quality.assess import Quality
from .errors import BadInput, Unfinished

MODEL, PLAN, FOUND, REPORT, MANIFEST = "population.parquet", "plan.yaml", "fit.json", "report.html", "manifest.json"


def fit(plan_file: Path, data_file: Path, out: Path, seed: int, tell: Callable[[str], None]) -> list[str]:
    """Fit, judge and keep a population; what to tell the user.

    Raises:
      BadInput: the plan, the table or the folder cannot be used.
      Unfinished: the model gives away people of the table, or cannot be shown not to; nothing is kept.
    """
    _check(out)
    try:
        plan = read_plan(plan_file)
    except PlanError as error:
        raise BadInput(str(error)) from None
    try:
        tell(f"{data_file}: reading")
        reading = read(plan, data_file)
        for note in reading.notes:
            tell(note)
        found = pipeline.fitted(plan, reading, seed, tell)
    except TableError as error:
        raise BadInput(str(error)) from None
    except PlanError as error:  # the plan is well-formed, but does not suit the table
        raise BadInput("\n".join(f"{plan_file}: {line}" for line in str(error).splitlines())) from None
    except ValueError as error:  # too few people for a test
        raise BadInput(f"{data_file}: {error}") from None
    if found.found.privacy is not None:
        try:
            refuse(found.found.privacy)
        except ValueError as error:
            raise Unfinished(f"{data_file}: {error}") from None
    _keep(found, plan_file, data_file, out, seed)
    failed = [gate for gate in found.found.final.gates if not gate.passed]
    failed += [gate for split in found.found.splits for gate in split.gates if not gate.passed]
    lines = [f"{found.found.people:,} people, {len(found.model.people)} cells: {out / MODEL}"]
    for gate in {gate.name: gate for gate in failed}.values():
        said = f"warning: {gate.about}: {gate.value:.3g}, beyond its limit of {gate.limit:.3g}"
        lines.append(f"{said}; two halves of the people reach {gate.floor:.3g}")
    return [*lines, f"report: {out / REPORT}"]


def _check(out: Path) -> None:
    """Refuse a folder that could not be filled, before the minutes that a fit takes."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"out={out}: something is there already; name a new folder")
    nearest = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise BadInput(f"out={out}: the folder cannot be written, since {nearest} cannot")


def _keep(fitted: pipeline.Fitted, plan_file: Path, data_file: Path, out: Path, seed: int) -> None:
    from .report.population import build  # deferred: imports matplotlib

    made = {"cutis": version("cutis"), "seed": str(seed), "people_sha256": _digest(data_file)}
    files = {
        MODEL: encode(fitted.model, made),
        PLAN: plan_file.read_bytes(),
        FOUND: _text(_numbers(fitted)),
        REPORT: build(fitted.found).encode(),
    }
    digests = {name: store.write(out / name, content) for name, content in files.items()}
    store.write(out / MANIFEST, _text({"population": fitted.found.name, **made, "files": digests}))


def _numbers(fitted: pipeline.Fitted) -> dict[str, Any]:
    found = fitted.found
    return {
        "name": found.name,
        "people": found.people,
        "effective": found.effective,
        "splits": [_gates(split) for split in found.splits],
        "final": _gates(found.final),
        "privacy": [risk._asdict() for risk in found.privacy.risks] if found.privacy else [],
        "privacy_left_out": found.privacy.left_out if found.privacy else {},
        "notes": found.notes,
        "limits": found.limits,
    }


def _gates(quality: Quality) -> dict[str, Any]:
    return {gate.name: gate._asdict() for gate in quality.gates}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _text(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, default=float) + "\n").encode()
