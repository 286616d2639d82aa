import json
import math
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cutis.core.disease import Disease, Outcome
from cutis.trials.statistics.analyses import METHODS, analyse, check
from cutis.trials.statistics.proportions import newcombe, wilson
from cutis.trials.statistics.result import SCHEMA, Result, from_arrow, to_arrow
from cutis.trials.study import Analysis, Study

OUTCOMES = {
    "pasi50": Outcome("pasi50", "PASI at least halved", "responder", "", lambda now, b: _half(now["pasi"], b["pasi"])),
    "pasi_change": Outcome("pasi_change", "change", "continuous", "points", lambda now, b: now["pasi"] - b["pasi"]),
}
DISEASE = cast(
    Disease,
    SimpleNamespace(
        name="psoriasis",
        attributes=("weight", "prior"),
        endpoints={"pasi": SimpleNamespace(detail=False)},
        outcomes=OUTCOMES,
    ),
)
CMH = {"outcome": "pasi50", "week": 12, "arm": "active", "comparator": "placebo", "method": "cochran_mantel_haenszel"}
PLANS: dict[str, dict[str, Any]] = {
    "main": CMH | {"role": "primary"},
    "plain": CMH | {"method": "newcombe", "role": "secondary", "alpha": 0.1},
    "adjusted": CMH | {"method": "logistic", "covariates": ["weight", "prior", "race"]},
    "change": CMH
    | {
        "method": "ancova",
        "outcome": "pasi_change",
        "intercurrent": "while_on_treatment",
        "covariates": ["baseline_pasi", "weight", "stratum"],
    },
}


def _half(now, before):
    return np.where(np.isnan(now + before), np.nan, now <= before / 2)


def study(plans=PLANS, outcomes=("pasi50", "pasi_change")):
    arms = ("active", "high", "placebo")
    trial = {
        "title": "t",
        "question": "q",
        "disease": "psoriasis",
        "arms": {arm: {} for arm in arms},
        "visits": [0, 4, 12],
        "eligibility": {},
        "randomisation": {"allocation": dict.fromkeys(arms, 1), "block_size": 3},
        "conduct": {
            "adherence": {"probability": 0.9, "spread": 0},
            "discontinuation": {
                "adverse_event": 0,
                "other": 0,
                "lack_of_efficacy": 0,
                "lack_of_efficacy_from": 0,
                "followed_up": 0,
            },
            "missed_visit": 0,
        },
        "outcomes": list(outcomes),
        "analyses": plans,
    }
    return Study.model_validate({"seed": 1, "population": {"source": "p", "size": 240}, "trial": trial})


def tables(n=240, arms=("active", "high", "placebo")):
    """A simulated trial: the arms help to different degrees; some twins stop, some visits are missed."""
    rng = np.random.default_rng(12)
    twins = pd.DataFrame({"twin": np.arange(n), "arm": np.resize(arms, n), "weight": rng.normal(88, 20, n)})
    twins["stratum"] = np.where(twins["weight"] > 90, "heavy", "light")
    twins["prior"] = rng.random(n) < 0.3
    twins["race"] = rng.choice(["asian", "white"], n)
    kept = twins["arm"].map({"active": 0.4, "high": 0.25, "placebo": 0.8}).to_numpy()
    start = 12 + rng.gamma(1.1, 7, n)
    courses = [
        pd.DataFrame(
            {
                "twin": twins["twin"],
                "arm": twins["arm"],
                "week": week,
                "seen": (week == 0) | (rng.random(n) > 0.05),
                "pasi": start * kept ** (week / 12) * np.exp(rng.normal(0, 0.3, n) * (week > 0)),
            }
        )
        for week in (0, 4, 12)
    ]
    stopped = twins.loc[rng.random(n) < 0.1, ["twin", "arm"]]
    events = stopped.assign(week=6, event="treatment stopped", reason="other")
    return twins, pd.concat(courses, ignore_index=True), events


@pytest.fixture(scope="module")
def results():
    return analyse(study(), DISEASE, *tables())


def one(results, **wanted):
    found = [row for row in results if all(getattr(row, key) == item for key, item in wanted.items())]
    assert len(found) == 1
    return found[0]


def test_each_analysis_gives_its_comparison_and_both_arms(results):
    statistics = {
        "main": ["common risk difference", "proportion", "proportion"],
        "plain": ["risk difference", "proportion", "proportion"],
        "adjusted": ["odds ratio", "proportion", "proportion"],
        "change": ["difference in adjusted means", "adjusted mean", "adjusted mean"],
    }
    for name, expected in statistics.items():
        rows = [row for row in results if row.analysis == name]
        assert [row.statistic for row in rows] == expected
        assert [(row.arm, row.comparator) for row in rows] == [
            ("active", "placebo"),
            ("active", ""),
            ("placebo", ""),
        ]


def test_the_figures_are_those_of_counting_by_hand(results):
    twins, observations, events = tables()
    wide = observations.assign(pasi=observations["pasi"].where(observations["seen"])).pivot(
        index="twin", columns="week", values="pasi"
    )
    responds = (wide[12] <= wide[0] / 2) & ~wide.index.isin(events["twin"])
    counts = responds.groupby(twins["arm"]).agg(["sum", "count"]).astype(int)
    row = one(results, analysis="plain", statistic="risk difference")
    (e1, n1), (e0, n0) = counts.loc["active"], counts.loc["placebo"]
    assert (row.events, row.n, row.events_comparator, row.n_comparator) == (e1, n1, e0, n0)
    assert (row.estimate, row.low, row.high, row.p) == pytest.approx(newcombe(e1, n1, e0, n0, 0.9))
    assert row.level == 0.9
    assert row.missing == wide.loc[twins["arm"].isin(["active", "placebo"]).to_numpy(), 12].isna().sum()
    visit = one(results, analysis="by_visit", week=12, arm="high")
    assert (visit.estimate, visit.low, visit.high) == pytest.approx(wilson(*counts.loc["high"]))


def test_each_visit_after_baseline_is_described_for_each_arm_and_outcome(results):
    described = {(row.analysis, row.outcome, row.week, row.arm) for row in results if row.role == "descriptive"}
    arms = ("active", "high", "placebo")
    expected = {("by_visit", "pasi50", week, arm) for week in (4, 12) for arm in arms}
    expected |= {("mean_by_visit", "pasi_change", week, arm) for week in (4, 12) for arm in arms}
    assert described == expected
    assert {row.intercurrent for row in results if row.analysis == "by_visit"} == {"composite"}


def test_a_mean_is_described_with_its_t_interval(results):
    twins, observations, _ = tables()
    wide = observations.assign(pasi=observations["pasi"].where(observations["seen"])).pivot(
        index="twin", columns="week", values="pasi"
    )
    values = (wide[4] - wide[0])[(twins["arm"] == "high").to_numpy()].dropna()
    row = one(results, analysis="mean_by_visit", week=4, arm="high")
    assert (row.estimate, row.n) == (pytest.approx(values.mean()), len(values))
    assert row.se == pytest.approx(values.sem())
    assert row.low == pytest.approx(values.mean() - 1.99045 * values.sem(), rel=1e-3)


def test_a_third_arm_does_not_move_a_comparison(results):
    twins, observations, events = tables()
    other = observations.assign(pasi=observations["pasi"].where(observations["arm"] != "high", 1.0))
    again = analyse(study(), DISEASE, twins, other, events)
    for name in PLANS:
        before = [row for row in results if row.analysis == name]
        assert_same([row for row in again if row.analysis == name], before)


def assert_same(found, expected):
    """Equal rows, with NaN equal to NaN."""
    assert [repr(row) for row in found] == [repr(row) for row in expected]


def test_the_order_of_rows_depends_on_their_content_alone(results):
    turned = study(dict(reversed(PLANS.items())), outcomes=("pasi_change", "pasi50"))
    twins, observations, events = tables()
    assert_same(analyse(turned, DISEASE, twins, observations, events), results)
    assert [row.role for row in results][:6] == ["primary"] * 3 + ["secondary"] * 3


def test_results_survive_parquet(results, tmp_path):
    table = to_arrow(results)
    pq.write_table(table, tmp_path / "results.parquet")
    read = pq.read_table(tmp_path / "results.parquet")
    assert read.schema.equals(SCHEMA, check_metadata=True)
    assert_same(from_arrow(read), results)
    assert any(math.isnan(row.se) for row in from_arrow(read))


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    for name in ("a", "b"):
        pq.write_table(to_arrow(analyse(study(), DISEASE, *tables())), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_field_is_described_and_every_figure_says_how_it_came_about(results):
    assert all(field.metadata[b"description"] for field in SCHEMA)
    for row in results:
        options = json.loads(row.options)
        assert options
        assert row.options == json.dumps(options, sort_keys=True)
        assert row.engine in ("cutis", "statsmodels")
        assert row.engine_version[0].isdigit()
        assert row.population == "full analysis set"


def test_no_results_make_an_empty_table_with_all_columns():
    assert from_arrow(to_arrow([])) == []
    assert to_arrow([]).schema.equals(SCHEMA)


@pytest.mark.parametrize("name", ["options", "engine_version", "method"])
def test_a_figure_that_does_not_say_how_it_came_about_cannot_be_written(results, name):
    untraced = [results[0], replace(results[1], **{name: ""})]
    with pytest.raises(ValueError, match=f"result 1 .*: {name} is empty"):
        to_arrow(untraced)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.drop_columns("se"), "results lack the column 'se'"),
        (lambda t: t.append_column("extra", pa.array([1] * len(t))), "unknown columns extra"),
        (lambda t: t.set_column(0, "analysis", pa.array([1] * len(t))), "column 'analysis' is int64, expected string"),
    ],
)
def test_a_table_of_another_shape_is_refused(results, spoil, words):
    with pytest.raises(ValueError, match=words):
        from_arrow(spoil(to_arrow(results)))


def test_an_arm_without_twins_has_figures_that_are_nan_and_noted():
    rows = analyse(study(), DISEASE, *tables(arms=("active", "high")))
    for name in PLANS:
        compared = next(row for row in rows if row.analysis == name and row.comparator)
        assert math.isnan(compared.estimate)
        assert "placebo" in compared.note
        assert compared.n + (compared.missing if name == "change" else 0) == 120
    described = one(rows, analysis="by_visit", arm="placebo", week=12)
    assert (described.n, described.note) == (0, "no twin of placebo has a value")
    assert one(rows, analysis="mean_by_visit", arm="placebo", week=12).note.startswith("no interval")


def test_a_sound_study_has_no_problems():
    assert check(study(), DISEASE, ["race"]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"outcome": "pasi99"},
            "analyses.a.outcome: psoriasis has no outcome 'pasi99'; choose from pasi50, pasi_change",
        ),
        (
            {"outcome": "pasi_change", "intercurrent": "treatment_policy"},
            "analyses.a.method: cochran_mantel_haenszel is for a responder outcome, "
            "but pasi_change is a continuous outcome; choose from ancova, mmrm, van_elteren",
        ),
        (
            {"method": "ancova"},
            "analyses.a.method: ancova is for a continuous outcome, but pasi50 is a responder outcome; "
            "choose from cochran_mantel_haenszel, cox, g_computation, kaplan_meier, log_rank, logistic, "
            "miettinen_nurminen, newcombe, restricted_mean",
        ),
        (
            {"outcome": "pasi_change", "method": "ancova"},
            "analyses.a.intercurrent: composite counts an intercurrent event as non-response, "
            "but pasi_change is a continuous outcome; choose treatment_policy or while_on_treatment",
        ),
        (
            {"covariates": ["weight"]},
            "analyses.a.covariates: cochran_mantel_haenszel would ignore weight; leave them out, "
            "or choose from ancova, cox, g_computation, logistic, mmrm, negative_binomial, proportional_odds",
        ),
        (
            {"method": "logistic", "covariates": ["wieght"]},
            "analyses.a.covariates: no covariate 'wieght'; choose from baseline_pasi, prior, race, stratum, weight",
        ),
        (
            {"method": "logistic", "covariates": ["weight", "weight"]},
            "analyses.a.covariates: 'weight' is listed twice; list it once",
        ),
    ],
)
def test_a_problem_is_told_before_anything_is_simulated(change, words):
    asked = study({"a": CMH | change})
    assert check(asked, DISEASE, ["race"]) == [words]
    with pytest.raises(ValueError, match=r"analyses\.a\."):
        analyse(asked, DISEASE, *tables())


def test_a_reserved_name_and_an_unknown_described_outcome_are_problems():
    problems = check(study({"by_visit": CMH}, outcomes=("pasi50", "easi75")), DISEASE)
    assert problems == [
        "outcomes: psoriasis has no outcome 'easi75'; choose from pasi50, pasi_change",
        "analyses.by_visit: this name is kept for the description of each visit; choose another",
    ]


def test_every_method_of_the_schema_has_a_function():
    assert set(METHODS) == set(Analysis.model_fields["method"].annotation.__args__)


def test_reading_results_does_not_load_the_engines():
    code = "import sys, cutis.trials.statistics.result; print('statsmodels' in sys.modules, 'scipy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_a_result_has_the_fields_in_the_order_of_the_table():
    assert list(Result.__dataclass_fields__) == SCHEMA.names
