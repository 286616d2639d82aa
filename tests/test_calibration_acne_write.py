"""A calibration of acne as files: read back as they were meant, and drawn from with the errors they tell."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from cutis.calibration.acne import write
from cutis.calibration.acne.calibrate import PRIORS, SPREADS
from cutis.calibration.estimates import estimated
from cutis.calibration.scale import Vector, believed, read_priors
from cutis.core.acne import uncertainty
from cutis.core.acne.treatments import FILES, HERE, PARAMETERS
from cutis.core.parameters import read_table
from cutis.core.uncertainty import read_estimates, varied

NAMES = read_priors(PRIORS)
VECTOR = Vector(tuple(NAMES), tuple(p.scale for p in NAMES.values()))
LOOSE = next(name for name in VECTOR.labels if not name.endswith(":sd"))  # of which the trials hardly tell
TOLD = 0.5  # of the prior's SD is left where they tell of a parameter


@pytest.fixture(scope="module")
def calibrated():
    """Every estimate moved, and every error half of what it was before, but for that of LOOSE."""
    prior = believed(NAMES)
    middle, sd = prior.all()
    left = np.where(np.array(VECTOR.labels) == LOOSE, 0.95, TOLD) * sd
    size = len(sd)
    root = np.random.default_rng(1).normal(size=(size, 2 * size))
    mixed = root @ root.T
    scale = left / np.sqrt(np.diag(mixed))
    covariance = np.zeros((size + 2, size + 2))  # with two effects of trials, which are no parameters
    covariance[:size, :size] = mixed * np.outer(scale, scale)
    covariance[size:, size:] = np.eye(2)
    numbers = PARAMETERS.numbers() | {name: float(x) for name, x in VECTOR.numbers(middle + 0.1).items()}
    numbers |= {"trial.vehicle:sd": 0.41, "trial.rater:sd": 0.13}
    return SimpleNamespace(numbers=numbers, vector=VECTOR, fit=SimpleNamespace(covariance=covariance, believed=prior))


@pytest.fixture(scope="module")
def folder(calibrated, tmp_path_factory):
    """The files of the disease with the new ones in place of the old."""
    path = tmp_path_factory.mktemp("acne")
    for file in (*FILES, HERE / "sources.yaml"):
        (path / file.name).write_text(file.read_text(encoding="utf-8"))
    sources = yaml.safe_load((path / "sources.yaml").read_text())
    sources.setdefault(write.SOURCE, {"citation": "Cutis calibration, 2026."})
    (path / "sources.yaml").write_text(yaml.safe_dump(sources))
    for name, text in write.files(calibrated, {}).items():
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def table(folder):
    return read_table(*(folder / file.name for file in FILES), sources=folder / "sources.yaml")


def test_all_parameters_are_there_with_their_new_values(calibrated, table):
    assert set(table) == set(PARAMETERS)
    numbers = table.numbers()
    for name in VECTOR.labels:
        assert numbers[name] == pytest.approx(calibrated.numbers[name], rel=1e-4), name
    for name in estimated(HERE / "calibrated.yaml"):
        assert (table[name].about, table[name].unit) == (PARAMETERS[name].about, PARAMETERS[name].unit)
    assert table.sd("trial.vehicle") == 0.41
    assert table.sd("trial.rater") == 0.13
    moved = {name.removesuffix(":sd") for name in (*VECTOR.labels, *SPREADS.values())}
    assert all(table[name] == PARAMETERS[name] for name in set(PARAMETERS) - moved)


def test_what_the_trials_hardly_tell_of_is_assumed_and_the_rest_is_calibrated(table):
    assert table[LOOSE].status == "assumed"
    assert "hardly tell" in table[LOOSE].note
    for name in {n.removesuffix(":sd") for n in VECTOR.labels} - {LOOSE}:
        assert (table[name].status, table[name].source) == ("calibrated", write.SOURCE), name
        assert table[name].note == ""  # what was noted of the starting value is true of it alone
    for name in SPREADS.values():
        assert table[name.removesuffix(":sd")].status == "calibrated"


def test_errors_are_told_on_the_scale_of_the_estimate(table):
    prior = NAMES[LOOSE]
    found = table[LOOSE].uncertainty
    assert (found.scale, found.prior_sd) == (prior.scale, prior.sd)
    assert found.sd == pytest.approx(0.95 * prior.sd, abs=1e-3)
    for name in VECTOR.labels:
        if name.endswith(":sd"):
            spread = table[name.removesuffix(":sd")].spread_uncertainty
            assert spread.sd == pytest.approx(TOLD * spread.prior_sd, rel=1e-3)


def test_writing_again_changes_nothing(calibrated, folder):
    again = write.files(calibrated, {})
    assert {name: (folder / name).read_text() for name in again} == again
    assert "cutis calibrate acne" in again["calibrated.yaml"].splitlines()[0]


def test_the_covariance_is_that_of_the_parameters_alone(calibrated, folder):
    rows = list(csv.reader((folder / "uncertainty.csv").open(encoding="utf-8")))
    assert rows[0] == ["parameter", "scale", *VECTOR.labels]
    found = np.array([[float(x) for x in row[2:]] for row in rows[1:]])
    np.testing.assert_allclose(found, calibrated.fit.covariance[: VECTOR.size, : VECTOR.size], rtol=1e-6)


@pytest.fixture
def drawn(folder, table, monkeypatch):
    """Draws from the files of the made-up calibration."""
    monkeypatch.setattr(uncertainty, "FILE", folder / "uncertainty.csv")
    monkeypatch.setattr(uncertainty, "PARAMETERS", table)
    uncertainty._estimates.cache_clear()
    yield uncertainty.draw
    uncertainty._estimates.cache_clear()


def test_draws_have_the_means_and_the_covariance_of_the_estimates(drawn, calibrated, table):
    number = 4000
    sets = [drawn(i) for i in range(number)]
    found = np.array([VECTOR.vector(s) for s in sets]) - VECTOR.vector(table.numbers())
    covariance = calibrated.fit.covariance[: VECTOR.size, : VECTOR.size]
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(found.mean(0)) < 4.5 * sd / np.sqrt(number)).all()
    np.testing.assert_allclose(found.std(0), sd, rtol=4.5 / np.sqrt(2 * number))
    correlation, expected = np.corrcoef(found.T), covariance / np.outer(sd, sd)
    assert np.abs(correlation - expected).max() < 5 / np.sqrt(number)
    for name in uncertainty.OF_TRIALS:
        effect = np.array([s[name] for s in sets])
        assert effect.std() == pytest.approx(table.sd(name), rel=4.5 / np.sqrt(2 * number))


def test_a_draw_is_the_same_for_the_same_number_and_names_parameters(drawn):
    assert drawn(3) == drawn(3) != drawn(4)
    assert set(drawn(0)) == {*VECTOR.labels, *uncertainty.OF_TRIALS} <= set(PARAMETERS.numbers())


def test_rows_and_columns_that_differ_are_an_error(folder, tmp_path):
    lines = (folder / "uncertainty.csv").read_text().splitlines()
    file = tmp_path / "uncertainty.csv"
    file.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(ValueError, match=r"uncertainty\.csv: rows and columns must name the same parameters"):
        read_estimates(file)


def test_a_drawn_share_stays_a_share(tmp_path):
    (tmp_path / "u.csv").write_text("parameter,scale,a,b\na,logit,4.0,0.0\nb,log,0.0,4.0\n")
    of = read_estimates(tmp_path / "u.csv")
    rng = np.random.default_rng(1)
    found = [varied(of, {"a": 0.9, "b": 2.0}, rng) for _ in range(2000)]
    share, size = (np.array([one[name] for one in found]) for name in "ab")
    assert ((share > 0) & (share < 1) & (size > 0)).all()
    assert np.log(share / (1 - share)).mean() == pytest.approx(np.log(9), abs=4.5 * 2 / np.sqrt(2000))
    assert np.log(size).std() == pytest.approx(2.0, rel=4.5 / np.sqrt(4000))


def test_every_parameter_that_is_estimated_can_be_written():
    assert {name.removesuffix(":sd") for name in VECTOR.labels} <= set(estimated(HERE / "calibrated.yaml"))
    assert set(VECTOR.labels) <= set(PARAMETERS.numbers())
    assert set(SPREADS.values()) == {f"{name}:sd" for name in uncertainty.OF_TRIALS} <= set(PARAMETERS.numbers())
