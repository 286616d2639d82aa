"""`cutis population fit` as a user meets it: a table becomes twins, mistakes have names, and no person is shown."""

import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from scipy import stats
from typer.testing import CliRunner

from cutis.population import stream
from cutis.population.fitting import pipeline
from cutis.population.fitting.data import Data
from cutis.trials.command import app

from .registry import ALONE, NUMBERS, PLAN, american, people, written

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/population_registry.yaml"
FILES = {"population.parquet", "plan.yaml", "fit.json", "report.html", "manifest.json"}
PEOPLE = people(3000)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Fewer twins and splits than a real fit has."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"JUDGED": 20_000, "SEARCHED": 50_000, "SPLITS": 2}.items():
            patch.setattr(pipeline, name, value)
        yield


def cutis(*words):
    """Exit code, standard output and standard error of a command in this process."""
    done = CliRunner().invoke(app, ["population", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def clinic(_quick, tmp_path_factory):
    """A registry with semicolons, decimal commas, weights and gaps, fitted; with what was said."""
    folder = tmp_path_factory.mktemp("clinic")
    plan, data = written(folder, PEOPLE)
    done = cutis("fit", plan, data, "seed=3", f"out={folder / 'fitted'}")
    assert done.code == 0, done.err
    return SimpleNamespace(plan=plan, data=data, fitted=folder / "fitted", said=done)


@pytest.fixture(scope="module")
def twins(clinic, tmp_path_factory):
    """Twins of the fitted clinic, in two files."""
    folder = tmp_path_factory.mktemp("twins") / "one"
    done = cutis("sample", clinic.fitted, f"size={stream.SIZE + 5000}", "seed=5", f"out={folder}", "workers=1")
    assert done.code == 0, done.err
    return folder


def test_a_fit_leaves_a_whole_folder(clinic):
    assert {p.name for p in clinic.fitted.iterdir()} == FILES
    manifest = json.loads((clinic.fitted / "manifest.json").read_text())
    found = digests(clinic.fitted)
    assert manifest["files"] == {name: digest for name, digest in found.items() if name != "manifest.json"}
    assert manifest["people_sha256"] == hashlib.sha256(clinic.data.read_bytes()).hexdigest()
    assert (manifest["seed"], manifest["population"]) == ("3", "clinic")
    assert (clinic.fitted / "plan.yaml").read_bytes() == clinic.plan.read_bytes()
    assert "report: " in clinic.said.out


def test_a_fit_tells_what_it_passed_over_and_how_good_it_is(clinic):
    adults = PEOPLE[PEOPLE.Alter >= 18]
    unknown = (adults.Biologikum == "").sum()
    found = json.loads((clinic.fitted / "fit.json").read_text())
    assert found["people"] == len(adults)
    weights = adults.Gewicht_Stichprobe
    assert found["effective"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-9)
    assert any(f"{len(adults):,} of 3,000 rows are kept by Alter" in note for note in found["notes"])
    assert f"{unknown} people without a value count as 'no'" in clinic.said.err
    assert len(found["splits"]) == pipeline.SPLITS
    assert found["final"]["impossible"]["value"] == 0
    assert all(risk["passed"] for risk in found["privacy"])
    failed = {name for part in (found["final"], *found["splits"]) for name, gate in part.items() if not gate["passed"]}
    assert clinic.said.out.count("warning: ") == len(failed)


def test_the_same_table_gives_the_same_bytes(clinic, tmp_path):
    done = cutis("fit", clinic.plan, clinic.data, "seed=3", f"out={tmp_path / 'again'}")
    assert done.code == 0
    assert digests(tmp_path / "again") == digests(clinic.fitted)


def test_any_number_of_workers_draws_the_same_twins(clinic, twins, tmp_path):
    again = tmp_path / "two"
    done = cutis("sample", clinic.fitted, f"size={stream.SIZE + 5000}", "seed=5", f"out={again}", "workers=2")
    assert done.code == 0, done.err
    assert "2 files made now" in done.out
    assert digests(again) == digests(twins)


def test_twins_are_like_the_registry(twins):
    drawn = pd.read_parquet(twins / "twins")
    assert len(drawn) == stream.SIZE + 5000
    here = PEOPLE[PEOPLE.Alter >= 18]
    w = here.Gewicht_Stichprobe.to_numpy()
    effective = w.sum() ** 2 / (w**2).sum()
    four = 4 / np.sqrt(effective)  # standard errors of a mean, in standard deviations
    for name, column in NUMBERS.items():
        known = here[column].notna().to_numpy()
        real, mass = here[column].to_numpy()[known], w[known]
        mean = np.average(real, weights=mass)
        deviation = np.sqrt(np.average((real - mean) ** 2, weights=mass))
        seen = np.floor(drawn[name]) if name == "age" else drawn[name]
        assert abs(seen.mean() - mean) < four * deviation, name
        assert seen.std() == pytest.approx(deviation, rel=0.1), name
    assert abs(drawn.male.mean() - np.average(here.Geschlecht == "m", weights=w)) < four / 2
    assert abs(drawn.biologic.mean() - np.average(here.Biologikum == "ja", weights=w)) < four / 2
    both = here.dropna()
    assert stats.spearmanr(drawn.height, drawn.weight)[0] == pytest.approx(
        stats.spearmanr(both.Groesse, both.Gewicht)[0], abs=four
    )


def test_a_fitted_population_and_its_sample_are_described(clinic, twins):
    done = cutis("describe", clinic.fitted, "size=5000", "seed=5")
    assert done.code == 0, done.err
    assert "people of a simulated clinic" in done.out
    assert "described by 5,000 simulated twins, seed 5" in done.out
    line = next(line.split() for line in done.out.splitlines() if line.startswith("weight"))
    first = pd.read_parquet(twins / "twins").weight[:5000].astype(float)
    assert line[:3] == ["weight", "kg", f"{first.mean():.4g}"]
    assert cutis("describe", twins).code == 0


def tokens(text):
    return [float(word) for word in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", text)]


def rows_shown(text):
    """Rows of the registry whose numbers follow each other in a text, in any order."""
    told = tokens(text)
    rows = {tuple(sorted(row)) for row in PEOPLE[list(NUMBERS.values())].dropna().to_numpy().tolist()}
    return rows & {tuple(sorted(told[at : at + len(NUMBERS)])) for at in range(len(told))}


def test_no_person_stands_in_the_report_or_the_numbers(clinic):
    for name in ("report.html", "fit.json"):
        text = (clinic.fitted / name).read_text()
        assert not rows_shown(text)
        assert not any(patient in text for patient in PEOPLE.Patient)
        row = PEOPLE[list(NUMBERS.values())].dropna().iloc[7]
        assert rows_shown(text + " | ".join(map(str, row)))  # it would be found


def test_what_one_person_alone_has_is_nowhere(clinic, twins):
    for name in FILES - {"population.parquet"}:
        assert str(ALONE) not in (clinic.fitted / name).read_text()
    model = pq.read_table(clinic.fitted / "population.parquet")
    for name in ("quantiles.weight", "factor"):
        values = model[name].combine_chunks().flatten().to_numpy()
        assert not np.any(np.abs(values - ALONE) < 1)
    drawn = pd.read_parquet(twins / "twins", columns=["weight"])
    assert drawn.weight.max() < 200
    assert PEOPLE.Gewicht.max() == ALONE


def test_the_example_plan_reads_a_registry_as_it_says(tmp_path):
    table = american(3000)
    data = tmp_path / "registry.csv"
    table.to_csv(data, index=False)
    done = cutis("fit", EXAMPLE, data, f"out={tmp_path / 'fitted'}")
    assert done.code == 0, done.err
    assert {p.name for p in (tmp_path / "fitted").iterdir()} == FILES
    assert cutis("sample", tmp_path / "fitted", "size=5000", f"out={tmp_path / 'twins'}").code == 0
    drawn = pd.read_parquet(tmp_path / "twins/twins")
    assert {"male", "smoker", "prior_biologic", "age", "height", "bmi", "duration", "pasi", "weight"} < set(drawn)
    plan = yaml.safe_load(EXAMPLE.read_text())
    for name, entry in {**plan["numbers"], **plan["derived"]}.items():
        assert drawn[name].between(entry["low"], entry["high"]).all(), name
    np.testing.assert_allclose(drawn.weight, drawn.bmi * (drawn.height / 100) ** 2, rtol=1e-5)
    kept = table[(table.age_years >= 18) & (table.diagnosis != "L40.5")]
    assert json.loads((tmp_path / "fitted/fit.json").read_text())["people"] == len(kept)
    assert drawn.height.mean() == pytest.approx(2.54 * kept.height_in.mean(), abs=0.6)
    assert drawn.weight.mean() == pytest.approx(0.45359237 * kept.weight_lb.mean(), rel=0.03)
    known = kept[kept.smokes != 9]
    assert drawn.smoker.mean() == pytest.approx((known.smokes == 1).mean(), abs=0.04)
    assert drawn.prior_biologic.mean() == pytest.approx((kept.earlier_biologic == "1").mean(), abs=0.04)


def changed(**columns):
    return lambda: PEOPLE.assign(**columns)


def planned(**changes):
    return PLAN | changes


def numbers(name, **changes):
    return PLAN["numbers"] | {name: PLAN["numbers"][name] | changes}


WRONG = {
    "a wrong column": (
        changed(),
        planned(numbers=numbers("weight", column="Gewich")),
        ["people.csv: no column 'Gewich'; did you mean 'Gewicht'?"],
    ),
    "pounds": (
        changed(Gewicht=lambda t: t.Gewicht / 0.45359237),
        PLAN,
        ["people.csv: weight (column 'Gewicht'): the median, 1", " kg, is implausible", "file_unit: lb"],
    ),
    "inches": (
        changed(Groesse=lambda t: t.Groesse / 2.54),
        PLAN,
        ["people.csv: height (column 'Groesse'): the median, 67", " cm, is implausible", "file_unit: in"],
    ),
    "negative weights": (
        changed(Gewicht_Stichprobe=lambda t: t.Gewicht_Stichprobe.where(t.index != 41, -1)),
        PLAN,
        [
            "people.csv: weights (column 'Gewicht_Stichprobe'): 1 are negative, the first in row 42",
            "above: 0",
        ],
    ),
    "a constant column": (
        changed(PASI=12.5),
        PLAN,
        ["people.csv: pasi (column 'PASI'): every value is 12.5; leave a constant column out"],
    ),
    "text among numbers": (
        changed(PASI=lambda t: t.PASI.astype(object).where(t.index != 9, "mild")),
        PLAN,
        ["people.csv: column 'PASI': 'mild' in row 10 is not a number", "list it under blank"],
    ),
    "an unknown level": (
        changed(Geschlecht=lambda t: t.Geschlecht.where(t.index != 9, "d")),
        PLAN,
        ["people.csv: male (column 'Geschlecht'): the plan has no level for 'd' (1 rows)", "list it under blank"],
    ),
    "impossible values": (
        changed(Groesse=lambda t: t.Groesse.where(t.index % 20 != 0, 999)),
        PLAN,
        ["people.csv: height (column 'Groesse'): 5.", "if 999 means 'not known', list it under blank"],
    ),
    "ten people": (
        lambda: PEOPLE.head(10),
        PLAN,
        ["people.csv: ", " people are too few: a population of 4 numbers needs at least 50"],
    ),
    "nobody": (
        lambda: PEOPLE.head(0),
        PLAN,
        ["people.csv: the table has names of columns, but no row"],
    ),
    "an unknown key": (
        changed(),
        planned(nubmers={}),
        ["plan.yaml", "nubmers: unknown key; did you mean 'numbers'?"],
    ),
    "cells of no category": (
        changed(),
        planned(cells={"by": ["mael"]}),
        ["plan.yaml", "no category 'mael'; did you mean 'male'?"],
    ),
    "a category that twins would lack": (
        changed(),
        planned(cells={"by": ["male"]}),
        ["plan.yaml: categories.biologic: twins would not have it; add it to cells.by, or leave it out"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_named_with_its_remedy_and_nothing_is_written(what, tmp_path):
    table, plan, fragments = WRONG[what]
    files = written(tmp_path, table(), plan)
    done = cutis("fit", *files, f"out={tmp_path / 'out'}")
    assert done.code == 2
    for fragment in fragments:
        assert fragment in done.err, done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_all_mistakes_of_a_table_are_told_at_once(tmp_path):
    files = written(tmp_path, PEOPLE.assign(PASI=12.5, Gewicht_Stichprobe=0))
    done = cutis("fit", *files, f"out={tmp_path / 'out'}")
    assert done.code == 2
    assert "every value is 12.5" in done.err
    assert "are zero, the first in row" in done.err


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("people.csv", b"", "people.csv: the file is empty"),
        ("people.csv", None, "people.csv: no such file"),
        ("plan.yaml", None, "plan.yaml: no such file"),
        ("plan.yaml", b"", "plan.yaml"),
        ("plan.yaml", b"name: [", "plan.yaml"),
        ("people.csv", b"Alter;Gewicht\n\xff\xfe;3\n", "people.csv: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named(file, content, message, tmp_path):
    files = written(tmp_path, PEOPLE.head(100))
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    done = cutis("fit", *files, f"out={tmp_path / 'out'}")
    assert (done.code, message in done.err) == (2, True), done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    files = written(tmp_path / "in", PEOPLE.head(100))
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.doc").write_text("mine")
    done = cutis("fit", *files, f"out={out}")
    assert (done.code, f"out={out}: something is there already; name a new folder" in done.err) == (2, True)
    assert [p.name for p in out.iterdir()] == ["thesis.doc"]
    for place in (out / "thesis.doc", out / "thesis.doc" / "fitted"):
        assert cutis("fit", *files, f"out={place}").code == 2
    assert (out / "thesis.doc").read_text() == "mine"


def test_a_model_that_memorises_is_refused(monkeypatch, tmp_path):
    """Twins that are people of the fit, blurred by a tenth of a standard deviation."""
    fitted_to: list[Data] = []
    fit = pipeline.fit

    def remember(plan, data):
        fitted_to.append(data)
        return fit(plan, data)

    def blurred(model, seed, count):
        rng = np.random.default_rng(seed)
        known = np.all([np.isfinite(values) for values in fitted_to[-1].numbers.values()], axis=0)
        some = fitted_to[-1].take(known)
        drawn = some.take(rng.integers(some.size, size=count))
        noisy = {n: v + 0.1 * np.std(v) * rng.standard_normal(count) for n, v in drawn.numbers.items()}
        return drawn._replace(numbers=noisy, weights=np.ones(count), clusters=np.arange(count))

    monkeypatch.setattr(pipeline, "fit", remember)
    monkeypatch.setattr(pipeline, "twins", blurred)
    files = written(tmp_path, PEOPLE)
    done = cutis("fit", *files, "seed=3", f"out={tmp_path / 'out'}")
    assert done.code == 3
    assert "people.csv: privacy: the model is not exported; its twins give away people it was fitted to" in done.err
    assert re.search(r"nearest_record: risk 0\.[6-9]\d* ", done.err)
    assert not (tmp_path / "out").exists()


def test_too_few_people_to_show_that_nobody_is_given_away_are_refused(tmp_path):
    plan = {name: part for name, part in PLAN.items() if name not in ("categories", "cells", "weights")}
    files = written(tmp_path, PEOPLE.head(300), plan)
    done = cutis("fit", *files, "seed=3", f"out={tmp_path / 'out'}")
    assert done.code == 3
    assert "people and as many held out are too few to show that its twins give nobody away" in done.err
    assert "Fit it to more people" in done.err
    assert not (tmp_path / "out").exists()


def test_the_plan_that_is_kept_reads_as_the_plan_that_was_given(clinic):
    assert yaml.safe_load((clinic.fitted / "plan.yaml").read_text()) == PLAN
