"""Outcomes: closed forms of sessions and regrowth, limits, risks by tone, damage and how they are sought."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import norm

from cutis.core.laser import calibrated, outcomes
from cutis.core.laser.targets import DEPTHS, DIAMETERS, INKS, Follicles, Pigment, Vessels

V = outcomes.VALUES
FAR = 1e3  # ln Omega of certain damage


def hair(bulge, bulb):
    return Follicles(jnp.asarray([bulge]), jnp.asarray([bulb]))


def vessels(closed):
    shape = (DIAMETERS, DEPTHS, 1)
    return Vessels(jnp.zeros(shape), jnp.full(shape, closed), jnp.zeros(shape, bool))


def test_hair_that_is_not_harmed_stays():
    found = outcomes.hair_reduction(hair(-FAR, -FAR), 3, 35.0, [0.0, 100.0])
    assert np.asarray(found) == pytest.approx(0.0, abs=1e-12)


def test_shed_hair_comes_back_at_its_rate():
    times = np.array([0.0, 30.0, 180.0])
    found = np.asarray(outcomes.hair_reduction(hair(-FAR, FAR), 1, 35.0, times))[:, 0]
    assert found == pytest.approx(V["hair.growing"] * np.exp(-times / V["hair.regrowth"]))


def test_one_session_takes_only_what_grows_and_for_good():
    found = np.asarray(outcomes.hair_reduction(hair(FAR, -FAR), 1, 35.0, [0.0, 400.0]))
    assert found == pytest.approx(V["hair.growing"])


def test_sessions_that_miss_nothing_take_all_in_the_end():
    found = [float(outcomes.hair_reduction(hair(FAR, FAR), n, 90.0, 180.0)[0, 0]) for n in (1, 3, 8, 20)]
    assert (np.diff(found) > 0).all()
    assert found[-1] > 0.98


def test_sessions_close_together_find_fewer_hairs_growing():
    close, wide = (float(outcomes.hair_reduction(hair(FAR, -FAR), 4, days, 180.0)[0, 0]) for days in (7.0, 60.0))
    assert close < wide


def test_half_of_the_growing_hair_is_lost_at_the_level():
    at = np.log(V["hair.permanent_omega"])
    found = outcomes.hair_reduction(hair(at, -FAR), 1, 35.0, 0.0)
    assert float(found[0, 0]) == pytest.approx(V["hair.growing"] / 2)


def test_a_stain_weighs_its_classes_to_one():
    weight = np.asarray(outcomes.stain())
    assert weight.sum() == pytest.approx(1.0)
    assert (weight > 0).all()


def test_blanching_is_the_closed_form_of_sessions_and_regrowth():
    c, n, interval, rate = 0.4, 4, 42.0, V["port_wine.regrowth"]
    shut = 0.0
    for _ in range(n):
        shut = c + (1 - c) * shut * np.exp(-rate * interval)
    found = np.asarray(outcomes.blanching(vessels(c), n, interval, [0.0, 60.0]))[:, 0]
    assert found == pytest.approx([shut, shut * np.exp(-rate * 60.0)])


def test_ink_clears_in_equal_shares():
    broken = Pigment(jnp.asarray([0.5]), jnp.full((INKS, 1), 0.5))
    assert float(outcomes.ink_clearance(broken, 3)[0]) == pytest.approx(1 - (1 - 0.5 * V["pigment.carried"]) ** 3)


def test_pigment_of_melasma_is_shed_and_comes_back():
    """At once in equal shares; a year after the last session as published: of a fall from 6.7 to 3.2, 5.8 was back."""
    broken = Pigment(jnp.asarray([0.5]), jnp.full((INKS, 1), 0.5))
    shed, rate = 0.5 * V["pigment.shed"], V["pigment.returning"]
    still = np.exp(-28.0 * rate)
    found = np.asarray(outcomes.pigment_clearance(broken, 2, 28.0, [0.0, 365.0]))[:, 0]
    assert found[0] == pytest.approx(shed + (1 - shed) * shed * still)
    assert found[1] / found[0] == pytest.approx((6.7 - 5.8) / (6.7 - 3.2), rel=0.01)
    assert float(outcomes.pigment_clearance(broken, 2, 0.0, 0.0)[0, 0]) == pytest.approx(1 - (1 - shed) ** 2)
    with pytest.raises(ValueError, match="expected 0 days or more"):
        outcomes.pigment_clearance(broken, 2, 28.0, [-1.0])


def test_the_hazard_of_glands_leaves_what_the_session_leaves():
    lost = jnp.asarray([0.0, 0.3, 0.9])
    assert np.exp(-np.asarray(outcomes.gland_hazard(lost))) == pytest.approx(1 - np.asarray(lost))
    assert np.isfinite(np.asarray(outcomes.gland_hazard(jnp.asarray([1.0])))).all()


def test_half_blister_at_the_level_and_more_are_found_where_they_are_sought():
    at = jnp.asarray([np.log(V["events.blister_omega"])])
    chart, visit = (outcomes.events(at, jnp.asarray([28.0]), sought) for sought in (0.0, 1.0))
    assert float(chart.blister[0]) == pytest.approx(0.5)
    assert float(visit.blister[0]) == pytest.approx(1 / (1 + np.exp(-V["events.sought"])))
    assert float(visit.hyperpigmentation[0]) > float(chart.hyperpigmentation[0])


def test_hyperpigmentation_goes_with_tone_injury_and_area():
    basal = jnp.asarray([[-5.0, -5.0], [2.0, 2.0]])
    tone = jnp.asarray([50.0, -30.0])
    found = np.asarray(outcomes.events(basal, tone, 0.0).hyperpigmentation)
    assert (np.diff(found, axis=0) > 0).all()
    assert (np.diff(found, axis=1) > 0).all()
    columns = np.asarray(outcomes.events(basal, tone, 0.0, area=0.1).hyperpigmentation)
    assert (columns[1] < found[1]).all()


def test_purpura_is_told_only_from_vessels_and_half_have_it_at_the_margin():
    basal, tone = jnp.asarray([0.0, 0.0]), jnp.asarray([28.0, 28.0])
    assert np.isnan(np.asarray(outcomes.events(basal, tone, 0.0).purpura)).all()
    margin, spread = V["events.purpura_margin"], V["events.purpura_spread"]
    found = outcomes.events(basal, tone, 0.0, margin * jnp.asarray([1.0, np.exp(spread)]))
    assert np.asarray(found.purpura) == pytest.approx(norm.cdf([0.0, 1.0]))


@pytest.mark.parametrize(("sought", "area", "name"), [(1.5, 1.0, "sought"), (0.0, -0.1, "area")])
def test_shares_outside_0_to_1_are_refused(sought, area, name):
    with pytest.raises(ValueError, match=f"{name}: .* expected 0 to 1"):
        outcomes.events(jnp.asarray([0.0]), jnp.asarray([28.0]), sought, area=area)


@pytest.mark.parametrize(("sessions", "interval", "later"), [(0, 35.0, 0.0), (1, -1.0, 0.0), (1, 35.0, -1.0)])
def test_sessions_and_times_that_cannot_be_are_refused(sessions, interval, later):
    with pytest.raises(ValueError, match="expected"):
        outcomes.hair_reduction(hair(0.0, 0.0), sessions, interval, later)


def test_outcomes_have_gradients_in_their_parameters():
    def reduced(level):
        values = V | {"hair.permanent_omega": level}
        return outcomes.hair_reduction(hair(5.0, 5.0), 3, 35.0, 180.0, values)[0, 0]

    slope = float(jax.grad(reduced)(3.0))
    assert slope == pytest.approx((float(reduced(3.001)) - float(reduced(2.999))) / 0.002, rel=1e-3)
    assert slope < 0


def test_hair_between_sessions_follows_its_equations():
    grows, rest, regrow = V["hair.growing"], 1 / V["hair.resting"], 1 / V["hair.regrowth"]
    stop = rest * (1 - grows) / grows
    rates = np.array([[-stop, rest, regrow], [stop, -rest, 0.0], [0.0, 0.0, -regrow]])
    state = np.array([0.1, 0.5, 0.2])
    for days in (0.0, 1.0, 35.0, 400.0):
        found = outcomes._cycled(tuple(jnp.asarray([x]) for x in state), days, V)
        assert np.concatenate(found) == pytest.approx(expm(rates * days) @ state, abs=1e-12)
    same = V | {"hair.regrowth": grows / rest}  # two rates alike
    rates = np.array([[-stop, rest, rest / grows], [stop, -rest, 0.0], [0.0, 0.0, -rest / grows]])
    found = outcomes._cycled(tuple(jnp.asarray([x]) for x in state), 50.0, same)
    assert np.concatenate(found) == pytest.approx(expm(rates * 50.0) @ state, abs=1e-9)


def test_half_of_the_patients_clear_what_the_median_one_clears():
    gone = jnp.asarray([0.0, 0.75, 0.9])
    share = np.asarray(outcomes.cleared(gone, 0.75, 0.6))
    assert share[1] == pytest.approx(0.5)
    assert share[0] < 1e-6
    assert share[2] == pytest.approx(float(norm.cdf(np.log(np.log(10) / np.log(4)) / 0.6)))


def test_many_fluences_and_people_at_once():
    closed = jnp.full((2, DIAMETERS, DEPTHS, 3), 0.4)
    assert outcomes.blanching(Vessels(closed, closed, closed), 2, 42.0, [0.0]).shape == (1, 2, 3)
    assert outcomes.ink_clearance(Pigment(jnp.full((2, 3), 0.5), jnp.full((2, INKS, 3), 0.5)), 2).shape == (2, 3)


def test_numbers_are_measured_calibrated_or_told_to_be_assumed():
    assert set(calibrated.TABLE) <= set(outcomes.TABLE)
    assert all(p.status in ("calibrated", "assumed") for p in calibrated.TABLE.values())
