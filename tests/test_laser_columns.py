"""Columns of fractional lasers and needles: energy kept, published sizes, closed forms of healing, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.laser import columns, optics, outcomes
from cutis.core.laser.device import settings
from cutis.core.laser.heat import axisymmetric, sources

PEOPLE = optics.typical(np.array([0.01, 0.1]), 1.6)
RADII, DEPTHS = np.linspace(0, 0.4, 21), np.concatenate([[0.0], np.geomspace(0.01, 60.0, 60)])


def left(device, **changes):
    return columns.columns(PEOPLE, settings(device, **changes))


@pytest.fixture(scope="module")
def fibre():
    return {energy: left("fibre_1550", energy=energy) for energy in (4.5, 8.0, 40.0)}


def test_a_pattern_of_beams_keeps_what_the_skin_absorbs():
    heat = sources.pattern(RADII, DEPTHS, 0.14, [0.7, 2.0], [1.0, 0.0], [0.9, 0.95])
    whole = (np.asarray(heat) * np.asarray(axisymmetric.volumes(RADII, DEPTHS))[:, :, None]).sum(axis=(0, 1))
    assert whole == pytest.approx([0.9, 0.95], rel=1e-6)


def test_without_scattering_a_beam_is_exponential():
    heat = np.asarray(sources.pattern(RADII, DEPTHS, 0.14, 2.0, 0.0, 1.0))[:, :, 0]
    alone = np.asarray(sources.beam(RADII, DEPTHS, 0.14, 2.0))
    assert heat == pytest.approx(alone, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "told"),
    [((0.0, 1.0, 1.0, 1.0), "diameter"), ((0.1, 0.0, 1.0, 1.0), "absorption"), ((0.1, 1.0, 1.0, 1.2), "shares")],
)
def test_impossible_beams_are_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        sources.pattern(RADII, DEPTHS, *changed)


def test_columns_of_a_fibre_laser_are_as_deep_and_wide_as_published(fibre):
    """Deeper than 1 mm and about 200 um wide at high energy (Bedi et al. Lasers Surg Med 2007;39:145-155)."""
    high = fibre[40.0]
    assert (np.asarray(high.depth) > 1.0).all()
    assert np.asarray(high.width) == pytest.approx(0.2, rel=0.25)
    assert not np.asarray(high.trusted).any()  # cells lose all their water, which is marked


def test_more_energy_makes_larger_columns_whatever_the_colour_of_the_skin(fibre):
    for name in ("depth", "width", "volume", "coverage", "renewed", "healed"):
        values = np.array([np.asarray(getattr(fibre[energy], name)) for energy in (4.5, 8.0, 40.0)])
        assert (np.diff(values, axis=0) > 0).all(), name
        assert values[:2, 0] == pytest.approx(values[:2, 1], rel=0.1), name
    assert np.asarray(fibre[8.0].trusted).all()


def test_craters_are_as_deep_as_published():
    """Spots of 120 and 300 um of CO2 in vivo (calibrated on these four, see `ablation.co2_heat`)."""
    for spot, energy, depth in ((0.12, 80.0, 0.52), (0.12, 160.0, 0.90), (0.3, 100.0, 0.20), (0.3, 180.0, 0.55)):
        found = left("co2_fractional", spot=spot, energy=energy, density=100.0)
        assert np.asarray(found.crater) == pytest.approx(depth, rel=0.3)
        assert (found.depth > found.crater).all()
    assert (
        float(left("er_fractional", energy=1.0, spot=1.0, density=50.0).crater[0]) == 0.0
    )  # below the threshold of ablation


def test_coverage_and_renewal_go_with_density():
    few, many = (left("co2_fractional", density=density) for density in (100.0, 400.0))
    for name in ("coverage", "renewed"):
        assert np.asarray(getattr(many, name)) == pytest.approx(4 * np.asarray(getattr(few, name)))
    assert np.asarray(many.healed) == pytest.approx(np.asarray(few.healed))


def test_insulated_needles_spare_the_epidermis():
    bare, tip = left("rf_needles", bare=1.5, power=50.0), left("rf_needles", power=15.0)
    assert (np.asarray(tip.coverage) < 1e-4).all()
    assert (np.asarray(tip.renewed) > 0).all()
    assert (np.asarray(bare.coverage) > 0.01).all()
    assert np.asarray(tip.healed) == pytest.approx(0)


def test_power_is_shared_by_needles():
    assert columns.energy(settings("rf_needles", power=49.0, pulse=0.1, density=49.0)) == pytest.approx(0.1)


def test_wounds_close_from_their_edges():
    v = columns.VALUES
    days = np.asarray(columns.healed(jnp.asarray([0.0, 0.1, 0.2])))
    assert days == pytest.approx([0, v["healing.lag"] + 0.1 / v["healing.migration"], days[1] + 0.1 / 0.15])


@pytest.mark.parametrize(
    ("device", "changes", "told"),
    [
        ("alexandrite_long", {}, "alexandrite_long: delivery by beam"),
        ("co2_fractional", {"spot": 0.5, "density": 800.0}, "spots of 0.5 mm, 800 of them a cm2, overlap"),
        ("rf_needles", {"bare": 4.0}, "rf_needles.bare: 4 mm is outside the device's limits"),
    ],
)
def test_what_leaves_no_columns_is_refused(device, changes, told):
    with pytest.raises(ValueError, match=told):
        left(device, **changes)


def test_nobody_is_refused():
    none = optics.Skin(*(field[:0] for field in PEOPLE))
    with pytest.raises(ValueError, match="there are none"):
        columns.columns(none, settings("fibre_1550"))


def test_texture_follows_its_closed_form():
    values = outcomes.VALUES | {"columns.gain": 3.0, "columns.remodelling": 50.0}
    renewed = jnp.asarray([0.0, 0.1])
    late = np.asarray(outcomes.texture(renewed, 4, 30.0, [1e5], values))
    assert late[0] == pytest.approx([0, 1 - np.exp(-3.0 * 0.1 * 4)])
    now, one = np.asarray(outcomes.texture(renewed, 1, 30.0, [0.0, 50.0], values))[:, 1]
    assert now == pytest.approx(0)
    assert one == pytest.approx(1 - np.exp(-0.3 * (1 - np.exp(-1))))
    with pytest.raises(ValueError, match="sessions: 0"):
        outcomes.texture(renewed, 0, 30.0, [1.0])


def test_dark_marks_rise_with_coverage_and_darker_skin():
    risk = np.asarray(outcomes.column_risk(jnp.asarray([[0.05, 0.05], [0.3, 0.3]]), jnp.asarray([50.0, 0.0]), 1.0))
    assert (np.diff(risk, axis=0) > 0).all()
    assert (np.diff(risk, axis=1) > 0).all()


def test_the_risk_of_a_course_is_that_of_independent_sessions():
    once = jnp.asarray([0.0, 0.1, 1.0])
    assert np.asarray(outcomes.ever(once, 3)) == pytest.approx([0, 1 - 0.9**3, 1])
    assert np.asarray(outcomes.ever(once, 1)) == pytest.approx(np.asarray(once))
