"""Units in which tables are kept, and the way from one to another.

Factors are exact by definition (SI brochure of the BIPM, 9th edition, 2019; international pound and yard, 1959), but
for the molar masses (IUPAC standard atomic weights, 2021) and glycated haemoglobin. There the master equation between
the NGSP and IFCC scales holds: NGSP = 0.09148 IFCC + 2.152 (Geistanger A, et al. Clin Chem 2008;54:1379-1385).
"""

from typing import NamedTuple

import numpy as np

from ..messages import nearest


class Scale(NamedTuple):
    """A unit beside the first of its kind: value there = factor * value here + offset."""

    factor: float
    offset: float = 0.0


KINDS: dict[str, dict[str, Scale]] = {
    "mass": {"kg": Scale(1.0), "g": Scale(0.001), "lb": Scale(0.45359237), "st": Scale(6.35029318)},
    "length": {
        "cm": Scale(1.0),
        "m": Scale(100.0),
        "mm": Scale(0.1),
        "um": Scale(1e-4),
        "in": Scale(2.54),
        "ft": Scale(30.48),
    },
    "body mass index": {"kg/m2": Scale(1.0), "lb/in2": Scale(0.45359237 / 0.0254**2)},
    "time": {"year": Scale(1.0), "month": Scale(1 / 12), "week": Scale(7 / 365.25), "day": Scale(1 / 365.25)},
    "pressure": {"mmHg": Scale(1.0), "kPa": Scale(1000 / 133.322387415)},
    "temperature": {"degC": Scale(1.0), "degF": Scale(5 / 9, -160 / 9), "K": Scale(1.0, -273.15)},
    "mass concentration": {
        "mg/dL": Scale(1.0),
        "g/dL": Scale(1000.0),
        "g/L": Scale(100.0),
        "mg/L": Scale(0.1),
        "ug/mL": Scale(0.1),
        "ug/L": Scale(1e-4),
        "ng/mL": Scale(1e-4),
        "ug/dL": Scale(1e-3),
    },
    "molar concentration": {"mmol/L": Scale(1.0), "umol/L": Scale(1e-3), "nmol/L": Scale(1e-6)},
    "enzyme activity": {"U/L": Scale(1.0), "ukat/L": Scale(60.0)},
    "share": {"1": Scale(1.0), "%": Scale(0.01)},
    "glycated haemoglobin": {"% NGSP": Scale(1.0), "mmol/mol": Scale(0.09148, 2.152)},
}

MOLAR_MASSES = {  # g/mol
    "bilirubin": 584.67,
    "cholesterol": 386.66,
    "cotinine": 176.22,
    "creatinine": 113.12,
    "glucose": 180.16,
    "triglycerides": 885.43,  # of triolein, by convention
    "urate": 168.11,
}


SUBSTANCES = {  # of common attributes
    "total_cholesterol": "cholesterol",
    "hdl": "cholesterol",
    "ldl": "cholesterol",
    "triglycerides": "triglycerides",
    "creatinine": "creatinine",
    "glucose": "glucose",
    "urate": "urate",
    "bilirubin": "bilirubin",
}


def conversion(have: str, want: str, substance: str | None = None) -> Scale:
    """What takes values in `have` to `want`.

    `substance` matters between mmol/L and mg/dL only. HbA1c in % is on the NGSP scale where the other unit is mmol/mol.

    Raises:
      ValueError: a unit is not known, or the two measure different things.

    >>> conversion("lb", "kg").factor
    0.45359237
    """
    if have == want:
        return Scale(1.0)
    if {have, want} == {"%", "mmol/mol"}:
        have, want = (("% NGSP" if unit == "%" else unit) for unit in (have, want))
    start, end = _kind(have), _kind(want)
    first, last = KINDS[start][have], KINDS[end][want]
    bridge = 1.0
    if start != end:
        if {start, end} != {"mass concentration", "molar concentration"}:
            raise ValueError(f"{have} measures {start}, {want} measures {end}")
        if substance not in MOLAR_MASSES:
            raise ValueError(
                f"from {have} to {want} depends on the substance: add 'substance', one of {', '.join(MOLAR_MASSES)}"
            )
        bridge = MOLAR_MASSES[substance] / 10  # mg/dL in one mmol/L
        bridge = bridge if end == "mass concentration" else 1 / bridge
    return Scale(first.factor * bridge / last.factor, (first.offset * bridge - last.offset) / last.factor)


def convert(values: np.ndarray, have: str, want: str, substance: str | None = None) -> np.ndarray:
    """Values in `want` instead of `have`; raises as `conversion` does."""
    scale = conversion(have, want, substance)
    return values * scale.factor + scale.offset


def others(unit: str, substance: str | None = None) -> list[str]:
    """Units that people may have used instead of this one."""
    if unit == "%":  # a share, or HbA1c
        return ["1", "mmol/mol"]
    if unit not in known():
        return []
    kind = _kind(unit)
    found = [other for other in KINDS[kind] if other != unit]
    if kind == "mass concentration" and substance:
        found += KINDS["molar concentration"]
    if kind == "molar concentration" and substance:
        found += KINDS["mass concentration"]
    return found


def known() -> list[str]:
    """All units that can be converted."""
    return [unit for units in KINDS.values() for unit in units if unit != "% NGSP"]


def _kind(unit: str) -> str:
    for kind, units in KINDS.items():
        if unit in units:
            return kind
    raise ValueError(f"no conversion is known for the unit {unit!r}; {nearest(unit, known())}")
