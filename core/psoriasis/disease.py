"""Psoriasis as the trial runner knows it."""

from jax import Array

from ..disease import Disease, Evidence
from ..engine.pharmacokinetics import Rates
from . import safety, triggers
from .endpoints import DETAILS, ENDPOINTS, OUTCOMES
from .model import Individual, State, activity, drift, individual, signal, start
from .skin import read
from .treatments import PARAMETERS, TREATMENTS, disposition, number
from .uncertainty import draw


def pharmacokinetics(person: Individual, day: Array, saturable: bool) -> tuple[Rates, ...]:
    """Pharmacokinetics of each slot on a day, then of each kind of trigger."""
    drugs = tuple(disposition(slot, day, saturable) for slot in person.slots)
    return drugs + triggers.disposition(person.triggers)


def disturb(keys: Array, person: Individual, day: Array) -> tuple[Array, ...]:
    """What infections and stress that begin in the week of a day add, (people,) each."""
    return triggers.impulses(keys, person.triggers, day)


def observe(keys: Array, person: Individual, state: State, day: Array, details: bool = False) -> dict[str, Array]:
    """One visit's endpoints; keys, one a person and visit, shape (people,)."""
    seen, felt = activity(person, state, day)
    return read(keys, person.lesions, seen, felt, person.theta, details)


def adverse(person: Individual, treated: Array) -> dict[str, Array]:
    """Hazard of each kind of adverse event, 1/day, (people,); treated (slots, people): on that drug now."""
    return safety.hazards([slot.drug for slot in person.slots], treated, person.theta)


EVIDENCE = Evidence(
    calibrated_on=(
        "Response: rates of PASI 50, 75, 90 and 100 of 58 published randomised trials of 15 drugs and placebo up to "
        "week 52, the speed of onset in a model-based meta-analysis (He et al. 2021) and four relapse times, by the "
        "project's own code (`cutis calibrate psoriasis`); covariates from published odds ratios.",
        "Reading of plaques: rates of one response beside another in the same trials, DLQI and itch at each level of "
        "response.",
        "Light: weekly PASI of 94 patients under narrowband UVB (Watson et al. 2021). Topical: four rates at week 4.",
        "Pharmacokinetics: published population models of each drug; what is recalled or borrowed from other "
        "antibodies is marked as assumed.",
    ),
    predicts_unseen=(
        "Ten folds over trials, each predicted from a fit without it: the mean absolute error of PASI 75 and PASI 90 "
        "at the primary time points is 4.7 percentage points over 272 rates (2.7 of them by chance alone; 6.1 over "
        "active arms), and 90 % of the rates lie in their 90 % prediction intervals.",
        "Of 42 differences between drugs within a trial, one has the other sign, four lie outside the 90 % interval "
        "(two of methotrexate, two of secukinumab and etanercept).",
    ),
    limits=(
        "Methotrexate is predicted badly (mean error 14 points): trials raised its dose in different ways. The step "
        "from 150 to 300 mg secukinumab is too small (predicted 81 to 84 % PASI 75 with 150 mg, observed 67 to 72 %), "
        "as is that from 25 mg etanercept once a week to more; deucravacitinib is predicted too low by 9 points, "
        "apremilast and risankizumab by 3 to 4.",
        "How a new class of drugs would do is not predicted: without any of its trials its potency is unknown.",
        "Other trials of phototherapy do worse than the cohort that the light was calibrated on (PASI 75 of 41 %, "
        "predicted 87 %): how doses are raised and missed is not known.",
        "Of those who enter with an IGA of 3 or 4, 91 % have 3 (published about 80 %); their mean PASI is 21.4 (20.1). "
        "Itch falls by 3.1 points on etanercept by week 12 (3.8).",
        "Baseline severity describes people with a PASI of at least 12; milder disease is outside the model's data.",
        "Serious infections, injection-site reactions and infections with Candida come at constant rates, whatever a "
        "twin's own risk; other adverse events are not simulated. Arms without any drug are taken to get injections of "
        "placebo.",
        "Antidrug antibodies raise the clearance of a drug from one day on, and stay. Infections, stress and season "
        "change how active psoriasis is, but never the drug.",
        "How parameters that were hardly told apart by the trials (see the calibration) act after week 24 is assumed.",
        "Adults only. Guttate, pustular, erythrodermic, nail and palmoplantar psoriasis are not modelled.",
        "Skin type does not change response in this model; its data are largely from White participants.",
    ),
)

PSORIASIS = Disease(
    name="psoriasis",
    title="Plaque psoriasis",
    attributes=("weight", "male", "race", "age", "smoker", "prior_biologic", "hla_c0602", "severity"),
    parameters=PARAMETERS,
    treatments=TREATMENTS,
    endpoints=ENDPOINTS | DETAILS,
    outcomes=OUTCOMES,
    evidence=EVIDENCE,
    lack_of_efficacy="pasi50",
    waterfall="pasi_change",
    number=number,
    individual=individual,
    start=start,
    signal=signal,
    drift=drift,
    pharmacokinetics=pharmacokinetics,
    observe=observe,
    rescue=("calcipotriol_betamethasone",),
    disturb=disturb,
    harms=safety.KINDS,
    adverse=adverse,
    draw=draw,
)
