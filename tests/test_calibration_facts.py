"""What a calibration says of courses, relapse, covariates and onset, against the same numbers by another route."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logit

from cutis.calibration.climb import Fit, Group
from cutis.calibration.predict import Draws
from cutis.calibration.psoriasis import facts
from cutis.calibration.psoriasis.calibrate import FITTED_RELAPSES, Calibrated, Evidence
from cutis.calibration.psoriasis.cohort import participants
from cutis.calibration.psoriasis.evidence.arms import Baseline, Trial
from cutis.calibration.psoriasis.evidence.regimens import read_course
from cutis.calibration.psoriasis.evidence.targets import Relapse, Subgroup, TimeCourse, effects, rates, subgroups
from cutis.calibration.psoriasis.readings import GRID
from cutis.calibration.psoriasis.simulate import Scenario, activity, gather
from cutis.calibration.psoriasis.table import Slopes, build
from cutis.calibration.psoriasis.typical import TYPICAL, alone
from cutis.calibration.report.frames import COLUMNS, take
from cutis.calibration.scale import Believed, Prior
from cutis.core.psoriasis.treatments import PARAMETERS

from .smalltrials import DRUGS, NUMBERS, SIZE, VECTOR, arm, courses, curves, theta, trial

PILL = (read_course({"treatment": "apremilast", "dose": "30 mg", "times_a_day": 2, "weeks": [0], "until": 24}, "pill"),)
PERCENTS = {
    "adalimumab": (30.0, 75.0),
    "ustekinumab": (20.0, 80.0),
    "guselkumab": (24.0, 80.0),
    "apremilast": (9.0, 30.0),
}
RANKS = {"adalimumab": 1, "guselkumab": 2.5, "apremilast": 2.5, "ustekinumab": 4}  # of 0.4, 0.25, 0.3, 0.3


def course(key: str, drug: str) -> TimeCourse:
    early, late = PERCENTS[drug]
    percents = {"pasi75": {4: early, 16: late}, "pasi90": {16: late / 2}}
    return TimeCourse(key, "measured", "", "", PILL if drug == "apremilast" else courses(drug), percents)


def relapse(key: str, drug: str, stopped: int, among: str, loss: str, median: float | None, kept: dict) -> Relapse:
    given = (read_course({"treatment": "nb_uvb", "dose": "1 J/cm2", "times_a_week": 3, "weeks": [0], "until": 8}, key),)
    given = given if drug == "nb_uvb" else courses(drug)
    return Relapse(key, "assumed", "", "", drug, given, stopped, stopped, among, loss, median, None, kept, None)


COURSES = (
    *(course(f"{drug} as usual", drug) for drug in ("ustekinumab", "adalimumab", "apremilast", "guselkumab")),
    course("adalimumab again", "adalimumab"),
)
RELAPSES = (
    relapse("guselkumab", "guselkumab", 10, "pasi90", "pasi90", 70.0, {14: 80.0}),
    relapse("of_all", "adalimumab", 12, "all", "half_improvement", None, {20: 30.0}),
    relapse("light", "nb_uvb", 8, "all", "pasi50", None, {20: 30.0}),
)
TRIAL = trial("two", arm("placebo"), arm("adalimumab", baseline=Baseline(weight=85.0)))
HEAVY = Subgroup(
    "heavy",
    "measured",
    "",
    "",
    "two",
    "adalimumab",
    12,
    "weight",
    100.0,
    80,
    {"pasi75": 50.0, "pasi90": 20.0, "iga01": 40.0},
)
FOUND = {
    "sensitivity.weight": 1.5,
    "sensitivity.prior_biologic": 0.9,
    "sensitivity.female": -0.6,
    "sensitivity.age": 0.05,
}


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def calibrated() -> Calibrated:
    """No fit: an estimate beside the start, an error of everything, and a share of its own in every place."""
    with jax.numpy_dtype_promotion("standard"):
        table = build((TRIAL,), COURSES, RELAPSES, VECTOR, theta(), curves(), SIZE)
    size, places = VECTOR.size, len(table.entries)
    vector = VECTOR.vector(NUMBERS) + np.linspace(-0.2, 0.2, size)
    root = np.random.default_rng(1).normal(size=(size + 1, 2 * size))
    prior = Believed(VECTOR.vector(NUMBERS)[:3], np.array([0.5, 1.0, 2.0]), np.array([1.0, -1.0, 0.0]), 1.2, 0.8)
    value = np.random.default_rng(2).permutation(np.linspace(0.1, 0.9, places))
    slopes = Slopes(value, np.zeros((3, places)), np.zeros(places), np.zeros(places))
    groups, variation = (Group("trial", 1, 0.2),), {"counts": 0.01}
    fit = Fit(vector, np.zeros(1), 0.01 * root @ root.T, groups, variation, prior, 0.0, 1, slopes)
    numbers = NUMBERS | {name: float(x) for name, x in VECTOR.numbers(vector).items()} | FOUND
    priors = {name: Prior(NUMBERS[name], "log", 0.5, f"why {name}") for name in VECTOR.names}
    return Calibrated(Evidence((TRIAL,), COURSES, RELAPSES), numbers, priors, None, table, fit, 1.0)


@pytest.fixture(scope="module")
def covariates(calibrated) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(facts, "subgroups", lambda: (HEAVY,))
        return facts.covariate_effects(calibrated)


def places(calibrated, **wanted):
    """Where the table has such entries."""
    entries = calibrated.table.entries
    return [i for i, e in enumerate(entries) if all(getattr(e, name) == x for name, x in wanted.items())]


def test_limits_are_of_the_scale_on_which_a_parameter_is_estimated(calibrated):
    rows = facts.parameters(calibrated).set_index("name")
    assert list(rows.index) == list(VECTOR.labels)
    sd = np.sqrt(np.diag(calibrated.fit.covariance))
    for name, at, error in zip(VECTOR.labels, calibrated.fit.vector, sd, strict=False):
        row, estimate = rows.loc[name], calibrated.numbers[name]
        assert row.estimate == pytest.approx(estimate)
        limits = [at - 1.96 * error, at + 1.96 * error]
        if name == "placebo.improving":
            assert row.scale == "logit"
            assert [logit(row.low), logit(row.high)] == pytest.approx(limits)
            assert 0 < row.low < estimate < row.high < 1
        else:
            assert row.scale == "log"
            assert [np.log(row.low), np.log(row.high)] == pytest.approx(limits)
            assert row.low * row.high == pytest.approx(estimate**2)
        assert row.posterior_sd == pytest.approx(error)


def test_contraction_is_what_the_trials_leave_of_the_error_before(calibrated):
    rows = facts.parameters(calibrated)
    sd = np.sqrt(np.diag(calibrated.fit.covariance))[: VECTOR.size]
    before = [0.5, 1.0, 2.0, 0.8, 0.8, 0.8]
    np.testing.assert_allclose(rows.prior_sd, before)
    np.testing.assert_allclose(rows.contraction, sd / before)
    middles = [NUMBERS[name] for name in VECTOR.names] + [np.exp(x - 1.2) for x in (1.0, -1.0, 0.0)]
    np.testing.assert_allclose(rows.prior_middle, middles)


def test_parameters_tell_what_they_are_and_why_they_were_believed(calibrated):
    rows = facts.parameters(calibrated).set_index("name")
    potency, spread = PARAMETERS["guselkumab.half_maximal"], rows.loc["sensitivity.potency:sd"]
    assert tuple(rows.loc["guselkumab.half_maximal", ["about", "unit"]]) == (potency.about, potency.unit)
    assert "factor that varies over drugs" in rows.loc["guselkumab.half_maximal", "why"]
    assert spread.about == "spread between people: " + PARAMETERS["sensitivity.potency"].about
    assert spread.unit == ""
    assert spread.why == "why sensitivity.potency:sd"


def test_courses_are_read_at_their_own_places(calibrated):
    rows = facts.courses(calibrated)
    assert len(rows) == len(COURSES) * 3 == len(places(calibrated, kind="course"))
    for row in rows.itertuples():
        (place,) = places(calibrated, kind="course", key=row.course, outcome=row.outcome, week=row.week)
        assert row.predicted == calibrated.fit.slopes.value[place]
    row = rows[(rows.course == "guselkumab as usual") & (rows.week == 16) & (rows.outcome == "pasi90")].iloc[0]
    assert (row.drug, row.published) == ("guselkumab", 0.4)


def test_relapses_are_shares_with_intervals_of_the_draws(calibrated, monkeypatch):
    value = calibrated.fit.slopes.value
    drawn = value + np.linspace(-0.05, 0.05, 101)[:, None]
    seen = []

    def known(of):
        seen.append(of)
        return Draws(value, drawn, {"counts": 0.01})

    monkeypatch.setattr(facts, "draws", known)
    rows = facts.relapses(calibrated)
    assert (seen[0].table, seen[0].fit) == (calibrated.table, calibrated.fit)
    told = rows[["key", "drug", "week", "weeks_after", "among", "outcome", "published", "fitted"]]
    assert told.to_numpy().tolist() == [
        ["guselkumab", "guselkumab", 14, 4, "pasi90", "pasi90", 0.8, True],
        ["guselkumab", "guselkumab", 20, 10, "pasi90", "pasi90", 0.5, True],  # half of them after the median time
        ["of_all", "adalimumab", 20, 8, "all", "pasi50", 0.3, False],  # half of the improvement is read as PASI 50
    ]
    assert "guselkumab" in FITTED_RELAPSES
    for row in rows.itertuples():
        (place,) = places(calibrated, kind="relapse", key=row.key, week=row.week)
        assert row.predicted == value[place]
        assert (row.low, row.high) == pytest.approx((value[place] - 0.045, value[place] + 0.045))
        assert row.status == "assumed"


def test_intervals_of_relapse_hold_the_prediction(calibrated):
    rows = facts.relapses(calibrated)
    effectless = calibrated.table.values(calibrated.fit.vector, np.zeros(1))
    for row in rows.itertuples():
        (place,) = places(calibrated, kind="relapse", key=row.key, week=row.week)
        assert row.predicted == pytest.approx(effectless[place])
        assert row.low < row.predicted < row.high


def test_onset_is_the_share_of_the_late_response_that_is_reached_early(calibrated):
    rows = facts.onset(calibrated).set_index("drug")
    assert len(rows) == len(PERCENTS)  # of two courses of a drug, the first
    for drug, (early, late) in PERCENTS.items():
        at_4, at_16 = (
            calibrated.fit.slopes.value[
                places(calibrated, kind="course", key=f"{drug} as usual", outcome="pasi75", week=week)[0]
            ]
            for week in (4, 16)
        )
        assert rows.loc[drug, "published"] == pytest.approx(early / late)
        assert rows.loc[drug, "predicted"] == pytest.approx(at_4 / at_16)
        assert rows.loc[drug, "rate_published"] == rates()[drug]
    assert rows.rank_published.to_dict() == RANKS
    np.testing.assert_array_equal(rows.rank_predicted, stats.rankdata(-rows.predicted))
    assert rows.rank_published.is_monotonic_increasing
    assert rows.drug_class.to_dict() == {
        "adalimumab": "TNF", "guselkumab": "IL-23 p19", "apremilast": "PDE4", "ustekinumab": "IL-12/23 p40",
    }  # fmt: skip


def test_onset_is_told_of_drugs_with_a_published_rate_alone(calibrated, monkeypatch):
    monkeypatch.setattr(facts, "rates", lambda: {"guselkumab": 0.2, "adalimumab": 0.4, "infliximab": 0.6})
    rows = facts.onset(calibrated)
    assert rows.drug.tolist() == ["adalimumab", "guselkumab"]
    assert rows.rank_published.tolist() == [1, 2]


def share(calibrated, scenario: Scenario, weeks: int, week: int, outcome: str) -> float:
    """A response rate from the course of plaque activity, without a table."""
    numbers = theta(calibrated.numbers)
    arms = gather([scenario], weeks, SIZE, numbers)
    seen = np.asarray(activity(arms, weeks, numbers, np.zeros(1)))[week - 2, 0]
    left = np.exp(-calibrated.numbers["trial.attrition"] * week)
    return left * np.interp(seen, GRID, curves()[outcome]).mean()


CONTRASTS = {
    "prior_biologic_trials": ({"prior_biologic": 0.0}, {"prior_biologic": 1.0}, 1),
    "weight_badbir": ({"weight": 90.0}, {"weight": 100.0}, 10),
    "age": ({"age": 45.0}, {"age": 55.0}, 10),
    "female": ({"male": 1.0}, {"male": 0.0}, 1),
}


@pytest.mark.parametrize("key", CONTRASTS)
def test_odds_ratios_are_those_of_people_who_differ_in_one_attribute(calibrated, covariates, key):
    (effect,) = (e for e in effects() if e.key == key)
    row = covariates[(covariates.covariate == effect.covariate) & (covariates.contrast == effect.contrast)].iloc[0]
    one, other, by = CONTRASTS[key]

    def odds(told: dict[str, float]) -> np.ndarray:
        people = replace(TYPICAL, **told)
        biologics = [c for c in COURSES if c.courses[0].treatment in DRUGS]
        return logit([share(calibrated, alone(c.key, c.courses, SIZE, people), 24, 16, "pasi90") for c in biologics])

    assert row.predicted == pytest.approx(np.exp((odds(other) - odds(one)).mean() / by), rel=1e-6)
    assert (row.published, row.outcome) == (effect.odds_ratio, "pasi90")
    assert row.fitted
    if effect.low is None:
        assert np.isnan(row.low)
    else:
        assert (row.low, row.high) == (effect.low, effect.high)


def test_the_signs_of_covariates_are_those_of_what_they_do_to_potency(covariates):
    ratio = covariates.set_index("covariate").predicted
    assert max(ratio["prior_biologic"], ratio["weight"], ratio["age"]) < 1 < ratio["male"]  # FOUND: women's is lower


def test_heavy_people_of_a_trial_are_its_arm_with_more_weight(calibrated, covariates):
    rows = covariates[~covariates.fitted.astype(bool)].set_index("outcome")
    assert list(rows.index) == ["pasi75", "pasi90"]  # no prediction, as the trial tells no IGA
    assert set(rows.covariate) == {"weight above 100 kg, adalimumab (TWO)"}
    assert rows.published.tolist() == [0.5, 0.2]
    assert rows.low.isna().all()

    def of(weight: float) -> list[float]:
        own = arm("adalimumab", baseline=Baseline(weight=weight))
        only = Trial(**vars(TRIAL) | {"arms": (own,)})
        people = Scenario(only, own, participants(only, own, SIZE))
        return [share(calibrated, people, 12, 12, outcome) for outcome in rows.index]

    assert rows.predicted.tolist() == pytest.approx(of(facts.HEAVY), rel=1e-6)
    assert (rows.predicted < of(85.0)).all()


def test_the_evidence_has_what_is_told_of_covariates():
    told = {e.key: e for e in effects()}
    assert all(told[key].odds_ratio and told[key].outcome == "pasi90" for key in CONTRASTS)
    assert all(group.covariate == "weight" and group.above < facts.HEAVY for group in subgroups())


def test_the_frames_are_those_of_the_report(calibrated, covariates, monkeypatch):
    value = calibrated.fit.slopes.value
    monkeypatch.setattr(facts, "draws", lambda of: Draws(value, value[None], {"counts": 0.01}))
    made = {
        "parameters": facts.parameters(calibrated), "courses": facts.courses(calibrated),
        "relapses": facts.relapses(calibrated), "onset": facts.onset(calibrated), "effects": covariates,
    }  # fmt: skip
    taken = take(type("Found", (), made))
    for name, frame in made.items():
        assert len(frame) > 0
        pd.testing.assert_frame_equal(taken[name], frame)
        numeric = [c for c in COLUMNS[name] if c in ("published", "predicted", "low", "high", "estimate", "week")]
        assert all(pd.api.types.is_numeric_dtype(frame[column]) for column in numeric), name
