"""Figures of a design against closed forms, and everything a user can ask for that cannot be."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from cutis.trials.designs.sequential.plan import expected
from cutis.trials.operating import looks, search, tables
from cutis.trials.operating.assurance import assurance
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.kernels import KERNELS
from cutis.trials.operating.measures import Cell, lookup, of_estimate, of_test, share, to_arrow
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.report import build
from cutis.trials.operating.results import content
from cutis.trials.operating.results import write as write_results
from cutis.trials.operating.run import Outcome, measured
from cutis.trials.operating.settings import Design, problems
from cutis.trials.statistics.methods.estimate import Estimate
from cutis.trials.statistics.offered import METHODS
from cutis.trials.statistics.subgroups import Effect

from .studies import study

REPLICATES = 20_000


def close_rate(hits, trials, rate):
    """Whether so many hits are no further from a rate than 4.5 of its standard errors."""
    return abs(hits / trials - rate) < 4.5 * math.sqrt(rate * (1 - rate) / trials)


def normal(times, drift, seed=1):
    """Estimates of many trials whose statistics move as a Brownian motion does."""
    rng = np.random.default_rng(seed)
    steps = np.diff(np.array(times), prepend=0.0)
    path = np.cumsum(rng.normal(size=(REPLICATES, len(times))) * np.sqrt(steps) + drift * steps, axis=1)
    z = path / np.sqrt(times)
    se = np.broadcast_to(1 / np.sqrt(np.array(times)), z.shape)
    half = norm.isf(0.025) * se
    zeros, infinite = np.zeros(z.shape, int), np.full(z.shape, np.inf)
    return Estimate(z * se, se, z * se - half, z * se + half, z, infinite, 2 * norm.sf(abs(z)), zeros)


def figures(design, drift, hypothesis="model"):
    cuts = tuple(round(200 * look) for look in design.looks)
    cell = Cell(200, hypothesis, "first", normal(design.looks, drift), drift, cuts, 0.05)
    return [*of_test(cell, looks.bounds(design, 0.05), 1.0), *of_estimate(cell)]


def value(rows, measure, look=0):
    return next(row for row in rows if row.measure == measure and row.look == look)


@pytest.mark.parametrize(
    "words",
    [
        {"looks": (0.5, 0.75, 1.0)},
        {"looks": (0.5, 1.0), "spending": "hwang_shih_decani", "spending_parameter": -2.0},
        {"looks": (0.4, 1.0), "futility": "obrien_fleming", "power": 0.9},
    ],
)
@pytest.mark.parametrize("drift", [0.0, 3.24])
def test_success_stopping_and_expected_size_are_those_of_the_recursive_integration(words, drift):
    design = Design.model_validate(words)
    rows, bounds = figures(design, drift), looks.bounds(design, 0.05)
    told = expected(bounds, drift)
    power = value(rows, "rejection") if bounds.sided == 2 else value(rows, "success")
    assert close_rate(round(power.value * REPLICATES), REPLICATES, told.power)
    for look, chance in enumerate(told.stop, start=1):
        assert close_rate(round(value(rows, "stop", look).value * REPLICATES), REPLICATES, chance)
    size = value(rows, "expected size")
    assert abs(size.value - 200 * told.information) < 4.5 * size.mcse


def test_bias_coverage_and_standard_errors_of_an_unbiased_estimate():
    rows = figures(Design(), 3.24)
    bias, cover, spread = (value(rows, measure) for measure in ("bias", "coverage", "empirical se"))
    assert abs(bias.value) < 4.5 * bias.mcse
    assert bias.mcse == pytest.approx(1 / math.sqrt(REPLICATES), rel=0.02)
    assert close_rate(round(cover.value * REPLICATES), REPLICATES, 0.95)
    assert abs(spread.value - 1) < 4.5 * spread.mcse
    assert spread.mcse == pytest.approx(1 / math.sqrt(2 * REPLICATES), rel=0.02)
    assert value(rows, "mean se").value == pytest.approx(1)


def test_the_estimate_of_a_trial_that_stops_for_success_is_too_good():
    rows = figures(Design(looks=(0.5, 1.0)), 3.24)
    early, full = value(rows, "bias at the end"), value(rows, "bias")
    assert early.value > 4.5 * early.mcse
    assert abs(full.value) < 4.5 * full.mcse


def test_a_share_has_the_binomial_standard_error():
    assert share(np.array([True] * 9 + [False])) == (0.9, pytest.approx(math.sqrt(0.09 / 10)))


def test_a_replicate_without_an_estimate_counts_as_no_success_and_is_told():
    found = normal((1.0,), 8.0)
    gone = np.arange(REPLICATES) < 500
    found = Estimate._make(np.where(gone[:, None], np.nan, values) for values in found)
    found = found._replace(p=np.where(gone[:, None], 1.0, found.p))
    cell = Cell(200, "model", "first", found, 8.0, (200,), 0.05)
    rows = [*of_test(cell, looks.bounds(Design(), 0.05), 1.0), *of_estimate(cell)]
    assert value(rows, "success").value == pytest.approx(1 - 500 / REPLICATES, abs=1e-3)
    assert value(rows, "without an estimate").value == 500 / REPLICATES
    assert value(rows, "bias").replicates == REPLICATES - 500


def test_success_is_on_the_side_of_the_true_difference():
    found = normal((1.0,), -8.0)
    cell = Cell(200, "model", "first", found, -8.0, (200,), 0.05)
    bounds = looks.bounds(Design(), 0.05)
    assert value(list(of_test(cell, bounds, -1.0)), "success").value == 1
    assert value(list(of_test(cell, bounds, 1.0)), "opposite").value == 1


def test_p_values_become_the_statistics_they_came_from():
    z = np.array([[-3.0, 0.0, 2.5, 60.0]])
    back = looks.statistics(2 * norm.sf(abs(z)), np.sign(z))
    np.testing.assert_allclose(back, [[-3.0, 0.0, 2.5, looks.LARGEST]], atol=1e-12)
    assert looks.statistics(np.array([1.0]), np.array([np.nan]))[0] == 0


def test_the_size_for_a_power_is_that_of_the_formula():
    effect = 0.25

    def power(n):
        return float(norm.cdf(effect * math.sqrt(n) / 2 - norm.isf(0.025)))

    seen = {n: (power(n), 10_000) for n in (300, 500, 800)}
    found = search.size_for(0.9, seen)
    exact = (2 * (norm.isf(0.025) + norm.ppf(0.9)) / effect) ** 2
    assert found.size == pytest.approx(exact, rel=2e-3)
    assert 0 < found.mcse < 15
    one = search.size_for(0.9, {500: seen[500]})
    assert one.size == pytest.approx(exact, rel=2e-3)


def test_the_standard_error_of_a_size_is_that_of_repetitions():
    rng = np.random.default_rng(5)
    power = {n: float(norm.cdf(0.125 * math.sqrt(n) - 1.96)) for n in (300, 500, 800)}
    found = [
        search.size_for(0.9, {n: (rng.binomial(1000, p) / 1000, 1000) for n, p in power.items()}) for _ in range(400)
    ]
    spread = np.std([one.size for one in found])
    assert np.mean([one.mcse for one in found]) == pytest.approx(spread, rel=0.15)


def test_a_power_that_does_not_rise_with_the_size_needs_no_size():
    assert math.isnan(search.size_for(0.9, {100: (0.05, 1000), 400: (0.04, 1000)}).size)
    with pytest.raises(ValueError, match="no size was tried"):
        search.size_for(0.9, {})


def test_assurance_is_the_mean_power_over_draws():
    found = assurance(100, np.array([0.5, 0.7, 0.9]))
    assert found.value == pytest.approx(0.7)
    assert found.mcse == pytest.approx(0.2 / math.sqrt(3))
    assert math.isnan(assurance(100, np.array([0.5])).mcse)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"looks": [0.5, 0.9]}, "expected fractions that rise to 1"),
        ({"looks": [0.7, 0.5, 1]}, "expected fractions that rise to 1"),
        ({"looks": [0, 1]}, "greater than 0"),
        ({"sizes": [90, 90]}, "listed twice"),
        ({"spending": "kim_demets"}, "spending_parameter: kim_demets needs one"),
        ({"spending_parameter": 2.0}, "spending_parameter: obrien_fleming has none"),
        ({"futility": "pocock", "looks": [0.5, 1]}, "give power"),
        ({"futility": "pocock", "power": 0.9}, "needs a look before the last"),
        ({"binding": True}, "give futility"),
        ({"replicates": 10}, "greater than or equal to 100"),
        ({"power": 0.4}, "greater than 0.5"),
        ({"reps": 5}, "Extra inputs"),
    ],
)
def test_a_design_that_cannot_be_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"analysis": "pasi90"}, "design.analysis: the trial has no analysis 'pasi90'"),
        ({"also": ("nothing",)}, "design.also: the trial has no analysis 'nothing'"),
        ({"sizes": (5,)}, "design.sizes: 5 people do not fill one block of the randomisation; expected at least 6"),
        ({"sizes": (30,), "looks": (0.1, 1.0)}, "3 people at the first look (0.1 of 30) do not fill one block"),
        ({"sizes": (90,), "looks": (0.5, 0.501, 1.0)}, "two looks have as many"),
        ({"replay": 10_000}, "design.replay: expected a replicate from 0 to 9999, got 10000"),
    ],
)
def test_a_design_that_does_not_fit_its_trial_is_refused(words, message):
    found = problems(study(), Design.model_validate(words))
    assert any(message in line for line in found), found


def test_replicates_can_use_all_methods():
    assert set(KERNELS) == set(METHODS)


def test_analyses_that_replicates_cannot_use_are_refused():
    plan = {"outcome": "pasi_change", "week": 16, "arm": "guselkumab", "comparator": "adalimumab",
            "intercurrent": "treatment_policy"}  # fmt: skip
    many = study(analyses={"first": plan | {"method": "mmrm", "week": 48}})
    assert "reads 13 visits; replicates can use 6" in problems(many, Design())[0]
    residual = plan | {"method": "mmrm", "options": {"visits": [8, 16], "degrees_of_freedom": "residual"}}
    assert (
        "degrees_of_freedom of replicates are satterthwaite" in problems(study(analyses={"a": residual}), Design())[0]
    )
    imputed = study(analyses={"first": plan | {"method": "ancova", "missing": "multiple_imputation"}})
    assert problems(imputed, Design()) == []
    assert "one tells nothing of its own error" in problems(imputed, Design(imputations=1))[0]
    assert "no analysis to decide by" in problems(study(analyses={}), Design())[0]
    assert problems(study(), Design()) == []


def test_draws_need_a_disease_that_knows_them_and_no_fixed_draw():
    fixed = study().model_copy(update={"model": SimpleNamespace(draw=3)})
    assert any("model.draw 3 fixes the parameters" in line for line in problems(fixed, Design(draws=2)))


@pytest.fixture(scope="module")
def outcome():
    """Everything that a design shows, made of normal paths."""
    plan, design = study(), Design(looks=(0.5, 1.0), sizes=(90, 180), replicates=REPLICATES, power=0.9)
    name = "pasi90_against_placebo"
    bounds = looks.bounds(design, 0.05)
    rows = []
    for size, drift in ((90, 2.0), (180, 2.83)):
        found = [normal(design.looks, d, seed=size) for d in (drift, 0.0, 0.0)]
        stacked = Estimate._make(np.stack(values, axis=1)[..., None] for values in zip(*found, strict=True))
        allocation = Allocation((1, 1, 1), 6, 1)
        trials = Trials(1, size, (size // 2, size), allocation, (name,), (plan.trial.analyses[name],))
        rule = Rule(design, bounds, (1.0,), ((0, 2),), allocation, trials.cuts)
        rows += measured(trials, stacked, rule, {name: drift})
    needed = search.size_for(0.9, {s: (f.value, 1000) for s, f in lookup(rows, "success", "model", name).items()})
    analyses = {name: plan.trial.analyses[name]}
    return plan, design, Outcome(
        analyses, bounds, (90, 180), rows, {name: 0.3}, {name: (0.6, 0.3)}, {},
        [assurance(size, np.array([0.4, 0.6])) for size in (90, 180)], needed, 240, {name: 0.28},
        [Effect("All twins", "", 500, 0.3, 0.02, (0.6, 0.3)), Effect("Sex", "men", 300, 0.31, 0.03, (0.6, 0.29))],
    )  # fmt: skip


def test_results_on_disk_hold_every_figure(outcome, tmp_path):
    import pyarrow.parquet as pq

    _, design, found = outcome
    write_results(tmp_path, design, found)
    told = json.loads((tmp_path / "results.json").read_text())
    table = pq.read_table(tmp_path / "results.parquet")
    assert table.num_rows == len(found.figures) == len(told["figures"])
    assert table.equals(to_arrow(found.figures))
    assert all(field.metadata[b"description"] for field in table.schema)
    assert "NaN" not in (tmp_path / "results.json").read_text()


def test_the_report_opens_offline_and_tells_the_error_beside_every_figure(outcome):
    plan, design, found = outcome
    told = json.loads(json.dumps(content(design, found)).replace("-Infinity", "null").replace("Infinity", "null"))
    identity = {"fingerprint": "0" * 64, "seed": 1, "cutis": "0"}
    text = build(plan, told, identity)
    assert text == build(plan, told, identity)
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "<script" not in text
    assert text.count("<svg") == 3
    contents = text.partition("<nav")[2].partition("</nav>")[0]
    assert re.findall('href="#([a-z]+)"', contents) == re.findall('<section id="([a-z]+)"', text)
    assert "the analysis tends to 0.28: \N{MINUS SIGN}0.02 from the true value" in text
    assert "power 90% needs" in text
    _, rows = tables.power(told)
    assert [row[0] for row in rows] == ["90", "180"]
    assert all("±" in cell for row in rows for cell in row[1:])


def test_a_type_one_error_above_the_level_is_pointed_out(outcome):
    _, design, found = outcome
    told = content(design, found)
    row = next(row for row in told["figures"] if row["measure"] == "rejection" and row["hypothesis"] != "model")
    assert not any("above" in line for line in tables.sentences(told))
    row["value"] = 0.08
    assert any("type I error 8.0" in line and "above 5.00%" in line for line in tables.sentences(told))
