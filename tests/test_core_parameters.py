"""Parameter tables say where every number comes from, and refuse those that do not."""

import numpy as np
import pytest

from cutis.core.diseases import DISEASES
from cutis.core.parameters import Parameter, Source, Table, joined, read_table

GOOD = (
    "rate: {about: a rate, value: 2, unit: 1/day, status: measured, source: me2020, "
    "spread: {kind: lognormal, cv: 0.3}}\n"
)


@pytest.fixture
def table(tmp_path):
    def read(text):
        (tmp_path / "sources.yaml").write_text("me2020: {citation: Me 2020}\n")
        (tmp_path / "parameters.yaml").write_text(text)
        return read_table(tmp_path / "parameters.yaml", sources=tmp_path / "sources.yaml")

    return read


def test_values_and_spreads_are_read(table):
    assert table("group:\n  " + GOOD).numbers() == {
        "group.rate": 2.0,
        "group.rate:sd": pytest.approx(np.sqrt(np.log1p(0.09))),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("unit: 1/day, ", ""), "rate: lacks unit"),
        (GOOD.replace("me2020", "you2020"), "source 'you2020' is not in sources.yaml"),
        (GOOD.replace("measured", "guessed"), "status 'guessed' is none of"),
        (GOOD.replace("kind: lognormal", "kind: wide"), "spread needs a kind"),
        (GOOD.replace("kind: lognormal", "kind: normal"), "cv is for a lognormal"),
        (GOOD.replace("about", "colour: red, about"), "unexpected keyword argument 'colour'"),
        ("rate: 3\n", "rate: expected a parameter"),
    ],
)
def test_a_number_without_its_papers_is_refused(table, text, message):
    with pytest.raises(ValueError, match=message):
        table(text)


@pytest.mark.parametrize("disease", DISEASES.values(), ids=lambda d: d.name)
def test_every_source_is_cited_by_a_number_or_named_in_a_note_and_recalled_numbers_are_assumed(disease):
    cited = {p.source for p in disease.parameters.values()}
    spoken = {"he2021", "hjort2024", "paul2017", "watson2021"}  # what the calibration fits, and may cite
    notes = " ".join(parameter.note for parameter in disease.parameters.values())
    named = {k for k, s in disease.parameters.sources.items() if s.citation.split()[0] in notes and k[-4:] in notes}
    assert set(disease.parameters.sources) - cited - named <= spoken
    for parameter in disease.parameters.values():
        if "recalled" in parameter.note or "not verified" in parameter.note:
            assert parameter.status == "assumed", parameter.name


def test_tables_are_joined_under_their_names_with_the_notes_on_a_source_together():
    one = Table({"a": Parameter("a", "", 1.0, "1", "assumed", "s")}, {"s": Source("s", "A book.", "Read.")})
    other = Table({"a": Parameter("a", "", 2.0, "1", "assumed", "s")}, {"s": Source("s", "A book.", "Recalled.")})
    both = joined({"x": one, "y": other})
    assert {name: p.value for name, p in both.items()} == {"x.a": 1.0, "y.a": 2.0}
    assert both.sources == {"s": Source("s", "A book.", "Read. Recalled.")}
    with pytest.raises(ValueError, match="y: source 's' is another one elsewhere"):
        joined({"x": one, "y": Table({}, {"s": Source("s", "Another book.")})})
