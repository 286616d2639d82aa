"""What a rater reads from plaque activity: four signs in four regions, hence PASI, BSA and IGA; DLQI and itch.

PASI: sum over head, upper limbs, trunk, lower limbs (weights 0.1, 0.2, 0.3, 0.4) of (erythema + induration + scaling,
each 0 to 4) times the area score 0 to 6 [fredriksson1978]. Scores are whole numbers with rater noise, so that
thresholds such as PASI 100 mean what they mean in a trial.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..disease import Columns, Endpoint, Outcome
from ..keys import normals

REGIONS = ("head", "upper", "trunk", "lower")
SIGNS = ("erythema", "induration", "scaling")
TENTHS = np.array([1.0, 2.0, 3.0, 4.0])  # region weights, in tenths
BOUNDS = np.array([0.10, 0.30, 0.50, 0.70, 0.90])  # of the area score's classes 1 to 6
MIDDLES = np.array([0.0, 0.05, 0.20, 0.40, 0.60, 0.80, 0.95])

ENDPOINTS = {
    e.name: e
    for e in (
        Endpoint("pasi", "Psoriasis Area and Severity Index", "points", 0, 72),
        Endpoint("bsa", "body surface area with psoriasis", "%", 0, 100),
        Endpoint("iga", "Investigator's Global Assessment", "grade", 0, 4),
        Endpoint("dlqi", "Dermatology Life Quality Index", "points", 0, 30),
        Endpoint("itch", "worst itch, numeric rating scale", "points", 0, 10),
    )
}


class Lesions(NamedTuple):
    """A person's skin at baseline: what plaque activity of 1 looks like. Last axis: people.

    extent: share of each region, (4, people). severity: grade of each sign, (4, 3, people).
    response: exponent of plaque activity in each region, (4, people). dlqi, itch: reports at activity 1, (people,).
    """

    extent: Array
    severity: Array
    response: Array
    dlqi: Array
    itch: Array


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
        theta["reported.dlqi"] + theta["reported.dlqi:sd"] * normals(keys, "dlqi"),
        theta["reported.itch"] + theta["reported.itch:sd"] * normals(keys, "itch"),
    )


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


def read(keys: Array, skin: Lesions, seen: Array, felt: Array, theta: dict[str, Array]) -> dict[str, Array]:
    """One visit's readings.

    Args:
      keys: one key a person and visit, shape (people,).
      skin: baseline skin.
      seen, felt: plaque activity (1 untreated), shape (people,).
    Returns:
      pasi (tenths exact), bsa (%), iga, dlqi, itch, each (people,).
    """
    noise = normals(keys, "visit", shape=(2,))
    factor = jnp.exp(theta["signs.visit:sd"] * noise[0])
    local = (seen * factor)[None, :] ** skin.response
    extent = jnp.minimum(skin.extent * local ** theta["signs.area_power"], 1.0)
    rated = skin.severity * (local ** theta["signs.severity_power"])[:, None, :]
    grade = jnp.clip(jnp.round(rated + theta["signs.reading:sd"] * normals(keys, "reading", shape=(4, 3))), 0, 4)
    clear = (extent <= theta["signs.clear_below"]) | (grade.sum(1) == 0)
    extent, grade = jnp.where(clear, 0.0, extent), jnp.where(clear[:, None, :], 0.0, grade)
    area = jnp.where(clear, 0.0, 1.0 + (extent[None] >= BOUNDS[:, None, None]).sum(0, dtype="float64"))
    pasi = (TENTHS[:, None] * area * grade.sum(1)).sum(0) / 10
    weighted = (grade.mean(1) * extent).sum(0) / jnp.maximum(extent.sum(0), 1e-9)
    report = normals(keys, "report", shape=(2,))
    return {
        "pasi": pasi,
        "bsa": jnp.round(100 * (jnp.asarray(TENTHS / 10)[:, None] * extent).sum(0), 1),
        "iga": jnp.where(pasi == 0, 0.0, jnp.clip(jnp.round(weighted), 1, 4)),
        "dlqi": _report("dlqi", 30, skin.dlqi, felt * factor, report[0], theta),
        "itch": _report("itch", 10, skin.itch, felt * factor, report[1], theta),
    }


def _report(name: str, top: float, baseline: Array, felt: Array, noise: Array, theta: dict[str, Array]) -> Array:
    floor = theta[f"reported.{name}_floor"]
    level = jnp.clip(baseline, 0, top) * (floor + (1 - floor) * felt ** theta["reported.power"])
    return jnp.clip(jnp.round(level + theta[f"reported.{name}_reading:sd"] * noise), 0, top)


def _improved(percent: float) -> Outcome:
    def derive(now: Columns, baseline: Columns) -> np.ndarray:
        # in tenths of a point all of this is whole, so half a tenth settles every rounding
        reached = 100 * (baseline["pasi"] - now["pasi"]) >= percent * baseline["pasi"] - 0.05
        return reached.astype("float64") + 0.0 * (now["pasi"] + baseline["pasi"])

    return Outcome(
        f"pasi{percent:.0f}",
        f"PASI {percent:.0f}: PASI at least {percent:.0f} % below baseline",
        "responder",
        "",
        derive,
    )


def _cleared(now: Columns, baseline: Columns) -> np.ndarray:
    reached = (now["iga"] <= 1) & (baseline["iga"] - now["iga"] >= 2)
    return reached.astype("float64") + 0.0 * (now["iga"] + baseline["iga"])


def _untroubled(now: Columns, baseline: Columns) -> np.ndarray:
    return (now["dlqi"] <= 1).astype("float64") + 0.0 * now["dlqi"]


def _change(now: Columns, baseline: Columns) -> np.ndarray:
    return 100 * (now["pasi"] - baseline["pasi"]) / baseline["pasi"]


OUTCOMES = {
    o.name: o
    for o in (
        _improved(50),
        _improved(75),
        _improved(90),
        _improved(100),
        Outcome("iga01", "IGA 0 or 1: clear or almost clear, at least two grades better", "responder", "", _cleared),
        Outcome("dlqi01", "DLQI 0 or 1: no effect on life", "responder", "", _untroubled),
        Outcome("pasi_change", "change of PASI from baseline", "continuous", "%", _change),
    )
}
