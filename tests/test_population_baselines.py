"""The project's baseline tables, how arms are pooled, and what a user's own file may not say."""

import numpy as np
import pytest

from cutis.population.baselines.pooling import Group, pooled_mean, pooled_sd
from cutis.population.baselines.tables import BASELINES, read_baselines

HEAD = """
origins: {paper: read in the paper}
tables:
  one:
    trial: One
    citation: A 2020
    read_in: paper
    status: measured
"""


def read(tmp_path, arms: str, head: str = HEAD):
    file = tmp_path / "mine.yaml"
    file.write_text(f"{head}    arms: {arms}\n", encoding="utf-8")
    return read_baselines(file)


@pytest.mark.parametrize("seed", range(3))
def test_pooled_moments_are_those_of_all_people(seed):
    rng = np.random.default_rng(seed)
    arms = [rng.normal(rng.normal(40, 5), 10, size) for size in (12, 50, 200)]
    groups = [Group(len(x), x.mean(), x.std(ddof=1)) for x in arms]
    assert pooled_mean(groups) == pytest.approx(np.concatenate(arms).mean())
    assert pooled_sd(groups) == pytest.approx(np.concatenate(arms).std(ddof=1))


def test_arms_are_pooled_over_those_that_report_a_row(tmp_path):
    arms = (
        "{a: {n: 10, age: {mean: 30, sd: 5}, male: {share: 0.5}},"
        " b: {n: 30, age: {mean: 40}, male: {share: 0.7, status: assumed, note: recalled}},"
        " c: {n: 60, male: {share: 0.6}}}"
    )
    table = read(tmp_path, arms)["mine/one"]
    mean, sd, male = table.rows
    assert (mean.value, mean.n, mean.status) == (37.5, 40, "measured")
    assert (sd.value, sd.about, sd.n) == (5.0, 37.5, 10)
    assert male.value == pytest.approx(0.62)
    assert (male.n, male.status, male.note) == (100, "assumed", "recalled")
    assert table.n == 100
    assert table.only({"male"}).rows == (male,)


def test_medians_levels_and_ranges_become_shares(tmp_path):
    arms = (
        "{all: {n: 9, age: {median: 30, quartiles: [20, 45], ranges: [{over: 12, up_to: 18, share: 0.1}]},"
        " iga: {levels: {'3': 0.9, '4': 0.1}}}}"
    )
    rows = read(tmp_path, arms)["mine/one"].rows
    assert [(row.label, round(row.value, 12)) for row in rows] == [
        ("age up to 20", 0.25),
        ("age up to 30", 0.5),
        ("age up to 45", 0.75),
        ("age over 12 up to 18", 0.1),
        ("iga 3", 0.9),
        ("iga 4", 0.1),
    ]


def test_a_published_table_is_what_its_arms_say():
    table = BASELINES["psoriasis/amagine_1"]
    rows = {row.label: row for row in table.rows}
    assert rows["age mean"].value == pytest.approx((222 * 46 + 219 * 46 + 220 * 47) / 661)
    assert rows["prior_biologic"].value == pytest.approx((222 * 0.446 + 219 * 0.479 + 220 * 0.459) / 661)
    assert rows["severity sd"].value == pytest.approx(7.25, abs=0.02)
    assert table.n == 661
    assert table.registry == "NCT01708590"


@pytest.mark.parametrize("name", BASELINES)
def test_every_table_is_plausible_and_says_where_it_is_from(name):
    table = BASELINES[name]
    assert len(table.citation) > 15
    assert len(table.read_in) > 5
    assert table.rows
    limits = {"age": (9, 90), "weight": (30, 200), "bmi": (15, 60), "severity": (0, 72), "duration": (0, 60)}
    for row in table.rows:
        assert row.status in ("measured", "assumed")
        assert row.status == "measured" or row.note or table.note
        assert 0 < row.n <= table.n
        if row.kind == "mean" and row.attribute in limits:
            low, high = limits[row.attribute]
            assert low < row.value < high
        if row.kind == "sd":
            assert 0 < row.value < row.about


def test_what_is_recalled_is_not_called_measured():
    for table in BASELINES.values():
        for row in table.rows:
            if "recalled" in row.note.lower() or table.read_in.startswith("Recalled"):
                assert row.status == "assumed", (table.name, row.label)


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (
            "{a: {n: 10, male: {share: 68}}}",
            r"mine.yaml: one.arms.a.male.share: a share is from 0 to 1, got 68 \(a perc",
        ),
        ("{a: {n: 10, age: {mean: .nan}}}", r"age.mean: expected a number, got nan; leave out what is not reported"),
        ("{a: {n: 10, age: {mean: old}}}", r"age.mean: expected a number, got 'old'"),
        ("{a: {n: 10, age: {mean: 40, sd: -3}}}", r"age.sd: needs a mean beside it and must be above 0"),
        ("{a: {n: 10, age: {sd: 3}}}", r"age.sd: needs a mean"),
        ("{a: {n: 10, age: 40}}", r"arms.a.age: expected names and values, got 40"),
        ("{a: {n: 10, age: {}}}", r"arms.a.age: gives no number"),
        ("{a: {n: 10, age: {average: 40}}}", r"age: unknown average; there are levels, mean"),
        ("{a: {age: {mean: 40}}}", r"arms.a.n: expected a number of people, got None"),
        ("{a: {n: 2.5, age: {mean: 40}}}", r"arms.a.n: expected a number of people, got 2.5"),
        ("{a: {n: 9, iga: {levels: {'3': 0.9, '4': 0.2}}}}", r"levels: the shares add up to 1.1, more than 1"),
        ("{a: {n: 9, age: {quartiles: [40, 30]}}}", r"quartiles 40 and 30 and the median are out of order"),
        ("{a: {n: 9, age: {quartiles: 40}}}", r"quartiles: expected two numbers"),
        ("{a: {n: 9, age: {median: 50, quartiles: [20, 30]}}}", r"out of order"),
        ("{a: {n: 9, age: {ranges: [{share: 0.2}]}}}", r"ranges: needs a share and an end"),
        ("{a: {n: 9, age: {ranges: [{over: 9, up_to: 5, share: 0.2}]}}}", r"over 9 is not below up_to 5"),
        ("{a: {n: 9, age: {median: 30}}, b: {n: 9, age: {median: 31}}}", r"cannot be pooled; give those of all"),
        ("{a: {n: 9, age: {mean: 40, status: certain}}}", r"status 'certain' is none of measured, calibrated, assumed"),
        ("{}", r"one.arms: there is none"),
        ("[1, 2]", r"one.arms: expected names and values"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(tmp_path, arms, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, arms)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("    status: measured\n", ""), "mine.yaml: one: lacks status"),
        (("read_in: paper", "read_in: dream"), "one.read_in: 'dream' is none of the origins paper"),
        (("    trial: One\n", "    trial: One\n    colour: red\n"), "one: unknown colour"),
        (("origins: ", "roots: "), "expected two entries, origins and tables"),
        (("tables:", "tables: ]"), "mine.yaml: no valid YAML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, "{a: {n: 9, male: {share: 0.5}}}", HEAD.replace(*change))


def test_a_file_cannot_run_code(tmp_path):
    with pytest.raises(ValueError, match="no valid YAML"):
        read(tmp_path, "!!python/object/apply:os.getcwd []")
