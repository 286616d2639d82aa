"""A run analysed a few shards at a time: what analysing its whole tables gives, whatever is asked, in little memory."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cutis.trials import piecewise
from cutis.trials.statistics import analyses
from cutis.trials.statistics.means import mean
from cutis.trials.statistics.outcomes import named

from .offered import DISEASE, PLAN, WEEKS, study, tables
from .test_statistics_offered import CHANGE, PLANS, POLICY

SOME = ("mn", "classical", "odds", "ranks", "curve", "loss")  # one of each kind of table that methods read
ALSO = {
    "last": CHANGE | {"method": "ancova", "intercurrent": "while_on_treatment"},
    "filled": CHANGE | {"method": "ancova", "missing": "multiple_imputation", "options": {"imputations": 4}},
    "early": PLAN | {"method": "newcombe", "week": 4},
    "severe": PLAN | {"method": "cochran_mantel_haenszel", "outcome": "severe"},
}


def write(folder, frames, parts):
    """The tables as shards: equal runs of twins."""
    who = np.array_split(frames[0]["twin"].to_numpy(), parts)
    for kind, frame in zip(("twins", "observations", "events"), frames, strict=True):
        (folder / kind).mkdir(parents=True)
        for number, some in enumerate(who):
            part = pa.Table.from_pandas(frame.loc[frame["twin"].isin(some)], preserve_index=False)
            pq.write_table(part, folder / kind / f"part-{number:05d}.parquet")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("run"), tables(), 7)


def asked(plans, outcomes=("half", "severe", "change")):
    given = study({name: plan | {"role": "secondary"} for name, plan in plans.items()})
    return given.model_copy(update={"trial": given.trial.model_copy(update={"outcomes": outcomes})})


def same(found, expected, last_bits=()):
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        loose = row.analysis in last_bits
        for name, value in vars(row).items():
            wanted = getattr(other, name)
            if isinstance(value, float) and loose:
                assert value == pytest.approx(wanted, rel=1e-12, abs=1e-14, nan_ok=True), (row, name)
            else:
                assert value == wanted or (value != value and wanted != wanted), (row.analysis, name, value, wanted)


def test_whatever_a_study_may_ask_is_what_whole_tables_give(folder):
    given = asked({name: PLANS[name] for name in SOME} | ALSO)
    expected = analyses.analyse(given, DISEASE, *tables())
    same(piecewise.analyse(given, DISEASE, folder), expected)


@pytest.mark.parametrize("together", [1, 2, 3])
def test_groups_of_shards_change_nothing_but_the_last_bits_of_means(folder, monkeypatch, together):
    given = asked({})
    expected = analyses.analyse(given, DISEASE, *tables())
    monkeypatch.setattr(piecewise, "TOGETHER", together)
    same(piecewise.analyse(given, DISEASE, folder), expected, ["mean_by_visit"])


def test_two_sides_of_the_same_twins_are_described_side_by_side(tmp_path, monkeypatch):
    twins, observations, events = tables(arms=("active", "placebo"))
    other = observations["arm"].map({"active": "placebo", "placebo": "active"})
    both = [
        observations.assign(side="left"),
        observations.assign(side="right", arm=other, pasi=observations["pasi"] / 2),
    ]
    looked = both[0].merge(both[1], how="outer").sort_values(["twin", "side", "week"])
    frames = twins.drop(columns="arm"), looked, events
    given = study({"pairs": PLAN | {"method": "mcnemar"}}, split=True)
    monkeypatch.setattr(piecewise, "TOGETHER", 2)
    found = piecewise.analyse(given, DISEASE, write(tmp_path, frames, 5))
    same(found, analyses.analyse(given, DISEASE, *frames), ["mean_by_visit"])


def test_an_arm_that_a_group_of_shards_lacks_is_described(tmp_path, monkeypatch):
    twins, observations, events = tables()
    order = np.argsort(twins["arm"].astype(str).to_numpy(), kind="stable")
    twins = twins.iloc[order]
    monkeypatch.setattr(piecewise, "TOGETHER", 1)
    found = piecewise.describe(asked({}), DISEASE, write(tmp_path, (twins, observations, events), 6))
    same(found, analyses.analyse(asked({}), DISEASE, twins, observations, events), ["mean_by_visit"])


def test_no_outcome_to_describe_and_no_comparison_gives_no_result(folder):
    assert piecewise.analyse(asked({}, outcomes=()), DISEASE, folder) == []


def test_a_covariate_that_the_run_does_not_have_is_refused(folder):
    given = asked({"g": PLAN | {"method": "logistic", "covariates": ["shoe_size"]}})
    with pytest.raises(ValueError, match="shoe_size"):
        piecewise.analyse(given, DISEASE, folder)


@pytest.mark.parametrize(
    ("plan", "weeks"),
    [
        (PLAN | {"method": "newcombe"}, {0, 12}),
        (CHANGE | {"method": "ancova", "week": 8}, {0, 8}),
        (CHANGE | {"method": "ancova", "week": 8, "intercurrent": "while_on_treatment"}, {0, 4, 8}),
        (CHANGE | {"method": "ancova", "week": 8, "missing": "jump_to_reference"}, {0, 4, 8}),
        (CHANGE | {"method": "mmrm"}, set(WEEKS)),
        (POLICY | {"method": "log_rank", "week": 4}, {0, 4}),
    ],
)
def test_only_the_visits_that_an_analysis_reads_are_held(plan, weeks):
    given = study({"a": plan})
    assert piecewise.visits(given, given.trial.analyses.values()) == weeks


def test_only_the_measurements_that_an_analysis_reads_are_held():
    given = study({"a": PLAN | {"outcome": "half", "method": "logistic", "covariates": ["baseline_iga", "weight"]}})
    assert piecewise.measured(DISEASE, given.trial.analyses.values()) == {"pasi", "iga"}
    severe = named(DISEASE, "severe")
    by_another = replace(severe, of=lambda before: before["lesions"] > 3)
    assert piecewise.made_of(DISEASE, by_another) == {"pasi", "lesions"}


def test_the_report_gets_all_twins_and_the_visits_of_its_figures(folder):
    given = study({"a": PLAN | {"method": "newcombe", "week": 4}})
    found = piecewise.tables(given, DISEASE, folder, 8)
    assert set(found["observations"]["week"]) == {0, 4, 8}
    assert len(found["twins"]) == len(tables()[0])
    assert set(tables()[1].columns) == set(found["observations"].columns)


def test_sums_of_parts_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    values = 1e6 + rng.normal(0, 1, 1000)
    parts = np.split(values, [0, 1, 1, 300, 999])
    whole = piecewise.Sums()
    for part in parts:
        whole += piecewise.sums(part, 2)
    assert (whole.n, whole.missing, whole.low, whole.high) == (1000, 12, values.min(), values.max())
    assert whole.mean == pytest.approx(values.mean(), rel=1e-15)
    assert whole.squares == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0, 3.0], [0.1, 0.2, 0.7, 0.4], [math.inf, 1.0]])
def test_a_mean_of_sums_is_told_as_a_mean_of_values(values):
    given = np.array(values)
    with np.errstate(invalid="ignore"):
        found, expected = piecewise.mean("a", piecewise.sums(given, 3)), mean("a", given, 3, analyses.LEVEL)
    assert repr(found) == repr(expected)


def test_describing_more_shards_takes_no_more_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(piecewise, "TOGETHER", 2)
    peaks = []
    for parts in (4, 16):
        at = write(tmp_path / str(parts), tables(1500 * parts), parts)
        tracemalloc.start()
        piecewise.describe(asked({}), DISEASE, at)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
