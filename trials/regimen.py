"""What an arm gives: courses of treatment, stages that follow each other, and the rules that lead from one to the next.

Weeks and days count from the first dose of an arm (baseline is week 0), within a later stage from entering it.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from .units import Amount, Dose, Weight

DAYS = 7  # in a week
LAST_WEEK = 520
ONLY = "whole"  # the stage of an arm that has no stages
ALONE, BY_WEIGHT, BY_ERYTHEMA = range(3)  # what a dose is multiplied by: nothing, kg, minimal erythema dose
SCALES = {"mg/kg": BY_WEIGHT, "MED": BY_ERYTHEMA}


def _week(week: int) -> int:
    if not 0 <= week <= LAST_WEEK:
        raise ValueError(f"week {week} is {'before baseline, week 0' if week < 0 else f'after week {LAST_WEEK}'}")
    return week


def _day(day: int) -> int:
    if not 0 <= day <= DAYS * LAST_WEEK:
        raise ValueError(f"day {day} is {'before baseline, day 0' if day < 0 else f'after week {LAST_WEEK}'}")
    return day


Week = Annotated[int, AfterValidator(_week)]
Day = Annotated[int, AfterValidator(_day)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class Frozen(BaseModel):
    """Immutable; unknown keys are errors; numbers are numbers (no text, no yes/no)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False, serialize_by_alias=True)


class Part(NamedTuple):
    """`amount` times what `per` says, to twins heavier than `over` kg and no heavier than `up_to` kg."""

    per: int
    over: float
    up_to: float
    amount: float


class Tier(Frozen):
    """The dose of twins of up to a body weight; the last tier has no end."""

    dose: Dose
    up_to: Weight | None = None


class Course(Frozen):
    """One treatment of an arm: how much, and when.

    How much: a `dose`; or `doses`, one a session of light; or `tiers` of body weight. Sessions of light may be raised
    by a fraction, `raise_by`, each session or week, to `at_most`.
    When: at the listed `weeks` (or `days`), and from the last of them on every `every` weeks, or `times_a_week`, or
    `sessions_a_week`, or `times_a_day`, while before `until` (a week) or `until_day`.
    """

    treatment: Name
    dose: Dose | None = None
    doses: tuple[Dose, ...] = ()
    tiers: tuple[Tier, ...] = ()
    weeks: tuple[Week, ...] = ()
    days: tuple[Day, ...] = ()
    every: Annotated[int, Field(ge=1, le=52)] | None = None
    times_a_week: Annotated[int, Field(ge=1, le=7)] | None = None
    sessions_a_week: Annotated[int, Field(ge=1, le=7)] | None = None
    times_a_day: Annotated[int, Field(ge=1, le=6)] | None = None
    until: Week | None = None
    until_day: Day | None = None
    raise_by: Annotated[float, Field(gt=0, le=2)] | None = None
    raise_each: Literal["session", "week"] = "session"
    at_most: Dose | None = None

    @model_validator(mode="after")
    def says_when(self) -> "Course":
        if bool(self.weeks) == bool(self.days):
            raise ValueError("say when: give 'weeks' or 'days', such as weeks: [0, 4]")
        rising(self.weeks, "weeks")
        rising(self.days, "days", "day")
        if self.until is not None and self.until_day is not None:
            raise ValueError("'until' is a week, 'until_day' a day: give one of them")
        rhythms = [name for name in RHYTHMS if getattr(self, name) is not None]
        if len(rhythms) > 1:
            raise ValueError(f"give one of {' and '.join(map(repr, rhythms))}")
        end, start = self.end(), self.start()
        if self.sessions_a_week and self.doses:
            if end is not None:
                raise ValueError("'doses' says how many sessions there are: leave out 'until'")
        elif rhythms in ([], ["every"]) and (self.every is None) != (end is None):
            raise ValueError("'every' and 'until' go together: give both, or neither")
        elif rhythms and end is None:
            raise ValueError(f"'{rhythms[0]}' needs an end: give 'until', the week before which it ends")
        if rhythms and rhythms != ["every"] and len(self.weeks + self.days) > 1:
            what = "weeks" if self.weeks else "days"
            raise ValueError(f"with '{rhythms[0]}', '{what}' names the start alone, such as {what}: [0]")
        if end is not None and end <= start:
            last = f"the last listed week ({self.weeks[-1]})" if self.weeks else f"the last listed day ({start})"
            said = f"'until' (week {self.until})" if self.until is not None else f"'until_day' (day {self.until_day})"
            raise ValueError(f"{said} must be later than {last}")
        return self

    @model_validator(mode="after")
    def says_how_much(self) -> "Course":
        if sum((self.dose is not None, bool(self.doses), bool(self.tiers))) != 1:
            raise ValueError("say how much: give one of 'dose', 'doses' (one a session) and 'tiers' (by body weight)")
        units = {a.unit for a in (*self.amounts(), *([self.at_most] if self.at_most else []))}
        if len(units) > 1 and not (self.tiers and units == {"mg", "mg/kg"}):
            raise ValueError(f"the doses of one course have one unit, got {' and '.join(sorted(units))}")
        if self.doses and self.times_a_day is not None:
            raise ValueError("'doses' are given one a session; with 'times_a_day', write one course for each dose")
        if self.times_a_day and "MED" in units:
            raise ValueError("what is taken every day is no light: give a dose such as 30 mg, 1 mg/kg or 1 application")
        if self.doses and len(self.doses) != len(self.dose_days()):
            raise ValueError(f"{len(self.doses)} doses for {len(self.dose_days())} sessions: give one a session")
        if self.raise_by is not None and (self.dose is None or self.sessions_a_week is None):
            raise ValueError("'raise_by' raises the 'dose' of sessions: it needs 'dose' and 'sessions_a_week'")
        if self.raise_by is None and (self.at_most is not None or "raise_each" in self.model_fields_set):
            raise ValueError("'at_most' and 'raise_each' belong to 'raise_by', which is not given")
        if self.at_most and self.dose and self.at_most.value < self.dose.value:
            raise ValueError(f"'at_most' ({self.at_most}) is below the first dose ({self.dose})")
        _tiers(self.tiers)
        return self

    def amounts(self) -> tuple[Amount, ...]:
        """All amounts that are written down, the largest that raising may reach apart."""
        return (*([self.dose] if self.dose else []), *self.doses, *(tier.dose for tier in self.tiers))

    def largest(self) -> dict[str, float]:
        """The largest dose that is given in each unit."""
        if self.raise_by is not None and self.dose is not None:
            return {self.dose.unit: max(self._raised(number, day) for number, day in enumerate(self.dose_days()))}
        return {amount.unit: amount.value for amount in sorted(self.amounts())}

    def start(self) -> int:
        """The last listed day, from which a rhythm counts."""
        return self.days[-1] if self.days else DAYS * self.weeks[-1]

    def end(self) -> int | None:
        """The day before which the course ends, None if it just ends with its last dose."""
        return DAYS * self.until if self.until is not None else self.until_day

    def dose_days(self) -> tuple[int, ...]:
        """All days with a dose; of a treatment taken every day the first."""
        listed = self.days or tuple(DAYS * week for week in self.weeks)
        start, end = self.start(), self.end()
        a_week = self.times_a_week or self.sessions_a_week
        if a_week and self.sessions_a_week and self.doses:
            return tuple(start + _session(number, a_week) for number in range(len(self.doses)))
        if self.times_a_day or end is None:
            return listed
        if a_week:
            days = (start + _session(number, a_week) for number in range(a_week * (end - start) // DAYS + a_week))
            return tuple(day for day in days if day < end)
        return listed + tuple(range(start + DAYS * (self.every or 1), end, DAYS * (self.every or 1)))

    def schedule(self) -> tuple[int, ...]:
        """All weeks with a dose, each once."""
        return tuple(dict.fromkeys(day // DAYS for day in self.dose_days()))

    def doses_by_day(self) -> tuple[tuple[int, tuple[Part, ...]], ...]:
        """Each dose: its day, and the parts that make it up. Of a daily treatment: its first intake."""
        return tuple((day, self._parts(number, day)) for number, day in enumerate(self.dose_days()))

    def _parts(self, number: int, day: int) -> tuple[Part, ...]:
        if self.tiers:
            ends = [0.0, *(tier.up_to or float("inf") for tier in self.tiers)]
            bands = zip(self.tiers, pairwise(ends), strict=True)
            return tuple(Part(_scale(tier.dose), over, up_to, tier.dose.value) for tier, (over, up_to) in bands)
        given = self.doses[number] if self.doses else self.amounts()[0]
        value = given.value if self.raise_by is None else self._raised(number, day)
        return (Part(_scale(given), 0.0, float("inf"), value),)

    def _raised(self, number: int, day: int) -> float:
        if self.dose is None or self.raise_by is None:
            raise ValueError("this course is not raised")
        times = number if self.raise_each == "session" else (day - self.start()) // DAYS
        raised = self.dose.value * (1 + self.raise_by) ** times
        return min(raised, self.at_most.value) if self.at_most else raised


RHYTHMS = ("every", "times_a_week", "sessions_a_week", "times_a_day")


class Stage(Frozen):
    """A part of an arm. An empty regimen is no treatment (a withdrawal)."""

    about: str = ""
    regimen: tuple[Course, ...] = ()


class Move(Frozen):
    """Who goes from one stage to another: decided at the visit of week `at`, or at every visit later than `after`.

    `if` an outcome is reached or `unless` it is; without both everyone goes. `share`: a randomised part of those; the
    rest stays, or goes by the next rule. A visit that is missed decides nothing: the next one that takes place does.
    """

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    at: Week | None = None
    after: Week | None = None
    reached: Name | None = Field(default=None, alias="if")
    missed: Name | None = Field(default=None, alias="unless")
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def decides(self) -> "Move":
        if self.source == self.target:
            raise ValueError(f"leads from {self.source!r} to itself")
        if (self.at is None) == (self.after is None):
            raise ValueError("say when: 'at' (the week of one visit) or 'after' (any later visit)")
        if self.reached is not None and self.missed is not None:
            raise ValueError("give 'if' or 'unless', not both")
        return self

    def __str__(self) -> str:
        why = self.reached or (f"no {self.missed}" if self.missed else "planned")
        when = f"at week {self.at}" if self.at is not None else f"after week {self.after}"
        return f"{why} {when}" + (", randomised" if self.share < 1 else "")


class Arm(Frozen):
    """A virtual arm: one regimen throughout, or stages in order (the first is entered at baseline) and rules.

    An empty regimen is no treatment, or placebo, as the disease has it.
    """

    about: str = ""
    regimen: tuple[Course, ...] = ()
    stages: dict[Name, Stage] = {}
    rules: tuple[Move, ...] = ()

    @model_validator(mode="after")
    def leads_on(self) -> "Arm":
        if self.stages and self.regimen:
            raise ValueError("give 'regimen' (one for the whole trial) or 'stages', not both")
        if self.rules and not self.stages:
            raise ValueError("'rules' lead from stage to stage, but there are no 'stages'")
        for number, rule in enumerate(self.rules):
            for name in (rule.source, rule.target):
                if name not in self.stages:
                    raise ValueError(f"rules.{number}: no stage {name!r}; the stages are {', '.join(self.stages)}")
        first, reached = next(iter(self.stages), ""), {rule.target for rule in self.rules}
        for name in self.stages:
            if name != first and name not in reached:
                example = f"{{from: {first}, to: {name}, at: 16}}"
                raise ValueError(f"stages.{name}: no rule leads to it; add one, such as {example}")
        return self

    def parts(self) -> dict[str, tuple[Course, ...]]:
        """The regimen of each stage, the first one first; of an arm without stages that of the `ONLY` one."""
        return {name: stage.regimen for name, stage in self.stages.items()} or {ONLY: self.regimen}

    def courses(self) -> tuple[Course, ...]:
        """The courses of all stages."""
        return tuple(course for regimen in self.parts().values() for course in regimen)

    def opening(self) -> tuple[Course, ...]:
        """The courses that begin at baseline."""
        return next(iter(self.parts().values()))


def rising(times: tuple[int, ...], what: str, one: str = "week") -> None:
    """Raises a ValueError unless the times rise."""
    for before, after in pairwise(times):
        if after <= before:
            raise ValueError(f"{what} must rise: {one} {after} comes after {one} {before}")


def _session(number: int, a_week: int) -> int:
    """The day of a session: three a week are on days 0, 2 and 4 of each week, two on days 0 and 3."""
    week, place = divmod(number, a_week)
    return DAYS * week + DAYS * place // a_week


def _scale(amount: Amount) -> int:
    return SCALES.get(amount.unit, ALONE)


def _tiers(tiers: tuple[Tier, ...]) -> None:
    if not tiers:
        return
    ends: list[Any] = [tier.up_to for tier in tiers]
    if len(tiers) < 2 or ends[-1] is not None or None in ends[:-1]:
        raise ValueError("every tier but the last says 'up_to' which body weight, the last says none; give two or more")
    for before, after in pairwise(ends[:-1]):
        if after <= before:
            raise ValueError(f"tiers must rise: up_to {after:g} kg comes after {before:g} kg")
