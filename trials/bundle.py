"""A run on disk: what lies where, and how its parts are read back.

RUN/
  study.yaml                        the resolved study
  twins/ observations/ events/      one Parquet file a shard each
  results.parquet results.json      one row a statistic
  report.html                       opens offline
  log.jsonl                         what happened when
  shards/                           which shards are finished, with checksums
  manifest.json manifest.sha256     written last: a run is complete when they are there
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..cluster import stop, store
from .compose import read_study
from .errors import BadInput, Unfinished
from .study import Study, plain

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("twins", "observations", "events")
IGNORED = (".lock",)


def examine(folder: Path, study: Study, resume: bool) -> str:
    """What a folder is to a study: `new` (nothing is there yet), `unfinished`, or `complete`. Touches nothing.

    Raises:
      BadInput: the folder belongs to something else, or holds an unfinished run and `resume` was not asked for.
    """

    def other() -> str:
        return "" if stored_study(folder).fingerprint() == study.fingerprint() else "a run of another study"

    return examined(folder, "study.yaml", other, "an unfinished run of this study is there", resume)


def examined(folder: Path, plan: str, other: Callable[[], str], unfinished: str, resume: bool) -> str:
    """What a folder is to work whose plan lies in the file `plan` there: `new`, `unfinished`, or `complete`.

    Args:
      other: says what the folder holds instead, or nothing if it is this work.
      unfinished: words for the work being there, begun but not finished.

    Raises:
      BadInput: the folder belongs to something else, or the work is unfinished and `resume` was not asked for.
    """
    try:
        entries = sorted(p.name for p in folder.iterdir() if p.name not in IGNORED) if folder.exists() else []
    except OSError as error:
        raise BadInput(f"out={folder}: the folder cannot be read: {error.strerror}") from None
    if not entries:
        return "new"
    if plan not in entries:
        raise BadInput(
            f"out={folder}: the folder holds other files ({', '.join(entries[:3])}); choose a new or empty one"
        )
    if theirs := other():
        raise BadInput(f"out={folder}: the folder holds {theirs}; choose another folder")
    if "manifest.json" in entries:
        return "complete"
    if not resume:
        raise BadInput(f"out={folder}: {unfinished}; add --resume to finish it")
    return "unfinished"


@contextmanager
def held(folder: Path, plan: str, content: dict[str, Any], state: Callable[[], str]) -> Iterator[bool]:
    """Hold a folder for a piece of work, whose plan is written into a new one; whether it is new.

    Whoever asks the process to end meanwhile ends it as Ctrl-C does.

    plan, content: the plan's file and what stands in it. state: what the folder is, as `examined` tells.

    Raises:
      BadInput: as `state`, or the folder cannot be written. StoreError: another process is at work there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"out={folder}: the folder cannot be written: {error.strerror}") from None
    with store.Lock(folder), stop.like_ctrl_c():
        new = state() == "new"
        if new:
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            try:
                store.write(folder / plan, text.encode())
            except store.StoreError as error:
                raise BadInput(f"out={folder}: the folder cannot be written: {error}") from None
        yield new


@contextmanager
def claimed(folder: Path, study: Study, resume: bool) -> Iterator[None]:
    """Hold the folder for a run of the study; nobody else writes there meanwhile.

    Raises:
      BadInput: as `examine`, or the folder cannot be written. StoreError: another process is at work there.
    """
    with held(folder, "study.yaml", plain(study), lambda: examine(folder, study, resume)) as new:
        try:
            yield
        except BadInput:
            if new:
                _leave(folder)
            raise


def _leave(folder: Path) -> None:
    """Take back what a study that turned out impossible has put into a new folder."""
    for name in ("study.yaml", "log.jsonl", ".lock"):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def stored_study(folder: Path) -> Study:
    """The study of a run.

    Raises:
      BadInput: there is no run, or its study is damaged.
    """
    if not (folder / "study.yaml").is_file():
        raise BadInput(f"{folder}: no run is there (it has no study.yaml)")
    try:
        return Study.model_validate_json(json.dumps(read_study(folder / "study.yaml")), strict=True)
    except ValueError as error:
        raise BadInput(f"{folder / 'study.yaml'}: not a valid study: {str(error).splitlines()[0]}") from None


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a complete run, its checksum tested.

    Raises:
      Unfinished: the run is not complete, or the manifest is damaged.
    """
    file, seal = folder / "manifest.json", folder / "manifest.sha256"
    if not file.is_file():
        raise Unfinished(f"{folder}: the run is not complete (it has no manifest.json); finish it with --resume")
    try:
        text = file.read_bytes()
        expected = seal.read_text(encoding="ascii").split()[0]
    except (OSError, ValueError, IndexError):
        raise Unfinished(f"{seal}: missing or damaged") from None
    if hashlib.sha256(text).hexdigest() != expected:
        raise Unfinished(f"{file}: does not match manifest.sha256: one of the two was changed")
    return json.loads(text)


def seal(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest, which completes the run."""
    text = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    store.write(folder / "manifest.sha256", f"{hashlib.sha256(text).hexdigest()}  manifest.json\n".encode())
    store.write(folder / "manifest.json", text)


def files(folder: Path) -> list[str]:
    """All files of a run but the manifest and its seal, as relative paths; none that a killed worker left half done."""
    left_out = {"manifest.json", "manifest.sha256", *IGNORED}
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and not store.half_written(p))
    return sorted(name for name in found if name not in left_out)


def tables(folder: Path) -> "dict[str, pd.DataFrame]":
    """The run's tables, shards in order; arms, strata and categories as categories."""
    from .reading import joined  # deferred: imports pandas

    return {kind: joined(parts(folder, kind)) for kind in TABLES}


def parts(folder: Path, kind: str) -> list[Path]:
    """The files of one of a run's tables, shards in order."""
    return sorted((folder / kind).glob("part-*.parquet"))
