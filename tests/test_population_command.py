"""`cutis population …` as a user meets it: what it makes, the same bytes wherever it runs, every mistake by name."""

import hashlib
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.cluster import store
from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.population import stream
from cutis.population.general.model import FILE
from cutis.population.sample import POPULATIONS
from cutis.trials import sampling
from cutis.trials.command import app
from cutis.trials.conduct import parameters_of, screening
from cutis.trials.errors import Unfinished

from .studies import study
from .toy import ATTRIBUTES, TOY

TWINS = 2 * stream.SIZE + 100  # three files, the last one short
REAL = "psoriasis_moderate_severe"


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    monkeypatch.setitem(POPULATIONS, "toy", TOY)


def cutis(*words):
    """Exit code, standard output and standard error of a command in this process, which spares its start-up."""
    done = CliRunner().invoke(app, ["population", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)


def shell(*words):
    """A command in a process of its own."""
    words = [sys.executable, "-m", "cutis", "population", *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def contents(folder):
    """The SHA-256 of every file of a sample, the lock apart."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def toy(folder, *words, size=TWINS):
    done = cutis("sample", "toy", f"size={size}", "seed=7", f"out={folder}", *words)
    assert done.code == 0, done.err
    return done


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sample"


def test_a_sample_holds_all_twins_and_says_what_they_are(folder):
    said = toy(folder).out
    assert f"{TWINS:,} simulated twins of toy" in said
    assert "3 files made now" in said
    frame = pd.read_parquet(folder / "twins")
    np.testing.assert_array_equal(frame.twin, np.arange(TWINS))
    assert list(frame) == ["twin", *ATTRIBUTES]
    manifest = json.loads((folder / "manifest.json").read_text())
    told = {key: manifest[key] for key in ("status", "population", "size", "seed")}
    assert told == {"status": "complete", "population": "toy", "size": TWINS, "seed": 7}
    assert [attribute["name"] for attribute in manifest["attributes"]] == list(ATTRIBUTES)
    found = contents(folder)
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: digest for name, digest in found.items() if not name.startswith("manifest")
    }
    assert (folder / "manifest.sha256").read_text().split()[0] == found["manifest.json"]


def test_the_composition_of_a_real_population_is_counted_in_the_manifest(folder):
    assert cutis("sample", REAL, "size=3000", "seed=2", f"out={folder}").code == 0
    frame = pd.read_parquet(folder / "twins")
    rows = json.loads((folder / "manifest.json").read_text())["composition"]
    found = {(row["by"], row["level"]): row["twins"] for row in rows}
    assert found["sex", "men"] == frame.male.sum()
    assert found["race", "asian"] == (frame.race == "asian").sum()
    assert found["fitzpatrick", "4"] == (frame.fitzpatrick == 4).sum()
    assert found["age", "18 to 39"] == ((frame.age >= 18) & (frame.age < 40)).sum()
    for by in ("sex", "age", "race", "fitzpatrick"):
        assert sum(n for (kind, _), n in found.items() if kind == by) == 3000


def test_a_small_sample_begins_a_large_one(tmp_path):
    toy(tmp_path / "small", size=62)
    toy(tmp_path / "large")
    small, large = (pq.read_table(tmp_path / name / "twins/part-00000.parquet") for name in ("small", "large"))
    assert small.equals(large.slice(0, 62))


def test_twins_of_a_sample_are_the_candidates_of_a_trial_with_its_seed(folder):
    assert cutis("sample", REAL, "size=500", "seed=1", f"out={folder}").code == 0
    plan = study(size=90, seed=1)
    disease = DISEASES[plan.trial.disease]
    ids = np.arange(500)
    candidates, _ = screening(disease.name, REAL)(root(1), jnp.asarray(ids), parameters_of(disease))
    np.testing.assert_allclose(pd.read_parquet(folder / "twins").weight, candidates["weight"], rtol=1e-6)


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    for workers in (1, 2, 5):
        toy(tmp_path / str(workers), f"workers={workers}")
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "5")


@pytest.mark.slow
def test_ray_gives_the_same_bytes_as_this_process(tmp_path):
    words = ("sample", REAL, f"size={stream.SIZE + 10}", "seed=3")
    assert cutis(*words, f"out={tmp_path / 'here'}").code == 0
    done = shell(*words, f"out={tmp_path / 'ray'}", "cluster=ray", "workers=2")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "here") == contents(tmp_path / "ray")


def test_a_complete_sample_is_left_as_it_is(folder):
    toy(folder, size=10)
    before = contents(folder)
    assert "complete already" in toy(folder, size=10).out
    assert contents(folder) == before


def broken_off(folder):
    """A sample without its manifest and its second file; what it was before."""
    toy(folder)
    whole = contents(folder)
    for name in ("manifest.json", "manifest.sha256", "shards/00001.json", "twins/part-00001.parquet"):
        (folder / name).unlink()
    return whole


def test_an_unfinished_sample_is_only_gone_on_with_on_request(folder):
    whole = broken_off(folder)
    refused = cutis("sample", "toy", f"size={TWINS}", "seed=7", f"out={folder}")
    assert (refused.code, "add --resume to finish it" in refused.err) == (2, True)
    assert "1 file made now" in toy(folder, "--resume").out
    assert contents(folder) == whole


def test_a_damaged_file_is_made_again(folder):
    whole = broken_off(folder)
    (folder / "twins/part-00000.parquet").write_bytes(b"rust")
    assert "2 files made now" in toy(folder, "--resume").out
    assert contents(folder) == whole


def test_twins_of_another_version_are_not_mixed_in(folder, monkeypatch):
    broken_off(folder)
    changed = TOY._replace(twin=lambda key, i: TOY.twin(key, i) | {"number": i.astype(float) + 0.5})
    monkeypatch.setitem(POPULATIONS, "toy", changed)
    done = cutis("sample", "toy", f"size={TWINS}", "seed=7", f"out={folder}", "--resume")
    assert (done.code, "twins drawn now differ from those drawn when this sample was begun" in done.err) == (2, True)


def test_ctrl_c_says_how_to_go_on_and_keeps_what_is_done(folder, monkeypatch):
    def stopped(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(sampling.stream, "encode", stopped)
    done = cutis("sample", "toy", "size=5", f"out={folder}")
    assert (done.code, "Go on with --resume" in done.err) == (3, True)
    monkeypatch.undo()
    monkeypatch.setitem(POPULATIONS, "toy", TOY)
    assert cutis("sample", "toy", "size=5", f"out={folder}", "--resume").code == 0


WRONG = [
    (("toy", "size=0"), "size: expected a number from 1 to 1,000,000,000, got 0"),
    (("toy", "size=-5"), "size: expected a number from 1 to 1,000,000,000, got -5"),
    (("toy", "size=many"), "size: expected a whole number, such as size=1000, got 'many'"),
    (("toy", "size=1e6"), "size: expected a whole number, such as size=1000, got '1e6'"),
    (("toy", "size="), "size: expected a whole number"),
    (("toy", "size=99999999999"), "size: expected a number from 1 to 1,000,000,000"),
    (("toy", "seed=-1"), "seed: expected a number from 0 to"),
    (("toy", "seed=1.5"), "seed: expected a whole number"),
    (("toy", "sise=3"), "sise: unknown key; did you mean 'size'?"),
    (("toy", "size"), "size: expected key=value"),
    (("toy", "=3"), "=3: expected key=value"),
    (("toy", "size=1", "size=2"), "size: given twice"),
    (("toy", "cluster=slurm"), "cluster=slurm: no such cluster; choose from local, ray"),
    (("toy", "workers=0"), "workers: expected a number from 1"),
    (("toy", "address=here:1"), "address 'here:1' is for kind 'ray'"),
    (("toy", "cluster=ray", "address=ray://here:1"), "client protocol is not supported"),
    (
        ("psoriasis_moderate_sever",),
        "no population 'psoriasis_moderate_sever', nor a folder with a fitted one; did you mean 'psoriasis_moderate_s",
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_word_gets_a_clear_message_before_any_work(words, message, folder):
    done = cutis("sample", *words, f"out={folder}")
    assert (done.code, message in done.err) == (2, True), done.err
    assert not folder.exists()


def test_all_mistakes_are_told_at_once():
    said = cutis("sample", "toy", "size=0", "sead=1").err.splitlines()
    assert [line.split(":")[1] for line in said] == [" size", " sead"]


def test_an_empty_folder_name_is_refused():
    done = cutis("sample", "toy", "out=")
    assert (done.code, done.err) == (2, "cutis: out: expected a value, got nothing\n")


def test_a_folder_is_chosen_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cutis("sample", "toy", "size=1_000", "seed=3").code == 0
    assert (tmp_path / "samples/toy-1000-seed3/manifest.json").is_file()


@pytest.mark.parametrize(("size", "seed"), [(11, 7), (10, 8)])
def test_a_folder_of_another_sample_is_refused(folder, size, seed):
    toy(folder, size=10)
    before = contents(folder)
    done = cutis("sample", "toy", f"size={size}", f"seed={seed}", f"out={folder}", "--resume")
    assert (done.code, "holds another sample (10 twins of toy, seed 7)" in done.err) == (2, True)
    assert contents(folder) == before


def test_a_folder_with_other_files_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.doc").write_text("mine")
    done = cutis("sample", "toy", f"out={folder}")
    assert (done.code, "holds other files (thesis.doc)" in done.err) == (2, True)
    assert [p.name for p in folder.iterdir()] == ["thesis.doc"]


def test_a_file_in_the_place_of_the_folder_is_refused(folder):
    folder.write_text("mine")
    done = cutis("sample", "toy", f"out={folder}")
    assert (done.code, "cannot be" in done.err, folder.read_text()) == (2, True, "mine")


def test_a_folder_that_cannot_be_written_is_refused():
    done = cutis("sample", "toy", "out=/proc/nowhere/sample")
    assert (done.code, "the folder cannot be written" in done.err) == (2, True)


def test_a_folder_where_another_process_works_is_refused(folder):
    folder.mkdir()
    with store.Lock(folder):
        done = cutis("sample", "toy", f"out={folder}")
    assert (done.code, "is at work in this folder" in done.err) == (3, True)


@pytest.mark.parametrize("text", ["population: toy\nsize: ten\n", "- 1\n", "population: [\n"])
def test_a_damaged_description_of_a_sample_is_named(folder, text):
    toy(folder, size=10)
    (folder / "sample.yaml").write_text(text)
    for words in (("sample", "toy", "size=10", "seed=7", f"out={folder}"), ("describe", folder)):
        done = cutis(*words)
        assert (done.code, "sample.yaml" in done.err) == (2, True)


def test_a_sample_is_described_as_its_files_are(folder):
    toy(folder)
    frame = pd.read_parquet(folder / "twins")
    said = cutis("describe", folder).out
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line}
    score = frame.score.astype(float)
    figures = [score.mean(), score.std(), *score.quantile([0.25, 0.5, 0.75])]
    assert lines["score"] == ["score", "SD", *(f"{figure:.4g}" for figure in figures)]
    assert lines["yes"][-1] == f"{frame.yes.mean():.1%}"
    assert f"red {(frame.colour == 'red').mean():.1%}, green" in said
    assert "blue 0.0%" in said
    assert f"6 {(frame.grade == 6).mean():.1%}" in said


def test_a_population_is_described_with_units_and_its_composition():
    done = cutis("describe", REAL, "size=2000", "seed=4")
    assert done.code == 0
    assert "described by 2,000 simulated twins, seed 4" in done.out
    twins = stream.draw(POPULATIONS[REAL], sampling.key_of(4), 0, 2000)
    line = next(line.split() for line in done.out.splitlines() if line.startswith("weight"))
    assert line[:3] == ["weight", "kg", f"{twins['weight'].astype(float).mean():.4g}"]
    for by in ("by sex", "by age", "by race", "by fitzpatrick"):
        assert by in done.out
    assert f"{int(twins['male'].sum()):,}" in next(line for line in done.out.splitlines() if line.startswith("men "))


def test_a_population_and_its_sample_are_described_alike(folder):
    cutis("sample", REAL, "size=2000", "seed=4", f"out={folder}")
    drawn, read = (cutis("describe", *words).out.splitlines() for words in ((REAL, "size=2000", "seed=4"), (folder,)))
    assert drawn[2:] == read[2:]


def test_a_description_names_what_is_not_there(folder):
    done = cutis("describe", "psoriasis_mild_severe")
    assert (done.code, "did you mean 'psoriasis_moderate_severe'?" in done.err) == (2, True)
    folder.mkdir()
    done = cutis("describe", folder)
    assert (done.code, "no sample is there" in done.err) == (2, True)
    assert cutis("describe", REAL, "size=x").code == 2
    assert cutis("describe", folder, "size=3").code == 2


def test_a_sample_that_is_not_whole_is_not_described(folder):
    broken_off(folder)
    done = cutis("describe", folder)
    assert (done.code, "not complete" in done.err) == (3, True)
    toy(folder, "--resume")
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("toy", "boy"))
    done = cutis("describe", folder)
    assert (done.code, "does not match manifest.sha256" in done.err) == (3, True)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_sample_with_a_damaged_file_is_not_described(folder, damage):
    toy(folder, size=10)
    file = folder / "twins/part-00000.parquet"
    file.unlink() if damage == "missing" else file.write_bytes(b"rust")
    done = cutis("describe", folder)
    assert done.code == 3
    assert "part-00000.parquet" in done.err


def test_a_match_shows_the_table_as_published_and_as_twins_have_it():
    done = cutis("match", REAL, "psoriasis/erasure", "size=20000")
    assert done.code == 0, done.err
    row = next(line.split() for line in done.out.splitlines() if line.startswith("age mean"))
    assert row[2] == row[3]
    assert row[4] == "0.0000"
    assert "effective sample size" in done.out
    assert "of the candidates" in done.out


def test_a_match_that_cannot_be_is_told():
    done = cutis("match", REAL, "psoriasis/erasur")
    assert (done.code, "did you mean 'psoriasis/erasure'?" in done.err) == (2, True)
    done = cutis("match", "toy", "psoriasis/erasure")
    assert (done.code, "population toy has none of them" in done.err) == (2, True)
    assert cutis("match", "nobody", "psoriasis/erasure").code == 2
    assert cutis("match", REAL, "psoriasis/erasure", "size=3").code == 2


def test_a_match_out_of_reach_says_why(monkeypatch):
    old = POPULATIONS[REAL].twin
    aged = POPULATIONS[REAL]._replace(twin=lambda key, i: old(key, i) | {"age": old(key, i)["age"] + 100})
    monkeypatch.setitem(POPULATIONS, "aged", aged)
    done = cutis("match", "aged", "psoriasis/erasure", "size=2000")
    assert (done.code, "cannot be made to match: psoriasis/erasure: age mean" in done.err) == (2, True), done.err


@pytest.fixture
def fitting(monkeypatch, tmp_path):
    """A stand-in for the fit itself, which has tests of its own; gives what it was asked."""
    asked = {}

    def fit(plan_file, data_file, out, seed, tell):
        asked.update(plan=plan_file, data=data_file, out=out, seed=seed)
        tell("split 1 of 5")
        if "error" in asked:
            raise asked["error"]
        return ["fitted"]

    monkeypatch.setattr("cutis.trials.fitting.fit", fit)
    for name in ("plan.yaml", "people.csv"):
        (tmp_path / name).write_text("x")
    return asked


def test_a_fit_is_asked_for_with_its_seed_and_folder(fitting, tmp_path):
    done = cutis("fit", tmp_path / "plan.yaml", tmp_path / "people.csv", "seed=3", f"out={tmp_path / 'out'}")
    assert (done.code, done.out, done.err) == (0, "fitted\n", "split 1 of 5\n")
    assert fitting["seed"] == 3
    assert fitting["out"] == tmp_path / "out"


def test_a_fit_that_cannot_be_says_why(fitting, tmp_path):
    plan, people = tmp_path / "plan.yaml", tmp_path / "people.csv"
    done = cutis("fit", tmp_path / "none.yaml", people)
    assert (done.code, "none.yaml: no such file" in done.err) == (2, True)
    assert cutis("fit", plan, people, "seed=x").code == 2
    fitting["error"] = Unfinished("the model gives people away")
    done = cutis("fit", plan, people)
    assert (done.code, "gives people away" in done.err) == (3, True)


def test_a_fit_without_a_plan_leaves_nothing_behind(tmp_path):
    for name in ("plan.yaml", "people.csv"):
        (tmp_path / name).write_text("x")
    done = cutis("fit", tmp_path / "plan.yaml", tmp_path / "people.csv", f"out={tmp_path / 'out'}")
    assert (done.code, "plan.yaml" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_fitted_population_is_sampled_and_described_by_its_folder(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    shutil.copy(FILE, tmp_path / "mine" / sampling.FITTED)
    assert cutis("sample", "mine", "size=500", "seed=2", f"out={folder}").code == 0
    drawn, read = cutis("describe", "mine", "size=500", "seed=2"), cutis("describe", folder)
    assert (drawn.code, read.code) == (0, 0)
    assert drawn.out.splitlines()[2:] == read.out.splitlines()[2:]
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / sampling.FITTED).write_bytes(b"rust")
    for words in (("sample", "broken"), ("describe", "broken"), ("match", "broken", "psoriasis/erasure")):
        done = cutis(*words)
        assert (done.code, "not a fitted population" in done.err) == (2, True)


def test_the_shell_sees_the_message_and_the_exit_code_and_no_traceback(tmp_path):
    done = shell("sample", "martians", f"out={tmp_path / 'x'}")
    assert done.returncode == 2
    assert done.stderr.startswith("cutis: no population 'martians'")
    assert done.stdout == ""


@pytest.mark.slow
def test_a_million_twins_need_little_memory(folder):
    probe = (
        "import resource, sys; from cutis.trials.command import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    words = ["population", "sample", REAL, "size=1_000_000", f"out={folder}", "workers=2"]
    done = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True)
    assert int(done.stderr.splitlines()[-1]) < 1.5 * 2**20  # KiB; threads of one process
