"""What a set of twins is like: each attribute in a few figures, and the make-up by sex, age, race and skin type."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..population.attributes import Attribute
from . import levels

COMPOSITION = ("male", "age", "race", "fitzpatrick")
SEXES = {"no": "women", "yes": "men"}


class Summary(NamedTuple):
    """One attribute of some twins.

    missing: twins of whom it is not known. mean, sd, quartiles (three): of a number or a grade, NaN otherwise or where
    nobody is known. shares: of those known, by level; empty for a number.
    """

    missing: int
    mean: float
    sd: float
    quartiles: tuple[float, float, float]
    shares: dict[str, float]


def summarise(attribute: Attribute, values: np.ndarray) -> Summary:
    """Describe one attribute, values as twins have them, shape (twins,)."""
    known = values[np.isfinite(values)]
    missing = len(values) - len(known)
    shares = {}
    if attribute.kind != "number" and len(known):
        shares = {level: count / len(known) for level, count in counts(attribute, known).items()}
    if attribute.kind in ("yes/no", "category") or not len(known):
        return Summary(missing, np.nan, np.nan, (np.nan, np.nan, np.nan), shares)
    low, middle, high = (float(spot) for spot in np.quantile(known, (0.25, 0.5, 0.75)))
    sd = float(known.std(ddof=1, dtype=float)) if len(known) > 1 else np.nan
    return Summary(missing, float(known.mean(dtype=float)), sd, (low, middle, high), shares)


def counts(attribute: Attribute, values: np.ndarray) -> dict[str, int]:
    """Twins at each level, in the order of the levels; of age, in each band."""
    names = levels.levels(attribute)
    place = levels.place(attribute, values)
    tally = np.bincount(place[place >= 0], minlength=len(names))
    return {name: int(count) for name, count in zip(names, tally, strict=True)}


def composition(attributes: Mapping[str, Attribute], column: Callable[[str], np.ndarray]) -> dict[str, dict[str, int]]:
    """How many twins there are of each sex, age band, race and Fitzpatrick type, as far as the population tells them.

    Args:
      column: gives the values of an attribute, shape (twins,).
    """
    found = {name: counts(attributes[name], column(name)) for name in COMPOSITION if name in attributes}
    if "male" in found:
        sexes = found.pop("male")
        found = {"sex": {SEXES[level]: count for level, count in sexes.items()}} | found
    return found
