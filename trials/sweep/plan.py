"""A sweep as data: which device, whose skin, which settings, what it should do and what it may not do.

The classes are the schema of `conf/sweep/` and of a file of one's own. Fluences J/cm2, energies of a beam mJ, powers W,
lengths mm, columns or needles 1/cm2, times within a session s, between and after sessions days.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from ..regimen import Frozen, Name
from ..study import Criterion, Share

TYPES = (1, 2, 3, 4, 5, 6)
MOST = 10_000  # settings of a sweep
SURFACES = 250_000  # settings times draws of parameters, which a piece of work holds at once
Harm = Literal["blister", "burn", "purpura", "hyperpigmentation"]
Benefit = Literal["hair_reduction", "blanching", "gland_loss", "ink_clearance", "pigment_clearance", "scar_reduction"]
Dose = Literal["fluence", "energy", "power"]
DOSES: dict[str, Dose] = {
    "beam": "fluence",
    "fractional": "energy",
    "needles": "power",
}  # what a device is turned up by
Axis = Literal[
    "fluence", "energy", "power", "wavelength", "pulse", "pulses", "gap", "spot", "density", "depth", "bare",
    "cooling", "spurt", "delay", "window", "precool",
]  # fmt: skip
Value = int | float | str
Ranks = Annotated[tuple[Value, ...], Field(min_length=1, max_length=MOST)]


class Crowd(Frozen):
    """Twins: as many of each skin type, the first of their population that meet the criteria."""

    source: Name = "us_general"
    size: Annotated[int, Field(ge=6, le=10_000_000)]
    skin_types: Annotated[tuple[Annotated[int, Field(ge=1, le=6)], ...], Field(min_length=1)] = TYPES
    eligibility: dict[Name, Criterion] = Field(default_factory=dict)

    @field_validator("skin_types")
    @classmethod
    def rise(cls, types: tuple[int, ...]) -> tuple[int, ...]:
        """Each type once, from the fairest to the darkest."""
        if list(types) != sorted(set(types)):
            raise ValueError(f"expected each skin type once, rising, got {', '.join(map(str, types))}")
        return types


class Efficacy(Frozen):
    """What is wanted. day: after the last session, for what changes with time. least: share that is worth treating."""

    outcome: Benefit
    day: Annotated[float, Field(ge=0, le=3650)] = 180.0
    least: Share = 0.0


class Risk(Frozen):
    """What may not be. most: probability of each event, below which its upper limit must lie.

    over: `session`, or `course` for that of at least one in all sessions. sought: how events are looked for, 0 (read
    from charts) to 1 (at every visit). confidence: of the limits, one-sided.
    """

    most: Annotated[dict[Harm, Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    sought: Share = 1.0
    over: Literal["session", "course"] = "session"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class Sweep(Frozen):
    """The whole plan. settings: changes of the device's protocol that all share. grid: values of those that vary.

    draws: of uncertain parameters, as far as the tables of outcomes know how uncertain they are.
    """

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20261121
    population: Crowd
    device: Name
    site: Literal["cheek", "forearm", "shoulder", "buttock"]
    settings: dict[Name, Value] = Field(default_factory=dict)
    grid: dict[Axis, Ranks]
    efficacy: Efficacy
    risk: Risk
    draws: Annotated[int, Field(ge=0, le=1000)] = 64

    @field_validator("grid")
    @classmethod
    def each_once(cls, grid: dict[str, tuple[Value, ...]]) -> dict[str, tuple[Value, ...]]:
        """Every value once, numbers rising."""
        for name, values in grid.items():
            words = name == "cooling"
            if any(isinstance(value, str) != words for value in values):
                raise ValueError(f"{name}: expected {'words' if words else 'numbers'}, got {list(values)}")
            if len(set(values)) != len(values) or (not words and values != tuple(sorted(values))):
                raise ValueError(f"{name}: expected every value once{'' if words else ', rising'}, got {list(values)}")
        doses = [name for name in DOSES.values() if name in grid]
        if not doses:
            raise ValueError("fluence is missing (of columns energy, of needles power); a sweep has at least one")
        if len(doses) > 1:
            raise ValueError(f"{' and '.join(doses)}: a device is turned up by one of them; choose one")
        return grid

    @model_validator(mode="after")
    def fits(self) -> "Sweep":
        """Nothing is both fixed and varied; not too many settings."""
        both = sorted(set(self.settings) & set(self.grid))
        if both:
            raise ValueError(f"{', '.join(both)}: set in settings and varied in grid; choose one")
        count = prod(map(len, self.grid.values()))
        if count > MOST:
            raise ValueError(f"grid: {count:,} settings; at most {MOST:,}")
        if count * (self.draws + 1) > SURFACES:
            allowed = SURFACES // count - 1
            raise ValueError(f"draws: {self.draws:,} are too many for {count:,} settings; at most {allowed:,}")
        return self

    def fingerprint(self) -> str:
        """SHA-256 of the plan."""
        return hashlib.sha256(canonical(self).encode()).hexdigest()

    @property
    def dose(self) -> Dose:
        """What the device is turned up by: fluence, energy of a beam, or power."""
        return next(name for name in DOSES.values() if name in self.grid)

    def doses(self) -> tuple[float, ...]:
        """Its values, rising: J/cm2, mJ or W."""
        return tuple(float(value) for value in self.grid[self.dose])

    def others(self) -> dict[str, tuple[Value, ...]]:
        """What varies beside the dose, in the plan's order."""
        return {name: values for name, values in self.grid.items() if name != self.dose}


class Combination(NamedTuple):
    """Everything that varies but the dose, as one choice; settings are numbered dose by dose within it."""

    number: int
    changes: dict[str, Value]


def combinations(plan: Sweep) -> Iterator[Combination]:
    """All of them, the last axis fastest."""
    others = plan.others()
    for number, values in enumerate(product(*others.values())):
        yield Combination(number, dict(zip(others, values, strict=True)))


def canonical(plan: Sweep) -> str:
    """The plan as JSON: one text for one plan."""
    return json.dumps(plain(plan), separators=(",", ":"))


def plain(plan: Sweep) -> dict[str, Any]:
    """The plan as nested built-in types, defaults left out, ready for YAML."""
    return plan.model_dump(mode="json", exclude_defaults=True)
