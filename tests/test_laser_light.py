"""The solver of light in layers: closed forms, energy, limits, gradients, precision, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.laser.layers import Layers
from cutis.core.laser.light import Grid, propagate, radiance, specular
from cutis.core.laser.spot import spot_factor

SKIN = Layers(
    np.array([0.02, 0.06, 0.02, 0.2, 2.7]),
    np.array([0.03, 0.35, 1.7, 0.035, 0.028]),
    np.array([20.0, 20.0, 20.0, 13.0, 13.0]),
    np.full(5, 0.8),
    np.full(5, 1.4),
)
FAST = {"nodes": 8, "grid": Grid(6, 1)}


def test_without_scattering_light_falls_as_beer_and_lambert_say():
    stack = Layers(np.array([0.5, 2.0]), np.array([0.7, 20.0]), np.zeros(2), np.zeros(2), np.ones(2))
    found = propagate(stack, nodes=8)
    assert found.fluence(np.array([0.1, 0.5, 0.7])) == pytest.approx(np.exp([-0.07, -0.35, -4.35]), rel=1e-4)
    assert float(found.transmittance) == pytest.approx(np.exp(-40.35), abs=1e-9)
    assert found.absorbed == pytest.approx([-np.expm1(-0.35), np.exp(-0.35)], rel=1e-6)


def test_a_clear_plate_between_unlike_media_mirrors_as_its_two_faces_do():
    plate = Layers(np.array([1.0]), np.zeros(1), np.zeros(1), np.zeros(1), np.array([1.5]))
    found = propagate(plate, 1.0, 1.33, nodes=8)
    first, second = specular(1.0, 1.5), specular(1.5, 1.33)
    assert float(found.transmittance) == pytest.approx((1 - first) * (1 - second) / (1 - first * second), rel=1e-9)


@pytest.mark.parametrize("indices", [(1.4, 1.4, 1.4, 1.4, 1.4), (1.5, 1.34, 1.34, 1.4, 1.4)])
def test_what_comes_back_stays_or_goes_through_is_all_the_light(indices):
    found = propagate(SKIN._replace(refraction=np.array(indices)), 1.0, 1.0, nodes=8, grid=Grid(6, 1))
    assert float(found.reflectance + found.transmittance + found.absorbed.sum()) == pytest.approx(1, abs=1e-7)


def test_a_layer_cut_in_two_is_the_same_layer():
    halves = Layers(*(np.repeat(x[-1:], 2) for x in SKIN))._replace(thickness=np.array([0.9, 1.8]))
    whole = Layers(*(x[-1:] for x in SKIN))
    one, two = propagate(whole, nodes=8), propagate(halves, nodes=8)
    assert float(two.reflectance) == pytest.approx(float(one.reflectance), rel=1e-5)
    assert two.fluence(np.array([0.3, 1.2])) == pytest.approx(np.asarray(one.fluence(np.array([0.3, 1.2]))), rel=2e-3)


def test_the_absorbed_light_is_the_fluence_times_the_absorption():
    found = propagate(SKIN, **FAST)
    depths = np.linspace(0.1001, 0.2999, 400)
    inside = np.trapezoid(np.asarray(found.fluence(depths)), depths) * SKIN.absorption[3]
    assert float(found.absorbed[3]) == pytest.approx(inside, rel=3e-3)


def test_thirty_two_bits_are_enough():
    single = SKIN._replace(**{f: jnp.asarray(getattr(SKIN, f), "float32") for f in SKIN._fields[:4]})
    one, other = propagate(single, **FAST), propagate(SKIN, **FAST)
    assert one.absorbed.dtype == jnp.float32
    assert np.asarray(one.absorbed) == pytest.approx(np.asarray(other.absorbed), rel=4e-3)


def test_a_stack_does_not_depend_on_its_batch():
    many = SKIN._replace(absorption=SKIN.absorption * np.linspace(0.5, 2, 130)[:, None])
    alone = SKIN._replace(absorption=SKIN.absorption * np.linspace(0.5, 2, 130)[129])
    found = propagate(many, **FAST)
    assert found.absorbed.shape == (130, 5)
    assert np.asarray(found.absorbed[129]) == pytest.approx(np.asarray(propagate(alone, **FAST).absorbed), rel=1e-9)


@pytest.mark.parametrize("field", ["thickness", "absorption", "scattering", "anisotropy"])
def test_gradients_are_those_of_finite_differences(field):
    def melted(factor):
        changed = getattr(SKIN, field) * jnp.stack([jnp.ones(()), factor, *[jnp.ones(())] * 3])
        found = propagate(SKIN._replace(**{field: changed}), **FAST)
        return found.absorbed[2] + found.fluence(np.array([0.5]))[0]

    steep = float(jax.grad(melted)(jnp.ones(())))
    step = 1e-4
    assert steep == pytest.approx(
        float(melted(jnp.ones(()) + step) - melted(jnp.ones(()) - step)) / (2 * step), rel=1e-4
    )


def test_depths_outside_the_stack_have_no_fluence():
    assert np.isnan(propagate(SKIN, **FAST).fluence(np.array([-0.1, 3.1]))).all()


def test_a_grid_that_is_too_coarse_gives_no_number():
    assert np.isnan(propagate(SKIN, nodes=8, grid=Grid(2, 0)).reflectance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thickness": np.array([0.02, 0.0, 0.02, 0.2, 2.7])}, r"thickness: 0 at \(1,\)"),
        ({"absorption": -SKIN.absorption}, r"absorption: -0.03 at \(0,\)"),
        ({"scattering": np.full(5, np.nan)}, "scattering: nan"),
        ({"anisotropy": np.full(5, 1.0)}, "anisotropy: 1 at"),
        ({"refraction": np.full(5, 0.9)}, "refraction: 0.9 at"),
        ({"refraction": np.full(4, 1.4)}, "numbers of layers"),
        ({"thickness": np.full(5, np.inf)}, "thickness: inf at"),
    ],
)
def test_what_is_no_stack_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        propagate(SKIN._replace(**change))


def test_other_bad_requests_are_refused():
    with pytest.raises(ValueError, match=r"n_above: 0.5"):
        propagate(SKIN, 0.5)
    with pytest.raises(ValueError, match="nodes: 3"):
        propagate(SKIN, nodes=3)
    with pytest.raises(ValueError, match="needs an absorption above 0"):
        propagate(Layers(np.array([np.inf]), np.zeros(1), np.ones(1), np.zeros(1), np.ones(1)))
    with pytest.raises(ValueError, match="refraction: expected numbers"):
        jax.jit(propagate)(SKIN)
    with pytest.raises(ValueError, match="the same indices"):
        propagate(SKIN._replace(refraction=np.array([[1.4] * 5, [1.5] * 5])))
    with pytest.raises(ValueError, match="diameters"):
        spot_factor(SKIN, [0.0], [1.0])
    with pytest.raises(ValueError, match="depths"):
        spot_factor(SKIN, [5.0], [-1.0])


def test_wide_spots_lose_nothing_and_small_ones_more():
    factors = np.asarray(spot_factor(SKIN, [2.0, 5.0, 10.0, 40.0], [0.5, 1.5], 1.0, 1.0))
    assert (np.diff(factors, axis=0) > 0).all()
    assert factors[-1] == pytest.approx(1, abs=0.01)


def test_light_that_comes_back_over_all_angles_is_the_diffuse_reflectance():
    """Of matched and of mirroring surfaces: over the hemisphere, its cosine counted."""
    node, share = np.polynomial.legendre.leggauss(80)
    cosine = (node + 1) / 2
    for index, g in ((1.0, 0.75), (1.4, 0.8)):
        stack = Layers(*(np.array([x]) for x in (1.0, 0.1, 9.9, g, index)))
        told = np.asarray(radiance(stack, np.arccos(cosine)))
        whole = 2 * np.pi * (told * cosine * share / 2).sum()
        assert whole == pytest.approx(float(propagate(stack).reflectance) - specular(1.0, index), rel=0.01)
    with pytest.raises(ValueError, match=r"angles: 2\.0"):
        radiance(stack, 2.0)
