"""What a disease tells the trial runner: its treatments, its measurements, its outcomes and its equations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jax import Array

from .parameters import Table

Columns = Mapping[str, Any]  # arrays of NumPy or JAX


@dataclass(frozen=True)
class Endpoint:
    """Something measured at a visit, on its clinical scale from `low` to `high`."""

    name: str
    about: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """What an analysis compares: derived from endpoints `now` and at `baseline`, NaN where either is missing.

    A responder outcome is 0 or 1, a continuous one has a unit. Only what NumPy and JAX arrays share is used, since the
    conduct of the trial asks for outcomes within the simulation.
    """

    name: str
    about: str
    kind: Literal["responder", "continuous"]
    unit: str
    derive: Callable[[Columns, Columns], Any]


@dataclass(frozen=True)
class Treatment:
    """A drug: where it acts, and how it may be dosed."""

    name: str
    about: str
    route: Literal["subcutaneous", "topical"]
    hooks: Mapping[str, float]
    highest_dose: float
    unit: str


@dataclass(frozen=True)
class Evidence:
    """What the model rests on, in words for the report.

    ranges: of attributes, the lowest and highest in the data that the model was calibrated on; none if it was not.
    """

    calibrated_on: tuple[str, ...]
    predicts_unseen: tuple[str, ...]
    limits: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Disease:
    """A response model. All functions are pure JAX for arrays of people (last axis) and can be jitted.

    lack_of_efficacy: the responder outcome whose absence makes a twin stop or be rescued.
    waterfall: the continuous outcome of the report's waterfall.
    number(treatment) -> the number by which `individual` knows a systemic treatment; 0 is no drug.
    individual(keys, twins, drugs, theta) -> parameters of each person; keys (people,), drugs (slots, people),
      theta the table's `numbers()`.
    start(person) -> state, a tuple of one array a state variable.
    signal(person, concentrations, topical) -> what drives the model from outside, each between 0 and 1;
      concentrations of each slot (mg/L), topical 1 for people on it, else 0.
    drift(person, state, signal) -> time derivative of the state, 1/day.
    pharmacokinetics(person) -> `core.engine.pharmacokinetics.Rates` of each slot.
    observe(keys, person, state, day) -> endpoints of one visit; keys, one a person and visit.
    """

    name: str
    title: str
    attributes: tuple[str, ...]
    parameters: Table
    treatments: Mapping[str, Treatment]
    endpoints: Mapping[str, Endpoint]
    outcomes: Mapping[str, Outcome]
    evidence: Evidence
    lack_of_efficacy: str
    waterfall: str
    number: Callable[[str], int]
    individual: Callable[..., Any]
    start: Callable[[Any], tuple[Array, ...]]
    signal: Callable[..., tuple[Array, ...]]
    drift: Callable[..., tuple[Array, ...]]
    pharmacokinetics: Callable[[Any], Any]
    observe: Callable[..., dict[str, Array]]
