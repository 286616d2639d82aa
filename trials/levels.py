"""Groups of twins: the levels of an attribute, or bands of age."""

from collections.abc import Mapping

import numpy as np

from ..population.attributes import Attribute

AGES = (18, 40, 65, 75)  # years at which a band begins: adults, then as trials report older people
AGE_BANDS = ("under 18", "18 to 39", "40 to 64", "65 to 74", "75 and above")
_ALIASES = {"true": "yes", "false": "no"}  # as YAML and JSON write them


def categories(attributes: Mapping[str, Attribute]) -> dict[str, tuple[str, ...]]:
    """The levels of the attributes that are stored as level numbers."""
    return {name: a.levels for name, a in attributes.items() if a.kind == "category" and a.levels}


def levels(attribute: Attribute) -> tuple[str, ...]:
    """The names of an attribute's groups; none for what is just a number (age comes in bands)."""
    if attribute.name == "age":
        return AGE_BANDS
    return ("no", "yes") if attribute.kind == "yes/no" else tuple(attribute.levels or ())


def place(attribute: Attribute, values: np.ndarray) -> np.ndarray:
    """The number of each twin's group, counted from 0, -1 where it has none; shape (twins,).

    Args:
      values: as populations store them: categories as numbers of levels, grades as themselves.
    """
    values = np.asarray(values)
    if attribute.name == "age":
        return np.searchsorted(np.array(AGES, dtype=float), values, side="right")
    if attribute.kind == "grade":
        grades = np.array([int(name) for name in levels(attribute)])
        at = np.minimum(np.searchsorted(grades, values), len(grades) - 1)
        return np.where(grades[at] == values, at, -1)
    return values.astype(np.int64)


def shares(attribute: Attribute, values: np.ndarray) -> dict[str, float]:
    """The share of each group among the twins."""
    names = levels(attribute)
    number = place(attribute, values)
    counts = np.bincount(number[number >= 0], minlength=len(names))
    return {name: int(count) / max(len(number), 1) for name, count in zip(names, counts, strict=True)}


def named(given: Mapping[str, float], attribute: Attribute) -> dict[str, float]:
    """What a study says of levels, by their own names: a yes or no may be written as true or false."""
    if attribute.kind != "yes/no":
        return dict(given)
    return {_ALIASES.get(name, name): share for name, share in given.items()}
