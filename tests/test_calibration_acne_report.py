"""What a validation of acne comes to: criteria by hand, units of each outcome, a report without a word of psoriasis."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from cutis.calibration.acne.evidence.arms import OUTCOMES, arms
from cutis.calibration.acne.evidence.regimens import drug_class
from cutis.calibration.acne.readings import GRADED
from cutis.calibration.acne.told import TOLD, limits
from cutis.calibration.report.frames import take
from cutis.calibration.report.summary import score, summary
from cutis.trials.report.validation import build, tables

from .calibratedacne import found
from .page import Page
from .test_calibration_report import FORBIDDEN

PSORIASIS = re.compile(r"PASI|psoria|plaque|NB-UVB|biologic|placebo arms", re.IGNORECASE)
JUDGED = {"success": GRADED, "inflammatory": ("inflammatory_percent",), "noninflammatory": ("noninflammatory_percent",)}


@pytest.fixture(scope="module")
def result():
    return found()


@pytest.fixture(scope="module")
def html(result):
    frames = take(result)
    return build.validation("acne", frames, summary(frames, TOLD), TOLD, {"folds over trials": "10"})


def measured(result, key):
    return {c.key: c for c in summary(take(result), TOLD).criteria}[key]


def unseen(result, outcomes):
    rows = result.predictions
    return rows[(rows.scheme == "trials") & rows.primary & rows.outcome.isin(outcomes)]


@pytest.mark.parametrize(("name", "outcomes"), JUDGED.items())
def test_errors_are_in_percentage_points_of_people_and_of_lesions(result, name, outcomes):
    rows = unseen(result, outcomes)
    gap = (rows.predicted - rows.observed).abs().mean() * (100 if name == "success" else 1)
    got = measured(result, f"error_{name}")
    assert len(rows) > 10
    assert got.value == pytest.approx(gap)
    assert got.high == {"success": 6, "inflammatory": 7, "noninflammatory": 7}[name]
    assert got.met == (gap <= got.high)
    assert got.set_by == "goal2026"


def test_coverage_is_of_all_that_is_judged(result):
    rows = unseen(result, TOLD.judged)
    got = measured(result, "coverage")
    assert got.value == pytest.approx(((rows.low <= rows.observed) & (rows.observed <= rows.high)).mean())
    assert (got.low, got.high) == (0.85, 0.95)
    everything = result.predictions.assign(low=-1000.0, high=1000.0)
    assert not measured(SimpleNamespace(predictions=everything), "coverage").met


@pytest.mark.parametrize(("off", "met"), [(5.9, True), (6.1, False)])
def test_six_points_are_the_limit_of_success_and_seven_of_lesions(result, off, met):
    rows = result.predictions
    share = [TOLD.outcomes[name].factor == 100 for name in rows.outcome]
    inwards = np.where(rows.observed > 0.5, -1, 1)
    moved = rows.assign(predicted=rows.observed + inwards * np.where(share, off / 100, off + 1))
    got = summary(take(SimpleNamespace(predictions=moved)), TOLD).criteria
    assert [c.met for c in got if c.key.startswith("error")] == [met] * 3


def test_what_was_not_measured_is_missed():
    got = summary(take(SimpleNamespace()), TOLD)
    assert len(got.missed) == len(got.criteria) == 4


def test_chance_of_a_mean_is_that_of_its_standard_error():
    row = SimpleNamespace(
        outcome="inflammatory_percent", predicted=-40.0, observed=-42.0, low=-50.0, high=-30.0, error=2.0
    )
    got = score("trials", "", [row], TOLD)
    drawn = np.abs(stats.norm(0, 2.0).rvs(200_000, random_state=1)).mean()
    assert (got.error, got.bias) == (2.0, 2.0)
    assert got.chance == pytest.approx(drawn, rel=0.01)


def test_scores_are_by_outcome_and_by_part(result):
    groups = {s.group: s for s in summary(take(result), TOLD).scores if s.scheme == "trials"}
    assert {pool.name for pool in TOLD.pools} <= set(groups)
    success = groups["Success by the investigator's grade"]
    assert success.rates == len(unseen(result, GRADED))
    parts = [groups[f"success, {part}"].rates for part in ("active arms", "control arms")]
    assert sum(parts) == success.rates
    parts = [groups[f"success, {part}"].rates for part in ("figures as published", "recalled figures")]
    assert sum(parts) == success.rates
    assert groups["IGA 0/1"].rates == len(unseen(result, ["iga01"]))


def test_every_outcome_and_every_control_of_the_evidence_is_known():
    assert set(TOLD.outcomes) == set(OUTCOMES)
    assert len({outcome.name for outcome in TOLD.outcomes.values()}) == len(OUTCOMES)
    for trial in arms():
        for arm in trial.arms:
            assert (drug_class(arm.courses) in TOLD.controls) == (arm in trial.controls)
    assert {p.source for p in limits().values()} == {"goal2026"}


def test_the_report_says_nothing_of_psoriasis(html):
    assert not PSORIASIS.search(Page(html).text)
    assert not FORBIDDEN.search(html)
    assert "Does the acne model predict trials it has not seen?" in html


def test_the_report_has_the_parts_that_acne_has(html):
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    wanted = TOLD.sections(tested=True)
    assert set(wanted) <= set(page.ids)
    assert {"onset", "courses", "relapse", "effects", "own", "importance"}.isdisjoint(page.ids)
    assert {f"agreement-{scheme}-title" for scheme in ("trials", "class", "held", "fitted")} <= set(page.ids)
    assert {"differences-title", "differences-control-title"} <= set(page.ids)


def test_figures_are_told_in_their_own_unit(result, html):
    rows = [row for row in Page(html).rows if len(row) == 9]
    of = unseen(result, ["inflammatory_percent"]).iloc[0]
    name = TOLD.outcomes["inflammatory_percent"].name
    minus = f"{of.observed:.1f}".replace("-", "\u2212") + "\u202f%"
    assert any(row[1] == name and row[4] == minus for row in rows)
    change = result.predictions.query("scheme == 'trials' and primary and outcome == 'inflammatory_change'").iloc[0]
    minus = f"{change.observed:.1f}".replace("-", "\u2212")
    assert any(row[1].endswith("in number") and row[4] == minus for row in rows)


def test_the_largest_misses_are_ranked_in_points(result):
    rows = result.predictions.assign(low=200.0, high=200.0)  # nothing is inside
    worst = tables.worst(rows, "trials", TOLD)
    told = rows[(rows.scheme == "trials") & rows.primary]
    gaps = (told.predicted - told.observed).abs() * [TOLD.outcomes[name].factor for name in told.outcome]
    first = told.loc[gaps.idxmax()]
    assert worst[0][0].startswith(first.title)


def test_the_facts_beside_trials_are_a_table(html):
    rows = {row[0]: row for row in Page(html).rows if len(row) == 5}
    assert tuple(rows["comedones over inflammatory lesions"][1:4]) == ("at most 1", "0.93", "yes")
    assert tuple(rows["40 mg over 100 mg"][1:4]) == ("0.75 to 1.25", "0.6", "no")


def test_the_report_of_a_fit_shows_no_unseen_trial(result):
    frames = take(result)
    html = build.calibration("acne", frames, summary(frames, TOLD), TOLD, {})
    text = Page(html).text
    assert "Everything here was seen by the fit" in text
    assert "agreement-trials" not in html
    assert "agreement-held" not in html
    assert text.count("seen: all trials fitted".capitalize()) >= 3
