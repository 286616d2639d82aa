"""What an arm receives, written as in a study file: `{treatment: etanercept, dose: 50 mg, times_a_week: 2, ...}`.

Weeks count from the first dose; one week is 7 days.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .reading import count, fields, number, one_of, sequence

UNITS = ("mg", "mg/kg", "J/cm2", "MED", "application", "session", "tablet")
DAYS_OF_WEEK = {1: (0,), 2: (0, 3), 3: (0, 2, 4)}  # on which days of a week so many doses are given
OPTIONS = {
    "dose",
    "tiers",
    "doses",
    "weeks",
    "every",
    "until",
    "times_a_day",
    "times_a_week",
    "sessions_a_week",
    "raise_by",
    "raise_each",
    "at_most",
}


class Quantity(NamedTuple):
    """An amount of a treatment, in one of UNITS."""

    amount: float
    unit: str


class Tier(NamedTuple):
    """The dose of people up to a body weight, kg."""

    up_to: float
    dose: Quantity


@dataclass(frozen=True)
class Course:
    """One treatment of an arm.

    tiers: doses by body weight, the lightest first; one tier is a dose for everybody.
    doses: of light, one a session; then there are no tiers.
    weeks: those with a dose; then every `every` weeks while before `until`. With `times_a_day` or a number of times a
      week: the first week, from which on doses are given until `until`.
    raise_by: by what share a dose rises each week or session (`raise_each`), to at most `at_most`.
    """

    treatment: str
    tiers: tuple[Tier, ...]
    doses: tuple[Quantity, ...]
    weeks: tuple[int, ...]
    every: int | None = None
    until: int | None = None
    times_a_day: int | None = None
    times_a_week: int | None = None
    raise_by: float = 0.0
    raise_each: str = "session"
    at_most: Quantity | None = None

    @property
    def daily(self) -> bool:
        """Whether it is taken every day, so that `intake` describes it and not `given`."""
        return self.times_a_day is not None

    def days(self) -> tuple[int, ...]:
        """The days with a dose, of a course that is not daily."""
        if self.times_a_week is None:
            last = self.weeks[-1]
            more = range(last + self.every, self.until, self.every) if self.every and self.until else ()
            return tuple(7 * week for week in (*self.weeks, *more))
        pattern = DAYS_OF_WEEK[self.times_a_week]
        first = self.weeks[0]
        end = self.until if self.until is not None else first + math.ceil(len(self.doses) / len(pattern))
        days = tuple(7 * week + day for week in range(first, end) for day in pattern)
        return days[: len(self.doses)] if self.doses else days

    def given(self, weight: float, med: float | None = None) -> tuple[tuple[int, float], ...]:
        """Day and amount (mg, J/cm2) of each dose to one person, of a course that is not daily.

        Args:
          weight: body weight, kg.
          med: minimal erythema dose, J/cm2, which light told in multiples of it needs.

        Raises:
          ValueError: the dose is a multiple of the minimal erythema dose, which is not told.
        """
        days = self.days()
        if self.doses:
            return tuple((day, absolute(dose, weight, med)) for day, dose in zip(days, self.doses, strict=True))
        first = absolute(self.dose(weight), weight, med)
        limit = absolute(self.at_most, weight, med) if self.at_most else math.inf
        steps = (day // 7 - self.weeks[0] if self.raise_each == "week" else session for session, day in enumerate(days))
        return tuple(
            (day, min(first * (1 + self.raise_by) ** step, limit)) for day, step in zip(days, steps, strict=True)
        )

    def intake(self, weight: float) -> tuple[int, int, float]:
        """First day, day after the last, and amount a day (mg, applications), of a daily course.

        Raises:
          ValueError: the course is not daily.
        """
        if self.until is None or self.times_a_day is None:
            raise ValueError(f"a course of {self.treatment} is not daily")
        return 7 * self.weeks[0], 7 * self.until, absolute(self.dose(weight), weight) * self.times_a_day

    def dose(self, weight: float) -> Quantity:
        """The dose of somebody of this weight, kg."""
        return next(tier.dose for tier in self.tiers if weight <= tier.up_to)


def absolute(dose: Quantity, weight: float, med: float | None = None) -> float:
    """A dose to one person in mg, J/cm2, applications, sessions or tablets.

    Raises:
      ValueError: it is a multiple of the minimal erythema dose, which is not told.
    """
    if dose.unit == "mg/kg":
        return dose.amount * weight
    if dose.unit == "MED":
        if med is None:
            raise ValueError(f"a dose of {dose.amount:g} MED needs the person's minimal erythema dose, J/cm2")
        return dose.amount * med
    return dose.amount


def read_courses(entry: Mapping[str, Any], where: str, treatments: Collection[str]) -> tuple[Course, ...]:
    """The courses of an entry's `regimen`; none, if it has no regimen.

    Raises:
      ValueError: with the place, what is wrong with it.
    """
    told = sequence(entry["regimen"], f"{where}.regimen") if "regimen" in entry else ()
    return tuple(read_course(course, f"{where}.regimen.{place}", treatments) for place, course in enumerate(told))


def read_course(entry: Any, where: str, treatments: Collection[str]) -> Course:
    """A course as the tables write it, of one of these treatments.

    Raises:
      ValueError: with the place, what is wrong with it.
    """
    entry = fields(entry, where, {"treatment", "weeks"}, OPTIONS)
    if len({"dose", "tiers", "doses"} & set(entry)) != 1:
        raise ValueError(f"{where}: give one of dose, tiers, doses")
    times = {"every", "times_a_day", "times_a_week", "sessions_a_week"} & set(entry)
    if len(times) > 1:
        raise ValueError(f"{where}: give at most one of {', '.join(sorted(times))}")
    weeks = tuple(count(week, f"{where}.weeks") for week in sequence(entry["weeks"], f"{where}.weeks"))
    if list(weeks) != sorted(set(weeks)):
        raise ValueError(f"{where}.weeks: must rise")
    until = count(entry["until"], f"{where}.until") if "until" in entry else None
    ends = "doses" in entry or until is not None
    if bool(times) != ends or (times and times != {"every"} and len(weeks) > 1):
        raise ValueError(f"{where}: what is repeated has one first week and an end, until; what is not has neither")
    if until is not None and until <= max(weeks):
        raise ValueError(f"{where}.until: week {until} is not after week {max(weeks)}")
    times_a_week = entry.get("times_a_week", entry.get("sessions_a_week"))
    if times_a_week is not None and times_a_week not in DAYS_OF_WEEK:
        raise ValueError(f"{where}: expected 1 to 3 times a week, got {times_a_week!r}")
    return Course(
        treatment=one_of(entry["treatment"], f"{where}.treatment", treatments),
        tiers=_tiers(entry, where),
        doses=tuple(quantity(dose, f"{where}.doses") for dose in entry.get("doses", ())),
        weeks=weeks,
        every=count(entry["every"], f"{where}.every", 1) if "every" in entry else None,
        until=until,
        times_a_day=count(entry["times_a_day"], f"{where}.times_a_day", 1) if "times_a_day" in entry else None,
        times_a_week=times_a_week,
        raise_by=number(entry.get("raise_by", 0.0), f"{where}.raise_by", low=0),
        raise_each=one_of(entry.get("raise_each", "session"), f"{where}.raise_each", ("week", "session")),
        at_most=quantity(entry["at_most"], f"{where}.at_most") if "at_most" in entry else None,
    )


def quantity(text: Any, where: str) -> Quantity:
    """Read `5 mg/kg`.

    Raises:
      ValueError: it is no amount above zero with one of UNITS.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) (\S+)", text) if isinstance(text, str) else None
    if match is None or match[2] not in UNITS or float(match[1]) <= 0:
        raise ValueError(f"{where}: expected an amount and its unit ({', '.join(UNITS)}), got {text!r}")
    return Quantity(float(match[1]), match[2])


def _tiers(entry: Any, where: str) -> tuple[Tier, ...]:
    if "dose" in entry:
        return (Tier(math.inf, quantity(entry["dose"], f"{where}.dose")),)
    tiers: list[Tier] = []
    for number_, told in enumerate(entry.get("tiers", ())):
        place = f"{where}.tiers.{number_}"
        told = fields(told, place, {"dose"}, {"up_to"})
        limit = quantity_of_weight(told["up_to"], f"{place}.up_to") if "up_to" in told else math.inf
        tiers.append(Tier(limit, quantity(told["dose"], f"{place}.dose")))
    limits = [tier.up_to for tier in tiers]
    if tiers and (limits != sorted(set(limits)) or math.isfinite(limits[-1])):
        raise ValueError(f"{where}.tiers: weights must rise and the last tier has no up_to")
    return tuple(tiers)


def quantity_of_weight(text: Any, where: str) -> float:
    """Read `100 kg`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) kg", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{where}: expected a weight such as '100 kg', got {text!r}")
    return float(match[1])
