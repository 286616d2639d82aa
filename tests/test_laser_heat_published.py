"""Heat and damage against closed forms and published figures; the docs show the same table, misses included."""

import pandas as pd
import pytest

from . import laser_heat_cases as cases


@pytest.mark.parametrize("name", cases.CASES)
def test_a_case_is_met_where_it_must_be(name):
    table = cases.compared([name])
    assert table.computed.notna().all()
    missed = table[(table.gated == "yes") & ~table.met]
    assert missed.empty, missed[["quantity", "low", "computed"]].to_string()


def test_every_figure_has_a_case_and_a_citation():
    table = pd.read_csv(cases.TABLE)
    assert set(table.id) == set(cases.CASES)
    assert table.citation.notna().all()


def test_the_docs_show_all_figures():
    text = cases.DOCS.read_text(encoding="utf-8")
    shown = text.split(cases.BEGIN)[1].split(cases.END)[0]
    table = pd.read_csv(cases.TABLE)
    assert len(shown.splitlines()) == len(table) + 2
    assert all(quantity in shown for quantity in table.quantity)
