"""`cutis population person FILE`: what it prints and writes, and every mistake by name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cutis.population import person as people
from cutis.trials.command import app

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "person.yaml"
CLINIC = """
about: seen for psoriasis
measured:
  male: no
  race: asian
  age: {value: 34.5}
  weight: {value: 128, unit: lb, sd: 1}
  height: {value: 1.61, unit: m, sd: 0.005}
  total_cholesterol: {value: 5.2, unit: mmol/L}
  hba1c: {value: 36, unit: mmol/mol, sd: 2}
  skin_cheek: {value: 2100, unit: um, sd: 100}
  fitzpatrick: 4
  flg_loss: no
"""


def cutis(*words):
    """Exit code, standard output and standard error of a command in this process."""
    done = CliRunner().invoke(app, ["population", "person", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """The command on one file: what it said, its folder, the twins it wrote."""
    folder = tmp_path_factory.mktemp("clinic")
    file = folder / "woman.yaml"
    file.write_text(CLINIC)
    done = cutis(file, "size=400", "seed=5", f"out={folder / 'made' / 'twins.parquet'}")
    assert done.code == 0, done.err
    twins = pd.read_parquet(folder / "made" / "twins.parquet")
    return SimpleNamespace(said=done.out, file=file, folder=folder, twins=twins)


def row(said, name):
    return next(line for line in said.splitlines() if line.startswith(f"{name} "))


def test_units_are_converted_and_errors_with_them(clinic):
    assert row(clinic.said, "weight").split()[1:5] == ["kg", "58.06", "(sd", "0.45)"]
    assert row(clinic.said, "height").split()[1:5] == ["cm", "161", "(sd", "0.5)"]
    assert row(clinic.said, "total_cholesterol").split()[1:3] == ["mg/dL", "201.1"]  # 5.2 x 38.666
    assert row(clinic.said, "hba1c").split()[1:5] == ["%", "5.445", "(sd", "0.18)"]  # 0.09148 x 36 + 2.152
    assert row(clinic.said, "skin_cheek").split()[1:5] == ["mm", "2.1", "(sd", "0.1)"]
    twins = clinic.twins
    assert twins.weight.mean() == pytest.approx(128 * 0.45359237, abs=0.3)
    assert twins.weight.std() == pytest.approx(0.45359237, rel=0.25)
    np.testing.assert_allclose(twins.total_cholesterol, 5.2 * 38.666, rtol=1e-6)
    assert twins.skin_cheek.mean() == pytest.approx(2.1, abs=0.1)
    assert twins.skin_cheek.std() < 0.12


def test_the_person_stands_beside_people_in_general(clinic):
    lines = clinic.said.splitlines()
    assert lines[0] == f"400 simulated twins of one person ({clinic.file}), beside simulated people in general"
    assert lines[1].startswith("20,000 candidates, weighted by what was measured, count for ")
    low, middle, high = clinic.twins.waist.quantile([0.05, 0.5, 0.95])
    assert f"{middle:.4g} ({low:.4g} to {high:.4g})" in row(clinic.said, "waist")
    general = float(row(clinic.said, "waist").split()[-4])
    assert general > middle  # people in general are heavier than she is
    assert row(clinic.said, "flg_loss").split() == ["flg_loss", "no", "0.0%", row(clinic.said, "flg_loss").split()[-1]]
    assert row(clinic.said, "race asian").split()[2:4] == ["yes", "100.0%"]
    assert row(clinic.said, "fitzpatrick 4").split()[2:4] == ["yes", "100.0%"]
    never = (clinic.twins.smoking == "never").mean()
    assert row(clinic.said, "smoking never").split()[2] == f"{never:.1%}"
    assert lines[-1] == f"twins: {clinic.folder / 'made' / 'twins.parquet'}"


def test_the_file_holds_the_twins_as_a_sample_does(clinic):
    twins = clinic.twins
    assert list(twins.twin) == list(range(400))
    assert not twins.male.any()
    assert not twins.flg_loss.any()
    assert set(twins.race) == {"asian"}
    assert set(twins.fitzpatrick) == {4}
    np.testing.assert_array_equal(twins.smoker, twins.smoking == "current")
    np.testing.assert_array_equal(twins.age, 34.5)
    np.testing.assert_allclose(twins.sbp, twins.dbp + twins.pulse_pressure, rtol=1e-5)
    schema = pq.read_schema(clinic.folder / "made" / "twins.parquet")
    assert schema.field("weight").metadata[b"unit"] == b"kg"
    assert str(schema.field("weight").type) == "float"
    assert b"no person's data" in schema.metadata[b"origin"]


def test_the_same_file_and_seed_give_the_same_bytes(clinic):
    made = {}
    for name, seed in (("again", 5), ("other", 6)):
        out = clinic.folder / f"{name}.parquet"
        assert cutis(clinic.file, "size=400", f"seed={seed}", f"out={out}").code == 0
        made[name] = out.read_bytes()
    first = (clinic.folder / "made" / "twins.parquet").read_bytes()
    assert made["again"] == first
    assert made["other"] != first


def test_the_example_works_without_a_file():
    done = cutis(EXAMPLE, "size=50")
    assert done.code == 0, done.err
    assert "50 simulated twins" in done.out
    assert "twins:" not in done.out
    assert "rough" not in done.out


def test_few_candidates_are_told(clinic, monkeypatch):
    monkeypatch.setattr(people, "CANDIDATES", 200)
    done = cutis(clinic.file, "size=50")
    assert done.code == 0, done.err
    assert "fewer than 300 make a rough answer" in done.out


def test_a_file_that_is_there_is_left_alone(clinic):
    out = clinic.folder / "thesis.doc"
    out.write_text("mine")
    done = cutis(clinic.file, f"out={out}")
    assert (done.code, out.read_text()) == (2, "mine")
    assert f"out={out}: something is there already; name a new file" in done.err


def test_a_file_that_cannot_be_written_is_told(clinic):
    (clinic.folder / "wall").write_text("")
    done = cutis(clinic.file, "size=10", f"out={clinic.folder / 'wall' / 'twins.parquet'}")
    assert done.code == 3
    assert "cannot be" in done.err


WRONG = [
    ("wieght: 70", "measured.wieght: no such attribute; did you mean 'weight'?"),
    ("race: klingon", "measured.race: no level 'klingon'; choose from asian, black"),
    ("smoking: formr", "measured.smoking: no level 'formr'; did you mean 'former'?"),
    ("male: 2", "measured.male: no level '2'; choose from no, yes"),
    ("smoker: yes", "measured.smoker: give smoking instead: never, former or current"),
    ("weight: {value: 128, unit: lbs}", "measured.weight: the unit 'lbs' does not fit; choose from kg, g, lb, st"),
    ("weight: {value: 128, unit: cm}", "measured.weight: the unit 'cm' does not fit"),
    ("albumin: {value: 0.6, unit: mmol/L}", "measured.albumin: the unit 'mmol/L' does not fit; choose from g/dL"),
    ("ita: {value: 30, unit: rad}", "measured.ita: the unit 'rad' does not fit; choose from deg"),
    ("race: {value: asian, unit: kg}", "measured.race: a level has neither a unit nor an sd"),
    ("fitzpatrick: {value: 4, sd: 1}", "measured.fitzpatrick: a level has neither a unit nor an sd"),
    ("weight: heavy", "measured.weight: expected a number in kg, got 'heavy'"),
    ("weight: yes", "measured.weight: expected a number in kg, got True"),
    ("ita: fair", "measured.ita: expected a number in deg, got 'fair'"),
    ("weight: 700", "weight: 700 kg is not possible; expected 20 to 350"),
    ("height: 1.61", "height: 1.61 cm is not possible; expected 100 to 230"),
    ("age: .nan", "measured.age.value: expected a number or a level, got nan"),
    ("weight: {value: 70, sd: -1}", "measured.weight.sd: should be greater than or equal to 0, got -1"),
    ("weight: {value: 70, error: 1}", "measured.weight.error: unknown key; choose from sd, unit, value"),
    ("weight: {unit: kg}", "measured.weight.value: is missing"),
    ("weight: [70, 71]", "measured.weight.value: expected a number or a level, got [70, 71]"),
    ("fitzpatrick: 7", "fitzpatrick: expected one of 1, 2, 3, 4, 5, 6, not 7"),
    ("dermis_cheek: 1.9", "dermis_cheek: follows from other attributes and cannot be given itself"),
    ("{weight: 40, bmi: 40, height: 180}", "is like this: weight 40 kg, bmi 40 kg/m2, height 180 cm"),
    ("{hba1c: 21.9, age: 15.5}", "is like this"),
    ("{race: white, fitzpatrick: 6}", "can have fitzpatrick 6"),
]


@pytest.mark.parametrize(("measured", "message"), WRONG, ids=[measured for measured, _ in WRONG])
def test_a_wrong_measurement_gets_a_clear_message(measured, message, tmp_path):
    file, out = tmp_path / "person.yaml", tmp_path / "twins.parquet"
    file.write_text("measured: " + (measured if measured.startswith("{") else f"{{{measured}}}") + "\n")
    done = cutis(file, f"out={out}")
    assert done.code == 2, done.out
    assert message in done.err
    assert str(file) in done.err
    assert not out.exists()
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("measured: {weight: 70", "not valid YAML"),
        ("- weight", "expected what is known of a person, a mapping of keys to values, got list"),
        ("about: nothing\n", "measured: is missing"),
        ("measured: {}\n", "measured: expected at least one measurement, such as age: 34"),
        ("measured: [weight]\n", "measured"),
        ("measured: {weight: 70}\nmesured: {}\n", "mesured: unknown key; did you mean 'measured'?"),
        ("measured: {weight: 70, weight: 71}\n", "key 'weight' is given twice"),
    ],
)
def test_a_wrong_file_gets_a_clear_message(text, message, tmp_path):
    file = tmp_path / "person.yaml"
    if text is not None:
        file.write_text(text)
    done = cutis(file)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert str(file) in done.err
    assert "configuration" not in done.err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("size=5", "size: expected a number from 10 to"),
        ("size=many", "size: expected a whole number"),
        ("seed=-1", "seed: expected a number from 0"),
        ("sise=100", "sise: unknown key; did you mean 'size'?"),
        ("out=", "out: expected a value, got nothing"),
    ],
)
def test_a_wrong_word_gets_a_clear_message(word, message):
    done = cutis(EXAMPLE, word)
    assert (done.code, message in done.err) == (2, True), done.err
