"""Adults with moderate-to-severe plaque psoriasis, candidates for systemic treatment, as trials worldwide enrol them.

Marginal distributions come from published trial arms and from national survey data, dependence from a Gaussian copula;
`psoriasis.yaml` names the source of each figure. Hispanic ethnicity is left out: no source for a worldwide trial mix.
"""

from collections.abc import Mapping
from functools import cache
from itertools import combinations
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
from .attributes import Attribute
from .dependence import ORDER, Duration, Wanted, fit_duration
from .logistic import Logistic
from .margins import Quantiles, gamma, solve, truncated_lognormals, truncated_normal, within

HERE = Path(__file__).parent
PARAMETERS: Table = read_table(HERE / "psoriasis.yaml", sources=HERE / "sources.yaml")

RACES = ("white", "black", "asian", "other")
SEXES = ("women", "men")
SMOKING_AGES = (18, 30, 40, 50, 60, 70)
TREATMENTS = ("prior_biologic", "prior_systemic", "prior_phototherapy")

ATTRIBUTES: dict[str, Attribute] = {
    a.name: a
    for a in (
        Attribute("age", "age at baseline", "year", "number"),
        Attribute("male", "male sex", "1", "yes/no"),
        Attribute("race", "race, as trials report it", "1", "category", RACES),
        Attribute("height", "body height", "cm", "number"),
        Attribute("weight", "body weight", "kg", "number"),
        Attribute("bmi", "body mass index", "kg/m2", "number"),
        Attribute("smoker", "current smoker", "1", "yes/no"),
        Attribute("duration", "time since onset of psoriasis", "year", "number"),
        Attribute("severity", "true PASI at baseline, without the rater's error", "points", "number"),
        Attribute("prior_biologic", "treated with a biologic before", "1", "yes/no"),
        Attribute("prior_systemic", "treated with a conventional systemic drug before", "1", "yes/no"),
        Attribute("prior_phototherapy", "treated with phototherapy before", "1", "yes/no"),
        Attribute("psoriatic_arthritis", "has psoriatic arthritis", "1", "yes/no"),
        Attribute("hla_c0602", "carrier of HLA-C*06:02", "1", "yes/no"),
        *comorbidity.ATTRIBUTES.values(),
    )
}


class Constants(NamedTuple):
    """What twins are drawn with; ends are scores, and tables run over sexes, races and ages in the order above."""

    age: tuple[float, float]  # location, scale
    age_ends: tuple[float, float]
    male: float
    races: np.ndarray  # shares, shape (4,)
    height: np.ndarray  # mean and SD, shape (2 sexes, 4 races, 2)
    bmi_median: np.ndarray  # logarithm, shape (4 races,)
    bmi_sd: float  # of the logarithm
    bmi_ends: np.ndarray  # shape (4 races, 2)
    severity: Quantiles  # above the lowest
    severity_low: float
    severity_end: float
    duration: Duration
    duration_low: float
    first_onset: float
    smoking: np.ndarray  # shares, shape (2 sexes, 6 ages)
    psoriatic_arthritis: float
    hla: np.ndarray  # shares of carriers with early and with late onset, shape (4 races, 2)
    early_onset: float
    risks: Mapping[str, Logistic]  # of other diseases


@cache
def constants() -> Constants:
    """The constants that follow from PARAMETERS, worked out once."""
    return derive(PARAMETERS.numbers())


def derive(numbers: Mapping[str, float]) -> Constants:
    """From published figures to constants, in plain NumPy.

    Raises:
      ValueError: the figures contradict each other.
    """
    age = truncated_normal(*_four(numbers, "age"))
    age_ends = (numbers["age.low"] - age[0]) / age[1], (numbers["age.high"] - age[0]) / age[1]
    races = np.array([numbers[f"race.{race}"] for race in RACES])
    races = races / races.sum()
    ratios = np.array([numbers[f"bmi.general.{race}"] for race in RACES])
    bmi_median, bmi_sd = truncated_lognormals(*_four(numbers, "bmi"), ratios / ratios[0], races)
    bmi_limits = np.log([numbers["bmi.low"], numbers["bmi.high"]])
    severity = gamma(numbers["severity.shape"], numbers["severity.scale"])
    severity_range = numbers["severity.high"] - numbers["severity.low"]
    duration = _duration(numbers, age, age_ends)
    smoking = np.array([[numbers[f"smoking.general.{sex}.from_{a}"] for a in SMOKING_AGES] for sex in SEXES])
    bmi_ends = (bmi_limits - bmi_median[:, None]) / bmi_sd
    c = Constants(
        age=age,
        age_ends=age_ends,
        male=numbers["male"],
        races=races,
        height=np.array([[_normal(numbers, f"height.{sex}.{race}") for race in RACES] for sex in SEXES]),
        bmi_median=bmi_median,
        bmi_sd=bmi_sd,
        bmi_ends=bmi_ends,
        severity=severity,
        severity_low=numbers["severity.low"],
        severity_end=float(np.interp(severity_range, severity.values, severity.scores)),
        duration=duration,
        duration_low=numbers["duration.low"],
        first_onset=numbers["duration.first_onset"],
        smoking=special.expit(special.logit(smoking) + np.log(numbers["smoking.odds_ratio"])),
        psoriatic_arthritis=numbers["psoriatic_arthritis"],
        hla=np.array([_carriers(numbers, race, duration.early) for race in RACES]),
        early_onset=numbers["onset.early"],
        risks={},
    )
    return c._replace(risks=_risks(numbers, c))


def twin(key: Array, i: Array) -> dict[str, Array]:
    """Twin number `i` of the population that `key` names, the same whoever asks; scalars, units in ATTRIBUTES."""
    c = constants()
    me = stream(key, "twin", i)
    noise = tuple(jax.random.normal(stream(me, name)) for name in ORDER[:3])
    age_score, bmi_score, severity_score, duration_centre = (_mix(row, noise) for row in c.duration.factor)
    age = c.age[0] + c.age[1] * within(age_score, *c.age_ends)
    duration_score = _duration_score(stream(me, "duration"), age, duration_centre)
    duration = c.duration.quantiles.value(duration_score)

    male = _yes(stream(me, "male"), c.male)
    sex = male.astype(int)
    race = _level(stream(me, "race"), jnp.asarray(c.races))
    height = jnp.asarray(c.height)[sex, race]
    height = height[0] + height[1] * jax.random.normal(stream(me, "height"))
    bmi_ends = jnp.asarray(c.bmi_ends)[race]
    bmi = jnp.exp(jnp.asarray(c.bmi_median)[race] + c.bmi_sd * within(bmi_score, bmi_ends[0], bmi_ends[1]))
    treated = {name: _yes(stream(me, name), _treated(name, duration_score)) for name in TREATMENTS}
    carriers = jnp.where(age - duration < c.early_onset, jnp.asarray(c.hla)[race, 0], jnp.asarray(c.hla)[race, 1])
    known = {"age": age, "bmi": bmi, "male": male.astype("float64")}
    band = jnp.sum(age >= jnp.asarray(SMOKING_AGES[1:], dtype=float))
    return {
        "age": age,
        "male": male,
        "race": race,
        "height": height,
        "weight": bmi * (height / 100) ** 2,
        "bmi": bmi,
        "smoker": _yes(stream(me, "smoker"), jnp.asarray(c.smoking)[sex, band]),
        "duration": duration,
        "severity": c.severity_low + c.severity.value(within(severity_score, -np.inf, c.severity_end)),
        **treated,
        "psoriatic_arthritis": _yes(stream(me, "psoriatic_arthritis"), c.psoriatic_arthritis),
        "hla_c0602": _yes(stream(me, "hla_c0602"), carriers),
        **{name: _yes(stream(me, name), logistic.chance(risk, known)) for name, risk in c.risks.items()},
    }


def _treated(name: str, duration_score: Array) -> Array:
    """Chance of an earlier treatment, given the score of the time since onset."""
    intercept, slope = constants().duration.treated[name]
    return ndtr(intercept + slope * duration_score)


def _duration_score(key: Array, age: Array, centre: Array) -> Array:
    """Score of the time since onset, normal about `centre`, between the shortest and the longest time at this age."""
    c = constants()
    sd = c.duration.factor[3, 3]
    shortest = c.duration.quantiles.score(jnp.asarray(c.duration_low))
    longest = c.duration.quantiles.score(age - c.first_onset)
    floor, ceiling = ndtr((shortest - centre) / sd), ndtr((longest - centre) / sd)
    return centre + sd * ndtri(floor + jax.random.uniform(key) * (ceiling - floor))


def _mix(row: np.ndarray, noise: tuple[Array, ...]) -> Array:
    return row[0] * noise[0] + row[1] * noise[1] + row[2] * noise[2]


def _yes(key: Array, chance: Array | float) -> Array:
    return jax.random.uniform(key) < chance


def _level(key: Array, shares: Array) -> Array:
    """Number of a level, 0 upwards; `shares` sum to 1."""
    return jnp.sum(jax.random.uniform(key) >= jnp.cumsum(shares)[:-1]).astype(jnp.int32)


def _duration(numbers: Mapping[str, float], age: tuple[float, float], age_ends: tuple[float, float]) -> Duration:
    floor, ceiling = special.ndtr(age_ends)

    def age_at(score: np.ndarray) -> np.ndarray:
        return age[0] + age[1] * special.ndtri(floor + special.ndtr(score) * (ceiling - floor))

    mean, sd, low, first_onset = (numbers[f"duration.{part}"] for part in ("mean", "sd", "low", "first_onset"))
    return fit_duration(
        Wanted(mean, sd, low, first_onset, numbers["onset.early"], age_at),
        spearman={(a, b): numbers[f"correlation.{a}_{b}"] for a, b in combinations(ORDER, 2)},
        treated={name: (numbers[name], numbers[f"correlation.duration_{name}"]) for name in TREATMENTS},
    )


def _carriers(numbers: Mapping[str, float], race: str, early: float) -> tuple[float, float]:
    """Shares of carriers of HLA-C*06:02 with early and with late onset, which together give the share of their race.

    Drawing the allele given the onset, not the onset given the allele, leaves durations as they were published.
    """
    share, odds_ratio = numbers[f"hla_c0602.{race}"], numbers["onset.hla_odds_ratio"]

    def both(x: float) -> tuple[float, float]:
        return float(special.expit(x + np.log(odds_ratio))), float(special.expit(x))

    def miss(x: np.ndarray) -> list[float]:
        soon, late = both(x[0])
        return [early * soon + (1 - early) * late - share]

    about = f"odds of HLA-C*06:02 that give {share:g} of {race} people"
    return both(solve(miss, [float(special.logit(share))], about)[0])


def _risks(numbers: Mapping[str, float], c: Constants) -> dict[str, Logistic]:
    """Other diseases, with the published shares over the ages, body masses and sexes of these patients."""
    ranks, weights = np.polynomial.legendre.leggauss(40)
    scores, weights = special.ndtri((ranks + 1) / 2), weights / 2
    floor, ceiling = special.ndtr(c.age_ends)
    age = c.age[0] + c.age[1] * special.ndtri(floor + special.ndtr(scores) * (ceiling - floor))
    pull = float(c.duration.factor[1, 0])  # correlation of the scores of age and body mass
    score = pull * scores[:, None, None] + np.sqrt(1 - pull**2) * scores[None, :, None]
    floor, ceiling = special.ndtr(c.bmi_ends.T)
    bmi = np.exp(c.bmi_median + c.bmi_sd * special.ndtri(floor + special.ndtr(score) * (ceiling - floor)))
    shape = (*bmi.shape, 2)
    people = {"age": age[:, None, None, None], "bmi": bmi[..., None], "male": np.array([0.0, 1.0])}
    people = {name: np.broadcast_to(x, shape).ravel() for name, x in people.items()}
    sexes = np.array([1 - c.male, c.male])
    weight = np.einsum("a,b,r,s->abrs", weights, weights, c.races, sexes).ravel()
    risks = {}
    for name in comorbidity.NAMES:
        slopes = logistic.slopes(numbers, f"comorbidity.{name}", comorbidity.CENTRES)
        model = Logistic(0.0, slopes, comorbidity.CENTRES)
        risks[name] = logistic.fitted(numbers[f"comorbidity.{name}.share"], model, people, weight)
    return risks


def _four(numbers: Mapping[str, float], name: str) -> tuple[float, float, float, float]:
    return numbers[f"{name}.mean"], numbers[f"{name}.sd"], numbers[f"{name}.low"], numbers[f"{name}.high"]


def _normal(numbers: Mapping[str, float], name: str) -> tuple[float, float]:
    return numbers[name], numbers[f"{name}:sd"]
