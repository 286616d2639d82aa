"""Whether numbers can be what the plan says they are: limits, medians, units."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.parameters import Table, read_table
from .plan import Category, Input, Number
from .units import KINDS, SUBSTANCES, conversion, others

MOST_OUTSIDE = 0.01  # share of impossible values that is put down to slips
MOST_AT_ODDS = 0.05  # share of people whose BMI may disagree with their weight and height
AT_ODDS = 0.05  # relative disagreement that rounding cannot explain
MOST_OF_THEM = 0.9  # share above which a whole column is in another unit, rather than one site's part of it
SAME = 0.02  # how near a ratio of medians must come to 1 for a unit to explain it


class Log(NamedTuple):
    """Problems and notes as they are met; problems make the table unusable."""

    problems: list[str]
    notes: list[str]


@cache
def expectations() -> Table:
    """Where medians should lie, for common attributes."""
    here = Path(__file__).parent
    return read_table(here / "typical.yaml", sources=here.parent / "sources.yaml")


def typical(name: str, entry: Input | Number) -> tuple[float, float] | None:
    """Where the median should lie: what the plan says, else what is known of an attribute of this name and unit."""
    if entry.typical is not None:
        return entry.typical
    known = expectations().within(name)
    if not known or known["low"].unit != entry.unit:
        return None
    return known["low"].value, known["high"].value


def called(name: str, entry: Category | Input | Number) -> str:
    """How messages call a number."""
    return name if entry.column is None else f"{name} (column {entry.column!r})"


def wrong_units(entries: Mapping[str, Input | Number], found: Mapping[str, np.ndarray]) -> dict[str, str]:
    """What to say of numbers that are probably not in the unit that the plan says, by name."""
    said: dict[str, str] = {}
    for name, values in found.items():
        there = values[~np.isnan(values)]
        problem = _implausible(name, entries[name], there) if len(there) else ""
        if problem:
            said[name] = problem
    body = ("bmi", "weight", "height")
    if not said.keys() & set(body):
        problem = _bmi_disagrees(entries, found)
        said |= dict.fromkeys(body, problem) if problem else {}
    return said


def clean(name: str, entry: Input | Number, values: np.ndarray, rows: np.ndarray, log: Log) -> np.ndarray:
    """Values with impossible ones set to NaN and noted; too many, or a column that cannot be fitted, is a problem.

    Args:
      rows: numbers of the rows of the file, shape (people,).
    """
    where, outside = called(name, entry), _outside(entry, values)
    there = ~np.isnan(values)
    if not there.any():
        log.problems.append(f"{where}: no row has a value")
        return values
    if outside.sum() / there.sum() > MOST_OUTSIDE:
        log.problems.append(_too_many_outside(where, entry, values, rows))
        return values
    if outside.any():
        first = int(np.argmax(outside))
        log.notes.append(
            f"{where}: {outside.sum():,} {'value' if outside.sum() == 1 else 'values'} outside {entry.low:g} to "
            f"{entry.high:g} {entry.unit} taken as missing, the first in row {rows[first]}"
        )
    kept = np.where(outside, np.nan, values)
    there = ~np.isnan(kept)
    if isinstance(entry, Number) and len(np.unique(kept[there])) == 1:
        log.problems.append(f"{where}: every value is {kept[there][0]:g}; leave a constant column out")
    elif there.mean() < 0.5:
        log.notes.append(f"{where}: {1 - there.mean():.0%} of the people have no value")
    return kept


def _bmi_disagrees(entries: Mapping[str, Input | Number], found: Mapping[str, np.ndarray]) -> str:
    """What to say where body mass index, weight and height are all in the file and contradict each other."""
    units = {"bmi": "kg/m2", "weight": "kg", "height": "cm"}
    if any(name not in found or entries[name].unit != unit for name, unit in units.items()):
        return ""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found["bmi"] / (found["weight"] / (found["height"] / 100) ** 2)
    ratio = ratio[np.isfinite(ratio)]
    apart = np.abs(ratio - 1) > AT_ODDS
    if not len(ratio) or apart.mean() <= MOST_AT_ODDS:
        return ""
    middle = float(np.median(ratio[apart]))
    guess = _explains(entries, middle)
    advice = "one of the three columns is not what the plan says"
    if guess:
        name, unit = guess
        same = f"file_unit: {unit}" if apart.mean() > MOST_OF_THEM else "put the whole column into one unit"
        advice = f"{name} looks like {unit} there: {same}"
    return f"bmi: {apart.mean():.0%} of the people have {middle:.3g} times what their weight and height give; {advice}"


def _explains(entries: Mapping[str, Input | Number], ratio: float) -> tuple[str, str] | None:
    """Which of the three in which unit would bring bmi and weight / height^2 together, if any would."""
    for name, power in (("weight", -1), ("height", 2), ("bmi", 1)):
        entry = entries[name]
        now = entry.file_unit or entry.unit
        for unit in (entry.unit, *others(entry.unit)):
            factor = conversion(unit, entry.unit).factor / conversion(now, entry.unit).factor
            if unit != now and abs(ratio * factor**power - 1) < SAME:
                return name, unit
    return None


def _implausible(name: str, entry: Input | Number, values: np.ndarray) -> str:
    """What to say where the median is implausible, and which unit would explain it."""
    middle, expected = float(np.median(values)), typical(name, entry)
    low, high = expected or (entry.low, entry.high)
    if low <= middle <= high:
        return ""
    said = (
        f"{called(name, entry)}: the median, {middle:.4g} {entry.unit}, is implausible (expected {low:g} to {high:g})"
    )
    if entry.column is None:
        return f"{said}; check the columns it is computed from"
    substance = entry.substance or SUBSTANCES.get(name)
    guess = _likeliest_unit(entry, substance, values, low, high)
    if guess:
        further = f", substance: {substance}" if _molar(guess) != _molar(entry.unit) else ""
        return f"{said}; looks like {guess}: file_unit: {guess}{further}"
    if entry.file_unit:
        return f"{said}; is the file in {entry.file_unit}?"
    return f"{said}; check the column and its unit, or say what is typical"


def _molar(unit: str) -> bool:
    return unit in KINDS["molar concentration"]


def _likeliest_unit(
    entry: Input | Number, substance: str | None, values: np.ndarray, low: float, high: float
) -> str | None:
    """The unit in which the numbers of the file would be plausible, the median nearest the middle of its range."""
    now = conversion(entry.file_unit or entry.unit, entry.unit, entry.substance)
    raw = (values - now.offset) / now.factor
    found: dict[str, float] = {}
    for unit in (entry.unit, *others(entry.unit, substance)):
        scale = conversion(unit, entry.unit, substance)
        here = raw * scale.factor + scale.offset
        median = float(np.median(here))
        if low <= median <= high and _outside(entry, here).mean() <= MOST_OUTSIDE:
            found[unit] = abs(np.log(median / np.sqrt(low * high))) if low > 0 else 0.0
    return min(found, key=lambda unit: found[unit]) if found else None


def _too_many_outside(where: str, entry: Input | Number, values: np.ndarray, rows: np.ndarray) -> str:
    outside = _outside(entry, values)
    share = outside.sum() / (~np.isnan(values)).sum()
    first = int(np.argmax(outside))
    codes, counts = np.unique(values[outside], return_counts=True)
    same = counts.max() > 0.5 * outside.sum() and counts.max() > 1
    advice = (
        f"if {codes[np.argmax(counts)]:g} means 'not known', list it under blank"
        if same
        else "correct the file, or widen low and high if such people exist"
    )
    return (
        f"{where}: {share:.1%} of the values ({outside.sum():,}) are outside {entry.low:g} to {entry.high:g} "
        f"{entry.unit}, such as {values[first]:g} in row {rows[first]}; {advice}"
    )


def _outside(entry: Input | Number, values: np.ndarray) -> np.ndarray:
    return (values < entry.low) | (values > entry.high)
