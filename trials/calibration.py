"""`cutis calibrate` and `cutis validate`: a folder with a report, its tables, and what it comes to as numbers.

FOLDER/
  calibration.html or validation.html   for a reader; opens offline
  calibrated.yaml and others            (calibrate) the estimates and their uncertainty, as the package would ship them
  frames/*.parquet                      the tables behind the report
  summary.json                          scores, and of a validation its criteria
  manifest.json                         settings, versions, digests of the files; written last

Neither command changes the package's own parameters: who develops it copies the files.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..calibration.diseases import CALIBRATED, Calibrated
from ..cluster import store
from ..population.messages import nearest
from . import bundle, pairs
from .errors import BadInput, Unfinished

if TYPE_CHECKING:
    import pandas as pd

    from ..calibration.report.summary import Summary
    from ..calibration.report.told import Told

FOLDS, MOST_FOLDS = 10, 50
QUICK_PEOPLE, QUICK_FOLDS = 32, 2  # of a try that only shows that all works
MANIFEST = "manifest.json"
Say = Callable[[str], None]


def methods(disease: str) -> Calibrated:
    """Those of a disease of `CALIBRATED`."""
    return CALIBRATED[disease]()


def calibrate(disease: str, words: Sequence[str], quick: bool, say: Say) -> Iterator[str]:
    """Estimate a disease's parameters and report on the fit; what to tell the user.

    Raises:
      BadInput: the disease, the words or the folder are wrong; nothing was done. Unfinished: it was stopped.
    """
    out = _asked(disease, words, "calibrations", {})["out"]
    with _claimed(out):
        begun, how = time.perf_counter(), methods(disease)
        found = _calibrated(how, quick, _timed(say))
        frames, summary, files = _tables(found, how.told)
        settings = _settings(disease, quick)
        from .report.validation import build  # deferred: imports matplotlib

        report = build.calibration(disease, frames, summary, how.told, settings).encode()
        _keep(out, files | dict(found.files) | {"calibration.html": report}, settings)
    yield f"{disease}: calibrated in {_minutes(begun)}; all of it was seen by the fit"
    yield from _warning(quick)
    yield f"report: {out / 'calibration.html'}"


def validate(disease: str, words: Sequence[str], quick: bool, say: Say) -> Iterator[str]:
    """Predict trials left out of the fit, and report on it; what to tell the user.

    Raises:
      BadInput: the disease, the words or the folder are wrong; nothing was done.
      Unfinished: a criterion was missed, and the report is there; or it was stopped.
    """
    told = _asked(disease, words, "validations", {"folds": pairs.whole(2, MOST_FOLDS)})
    out, folds, how = told["out"], told.get("folds", QUICK_FOLDS if quick else FOLDS), methods(disease)
    if how.settled and "folds" in told:
        raise BadInput(f"folds: what is held out of {disease} was settled before any fit; leave folds out")
    way = "against what was held out beforehand" if how.settled else f"{folds} folds over trials"
    with _claimed(out):
        begun, timed = time.perf_counter(), _timed(say)
        found = how.validate(_calibrated(how, quick, timed), folds, timed)
        frames, summary, files = _tables(found, how.told)
        settings = _settings(disease, quick) | ({} if how.settled else {"folds over trials": str(folds)})
        from .report.validation import build  # deferred: imports matplotlib

        report = build.validation(disease, frames, summary, how.told, settings).encode()
        _keep(out, files | {"validation.html": report}, settings)
    from .report.validation.tables import asked, measured

    yield f"{disease}: validated in {_minutes(begun)}, {way}"
    for criterion in summary.criteria:
        verdict = "met   " if criterion.met else "missed"
        yield f"  {verdict}  {criterion.about}: {measured(criterion)} (limit: {asked(criterion)})"
    yield from _warning(quick)
    yield f"report: {out / 'validation.html'}"
    if summary.missed:
        raise Unfinished(f"{disease}: {len(summary.missed)} of {len(summary.criteria)} criteria missed; see the report")


def _asked(disease: str, words: Sequence[str], folder: str, known: Mapping[str, pairs.Reader]) -> dict[str, Any]:
    if disease not in CALIBRATED:
        raise BadInput(f"no calibration of {disease!r}; {nearest(disease, CALIBRATED)}")
    told = pairs.read(words, {"out": pairs.text, **known})
    return told | {"out": Path(told.get("out", f"{folder}/{disease}"))}


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Hold a new or empty folder, so that hours of work cannot end without a place to keep them."""
    bundle.examined(out, MANIFEST, lambda: "a finished calibration or validation", "", False)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".lock").touch()
    except OSError as error:
        raise BadInput(f"out={out}: the folder cannot be written: {error.strerror}") from None
    with store.Lock(out):
        try:
            yield
        except KeyboardInterrupt:
            raise Unfinished(f"{out}: stopped; nothing was kept") from None


def _calibrated(how: Calibrated, quick: bool, say: Say) -> Any:
    """A calibration of full size, or a quick one."""
    size = {"people": QUICK_PEOPLE} if quick else {}
    return how.calibrate(**size, say=say)


def _timed(say: Say) -> Say:
    """Progress, each line behind the seconds since the first moment."""
    begun = time.perf_counter()
    return lambda text: say(f"{time.perf_counter() - begun:6.0f} s  {text}")


def _settings(disease: str, quick: bool) -> dict[str, str]:
    size = f"quick, {QUICK_PEOPLE} twins an arm: no result to rely on" if quick else "full"
    return {"disease": disease, "Cutis": version("cutis"), "size": size}


def _warning(quick: bool) -> Iterator[str]:
    if quick:
        yield f"warning: --quick took {QUICK_PEOPLE} twins an arm, which only shows that all works"


def _minutes(begun: float) -> str:
    seconds = time.perf_counter() - begun
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _tables(found: object, told: "Told") -> "tuple[dict[str, pd.DataFrame], Summary, dict[str, bytes]]":
    """The tables of a result, the summary that they come to, and both as files."""
    from ..calibration.report.frames import take
    from ..calibration.report.summary import summary

    frames = take(found)
    scored = summary(frames, told)
    files = {f"frames/{name}.parquet": _parquet(frame) for name, frame in frames.items() if len(frame)}
    return frames, scored, files | {"summary.json": _text(scored.numbers())}


def _parquet(frame: "pd.DataFrame") -> bytes:
    file = BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def _keep(out: Path, files: Mapping[str, bytes], settings: Mapping[str, str]) -> None:
    """Write all files, and last the manifest, which completes the folder."""
    digests = {name: store.write(out / name, content) for name, content in files.items()}
    store.write(out / MANIFEST, _text({"settings": dict(settings), "files": digests}))


def _text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, default=float) + "\n").encode()
