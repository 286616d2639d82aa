"""Split-body trials: two sides of one person, what is common to them and what is not, and what may not be asked."""

import dataclasses
import hashlib
import json
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from cutis.cluster.settings import Cluster
from cutis.core.disease import Sides
from cutis.core.diseases import DISEASES
from cutis.core.keys import root, uniforms
from cutis.core.parameters import Parameter, Source, Table
from cutis.population.sample import POPULATIONS
from cutis.trials import bundle, shard
from cutis.trials.checks import problems
from cutis.trials.conduct import parameters_of, screening_of_sides
from cutis.trials.run import plan, run
from cutis.trials.study import Study, canonical
from cutis.trials.verify import verify

from .toy import WEIGHED
from .toydisease import TOY, TROUBLED

N = 48
IDS = np.arange(N)
COARSE = 0.01  # error of the mesh, whose steps are twice the usual ones
MADE = {"made": Source("made", "made up")}
EXTRA = Table({"sides.more": Parameter("sides.more", "of a right side", 0.5, "1", "assumed", "made")}, MADE)
CREAM = {"treatment": "cream", "dose": "1 application", "weeks": [0, 1, 2, 3, 4, 5, 6, 7]}
HEAT = {"treatment": "heater", "dose": "1 session", "weeks": [0, 1, 2, 3, 4, 5, 6, 7]}
PILL = {"treatment": "pill", "dose": "10 mg", "weeks": [0], "times_a_day": 1, "until": 8}
SHOT = {"treatment": "shot", "dose": "100 mg", "weeks": [0, 4]}


def side(keys, own, number, person, theta):
    """A side knows which one it is, and draws a score of its own and one of its person."""
    mine = {"side": number, "own": uniforms(own, "score"), "common": uniforms(keys, "score")}
    return person | mine | {"more": theta["sides.more"] * number.astype("float64")}


def observe(keys, person, state, day, details):
    found = TOY.observe(keys, person, state, day, details)
    if "side" not in person:
        return found
    return found | {"struck": 100 * person["own"], "odd": person["common"], "third": person["more"]}


TWO = dataclasses.replace(
    TOY,
    name="two",
    observe=observe,
    sides=Sides(
        "half of a toy",
        {"total": 0.5, "level": 1.0, "struck": 1.0, "odd": 1.0, "third": 1.0},
        EXTRA,
        ("Toys have no sides.",),
        side,
        lambda person, side, state, day: (state[0] / 2, *state[1:]),
    ),
)
HARMED = dataclasses.replace(
    TWO, name="harmed", harms={"rash": "rash", "cold": "common cold"}, adverse=TROUBLED.adverse
)


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for disease in (TOY, TWO, HARMED):
        monkeypatch.setitem(DISEASES, disease.name, disease)
    monkeypatch.setitem(POPULATIONS, "weighed", WEIGHED)


def told(one, two, **parts) -> dict[str, Any]:
    """A split-body study of a toy as data: the regimens of its arms, and parts of the trial that are otherwise."""
    quiet = {"adverse_event": 0, "other": 0, "lack_of_efficacy": 0, "lack_of_efficacy_from": 0, "followed_up": 0}
    trial = {
        **{"title": "sides", "question": "which", "disease": "two", "design": "split_body", "visits": [0, 2, 4, 8]},
        **{"arms": {"one": {"regimen": one}, "two": {"regimen": two}}, "eligibility": {}, "outcomes": ["total"]},
        "randomisation": {"allocation": {"one": 1, "two": 1}, "block_size": 2},
        "conduct": {
            "adherence": {"probability": parts.pop("adherence", 1 - 1e-12), "spread": 0},
            "discontinuation": quiet | parts.pop("discontinuation", {}),
            "missed_visit": parts.pop("missed_visit", 0),
        },
    }
    size = parts.pop("size", N)
    return {"seed": 3, "population": {"source": "weighed", "size": size}, "trial": trial | parts}


def study(one, two, **parts):
    return Study.model_validate(told(one, two, **parts))


class Tables(NamedTuple):
    twins: Any
    observations: Any
    events: Any


def simulated(asked, ids=IDS) -> Tables:
    job = shard.Job(canonical(asked), 2.0, ("all",))
    found, _ = shard.simulate(job, shard.Shard(0, ids, ids % 2, np.zeros_like(ids), {}))
    return Tables(**{name: table.to_pandas() for name, table in found.items()})


def at(tables, arm, name, week=8):
    """An endpoint by twin on the side that had an arm."""
    seen = tables.observations
    return seen[(seen["arm"] == arm) & (seen["week"] == week)].set_index("twin")[name].sort_index()


def test_every_twin_has_both_arms_one_on_each_side():
    found = simulated(study([CREAM], []))
    assert found.twins["left_arm"].tolist() == ["one", "two"] * (N // 2)
    assert (found.twins["left_arm"] != found.twins["right_arm"]).all()
    assert len(found.observations) == N * 2 * 4
    by_side = found.observations.merge(found.twins, on="twin")
    expected = np.where(by_side["side"] == "left", by_side["left_arm"], by_side["right_arm"])
    assert (by_side["arm"] == expected).all()


def test_a_treatment_acts_on_its_own_side_alone():
    found = simulated(study([CREAM], []))
    np.testing.assert_allclose(at(found, "one", "total"), 8 / 2, rtol=COARSE)  # read: a half of what a like body has
    np.testing.assert_array_equal(at(found, "two", "total"), 0)


def test_what_is_the_persons_is_the_same_on_both_sides_and_what_is_the_sides_is_not():
    found = simulated(study([CREAM], []))
    np.testing.assert_array_equal(at(found, "one", "odd"), at(found, "two", "odd"))
    assert (at(found, "one", "struck") != at(found, "two", "struck")).all()
    sides = found.observations[found.observations["week"] == 0].set_index("side")["third"]
    assert (sides["left"] == 0).all()
    assert (sides["right"] == 0.5).all()  # the parameters of sides reach them


def test_only_what_is_read_of_a_side_is_recorded():
    assert "half" not in simulated(study([CREAM], [], details=True)).observations


def test_a_side_of_a_twin_is_the_same_whatever_it_is_given_and_whoever_is_beside_it():
    asked = study([CREAM], [])
    whole = simulated(asked)
    part = simulated(asked, IDS[10:20])
    again = whole.observations[whole.observations["twin"].between(10, 19)].reset_index(drop=True)
    assert again.equals(part.observations)
    swapped = simulated(study([], [CREAM]))
    keys = ["twin", "side", "week"]
    one, other = (t.observations.set_index(keys)["struck"] for t in (whole, swapped))
    np.testing.assert_array_equal(one, other.loc[one.index])


def test_doses_of_a_topical_are_taken_side_by_side_sessions_and_drugs_by_the_person():
    half = {"adherence": 0.5}
    creams, heats = (simulated(study([course], [course], **half)) for course in (CREAM, HEAT))
    assert (at(creams, "one", "total") != at(creams, "two", "total")).mean() > 0.5
    np.testing.assert_array_equal(at(heats, "one", "total"), at(heats, "two", "total"))
    shots = simulated(study([SHOT, CREAM], [SHOT], **half))
    difference = at(shots, "one", "total") - at(shots, "two", "total")
    np.testing.assert_allclose(
        difference, np.round(2 * difference) / 2, atol=4 * COARSE
    )  # whole creams: no shot on one side
    assert difference.max() < 4.01
    taken = shots.twins[["left_doses_taken", "right_doses_taken"]].sum().sum()
    planned = shots.twins[["left_doses_planned", "right_doses_planned"]].sum().sum()
    assert 0.4 < taken / planned < 0.6


def test_irritation_of_a_side_keeps_from_treating_it_and_not_from_a_pill(monkeypatch):
    """Half as willing; of a pill nothing is lost."""
    sore = dataclasses.replace(TWO, name="sore", willing=lambda person, state: jnp.full_like(state[0], 0.5))
    monkeypatch.setitem(DISEASES, "sore", sore)
    cream = {"treatment": "cream", "dose": "1 application", "weeks": [0], "times_a_day": 1, "until": 8}
    found = simulated(study([PILL, cream], [PILL], disease="sore"))
    np.testing.assert_allclose(at(found, "two", "total"), 560 / 2, rtol=0.01)
    np.testing.assert_allclose(at(found, "one", "total") - at(found, "two", "total"), 56 / 4, rtol=0.02)


def test_who_leaves_leaves_with_both_sides_and_events_are_the_persons():
    found = simulated(study([CREAM], [], discontinuation={"other": 0.1}, missed_visit=0.1))
    seen = found.observations.pivot_table(index=["twin", "week"], columns="side", values="seen", aggfunc="first")
    assert (seen["left"] == seen["right"]).all()
    assert 0.2 < 1 - seen["left"].mean() < 0.8
    assert len(found.events)
    assert set(found.events["arm"]) == {"both sides"}
    assert not found.events.duplicated(["twin", "event"]).any()


def test_harm_comes_to_the_person_from_either_side_and_what_sides_share_counts_once():
    """A rash at 0.02 a day on the first drug, a cold at 0.01 a day always, 56 days."""
    ids = np.arange(1000)
    one, two = (simulated(study([HEAT], other, disease="harmed"), ids).events["event"] for other in ([], [CREAM]))

    def share(events, kind):
        return (events == f"adverse event: {kind}").mean() * len(events) / 1000

    rash, cold = (lambda t: 1 - np.exp(-0.02 * t)), 1 - np.exp(-0.01 * 56)
    for events, expected in ((one, rash(56)), (two, rash(112))):
        assert share(events, "rash") == pytest.approx(expected, abs=4.5 * np.sqrt(0.25 / 1000))
        assert share(events, "cold") == pytest.approx(cold, abs=4.5 * np.sqrt(0.25 / 1000))


def test_screening_adds_up_what_is_counted_and_asks_both_sides():
    twins, whole, each = screening_of_sides("two", "weighed")(root(3), jnp.arange(32), parameters_of(TWO, None, True))
    np.testing.assert_array_equal(whole["total"], each["total"].sum(0))
    assert "half" not in each
    asked = study([CREAM], [], each_side={"struck": {"min": 30}}, size=200)
    people = plan(asked).enrolment
    _, _, each = screening_of_sides("two", "weighed")(root(3), jnp.asarray(people.ids), parameters_of(TWO, None, True))
    assert float(each["struck"].min()) >= 30
    assert people.excluded["each_side.struck"] == people.screened - 200
    assert people.excluded["each_side.struck"] / people.screened == pytest.approx(1 - 0.7**2, abs=0.15)
    assert set(twins) >= {"number"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": {"one": {}}, "randomisation": {"allocation": {"one": 1}, "block_size": 1}}, "needs two arms"),
        ({"randomisation": {"allocation": {"one": 2, "two": 1}, "block_size": 3}}, "give both the same number"),
        ({"discontinuation": {"lack_of_efficacy": 0.1}}, "does not make its twin stop; set it to 0"),
        ({"design": "parallel", "each_side": {"total": {"min": 1}}}, "belongs to design: split_body"),
        ({"design": "half"}, "parallel"),
        (
            {"arms": {"one": {"stages": {"a": {}, "b": {}}, "rules": [{"from": "a", "to": "b", "at": 4}]}, "two": {}}},
            "a side keeps its regimen",
        ),
    ],
)
def test_what_cannot_be_done_to_two_sides_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        study([CREAM], [], **change)


def test_rescue_of_a_side_is_refused():
    asked = told([CREAM], [])
    asked["trial"]["conduct"]["rescue"] = {"treatment": "cream", "from_week": 2, "chance": 0.5}
    with pytest.raises(ValidationError, match="no rescue of a side"):
        Study.model_validate(asked)


@pytest.mark.parametrize(
    ("one", "two", "change", "said"),
    [
        ([PILL], [], {}, "arms.one: pill is oral and acts on both sides"),
        ([CREAM], [SHOT], {}, "arms.two: shot is intravenous and acts on both sides"),
        ([PILL], [PILL | {"dose": "20 mg"}], {}, "give it in the same way in both arms"),
        ([CREAM], [], {"outcomes": ["high", "whole"]}, "whole needs half, which is of the person"),
        ([CREAM], [], {"each_side": {"totals": {"min": 1}}}, "each_side.totals: no measurement of half of a toy"),
        ([CREAM], [], {"disease": "toy"}, "does not tell the sides of a body apart; choose parallel"),
    ],
)
def test_what_sides_cannot_be_asked_is_named(one, two, change, said, monkeypatch):
    whole = dataclasses.replace(TOY.outcomes["total"], name="whole", derive=lambda now, base: now["half"])
    monkeypatch.setitem(DISEASES, "two", dataclasses.replace(TWO, outcomes={**TWO.outcomes, "whole": whole}))
    wrong = problems(study(one, two, **change))
    assert any(said in line for line in wrong), wrong


@pytest.mark.parametrize(
    ("design", "method", "covariates", "said"),
    [
        ("split_body", "ancova", [], "compares different people, but with design: split_body every twin has both arms"),
        ("parallel", "paired_t", [], "compares two sides of the same twins, but with design: parallel"),
        ("split_body", "mcnemar", [], "mcnemar is for a responder outcome, but total is a continuous outcome"),
        ("split_body", "paired_t", ["weight"], "no covariate 'weight'; choose from baseline_level"),
    ],
)
def test_an_analysis_must_fit_the_design(design, method, covariates, said):
    analysis = {"outcome": "total", "week": 8, "arm": "one", "comparator": "two", "method": method}
    rest = {"covariates": covariates, "intercurrent": "treatment_policy"}
    (wrong,) = problems(study([CREAM], [], design=design, analyses={"main": analysis | rest}))
    assert said in wrong


ANALYSES = {
    "total": {
        **{"outcome": "total", "week": 8, "arm": "one", "comparator": "two", "method": "paired_t", "role": "primary"},
        "intercurrent": "treatment_policy",
    },
    "high": {"outcome": "high", "week": 8, "arm": "one", "comparator": "two", "method": "mcnemar", "role": "secondary"},
}


def parquet(folder):
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.parquet")}
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def carried_out(asked, folder, workers, resume=False):
    with bundle.claimed(folder, asked, resume):
        run(asked, Cluster(kind="local", workers=workers), folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """Shards of 64 twins."""
    for module in ("cutis.trials.shard", "cutis.trials.run"):
        monkeypatch.setattr(f"{module}.SIZE", 64)


@pytest.mark.usefixtures("small")
def test_a_run_gives_the_same_bytes_with_any_workers_and_when_resumed_and_its_report_counts_people(tmp_path):
    asked = study([CREAM], [], size=150, analyses=ANALYSES, adherence=0.7, discontinuation={"other": 0.02})
    one = carried_out(asked, tmp_path / "one", 1)
    two = carried_out(asked, tmp_path / "two", 2)
    assert len(parquet(one)) == 3 * 3 + 1
    assert parquet(one) == parquet(two)
    assert (one / "report.html").read_bytes() == (two / "report.html").read_bytes()
    for name in ("manifest.json", "manifest.sha256", "results.parquet", "observations/part-00001.parquet"):
        (two / name).unlink()
    (two / "shards" / "00002.json").unlink()
    carried_out(asked, two, 1, resume=True)
    assert parquet(one) == parquet(two)
    assert not [finding for finding in verify(one, 2) if finding.wrong]
    manifest = json.loads((one / "manifest.json").read_text())
    assert manifest["plan"]["arms"] == {"one": 150, "two": 150}
    results = {row["analysis"]: row for row in json.loads((one / "results.json").read_text()) if row["comparator"]}
    assert results["total"]["statistic"] == "mean paired difference"
    assert results["total"]["estimate"] > 2
    assert results["high"]["n"] == 150
    text = (one / "report.html").read_text()
    for part in (
        "In-silico trial, within each twin",
        "Every twin has both arms at once, one on each side (half of a toy)",
        "Measured on each side",
        "the one side minus the two side",
        "what spreads to the other side",
        "Toys have no sides.",
        "150 randomised",
        "one minus two side",
    ):
        assert part in text, part


def test_a_parallel_study_is_what_it_was():
    """What a split-body trial needs is not in the plan of another, so that its fingerprint does not change."""
    asked = study([CREAM], [], design="parallel")
    assert "design" not in canonical(asked)
    assert "each_side" not in canonical(asked)
    assert "side" not in simulated(asked).observations
