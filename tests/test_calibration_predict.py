"""Predictions of a made-up disease: draws of parameters and effects, intervals of shares and means, frames by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from cutis.calibration.climb import Fit, Group
from cutis.calibration.predict import Draws, Figure, Pair, Refit, averaged, differences, draws, predictions, receiving
from cutis.calibration.report.frames import COLUMNS

from .test_calibration_climb import arms, free

VECTOR = np.array([-40.0, -12.0, -1.0, 1.2])
ROOT = np.random.default_rng(1).normal(size=(4, 8)) * np.array([[1.0], [1.0], [0.1], [0.1]])
COVARIANCE = ROOT @ ROOT.T
SPREADS = {"response": 5.0, "rater": 0.4}


def known(covariance=COVARIANCE, **spreads):
    """A fit to two trials of two arms with a mean and a share each, whose covariance goes over the effects too."""
    table = arms(2, 2, shares=True)
    everything = np.eye(8)
    everything[:4, :4] = covariance
    groups = tuple(Group(name, 2, sd) for name, sd in (SPREADS | spreads).items())
    slopes = table.slopes(VECTOR, np.zeros(4))
    variation = {"means": 3.0, "counts": 0.02}
    return Refit(table, Fit(VECTOR, np.ones(4), everything, groups, variation, None, 0.0, 1, slopes))


def test_draws_have_the_covariance_of_parameters_and_of_each_groups_effects():
    of = known()
    found = draws(of, 4000)
    seen = free(of.table, found.drawn)
    mean = free(of.table, found.value)
    matrix = of.table.matrix
    variance = matrix[:, :4] @ COVARIANCE @ matrix[:, :4].T
    for name, columns in (("response", slice(4, 6)), ("rater", slice(6, 8))):
        variance += SPREADS[name] ** 2 * matrix[:, columns] @ matrix[:, columns].T
    sd = np.sqrt(np.diag(variance))
    np.testing.assert_allclose(mean, matrix[:, :4] @ VECTOR)  # without effects
    assert (np.abs(seen.mean(0) - mean) < 4.5 * sd / np.sqrt(4000)).all()
    correlation = np.corrcoef(seen.T)
    np.testing.assert_allclose(seen.std(0), sd, rtol=4.5 / np.sqrt(8000))
    np.testing.assert_allclose(correlation, variance / np.outer(sd, sd), atol=4.5 / np.sqrt(4000))
    assert found.variation == {"means": 3.0, "counts": 0.02}


def test_shares_stay_between_none_and_all():
    found = draws(known(rater=50.0), 200).drawn[:, 4:]
    assert found.min() > 0
    assert found.max() < 1
    assert found.std() > 0.3


def test_draws_are_the_same_again_and_others_with_another_seed():
    one, again, other = draws(known(), 3), draws(known(), 3), draws(known(), 3, seed=2)
    assert (one.drawn == again.drawn).all()
    assert not (one.drawn == other.drawn).all()


def test_means_vary_by_chance_and_by_misfit():
    found = averaged(np.full(20_000, -50.0), 3.0, 4.0, np.random.default_rng(1))
    assert found.mean() == pytest.approx(-50, abs=4.5 * 5 / np.sqrt(20_000))
    assert found.std() == pytest.approx(5, rel=4.5 / np.sqrt(40_000))


def figure(arm, place, observed, n=200, error=None, trial="one", week=12):
    term, outcome = ("counts", "iga_success") if error is None else ("means", "total_percent")
    names = (trial, trial.upper(), arm, arm, f"class of {arm}", outcome)
    return Figure(*names, week, True, n, observed, "measured", place, term, error)


def test_intervals_of_means_cover_the_means_of_other_trials():
    of = known()
    (row,) = predictions("fitted", [figure("b", 1, -50.0, error=2.0)], draws(of, 4000)).itertuples()
    rng = np.random.default_rng(9)
    sd = np.sqrt((COVARIANCE[:2, :2]).sum() + 25 + 9 + 4)
    inside = np.mean((row.low <= (seen := -52 + sd * rng.standard_normal(20_000))) & (seen <= row.high))
    assert inside == pytest.approx(0.9, abs=0.02)
    assert row.predicted == pytest.approx(-52.0)


def test_no_interval_reaches_below_what_can_be():
    found = draws(known(response=60.0))
    free_, held = (figure("b", 1, -50.0, error=2.0)._replace(least=least) for least in (-np.inf, -100.0))
    below, at = predictions("trials", [free_, held], found).low
    assert below < -100 == at


def test_predictions_are_what_the_report_takes():
    found = draws(known())
    rows = predictions("trials", [figure("a", 4, 0.3), figure("b", 1, -50.0, error=2.0)], found)
    assert set(rows.columns) | {"error"} == set(COLUMNS["predictions"])  # diseases know what chance is in a mean
    assert rows[["scheme", "trial", "title", "arm", "drug", "drug_class"]].to_numpy().tolist() == [
        ["trials", "one", "ONE", "a", "a", "class of a"],
        ["trials", "one", "ONE", "b", "b", "class of b"],
    ]
    assert rows.predicted.tolist() == [found.value[4], found.value[1]]
    assert rows.observed.tolist() == [0.3, -50.0]
    assert (rows.low < rows.predicted).all()
    assert (rows.predicted < rows.high).all()


def test_differences_of_shares_are_points_and_those_of_means_in_their_own_unit():
    found = draws(known(), 2000)
    shares = Pair(figure("b", 5, 0.5), figure("a", 4, 0.3), 20.0, 10.0, 30.0)
    means = Pair(figure("b", 1, -50.0, error=2.0), figure("a", 0, -35.0, error=2.0), 15.0, None, None)
    rows = differences("trials", [shares, means, means._replace(observed=0.0)], found)
    assert set(rows.columns) | {"against"} == set(COLUMNS["differences"])
    assert rows.predicted.tolist() == pytest.approx([100 * (found.value[5] - found.value[4]), -12.0, -12.0])
    assert rows.sign_kept.tolist() == [True, False, True]  # where none was observed, none is changed
    # the trial's effect is that of both arms
    expected = np.sqrt(COVARIANCE[1, 1] + 2 * (9 + 4))
    assert rows.high[1] - rows.low[1] == pytest.approx(2 * 1.645 * expected, rel=0.08)
    assert rows.inside.tolist() == [bool(rows.low[0] <= 20 <= rows.high[0]), False, rows.low[2] <= 0 <= rows.high[2]]


def test_a_figure_of_more_people_has_a_narrower_interval():
    sure = Draws(np.array([0.4]), np.full((4000, 1), 0.4), {"counts": 1e-5})
    rows = predictions("fitted", [figure("a", 0, 0.4, n=n) for n in (50, 5000)], sure)
    width = (rows.high - rows.low).to_numpy()
    np.testing.assert_allclose(width, 2 * 1.645 * np.sqrt(0.24 / np.array([50, 5000])), rtol=0.15)


def test_arms_that_receive_a_drug_among_others_are_left_out_with_it():
    def arm(name, *treatments):
        return SimpleNamespace(name=name, treatments=treatments)

    trials = [
        SimpleNamespace(key="one", arms=(arm("both", "adapalene", "benzoyl_peroxide"), arm("vehicle", "vehicle"))),
        SimpleNamespace(key="two", arms=(arm("bpo", "benzoyl_peroxide"), arm("none"))),
    ]
    assert receiving(trials, ("benzoyl_peroxide", "x")) == ["one/both", "two/bpo"]
    assert receiving(trials, ()) == []
