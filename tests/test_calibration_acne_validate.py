"""The calibration of acne and its validation, on three made-up trials: nothing leaks, intervals and tables by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import logit
from statsmodels.stats.proportion import confint_proportions_2indep

from cutis.calibration.acne import relapse, results, validate
from cutis.calibration.acne.calibrate import LEFT_OUT, SPREADS, calibrate, groups
from cutis.calibration.acne.evidence.arms import arms
from cutis.calibration.acne.evidence.regimens import CONTROLS
from cutis.calibration.acne.likelihood import terms
from cutis.calibration.acne.table import EFFECTS
from cutis.calibration.climb import climb
from cutis.calibration.predict import Figure, Refit, draws
from cutis.calibration.report.frames import COLUMNS, take
from cutis.calibration.scale import Prior, believed
from cutis.core.acne.treatments import PARAMETERS

from .smallacne import OUTCOMES, PRIORS, SIZE, START, VECTOR, calibrated, readouts, table, told, trials

TRUE = START + np.array([0.3, -0.4, 0.4])
EFFECTLESS = np.zeros(len(EFFECTS) * 3)


@pytest.fixture(scope="module")
def found():
    return calibrated()


def changed(found, key, by):
    """The same calibration, its evidence having other results in one trial."""

    def of(one):
        if one.key != key:
            return one
        moved = [tuple(replace(r, value=r.value * by) for r in a.readouts) for a in one.arms]
        return replace(one, arms=tuple(replace(a, readouts=m) for a, m in zip(one.arms, moved, strict=True)))

    return replace(found, trials=tuple(map(of, found.trials)))


def test_parameters_are_found_again():
    of = told(table().values(TRUE, EFFECTLESS), 200_000)
    wide = believed({name: replace(prior, sd=2.0) for name, prior in PRIORS.items()})
    fit = climb(table(), terms(of, table()), wide, groups(table(), of), START)
    sd = np.sqrt(np.diag(fit.covariance))[: VECTOR.size]
    assert np.abs(fit.vector - TRUE).max() < 0.05
    assert (np.abs(fit.vector - TRUE) < 2 * sd).all()
    assert max(fit.spreads.values()) < 0.1


def test_numbers_are_the_estimates_and_the_spreads_that_were_found(found):
    estimates = VECTOR.numbers(found.fit.vector)
    for name in VECTOR.labels:
        assert found.numbers[name] == pytest.approx(float(estimates[name]))
    for name in EFFECTS:
        assert found.numbers[SPREADS[name]] == found.fit.spreads[name]
    others = set(PARAMETERS.numbers()) - set(VECTOR.labels) - set(SPREADS.values()) - set(relapse.ESTIMATED)
    assert all(found.numbers[name] == PARAMETERS.numbers()[name] for name in others)
    assert set(found.fit.variation) == {"counts", "shares", "percent", "comedones", "change", "score"}


def test_a_calibration_starts_from_what_is_believed_not_from_what_is_shipped(found):
    assert {name: float(found.table.fixed[name]) for name in PRIORS} == {n: p.middle for n, p in PRIORS.items()}


def test_an_estimate_that_could_not_be_written_is_refused_before_any_work():
    stray = {"counts.dispersion": Prior(0.05, "log", 0.5, "")}
    with pytest.raises(ValueError, match=r"priors\.yaml: not in calibrated\.yaml of acne: counts\.dispersion"):
        calibrate(trials(), people=SIZE, priors=stray)


def test_a_fit_does_not_see_what_is_left_out(found):
    one, other = (validate.refit(c, ("two",)).fit for c in (found, changed(found, "two", 0.6)))
    assert (one.vector == other.vector).all()
    assert (one.covariance == other.covariance).all()
    assert one.spreads == other.spreads != found.fit.spreads
    assert one.effects.reshape(len(EFFECTS), -1)[:, 1].tolist() == [0] * len(EFFECTS)
    seen = validate.refit(changed(found, "two", 0.6), ("one",)).fit
    assert not np.allclose(seen.vector, validate.refit(found, ("one",)).fit.vector, atol=1e-3)


def test_without_a_class_nothing_but_the_prior_tells_of_it(found):
    unseen = validate.refit(found, ("two/adapalene", "three/adapalene")).fit
    place = VECTOR.labels.index("adapalene.comedolysis")
    assert unseen.vector[place] == pytest.approx(START[place], abs=0.01)
    assert np.sqrt(unseen.covariance[place, place]) == pytest.approx(PRIORS["adapalene.comedolysis"].sd, rel=0.01)


def test_every_figure_is_predicted_in_its_own_unit(found):
    rows = validate.fitted(found).predictions
    assert len(rows) == 7 * len(OUTCOMES)
    assert set(rows.scheme) == {"fitted"}
    value = found.table.values(found.fit.vector, EFFECTLESS)
    for row in rows.itertuples():
        assert row.predicted == pytest.approx(value[found.table.place[row.trial, row.arm, row.outcome, row.week]])
        assert row.low < row.predicted < row.high
        assert (row.outcome == "iga_success") == np.isnan(row.error)
    share, percent = (rows[rows.outcome == name].iloc[1] for name in OUTCOMES[:2])
    assert (share.observed, share.n, share.drug_class) == (0.28, 200, "benzoyl peroxide")
    assert (percent.observed, percent.drug, percent.title) == (-56.0, "benzoyl_peroxide", "ONE")
    assert rows.primary.all()
    assert set(rows[rows.arm == "vehicle"].drug_class) == {"vehicle"}


def test_intervals_hold_chance_misfit_and_what_trials_differ_by(found):
    percent = validate.fitted(found).predictions.query("outcome == 'inflammatory_percent' and arm == 'vehicle'").iloc[0]
    known = draws(Refit(found.table, found.fit))
    drawn = known.drawn[:, found.table.place["one", "vehicle", "inflammatory_percent", 12]]
    sd = np.sqrt(drawn.var() + percent.error**2 + found.fit.variation["percent"] ** 2)
    assert percent.high - percent.low == pytest.approx(2 * 1.645 * sd, rel=0.35)  # 100 draws
    assert drawn.std() > 0


def test_differences_are_active_minus_control_and_between_actives(found):
    rows = validate.fitted(found).differences
    names = ["trial", "arm", "comparator", "against"]
    assert {tuple(row) for row in rows[names].to_numpy()} == {
        ("one", "benzoyl_peroxide", "vehicle", "control"),
        ("two", "adapalene", "vehicle", "control"),
        ("three", "benzoyl_peroxide", "vehicle", "control"),
        ("three", "adapalene", "vehicle", "control"),
        ("three", "benzoyl_peroxide", "adapalene", "active"),
    }
    assert len(rows) == 5 * len(OUTCOMES)
    share = rows[(rows.trial == "one") & (rows.outcome == "iga_success")].iloc[0]
    assert share.observed == pytest.approx(12.0)
    low, high = confint_proportions_2indep(56, 200, 32, 200, method="newcomb", compare="diff")
    assert (share.observed_low, share.observed_high) == pytest.approx((100 * low, 100 * high))
    percent = rows[(rows.trial == "one") & (rows.outcome == "inflammatory_percent")].iloc[0]
    assert percent.observed == -16.0
    error = validate.fitted(found).predictions.query("outcome == 'inflammatory_percent'").error.iloc[0]
    assert percent.observed_high - percent.observed == pytest.approx(1.96 * np.sqrt(2) * error)
    for row in rows.itertuples():
        assert row.inside == (row.low <= row.observed <= row.high)


def test_arms_with_the_same_treatment_are_not_compared():
    one = Figure("t", "T", "a", "tretinoin", "retinoid", "iga01", 12, True, 100, 0.3, "measured", 0, "counts")
    assert not list(validate.pairs([one, one._replace(arm="b")]))
    assert len(list(validate.pairs([one, one._replace(arm="b", drug="adapalene")]))) == 1
    assert not list(validate.pairs([one._replace(primary=False), one._replace(arm="b", drug="adapalene")]))


def test_each_scheme_leaves_out_what_it_says(found, monkeypatch):
    calls = []

    def spied(of, left_out):
        calls.append(set(left_out))
        return Refit(of.table, of.fit)

    monkeypatch.setattr(validate, "refit", spied)
    said = []
    got = validate.validate(found, 10, said.append)
    assert sorted(map(sorted, calls[:3])) == [["one"], ["three"], ["two"]]  # no more folds than trials
    assert calls[3:] == [{"one/benzoyl_peroxide", "three/benzoyl_peroxide"}, {"two/adapalene", "three/adapalene"}]
    assert [text.split(":")[0] for text in said[:3]] == [f"fold {i} of 3" for i in (1, 2, 3)]
    rows = got.predictions
    assert rows.scheme.value_counts().to_dict() == {"fitted": 21, "trials": 21, "class": 12}
    assert set(rows[rows.scheme == "class"].arm) == {"benzoyl_peroxide", "adapalene"}
    assert got.differences.scheme.value_counts().to_dict() == {"fitted": 15, "trials": 15}
    assert set(take(got)) == set(COLUMNS)


def test_what_is_held_back_are_combinations_and_named_trials():
    of = arms()
    held = validate.held_back(of)
    known = {t.key: t for t in of}
    combined = {key for key in held if "/" in key}
    for key in combined:
        trial, arm = key.split("/")
        assert len(set(known[trial].arm(arm).treatments) - set(CONTROLS)) > 1
    assert combined
    assert {key.split("@")[0] for key in held - combined} <= set(known)
    assert {key.split("@")[0] for key in validate.HELD} & set(known)


def test_classes_have_treatments_that_are_studied_and_no_controls():
    found = validate.classes(arms())
    assert "retinoid" in found
    assert not {name for names in found.values() for name in names} & set(CONTROLS)
    assert all(found.values())


def test_trials_that_no_fit_sees_are_there_and_say_why():
    known = {t.key for t in arms()}
    assert set(LEFT_OUT) <= known
    assert all(LEFT_OUT.values())


def test_a_trial_left_out_of_every_fit_is_predicted_but_not_judged(found, monkeypatch):
    monkeypatch.setitem(LEFT_OUT, "two", "because")
    rows = validate.fitted(found).predictions
    assert not rows[rows.trial == "two"].primary.any()
    assert rows[rows.trial == "one"].primary.all()


def test_the_error_of_a_draw_is_that_of_the_effects_of_a_new_trial(found):
    sure = np.zeros_like(found.fit.covariance)
    only = tuple(g._replace(spread=0.4 if g.name == "vehicle" else 0.0) for g in found.fit.groups)
    got = draws(Refit(found.table, replace(found.fit, covariance=sure, groups=only)), 400)
    place = found.table.place
    one, same, other = (
        logit(got.drawn[:, place[key, arm, "iga_success", 12]])
        for key, arm in (("one", "vehicle"), ("one", "benzoyl_peroxide"), ("two", "vehicle"))
    )
    assert np.corrcoef(one, same)[0, 1] > 0.99
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(400)


AFTER = relapse.Estimate({"model.follicle_loss": 0.02}, {"model.follicle_loss": 0.3}, 0.22, 0.996, True)


def test_a_calibration_hands_over_tables_and_files(found, monkeypatch):
    monkeypatch.setattr(results, "calibrate", lambda people, say: found)
    row = dict.fromkeys(COLUMNS["checks"], 1.0) | {"check": "one", "answered": True}
    monkeypatch.setattr(results.relapse, "estimate", lambda numbers, people, say: AFTER)
    monkeypatch.setattr(results, "checks", lambda numbers, people, say: pd.DataFrame([row, row | {"answered": False}]))
    said = []
    got = results.calibration(SIZE, said.append)
    assert set(got.files) == {"calibrated.yaml", "uncertainty.csv"}
    written = yaml.safe_load(got.files["calibrated.yaml"])["model"]["follicle_loss"]
    assert (written["value"], written["status"]) == (0.02, "calibrated")
    assert "22 % relapse" in written["note"]
    assert len(got.checks) == 1
    assert said
    frames = take(got)
    for name in ("predictions", "differences", "parameters", "checks", "assumed"):
        assert len(frames[name])
    assert set(frames["parameters"].name) == set(PRIORS)
    later = results.validation(got, 3, said.append)
    assert set(take(later)["predictions"].scheme) == {"fitted", "trials", "class"}
    pd.testing.assert_frame_equal(take(later)["parameters"], frames["parameters"])


def test_readouts_of_weeks_that_are_not_primary_are_not_judged(found):
    one = found.trials[0]
    late = replace(one, arms=tuple(replace(a, readouts=readouts((20.0,), week=12)) for a in one.arms), week=8)
    rows = [f.primary for f in validate.figures((late,), found.table)]
    assert rows == [False, False]
