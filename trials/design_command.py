"""`cutis design`: what a design would achieve, in the terminal and in a folder of its own."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cluster import platform, store
from . import bundle
from .compose import Job, read_study
from .errors import BadInput
from .operating.settings import Design, problems
from .study import Study, plain

if TYPE_CHECKING:
    from .operating.run import Outcome

PLAN = "design.yaml"


def checked(task: Job) -> tuple[Study, Design]:
    """The study and the design of a job.

    Raises:
      BadInput: everything that makes the design impossible, one line each.
    """
    study, design = task.study(), task.design
    if wrong := problems(study, design):
        raise BadInput("\n".join(wrong))
    return study, design


def resolved(study: Study, design: Design) -> dict[str, Any]:
    """Study and design as nested built-in types. Which replicate is written out changes no figure and is left out."""
    asked = design.model_dump(mode="json", exclude_defaults=True, exclude={"replay"})
    return plain(study) | ({"design": asked} if asked else {})


def fingerprint(study: Study, design: Design) -> str:
    """SHA-256 of study and design."""
    return hashlib.sha256(json.dumps(resolved(study, design), separators=(",", ":")).encode()).hexdigest()


def destination(task: Job, study: Study, design: Design) -> Path:
    """The folder: what was asked for, or one named after the trial's arms and the fingerprint."""
    if task.out is not None:
        if not task.out.strip():
            raise BadInput("out: expected a folder, got an empty name")
        return Path(task.out)
    named = "-".join((study.trial.disease, *study.trial.arms, fingerprint(study, design)[:8]))
    return Path("designs") / named


def carry_out(task: Job, study: Study, design: Design, folder: Path, resume: bool) -> Iterator[str]:
    """Do what is not done yet; yield the lines of the answer.

    Raises:
      BadInput: the folder belongs to something else, hardly anyone is eligible, or the power is out of reach.
    """
    state = examine(folder, study, design, resume)
    if state != "complete":
        with claimed(folder, study, design, resume):
            _make(task, study, design, folder)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    yield from _lines(results)
    if design.replay is not None:
        yield from _replay(task, study, design, folder)
    yield f"report: {folder / 'report.html'}"


def examine(folder: Path, study: Study, design: Design, resume: bool) -> str:
    """What a folder is to a design: `new`, `unfinished` or `complete`. Touches nothing.

    Raises:
      BadInput: the folder belongs to something else, or holds this design unfinished and `resume` was not asked for.
    """

    def other() -> str:
        there = read_study(folder / PLAN)
        return "" if there == resolved(study, design) else "another design"

    return bundle.examined(folder, PLAN, other, "this design is there, unfinished", resume)


@contextmanager
def claimed(folder: Path, study: Study, design: Design, resume: bool) -> Iterator[None]:
    """Hold the folder for a design; nobody else writes there meanwhile."""
    with bundle.held(folder, PLAN, resolved(study, design), lambda: examine(folder, study, design, resume)):
        yield


def _make(task: Job, study: Study, design: Design, folder: Path) -> None:
    from .operating import results
    from .operating.report import build
    from .operating.run import carry_out as simulate

    try:
        outcome: Outcome = simulate(study, design, task.cluster, folder)
    except ValueError as error:
        raise BadInput(f"design: {error}") from None
    results.write(folder, design, outcome)
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    identity = {"fingerprint": fingerprint(study, design), "seed": study.seed} | platform.describe()["versions"]
    store.write(folder / "report.html", build(study, found, identity).encode())
    files = {
        name: {"sha256": store.digest(folder / name), "bytes": (folder / name).stat().st_size}
        for name in bundle.files(folder)
    }
    bundle.seal(folder, {"status": "complete", "files": files} | identity)


def _lines(results: dict[str, Any]) -> Iterator[str]:
    from .operating.tables import candidates, doses, power, sentences, shared, together

    yield results["title"]
    yield from sentences(results)
    yield from _table(*power(results))
    if results["design"].get("dose_finding"):
        yield from _table(*candidates(results))
        yield from _table(*doses(results))
    if together(results):
        yield from _table(*shared(results))


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        yield "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _replay(task: Job, study: Study, design: Design, folder: Path) -> Iterator[str]:
    from .operating.replaying import write

    yield from write(study, design, task.cluster, folder)
