"""Faults while a run goes on: what the user is told, and that the bytes in the end are those of an undisturbed run.

The table of docs/faults.md names the test of each row; rows that are not here are in test_run.py and test_cluster_*.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutis.trials.command import app
from cutis.trials.shard import SIZE

ROOT = Path(__file__).resolve().parents[1]
STUDY = ("--study", ROOT / "examples" / "secukinumab_vs_placebo.yaml", f"population.size={3 * SIZE + 50}")  # 4 shards
WORDS = ("run", *STUDY, "cluster.workers=2")
CHANGES = ("log.jsonl", "manifest.json", "manifest.sha256", ".lock")  # from run to run: they hold times
PROCESSES = "import cutis.cluster.execute as execute; execute.FEW = 1"  # few shards are else worked on by threads


def begun(folder, *words, first="", **options):
    """`cutis run` in a process of its own, which does `first` before."""
    code = f"import os, runpy, signal, sys, time\n{first}\nrunpy.run_module('cutis', run_name='__main__')"
    line = [sys.executable, "-c", code, *WORDS, f"out={folder}", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(word) for word in line], **pipes, **options)


def run(folder, *words, **options):
    """Exit code and what is said of a whole command in a process of its own."""
    process = begun(folder, *words, **options)
    said = process.communicate(timeout=3600)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def here(folder, *words):
    """The same in this process, which spares its start-up."""
    done = CliRunner().invoke(app, [str(word) for word in (*WORDS, f"out={folder}", *words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stderr


def contents(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in CHANGES)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    code, said = here(folder)
    assert code == 0, said
    return folder


def resumed(folder, undisturbed):
    """Whatever happened before: `--resume` finishes it, with the same bytes."""
    code, said = here(folder, "--resume")
    assert code == 0, said
    assert contents(folder) == contents(undisturbed)


AFTER_THE_FIRST_SHARD = """
from cutis.cluster import ledger
record, done = ledger.record, []
def and_then(*shard):
    record(*shard)
    done.append(shard)
    if len(done) == 1:
        {what}
ledger.record = and_then
"""


def test_a_killed_worker_is_told_and_its_shards_are_made_by_another(undisturbed, tmp_path):
    kill = "import multiprocessing; os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)"
    kill += f"; open({str(tmp_path / 'run' / 'twins' / '.part-00001.parquet.0123.tmp')!r}, 'x')"  # what it was writing
    code, said = run(tmp_path / "run", first=f"{PROCESSES}\n{AFTER_THE_FIRST_SHARD.format(what=kill)}")
    assert code == 0, said
    assert "a worker process was lost, most often for want of memory; its shards are begun again" in said
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_sigterm_is_taken_like_ctrl_c_and_a_file_that_cannot_be_written_is_named(undisturbed, tmp_path):
    folder = tmp_path / "run"
    stop = AFTER_THE_FIRST_SHARD.format(what="os.kill(os.getpid(), signal.SIGTERM)")
    code, said = run(folder, "cluster.workers=1", first=stop)
    assert (code, len(list(folder.glob("shards/*.json")))) == (3, 1)
    assert f"{folder}: stopped; finished shards are kept. Go on with --resume" in said
    missing = next(n for n in range(4) if not (folder / "twins" / f"part-{n:05d}.parquet").exists())
    (folder / "observations" / f"part-{missing:05d}.parquet").mkdir(parents=True)
    code, said = here(folder, "--resume")
    assert code == 3
    assert f"observations/part-{missing:05d}.parquet cannot be written: a folder is in its place; move it away" in said
    (folder / "observations" / f"part-{missing:05d}.parquet").rmdir()
    resumed(folder, undisturbed)


def test_a_second_run_into_the_folder_is_refused_and_does_not_disturb_the_first(undisturbed, tmp_path):
    folder, go = tmp_path / "run", tmp_path / "go"
    wait = f"\n        while not os.path.exists({str(go)!r}): time.sleep(0.05)"
    first = begun(folder, first=AFTER_THE_FIRST_SHARD.format(what=f"pass{wait}"))
    try:
        until = time.monotonic() + 1800
        while not list(folder.glob("shards/*.json")) and time.monotonic() < until and first.poll() is None:
            time.sleep(0.05)
        code, said = here(folder, "--resume")
        assert code == 3
        assert re.search(
            rf"process {first.pid} on \S+ is at work in this folder; wait until it is done, or stop it", said
        )
    finally:
        go.touch()
        said = first.communicate(timeout=3600)[1]
    assert first.returncode == 0, said
    assert contents(folder) == contents(undisturbed)


def test_a_damaged_shard_of_a_complete_run_can_be_made_again(undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    shard = folder / "observations" / "part-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    (folder / "manifest.json").unlink()
    code, said = here(folder)
    assert code == 2
    assert "an unfinished run of this study is there; add --resume to finish it" in said
    resumed(folder, undisturbed)


FULL_DISK = """
mount -t tmpfs -o size={size} none {disk} || exit 77
{run} 2> {disk}.said; echo $? > {disk}.code
cp -r {disk}/run {larger}
"""


def mountable():
    """Whether this process may have a disk of its own."""
    words = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not mountable(), reason="no disk may be mounted here; test_run.py has a limit in its place")
def test_a_full_disk_is_told_and_the_run_can_be_finished_where_there_is_space(undisturbed, tmp_path):
    disk, larger = tmp_path / "disk", tmp_path / "run"
    disk.mkdir()
    words = [sys.executable, "-m", "cutis", *WORDS, f"out={disk}/run"]
    size = sum(p.stat().st_size for p in undisturbed.rglob("*.parquet")) // 2
    script = FULL_DISK.format(size=size, disk=disk, run=" ".join(map(str, words)), larger=larger)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = Path(f"{disk}.said").read_text()
    assert Path(f"{disk}.code").read_text().strip() == "3", said
    assert re.search(rf"{disk}/run/\S+ cannot be written: no space is left there; free some", said), said
    assert "Traceback" not in said
    resumed(larger, undisturbed)


@pytest.mark.parametrize("words", [("toy", "10"), ("run", "2")], ids=["toy", "run"])
def test_a_few_random_kills_end_with_the_right_bytes(words):
    line = [sys.executable, str(ROOT / "bench" / "soak.py"), *words, "5"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"same bytes after {words[1]} kills" in done.stdout


def test_the_manifest_says_what_comes_out_again(undisturbed):
    stated = json.loads((undisturbed / "manifest.json").read_text())["reproducibility"]
    assert "identical bytes" in stated["same_platform"]
    assert stated["other_platform"] == {"relative": 1e-5, "twins_apart": 1e-3, "statistics": 1e-6}
