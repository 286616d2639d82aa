"""Treatments of acne: where each acts on the model, and how much of it there is in each person.

Topicals are relative exposures of the follicle, 1 in steady state with one application a day of the strength that the
values are for; drugs by mouth are average concentrations, ug/mL; the time integral of a session's exposure is 1.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..disease import Route, Treatment
from ..parameters import read_table
from ..slots import FACTORS, Catalogue, Slot, disposition

__all__ = [
    "PARAMETERS",
    "SITES",
    "TREATMENTS",
    "Slot",
    "column",
    "disposition",
    "effects",
    "half_maximal",
    "intake",
    "number",
    "slot",
    "strengths",
]

HERE = Path(__file__).parent
FILES = [HERE / name for name in ("parameters.yaml", "calibrated.yaml", "drugs.yaml")]
PARAMETERS = read_table(*FILES, sources=HERE / "sources.yaml")

LINEAR = ("receptor", "irritation", "gland")  # act in proportion to the concentration
STEEP = ("antibiotic", "selection")  # act above, hardly below, the concentration that inhibits growth
PLACEBOS = {"vehicle": "topical", "tablet": "oral", "session": "light"}  # what anything of a route does
SITES = (  # where on the model a treatment can act; in brackets what its strength is
    "androgen",  # production of androgens (share lost)
    "cycle",  # menstrual swing (share lost)
    "receptor",  # androgen receptor (1: half is taken at the half-maximal concentration)
    "isotretinoin",  # sebum, inflammation, keratinisation (share of sebum lost)
    "durable",  # glands and follicles, for long (share of the highest rate)
    "bpo",  # C. acnes, resistant ones too (log10 killed)
    "antibiotic",  # C. acnes that are susceptible (log10 killed)
    "selection",  # of resistant C. acnes (share of the highest rate)
    "kill",  # C. acnes, by light (log10 killed)
    "inflammation",  # (share lost)
    "retinoid",  # keratinisation (is divided by 1 + this)
    "keratolytic",  # keratinisation and comedones, as the two sites beside
    "comedolysis",  # comedones (resolve faster by this share)
    "irritation",  # damage to the barrier (1/day for each unit of concentration)
    "gland",  # gland capacity (1/day likewise: a session of strength d leaves exp(-d))
    "vehicle",  # a topical is in use (1)
    "tablet",  # something is taken by mouth (1)
    "session",  # something was done in a session (1)
)
OWN_HALF = {  # sites whose half-maximal concentration has a name of its own
    "antibiotic": "inhibitory",
    "selection": "inhibitory",
    "durable": "durable_half_maximal",
}
LIKE = {  # the same drug, absorbed otherwise or stronger
    "adapalene_03": "adapalene",
    "isotretinoin_fasted": "isotretinoin",
    "isotretinoin_lidose": "isotretinoin",
    "isotretinoin_lidose_fasted": "isotretinoin",
}


def _treatment(name: str, about: str, route: Route, unit: str) -> Treatment:
    meant = (name, LIKE.get(name, name))
    named = [site for site in SITES if any(f"{other}.{site}" in PARAMETERS for other in meant)]
    sites = [*named, *(site for site, by in PLACEBOS.items() if by == route)]
    highest = next(PARAMETERS.value(key) for key in (f"{m}.highest_dose" for m in meant) if key in PARAMETERS)
    return Treatment(name, about, route, dict.fromkeys(sites, 1.0), highest, unit)


def _topical(name: str, about: str) -> Treatment:
    return _treatment(name, about, "topical", "application")


def _oral(name: str, about: str, unit: str = "mg") -> Treatment:
    return _treatment(name, about, "oral", unit)


def _session(name: str, about: str) -> Treatment:
    return _treatment(name, about, "light", "session")


TREATMENTS = {
    treatment.name: treatment
    for treatment in (
        _topical("benzoyl_peroxide", "benzoyl peroxide 2.5 to 10 %"),
        _topical("adapalene", "retinoid, adapalene 0.1 %"),
        _topical("adapalene_03", "retinoid, adapalene 0.3 %"),
        _topical("tretinoin", "retinoid, tretinoin 0.05 %"),
        _topical("tazarotene", "retinoid, tazarotene 0.045 %"),
        _topical("trifarotene", "retinoid, trifarotene 0.005 %"),
        _topical("clindamycin", "topical antibiotic, clindamycin 1 to 1.2 %"),
        _topical("minocycline_foam", "topical antibiotic, minocycline 4 %"),
        _topical("dapsone", "topical sulfone, dapsone 7.5 %"),
        _topical("azelaic_acid", "azelaic acid 15 to 20 %"),
        _topical("clascoterone", "topical inhibitor of the androgen receptor, clascoterone 1 %"),
        _oral("doxycycline", "tetracycline; below about 50 mg a day not an antibiotic"),
        _oral("minocycline", "tetracycline, extended release"),
        _oral("sarecycline", "tetracycline of narrow spectrum"),
        _oral("spironolactone", "inhibitor of the androgen receptor"),
        _oral("combined_contraceptive", "combined oral contraceptive; dose of ethinylestradiol"),
        _oral("isotretinoin", "isotretinoin, with meals"),
        _oral("isotretinoin_fasted", "isotretinoin, without food"),
        _oral("isotretinoin_lidose", "isotretinoin in lipids, with meals"),
        _oral("isotretinoin_lidose_fasted", "isotretinoin in lipids, without food"),
        _session("photodynamic_therapy", "photodynamic therapy with a porphyrin precursor and red light"),
        _session("laser_1726", "laser of 1,726 nm, which heats sebaceous glands"),
        _topical("vehicle", "a topical without drug"),
        _oral("placebo_tablet", "a tablet without drug", "tablet"),
        _session("sham_session", "a session with light or laser that does nothing"),
    )
}
CATALOGUE = Catalogue(TREATMENTS, LIKE, FACTORS | {"usual_dose"})
NAMES = CATALOGUE.names
ADDRESSES = CATALOGUE.addresses
number, column = CATALOGUE.number, CATALOGUE.column


def slot(keys: Array, twins: dict[str, Array], drugs: Array, theta: dict[str, Array]) -> Slot:
    """The treatment numbered `drugs` (people,) in each person; keys (people,), theta `Table.numbers()`.

    half_maximal: of each site, (sites, people).
    """
    kinetics = CATALOGUE.kinetics(keys, twins, drugs, theta)
    needs = jnp.exp(CATALOGUE.insensitivity(keys, drugs, theta))
    usual = column(theta, "usual_dose", drugs) * kinetics["bioavailability"] / kinetics["clearance"]
    return Slot(
        **kinetics,
        half_maximal=half_maximal(drugs, needs, usual, theta),
        strength=strengths(drugs, theta),
    )


def half_maximal(drugs: Array, needs: Array, usual: Array, theta: dict[str, Array]) -> Array:
    """Half-maximal concentration at each of `SITES`, (sites, people).

    Args:
      needs: how much more of the treatment a person needs than others do. usual: concentration of the usual dose.
    """
    common = column(theta, "half_maximal", drugs)

    def half(site: str) -> Array:
        if site in PLACEBOS:
            return theta["placebo.presence"] * usual
        if site == "irritation":  # how irritable a skin is, the model says
            return jnp.ones_like(needs)
        if site == "gland":
            return needs
        own = column(theta, OWN_HALF[site], drugs) if site in OWN_HALF else jnp.zeros_like(common)
        mine = own if site in STEEP else own * needs  # what inhibits bacteria does not depend on whose they are
        return jnp.where(own > 0, mine, common * needs)

    return jnp.stack([half(site) for site in SITES])


def strengths(drugs: Array, theta: dict[str, Array]) -> tuple[Array, ...]:
    """What the treatments numbered `drugs` do at most at each of `SITES`."""

    def strength(site: str) -> Array:
        if site in PLACEBOS:
            acts = [0.0, *(float(t.route == PLACEBOS[site]) for t in TREATMENTS.values())]
            return jnp.asarray(np.array(acts))[drugs]
        return column(theta, site, drugs)

    return tuple(strength(site) for site in SITES)


def effects(slot: Slot, concentration: Array, theta: dict[str, Array]) -> dict[str, Array]:
    """What one treatment does at each of `SITES` at a concentration, (people,) each.

    Args:
      concentration: ug/mL, or exposure relative to one application a day.
    """
    present = jnp.maximum(concentration, 0.0)  # what is left of a dose may come out below 0 by rounding
    relative = [present / half for half in slot.half_maximal]
    return {
        site: strength * _response(site, x, theta)
        for site, strength, x in zip(SITES, slot.strength, relative, strict=True)
    }


def intake(slot: Slot, concentration: Array) -> Array:
    """Dose a day that a concentration amounts to, mg/day, by a person's own clearance: of isotretinoin, the dose taken
    with meals that does as much. Its sum over days is the cumulative dose."""
    return slot.clearance * concentration


def _response(site: str, relative: Array, theta: dict[str, Array]) -> Array:
    """Share of the strength at a concentration over the half-maximal one."""
    if site in LINEAR:
        return relative
    x = relative ** theta["antibiotic.steepness"] if site in STEEP else relative
    return x / (1 + x)
