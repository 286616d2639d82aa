"""From odds ratios to shifts of half-maximal concentrations, by hand."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, logit

from cutis.calibration.psoriasis.covariates import (
    BIOLOGICS,
    HEAVIER,
    TAKEN,
    WEIGHT,
    biologics,
    by_concentration,
    shifts,
    steepness,
)
from cutis.calibration.psoriasis.evidence.targets import TimeCourse, effects, timecourses
from cutis.calibration.psoriasis.table import TYPICAL, Entry, build
from cutis.core.psoriasis.treatments import PARAMETERS, TREATMENTS

from .smalltrials import NUMBERS, SIZE, VECTOR, courses, curves, theta

ENTRIES = (
    Entry("course", "a", "", "pasi90", 16, 0, -1, 16),
    Entry("course", "a", "", "pasi75", 16, 0, -1, 16),
    Entry("course", "b", "", "pasi90", 16, 1, -1, 16),
    Entry("course", "b", "", "pasi90", 12, 1, -1, 12),
    Entry("arm", "t", "x", "pasi90", 16, 1, 0, 16),
)
KNOWN = {
    key: SimpleNamespace(odds_ratio=ratio) for key, ratio in zip(TAKEN.values(), (0.66, 0.78, 1.25, 0.99), strict=True)
}


@pytest.fixture(autouse=True)
def usual_promotion():
    """The calibration is not written for JAX's strict rules of types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def table(value):
    return SimpleNamespace(entries=ENTRIES, trials=("t",), values=lambda vector, effects: value)


def test_steepness_is_the_mean_fall_of_the_logit_of_pasi90_at_week_16():
    value, slope = np.array([0.5, 0.7, 0.2, 0.1, 0.1]), np.array([-0.1, -9.0, -0.04, -9.0, -9.0])
    fitted = SimpleNamespace(slopes=SimpleNamespace(value=value, drug=slope))
    assert steepness(table(value), fitted) == pytest.approx((0.1 / 0.25 + 0.04 / 0.16) / 2)


def test_what_weight_does_by_concentrations_is_a_change_of_the_logit():
    light = np.array([0.5, 0.7, 0.2, 0.1, 0.1])
    heavy = expit(logit(light) - np.array([0.06, 9.0, 0.04, 9.0, 9.0]))
    found = by_concentration(table(light), table(heavy), SimpleNamespace(vector=None))
    assert found == pytest.approx(-0.05 / np.log(HEAVIER))


def test_shifts_are_logarithms_of_odds_ratios_over_the_steepness():
    found = shifts(KNOWN | {WEIGHT: SimpleNamespace(odds_ratio=0.98)}, 0.5, -0.8)
    assert found == pytest.approx({
        "sensitivity.prior_biologic": -np.log(0.66) / 0.5, "sensitivity.smoker": -np.log(0.78) / 0.5,
        "sensitivity.female": -np.log(1.25) / 0.5, "sensitivity.age": -np.log(0.99) / 0.5,
        "sensitivity.weight": (-0.8 - 90 * np.log(0.98)) / 0.5,
    })  # fmt: skip
    assert found["sensitivity.female"] < 0 < found["sensitivity.smoker"]


def test_a_difference_in_points_is_no_odds_ratio():
    told = KNOWN | {WEIGHT: SimpleNamespace(key="weight", odds_ratio=None)}
    with pytest.raises(ValueError, match=r"effects\.yaml: weight: gives no odds ratio"):
        shifts(told, 0.5, -0.8)


def test_where_concentrations_explain_all_of_weight_nothing_is_left():
    found = shifts(KNOWN | {WEIGHT: SimpleNamespace(odds_ratio=0.99)}, 0.5, -2.0)
    assert found["sensitivity.weight"] == 0.0


def test_the_evidence_has_what_is_taken_and_the_parameters_it_is_for():
    told = {effect.key: effect for effect in effects()}
    assert all(told[key].odds_ratio for key in (*TAKEN.values(), WEIGHT))
    assert set(shifts(told, 1.0, 0.0)) <= set(PARAMETERS)
    assert set(BIOLOGICS) == {name for name, t in TREATMENTS.items() if t.route in ("subcutaneous", "intravenous")}


def test_biologics_are_told_from_other_courses():
    found = biologics(timecourses())
    assert found
    assert {course.courses[0].treatment for course in found} <= set(BIOLOGICS)
    bare = replace(found[0], courses=())
    pill = replace(found[0], courses=(replace(found[0].courses[0], treatment="apremilast"),))
    assert biologics((bare, pill, found[0])) == (found[0],)


def test_a_shift_gives_back_its_odds_ratio():
    """People whose half-maximal concentrations are higher by the shift: the model's odds ratio is the published one."""
    course = TimeCourse("c", "measured", "", "", courses("guselkumab"), {"pasi90": {16: 60.0}})

    def built(prior_biologic, shift):
        fixed = theta() | {"sensitivity.prior_biologic": jnp.asarray(shift)}
        people = replace(TYPICAL, prior_biologic=prior_biologic)
        return build((), (course,), (), VECTOR, fixed, curves(), SIZE, people)

    start = VECTOR.vector(NUMBERS)
    usual = built(0.0, 0.0)
    steep = steepness(usual, SimpleNamespace(slopes=usual.slopes(start, np.zeros(0))))
    shift = -np.log(0.9) / steep
    naive, experienced = (built(share, shift).values(start, np.zeros(0))[0] for share in (0.0, 1.0))
    assert np.exp(logit(experienced) - logit(naive)) == pytest.approx(0.9, abs=0.01)
