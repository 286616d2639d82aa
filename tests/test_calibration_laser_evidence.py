"""The evidence of lasers: each figure is for one use, as settled beforehand, and slips are told with their place."""

import re

import numpy as np
import pytest

from cutis.calibration.laser import crowd, trials

UNTOLD = {  # rows without a figure that the model has: no settings, no number, fractional lasers, needles, acne
    *("FX01", "FX02", "FX03", "FX07", "FX08", "FX09", "FX10", "PI07", "RF01", "RF02", "RF03"),
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


def test_parts_of_an_arm_are_all_its_people():
    for arm in trials.arms():
        assert sum(part.weight for part in arm.parts) == pytest.approx(1)
        assert all(sum(part.types.values()) == pytest.approx(1) for part in arm.parts)


def test_rankings_name_arms():
    assert {one.trial for one in trials.rankings()} >= {"HR02", "HR03", "PW01", "PW02", "PI05"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{what: hair, day: 60, value: 0.703", "{what: hare, day: 60, value: 0.703", "'hare' is none of hair"),
        ("value: 0.703", "value: 70.3", "70.3 is not from 0 to 1"),
        ("{device: alexandrite_long, types: {I: 1", "{device: alexandrite, types: {I: 1", "'alexandrite' is none of"),
        ("{columns: 0.2, types", "{columns: 0.2, device: ipl, types", "expected a device, or columns alone"),
        ("types: {II: 1, III: 1}}]", "types: {II: 0, III: 0}}]", "types: nobody"),
        ("  HR02:\n", "  HR99:\n", "hair of HR99 is neither fit nor held_out"),
        ("[{what: pih, value: 0.29", "[{what: purpura, value: 0.29", "purpura of HR08 is neither fit nor held_out"),
        ("order: [j60, j50]", "order: [j60, j40]", "no figure of hair of j40 of HR07 at 90 days"),
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
