"""From a person's skin to layers of optical properties at a wavelength, and from skin tone to melanin and back.

Layers from the surface: stratum corneum, epidermis, its basal layer, papillary and reticular dermis, and subcutis
without end. Melanosomes lie more densely in the basal layer than above it in fair skin, and evenly in dark skin; blood
is spread evenly, less what the inside of its vessels does not see (`vessels`).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import calibrated, spectra
from .layers import Layers
from .light import propagate, specular
from .spectra import VALUES

LAYERS = ("stratum_corneum", "epidermis", "basal", "papillary_dermis", "reticular_dermis", "subcutis")
TISSUES = ("epidermis",) * 3 + ("dermis",) * 2 + ("subcutis",)
SITES = ("cheek", "forearm", "shoulder", "buttock")
FRACTIONS = np.geomspace(0.001, 0.43, 28)  # melanosomes, for the curve of skin tone
COLOUR_NODES = 8
FOLDING = calibrated.VALUES["epidermis.folding"]


class Skin(NamedTuple):
    """Skin of people, each field (people,).

    stratum_corneum, epidermis, dermis: thickness, mm; the epidermis is the living one with its ridges. melanosomes:
    volume fraction, mean over the living epidermis. blood: volume fraction of the dermis. saturation: of its oxygen, 0
    to 1. water: volume fraction of the dermis. basal: melanosome fraction of the basal layer over that above it.
    """

    stratum_corneum: Array
    epidermis: Array
    dermis: Array
    melanosomes: Array
    blood: Array
    saturation: Array
    water: Array
    basal: Array


def skin(twins: Mapping[str, Any], site: str = "cheek", folding: float = FOLDING) -> Skin:
    """The skin of twins at a site, from their thicknesses (`stratum_corneum_cheek`, ... um) and typology angle `ita`.

    Columns `blood_fraction`, `oxygen_saturation`, `dermal_water` are used if the twins have them, else typical values.
    folding: ridges carry epidermis and melanin deeper than the thickness between them, by this factor.

    Raises:
      ValueError: the site is unknown, or twins lack an attribute.
    """
    if site not in SITES:
        raise ValueError(f"site: {site!r} is none of {', '.join(SITES)}")
    wanted = [f"stratum_corneum_{site}", f"epidermis_{site}", "ita", *(["dermis_cheek"] if site == "cheek" else [])]
    missing = [name for name in wanted if name not in twins]
    if missing:
        raise ValueError(f"twins lack {', '.join(missing)}, needed for the optics of the {site}")
    corneum, epidermis, ita = (jnp.asarray(twins[name], dtype="float64") for name in wanted[:3])

    def of(name: str, typical: float) -> Array:
        return jnp.asarray(twins[name], dtype="float64") if name in twins else jnp.full_like(ita, typical)

    pigment = melanosomes(ita, folding)
    return Skin(
        corneum / 1000,
        folding * epidermis / 1000,
        of(wanted[3], 0.0) if site == "cheek" else jnp.full_like(ita, VALUES[f"geometry.dermis_{site}"]),
        pigment,
        of("blood_fraction", VALUES["contents.blood"]),
        of("oxygen_saturation", VALUES["contents.saturation"]),
        of("dermal_water", VALUES["contents.water_dermis"]),
        basal(pigment),
    )


def layers(person: Skin, wavelength: np.ndarray | float) -> Layers:
    """Layers (people, 6) at one wavelength, nm; (wavelengths, people, 6) at several.

    Raises:
      ValueError: a wavelength is outside the tables.
    """
    nm = spectra.known(wavelength)
    if nm.ndim == 0:
        several = layers(person, nm[None])
        thickness, absorption, scattering, g = (jnp.asarray(x)[0] for x in several[:4])
        return Layers(thickness, absorption, scattering, g, several.refraction)
    thickness = _thickness(person)
    shape = (len(nm), *thickness.shape)
    g = spectra.anisotropy(nm)
    reduced = np.stack([spectra.reduced_scattering(tissue, nm) for tissue in TISSUES], axis=-1)
    spread = jnp.asarray((reduced / (1 - g)[:, None])[:, None])
    return Layers(
        jnp.broadcast_to(thickness[None], shape),
        _absorption(person, nm),
        jnp.broadcast_to(spread, shape),
        jnp.broadcast_to(jnp.asarray(g)[:, None, None], shape),
        np.full(len(LAYERS), VALUES["refraction.skin"]),
    )


def broadband(cut_on: float, cut_off: float | None = None, nodes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (nodes,), nm, and weights, of sum 1, that stand for a filtered flash-lamp pulse.

    The lamp shines as a black body between the filter's cut-on and cut-off. A mean over the pulse of anything is
    `weights @ values`; 8 to 12 nodes are enough for skin.

    Raises:
      ValueError: the filter passes nothing, or wavelengths outside the tables.
    """
    end = VALUES["lamp.longest"] if cut_off is None else cut_off
    spectra.known(np.array([cut_on, end]))
    if not cut_on < end:
        raise ValueError(f"cut_off: {end:g} nm is not above cut_on, {cut_on:g} nm")
    node, weight = np.polynomial.legendre.leggauss(nodes)
    nm = cut_on + (node + 1) / 2 * (end - cut_on)
    power = weight * nm**-5.0 / np.expm1(1.438777e7 / (nm * VALUES["lamp.temperature"]))  # hc/k, nm K
    return nm, power / power.sum()


def colour(person: Skin) -> Array:
    """L*, a*, b* of skin (3, people) under daylight D65 for the 2 degree observer, without the surface's gloss."""
    seen = spectra.table("light")
    n = VALUES["refraction.skin"]
    stack = layers(person, seen["wavelength_nm"])
    found = propagate(stack, VALUES["refraction.air"], n, nodes=COLOUR_NODES)
    reflectance = found.reflectance - specular(VALUES["refraction.air"], n)
    weights = np.stack([seen[axis] * seen["d65"] for axis in "xyz"])
    weights = weights / weights.sum(axis=1, keepdims=True)  # so that white is 1 on each axis
    x, y, z = (_lightness(part) for part in jnp.asarray(weights) @ reflectance)
    return jnp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ita(person: Skin) -> Array:
    """Individual typology angle, degrees (people,): atan((L* - 50) / b*)."""
    light, _, yellow = colour(person)
    return jnp.degrees(jnp.arctan2(light - 50, yellow))


def basal(fraction: Array | np.ndarray | float) -> Array:
    r"""Melanosome fraction of the basal layer over that above it, for a mean over the living epidermis.

    $1 + x\,e^{-f/f_0}$: an excess x in the fairest skin, none in dark skin, whose melanosomes lie in all layers.
    """
    fraction = jnp.asarray(fraction, dtype="float64")
    return 1 + VALUES["melanosome.excess"] * jnp.exp(-fraction / VALUES["melanosome.fade"])


def melanosomes(angle: Array | np.ndarray | float, folding: float = FOLDING) -> Array:
    """Melanosome fraction of the living epidermis of skin with this typology angle (degrees), else typical.

    Beyond the curve's ends, at fractions of 0.001 and 0.43, it is that of the end.
    """
    angles, logs = _tones(folding)
    return jnp.exp(jnp.interp(jnp.asarray(angle, dtype="float64"), jnp.asarray(angles), jnp.asarray(logs)))


def typical(fractions: Array | np.ndarray, folding: float = FOLDING) -> Skin:
    """Typical skin with these melanosome fractions (people,)."""
    fraction = jnp.asarray(fractions, dtype="float64")
    names = (
        "geometry.stratum_corneum",
        "geometry.epidermis",
        "geometry.dermis_forearm",
        "contents.blood",
        "contents.saturation",
        "contents.water_dermis",
    )
    corneum, epidermis, dermis, blood, saturation, water = (jnp.full_like(fraction, VALUES[name]) for name in names)
    within = basal(fraction)
    return Skin(corneum, folding * epidermis, dermis, fraction, blood, saturation, water, within)


@cache
def _tones(folding: float = FOLDING) -> tuple[np.ndarray, np.ndarray]:
    """Angles, rising, and logarithms of the melanosome fractions that have them."""
    with jax.ensure_compile_time_eval():  # numbers also where the caller is being traced
        angles = np.asarray(ita(typical(FRACTIONS, folding)))
    return angles[::-1], np.log(FRACTIONS)[::-1]


def _thickness(person: Skin) -> Array:
    """(people, 6), mm; where the epidermis or dermis is thin, its lower and upper parts are at most half of it."""
    basal = jnp.minimum(VALUES["geometry.basal"], person.epidermis / 2)
    papillary = jnp.minimum(VALUES["geometry.papillary"], person.dermis / 2)
    deep = jnp.full_like(basal, jnp.inf)
    parts = [person.stratum_corneum, person.epidermis - basal, basal, papillary, person.dermis - papillary, deep]
    return jnp.stack(parts, axis=-1)


def _absorption(person: Skin, nm: np.ndarray) -> Array:
    """(wavelengths, people, 6), 1/mm."""
    v = VALUES

    def at(values: np.ndarray) -> Array:
        return jnp.asarray(values)[:, None]

    oxygenated, deoxygenated = (at(x) for x in spectra.blood(nm))
    blood = person.saturation[None] * oxygenated + (1 - person.saturation)[None] * deoxygenated
    water, fat, rest, melanin = (
        at(f(nm)) for f in (spectra.water, spectra.lipid, spectra.baseline, spectra.melanosome)
    )
    share = jnp.minimum(v["geometry.basal"] / person.epidermis, 0.5)
    above = person.melanosomes / (1 - share + person.basal * share)
    corneum = v["contents.water_corneum"] * water + rest
    wet = v["contents.water_epidermis"] * water + rest

    def pigmented(fraction: Array) -> Array:
        return fraction[None] * melanin + (1 - fraction)[None] * wet

    def perfused(fraction: Array, radius: float, tissue: Array) -> Array:
        across = 2 * radius * blood
        seen = -jnp.expm1(-across) / across
        return fraction[None] * blood * seen + (1 - fraction)[None] * tissue

    dermis = person.water[None] * water + rest
    below = v["contents.water_subcutis"] * water + v["contents.fat_subcutis"] * fat + rest
    little = jnp.full_like(person.blood, v["contents.blood_subcutis"])
    parts = [
        corneum,
        pigmented(above),
        pigmented(above * person.basal),
        perfused(person.blood, v["vessels.papillary"], dermis),
        perfused(person.blood, v["vessels.reticular"], dermis),
        perfused(little, v["vessels.reticular"], below),
    ]
    return jnp.stack([jnp.broadcast_to(part, blood.shape) for part in parts], axis=-1)


def _lightness(value: Array) -> Array:
    """The cube root of CIELAB, linear near black."""
    return jnp.where(value > (6 / 29) ** 3, jnp.cbrt(jnp.maximum(value, 1e-6)), value / (3 * (6 / 29) ** 2) + 4 / 29)
