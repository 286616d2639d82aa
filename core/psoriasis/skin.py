"""What a rater reads from plaque activity: four signs in four regions, hence PASI, BSA and IGA; DLQI and itch.

PASI: sum over head, upper limbs, trunk, lower limbs (weights 0.1, 0.2, 0.3, 0.4) of (erythema + induration + scaling,
each 0 to 4) times the area score 0 to 6 [fredriksson1978]. Scores are whole numbers with rater noise, so that
thresholds such as PASI 100 mean what they mean in a trial.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..keys import normals

REGIONS = ("head", "upper", "trunk", "lower")
SIGNS = ("erythema", "induration", "scaling")
TENTHS = np.array([1.0, 2.0, 3.0, 4.0])  # region weights, in tenths
BOUNDS = np.array([0.10, 0.30, 0.50, 0.70, 0.90])  # of the area score's classes 1 to 6
MIDDLES = np.array([0.0, 0.05, 0.20, 0.40, 0.60, 0.80, 0.95])


class Lesions(NamedTuple):
    """A person's skin at baseline: what plaque activity of 1 looks like. Last axis: people.

    extent: share of each region, (4, people). severity: grade of each sign, (4, 3, people).
    response: exponent of plaque activity in each region, (4, people). dlqi, itch: what the person reports.
    """

    extent: Array
    severity: Array
    response: Array
    dlqi: "Burden"
    itch: "Burden"


class Burden(NamedTuple):
    """What a person reports on one scale: `level` at plaque activity 1, `power` of activity in it, each (people,)."""

    level: Array
    power: Array


def lesions(keys: Array, twins: dict[str, Array], theta: dict[str, Array]) -> Lesions:
    """Signs by region such that the unrounded PASI is the twin's `severity`.

    Extent is scaled to match it; signs are raised only in the few people whose PASI they could not reach otherwise.
    """

    def each(group: str, names: tuple[str, ...]) -> Array:
        return jnp.stack([jnp.asarray(theta[f"{group}{name}"], dtype="float64") for name in names])

    relative = jnp.exp(
        each("regions.extent_", REGIONS)[:, None]
        + each("regions.extent_", tuple(f"{r}:sd" for r in REGIONS))[:, None] * normals(keys, "extent", shape=(4,))
    )
    own = theta["signs.severity"] + theta["signs.severity:sd"] * normals(keys, "severity")
    deviation = theta["signs.deviation:sd"] * normals(keys, "sign", shape=(4, 3))
    severity = jnp.clip(
        own[None, None, :] + deviation + each("signs.", SIGNS)[None, :, None], theta["signs.lowest"], 4.0
    )
    reachable = theta["signs.most_affected"] * _smooth_pasi(jnp.ones_like(relative), severity)
    severity = jnp.minimum(severity * jnp.maximum(twins["severity"] / reachable, 1.0)[None, None, :], 4.0)
    response = 1 - each("regions.lag_", REGIONS)[:, None]
    response = response + theta["regions.response:sd"] * normals(keys, "response", shape=(4,))
    return Lesions(
        _scaled(relative, severity, twins["severity"]),
        severity,
        response,
        _burden("dlqi", keys, twins["severity"], theta),
        _burden("itch", keys, twins["severity"], theta),
    )


def _burden(name: str, keys: Array, pasi: Array, theta: dict[str, Array]) -> Burden:
    """What people report goes a little with the extent of their psoriasis; how it follows activity differs."""
    own = normals(keys, name, shape=(2,))
    level = jnp.maximum(theta[f"reported.{name}"] + theta[f"reported.{name}:sd"] * own[0], 0.0)
    power = theta[f"reported.{name}_power"] * jnp.exp(theta[f"reported.{name}_power:sd"] * own[1])
    return Burden(level * (pasi / 20) ** theta[f"reported.{name}_severity"], power)


def _scaled(relative: Array, severity: Array, pasi: Array) -> Array:
    """Extents proportional to `relative`, at most 1, whose smooth PASI is `pasi`, by bisection."""

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) / 2
        below = _smooth_pasi(jnp.minimum(relative * middle[None, :], 1.0), severity) < pasi
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = lax.fori_loop(0, 40, halve, (jnp.full_like(pasi, 1e-3), jnp.full_like(pasi, 30.0)))
    return jnp.minimum(relative * ((low + high) / 2)[None, :], 1.0)


def _smooth_pasi(extent: Array, severity: Array) -> Array:
    """PASI with the area score made continuous: linear between the middles of its classes."""
    score = jnp.interp(extent, MIDDLES, jnp.arange(7.0))
    return (jnp.asarray(TENTHS / 10)[:, None] * score * severity.sum(1)).sum(0)


class Rated(NamedTuple):
    """What the rater writes down. Last axis: people.

    extent: share of each region, (4, people). area: its class, 0 to 6, (4, people). grade: (4, 3, people).
    """

    extent: Array
    area: Array
    grade: Array


def rate(keys: Array, skin: Lesions, seen: Array, theta: dict[str, Array]) -> Rated:
    """One visit's scores; a region of almost no extent, or without any sign, is clear."""
    local = seen[None, :] ** skin.response
    extent = jnp.minimum(skin.extent * local ** theta["signs.area_power"], 1.0)
    rated = skin.severity * (local ** theta["signs.severity_power"])[:, None, :]
    grade = jnp.clip(jnp.round(rated + theta["signs.reading:sd"] * normals(keys, "reading", shape=(4, 3))), 0, 4)
    clear = (extent <= theta["signs.clear_below"]) | (grade.sum(1) == 0)
    area = 1.0 + (extent[None] >= BOUNDS[:, None, None]).sum(0, dtype="float64")
    return Rated(jnp.where(clear, 0.0, extent), jnp.where(clear, 0.0, area), jnp.where(clear[:, None, :], 0.0, grade))


def pasi(rated: Rated) -> Array:
    """Psoriasis Area and Severity Index, 0 to 72 [fredriksson1978]: summed in tenths, which are whole numbers."""
    return (TENTHS[:, None] * rated.area * rated.grade.sum(1)).sum(0) / 10


def read(
    keys: Array, skin: Lesions, seen: Array, felt: Array, theta: dict[str, Array], details: bool = False
) -> dict[str, Array]:
    """One visit's readings.

    Args:
      keys: one key a person and visit, shape (people,).
      skin: baseline skin.
      seen, felt: plaque activity (1 untreated), shape (people,).
      details: also the scores that PASI is made of.
    Returns:
      pasi (tenths exact), bsa (%), iga, dlqi, itch, each (people,); with details 16 more, `pasi_<region>_<sign>` and
      `pasi_<region>_area`.
    """
    today = jnp.exp(theta["signs.visit:sd"] * normals(keys, "visit"))
    rated = rate(keys, skin, seen * today, theta)
    total, weight = pasi(rated), jnp.asarray(TENTHS / 10)[:, None] * rated.extent
    mean = (rated.grade.mean(1) * weight).sum(0) / jnp.maximum(weight.sum(0), 1e-9)
    report = normals(keys, "report", shape=(2,))
    readings = {
        "pasi": total,
        "bsa": jnp.round(100 * weight.sum(0), 1),
        "iga": _global(total, mean, theta),
        "dlqi": _report("dlqi", 30.0, skin.dlqi, felt * today, report[0], theta),
        "itch": _report("itch", 10.0, skin.itch, felt * today, report[1], theta),
    }
    return readings | _details(rated) if details else readings


def _global(total: Array, mean: Array, theta: dict[str, Array]) -> Array:
    """IGA from PASI and the mean grade of affected skin: clear, almost clear up to a limit, else the nearest grade."""
    almost = mean <= theta["signs.almost_clear"]
    return jnp.where(total == 0, 0.0, jnp.where(almost, 1.0, jnp.clip(jnp.round(mean), 2, 4)))


def _details(rated: Rated) -> dict[str, Array]:
    scores = {}
    for r, region in enumerate(REGIONS):
        scores |= {f"pasi_{region}_{sign}": rated.grade[r, s] for s, sign in enumerate(SIGNS)}
        scores[f"pasi_{region}_area"] = rated.area[r]
    return scores


def _report(name: str, top: float, person: Burden, felt: Array, noise: Array, theta: dict[str, Array]) -> Array:
    """A sum of items, so its noise is that of a count: of the same size at any level on the scale of square roots."""
    level = jnp.sqrt(jnp.minimum(person.level, top) * felt**person.power)
    return jnp.clip(jnp.round(jnp.maximum(level + theta[f"reported.{name}_reading:sd"] * noise, 0.0) ** 2), 0, top)
