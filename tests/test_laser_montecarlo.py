"""Photons one by one: published cases within three standard errors, and the deterministic solver beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

from cutis.core.keys import root
from cutis.core.laser.layers import Layers
from cutis.core.laser.light import propagate
from cutis.core.laser.montecarlo import simulate

CASES = json.loads((Path(__file__).parent / "data" / "laser" / "cases.json").read_text())


def layers(name):
    case = CASES[name]
    fields = ("thickness", "absorption", "scattering", "anisotropy", "refraction")
    return Layers(*(np.broadcast_to(np.asarray(case[f], dtype=float), (len(case["thickness"]),)) for f in fields))


def within(value, error, reference, own=0.0):
    return np.all(np.abs(np.asarray(value) - reference) <= 3.5 * np.hypot(np.asarray(error), own))


def test_the_slab_of_van_de_hulst():
    mean, error = simulate(root(1), layers("slab"), 20_000, [0.0, 0.1, 0.2])
    assert within(mean.reflectance, error.reflectance, 0.09739)  # LT01
    assert within(mean.transmittance, error.transmittance, 0.66096)  # LT02
    assert error.reflectance[0] < 0.003


def test_the_three_layers_of_mcml():
    mean, error = simulate(root(2), layers("three_layers"), 20_000, [0.0, 0.1, 2.0, 2.1, 3.9, 4.0])
    assert within(mean.reflectance, error.reflectance, 0.237859 + 0.0243729, 0.0003)  # LT08, LT13
    assert within(mean.absorbed[0], error.absorbed[0], [0.2612, 0.1488, 0.2316], 0.0003)  # LT11
    assert within(mean.fluence[0, 0, [0, 2, 4]], error.fluence[0, 0, [0, 2, 4]], [2.799, 0.8657, 0.41862], 0.01)  # LT12
    total = mean.reflectance + mean.transmittance + mean.absorbed.sum(axis=1)
    assert float(total[0]) == pytest.approx(1, abs=2e-3)  # roulette keeps it on average only


def test_layers_of_unlike_index_agree_with_the_solver():
    stack = Layers(
        np.array([0.1, 1.0]), np.array([0.5, 0.1]), np.array([10.0, 8.0]), np.array([0.8, 0.6]), np.array([1.5, 1.34])
    )
    mean, error = simulate(root(3), stack, 20_000, [0.0, 0.1], 1.0, 1.0)
    found = propagate(stack, 1.0, 1.0)
    assert within(mean.reflectance, error.reflectance, float(found.reflectance), 0.001)
    assert within(mean.absorbed[0], error.absorbed[0], np.asarray(found.absorbed), 0.001)


def test_a_spot_sees_less_than_a_broad_beam_and_the_draws_are_addressed():
    few = [simulate(root(4), layers("slab"), 4000, [0.0, 0.2], spots=s)[0] for s in ((0.2, np.inf), (np.inf,))]
    assert few[0].fluence[0, 0, 0] < few[0].fluence[0, 1, 0]
    assert float(few[0].reflectance[0]) == float(few[1].reflectance[0])


@pytest.mark.parametrize(
    ("photons", "edges", "spots", "message"),
    [
        (10, [0.0, 1.0], (np.inf,), "photons: 10"),
        (1000, [1.0, 0.5], (np.inf,), "edges"),
        (1000, [0.0, 1.0], (-1.0,), "spots"),
    ],
)
def test_bad_requests_are_refused(photons, edges, spots, message):
    with pytest.raises(ValueError, match=message):
        simulate(root(1), layers("slab"), photons, edges, spots=spots)
