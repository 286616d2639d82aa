"""What a user can get wrong: each mistake through the command line, with its message and its exit code."""

import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from cutis.trials.command import app
from cutis.trials.study import plain

from .studies import study


def cutis(*words):
    """Exit code and what was said on standard error."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stderr


REGIMEN = "trial.arms.guselkumab.regimen=[{treatment: %s, dose: '%s', weeks: [%s]}]"
WRONG = [
    # words on the command line, then what the message must contain
    ("sed=3", "command line: sed: unknown key; did you mean 'seed'?"),
    ("population.sise=3", "population.sise: unknown key; did you mean 'size'?"),
    ("trial.arms.placebo.dose=3", "trial.arms.placebo.dose: unknown key; choose from about, regimen"),
    ("seed=abc", "command line: seed: should be a valid integer, got 'abc'"),
    ("seed=1.5", "seed: should be a valid integer, got 1.5"),
    ("seed=-1", "seed: should be greater than or equal to 0, got -1"),
    ("seed=true", "seed: should be a valid integer, got True"),
    ("seed=null", "seed: should be a valid integer, got None"),
    ("population.size=0", "population.size: should be greater than or equal to 1, got 0"),
    ("population.size=many", "population.size: should be a valid integer, got 'many'"),
    ("population=psoriaris", "population=psoriaris: no such population; did you mean 'psoriasis'?"),
    ("population.source=martians", "population.source: no population 'martians'"),
    ("trial=psoriasis/il23_vs_tfn", "no such trial; did you mean 'psoriasis/il23_vs_tnf'?"),
    ("trial.disease=psorasis", "trial.disease: no model of 'psorasis'; did you mean 'psoriasis'?"),
    ("cluster=slurm", "cluster=slurm: no such cluster; choose from local, ray"),
    ("cluster.workers=0", "cluster.workers: should be greater than or equal to 1, got 0"),
    ("cluster.address=here:1", "address 'here:1' is for kind 'ray'"),
    ("population.size", "population.size: expected key=value"),
    ("seed=${oc.env:HOME}", "interpolation is not supported"),
    ("hydra.run.dir=x", "Hydra itself cannot be configured here"),
    ("trial.visits=[0,", "no viable alternative"),
    (REGIMEN % ("guselkumab", "-100 mg", 0), "a dose must be above zero, got '-100 mg'"),
    (REGIMEN % ("guselkumab", "100", 0), "expected an amount with its unit (mg, g, ug), such as '100 mg', got '100'"),
    (REGIMEN % ("guselkumab", "100 ml", 0), "expected an amount with its unit"),
    (REGIMEN % ("guselkumab", "4 g", 0), "4000 mg is above 200 mg, the highest single dose of guselkumab"),
    (REGIMEN % ("guselkumap", "100 mg", 0), "unknown treatment 'guselkumap'; did you mean 'guselkumab'?"),
    (REGIMEN % ("calcipotriol_betamethasone", "1 mg", 0), "1 mg does not fit calcipotriol_betamethasone, which"),
    (REGIMEN % ("guselkumab", "100 mg", "8, 4"), "weeks must rise: week 4 comes after week 8"),
    (REGIMEN % ("guselkumab", "100 mg", 60), "a dose of guselkumab at week 60, after the last visit (week 48)"),
    (REGIMEN % ("guselkumab", "100 mg", -4), "week -4 is before baseline, week 0"),
    ("trial.arms.guselkumab.regimen=[{treatment: guselkumab, dose: 100 mg, weeks: [0], every: 8}]", "go together"),
    ("trial.visits=[-4,0,16]", "trial.visits.0: week -4 is before baseline, week 0"),
    ("trial.visits=[2,16,24,48]", "the first visit must be baseline, week 0; got week 2"),
    ("trial.visits=[0,16,8]", "visits must rise: week 8 comes after week 16"),
    ("trial.visits=[0,2,4,8,12,24,48]", "analyses.pasi90_against_placebo: week 16 is not a visit after baseline"),
    ("trial.randomisation.block_size=5", "block_size 5 is not a multiple of the allocation's sum, 3"),
    ("~trial.randomisation.allocation.placebo", "allocation names adalimumab, guselkumab, but the arms are adalimumab"),
    ("trial.randomisation.allocation.placebo=0", "should be greater than or equal to 1, got 0"),
    ("trial.randomisation.stratify_by=[{attribute: weight}]", "weight is a number: say where to cut it"),
    ("trial.randomisation.stratify_by=[{attribute: race, above: 2}]", "race is category: it cannot be cut above 2"),
    ("trial.randomisation.stratify_by=[{attribute: wheight, above: 2}]", "did you mean 'weight'?"),
    ("trial.eligibility.age={min: 80, max: 20}", "trial.eligibility.age: min 80 is above max 20"),
    (
        "trial.eligibility.agge={min: 18}",
        "trial.eligibility.agge: no such attribute or measurement; did you mean 'age'?",
    ),
    ("trial.eligibility.pasi_head_area={min: 1}", "trial.eligibility.pasi_head_area: no such attribute or measurement"),
    ("+trial.details=perhaps", "trial.details: "),
    ("trial.eligibility.race={min: 1}", "min and max need a number, but race is a category"),
    ("trial.eligibility.race={one_of: [blue]}", "one_of has 'blue'; the levels are white, black, asian, other"),
    ("trial.eligibility.weight={}", "expected min, max or one_of"),
    ("trial.conduct.adherence.probability=1.5", "should be less than 1, got 1.5"),
    ("trial.conduct.discontinuation.other=-0.1", "should be greater than or equal to 0, got -0.1"),
    ("trial.conduct.missed_visit=.nan", "trial.conduct.missed_visit: should be"),
    ("trial.conduct.rescue.treatment=adalimumab", "'adalimumab' is no rescue treatment"),
    ("trial.analyses.pasi90_adjusted.comparator=placebo2", "no arm 'placebo2'; the arms are"),
    ("trial.analyses.pasi90_adjusted.arm=adalimumab", "compares 'adalimumab' with itself"),
    ("trial.analyses.pasi90_adjusted.outcome=pasi95", "pasi95"),
    ("trial.analyses.pasi90_adjusted.method=ttest", "'ttest' is not a choice here"),
    ("trial.analyses.pasi90_adjusted.method=ancova", "ancova"),
    ("trial.analyses.pasi90_adjusted.covariates=[shoe_size]", "shoe_size"),
    ("trial.analyses.pasi_change_against_placebo.intercurrent=composite", "composite"),
    ("trial.outcomes=[pasi75,pasi42]", "pasi42"),
    ("trial.arms.BigArm={about: x}", "a name consists of small letters, digits and underscores"),
    ("~trial.visits", "trial.visits: is missing"),
    ("model.draw=seventh", "command line: model.draw: should be a valid integer, got 'seventh'"),
    ("model.draw=-1", "command line: model.draw: should be greater than or equal to 0, got -1"),
    ("model.drow=7", "command line: model.drow: unknown key; did you mean 'draw'?"),
    ("trial.conduct.followup=1", "unknown key"),
]


@pytest.mark.parametrize(("word", "message"), WRONG, ids=[word[:60] for word, _ in WRONG])
def test_a_wrong_word_gets_a_clear_message_before_any_work(word, message, tmp_path):
    code, said = cutis("run", word, f"out={tmp_path / 'run'}")
    assert message in said
    assert code == 2
    assert not (tmp_path / "run").exists()


FILES = [
    ("- a\n- b\n", "expected a study, a mapping of keys to values, got list"),
    ("seed: 1\nseed: 2\n", "key 'seed' is given twice"),
    ("seed: [1\n", "not valid YAML"),
    ("seed: !!python/object/apply:os.system ['touch HACKED']\n", "not valid YAML: could not determine a constructor"),
    ("seed: 1\n", "population: is missing"),
    (
        "seed: 1\npopulation: {source: psoriasis_moderate_severe, size: 9}\ntrial: {_target_: os.system}\n",
        "unknown key",
    ),
    ("1: 2\n", "key 1 is not text"),
    ("{{{{", "not valid YAML"),
    ("a: &a [*a]\n", "alias *a is not supported"),
]


@pytest.mark.parametrize(("text", "message"), FILES, ids=[text[:40] for text, _ in FILES])
def test_a_wrong_study_file_is_named_and_never_runs(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(text)
    code, said = cutis("run", "--study", "study.yaml", "out=run")
    assert "study.yaml" in said
    assert message in said
    assert code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study.yaml"]


def test_a_wrong_draw_in_a_study_file_is_named(tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(plain(study()) | {"model": {"draw": 1.5}}))
    code, said = cutis("check", "--study", tmp_path / "study.yaml")
    assert f"{tmp_path / 'study.yaml'}: model.draw: should be a valid integer, got 1.5" in said
    assert code == 2


def test_the_plan_tells_which_draw_of_the_parameters_it_takes():
    assert "draw" not in CliRunner().invoke(app, ["check"]).stdout
    assert "parameters of draw 7 of their uncertainty" in CliRunner().invoke(app, ["check", "model.draw=7"]).stdout


def test_a_study_file_that_is_not_text_or_not_there_is_named(tmp_path):
    (tmp_path / "study.yaml").write_bytes(b"\xff\xfe\x00")
    assert "it is not UTF-8 text" in cutis("run", "--study", tmp_path / "study.yaml")[1]
    code, said = cutis("run", "--study", tmp_path / "none.yaml")
    assert (code, "none.yaml: a study cannot be read: No such file" in said) == (2, True)


def test_a_study_file_is_changed_in_the_file_not_beside_it(tmp_path):
    (tmp_path / "study.yaml").write_text("seed: 1\n")
    code, said = cutis("run", "--study", tmp_path / "study.yaml", "trial.visits=[0,4]")
    assert "beside --study only out, seed, cluster, population.size, model.draw can be given" in said
    assert code == 2


def test_eligibility_that_nobody_meets_is_told_with_the_rate_of_each_criterion(tmp_path):
    words = ("trial.eligibility.age={min: 79.99}", "trial.eligibility.pasi={min: 70}", f"out={tmp_path / 'run'}")
    code, said = cutis("run", *words)
    assert code == 2
    assert "so the trial cannot be filled" in said
    assert "Share meeting each criterion alone" in said
    assert not (tmp_path / "run").exists()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def test_a_file_in_the_place_of_the_folder_is_refused(folder):
    folder.write_text("mine")
    code, said = cutis("run", f"out={folder}")
    assert (code, "cannot be" in said, folder.read_text()) == (2, True, "mine")


def test_a_folder_that_cannot_be_written_is_refused():
    code, said = cutis("run", "out=/proc/nowhere/run")
    assert code == 2
    assert "the folder cannot be written" in said


def test_a_folder_with_other_files_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.doc").write_text("mine")
    code, said = cutis("run", f"out={folder}")
    assert (code, "holds other files (thesis.doc)" in said) == (2, True)
    assert [p.name for p in folder.iterdir()] == ["thesis.doc"]


def test_an_empty_folder_name_is_refused():
    assert cutis("run", "out=''")[0] == 2


def unfinished(folder, seed):
    from cutis.trials.bundle import claimed

    with claimed(folder, study(seed=seed), resume=False):
        pass


def test_a_folder_of_another_study_is_refused(folder):
    unfinished(folder, seed=1)
    code, said = cutis("run", f"out={folder}", "seed=2", "--resume")
    assert (code, "holds a run of another study" in said) == (2, True)


def test_an_unfinished_run_is_only_gone_on_with_on_request(folder, tmp_path):
    unfinished(folder, seed=1)
    (tmp_path / "same.yaml").write_text((folder / "study.yaml").read_text())
    code, said = cutis("run", "--study", tmp_path / "same.yaml", f"out={folder}")
    assert (code, "add --resume to finish it" in said) == (2, True)


def test_a_damaged_study_in_the_folder_is_named(folder):
    unfinished(folder, seed=1)
    content = yaml.safe_load((folder / "study.yaml").read_text())
    content["seed"] = "one"
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    code, said = cutis("run", f"out={folder}", "--resume")
    assert (code, "study.yaml: not a valid study" in said) == (2, True)


@pytest.mark.parametrize("command", ["verify", "report"])
def test_commands_on_a_finished_run_say_when_there_is_none(command, folder):
    code, said = cutis(command, folder)
    assert code in (2, 3)
    assert str(folder) in said


def test_an_unfinished_run_is_neither_verified_nor_reported(folder):
    unfinished(folder, seed=1)
    for command in ("verify", "report"):
        code, said = cutis(command, folder)
        assert (code, "the run is not complete" in said) == (3, True)


def test_an_unknown_list_is_refused():
    code, said = cutis("list", "trails")
    assert (code, "did you mean 'trials'?" in said) == (2, True)


def test_the_shell_sees_the_message_and_the_exit_code_and_no_traceback():
    done = subprocess.run([sys.executable, "-m", "cutis", "run", "sed=3"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == "cutis: command line: sed: unknown key; did you mean 'seed'?"
    assert done.stdout == ""
