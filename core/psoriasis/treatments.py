"""Treatments of psoriasis: where each acts on the model, and the pharmacokinetics of each person."""

import zlib
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..disease import Route, Treatment
from ..engine import pharmacokinetics as pk
from ..keys import normals, uniforms
from ..parameters import read_table
from .sensitivity import known, unknown

HERE = Path(__file__).parent
FILES = [HERE / name for name in ("parameters.yaml", "calibrated.yaml", "outside.yaml", "drugs.yaml", "safety.yaml")]
PARAMETERS = read_table(*FILES, sources=HERE / "sources.yaml")

SITES = ("tnf", "il23", "il17a", "il17f", "t17", "light", "topical")  # where on the model a treatment can act
NEVER = 1e9  # days


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
NAMES = tuple(TREATMENTS)
FACTORS = {  # what a treatment does not name does nothing: 1 for these fields, 0 for all others
    *("absorption", "clearance", "volume", "peripheral", "bioavailability", "half", "half_maximal", "maximum"),
    *("reference_weight", "reference_age", "clearance_female", "volume_female", "clearance_not_white", "clearance_ada"),
}
# A person's deviations are addressed by the name of the drug, so that a drug more changes no draws of another.
ADDRESSES = np.array([0, *(zlib.crc32(name.encode()) for name in NAMES)], dtype="uint32")
DIRECT = np.array([0.0, *(float(t.route != "subcutaneous") for t in TREATMENTS.values())])


class Slot(NamedTuple):
    """One treatment of each person; arrays of people.

    drug: its number, 0 for none.
    clearance to half: as `pharmacokinetics.rates` takes them, without antibodies. onset, clearance_ada: the day from
    which antidrug antibodies are there (since the first visit), and clearance with them over that without.
    half_maximal: concentration of half-maximal effect, ug/mL. strength: at each of `SITES`.
    """

    drug: Array
    absorption: Array
    clearance: Array
    volume: Array
    exchange: Array
    peripheral: Array
    bioavailability: Array
    direct: Array
    most: Array
    half: Array
    onset: Array
    clearance_ada: Array
    half_maximal: Array
    strength: tuple[Array, ...]


def number(treatment: str) -> int:
    """The number by which the kernel knows a treatment; 0 is none."""
    return 1 + NAMES.index(treatment)


def column(theta: dict[str, Array], field: str, drugs: Array) -> Array:
    """One field of the parameters for each treatment number; what a treatment does not name does nothing."""
    nothing = 1.0 if field in FACTORS else 0.0
    values = [nothing, *(theta.get(f"{name}.{field}", nothing) for name in NAMES)]
    return jnp.stack([jnp.asarray(v, dtype="float64") for v in values])[drugs]


def hooks(drugs: Array) -> Array:
    """At which sites each treatment number acts, 1 or 0: shape (*drugs.shape, sites)."""
    table = [[0.0] * len(SITES)] + [[t.hooks.get(site, 0.0) for site in SITES] for t in TREATMENTS.values()]
    return jnp.asarray(np.array(table))[drugs]


def slot(keys: Array, twins: dict[str, Array], drugs: Array, theta: dict[str, Array]) -> Slot:
    """The treatment numbered `drugs` (people,) in each person; keys (people,), theta `Table.numbers()`."""
    mine = jax.vmap(jax.random.fold_in)(keys, jnp.asarray(ADDRESSES)[drugs])
    relative = twins["weight"] / column(theta, "reference_weight", drugs)

    def field(name: str) -> Array:
        return column(theta, name, drugs)

    def drawn(name: str, deviation: Array | None = None) -> Array:
        """A person's value: typical value, weight, and what is their own."""
        own = normals(mine, name) if deviation is None else deviation
        return field(name) * relative ** field(f"{name}_weight") * jnp.exp(field(f"{name}:sd") * own)

    first, second, rho = normals(mine, "clearance"), normals(mine, "volume"), field("correlation")
    clearance = drawn("clearance", first) * (twins["age"] / field("reference_age")) ** field("clearance_age")
    clearance = clearance * jnp.where(twins["male"], 1.0, field("clearance_female"))
    clearance = clearance * jnp.where(twins["race"] == 0, 1.0, field("clearance_not_white"))
    volume = drawn("volume", rho * first + jnp.sqrt(1 - rho * rho) * second)
    share = field("bioavailability")
    lost = (1 - share) * jnp.exp(-field("bioavailability:sd") * normals(mine, "bioavailability"))
    strength = hooks(drugs) * field("maximum")[:, None]
    resistance = known(twins, field("carriers"), theta) + unknown(
        normals(keys, "resistance"), normals(mine, "potency"), theta
    )
    return Slot(
        drugs,
        drawn("absorption"),
        clearance,
        volume * jnp.where(twins["male"], 1.0, field("volume_female")),
        drawn("exchange"),
        drawn("peripheral"),
        share / (share + lost),
        jnp.asarray(DIRECT)[drugs],
        drawn("most"),
        field("half"),
        _onset(uniforms(mine, "antibodies"), field("ada_rate")),
        field("clearance_ada"),
        field("half_maximal") * jnp.exp(resistance),
        tuple(strength[:, site] for site in range(len(SITES))),
    )


def disposition(slot: Slot, day: Array, saturable: bool) -> pk.Rates:
    """Pharmacokinetics of a slot on a day since the first visit; with the saturable part only where it is asked for."""
    return pk.rates(
        slot.absorption,
        slot.clearance * jnp.where(day >= slot.onset, slot.clearance_ada, 1.0),
        slot.volume,
        slot.exchange,
        slot.peripheral,
        slot.bioavailability,
        slot.direct,
        *((slot.most, slot.half) if saturable else (None, None)),
    )


def _onset(chance: Array, rate: Array) -> Array:
    """Day on which antidrug antibodies appear, exponential with this rate (1/day); never where the rate is 0."""
    waiting = -jnp.log1p(-chance) / jnp.where(rate > 0, rate, 1.0)
    return jnp.where(rate > 0, waiting, NEVER)
