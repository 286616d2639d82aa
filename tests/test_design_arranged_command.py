"""Factorials, earlier controls, withdrawal and crossovers through `cutis design`: figures, report, a replicate."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from cutis.trials.command import app

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SMALL = {"sizes": [40], "pool": 300, "replicates": 500, "recheck": 0.005, "replay": 3}


def cutis(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def design(folder, name, **words):
    """What the design of an example shows, of a small pool."""
    whole = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    whole["design"] |= SMALL | words
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    told = cutis("design", "--study", file, f"out={folder / 'out'}")
    return told, json.loads((folder / "out" / "results.json").read_text())


def figure(results, measure, analysis=None, hypothesis="model"):
    name = analysis or results["decisive"]
    rows = [row for row in results["figures"]
            if (row["measure"], row["analysis"], row["hypothesis"]) == (measure, name, hypothesis)]  # fmt: skip
    assert len(rows) == 1, (measure, name, hypothesis)
    return rows[0]


def agrees(results):
    (found,) = results["agreement"].values()
    return found["analyses"] > 0 and max(found["largest"].values()) < 1e-7


def seen(folder, arm, week):
    """PASI of the pool's twins at a week."""
    table = pq.read_table(folder / "out" / "pool" / arm / "observations").to_pandas()
    return table.query("week == @week").set_index("twin")["pasi"]


def test_a_withdrawal_is_of_those_who_respond(tmp_path):
    told, results = design(tmp_path, "randomised_withdrawal")
    arms = {arm: seen(tmp_path, arm, 28) for arm in ("continue", "withdraw")}
    pd.testing.assert_series_equal(arms["continue"], arms["withdraw"])
    start = seen(tmp_path, "continue", 0)
    respond = arms["continue"].index[arms["continue"] <= 0.1 * start.reindex(arms["continue"].index)]
    twins = pd.read_csv(tmp_path / "out" / "replay-3" / "twins.csv")
    assert len(twins) == 40
    assert set(twins["pool_twin"]) <= set(respond)
    assert "% of the twins have pasi90 at week 28 and are randomised: 40 of" in told
    assert "as the design analyses it" in told
    assert results["analyses"]["kept_pasi75"]["truth"] > 0
    assert agrees(results)
    assert "How people are arranged" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
def test_a_crossover_tells_its_carry_over(tmp_path):
    told, results = design(tmp_path, "crossover")
    pasi = {(arm, week): seen(tmp_path, arm, week) for arm in ("guselkumab_first", "etanercept_first")
            for week in (12, 36)}  # fmt: skip
    frame = pd.DataFrame(pasi)
    by_week = {week: frame["guselkumab_first", week] - frame["etanercept_first", week] for week in (12, 36)}
    effect, limit = (results["analyses"]["pasi"][what] for what in ("truth", "limit"))
    assert effect == pytest.approx(by_week[12].mean(), rel=0.3)  # of those seen in all four
    assert limit == pytest.approx((by_week[12].mean() - by_week[36].mean()) / 2, rel=0.3)
    assert figure(results, "bias")["value"] == pytest.approx(limit - effect, abs=5 * figure(results, "bias")["mcse"])
    assert "carry-over" in told
    assert agrees(results)


@pytest.mark.slow
def test_a_factorial_of_two_gels(tmp_path):
    arms = "{neither: vehicle, first: adapalene, second: benzoyl_peroxide, both: combination}"
    told = cutis("design", "trial=acne/adapalene_bpo", "population=acne", "design.analysis=success_against_vehicle",
                 f"design.factorial={arms}", "design.pool=300", "design.replicates=500", "design.sizes=[160]",
                 "design.recheck=0.01", "design.replay=3", f"out={tmp_path}")  # fmt: skip
    results = json.loads((tmp_path / "results.json").read_text())
    truth = {name: analysis["truth"] for name, analysis in results["analyses"].items()}
    for one in ("adapalene", "benzoyl_peroxide"):
        assert truth[f"{one} at the margins"] == pytest.approx(truth[f"{one} alone"] + truth["interaction"] / 2)
        assert truth[f"{one} at the margins"] > 0
    assert agrees(results)
    assert "true interaction" in told
    assert "familywise error" in told
    assert pd.read_csv(tmp_path / "replay-3" / "twins.csv")["arm"].value_counts().tolist() == [40] * 4


@pytest.mark.slow
def test_earlier_controls_that_differ_bias_what_borrows(tmp_path):
    words = "{people: [100], shifts: [0.2], spread: 0.1, borrow: pooled}"
    told = cutis("design", "trial=psoriasis/be_ready", "design.analysis=pasi75_bimekizumab_vs_placebo",
                 f"design.external={words}", "design.pool=300", "design.replicates=500", "design.sizes=[100]",
                 "design.recheck=0.005", "design.replay=3", f"out={tmp_path}")  # fmt: skip
    results = json.loads((tmp_path / "results.json").read_text())
    off = "null as comparator, earlier controls +0.2"
    assert figure(results, "bias", hypothesis=off)["value"] < -0.05
    assert abs(figure(results, "bias", "pasi75_bimekizumab_vs_placebo, no borrowing", off)["value"]) < 0.03
    assert agrees(results)
    assert "100 controls of earlier trials beside those of this one, decided by pooled" in told
    earlier = pd.read_parquet(tmp_path / "replay-3" / "earlier_controls.parquet")
    assert len(earlier) == 100
    assert np.isin(earlier["value"], (0, 1)).all()
