"""Which figures of acne are fitted, and how closely: by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cutis.calibration.acne.evidence.arms import SCORES, SHARES, Readout, arms, independent
from cutis.calibration.acne.likelihood import counts_for, error_of, given, seen, term_of, terms
from cutis.calibration.terms import RECALLED

from .smallacne import arm, readouts, trial, trials


def figure(outcome, value=-40.0, week=12, **other):
    return Readout(week, outcome, value, 100, "measured", "measured", **other)


def placed(*found):
    """A table that has all figures of some trials."""
    keys = [(t.key, a.name, r.outcome, r.week) for t in found for a in t.arms for r in a.readouts]
    return SimpleNamespace(place={key: i for i, key in enumerate(keys)})


def fitted(*outcomes):
    """Those of an arm's outcomes that are fitted."""
    told = tuple(figure(name, 20.0 if name in SHARES else -10.0) for name in outcomes)
    return [r.outcome for r in told if counts_for(r, arm("vehicle", told))]


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (("inflammatory_percent", "inflammatory_change"), ["inflammatory_percent"]),
        (("inflammatory_change", "noninflammatory_percent"), ["inflammatory_change", "noninflammatory_percent"]),
        (("total_percent", "noninflammatory_percent"), ["total_percent", "noninflammatory_percent"]),
        (("total_percent", "inflammatory_percent"), ["inflammatory_percent"]),
        (("total_change", "inflammatory_change"), ["inflammatory_change"]),
        (("total_change", "total_percent"), ["total_percent"]),
        (("papules_percent", "pustules_percent", "nodules_change"), []),
        (("iga01", "iga_success", "inflammatory_half", "nodules_tenth"), None),
        (("acne_qol", "dlqi"), None),
    ],
)
def test_of_figures_that_tell_the_same_one_counts(told, counted):
    assert fitted(*told) == (list(told) if counted is None else counted)


def test_figures_of_other_weeks_tell_something_else():
    early = figure("inflammatory_change", week=4)
    assert counts_for(early, arm("vehicle", (early, figure("inflammatory_percent"))))


def test_shares_enter_as_counts_and_means_with_their_error():
    told = readouts((25.0, -45.0, -30.0), n=80)
    of = trial("t", arm("vehicle", told), arm("adapalene", readouts((40.0,), n=50, status="assumed")))
    found = terms((of,), placed(of))
    counts, percent, comedones, change = (found[name] for name in ("counts", "percent", "comedones", "change"))
    assert counts.x.tolist() == [20, 20]
    assert counts.n.tolist() == [80, 50]
    assert counts.inflation.tolist() == [1.0, RECALLED]
    assert (counts.upper.tolist(), counts.lower.tolist()) == ([0, 3], [-1, -1])
    assert percent.value.tolist() == [-45.0]
    assert comedones.value.tolist() == [-30.0]
    assert percent.error == pytest.approx(given().value("deviation.percent") / np.sqrt(80))
    assert comedones.error == percent.error
    assert percent.misfit == given().value("misfit.percent")
    assert comedones.misfit == given().value("misfit.comedones")
    assert change.telling == 0


def test_the_error_of_a_median_is_larger_and_a_published_deviation_comes_first():
    mean, median = figure("inflammatory_percent"), figure("inflammatory_percent", statistic="median")
    assert error_of(median) / error_of(mean) == pytest.approx(np.sqrt(np.pi / 2))
    assert error_of(figure("inflammatory_change", sd=20.0)) == pytest.approx(2.0)
    assert error_of(figure("iga01", 20.0)) is None


def test_what_is_left_out_is_not_seen():
    of = trials()
    all_, rest = (terms(of, placed(*of), out) for out in ((), {"two", "three/adapalene"}))
    assert all_["counts"].telling == 7
    assert rest["counts"].telling == 4
    for name in ("percent", "comedones"):
        assert all_[name].telling == 7
        assert rest[name].telling == 4
    one = of[0]
    for key, out in (
        ("one", True),
        ("one/vehicle", True),
        ("one/adapalene", False),
        ("one@12", True),
        ("one@4", False),
    ):
        assert seen(one, one.arms[0], one.arms[0].readouts[0], {key}) is not out


def test_success_by_grade_and_other_shares_vary_apart():
    assert {name: term_of(figure(name, 20.0)) for name in ("iga01", "two_grades", "total_half", "nodules_tenth")} == {
        "iga01": "counts", "two_grades": "counts", "total_half": "shares", "nodules_tenth": "shares",
    }  # fmt: skip


def test_no_figure_at_all_is_no_error():
    found = terms((), placed())
    assert [term.telling for term in found.values()] == [0] * 6
    assert all(term.log(np.zeros(0)) == 0 for term in found.values())


def test_every_published_figure_has_an_error_and_a_term():
    for one in independent(arms()):
        for a in one.arms:
            for r in a.readouts:
                assert (error_of(r) is None) == (r.outcome in SHARES)
                assert term_of(r) in {"counts", "shares", "score", "percent", "comedones", "change"}
                assert (term_of(r) == "comedones") == (r.outcome == "noninflammatory_percent")
                assert (term_of(r) == "score") == (r.outcome in SCORES)


def test_what_is_taken_for_given_has_a_source_and_a_status():
    table = given()
    assert {p.status for p in table.values()} <= {"assumed", "measured"}
    assert all(p.value > 0 and p.about and p.unit for p in table.values())


def test_a_recalled_number_counts_a_quarter():
    of = trials()[:1]
    recalled = tuple(
        replace(
            t, arms=tuple(replace(a, readouts=tuple(replace(r, status="assumed") for r in a.readouts)) for a in t.arms)
        )
        for t in of
    )
    one, other = (terms(found, placed(*found)) for found in (of, recalled))
    value = np.array([0.2, -30.0, -20.0, 0.3, -40.0, -30.0])
    for name in ("counts", "percent", "comedones"):
        assert one[name].log(value) == pytest.approx(RECALLED * other[name].log(value))
