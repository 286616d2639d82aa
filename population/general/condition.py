"""Twins of one person: what was not measured, drawn given what was.

Importance sampling, one measurement after another. A candidate gets a cell; then each measured number gets a score from
its conditional distribution given the scores before it and the measured value, and the candidate's weight is multiplied
by how likely that value was; then the other scores follow from their conditional normal distributions. Weighted
candidates are the conditional distribution of the copula, exact as their number grows.

Tables are straight between their nodes, so that between two nodes a normal score with a normal error of measurement is
normal again: no step needs an approximation.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import special

from ..fitting.data import effective_size
from ..fitting.model import Model
from ..fitting.plan import Derived, Number, Pair, compute, operation
from ..fitting.quantiles import SCORES

UNSTEPPED = 1000  # parts of its range to which a number without a resolution is taken to be measured


class Measurement(NamedTuple):
    """A measured value, and the standard deviation of the measurement's error in the same unit.

    Without an error it stands for anything that rounds to it.
    """

    value: float
    sd: float = 0.0


class Candidates(NamedTuple):
    """Possible versions of a person.

    twins: attributes, shape (candidates,). log_weight: of each candidate, up to a constant, shape (candidates,).
    """

    twins: dict[str, np.ndarray]
    log_weight: np.ndarray


class _Drawn(NamedTuple):
    """Candidates on their way.

    correlation: of the scores in each cell, shape (cells, numbers, numbers). cell: of each candidate.
    scores: of the numbers drawn so far, in that order; filled as they come.
    """

    model: Model
    correlation: np.ndarray
    cell: np.ndarray
    scores: dict[str, np.ndarray]
    rng: np.random.Generator


class _Pieces(NamedTuple):
    """What a measurement leaves of a normal score between each two nodes of a table, shapes (rows, nodes - 1).

    There the score is normal with this mean and SD, cut to low..high in its SDs; log_mass: logarithm of its share.
    """

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    log_mass: np.ndarray


def candidates(
    model: Model,
    known: Mapping[str, int],
    measured: Mapping[str, Measurement],
    count: int,
    rng: np.random.Generator,
) -> Candidates:
    """Versions of a person of whom some categories are known and some numbers were measured.

    Args:
      known: level numbers by category.
      measured: by number or derived attribute, in their units.

    Raises:
      ValueError: no such attribute, or nobody in the population is like this.
    """
    plan = model.plan
    _check(model, known, measured)
    cell, log_weight = _cells(model, known, measured, count, rng)
    drawn = _Drawn(model, model.factors @ model.factors.transpose(0, 2, 1), cell, {}, rng)
    for name in plan.numbers:
        if name in measured:
            log_weight = log_weight + _read(drawn, name, model.tables[cell, _place(model, name)], name, measured[name])
    for name in plan.derived:
        if name in measured:
            log_weight = log_weight + _read_derived(drawn, name, measured[name])
    for name in plan.numbers:
        if name not in drawn.scores:
            _draw(drawn, name)
    if not np.isfinite(log_weight).any():
        asked = ", ".join(f"{name} {m.value:g} {_entry(model, name).unit}" for name, m in measured.items())
        raise ValueError(f"nobody in {plan.name} is like this: {asked}")
    found = {name: _value(drawn, name) for name in plan.numbers}
    for name, entry in plan.derived.items():
        found[name] = np.clip(compute(entry, found), entry.low, entry.high)
    found |= {name: np.full(count, float(m.value)) for name, m in measured.items() if not m.sd}
    return Candidates({name: codes[cell] for name, codes in model.cells.levels.items()} | found, log_weight)


def resampled(drawn: Candidates, count: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], float]:
    """Candidates drawn in proportion to their weights (systematic resampling), and their effective number."""
    weight = np.exp(drawn.log_weight - drawn.log_weight.max())
    ends = np.cumsum(weight) / weight.sum()
    places = (np.arange(count) + rng.random()) / count
    chosen = np.minimum(np.searchsorted(ends, places), len(weight) - 1)
    return {name: values[chosen] for name, values in drawn.twins.items()}, effective_size(weight)


def _check(model: Model, known: Mapping[str, int], measured: Mapping[str, Measurement]) -> None:
    plan = model.plan
    for name in known:
        if name not in model.cells.levels:
            raise ValueError(f"{name}: no such category; there are {', '.join(model.cells.levels)}")
    for name, m in measured.items():
        if name not in plan.numbers and name not in plan.derived:
            raise ValueError(f"{name}: no such measurement; there are {', '.join((*plan.numbers, *plan.derived))}")
        entry = _entry(model, name)
        if not entry.low <= m.value <= entry.high:
            raise ValueError(
                f"{name}: {m.value:g} {entry.unit} is not possible; expected {entry.low:g} to {entry.high:g}"
            )
        if not (np.isfinite(m.sd) and m.sd >= 0):
            raise ValueError(f"{name}: the error's standard deviation is {m.sd:g}; expected 0 or more")
        if isinstance(entry, Derived) and not set(_operands(entry)) <= set(plan.numbers):
            raise ValueError(f"{name}: is computed from computed attributes and cannot be given")


def _entry(model: Model, name: str) -> Number | Derived:
    return model.plan.numbers[name] if name in model.plan.numbers else model.plan.derived[name]


def _operands(entry: Derived) -> Pair:
    found = operation(entry)
    assert found is not None  # a plan with another entry cannot be made
    return found[1]


def _place(model: Model, name: str) -> int:
    return list(model.plan.numbers).index(name)


def _cells(
    model: Model, known: Mapping[str, int], measured: Mapping[str, Measurement], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the candidates, chosen as if measured numbers were independent, and the log-weights that correct it."""
    allowed = np.ones(len(model.cells.share), dtype=bool)
    for name, level in known.items():
        allowed &= model.cells.levels[name] == level
    if not allowed.any():
        asked = ", ".join(f"{name} {model.levels[name][level]}" for name, level in known.items())
        raise ValueError(f"nobody in {model.plan.name} has all of: {asked}")
    likely = np.zeros(len(allowed))
    for name, m in measured.items():
        if name in model.plan.numbers:
            nodes = model.tables[:, _place(model, name)].astype(float)
            likely += _total(_pieces(nodes, np.zeros(len(nodes)), np.ones(len(nodes)), m, _half(model, name)).log_mass)
    with np.errstate(divide="ignore"):
        log_share = np.where(allowed, np.log(model.cells.share) + likely, -np.inf)
    if not np.isfinite(log_share).any():
        return rng.choice(np.flatnonzero(allowed), count), np.full(count, -np.inf)
    share = np.exp(log_share - log_share.max())
    cell = rng.choice(len(share), count, p=share / share.sum())
    return cell, -likely[cell]


def _read_derived(drawn: _Drawn, name: str, m: Measurement) -> np.ndarray:
    """Draw what a measured derived attribute tells of its operands; how likely its value was, as a logarithm."""
    entry = drawn.model.plan.derived[name]
    first, second = _operands(entry)
    if first not in drawn.scores and second not in drawn.scores:
        _draw(drawn, second if entry.body_mass else first)  # heights vary less than body mass indices
    values = {operand: _value(drawn, operand) for operand in (first, second) if operand in drawn.scores}
    if len(values) == 2:
        return _log_likelihood(compute(entry, values), m, _half(drawn.model, name))
    bound = second if first in values else first
    table = drawn.model.tables[drawn.cell, _place(drawn.model, bound)].astype(float)
    operands = {operand: value[:, None] for operand, value in values.items()} | {bound: table}
    return _read(drawn, bound, compute(entry, operands), name, m)


def _read(drawn: _Drawn, name: str, nodes: np.ndarray, read: str, m: Measurement) -> np.ndarray:
    """Draw a number's score given those before it and a measurement; how likely its value was, as a logarithm.

    Args:
      nodes: what would be read at SCORES, shape (candidates, nodes).
      read: the attribute that was measured.
    """
    mean, sd = _conditional(drawn, name)
    pieces = _pieces(nodes.astype(float), mean, sd, m, _half(drawn.model, read))
    log_total = _total(pieces.log_mass)
    possible = np.isfinite(log_total)
    share = np.exp(pieces.log_mass - np.where(possible, log_total, 0)[:, None])
    ends = np.cumsum(share, axis=1)
    chosen = np.sum(ends < drawn.rng.random(len(mean))[:, None] * ends[:, -1:], axis=1)
    rows = np.arange(len(mean))
    low, high, centre, scale = (a[rows, chosen] for a in (pieces.low, pieces.high, pieces.mean, pieces.sd))
    score = centre + scale * _between(low, high, drawn.rng.random(len(mean)))
    drawn.scores[name] = np.where(possible, score, mean)
    return log_total


def _draw(drawn: _Drawn, name: str) -> None:
    """Draw a number's score given those before it."""
    mean, sd = _conditional(drawn, name)
    drawn.scores[name] = mean + sd * drawn.rng.standard_normal(len(mean))


def _conditional(drawn: _Drawn, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of a number's score given those drawn before, shape (candidates,)."""
    j = _place(drawn.model, name)
    given = [_place(drawn.model, other) for other in drawn.scores]
    if not given:
        return np.zeros(len(drawn.cell)), np.ones(len(drawn.cell))
    across = drawn.correlation[:, j][:, given]
    inverse = np.linalg.pinv(drawn.correlation[:, given][:, :, given], hermitian=True)
    slope = np.einsum("cgh,ch->cg", inverse, across)
    left = drawn.correlation[:, j, j] - np.sum(slope * across, axis=1)
    scores = np.stack(list(drawn.scores.values()), axis=1)
    return np.sum(slope[drawn.cell] * scores, axis=1), np.sqrt(np.maximum(left, 1e-12))[drawn.cell]


def _pieces(nodes: np.ndarray, mean: np.ndarray, sd: np.ndarray, m: Measurement, half: float) -> _Pieces:
    """What a measurement leaves of scores with this mean and SD, shapes (rows,), where SCORES mean `nodes`."""
    start, end = SCORES[:-1], SCORES[1:]
    slope = np.diff(nodes, axis=1) / (end - start)
    origin = nodes[:, :-1] - slope * start  # reading = origin + slope * score
    centre, scale = mean[:, None], sd[:, None]
    if m.sd:
        spread = m.sd**2 + (slope * scale) ** 2
        miss = (m.value - origin - slope * centre) / spread
        log_mass = -(miss**2 * spread + np.log(spread / m.sd**2)) / 2
        centre = centre + slope * scale**2 * miss
        scale = scale * m.sd / np.sqrt(spread)
        low, high = np.broadcast_to(start, slope.shape), np.broadcast_to(end, slope.shape)
    else:
        log_mass = np.zeros(slope.shape)
        flat = slope == 0
        safe = np.where(flat, 1.0, slope)
        sides = [(m.value + side * half - origin) / safe for side in (-1, 1)]
        inside = np.abs(nodes[:, :-1] - m.value) <= half
        low = np.where(flat, np.where(inside, start, end), np.clip(np.minimum(*sides), start, end))
        high = np.where(flat, end, np.clip(np.maximum(*sides), start, end))
        centre, scale = np.broadcast_to(centre, slope.shape), np.broadcast_to(scale, slope.shape)
    low, high = (low - centre) / scale, (high - centre) / scale
    with np.errstate(divide="ignore"):
        return _Pieces(centre, scale, low, high, log_mass + np.log(_mass(low, high)))


def _mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Share of a standard normal distribution between two ends; the lower tail keeps its digits."""
    flip = low > 0
    return special.ndtr(np.where(flip, -low, high)) - special.ndtr(np.where(flip, -high, low))


def _between(low: np.ndarray, high: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Standard normal values between two ends, from uniform ones."""
    flip = low > 0
    below = special.ndtr(np.where(flip, -high, low))
    found = special.ndtri(np.clip(below + luck * _mass(low, high), 1e-300, 1 - 1e-16))
    return np.clip(np.where(flip, -found, found), low, high)


def _log_likelihood(reading: np.ndarray, m: Measurement, half: float) -> np.ndarray:
    if m.sd:
        return -np.square((reading - m.value) / m.sd) / 2
    return np.where(np.abs(reading - m.value) <= half, 0.0, -np.inf)


def _half(model: Model, name: str) -> float:
    """Half the resolution of an attribute."""
    entry = _entry(model, name)
    return (entry.step or (entry.high - entry.low) / UNSTEPPED) / 2


def _total(log_mass: np.ndarray) -> np.ndarray:
    """Logarithms of sums along the last axis."""
    top = log_mass.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(log_mass - safe[:, None]).sum(axis=1))


def _value(drawn: _Drawn, name: str) -> np.ndarray:
    """A number at its scores, shape (candidates,)."""
    place = np.clip((drawn.scores[name] - SCORES[0]) / (SCORES[1] - SCORES[0]), 0, len(SCORES) - 1.001)
    node = place.astype(int)
    table = drawn.model.tables[:, _place(drawn.model, name)].astype(float)
    below, above = table[drawn.cell, node], table[drawn.cell, node + 1]
    return below + (place - node) * (above - below)
