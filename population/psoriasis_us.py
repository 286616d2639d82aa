"""Adults of the USA with psoriasis of any severity, most of it mild, as a survey of the public would find them.

General attributes are those of people in general, tilted by how frequent psoriasis is by sex, race, smoking and age;
`psoriasis_us.yaml` names the source of each figure on the disease.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr, ndtri
from scipy import special

from ..core.keys import stream
from ..core.parameters import Table, read_table
from . import comorbidity, logistic
from .attributes import RACES, Attribute
from .fitting.model import Cells
from .general.draw import person
from .general.model import shipped
from .logistic import Logistic
from .margins import NODES, Quantiles
from .prevalence import Curve, Tilt, case, curve, kept, raked, tilted

HERE = Path(__file__).parent
PARAMETERS: Table = read_table(HERE / "psoriasis_us.yaml", sources=HERE / "psoriasis_us_sources.yaml")

AGES = (20, 25, 35, 45, 55, 65, 75, 110)  # years, of the curve of frequency
EXTENTS = ("little", "few", "scattered", "extensive")
CLASSES = ("mild", "moderate", "severe")
TREATMENTS = ("prior_biologic", "prior_systemic", "prior_phototherapy")

ATTRIBUTES: dict[str, Attribute] = {
    a.name: a
    for a in (
        Attribute("smoker", "current smoker", "1", "yes/no"),
        Attribute("duration", "time since onset of psoriasis", "year", "number"),
        Attribute("affected_area", "body surface with psoriasis", "%", "number"),
        Attribute("severity", "true PASI, without the rater's error", "points", "number"),
        Attribute("prior_biologic", "treated with a biologic before", "1", "yes/no"),
        Attribute("prior_systemic", "treated with a conventional systemic drug before", "1", "yes/no"),
        Attribute("prior_phototherapy", "treated with phototherapy before", "1", "yes/no"),
        Attribute("psoriatic_arthritis", "has psoriatic arthritis", "1", "yes/no"),
        Attribute("hla_c0602", "carrier of HLA-C*06:02", "1", "yes/no"),
        *comorbidity.ATTRIBUTES.values(),
    )
}


class Onset(NamedTuple):
    """Age at onset (years) of types I and II, each normal between its ends."""

    share: float  # of type I among those who ever fall ill
    mean: np.ndarray  # of types I and II, shape (2,)
    sd: np.ndarray  # shape (2,)
    first: float
    divide: float
    low: float  # shortest time since onset


class Constants(NamedTuple):
    """What twins are drawn with; tables run over extents, classes, treatments and races in the order above."""

    cases: Tilt  # of people in general
    area: Quantiles  # per cent of the body surface
    extents: np.ndarray  # areas that divide them, shape (3,)
    classes: np.ndarray  # areas that divide them, shape (2,)
    at_extensive: float  # PASI at 10 %
    power: float
    deviation: float
    highest: float
    onset: Onset
    hla: np.ndarray  # shares of carriers, shape (6 races, 2 types of onset)
    treated: np.ndarray  # log-odds, shape (3 treatments, 3 classes)
    treated_duration: tuple[float, float]  # slope per year, years at which the log-odds hold
    psoriatic_arthritis: np.ndarray  # shares, shape (4 extents,)
    risks: Mapping[str, Logistic]  # of other diseases
    raised: Mapping[str, tuple[float, float]]  # log-odds ratios with mild and with severe psoriasis


@cache
def constants() -> Constants:
    """The constants that follow from PARAMETERS and the population that is shipped, worked out once."""
    return derive(PARAMETERS.numbers(), shipped().cells)


def derive(numbers: Mapping[str, float], cells: Cells) -> Constants:
    """From published figures to constants, in plain NumPy.

    Raises:
      ValueError: the figures contradict each other.
    """
    frequency = [numbers[f"frequency.at_{age}"] for age in AGES]
    ages = curve(AGES, frequency, frequency)
    wanted = _shares(numbers, cells, ages)
    treated = [[numbers[f"treated.{name}.{grade}"] for grade in CLASSES] for name in TREATMENTS]
    at = {name: f"comorbidity.{name}" for name in comorbidity.NAMES}
    return Constants(
        cases=tilted(wanted, ages, cells.age, cells.levels["male"]),
        area=_area(numbers),
        extents=_limits(numbers),
        classes=np.array([numbers["treated.moderate_from"], numbers["treated.severe_from"]]),
        at_extensive=numbers["severity.at_extensive"],
        power=numbers["severity.power"],
        deviation=numbers["severity.deviation"],
        highest=numbers["severity.high"],
        onset=Onset(
            numbers["onset.early.share"],
            np.array([numbers["onset.early.mean"], numbers["onset.late.mean"]]),
            np.array([numbers["onset.early.sd"], numbers["onset.late.sd"]]),
            numbers["onset.first"],
            numbers["onset.divide"],
            numbers["onset.low"],
        ),
        hla=_carriers(numbers),
        treated=special.logit(np.array(treated)),
        treated_duration=(numbers["treated.duration"], numbers["treated.at_duration"]),
        psoriatic_arthritis=np.array([numbers[f"psoriatic_arthritis.{extent}"] for extent in EXTENTS]),
        risks={name: logistic.read(numbers, where, comorbidity.CENTRES) for name, where in at.items()},
        raised={
            name: (np.log(numbers.get(f"{where}.mild", 1.0)), np.log(numbers.get(f"{where}.severe", 1.0)))
            for name, where in at.items()
        },
    )


def twin(key: Array, i: Array) -> dict[str, Array]:
    """Twin number `i` of the population that `key` names, the same whoever asks: general attributes and the disease."""
    c = constants()
    someone = case(stream(key, "psoriasis_us"), i, person, c.cases)
    return someone | disease(stream(key, "psoriasis_us_disease", i), someone)


def disease(me: Array, someone: Mapping[str, Array]) -> dict[str, Array]:
    """The ATTRIBUTES of one twin, given the general ones; `me` is a key of the twin's own."""
    c = constants()
    area = c.area.value(jax.random.normal(stream(me, "affected_area"), dtype="float64"))
    typical = c.at_extensive * (area / c.extents[-1]) ** c.power
    deviation = c.deviation * jax.random.normal(stream(me, "severity"), dtype="float64")
    onset, late = _onset(me, someone["age"])
    duration = someone["age"] - onset
    grade = jnp.sum(area >= jnp.asarray(c.classes))
    extent = jnp.sum(area >= jnp.asarray(c.extents))
    slope, centre = c.treated_duration
    known = {**someone, "male": someone["male"].astype("float64")}
    found = {
        "smoker": someone["smoking"] == 2,
        "duration": duration,
        "affected_area": area,
        "severity": jnp.minimum(typical * jnp.exp(deviation), c.highest),
        "psoriatic_arthritis": _yes(me, "psoriatic_arthritis", jnp.asarray(c.psoriatic_arthritis)[extent]),
        "hla_c0602": _yes(me, "hla_c0602", jnp.asarray(c.hla)[someone["race"], late]),
    }
    for name, odds in zip(TREATMENTS, c.treated, strict=True):
        found[name] = _yes(me, name, jax.nn.sigmoid(jnp.asarray(odds)[grade] + slope * (duration - centre)))
    for name, model in c.risks.items():
        mild, severe = c.raised[name]
        shift = jnp.where(grade == len(CLASSES) - 1, severe, mild)
        found[name] = _yes(me, name, logistic.chance(model, known, shift))
    return found


def _onset(me: Array, age: Array) -> tuple[Array, Array]:
    """Age at onset (years), before the present age, and its type: 0 before the age that divides, else 1."""
    o = constants().onset
    mean, sd = jnp.asarray(o.mean), jnp.asarray(o.sd)
    latest = age - o.low
    starts, ends = np.array([o.first, o.divide]), np.array([o.divide, np.inf])
    floor = special.ndtr((starts - o.mean) / o.sd)
    whole = special.ndtr((ends - o.mean) / o.sd) - floor
    ceiling = ndtr((jnp.clip(latest, jnp.asarray(starts), jnp.asarray(ends)) - mean) / sd)
    by_now = jnp.asarray(np.array([o.share, 1 - o.share]) / whole) * (ceiling - jnp.asarray(floor))
    late = (jax.random.uniform(stream(me, "type"), dtype="float64") * jnp.sum(by_now) >= by_now[0]).astype(int)
    low, high = jnp.asarray(floor)[late], ceiling[late]
    rank = low + jax.random.uniform(stream(me, "onset"), dtype="float64") * (high - low)
    return jnp.clip(mean[late] + sd[late] * ndtri(rank), jnp.asarray(starts)[late], latest), late


def _yes(me: Array, name: str, chance: Array) -> Array:
    return jax.random.uniform(stream(me, name), dtype="float64") < chance


def _shares(numbers: Mapping[str, float], cells: Cells, ages: Curve) -> np.ndarray:
    """Shares of cells to draw from, before ages are thinned: prevalence by sex and race, and odds of smoking, hold."""
    male, race, smoking = (cells.levels[name] for name in ("male", "race", "smoking"))
    adult = cells.share * np.mean(_grid(cells.age) >= AGES[0], axis=1)
    smokers = np.array([1.0, numbers["smoking.former"], numbers["smoking.current"]])
    remain = kept(ages, cells.age, male)
    margins = {}
    for name, levels, keys in (("sex", male, ("women", "men")), ("race", race, RACES)):
        ill = np.bincount(levels, weights=adult, minlength=len(keys)) * [numbers[f"prevalence.{key}"] for key in keys]
        margins[name] = levels, ill / ill.sum()
    cases = raked(adult * smokers[smoking] * remain, margins)
    return np.divide(cases, remain, out=np.zeros_like(cases), where=remain > 0)


def _grid(bands: np.ndarray) -> np.ndarray:
    """Ages spread over each band, shape (cells, 400)."""
    return bands[:, :1] + (bands[:, 1:] - bands[:, :1]) * (np.arange(400) + 0.5) / 400


def _limits(numbers: Mapping[str, float]) -> np.ndarray:
    return np.array([numbers[f"area.{extent}_from"] for extent in EXTENTS[1:]])


def _area(numbers: Mapping[str, float]) -> Quantiles:
    """The affected area by score: the logarithm is straight between the limits of the classes and beyond them."""
    shares = np.array([numbers[f"area.{extent}"] for extent in EXTENTS])
    if abs(shares.sum() - 1) > 1e-3:
        raise ValueError(f"the shares of the four extents of psoriasis must sum to 1, not {shares.sum():g}")
    limits = np.log(_limits(numbers))
    scores = special.ndtri(np.cumsum(shares / shares.sum())[:-1])
    rise = np.diff(limits) / np.diff(scores)
    if np.any(rise <= 0):
        raise ValueError("the limits of the extents of psoriasis must rise")
    ends = limits[0] + rise[0] * (NODES[0] - scores[0]), limits[-1] + rise[-1] * (NODES[-1] - scores[-1])
    line = np.array([NODES[0], *scores, NODES[-1]]), np.array([ends[0], *limits, ends[1]])
    largest = special.ndtr(-np.interp(np.log(numbers["area.high"]), line[1], line[0]))  # chance beyond, were it not cut
    extensive = special.ndtr(-scores[-1])
    rest = special.ndtr(-np.maximum(scores[-1], NODES)) / extensive  # share of the last class beyond each node
    cut = -special.ndtri(largest + rest * (extensive - largest))
    return Quantiles(NODES, np.exp(np.interp(np.where(scores[-1] < NODES, cut, NODES), *line)))


def _carriers(numbers: Mapping[str, float]) -> np.ndarray:
    """Shares of carriers of HLA-C*06:02 among patients, by Bayes: odds in general times odds ratios of the disease."""
    alleles = np.array([numbers[f"hla_c0602.allele.{race}"] for race in RACES])
    general = special.logit(1 - (1 - alleles) ** 2)
    patients = special.logit([numbers[f"hla_c0602.patients.{onset}"] for onset in ("early", "late")])
    return special.expit(general[:, None] + (patients - general[RACES.index("white")]))
