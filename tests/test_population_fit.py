"""Fitting a population: tables, correlations, cells, the file, and twins drawn from them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import special, stats

from cutis.core.keys import root
from cutis.population.fitting import correlations, margins, quantiles
from cutis.population.fitting.cells import complete, group
from cutis.population.fitting.data import Data, effective_size, halves
from cutis.population.fitting.fit import fit
from cutis.population.fitting.model import decode, encode
from cutis.population.fitting.plan import Number, Plan, PlanError, Top, read_plan
from cutis.population.fitting.table import read
from cutis.population.general.draw import attributes, draw
from cutis.population.general.model import FILE
from cutis.population.general.twins import twins
from cutis.population.quality.rules import total, violations

NHANES = Path(__file__).resolve().parents[2] / "shared/evidence/population/nhanes/nhanes_core_2001_2020.parquet"


def plan(**changes: object) -> Plan:
    return Plan.model_validate(
        {
            "name": "town",
            "about": "people of a town",
            "source": {"citation": "a simulated table"},
            "categories": {
                "male": {"column": "male", "levels": {"no": 0, "yes": 1}},
                "group": {"column": "group", "levels": {"a": 0, "b": 1, "c": 2}},
            },
            "numbers": {
                "age": {"column": "age", "unit": "year", "low": 0, "high": 100, "step": 1, "completed": True},
                "height": {"column": "height", "unit": "cm", "low": 100, "high": 230, "step": 0.1},
                "bmi": {"column": "bmi", "unit": "kg/m2", "low": 10, "high": 80, "step": 0.1},
            },
            "derived": {"weight": {"body_mass": ("bmi", "height"), "unit": "kg", "low": 20, "high": 300}},
            "cells": {"by": ("male", "group"), "band": {"number": "age", "edges": (20, 50)}},
            **changes,
        }
    )


def people(n: int = 6000, seed: int = 1) -> Data:
    """A town in which men are taller, older people shorter, and one group heavier; weights differ threefold."""
    rng = np.random.default_rng(seed)
    male, sort = rng.integers(0, 2, n), rng.choice(3, n, p=[0.6, 0.35, 0.05])
    age = np.floor(rng.uniform(20, 80, n))
    noise = rng.multivariate_normal([0, 0], [[1, -0.3], [-0.3, 1]], n)
    height = np.round(163 + 13 * male - 0.05 * (age - 50) + 6.5 * noise[:, 0], 1)
    bmi = np.round(np.exp(3.2 + 0.1 * (sort == 1) + 0.18 * noise[:, 1]), 1)
    return Data(
        numbers={"age": age, "height": height, "bmi": np.where(rng.random(n) < 0.1, np.nan, bmi)},
        categories={"male": male, "group": sort},
        levels={"male": ("no", "yes"), "group": ("a", "b", "c")},
        units={"age": "year", "height": "cm", "bmi": "kg/m2"},
        weights=1.0 + 2 * (sort == 0),
        clusters=np.arange(n) // 50,
        strata=np.arange(n) // 100,
    )


def test_table_of_a_large_sample_is_the_quantile_function() -> None:
    x = stats.gamma(3).rvs(400_000, random_state=np.random.default_rng(0))
    found = quantiles.table(x, np.ones(len(x)), 0.0)
    inner = np.abs(quantiles.SCORES) < 2.5
    expected = stats.gamma(3).ppf(special.ndtr(quantiles.SCORES))
    assert found[inner] == pytest.approx(expected[inner], rel=0.02)


def test_table_keeps_the_shares_of_recorded_values() -> None:
    values, weights = np.repeat([1.0, 2.0, 2.0, 4.0], 5), np.repeat([1.0, 1.0, 1.0, 3.0], 5)
    drawn = np.interp(np.linspace(-4, 4, 200_001), quantiles.SCORES, quantiles.table(values, weights, 1.0))
    mass = np.diff(special.ndtr(np.linspace(-4, 4, 200_001)), prepend=0)
    for value, share in ((1, 1 / 6), (2, 2 / 6), (4, 3 / 6)):
        assert mass[np.round(drawn) == value].sum() == pytest.approx(share, abs=0.0125)  # a node's width


def test_a_value_of_few_people_is_told_with_its_neighbours() -> None:
    values = np.concatenate([np.full(30, 1.0), [2.0, 3.0, 7.7, 8.0, 9.0, 10.0], np.full(40, 12.0)])
    first, last = quantiles._stretches(np.unique(values, return_counts=True)[1])
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [(0, 0), (1, 6), (7, 7)]
    table = quantiles.table(values, np.ones(len(values)), 0.1)
    assert np.abs(table - 7.7).min() > 0.01  # nobody's own value stands in the table


def test_ranks_count_half_of_ties() -> None:
    ranks = quantiles.ranks(np.array([5.0, 1.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert ranks == pytest.approx([0.4, 0.1, 0.4, 0.8])


def test_the_end_of_a_table_shows_nobody() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(100, 10, 500), np.ones(500)
    values[7] = 240.0
    everyone = np.ones(500, dtype=bool)
    number = Number(column="x", unit="kg", low=0, high=300, step=0.1)
    assert margins.borrowed(number, values, weights, everyone, everyone, 20.0).max() < 135


def test_a_cell_borrows_what_the_plan_says() -> None:
    values = np.concatenate([np.zeros(20) + 10.0, np.zeros(980) + 20.0])
    own = np.arange(1000) < 20
    number = Number(column="x", unit="kg", low=0, high=100, step=1)
    table = margins.borrowed(number, values, np.ones(1000), own, np.ones(1000, dtype=bool), 20.0)
    share = special.ndtr(quantiles.SCORES[table < 15].max())
    assert share == pytest.approx(0.5 + 0.5 * 0.02, abs=0.015)  # half its own, half the group with 2 % of its own


def test_a_top_code_is_spread_about_its_mean() -> None:
    values = np.concatenate([np.linspace(20, 79, 100), np.full(5000, 80.0)])
    spread = margins.uncoded(Top(at=80, mean=85, last=100), values, np.ones(len(values)))
    assert np.array_equal(spread[:100], values[:100])
    assert spread[100:].mean() == pytest.approx(85, abs=0.01)
    assert (spread[100:].min(), spread[100:].max()) == (pytest.approx(80, abs=0.01), pytest.approx(100, abs=0.2))


def test_pairwise_correlations_are_the_weighted_ones_of_those_who_have_both() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    x -= x.mean(axis=0)
    weights = rng.uniform(1, 3, 500)
    x[rng.random((500, 3)) < 0.2] = np.nan
    found, effective = correlations.pairwise(x, weights)
    both = np.isfinite(x[:, 0]) & np.isfinite(x[:, 2])
    a, b, w = x[both, 0], x[both, 2], weights[both]
    assert found[0, 2] == pytest.approx((w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum()))
    assert effective[0, 2] == pytest.approx(effective_size(w))


def test_impossible_correlations_become_possible() -> None:
    matrix = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    found = correlations.proper(matrix)
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.diag(found) == pytest.approx(np.ones(3))


def test_halves_share_no_sampling_unit_and_halve_every_stratum() -> None:
    data = people()
    one, other = halves(data, 5)
    assert one.size + other.size == data.size
    assert not set(one.clusters) & set(other.clusters)
    assert all(len(set(half.clusters[half.strata == s])) == 1 for half in (one, other) for s in np.unique(data.strata))
    again, _ = halves(data, 5)
    assert np.array_equal(one.clusters, again.clusters)


def test_cells_hold_everyone_once_and_borrow_across_the_category_with_most_levels() -> None:
    data = people()
    groups = group(plan(), data)
    assert len(groups.band) == 12
    first = groups.cell == 0
    wider = groups.parent[0]
    assert set(data.categories["group"][wider]) == {0, 1, 2}
    assert set(data.categories["male"][wider]) == {int(data.categories["male"][first][0])}
    assert data.numbers["age"][wider].max() < 50


def test_people_without_a_cell_are_left_out() -> None:
    data = people(100)
    data.numbers["age"][:10] = np.nan
    data.categories["group"][10:15] = -1
    assert complete(plan(), data).sum() == 85
    with pytest.raises(PlanError, match="nobody has all categories"):
        fit(plan(), data.take(np.arange(12)))


@pytest.fixture(scope="module")
def town() -> tuple[Data, object]:
    data = people(40_000)
    return data, fit(plan(), data)


def test_twins_are_like_the_people(town: tuple) -> None:
    data, model = town
    drawn = twins(model, 3, 60_000)
    for name, values in data.numbers.items():
        known = np.isfinite(values)
        mean = np.average(values[known], weights=data.weights[known]) + (0.5 if name == "age" else 0)
        sd = np.sqrt(np.cov(values[known], aweights=data.weights[known]))
        assert drawn.numbers[name].mean() == pytest.approx(mean, abs=0.02 * sd)
        assert drawn.numbers[name].std() == pytest.approx(sd, rel=0.02)
    for level in range(3):
        share = data.weights[data.categories["group"] == level].sum() / data.weights.sum()
        assert (drawn.categories["group"] == level).mean() == pytest.approx(share, abs=0.01)
    men = drawn.categories["male"] == 1
    here = data.categories["male"] == 1
    known = here & np.isfinite(data.numbers["bmi"])
    expected = stats.spearmanr(data.numbers["height"][known], data.numbers["bmi"][known]).statistic
    found = stats.spearmanr(drawn.numbers["height"][men], drawn.numbers["bmi"][men]).statistic
    assert found == pytest.approx(expected, abs=0.02)


def test_derived_numbers_agree_with_those_they_come_from(town: tuple) -> None:
    drawn = twins(town[1], 3, 5000).numbers
    assert drawn["weight"] == pytest.approx(drawn["bmi"] * (drawn["height"] / 100) ** 2)


def test_ages_stay_in_their_band(town: tuple) -> None:
    age = twins(town[1], 3, 20_000).numbers["age"]
    assert age.min() >= 20
    assert age.max() < 80


def test_a_twin_is_the_same_in_any_sample_of_one_batch_shape(town: tuple) -> None:
    few, many = (twins(town[1], 9, n) for n in (100, 40_000))
    for name, values in few.numbers.items():
        assert np.array_equal(values, many.numbers[name][:100])
    assert not np.array_equal(twins(town[1], 10, 100).numbers["bmi"], few.numbers["bmi"])


def test_shares_can_be_replaced(town: tuple) -> None:
    model = town[1]
    shares = np.where(model.cells.levels["group"] == 2, 1.0, 0.0)
    drawn = jax.vmap(lambda i: draw(model, root(1), i, shares / shares.sum()))(jnp.arange(500))
    assert set(np.asarray(drawn["group"]).tolist()) == {2}
    assert np.asarray(drawn["male"]).dtype == bool


def test_a_model_survives_its_file_and_equal_models_give_equal_bytes(town: tuple) -> None:
    model = town[1]
    content = encode(model, {"by": "a test"})
    assert content == encode(fit(plan(), town[0]), {"by": "a test"})
    again = decode(content)
    assert again.plan == model.plan
    assert again.levels == model.levels
    for name in ("people", "effective", "tables", "factors"):
        assert np.array_equal(getattr(again, name), getattr(model, name))
    assert np.array_equal(again.cells.age, model.cells.age)
    assert set(attributes(again)) == {"age", "height", "bmi", "weight", "male", "group"}


def test_a_file_that_is_no_population_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    text.write_text("not a table")
    pq.write_table(pa.table({"x": [1.0]}), other)
    for file in (text, other):
        with pytest.raises(ValueError, match=f"{file.name}.*not a fitted population"):
            decode(file)


def test_the_shipped_population_has_the_plan_beside_it() -> None:
    assert decode(FILE).plan == read_plan(FILE.with_suffix(".yaml"))


@pytest.mark.skipif(not NHANES.is_file(), reason="the survey's table is not here")
def test_the_shipped_population_is_what_its_plan_gives() -> None:
    shipped = decode(FILE)
    again = fit(shipped.plan, read(shipped.plan, NHANES).data)
    assert np.array_equal(again.tables, shipped.tables)
    assert np.array_equal(again.people, shipped.people)
    assert again.factors == pytest.approx(shipped.factors, abs=1e-6)  # the last bit is the linear algebra's


def test_the_shipped_population_has_the_published_means() -> None:
    """Men and women of 20 and more in 2015-2018 [Fryar et al. 2021]; the six earlier years were a little lighter."""
    drawn = twins(decode(FILE), 1, 200_000)
    adult, men = drawn.numbers["age"] >= 20, drawn.categories["male"] == 1
    for who, name, mean, room in (
        (men, "height", 175.3, 0.5),
        (~men, "height", 161.3, 0.5),
        (men, "weight", 90.6, 2.0),
        (~men, "weight", 77.5, 2.0),
        (men, "waist", 102.9, 2.0),
        (~men, "waist", 98.4, 2.0),
    ):
        assert drawn.numbers[name][adult & who].mean() == pytest.approx(mean, abs=room)


def test_no_twin_is_impossible() -> None:
    assert total(violations(twins(decode(FILE), 5, 200_000))) == 0


def test_a_file_whose_correlations_do_not_fit_its_plan_is_refused(town: tuple) -> None:
    model = town[1]
    wrong = model._replace(factors=np.zeros((len(model.people), 4, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="correlations of another number of attributes"):
        decode(encode(wrong, {}))
