"""Imputation in replicates: each estimate is that of the study's own routines with the replicate's luck."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.core.disease import Outcome
from cutis.core.diseases import DISEASES
from cutis.trials.command import app
from cutis.trials.operating import gaps, recheck, replicates
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.settings import Design, problems
from cutis.trials.statistics.completed import measured
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.study import Analysis

from .studies import study

TWINS, ALLOCATION = 600, Allocation((1, 1, 1), 6, 2)


def analysis(method="ancova", missing="multiple_imputation", imputations=4, covariates=("x", "baseline_y"), **options):
    return Analysis.model_construct(**Analysis.model_validate({
        "outcome": "pasi_change", "week": 16, "arm": "a", "comparator": "b", "method": method, "missing": missing,
        "covariates": covariates, "intercurrent": "treatment_policy",
    }).__dict__ | {"options": Analysis.model_fields["options"].default.model_copy(
        update={"imputations": imputations, **options})})  # fmt: skip


ANALYSES = {
    "at random": analysis(),
    "jump": analysis(missing="jump_to_reference", variance="classical", covariates=()),
    "means": analysis(imputations=0, missing="copy_reference"),
    "responders": analysis("g_computation", covariates=("x",)),
    "strata": analysis("cochran_mantel_haenszel", covariates=()),
}


@pytest.fixture(scope="module")
def pool():
    """Three visits that fall from a baseline, some of which are missing, and a response of low values at the last."""
    rng = np.random.default_rng(3)
    x, strata = rng.normal(size=TWINS), rng.choice(2, TWINS, p=[0.6, 0.4])
    baseline = 10 + 2 * rng.normal(size=TWINS)
    effect = np.array([[2.0], [0.0]])
    level = 0.5 * (baseline - 10) + 0.4 * x + rng.normal(size=TWINS)
    seen = np.stack([9 + level - t * (1 + effect) / 3 + rng.normal(size=(2, TWINS)) for t in (1, 2, 3)], axis=2)
    left = rng.choice([0, 1, 2, 3], (2, TWINS), p=[0.02, 0.05, 0.08, 0.85])
    seen[np.arange(3)[None, None] >= left[..., None]] = np.nan
    seen[rng.random(seen.shape) < 0.04] = np.nan
    there = ~np.isnan(seen)
    departure = np.where(there.any(axis=2), 3 - there[..., ::-1].argmax(axis=2), 0).astype(float)
    everybody = np.ones((2, TWINS), bool)

    def columns(plan):
        responder = plan.method != "ancova"
        wide = np.stack([{"x": x, "baseline_y": baseline}[name] for name in plan.covariates], axis=1) \
            if plan.covariates else np.zeros((TWINS, 0))  # fmt: skip
        more = [seen, departure[..., None]]
        value = seen[..., -1]
        if responder:
            largest = np.broadcast_to(0.75 * baseline, (2, TWINS))
            more.append(largest[..., None])
            value = np.where(np.isnan(value), np.nan, value <= largest)
        extra = np.stack([baseline] * 2)[..., None] if responder else None
        return Columns(value, np.isnan(value), np.stack([wide] * 2), everybody, (0, 2),
                       np.concatenate(more, axis=2), everybody, extra)  # fmt: skip

    return Pool(np.arange(TWINS), strata, ("s", "t"), {name: columns(plan) for name, plan in ANALYSES.items()})


SLOW = ("jump", "means", "responders", "strata")  # each is a program of its own to compile


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in ANALYSES])
def test_every_replicate_is_what_the_routine_of_a_run_gives(pool, name):
    chosen = {name: ANALYSES[name]}
    some = (("model", ((0, 1),)), ("null", ((1, 1),)))[: 1 + (name == "at random")]
    trials = Trials(3, 90, (90,), ALLOCATION, (name,), (ANALYSES[name],), worlds=some)
    found = replicates.analyse(trials, np.arange(2), replicates.data(pool, trials.names, trials.analyses))
    again = recheck.recheck(trials, pool, chosen, np.arange(1), Estimate._make(values[:1] for values in found))
    assert again.analyses == len(some)
    assert again.flagged == 0
    assert again.largest[name] < 1e-6
    assert (found.flag == 0).all()
    assert found.estimate[0, 0, 0, 0] != found.estimate[1, 0, 0, 0]


def test_an_arm_without_values_is_flagged_and_never_rejects(pool):
    plan = ANALYSES["at random"]
    columns = pool.columns["at random"]
    more = columns.more.copy()
    more[0, :, :3] = np.nan
    empty = pool._replace(columns={"at random": columns._replace(more=more)})
    worlds = (("model", ((0, 1),)), ("null", ((1, 1),)))
    trials = Trials(3, 90, (90,), ALLOCATION, ("at random",), (plan,), worlds=worlds)
    found = replicates.analyse(trials, np.arange(1), replicates.data(empty, trials.names, trials.analyses))
    assert (found.flag[:, 0] > 0).all()
    assert (found.p[:, 0] == 1).all()
    assert np.isnan(found.estimate[:, 0]).all()
    assert (found.flag[:, 1] == 0).all()


@pytest.mark.parametrize("name", ["pasi50", "pasi90", "pasi100", "iga01", "dlqi01"])
def test_the_largest_response_decides_as_the_outcome_does(name):
    disease = DISEASES["psoriasis"]
    outcome = disease.outcomes[name]
    part, _ = measured(disease, outcome)
    rng = np.random.default_rng(6)
    scale = disease.endpoints[part]
    whole = scale.unit == "grade"
    baseline = {key: np.full(400, np.nan) for key in disease.endpoints}
    baseline[part] = np.round(rng.uniform(scale.low, scale.high, 400), 0 if whole or part != "pasi" else 1)
    largest = gaps.threshold(disease, outcome, part, baseline)
    values = np.clip(np.concatenate([rng.uniform(scale.low, scale.high, 300), np.zeros(100)]), scale.low, scale.high)
    values = np.round(values) if whole else values
    met = np.asarray(outcome.derive(baseline | {part: values}, baseline)) > 0
    np.testing.assert_array_equal(values <= largest, met)
    assert 0 < met.sum() < 400


def test_a_response_of_high_values_is_refused():
    disease = DISEASES["psoriasis"]
    high = Outcome("high", "", "responder", "", lambda now, base: np.where(now["pasi"] >= base["pasi"], 1.0, 0.0))
    with pytest.raises(ValueError, match="a response is expected where pasi is low"):
        gaps.threshold(disease, high, "pasi", {"pasi": np.array([12.0])})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"imputations": 1}, "expected 2 or more, or 0 for conditional means"),
        ({"imputations": 0, "analysis": "response"}, "conditional means.* serves ancova, but response is by logistic"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(words, message):
    plan = study(analyses={"response": {
        "outcome": "pasi90", "week": 16, "arm": "guselkumab", "comparator": "placebo", "method": "logistic",
        "missing": "multiple_imputation", "intercurrent": "treatment_policy",
    }})  # fmt: skip
    found = problems(plan, Design.model_validate({"analysis": "response", "sizes": [90]} | words))
    assert any(re.search(message, one) for one in found), found


NAME = "pasi_change_against_placebo"
WORDS = ("design", f"design.analysis={NAME}", "design.pool=150", "design.replicates=100", "design.sizes=[84]",
         "design.imputations=3", "design.recheck=0.001", "design.replay=7", "seed=5", "trial.visits=[0,8,16,48]",
         "trial.conduct.rescue=null", f"trial.analyses.{NAME}.missing=jump_to_reference",
         f"+trial.analyses.{NAME}.options.imputations=3", "~trial.analyses.pasi90_adalimumab_week24")  # fmt: skip


@pytest.mark.slow
def test_the_studys_own_analysis_of_a_replayed_replicate_gives_what_was_counted(tmp_path):
    folder = tmp_path / "one"
    done = CliRunner().invoke(app, [*WORDS, f"out={folder}"])
    assert done.exit_code == 0, done.output
    rows = pq.read_table(folder / "replicates" / "size-84" / "part-00000.parquet").to_pandas()
    row = rows.query("replicate == 7 and hypothesis == 'model'").iloc[0]
    full = pd.read_parquet(folder / "replay-7" / "results.parquet").query("comparator != ''").set_index("analysis")
    for number in ("estimate", "se", "low", "high", "p"):
        assert np.isclose(row[number], full.loc[NAME, number], rtol=1e-7, atol=1e-10), number
    told = json.loads((folder / "results.json").read_text())["agreement"]["84"]
    assert told["largest"][NAME] < 1e-7
