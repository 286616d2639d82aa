"""The report of a made-up trial in a made-up disease: what it must say, and what must never be in it."""

import json
import math
import re
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from cutis.core.disease import Disease, Endpoint, Evidence, Outcome
from cutis.core.parameters import Parameter, Source, Spread, Table
from cutis.population.attributes import Attribute
from cutis.population.sample import Source as PopulationSource
from cutis.trials.report.build import build
from cutis.trials.statistics.result import Result
from cutis.trials.study import Model, Study

from .page import Page

NOWHERE = Path("/nonexistent")
FORBIDDEN = re.compile(r"<script|<link|<iframe|<img|@import|url\((?!#)|javascript:|\son\w+=", re.IGNORECASE)


class Run(NamedTuple):
    """Everything that a report is built from."""

    disease: Disease
    population: PopulationSource
    manifest: dict[str, Any]
    study: Study
    twins: pd.DataFrame
    observations: pd.DataFrame
    events: pd.DataFrame
    results: list[Result]

    def html(self) -> str:
        return build(NOWHERE, *self)


def table() -> Table:
    source = Source("doe2020", "Doe J. Journal of Examples 2020;1:1-2, doi:10.1000/example.", "Read in full.")
    return Table(
        {
            "rate": Parameter("rate", "turnover of redness", 0.0321, "1/day", "measured", "doe2020"),
            "floor": Parameter("floor", "lowest redness", 1.5e-7, "1", "assumed", "doe2020", Spread("lognormal", 0.42)),
        },
        {"doe2020": source},
    )


def disease() -> Disease:
    def nothing(*_: Any) -> Any:
        raise AssertionError("a report simulates nothing")

    def relief(now: Any, base: Any) -> np.ndarray:
        return (now["redness"] <= 0.5 * base["redness"]) + 0.0 * now["redness"]

    def change(now: Any, base: Any) -> np.ndarray:
        return 100 * (now["redness"] - base["redness"]) / base["redness"]

    described: dict[str, Any] = {
        "name": "glow", "title": "Glow", "attributes": (), "parameters": table(), "treatments": {},
        "endpoints": {"redness": Endpoint("redness", "redness score", "points", 0, 20)},
        "outcomes": {
            "relief": Outcome("relief", "Relief: redness halved", "responder", "", relief),
            "change": Outcome("change", "change of redness", "continuous", "%", change),
        },
        "evidence": Evidence(("One old trial.",), ("Nothing yet.",), ("Glow of the toes is not modelled.",)),
        "lack_of_efficacy": "relief", "waterfall": "change", "harms": {},
    }  # fmt: skip
    needed = (field.name for field in fields(Disease) if field.default is field.default_factory is MISSING)
    return Disease(**dict.fromkeys(needed, nothing) | described)


def study(**changes: Any) -> Study:
    against = {"week": 8, "arm": "lumen", "comparator": "placebo"}
    lack = {"lack_of_efficacy": 0.003, "lack_of_efficacy_from": 4, "followed_up": 0.5}
    trial: dict[str, Any] = {
        "title": "Lumen against placebo",
        "question": "How many more find relief?",
        "disease": "glow",
        "arms": {
            "lumen": {"about": "two doses", "regimen": [{"treatment": "lumen", "dose": "10 mg", "weeks": [0, 4]}]},
            "placebo": {},
        },
        "visits": [0, 4, 8],
        "eligibility": {"age": {"min": 18}, "redness": {"min": 5, "max": 19}},
        "randomisation": {"allocation": {"lumen": 1, "placebo": 1}, "block_size": 4},
        "conduct": {
            "adherence": {"probability": 0.9, "spread": 0.5},
            "discontinuation": {"adverse_event": 0.001, "other": 0.002} | lack,
            "missed_visit": 0.01,
            "rescue": {"treatment": "balm", "from_week": 4, "chance": 0.1},
        },
        "outcomes": ["relief"],
        "analyses": {
            "relief_main": against | {"outcome": "relief", "method": "newcombe", "role": "primary"},
            "relief_odds": against | {"outcome": "relief", "method": "logistic"},
            "change_means": against
            | {"outcome": "change", "method": "ancova", "intercurrent": "treatment_policy", "role": "secondary"},
        },
    }
    plan = {"seed": 7, "population": {"source": "glowing_adults", "size": 60}, "trial": trial | changes}
    return Study.model_validate(plan)


def result(analysis: str, statistic: str, estimate: float, low: float, high: float, **fields: Any) -> Result:
    given: dict[str, Any] = {
        "analysis": analysis, "role": "exploratory", "outcome": "relief", "week": 8, "population": "full analysis set",
        "intercurrent": "composite", "arm": "lumen", "comparator": "placebo", "method": "newcombe", "options": "{}",
        "statistic": statistic, "estimate": estimate, "low": low, "high": high, "level": 0.95, "se": math.nan,
        "p": 0.0123, "n": 30, "n_comparator": 30, "events": 18, "events_comparator": 6, "missing": 2,
        "engine": "cutis", "engine_version": "0.1.0", "note": "",
    }  # fmt: skip
    return Result(**given | fields)


def results() -> list[Result]:
    rows = [
        result("relief_odds", "odds ratio", 6.004, 1.91, 18.876, method="logistic", p=0.0021),
        result("relief_main", "risk difference", 0.4004, 0.1521, 0.5896, role="primary", options='{"test": "score"}'),
        result(
            "change_means", "difference in adjusted means", -33.337, -45.21, -21.46, outcome="change", method="ancova",
            role="secondary", p=2e-7, intercurrent="treatment_policy",
        ),
    ]  # fmt: skip
    for arm, shares in {"lumen": (0.3, 0.6), "placebo": (0.1, 0.2)}.items():
        for week, share in zip((4, 8), shares, strict=True):
            rows.append(
                result(
                    "by_visit", "proportion", share, share - 0.08, share + 0.12, role="descriptive", arm=arm,
                    comparator="", week=week, method="wilson", p=math.nan, events=round(30 * share),
                )
            )  # fmt: skip
    return rows


@pytest.fixture
def run() -> Run:
    rng, n = np.random.default_rng(3), 60
    twins = pd.DataFrame({"twin": np.arange(n), "arm": np.where(np.arange(n) % 2 == 0, "lumen", "placebo")})
    twins["age"], twins["male"] = rng.normal(45, 12, n), np.arange(n) % 3 == 0
    twins["race"] = np.where(np.arange(n) < 50, "white", "other")
    twins["fitzpatrick"] = np.repeat([1, 2, 3], 20)
    treated = (twins.arm == "lumen").to_numpy()
    twins["doses_planned"], twins["doses_taken"] = 2 * treated, 2 * treated
    start = rng.uniform(6, 18, n)
    redness = np.stack([start, start * (1 - 0.3 * treated), start * (1 - 0.6 * treated)], axis=1)
    redness[:3, 2] = np.nan
    observations = pd.DataFrame({"twin": np.repeat(twins.twin, 3), "arm": np.repeat(twins.arm, 3)})
    observations["week"], observations["redness"] = np.tile([0, 4, 8], n), redness.ravel()
    events = pd.DataFrame(
        [(0, "lumen", 3, "treatment stopped", "adverse event"), (0, "lumen", 3, "left the study", "adverse event")],
        columns=["twin", "arm", "week", "event", "reason"],
    )
    kinds = {"age": ("age at baseline", "year", "number", None), "male": ("male sex", "1", "yes/no", None)}
    kinds |= {"race": ("race", "1", "category", ("white", "black", "other"))}
    kinds |= {"fitzpatrick": ("Fitzpatrick skin type", "type", "grade", None)}
    attributes = {name: Attribute(name, *rest) for name, rest in kinds.items()}
    population = PopulationSource("glowing_adults", "adults who glow", attributes, table(), lambda key, i: {})
    manifest = {
        "cutis": "0.1.0", "study_sha256": study().fingerprint(), "status": "complete",
        "plan": {"twins": n, "shards": 1, "mesh": {"steps": 120, "scale": 1.0, "error": 3.1e-5}},
        "screening": {"screened": 71, "excluded": {"age": 4, "redness": 7}},
        "versions": {"python": "3.11.9"}, "platform": {"machine": "abacus"},
        "files": {"study.yaml": {"sha256": "f00d" * 16, "bytes": 1234}},
    }  # fmt: skip
    return Run(disease(), population, manifest, study(), twins, observations, events, results())


def test_the_same_run_gives_the_same_bytes(run: Run) -> None:
    assert run.html() == run.html()


def test_the_order_of_entries_in_the_manifest_does_not_matter(run: Run) -> None:
    stored = json.loads(json.dumps(run.manifest, sort_keys=True))
    stored["screening"]["excluded"] = dict(reversed(run.manifest["screening"]["excluded"].items()))
    stored["files"]["log.jsonl"] = {"sha256": "it tells the time", "bytes": 1}
    assert run._replace(manifest=stored).html() == run.html()


def test_nothing_is_loaded_and_no_script_runs(run: Run) -> None:
    html = run.html()
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not FORBIDDEN.search(html.partition("<pre")[0])
    assert not re.search(r"(src|href|xmlns\S*)\s*=\s*[\"']?http", html)


def test_the_page_is_sound_every_id_once_and_every_link_inside_it_leads_somewhere(run: Run) -> None:
    page = Page(run.html())
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)


def test_it_says_simulated_at_the_top_in_print_and_in_every_figure(run: Run) -> None:
    html = run.html()
    assert '<span class="badge">SIMULATED</span>' in html
    assert re.search(r"@media print.*\.watermark \{ display: block", html, re.DOTALL)
    figures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(figures) == 8  # schedule, flow, 1 course, 3 forests, 2 waterfalls
    assert all(figure.count(">SIMULATED</text>") == 2 for figure in figures)


def test_every_figure_has_a_title_and_a_description_that_are_named(run: Run) -> None:
    for figure in re.findall(r"<svg.*?</svg>", run.html(), re.DOTALL):
        title, description = re.findall(r'aria-labelledby="(\S+) (\S+)"', figure)[0]
        assert re.search(rf'<title id="{title}">[^<]+\(simulated\)</title>', figure)
        assert re.search(rf'<desc id="{description}">[^<]+</desc>', figure)


def test_what_a_user_writes_stays_text(run: Run) -> None:
    hostile = "<script>alert('x')</script> & $x^2$ ]]>"
    arms = {"lumen": {"about": hostile}, "placebo": {}}
    html = run._replace(study=study(title=hostile, question=hostile, arms=arms)).html()
    assert "<script" not in html
    assert Page(html).text.count("<script>alert('x')</script> & $x^2$ ]]>") >= 3


def test_every_planned_analysis_appears_with_and_without_a_result(run: Run) -> None:
    html = run._replace(results=run.results[:1]).html()
    assert {"relief main", "relief odds", "change means"} <= {row[0] for row in Page(html).rows if row}
    assert "planned, but there is no result" in html
    assert "planned, but there is no result" not in run.html()


def test_the_forest_tables_and_figures_carry_the_numbers_of_the_results(run: Run) -> None:
    html = run.html()
    rows = {row[0]: row for row in Page(html).rows if len(row) == 6}
    assert rows["relief main"][3:] == ["40.0", "15.2 to 59.0", "0.012"]
    assert rows["relief odds"][3:] == ["6.00", "1.91 to 18.88", "0.002"]
    assert rows["change means"][3:] == ["−33.34", "−45.21 to −21.46", "< 0.001"]  # noqa: RUF001
    assert ">40.0 (15.2 to 59.0)</text>" in html


def test_the_primary_comparison_is_told_first_in_a_sentence_with_its_counts(run: Run) -> None:
    text = Page(run.html()).text.replace("\u202f", " ")
    told = (
        "At week 8, 60.0 % (18 of 30 twins) of the lumen arm and 20.0 % (6 of 30 twins) of the placebo arm "
        "had Relief: a risk difference of 40.0 percentage points (95 % interval 15.2 to 59.0, p = 0.012)."
    )
    assert told in text
    assert text.index(told) < text.index("At week 8, the difference in adjusted means")
    assert not re.search(r"\b(proves?|proven|superior|significant|works|effective)\b", text)


def test_an_unestimable_comparison_says_so_and_gives_the_reason(run: Run) -> None:
    unknown = dict.fromkeys(("estimate", "low", "high", "p"), math.nan)
    lost = replace(run.results[1], **unknown, note="no twin of placebo has a value")
    text = Page(run._replace(results=[lost]).html()).text
    assert "could not be estimated" in text
    assert "no twin of placebo has a value" in text
    assert "nan" not in text.lower().split()


def test_an_interval_without_an_end_is_drawn_to_the_edge(run: Run) -> None:
    endless = replace(run.results[0], estimate=math.inf, high=math.inf)
    assert "1.91 to ∞" in run._replace(results=[endless]).html()


def test_flow_counts_screening_and_each_fate_of_a_twin_once(run: Run) -> None:
    twice = pd.concat([run.events, run.events.assign(week=5, reason="other")], ignore_index=True)
    page = Page(run._replace(events=twice).html())
    rows = {row[0]: row[1:] for row in page.rows if row}
    assert rows["age at baseline below 18 years"] == ["4"]
    assert rows["redness score outside 5 to 19 points"] == ["7"]
    assert rows["Stopped treatment"] == ["1", "0"]
    assert rows["… adverse event"] == ["1", "0"]
    assert rows["In the study to the last visit"] == ["29", "30"]
    assert "Not eligible 11" in page.text


def test_the_baseline_table_agrees_with_pandas(run: Run) -> None:
    rows = [row for row in Page(run.html()).rows if row]
    lumen = run.twins[run.twins.arm == "lumen"]
    start = next(i for i, row in enumerate(rows) if row[0] == "Age at baseline, years")
    assert rows[start + 1][:2] == ["mean (SD)", f"{lumen.age.mean():.1f} ({lumen.age.std():.1f})"]
    assert rows[start + 2][1] == "{1:.1f} [{0:.1f}, {2:.1f}]".format(*lumen.age.quantile([0.25, 0.5, 0.75]))
    assert next(row for row in rows if row[0] == "Male sex, n (%)")[1] == f"{lumen.male.sum()} (33.3\u202f%)"


def test_small_and_absent_subgroups_are_warned_of(run: Run) -> None:
    text = Page(run.html()).text
    assert "Fewer than 30 twins: Sex men (20), Race black (none), Race other (10)" in text


def test_categories_may_come_as_numbers_of_their_levels(run: Run) -> None:
    coded = run.twins.assign(race=run.twins.race.map({"white": 0, "black": 1, "other": 2}))
    assert run._replace(twins=coded).html() == run.html()


def test_the_waterfall_shows_shares_beyond_each_threshold(run: Run) -> None:
    rows = {row[0]: row for row in Page(run.html()).rows if len(row) == 12}
    assert rows["lumen"][1:3] == ["28", "2"]
    assert rows["lumen"][5] == "−60.0"  # noqa: RUF001
    assert rows["lumen"][8:] == ["100.0\u202f%", "0.0\u202f%", "0.0\u202f%", "0.0\u202f%"]


def test_assumed_parameters_come_first_with_their_sources(run: Run) -> None:
    page = Page(run.html())
    names = [row[0] for row in page.rows if len(row) == 5 and row[3] in ("assumed", "measured")]
    assert names[0].startswith("Lowest redness")
    assert names[1].startswith("Turnover of redness")
    assert "1.5 × 10⁻⁷" in page.text  # noqa: RUF001
    assert "Journal of Examples" in page.text
    assert "Glow of the toes is not modelled." in page.text
    assert "1 of the 2 parameters of the response model are assumed" in page.text


def test_numbers_that_were_drawn_stand_beside_the_estimates(run: Run) -> None:
    assert "drawn;" not in Page(run.html()).text
    drawing = replace(run.disease, draw=lambda number: {"rate": 0.01 * number})
    study = run.study.model_copy(update={"model": Model(draw=7)})
    page = Page(run._replace(disease=drawing, study=study, manifest=run.manifest | {"model": {"draw": 7}}).html())
    assert "0.07 1/day, drawn; its own is 0.0321 1/day" in page.text
    assert "This run took draw 7 of what is not known of the parameters of the response model" in page.text
    assert ["model · draw", "7"] in page.rows
    assert page.text.count("drawn;") == 1  # the numbers of the population, of the same names here, are its own


def test_missing_optional_entries_never_print_none_or_nan(run: Run) -> None:
    for manifest in ({}, {"cutis": None, "status": None, "plan": None, "files": {"a": {}}, "versions": {"jax": None}}):
        text = Page(run._replace(manifest=manifest).html()).text
        assert not re.search(r"\b(None|nan|NaN|NaT)\b", text)


def test_the_text_of_the_sealed_study_is_shown_when_the_run_has_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("# as the user wrote it\nseed: 7\n", encoding="utf-8")
    assert "# as the user wrote it" in build(tmp_path, *run)
    assert "seed: 7" in run.html()


def test_a_trial_without_any_event(run: Run) -> None:
    rows = {row[0]: row[1:] for row in Page(run._replace(events=run.events.iloc[:0]).html()).rows if row}
    assert rows["Left the study"] == ["0", "0"]


def test_adverse_events_have_a_section_where_the_disease_knows_any(run: Run) -> None:
    assert "harms" not in Page(run.html()).ids
    rows = [(0, "lumen", 2, "adverse event: dazzle", "")]
    events = pd.concat([run.events, pd.DataFrame(rows, columns=list(run.events))], ignore_index=True)
    known = replace(run.disease, harms={"dazzle": "dazzle", "burn": "burn of the skin"})
    page = Page(run._replace(disease=known, events=events).html())
    assert "harms" in page.ids
    assert "harms" in page.targets
    told = {row[0]: row[1:] for row in page.rows if row}
    assert [cell.split(" ")[0] for cell in told["Dazzle"]] == ["1", "0"]
    assert told["Burn of the skin"] == ["0 (0.0)", "0 (0.0)"]
    assert "they are no finding of this trial" in page.text


def test_a_trial_with_one_arm(run: Run) -> None:
    plan = study()
    trial = plan.trial.model_copy(update={"arms": {"lumen": plan.trial.arms["lumen"]}, "analyses": {}})
    plan = plan.model_copy(update={"trial": trial})
    own = [row for row in run.results if row.analysis == "by_visit" and row.arm == "lumen"]
    twins, observations = (frame[frame.arm == "lumen"] for frame in (run.twins, run.observations))
    alone = run._replace(study=plan, twins=twins, observations=observations, results=own)
    text = Page(alone.html()).text
    assert "There is one arm" in text
    assert "no result for a primary or secondary comparison" in text


def test_an_outcome_without_data_and_an_arm_nobody_saw(run: Run) -> None:
    unseen = run.observations.assign(redness=run.observations.redness.where(run.observations.week == 0))
    empty = [row for row in run.results if row.analysis != "by_visit"]
    text = Page(run._replace(observations=unseen, results=empty).html()).text
    assert "No estimate by visit for Relief." in text
    assert "no twin with a value" in text
    assert not re.search(r"\bnan\b", text)


def test_many_twins_are_drawn_as_quantiles_and_the_report_says_so(run: Run) -> None:
    copies = [run.twins.assign(twin=run.twins.twin + 60 * i) for i in range(20)]
    seen = [run.observations.assign(twin=run.observations.twin + 60 * i) for i in range(20)]
    html = run._replace(twins=pd.concat(copies), observations=pd.concat(seen)).html()
    assert "400 quantiles of the twins" in html
    assert "400 quantiles of the twins" not in run.html()


def test_names_in_other_scripts_are_drawn_without_complaint(run: Run, recwarn: pytest.WarningsRecorder) -> None:
    relief = replace(run.disease.outcomes["relief"], about="寛解")
    glow = replace(run.disease, outcomes=run.disease.outcomes | {"relief": relief})
    assert "寛解" in run._replace(disease=glow).html()
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
