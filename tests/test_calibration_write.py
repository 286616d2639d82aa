"""A calibration as files: read back as they were meant, and drawn from with the errors they tell."""

import csv
import re
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from cutis.calibration.estimates import estimated
from cutis.calibration.evidence.reading import load
from cutis.calibration.psoriasis import write
from cutis.calibration.psoriasis.calibrate import PRIORS
from cutis.calibration.psoriasis.readings_fit import Estimate
from cutis.calibration.scale import Vector, believed, read_priors
from cutis.core.parameters import read_table
from cutis.core.psoriasis import uncertainty
from cutis.core.psoriasis.treatments import FILES, HERE, PARAMETERS

DRUGS = tuple(name.split(".")[0] for name in PARAMETERS if name.endswith(".half_maximal"))
NAMES = read_priors(PRIORS)
VECTOR = Vector(tuple(NAMES), tuple(p.scale for p in NAMES.values()), DRUGS)
BESIDE = SimpleNamespace(
    values={"light.plaque": 6.123456, "light.sensitivity": 0.5, "light.sensitivity:sd": 0.7},
    errors={"light.plaque": 0.31, "light.sensitivity": 0.18, "light.sensitivity:sd": 0.2},
)
TOLD = 0.5  # of the prior's SD is left where the trials tell of a parameter


@pytest.fixture(scope="module")
def calibrated():
    """Every estimate moved, and every error half of what it was before, but for that of one parameter."""
    prior = believed(NAMES, np.zeros(len(DRUGS)))
    _, sd = prior.all()
    left = np.where(np.array(VECTOR.labels) == "model.memory_floor", 0.95, TOLD) * sd
    size = len(sd)
    root = np.random.default_rng(1).normal(size=(size, 2 * size))
    mixed = root @ root.T
    scale = left / np.sqrt(np.diag(mixed))
    covariance = np.zeros((size + 2, size + 2))  # with two trial effects, which are no parameters
    covariance[:size, :size] = mixed * np.outer(scale, scale)
    covariance[size:, size:] = np.eye(2)
    numbers = PARAMETERS.numbers()
    vector = VECTOR.vector(numbers) + 0.1
    numbers |= {name: float(value) for name, value in VECTOR.numbers(vector).items()}
    numbers |= {"trial.effect:sd": 0.25, "trial.intraclass": 0.0123456, "sensitivity.weight": 0.7}
    read = SimpleNamespace(estimates=(Estimate("signs.severity", 0.4321, 0.05),))
    fit = SimpleNamespace(covariance=covariance, believed=prior)
    return SimpleNamespace(numbers=numbers, vector=VECTOR, fit=fit, read=read)


@pytest.fixture(scope="module")
def folder(calibrated, tmp_path_factory):
    """The files of the disease with the new ones in place of the old."""
    path = tmp_path_factory.mktemp("psoriasis")
    for file in (*FILES, HERE / "sources.yaml"):
        (path / file.name).write_text(file.read_text(encoding="utf-8"))
    for name, text in write.files(calibrated, BESIDE).items():
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def table(folder):
    return read_table(*(folder / file.name for file in FILES), sources=folder / "sources.yaml")


def test_all_parameters_are_there_with_their_new_values(calibrated, table):
    assert set(table) == set(PARAMETERS)
    for name in estimated(HERE / "calibrated.yaml"):
        assert table.value(name) == pytest.approx(calibrated.numbers[name], rel=1e-4), name
        assert table[name].unit == PARAMETERS[name].unit
        assert table[name].about == PARAMETERS[name].about
    assert table.sd("model.plaque_rate") == pytest.approx(calibrated.numbers["model.plaque_rate:sd"], rel=1e-4)
    assert table.sd("trial.effect") == 0.25
    assert table.value("signs.severity") == 0.4321
    assert table.value("light.plaque") == pytest.approx(6.123456, rel=1e-4)
    assert table.sd("light.sensitivity") == 0.7
    others = (
        set(PARAMETERS)
        - set(estimated(HERE / "calibrated.yaml"))
        - {"signs.severity", "light.plaque", "light.sensitivity"}
    )
    assert all(table[name].value == PARAMETERS[name].value for name in others)


def test_what_the_trials_hardly_tell_of_is_assumed(table):
    assert table["model.memory_floor"].status == "assumed"
    assert "hardly tell" in table["model.memory_floor"].note
    for name in ("model.tnf_rate", "guselkumab.half_maximal", "trial.effect", "trial.intraclass", "sensitivity.weight"):
        assert table[name].status == "calibrated", name
    assert table["placebo.worsening"].status == PARAMETERS["placebo.worsening"].status


def test_errors_are_told_on_the_scale_of_the_estimate(table):
    told = table["model.memory_floor"].uncertainty
    assert (told.scale, told.prior_sd) == ("logit", 1.0)
    assert told.sd == pytest.approx(0.95, abs=1e-3)
    spread = table["model.plaque_rate"].spread_uncertainty
    assert spread.sd == pytest.approx(TOLD * spread.prior_sd, rel=1e-3)
    assert table["placebo.worsening"].uncertainty is None
    assert table["light.plaque"].note.startswith("standard error of the logarithm 0.31;")
    assert "standard error of the logarithm 0.18, of the SD's 0.2" in table["light.sensitivity"].note


def test_writing_again_changes_nothing(calibrated, folder):
    again = write.files(calibrated, BESIDE)
    assert {name: (folder / name).read_text() for name in again} == again


def test_the_covariance_is_that_of_the_parameters_alone(calibrated, folder):
    rows = list(csv.reader((folder / "uncertainty.csv").open(encoding="utf-8")))
    assert rows[0] == ["parameter", "scale", *VECTOR.labels]
    assert [row[0] for row in rows[1:]] == list(VECTOR.labels)
    assert {row[0]: row[1] for row in rows[1:]}["placebo.improving"] == "logit"
    found = np.array([[float(x) for x in row[2:]] for row in rows[1:]])
    size = VECTOR.size
    np.testing.assert_allclose(found, calibrated.fit.covariance[:size, :size], rtol=1e-6)


def test_an_estimate_without_a_parameter_is_an_error():
    text = (HERE / "outside.yaml").read_text(encoding="utf-8")
    beside = SimpleNamespace(values={"light.colour": 1.0}, errors={})
    with pytest.raises(ValueError, match=r"outside\.yaml: no parameter light\.colour"):
        write.outside_text(text, beside)


def test_an_estimate_at_the_end_of_its_range_says_so_until_it_is_not():
    text = (HERE / "outside.yaml").read_text(encoding="utf-8")
    at_end = write.outside_text(text, SimpleNamespace(values={"light.plaque": 10.0}, errors={}))
    entry = yaml.safe_load(at_end)["light"]["plaque"]
    assert (entry["value"], entry["note"][: len(write.UNTOLD)]) == (10.0, write.UNTOLD)
    again = write.outside_text(at_end, BESIDE)
    assert yaml.safe_load(again)["light"]["plaque"]["note"].startswith("standard error of the logarithm 0.31;")


def test_what_is_not_estimated_beside_the_model_stays_as_it_is():
    text = (HERE / "outside.yaml").read_text(encoding="utf-8")
    nothing = SimpleNamespace(values={}, errors={})
    assert yaml.safe_load(write.outside_text(text, nothing)) == yaml.safe_load(text)


@pytest.fixture
def drawn(folder, monkeypatch):
    """Draws from the file of the small calibration."""
    monkeypatch.setattr(uncertainty, "FILE", folder / "uncertainty.csv")
    uncertainty._estimates.cache_clear()
    yield uncertainty.draw
    uncertainty._estimates.cache_clear()


def test_draws_have_the_means_and_the_covariance_of_the_estimates(drawn, calibrated):
    number = 4000
    sets = [drawn(i) for i in range(number)]
    found = np.array([VECTOR.vector(s) for s in sets]) - VECTOR.vector(PARAMETERS.numbers())
    covariance = calibrated.fit.covariance[: VECTOR.size, : VECTOR.size]
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(found.mean(0)) < 4.5 * sd / np.sqrt(number)).all()
    correlation, expected = np.corrcoef(found.T), covariance / np.outer(sd, sd)
    assert np.abs(correlation - expected).max() < 5 / np.sqrt(number)
    np.testing.assert_allclose(found.std(0), sd, rtol=4.5 / np.sqrt(2 * number))
    effect = np.array([s["trial.effect"] for s in sets])
    spread = PARAMETERS.sd("trial.effect")
    assert effect.mean() == pytest.approx(0, abs=4.5 * spread / np.sqrt(number))
    assert effect.std() == pytest.approx(spread, rel=4.5 / np.sqrt(2 * number))


def test_a_draw_is_the_same_for_the_same_number_and_names_parameters(drawn):
    assert drawn(3) == drawn(3) != drawn(4)
    assert set(drawn(0)) == {*VECTOR.labels, "trial.effect"} <= set(PARAMETERS.numbers())
    assert all(
        0 < drawn(5)[name] < 1 for name, scale in zip(VECTOR.names, VECTOR.scales, strict=True) if scale == "logit"
    )


def test_rows_and_columns_that_differ_are_an_error(folder, drawn, monkeypatch, tmp_path):
    lines = (folder / "uncertainty.csv").read_text().splitlines()
    (tmp_path / "uncertainty.csv").write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    monkeypatch.setattr(uncertainty, "FILE", tmp_path / "uncertainty.csv")
    with pytest.raises(ValueError, match=r"uncertainty\.csv: rows and columns must name the same parameters"):
        drawn(0)


GOOD = {"middle": 0.1, "scale": "log", "sd": 0.5, "why": "because"}


def priors(tmp_path, content):
    file = tmp_path / "priors.yaml"
    file.write_text(yaml.safe_dump(content))
    return read_priors(file)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({k: v for k, v in GOOD.items() if k != "why"}, "x.y: lacks why"),
        (GOOD | {"mean": 1}, "x.y: unknown mean"),
        (GOOD | {"scale": "linear"}, "x.y.scale: 'linear' is none of log, logit"),
        (GOOD | {"middle": 0}, "x.y.middle: 0 is not from 1e-09"),
        (GOOD | {"middle": "much"}, "x.y.middle: expected a number, got 'much'"),
        (GOOD | {"scale": "logit", "middle": 1.0}, "x.y.middle: 1 is not from 1e-09 to 1"),
        (GOOD | {"sd": 0}, "x.y.sd: 0 is not from 1e-09"),
        (GOOD | {"sd": True}, "x.y.sd: expected a number, got True"),
        ("0.1", "x.y: expected names and values, got '0.1'"),
    ],
)
def test_a_slip_in_the_priors_is_told_with_its_place(tmp_path, entry, said):
    with pytest.raises(ValueError, match=re.escape(f"priors.yaml: {said}")):
        priors(tmp_path, {"parameters": {"x.y": entry}})


@pytest.mark.parametrize("content", [{}, {"parameters": {}}, {"parameters": {}, "more": {}}, []])
def test_a_file_without_priors_is_told(tmp_path, content):
    with pytest.raises(ValueError, match=r"^priors\.yaml: expected"):
        priors(tmp_path, content)


def test_the_priors_are_of_parameters_of_the_disease_on_scales_they_can_have():
    assert set(NAMES) <= set(PARAMETERS.numbers())
    assert list(load(PRIORS, ("parameters",))["parameters"]) == list(NAMES)
    vector = VECTOR.vector(PARAMETERS.numbers())
    assert np.isfinite(vector).all()
    back = VECTOR.numbers(vector)
    assert all(float(back[name]) == pytest.approx(PARAMETERS.numbers()[name]) for name in VECTOR.labels)
