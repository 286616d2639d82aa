"""A whole run with a match, quotas and regions: what it writes, that it verifies, and what its report says."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.trials.command import app

REGIONS = "{north: {share: 0.7, sites: 9}, east: {share: 0.3, sites: 4, only: {race: {one_of: [asian]}}}}"
QUOTAS = "{fitzpatrick: {5: 0.2}}"


def cutis(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "chosen"
    words = (f"population.quotas={QUOTAS}", f"population.recruitment.regions={REGIONS}")
    cutis("run", "population.size=1100", *words, "population.target={race: {black: 0.13}}", f"out={folder}")
    return folder


def test_twins_carry_region_site_and_weight_with_their_meaning(run):
    table = pq.read_table(run / "twins")
    twins = table.to_pandas()
    assert twins.groupby("region", observed=True).size().to_dict() == {"east": 330, "north": 770}
    assert (twins.site.astype(str).str.rsplit("_", n=1).str[0] == twins.region.astype(str)).all()
    assert (twins.fitzpatrick == 5).sum() == 220
    assert twins.design_weight.mean() == pytest.approx(1)
    assert b"mix without quotas" in table.schema.field("design_weight").metadata[b"about"]


def test_the_run_is_the_same_when_it_is_verified_and_its_report_rebuilt(run, tmp_path):
    assert "simulated again: the same bytes" in cutis("verify", run).stdout
    cutis("report", run, "--to", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (run / "report.html").read_bytes()


def test_the_manifest_and_the_report_say_who_was_chosen(run):
    content = json.loads((run / "manifest.json").read_text())
    assert [row["region"] for row in content["recruitment"]["regions"]] == ["north", "east"]
    assert content["representation"]["given"] == ["race"]
    flow = content["screening"]
    assert flow["screened"] == 1100 + sum(flow["excluded"].values())
    html = (run / "report.html").read_text()
    for text in ("Regions and sites", "Quotas", "Not represented as in the target", "Not eligible, or turned away"):
        assert text in html


def test_a_matched_run_shows_the_published_table(tmp_path):
    cutis("run", "population=psoriasis_erasure", "population.size=300", f"out={tmp_path / 'run'}")
    html = (tmp_path / "run" / "report.html").read_text()
    assert "Match to a published table" in html
    assert "Langley RG" in html
    rows = json.loads((tmp_path / "run" / "manifest.json").read_text())["recruitment"]["match"]["rows"]
    assert {"age mean", "weight mean"} <= {row["row"] for row in rows}
