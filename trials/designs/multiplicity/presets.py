"""Usual procedures as graphs, and gatekeeping with truncated tests."""

import numpy as np
from numpy.typing import ArrayLike

from ..checks import one_of, probabilities, probability, whole
from .graph import ROUNDING, Graph, graph


def holm(hypotheses: int) -> Graph:
    """Equal weights, passed on evenly."""
    m = whole("hypotheses", hypotheses, 1)
    others = (1 - np.eye(m)) / max(m - 1, 1)
    return graph(np.full(m, 1 / m), others)


def fixed_sequence(hypotheses: int) -> Graph:
    """All weight on the first, passed on to the next."""
    m = whole("hypotheses", hypotheses, 1)
    return graph(np.eye(m)[0], np.eye(m, k=1))


def fallback(weights: ArrayLike) -> Graph:
    """Hypotheses in order, with their own weight and that of those rejected before [Wiens 2003, Pharm Stat 2:211]."""
    given = np.asarray(weights, dtype=float)
    return graph(given, np.eye(len(given), k=1))


def simple_successive(pairs: int = 2) -> Graph:
    """Primary hypotheses with one secondary each; a secondary passes on to the next primary [Maurer et al. 2011]."""
    m = whole("pairs", pairs, 2)
    transitions = np.zeros((2 * m, 2 * m))
    for i in range(m):
        transitions[i, m + i] = 1
        transitions[m + i, (i + 1) % m] = 1
    return graph(np.repeat([1 / m, 0.0], m), transitions)


def parallel_gatekeeping(primary: int, secondary: int) -> Graph:
    """Secondary hypotheses share the weight of each primary one that is rejected, and then Holm's test."""
    first, second = whole("primary", primary, 1), whole("secondary", secondary, 1)
    transitions = np.zeros((first + second, first + second))
    transitions[:first, first:] = 1 / second
    if second > 1:
        transitions[first:, first:] = (1 - np.eye(second)) / (second - 1)
    return graph(np.repeat([1 / first, 0.0], [first, second]), transitions)


def truncated(p: ArrayLike, alpha: float, fraction: float, method: str = "holm") -> np.ndarray:
    """Rejections of a truncated step test [Dmitrienko, Tamhane and Wiens 2008, Biom J 50:667]; shape of p.

    Args:
      fraction: of the way from Bonferroni's bounds (0) to those of Holm or Hochberg (1).
    """
    values = probabilities("p", p)
    one_of("method", method, ("holm", "hochberg"))
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction: expected a number from 0 to 1, got {fraction!r}")
    m = values.shape[-1]
    bounds = (fraction / np.arange(m, 0, -1) + (1 - fraction) / m) * probability("alpha", alpha)
    order = np.argsort(values, axis=-1, kind="stable")
    passed = np.take_along_axis(values, order, axis=-1) <= bounds * (1 + ROUNDING)
    if method == "holm":
        passed = np.logical_and.accumulate(passed, axis=-1)
    else:
        passed = np.logical_or.accumulate(passed[..., ::-1], axis=-1)[..., ::-1]
    rejected = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(rejected, order, passed, axis=-1)
    return rejected


def gatekeeping(
    p: ArrayLike, families: tuple[tuple[int, ...], ...], alpha: float, fraction: float, method: str = "holm"
) -> np.ndarray:
    """Families in order, each tested at what the one before leaves over (multistage parallel gatekeeping).

    A truncated test that keeps k of m hypotheses uses up (fraction + (1 - fraction) k / m) of its level, none if k = 0.

    Args:
      p: shape (..., hypotheses). families: numbers of the hypotheses (from 0); the last family is not truncated.
      fraction: of all families but the last, below 1 (nothing would be left over).
    """
    values = probabilities("p", p)
    probability("alpha", alpha)
    named = sorted(i for family in families for i in family)
    if named != list(range(values.shape[-1])):
        raise ValueError(f"families: expected each of the hypotheses 0 to {values.shape[-1] - 1} once, got {named}")
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction: expected a number from 0 and below 1, got {fraction!r}")
    flat = values.reshape(-1, values.shape[-1])
    rejected, level = np.zeros(flat.shape, dtype=bool), np.full(len(flat), alpha)
    for number, family in enumerate(families):
        share = 1.0 if number + 1 == len(families) else fraction
        # A level of its own for each replicate: p-values are scaled instead.
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(level[:, None] > 0, flat[:, family] * (alpha / level)[:, None], 1.0)
        found = truncated(np.minimum(scaled, 1.0), alpha, share, method)
        rejected[:, family] = found
        kept = 1 - found.mean(axis=1)
        used = np.where(kept > 0, share + (1 - share) * kept, 0.0)
        level = level * (1 - used)
    return rejected.reshape(values.shape)
