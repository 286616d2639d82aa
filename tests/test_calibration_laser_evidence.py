"""The evidence of lasers: each figure is for one use, as settled beforehand, and slips are told with their place."""

import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cutis.calibration.laser import crowd, dosed, results, trials
from cutis.calibration.laser.told import criteria
from cutis.trials.command import app

UNTOLD = {  # rows without a figure of people that the model has: no settings, no number, sizes of columns, acne
    *("FX03", "FX07", "FX10"),
    *("AC01 weeks 4 and 12", "AC01 weeks 26 and 52", "AC05"),
}


def test_every_row_that_was_settled_is_told_or_known_to_be_untold():
    told = {arm.trial for arm in trials.arms()}
    settled = {key for kind in trials.split().values() for keys in kind.values() for key in keys}
    assert settled - told <= UNTOLD
    assert told <= settled


def test_figures_follow_the_split():
    for arm in trials.arms():
        for figure in arm.figures:
            kinds = [trials.KINDS[figure.what], "tolerated"]
            assert figure.value is None or any(arm.trial in trials.split()[kind][figure.role] for kind in kinds)


def test_reports_tell_which_orders_were_named_beforehand():
    one = {"what": "hair", "published": "a > b", "ours": "a 0.6 > b 0.5", "kept": True, "chance": 0.9}
    ranked = pd.DataFrame([one | {"trial": "HR02", "named": True}, one | {"trial": "HR03", "named": False}])
    told = results._orders(ranked)["about"].tolist()
    assert told == ["hair in HR02: a > b (named beforehand)", "hair in HR03: a > b (added)"]


def test_parts_of_an_arm_are_all_its_people():
    for arm in trials.arms():
        assert sum(part.weight for part in arm.parts) == pytest.approx(1)
        assert all(sum(part.types.values()) == pytest.approx(1) for part in arm.parts)


def test_rankings_name_arms():
    assert {one.trial for one in trials.rankings()} >= {"HR02", "HR03", "PW01", "PW02", "PI05"}


def test_the_criteria_count_all_orders_and_those_that_were_named_beforehand():
    assert {one.trial for one in trials.rankings() if one.named} == {"HR02", "HR07", "PW01"}
    kept = {"HR02": 1.0, "HR03": 0.0, "HR07": 0.0, "HR15": 0.0, "PW01": 1.0, "PW02": 1.0, "PI05": 0.0, "FX01": 1.0}
    assert {one.trial for one in trials.rankings()} == set(kept)
    checks = pd.DataFrame({"check": [f"order_{trial}" for trial in kept], "met": list(kept.values())})
    figure = {"scheme": "held", "outcome": "hair", "primary": True, "observed": 0.5, "low": 0.4, "high": 0.6}
    found = {one.key: one for one in criteria({"checks": checks, "predictions": pd.DataFrame([figure])})}
    assert found["coverage"].value == 1.0
    assert found["orders"].value == pytest.approx(4 / 8)
    assert found["orders_named"].value == pytest.approx(2 / 3)
    assert not found["orders"].met
    assert not found["orders_named"].met


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{what: hair, day: 60, value: 0.703", "{what: hare, day: 60, value: 0.703", "'hare' is none of hair"),
        ("value: 0.703", "value: 70.3", "70.3 is not from 0 to 1"),
        ("{device: alexandrite_long, types: {I: 1", "{device: alexandrite, types: {I: 1", "'alexandrite' is none of"),
        (
            "adapted: [25, 40]",
            "adapted: [25, 36]",
            "expected the two ends of a range around 37 J/cm2, got [25.0, 36.0]",
        ),
        ("adapted: [25, 40]", "adapted: [25]", "expected the two ends of a range"),
        ("{device: nd_yag_long, set: {fluence: 60", "{set: {fluence: 60", "device"),
        ("types: {II: 1, III: 1}}]", "types: {II: 0, III: 0}}]", "types: nobody"),
        ("  HR02:\n", "  HR99:\n", "hair of HR99 is neither fit nor held_out"),
        ("[{what: pih, value: 0.29", "[{what: purpura, value: 0.29", "purpura of HR08 is neither fit nor held_out"),
        ("order: [j60, j50]", "order: [j60, j40]", "no figure of hair of j40 of HR07 at 90 days"),
        ("order: [j60, j50], named: true", "order: [j60, j50], named: 1", "rankings[2].named: expected true or false"),
        ("order: [j60, j50], named: true", "order: [j60, j50]", "named"),
        (
            "set: {fluence: 60, pulse: 0.03}",
            "set: {fluence: 600, pulse: 0.03}",
            "600 J/cm2 is outside the device's limits",
        ),
    ],
)
def test_slips_are_told(tmp_path, old, new, told):
    text = trials.FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "trials.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(told)):
        trials.rankings(file)


def test_a_crowd_has_its_types_and_darker_skin_more_melanin():
    angles = crowd.typology({"I": 0.5, "VI": 0.5}, 200)
    assert np.mean(angles[:100]) == pytest.approx(58, abs=3)
    assert np.mean(angles[100:]) == pytest.approx(-40, abs=3)
    person = crowd.skin(angles, 1.0)
    assert np.asarray(person.melanosomes)[:100].mean() < 0.02 < 0.1 < np.asarray(person.melanosomes)[100:].mean()
    assert np.asarray(person.basal)[:100].mean() > 2.3
    assert np.asarray(person.basal)[100:].mean() < 1.2


def test_people_are_the_same_in_every_arm():
    one, other = (crowd.skin(crowd.typology({name: 1.0}, 20), 2.0) for name in ("II", "V"))
    assert np.asarray(one.epidermis) == pytest.approx(np.asarray(other.epidermis))


def test_adapted_fluences_keep_the_mean_and_the_range_and_go_against_heat():
    heat = np.array([1.0, 1.5, 2.0, 4.0])
    found = dosed.adapted(37.0, 25.0, 40.0, heat)
    assert found.mean() == pytest.approx(37.0)
    assert (np.diff(found) <= 0).all()
    assert found.min() >= 25.0
    assert found.max() <= 40.0
    free = dosed.adapted(10.0, 1.0, 100.0, heat)
    assert free * heat == pytest.approx((free * heat)[0])
    for told in ((41.0, 25.0, 40.0), (20.0, 25.0, 40.0)):
        with pytest.raises(ValueError, match="is not inside its range, 25 to 40"):
            dosed.adapted(*told, heat)
    with pytest.raises(ValueError, match="heat: expected positive numbers, got 0"):
        dosed.adapted(37.0, 25.0, 40.0, np.array([0.0, 1.0]))


def test_folds_are_refused_as_what_is_held_out_was_settled_beforehand(tmp_path):
    done = CliRunner().invoke(app, ["validate", "laser", "folds=3", f"out={tmp_path / 'mine'}"])
    assert done.exit_code == 2
    assert "what is held out of laser was settled before any fit; leave folds out" in done.output
    assert not (tmp_path / "mine").exists()
