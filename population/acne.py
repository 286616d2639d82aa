"""People of 12 to 45 years with facial acne, as trials in the USA may enrol them before their own entry rules.

General attributes are those of people in general, tilted by how frequent acne is by race, sex and age; `acne.yaml`
names the source of each figure on the disease. Counts are wide on purpose: entry rules and matching narrow them.
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

from ..core.keys import stream
from ..core.parameters import Table, read_table
from . import logistic
from .attributes import RACES, Attribute
from .fitting.model import Cells
from .general.draw import person
from .general.model import shipped
from .logistic import Logistic
from .margins import within
from .prevalence import Tilt, case, curve, tilted

HERE = Path(__file__).parent
PARAMETERS: Table = read_table(HERE / "acne.yaml", sources=HERE / "acne_sources.yaml")

AGES = (12, 15, 17, 25, 35, 45)  # years, of the curves of frequency
SEXES = ("women", "men")
COUNTS = ("inflammatory", "noninflammatory")
HISTORY = ("prior_topical", "prior_antibiotic", "scarring")
CENTRES = {"duration": 3.0, "iga": 3.0, "male": 0.0}  # years, grade, yes/no
MOST_NODULES = 40  # of the table that nodules are looked up in; more have no chance to speak of

ATTRIBUTES: dict[str, Attribute] = {
    a.name: a
    for a in (
        Attribute("smoker", "current smoker", "1", "yes/no"),
        Attribute("inflammatory", "inflammatory lesions of the face, without the rater's error", "lesions", "number"),
        Attribute("noninflammatory", "comedones of the face, without the rater's error", "lesions", "number"),
        Attribute("nodules", "nodules of the face", "lesions", "number"),
        Attribute("iga", "investigator's global assessment: mild, moderate, severe", "grade", "grade", tuple("234")),
        Attribute("onset", "age at onset of acne", "year", "number"),
        Attribute("duration", "time since onset of acne", "year", "number"),
        Attribute("late_onset", "acne began in adult life", "1", "yes/no"),
        Attribute("adult_female", "adult woman with acne", "1", "yes/no"),
        Attribute("prior_topical", "treated with a topical drug before", "1", "yes/no"),
        Attribute("prior_antibiotic", "treated with an oral antibiotic before", "1", "yes/no"),
        Attribute("truncal", "has acne of chest or back too", "1", "yes/no"),
        Attribute("scarring", "has acne scars", "1", "yes/no"),
        Attribute("family_history", "a parent or sibling has or had acne", "1", "yes/no"),
    )
}


class Count(NamedTuple):
    """A count of lesions: log-normal between its ends."""

    median: float  # logarithm
    sd: float  # of the logarithm
    low: float  # scores of the ends
    high: float


class Grading(NamedTuple):
    """How an investigator grades a face."""

    scale: float
    comedones: float
    nodule: float
    cuts: np.ndarray  # between grades 2, 3 and 4, shape (2,)


class Onset(NamedTuple):
    """Age at onset, years; arrays run over women and men."""

    low: float  # shortest time since onset
    first: float
    mean: np.ndarray
    sd: np.ndarray
    late_from: float
    late: np.ndarray  # share of late onset beyond that age


class Constants(NamedTuple):
    """What twins are drawn with."""

    cases: Tilt  # of people in general
    counts: tuple[Count, Count]  # inflammatory, comedones
    correlation: float
    nodules: tuple[float, float]  # mean for each inflammatory lesion, deviation of its logarithm
    grading: Grading
    onset: Onset
    adult_from: float
    history: Mapping[str, Logistic]
    truncal: np.ndarray  # shares where the face is mild, and worse
    family_history: float


@cache
def constants() -> Constants:
    """The constants that follow from PARAMETERS and the population that is shipped, worked out once."""
    return derive(PARAMETERS.numbers(), shipped().cells)


def derive(numbers: Mapping[str, float], cells: Cells) -> Constants:
    """From published figures to constants, in plain NumPy.

    Raises:
      ValueError: the figures contradict each other.
    """
    years = np.arange(AGES[0], AGES[-1] + 1)
    enrolled = np.exp(-numbers["enrolment.decay"] * np.maximum(years - numbers["enrolment.full_to"], 0))
    frequency = [[numbers[f"frequency.{sex}.at_{age}"] for age in AGES] for sex in SEXES]
    by_sex = [enrolled * np.interp(years, AGES, heights) for heights in frequency]
    ages = curve(years.tolist(), *(heights.tolist() for heights in by_sex))
    races = np.array([numbers[f"race.{race}"] for race in RACES])
    if not -1 < numbers["counts_correlation"] < 1:
        raise ValueError(f"counts_correlation: must lie between -1 and 1, not {numbers['counts_correlation']:g}")
    return Constants(
        cases=tilted(cells.share * races[cells.levels["race"]], ages, cells.age, cells.levels["male"]),
        counts=(_count(numbers, COUNTS[0]), _count(numbers, COUNTS[1])),
        correlation=numbers["counts_correlation"],
        nodules=(numbers["nodules.share"], numbers["nodules.deviation"]),
        grading=Grading(
            numbers["iga.scale"],
            numbers["iga.comedones"],
            numbers["iga.nodule"],
            np.array([numbers["iga.cut_3"], numbers["iga.cut_4"]]),
        ),
        onset=Onset(
            numbers["onset.low"],
            numbers["onset.first"],
            np.array([numbers[f"onset.{sex}"] for sex in SEXES]),
            np.array([numbers[f"onset.{sex}:sd"] for sex in SEXES]),
            numbers["onset.late_from"],
            np.array([numbers[f"onset.late.{sex}"] for sex in SEXES]),
        ),
        adult_from=numbers["adult_from"],
        history={name: logistic.read(numbers, f"history.{name}", CENTRES) for name in HISTORY},
        truncal=np.array([numbers["truncal.mild"], numbers["truncal.worse"]]),
        family_history=numbers["family_history"],
    )


def twin(key: Array, i: Array) -> dict[str, Array]:
    """Twin number `i` of the population that `key` names, the same whoever asks: general attributes and acne."""
    c = constants()
    someone = case(stream(key, "acne"), i, person, c.cases)
    return someone | disease(stream(key, "acne_disease", i), someone)


def disease(me: Array, someone: Mapping[str, Array]) -> dict[str, Array]:
    """The ATTRIBUTES of one twin, given the general ones; `me` is a key of the twin's own."""
    c = constants()
    inflammatory, comedones = _lesions(me)
    nodules = _nodules(me, inflammatory)
    grade = _grade(me, inflammatory, comedones, nodules)
    onset = _onset(me, someone["age"], someone["male"])
    duration = someone["age"] - onset
    known = {
        "duration": duration,
        "iga": grade.astype("float64"),
        "male": someone["male"].astype("float64"),
    }
    return {
        "smoker": someone["smoking"] == 2,
        "inflammatory": inflammatory,
        "noninflammatory": comedones,
        "nodules": nodules,
        "iga": grade,
        "onset": onset,
        "duration": duration,
        "late_onset": onset >= c.onset.late_from,
        "adult_female": ~someone["male"] & (someone["age"] >= c.adult_from),
        "truncal": _yes(me, "truncal", jnp.asarray(c.truncal)[(grade >= 3).astype(int)]),
        "family_history": _yes(me, "family_history", c.family_history),
        **{name: _yes(me, name, logistic.chance(model, known)) for name, model in c.history.items()},
    }


def _lesions(me: Array) -> tuple[Array, Array]:
    """Counts of inflammatory lesions and of comedones: whole numbers."""
    c = constants()
    first, second = (jax.random.normal(stream(me, name), dtype="float64") for name in COUNTS)
    second = c.correlation * first + np.sqrt(1 - c.correlation**2) * second
    counts = (
        jnp.exp(count.median + count.sd * within(score, count.low, count.high))
        for count, score in zip(c.counts, (first, second), strict=True)
    )
    inflammatory, comedones = (jnp.round(count) for count in counts)
    return inflammatory, comedones


def _nodules(me: Array, inflammatory: Array) -> Array:
    """Nodules: Poisson about a mean of one's own, by the inverse of its distribution."""
    share, sd = constants().nodules
    deviation = sd * jax.random.normal(stream(me, "nodule_mean"), dtype="float64") - sd**2 / 2
    mean = share * inflammatory * jnp.exp(deviation)
    numbers = jnp.arange(MOST_NODULES, dtype="float64")
    chances = jnp.exp(numbers * jnp.log(mean) - mean - jax.scipy.special.gammaln(numbers + 1))
    luck = jax.random.uniform(stream(me, "nodules"), dtype="float64")
    return jnp.sum(luck >= jnp.cumsum(chances)).astype("float64")


def _grade(me: Array, inflammatory: Array, comedones: Array, nodules: Array) -> Array:
    """Grade 2, 3 or 4, by cuts that vary from face to face."""
    g = constants().grading
    x = jnp.log1p(inflammatory) + g.comedones * jnp.log1p(comedones) + g.nodule * nodules
    seen = x + g.scale * jax.random.logistic(stream(me, "iga"), dtype="float64")
    return (2 + jnp.sum(seen >= jnp.asarray(g.cuts))).astype("int32")


def _onset(me: Array, age: Array, male: Array) -> Array:
    """Age at onset, years: in youth, or, for some adults, in adult life."""
    o = constants().onset
    sex = male.astype(int)
    mean, sd = jnp.asarray(o.mean)[sex], jnp.asarray(o.sd)[sex]
    latest = age - o.low
    end = jnp.minimum(latest, o.late_from)
    floor, ceiling = ndtr((o.first - mean) / sd), ndtr((end - mean) / sd)
    luck = jax.random.uniform(stream(me, "onset"), dtype="float64")
    young = jnp.clip(mean + sd * ndtri(floor + luck * (ceiling - floor)), o.first, end)
    late = (latest > o.late_from) & _yes(me, "late_onset", jnp.asarray(o.late)[sex])
    return jnp.where(late, o.late_from + luck * (latest - o.late_from), young)


def _yes(me: Array, name: str, chance: Array | float) -> Array:
    return jax.random.uniform(stream(me, name), dtype="float64") < chance


def _count(numbers: Mapping[str, float], name: str) -> Count:
    median, sd = np.log(numbers[f"{name}.median"]), numbers[f"{name}.deviation"]
    # Half a lesion beyond either end, so that the ends are as likely as rounding makes their neighbours.
    low, high = np.log([numbers[f"{name}.low"] - 0.5, numbers[f"{name}.high"] + 0.5])
    if not low < high:
        raise ValueError(
            f"{name}: the fewest, {numbers[f'{name}.low']:g}, exceed the most, {numbers[f'{name}.high']:g}"
        )
    return Count(median, sd, (low - median) / sd, (high - median) / sd)
