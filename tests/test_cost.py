"""What a study costs, told before it is run."""

import pytest

from cutis.core.diseases import DISEASES
from cutis.trials import cost
from cutis.trials.compose import from_configuration
from cutis.trials.schedule import mesh


def study(*words):
    return from_configuration(list(words)).study()


def test_every_disease_has_a_time_of_its_own():
    for part in ("begin", "step"):
        assert set(cost.table().within(f"seconds.{part}")) == set(DISEASES)
    assert all(parameter.value >= 0 for parameter in cost.table().values())


def test_cost_is_what_the_model_says():
    told, trial = cost.table(), "psoriasis/il23_vs_tnf"
    small, large = (study(f"trial={trial}", f"population.size={n}") for n in (3000, 9000))
    steps = mesh(small.trial, 1.0).steps
    each = told.value("seconds.each") + steps * told.value("seconds.step.psoriasis")
    one, three = cost.estimate(small), cost.estimate(large)
    assert 3600 * (three.core_hours - one.core_hours) == pytest.approx(6000 * each)
    assert 3600 * one.core_hours == pytest.approx(told.value("seconds.begin.psoriasis") + 3000 * each)
    assert one.dollars == pytest.approx(one.core_hours * told.value("price.core"))
    visits = len(small.trial.visits)
    size = told.value("bytes.twin") + visits * told.value("bytes.visit")
    assert three.megabytes - one.megabytes == pytest.approx(6000 * size / 1e6)


def test_a_split_body_trial_costs_both_sides():
    told, split = cost.table(), study("trial=acne/split_face", "population=acne", "population.size=1000")
    each = told.value("seconds.each") + 2 * mesh(split.trial, 1.0).steps * told.value("seconds.step.acne")
    assert 3600 * cost.estimate(split).core_hours == pytest.approx(told.value("seconds.begin.acne") + 1000 * each)


def test_the_cost_is_told_in_words():
    said = cost.words(study("trial=psoriasis/il23_vs_tnf", "population.size=1000"))
    assert "core minutes" in said
    assert said.endswith("MB on disk")
    many = cost.words(study("trial=psoriasis/il23_vs_tnf", "population.size=100000000"))
    assert "core hours" in many
    assert "US dollars at" in many
