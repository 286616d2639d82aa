"""Rank tests of one table and the shifts of Hodges and Lehmann: two samples, or pairs."""

from typing import Literal

import numpy as np
from scipy.stats import norm, rankdata

from .estimate import Estimate, Flag, check_level, normal_quantile, nothing

Kind = Literal["exact", "normal"]


def rank_sum(active, control, kind: Kind = "normal", correction: bool = True, level: float = 0.95) -> Estimate:
    """Wilcoxon's rank-sum test, and the median of all differences active - control [Hodges and Lehmann 1963].

    Args:
      kind: "exact": the permutation distribution of the rank sum, ties and all; "normal": variance corrected for ties.
      correction: of continuity, for "normal".

    Returns:
      `statistic`: the number of pairs in which active is larger, ties half (Mann-Whitney's U, R's W). The limits are
      differences in order of size [Hollander, Wolfe and Chicken 2014, section 4.3] for "exact"; for "normal" the shifts
      at which the corrected test just rejects.
    """
    check_level(level)
    a, b = _numbers("active", active), _numbers("control", control)
    if not len(a) or not len(b):
        return nothing(Flag.EMPTY_ARM)
    m, n = len(a), len(b)
    ranks = rankdata(np.concatenate([a, b]))
    u = float(ranks[:m].sum() - m * (m + 1) / 2)
    differences = np.sort((a[:, None] - b[None, :]).ravel())
    estimate = float(np.median(differences))
    variance = m * n / 12 * (m + n + 1 - _ties(ranks) / ((m + n) * (m + n - 1)))
    if not variance > 0:
        return nothing(Flag.NO_VARIATION, estimate)
    if kind == "exact":
        chances = _sums(ranks, m)
        p = _two_sided(chances, 2 * ranks[:m].sum())
        limits = _ordered(differences, _free_sums(m, n), level)
    else:
        p = _normal_p(u - m * n / 2, variance, correction)
        limits = tuple(_shift_limit(a, b, sign, correction, level) for sign in (-1.0, 1.0))
    return Estimate(estimate, np.nan, limits[0], limits[1], u, np.inf, p, Flag.FINE)


def signed_rank(differences, kind: Kind = "normal", correction: bool = True, level: float = 0.95) -> Estimate:
    """Wilcoxon's signed-rank test of pairs, zeros left out, and the median of all averages of two differences.

    `statistic` is the sum of the ranks of the positive differences (R's V). Arguments as in `rank_sum`.
    """
    check_level(level)
    d = _numbers("differences", differences)
    if not len(d):
        return nothing(Flag.EMPTY_ARM)
    first, second = np.triu_indices(len(d))
    averages = np.sort((d[first] + d[second]) / 2)
    estimate = float(np.median(averages))
    kept = d[d != 0]
    n = len(kept)
    if not n:
        return nothing(Flag.NO_VARIATION, 0.0)
    ranks = rankdata(np.abs(kept))
    v = float(ranks[kept > 0].sum())
    variance = float((ranks**2).sum() / 4)
    if kind == "exact":
        p = _two_sided(_signed_sums(ranks), 2 * v)
        limits = _ordered(averages, _signed_sums(np.arange(1.0, len(d) + 1))[::2], level)
    else:
        p = _normal_p(v - n * (n + 1) / 4, variance, correction)
        half = normal_quantile(level) * np.sqrt(variance)
        k = int(np.clip(round(n * (n + 1) / 4 - half), 1, len(averages)))
        limits = (float(averages[k - 1]), float(averages[-k]))
    return Estimate(estimate, np.nan, limits[0], limits[1], v, np.inf, p, Flag.FINE)


def _numbers(name: str, values) -> np.ndarray:
    values = np.asarray(values, float).ravel()
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a value that is not a finite number; leave it out")
    return values


def _ties(ranks: np.ndarray) -> float:
    _, size = np.unique(ranks, return_counts=True)
    return float((size**3 - size).sum())


def _normal_p(away: float, variance: float, correction: bool) -> float:
    size = max(abs(away) - (0.5 if correction else 0.0), 0.0)
    return float(2 * norm.sf(size / np.sqrt(variance)))


def _sums(ranks: np.ndarray, m: int) -> np.ndarray:
    """Chance of every doubled sum of m of the ranks, all subsets alike (doubled, so that midranks are whole)."""
    doubled = np.rint(2 * ranks).astype(int)
    ways = np.zeros((m + 1, int(np.sort(doubled)[::-1][:m].sum()) + 1))
    ways[0, 0] = 1.0
    for done, rank in enumerate(doubled):
        top = min(done + 1, m)
        ways[1 : top + 1, rank:] += ways[:top, : ways.shape[1] - rank]
        ways /= ways.max()  # only shares matter, and counts of subsets overflow
    return ways[m] / ways[m].sum()


def _signed_sums(ranks: np.ndarray) -> np.ndarray:
    """Chance of every doubled sum of the ranks that are positive, each with chance one half."""
    doubled = np.rint(2 * ranks).astype(int)
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(chance)
        moved[rank:] = chance[: len(chance) - rank]
        chance = (chance + moved) / 2
    return chance


def _free_sums(m: int, n: int) -> np.ndarray:
    """Chance of every value 0 to m n of U without ties."""
    base = m * (m + 1)
    return _sums(np.arange(1.0, m + n + 1), m)[base::2]


def _two_sided(chances: np.ndarray, doubled: float) -> float:
    """Sum of all values at least as far from the mean as the observed one."""
    values = np.arange(len(chances))
    mean = float(values @ chances)
    far = np.abs(values - mean) >= abs(doubled - mean) - 1e-9
    return float(min(1.0, chances[far].sum()))


def _ordered(values: np.ndarray, chances: np.ndarray, level: float) -> tuple[float, float]:
    """The k-th smallest and largest value, k the most with chance at most half the error that fewer are below."""
    k = int(np.searchsorted(np.cumsum(chances), (1 - level) / 2 * (1 + 1e-12), side="right"))
    if k == 0:
        return -np.inf, np.inf
    return float(values[k - 1]), float(values[-k])


def _shift_limit(a: np.ndarray, b: np.ndarray, sign: float, correction: bool, level: float) -> float:
    """The shift at which the test just rejects, by halving between the largest and the smallest difference."""
    z = normal_quantile(level)
    m, n = len(a), len(b)

    def statistic(shift: float) -> float:
        ranks = rankdata(np.concatenate([a - shift, b]))
        away = ranks[:m].sum() - m * (m + 1) / 2 - m * n / 2
        variance = m * n / 12 * (m + n + 1 - _ties(ranks) / ((m + n) * (m + n - 1)))
        half = sign * 0.5 if correction else 0.0
        return float((away + half) / np.sqrt(variance)) if variance > 0 else 0.0

    low, high = float(a.min() - b.max()) - 1, float(a.max() - b.min()) + 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if statistic(middle) > -sign * z else (low, middle)
    return (low + high) / 2
