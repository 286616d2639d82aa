"""Predictions of what was not seen: nothing of it leaks in, intervals cover, tables and summaries by hand."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from cutis.calibration.climb import climb
from cutis.calibration.predict import REPEATS, Refit, counted, draws, split
from cutis.calibration.psoriasis import readings, readings_fit, validate
from cutis.calibration.psoriasis.calibrate import SPREADS, Calibrated, Evidence, of_trials
from cutis.calibration.psoriasis.evidence.targets import Relapse
from cutis.calibration.psoriasis.likelihood import counts, summaries
from cutis.calibration.psoriasis.table import build
from cutis.calibration.psoriasis.validate import CLASSES, refit, summarise
from cutis.calibration.scale import Prior, believed

from .smalltrials import NUMBERS, SIZE, VECTOR, courses, curves, theta, trials

KEYS = tuple(f"trial_{i}" for i in range(23))
PRIORS = {name: Prior(NUMBERS[name], scale, 0.5, "") for name, scale in zip(VECTOR.names, VECTOR.scales, strict=True)}
RELAPSE = Relapse(
    *("guselkumab", "measured", "", "", "guselkumab", courses("guselkumab"), 4, 4, "all", "pasi75", None, None),
    {12: 60.0}, None,
)  # fmt: skip


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def calibrated():
    with jax.numpy_dtype_promotion("standard"):
        of = trials()
        table = build(of, (), (RELAPSE,), VECTOR, theta(), curves(), SIZE)
        told = {"counts": counts(of, table), "summaries": summaries((), (RELAPSE,), table, SPREADS)}
        prior, start = believed(PRIORS, VECTOR.vector(NUMBERS)[3:] + 1.5), VECTOR.vector(NUMBERS)
        found = climb(table, told, prior, (of_trials(table),), start)
        return Calibrated(Evidence(of, (), (RELAPSE,)), NUMBERS, PRIORS, None, table, found, 1.0)


def changed(calibrated, key, by):
    """The same calibration, its evidence having other results in one trial."""

    def of(trial):
        arms = tuple(
            replace(a, readouts=tuple(replace(r, percent=r.percent * by) for r in a.readouts)) for a in trial.arms
        )
        return replace(trial, arms=arms) if trial.key == key else trial

    return replace(calibrated, evidence=replace(calibrated.evidence, trials=tuple(map(of, calibrated.evidence.trials))))


@pytest.mark.parametrize("folds", [2, 10, 23])
def test_every_trial_is_left_out_once(folds):
    parts = split(KEYS, folds)
    assert sorted(key for part in parts for key in part) == sorted(KEYS)
    assert {len(part) for part in parts} <= {23 // folds, -(-23 // folds)}
    assert split(KEYS, folds) == parts
    assert parts[0] != KEYS[: len(parts[0])]


def test_a_fit_does_not_see_what_is_left_out(calibrated):
    one, other = (refit(c, ("two",)) for c in (calibrated, changed(calibrated, "two", 0.5)))
    assert (one.fit.vector == other.fit.vector).all()
    assert (one.fit.effects == other.fit.effects).all()
    assert (one.fit.covariance == other.fit.covariance).all()
    assert one.fit.effects[1] == 0
    seen = refit(changed(calibrated, "two", 0.5), ("one",))
    assert not np.allclose(seen.fit.vector, refit(calibrated, ("one",)).fit.vector, atol=1e-3)


def test_an_arm_is_left_out_alone(calibrated):
    unseen = refit(calibrated, ("two/guselkumab",))
    again = refit(changed(calibrated, "two", 0.8), ("two/guselkumab",))
    assert unseen.fit.effects[1] != 0
    assert not (unseen.fit.vector == again.fit.vector).all()
    # Without any count of it, nothing but other drugs tells of guselkumab: not its relapse either.
    place = VECTOR.labels.index("guselkumab.half_maximal")
    sd = np.sqrt(np.diag(unseen.fit.covariance))
    assert sd[place] > 0.9 * calibrated.fit.believed.excess_sd
    middle, _ = calibrated.fit.believed.all()
    assert unseen.fit.vector[place] == pytest.approx(middle[place], abs=0.2 * sd[place])


def test_the_steps_from_the_fit_to_all_are_enough(calibrated, monkeypatch):
    """Otherwise the start would tell of what is left out."""
    few = refit(calibrated, ("two",))
    monkeypatch.setattr(validate, "STEPS", 25)
    many = refit(calibrated, ("two",))
    sd = np.sqrt(np.diag(many.fit.covariance))[: VECTOR.size]
    assert (np.abs(few.fit.vector - many.fit.vector) < 0.3 * sd).all()


def test_readings_are_estimated_without_what_is_left_out(calibrated, monkeypatch):
    seen = []

    def readings_of(trials, numbers, people):
        seen.extend(trial.key for trial in trials)
        return SimpleNamespace(estimates=(readings_fit.Estimate("signs.severity", 0.5, 0.1),))

    def shifted(numbers, seed, people):
        assert numbers["signs.severity"] == 0.5
        return {name: curve * 0.9 for name, curve in curves().items()}

    monkeypatch.setattr(readings_fit, "fit", readings_of)
    monkeypatch.setattr(readings, "response_curves", shifted)
    unseen = refit(calibrated, ("two",), read=True)
    assert seen == ["one", "three"]
    np.testing.assert_allclose(unseen.table.curves, 0.9 * np.asarray(calibrated.table.curves))


def test_draws_are_those_of_the_posterior_and_of_a_new_trial(calibrated):
    found = draws(Refit(calibrated.table, calibrated.fit), 400)
    assert found.drawn.shape == (400 * REPEATS, len(calibrated.table.entries))
    slopes, size = calibrated.fit.slopes, VECTOR.size
    place = calibrated.table.place["two", "guselkumab", "pasi90", 12]
    p = slopes.value[place]
    steep = np.r_[slopes.model[:, place], 0, 0, slopes.drug[place]] / (p * (1 - p))
    variance = steep @ calibrated.fit.covariance[:size, :size] @ steep
    variance += (calibrated.fit.spreads["trial"] * slopes.trial[place] / (p * (1 - p))) ** 2
    seen = logit(found.drawn[:, place])
    assert seen.std() == pytest.approx(np.sqrt(variance), rel=0.25)  # the normal approximation, and 400 draws
    again = draws(Refit(calibrated.table, calibrated.fit), 400)
    assert (again.drawn == found.drawn).all()


def test_arms_of_a_trial_share_its_effect_and_other_trials_have_another(calibrated):
    sure = np.zeros_like(calibrated.fit.covariance)
    bare = replace(calibrated.fit, covariance=sure, groups=(of_trials(calibrated.table)._replace(spread=0.3),))
    found = draws(Refit(calibrated.table, bare), 200)
    place = calibrated.table.place
    one, same, other = (
        logit(found.drawn[:, place[key, arm, "pasi75", 12]])
        for key, arm in (("one", "placebo"), ("one", "adalimumab"), ("two", "placebo"))
    )
    assert np.corrcoef(one, same)[0, 1] > 0.999
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(200)
    relapse = [e.kind for e in calibrated.table.entries].index("relapse")
    assert found.drawn[:, relapse].std() < 1e-4  # of no trial: no effect


@pytest.mark.parametrize("rho", [0.005, 0.1])
def test_counts_vary_as_beta_binomial_and_intervals_cover_them(rho):
    rng = np.random.default_rng(1)
    n, number = 150, 20_000
    shares = counted(np.full(number, 0.6), n, rho, rng)
    size = 1 / rho - 1
    expected = stats.betabinom(n, 0.6 * size, 0.4 * size)
    assert shares.mean() == pytest.approx(0.6, abs=4.5 * expected.std() / n / np.sqrt(number))
    assert shares.std() == pytest.approx(expected.std() / n, rel=0.05)
    assert set(np.round(shares * n, 9) % 1) == {0.0}


def test_intervals_cover_draws_of_their_own_at_their_level():
    rng = np.random.default_rng(2)
    drawn = expit(rng.normal(0.4, 0.5, 4000))
    low, high = np.quantile(counted(drawn, 200, 0.01, rng), [0.05, 0.95])
    p, size = expit(rng.normal(0.4, 0.5, 4000)), 99
    truth = rng.binomial(200, rng.beta(p * size, (1 - p) * size)) / 200
    inside = ((truth >= low) & (truth <= high)).mean()
    assert inside == pytest.approx(0.9, abs=4.5 * np.sqrt(2 * 0.09 / 4000) + 0.01)  # shares are steps of 0.005


def test_predictions_are_a_row_an_arm_and_response(calibrated):
    found = validate.fitted(calibrated)
    rows = found.predictions
    assert len(rows) == sum(len(a.readouts) for t in trials() for a in t.arms) == 24
    assert set(rows.scheme) == {"fitted"}
    row = rows[(rows.trial == "two") & (rows.arm == "guselkumab") & (rows.outcome == "pasi90")].iloc[0]
    place = calibrated.table.place["two", "guselkumab", "pasi90", 12]
    assert row.drug_class == "IL-23 p19"
    assert (row.observed, row.n, row.week, row.title) == (0.6, 200, 12, "TWO")
    assert row.primary
    effectless = calibrated.table.values(calibrated.fit.vector, np.zeros(3))
    assert row.predicted == pytest.approx(effectless[place])
    assert (rows.low < rows.predicted).all()
    assert (rows.predicted < rows.high).all()
    assert set(rows.drug_class) == {"placebo", "TNF", "IL-12/23 p40", "IL-23 p19"}


def test_differences_are_between_active_arms_with_other_drugs(calibrated):
    pairs = validate.fitted(calibrated).differences
    names = ["trial", "arm", "comparator", "outcome"]
    assert pairs[names].to_numpy().tolist() == [
        [*arms, outcome]
        for arms in (("two", "guselkumab", "adalimumab"), ("three", "adalimumab", "ustekinumab"))
        for outcome in ("pasi75", "pasi90")
    ]
    value = calibrated.table.values(calibrated.fit.vector, np.zeros(3))
    one, other = (value[calibrated.table.place["two", a, "pasi75", 12]] for a in ("guselkumab", "adalimumab"))
    first = pairs.iloc[0]
    assert first.observed == pytest.approx(84 - 66)
    assert first.predicted == pytest.approx(100 * (one - other))
    assert first.low < first.predicted < first.high
    assert first.inside == (first.low <= 18 <= first.high)
    assert first.sign_kept == (first.predicted > 0)


def test_one_class_is_left_out_after_the_other(calibrated, monkeypatch):
    calls = []

    def spied(c, left_out, read=False):
        calls.append((tuple(left_out), read))
        return Refit(calibrated.table, calibrated.fit)

    monkeypatch.setattr(validate, "refit", spied)
    found = validate.validate(calibrated, folds=3)
    trialwise, classwise = calls[:3], dict(zip(CLASSES, calls[3:], strict=True))
    assert sorted(key for keys, _ in trialwise for key in keys) == ["one", "three", "two"]
    assert all(read for _, read in trialwise)
    assert classwise["TNF"] == (("one/adalimumab", "two/adalimumab", "three/adalimumab"), False)
    assert classwise["IL-17A"] == ((), False)
    rows = found.predictions
    assert (rows.scheme.value_counts()[["fitted", "trials"]] == 24).all()
    assert set(rows[rows.scheme == "class"].drug) == {"adalimumab", "ustekinumab", "guselkumab"}
    assert set(found.differences.scheme) == {"fitted", "trials"}


def test_a_summary_by_hand():
    def row(predicted, observed, n=100, **other):
        usual = {"scheme": "trials", "drug": "adalimumab", "outcome": "pasi75", "primary": True}
        limits = {"low": predicted - 0.1, "high": predicted + 0.1}
        return usual | limits | {"predicted": predicted, "observed": observed, "n": n} | other

    rows = pd.DataFrame([
        row(0.6, 0.5), row(0.4, 0.6, n=300), row(0.1, 0.1, drug="placebo", outcome="pasi90"),
        row(0.9, 0.1, outcome="pasi50"), row(0.9, 0.1, primary=False), row(0.3, 0.1, scheme="class"),
    ])  # fmt: skip
    pairs = pd.DataFrame({"scheme": ["trials"] * 3, "sign_kept": [True, False, True], "inside": [False, False, True]})
    found = summarise(rows, pairs)
    expected = {
        "arms": 3, "mean absolute error": 10.0, "mean absolute error, weighted by size": (10 + 3 * 20 + 0) / 5,
        "mean absolute error, active arms": 15.0, "bias": -10 / 3, "coverage": 2 / 3, "differences": 3,
        "differences with the other sign": 1, "differences outside": 2,
    }  # fmt: skip
    assert {name: found[f"trials: {name}"] for name in expected} == pytest.approx(expected)
    chance = [100 * np.sqrt(2 / np.pi * p * (1 - p) / n) for p, n in ((0.6, 100), (0.4, 300), (0.1, 100))]
    assert found["trials: mean absolute error that chance alone makes"] == pytest.approx(np.mean(chance))
    assert found["class: mean absolute error"] == pytest.approx(20.0)
    assert "class: differences" not in found
