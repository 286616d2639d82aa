"""The agreement of probabilities with counts and summaries, against closed forms and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import comb, expit, gammaln, logit

from cutis.calibration.psoriasis import likelihood
from cutis.calibration.psoriasis.evidence.arms import Readout
from cutis.calibration.psoriasis.evidence.targets import Relapse, TimeCourse
from cutis.calibration.psoriasis.likelihood import RECALLED, Counts, Summaries
from cutis.calibration.psoriasis.table import LADDER, Entry, Table

from .smalltrials import VECTOR, arm, courses, trial

N = 40


def table(*entries):
    """A table that only knows where its entries stand."""
    return Table(entries, (), (), VECTOR, {}, None)


def of_arms(*arms, week=12):
    return table(
        *(Entry("arm", "t", a.name, r.outcome, week, -1, 0) for a in arms for r in a.readouts if r.week == week)
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
    assert rows(*arms, left_out=("tt", "t/c")).trial.tolist() == [0, 0]


def test_what_the_table_does_not_follow_is_not_counted():
    arms = told(pasi75=50), told("x", week=1, pasi75=5)
    assert listed(rows(*arms)) == [(0, -1, 40, 20)]
    light = replace(told("light", pasi75=50), courses=(replace(courses("adalimumab")[0], treatment="nb_uvb"),))
    assert len(rows(light).n) == 0


def test_nested_counts_multiply_to_the_multinomial():
    found = rows(told(pasi50=80, pasi75=50, pasi90=25, pasi100=10))
    cells = [8, 12, 10, 6, 4]  # below PASI 50, from 50 to 75, ..., PASI 100
    constants = sum(np.log(comb(n, x)) for n, x in zip(found.n, found.x, strict=True))
    for value in ([0.8, 0.5, 0.25, 0.1], [0.9, 0.4, 0.3, 0.05]):
        value = np.array(value)
        nested = likelihood.log_likelihood(found, likelihood.conditional(found, value), 1e-9).sum() + constants
        shares = -np.diff(np.r_[1.0, value, 0.0])
        assert nested == pytest.approx(stats.multinomial.logpmf(cells, N, shares), abs=1e-4)


@pytest.mark.parametrize("rho", [0.002, 0.05, 0.4])
def test_one_count_is_beta_binomial(rho):
    n, x, q = np.array([12, 300, 1]), np.array([0, 180, 1]), np.array([0.02, 0.63, 0.9])
    one = Counts(np.arange(3), np.full(3, -1), n, x, np.ones(3), np.zeros(3, int))
    size = 1 / rho - 1
    distribution = stats.betabinom(n, q * size, (1 - q) * size)
    constant = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    np.testing.assert_allclose(
        likelihood.log_likelihood(one, q, rho) + constant, distribution.logpmf(x), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(1 / likelihood.information(one, q, rho), distribution.var() / n**2, rtol=1e-9)


def test_inflation_divides_what_a_count_tells():
    found = rows(told(pasi75=50), told("x", status="assumed", pasi75=50))
    q = np.array([0.6, 0.6])
    for function in (likelihood.log_likelihood, likelihood.information):
        sure, recalled = function(found, q, 0.01)
        assert recalled == pytest.approx(sure / RECALLED)


def test_impossible_probabilities_are_kept_within_reach():
    found = rows(told(pasi50=80, pasi75=50))
    for value in ([0.5, 0.6], [0.5, 0.0], [1.0, 1.0]):
        q = likelihood.conditional(found, np.array(value))
        assert (q > 0).all()
        assert (q < 1).all()
        assert np.isfinite(likelihood.log_likelihood(found, q, 0.01)).all()


@pytest.mark.parametrize("rho", [1e-4, 0.005, 0.3])
def test_the_score_is_the_slope_of_the_log_likelihood(rho):
    found = rows(told(pasi50=80, pasi75=50, pasi90=25, pasi100=10))._replace(inflation=np.array([1.0, 1, 4, 4]))
    for q in (np.array([0.8, 0.6, 0.5, 0.4]), np.array([0.2, 0.9, 0.97, 0.01])):
        up, down = (likelihood.log_likelihood(found, q + h, rho) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(likelihood.score(found, q, rho), (up - down) / 2e-6, rtol=1e-4, atol=1e-3)


MATRIX = np.random.default_rng(1).normal(size=(4, 3))


def value_at(at):
    """Made-up nested probabilities of three parameters, (4,)."""
    return np.cumprod(expit(MATRIX @ at))


def differentiated(function, at, h=1e-6):
    """Central differences, (parameters, ...)."""
    return np.array([(function(at + h * d) - function(at - h * d)) / (2 * h) for d in np.eye(len(at))])


def test_the_slope_of_a_conditional_probability_is_that_of_its_logarithm():
    found = rows(told(pasi50=80, pasi75=50, pasi90=25, pasi100=10))
    at = np.array([0.3, -0.2, 0.5])
    by_hand = likelihood.slope(found.upper, found.lower, value_at(at), differentiated(value_at, at))
    expected = differentiated(lambda v: np.log(likelihood.conditional(found, value_at(v))), at)
    np.testing.assert_allclose(by_hand, expected, atol=1e-8)


def test_summaries_are_logits_or_differences_of_logits():
    found = Summaries(np.array([0, 2]), np.array([-1, 1]), np.zeros(2), np.ones(2))
    at = np.array([0.3, -0.2, 0.5])
    value = value_at(at)
    expected = [logit(value[0]), logit(value[2]) - logit(value[1])]
    np.testing.assert_allclose(likelihood.logits(found, value), expected)
    by_hand = likelihood.logit_slopes(found, value, differentiated(value_at, at))
    np.testing.assert_allclose(by_hand, differentiated(lambda v: likelihood.logits(found, value_at(v)), at), atol=1e-8)


def test_courses_enter_by_their_differences_from_week_12():
    percents = {"pasi75": {2: 10.0, 4: 30.0, 12: 70.0, 16: 75.0}}
    course = TimeCourse("c", "measured", "", "", courses("adalimumab"), percents)
    known = table(*(Entry("course", "c", "", "pasi75", week, 0, -1) for week in (2, 4, 12, 16)))
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
    known = table(*(Entry("relapse", "r", "", "pasi50", week, 0, -1, "pasi75", 12) for week in (20, 24)))
    assert likelihood.relapse_targets(relapse, known) == [(0, 0.5), (1, 0.4)]
    found = likelihood.summaries((), (relapse,), known, {"early": 0.2, "late": 0.1, "relapse": 0.3})
    assert found.other.tolist() == [-1, -1]
    np.testing.assert_allclose(found.value, [0.0, logit(0.4)])
    assert found.sd.tolist() == [0.3, 0.3]


def test_no_summaries_are_no_rows():
    found = likelihood.summaries((), (), table(), {})
    assert len(found.one) == 0
    assert likelihood.logits(found, np.array([0.5])).size == 0


def test_the_ladder_is_that_of_the_score():
    assert LADDER == ("pasi50", "pasi75", "pasi90", "pasi100")
