"""Treatments of psoriasis: where each acts on the model, and the pharmacokinetics of each person."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..disease import Route, Treatment
from ..parameters import read_table
from ..slots import NEVER, Catalogue, Slot, disposition
from .sensitivity import known

__all__ = ["NEVER", "PARAMETERS", "SITES", "TREATMENTS", "Slot", "column", "disposition", "hooks", "number", "slot"]

HERE = Path(__file__).parent
FILES = [HERE / name for name in ("parameters.yaml", "calibrated.yaml", "outside.yaml", "drugs.yaml", "safety.yaml")]
PARAMETERS = read_table(*FILES, sources=HERE / "sources.yaml")

SITES = ("tnf", "il23", "il17a", "il17f", "t17", "light", "topical")  # where on the model a treatment can act


def _drug(name: str, about: str, route: Route, *sites: str, unit: str = "mg", saturable: bool = False) -> Treatment:
    highest = PARAMETERS.value(f"{name}.highest_dose")
    return Treatment(name, about, route, dict.fromkeys(sites, 1.0), highest, unit, saturable)


def _antibody(name: str, against: str, *sites: str, saturable: bool = False) -> Treatment:
    return _drug(name, f"antibody against {against}", "subcutaneous", *sites, saturable=saturable)


TREATMENTS = {
    treatment.name: treatment
    for treatment in (
        _antibody("adalimumab", "TNF", "tnf"),
        _drug("etanercept", "soluble receptor of TNF", "subcutaneous", "tnf"),
        _drug("infliximab", "antibody against TNF", "intravenous", "tnf"),
        _antibody("certolizumab", "TNF (its fragment, pegylated)", "tnf"),
        _antibody("ustekinumab", "IL-12/23 p40", "il23"),
        _antibody("guselkumab", "IL-23 p19", "il23"),
        _antibody("tildrakizumab", "IL-23 p19", "il23"),
        _antibody("risankizumab", "IL-23 p19", "il23"),
        _antibody("secukinumab", "IL-17A", "il17a"),
        _antibody("ixekizumab", "IL-17A", "il17a"),
        _antibody("bimekizumab", "IL-17A and IL-17F", "il17a", "il17f"),
        _antibody("brodalumab", "the IL-17 receptor", "il17a", "il17f", saturable=True),
        _drug("apremilast", "inhibitor of phosphodiesterase 4", "oral", "tnf", "il23"),
        _drug("deucravacitinib", "inhibitor of TYK2", "oral", "il23"),
        _drug("methotrexate", "methotrexate once a week", "oral", "t17"),
        _drug("nb_uvb", "narrowband UVB", "light", "light", unit="J/cm2"),
        _drug(
            "calcipotriol_betamethasone",
            "vitamin D analogue with a steroid, as foam once daily",
            "topical",
            "topical",
            unit="application",
        ),
    )
}
CATALOGUE = Catalogue(TREATMENTS)
NAMES = CATALOGUE.names
ADDRESSES = CATALOGUE.addresses
number, column = CATALOGUE.number, CATALOGUE.column


def hooks(drugs: Array) -> Array:
    """At which sites each treatment number acts, 1 or 0: shape (*drugs.shape, sites)."""
    acting = [[t.hooks.get(site, 0.0) for site in SITES] for t in TREATMENTS.values()]
    return jnp.asarray(np.array([[0.0] * len(SITES), *acting]))[drugs]


def slot(keys: Array, twins: dict[str, Array], drugs: Array, theta: dict[str, Array]) -> Slot:
    """The treatment numbered `drugs` (people,) in each person; keys (people,), theta `Table.numbers()`."""
    kinetics = CATALOGUE.kinetics(keys, twins, drugs, theta)
    strength = hooks(drugs) * column(theta, "maximum", drugs)[:, None]
    needs = known(twins, column(theta, "carriers", drugs), theta) + CATALOGUE.insensitivity(keys, drugs, theta)
    return Slot(
        **kinetics,
        half_maximal=column(theta, "half_maximal", drugs) * jnp.exp(needs),
        strength=tuple(strength[:, site] for site in range(len(SITES))),
    )
