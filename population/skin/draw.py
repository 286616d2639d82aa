"""Skin, genes, surroundings and habits of one twin, given its age, sex, race and smoking.

Every attribute has a margin (a distribution that depends on the person) and a standard normal score; the scores are
jointly normal. Two attributes may read one score: reaction to sun and Fitzpatrick type are two readings of one
tolerance of sun. Body mass index changes nothing here, for lack of evidence.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr

from ...core.keys import stream
from ...core.parameters import Table, read_table
from ..attributes import RACES
from . import build, colour
from .attributes import ATTRIBUTES, CARRIED, HABITS, REACTIONS
from .build import Form
from .margins import Given, Margin

HERE = Path(__file__).parent
PARAMETERS: Table = read_table(HERE / "skin.yaml", HERE / "sun.yaml", sources=HERE / "sources.yaml")
NEEDS = ("age", "male", "race", "smoker")  # of a person

Air = Literal["us", "world"]
AIRS: tuple[Air, ...] = ("us", "world")

NUMBERS: dict[str, Form] = {
    "ita": Form("logit", ("race",)),
    "melanin_index": Form("log", ("race",)),
    "erythema_forearm": Form("log", effects=("male",)),
    "erythema_cheek": Form("log", effects=("male",)),
    "med": Form("log", ("type",)),
    **{f"stratum_corneum_{s}": Form("log", effects=("smoker",)) for s in ("forearm", "shoulder", "buttock", "cheek")},
    **{f"epidermis_{s}": Form("log", effects=("male", "age")) for s in ("forearm", "shoulder", "buttock", "cheek")},
    "skin_forehead": Form("log", ("sex",), ("age",)),
    "skin_cheek": Form("log", ("sex",), ("age",)),
    "melanocyte_density": Form("log"),
    "follicle_density": Form("log"),
    "tewl_forearm": Form("log", effects=("male", "age")),
    "tewl_cheek": Form("log", effects=("male", "age")),
    "hydration_forearm": Form("logit", effects=("male", "age")),
    "hydration_cheek": Form("logit", effects=("male", "age")),
    "ph_forehead": Form("logit", effects=("male",)),
    "ph_forearm": Form("logit", effects=("male",)),
    "sebum_forehead": Form("log", ("sex",), ("age",)),
    "elasticity_r2": Form("logit", effects=("age",)),
    "elasticity_r5": Form("logit", effects=("age",)),
    "elasticity_r7": Form("logit", effects=("age",)),
    "uv_dose": Form("log", ("sex",), ("age",)),
}
OUTDOORS = {"p05": 0.05, "p10": 0.10, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95}
WORLD_AIR = {"lowest": 0.001, "p08": 0.08, "p19": 0.19, "p35": 0.35, "p49": 0.49, "highest": 0.999}
PROPENSITIES = ("adherence_propensity", "dropout_propensity")
SUN = "sun"  # tolerance of sun, which both of these read
READ_FROM_SUN = ("sun_reaction", "fitzpatrick")
SUN_HABITS = ("sunscreen", "shade", "long_sleeves")
SUNBURNS = tuple("012345")


class Constants(NamedTuple):
    """What twins are drawn with."""

    margins: Mapping[str, Margin]  # by attribute, in the order in which they are worked out
    scores: tuple[str, ...]  # names
    correlation: np.ndarray  # of the scores, shape (scores, scores)
    factor: np.ndarray  # its lower Cholesky factor
    curve: colour.Curve
    yellowness_sd: float  # of the logarithm, about the curve
    topical: tuple[float, float]  # Beta margin of adherence to a topical


@cache
def constants(air: Air = "us") -> Constants:
    """The constants that follow from PARAMETERS, worked out once. `air`: whose fine particles twins breathe."""
    return derive(PARAMETERS.numbers(), air)


def derive(numbers: Mapping[str, float], air: Air = "us") -> Constants:
    """From published figures to constants, in plain NumPy.

    Raises:
      ValueError: `air` is unknown, or the figures contradict each other.
    """
    if air not in AIRS:
        raise ValueError(f"air: expected one of {', '.join(AIRS)}, got {air!r}")
    by_sex_and_race = ("sex", "race")
    margins: dict[str, Margin] = {
        "sun_reaction": build.levels(numbers, "sun_reaction", ("race",), REACTIONS),
        "fitzpatrick": build.cuts("fitzpatrick", _types(numbers), ("race",), first=1),
    }
    margins |= {name: build.continuous(numbers, name, form) for name, form in NUMBERS.items()}
    for name in ("outdoor_workday", "outdoor_offday"):
        margins[name] = build.knots(numbers, name, by_sex_and_race, OUTDOORS)
    margins["sunburns"] = build.levels(numbers, "sunburns", by_sex_and_race, tuple(f"n{n}" for n in SUNBURNS))
    margins |= {name: build.levels(numbers, name, by_sex_and_race, HABITS) for name in SUN_HABITS}
    world, us = build.knots(numbers, "pm25_world", (), WORLD_AIR), build.continuous(numbers, "pm25_us", Form("log"))
    margins["pm25"] = us if air == "us" else world
    margins |= {name: build.carriers(numbers, name) for name in CARRIED}
    margins |= {name: build.continuous(numbers, name, Form("identity")) for name in PROPENSITIES}
    scores = (SUN, "yellowness", *(name for name in margins if name not in READ_FROM_SUN))
    correlation = build.correlations(numbers, scores)
    return Constants(
        margins=margins,
        scores=scores,
        correlation=correlation,
        factor=np.linalg.cholesky(correlation),
        curve=colour.curve(numbers),
        yellowness_sd=numbers["yellowness.log_sd"],
        topical=(numbers["adherence.topical.a"], numbers["adherence.topical.b"]),
    )


def skin(key: Array, person: Mapping[str, Array], air: Air = "us") -> dict[str, Array]:
    """Skin layer of one twin, from its own key and its attributes NEEDS; scalars, units in ATTRIBUTES.

    The arithmetic is in single precision, much finer than any of the instruments: it is also how far a twin is the same
    in batches of different sizes.
    """
    c = constants(air)
    noise = jax.random.normal(stream(key, "skin"), (len(c.scores),), dtype="float32")
    return values(c, dict(zip(c.scores, mixed(c.factor, noise), strict=True)), given_by(person, "float32"))


def given_by(person: Mapping[str, Array], precision: str) -> dict[str, Array]:
    """What margins read of a person."""
    missing = [name for name in NEEDS if name not in person]
    if missing:
        raise KeyError(f"a person needs {', '.join(NEEDS)}; {', '.join(missing)} is missing")
    numbers = {name: jnp.asarray(person[name]).astype(precision) for name in ("age", "male", "smoker")}
    return numbers | {"sex": jnp.asarray(person["male"]).astype("int32"), "race": jnp.asarray(person["race"], "int32")}


def mixed(factor: np.ndarray, noise: Array) -> Array:
    """Correlated scores from independent ones, both of shape (scores,)."""
    return jnp.matmul(jnp.asarray(factor, noise.dtype), noise, precision="highest")  # on a GPU too


def values(c: Constants, score: Mapping[str, Array], given: Given) -> dict[str, Array]:
    """All attributes of a person with these scores."""
    given, twin = dict(given), {}
    for name, margin in c.margins.items():
        twin[name] = margin.value(score[score_of(name)], given)
        if name == "fitzpatrick":
            given["type"] = twin[name] - 1
    ita = twin["ita"]
    twin["yellowness"] = colour.yellowness(c.curve, ita) * jnp.exp(score["yellowness"] * c.yellowness_sd)
    twin["lightness"] = colour.lightness(ita, twin["yellowness"])
    twin["melanosome_fraction"] = colour.melanosomes(c.curve, ita)
    layers = twin["stratum_corneum_cheek"] + twin["epidermis_cheek"]
    twin["dermis_cheek"] = twin["skin_cheek"] - layers / 1000  # um to mm
    return {name: _kept(attribute.kind, twin[name]) for name, attribute in ATTRIBUTES.items()}


def score_of(name: str) -> str:
    """The score that an attribute reads."""
    return SUN if name in READ_FROM_SUN else name


def topical_adherence(propensity: Array) -> Array:
    """Share of a topical's doses that are used, from `adherence_propensity`: a Beta(1, b) margin.

    Raises:
      ValueError: the table's first shape is not 1, for which alone the quantile has a closed form.
    """
    a, b = constants().topical
    if a != 1:
        raise ValueError(f"adherence.topical.a: expected 1, got {a:g}")
    return 1 - ndtr(-propensity) ** (1 / b)


def _types(numbers: Mapping[str, float]) -> np.ndarray:
    """Shares of types I to VI by race: I to IV by reaction to sun, and those who report none divided; (races, 6)."""
    shares = np.zeros((len(RACES), 6))
    for row, race in zip(shares, RACES, strict=True):
        row += [numbers[f"fitzpatrick.nothing.{race}.type_{i}"] for i in range(1, 7)]
        row *= numbers[f"sun_reaction.{race}.nothing"]
        row[:4] += [numbers[f"sun_reaction.{race}.{reaction}"] for reaction in REACTIONS[:4]]
    return shares


def _kept(kind: str, value: Array) -> Array:
    if kind == "yes/no":
        return value == 1
    return value.astype("float64") if kind == "number" else value.astype("int32")
