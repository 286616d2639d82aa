"""Acne in a trial: the shipped study, who is let in by a noisy count, skipped doses, controls, rescue."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.population.sample import POPULATIONS
from cutis.trials.checks import problems
from cutis.trials.compose import from_configuration
from cutis.trials.conduct import kernel, parameters_of, screening
from cutis.trials.report import words
from cutis.trials.report.build import _first_dose
from cutis.trials.schedule import mesh, protocol
from cutis.trials.study import Study, plain

from .toy import WEIGHED
from .toydisease import TOY

SHIPPED = from_configuration(["trial=acne/adapalene_bpo", "population=acne"]).study()


def changed(**conduct):
    told = plain(SHIPPED)
    told["trial"]["conduct"] |= conduct
    return Study.model_validate(told)


def test_the_shipped_study_is_sound():
    assert problems(SHIPPED) == []


def test_the_combination_is_both_components_and_has_no_parameters_of_its_own():
    arms = SHIPPED.trial.arms
    alone = {course.treatment for name in ("adapalene", "benzoyl_peroxide") for course in arms[name].regimen}
    assert {course.treatment for course in arms["combination"].regimen} == alone


def test_who_is_let_in_by_a_high_count_has_fewer_lesions_in_truth():
    twins, seen = screening("acne", "acne")(root(4), jnp.arange(4096), parameters_of(DISEASES["acne"]))
    true, counted = np.asarray(twins["inflammatory"]), np.asarray(seen["inflammatory"])
    assert np.corrcoef(true, counted)[0, 1] == pytest.approx(0.85, abs=0.1)
    high = counted >= 40
    assert true[high].mean() < counted[high].mean() - 3
    assert counted.mean() == pytest.approx(true.mean(), rel=0.03)
    np.testing.assert_array_equal(np.asarray(seen["iga"]), np.asarray(twins["iga"]))


def test_an_arm_with_a_vehicle_alone_is_a_control_and_one_with_nothing_is_untreated():
    acne = DISEASES["acne"]
    first = {name: _first_dose(SHIPPED, acne, name) for name in SHIPPED.trial.arms}
    assert first == {"combination": 0, "adapalene": 0, "benzoyl_peroxide": 0, "vehicle": None}
    empty = SHIPPED.trial.arms["vehicle"].model_copy(update={"regimen": ()})
    assert words.regimen(empty, acne.untreated) == "no treatment throughout"
    assert words.regimen(empty) == "placebo throughout"


def test_no_topical_is_rescue_in_acne():
    wrong = problems(changed(rescue={"treatment": "adapalene", "from_week": 8, "chance": 0.5}))
    assert wrong == ["trial.conduct.rescue: the model of acne knows no rescue treatment; leave it out"]


@pytest.mark.parametrize(
    ("course", "said"),
    [
        ({"treatment": "adapalene", "dose": "10 mg", "weeks": [0]}, "is given in application"),
        ({"treatment": "laser_1726", "dose": "2 J/cm2", "weeks": [0]}, "is given in session"),
        ({"treatment": "doxycycline", "dose": "900 mg", "weeks": [0], "times_a_day": 1, "until": 12}, "is above"),
        ({"treatment": "isotretinoine", "dose": "20 mg", "weeks": [0]}, "did you mean 'isotretinoin"),
    ],
)
def test_impossible_courses_are_named(course, said):
    told = plain(SHIPPED)
    told["trial"]["arms"]["vehicle"]["regimen"] = [course]
    (wrong,) = problems(Study.model_validate(told))
    assert said in wrong


def test_people_who_are_less_willing_take_less(monkeypatch):
    """A toy that adds up what is taken; half as willing from the first break on."""
    half = dataclasses.replace(TOY, name="unwilling", willing=lambda person, state: jnp.full_like(state[0], 0.5))
    monkeypatch.setitem(DISEASES, "unwilling", half)
    monkeypatch.setitem(POPULATIONS, "weighed", WEIGHED)
    monkeypatch.setitem(DISEASES, "toy", TOY)
    quiet = {"adverse_event": 0, "other": 0, "lack_of_efficacy": 0, "lack_of_efficacy_from": 0, "followed_up": 0}
    course = {"treatment": "pill", "dose": "10 mg", "weeks": [0], "times_a_day": 1, "until": 8}

    def taken(disease):
        trial = {
            **{"title": "toy", "question": "how much", "disease": disease, "visits": (0, 8), "outcomes": ["odd"]},
            **{"arms": {"only": {"regimen": [course]}}, "eligibility": {}},
            "randomisation": {"allocation": {"only": 1}, "block_size": 1},
            "conduct": {
                "adherence": {"probability": 1 - 1e-12, "spread": 0},
                "discontinuation": quiet,
                "missed_visit": 0,
            },
        }
        asked = Study.model_validate({"seed": 3, "population": {"source": "weighed", "size": 4}, "trial": trial})
        told, numbers = DISEASES[disease], jnp.arange(4)
        grid = mesh(asked.trial, 0.5)
        record = kernel(disease, "weighed")(
            root(3), numbers, jnp.zeros_like(numbers), protocol(asked, told, grid), parameters_of(told)
        )
        return np.asarray(record.visits["total"][-1]), grid.breaks

    (whole, few), (part, weekly) = taken("toy"), taken("unwilling")
    np.testing.assert_allclose(whole, 560, rtol=0.01)
    np.testing.assert_allclose(part, whole / 2, rtol=0.02)
    assert set(7.0 * np.arange(9)) <= set(weekly)  # asked anew every week
    assert len(few) < len(weekly)
