"""Quantities as people write them: a number and its unit."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

MILLIGRAMS = {"mg": 1.0, "g": 1000.0, "ug": 0.001}


def milligrams(text: object) -> float:
    """Read `100 mg`, `0.1 g` or `90 ug` as milligrams.

    >>> milligrams("0.1 g")
    100.0
    """
    match = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text) if isinstance(text, str) else None
    if match is None or match[2] not in MILLIGRAMS:
        raise ValueError(f"expected an amount with its unit ({', '.join(MILLIGRAMS)}), such as '100 mg', got {text!r}")
    amount = float(match[1]) * MILLIGRAMS[match[2]]
    if amount <= 0:
        raise ValueError(f"a dose must be above zero, got {text!r}")
    return amount


Dose = Annotated[float, BeforeValidator(milligrams), PlainSerializer(lambda amount: f"{amount:.12g} mg")]
