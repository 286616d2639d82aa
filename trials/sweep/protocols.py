"""The settings of a sweep as the device takes them, all of them checked before any work starts."""

from ...core.laser import spectra
from ...core.laser.device import Settings, named, settings
from ..errors import BadInput
from .plan import Combination, Sweep, Value, combinations

ULTRASHORT = ("ink_clearance", "pigment_clearance")  # of particles that one wavelength breaks
WHOLE = ("sessions", "pulses")


def protocols(plan: Sweep) -> list[Settings]:
    """Settings of each combination, in order, with all fluences of the plan.

    Raises:
      BadInput: what the device cannot do, one line a mistake.
    """
    try:
        device = named(plan.device)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if device.delivery != "beam":
        raise BadInput(f"device: {device.name} works by {device.delivery}; a sweep takes broad beams so far")
    if device.lamp and plan.efficacy.outcome in ULTRASHORT:
        outcome = plan.efficacy.outcome
        raise BadInput(f"efficacy.outcome: {outcome} is of pulses of one wavelength; {device.name} is a lamp")
    found: list[Settings] = []
    wrong: list[str] = []
    for combination in combinations(plan):
        try:
            found.append(_settings(plan, combination))
            spectra.known(found[-1].light[0])
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise BadInput("\n".join(dict.fromkeys(wrong)))
    return found


def course(plan: Sweep) -> tuple[int, float]:
    """Sessions, and days between them; those of the device's protocol unless the plan changes them."""
    chosen = {"sessions": 1, "interval": 0.0} | dict(named(plan.device).protocol) | _whole(plan.settings)
    return int(chosen["sessions"]), float(chosen["interval"])


def _settings(plan: Sweep, combination: Combination) -> Settings:
    changes = _whole(plan.settings | combination.changes)
    words = [name for name, value in changes.items() if isinstance(value, str) and name != "cooling"]
    if words:
        raise ValueError(f"settings.{words[0]}: expected a number, got {changes[words[0]]!r}")
    return settings(plan.device, **changes | {"fluence": plan.fluences()})


def _whole(changes: dict[str, Value]) -> dict[str, Value]:
    """Numbers that count things as whole ones.

    Raises:
      ValueError: one is not whole.
    """
    found = dict(changes)
    for name in set(WHOLE) & set(changes):
        value = changes[name]
        if isinstance(value, str) or value != int(value):
            raise ValueError(f"{name}: expected a whole number, got {value!r}")
        found[name] = int(value)
    return found


def numbered(plan: Sweep) -> list[dict[str, Value]]:
    """Every setting by its number, fluence by fluence within a combination: what varies, and its value."""
    return [
        {"fluence": fluence} | combination.changes for combination in combinations(plan) for fluence in plan.fluences()
    ]
