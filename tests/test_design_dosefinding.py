"""Dose-finding designs: the test against its law, curves and doses against known ones, other routines, refusals."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from scipy.stats import chi2, nct, norm
from scipy.stats import t as student
from typer.testing import CliRunner

from cutis.trials.command import app
from cutis.trials.designs.multivariate import exceed
from cutis.trials.operating import dosefinding, looks, summed
from cutis.trials.operating.arranged import problems
from cutis.trials.operating.arrangements import DoseFinding
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.groups import Groups
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.sample import Data
from cutis.trials.operating.settings import Design
from cutis.trials.operating.summed import Summed
from cutis.trials.statistics.methods.estimate import Estimate, Flag
from cutis.trials.study import Analysis

from .studies import study

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "dose_finding.yaml"
POOL, SIZE, MANY = 10_000, 100, 1500
WORDS = {
    "doses": {"high": 150, "placebo": 0, "low": 10, "some": 25, "more": 75},
    "candidates": [{"family": "emax", "parameters": [25]}, {"family": "linear"},
                   {"family": "sigmoid_emax", "parameters": [40, 3]}],
    "delta": -0.5,
}  # fmt: skip
PLAN = DoseFinding.model_validate(WORDS)
DOSES = np.array([0.0, 10, 25, 75, 150])
MEANS = -DOSES / (25 + DOSES)  # Emax, which falls
ARMS = ("placebo", "low", "some", "more", "high")
FIVE = Allocation((1, 1, 1, 1, 1), 5, 1)
ANALYSIS = Analysis.model_validate(
    {"outcome": "y", "week": 12, "arm": "high", "comparator": "placebo", "method": "ancova"}
    | {"intercurrent": "treatment_policy"}
)
TRUTH = dosefinding.truths(PLAN, ("y", *dosefinding.labels(PLAN)), "high", dict(zip(ARMS[1:], MEANS[1:], strict=True)))


def carried_out(words, sd, many):
    """Trials from a made-up pool whose doses have exactly these means and this SD."""
    plan = DoseFinding.model_validate(words)
    rng = np.random.default_rng(7)
    values = rng.normal(size=(5, POOL))
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True) * sd + MEANS[:, None]
    design = Design.model_validate({"dose_finding": words})
    analyses = dosefinding.chosen(plan, "y", ANALYSIS)
    trials = Trials(3, SIZE, (SIZE,), FIVE, tuple(analyses), tuple(analyses.values()))
    rule = Rule(design, looks.bounds(design, 0.05), (1.0,), ((4, 0),), FIVE, (SIZE,))
    whole = Summed(trials, rule, (0, 1, 2, 3, 4))
    data = Data(np.zeros(POOL, int), values, (), ())
    return whole, data, summed.analyse(whole, np.arange(many), data)


def figures(made, truth=TRUTH):
    whole, _, found = made
    return {(f.hypothesis, f.analysis, f.measure): f for f in measured(whole.first, found, whole.rule, truth)}


@pytest.fixture(scope="module")
def made():
    return carried_out(WORDS, 1.0, MANY)


def test_power_of_one_candidate_is_that_of_its_contrast():
    words = WORDS | {"candidates": WORDS["candidates"][:1]}
    shape = DOSES / (25 + DOSES)
    contrast = (shape - shape.mean()) / np.linalg.norm(shape - shape.mean())
    drift, df = -contrast @ MEANS / math.sqrt(5 / SIZE), SIZE - 5
    power = nct.sf(student.isf(0.025, df), df, drift)
    told = figures(carried_out(words, 1.0, MANY))["model", "y", "success"]
    assert 0.5 < power < 0.97
    assert abs(told.value - power) < 4 * told.mcse


def test_the_error_of_any_signal_is_at_its_level(made):
    for null in ("null as comparator", "null as arm"):
        told = figures(made)[null, "y", "rejection"]
        assert abs(told.value - 0.025) < 4 * math.sqrt(0.025 * 0.975 / MANY)
        assert figures(made)[null, "y", "opposite"].value == 0


def test_joint_p_values_are_those_of_the_multivariate_t(made):
    whole, _, found = made
    test = summed.doses_tested(whole)
    some = found.statistic[:8, 0, 0, 1:]
    exact = exceed(np.repeat(some[..., None], 3, axis=-1), test.contrasts.correlation, SIZE - 5)
    np.testing.assert_allclose(found.p[:8, 0, 0, 1:], np.minimum(2 * exact, 1), atol=2e-5, rtol=1e-3)
    np.testing.assert_array_equal(found.p[..., 0], found.p[..., 1:].min(axis=-1))
    assert (dosefinding._joint(test, norm.sf([-9.0, 9.0])) == [1.0, pytest.approx(3 * norm.sf(9), rel=0.7)]).all()


def test_a_curve_is_chosen_where_there_is_a_signal(made):
    found = figures(made)
    for hypothesis in ("model", "null as comparator"):
        shares = [found[hypothesis, name, "chosen"].value for name in dosefinding.labels(PLAN)]
        assert sum(shares) == pytest.approx(found[hypothesis, "y", "success"].value)
        rounded = [found[hypothesis, "y", f"target dose rounded up to {arm}"].value for arm in ARMS[1:]]
        assert sum(rounded) == pytest.approx(found[hypothesis, "y", "target dose found"].value)


@pytest.mark.parametrize("select", ["aic", "statistic"])
def test_without_noise_the_dose_is_that_of_the_curve(select):
    """Half of the largest effect is reached at 25, the parameter of the true curve."""
    made = carried_out(WORDS | {"select": select}, 0.01, 200)
    found = figures(made)
    told = found["model", "emax 25", "chosen"]
    if select == "aic":  # against sigmoid Emax, with one parameter more: chi-squared of one degree of freedom up to 2
        assert abs(told.value - chi2.cdf(2, 1)) < 4 * told.mcse
    else:
        assert told.value == 1
    assert found["model", "y", "target dose, median"].value == pytest.approx(25, rel=0.01)
    low, high = (found["model", "y", f"target dose, {q} percentile"].value for q in ("5th", "95th"))
    assert 23 < low < 25 < high < 27
    told = found["model", "y", "dose rounded up has the effect"].value  # 25 itself just has it
    assert told == 1
    weak = {**TRUTH, "effect of some": -0.4}
    told = figures(made, weak)["model", "y", "dose rounded up has the effect"].value
    assert told == pytest.approx(found["model", "y", "target dose rounded up to more"].value)


def test_other_routines_agree(made):
    whole, data, found = made
    some = np.arange(0, MANY, 300)
    again = summed.recheck(whole, some, data, Estimate._make(part[some] for part in found))
    assert again.analyses == len(some) * 3 * 4
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-3  # doses as parts of the largest, by two searches


def test_a_dose_without_people_is_flagged():
    test = dosefinding.planned(PLAN, FIVE.shares, (0, 1, 2, 3, 4), SIZE)
    n = np.array([[20, 20, 20, 20, 1], [20] * 5])
    variance = np.array([[1.0, 1, 1, 1, np.nan], [0.0] * 5])
    found = dosefinding.analyse(PLAN, test, Groups(n, np.zeros((2, 5)), variance), 0.95)
    assert found.flag[:, 0].tolist() == [Flag.TOO_FEW, Flag.NO_VARIATION]
    assert (found.p == 1).all()
    assert np.isnan(found.estimate).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"doses": {"a": 1, "b": 2, "c": 3}}, "expected 0 .placebo. and others above it"),
        ({"doses": {"a": 0, "b": 2, "c": 2}}, "each once"),
        ({"doses": {"a": 0, "b": 2, "c": 3}}, "sigmoid_emax has 4 parameters, more than the 3 doses"),
        ({"delta": 0}, "delta: expected a number above 0"),
        ({"candidates": [{"family": "emax"}]}, "emax has .'ed50'., got"),
        ({"candidates": [{"family": "linear"}, {"family": "linear"}]}, "each once, got linear, linear"),
        ({"candidates": [{"family": "cubic"}]}, "candidates.0.family"),
        ({"select": "bic"}, "aic"),
    ],
)
def test_plans_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        DoseFinding.model_validate(WORDS | change)


def test_looks_are_refused():
    with pytest.raises(ValidationError, match="dose_finding is tested at one look"):
        Design.model_validate({"dose_finding": WORDS, "looks": [0.5, 1]})


def test_arms_that_are_not_the_doses_are_refused():
    design = Design.model_validate({"dose_finding": WORDS})
    told = "\n".join(problems(study(), design))
    assert "design.dose_finding.doses.high: no such arm; the arms are" in told
    assert "has no dose; expected one for each arm, 0 for placebo" in told
    other = {"doses": {"guselkumab": 100, "adalimumab": 0, "placebo": 5}, "candidates": [{"family": "linear"}]}
    told = "\n".join(problems(study(), Design.model_validate({"dose_finding": WORDS | other})))
    assert "compares with placebo, but the dose 0 has adalimumab; expected an analysis against it" in told


def cutis(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_dose_that_is_no_arm_is_told_before_any_work(tmp_path):
    whole = yaml.safe_load(EXAMPLE.read_text())
    whole["design"]["dose_finding"]["doses"]["mg_300"] = 300
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(whole))
    done = cutis("design", "--study", tmp_path / "study.yaml", f"out={tmp_path / 'never'}")
    assert done.exit_code == 2
    assert "design.dose_finding.doses.mg_300: no such arm" in done.stderr
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
def test_doses_of_ixekizumab(tmp_path):
    whole = yaml.safe_load(EXAMPLE.read_text())
    whole["design"] |= {"sizes": [50], "pool": 300, "replicates": 500, "recheck": 0.005, "replay": 3}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    done = cutis("design", "--study", tmp_path / "study.yaml", f"out={tmp_path / 'out'}")
    assert done.exit_code == 0, (done.output, done.exception)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (agreement,) = results["agreement"].values()
    assert agreement["analyses"] > 0
    assert max(agreement["largest"].values()) < 1e-2
    assert results["analyses"]["pasi"]["truth"] < -5
    assert "true effects over placebo: mg_10 (10)" in done.stdout
    assert "as the design analyses it" in done.stdout
    assert "The target dose" in (tmp_path / "out" / "report.html").read_text()
