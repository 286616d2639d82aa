"""The solver's error in what trials report: by step refinement below a tenth of the chance error of a large arm."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.calibration.psoriasis import readings, steps
from cutis.calibration.psoriasis.evidence.regimens import read_course
from cutis.calibration.psoriasis.quantities import PLACEBO, usual
from cutis.core.diseases import DISEASES
from cutis.trials.numerics import MEAN_TOLERANCE, TOLERANCE, largest, mean_of_worst_arm

NUMBERS = DISEASES["psoriasis"].parameters.numbers()
THETA = readings.arrays(NUMBERS)
PEOPLE = 128
CLASSES = (  # one of each class; brodalumab has the saturable kernel
    *("adalimumab", "infliximab", "ustekinumab", "risankizumab", "ixekizumab", "bimekizumab"),
    *("apremilast", "deucravacitinib", "methotrexate"),
)
LIGHT = {
    **{"treatment": "nb_uvb", "dose": "0.35 J/cm2", "weeks": [0], "sessions_a_week": 3, "until": 12},
    **{"raise_by": 0.2, "at_most": "2 J/cm2"},
}
FINER = 4
# How far the calibration's own scheme may be off, over the chance error in an arm of a thousand people. It takes the
# concentration at the beginning of a step from before an intravenous or oral dose, and its steps do not resolve how
# abruptly brodalumab ends.
OFF = {"infliximab": 0.4, "methotrexate": 0.2, "brodalumab": 0.8}


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@cache
def curves():
    found = readings.response_curves(NUMBERS, 1, 2048)
    return {name: found[name] for name in ("pasi75", "pasi90")}


def light():
    bare = usual(PLACEBO, PEOPLE)
    return replace(bare, arm=replace(bare.arm, name="nb_uvb", courses=(read_course(LIGHT, "light"),)))


@pytest.mark.parametrize("name", [*CLASSES, "nb_uvb"])
def test_steps_add_less_than_a_tenth_of_the_chance_error_of_a_thousand_people(name):
    scenario = light() if name == "nb_uvb" else usual(name, PEOPLE)
    found = steps.refine([scenario], THETA, curves(), TOLERANCE, FINER)
    assert set(found.quantity) == {"pasi75", "pasi90", "activity"}
    assert (found.error < found.allowed).all()
    # of third order: an eighth, where neither rounding nor a bend of the reading curves shows
    assert ((found.error_halved < found.error / 4) | (found.error < 1e-7)).all()


def test_so_it_is_under_saturable_elimination_on_the_mesh_of_a_study():
    """Which goes by the mean error: the largest is that of a few on whom the drug has just ended."""
    scenario, nobody_else = usual("brodalumab", PEOPLE), np.zeros(PEOPLE)
    states = {scale: steps.follow(scenario, THETA, scale) for scale in (2.0, 1.0, 0.5, 0.25, 0.125)}
    error = {s: mean_of_worst_arm(states[s], states[s / 2], nobody_else) for s in states if s / 2 in states}
    scale = max(s for s in error if error[s] <= MEAN_TOLERANCE)
    assert largest(states[scale], states[scale / 2]) > TOLERANCE
    here, half, exact = (
        steps.quantities(steps.seen(scenario, THETA, s), curves()) for s in (scale, scale / 2, scale / FINER)
    )
    for name, (value, sd) in exact.items():
        off, off_halved = abs(here[name][0] - value), abs(half[name][0] - value)
        assert off < steps.SHARE * sd / np.sqrt(steps.ARM)
        assert off_halved < off


def test_a_mesh_that_is_too_coarse_shows():
    exact, coarse = (steps.seen(light(), THETA, scale) for scale in (0.5, 64.0))
    value, sd = steps.quantities(exact, curves())["activity"]
    allowed = steps.SHARE * sd / np.sqrt(steps.ARM)
    assert abs(steps.quantities(coarse, curves())["activity"][0] - value) > allowed


def test_what_no_mesh_resolves_is_an_error(monkeypatch):
    monkeypatch.setattr(steps, "SHORTEST", 2.0)
    with pytest.raises(ArithmeticError, match="placebo: not resolved by 2 of"):
        steps.tune(usual(PLACEBO, PEOPLE), THETA | {"model.feedback": jnp.asarray(np.nan)}, TOLERANCE)


@pytest.mark.parametrize("name", [PLACEBO, *CLASSES, "brodalumab"])
def test_the_scheme_of_the_calibration_agrees_with_the_engine_for_the_same_people(name):
    found = steps.compare([usual(name, PEOPLE)], THETA, curves(), 0.25).iloc[0]
    for outcome in ("pasi75", "pasi90"):
        share = found[outcome]
        chance = np.sqrt(share * (1 - share) / steps.ARM)
        assert abs(share - found[f"{outcome}_calibration"]) < OFF.get(name, steps.SHARE) * chance
    assert found.difference < 0.05


def test_more_doses_than_the_arrays_hold_are_an_error():
    scenario = light()
    long = replace(scenario.arm.courses[0], until=60)
    many = replace(scenario, arm=replace(scenario.arm, courses=(long,)))
    with pytest.raises(ValueError, match=r"nb_uvb: \d+ breaks, more than 128"):
        steps.lay_out(many, 1.0, weeks=60)
