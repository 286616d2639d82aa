"""What a validation comes to: scores and criteria against numbers by hand, and a report that hides no failure."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from statsmodels.stats.proportion import proportion_confint

from cutis.calibration.psoriasis.criteria import limits
from cutis.calibration.psoriasis.results import of_phototherapy
from cutis.calibration.psoriasis.told import TOLD
from cutis.calibration.report import summary as summaries
from cutis.calibration.report.frames import COLUMNS, take
from cutis.calibration.report.summary import summary, wilson, within
from cutis.trials.report.validation import build, tables

from .calibrated import found
from .page import Page

FORBIDDEN = re.compile(r"<script|<link|<iframe|<img|@import|url\((?!#)|javascript:|\son\w+=|https?:", re.IGNORECASE)
HOSTILE = "<script>alert('x')</script> & $x^2$"
SETTINGS = {"folds over trials": "10", "note": HOSTILE}


def measured(result, key):
    """One criterion of a result."""
    return {c.key: c for c in summary(take(result), TOLD).criteria}[key]


@pytest.fixture(scope="module")
def result() -> SimpleNamespace:
    return found()


@pytest.fixture(scope="module")
def html(result) -> str:
    frames = take(result)
    return build.validation("psoriasis", frames, summary(frames, TOLD), TOLD, SETTINGS)


def test_the_error_and_coverage_are_those_of_unseen_trials_at_their_primary_time(result):
    rates = result.predictions
    judged = rates[(rates.scheme == "trials") & rates.primary & rates.outcome.isin(["pasi75", "pasi90"])]
    gap = 100 * (judged.predicted - judged.observed)
    caught = (judged.observed >= judged.low) & (judged.observed <= judged.high)
    assert measured(result, "error").value == pytest.approx(gap.abs().mean())
    assert measured(result, "coverage").value == pytest.approx(caught.mean())
    score = next(
        s for s in summary(take(result), TOLD).scores if (s.scheme, s.group) == ("trials", "PASI 75 and PASI 90")
    )
    assert (score.rates, score.bias) == (len(judged), pytest.approx(gap.mean()))
    assert (score.coverage_low, score.coverage_high) == pytest.approx(
        proportion_confint(caught.sum(), len(judged), method="wilson")
    )


def test_the_error_of_chance_is_that_of_binomial_counts():
    rates = pd.DataFrame({
        "scheme": "trials", "trial": "t", "arm": "a", "drug_class": "p19", "outcome": "pasi75", "primary": True,
        "status": "measured", "n": [400] * 4, "observed": 0.3, "predicted": 0.3, "low": 0.2, "high": 0.4,
        "error": np.nan,
    })  # fmt: skip
    score = next(iter(summaries.scores(rates, TOLD)))
    drawn = np.random.default_rng(1).binomial(400, 0.3, 200_000) / 400
    assert score.error == 0
    assert score.chance == pytest.approx(100 * np.abs(drawn - 0.3).mean(), rel=0.01)


def test_other_time_points_do_not_count(result):
    later = result.predictions.assign(primary=False, predicted=0.0)
    changed = SimpleNamespace(**vars(result) | {"predictions": pd.concat([result.predictions, later])})
    assert measured(changed, "error").value == pytest.approx(measured(result, "error").value)


@pytest.mark.parametrize(("shift", "met"), [(0.049, True), (0.051, False)])
def test_five_points_are_the_limit_of_the_error(result, shift, met):
    seen = result.predictions.observed
    rates = result.predictions.assign(predicted=np.where(seen > 0.5, seen - shift, seen + shift))
    assert measured(SimpleNamespace(predictions=rates), "error").met is met


def test_intervals_that_are_too_wide_are_a_miss(result):
    rates = result.predictions.assign(low=0.0, high=1.0)
    coverage = measured(SimpleNamespace(predictions=rates), "coverage")
    assert coverage.value == 1
    assert not coverage.met


@pytest.mark.parametrize(("wrong", "met"), [(0, True), (1, True), (2, False)])
def test_one_difference_may_be_missed(result, wrong, met):
    unseen = result.differences[result.differences.scheme == "trials"].reset_index(drop=True)
    signs = unseen.assign(inside=True, sign_kept=[i >= wrong for i in range(len(unseen))])
    got = measured(SimpleNamespace(differences=signs), "differences")
    assert (got.value, got.met) == (wrong, met)


def test_differences_are_held_to_the_interval_that_true_ones_leave_once_in_as_many(result):
    unseen = result.differences[result.differences.scheme == "trials"].reset_index(drop=True)
    number = len(unseen)
    tails = unseen.assign(inside=False, sign_kept=True, tail=[0.9 / number] * 2 + [1.1 / number] * (number - 2))
    assert measured(SimpleNamespace(differences=tails), "differences_few").value == 2
    assert measured(SimpleNamespace(differences=tails), "differences_inside").value == 0
    most = unseen.assign(inside=[i >= number // 10 for i in range(number)])
    assert measured(SimpleNamespace(differences=most), "differences_inside").met


def test_the_median_under_light_is_judged_in_patients_left_out(result):
    weeks = result.phototherapy
    found_ = measured(SimpleNamespace(phototherapy=weeks), "phototherapy")
    checked = weeks[weeks.week.isin([2, 4, 6, 8])]
    assert found_.value == pytest.approx((checked.unseen - checked.observed).abs().max())
    bad = weeks.assign(unseen=weeks.unseen + 0.08)
    assert not measured(SimpleNamespace(phototherapy=bad), "phototherapy").met
    assert np.isnan(measured(SimpleNamespace(phototherapy=weeks[weeks.week < 8]), "phototherapy").value)


def test_relapse_after_light_must_lie_within_the_limits_of_what_was_observed(result):
    got = measured(result, "phototherapy_relapse")
    assert (got.low, got.high) == pytest.approx(proportion_confint(45, 60, method="wilson"))
    assert got.met
    bad = result.phototherapy_relapse.assign(predicted=0.4)
    assert not measured(SimpleNamespace(phototherapy_relapse=bad), "phototherapy_relapse").met


def test_the_order_of_onset_is_one_of_classes(result):
    ranks = result.onset.assign(rank_predicted=[7, 6, 3, 1, 5, 4, 2])
    means = ranks.groupby("drug_class")[["rank_published", "rank_predicted"]].mean()
    got = measured(SimpleNamespace(onset=ranks), "onset")
    assert got.value == pytest.approx(spearmanr(means.rank_published, means.rank_predicted).statistic)
    assert not got.met


def test_odds_ratios_are_compared_as_published(result):
    weight = SimpleNamespace(low=0.99, high=0.99, predicted=0.9871)
    assert within(weight) is True
    assert within(SimpleNamespace(low=0.99, high=0.99, predicted=0.98)) is False
    assert within(SimpleNamespace(low=np.nan, high=None, predicted=0.5)) is None
    assert measured(result, "effects").value == 0  # the effect of smoking is off, but is no criterion
    wrong = result.effects.assign(predicted=[0.97, 0.9, 0.9, 0.9])
    assert measured(SimpleNamespace(effects=wrong), "effects").value == 2


def test_relapses_that_were_fitted_do_not_count(result):
    assert measured(result, "relapse").value == pytest.approx(100 * (0.06 + 0.30) / 2)


def test_what_was_not_measured_is_missed():
    got = summary(take(SimpleNamespace()), TOLD)
    assert len(got.missed) == len(got.criteria) == 10
    numbers = got.numbers()
    assert {c["value"] for c in numbers["criteria"]} == {None}


def test_wilson_limits_are_those_of_statsmodels():
    assert wilson(3, 17, 0.9) == pytest.approx(proportion_confint(3, 17, alpha=0.1, method="wilson"))


def test_a_table_without_a_column_is_refused(result):
    with pytest.raises(ValueError, match="courses: lacks published"):
        take(SimpleNamespace(courses=result.courses.drop(columns="published")))
    with pytest.raises(ValueError, match="predictions: no scheme 'trial'; there are fitted, trials, class, held"):
        take(SimpleNamespace(predictions=result.predictions.replace({"scheme": {"trials": "trial"}})))


def test_phototherapy_comes_as_tables():
    week = SimpleNamespace(week=2, observed=(0.4, 0.6, 0.8), predicted=(0.5, 0.7, 0.9), unseen=(0.3, 0.6, 0.9))
    relapse = SimpleNamespace(patients=50, month=6.0, observed=0.7, predicted=0.6)
    other = SimpleNamespace(trial="t", arm="a", outcome="pasi75", week=12, n=40, observed=55.0, predicted=60.0)
    check = SimpleNamespace(weeks=(week,), relapse=relapse, relapse_if_fitted=relapse, unseen=(other,))
    frames = of_phototherapy(check)
    assert {name: tuple(frame) for name, frame in frames.items()} == {name: COLUMNS[name] for name in frames}
    assert frames["phototherapy"].unseen_low[0] == 0.3
    assert frames["phototherapy_trials"].observed[0] == 0.55
    assert len(frames["phototherapy_relapse"]) == 2


def test_the_same_tables_give_the_same_bytes(result, html):
    frames = take(result)
    assert build.validation("psoriasis", frames, summary(frames, TOLD), TOLD, SETTINGS) == html


def test_nothing_is_loaded_and_no_script_runs(html):
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not FORBIDDEN.search(html)
    assert HOSTILE in Page(html).text
    assert "\\u" not in html


def test_every_id_is_single_and_every_link_leads_somewhere(html):
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)


def test_the_first_screen_tells_failures_first(result, html):
    text = Page(html).text
    assert "1 criterion of 10 was missed." in text
    assert text.index("✗ missed") < text.index("✓ met")
    assert text.count("✗ missed") == 1
    assert "at most 5.0 points, better 4.0 points" in text
    verdicts = tables.verdicts(summary(take(result), TOLD))
    assert [met for met, *_ in verdicts] == sorted(met for met, *_ in verdicts)


def test_every_unseen_rate_stands_in_the_report(result, html):
    rows = Page(html).rows
    rates = result.predictions[(result.predictions.scheme == "trials") & result.predictions.primary]
    shown = {tuple(row[:3]) for row in rows if len(row) == len(tables.rate_head(TOLD))}
    for rate in rates.itertuples():
        assert (f"{rate.title}: {rate.arm.replace('_', ' ')}", f"PASI {rate.outcome[4:]}", str(rate.week)) in shown


def test_seen_and_unseen_rates_never_share_a_panel(html):
    panels = re.findall(r'<title id="agreement-(\w+)(?:-\d+)?-title">', html)
    assert set(panels) == {"fitted", "trials", "class"}
    names = re.findall(r'<title id="(relapse|effects)-(\w+)-title">', html)
    assert set(names) == {(part, seen) for part in ("relapse", "effects") for seen in ("unseen", "fitted")}


def test_parameters_that_the_evidence_hardly_tells_of_are_marked(html):
    assert re.search(r"<code>model.loose</code>.*?<span class=\"few\">97", html, re.DOTALL)
    assert not re.search(r"<code>model.plaque_rate</code>(?:(?!</tr>).)*class=\"few\"", html, re.DOTALL)


def test_assumed_parameters_are_listed_by_what_they_do(html):
    rows = {row[0]: row for row in Page(html).rows if row and len(row) == 5}
    assert rows["model.drive_rate"][3] == "1"
    assert rows["model.loose"][3] == "2"


def test_what_is_missing_is_said(result):
    frames = take(SimpleNamespace())
    text = Page(build.validation("psoriasis", frames, summary(frames, TOLD), TOLD, {})).text
    assert "10 criteria of 10 were missed." in text
    assert text.count("was not measured here") == 11
    assert "not measured" in text


def test_the_report_of_a_fit_shows_no_unseen_trial(result):
    frames = take(result)
    html = build.calibration("psoriasis", frames, summary(frames, TOLD), TOLD, {})
    text = Page(html).text
    assert "Everything here was seen by the fit" in text
    assert "agreement-trials" not in html
    assert (
        "criterion" not in Page(re.sub(r"<section id=.(relapse|effects).*?</section>", "", html, flags=re.DOTALL)).text
    )
    assert limits()["error.most"].source == "goal2026"
