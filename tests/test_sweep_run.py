"""A small sweep from words to report: what it writes, that it is what one works out directly, and that it holds."""

import json
import re
import shutil

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.core.laser import outcomes, targets
from cutis.core.laser.treat import treat
from cutis.population import stream
from cutis.trials.command import app
from cutis.trials.errors import BadInput, Unfinished
from cutis.trials.sampling import key_of
from cutis.trials.sweep import place as kept
from cutis.trials.sweep import shard
from cutis.trials.sweep.people import people, quotas
from cutis.trials.sweep.place import claimed, stored
from cutis.trials.sweep.plan import Crowd, canonical
from cutis.trials.sweep.protocols import protocols
from cutis.trials.sweep.read import asked
from cutis.trials.sweep.run import carry_out, planned, source_of
from cutis.trials.sweep.surfaces import read
from cutis.trials.sweep.verify import verify
from tests.page import Page

WORDS = [
    "sweep=laser/hair_755", "size=36", "grid.fluence=[8,20,90]", "grid.pulse=[0.003,0.03]", "draws=3",
    "risk.most={burn: 0.5, blister: 0.5, hyperpigmentation: 0.6}", "efficacy.least=0.02",
]  # fmt: skip
PLAN = asked(WORDS, None).plan


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SIZE", 18)
        yield


def make(folder, *words):
    task = asked([*WORDS, *words], None)
    with claimed(folder, task.plan, resume=True):
        return carry_out(task.plan, task.cluster, folder)


@pytest.fixture(scope="module")
def made(small_pieces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "one"
    return folder, make(folder, "workers=1")


def test_twins_are_as_many_of_each_skin_type_and_those_of_their_numbers(made):
    twins = pq.read_table(made[0] / "twins").to_pandas()
    assert twins.groupby("fitzpatrick").size().to_dict() == dict.fromkeys(range(1, 7), 6)
    assert twins["twin"].is_monotonic_increasing
    assert twins["age"].min() >= 18
    drawn = stream.draw(source_of(PLAN), key_of(PLAN.seed), 0, stream.BATCH)
    assert (drawn["ita"][twins["twin"]] == twins["ita"]).all()
    for tone in range(1, 7):
        eligible = np.flatnonzero((drawn["fitzpatrick"] == tone) & (drawn["age"] >= 18))
        assert twins["twin"][twins["fitzpatrick"] == tone].tolist() == eligible[:6].tolist()


def test_surfaces_are_what_one_works_out_directly(made):
    """One setting, one skin type: treated anew, outcomes by hand, marks as the rule says."""
    part = planned(PLAN)[0][0]
    settings = protocols(PLAN)[1]
    found = treat(part.twins, settings, PLAN.site, {"hair": targets.follicles})
    hair = outcomes.hair_reduction(found.targets["hair"], 5, 42.0, [180.0])[0]
    harm = outcomes.events(found.basal, part.twins["ita"], 0.0)
    of_type = part.twins["fitzpatrick"] == 3
    ours = pq.read_table(made[0] / "sums" / "part-00000.parquet").to_pandas()
    for place in range(3):
        row = ours[(ours.draw == 0) & (ours.setting == 3 + place) & (ours.skin_type == 3)].iloc[0]
        trusted = np.asarray(found.trusted[place])[of_type]
        assert row["twins"] == of_type.sum()
        assert row["trusted"] == trusted.sum()
        assert row["overheated"] == np.asarray(found.overheated[place])[of_type].sum()
        assert row["efficacy"] == pytest.approx(np.asarray(hair[place])[of_type][trusted].sum(), rel=1e-9)
        for name in ("burn", "blister", "hyperpigmentation"):
            chance = np.where(trusted, np.asarray(getattr(harm, name)[place])[of_type], 1.0)
            assert row[name] == pytest.approx(chance.sum(), rel=1e-9)
            assert row[f"{name}:squares"] == pytest.approx((chance**2).sum(), rel=1e-9)


def test_marked_twins_are_counted_and_no_setting_that_overheats_all_is_kept(made):
    found = made[1].surfaces
    worst = found.trusted[2] == 0
    assert worst.any(), "90 J/cm2 in 3 ms should overheat dark skin"
    assert (found.shares["burn"].mean[2][worst] == 1).all()
    assert np.isnan(found.shares["efficacy"].mean[2][worst]).all()
    assert not made[1].answer.kept[2][worst].any()
    assert (found.overheated <= found.twins).all()


def test_answer_and_surfaces_tell_the_same(made):
    folder, sweep = made
    told = json.loads((folder / "answer.json").read_text())
    table = pq.read_table(folder / "surfaces.parquet").to_pandas()
    assert len(table) == 6 * 6 * 4
    assert len(told["kept_in_every_skin_type"]) == len(sweep.answer.common)
    wide = table.pivot_table(index="setting", columns=["quantity", "skin_type"], values="high", dropna=False)
    fine = [n for n in range(6) if all((wide.loc[n, q] <= most).all() for q, most in PLAN.risk.most.items())]
    known = table[table.quantity == "efficacy"].groupby("setting")["mean"].apply(lambda x: x.notna().all())
    assert sweep.answer.common.tolist() == [n for n in fine if known[n]]


def test_the_bytes_do_not_depend_on_workers_or_on_what_was_finished_before(made, tmp_path):
    folder = made[0]
    make(tmp_path / "two", "workers=2")
    shutil.copytree(folder, tmp_path / "resumed")
    for gone in ("shards/00001.json", "sums/part-00000.parquet", "manifest.json", "manifest.sha256"):
        (tmp_path / "resumed" / gone).unlink()
    assert make(tmp_path / "resumed", "workers=1").made == 2
    for name in ("surfaces.parquet", "sums/part-00001.parquet", "twins/part-00000.parquet", "manifest.json"):
        for other in ("two", "resumed"):
            assert (tmp_path / other / name).read_bytes() == (folder / name).read_bytes(), (other, name)
    assert (tmp_path / "two" / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_sweep_verifies_and_a_changed_one_does_not(made, tmp_path):
    folder = made[0]
    assert not [finding for finding in verify(folder, 1) if finding.wrong]
    shutil.copytree(folder, tmp_path / "changed")
    with (tmp_path / "changed" / "answer.json").open("a") as file:
        file.write(" ")
    assert [f.what for f in verify(tmp_path / "changed", 0) if f.wrong] == ["answer.json"]
    (tmp_path / "changed" / "manifest.json").unlink()
    with pytest.raises(Unfinished, match="not complete"):
        list(verify(tmp_path / "changed", 0))


def test_a_folder_of_another_sweep_is_refused(made):
    with (
        pytest.raises(BadInput, match="holds another sweep"),
        claimed(made[0], asked([*WORDS, "seed=1"], None).plan, True),
    ):
        pass
    assert stored(made[0]) == PLAN


def test_a_sweep_begun_with_other_parameters_is_not_resumed(tmp_path, monkeypatch):
    folder = tmp_path / "begun"
    for resume in (False, True):
        with claimed(folder, PLAN, resume):
            pass
    monkeypatch.setattr(kept, "parameters", lambda: "0" * 64)
    with pytest.raises(BadInput, match="begun with other parameter tables"), claimed(folder, PLAN, True):
        pass


def test_the_report_says_what_it_rests_on_and_opens_offline(made):
    html = (made[0] / "report.html").read_text()
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert not re.search(r'(?:src|href)="(?!#)', html)
    assert "script" not in page.tags
    assert page.text.count("SIMULATED") > 0
    behind = [
        p.status for p in outcomes.TABLE.values() if p.name.startswith(("hair.", "events.")) and "purp" not in p.name
    ]
    assert ("Not calibrated, not validated." in page.text) == (set(behind) == {"assumed"})
    assert (f"{behind.count('assumed')} of the {len(behind)} parameters" in page.text) == ("assumed" in behind)
    head = next(i for i, row in enumerate(page.rows) if row[:2] == ["Setting", "Skin type"])
    assert len([row for row in page.rows[head + 1 :] if len(row) == len(page.rows[head])]) == 36
    assert len(re.findall(r"<figure", html)) == 3


def test_the_command_makes_a_sweep_and_finds_it_complete_later(made):
    words = ["sweep", *WORDS, f"out={made[0]}"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "complete already" in done.output
    checked = CliRunner().invoke(app, ["verify", str(made[0]), "--rerun", "0"])
    assert checked.exit_code == 0, checked.output
    refused = CliRunner().invoke(app, ["sweep", "sweep=laser/hair_755", "grid.fluence=[1,500]"])
    assert refused.exit_code == 2
    listed = CliRunner().invoke(app, ["list", "sweeps"])
    assert "sweep=laser/hair_755  Long-pulse 755 nm laser for hair" in listed.output
    assert "outside the device's limits" in refused.output


def test_a_crowd_divides_its_places_and_says_when_a_skin_type_is_too_rare(monkeypatch):
    assert quotas(Crowd(size=20)) == {1: 4, 2: 4, 3: 3, 4: 3, 5: 3, 6: 3}
    monkeypatch.setattr("cutis.trials.sweep.people.PATIENCE", 1)
    with pytest.raises(BadInput, match="of skin type 1"):
        people(Crowd(size=60_000), source_of(PLAN), 1)
    with pytest.raises(BadInput, match=r"population\.eligibility\.agee"):
        people(Crowd.model_validate({"size": 60, "eligibility": {"agee": {"min": 3}}}), source_of(PLAN), 1)


def test_draws_change_outcomes_and_the_first_has_the_parameters_own_values(monkeypatch):
    """A parameter that is uncertain makes draws differ; the table need not have one for this."""
    monkeypatch.setattr(
        shard, "parameters", lambda plan: {"draw": np.arange(2.0), "hair.growing": np.array([0.3, 0.6])}
    )
    part = planned(PLAN)[0][1]
    table = shard.simulate(canonical(PLAN), part)["sums"].to_pandas()
    first, other = (table[table.draw == draw] for draw in (0, 1))
    assert (other["efficacy"].to_numpy() >= first["efficacy"].to_numpy()).all()
    some = first["trusted"].to_numpy() > 0
    ratio = other["efficacy"].to_numpy()[some] / first["efficacy"].to_numpy()[some]
    assert ratio.max() < 2.001  # twice as many hairs grow, and each dies as likely
    assert ratio.max() > 1.1
    assert other["burn"].tolist() == first["burn"].tolist()


def test_sums_of_pieces_add_up(made):
    total = read(made[0])
    assert total["twins"].shape[1:] == (6, 6)
    assert (total["twins"][0] == 6).all()
    assert jnp.isfinite(jnp.asarray(total["burn"])).all()
