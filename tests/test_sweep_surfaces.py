"""Limits of shares against other routes to them, and the answer that is drawn from surfaces."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from cutis.core.parameters import Parameter, Uncertainty
from cutis.trials.sweep import draws, surfaces
from cutis.trials.sweep.effects import behind
from cutis.trials.sweep.read import asked
from cutis.trials.sweep.surfaces import Share, Surfaces
from cutis.trials.sweep.window import answer, breaking, edges, nearest

TYPES = (1, 6)


def one(*values):
    """As sums come: (draws, 1 setting, 1 type)."""
    return np.array(values, float)[:, None, None]


@pytest.mark.parametrize(("events", "twins"), [(0, 300), (3, 200), (60, 100), (100, 100)])
def test_limits_of_a_risk_are_those_of_clopper_and_pearson(events, twins):
    found = surfaces.risk(one(events), one(events), np.full((1, 1), float(twins)), 0.95)
    low, high = proportion_confint(events, twins, alpha=0.10, method="beta")
    assert found.mean[0, 0] == events / twins
    assert (found.low[0, 0], found.high[0, 0]) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


def test_limits_hold_at_least_as_often_as_they_say():
    rng, twins = np.random.default_rng(1), 200
    chance = rng.beta(0.05, 2.0, (4000, twins))  # most people hardly at risk, a few much
    sums = chance.sum(axis=1)
    high = surfaces.risk(sums[None, :, None], sums[None, :, None], np.full((4000, 1), float(twins)), 0.95).high
    truth = 0.05 / 2.05
    assert np.mean(high[:, 0] >= truth) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_draws_of_the_parameters_widen_a_limit_to_that_of_their_mixture():
    twins = 400.0
    sums = one(8.0, 4.0, 40.0)
    found = surfaces.risk(sums, sums, np.full((1, 1), twins), 0.9)
    mixed = np.mean([stats.beta.cdf(found.high[0, 0], x + 1, twins - x) for x in (8.0, 4.0, 40.0)])
    assert mixed == pytest.approx(0.9, abs=1e-6)
    assert found.mean[0, 0] == 8 / 400
    assert found.spread[0, 0] == pytest.approx(np.std([4 / 400, 40 / 400], ddof=1))
    assert found.high[0, 0] > surfaces.risk(sums[:1], sums[:1], np.full((1, 1), twins), 0.9).high[0, 0]


def test_a_benefit_has_the_standard_error_of_a_mean():
    values = np.random.default_rng(2).beta(2, 3, 500)
    found = surfaces.benefit(one(values.sum()), one((values**2).sum()), np.full((1, 1), 500.0), 0.95)
    assert found.error[0, 0] == pytest.approx(stats.sem(values), rel=1e-9)
    assert found.high[0, 0] - found.mean[0, 0] == pytest.approx(stats.norm.ppf(0.95) * stats.sem(values), rel=1e-9)
    assert np.isnan(found.spread[0, 0])


def test_limits_of_a_benefit_are_those_of_the_mixture_over_draws():
    sums, twins = one(30.0, 10.0, 70.0, 20.0), 100.0
    squares = sums**2 / twins + one(1.0, 1.0, 1.0, 1.0)
    found = surfaces.benefit(sums, squares, np.full((1, 1), twins), 0.8)
    error = np.sqrt(1.0 / 100 / 99)
    for limit, level in ((found.high, 0.8), (found.low, 0.2)):
        mixed = np.mean([stats.norm.cdf(limit[0, 0], x / 100, error) for x in (30.0, 10.0, 70.0, 20.0)])
        assert mixed == pytest.approx(level, abs=1e-6)


def test_where_nobody_is_trusted_a_benefit_is_not_known():
    found = surfaces.benefit(one(0.0), one(0.0), np.zeros((1, 1)), 0.95)
    assert np.isnan(found.mean[0, 0])
    assert np.isnan(found.high[0, 0])


def share(mean, high=None):
    mean = np.asarray(mean, float)
    high = mean if high is None else np.asarray(high, float)
    return Share(mean, mean, high, np.zeros_like(mean), np.full_like(mean, np.nan))


def judged(benefit, burn, blister):
    """Surfaces of four settings and two skin types, and the plan that asks for burns <= 1 %, blisters <= 5 %."""
    told = ["grid.fluence=[10,20,30,40]", "grid.pulse=[0.003]", "population.skin_types=[1,6]", "efficacy.least=0.2"]
    plan = asked(["sweep=laser/hair_755", *told, "risk.most={burn: 0.01, blister: 0.05}"], None).plan
    counts = np.full((4, 2), 500.0)
    nothing = np.zeros((4, 2))
    shares = {"efficacy": share(benefit), "burn": share(nothing, burn), "blister": share(nothing, blister)}
    return plan, Surfaces(counts, counts, nothing, nothing, nothing, shares)


BENEFIT = [[0.05, 0.1], [0.2, 0.25], [0.4, 0.5], [0.6, np.nan]]
BURN = [[0.001, 0.002], [0.002, 0.01], [0.004, 0.02], [0.02, 1.0]]
FEW = np.full((4, 2), 0.01)


def test_the_answer_is_the_most_effective_setting_that_is_safe_in_every_skin_type():
    plan, found = judged(BENEFIT, BURN, FEW)
    told = answer(plan, found)
    assert told.best == 1
    assert told.common.tolist() == [0, 1]
    assert told.of_type == {1: 2, 6: 1}
    assert told.worth[:, 0].tolist() == [False, True, True, True]
    assert breaking(plan, found, 2, 1) == ["burn"]
    assert breaking(plan, found, 1, 1) == []


def test_one_event_beyond_its_bound_in_one_skin_type_is_enough_to_refuse():
    blister = FEW.copy()
    blister[:2, 1] = 0.06
    plan, found = judged(BENEFIT, BURN, blister)
    told = answer(plan, found)
    assert told.best is None
    assert told.common.size == 0
    assert told.of_type == {1: 2, 6: None}
    assert nearest(plan, found) == (0, 1, "blister")  # 6 % is 1.2 times its bound; burns of setting 1 are at theirs


def test_a_setting_whose_benefit_is_not_known_is_not_chosen():
    plan, found = judged(BENEFIT, np.zeros((4, 2)), FEW)
    assert answer(plan, found).best == 2


def test_the_window_lies_between_enough_and_too_much():
    fluences = np.array([10.0, 20.0, 30.0, 40.0])
    benefit = np.array([0.0, 0.1, 0.3, 0.5])
    high = np.array([0.0, 0.0, 0.01, 0.09])
    assert edges(fluences, benefit, 0.2, {0.05: [high]}) == (pytest.approx(25), pytest.approx(35))
    assert edges(fluences, benefit, 0.2, {0.05: [high], 0.005: [high]}) is None  # burns begin at 25
    assert edges(fluences, benefit, 0.6, {0.05: [high]}) is None
    assert edges(fluences, benefit, 0.0, {0.5: [high]}) == (10.0, 40.0)


@dataclass(frozen=True)
class Known:
    scale: str
    value: float
    sd: float


@pytest.mark.parametrize("of", [Known("log", 3.0, 0.2), Known("logit", 0.3, 0.4)])
def test_draws_have_the_spread_that_the_table_tells(of):
    parameter = Parameter("a.b", "", of.value, "1", "calibrated", "x", uncertainty=Uncertainty(of.scale, of.sd, 1.0))
    drawn = draws.apart([parameter], 20_000, 7)["a.b"]
    on_scale = {"log": np.log, "logit": lambda p: np.log(p / (1 - p))}[of.scale](drawn)
    assert drawn[0] == of.value
    assert on_scale[1:].mean() == pytest.approx(on_scale[0], abs=4.5 * of.sd / np.sqrt(20_000))
    assert on_scale[1:].std() == pytest.approx(of.sd, rel=4.5 / np.sqrt(40_000))
    assert (draws.apart([parameter], 10, 7)["a.b"] == drawn[:11]).all()


def test_an_uncertainty_on_an_unknown_scale_is_refused():
    parameter = Parameter("a.b", "", 1.0, "1", "calibrated", "x", uncertainty=Uncertainty("cubic", 1.0, 1.0))
    with pytest.raises(ValueError, match="cubic"):
        draws.apart([parameter], 3, 7)


def test_draws_together_keep_the_covariance_of_the_calibration(tmp_path, monkeypatch):
    file = tmp_path / "uncertainty.csv"
    rows = [
        "name,scale,events.sought,events.burn_spread",
        "events.sought,log,0.04,0.03",
        "events.burn_spread,log,0.03,0.09",
    ]
    file.write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(draws, "JOINT", file)
    monkeypatch.setattr(draws.outcomes, "VALUES", {"events.sought": 2.0, "events.burn_spread": 1.0})
    plan = asked(["sweep=laser/hair_755", "draws=1000"], None).plan
    found = draws.together(["events.sought", "events.burn_spread"], plan)
    logs = np.log(np.stack(list(found.values()))[:, 1:])
    assert np.cov(logs) == pytest.approx(np.array([[0.04, 0.03], [0.03, 0.09]]), abs=0.013)
    assert [values[0] for values in found.values()] == [2.0, 1.0]
    assert "events.sought" in draws.uncertain(behind(plan))
