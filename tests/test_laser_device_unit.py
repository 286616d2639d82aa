"""Devices and their settings: the table is sourced, and what a device cannot do is refused by name."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from cutis.core.laser import columns, outcomes, targets
from cutis.core.laser.device import COOLINGS, DELIVERIES, devices, named, settings

SHARED = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "laser" / "devices.csv"
LASER = Path(__file__).parents[1] / "core" / "laser"


def test_every_kind_of_device_is_there():
    kinds = {nm for device in devices().values() for nm in device.wavelengths}
    assert {585, 595, 755, 810, 1064, 532, 1540, 1550, 1726, 10600, 2940} <= kinds
    assert devices()["ipl"].lamp
    assert devices()["rf_needles"].delivery == "needles"


@pytest.mark.parametrize("name", devices())
def test_a_protocol_keeps_to_the_limits_of_its_device(name):
    found = settings(name)
    assert all(getattr(found, part) is not None for part in DELIVERIES[found.device.delivery])
    assert all(getattr(found, part) is not None for part in COOLINGS[found.cooling])


@pytest.mark.parametrize("name", devices())
def test_limits_have_an_order_and_a_unit(name):
    assert all(limit.low < limit.high and limit.unit for limit in devices()[name].limits.values())


def test_recalled_limits_are_assumed():
    found = [limit for device in devices().values() for limit in device.limits.values()]
    assert not [limit for limit in found if limit.note == "recalled" and limit.status == "measured"]


def test_every_source_is_cited():
    text = yaml.safe_load((LASER / "devices.yaml").read_text(encoding="utf-8"))
    cited = {limit["source"] for limit in text["common"].values()}
    for device in text["devices"].values():
        cited |= {device["protocol"]["source"]} | {limit["source"] for limit in device["limits"].values()}
    cited |= {p.source for table in (targets.TABLE, outcomes.TABLE, columns.TABLE) for p in table.values()}
    assert cited == set(outcomes.TABLE.sources)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("alexandrite_long", {"fluence": 120.0}, "alexandrite_long.fluence: 120 J/cm2 is outside .* 5 to 100 J/cm2"),
        ("alexandrite_long", {"fluence": (20.0, 1.0)}, "fluence: 1 J/cm2 is outside"),
        ("alexandrite_long", {"fluence": float("nan")}, "fluence: nan J/cm2 is outside"),
        ("alexandrite_long", {"fluence": ()}, "expected one number or several"),
        ("alexandrite_long", {"fluence": None}, "fluence is not set"),
        ("pulsed_dye", {"pulse": 0.1}, "pulsed_dye.pulse: 0.1 s is outside"),
        ("pulsed_dye", {"spot": 30.0}, "pulsed_dye.spot: 30 mm is outside"),
        ("pulsed_dye", {"wavelength": 755.0}, "pulsed_dye.wavelength: 755.0 nm is none of 585, 595 nm"),
        ("pulsed_dye", {"cooling": "contact"}, "pulsed_dye.cooling: 'contact' is none of none, cryogen, cold_air"),
        ("pulsed_dye", {"pulses": 3}, "gap is not set"),
        ("pulsed_dye", {"energy": 5.0}, "energy cannot be set"),
        ("pulsed_dye", {"colour": 5.0}, "colour is no setting"),
        ("fibre_1550", {"fluence": 5.0}, "fluence cannot be set"),
        ("nd_yag_long", {"spurt": 0.5, "cooling": "cryogen"}, "spurt: 0.5 s is outside"),
        ("nd_yag_long", {"window": -40.0}, "window: -40 C is outside"),
    ],
)
def test_what_a_device_cannot_do_is_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        settings(name, **changes)


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="device: 'ruby' is none of pulsed_dye"):
        settings("ruby")


def test_a_device_of_ones_own_has_its_own_limits():
    limits = dict(named("nd_yag_long").limits)
    limits["fluence"] = dataclasses.replace(limits["fluence"], high=50.0)
    own = dataclasses.replace(named("nd_yag_long"), name="mine", limits=limits)
    assert settings(own, fluence=50.0).fluences == pytest.approx([50.0])
    with pytest.raises(ValueError, match=r"mine.fluence: 51 J/cm2"):
        settings(own, fluence=51.0)


def test_changing_the_cooling_drops_what_belonged_to_the_other():
    found = settings("alexandrite_long", cooling="contact")
    assert (found.spurt, found.delay, found.window, found.precool) == (None, None, 5.0, 1.0)
    assert found.above > settings("alexandrite_long").above == 1.0


def test_the_fluence_of_a_fractional_beam_is_its_energy_over_its_area():
    found = settings("co2_fractional", energy=80.0, spot=0.12)
    assert found.fluences == pytest.approx([0.08 / (np.pi * 0.006**2)])


def test_a_lamp_has_a_band_and_a_laser_a_line():
    nm, weight = settings("ipl").light
    assert nm.min() > 600
    assert weight.sum() == pytest.approx(1.0)
    assert settings("alexandrite_long").light[0].tolist() == [755.0]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared evidence is not beside the repository")
def test_the_held_out_split_names_every_row_once_or_says_why_not():
    ids = {line.split(",")[0] for line in SHARED.read_text(encoding="utf-8").splitlines()[1:]}
    split = yaml.safe_load((LASER / "heldout.yaml").read_text(encoding="utf-8"))
    named_rows = {
        row.split()[0] for part in split.values() if isinstance(part, dict) for rows in part.values() for row in rows
    }
    assert named_rows == ids


def test_no_row_is_fitted_and_held_out_for_the_same_outcome():
    split = yaml.safe_load((LASER / "heldout.yaml").read_text(encoding="utf-8"))
    for part in split.values():
        if isinstance(part, dict):
            assert not set(part.get("fit", [])) & set(part.get("held_out", []))
