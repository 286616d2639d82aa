"""Acne as the trial runner knows it."""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit

from ..disease import Disease, Evidence
from ..engine.pharmacokinetics import Rates
from . import safety, uncertainty
from .endpoints import DETAILS, ENDPOINTS, OUTCOMES
from .equilibrium import Counts
from .model import STATES, Individual, State, drift, individual, signal, start
from .reading import Skin, read
from .sides import SIDES
from .treatments import PARAMETERS, TREATMENTS, disposition, number


def pharmacokinetics(person: Individual, day: Array, saturable: bool) -> tuple[Rates, ...]:
    """Pharmacokinetics of each slot on a day."""
    return tuple(disposition(slot, day, saturable) for slot in person.slots)


def observe(keys: Array, person: Individual, state: State, day: Array, details: bool = False) -> dict[str, Array]:
    """One visit's endpoints; keys, one a person and visit, shape (people,)."""
    at = dict(zip(STATES, state, strict=True))
    lesions = Counts(*(at[kind] for kind in Counts._fields))
    skin = Skin(lesions, at["H1"] + at["H2"], at["X"], at["B"], at["W"])
    found = read(keys, person.report, person.face, skin, day, person.theta)
    found |= {"resistant": expit(at["q"]), "sebum": person.sebum * at["G"]}
    return {name: found[name] for name in (ENDPOINTS | DETAILS if details else ENDPOINTS)}


def adverse(person: Individual, treated: Array) -> dict[str, Array]:
    """Hazard of each kind of adverse event, 1/day, (people,); treated (slots, people): on that drug now."""
    return safety.hazards([slot.drug for slot in person.slots], treated, person.fertile, person.theta)


def willing(person: Individual, state: State) -> Array:
    """Share of the doses otherwise taken that people still take, (people,)."""
    return safety.willing(jnp.maximum(state[STATES.index("B")], 0.0), person.theta)


EVIDENCE = Evidence(
    calibrated_on=(
        "Nothing yet by the project's own code: strengths and shares are starting values from a preliminary fit of a "
        "typical face to the lesions left at week 12 in 26 published arms.",
        "Rates of lesions follow from their numbers and lifetimes; the lifetimes are assumed.",
        "Success by the investigator's grade: a regression over 28 published arms.",
        "Pharmacokinetics of drugs by mouth: published population models and labels; how long topicals stay in the "
        "follicle is assumed.",
    ),
    predicts_unseen=("Not tested yet.",),
    limits=(
        "Lifetimes of lesions, rates of loss from the follicle, selection and loss of resistance, chances of marks and "
        "scars and the scatter of counts have no source.",
        "Sebum, androgen and keratinisation are hardly told apart: trials do not report sebum and counts together.",
        "Antibiotics are too weak on comedones: published 0.87 of those on placebo are left, the model has 0.97.",
        "How long what a laser destroys stays lost rests on one uncontrolled study of a year.",
        "A woman begins at the mean of her cycle, whatever its day.",
        "The grade at baseline is that of the twin; it follows the mean of counts on a day, not the counted lesions.",
        "Adverse events come at constant rates, whatever a twin's own risk; most of these are recalled or assumed.",
        "No topical is modelled as rescue.",
        "The face alone; acne of the trunk is not modelled.",
    ),
)

ACNE = Disease(
    name="acne",
    title="Acne vulgaris",
    attributes=(
        *("inflammatory", "noninflammatory", "nodules", "iga", "prior_antibiotic"),
        *("age", "male", "race", "weight", "fitzpatrick"),
    ),
    parameters=PARAMETERS,
    treatments=TREATMENTS,
    endpoints=ENDPOINTS | DETAILS,
    outcomes=OUTCOMES,
    evidence=EVIDENCE,
    lack_of_efficacy="inflammatory_half",
    waterfall="inflammatory_percent",
    number=number,
    individual=individual,
    start=start,
    signal=signal,
    drift=drift,
    pharmacokinetics=pharmacokinetics,
    observe=observe,
    controls=("vehicle", "placebo_tablet", "sham_session"),
    untreated="no treatment",
    harms=safety.KINDS,
    adverse=adverse,
    willing=willing,
    sides=SIDES,
    draw=uncertainty.draw if uncertainty.FILE.exists() else None,  # a calibration writes it
)
