"""Settings and shares in the words of a report."""

import math
from collections.abc import Sequence

from ..report.words import listed, percent, plain_number, spaced
from .plan import Sweep, Value
from .protocols import numbered
from .surfaces import Surfaces

ROMAN = ("", "I", "II", "III", "IV", "V", "VI")
UNITS = {
    "fluence": "J/cm²", "energy": "mJ", "power": "W", "wavelength": "nm", "spot": "mm", "density": "/cm²",
    "depth": "mm", "bare": "mm", "window": "°C", "precool": "s",
}  # fmt: skip
TIMES = ("pulse", "gap", "spurt", "delay")  # s, told in what keeps them readable
SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"))
NAMED = {  # where the number alone would not say what it is
    "wavelength": "", "spot": " spot", "pulse": " pulse", "gap": " between pulses", "spurt": " of cryogen",
    "density": " density", "depth": " deep", "bare": " bare", "delay": " from cryogen to pulse", "window": " window",
    "precool": " of cooling before",
}  # fmt: skip


def value(name: str, of: Value) -> str:
    """`24 J/cm²`, `3 ms`, `cryogen`."""
    if isinstance(of, str):
        return spaced(of) if of != "none" else "no cooling"
    if name in TIMES and of > 0:
        size, unit = next((pair for pair in SECONDS if of >= pair[0] * (1 - 1e-9)), SECONDS[-1])
        return f"{plain_number(of / size)} {unit}"
    if name == "pulses":
        return f"{of:g} sub-pulses"
    return f"{plain_number(of)} {UNITS.get(name, 's' if name in TIMES else '')}".rstrip()


def values(name: str, of: Sequence[Value]) -> str:
    """All values of an axis in one line."""
    return ", ".join(value(name, one) for one in of)


def change(name: str, of: Value) -> str:
    """The same with what it is: `3 ms pulse`."""
    return value(name, of) + NAMED.get(name, "")


def setting(plan: Sweep, number: int) -> str:
    """`24 J/cm², 3 ms pulse`: what varies."""
    return ", ".join(change(name, of) for name, of in numbered(plan)[number].items())


def axis(name: str) -> str:
    """`Pulse`, `Fluence, J/cm²`."""
    unit = UNITS.get(name, "")
    return f"{name.capitalize()}, {unit}" if unit else name.capitalize()


def tone(number: int) -> str:
    """`IV`."""
    return ROMAN[number]


def event(name: str) -> str:
    """`hyperpigmentation`, as a plural where there is one."""
    return {"burn": "burns", "blister": "blisters"}.get(name, spaced(name))


def shares(plan: Sweep, found: Surfaces, number: int) -> str:
    """Benefit and the highest upper limit of each risk of a setting, over skin types."""
    benefit = found.shares["efficacy"].mean[number]
    known = benefit[[not math.isnan(float(x)) for x in benefit]]
    parts = [f"{spaced(plan.efficacy.outcome)} {percent(known.min(), 0)} to {percent(known.max(), 0)} by skin type"]
    risks = [f"{event(name)} {percent(found.shares[name].high[number].max())}" for name in plan.risk.most]
    return f"{parts[0]}; upper limits of risk at most: {listed(risks)}"
