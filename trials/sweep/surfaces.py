"""From sums over twins to surfaces: benefit and risk of every setting in every skin type, and how sure they are.

Twins are a sample, and parameters that act on damage are known within their uncertainty. A limit takes both in: it is
that of the mixture, over draws of the parameters, of what the twins alone leave open.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import betainc
from scipy.stats import norm

from .plan import Sweep
from .protocols import numbered
from .shard import ORIGIN

HALVINGS = 40  # of the unit interval, to find a limit


class Share(NamedTuple):
    """A mean share, each (settings, types), with the parameters' own values; low, high: one-sided limits.

    error: standard error from the number of twins. spread: SD over draws of the parameters, NaN if none is uncertain.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    spread: np.ndarray


class Surfaces(NamedTuple):
    """Counts of twins, (settings, types): all, and those marked. hottest: mean of the trusted ones, C.

    shares: `efficacy`, over trusted twins, and each event, where a twin that is not trusted counts as harmed.
    """

    twins: np.ndarray
    trusted: np.ndarray
    overheated: np.ndarray
    frozen: np.ndarray
    hottest: np.ndarray
    shares: dict[str, Share]


def surfaces(plan: Sweep, sums: Mapping[str, np.ndarray]) -> Surfaces:
    """From sums over all twins, (draws, settings, types)."""
    twins, trusted = (sums[name][0] for name in ("twins", "trusted"))
    with np.errstate(invalid="ignore", divide="ignore"):
        hottest = sums["hottest"][0] / trusted
    shares = {"efficacy": benefit(sums["efficacy"], sums["efficacy:squares"], trusted, plan.risk.confidence)}
    for name in plan.risk.most:
        shares[name] = risk(sums[name], sums[f"{name}:squares"], twins, plan.risk.confidence)
    return Surfaces(twins, trusted, sums["overheated"][0], sums["frozen"][0], hottest, shares)


def benefit(sums: np.ndarray, squares: np.ndarray, count: np.ndarray, confidence: float) -> Share:
    """A mean share with limits of its normal distribution over twins, mixed over draws; NaN where nobody is trusted."""
    mean, error, spread = _moments(sums, squares, count)
    safe = np.maximum(count, 1.0)
    means = sums / safe
    errors = np.sqrt(np.maximum(squares / safe - means**2, 0.0) / np.maximum(count - 1, 1)) + 1e-12

    def below(u: np.ndarray) -> np.ndarray:
        return norm.cdf((u - means) / errors).mean(axis=0)

    low, high = _where(below, 1 - confidence, mean), _where(below, confidence, mean)
    return Share(mean, np.minimum(low, mean), np.maximum(high, mean), error, spread)


def risk(sums: np.ndarray, squares: np.ndarray, count: np.ndarray, confidence: float) -> Share:
    """A mean probability and limits that hold even if everyone's own is 0 or 1: those of Clopper and Pearson (1934,
    Biometrika 26:404), mixed over the draws."""
    mean, error, spread = _moments(sums, squares, count)
    some = np.clip(sums, 0.0, count)
    high = _where(lambda u: betainc(some + 1, np.maximum(count - some, 1e-12), u).mean(axis=0), confidence, mean)
    low = _where(lambda u: betainc(np.maximum(some, 1e-12), count - some + 1, u).mean(axis=0), 1 - confidence, mean)
    return Share(mean, np.minimum(low, mean), np.maximum(high, mean), error, spread)


def _moments(sums: np.ndarray, squares: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / count
        variance = np.maximum(squares[0] / count - means[0] ** 2, 0.0)
        error = np.sqrt(variance / np.maximum(count - 1, 1))
    spread = means[1:].std(axis=0, ddof=1) if len(means) > 2 else np.full_like(means[0], np.nan)
    return means[0], error, spread


def _where(share: Callable[[np.ndarray], np.ndarray], level: float, like: np.ndarray) -> np.ndarray:
    """Where a rising function of the unit interval reaches a level."""
    low, high = np.zeros_like(like), np.ones_like(like)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = share(middle) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def read(folder: Path) -> dict[str, np.ndarray]:
    """Sums over all pieces of a sweep, added in the order of their numbers; (draws, settings, types)."""
    total: dict[str, np.ndarray] = {}
    for file in sorted((folder / "sums").glob("part-*.parquet")):
        stored = pq.read_table(file, use_threads=False)
        part = {name: stored[name].to_numpy() for name in stored.column_names}
        shape = tuple(len(np.unique(part.pop(name))) for name in ("draw", "setting", "skin_type"))
        for name, values in part.items():
            total[name] = total.get(name, 0.0) + values.reshape(shape)
    return total


def table(plan: Sweep, found: Surfaces) -> pa.Table:
    """One row a setting, skin type and quantity."""
    rows: list[dict] = []
    for number, setting in enumerate(numbered(plan)):
        for place, tone in enumerate(plan.population.skin_types):
            at = (number, place)
            counts = {name: int(getattr(found, name)[at]) for name in ("twins", "trusted", "overheated", "frozen")}
            hottest = float(found.hottest[at])
            for name, share in found.shares.items():
                told = {field: float(getattr(share, field)[at]) for field in Share._fields}
                rows.append({"setting": number, **setting, "skin_type": tone, "quantity": name, **told, **counts})
                rows[-1]["hottest"] = hottest
    return pa.Table.from_pylist(rows).replace_schema_metadata(ORIGIN)
