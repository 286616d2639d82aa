"""`cutis design` as users call it: the figures, the same bytes again, a replicate in full, and mistakes in words."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.trials.command import app

NAME = "pasi90_against_adalimumab"
WORDS = ("design", f"design.analysis={NAME}", "design.also=[pasi_change_against_adalimumab]", "design.pool=150",
         "design.replicates=120", "design.sizes=[84,90]", "design.looks=[0.5,1]", "design.recheck=0.02", "seed=5",
         "trial.visits=[0,16,48]", "trial.conduct.rescue=null")  # fmt: skip
DROPPED = "~trial.analyses.pasi90_adalimumab_week24"


def cutis(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("designs") / "one"
    done = cutis(*WORDS, DROPPED, f"out={folder}")
    assert done.exit_code == 0, done.stderr
    return folder, done


def test_the_terminal_shows_power_and_type_one_error_with_their_errors(made):
    _, done = made
    lines = done.stdout.splitlines()
    head = next(i for i, line in enumerate(lines) if "type I error (both as comparator)" in line)
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ["84", "90"]
    assert all(line.count("±") == 6 for line in lines[head + 1 : head + 3])


def test_figures_are_those_of_the_replicates(made):
    folder, _ = made
    figures = pd.read_parquet(folder / "results.parquet")
    rows = pq.read_table(folder / "replicates" / "size-90" / "part-00000.parquet").to_pandas()
    last = rows.query("hypothesis == 'model' and look == 2 and analysis == @NAME")
    told = figures.query("size == 90 and hypothesis == 'model' and analysis == @NAME").set_index("measure")["value"]
    assert told["rejection of the full trial"] == (last["p"] < 0.05).mean()
    assert told["bias"] == pytest.approx(last["estimate"].mean() - told["truth"])
    assert told["coverage"] == ((last["low"] <= told["truth"]) & (told["truth"] <= last["high"])).mean()


def test_the_true_value_is_the_difference_of_the_pool(made):
    folder, _ = made
    parts = {}
    for arm in ("guselkumab", "adalimumab"):
        seen = pq.read_table(folder / "pool" / arm / "observations").to_pandas().query("week in (0, 16)")
        twins = pq.read_table(folder / "pool" / arm / "twins").to_pandas()["twin"]
        pasi = seen.pivot_table(index="twin", columns="week", values="pasi").reindex(twins)
        events = pq.read_table(folder / "pool" / arm / "events").to_pandas()
        kinds = events["event"].isin(["treatment stopped", "left the study", "rescue started"])
        stopped = events.loc[kinds & (events["week"] <= 16), "twin"]
        reached = (pasi[16] <= 0.1 * pasi[0]) & ~pasi.index.isin(stopped)
        parts[arm] = reached.mean()
        assert len(twins) == 150
    told = json.loads((folder / "results.json").read_text())["analyses"][NAME]
    assert told["means"] == pytest.approx(list(parts.values()))
    assert told["limit"] == pytest.approx(parts["guselkumab"] - parts["adalimumab"])


def test_the_true_value_is_that_of_the_same_twins_with_nobody_lost(made):
    from cutis.core.diseases import DISEASES
    from cutis.trials.compose import read_study
    from cutis.trials.study import Study
    from cutis.trials.truth import true_value

    folder, _ = made
    whole = read_study(folder / "design.yaml")
    whole["population"]["size"] = 150
    study = Study.model_validate(whole)
    told = json.loads((folder / "results.json").read_text())["analyses"][NAME]
    value = true_value(study, DISEASES["psoriasis"], NAME)
    assert told["truth"] == pytest.approx(value.value)
    assert value.n == 150


def test_the_arms_of_the_pool_are_the_same_twins_with_the_same_luck(made):
    folder, _ = made
    tables = [pq.read_table(folder / "pool" / arm / "observations").to_pandas() for arm in ("guselkumab", "placebo")]
    first, other = (table.query("week == 0").set_index("twin")["pasi"] for table in tables)
    pd.testing.assert_series_equal(first, other)


def test_the_routines_of_a_run_agree(made):
    told = json.loads((made[0] / "results.json").read_text())["agreement"]
    assert set(told) == {"84", "90"}
    for found in told.values():
        assert found["analyses"] > 0
        assert max(found["largest"].values()) < 1e-8


def test_a_replicate_in_full_is_the_one_that_was_counted(made, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / "copy")
    done = cutis(*WORDS, DROPPED, f"out={folder}", "design.replay=7")
    assert done.exit_code == 0, done.stderr
    twins = pd.read_csv(folder / "replay-7" / "twins.csv")
    assert sorted(twins["twin"]) == list(range(90))
    assert twins["arm"].value_counts().between(26, 34).all()
    rows = pq.read_table(folder / "replicates" / "size-90" / "part-00000.parquet").to_pandas()
    full = pd.read_parquet(folder / "replay-7" / "results.parquet").query("comparator != ''").set_index("analysis")
    for name in (NAME, "pasi_change_against_adalimumab"):
        row = rows.query("replicate == 7 and hypothesis == 'model' and look == 2 and analysis == @name").iloc[0]
        for number in ("estimate", "se", "low", "high", "p"):
            assert np.isclose(row[number], full.loc[name, number], rtol=1e-8, atol=1e-10), (name, number)


def test_what_is_there_is_not_made_again_and_a_lost_shard_is_made_as_it_was(made, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / "copy")
    again = cutis(*WORDS, DROPPED, f"out={folder}")
    assert again.stdout.replace(str(folder), "") == made[1].stdout.replace(str(made[0]), "")
    lost = folder / "replicates" / "size-84" / "part-00000.parquet"
    before = lost.read_bytes()
    lost.write_bytes(b"damaged")
    for name in ("manifest.json", "manifest.sha256", "results.json"):
        (folder / name).unlink()
    refused = cutis(*WORDS, DROPPED, f"out={folder}")
    assert refused.exit_code == 2
    assert "add --resume" in refused.stderr
    assert cutis(*WORDS, DROPPED, f"out={folder}", "--resume").exit_code == 0
    assert lost.read_bytes() == before
    assert (folder / "results.json").read_bytes() == (made[0] / "results.json").read_bytes()
    assert (folder / "report.html").read_bytes() == (made[0] / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["design.analysis=nothing"], "design.analysis: the trial has no analysis 'nothing'"),
        (["design.replay=120"], "design.replay: expected a replicate from 0 to 119, got 120"),
        (["design.sizes=[4]"], "design.sizes: 2 people at the first look (0.5 of 4) do not fill one block"),
        (["design.looks=[0.5,0.8]"], "expected fractions that rise to 1"),
        (["design.replicate=100"], "design"),
        (["design.spending=slow"], "design.spending: 'slow' is not a choice here; choose from hwang_shih_decani,"),
        (["out="], "expected a folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_simulated(tmp_path, words, message):
    done = cutis(*WORDS, DROPPED, f"out={tmp_path / 'never'}", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "never").exists()


def test_a_folder_of_another_design_is_left_alone(made):
    done = cutis(*WORDS, DROPPED, f"out={made[0]}", "design.replicates=130")
    assert done.exit_code == 2
    assert "the folder holds another design" in done.stderr


@pytest.fixture(scope="module")
def pooled(made, tmp_path_factory):
    """A function that carries out another design of the same study, in a folder where the pool is already."""
    from cutis.cluster.settings import Cluster
    from cutis.trials.compose import read_study
    from cutis.trials.operating import replaying, report, results
    from cutis.trials.operating.run import carry_out
    from cutis.trials.operating.settings import Design, problems
    from cutis.trials.study import Study

    whole = read_study(made[0] / "design.yaml")
    other = {"arm": "adalimumab", "comparator": "placebo", "role": "secondary"}
    analyses = whole["trial"]["analyses"]
    analyses["pasi90_of_adalimumab"] = analyses["pasi90_against_placebo"] | other
    study = Study.model_validate({key: value for key, value in whole.items() if key != "design"})

    def made_with(**words):
        folder = tmp_path_factory.mktemp("designs")
        shutil.copytree(made[0] / "pool", folder / "pool")
        few = {"pool": 150, "replicates": 100, "sizes": [84], "recheck": 0.01}
        design = Design.model_validate(few | words)
        assert problems(study, design) == []
        results.write(folder, design, carry_out(study, design, Cluster(kind="local"), folder))
        told = json.loads((folder / "results.json").read_text())
        if design.replay is not None:
            told["replayed"] = list(replaying.write(study, design, Cluster(kind="local"), folder))
            told["twins"] = pd.read_csv(folder / f"replay-{design.replay}" / "twins.csv")
        text = report.build(study, told, {"fingerprint": "0" * 64, "seed": 5, "cutis": "0"})
        assert text.count("<svg") == 2 + (len(design.looks) > 1)  # bounds are drawn where there are several looks
        return told, text

    return made_with


def value(told, **wanted):
    (found,) = [f["value"] for f in told["figures"] if all(f[key] == given for key, given in wanted.items())]
    return found


def test_analyses_that_share_alpha_are_told_together(pooled):
    names = [NAME, "pasi_change_against_adalimumab"]
    told, text = pooled(family={"analyses": names, "test": "holm", "success": "all"})
    model = {"hypothesis": "model", "size": 84}
    both, one = (value(told, measure=measure, **model) for measure in ("all shown", "any shown"))
    assert 0 < both <= one
    assert both == value(told, measure="success", **model)
    assert value(told, measure="familywise error", hypothesis=f"null of {NAME}") < 0.12
    assert max(found["largest"][NAME] for found in told["agreement"].values()) < 1e-8
    assert "Analyses tested together" in text


def test_a_size_chosen_at_a_look_goes_through_the_command(pooled):
    told, text = pooled(reestimate={"most": 2}, looks=[0.5, 1])
    zones = [value(told, measure=f"zone: {zone}", hypothesis="model") for zone in ("unfavourable", "promising")]
    assert 0 <= sum(zones) <= 1
    assert 42 <= value(told, measure="expected size", hypothesis="model") <= 126
    assert "The size chosen at the look" in text


def test_a_subgroup_chosen_at_a_look_goes_through_the_command(pooled):
    enrich = {"subgroup": {"weight": {"min": 85}}, "everybody_from": 1.0}
    told, text = pooled(enrich=enrich, looks=[0.5, 1], analysis="pasi_change_against_adalimumab", replay=1)
    stages = told["twins"].groupby("stage")["weight"]
    assert stages.size().to_dict() in ({1: 42}, {1: 42, 2: 42})
    assert float(told["replayed"][-1].split()[-1]) < 1e-8
    inside = told["analyses"]["pasi_change_against_adalimumab in the subgroup"]
    assert inside["truth"] is not None
    (agreement,) = told["agreement"].values()
    assert max(agreement["largest"].values()) < 1e-8
    choices = ("everybody goes on", "the subgroup goes on alone", "nobody goes on", "shown at the look")
    for hypothesis in ("model", "null in the subgroup", "null outside the subgroup"):
        assert sum(value(told, measure=one, hypothesis=hypothesis) for one in choices) == pytest.approx(1)
    assert "Who goes on" in text


ARMS = ["pasi90_against_placebo", "pasi90_of_adalimumab"]


def test_shares_that_follow_responders_go_through_the_command(pooled):
    told, text = pooled(adapt={"analyses": ARMS, "updates": [0.5]}, replay=2)
    shares = [value(told, measure=f"share of people: {arm}", hypothesis="model") for arm in ("guselkumab", "placebo")]
    assert shares[0] > 1 / 3 > shares[1] > 0.1
    null = {"hypothesis": "null as comparator"}
    model, none = (value(told, measure="expected responders", **of) for of in ({"hypothesis": "model"}, null))
    assert model > none + 10
    assert float(told["replayed"][-1].split()[-1]) < 1e-8
    assert len(told["twins"]) == 84
    assert "Who is given what" in text


def test_arms_that_open_over_time_go_through_the_command(pooled):
    told, text = pooled(platform={"analyses": ARMS, "enter": [0, 0.5]}, replay=2)
    assert value(told, measure="concurrent controls", analysis=ARMS[1], hypothesis="model") < 20
    assert float(told["replayed"][-1].split()[-1]) < 1e-8
    early = told["twins"].query("twin < 42")["arm"]
    assert set(early) == {"guselkumab", "placebo"}
    assert "Who is given what" in text


def test_a_family_is_tested_at_two_looks(pooled):
    names = [NAME, "pasi_change_against_adalimumab"]
    told, text = pooled(family={"analyses": names, "test": "graph", "weights": [0.5, 0.5]}, looks=[0.5, 1])
    of = {"hypothesis": "model", "analysis": names[1]}
    early, late = (value(told, measure="shown by the look", look=look, **of) for look in (1, 2))
    assert early <= late == value(told, measure="shown", **of)
    assert "Where trials end" in text


def test_assurance_is_told_with_its_error(pooled):
    told, text = pooled(draws=2)
    (row,) = told["assurance"]
    assert row["draws"] == 2
    assert row["mcse"] == pytest.approx((row["high"] - row["low"]) / 0.9 / 2)
    assert "Assurance" in text


def test_the_effect_is_shown_in_subgroups(made):
    told = json.loads((made[0] / "results.json").read_text())
    groups = {(row["factor"], row["level"]): row for row in told["subgroups"]}
    assert groups["All twins", ""]["difference"] == pytest.approx(told["analyses"][NAME]["limit"])
    assert groups["All twins", ""]["twins"] == 150
    factors = {factor for factor, _ in groups}
    assert {"Sex", "Skin type (Fitzpatrick)", "Weight", "Prior biologic"} <= factors
    for factor in factors:
        assert sum(row["twins"] for (name, _), row in groups.items() if name == factor) == 150
    empty = [row for row in told["subgroups"] if not row["twins"]]
    assert all(row["difference"] is None for row in empty)
