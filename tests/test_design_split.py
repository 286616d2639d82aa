"""Split-body designs: power and error against normal theory, statsmodels, the pool's sides, refusals, the command."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import nct
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import mcnemar
from typer.testing import CliRunner

from cutis.trials.command import app
from cutis.trials.operating import looks, paired, sided
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.paired import Paired
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.sample import Data
from cutis.trials.operating.settings import Design
from cutis.trials.statistics.methods.estimate import Estimate, Flag
from cutis.trials.study import Analysis

POOL, SIZE, MANY = 20_000, 40, 3000
EFFECT, PERSON, SIDE = 0.4, 1.0, 0.6  # of the arm; SD of what the sides share, and of what each has alone
TWO = Allocation((1, 1), 4, 1)
WORDS = {"outcome": "y", "week": 12, "arm": "a", "comparator": "c", "intercurrent": "treatment_policy"}
ANALYSES = {
    "mean": Analysis.model_validate(WORDS | {"method": "paired_t"}),
    "adjusted": Analysis.model_validate(WORDS | {"method": "paired_t", "covariates": ["x"]}),
    "share": Analysis.model_validate(WORDS | {"method": "mcnemar", "intercurrent": "composite"}),
}


def values():
    """A made-up pool, (2 sides, 2 treatments, pool) of each analysis: a mean, with a covariate, and a response."""
    rng = np.random.default_rng(5)
    own = rng.normal(size=(2, 2, POOL)) * SIDE
    outcome = rng.normal(size=POOL) * PERSON + own + np.array([EFFECT, 0.0])[:, None]
    before = own + rng.normal(size=(2, 2, POOL))  # a covariate that knows something of the side
    return {
        "mean": outcome[None],
        "adjusted": np.stack([outcome, before]),
        "share": (outcome > 0.5).astype(float)[None],
    }


@pytest.fixture(scope="module")
def made():
    """Trials, their data, and what they find."""
    pool = values()
    pool["adjusted"][0, 0, 0, ::10] = np.nan  # some who are not seen
    data = Data(np.zeros(POOL, int), np.concatenate([one.reshape(-1, POOL) for one in pool.values()]), (), ())
    trials = Trials(3, SIZE, (SIZE // 2, SIZE), TWO, tuple(ANALYSES), tuple(ANALYSES.values()))
    whole = Paired(trials, (0, 0, 0))
    return whole, data, paired.analyse(whole, np.arange(MANY), data)


def figures(made):
    whole, data, found = made
    design = Design.model_validate({"looks": [0.5, 1]})
    rule = Rule(design, looks.bounds(design, 0.05), (1.0,), ((0, 1),), TWO, whole.first.cuts)
    rows = measured(whole.first, found, rule, sided.limits(data, ANALYSES))
    return {(f.hypothesis, f.analysis, f.measure, f.look): f for f in rows}


def test_power_is_that_of_the_paired_t_test(made):
    of = values()["mean"][0]
    apart = sided.differences(of)
    drift, edge = apart.mean() / (apart.std() / math.sqrt(SIZE)), student.isf(0.025, SIZE - 1)
    power = nct.sf(edge, SIZE - 1, drift) + nct.cdf(-edge, SIZE - 1, drift)
    told = figures(made)["model", "mean", "rejection of the full trial", 0]
    assert 0.5 < power < 0.95
    assert abs(told.value - power) < 4 * told.mcse


def test_errors_are_at_their_level_and_intervals_cover(made):
    found = figures(made)
    for hypothesis in ("model", "null as comparator", "null as arm"):
        for name in ("mean", "adjusted"):
            told = found[hypothesis, name, "coverage", 0]
            assert abs(told.value - 0.95) < 4 * math.sqrt(0.05 * 0.95 / MANY)
            assert abs(found[hypothesis, name, "bias", 0].value) < 4 * found[hypothesis, name, "bias", 0].mcse
    for hypothesis in ("null as comparator", "null as arm"):  # with two looks, too
        told = found[hypothesis, "mean", "rejection", 0]
        assert abs(told.value - 0.05) < 4 * math.sqrt(0.05 * 0.95 / MANY)


def test_the_null_keeps_sides_as_alike_as_they_are(made):
    """Between different people the SD of a difference would have what the sides of one person share."""
    told = figures(made)["null as comparator", "mean", "empirical se", 0]
    assert abs(told.value - SIDE * math.sqrt(2 / SIZE)) < 4 * told.mcse + 0.01 * told.value
    assert told.value < 0.6 * math.sqrt(2 * (PERSON**2 + SIDE**2) / SIZE)


def test_a_covariate_that_tells_of_the_side_helps(made):
    found = figures(made)
    plain, adjusted = (found["model", name, "empirical se", 0].value for name in ("mean", "adjusted"))
    assert adjusted < 0.98 * plain


def test_statsmodels_has_the_same_p_of_mcnemar():
    rng = np.random.default_rng(2)
    one, two = rng.integers(0, 2, (2, 5, 60)).astype(float)
    found = paired.difference_of_shares(paired.Pairs(one, two, np.zeros((0, 5, 60))), 0.95)
    for row in range(5):
        table = pd.crosstab(one[row], two[row]).to_numpy()
        assert found.p[row] == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue)
    np.testing.assert_allclose(found.estimate, one.mean(axis=1) - two.mean(axis=1))


def test_the_routines_of_a_run_agree(made):
    whole, data, found = made
    some = np.arange(0, MANY, 600)
    again = paired.recheck(whole, some, data, Estimate._make(part[some] for part in found))
    assert again.analyses == len(some) * 3 * 2 * 3
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-9


def test_a_look_is_the_beginning_of_its_trial(made):
    whole, data, found = made
    small = whole._replace(first=whole.first._replace(size=SIZE // 2, cuts=(SIZE // 2,)))
    alone = paired.analyse(small, np.arange(20), data)
    np.testing.assert_array_equal(alone.estimate[:, :, 0], found.estimate[:20, :, 0])


def test_arms_lie_on_either_side_in_their_shares(made):
    """With outcomes that only name their side, the mean difference counts the sides: 0 where they are even."""
    whole, data, _ = made
    sides = np.zeros((2, 2, POOL)) + np.array([1.0, 0.0])[:, None, None]
    named = data._replace(columns=np.concatenate([sides.reshape(4, -1), data.columns[4:]]))
    found = paired.analyse(whole, np.arange(50), named).estimate[:, 0, 1, 0]
    np.testing.assert_allclose(found, 0.0, atol=1e-12)  # blocks of four, forty people


def test_pairs_that_tell_nothing_are_flagged():
    nothing = np.zeros((0, 3, 4))
    one = np.array([[np.nan] * 4, [1.0, np.nan, np.nan, np.nan], [1.0] * 4])
    found = paired.mean_difference(paired.Pairs(one, one - 1, nothing), 0.95)
    assert found.flag.tolist() == [Flag.EMPTY_ARM, Flag.TOO_FEW, Flag.NO_VARIATION]
    assert found.p.tolist() == [1, 1, 1]
    shares = paired.difference_of_shares(paired.Pairs(one, one, nothing), 0.95)
    assert shares.flag.tolist() == [Flag.EMPTY_ARM, 0, 0]
    assert shares.p.tolist() == [1, 1, 1]
    same = paired.Pairs(np.eye(4)[:3], np.zeros((3, 4)), np.ones((1, 3, 4)))
    assert np.isnan(paired.mean_difference(same, 0.95).se).all()  # a covariate that does not vary


def cutis(*words):
    return CliRunner().invoke(app, ["design", "trial=acne/split_face", "population=acne", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("design.reestimate={most: 2, low: 0.3, target: 0.9}", "every person has both arms; leave reestimate out"),
        ("design.external={people: [50], spread: 0.1}", "every person has both arms; leave external out"),
        ("design.analysis=nothing", "the trial has no analysis 'nothing'"),
        ("design.sizes=[3]", "3 people do not fill one block of the randomisation"),
    ],
)
def test_what_a_split_body_trial_cannot_be_is_refused(tmp_path, words, message):
    extra = ["design.looks=[0.5,1]"] if "reestimate" in words else []
    done = cutis(words, *extra, f"out={tmp_path / 'never'}")
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
def test_a_laser_on_one_half_of_the_face(tmp_path):
    done = cutis("design.pool=300", "design.replicates=500", "design.sizes=[24]", "design.also=[half_gone]",
                 "design.recheck=0.02", "design.replay=3", f"out={tmp_path / 'out'}")  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (agreement,) = results["agreement"].values()
    assert agreement["analyses"] > 0
    assert max(agreement["largest"].values()) < 1e-7
    assert results["analyses"]["inflammatory"]["truth"] < -1  # fewer lesions on the side of the laser
    assert results["analyses"]["inflammatory"]["limit"] == pytest.approx(
        results["analyses"]["inflammatory"]["truth"], rel=0.2
    )
    twins = pd.read_csv(tmp_path / "out" / "replay-3" / "twins.csv")
    assert twins["left_arm"].value_counts().to_dict() == {"laser": 12, "sham": 12}
    assert (twins["left_arm"] != twins["right_arm"]).all()
    rows = pd.read_json(tmp_path / "out" / "replay-3" / "results.json").set_index(["analysis", "statistic"])
    replicates = pd.concat(map(pd.read_parquet, (tmp_path / "out" / "replicates" / "size-24").glob("*.parquet")))
    mine = replicates.query("replicate == 3 and hypothesis == 'model' and analysis == 'inflammatory'")
    told = rows.loc[("inflammatory", "adjusted mean paired difference"), "estimate"]
    assert mine["estimate"].item() == pytest.approx(told)
    assert yaml.safe_load((tmp_path / "out" / "design.yaml").read_text())["design"]["pool"] == 300
    assert "A split-body trial" in Path(tmp_path / "out" / "report.html").read_text()
