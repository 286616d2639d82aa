"""Quantities as people write them: a number and its unit."""

import re
from typing import Annotated, Any, NamedTuple

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

MASSES = {"mg": 1.0, "g": 1000.0, "ug": 0.001}  # in mg
FORMS = {
    **{unit: ("mg", factor) for unit, factor in MASSES.items()},
    "mg/kg": ("mg/kg", 1.0),
    "J/cm2": ("J/cm2", 1.0),
    "mJ/cm2": ("J/cm2", 0.001),
    "MED": ("MED", 1.0),
    "application": ("application", 1.0),
    "applications": ("application", 1.0),
    "session": ("session", 1.0),
    "sessions": ("session", 1.0),
    "tablet": ("tablet", 1.0),
    "tablets": ("tablet", 1.0),
}
OTHERS = ("mg/kg", "J/cm2", "mJ/cm2", "MED", "application", "session", "tablet")


class Amount(NamedTuple):
    """A dose: mg of a drug, mg per kg of body weight, J/cm2 of light, minimal erythema doses, applications, sessions of
    a device, tablets of placebo."""

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:.12g} {self.unit}"


def amount(text: object) -> Amount:
    """Read `100 mg`, `0.1 g`, `5 mg/kg`, `0.7 J/cm2`, `0.7 MED`, `1 application`, `1 session` or `1 tablet`.

    Raises:
      ValueError: no number, no such unit, or nothing to give.

    >>> amount("0.1 g")
    Amount(value=100.0, unit='mg')
    """
    if isinstance(text, Amount):
        return text
    number, unit = _split(text)
    if unit not in FORMS:
        raise ValueError(
            f"expected an amount with its unit ({', '.join(MASSES)}), such as '100 mg', got {text!r}; "
            f"other units are {', '.join(OTHERS)}"
        )
    if number <= 0:
        raise ValueError(f"a dose must be above zero, got {text!r}")
    name, factor = FORMS[unit]
    return Amount(number * factor, name)


def kilograms(text: object) -> float:
    """Read a body weight, `100 kg`."""
    number, unit = (text, "kg") if isinstance(text, float) else _split(text)
    if unit != "kg" or not number > 0:
        raise ValueError(f"expected a body weight with its unit, such as '100 kg', got {text!r}")
    return number


def _split(text: object) -> tuple[float, str]:
    match = (
        re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z][a-zA-Z0-9/]*)\s*", text) if isinstance(text, str) else None
    )
    return (float(match[1]), match[2]) if match else (0.0, "")


def _text(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | schema)


Dose = Annotated[Amount, PlainValidator(amount), PlainSerializer(str), _text({"examples": ["100 mg", "5 mg/kg"]})]
Weight = Annotated[
    float, PlainValidator(kilograms), PlainSerializer(lambda kg: f"{kg:.12g} kg"), _text({"examples": ["100 kg"]})
]
