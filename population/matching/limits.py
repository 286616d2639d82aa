"""Why a baseline table cannot be met, and what the twins could do instead."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linprog

from ..attributes import Attribute
from ..baselines.tables import Row
from .moments import Columns, raw, wanted
from .solver import solve

ROUNDS = 200
TAKEN = 100  # twins that a round takes in
PRICE = 1e4  # of missing a condition by its whole size, in ranges of what is minimised


def alone(row: Row, columns: Columns, attributes: Mapping[str, Attribute]) -> str | None:
    """What speaks against a row whatever the others ask for; None if nothing does."""
    x = raw(row, columns, attributes)
    if row.kind == "share":
        if row.value > 0 and not x.any():
            return f"{row.label} {row.value:.3g}: none of the twins is counted in it"
        if row.value < 1 and x.all():
            return f"{row.label} {row.value:.3g}: all twins are counted in it"
        return None
    values = np.asarray(columns[row.attribute], dtype=float)
    low, high = float(values.min()), float(values.max())
    place = f"the twins' {row.attribute} runs from {low:.4g} to {high:.4g}"
    value = f"{row.label} {row.value:.4g} {attributes[row.attribute].unit}"
    if row.kind == "mean":
        return None if low < row.value < high else f"{value}: {place}"
    if not low < row.about < high:
        return f"{value} about a mean of {row.about:.4g}: {place}"
    # Given the range and the mean, people at its two ends spread most.
    widest = np.sqrt((high - row.about) * (row.about - low))
    nearest = float(np.sqrt(x.min()))
    if nearest < row.value < widest:
        return None
    return f"{value}: with a mean of {row.about:.4g} it can be {nearest:.3g} to {widest:.4g}"


def together(
    rows: Sequence[Row], g: np.ndarray, base: np.ndarray, columns: Columns, attributes: Mapping[str, Attribute]
) -> str:
    """Which rows exclude each other, and what each could be if the rest of them were kept.

    Args:
      rows: those that weights can meet, each possible alone; not all of them together.
      g: their features, shape (twins, rows).
      base: shape (twins,).
    """
    clash = _smallest(g, base)
    limits = [_limits(rows[j], [rows[k] for k in clash if k != j], columns, attributes) for j in clash]
    told = [
        f"{rows[j].label} {rows[j].value:.4g} (possible beside the rest: {low:.4g} to {high:.4g})"
        for j, (low, high) in zip(clash, limits, strict=True)
    ]
    if all(low < rows[j].value < high for j, (low, high) in zip(clash, limits, strict=True)):
        return f"only a handful of twins can meet {', '.join(told)}; no weights that mean anything do"
    return f"these rows exclude each other among the twins: {', '.join(told)}"


def _smallest(g: np.ndarray, base: np.ndarray) -> list[int]:
    """Rows that cannot be met together although they can be once any one of them is dropped."""
    kept = list(range(g.shape[1]))
    for j in range(g.shape[1]):
        rest = [k for k in kept if k != j]
        if rest and not solve(g[:, rest], base).found:
            kept = rest
    return kept


def _limits(
    row: Row, others: Sequence[Row], columns: Columns, attributes: Mapping[str, Attribute]
) -> tuple[float, float]:
    """The least and the greatest value of a row that weights can give while they meet the others."""
    x = raw(row, columns, attributes)
    equal = np.vstack([np.ones_like(x), *(raw(other, columns, attributes) for other in others)])
    right = np.array([1.0, *(wanted(other) for other in others)])
    ends = np.array([sign * _least(sign * x, equal, right) for sign in (1.0, -1.0)])
    low, high = np.sqrt(np.maximum(ends, 0.0)) if row.kind == "sd" else ends
    return float(low), float(high)


def _least(x: np.ndarray, equal: np.ndarray, right: np.ndarray) -> float:
    """The least weighted sum of x under weights of at least 0 whose sums of `equal` are `right`; NaN if there are none.

    A few twins carry such weights, so the program starts with few and takes in those that would lower the sum: over all
    of a large sample at once, linear programming takes minutes.

    Args:
      x: shape (twins,). equal: shape (rows, twins). right: shape (rows,).
    """
    size = np.abs(equal).max(axis=1)
    equal, right = equal / size[:, None], right / size
    span = float(np.ptp(x)) or 1.0
    cost = (x - x.min()) / span
    slack = np.hstack([np.eye(len(right)), -np.eye(len(right))])  # at a price, so that any few twins will do to start
    start = np.linspace(0, len(x) - 1, min(len(x), TAKEN)).astype(int)
    chosen = np.unique(np.concatenate([start, equal.argmin(axis=1), equal.argmax(axis=1), [x.argmin(), x.argmax()]]))
    for _ in range(ROUNDS):
        prices = np.append(cost[chosen], np.full(slack.shape[1], PRICE))
        done = linprog(prices, A_eq=np.hstack([equal[:, chosen], slack]), b_eq=right, method="highs")
        worth = cost - done.eqlin.marginals @ equal
        if worth.min() > -1e-9:
            missed = done.x[len(chosen) :].sum()
            return float(done.fun * span + x.min()) if missed < 1e-9 else float("nan")
        chosen = np.union1d(chosen, np.argsort(worth)[:TAKEN])
    return float("nan")
