"""A whole run through the shell: the same bytes wherever and however often it runs, and what `verify` notices."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.trials.command import app
from cutis.trials.shard import SIZE

ROOT = Path(__file__).resolve().parents[1]
TWINS = 5 * SIZE + 100  # six shards, the last one short
WORDS = (f"population.size={TWINS}", "seed=11")


class Done(NamedTuple):
    """What a command left: as a process of its own would."""

    returncode: int
    stdout: str
    stderr: str


def cutis(*words):
    """A command in this process, which spares its start-up."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return Done(done.exit_code, done.stdout, done.stderr)


def shell(*words, first="", **options):
    """A command in a process of its own, which does `first` before."""
    code = f"import os, resource, runpy, sys\n{first}\nrunpy.run_module('cutis', run_name='__main__')"
    words = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def run(folder, *words, by=cutis, **options):
    done = by("run", *WORDS, f"out={folder}", *words, **options)
    assert done.returncode == 0, done.stderr
    return done


def parquet(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "reference"
    run(folder, "cluster.workers=2")
    return folder


def copy(reference, tmp_path):
    return shutil.copytree(reference, tmp_path / "copy")


def test_one_worker_on_one_core_gives_the_same_bytes(reference, tmp_path):
    one = f"os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"
    run(tmp_path / "run", "cluster.workers=1", by=shell, first=one)
    assert parquet(tmp_path / "run") == parquet(reference)
    assert len(parquet(reference)) == 3 * 6 + 1


AS_LONG_AS_NEEDED = """
from cutis.cluster.head import Head
from cutis.trials import piecewise
from cutis.trials import run as running
plan, analyse = running.plan, piecewise.analyse
def planned(*words):
    assert Head.current is not None, "Ray does not start while the run is planned"
    return plan(*words)
def analysed(*words):
    import ray
    assert not ray.is_initialized() and Head.current is None, "Ray is there beside the analysis"
    return analyse(*words)
running.plan, piecewise.analyse = planned, analysed
"""


def test_ray_starts_beside_the_plan_ends_before_the_analysis_and_gives_the_same_bytes(reference, tmp_path):
    run(tmp_path / "run", "cluster=ray", "cluster.workers=2", by=shell, first=AS_LONG_AS_NEEDED)
    assert parquet(tmp_path / "run") == parquet(reference)


def test_the_local_executor_does_not_import_ray(tmp_path):
    probe = "import sys; from cutis.trials.command import main\ntry: main()\nfinally: print('ray' in sys.modules)"
    words = ["run", "population.size=30", f"out={tmp_path / 'run'}"]
    done = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


STOP = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a run in the background has not
from cutis.cluster import ledger
record = ledger.record
def record_and_stop(*shard):
    record(*shard)
    os.kill(os.getpid(), signal.{how})
ledger.record = record_and_stop
"""


def stopped(folder, how):
    """A run that is stopped by a signal once its first shard is done, however busy the machine is."""
    done = shell("run", *WORDS, f"out={folder}", "cluster.workers=1", first=STOP.format(how=how.name))
    assert not (folder / "manifest.json").exists()
    assert len(list((folder / "shards").glob("*.json"))) == 1
    return done.returncode, done.stderr


def test_a_killed_run_is_resumed_to_the_same_bytes(reference, tmp_path):
    folder = tmp_path / "run"
    stopped(folder, signal.SIGKILL)
    refused = cutis("run", *WORDS, f"out={folder}")
    assert (refused.returncode, "add --resume" in refused.stderr) == (2, True)
    done = run(folder, "--resume")
    assert "6 shards made now" not in done.stdout
    assert parquet(folder) == parquet(reference)
    assert cutis("verify", folder, "--rerun=0").returncode == 0


def test_ctrl_c_says_how_to_go_on_and_loses_nothing(reference, tmp_path):
    folder = tmp_path / "run"
    code, said = stopped(folder, signal.SIGINT)
    assert code == 3
    assert "finished shards are kept. Go on with --resume" in said
    assert "Traceback" not in said
    run(folder, "--resume")
    assert parquet(folder) == parquet(reference)


def test_a_full_disk_is_named_and_the_run_can_be_finished(reference, tmp_path):
    """A limit on the size of files stands in for the end of the disk: the system's error comes from the same place."""
    folder = tmp_path / "run"
    small = 40_000  # bytes: less than a shard of observations
    done = shell(
        "run",
        *WORDS,
        f"out={folder}",
        first=f"resource.setrlimit(resource.RLIMIT_FSIZE, ({small}, resource.RLIM_INFINITY))",
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    assert done.returncode == 3
    assert "/part-0000" in done.stderr
    assert "the file would be larger than is allowed there" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [p for p in folder.rglob("*") if ".tmp" in p.name]
    run(folder, "--resume")
    assert parquet(folder) == parquet(reference)


def test_a_shard_that_was_damaged_before_the_end_is_made_again(reference, tmp_path):
    folder = copy(reference, tmp_path)
    for name in ("manifest.json", "manifest.sha256", "results.parquet"):
        (folder / name).unlink()
    damaged = folder / "observations" / "part-00002.parquet"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    (folder / "shards" / "00004.json").unlink()
    done = run(folder, "--resume")
    assert "2 shards made now" in done.stdout
    assert parquet(folder) == parquet(reference)


def test_a_complete_run_is_not_made_again(reference):
    before = (reference / "manifest.json").stat().st_mtime_ns
    done = run(reference)
    assert "complete already" in done.stdout
    assert (reference / "manifest.json").stat().st_mtime_ns == before


def test_two_runs_at_once_in_one_folder_are_refused(reference, tmp_path):
    from cutis.cluster.store import Lock

    folder = copy(reference, tmp_path)
    (folder / "manifest.json").unlink()
    with Lock(folder):
        done = cutis("run", *WORDS, f"out={folder}", "--resume")
    assert done.returncode == 3
    assert f"process {os.getpid()}" in done.stderr


def test_verify_passes_on_what_a_run_left(reference):
    done = cutis("verify", reference)
    assert done.returncode == 0, done.stderr
    assert "simulated again: the same bytes" in done.stdout
    assert "results.parquet, analysed again: the same bytes" in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "observations/part-00003.parquet",
        "report.html",
        "results.json",
        "study.yaml",
        "manifest.json",
        "manifest.sha256",
    ],
)
def test_verify_names_the_file_with_one_flipped_byte(reference, tmp_path, name):
    folder = copy(reference, tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    done = cutis("verify", folder)
    assert done.returncode == 3
    assert name in done.stderr


def test_verify_names_what_is_missing_and_what_does_not_belong(reference, tmp_path):
    folder = copy(reference, tmp_path)
    (folder / "twins" / "part-00001.parquet").unlink()
    (folder / "extra.txt").write_text("x")
    done = cutis("verify", folder)
    assert "part-00001.parquet: is missing" in done.stderr
    assert "extra.txt: is not in the manifest" in done.stderr


def test_verify_notices_results_that_do_not_follow_from_the_data(reference, tmp_path):
    """Someone who rewrites a result and the manifest too is caught by the analysis."""
    folder = copy(reference, tmp_path)
    table = pq.read_table(folder / "results.parquet")
    place = table.schema.get_field_index("p")
    better = table.set_column(place, table.schema.field(place), pd.Series([1e-9] * len(table)).to_numpy()[None][0:1])
    pq.write_table(better, folder / "results.parquet", compression="zstd")
    content = json.loads((folder / "manifest.json").read_text())
    content["files"]["results.parquet"]["sha256"] = hashlib.sha256(
        (folder / "results.parquet").read_bytes()
    ).hexdigest()
    text = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")
    done = cutis("verify", folder)
    assert done.returncode == 3
    assert "results.parquet, analysed again: comes out differently" in done.stderr


def sealed(folder, change):
    """The manifest after a change, its own and its files' checksums put right, as if the run had been made so."""
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    for name, known in content["files"].items():
        known["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    text = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def elsewhere(content):
    content["platform"]["processor"] = "another"


def shifted(folder, by):
    """The weight of one twin in every shard is off by a share."""
    for file in folder.glob("twins/part-*.parquet"):
        table = pq.read_table(file)
        place = table.schema.get_field_index("weight")
        values = table["weight"].to_numpy().copy()
        values[7:17] *= 1 + by
        pq.write_table(table.set_column(place, table.schema.field(place), [values]), file, compression="zstd")


@pytest.mark.parametrize(
    ("by", "where", "says"),
    [
        (1e-9, elsewhere, "twins/part-0000[0-5].parquet, simulated again: the same values within the stated tolerance"),
        (1e-3, elsewhere, r"comes out differently: 10 of \d+ twins have a value more than 1e-05 off, where 0.1% may"),
        (1e-9, dict, "twins/part-0000[0-5].parquet, simulated again: comes out differently$"),
    ],
    ids=["other platform, last bits", "other platform, other values", "same platform, last bits"],
)
def test_verify_says_which_level_of_reproducibility_holds(reference, tmp_path, by, where, says):
    folder = copy(reference, tmp_path)
    shifted(folder, by)
    sealed(folder, where)
    done = cutis("verify", folder)
    assert done.returncode == (0 if "stated" in says else 3)
    assert re.search(says, done.stdout + done.stderr, re.MULTILINE), done.stdout + done.stderr
    assert ("there 'another'" in done.stderr) == (by == 1e-3)


def test_results_of_another_platform_are_held_to_the_tolerance_of_statistics(reference, tmp_path):
    folder = copy(reference, tmp_path)
    for by, code in ((1e-9, 0), (1e-3, 3)):
        table = pq.read_table(folder / "results.parquet")
        place = table.schema.get_field_index("estimate")
        values = table["estimate"].to_numpy() * (1 + by)
        changed = table.set_column(place, table.schema.field(place), [values])
        pq.write_table(changed, folder / "results.parquet", compression="zstd")
        sealed(folder, elsewhere)
        done = cutis("verify", folder, "--rerun=0")
        assert done.returncode == code, done.stderr


def test_the_study_of_a_run_runs_again_to_the_same_bytes(reference, tmp_path):
    done = cutis("run", "--study", reference / "study.yaml", f"out={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    assert parquet(tmp_path / "again") == parquet(reference)


def test_the_manifest_says_what_a_regulator_asks(reference):
    content = json.loads((reference / "manifest.json").read_text())
    assert content["plan"]["twins"] == TWINS
    assert sum(content["plan"]["arms"].values()) == TWINS
    assert content["screening"]["screened"] == TWINS + sum(content["screening"]["excluded"].values())
    assert content["numerics"]["error_in_this_run"] < 3 * content["numerics"]["tolerance"]
    assert content["versions"]["jax"]
    assert len(content["study_sha256"]) == 64


def test_tables_carry_units_and_say_that_they_are_simulated(reference):
    twins = pq.read_table(reference / "twins" / "part-00000.parquet")
    assert twins.schema.field("weight").metadata[b"unit"] == b"kg"
    assert b"simulated" in twins.schema.metadata[b"origin"]
    ids = pq.read_table(reference / "twins", columns=["twin"])["twin"].to_pylist()
    assert len(ids) == len(set(ids)) == TWINS


def test_missing_values_are_null_and_only_where_a_visit_was_not_seen(reference):
    visits = pq.read_table(reference / "observations").to_pandas()
    assert (visits["pasi"].isna() == ~visits["seen"]).all()
    assert (visits.groupby("twin", sort=False).size() == 14).all()


def test_the_plan_is_shown_without_a_run(tmp_path):
    done = cutis("check", *WORDS, f"out={tmp_path / 'run'}")
    assert done.returncode == 0
    assert "in 6 shards of 1024" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("population.match=psoriasis/erasure", "matched to the baseline table psoriasis/erasure"),
        ("population.quotas={fitzpatrick: {5: 0.2, 6: 0.1}}", "quota of fitzpatrick: 5 20%, 6 10%"),
        (
            "population.recruitment={regions: {north: {share: 0.6, sites: 20}, south: {share: 0.4, sites: 9}}}",
            "recruited in north (60%, 20 sites), south (40%, 9 sites)",
        ),
    ],
)
def test_the_plan_says_who_is_let_in(word, line):
    done = cutis("check", word)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout


@pytest.mark.parametrize("what", ["trials", "treatments", "models", "endpoints", "populations", "baselines"])
def test_lists_have_a_line_an_item(what):
    done = cutis("list", what)
    assert done.returncode == 0
    assert "psoriasis" in done.stdout


def test_the_report_can_be_built_again_beside_the_run(reference, tmp_path):
    done = cutis("report", reference, "--to", tmp_path / "again.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.html").read_bytes() == (reference / "report.html").read_bytes()


def test_the_example_study_runs(tmp_path):
    file = ROOT / "examples" / "secukinumab_vs_placebo.yaml"
    done = cutis("run", "--study", file, f"out={tmp_path / 'run'}", "population.size=60")
    assert done.returncode == 0, done.stderr
    twins = pq.read_table(tmp_path / "run" / "twins").to_pandas()
    assert twins.groupby("arm").size().to_dict() == {"placebo": 20, "secukinumab": 40}
    assert not twins["prior_biologic"].any()
