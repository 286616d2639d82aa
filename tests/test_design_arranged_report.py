"""What is told of factorials, earlier controls, withdrawals and crossovers, from made-up replicates."""

import json

import numpy as np
import pytest

from cutis.trials.operating import arranged, crossing, looks, pool, report, results, tables
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import Outcome, measured
from cutis.trials.operating.settings import Design, chosen, together
from cutis.trials.operating.withdrawing import Begun
from cutis.trials.operating.worlds import worlds
from cutis.trials.report.words import MINUS
from cutis.trials.statistics.methods.estimate import Estimate

from .studies import study

MANY, SIZE = 50, 60
FOUR = {"neither": "placebo", "first": "guselkumab", "second": "adalimumab", "both": "together"}
DESIGNS = {
    "factorial": {"factorial": FOUR},
    "external": {"external": {"people": [80, 60], "shifts": [0.1], "spread": 0.1}},
    "withdraw": {"withdraw": {"outcome": "pasi90", "week": 16}, "analysis": "pasi90_adalimumab_week48"},
    "crossover": {"crossover": {"first": 16}, "analysis": "pasi90_adalimumab_week48"},
}


def told(way):
    """The results of a design as JSON gives them, and its report."""
    whole, design = study(), Design.model_validate(DESIGNS[way])
    analyses = chosen(whole, design)
    names = tuple(analyses)
    trials = Trials(1, SIZE, (SIZE,), Allocation((1, 1, 1), 6, 1), names, tuple(analyses.values()),
                    worlds=worlds(design, names))  # fmt: skip
    rng = np.random.default_rng(3)
    shape = (MANY, len(trials.hypotheses), 1, len(names))
    value, one = rng.normal(size=shape), np.ones(shape)
    found = Estimate(value, one, value - 2, value + 2, value, one * np.inf, rng.random(shape), np.zeros(shape, int))
    bounds, many = looks.bounds(design, 0.05), max(len(together(design, names)), 1)
    rule = Rule(design, bounds, (1.0,) * many, ((0, 1),) * many, trials.allocation, (SIZE,))
    truth = dict(zip(names, (0.25, 0.35, -0.3, 0.4, 0.5), strict=False))
    limits = {name: x + 0.01 for name, x in truth.items()}
    outcomes = (rng.random((2, 90)) < 0.5).astype(float)
    column = Columns(outcomes, outcomes < 0, np.zeros((2, 90, 0)), outcomes >= 0, (0, 1))
    groups = pool.effects(whole, Pool(np.arange(90), np.zeros(90, int), ("all",), {names[0]: column}), names[0])
    notes = arranged.notes(whole, design, (SIZE,), Begun(90, 45), truth, limits)
    figures = list(measured(trials, found, rule, truth))
    outcome = Outcome(analyses, bounds, (SIZE,), figures, truth, dict.fromkeys(names, (0.5, 0.2)), {}, [], None, None,
                      limits, groups, tuple(notes))  # fmt: skip
    content = json.loads(json.dumps(results._without_nan(results.content(design, outcome)), sort_keys=True))
    page = report.build(whole, content, {"fingerprint": "0" * 64, "seed": 1, "cutis": "0"})
    return content, page, figures


@pytest.mark.parametrize("way", DESIGNS)
def test_the_report_says_how_people_are_arranged(way):
    content, page, figures = told(way)
    assert isinstance(figures[0].value, float)
    assert "How people are arranged" in page
    for note in content["notes"]:
        assert note in tables.sentences(content)
        assert note.split(":")[0].split(" (")[0] in page.replace(MINUS, "-")
    head, rows = tables.power(content)
    assert len(rows) == 1
    assert len(rows[0]) == len(head)


def test_a_factorial_tells_both_errors_and_what_is_compared():
    content, page, _ = told("factorial")
    assert tables.together(content) == ["guselkumab at the margins", "adalimumab at the margins"]
    interaction = content["analyses"]["interaction"]
    assert interaction["arm"] == "the effect of guselkumab with adalimumab"
    assert interaction["method"] == "means of the four arms, by t"
    _, rows = tables.shared(content)
    assert [row[0] for row in rows] == ["model", "null as comparator", "null as arm", "null of guselkumab",
                                        "null of adalimumab"]  # fmt: skip
    assert "Both main effects are tested (each at the level)" in page


def test_earlier_controls_have_a_table_by_shift_and_way():
    content, page, _ = told("external")
    head, rows = tables.borrowed(content)
    assert head[2:6] == [f"rejection, {way}" for way in ("robust MAP prior", "no borrowing", "pooled", "power prior")]
    assert [row[0] for row in rows][-2:] == [
        "model, earlier controls +0.1", "null as comparator, earlier controls +0.1"
    ]  # fmt: skip
    assert "Rejection and bias by each way of borrowing." in page


def test_a_crossover_tells_that_its_bias_has_the_carry_over_in_it():
    content, _, _ = told("crossover")
    assert set(content["analyses"]) == set(crossing.names("pasi90_adalimumab_week48"))
    assert any("with what the first period leaves behind, the analysis tends to" in line
               for line in tables.sentences(content))  # fmt: skip


def test_cells_of_partial_nulls_have_their_own_truth():
    content, _, _ = told("factorial")
    rows = {(row["hypothesis"], row["analysis"]): row["value"] for row in content["figures"]
            if row["measure"] == "truth"}  # fmt: skip
    assert rows["null of guselkumab", "adalimumab at the margins"] == pytest.approx(0.5)
    assert rows["null as arm", "interaction"] == 0
