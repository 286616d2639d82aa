"""Scores of predictions, and what a report comes to."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from ...core.parameters import Table, read_table
from .frames import SCHEMES, rows
from .told import Criterion, Told

HERE = Path(__file__).parent


class Score(NamedTuple):
    """How well a scheme predicts the figures of a group, at primary time points.

    error: mean absolute difference. bias: mean of predicted minus observed; both in the unit of the group, which is
    percentage points for shares of people and for changes in per cent.
    chance: the mean absolute difference that so few people make by chance alone, were the predictions true.
    coverage: share of figures inside their interval, with 95 % limits after Wilson (1927).
    """

    scheme: str
    group: str
    rates: int
    error: float
    bias: float
    chance: float
    coverage: float
    coverage_low: float
    coverage_high: float


@dataclass(frozen=True)
class Summary:
    """What a report comes to."""

    scores: tuple[Score, ...]
    criteria: tuple[Criterion, ...]
    counts: Mapping[str, int]

    @property
    def missed(self) -> tuple[Criterion, ...]:
        """Criteria that are not met, among them those that were not measured."""
        return tuple(criterion for criterion in self.criteria if not criterion.met)

    def numbers(self) -> dict[str, Any]:
        """All of it as plain data; what was not measured is None."""
        found = asdict(self)
        for part in ("scores", "criteria"):
            found[part] = [_plain(entry._asdict()) for entry in getattr(self, part)]
        return found


@cache
def limits() -> Table:
    """Limits that the reports of all diseases go by."""
    return read_table(HERE / "limits.yaml", sources=HERE / "sources.yaml")


def summary(frames: Mapping[str, pd.DataFrame], told: Told) -> Summary:
    """Scores and criteria of the tables of `frames.take`."""
    predictions = frames["predictions"]
    return Summary(tuple(scores(predictions, told)), tuple(told.criteria(frames)), _counts(predictions))


def scores(predictions: pd.DataFrame, told: Told) -> Iterable[Score]:
    """Scores at primary time points, by scheme: of each pool of judged outcomes, by outcome, and of parts of pools."""
    for scheme in SCHEMES:
        seen = primary(predictions, scheme)
        pools = {pool: [row for row in seen if row.outcome in pool.outcomes] for pool in told.pools}
        groups = {pool.name: part for pool, part in pools.items()}
        for key, outcome in told.outcomes.items():
            groups.setdefault(outcome.name, [row for row in seen if row.outcome == key])
        for pool, part in pools.items():
            groups[f"{pool.short}, active arms"] = [row for row in part if row.drug_class not in told.controls]
            groups[f"{pool.short}, {told.words.control} arms"] = [r for r in part if r.drug_class in told.controls]
            groups[f"{pool.short}, {told.words.figures} as published"] = [r for r in part if r.status == "measured"]
            groups[f"{pool.short}, recalled {told.words.figures}"] = [r for r in part if r.status != "measured"]
        yield from (score(scheme, group, part, told) for group, part in groups.items() if part)


def by_class(predictions: pd.DataFrame, scheme: str, told: Told) -> list[Score]:
    """Scores of all that is judged of each drug class, the largest error first."""
    judged = [row for row in primary(predictions, scheme) if row.outcome in told.judged]
    names = sorted({row.drug_class for row in judged})
    found = [score(scheme, name, [row for row in judged if row.drug_class == name], told) for name in names]
    return sorted(found, key=lambda entry: -entry.error)


def judged(predictions: pd.DataFrame, scheme: str, outcomes: Sequence[str]) -> list[Any]:
    """Figures of these outcomes at primary time points."""
    return [row for row in primary(predictions, scheme) if row.outcome in outcomes]


def primary(predictions: pd.DataFrame, scheme: str) -> list[Any]:
    """The figures at primary time points."""
    return [row for row in rows(predictions, scheme=scheme) if row.primary]


def inside(row: Any) -> bool:
    """Whether an observed figure lies in its prediction interval, ends included."""
    return bool(row.low <= row.observed <= row.high)


def score(scheme: str, group: str, part: Sequence[Any], told: Told) -> Score:
    """The score of some figures, at least one."""
    factors = np.array([told.outcomes[row.outcome].factor for row in part])
    gaps = factors * np.array([row.predicted - row.observed for row in part])
    chance = float((factors * [_chance(row) for row in part]).mean())
    caught = sum(inside(row) for row in part)
    low, high = wilson(caught, len(part), 0.95)
    error, bias = float(np.abs(gaps).mean()), float(gaps.mean())
    return Score(scheme, group, len(part), error, bias, chance, caught / len(part), low, high)


def _chance(row: Any) -> float:
    """Mean absolute difference that chance makes: of a share of people, or of a mean with its standard error."""
    known = not pd.isna(row.error)
    return math.sqrt(2 / math.pi) * (row.error if known else math.sqrt(row.predicted * (1 - row.predicted) / row.n))


def wilson(count: float, n: int, level: float) -> tuple[float, float]:
    """Limits of a share after Wilson (1927)."""
    z, share = float(norm.ppf(0.5 + level / 2)), count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def missed(row: Any) -> bool:
    """Whether a difference between arms changes sign or lies outside its interval."""
    return not (row.sign_kept and row.inside)


def within(row: Any) -> bool | None:
    """Whether a predicted odds ratio lies within its published limits, up to rounding; None if there are none."""
    if pd.isna(row.low) or pd.isna(row.high):
        return None
    slack = limits().value("effects.rounding")
    return bool(row.low - slack <= row.predicted <= row.high + slack)


def _counts(predictions: pd.DataFrame) -> dict[str, int]:
    unseen = rows(predictions, scheme="trials") or rows(predictions)
    return {
        "trials": len({row.trial for row in unseen}),
        "arms": len({(row.trial, row.arm) for row in unseen}),
        "rates": len(unseen),
        "primary rates": sum(bool(row.primary) for row in unseen),
    }


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
