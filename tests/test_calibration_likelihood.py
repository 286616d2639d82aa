"""Which probabilities are compared with what the evidence tells of psoriasis: counts, courses and relapse, by hand."""

from dataclasses import replace

import numpy as np
from scipy.special import logit

from cutis.calibration.psoriasis import likelihood
from cutis.calibration.psoriasis.evidence.arms import Readout
from cutis.calibration.psoriasis.evidence.targets import Relapse, TimeCourse
from cutis.calibration.psoriasis.table import LADDER, Entry, Table
from cutis.calibration.terms import RECALLED

from .smalltrials import VECTOR, arm, courses, trial

N = 40


def table(*entries):
    """A table that only knows where its entries stand."""
    return Table(entries, (), (), VECTOR, {}, None)


def of_arms(*arms, week=12):
    return table(
        *(Entry("arm", "t", a.name, r.outcome, week, -1, 0, week) for a in arms for r in a.readouts if r.week == week)
    )


def told(name="placebo", n=N, status="measured", week=12, **percents):
    """An arm with these responses."""
    return replace(
        arm("placebo"), name=name, readouts=tuple(Readout(week, k, v, n, status) for k, v in percents.items())
    )


def rows(*arms, left_out=()):
    return likelihood.counts((trial("t", *arms),), of_arms(*arms), left_out)


def listed(found):
    return list(zip(found.upper, found.lower, found.n, found.x, strict=True))


def test_each_response_is_counted_among_those_with_the_one_below_it():
    assert listed(rows(told(pasi50=80, pasi75=50, pasi90=25, pasi100=10))) == [
        (0, -1, 40, 32), (1, 0, 32, 20), (2, 1, 20, 10), (3, 2, 10, 4),
    ]  # fmt: skip
    assert listed(rows(told(pasi75=50, pasi100=10))) == [(0, -1, 40, 20), (1, 0, 20, 4)]


def test_responses_other_than_those_of_pasi_are_not_counted():
    assert listed(rows(told(pasi75=50, iga01=40, dlqi01=30))) == [(0, -1, 40, 20)]


def test_where_nobody_has_a_response_nobody_can_have_the_next():
    assert listed(rows(told(pasi50=10, pasi75=0, pasi90=0))) == [(0, -1, 40, 4), (1, 0, 4, 0)]


def test_counts_of_recalled_numbers_weigh_less():
    assert rows(told(pasi75=50), told("x", status="assumed", pasi75=50)).inflation.tolist() == [1.0, RECALLED]


def test_trials_and_arms_that_are_left_out_are_not_counted():
    arms = told("a", pasi75=50), told("b", pasi75=60)
    assert listed(rows(*arms, left_out=("t/a",))) == [(1, -1, 40, 24)]
    nothing = rows(*arms, left_out=("t",))
    assert nothing.upper.dtype == int
    assert len(nothing.n) == 0
    assert rows(*arms, left_out=("tt", "t/c")).telling == 2


def test_what_the_table_does_not_follow_is_not_counted():
    arms = told(pasi75=50), told("x", week=1, pasi75=5)
    assert listed(rows(*arms)) == [(0, -1, 40, 20)]
    light = replace(told("light", pasi75=50), courses=(replace(courses("adalimumab")[0], treatment="nb_uvb"),))
    assert len(rows(light).n) == 0


def test_courses_enter_by_their_differences_from_week_12():
    percents = {"pasi75": {2: 10.0, 4: 30.0, 12: 70.0, 16: 75.0}}
    course = TimeCourse("c", "measured", "", "", courses("adalimumab"), percents)
    known = table(*(Entry("course", "c", "", "pasi75", week, 0, -1, week) for week in (2, 4, 12, 16)))
    found = likelihood.summaries((course,), (), known, {"early": 0.2, "late": 0.1, "relapse": 0.3})
    assert (found.one.tolist(), found.other.tolist()) == ([0, 1, 3], [2, 2, 2])
    np.testing.assert_allclose(found.value, [logit(p / 100) - logit(0.7) for p in (10, 30, 75)])
    assert found.sd.tolist() == [0.2, 0.2, 0.1]


def test_of_relapse_the_shares_count_and_the_median_time():
    relapse = Relapse(
        *("r", "measured", "", "", "adalimumab", courses("adalimumab"), 12, 12, "pasi75", "pasi50", 59.0, None),
        {20: 60.0, 24: 40.0}, None,
    )  # fmt: skip
    # 59 days after week 12 is nearest to week 20, where 60 % are told too: the median is what counts
    known = table(*(Entry("relapse", "r", "", "pasi50", week, 0, -1, 0, "pasi75", 12) for week in (20, 24)))
    assert likelihood.relapse_targets(relapse, known) == [(0, 0.5), (1, 0.4)]
    found = likelihood.summaries((), (relapse,), known, {"early": 0.2, "late": 0.1, "relapse": 0.3})
    assert found.other.tolist() == [-1, -1]
    np.testing.assert_allclose(found.value, [0.0, logit(0.4)])
    assert found.sd.tolist() == [0.3, 0.3]


def test_no_summaries_are_no_rows():
    found = likelihood.summaries((), (), table(), {})
    assert len(found.one) == 0
    assert found.logits(np.array([0.5])).size == 0


def test_the_ladder_is_that_of_the_score():
    assert LADDER == ("pasi50", "pasi75", "pasi90", "pasi100")
