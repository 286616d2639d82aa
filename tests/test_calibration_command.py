"""`cutis calibrate` and `cutis validate` as a user meets them; the work itself is a stub here."""

import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cutis.calibration.diseases import CALIBRATED, Calibrated
from cutis.calibration.psoriasis.told import TOLD
from cutis.trials import calibration
from cutis.trials.command import app

from .calibrated import found

FILES = {"calibrated.yaml": b"model: {}\n", "uncertainty.npz": b"\x00"}


@pytest.fixture
def work(monkeypatch):
    """Stubs that note how they were called; `work.relapse` decides whether a criterion is missed."""
    calls = []
    work = SimpleNamespace(calls=calls, result=found())

    def calibrate(say, **size):
        calls.append(("calibrate", size))
        say("step 1")
        return SimpleNamespace(**vars(work.result), files=FILES)

    def validate(calibrated, folds, say):
        assert calibrated.files == FILES
        calls.append(("validate", folds))
        say("fold 1")
        return work.result

    monkeypatch.setattr(calibration, "methods", lambda disease: Calibrated(calibrate, validate, TOLD))
    return work


def cutis(*words):
    """Exit code, standard output and standard error of a command in this process."""
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)


def good(work):
    """Let every criterion be met."""
    work.result.relapses["predicted"] = work.result.relapses.published


def sealed(folder):
    """Files of a folder but its manifest, which must tell all of them."""
    told = json.loads((folder / "manifest.json").read_text())["files"]
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    del there["manifest.json"]
    assert told == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    return set(there)


def test_a_calibration_leaves_a_whole_folder(work, tmp_path):
    done = cutis("calibrate", "psoriasis", f"out={tmp_path / 'fit'}")
    assert done.code == 0, done.err
    names = sealed(tmp_path / "fit")
    assert {"calibration.html", "calibrated.yaml", "uncertainty.npz", "summary.json"} <= names
    assert (tmp_path / "fit/calibrated.yaml").read_bytes() == FILES["calibrated.yaml"]
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "fit/frames/parameters.parquet"), work.result.parameters, check_dtype=False
    )
    assert work.calls == [("calibrate", {})]
    assert "     0 s  step 1\n" in done.err
    assert f"report: {tmp_path / 'fit/calibration.html'}" in done.out
    assert "warning" not in done.out


def test_a_validation_that_misses_nothing_ends_well(work, tmp_path):
    good(work)
    done = cutis("validate", "psoriasis", f"out={tmp_path / 'v'}", "folds=7")
    assert done.code == 0, done.err
    assert work.calls == [("calibrate", {}), ("validate", 7)]
    assert {"validation.html", "summary.json", "frames/predictions.parquet"} <= sealed(tmp_path / "v")
    assert done.out.count("  met ") == 10
    assert json.loads((tmp_path / "v/manifest.json").read_text())["settings"]["folds over trials"] == "7"


def test_a_missed_criterion_is_exit_3_and_the_report_is_there(work, tmp_path):
    done = cutis("validate", "psoriasis", f"out={tmp_path / 'v'}")
    assert done.code == 3
    assert work.calls[1] == ("validate", calibration.FOLDS)
    assert "  missed  mean absolute error of the shares without relapse" in done.out
    assert "cutis: psoriasis: 1 of 10 criteria missed; see the report" in done.err
    assert "missed." in (tmp_path / "v/validation.html").read_text()
    summary = json.loads((tmp_path / "v/summary.json").read_text())
    assert [c["key"] for c in summary["criteria"] if not c["met"]] == ["relapse"]
    sealed(tmp_path / "v")


def test_the_same_results_give_the_same_bytes(work, tmp_path):
    for name in "ab":
        assert cutis("calibrate", "psoriasis", f"out={tmp_path / name}").code == 0
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_a_quick_try_is_small_and_says_so(work, tmp_path):
    work.result.effects["low"] = np.nan
    done = cutis("validate", "psoriasis", f"out={tmp_path / 'v'}", "--quick")
    assert done.code == 3
    assert "earlier biologic outside their published 95 % interval: not measured" in done.out
    assert work.calls == [("calibrate", {"people": calibration.QUICK_PEOPLE}), ("validate", calibration.QUICK_FOLDS)]
    assert "warning: --quick" in done.out
    assert "no result to rely on" in (tmp_path / "v/validation.html").read_text()


WRONG = {
    "another disease": (["psoriasi"], "no calibration of 'psoriasi'; did you mean 'psoriasis'?"),
    "no such disease": (["gout"], "no calibration of 'gout'; choose from acne, laser, psoriasis"),
    "an unknown key": (["psoriasis", "fold=3"], "fold: unknown key; did you mean 'folds'?"),
    "one fold": (["psoriasis", "folds=1"], "folds: expected a number from 2 to 50, got 1"),
    "folds in words": (["psoriasis", "folds=ten"], "folds: expected a whole number"),
    "no folder": (["psoriasis", "out="], "out: expected a value, got nothing"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_mistakes_have_names_and_cost_nothing(work, words):
    done = cutis("validate", *words[0])
    assert (done.code, work.calls) == (2, [])
    assert words[1] in done.err


def test_folds_are_none_of_a_calibration(work):
    done = cutis("calibrate", "psoriasis", "folds=3")
    assert done.code == 2
    assert "folds: unknown key" in done.err


@pytest.mark.parametrize("command", ["calibrate", "validate"])
def test_a_folder_that_is_not_empty_is_refused_before_any_work(work, tmp_path, command):
    (tmp_path / "mine.txt").write_text("mine")
    done = cutis(command, "psoriasis", f"out={tmp_path}")
    assert (done.code, work.calls) == (2, [])
    assert "the folder holds other files (mine.txt)" in done.err
    assert cutis(command, "psoriasis", f"out={tmp_path / 'mine.txt'}").code == 2
    assert cutis(command, "psoriasis", f"out={tmp_path / 'mine.txt' / 'deeper'}").code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_finished_folder_is_not_written_again(work, tmp_path):
    assert cutis("calibrate", "psoriasis", f"out={tmp_path / 'fit'}").code == 0
    done = cutis("validate", "psoriasis", f"out={tmp_path / 'fit'}")
    assert done.code == 2
    assert "the folder holds a finished calibration or validation; choose another folder" in done.err


def test_a_stopped_calibration_leaves_nothing_in_the_way(work, tmp_path, monkeypatch):
    def stopped(say, **size):
        raise KeyboardInterrupt

    methods = calibration.methods("psoriasis")
    monkeypatch.setattr(calibration, "methods", lambda disease: replace(methods, calibrate=stopped))
    done = cutis("calibrate", "psoriasis", f"out={tmp_path / 'fit'}")
    assert done.code == 3
    assert "stopped; nothing was kept" in done.err
    monkeypatch.setattr(calibration, "methods", lambda disease: methods)
    assert cutis("calibrate", "psoriasis", f"out={tmp_path / 'fit'}").code == 0


def test_the_help_tells_which_diseases_there_are():
    for command in ("calibrate", "validate"):
        assert "acne or laser or psoriasis" in cutis(command, "--help").out


@pytest.mark.parametrize("disease", CALIBRATED)
def test_every_disease_brings_what_the_commands_need(disease):
    found = CALIBRATED[disease]()
    assert callable(found.calibrate)
    assert callable(found.validate)
    assert set(found.told.judged) <= set(found.told.outcomes)
    assert all(set(panel.outcomes) <= set(found.told.outcomes) for panel in found.told.panels)
    for pool in (*found.told.pools, *found.told.panels):  # on one scale
        assert len({(found.told.outcomes[name].factor, found.told.outcomes[name].ends) for name in pool.outcomes}) == 1
