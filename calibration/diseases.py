"""Models that can be calibrated: all that the commands need of each. Heavy imports wait until one is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report.told import Told


@dataclass(frozen=True)
class Calibrated:
    """How a model is calibrated and validated; results have tables of `report.frames` as attributes.

    calibrate: (say) or (people, say) to a calibration, whose `files` are by name what is kept of it, in bytes.
    validate: (calibration, folds, say) to a validation.
    told: what the reports are told beside the tables. settled: what is held out was settled beforehand, without folds.
    """

    calibrate: Callable[..., Any]
    validate: Callable[..., Any]
    told: "Told"
    settled: bool = False


def _acne() -> Calibrated:
    from .acne.results import calibration, validation
    from .acne.told import TOLD

    return Calibrated(calibration, validation, TOLD)


def _laser() -> Calibrated:
    from .laser.results import calibration, validation
    from .laser.told import TOLD

    return Calibrated(calibration, validation, TOLD, settled=True)


def _psoriasis() -> Calibrated:
    from .psoriasis.results import calibration, validation
    from .psoriasis.told import TOLD

    return Calibrated(calibration, validation, TOLD)


CALIBRATED: Mapping[str, Callable[[], Calibrated]] = {"acne": _acne, "laser": _laser, "psoriasis": _psoriasis}
