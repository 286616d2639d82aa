"""Psoriasis as the trial runner knows it."""

from jax import Array

from ..disease import Disease, Evidence
from ..engine.pharmacokinetics import Rates
from . import triggers
from .endpoints import ENDPOINTS, OUTCOMES
from .model import Individual, State, activity, drift, individual, signal, start
from .skin import read
from .treatments import PARAMETERS, TREATMENTS, disposition, number


def pharmacokinetics(person: Individual, day: Array, saturable: bool) -> tuple[Rates, ...]:
    """Pharmacokinetics of each slot on a day, then of each kind of trigger."""
    drugs = tuple(disposition(slot, day, saturable) for slot in person.slots)
    return drugs + triggers.disposition(person.triggers)


def disturb(keys: Array, person: Individual, day: Array) -> tuple[Array, ...]:
    """What infections and stress that begin in the week of a day add, (people,) each."""
    return triggers.impulses(keys, person.triggers, day)


def observe(keys: Array, person: Individual, state: State, day: Array) -> dict[str, Array]:
    """One visit's endpoints; keys, one a person and visit, shape (people,)."""
    seen, felt = activity(person, state, day)
    return read(keys, person.lesions, seen, felt, person.theta)


EVIDENCE = Evidence(
    calibrated_on=(
        "Model, potency and placebo parameters are working values of a prototype fitted to model-based time courses of "
        "PASI 75 and PASI 90 (He et al. 2021, 80 randomised trials) and to published relapse times. "
        "They have not been estimated by code of this project.",
        "Pharmacokinetics of adalimumab and guselkumab are published population estimates; "
        "those of secukinumab are recalled in part.",
    ),
    predicts_unseen=("Nothing yet: no trial has been kept apart from the fit and predicted.",),
    limits=(
        "Efficacy rates of this version are not evidence for a decision: the model awaits calibration and validation.",
        "In the prototype anti-TNF acts too fast at week 4 (PASI 75 30 % against 21 %), and PASI 100 of IL-23 "
        "inhibitors is too frequent (45 to 48 % against 37 to 43 %); large improvements under placebo are too rare.",
        "The default study has the shape of VOYAGE 1 (Blauvelt et al. 2017). At week 16 the model falls short: of "
        "60,000 simulated twins 60 % (published 73 %) reach PASI 90 with guselkumab, 39 % (50 %) with adalimumab and "
        "1 % (3 %) with placebo; 78 % (91 %), 64 % (73 %) and 6 % (6 %) reach PASI 75.",
        "DLQI 0 or 1 is too rare: 25 % with guselkumab at week 16, where published arms with as many PASI 90 "
        "responders have about 53 %.",
        "Baseline severity describes people with a PASI of at least 12; milder disease is outside the model's data.",
        "Flares by infection or stress, antidrug antibodies, adverse events by organ and season are not simulated.",
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
    endpoints=ENDPOINTS,
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
    disturb=disturb,
)
