"""Two stages with a choice between them: closed tests whose intersections combine both stages.

Whatever is dropped, and for whatever reason, the familywise error rate holds (Bauer and Kieser 1999, Stat Med 18:1833;
Posch, Koenig, Branson et al. 2005, Stat Med 24:3697). Dropping arms and enrichment differ only in the test of an
intersection.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from ..checks import defined
from ..multiplicity.dunnett import dunnett_p, some_above
from ..sequential.bounds import Bounds

IntersectionTest = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
MOST = 8  # hypotheses: 255 intersections


class Rejected(NamedTuple):
    """Hypotheses rejected at the first look, and by the end; shape (replicates, hypotheses) each."""

    first: np.ndarray
    final: np.ndarray


def simes(z: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
    """Simes' p-value of an intersection; z has shape (replicates, members)."""
    ordered = np.sort(norm.sf(defined("z", z)), axis=1)
    return (ordered * len(members) / np.arange(1, len(members) + 1)).min(axis=1)


def bonferroni(z: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
    """Bonferroni's p-value of an intersection."""
    return np.minimum(1.0, len(members) * norm.sf(defined("z", z).max(axis=1)))


def dunnett(sizes: tuple[float, ...], control: float) -> IntersectionTest:
    """Dunnett's test of arms of these sizes against a control."""

    def test(z: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
        return dunnett_p(z.max(axis=1), [sizes[i] for i in members], control)

    return test


def nested(share: float) -> IntersectionTest:
    """Exact test of all (0) and of a subgroup (1) of them [Spiessens and Debois 2010, Contemp Clin Trials 31:647].

    Args:
      share: of the subgroup among all.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share!r}")
    root = np.full(2, share**0.25)  # the statistics correlate by the square root of the share

    def test(z: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
        highest = z.max(axis=1)
        return norm.sf(highest) if len(members) == 1 else some_above(highest, root)

    return test


def closed_combination(
    first: np.ndarray,
    second: np.ndarray,
    kept: np.ndarray,
    bounds: Bounds,
    first_test: IntersectionTest,
    second_test: IntersectionTest | None = None,
) -> Rejected:
    """Closed test over two stages with the inverse normal combination; futility bounds are not looked at.

    Args:
      first, second: statistics of the data of each stage alone, shape (replicates, hypotheses); second is not read
        where a hypothesis was dropped.
      kept: hypotheses that went on, boolean, of the same shape.
      bounds: of two looks, one-sided; weights of the stages are the square roots of their planned information.
      first_test, second_test: of an intersection at each stage; the same if only one is given.
    """
    z1, z2, on = np.asarray(first, float), np.asarray(second, float), np.asarray(kept, bool)
    m = z1.shape[-1]
    if bounds.looks != 2 or bounds.sided != 1:
        raise ValueError(f"bounds: expected two looks and one side, got {bounds.looks} and {bounds.sided}")
    if z1.ndim != 2 or z2.shape != z1.shape or on.shape != z1.shape or not 1 <= m <= MOST:
        raise ValueError(
            f"first, second, kept: expected one shape (replicates, 1 to {MOST}), got {z1.shape}, {z2.shape}, {on.shape}"
        )
    if np.isnan(z1).any() or np.isnan(z2[on]).any():
        raise ValueError("first, second: NaN for a hypothesis that is tested; give a defined statistic")
    weight = np.sqrt(bounds.information[0]), np.sqrt(1 - bounds.information[0])
    early, late = np.ones(z1.shape, dtype=bool), np.ones(z1.shape, dtype=bool)
    for members in (c for size in range(1, m + 1) for c in combinations(range(m), size)):
        z_first = _z(first_test(z1[:, members], members))
        z_second = _z(_kept_p(z2, on, members, second_test or first_test))
        at_first = z_first >= bounds.efficacy[0]
        at_last = at_first | (weight[0] * z_first + weight[1] * z_second >= bounds.efficacy[1])
        early[:, members] &= at_first[:, None]
        late[:, members] &= at_last[:, None]
    return Rejected(early, early | (late & on))


def keep_best(z: np.ndarray, count: int = 1) -> np.ndarray:
    """The `count` hypotheses with the highest statistics, shape of z; ties go to the first."""
    values = defined("z", z)
    if not 1 <= count <= values.shape[1]:
        raise ValueError(f"count: expected 1 to {values.shape[1]}, got {count}")
    rank = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
    return rank < count


def keep_near(z: np.ndarray, margin: float) -> np.ndarray:
    """Those whose statistic is within a margin of the highest (0: the best alone; infinite: all)."""
    values = defined("z", z)
    if not margin >= 0:
        raise ValueError(f"margin: expected 0 or more, got {margin!r}")
    return values >= values.max(axis=1, keepdims=True) - margin


def enrich(z: np.ndarray, all_from: float, subgroup_from: float) -> np.ndarray:
    """Which of all (0) and the subgroup (1) go on: both if all promise, the subgroup alone if only it does, else none.

    Args:
      z: first-stage statistics, shape (replicates, 2). all_from, subgroup_from: statistics from which they promise.
    """
    values = defined("z", z)
    if values.ndim != 2 or values.shape[1] != 2:
        raise ValueError(f"z: expected shape (replicates, 2), got {values.shape}")
    everyone = values[:, 0] >= all_from
    return np.stack([everyone, everyone | (values[:, 1] >= subgroup_from)], axis=1)


def _kept_p(z: np.ndarray, on: np.ndarray, members: tuple[int, ...], test: IntersectionTest) -> np.ndarray:
    """Second-stage p-value of an intersection: of those of its hypotheses that went on, 1 if none did."""
    p = np.ones(len(z))
    there = on[:, members]
    for pattern in np.unique(there, axis=0):
        some = tuple(i for i, yes in zip(members, pattern, strict=True) if yes)
        if some:
            rows = (there == pattern).all(axis=1)
            p[rows] = test(z[np.ix_(rows, some)], some)
    return p


def _z(p: np.ndarray) -> np.ndarray:
    return norm.isf(np.clip(p, 1e-300, 1 - 1e-16))
