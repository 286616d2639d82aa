"""The report of a fitted population: what it must show, and whom it must not."""

import re

import numpy as np
import pytest

from cutis.population.fitting.data import halves
from cutis.population.privacy.assess import Privacy, Risk
from cutis.population.quality import assess
from cutis.population.quality.fit import Cells, Fit, columns, size
from cutis.population.quality.picture import picture
from cutis.trials.report import words
from cutis.trials.report.population import build

from .page import Page
from .peopled import drawn

RECORDING = assess.Recording({"height": 0.1, "bmi": 0.1, "weight": 0.1, "sbp": 1.0, "dbp": 1.0, "age": 1.0})
FORBIDDEN = re.compile(r"<script|<link|<iframe|<img|@import|url\((?!#)|javascript:|\son\w+=|https?:", re.IGNORECASE)
HOSTILE = "<script>alert('x')</script> & $x^2$"
ODD = (987.6, 271.3)  # weight and height of the one who must not be seen


@pytest.fixture(scope="module")
def fit() -> Fit:
    people = drawn(3000, 1, gaps=0.1)
    numbers = {name: values.copy() for name, values in people.numbers.items()}
    numbers["weight"][7], numbers["height"][7], numbers["bmi"][7] = *ODD, ODD[0] / (ODD[1] / 100) ** 2
    people, twins = people._replace(numbers=numbers), drawn(4000, 2)
    split = assess.assess(*halves(people, 0), twins, RECORDING)
    kept = Risk(
        name="linkability", attack_rate=0.04, control_rate=0.03, risk=0.01, low=-0.005, high=0.025, blind=0.0,
        null_low=-0.02, null_high=0.02, threshold=0.1, asked=True, within_null=True, passed=True, about="links",
    )  # fmt: skip
    leak = Risk(
        name="membership", attack_rate=None, control_rate=None, risk=0.61, low=0.58, high=0.64, blind=0.5,
        null_low=0.47, null_high=0.53, threshold=0.55, asked=True, within_null=False, passed=False,
        about="who was there",
    )  # fmt: skip
    risks = (kept, kept._replace(name="inference", asked=False), leak)
    return Fit(
        name="villagers", about="people of a village", source="Doe J. Journal of Villages 2020;1:1-2.",
        source_note="Read in full.", design="examination weights; 150 sampling units", people=size(people)[0],
        effective=size(people)[1], twins=twins.size, columns=columns(people),
        cells=Cells(4, 1, "sex and age", np.array([5.0, 40.0, 900.0, 2000.0])),
        picture=picture(people, twins, RECORDING),
        splits=(split, split), final=assess.assess_final(people, twins, [split], RECORDING),
        privacy=Privacy(risks, {"inference (luck)": "too few guesses"}, 1500, 4000),
        notes=(HOSTILE,), limits=("People of towns.",), settings={"seed": "7"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def html(fit: Fit) -> str:
    return build(fit)


def test_the_same_fit_gives_the_same_bytes(fit: Fit, html: str) -> None:
    assert build(fit) == html


def test_nothing_is_loaded_and_no_script_runs(html: str) -> None:
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not FORBIDDEN.search(html)
    assert HOSTILE in Page(html).text


def test_every_id_is_single_and_every_link_leads_somewhere(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)


def test_all_figures_are_there_with_titles_that_call_the_twins_simulated(fit: Fit, html: str) -> None:
    figures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    numbers = len(fit.picture.histograms)
    assert len(figures) == numbers + 6 + 1 + (numbers - 1) + 2  # margins, pairs, correlations, subgroups, risks
    for figure in figures:
        title, description = re.findall(r'aria-labelledby="(\S+) (\S+)"', figure)[0]
        assert re.search(rf'<title id="{title}">[^<]*twins \(simulated\)</title>', figure)
        assert re.search(rf'<desc id="{description}">[^<]+</desc>', figure)


def test_every_gate_is_shown_for_every_split_and_the_final_fit(fit: Fit, html: str) -> None:
    rows = {row[0]: row[1:] for row in Page(html).rows if row}
    head = rows["Measure"]
    assert head == ["At most", "Split 1", "Split 2", "Final"]
    row = next(cells for label, cells in rows.items() if label.startswith("Rank correlations"))
    gate = fit.splits[0].gates[1]
    assert row[0] == "0.035"
    assert row[1] == f"{gate.value:.3f}{gate.floor:.3f}"
    assert len(row) == 4


def test_what_exceeds_its_limit_is_said_at_the_top(fit: Fit) -> None:
    gates = tuple(gate._replace(passed=gate.name != "classifier") for gate in fit.final.gates)
    bad = fit.final._replace(gates=gates)
    text = Page(build(fit._replace(final=bad, splits=(bad, bad)))).text
    assert "0 of 2 splits by halves of the sampling units met every limit; exceeded: classifier" in text
    assert "does not meet every limit; exceeded: classifier" in text
    good = fit.final._replace(gates=tuple(gate._replace(passed=True) for gate in gates))
    text = Page(build(fit._replace(final=good, splits=(good,)))).text
    assert "1 of 1 split by halves of the sampling units met every limit." in text


def test_nobody_is_in_the_report(html: str) -> None:
    page = Page(html)
    for number in (*ODD, ODD[0] / (ODD[1] / 100) ** 2):
        told = {f"{number:.0f}", f"{number:.1f}", f"{number:.3g}"}
        assert not told & set(re.findall(r"[\d.]+", page.text.replace("\u202f", "")))


def test_means_of_fewer_than_five_are_not_told(fit: Fit, html: str) -> None:
    found = fit.splits[-1].twins.subgroups[0]
    few = found.effective < 5
    assert few.any()
    assert np.isnan(found.people[few & (np.nan_to_num(found.error).sum(axis=1) == 0)]).all()
    assert "nan" not in Page(html).text.lower().split()


def test_privacy_shows_the_risk_chance_and_the_limit(html: str) -> None:
    rows = {row[0]: row[1:] for row in Page(html).rows if row}
    told = ["0.610 (0.580 to 0.640)", "0.470 to 0.530", "0.55", "no"]
    assert rows["Membership"] == ["who was there", words.NOTHING, words.NOTHING, *told]
    assert rows["Inference"][-2:] == ["not asked", "yes"]
    text = Page(html).text
    assert "2 of 3 attacks on the people of the fit stayed within its limit" in text
    assert "Not done: inference (luck), too few guesses." in text


def test_without_attacks_the_report_says_that_nothing_is_known(fit: Fit) -> None:
    text = Page(build(fit._replace(privacy=None))).text
    assert "No attack was made on this fit" in text


def test_without_splits_it_says_who_was_compared(fit: Fit) -> None:
    text = Page(build(fit._replace(splits=()))).text
    assert "people it was fitted to" in text
    assert "held out" not in text
    assert "nan" not in text.lower().split()


def test_gaps_cells_source_and_limits_are_told(fit: Fit, html: str) -> None:
    page = Page(html)
    rows = {row[0]: row[1:] for row in page.rows if len(row) == 2}
    missing = next(column.missing for column in fit.columns if column.name == "sbp")
    assert rows["Sbp"] == [f"{100 * missing:.1f}\u202f%"]
    assert rows["Effective people 30 to below 100"] == ["1"]
    assert "Age" not in rows
    for told in (
        "Journal of Villages",
        "4 cells by sex and age, 1 of them joined",
        "People of towns.",
        "150 sampling units.",
    ):
        assert told in page.text


def test_a_table_without_sex_race_and_age_has_a_report_too() -> None:
    def plain(seed: int):
        people = drawn(600, seed)
        return people._replace(numbers={n: people.numbers[n] for n in ("height", "weight")}, categories={}, levels={})

    people, twins = plain(3), plain(4)
    final = assess.assess_final(people, twins, [])
    bare = Fit(
        "bare", "two numbers", "", "", "no design", *size(people), twins.size, columns(people),
        Cells(1, 0, "", np.array([600.0])),
        picture(people, twins), (), final,
    )  # fmt: skip
    text = Page(build(bare)).text
    assert "everyone" in text
    assert "no such column" in text
