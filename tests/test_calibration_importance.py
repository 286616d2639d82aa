"""Which assumed parameters matter: designs against closed forms, rates against the calibration's own table."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from cutis.calibration.psoriasis import importance, quantities
from cutis.calibration.psoriasis.importance import Range, decompose, limits, ranges, screen, unranked
from cutis.calibration.psoriasis.quantities import PLACEBO, Setting, distinct, rates, response_curves
from cutis.core.diseases import DISEASES
from cutis.core.parameters import Parameter, Spread, Table

TABLE = DISEASES["psoriasis"].parameters
SETTING = Setting(TABLE.numbers(), people=64, crowd=256)
COLUMNS = [
    *("parameter", "about", "value", "unit", "low", "high", "quantity"),
    *("mu_star", "sigma", "s1", "s1_conf", "st", "st_conf"),
]
CHOSEN = ("placebo.worsening", "signs.reading", "ustekinumab.clearance_weight", "secukinumab.clearance")


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def table_of(*assumed):
    """The table with all but these parameters taken as calibrated."""
    return Table(
        {n: replace(p, status="assumed" if n in assumed else "calibrated") for n, p in TABLE.items()}, TABLE.sources
    )


def parameter(name, value, unit="1", about="", sd=None):
    return Parameter(name, about, value, unit, "assumed", "x", Spread("lognormal", sd) if sd else None)


def between(*bounds):
    return [Range(f"x{i}", "", 0.0, "1", low, high) for i, (low, high) in enumerate(bounds)]


def test_an_elementary_effect_is_the_change_over_the_whole_range():
    varied = between((0, 1), (2, 4), (-1, 1))
    found = screen(varied, lambda x: {"y": 3 * x["x0"] - 2 * x["x1"] + 0 * x["x2"]}, seed=1, trajectories=8)
    assert found.mu_star.tolist() == pytest.approx([3, 4, 0], abs=1e-12)
    assert found.sigma.tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_effects_that_depend_on_other_parameters_show_a_spread():
    found = screen(between((-1, 1), (-1, 1)), lambda x: {"y": x["x0"] * x["x1"]}, seed=1, trajectories=50)
    assert (found.sigma > 0.5).all()


def test_sobol_indices_of_ishigamis_function_agree_with_their_closed_form():
    """Ishigami and Homma 1990: sin(x0) + 7 sin(x1)^2 + 0.1 x2^4 sin(x0), all uniform on (-pi, pi)."""
    varied = between(*[(-np.pi, np.pi)] * 3)
    a, b = 7.0, 0.1

    def ishigami(x):
        return {"y": np.sin(x["x0"]) + a * np.sin(x["x1"]) ** 2 + b * x["x2"] ** 4 * np.sin(x["x0"])}

    alone = np.array([0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0])
    shared = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = alone.sum() + shared
    found = decompose(varied, ishigami, seed=0, base=4096)
    np.testing.assert_allclose(found.s1, alone / variance, atol=0.02)
    np.testing.assert_allclose(found.st, (alone + np.array([shared, 0.0, shared])) / variance, atol=0.02)
    assert (abs(found.s1 - alone / variance) < 2 * found.s1_conf + 1e-3).all()
    again = decompose(varied, ishigami, seed=0, base=4096)
    pd.testing.assert_frame_equal(found, again)


def test_what_nothing_moves_has_no_indices():
    found = decompose(between((0, 1), (0, 1)), lambda x: {"y": np.ones_like(x["x0"])}, seed=1, base=8)
    assert found[["s1", "st"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (parameter("x.clearance", 2.0, "L/day"), (1.4, 2.6)),
        (parameter("x.reference_weight", 90.0, "kg"), (76.5, 103.5)),
        (parameter("x.part", 0.5, about="share of all"), (0.4, 0.6)),
        (parameter("x.part", 0.02, about="share of all"), (0.01, 0.12)),
        (parameter("x.part", 0.96, about="share of all"), (0.86, 0.98)),
        (parameter("x.power", 0.5, about="power of weight"), (0.35, 0.65)),
        (parameter("regions.lag_upper", 0.04), (-0.06, 0.14)),
        (parameter("ustekinumab.carriers", -0.45), (-0.55, -0.35)),
        (parameter("x.shift", 0.0), (-0.1, 0.1)),
    ],
)
def test_the_range_of_a_parameter_follows_from_what_it_is(told, expected):
    assert limits(told) == pytest.approx(expected)


def test_every_assumed_parameter_is_ranked_or_it_is_told_why_not():
    ranked = {r.parameter.removesuffix(":sd") for r in ranges(TABLE)}
    for name, told in TABLE.items():
        if told.status == "assumed":
            assert (name in ranked) != bool(unranked(name)), name
        else:
            assert name not in ranked
    treatments = quantities.regimens()
    assert all(any(quantities.reaches(name, treatment) for treatment in treatments) for name in ranked)
    assert set(importance.SPREAD_ONLY) <= set(TABLE)


def test_values_that_are_not_varied_beside_their_spread_do_nothing():
    names = [n for n in importance.SPREAD_ONLY if n != "trial.effect"]
    sets = {n: np.array([TABLE.value(n), 2.0]) for n in names}
    curves = response_curves(SETTING, sets)
    for treatment in ("ustekinumab", PLACEBO):
        for values in rates(SETTING, treatment, sets, curves).values():
            assert values[0] == values[1]


def test_a_drug_is_reached_by_its_own_parameters_and_by_common_ones_only():
    sets = {"ustekinumab.half_maximal": np.array([0.1, 1.0]), "ustekinumab.clearance": np.array([0.2, 0.9])}
    curves = response_curves(SETTING, sets)
    other = rates(SETTING, "adalimumab", sets, curves)
    assert all(values[0] == values[1] for values in other.values())
    own = rates(SETTING, "ustekinumab", sets, curves)
    assert own["pasi90"][0] > own["pasi90"][1]
    common = {"sensitivity.weight": np.array([0.0, 3.0]), "signs.reading:sd": np.array([0.1, 0.6])}
    curves = response_curves(SETTING, common)
    assert not np.allclose(curves[0], curves[1])
    assert np.ptp(rates(SETTING, "adalimumab", common, curves)["pasi75"]) > 0


def test_rates_are_those_of_one_set_after_the_other():
    rng = np.random.default_rng(1)
    sets = {
        "placebo.worsening": rng.uniform(0.1, 0.2, 5),
        "ixekizumab.volume": np.repeat(rng.uniform(2, 3, 1), 5),
        "ixekizumab.clearance": rng.uniform(0.2, 0.4, 5),
        "regions.lag_lower": rng.uniform(0.0, 0.2, 5),
        "trial.attrition": rng.uniform(0.0, 0.01, 5),
    }
    together = rates(SETTING, "ixekizumab", sets, response_curves(SETTING, sets))
    for place in range(5):
        numbers = TABLE.numbers() | {name: float(values[place]) for name, values in sets.items()}
        one = {"placebo.worsening": sets["placebo.worsening"][[place]]}
        alone = Setting(numbers, people=64, crowd=256)
        told = rates(alone, "ixekizumab", one, response_curves(alone, one))
        for name, values in told.items():
            assert values[0] == pytest.approx(together[name][place], abs=1e-12)


def test_each_distinct_row_is_computed_once():
    seen = []

    def square(rows):
        seen.extend(map(tuple, rows))
        return (rows**2).sum(1)

    rows = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    assert distinct(rows, square).tolist() == [5, 1, 5]
    assert len(seen) == 2


def test_rates_that_the_steps_cannot_follow_are_an_error():
    sets = {"model.t17_rate": np.array([0.06, 50.0])}
    with pytest.raises(ArithmeticError, match="ustekinumab: the steps are too long"):
        rates(SETTING, "ustekinumab", sets, response_curves(SETTING, sets))


def test_the_ranking_has_its_columns_its_rows_and_the_same_numbers_again(monkeypatch):
    some = {name: quantities.regimens()[name] for name in (PLACEBO, "ustekinumab", "secukinumab")}
    monkeypatch.setattr(quantities, "regimens", lambda: some)
    monkeypatch.setattr(importance, "SHOWN", {PLACEBO: ("pasi75",), "ustekinumab": ("pasi75", "pasi90")})
    monkeypatch.setattr(importance, "MOST", 2)
    said = []

    def ranking():
        return importance.importance(
            3, table_of(*CHOSEN), trajectories=2, base=4, people=64, crowd=256, say=said.append
        )

    found = ranking()
    pd.testing.assert_frame_equal(found, ranking())
    assert list(found.columns) == COLUMNS
    assert said[0] == "screening 5 assumed parameters"  # the spread of clearance counts too
    asked = found.groupby("parameter").quantity.agg(set)
    assert asked["placebo.worsening"] == {"placebo pasi75", "ustekinumab pasi75", "ustekinumab pasi90"}
    assert asked["ustekinumab.clearance_weight"] == {"ustekinumab pasi75", "ustekinumab pasi90"}
    assert asked["secukinumab.clearance"] == {"secukinumab pasi75", "secukinumab pasi90"}
    assert (found.mu_star >= 0).all()
    decomposed = found[found.s1.notna()].parameter.unique()
    assert len(decomposed) == 2
    assert not {"secukinumab.clearance", "secukinumab.clearance:sd"} & set(decomposed)
    largest = found.groupby("parameter", sort=False).mu_star.max()
    assert largest.is_monotonic_decreasing
