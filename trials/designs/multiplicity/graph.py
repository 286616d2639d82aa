"""Graphical procedures: weights on hypotheses, and where the weight goes when one is rejected.

Bretz, Maurer, Brannath and Posch 2009, Stat Med 28:586 (Bonferroni shortcut); Bretz, Posch, Glimm et al. 2011, Biom J
53:894 (Simes and parametric tests, in `closure`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..checks import probabilities, probability

ROUNDING = 1e-9
MOST = 12  # hypotheses: 4,095 intersections


@dataclass(frozen=True)
class Graph:
    """Hypotheses with their share of alpha, and the shares passed on at a rejection.

    Args:
      weights: shape (hypotheses,), sum 1 at most.
      transitions: from row to column, shape (hypotheses, hypotheses); rows sum to 1 at most, diagonal 0.
      names: of the hypotheses.
    """

    weights: np.ndarray
    transitions: np.ndarray
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many hypotheses there are."""
        return len(self.weights)


@dataclass(frozen=True)
class Outcome:
    """What a procedure says of one trial.

    Args:
      adjusted: p-values to be compared with alpha, shape (hypotheses,). rejected: at the level given.
      order: numbers of the rejected hypotheses, in the order of their rejection.
      weights, transitions: the graph that is left (0 for rejected hypotheses).
    """

    adjusted: np.ndarray
    rejected: np.ndarray
    order: tuple[int, ...]
    weights: np.ndarray
    transitions: np.ndarray


def graph(weights: ArrayLike, transitions: ArrayLike, names: tuple[str, ...] = ()) -> Graph:
    """A graph that has been checked.

    Raises:
      ValueError: weights sum to more than 1, a row of transitions does, or a number is negative.
    """
    weight, passed = np.asarray(weights, dtype=float), np.asarray(transitions, dtype=float)
    if weight.ndim != 1 or not 1 <= len(weight) <= MOST:
        raise ValueError(f"weights: expected 1 to {MOST} numbers, got shape {weight.shape}")
    if passed.shape != (len(weight), len(weight)):
        raise ValueError(f"transitions: expected shape {(len(weight), len(weight))}, got {passed.shape}")
    if not ((weight >= 0) & (weight <= 1)).all():
        raise ValueError(f"weights: expected numbers from 0 to 1, got {weight.tolist()}")
    if weight.sum() > 1 + ROUNDING:
        raise ValueError(f"weights: sum to {weight.sum():g}, so more than alpha would be spent; expected 1 at most")
    if not ((passed >= 0) & (passed <= 1)).all() or np.diag(passed).any():
        raise ValueError("transitions: expected numbers from 0 to 1, and 0 on the diagonal")
    if (passed.sum(axis=1) > 1 + ROUNDING).any():
        row = int(np.argmax(passed.sum(axis=1)))
        raise ValueError(f"transitions: row {row + 1} sums to {passed[row].sum():g}; expected 1 at most")
    named = names or tuple(f"H{i + 1}" for i in range(len(weight)))
    if len(named) != len(weight) or len(set(named)) != len(named):
        raise ValueError(f"names: expected {len(weight)} different ones, got {list(named)}")
    return Graph(weight, passed, named)


def remove(weights: np.ndarray, transitions: np.ndarray, gone: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and transitions after a rejection: its weight is passed on, and paths through it are joined."""
    left = weights + weights[gone] * transitions[gone]
    back = transitions[:, gone]
    loop = back * transitions[gone]
    with np.errstate(divide="ignore", invalid="ignore"):
        joined = (transitions + np.outer(back, transitions[gone])) / (1 - loop)[:, None]
    joined = np.where((loop < 1 - ROUNDING)[:, None], joined, 0.0)
    np.fill_diagonal(joined, 0.0)
    left[gone], joined[gone], joined[:, gone] = 0.0, 0.0, 0.0
    return left, joined


def shortcut(graph: Graph, p: ArrayLike, alpha: float = 0.025) -> Outcome:
    """The sequential Bonferroni test of one trial, with adjusted p-values and the order of rejections."""
    values = probabilities("p", p)
    probability("alpha", alpha)
    if values.shape != (graph.size,):
        raise ValueError(f"p: expected {graph.size} p-values, got shape {values.shape}")
    weights, transitions = graph.weights.copy(), graph.transitions.copy()
    left, adjusted = np.ones(graph.size, dtype=bool), np.ones(graph.size)
    kept, order, worst = (weights, transitions), [], 0.0
    while left.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(left & (weights > 0), values / weights, np.inf)
        best = int(np.argmin(ratio))
        if np.isinf(ratio[best]):
            break
        worst = max(worst, min(1.0, float(ratio[best])))
        adjusted[best] = worst
        weights, transitions = remove(weights, transitions, best)
        left[best] = False
        if worst <= alpha + ROUNDING * alpha:
            order.append(best)
            kept = (weights, transitions)
    rejected = np.isin(np.arange(graph.size), order)
    return Outcome(adjusted, rejected, tuple(order), *kept)


def intersections(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """All intersections of hypotheses, and their weights.

    Returns:
      Membership and weights (0 for those not in the intersection), each of shape (2^hypotheses - 1, hypotheses).
    """
    m = graph.size
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {(1 << m) - 1: (graph.weights, graph.transitions)}
    for code in range((1 << m) - 2, 0, -1):
        # Any hypothesis may be the last one removed: the result does not depend on the order.
        gone = next(i for i in range(m) if not code >> i & 1)
        found[code] = remove(*found[code | 1 << gone], gone)
    codes = sorted(found, reverse=True)
    member = np.array([[bool(code >> i & 1) for i in range(m)] for code in codes])
    return member, np.stack([found[code][0] for code in codes])
