"""What a disease tells the trial runner: its treatments, its measurements, its outcomes and its equations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jax import Array

from .engine.pharmacokinetics import Rates
from .parameters import Table

Columns = Mapping[str, Any]  # arrays of NumPy or JAX
Route = Literal["subcutaneous", "intravenous", "oral", "light", "topical"]


@dataclass(frozen=True)
class Endpoint:
    """Something measured at a visit, on its clinical scale from `low` to `high`.

    detail: a part of another endpoint, recorded only where a study asks.
    """

    name: str
    about: str
    unit: str
    low: float
    high: float
    detail: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an analysis compares: derived from endpoints `now` and at `baseline`, NaN where either is missing.

    A responder outcome is 0 or 1, a continuous one has a unit. Only what NumPy and JAX arrays share is used, since the
    conduct of the trial asks for outcomes within the simulation.

    of: whom the outcome is about, by what is measured at baseline; NaN in all others, whom analyses leave out.
    """

    name: str
    about: str
    kind: Literal["responder", "continuous"]
    unit: str
    derive: Callable[[Columns, Columns], Any]
    of: Callable[[Columns], Any] | None = None


@dataclass(frozen=True)
class Treatment:
    """A drug or what else is given: where it acts, and how it may be dosed.

    highest_dose: of one dose, in `unit`: mg, J/cm2 or session for light, application for a topical, tablet for placebo.
    saturable: part of its elimination has a limited rate (Michaelis-Menten).
    """

    name: str
    about: str
    route: Route
    hooks: Mapping[str, float]
    highest_dose: float
    unit: str
    saturable: bool = False


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
class Sides:
    """How one side of the body follows from the person, for trials that give a person's two sides different treatments.

    about: what a side is, in words, such as `half of the face`.
    shares: endpoints that are read of one side, and the share of the person's that it carries: of what is counted a
      half, so that both sides add up to the person, and 1 of what is graded. All others concern the person alone.
    parameters: what only these trials need; its numbers stand among `theta` there.
    limits: what of it is assumed or left out, in words for the report.
    side(keys, own, number, person, theta) -> the person as if all of it were like this side, of the type that
      `Disease.individual` gives; keys of the persons, own keys of the sides, number 0 for left and 1 for right, each
      (people,).
    read(person, side, state, day) -> the state of a side as a visit reads it, given the person it belongs to.
    """

    about: str
    shares: Mapping[str, float]
    parameters: Table
    limits: tuple[str, ...]
    side: Callable[..., Any]
    read: Callable[..., tuple[Array, ...]]


def undisturbed(keys: Array, person: Any, day: Array) -> tuple[Array, ...]:
    """No triggers from outside."""
    return ()


def harmless(person: Any, treated: Array) -> dict[str, Array]:
    """No kind of adverse event is known."""
    return {}


@dataclass(frozen=True)
class Disease:
    """A response model. All functions are pure JAX for arrays of people (last axis) and can be jitted.

    lack_of_efficacy: the responder outcome whose absence makes a twin stop or be rescued.
    waterfall: the continuous outcome of the report's waterfall.
    rescue: topical treatments that `signal` knows as rescue; none if it knows none.
    controls: treatments without a drug. untreated: what an arm without any treatment is given, in words.
    number(treatment) -> the number by which `individual` knows a systemic treatment; 0 is no drug.
    individual(keys, twins, drugs, theta) -> parameters of each person; keys (people,), drugs (slots, people),
      theta the table's `numbers()`.
    start(person) -> state, a tuple of one array a state variable.
    signal(person, concentrations, topical, day) -> what drives the model from outside; concentrations of each slot
      (mg/L), then of each disturbance, topical 1 for people on a topical as rescue, else 0.
    drift(person, state, signal) -> time derivative of the state, 1/day.
    pharmacokinetics(person, day, saturable) -> `core.engine.pharmacokinetics.Rates` on a day of each slot, then of each
      disturbance; with saturable elimination only where a study asks for it.
    observe(keys, person, state, day, details) -> endpoints of one visit, those that are details only where a study asks
      for them; keys, one a person and visit.
    disturb(keys, person, day) -> impulses, (people,) each, of the triggers (infections, stress) that begin on a day;
      asked on whole weeks, and followed like doses, each in a slot after those of the drugs.
    harms: kinds of adverse events, in words.
    adverse(person, treated) -> hazard of each of these kinds, 1/day, (people,); treated (slots, people): on the drug of
      that slot now.
    willing(person, state) -> share of the doses otherwise taken that people in this state still take, (people,); None
      if what treatment does to them keeps nobody from taking it.
    sides: of a person whose sides are treated differently; None if the model has one course for the whole body.
    draw(k) -> the numbers of the k-th draw of the parameters' uncertainty, by their names; None if it is not known.
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
    pharmacokinetics: Callable[..., tuple[Rates, ...]]
    observe: Callable[..., dict[str, Array]]
    rescue: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    untreated: str = "placebo"
    disturb: Callable[..., tuple[Array, ...]] = undisturbed
    harms: Mapping[str, str] = field(default_factory=dict)
    adverse: Callable[..., dict[str, Array]] = harmless
    willing: Callable[..., Array] | None = None
    draw: Callable[[int], Mapping[str, float]] | None = None
    sides: Sides | None = None
