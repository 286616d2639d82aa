"""From a table to a fitted population: who is compared with whom, what is kept, and how it is described."""

import numpy as np
import pytest
from scipy import stats

from cutis.population.fitting import pipeline
from cutis.population.fitting.data import Data, effective_size
from cutis.population.fitting.fit import fit
from cutis.population.fitting.model import decode, encode
from cutis.population.fitting.plan import Plan, PlanError
from cutis.population.fitting.table import Reading

SIZE, UNIT = 1600, 8


def plan(**changes: object) -> Plan:
    return Plan.model_validate(
        {
            "name": "town",
            "about": "people of a town",
            "source": {"citation": "a simulated table", "note": "nobody lives there"},
            "weights": "w",
            "design": {"stratum": ("s",), "cluster": ("c",)},
            "categories": {"male": {"column": "m", "about": "a man", "levels": {"no": 0, "yes": 1}}},
            "numbers": {
                "age": {"column": "a", "unit": "year", "low": 0, "high": 100, "step": 1, "completed": True},
                "height": {"column": "h", "unit": "cm", "low": 100, "high": 230, "step": 0.1},
                "bmi": {"column": "b", "unit": "kg/m2", "low": 10, "high": 80, "step": 0.1},
            },
            "derived": {
                "weight": {"body_mass": ("bmi", "height"), "unit": "kg", "low": 20, "high": 300, "about": "body weight"}
            },
            "cells": {"by": ("male",), "band": {"number": "age", "edges": (18, 50)}},
            "borrow": 30,
            **changes,
        }
    )


def people(seed: int = 1) -> Data:
    """A town of households in four strata; heavier people count twice; a tenth have no body mass index."""
    rng = np.random.default_rng(seed)
    male = rng.integers(0, 2, SIZE)
    z = rng.standard_normal((2, SIZE))
    bmi = np.round(np.exp(3.25 + 0.18 * z[1]), 1)
    return Data(
        numbers={
            "age": np.floor(rng.uniform(18, 80, SIZE)),
            "height": np.round(163 + 13 * male + 6.5 * z[0], 1),
            "bmi": np.where(rng.random(SIZE) < 0.1, np.nan, bmi),
        },
        categories={"male": male},
        levels={"male": ("no", "yes")},
        units={"age": "year", "height": "cm", "bmi": "kg/m2"},
        weights=1.0 + (bmi > 28),
        clusters=np.arange(SIZE) // UNIT,
        strata=np.arange(SIZE) // UNIT % 4,
    )


TOWN = Reading(people(), ("a note of the reading",))


class Run:
    """A run of the pipeline with what its parts were given."""

    def __init__(self) -> None:
        self.fitted_to: list[Data] = []
        self.judged: list[tuple] = []
        self.attacked: list[tuple] = []
        self.said: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"JUDGED": 500, "SEARCHED": 20_000, "SPLITS": 2}.items():
                patch.setattr(pipeline, name, value)
            patch.setattr(pipeline, "fit", self._kept(self.fitted_to, fit, lambda given: given[1]))
            for module, calls in ((pipeline.quality, self.judged), (pipeline.privacy, self.attacked)):
                patch.setattr(module, "assess", self._kept(calls, module.assess, lambda given: given))
            self.found = pipeline.fitted(plan(), TOWN, 5, self.said.append)

    @staticmethod
    def _kept(calls, carry_out, part):
        def call(*given, **named):
            calls.append(part(given))
            return carry_out(*given, **named)

        return call


@pytest.fixture(scope="module")
def run():
    return Run()


def test_what_is_derived_is_compared_but_never_changes_the_people():
    there = people()
    known = pipeline._with_derived(plan(), there)
    np.testing.assert_array_equal(known.numbers["weight"], there.numbers["bmi"] * (there.numbers["height"] / 100) ** 2)
    assert np.isnan(known.numbers["weight"][np.isnan(there.numbers["bmi"])]).all()
    assert known.units == {"age": "year", "height": "cm", "bmi": "kg/m2", "weight": "kg"}
    assert "weight" not in there.numbers
    assert "weight" not in there.units
    assert pipeline._with_derived(plan(derived={}), there) == there


def test_what_is_derived_is_not_fitted(run):
    """A weight among the scores would make their correlations singular, and the file unreadable."""
    model = run.found.model
    assert all(list(data.numbers) == ["age", "height", "bmi"] for data in run.fitted_to)
    assert model.factors.shape == (4, 3, 3)
    again = decode(encode(model, {}))
    np.testing.assert_array_equal(again.factors, model.factors)
    np.testing.assert_array_equal(again.tables, model.tables)
    whole = fit(plan(), TOWN.data)
    np.testing.assert_array_equal(whole.tables, model.tables)
    np.testing.assert_array_equal(whole.factors, model.factors)


def test_the_population_that_is_kept_is_fitted_to_everyone(run):
    assert [data.size for data in run.fitted_to] == [SIZE / 2, SIZE / 2, SIZE]
    assert run.found.model.people.sum() == SIZE
    assert run.found.found.people == SIZE


def test_nobody_is_judged_by_people_of_their_own_household(run):
    assert len(run.judged) == 2
    for (train, holdout, drawn, *_), fitted_to in zip(run.judged, run.fitted_to, strict=False):
        assert not set(train.clusters) & set(holdout.clusters)
        assert train.size + holdout.size == SIZE
        np.testing.assert_array_equal(train.clusters, fitted_to.clusters)
        assert set(train.numbers) == set(holdout.numbers) == set(drawn.numbers) == {"age", "height", "bmi", "weight"}
    assert not np.array_equal(run.judged[0][0].clusters, run.judged[1][0].clusters)


def test_privacy_is_tested_on_the_first_half_with_twins_as_recorded(run):
    assert len(run.attacked) == 1
    train, control, twins, seed = run.attacked[0]
    np.testing.assert_array_equal(train.clusters, run.fitted_to[0].clusters)
    assert not set(train.clusters) & set(control.clusters)
    assert train.size <= twins.size <= pipeline.ATTACKING * train.size  # though fewer are judged in this test
    assert seed == 5
    for data in (train, control, twins):
        heights = data.numbers["height"]
        np.testing.assert_allclose(heights, np.round(heights, 1), atol=1e-9)
        np.testing.assert_array_equal(data.numbers["age"], np.floor(data.numbers["age"]))
    assert {"exact_copies", "stored_values"} <= {risk.name for risk in run.found.found.privacy.risks} | set(
        run.found.found.privacy.left_out
    )


def test_every_split_has_its_own_floor_and_the_last_word_has_their_mean(run):
    splits, final = run.found.found.splits, run.found.found.final
    for name in ("correlations", "subgroups", "classifier"):
        floors = [next(gate.floor for gate in split.gates if gate.name == name) for split in splits]
        assert next(gate.floor for gate in final.gates if gate.name == name) == pytest.approx(np.mean(floors))
        assert floors[0] != floors[1]


def test_impossible_combinations_are_looked_for_among_all_that_are_searched(run):
    checked = {item.rule.name: item.checked for item in run.found.found.final.impossible}
    assert max(checked.values()) == 20_000
    assert run.found.found.final.gates[-1].name == "impossible"


def test_what_is_done_is_told_as_it_is_done(run):
    assert [line.split(":")[0] for line in run.said] == [
        "split 1 of 2",
        "privacy",
        "split 2 of 2",
        "fit to all people",
        "20,000 twins",
    ]


def test_a_description_says_how_the_table_was_made(run):
    found, there = run.found.found, TOWN.data
    assert (found.name, found.about) == ("town", "people of a town")
    assert (found.source, found.source_note) == ("a simulated table", "nobody lives there")
    assert found.design == f"weighted by w; {SIZE // UNIT} sampling units in 4 strata"
    assert found.effective == pytest.approx(effective_size(there.weights))
    assert found.twins == 500
    assert found.cells.number == 4
    assert found.cells.about == "male, age"
    assert found.cells.effective.shape == (4,)
    assert found.notes == ("a note of the reading",)
    assert found.settings == {"seed": "5", "borrow": "30", "borrow_correlations": "200"}
    columns = {column.name: column for column in found.columns}
    assert set(columns) == {"age", "height", "bmi", "weight", "male"}
    gap = there.weights[np.isnan(there.numbers["bmi"])].sum() / there.weights.sum()
    assert columns["bmi"].missing == columns["weight"].missing == pytest.approx(gap)
    assert columns["age"].missing == 0
    assert (columns["weight"].about, columns["weight"].unit) == ("body weight", "kg")
    assert columns["male"].about == "a man"


@pytest.mark.parametrize(
    ("changes", "design", "cells"),
    [
        ({"weights": None, "design": None}, "no weights", "male, age"),
        ({"design": None, "cells": {"by": ("male",)}}, "weighted by w", "male"),
        ({"design": None, "cells": {}}, "weighted by w", "everyone"),
    ],
)
def test_a_description_suits_its_plan(run, changes, design, cells):
    given = plan(**changes)
    there = pipeline._with_derived(given, TOWN.data)
    told = pipeline._description(given, TOWN, there, {}, run.found.model, there, (), run.found.found.final, None, 8)
    assert (told.design, told.cells.about, told.settings["seed"]) == (design, cells, "8")
    assert told.privacy is None


def test_limits_tell_what_the_plan_borrows():
    for borrow in (0, 30, 12.5):
        told = " ".join(pipeline._limits(plan(borrow=borrow)))
        assert f"Each cell borrows {borrow:g} people from a wider group" in told
    assert "nobody else" in told


def test_limits_are_true_of_the_twins(run):
    """The largest and smallest values of real people do not occur."""
    drawn = pipeline.twins(run.found.model, 5, 50_000)
    for name in ("height", "bmi"):
        real, seen = TOWN.data.numbers[name], drawn.numbers[name]
        assert np.nanmin(real) < seen.min()
        assert seen.max() < np.nanmax(real)
    # the rest of the people are told well: the distance of two samples of one distribution has this 99.9 % limit
    known = ~np.isnan(TOWN.data.numbers["bmi"])
    weight = TOWN.data.weights[known]
    order = np.argsort(TOWN.data.numbers["bmi"][known])
    shares = np.cumsum(weight[order]) / weight.sum()
    twins = np.searchsorted(np.sort(drawn.numbers["bmi"]), TOWN.data.numbers["bmi"][known][order], side="right")
    distance = np.abs(shares - twins / drawn.size).max()
    assert distance < stats.kstwobign.isf(0.001) / np.sqrt(effective_size(weight))


def test_a_category_that_twins_would_lack_is_refused():
    with pytest.raises(PlanError, match=r"categories\.male: twins would not have it; add it to cells\.by"):
        pipeline.fitted(plan(cells={}), TOWN, 5, print)
    pipeline._check(plan())
    pipeline._check(plan(categories={}, cells={}))


def test_people_without_a_cell_are_named():
    nobody = TOWN.data._replace(categories={"male": np.full(SIZE, -1)})
    with pytest.raises(PlanError, match="nobody has all categories"):
        pipeline.fitted(plan(), TOWN._replace(data=nobody), 5, lambda line: None)
