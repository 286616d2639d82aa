"""One person's general attributes given some: against closed forms, brute force from the prior, and wrong input."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import simpson

from cutis.population.fitting.model import Cells, Model
from cutis.population.fitting.plan import Plan
from cutis.population.fitting.quantiles import SCORES
from cutis.population.general.condition import Candidates, Measurement, candidates, resampled
from cutis.population.general.model import shipped
from cutis.population.general.twins import twins

N = 8_000
MEANS, SDS = np.array([50.0, 30.0, 170.0]), np.array([6.0, 4.0, 8.0])  # a, b, c
CORRELATION = np.array([[1.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 1.0]])


def normal(means=(MEANS,), shares=(1.0,), factors=None):
    """A population of jointly normal numbers, a cell for each row of means; the cell is the category `group`."""
    numbers = {name: {"column": name, "unit": "cm", "low": 0, "high": 400, "step": 0.01} for name in "abc"}
    derived = {"total": ("plus", "a", "b"), "gap": ("minus", "c", "a"), "gone": ("minus", "total", "c")}
    plan = Plan.model_validate(
        {
            "name": "toys",
            "about": "made by hand",
            "source": {"citation": "none"},
            "categories": {"group": {"column": "g", "levels": {"one": 1, "two": 2}}},
            "numbers": numbers,
            "derived": {
                name: {kind: (first, second), "unit": "cm", "low": -400, "high": 800, "step": 0.01}
                for name, (kind, first, second) in derived.items()
            },
            "cells": {"by": ["group"]},
        }
    )
    count = len(means)
    return Model(
        plan,
        {"group": ("one", "two")},
        Cells({"group": np.arange(count)}, np.zeros((count, 2)), np.array(shares)),
        np.full(count, 100),
        np.full(count, 100.0),
        np.stack([np.asarray(m)[:, None] + SDS[:, None] * SCORES for m in means]),
        np.stack([np.linalg.cholesky(CORRELATION)] * count) if factors is None else factors,
    )


def asked(model, measured, known=None, seed=1, count=N):
    told = {name: Measurement(*np.atleast_1d(value)) for name, value in measured.items()}
    return candidates(model, known or {}, told, count, np.random.default_rng(seed))


def weights_of(found):
    weight = np.exp(found.log_weight - found.log_weight.max())
    return weight / weight.sum()


def mean_of(found, values):
    """Weighted mean of some values and its standard error."""
    weight = weights_of(found)
    mean = weight @ values
    return mean, np.sqrt(weight**2 @ (values - mean) ** 2)


def effective(found):
    return 1 / np.sum(weights_of(found) ** 2)


@pytest.fixture(scope="module")
def people():
    """Many twins of the shipped population."""
    return twins(shipped(), 3, 200_000)


def column(data, name):
    return data.numbers[name] if name in data.numbers else data.categories[name]


LINEAR = {"a": [1, 0, 0], "b": [0, 1, 0], "c": [0, 0, 1], "total": [1, 1, 0], "gap": [-1, 0, 1]}


@pytest.mark.parametrize(
    "measured",
    [
        {"a": (58.0, 0.0)},
        {"a": (58.0, 3.0)},
        {"a": (41.0, 2.0), "c": (160.0, 5.0)},
        {"a": (58.0, 0.0), "b": (24.0, 1.0), "c": (171.0, 0.0)},
        {"total": (95.0, 0.0)},
        {"total": (70.0, 4.0)},
        {"gap": (140.0, 3.0)},
        {"total": (90.0, 1.0), "a": (55.0, 2.0)},
        {"gap": (110.0, 0.0), "c": (172.0, 0.0)},
        {"gap": (110.0, 2.0), "a": (58.0, 3.0), "c": (172.0, 2.0)},
        {"total": (90.0, 3.0), "gap": (130.0, 4.0)},
    ],
    ids=str,
)
def test_normal_margins_give_the_closed_form(measured):
    found = asked(normal(), measured)
    covariance = CORRELATION * np.outer(SDS, SDS)
    read = np.array([LINEAR[name] for name in measured], float)
    value, sd = np.array(list(measured.values())).T
    gain = covariance @ read.T @ np.linalg.inv(read @ covariance @ read.T + np.diag(sd**2))
    mean, left = MEANS + gain @ (value - read @ MEANS), covariance - gain @ read @ covariance
    drawn = np.stack([found.twins[name] for name in "abc"])
    size = effective(found)
    assert size > N / 20
    for j, name in enumerate("abc"):
        spread = np.sqrt(max(left[j, j], 0))
        tolerance = 4.5 * spread / np.sqrt(size) + 0.01  # half a step
        assert mean_of(found, drawn[j])[0] == pytest.approx(mean[j], abs=tolerance), name
        assert np.sqrt(np.cov(drawn, aweights=weights_of(found))[j, j]) == pytest.approx(
            spread, abs=4.5 * spread / np.sqrt(2 * size) + 0.01
        )
    for name, (exact, error) in measured.items():
        if not error:
            np.testing.assert_array_equal(found.twins[name], exact)


def test_correlations_are_conditional_too():
    found = asked(normal(), {"a": (58.0, 2.0)})
    covariance = CORRELATION * np.outer(SDS, SDS)
    gain = covariance[:, 0] / (covariance[0, 0] + 4)
    left = covariance - np.outer(gain, covariance[0])
    drawn = np.cov([found.twins[name] for name in "abc"], aweights=weights_of(found))
    np.testing.assert_allclose(drawn, left, atol=4.5 * np.sqrt(2 / effective(found)) * np.max(np.diag(left)))


def test_a_group_is_told_by_what_was_measured():
    """Two groups differ in the mean of `a` alone: their odds follow Bayes' rule, also through a sum."""
    means, shares = np.stack([MEANS, MEANS + np.array([15.0, 0, 0])]), np.array([0.8, 0.2])
    variance = {"a": SDS[0] ** 2, "total": SDS[0] ** 2 + SDS[1] ** 2 + 2 * 0.5 * SDS[0] * SDS[1]}
    for name, value, sd in [("a", 60.0, 0.0), ("a", 60.0, 3.0), ("total", 90.0, 2.0)]:
        found = asked(normal(means, shares), {name: (value, sd)})
        centres = means @ np.array(LINEAR[name])
        odds = shares * stats.norm.pdf(value, centres, np.sqrt(variance[name] + sd**2))
        mean, error = mean_of(found, found.twins["group"] == 1)
        assert mean == pytest.approx(odds[1] / odds.sum(), abs=4.5 * error)


def test_a_known_group_is_kept_and_nobody_else_counts():
    found = asked(normal(np.stack([MEANS, MEANS + 15]), (0.8, 0.2)), {}, {"group": 1})
    assert np.all(found.twins["group"] == 1)
    assert found.twins["a"].mean() == pytest.approx(65, abs=4.5 * 6 / np.sqrt(N))


def test_a_useless_instrument_leaves_the_prior():
    for told in ({"a": 1e6}, {"a": 1e6, "b": 1e7, "c": 1e6}, {"total": 1e6}, {"gap": 1e6, "total": 1e6}):
        found = asked(normal(), {name: (100.0, sd) for name, sd in told.items()})
        assert np.ptp(found.log_weight) < 0.05  # scores end at 4 standard deviations
        for j, name in enumerate("abc"):
            assert stats.kstest(found.twins[name], stats.norm(MEANS[j], SDS[j]).cdf).pvalue > 1e-5
        correlation = np.corrcoef([found.twins[name] for name in "abc"])
        np.testing.assert_allclose(correlation, CORRELATION, atol=4.5 / np.sqrt(N))


def test_a_perfect_instrument_is_the_limit_of_good_ones():
    for name, value in (("b", 36.0), ("total", 92.0)):
        exact, good = (asked(normal(), {name: (value, sd)}, seed=2) for sd in (0.0, 1e-3))
        for other in "abc":
            (a, error), (b, another) = (mean_of(found, found.twins[other]) for found in (exact, good))
            assert a == pytest.approx(b, abs=4.5 * np.hypot(error, another) + 0.01)


def test_an_atom_counts_whole():
    """A third of group one has exactly 20, most of group two more: a reading of 20 tells the group."""
    model = normal(np.stack([MEANS, MEANS]), (0.5, 0.5))
    ends = {0: stats.norm.ppf(1 / 3), 1: stats.norm.ppf(0.1)}
    for cell, end in ends.items():
        model.tables[cell, 1] = np.where(end >= SCORES, 20.0, 20 + 10 * (SCORES - SCORES[0]))
    held = [stats.norm.cdf(SCORES[np.searchsorted(SCORES, end) - 1]) for end in ends.values()]
    found = asked(model, {"b": (20.0, 0.0)})
    mean, error = mean_of(found, found.twins["group"] == 0)
    assert mean == pytest.approx(held[0] / sum(held), abs=4.5 * error)
    np.testing.assert_array_equal(found.twins["b"], 20)
    low = asked(model, {"b": (20.0, 0.0)}, {"group": 0})  # scores below the end: a normal distribution cut there
    cut = -stats.norm.pdf(stats.norm.ppf(held[0])) / held[0]
    assert low.twins["a"].mean() == pytest.approx(MEANS[0] + SDS[0] * 0.5 * cut, abs=4.5 * SDS[0] / np.sqrt(N))
    blurred = asked(model, {"b": (20.5, 0.5)}, {"group": 0})
    z = np.linspace(-8, 8, 40_001)
    b = np.interp(z, SCORES, model.tables[0, 1])
    weight = stats.norm.pdf(z) * stats.norm.pdf(20.5, b, 0.5)
    expected = MEANS[0] + SDS[0] * 0.5 * simpson(weight * z, x=z) / simpson(weight, x=z)
    got, error = mean_of(blurred, blurred.twins["a"])
    assert got == pytest.approx(expected, abs=4.5 * error)


def test_nothing_measured_gives_the_population(people):
    found = asked(shipped(), {})
    assert np.ptp(found.log_weight) == 0
    for name in (*people.numbers, *people.categories):
        assert stats.ks_2samp(found.twins[name], column(people, name)).pvalue > 1e-5, name


@pytest.mark.parametrize(
    ("measured", "known"),
    [
        ({"height": (165.0, 3.0)}, {}),
        ({"age": (44.5, 0.0)}, {}),
        ({"age": (38.0, 4.0), "hba1c": (6.5, 0.4)}, {}),
        ({"weight": (62.0, 2.0)}, {}),
        ({"weight": (90.0, 2.0), "height": (170.0, 4.0)}, {}),
        ({"weight": (90.0, 3.0), "bmi": (28.0, 2.0)}, {}),
        ({"weight": (90.0, 3.0), "bmi": (28.0, 2.0), "height": (175.0, 5.0)}, {}),
        ({"sbp": (150.0, 5.0)}, {}),
        ({"sbp": (140.0, 6.0), "dbp": (90.0, 4.0)}, {}),
        ({"total_cholesterol": (250.0, 10.0), "hdl": (40.0, 4.0)}, {}),
        ({"weight": (70.0, 5.0), "sbp": (130.0, 6.0)}, {"male": 0, "race": 4}),
        ({"cotinine": (0.011, 0.0)}, {}),
        ({"crp": (3.0, 1.0), "waist": (110.0, 6.0)}, {"smoking": 2}),
    ],
    ids=str,
)
def test_twins_of_a_person_are_the_people_like_them(people, measured, known):
    """Brute force: twins of the population weighted by the likelihood of the measurements."""
    weight = np.ones(len(people.weights))
    for name, (value, sd) in measured.items():
        x = column(people, name)
        plan = shipped().plan
        step = (plan.numbers | plan.derived)[name].step
        weight *= stats.norm.pdf(value, x, sd) if sd else np.abs(x - value) <= step / 2
    for name, level in known.items():
        weight *= column(people, name) == level
    weight /= weight.sum()
    found = asked(shipped(), measured, known)
    assert effective(found) > N / 10
    assert 1 / np.sum(weight**2) > 100  # enough to compare with
    for name in (*people.numbers, "male", "smoking"):
        if name in measured and not measured[name][1]:
            continue
        brute, mine = column(people, name).astype(float), found.twins[name].astype(float)
        for moment in (1, 2):
            expected = weight @ brute**moment
            got, error = mean_of(found, mine**moment)
            other = np.sqrt(weight**2 @ (brute**moment - expected) ** 2)
            assert got == pytest.approx(expected, rel=1e-9, abs=4.5 * np.hypot(error, other)), (name, moment)


def test_derived_attributes_agree_with_what_they_come_from():
    found = asked(shipped(), {"weight": (62.0, 1.0), "sbp": (120.0, 0.0), "dbp": (80.0, 0.0)}).twins
    np.testing.assert_allclose(found["weight"], found["bmi"] * (found["height"] / 100) ** 2)
    np.testing.assert_allclose(found["total_cholesterol"], found["hdl"] + found["non_hdl"])
    np.testing.assert_allclose(found["pulse_pressure"], 40, atol=1.01)  # three roundings of 2/3 mmHg


def test_resampling_keeps_the_proportions():
    drawn = Candidates({"x": np.arange(4)}, np.array([-1000.0, -np.inf, np.log(3) - 1000, -np.inf]))
    found, size = resampled(drawn, 400, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(found["x"], minlength=4), [100, 0, 300, 0])
    assert size == pytest.approx(16 / 10)


def test_the_same_seed_gives_the_same_candidates():
    one, two, other = (asked(normal(), {"total": (90.0, 2.0)}, seed=seed, count=50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.twins["c"], two.twins["c"])
    np.testing.assert_array_equal(one.log_weight, two.log_weight)
    assert not np.array_equal(one.twins["c"], other.twins["c"])


@pytest.mark.parametrize(
    ("measured", "known", "message"),
    [
        ({"d": 3.0}, {}, "d: no such measurement; there are a, b, c, total, gap, gone"),
        ({}, {"sex": 1}, "sex: no such category; there are group"),
        ({"a": 401.0}, {}, "a: 401 cm is not possible; expected 0 to 400"),
        ({"total": -401.0}, {}, "total: -401 cm is not possible; expected -400 to 800"),
        ({"a": np.nan}, {}, "a: nan cm is not possible"),
        ({"a": (50.0, -1.0)}, {}, "a: the error's standard deviation is -1; expected 0 or more"),
        ({"a": (50.0, np.inf)}, {}, "a: the error's standard deviation is inf; expected 0 or more"),
        ({"gone": 10.0}, {}, "gone: is computed from computed attributes and cannot be given"),
        ({}, {"group": 1}, "nobody in toys has all of: group two"),
        ({"a": 300.0}, {}, "nobody in toys is like this: a 300 cm"),
        ({"total": 300.0}, {}, "nobody in toys is like this: total 300 cm"),
        ({"a": 50.0, "b": 30.0, "total": 90.0}, {}, "like this: a 50 cm, b 30 cm, total 90 cm"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(measured, known, message):
    with pytest.raises(ValueError, match=message):
        asked(normal(), measured, known, count=100)
