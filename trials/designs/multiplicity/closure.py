"""Closed tests: a hypothesis is rejected if every intersection it belongs to is.

Each intersection is tested with the weights that the graph leaves it: Bonferroni, Simes (right for positively dependent
statistics) or parametric (their correlation is known). Marcus, Peritz and Gabriel 1976, Biometrika 63:655; Xi, Glimm,
Maurer and Bretz 2017, Biom J 59:918.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..checks import one_of, probabilities, probability
from ..multivariate import equal_bound, exceed, quantile
from .graph import ROUNDING, Graph, intersections

TESTS = ("bonferroni", "simes", "parametric")


@dataclass(frozen=True)
class Group:
    """Hypotheses that are tested together within an intersection.

    Args:
      members: numbers of the hypotheses (from 0). test: one of `TESTS`.
      correlation: of their statistics, if parametric; shape (members, members).
      df: of their common standard deviation; infinite for normal statistics.
    """

    members: tuple[int, ...]
    test: str = "bonferroni"
    correlation: np.ndarray | None = None
    df: float = np.inf


def adjusted(graph: Graph, p: ArrayLike, groups: tuple[Group, ...] = ()) -> np.ndarray:
    """Adjusted p-values of the closed test.

    Args:
      p: one-sided, shape (..., hypotheses): any number of replicates for Bonferroni and Simes; parametric tests
        integrate for each and are for few (`rejections` is for many).
      groups: all hypotheses once; Bonferroni over all of them if not given. Of several, the least p-value counts.
    """
    values = probabilities("p", p)
    if values.shape[-1:] != (graph.size,):
        raise ValueError(f"p: expected {graph.size} p-values in the last axis, got shape {values.shape}")
    result = np.zeros(values.shape)
    member, weights = intersections(graph)
    for inside, weight in zip(member, weights, strict=True):
        whole = np.ones(values.shape[:-1])
        for group in _checked(graph, groups):
            there = [i for i in group.members if inside[i] and weight[i] > 0]
            if there:
                whole = np.minimum(whole, _intersection(group, values[..., there], weight[there], there))
        result = np.where(inside, np.maximum(result, whole[..., None]), result)
    return np.minimum(result, 1.0)


def rejections(graph: Graph, p: ArrayLike, alpha: float, groups: tuple[Group, ...] = ()) -> np.ndarray:
    """Which hypotheses are rejected at a level, shape (..., hypotheses); parametric bounds are found once for all."""
    values = probabilities("p", p)
    probability("alpha", alpha)
    if values.shape[-1:] != (graph.size,):
        raise ValueError(f"p: expected {graph.size} p-values in the last axis, got shape {values.shape}")
    result = np.ones(values.shape, dtype=bool)
    member, weights = intersections(graph)
    for inside, weight in zip(member, weights, strict=True):
        passed = np.zeros(values.shape[:-1], dtype=bool)
        for group in _checked(graph, groups):
            there = [i for i in group.members if inside[i] and weight[i] > 0]
            if not there:
                continue
            some, share = values[..., there], weight[there]
            if group.test == "parametric":
                passed |= (some <= _critical(group, share, there, alpha) * share).any(axis=-1)
            else:
                passed |= _intersection(group, some, share, there) <= alpha * (1 + ROUNDING)
        result &= ~inside | passed[..., None]
    return result


def _intersection(group: Group, p: np.ndarray, weight: np.ndarray, there: list[int]) -> np.ndarray:
    if group.test == "simes":
        order = np.argsort(p, axis=-1, kind="stable")
        so_far = np.cumsum(weight[order], axis=-1)
        return (np.take_along_axis(p, order, axis=-1) / so_far).min(axis=-1)
    least = (p / weight).min(axis=-1)
    if group.test == "bonferroni":
        return least
    bounds = quantile(np.minimum(least[..., None] * weight, 1.0), group.df)
    return np.minimum(
        1.0,
        exceed(np.where(np.isinf(bounds), np.sign(bounds) * 1e10, bounds), _part(group, there), group.df)
        / weight.sum(),
    )


def _critical(group: Group, weight: np.ndarray, there: list[int], alpha: float) -> float:
    """The share c of alpha such that some p is below c times its weight with probability alpha times all weights."""
    if len(there) == 1:
        return alpha
    return equal_bound(alpha * float(weight.sum()), _part(group, there), group.df, weight)


def _part(group: Group, there: list[int]) -> np.ndarray:
    places = [group.members.index(i) for i in there]
    assert group.correlation is not None
    return np.asarray(group.correlation, dtype=float)[np.ix_(places, places)]


def _checked(graph: Graph, groups: tuple[Group, ...]) -> tuple[Group, ...]:
    if not groups:
        return (Group(tuple(range(graph.size))),)
    named = sorted(i for group in groups for i in group.members)
    if named != list(range(graph.size)):
        raise ValueError(f"groups: expected each of the hypotheses 0 to {graph.size - 1} once, got {named}")
    for group in groups:
        one_of("group.test", group.test, TESTS)
        shape = None if group.correlation is None else np.shape(group.correlation)
        if (group.test == "parametric") != (shape is not None):
            raise ValueError(
                f"group.correlation: a parametric test needs it, and no other; got {shape} for {group.test}"
            )
        if shape is not None and shape != (len(group.members), len(group.members)):
            raise ValueError(f"group.correlation: expected shape {(len(group.members),) * 2}, got {shape}")
    return groups
