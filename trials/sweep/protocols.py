"""The settings of a sweep as the device takes them, all of them checked before any work starts."""

from collections.abc import Iterator

from ...core.laser import columns, spectra
from ...core.laser.device import Settings, named, settings
from ..errors import BadInput
from .plan import DOSES, Combination, Sweep, Value, combinations

ULTRASHORT = ("ink_clearance", "pigment_clearance")  # of particles that one wavelength breaks
OF_COLUMNS = ("scar_reduction",)  # outcomes
SEEN_OF_COLUMNS = ("hyperpigmentation",)  # dead epidermis where a column stands is no blister and no burn
WHOLE = ("sessions", "pulses")


def protocols(plan: Sweep) -> list[Settings]:
    """Settings of each combination, in order: of a broad beam one, with all fluences of the plan; of columns one for
    each dose.

    Raises:
      BadInput: what the device cannot do, one line a mistake.
    """
    try:
        device = named(plan.device)
    except ValueError as error:
        raise BadInput(str(error)) from None
    told = list(_unfit(plan, device.delivery))
    if told:
        raise BadInput("\n".join(told))
    if device.lamp and plan.efficacy.outcome in ULTRASHORT:
        outcome = plan.efficacy.outcome
        raise BadInput(f"efficacy.outcome: {outcome} is of pulses of one wavelength; {device.name} is a lamp")
    found: list[Settings] = []
    wrong: list[str] = []
    for combination in combinations(plan):
        try:
            for one in _settings(plan, combination, device.delivery):
                if device.wavelengths:
                    spectra.known(one.light[0])
                if device.delivery != "beam":
                    columns.spaced(one)
                found.append(one)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise BadInput("\n".join(dict.fromkeys(wrong)))
    return found


def course(plan: Sweep) -> tuple[int, float]:
    """Sessions, and days between them; those of the device's protocol unless the plan changes them."""
    chosen = {"sessions": 1, "interval": 0.0} | dict(named(plan.device).protocol) | _whole(plan.settings)
    return int(chosen["sessions"]), float(chosen["interval"])


def _unfit(plan: Sweep, delivery: str) -> Iterator[str]:
    """What of a plan makes no sense with a device of this delivery."""
    kind = {"beam": "a broad beam", "fractional": "columns", "needles": "needles"}[delivery]
    if plan.dose != DOSES[delivery]:
        yield f"grid: {plan.device} gives {kind}, which are swept over {DOSES[delivery]}, not {plan.dose}"
    if (plan.efficacy.outcome in OF_COLUMNS) == (delivery == "beam"):
        fitting = "scar_reduction" if delivery != "beam" else "another outcome than scar_reduction"
        yield f"efficacy.outcome: {plan.efficacy.outcome} is not what {kind} are for; choose {fitting}"
    wrong = [name for name in plan.risk.most if name not in SEEN_OF_COLUMNS] if delivery != "beam" else []
    if wrong:
        yield (
            f"risk.most: {', '.join(wrong)}: not told of {kind}, which kill the epidermis they pass by design; "
            f"bound {', '.join(SEEN_OF_COLUMNS)}"
        )


def _settings(plan: Sweep, combination: Combination, delivery: str) -> Iterator[Settings]:
    changes = _whole(plan.settings | combination.changes)
    words = [name for name, value in changes.items() if isinstance(value, str) and name != "cooling"]
    if words:
        raise ValueError(f"settings.{words[0]}: expected a number, got {changes[words[0]]!r}")
    doses = (plan.doses(),) if delivery == "beam" else plan.doses()
    yield from (settings(plan.device, **changes | {plan.dose: dose}) for dose in doses)


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
    """Every setting by its number, dose by dose within a combination: what varies, and its value."""
    return [{plan.dose: dose} | combination.changes for combination in combinations(plan) for dose in plan.doses()]
