"""The width of the vessels that tell of purpura: what is shipped is what the code gives, and finds what is known."""

import numpy as np
import pytest

from cutis.calibration.laser import purpura
from cutis.core.laser.device import settings
from cutis.core.laser.targets import VALUES

PULSES = (0.0005, 0.002, 0.02, 0.04)


@pytest.fixture(scope="module")
def warmed():
    sessions = [settings("pulsed_dye", fluence=7.0, pulse=pulse, cooling="cold_air") for pulse in PULSES]
    return purpura.heated({"II": 1}, sessions)


def test_the_shipped_width_is_the_calibrated_one():
    assert VALUES["vessel.purpuric"] == pytest.approx(purpura.width(), rel=0.01)


def test_a_width_is_found_again_whatever_the_level(warmed):
    assert purpura.nearest(warmed, 3.0 * purpura.fluences(warmed, 0.06)) == pytest.approx(0.06, rel=0.01)


def test_narrow_vessels_ask_for_more_light_in_longer_pulses(warmed):
    rises = [np.ptp(np.log(purpura.fluences(warmed, width))) for width in (0.03, 0.1, 0.3)]
    assert (np.diff(rises) < 0).all()
