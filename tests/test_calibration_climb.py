"""The climb over a made-up disease: closed forms of normal models, spreads of groups, and what is fitted of them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, logit

from cutis.calibration.climb import Group, climb, parts, scattered
from cutis.calibration.scale import Believed, Prior, Vector, believed
from cutis.calibration.terms import Counts, Means


class Slopes(NamedTuple):
    value: np.ndarray
    free: np.ndarray  # slopes of the number on its own scale, (places + effects, entries)


@dataclass(frozen=True)
class Linear:
    """Entries on their own scale (logit of shares) are `design` times the vector, plus effects.

    design: (entries, places). shares: whether an entry is one. belongs: by group of effects.
    """

    design: np.ndarray
    shares: np.ndarray
    belongs: dict[str, np.ndarray]
    sizes: dict[str, int]

    @property
    def matrix(self) -> np.ndarray:
        """Slopes on the own scale in the vector and all effects, (entries, places + effects)."""
        parts = [of[:, None] == np.arange(self.sizes[name]) for name, of in self.belongs.items()]
        return np.hstack([self.design, *parts])

    def values(self, vector, effects):
        own = self.matrix @ np.r_[vector, effects]
        return np.where(self.shares, expit(own), own)

    def slopes(self, vector, effects, exact=False):
        return Slopes(self.values(vector, effects), self.matrix.T)

    def full(self, slopes):
        steep = np.where(self.shares, slopes.value * (1 - slopes.value), 1.0)
        return slopes.free * steep


def arms(trials: int, each: int, shares: bool = False) -> Linear:
    """Trials of `each` arms with a mean apiece, and (`shares`) a share too; a level and a drug's effect of each.

    An effect of the group `response` is added to all means of a trial, one of the group `rater` to all shares.
    """
    trial, treated = np.repeat(np.arange(trials), each), np.tile(np.arange(each) % 2, trials)
    design = np.column_stack([np.ones(trials * each), treated]).astype(float)
    none = np.full(trials * each, -1)
    if not shares:
        return Linear(design, np.zeros(trials * each, bool), {"response": trial}, {"response": trials})
    return Linear(
        np.vstack([np.hstack([design, 0 * design]), np.hstack([0 * design, design])]),
        np.arange(2 * trials * each) >= trials * each,
        {"response": np.r_[trial, none], "rater": np.r_[none, trial]},
        {"response": trials, "rater": trials},
    )


def free(table: Linear, value: np.ndarray) -> np.ndarray:
    """Numbers on their own scale."""
    return np.where(table.shares, logit(np.where(table.shares, value, 0.5)), value)


FLAT = Believed(np.zeros(2), np.full(2, 1e4), np.zeros(0), 1.5, 1.5)
ERROR = 2.0


def means(table, value, error=ERROR, misfit=1e-9):
    """All means of a table."""
    one = np.flatnonzero(~table.shares)
    ones = np.ones(len(one))
    return Means(one, np.full(len(one), -1), value, error * ones, ones, misfit)


def drawn(table, vector, spread, rng):
    effects = spread * rng.standard_normal(table.sizes["response"])
    return table.values(np.array(vector), effects) + ERROR * rng.standard_normal(len(table.shares))


def test_the_mode_and_the_covariance_of_a_normal_model_are_those_in_closed_form():
    table, rng = arms(8, 4), np.random.default_rng(1)
    term = means(table, drawn(table, [-40, -12], 5.0, rng), misfit=3.0)
    prior = Believed(np.array([-30.0, 0.0]), np.array([10.0, 6.0]), np.zeros(0), 1.5, 1.5)
    found = climb(table, {"means": term}, prior, (Group("response", 8, 4.0),), np.zeros(2), adapt=False)
    weight = 1 / (ERROR**2 + 9.0)
    before = np.r_[1 / np.array([10.0, 6.0]) ** 2, np.full(8, 1 / 16)]
    covariance = np.linalg.inv(weight * table.matrix.T @ table.matrix + np.diag(before))
    mode = covariance @ (weight * table.matrix.T @ term.value + before * np.r_[-30, 0, np.zeros(8)])
    np.testing.assert_allclose(np.r_[found.vector, found.effects], mode, rtol=1e-3)
    assert found.variation["means"] < 3.0  # so that nothing is added
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    assert found.spreads == {"response": 4.0}


def test_the_covariance_is_that_of_estimates_in_repeated_trials_though_weighted_otherwise():
    """Weights as if chance were all, where arms vary by 6 beside it."""
    table, rng = arms(1, 40), np.random.default_rng(2)
    groups, vectors, told = (Group("response", 1, 1e-6),), [], []
    for _ in range(300):
        value = table.values(np.array([-40.0, -12.0]), np.zeros(1)) + np.hypot(ERROR, 6) * rng.standard_normal(40)
        term = means(table, value)
        found = climb(table, {"means": term}, FLAT, groups, np.array([-40.0, -12.0]), adapt=False)
        vectors.append(found.vector)
        told.append(np.diag(found.covariance)[:2])
    np.testing.assert_allclose(np.mean(told, 0), np.var(vectors, 0), rtol=4.5 * np.sqrt(2 / 300))


def test_the_spread_of_effects_is_that_of_the_analysis_of_variance():
    """Balanced trials with a known error: the spread of restricted maximum likelihood is a difference of squares."""
    table, rng = arms(30, 4), np.random.default_rng(3)
    value = drawn(table, [-40, -12], 6.0, rng)
    found = climb(table, {"means": means(table, value)}, FLAT, (Group("response", 30),), np.zeros(2), most=60)
    between = value.reshape(30, 4).mean(1).var(ddof=1) - ERROR**2 / 4
    assert found.spreads["response"] == pytest.approx(np.sqrt(between), rel=0.02)


def counted(table, value, n, rng):
    one = np.flatnonzero(table.shares)
    ones = np.ones(len(one), int)
    return Counts(one, -ones, n * ones, rng.binomial(n, value[one]), np.ones(len(one)), 1e-5)


def both(rng, response=6.0, rater=0.4, trials=60):
    """Trials that tell means and shares, with an effect of their own on each."""
    table = arms(trials, 4, shares=True)
    effects = np.r_[response * rng.standard_normal(trials), rater * rng.standard_normal(trials)]
    vector = np.array([-40.0, -12.0, -1.0, 1.2])
    value = table.values(vector, effects)
    told = value[~table.shares] + ERROR * rng.standard_normal(4 * trials)
    return table, {"means": means(table, told), "counts": counted(table, value, 300, rng)}, vector, effects


def test_each_group_of_effects_has_its_own_spread():
    table, terms, vector, effects = both(np.random.default_rng(4))
    prior = Believed(np.zeros(4), np.full(4, 1e3), np.zeros(0), 1.5, 1.5)
    groups = (Group("response", 60, 1.0), Group("rater", 60, 1.0))
    found = climb(table, terms, prior, groups, np.zeros(4), most=60)
    own = parts(groups, effects)
    assert found.spreads["response"] == pytest.approx(own["response"].std(), rel=0.1)
    assert found.spreads["rater"] == pytest.approx(own["rater"].std(), rel=0.1)
    sd = np.sqrt(np.diag(found.covariance))
    off = (np.r_[found.vector, found.effects] - np.r_[vector, effects]) / sd
    assert np.abs(off).max() < 4.5


def test_slopes_of_a_place_near_by_lead_to_the_same_mode_with_fewer_of_them(monkeypatch):
    table, terms, vector, _ = both(np.random.default_rng(6))
    prior = Believed(np.zeros(4), np.full(4, 1e3), np.zeros(0), 1.5, 1.5)
    groups, asked = (Group("response", 60, 1.0), Group("rater", 60, 1.0)), []
    slopes = Linear.slopes
    monkeypatch.setattr(Linear, "slopes", lambda *of, exact=False: (asked.append(of), slopes(*of))[1])
    whole = climb(table, terms, prior, groups, vector, most=100)
    many = len(asked)
    found = climb(table, terms, prior, groups, vector, most=100, reuse=True)
    assert len(asked) - many < many / 2
    sd = np.sqrt(np.diag(whole.covariance))
    assert np.abs((np.r_[found.vector, found.effects] - np.r_[whole.vector, whole.effects]) / sd).max() < 0.1
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), sd, rtol=0.05)
    for name, spread in whole.spreads.items():
        assert found.spreads[name] == pytest.approx(spread, rel=0.05)
    np.testing.assert_array_equal(found.slopes.value, table.values(found.vector, found.effects))


def test_effects_that_are_not_usual_have_a_spread_of_their_own():
    table, terms, _, _ = both(np.random.default_rng(4))
    prior = Believed(np.zeros(4), np.full(4, 1e3), np.zeros(0), 1.5, 1.5)
    usual = np.arange(60) < 20
    groups = (Group("response", 60, 1.0, usual, 2.0), Group("rater", 60, 1.0))
    found = climb(table, terms, prior, groups, np.zeros(4), most=60)
    own, errors = (parts(groups, x) for x in (found.effects, np.diag(found.covariance)[4:]))
    squares = own["response"] ** 2 + errors["response"]
    assert found.spreads["response"] == pytest.approx(np.sqrt(squares[usual].mean()), rel=0.05)
    assert found.groups[0].apart == pytest.approx(np.sqrt(squares[~usual].mean()), rel=0.05)
    assert found.spreads["response"] != pytest.approx(found.groups[0].apart, rel=0.001)
    assert set(found.groups[0].spreads) == {found.groups[0].spread, found.groups[0].apart}


def test_effects_that_no_figure_tells_of_are_zero_and_count_for_no_spread():
    table, terms, _, _ = both(np.random.default_rng(5), trials=12)
    groups = (Group("response", 12, 3.0), Group("rater", 12, 0.3))
    prior = Believed(np.zeros(4), np.full(4, 1e3), np.zeros(0), 1.5, 1.5)
    few = replace(terms["means"], one=terms["means"].one[:20], other=terms["means"].other[:20])
    few = replace(few, value=few.value[:20], error=few.error[:20], inflation=few.inflation[:20])
    start = np.ones(24)
    seen = climb(table, {"means": few}, prior, groups, np.zeros(4), start)
    assert (seen.effects[5:] == 0).all()
    assert (seen.effects[:5] != 0).all()
    assert seen.spreads["rater"] == 0.3
    alone = arms(5, 4)
    other = climb(alone, {"means": few}, FLAT, (Group("response", 5, 3.0),), np.zeros(2), np.ones(5))
    assert seen.spreads["response"] == pytest.approx(other.spreads["response"], rel=1e-6)


def test_parameters_are_shared_out_among_the_terms_by_their_figures():
    table, terms, _, _ = both(np.random.default_rng(6), trials=6)
    asked = {}

    @dataclass(frozen=True, eq=False)
    class Asked(Means):
        def variation(self, value, places):
            asked[len(self.one)] = places
            return 0.0

    half = {name: Asked(**vars(terms["means"])) for name in ("one", "other")}
    half["other"] = Asked(**{k: v[:8] if isinstance(v, np.ndarray) else v for k, v in vars(half["other"]).items()})
    prior = Believed(np.zeros(4), np.full(4, 1e3), np.zeros(0), 1.5, 1.5)
    climb(table, half, prior, (Group("response", 6), Group("rater", 6)), np.zeros(4), most=1)
    assert asked == {24: pytest.approx(4 * 24 / 32), 8: pytest.approx(4 * 8 / 32)}


def test_what_is_believed_may_learn_on_the_way():
    """Of drugs whose potency is told poorly, by their distribution."""
    table, rng = arms(10, 2), np.random.default_rng(7)
    term = means(table, drawn(table, [-40, -12], 1.0, rng))
    prior = Believed(np.array([-40.0]), np.array([5.0]), np.array([2.0]), 1.5, 1.5)
    found = climb(table, {"means": term}, prior, (Group("response", 10, 1.0),), np.zeros(2))
    assert found.believed.excess == pytest.approx(2.0 - found.vector[1], abs=0.3)
    still = climb(table, {"means": term}, FLAT, (Group("response", 10, 1.0),), np.zeros(2))
    assert still.believed is FLAT


def test_as_many_effects_as_the_groups_have():
    table = arms(3, 2)
    term = means(table, np.zeros(6))
    with pytest.raises(ValueError, match="effects: expected 3, as the groups have, got 2"):
        climb(table, {"means": term}, FLAT, (Group("response", 3),), np.zeros(2), np.zeros(2))


def test_without_effects_there_are_none():
    table = replace(arms(3, 2), belongs={}, sizes={})
    found = climb(table, {"means": means(table, np.arange(6.0))}, FLAT, (), np.zeros(2))
    np.testing.assert_allclose(found.vector, [2.0, 1.0], atol=1e-4)
    assert found.effects.shape == (0,)


def test_slopes_stand_in_the_place_that_an_entry_depends_on():
    found = scattered(np.array([1.0, 2.0, 3.0]), np.array([1, -1, 0]), 2)
    assert found.tolist() == [[0.0, 0.0, 3.0], [1.0, 0.0, 0.0]]
    assert scattered(np.ones(2), np.full(2, -1), 0).shape == (0, 2)


def test_a_vector_has_parameters_on_their_scales_and_those_of_drugs_on_the_logarithm():
    vector = Vector(("a", "b"), ("log", "logit"), ("drug",))
    assert vector.labels == ("a", "b", "drug.half_maximal")
    assert vector.all_scales == ("log", "logit", "log")
    assert vector.size == 3
    at = vector.vector({"a": 2.0, "b": 0.3, "drug.half_maximal": 5.0})
    np.testing.assert_allclose(at, [np.log(2), np.log(0.3 / 0.7), np.log(5)])
    back = vector.numbers(at)
    assert {name: float(x) for name, x in back.items()} == pytest.approx({"a": 2, "b": 0.3, "drug.half_maximal": 5})


def test_priors_stand_on_the_scale_of_the_vector_with_or_without_drugs():
    priors = {"a": Prior(2.0, "log", 0.5, ""), "b": Prior(float(expit(0.7)), "logit", 1.0, "")}
    middle, sd = believed(priors).all()
    np.testing.assert_allclose(middle, [np.log(2), 0.7])
    assert sd.tolist() == [0.5, 1.0]
    middle, sd = believed(priors, np.array([3.0])).all()
    np.testing.assert_allclose(middle, [np.log(2), 0.7, 1.5])
    assert sd.tolist() == [0.5, 1.0, 1.5]


def test_figures_that_scatter_wildly_leave_nobody_less_certain_than_before():
    table, rng = arms(8, 4), np.random.default_rng(2)
    term = means(table, drawn(table, [-40, -12], 200.0, rng), misfit=3.0)
    sd = np.array([10.0, 6.0])
    prior = Believed(np.array([-30.0, 0.0]), sd, np.zeros(0), 1.5, 1.5)
    found = climb(table, {"means": term}, prior, (Group("response", 8, 4.0),), np.zeros(2), adapt=False)
    assert found.variation["means"] > 30
    assert (np.sqrt(np.diag(found.covariance))[:2] <= sd + 1e-9).all()
    assert np.linalg.eigvalsh(found.covariance).min() > 0
