"""Heat of vessels, glands, fractional columns and needles, and ablation: independent integration, limits, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cutis.core.laser.heat import ablation, axisymmetric, column, grid, radial, sources
from cutis.core.laser.heat.timeline import AIR, CRYOGEN, INSULATED, Phase, timeline
from cutis.core.laser.heat.tissue import VALUES, Thermal, thermal

EDGES = grid.graded()
WIDTH, DEPTH = np.diff(EDGES), grid.centres(EDGES)


def body(radius=0.05, absorbed=1e-2, n=1, **other):
    values = {
        "radius": radius, "conductivity": 0.52, "capacity": 3.8, "conductivity_around": 0.4, "capacity_around": 3.5,
        "absorbed": absorbed,
    } | other  # fmt: skip
    return radial.Body(**{name: jnp.full((n,), value) for name, value in values.items()})


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_vessel_and_a_gland_agree_with_an_independent_integrator(dimensions):
    course = timeline([Phase(0.005, energy=1.0, steps=40), Phase(0.02, steps=40)], finest=1e-6)
    found = radial.rise(body(), course, dimensions)
    edges = np.concatenate([np.linspace(0, 0.1, 201), 0.1 + np.geomspace(0.0005, 3, 200)])
    middle, d = (edges[1:] + edges[:-1]) / 2, dimensions
    inside = middle < 0.05
    k, c = np.where(inside, 0.52, 0.4), np.where(inside, 3.8, 3.5)
    volume, area = np.diff(edges**d) / d, edges[1:-1] ** (d - 1)
    link = area / ((edges[1:-1] - middle[:-1]) / k[:-1] + (middle[1:] - edges[1:-1]) / k[1:])
    near = np.abs(np.subtract.outer(np.arange(400), np.arange(400))) <= 1

    def rate(t, temperature, on):
        flux = link * np.diff(temperature)
        q = on * inside * 10.0 * volume / 0.005
        q[:-1] += flux
        q[1:] -= flux
        return q / (c * volume)

    t = np.zeros(400)
    for seconds, on in ((0.005, 1.0), (0.02, 0.0)):
        t = solve_ivp(rate, (0, seconds), t, "BDF", args=(on,), rtol=1e-7, atol=1e-8, jac_sparsity=near).y[:, -1]
    peak = float(found.centre.max())
    for radius in (0.0, 0.03, 0.08, 0.15):
        value = float(found.centre[-1, 0] if radius == 0 else radial.at(found, radius)[-1, 0])
        assert value == pytest.approx(np.interp(radius, middle, t), abs=0.005 * peak)
    assert not bool(found.reached[0])


def test_short_pulses_heat_a_body_evenly():
    found = radial.rise(body(n=2, radius=0.1), timeline([Phase(1e-6, energy=1.0)], finest=1e-8), 2)
    assert np.asarray(found.mean)[-1] == pytest.approx(10 / 3.8, rel=0.01)
    assert np.all(np.asarray(found.wall)[-1] < np.asarray(found.centre)[-1])


def test_heat_that_reaches_the_edge_of_a_body_is_marked():
    course = timeline([Phase(0.001, energy=1.0), Phase(60.0, steps=80)], finest=1e-6)
    assert bool(radial.rise(body(radius=0.005), timeline([Phase(60.0, energy=1.0, steps=80)]), 2).reached[0])
    assert not bool(radial.rise(body(radius=0.05), course, 3).reached[0])


def test_impossible_bodies_are_refused():
    course = timeline([Phase(0.01, energy=1.0)])
    with pytest.raises(ValueError, match="dimensions"):
        radial.rise(body(), course, 4)
    with pytest.raises(ValueError, match="radius"):
        radial.rise(body(radius=-0.1), course, 2)
    with pytest.raises(ValueError, match="absorbed"):
        radial.rise(body(absorbed=np.nan), course, 2)
    with pytest.raises(ValueError, match="radius"):
        radial.at(radial.rise(body(), course, 2), 99.0)


def test_averaging_factors_are_means_over_chords():
    rng = np.random.default_rng(1)
    way = rng.uniform(-1, 1, 400_000)  # cosine to the axis; diffuse light on the side of a cylinder
    phi, inward = rng.uniform(0, 2 * np.pi, way.size), np.sqrt(rng.uniform(0, 1, way.size))
    across = np.sqrt(1 - inward**2) * np.cos(phi)
    chord = 2 * inward / (inward**2 + across**2)  # of radius 1, entering with cosine `inward` to the wall
    for depth in (0.05, 0.5, 2.0, 6.0):
        exact = (1 - np.exp(-depth * chord)).mean() / (depth * chord.mean())
        ours = float(radial.averaging(depth, 1.0))
        assert exact <= ours + 3e-3
        assert ours / exact < 1.07
        sphere = (1 - np.exp(-2 * depth * inward)).mean() / (depth * 4 / 3)
        assert float(radial.averaging_sphere(depth, 1.0)) == pytest.approx(sphere, rel=5e-3)
    assert float(radial.averaging(0.0, 1.0)) == 1.0
    assert float(radial.averaging_sphere(1e-9, 1.0)) == pytest.approx(1.0)


def cylinder(absorbed, radii, depths, start=34.0, water=0.65):
    shape = (len(radii) - 1, len(depths) - 1, 1)
    tissue = Thermal(*(jnp.broadcast_to(v, shape) for v in thermal(water)))
    return axisymmetric.Cylinder(
        jnp.asarray(radii), jnp.asarray(depths), tissue, jnp.asarray(absorbed)[:, :, None], jnp.full(shape, start),
        jnp.full((1,), start),
    )  # fmt: skip


def test_a_wide_axisymmetric_field_is_a_column():
    radii = np.linspace(0, 1, 5)
    absorbed = np.ones((4, 1)) * 1e-2 * np.exp(-DEPTH)[None]
    phases = timeline([Phase(0.02, AIR, 1.0), Phase(0.2, CRYOGEN, steps=40)])
    around = axisymmetric.simulate(cylinder(absorbed, radii, EDGES), phases, 3.0)
    tissue = Thermal(*(np.broadcast_to(v, (48, 1)) for v in thermal(0.65)))
    flat = column.column(WIDTH, tissue, absorbed[0][:, None], np.zeros((48, 1)), np.full((48, 1), 34.0))
    flat = flat._replace(core=jnp.full((1,), 34.0))
    straight = column.simulate(flat, phases, 3.0).temperature[-1, :, 0]
    assert np.asarray(around.temperature)[2, :, 0] == pytest.approx(np.asarray(straight), abs=1e-6)


RADII = np.concatenate([[0.0], np.cumsum(0.01 * 1.12 ** np.arange(32))])
DEPTHS = grid.graded(cells=40, finest=0.02, coarsest=0.15, depth=4.0)


def test_a_fractional_beam_keeps_its_energy_and_its_width():
    absorbed = sources.beam(RADII, DEPTHS, 0.14, 1.0)
    volume = axisymmetric.volumes(RADII, DEPTHS)
    assert float((absorbed * volume).sum()) == pytest.approx(1 - np.exp(-4.0), rel=1e-6)
    assert float(absorbed[0, 0]) == pytest.approx(2 / (np.pi * 0.07**2), rel=0.05)
    run = axisymmetric.simulate(cylinder(absorbed, RADII, DEPTHS), timeline([Phase(0.005, energy=1.0)]), 0.01)
    assert float(run.peak.max()) == float(run.peak[0].max())
    assert bool(run.validity.trusted[0])


def test_a_needle_heats_with_the_square_of_the_distance():
    absorbed = sources.needle(RADII, DEPTHS, 1.0, 3.0, 0.05)
    volume = axisymmetric.volumes(RADII, DEPTHS)
    assert float((absorbed * volume).sum()) == pytest.approx(1)
    middle = int(np.searchsorted(DEPTHS, 2.0))
    radii = (RADII[1:] + RADII[:-1]) / 2
    near, far = np.searchsorted(radii, 0.08), np.searchsorted(radii, 0.2)
    ratio = float(absorbed[near, middle] / absorbed[far, middle])
    assert ratio == pytest.approx((radii[far] / radii[near]) ** 2, rel=0.05)
    run = axisymmetric.simulate(cylinder(absorbed, RADII, DEPTHS), timeline([Phase(0.1, INSULATED, 1.0)]), 0.5)
    assert int(np.argmax(np.asarray(run.peak).max((0, 2)))) in range(
        np.searchsorted(DEPTHS, 0.8), np.searchsorted(DEPTHS, 3.2)
    )
    hot = axisymmetric.simulate(cylinder(absorbed, RADII, DEPTHS), timeline([Phase(0.1, INSULATED, 1.0)]), 20.0)
    assert bool(hot.validity.boiled[0])


def test_impossible_axisymmetric_cases_are_refused():
    absorbed = np.zeros((len(RADII) - 1, len(DEPTHS) - 1))
    course = timeline([Phase(0.1, energy=1.0)])
    good = cylinder(absorbed, RADII, DEPTHS)
    for changed, word in (
        (good._replace(radii=good.radii[::-1]), "radii"),
        (good._replace(absorbed=good.absorbed - 1), "absorbed"),
        (good._replace(start=good.start[:3]), "start"),
        (good._replace(radii=good.radii + 1), "first edge"),
    ):
        with pytest.raises(ValueError, match=word):
            axisymmetric.simulate(changed, course, 1.0)
    with pytest.raises(ValueError, match="energy"):
        axisymmetric.simulate(good, course, -1.0)
    with pytest.raises(ValueError, match="beam"):
        sources.beam(RADII, DEPTHS, -1.0, 1.0)
    with pytest.raises(ValueError, match="needle"):
        sources.needle(RADII, DEPTHS, 3.0, 1.0, 0.1)


def test_ablation_takes_what_is_above_its_threshold():
    of = ablation.crater(np.array([0.0, 3.0, 5.0, 50.0, 95.0]), 1e-3, ablation.CO2, 0.11)
    depth = np.asarray(of.depth)
    assert depth[:3].tolist() == [0, 0, 0]
    assert depth[4] / depth[3] == pytest.approx(2)
    kept = np.asarray(of.rise * of.layer) * VALUES["skin.capacity"] * 0.1  # J/cm2
    assert kept == pytest.approx([0, 3, 5, 5, 5])
    assert np.asarray(of.rise).max() <= 100 - VALUES["surface.temperature"] + 1e-9
    er = ablation.crater(10.0, 3e-4, ablation.ER_YAG, 0.11)
    assert 20e-3 < float(er.depth) < 40e-3


def test_the_wall_of_a_narrow_crater_takes_its_share():
    """h z (1 + w z/d) = F - F_th; heat of ablation alone without end of the beam; more than three times the depth from
    5 to 30 mJ in 120 um, wider for its energy and shallower (Hantash et al. Lasers Surg Med 2007;39:96-107)."""
    laser = ablation.CO2
    for spot in (0.12, 0.3, 2.0):
        depth = float(ablation.crater(300.0, 1e-3, laser, 0.11, spot=spot).depth)
        assert laser.heat * 100 * depth * (1 + laser.wall * depth / spot) == pytest.approx(300.0 - laser.threshold)
    endless = float(ablation.crater(300.0, 1e-3, laser, 0.11).depth)
    assert endless == pytest.approx((300.0 - laser.threshold) / (laser.heat * 100))
    fluence = np.array([5.0, 30.0]) * 1e-3 / (np.pi * 0.006**2)
    shallow, deep = np.asarray(ablation.crater(fluence, 1e-3, laser, 0.11, spot=0.12).depth)
    assert 3 < deep / shallow < 6
    with pytest.raises(ValueError, match="expected a spot of more than 0 mm, got 0"):
        ablation.crater(300.0, 1e-3, laser, 0.11, spot=0.0)


def test_heat_left_below_a_crater_is_conserved():
    of = ablation.crater(50.0, 1e-3, ablation.CO2, 0.11)
    depth = np.linspace(0, 8, 20001)
    for seconds in (0.0, 1e-7, 1e-3, 1.0):
        heat = np.trapezoid(np.asarray(ablation.left(of, depth, seconds, 0.11)), depth)
        assert heat == pytest.approx(float(of.rise * of.layer), rel=1e-4)


def test_impossible_ablation_is_refused():
    for fluence, seconds, alpha in ((-1.0, 1.0, 0.1), (1.0, 0.0, 0.1), (1.0, 1.0, -0.1)):
        with pytest.raises(ValueError, match="crater"):
            ablation.crater(fluence, seconds, ablation.CO2, alpha)
