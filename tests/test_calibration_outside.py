"""What is estimated beside the model, and how all parts of a calibration come together; every part is a stub here."""

from functools import partial
from types import SimpleNamespace

import jax
import pandas as pd
import pytest
import yaml

from cutis.calibration.estimates import assumed
from cutis.calibration.psoriasis import importance, outside, phototherapy, results, triggers
from cutis.calibration.psoriasis.calibrate import PEOPLE, SEED
from cutis.calibration.psoriasis.topical import Clearing
from cutis.calibration.report.frames import COLUMNS, take
from cutis.core.diseases import DISEASES
from cutis.core.parameters import Parameter, Source, Table
from cutis.core.psoriasis.treatments import FILES, PARAMETERS

from .calibrated import found as made_up
from .smalltrials import NUMBERS

LIGHT = {"median": 0.4, "sd": 0.7, "memory": 0.02, "plaque": 6.0, "fading": 0.3, "resistance": 0.1}
ERRORS = {"median": 0.2, "memory": 0.9, "plaque": 0.3, "resistance": 0.4}  # those of `sd` and `fading` are not known
FOAM = Clearing(0.07, 0.06, (), (0.1, 0.5))
FLARES = triggers.Sizes({"triggers.infection_size": 0.5, "triggers.season:sd": 0.1}, 0.9, 0.12, 1.0, 1.0)


@pytest.fixture
def parts(monkeypatch):
    """Stubs of the three estimates; `parts.calls` tells what they were given."""
    calls = []
    light = SimpleNamespace(fit=SimpleNamespace(values=LIGHT, errors=ERRORS))

    def answer(name, value):
        def stub(*given):
            calls.append((name, *given))
            return value

        return stub

    monkeypatch.setattr(triggers, "estimate", answer("triggers", FLARES))
    monkeypatch.setattr(outside.phototherapy_check, "check", answer("light", light))
    monkeypatch.setattr(outside.topical, "estimate", answer("topical", FOAM))
    monkeypatch.setattr(outside, "read_patients", lambda: "the cohort")
    return SimpleNamespace(calls=calls, light=light)


def test_estimates_stand_under_the_names_of_their_parameters(parts):
    found = outside.estimate({"model.feedback": 1.0})
    assert found.values == {
        "light.sensitivity": 0.4, "light.sensitivity:sd": 0.7, "light.memory": 0.02, "light.plaque": 6.0,
        "nb_uvb.clearance": 0.3, "topical.clearing": 0.07, "triggers.infection_size": 0.5, "triggers.season:sd": 0.1,
    }  # fmt: skip
    assert found.errors == {
        "light.sensitivity": 0.2, "light.memory": 0.9, "light.plaque": 0.3, "topical.clearing": 0.06,
    }  # fmt: skip
    assert (found.light, found.topical, found.triggers) == (parts.light, FOAM, FLARES)


def test_every_estimate_sees_the_same_parameters(parts):
    theta = {"model.feedback": 1.0}
    outside.estimate(theta)
    assert parts.calls == [("triggers", theta), ("light", "the cohort", theta), ("topical", theta)]
    outside.estimate(theta, "a few patients")
    assert parts.calls[4] == ("light", "a few patients", theta)


def test_names_are_those_of_the_fit_of_light_and_of_parameters():
    assert set(outside.LIGHT) <= set(phototherapy.NAMES)
    told = {*outside.LIGHT.values(), "topical.clearing", *FLARES.values}
    assert told <= set(PARAMETERS.numbers())


def test_plaques_that_do_not_keep_still_are_refused_before_anything_is_fitted(parts, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(outside.phototherapy_check, "check", lambda *given: pytest.fail("light was fitted"))
    monkeypatch.setattr(triggers, "estimate", partial(triggers.estimate, size=32))
    unstable = NUMBERS | {"model.tnf_free_drive": 0.0, "model.feedback": 0.9, "model.memory_floor": 0.0}
    with jax.numpy_dtype_promotion("standard"), pytest.raises(ValueError, match=r"steady state|run away"):
        outside.estimate(unstable)


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        (outside.phototherapy_check, "check", RuntimeError("phototherapy: the fit did not converge: reason")),
        (outside.topical, "estimate", ValueError("topical: no rate of clearing")),
    ],
)
def test_a_part_that_fails_fails_all(parts, monkeypatch, module, name, error):
    def fail(*given):
        raise error

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(type(error), match=str(error)):
        outside.estimate({})


@pytest.fixture
def pieces(monkeypatch):
    """A calibration whose tables are made up; `pieces.calls` tells who was given what."""
    made, calls = made_up(), []
    calibrated = SimpleNamespace(numbers={"model.feedback": 1.0})
    beside = SimpleNamespace(light="the check of light")
    light = {name: getattr(made, name) for name in COLUMNS if name.startswith("phototherapy")}

    def answer(name, value):
        def stub(*given, **named):
            calls.append((name, *given, named))
            return value

        return stub

    validated = SimpleNamespace(predictions=made.predictions.iloc[::-1], differences=made.differences.iloc[::-1])
    for module, name, value in (
        (results, "calibrate", calibrated),
        (results.outside, "estimate", beside),
        (results.write, "files", {"calibrated.yaml": "ä: 1\n", "uncertainty.csv": "parameter\n"}),
        (results, "of_phototherapy", light),
        (results.validate, "fitted", made),
        (results.validate, "validate", validated),
        (results.importance, "importance", made.importance),
        (results.facts, "parameters", made.parameters),
        (results.facts, "courses", made.courses),
        (results.facts, "relapses", made.relapses),
        (results.facts, "covariate_effects", made.effects),
        (results.facts, "onset", made.onset),
    ):
        monkeypatch.setattr(module, name, answer(name, value))
    return SimpleNamespace(made=made, calls=calls, calibrated=calibrated, beside=beside, validated=validated)


def test_a_calibration_has_every_table_in_its_place(pieces):
    said = []
    found = results.calibration(64, said.append)
    assert found.found is pieces.calibrated
    for name in COLUMNS:
        if name not in ("importance", "assumed", "checks"):  # of facts beside, psoriasis has tables of its own
            assert getattr(found, name) is getattr(pieces.made, name), name
    assert found.importance is None
    assert found.files == {"calibrated.yaml": "ä: 1\n".encode(), "uncertainty.csv": b"parameter\n"}
    assert said == ["light, topical and triggers"]
    taken = take(found)
    assert taken["importance"].empty
    pd.testing.assert_frame_equal(taken["assumed"], assumed(DISEASES["psoriasis"].parameters, importance.unranked))


def test_what_is_estimated_first_is_handed_on(pieces):
    say = print
    results.calibration(64, say)
    calls = {name: given for name, *given in pieces.calls}
    assert calls["calibrate"] == [{"people": 64, "say": say}]
    assert calls["estimate"] == [pieces.calibrated.numbers, {}]
    assert calls["files"] == [pieces.calibrated, pieces.beside, {}]
    assert calls["of_phototherapy"] == ["the check of light", {}]
    for name in ("fitted", "parameters", "courses", "relapses", "covariate_effects", "onset"):
        assert calls[name] == [pieces.calibrated, {}], name
    results.calibration()
    assert pieces.calls[len(calls)][1]["people"] == PEOPLE


def test_a_validation_changes_predictions_and_adds_importance(pieces):
    before = results.calibration(64)
    pieces.calls.clear()
    say = print
    after = results.validation(before, 3, say)
    assert pieces.calls == [
        ("validate", pieces.calibrated, 3, say, {}),
        ("importance", SEED, {"say": say}),
    ]
    assert after.predictions is pieces.validated.predictions
    assert after.differences is pieces.validated.differences
    assert after.importance is pieces.made.importance
    assert before.importance is None
    kept = set(vars(before)) - {"predictions", "differences", "importance"}
    assert all(getattr(after, name) is getattr(before, name) for name in kept)


def test_assumed_parameters_are_those_whose_status_says_so():
    def leaves(node, head=""):
        for key, child in node.items():
            if "value" in child:
                yield f"{head}{key}", child
            else:
                yield from leaves(child, f"{head}{key}.")

    told = dict(leaf for file in FILES for leaf in leaves(yaml.safe_load(file.read_text(encoding="utf-8"))))
    rows = assumed(DISEASES["psoriasis"].parameters, importance.unranked).set_index("name")
    assert set(rows.index) == {name for name, leaf in told.items() if leaf["status"] == "assumed"}
    assert rows.index.is_unique
    assert 0 < len(rows) < len(told)
    for name, row in rows.iterrows():
        assert (row.value, row.unit, row.about) == (told[name]["value"], told[name]["unit"], told[name]["about"])


def test_an_assumed_parameter_is_told_with_its_source_its_note_and_why_it_is_not_ranked():
    def known(name, status, note=""):
        return Parameter(name, f"about {name}", 2.0, "1/day", status, "doe", note=note)

    names = {"model.a": "assumed", "model.b": "measured", "light.c": "assumed", "model.d": "calibrated"}
    table = Table(
        {name: known(name, status, f"note on {name}") for name, status in names.items()},
        {"doe": Source("doe", "Doe J. Journal 2020;1:1-2")},
    )
    rows = assumed(table, importance.unranked)
    assert rows.columns.tolist() == ["name", "about", "value", "unit", "source", "note", "unranked"]
    assert rows.to_numpy().tolist() == [
        ["model.a", "about model.a", 2.0, "1/day", "Doe J. Journal 2020;1:1-2", "note on model.a", ""],
        [
            *("light.c", "about light.c", 2.0, "1/day", "Doe J. Journal 2020;1:1-2", "note on light.c"),
            "acts under light or topicals only",
        ],
    ]
