"""A plan and a table become people, or one clear line for each mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.constants as physics
import yaml

from cutis.population.fitting.columns import TableError
from cutis.population.fitting.plan import Plan, PlanError, compute, read_plan, with_derived
from cutis.population.fitting.plausible import expectations
from cutis.population.fitting.table import read
from cutis.population.fitting.units import KINDS, conversion, convert, known

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = ROOT / "examples" / "population_registry.yaml"
NHANES_PLAN = ROOT / "population" / "general" / "us_2007_2018.yaml"
NHANES = ROOT.parent / "shared" / "evidence" / "population" / "nhanes" / "nhanes_core_2001_2020.parquet"


def people(n=300, seed=1):
    """A registry as the example's plan expects it; bmi agrees with weight and height up to rounding."""
    rng = np.random.default_rng(seed)
    height = rng.normal(67, 4, n).clip(50, 80).round(1)  # inches
    weight = rng.normal(185, 35, n).clip(90, 400).round()  # pounds
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "age_years": rng.integers(18, 85, n),
            "diagnosis": rng.choice(["L40.0", "plaque psoriasis"], n),
            "sex": rng.choice(["F", "female", "M", "male"], n),
            "smokes": rng.choice([0, 1, 9], n),
            "earlier_biologic": rng.choice(["0", "none", "1", ""], n),
            "weight_lb": weight,
            "height_in": height,
            "bmi": (weight / height**2 * 703.07).round(1),
            "years_since_onset": rng.choice([999, 5.5, 12, 20, 33], n),
            "pasi": rng.gamma(2, 8, n).clip(0, 72).round(1),
        }
    )


@pytest.fixture
def plan():
    return read_plan(REGISTRY)


def changed(plan_file=REGISTRY, **parts):
    """The example's plan with parts replaced; a part of None goes."""
    data = yaml.safe_load(plan_file.read_text()) | parts
    return Plan.model_validate_json(json.dumps({k: v for k, v in data.items() if v is not None}), strict=True)


def save(table, folder, name="registry.csv", **how):
    file = folder / name
    table.to_parquet(file) if name.endswith("parquet") else table.to_csv(file, index=False, **how)
    return file


def refusal(plan, file):
    with pytest.raises(TableError) as caught:
        read(plan, file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


# Units


@pytest.mark.parametrize(
    ("have", "want", "factor"),
    [
        ("lb", "kg", physics.pound),
        ("st", "kg", physics.stone),
        ("in", "cm", 100 * physics.inch),
        ("ft", "m", physics.foot),
        ("kPa", "mmHg", 1000 / physics.mmHg),
        ("lb/in2", "kg/m2", physics.pound / physics.inch**2),
        ("day", "year", physics.day / physics.Julian_year),
        ("ng/mL", "mg/L", 1e-3),
    ],
)
def test_factors_are_those_of_scipy(have, want, factor):
    assert conversion(have, want).factor == pytest.approx(factor, rel=1e-6)


def test_temperatures_have_an_offset():
    fahrenheit = np.array([32.0, 98.6, 104.0])
    np.testing.assert_allclose(
        convert(fahrenheit, "degF", "degC"),
        physics.convert_temperature(fahrenheit, "Fahrenheit", "Celsius"),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        convert(fahrenheit, "degF", "K"), physics.convert_temperature(fahrenheit, "F", "K"), atol=1e-9
    )


@pytest.mark.parametrize(
    ("value", "have", "want", "substance", "expected", "rel"),
    [  # pairs of the units in which laboratories and guidelines print the same thresholds
        (5.17, "mmol/L", "mg/dL", "cholesterol", 200, 1e-3),
        (1.69, "mmol/L", "mg/dL", "triglycerides", 150, 5e-3),
        (88.4, "umol/L", "mg/dL", "creatinine", 1.0, 1e-3),
        (126, "mg/dL", "mmol/L", "glucose", 7.0, 2e-3),
        (6.0, "mg/dL", "umol/L", "urate", 357, 2e-3),
        (48, "mmol/mol", "%", None, 6.5, 1e-2),
        (7.0, "%", "mmol/mol", None, 53, 1e-2),
    ],
)
def test_laboratory_values_agree_with_the_printed_pairs(value, have, want, substance, expected, rel):
    assert convert(np.array([value]), have, want, substance)[0] == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_where_one_was(kind):
    values = np.array([0.5, 3.0, 40.0])
    for unit in KINDS[kind]:
        for other in KINDS[kind]:
            np.testing.assert_allclose(convert(convert(values, unit, other), other, unit), values, rtol=1e-9)


@pytest.mark.parametrize(
    ("have", "want", "said"),
    [
        ("lbs", "kg", "no conversion is known for the unit 'lbs'; did you mean 'lb'?"),
        ("lb", "cm", "lb measures mass, cm measures length"),
        ("mmol/L", "mg/dL", "depends on the substance: add 'substance', one of bilirubin, cholesterol"),
    ],
)
def test_units_that_cannot_be_converted_are_refused(have, want, said):
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        conversion(have, want)


# The plan


def test_the_plans_of_the_house_are_valid():
    assert read_plan(NHANES_PLAN).name == "us_general"
    assert read_plan(REGISTRY).cells.band.number == "age"


def test_plausible_medians_have_sources_and_known_units():
    for name, parameter in expectations().items():
        assert parameter.unit in known(), name


def test_derived_attributes_come_from_numbers(plan):
    found = with_derived(plan, {"bmi": np.array([25.0]), "height": np.array([200.0])})
    assert found["weight"] == pytest.approx([100.0])
    nhanes = read_plan(NHANES_PLAN)
    assert compute(nhanes.derived["sbp"], {"dbp": 80.0, "pulse_pressure": 40.0}) == 120
    assert compute(nhanes.derived["total_cholesterol"], {"hdl": 50.0, "non_hdl": 130.0}) == 180


def plan_refusal(tmp_path, text):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(PlanError) as caught:
        read_plan(file)
    return str(caught.value).replace(str(file), "plan.yaml")


def edited(*swaps):
    text = REGISTRY.read_text()
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("numbers:", "number:", "plan.yaml: number: unknown key; did you mean 'numbers'?"),
        (
            "step: 0.1}\n  bmi",
            "stepp: 0.1}\n  bmi",
            "plan.yaml: numbers.height.stepp: unknown key; did you mean 'step'?",
        ),
        ("low: 120", "low: one", "numbers.height.low: "),
        ("low: 120", "low: 300", "low 300 is not below high 220"),
        ("file_unit: in,", "file_unit: inch,", "no conversion is known for the unit 'inch'"),
        ("file_unit: in,", "file_unit: kg,", "kg measures mass, cm measures length"),
        (
            "[bmi, height]",
            "[bmi, hight]",
            "derived.weight: body_mass of 'hight', which is not there; did you mean 'height'?",
        ),
        (
            "unit: cm, file_unit: in",
            "unit: m",
            "body_mass gives kg from kg/m2 and cm; here it should give kg from kg/m2 and m",
        ),
        (
            "body_mass: [bmi, height]",
            "body_mass: [bmi, height], plus: [bmi, bmi]",
            "expected one of minus, plus, body_mass",
        ),
        ("column: pasi, ", "", "expected a column, or one of minus, plus, body_mass"),
        ("column: pasi, ", "minus: [age, nothing], ", "numbers.pasi: minus of 'nothing', which is not there"),
        ("[M, male]", "[M, F]", "the value 'F' stands for both no and yes"),
        ('missing: "no"', 'missing: "none"', "missing: no level 'none'"),
        ('{"no": [F, female], ', "{no: [F, female], ", 'key False is not text; write it in quotes, such as "no"'),
        ("by: [male, ", "by: [female, ", "cells.by: no category 'female'; did you mean 'male'?"),
        ("by: [male, ", "by: [male, male, ", "cells.by: a category is named twice"),
        ("number: age", "number: weight", "cells.band: no number 'weight'"),
        ("[18, 40, 60]", "[18, 60, 40]", "edges must rise: 40 comes after 60"),
        ("[18, 40, 60]", "[18, 40, 160]", "edges must lie within 18 to 110 year"),
        ("typical: [2, 40]", "typical: [40, 2]", "typical: expected two rising numbers"),
        ("step: 0.5, ", "step: 0, ", "numbers.duration.step: "),
        ("step: 0.5, ", "atoms: [-3], ", "atoms: -3 is outside 0 to 90"),
        ("step: 0.5, ", "top: {at: 80, mean: 88, last: 90}, ", "expected at < mean < (at + last) / 2"),
        ("step: 0.5, ", "top: {at: 80, mean: 84, last: 99}, ", "top: 80 to 99 is outside 0 to 90"),
        ("age_years: {min: 18}", "age_years: {}", "expected min, max, above, below or one_of"),
        ("  pasi:", "  smoker:", "numbers.smoker: the name is taken, under categories"),
        ("  pasi:", "  PASI:", "a name consists of small letters, digits and underscores"),
        (
            "name: registry",
            "name: !!python/object/apply:os.system [ls]",
            "not valid YAML: could not determine a constructor",
        ),
        ("name: registry", "name: &n registry\nabout: *n", "alias *n is not supported"),
        ("name: registry", "name: registry\nname: other", "key 'name' is given twice"),
        ("name: registry", "name: [registry", "not valid YAML"),
        ("high: 90, step: 0.5", "high: .inf, step: 0.5", "numbers.duration.high"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(tmp_path, old, new, said):
    assert said in plan_refusal(tmp_path, edited((old, new)))


def test_all_mistakes_of_a_plan_are_named_at_once(tmp_path):
    said = plan_refusal(tmp_path, edited(("unit: points, ", ""), ("source:", "sources:")))
    assert {line.split(": ")[1] for line in said.splitlines()} == {"numbers.pasi.unit", "source", "sources"}


@pytest.mark.parametrize(("text", "said"), [("", "a mapping of keys to values, got NoneType"), ("- 1", "got list")])
def test_a_plan_is_a_mapping(tmp_path, text, said):
    assert said in plan_refusal(tmp_path, text)


def test_a_plan_that_is_not_there_or_far_too_large_is_refused(tmp_path):
    with pytest.raises(PlanError, match="a fit plan cannot be read: No such file"):
        read_plan(tmp_path / "none.yaml")
    assert "are too many for a fit plan" in plan_refusal(tmp_path, "#" * 1_100_000)


def test_deep_nesting_is_refused(tmp_path):
    assert "not valid YAML" in plan_refusal(tmp_path, "[" * 20_000)


# A good table


def test_a_table_becomes_people_in_the_units_of_the_plan(plan, tmp_path):
    table = people()
    reading = read(plan, save(table, tmp_path))
    data = reading.data
    assert data.size == 300
    np.testing.assert_allclose(data.numbers["height"], table.height_in * 2.54)
    np.testing.assert_array_equal(np.isnan(data.numbers["duration"]), table.years_since_onset == 999)
    np.testing.assert_array_equal(data.categories["male"], table.sex.isin(["M", "male"]))
    np.testing.assert_array_equal(data.categories["smoker"], table.smokes.replace(9, -1))
    np.testing.assert_array_equal(data.categories["prior_biologic"], table.earlier_biologic == "1")
    assert data.levels["male"] == ("no", "yes")
    assert data.units == {"age": "year", "height": "cm", "bmi": "kg/m2", "duration": "year", "pasi": "points"}
    assert list(data.numbers) == ["age", "height", "bmi", "duration", "pasi"]  # inputs are not attributes
    np.testing.assert_array_equal(data.weights, 1)
    assert len(np.unique(data.clusters)) == 300
    assert any("people without a value count as 'no'" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("r.csv", {"sep": ";"}),
        ("r.csv", {"sep": ";", "decimal": ","}),
        ("r.tsv", {"sep": "\t"}),
        ("r.csv", {"encoding": "utf-8-sig"}),
        ("r.csv", {"lineterminator": "\r\n"}),
        ("r.parquet", {}),
    ],
)
def test_the_form_of_the_file_does_not_matter(plan, tmp_path, name, how):
    expected = read(plan, save(people(), tmp_path, "plain.csv")).data
    found = read(plan, save(people(), tmp_path, name, **how)).data
    for part in ("numbers", "categories"):
        for key, values in getattr(expected, part).items():
            np.testing.assert_array_equal(getattr(found, part)[key], values)


def test_parquet_types_do_not_matter(plan, tmp_path):
    table = people()
    table["smokes"] = table.smokes.astype(float)
    table["sex"] = table.sex.astype("category")
    table["age_years"] = table.age_years.astype("Int16").mask(table.index == 0)
    found = read(changed(keep=None), save(table, tmp_path, "r.parquet")).data
    assert np.isnan(found.numbers["age"][0])
    np.testing.assert_array_equal(found.categories["smoker"], people().smokes.replace(9, -1))


def test_yes_and_no_may_be_true_and_false(tmp_path):
    plan = changed(categories={"smoker": {"column": "smokes", "levels": {"no": False, "yes": True}}}, cells={})
    table = people()
    table["smokes"] = table.smokes == 1
    for name in ("r.csv", "r.parquet"):
        np.testing.assert_array_equal(read(plan, save(table, tmp_path, name)).data.categories["smoker"], table.smokes)


def test_rows_are_kept_by_rule(tmp_path):
    plan = changed(keep={"age_years": {"above": 30, "max": 60}, "diagnosis": {"one_of": ["L40.0"]}})
    table = people(2000)
    reading = read(plan, save(table, tmp_path))
    expected = table[(table.age_years > 30) & (table.age_years <= 60) & (table.diagnosis == "L40.0")]
    np.testing.assert_array_equal(reading.data.numbers["age"], expected.age_years)
    assert f"{len(expected):,} of 2,000 rows are kept by age_years, diagnosis" in reading.notes


def test_rows_are_dropped_where_all_parts_of_a_rule_hold(tmp_path):
    plan = changed(drop=[{"age_years": {"below": 40}, "diagnosis": {"one_of": ["L40.0"]}}])
    table = people(1000)
    gone = (table.age_years < 40) & (table.diagnosis == "L40.0")
    np.testing.assert_array_equal(read(plan, save(table, tmp_path)).data.numbers["age"], table.age_years[~gone])


def test_a_survey_has_weights_and_nested_units(tmp_path):
    plan = changed(weights="w", design={"stratum": ["year", "stratum"], "cluster": ["psu"]})
    table = people(400).assign(
        w=np.linspace(1, 3, 400),
        year=np.repeat(["a", "b"], 200),
        stratum=np.tile([1, 2], 200),
        psu=np.arange(400) // 2 % 2,
    )
    data = read(plan, save(table, tmp_path)).data
    np.testing.assert_allclose(data.weights, table.w)
    assert len(np.unique(data.strata)) == 4
    assert len(np.unique(data.clusters)) == 8
    pairs = {(int(s), int(c)) for s, c in zip(data.strata, data.clusters, strict=True)}
    assert len(pairs) == 8  # a unit lies in one stratum
    assert table.groupby(["year", "stratum", "psu"]).ngroups == 8


def test_a_few_impossible_values_are_taken_as_missing_and_told(plan, tmp_path):
    table = people()
    table.loc[7, "pasi"] = 700
    reading = read(plan, save(table, tmp_path))
    assert np.isnan(reading.data.numbers["pasi"][7])
    assert "pasi (column 'pasi'): 1 value outside 0 to 72 points taken as missing, the first in row 8" in reading.notes


def test_much_missing_and_empty_levels_are_told(plan, tmp_path):
    table = people()
    table.loc[:200, "pasi"] = np.nan
    table["sex"] = np.where(table.sex == "female", "F", table.sex)
    plan = changed(
        categories={"male": {"column": "sex", "levels": {"no": "F", "yes": ["M", "male"], "else": "X"}}}, cells={}
    )
    notes = read(plan, save(table, tmp_path)).notes
    assert "pasi (column 'pasi'): 67% of the people have no value" in notes
    assert "male (column 'sex'): nobody is 'else'" in notes


# A bad table


def wrong(tmp_path, plan, column, values, rows=slice(None)):
    table = people()
    table[column] = table[column].astype(object)
    table.loc[rows, column] = values
    return refusal(plan, save(table, tmp_path))


def test_pounds_for_kilograms_are_recognised(tmp_path):
    inputs = {"weight": {"column": "weight_lb", "unit": "kg", "low": 25, "high": 350}}
    [said] = refusal(changed(inputs=inputs), save(people(), tmp_path))
    assert said.startswith("weight (column 'weight_lb'): the median, 18")
    assert said.endswith("kg, is implausible (expected 10 to 130); looks like lb: file_unit: lb")


def test_kilograms_for_pounds_are_recognised_by_the_body_mass_index(plan, tmp_path):
    table = people()
    table["weight_lb"] *= 0.45359237
    [said] = refusal(plan, save(table, tmp_path))
    assert re.fullmatch(
        r"bmi: 100% of the people have 2\.\d* times what their weight and height give; "
        "weight looks like kg there: file_unit: kg",
        said,
    )


def test_a_site_that_writes_other_units_is_recognised(plan, tmp_path):
    table = people()
    table.loc[:40, "weight_lb"] *= 0.45359237
    [said] = refusal(plan, save(table, tmp_path))
    assert re.match(r"bmi: 1\d% of the people have 2\.\d* times", said)
    assert said.endswith("weight looks like kg there: put the whole column into one unit")


def test_a_body_mass_index_in_pounds_and_inches_is_recognised(plan, tmp_path):
    table = people()
    table["bmi"] = table.weight_lb / table.height_in**2
    [said] = refusal(plan, save(table, tmp_path))
    assert "looks like lb/in2: file_unit: lb/in2" in said


@pytest.mark.parametrize(("factor", "unit"), [(1 / 12, "ft"), (2.54, "cm"), (0.0254, "m")])
def test_heights_in_other_units_are_recognised(tmp_path, factor, unit):
    numbers = yaml.safe_load(REGISTRY.read_text())["numbers"]
    table = people()
    table["height_in"] *= factor
    if unit == "cm":
        said = refusal(changed(numbers=numbers), save(table, tmp_path))
    else:
        del numbers["height"]["file_unit"]
        said = refusal(changed(numbers=numbers), save(table, tmp_path))
    assert len(said) == 1
    assert said[0].endswith(f"looks like {unit}: file_unit: {unit}")


@pytest.mark.parametrize(
    ("name", "unit", "median", "advice"),
    [
        ("hdl", "mg/dL", 1.3, "looks like mmol/L: file_unit: mmol/L, substance: cholesterol"),
        ("creatinine", "mg/dL", 75, "looks like umol/L: file_unit: umol/L, substance: creatinine"),
        ("hba1c", "%", 37, "looks like mmol/mol: file_unit: mmol/mol"),
        ("albumin", "g/dL", 43, "looks like g/L: file_unit: g/L"),
        ("sbp", "mmHg", 16, "looks like kPa: file_unit: kPa"),
        ("age", "year", 540, "looks like month: file_unit: month"),
        ("crp", "mg/L", 9000, "looks like ug/L: file_unit: ug/L"),
        ("itch", "points", 9000, "check the column and its unit, or say what is typical"),
    ],
)
def test_laboratory_units_are_recognised(tmp_path, name, unit, median, advice):
    numbers = {
        name: {"column": "x", "unit": unit, "low": 0, "high": 500},
        "pasi": {"column": "pasi", "unit": "points", "low": 0, "high": 72},
    }
    plan = changed(numbers=numbers, inputs=None, derived=None, categories=None, cells=None, keep=None)
    table = people().assign(x=median * np.linspace(0.9, 1.1, 300))
    [said] = refusal(plan, save(table, tmp_path))
    assert said.startswith(f"{name} (column 'x'): the median, {median:g} {unit}, is implausible")
    assert said.endswith(advice)


def test_a_constructed_number_is_checked_too(tmp_path):
    numbers = {
        "sbp": {"column": "s", "unit": "mmHg", "low": 60, "high": 260},
        "pulse_pressure": {"minus": ["sbp", "dbp"], "unit": "mmHg", "low": 5, "high": 170},
    }
    inputs = {"dbp": {"column": "d", "unit": "mmHg", "low": 30, "high": 160}}
    plan = changed(numbers=numbers, inputs=inputs, derived=None, categories=None, cells=None, keep=None)
    table = people().assign(s=np.linspace(95, 115, 300), d=np.linspace(75, 90, 300))
    np.testing.assert_allclose(read(plan, save(table, tmp_path)).data.numbers["pulse_pressure"], table.s - table.d)
    [said] = refusal(plan, save(table.rename(columns={"s": "d", "d": "s"}), tmp_path))
    assert said.startswith("pulse_pressure: the median, -22.5 mmHg, is implausible (expected 5 to 170)")


@pytest.mark.parametrize(
    ("column", "values", "rows", "said"),
    [
        ("pasi", "mild", 16, "column 'pasi': 'mild' in row 17 is not a number; if it means 'not known', list it under"),
        (
            "pasi",
            "<1",
            slice(3, 9),
            "column 'pasi': '<1' in row 4 is not a number (nor are 6 more); write one number for",
        ),
        ("pasi", "12 points", 16, "column 'pasi': '12 points' in row 17 is not a number; write the number alone"),
        ("pasi", "1,200", 16, "column 'pasi': '1,200' in row 17 is not a number; write numbers without separators"),
        ("pasi", "inf", 16, "column 'pasi': 'inf' in row 17 is not a number"),
        (
            "pasi",
            777,
            slice(0, 20),
            "pasi (column 'pasi'): 7.0% of the values (21) are outside 0 to 72 points, such as 777",
        ),
        ("pasi", 777, slice(0, 20), "if 777 means 'not known', list it under blank"),
        ("pasi", "", slice(None), "pasi (column 'pasi'): no row has a value"),
        ("pasi", 12.5, slice(None), "pasi (column 'pasi'): every value is 12.5; leave a constant column out"),
        ("sex", "M", slice(None), "male (column 'sex'): everyone is 'yes'; leave a constant category out"),
        ("sex", "", slice(None), "male (column 'sex'): no row has a value"),
        (
            "sex",
            "Male",
            slice(0, 9),
            "male (column 'sex'): the plan has no level for 'Male' (10 rows); did you mean 'male'?",
        ),
        ("diagnosis", "L20", slice(None), "keep.diagnosis: no row passes; the column holds 'L20' and the like"),
        ("age_years", "old", 2, "column 'age_years': 'old' in row 3 is not a number"),
    ],
)
def test_wrong_values_are_named_with_their_column_and_row(plan, tmp_path, column, values, rows, said):
    assert said in "\n".join(wrong(tmp_path, plan, column, values, rows))


def test_all_problems_are_named_at_once(plan, tmp_path):
    table = people()
    table["pasi"] = 7
    table["sex"] = "?"
    table["height_in"] = table.height_in.astype(object)
    table.loc[4, "height_in"] = "tall"
    said = refusal(plan, save(table, tmp_path))
    assert [line.split(" ")[0] for line in said] == ["column", "pasi", "male"]


def test_a_missing_column_is_named_with_its_nearest(plan, tmp_path):
    said = refusal(plan, save(people().rename(columns={"pasi": "PASI", "sex": "gender"}), tmp_path))
    assert said[0].startswith("no column 'sex'; choose from ")
    assert said[1] == "no column 'pasi'; did you mean 'PASI'?"


def test_a_column_that_is_there_twice_is_refused(plan, tmp_path):
    table = pd.concat([people(), people()[["bmi"]]], axis=1)
    assert refusal(plan, save(table, tmp_path)) == ["2 columns are called 'bmi'; rename all but one"]


@pytest.mark.parametrize("n", [10, 49])
def test_a_tiny_table_is_refused(plan, tmp_path, n):
    [said] = refusal(plan, save(people(n), tmp_path))
    assert said == f"{n} people are too few: a population of 5 numbers needs at least 50"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (-1, "weights (column 'w'): 3 are negative, the first in row 5; correct them, or leave such rows out"),
        (0, "weights (column 'w'): 3 are zero, the first in row 5"),
        (np.nan, "weights (column 'w'): 3 are missing, the first in row 5"),
        ("heavy", "column 'w': 'heavy' in row 5 is not a number (nor are 2 more)"),
        (np.inf, "column 'w': 'inf' in row 5 is not a number"),
    ],
)
@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_weights_are_above_zero(tmp_path, values, said, name):
    table = people().assign(w=1.0)
    if isinstance(values, str):
        table["w"] = table.w.astype(str)
    table.loc[4:6, "w"] = values
    assert said in "\n".join(refusal(changed(weights="w"), save(table, tmp_path, name)))


def test_factors_of_weights_name_values_that_exist(tmp_path):
    plan = changed(weight_factors={"diagnosis": {"L40.0": 0.5}})
    table = people()
    data = read(plan, save(table, tmp_path)).data
    np.testing.assert_allclose(data.weights, np.where(table.diagnosis == "L40.0", 0.5, 1.0))
    plan = changed(weight_factors={"diagnosis": {"L40.1": 0.5}})
    [said] = refusal(plan, save(table, tmp_path))
    assert said == "weight_factors.diagnosis: no row holds 'L40.1'; did you mean 'L40.0'?"


def test_a_design_needs_two_units(tmp_path):
    plan = changed(design={"cluster": ["site"]})
    [said] = refusal(plan, save(people().assign(site=1), tmp_path))
    assert said.startswith("design: all people are in one sampling unit")
    table = people().assign(site=np.repeat([1.0, 2.0], 150))
    assert len(np.unique(read(plan, save(table, tmp_path)).data.clusters)) == 2
    table.loc[11, "site"] = np.nan
    [said] = refusal(plan, save(table, tmp_path))
    assert said == "design (column 'site'): 1 of 300 rows have no value, the first is row 12"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.csv", b"", "the file is empty"),
        ("r.parquet", b"PAR1 but then nothing of it", "not a readable Parquet file"),
        ("r.xlsx", b"PK", "expected a table, .csv or .parquet, got .xlsx"),
        ("r", b"a,b\n1,2", "expected a table, .csv or .parquet, got a name without ending"),
        ("r.csv", "größe,alter\n1,2".encode("latin-1"), "not UTF-8 text"),
        ("r.csv", b"hello world\n", "the first line holds one name, 'hello world': are the columns separated by"),
    ],
)
def test_a_file_that_is_no_table_is_refused(plan, tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    assert said in refusal(plan, file)[0]


def test_a_folder_a_missing_file_and_a_header_alone_are_refused(plan, tmp_path):
    assert refusal(plan, tmp_path / "none.csv") == ["no such file"]
    assert "this is a folder" in refusal(plan, tmp_path)[0]
    assert refusal(plan, save(people(0), tmp_path)) == ["the table has names of columns, but no row"]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("1,2,3,4,5,6,7,8,9,10,11,12\n", "row 301 has 12 values for 11 columns; put text with commas into quotes"),
        ("1\n1,2\n", "row 301 has 1 values for 11 columns (and 1 more rows)"),
        ('0,1,"never closed\n', "row 301 has 3 values for 11 columns"),
    ],
)
def test_broken_lines_are_refused(plan, tmp_path, extra, expected):
    file = save(people(), tmp_path)
    with file.open("a") as handle:
        handle.write(extra)
    assert expected in refusal(plan, file)[0]


def test_text_in_quotes_may_hold_separators_and_line_breaks(plan, tmp_path):
    table = people()
    table["remark"] = 'well, said "she";\nand left'
    np.testing.assert_array_equal(read(plan, save(table, tmp_path)).data.numbers["pasi"], table.pasi)


# The survey


@pytest.mark.skipif(not NHANES.exists(), reason="needs the survey's microdata, which are not part of the project")
def test_the_survey_gives_the_published_means():
    """Means of people of 20 and more in 2015-2018: Fryar CD, et al. Anthropometric reference data for children and
    adults: United States, 2015-2018. Vital Health Stat 2021;3(46). Their weights leave out pregnant women."""
    plan = read_plan(NHANES_PLAN)
    cycles = plan.keep["cycle"].model_copy(update={"one_of": ("2015-2016", "2017-2018")})
    plan = plan.model_copy(update={"keep": plan.keep | {"cycle": cycles}, "weight_factors": {}})
    data = read(plan, NHANES).data
    numbers = with_derived(plan, data.numbers)
    men, adults = data.categories["male"] == 1, data.numbers["age"] >= 20
    for who, name, mean, unit in (
        (men, "height", 69.0, 2.54),
        (~men, "height", 63.5, 2.54),
        (men, "waist", 40.5, 2.54),
        (men, "weight", 199.8, 0.45359237),
    ):
        there = who & adults & ~np.isnan(numbers[name])
        found = np.average(numbers[name][there], weights=data.weights[there]) / unit
        assert found == pytest.approx(mean, abs=0.0501)  # as rounded in print
    assert len(np.unique(data.clusters)) == 60


def test_the_schema_is_read_without_heavy_imports():
    """A plan is checked before anything is fitted, so it must not wait for jax."""
    code = "import sys, cutis.population.fitting.plan; print('jax' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.split() == ["False", "False"]
