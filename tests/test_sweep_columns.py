"""A small sweep over a fractional laser: what is worked out directly, its answer, and its report."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from cutis.core.laser import columns, optics, outcomes
from cutis.trials.errors import Unfinished
from cutis.trials.sweep import shard
from cutis.trials.sweep.place import claimed
from cutis.trials.sweep.plan import canonical
from cutis.trials.sweep.protocols import protocols
from cutis.trials.sweep.read import asked
from cutis.trials.sweep.run import carry_out, planned
from cutis.trials.sweep.verify import verify
from tests.page import Page

WORDS = ["sweep=laser/scars_10600", "size=186", "grid.energy=[10,40]", "grid.density=[100,400]", "draws=3", "workers=1"]
PLAN = asked(WORDS, None).plan


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns") / "one"
    with claimed(folder, PLAN, resume=False):
        return folder, carry_out(PLAN, asked(WORDS, None).cluster, folder)


def test_surfaces_are_what_one_works_out_directly(made):
    part = planned(PLAN)[0][0]
    ours = pq.read_table(made[0] / "sums" / "part-00000.parquet").to_pandas()
    person, of_type = optics.skin(part.twins, PLAN.site), part.twins["fitzpatrick"] == 4
    for number, settings in enumerate(protocols(PLAN)):
        left = columns.columns(person, settings)
        gone = np.asarray(outcomes.texture(left.renewed, 3, 49.0, [180.0])[0])[of_type]
        dark = np.asarray(outcomes.column_risk(left.coverage, part.twins["ita"], 0.0))[of_type]
        row = ours[(ours.draw == 0) & (ours.setting == number) & (ours.skin_type == 4)].iloc[0]
        assert row["efficacy"] == pytest.approx(gone.sum(), rel=1e-9)
        assert row["hyperpigmentation"] == pytest.approx(dark.sum(), rel=1e-9)
        assert row["trusted"] == row["twins"] == of_type.sum()


def test_more_and_deeper_columns_do_more_good_and_more_harm(made):
    found = made[1].surfaces
    good, harm = (found.shares[name].mean.reshape(2, 2, 6) for name in ("efficacy", "hyperpigmentation"))
    assert (np.diff(good, axis=0) > 0).all()
    assert (np.diff(good, axis=1) > 0).all()
    assert (np.diff(harm, axis=0) > 0).all()
    assert (np.diff(harm[0], axis=1) > 0).all(), "darker skin is at more risk"
    assert set(found.shares) == {"efficacy", "hyperpigmentation"}


def test_parameters_of_columns_are_drawn(made):
    ours = pq.read_table(made[0] / "sums" / "part-00000.parquet").to_pandas()
    assert ours.groupby(["setting", "skin_type"])["efficacy"].nunique().min() == 4


def test_the_report_speaks_of_energy_and_columns(made):
    page = Page((made[0] / "report.html").read_text())
    for told in (
        "Window by energy, other settings",
        "Therapeutic window by energy: 100 /cm² density",
        "mJ",
        "Scar reduction",
    ):
        assert told in page.text, told
    for wrong in ("J/cm²", "hair", "Risk of burns"):
        assert wrong not in page.text, wrong


def test_it_verifies(made):
    assert not [finding for finding in verify(made[0], 1) if finding.wrong]


def test_skin_that_is_too_thin_is_told_with_its_twins(monkeypatch):
    monkeypatch.setattr(columns, "columns", lambda *_: (_ for _ in ()).throw(ValueError("a layer is too thin")))
    with pytest.raises(Unfinished, match=r"twins \d+ to \d+: a layer is too thin"):
        shard.simulate(canonical(PLAN), planned(PLAN)[0][0])
