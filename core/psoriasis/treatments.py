"""Treatments of psoriasis: where each acts on the model, and the pharmacokinetics of each person."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..disease import Treatment
from ..engine.pharmacokinetics import Rates, rates
from ..keys import normals
from ..parameters import read_table

HERE = Path(__file__).parent
PARAMETERS = read_table(HERE / "parameters.yaml", HERE / "drugs.yaml", sources=HERE / "sources.yaml")

SITES = ("tnf", "il23", "il17a", "il17f", "t17")  # the rates of the model that a drug can block


def _antibody(name: str, against: str, site: str) -> Treatment:
    highest = PARAMETERS.value(f"{name}.highest_dose")
    return Treatment(name, f"antibody against {against}", "subcutaneous", {site: 1.0}, highest, "mg")


TREATMENTS = {
    "adalimumab": _antibody("adalimumab", "TNF", "tnf"),
    "guselkumab": _antibody("guselkumab", "IL-23 p19", "il23"),
    "secukinumab": _antibody("secukinumab", "IL-17A", "il17a"),
    "calcipotriol_betamethasone": Treatment(
        "calcipotriol_betamethasone", "vitamin D analogue with a steroid, as foam once daily", "topical", {}, 0.0, ""
    ),
}
SYSTEMIC = tuple(name for name, t in TREATMENTS.items() if t.route == "subcutaneous")
NO_DRUG = {"clearance": 1.0, "volume": 1.0, "absorption": 1.0, "peripheral": 1.0, "half_maximal": 1.0}
NO_DRUG |= {"reference_weight": 1.0, "clearance_female": 1.0, "clearance_not_white": 1.0}


def number(treatment: str) -> int:
    """The number by which the kernel knows a systemic treatment; 0 is no drug."""
    return 1 + SYSTEMIC.index(treatment)


def column(theta: dict[str, Array], field: str, drugs: Array) -> Array:
    """One field of `drugs.yaml` for each treatment number; what no drug has is chosen to do nothing."""
    values = [theta.get(f"{name}.{field}", 0.0) for name in SYSTEMIC]
    return jnp.stack([jnp.asarray(v, dtype="float64") for v in (NO_DRUG.get(field, 0.0), *values)])[drugs]


def hooks(drugs: Array) -> Array:
    """How strongly each treatment number acts at each site: shape (*drugs.shape, sites)."""
    table = [[0.0] * len(SITES)] + [[TREATMENTS[name].hooks.get(site, 0.0) for site in SITES] for name in SYSTEMIC]
    return jnp.asarray(np.array(table))[drugs]


class Slot(NamedTuple):
    """One systemic drug of each person: disposition, half-maximal concentration (ug/mL), strength at each site."""

    rates: Rates
    half_maximal: Array
    strength: tuple[Array, ...]


def slot(keys: Array, twins: dict[str, Array], drugs: Array, theta: dict[str, Array]) -> Slot:
    """The drug numbered `drugs` (people,) in each person.

    A person's deviations for one drug are addressed by that drug's number, so that they are the same in any arm.
    """

    def field(name: str) -> Array:
        return column(theta, name, drugs)

    def deviation(name: str) -> Array:
        return _by_drug(normals(keys, name, shape=(1 + len(SYSTEMIC),)), drugs)

    first, second, rho = deviation("clearance"), deviation("volume"), field("correlation")
    weight = twins["weight"] / field("reference_weight")
    clearance = field("clearance") * weight ** field("clearance_weight") * jnp.exp(field("clearance:sd") * first)
    clearance = clearance * jnp.where(twins["male"], 1.0, field("clearance_female"))
    clearance = clearance * jnp.where(twins["race"] == 0, 1.0, field("clearance_not_white"))
    joint = rho * first + jnp.sqrt(1 - rho * rho) * second
    volume = field("volume") * weight ** field("volume_weight") * jnp.exp(field("volume:sd") * joint)
    absorption = field("absorption") * jnp.exp(field("absorption:sd") * deviation("absorption"))
    disposition = rates(absorption, clearance, volume, field("exchange"), field("peripheral"), field("bioavailability"))
    strength = hooks(drugs)
    return Slot(
        disposition,
        field("half_maximal") * jnp.exp(_resistance(keys, twins, strength, deviation("potency"), theta)),
        tuple(strength[:, site] for site in range(len(SITES))),
    )


def _resistance(keys: Array, twins: dict[str, Array], strength: Array, own: Array, theta: dict[str, Array]) -> Array:
    """Logarithm by which a person needs more of a drug than the typical person: covariates and variability.

    Part of the variability is common to all drugs, so that who fails one is less likely to respond to the next.
    """
    carrier = jnp.where(twins["hla_c0602"], 1.0, -1.0)
    known = (
        theta["sensitivity.weight"] * jnp.log(twins["weight"] / 90)
        + theta["sensitivity.prior_biologic"]
        * (_number(twins["prior_biologic"]) - theta["sensitivity.prior_biologic_mean"])
        + theta["sensitivity.smoker"] * (_number(twins["smoker"]) - theta["sensitivity.smoker_mean"])
        + theta["sensitivity.age"] * (twins["age"] - 45)
        + theta["sensitivity.hla_tnf"] * carrier * strength[:, SITES.index("tnf")]
    )
    shared = theta["sensitivity.shared"]
    unknown = jnp.sqrt(shared) * normals(keys, "resistance") + jnp.sqrt(1 - shared) * own
    return known + theta["sensitivity.potency:sd"] * unknown


def _number(yes: Array) -> Array:
    return yes.astype("float64")


def _by_drug(draws: Array, drugs: Array) -> Array:
    return jnp.take_along_axis(draws, drugs[None, :], axis=0)[0]
