"""What the model of readings gives for each target of `readings.yaml`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy import special

from ...core.parameters import Table, read_table
from ...core.psoriasis.endpoints import OUTCOMES
from .reading_arms import ANCHOR, given, on_drug, on_placebo
from .readings import arrays, mean, visits

HERE = Path(__file__).parent
TARGETS: Table = read_table(HERE / "readings.yaml", sources=HERE / "readings_sources.yaml")
GRID = np.arange(-70, 16) * 0.1  # logarithm of plaque activity
SHOWN = ("pasi50", "pasi75", "pasi90", "pasi100", "iga01")
LINE = (0.1, 0.9)  # shares with PASI 90 between which DLQI 0 or 1 is taken as a line
CHANGE = (0.3, 0.9)  # shares with PASI 75 between which the change of DLQI is taken as a line

Numbers = Mapping[str, float]
Shown = dict[str, np.ndarray]


class Crowd(NamedTuple):
    """Candidates whose skin is simulated: their key, and true PASI, (people,)."""

    key: Array
    severity: Array


def skin_predictions(numbers: Numbers, crowd: Crowd, spread: float) -> tuple[Shown, dict[str, float]]:
    """Responses of arms, as from `on_drug`, and the targets that tell of baseline."""
    curves, baseline = _numpy(_skin(arrays(numbers), crowd))
    half = np.interp(-0.5, -curves[ANCHOR], GRID)
    targets = {f"baseline.{name}": float(value) for name, value in baseline.items()}
    targets["definition.half"] = float(half)
    targets["prior.clear_below"] = math.log(numbers["signs.clear_below"])
    targets["prior.severity_sd"] = math.log(numbers["signs.severity:sd"])
    targets["prior.spread"] = math.log(spread)
    return on_drug(curves, GRID, spread, numbers), targets


@jax.jit
def _skin(theta: dict[str, Array], crowd: Crowd) -> tuple[dict[str, Array], dict[str, Array]]:
    now, baseline, entered = visits(theta, crowd.key, crowd.severity)

    def shares(activity: Array) -> dict[str, Array]:
        seen = now(jnp.exp(activity))
        return {name: mean(OUTCOMES[name].derive(seen, baseline), entered) for name in SHOWN}

    pasi, pasi_sd = _moments(baseline["pasi"], entered)
    bsa, bsa_sd = _moments(baseline["bsa"], entered)
    again = now(jnp.asarray(1.0))["pasi"]
    severe = jnp.where(baseline["iga"] < 3, jnp.nan, jnp.where(baseline["iga"] == 3, 1.0, 0.0))
    return lax.map(shares, jnp.asarray(GRID)), {
        "pasi": pasi,
        "pasi_sd": pasi_sd,
        "within": jnp.sqrt(mean((again - baseline["pasi"]) ** 2, entered) / 2),
        "bsa_per_pasi": bsa / pasi,
        "bsa_sd": bsa_sd,
        "iga_3": mean(severe, entered),
        "entered": entered.mean(dtype="float64"),
    }


def report_predictions(numbers: Numbers, crowd: Crowd, spread: float) -> tuple[Shown, dict[str, float]]:
    """DLQI and itch of arms, as from `on_drug`, and the targets that tell of them."""
    curves, baseline = _numpy(_reports(arrays(numbers), crowd))
    arm = on_drug(curves, GRID, spread, numbers)
    placebo = on_placebo(curves, GRID, numbers)
    targets = {name: float(value) for name, value in baseline.items()}
    return arm, targets | _lines(arm) | _by_response(arm) | _itch(arm, placebo) | _correlations(arm, placebo)


@jax.jit
def _reports(theta: dict[str, Array], crowd: Crowd) -> tuple[dict[str, Array], dict[str, Array]]:
    now, baseline, entered = visits(theta, crowd.key, crowd.severity)

    def means(activity: Array) -> dict[str, Array]:
        seen = now(jnp.exp(activity))
        met = {name: OUTCOMES[name].derive(seen, baseline) for name in (*SHOWN, "dlqi01")}
        between = met["pasi75"] - met["pasi90"]
        values = met | {
            "between": between,
            "free_75": between * met["dlqi01"],
            "free_90": met["pasi90"] * met["dlqi01"],
            "free_100": met["pasi100"] * met["dlqi01"],
            "left_75": between * seen["dlqi"],
            "left_90": met["pasi90"] * seen["dlqi"],
            "first_75": between * baseline["dlqi"],
            "first_90": met["pasi90"] * baseline["dlqi"],
            "dlqi_change": seen["dlqi"] - baseline["dlqi"],
            "itch_change": seen["itch"] - baseline["itch"],
        }
        for scale in ("pasi", "dlqi", "itch"):
            values |= {scale: seen[scale], f"{scale} {scale}": seen[scale] ** 2}
            values[f"pasi {scale}"] = seen["pasi"] * seen[scale]
        return {name: mean(value, entered) for name, value in values.items()}

    told: dict[str, Array] = {}
    pasi, pasi_sd = _moments(baseline["pasi"], entered)
    for scale in ("dlqi", "itch"):
        middle, sd = _moments(baseline[scale], entered)
        together = mean(baseline["pasi"] * baseline[scale], entered) - pasi * middle
        told |= {f"{scale}.mean": middle, f"{scale}.sd": sd, f"{scale}.with_pasi": together / (pasi_sd * sd)}
    return lax.map(means, jnp.asarray(GRID)), told


def _lines(arm: Shown) -> dict[str, float]:
    low, half, high = (float(special.logit(given(x, arm, "pasi90")["dlqi01"])) for x in (LINE[0], 0.5, LINE[1]))
    few, many = (float(given(x, arm)["dlqi_change"]) for x in CHANGE)
    slope = (many - few) / (CHANGE[1] - CHANGE[0])
    return {
        "dlqi.line_0": half,
        "dlqi.line_slope": (high - low) / float(special.logit(LINE[1]) - special.logit(LINE[0])),
        "dlqi.change_0": few - slope * CHANGE[0],
        "dlqi.change_slope": slope,
    }


def _by_response(arm: Shown) -> dict[str, float]:
    got = given(TARGETS.value("arms.pooled"), arm)
    return {
        "dlqi.free_75": float(got["free_75"] / got["between"]),
        "dlqi.free_90": float(got["free_90"] / got["pasi90"]),
        "dlqi.free_100": float(got["free_100"] / got["pasi100"]),
        "dlqi.left_75": float(got["left_75"] / got["first_75"]),
        "dlqi.left_90": float(got["left_90"] / got["first_90"]),
    }


def _itch(arm: Shown, placebo: Mapping[str, float]) -> dict[str, float]:
    changes = {
        f"itch.change_{name.removeprefix('ixekizumab_')}": float(
            given(TARGETS.value(f"arms.{name}"), arm)["itch_change"]
        )
        for name in ("ixekizumab_2_weekly", "ixekizumab_4_weekly", "etanercept")
    }
    return changes | {"itch.change_placebo": placebo["itch_change"]}


def _correlations(arm: Shown, placebo: Mapping[str, float]) -> dict[str, float]:
    """With PASI at week 12 of the efalizumab trials, over all their people."""
    share = TARGETS.value("arms.efalizumab_share")
    drug = given(TARGETS.value("arms.efalizumab"), arm)
    m = {name: share * float(drug[name]) + (1 - share) * placebo[name] for name in drug}

    def covariance(a: str, b: str) -> float:
        return m[f"{a} {b}"] - m[a] * m[b]

    return {
        f"{scale}.with_pasi_later": covariance("pasi", scale)
        / np.sqrt(covariance("pasi", "pasi") * covariance(scale, scale))
        for scale in ("dlqi", "itch")
    }


def _moments(values: Array, among: Array) -> tuple[Array, Array]:
    middle = mean(values, among)
    return middle, jnp.sqrt(mean(values**2, among) - middle**2)


def _numpy(both: tuple[dict[str, Array], dict[str, Array]]) -> tuple[Shown, Shown]:
    first, second = ({name: np.asarray(value) for name, value in part.items()} for part in both)
    return first, second
