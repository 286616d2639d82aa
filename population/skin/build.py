"""From published figures to margins: means and SDs become locations and scales, shares become cuts."""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special

from ..margins import solve
from .margins import GROUPS, PARENTS, Continuous, Effect, Knots, Levels, Link

Numbers = Mapping[str, float]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class Form(NamedTuple):
    """How a number is distributed: its link, the groups that have figures of their own, and its parents."""

    link: Link
    by: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


def continuous(numbers: Numbers, name: str, form: Form) -> Continuous:
    """From mean and SD (or median and log-SD) of each group, in the number's own unit.

    An effect is a relative change a unit of its parent for a logarithmic link, else a change in the number's own unit.

    Raises:
      ValueError: a figure is missing, or no distribution has such a mean and SD.
    """
    ends = (-np.inf, np.inf) if form.link == "identity" else (0.0, np.inf)
    if form.link == "logit":
        ends = _need(numbers, f"{name}.low"), _need(numbers, f"{name}.high")
    shape = tuple(len(GROUPS[group]) for group in form.by)
    fitted = np.array([_fit(numbers, name, where, form.link, ends) for where in _places(form.by)])
    location, scale = fitted[:, 0].reshape(shape), fitted[:, 1].reshape(shape)
    per_unit = 1.0  # of the link, for a unit of the number
    if form.link == "logit":
        middle = special.expit(location.mean())
        per_unit = 1 / ((ends[1] - ends[0]) * middle * (1 - middle))
    effects = tuple(_effect(numbers, f"{name}.effect.{parent}", parent, per_unit) for parent in form.effects)
    return Continuous(form.link, ends, form.by, location, scale, effects)


def levels(numbers: Numbers, name: str, by: tuple[str, ...], names: tuple[str, ...], first: int = 0) -> Levels:
    """From the shares of the levels in each group, which are divided by their sum.

    Raises:
      ValueError: a share is missing or negative, or shares do not sum to 1 within rounding.
    """
    rows = [[_need(numbers, ".".join((name, *where, level))) for level in names] for where in _places(by)]
    shape = tuple(len(GROUPS[group]) for group in by)
    return cuts(name, np.array(rows).reshape(*shape, len(names)), by, first)


def cuts(name: str, shares: np.ndarray, by: tuple[str, ...], first: int = 0) -> Levels:
    """From shares, shape (levels of each group ..., levels)."""
    totals = shares.sum(axis=-1, keepdims=True)
    if np.any(shares < 0) or np.any(abs(totals - 1) > 0.005):
        raise ValueError(
            f"{name}: shares of a group must be at least 0 and sum to 1; sums: {np.round(totals, 4).ravel()}"
        )
    below = np.cumsum(shares / totals, axis=-1)[..., :-1]
    return Levels(first, by, special.ndtri(np.clip(below, 0, 1)))


def carriers(numbers: Numbers, name: str) -> Levels:
    """From the share of people of each race who have something; level 1 has it."""
    shares = np.array([_need(numbers, f"{name}.{race}") for race in GROUPS["race"]])
    return cuts(name, np.stack([1 - shares, shares], axis=-1), ("race",))


def knots(numbers: Numbers, name: str, by: tuple[str, ...], shares: Mapping[str, float]) -> Knots:
    """From quantiles: `shares` names each and tells the share of people below it.

    Raises:
      ValueError: a quantile is missing, or they fall.
    """
    rows = [[_need(numbers, ".".join((name, *where, key))) for key in shares] for where in _places(by)]
    shape = tuple(len(GROUPS[group]) for group in by)
    values = np.array(rows).reshape(*shape, len(shares))
    if np.any(np.diff(values) < 0):
        raise ValueError(f"{name}: quantiles must not fall")
    return Knots(by, special.ndtri(np.array(list(shares.values()))), values)


def correlations(numbers: Numbers, names: tuple[str, ...]) -> np.ndarray:
    """The matrix of the scores' correlations, shape (names, names); what no number gives is 0.

    Raises:
      ValueError: a pair is unknown or given twice, or no joint distribution has these correlations.
    """
    matrix = np.eye(len(names))
    for key in (key for key in numbers if key.startswith("correlation.")):
        pair = key.split(".")[1:]
        unknown = [name for name in pair if name not in names]
        if unknown or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"{key}: expected two scores of {', '.join(names)}")
        i, j = (names.index(name) for name in pair)
        if matrix[i, j]:
            raise ValueError(f"{key}: this pair is given twice")
        matrix[i, j] = matrix[j, i] = numbers[key]
    lowest = np.linalg.eigvalsh(matrix)[0]
    if lowest < 1e-6:
        raise ValueError(
            f"correlations contradict each other: the matrix has an eigenvalue of {lowest:.3g}, not above 0"
        )
    return matrix


def _fit(numbers: Numbers, name: str, where: tuple[str, ...], link: Link, ends: tuple[float, float]) -> np.ndarray:
    """Location and scale of the link."""
    place = "".join(f".{group}" for group in where)
    if f"{name}.median{place}" in numbers:
        spread = f"{name}.log_sd{place}"
        log_sd = numbers[spread] if spread in numbers else _need(numbers, f"{name}.log_sd")
        return np.array([np.log(numbers[f"{name}.median{place}"]), log_sd])
    mean, sd = _need(numbers, f"{name}.mean{place}"), _need(numbers, f"{name}.sd{place}")
    if link == "identity":
        return np.array([mean, sd])
    if link == "log":
        variance = np.log1p((sd / mean) ** 2)
        return np.array([np.log(mean) - variance / 2, np.sqrt(variance)])
    return logit_normal(mean, sd, *ends)


def logit_normal(mean: float, sd: float, low: float, high: float) -> np.ndarray:
    """Location and scale of the logit of a number between `low` and `high` with this mean and SD.

    Raises:
      ValueError: there is none; the SD is too wide for the range.
    """
    target, spread = (mean - low) / (high - low), sd / (high - low)

    def miss(x: np.ndarray) -> list[float]:
        values = special.expit(x[0] + np.exp(x[1]) * NODES)
        first = WEIGHTS @ values
        return [float(first - target) / spread, float(np.log(WEIGHTS @ (values - first) ** 2) / 2 - np.log(spread))]

    start = [float(special.logit(target)), float(np.log(spread / (target * (1 - target))))]
    location, log_scale = solve(miss, start, f"number between {low:g} and {high:g} with mean {mean:g}, SD {sd:g}")
    return np.array([location, np.exp(log_scale)])


def _effect(numbers: Numbers, where: str, parent: str, per_unit: float) -> Effect:
    """`per` holds for both sexes, or `women` and `men` each have their own."""
    if parent not in PARENTS:
        raise ValueError(f"{where}: {parent!r} is none of {', '.join(PARENTS)}")
    women, men = (
        numbers[f"{where}.per"] if f"{where}.per" in numbers else _need(numbers, f"{where}.{sex}")
        for sex in GROUPS["sex"]
    )
    low, high = numbers.get(f"{where}.low", -np.inf), numbers.get(f"{where}.high", np.inf)
    return Effect(parent, women * per_unit, men * per_unit, _need(numbers, f"{where}.centre"), low, high)


def _places(by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each combination of the groups' levels, in the order of a table's entries."""
    return list(product(*(GROUPS[group] for group in by)))


def _need(numbers: Numbers, name: str) -> float:
    if name not in numbers:
        raise ValueError(f"{name} is missing")
    return numbers[name]
