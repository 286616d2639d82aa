"""What was measured in a person, put in order and checked against what these people can have."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..messages import nearest
from . import colour
from .attributes import ATTRIBUTES
from .draw import SUN, Constants, score_of
from .margins import GROUPS, Continuous, Given, Levels

Measured = tuple[float | int | str | bool, float]  # a value or a level, and the SD of its error
BELIEVABLE = 6.0  # standard deviations beyond which a value is taken for a mistake


class Plan(NamedTuple):
    """Which attributes are known, and how: the shape of a conditioning, without its numbers."""

    levels: tuple[tuple[str, int], ...]  # attributes and levels
    truncated: tuple[str, ...]  # scores of these, and the tolerance of sun where a dose depends on it
    exact: tuple[str, ...]  # attributes whose value is known without error
    noisy: tuple[str, ...]

    def scores(self) -> tuple[str, ...]:
        """In the order in which they are drawn."""
        return (*self.truncated, *self.exact, *self.noisy)


def plan_of(c: Constants, measured: Mapping[str, Measured]) -> tuple[Plan, np.ndarray, np.ndarray]:
    """The plan, exact values of shape (exact,), and values with the SDs of their errors of shape (noisy, 2).

    Raises:
      ValueError: an attribute is unknown or cannot be measured, or a value or an SD is no number.
    """
    levels, exact, noisy = [], {}, {}
    for name, (value, sd) in _with_angle(measured).items():
        margin = _margin(c, name)
        if isinstance(margin, Levels):
            levels.append((name, _level(name, value, sd)))
            continue
        number = _number(name, value)
        if not (isinstance(sd, Real) and math.isfinite(sd) and sd >= 0):
            raise ValueError(f"{name}: the SD of its error must be a number, 0 or more, not {sd!r}")
        if sd > 0:
            noisy[name] = (number, float(sd))
        else:
            exact[name] = number
    scores = [score_of(name) for name, _ in levels]
    if any("type" in _continuous(c, name).by for name in (*exact, *noisy)):
        scores.append(SUN)
    plan = Plan(tuple(levels), tuple(dict.fromkeys(scores)), tuple(exact), tuple(noisy))
    return plan, np.array(list(exact.values()), float), np.array(list(noisy.values()), float).reshape(-1, 2)


def check_ranges(c: Constants, given: Given, plan: Plan, exact: np.ndarray, noisy: np.ndarray) -> None:
    """Refuse a value that none of these people could have, which is mostly a wrong unit.

    Args:
      given: of the candidates, shape (n,) each.

    Raises:
      ValueError: names the attribute, the value and the possible range.
    """
    told = [(name, value, 0.0) for name, value in zip(plan.exact, exact, strict=True)]
    told += [(name, value, sd) for name, (value, sd) in zip(plan.noisy, noisy, strict=True)]
    for name, value, sd in told:
        low, high = _range(_continuous(c, name), given)
        if not low - BELIEVABLE * sd <= value <= high + BELIEVABLE * sd:
            unit = ATTRIBUTES[name].unit
            ends = f"{low:.3g} to {high:.3g}" + (f" {unit}" if unit != "1" else "")
            raise ValueError(
                f"{name}: {value:g} is outside the possible range of these people, {ends}; is the unit right?"
            )


def _range(margin: Continuous, given: Given) -> tuple[float, float]:
    count = len(given["age"])
    types = range(len(GROUPS["type"])) if "type" in margin.by else range(1)
    ends = []
    for kind in types:
        known = dict(given) | {"type": jnp.full(count, kind, "int32")}
        ends += [np.asarray(jax.vmap(margin.value)(jnp.full(count, s), known)) for s in (-BELIEVABLE, BELIEVABLE)]
    return float(np.min(ends)), float(np.max(ends))


def _with_angle(measured: Mapping[str, Measured]) -> dict[str, Measured]:
    """Measurements with L* and b* replaced by the angle they give."""
    colours = [name for name in ("lightness", "yellowness") if name in measured]
    if not colours:
        return dict(measured)
    if len(colours) == 1 or "ita" in measured:
        raise ValueError(f"{colours[0]}: L* and b* are read together, as the angle they give, or the angle alone")
    light, yellow = ((_number(name, measured[name][0]), measured[name][1]) for name in colours)
    rest = {name: told for name, told in measured.items() if name not in colours}
    return rest | {"ita": colour.ita_of(light, yellow)}


def _margin(c: Constants, name: str) -> Continuous | Levels:
    if name not in ATTRIBUTES:
        raise ValueError(f"{name}: no attribute of the skin layer; {nearest(name, ATTRIBUTES)}")
    if name not in c.margins:
        raise ValueError(f"{name}: follows from other attributes and cannot be given itself")
    margin = c.margins[name]
    if not isinstance(margin, Continuous | Levels):
        raise ValueError(f"{name}: is drawn from a table of quantiles and cannot be given")
    return margin


def _continuous(c: Constants, name: str) -> Continuous:
    margin = c.margins[name]
    assert isinstance(margin, Continuous)
    return margin


def _level(name: str, value: object, sd: float) -> int:
    """The number of a level that is told by its name, its number, or yes and no."""
    if sd:
        raise ValueError(f"{name}: a level has no SD of error, so 0, not {sd:g}")
    attribute = ATTRIBUTES[name]
    if attribute.kind == "yes/no":
        if value in (True, False):
            return int(value in (True, 1))
        raise ValueError(f"{name}: expected yes or no (true or false), not {value!r}")
    names = attribute.levels or ()
    known: dict[object, int] = {n: k for k, n in enumerate(names)}
    if attribute.kind == "grade":
        known = {int(n): int(n) for n in names}
    if isinstance(value, bool) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(names)}, not {value!r}")
    return known[value]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a number, not {value!r}")
    return float(value)
