"""Scores of predictions, and the criteria that a validation is held to (`limits.yaml`)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from ...core.parameters import Table, read_table
from .frames import SCHEMES, rows

HERE = Path(__file__).parent
JUDGED = ("pasi75", "pasi90")
LADDER = ("pasi50", *JUDGED, "pasi100")
CHECKED = (2, 4, 6, 8)  # weeks of phototherapy
COVARIATES = ("weight", "prior_biologic")
PLACEBO = "placebo"
NOTHING = float("nan")


class Score(NamedTuple):
    """How well a scheme predicts the rates of a group, at primary time points.

    error: mean absolute difference. bias: mean of predicted minus observed; both in percentage points.
    chance: the mean absolute difference that so few people make by chance alone, were the predictions true.
    coverage: share of rates inside their interval, with 95 % limits after Wilson (1927).
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


class Criterion(NamedTuple):
    """Something a validation must meet: `low` <= value <= `high`. value: NaN if it was not measured, which is a miss.

    set_by: key of the source of the limits.
    """

    key: str
    about: str
    value: float
    low: float
    high: float
    unit: str
    set_by: str
    met: bool


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
    """The limits of the criteria."""
    return read_table(HERE / "limits.yaml", sources=HERE / "sources.yaml")


def summary(frames: Mapping[str, pd.DataFrame]) -> Summary:
    """Scores and criteria of the tables of `frames.take`."""
    return Summary(tuple(scores(frames["predictions"])), tuple(criteria(frames)), _counts(frames["predictions"]))


def scores(predictions: pd.DataFrame) -> Iterable[Score]:
    """Scores at primary time points, by scheme: of both judged outcomes, by outcome, and of parts of both."""
    for scheme in SCHEMES:
        seen = primary(predictions, scheme)
        both = [row for row in seen if row.outcome in JUDGED]
        groups = {"PASI 75 and PASI 90": both}
        groups |= {f"PASI {name[4:]}": [row for row in seen if row.outcome == name] for name in LADDER}
        groups["both, active arms"] = [row for row in both if row.drug_class != PLACEBO]
        groups["both, placebo arms"] = [row for row in both if row.drug_class == PLACEBO]
        groups["both, rates as published"] = [row for row in both if row.status == "measured"]
        groups["both, recalled rates"] = [row for row in both if row.status != "measured"]
        yield from (score(scheme, group, part) for group, part in groups.items() if part)


def by_class(predictions: pd.DataFrame, scheme: str) -> list[Score]:
    """Scores of both judged outcomes of each drug class, the largest error first."""
    both = [row for row in primary(predictions, scheme) if row.outcome in JUDGED]
    names = sorted({row.drug_class for row in both})
    found = [score(scheme, name, [row for row in both if row.drug_class == name]) for name in names]
    return sorted(found, key=lambda entry: -entry.error)


def primary(predictions: pd.DataFrame, scheme: str) -> list[Any]:
    """The rates at primary time points."""
    return [row for row in rows(predictions, scheme=scheme) if row.primary]


def inside(row: Any) -> bool:
    """Whether an observed rate lies in its prediction interval, ends included."""
    return bool(row.low <= row.observed <= row.high)


def score(scheme: str, group: str, part: Sequence[Any]) -> Score:
    """The score of some rates, at least one."""
    gaps = np.array([row.predicted - row.observed for row in part])
    caught = sum(inside(row) for row in part)
    low, high = wilson(caught, len(part), 0.95)
    error, bias = 100 * float(np.abs(gaps).mean()), 100 * float(gaps.mean())
    chance = 100 * float(
        np.mean([math.sqrt(2 / math.pi * p * (1 - p) / n) for p, n in ((r.predicted, r.n) for r in part)])
    )
    return Score(scheme, group, len(part), error, bias, chance, caught / len(part), low, high)


def wilson(count: float, n: int, level: float) -> tuple[float, float]:
    """Limits of a share after Wilson (1927)."""
    z, share = float(norm.ppf(0.5 + level / 2)), count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def criteria(frames: Mapping[str, pd.DataFrame]) -> list[Criterion]:
    """All criteria, each measured or not."""
    judged = [row for row in primary(frames["predictions"], "trials") if row.outcome in JUDGED]
    unseen = score("trials", "", judged) if judged else None
    relapse_low, relapse_high, relapse = _phototherapy_relapse(frames["phototherapy_relapse"])
    return [
        _criterion("error", unseen.error if unseen else NOTHING, high="error.most"),
        _criterion("coverage", unseen.coverage if unseen else NOTHING, low="coverage.least", high="coverage.most"),
        _criterion("differences", _differences(frames["differences"]), high="differences.most"),
        _criterion("phototherapy", _phototherapy(frames["phototherapy"]), high="phototherapy.most"),
        Criterion(
            "phototherapy_relapse",
            "NB-UVB patients who relapse, within the 95 % limits of the observed share",
            relapse,
            relapse_low,
            relapse_high,
            "share of patients",
            limits()["phototherapy.level"].source,
            bool(relapse_low <= relapse <= relapse_high),
        ),
        _criterion("onset", _onset(frames["onset"]), low="onset.least"),
        _criterion("effects", _effects(frames["effects"]), high="effects.most"),
        _criterion("relapse", _relapse(frames["relapses"]), high="relapse.most"),
    ]


def _criterion(key: str, value: float, low: str = "", high: str = "") -> Criterion:
    told = limits()[low or high]
    least, most = (limits().value(name) if name else end for name, end in ((low, -math.inf), (high, math.inf)))
    return Criterion(key, told.about, value, least, most, told.unit, told.source, bool(least <= value <= most))


def _differences(frame: pd.DataFrame) -> float:
    """How many differences of unseen trials are missed."""
    seen = rows(frame, scheme="trials")
    return float(sum(missed(row) for row in seen)) if seen else NOTHING


def missed(row: Any) -> bool:
    """Whether a difference between arms changes sign or lies outside its interval."""
    return not (row.sign_kept and row.inside)


def _phototherapy(frame: pd.DataFrame) -> float:
    """The largest error of the median over the weeks checked, all of which must be there."""
    seen = {row.week: abs(row.unseen - row.observed) for row in rows(frame)}
    return float(max(seen[week] for week in CHECKED)) if set(CHECKED) <= set(seen) else NOTHING


def _phototherapy_relapse(frame: pd.DataFrame) -> tuple[float, float, float]:
    """Limits of the observed share of relapse, and the predicted one, of the first fit."""
    if frame.empty:
        return NOTHING, NOTHING, NOTHING
    first = rows(frame)[0]
    low, high = wilson(first.observed * first.patients, int(first.patients), limits().value("phototherapy.level"))
    return low, high, float(first.predicted)


def _onset(frame: pd.DataFrame) -> float:
    """Rank correlation over drug classes, each with the mean rank of its drugs."""
    names = sorted({row.drug_class for row in rows(frame)})
    if len(names) < 3:
        return NOTHING
    ranks = [
        rankdata([np.mean([getattr(row, column) for row in rows(frame, drug_class=name)]) for name in names])
        for column in ("rank_published", "rank_predicted")
    ]
    return float(np.corrcoef(*ranks)[0, 1])


def _effects(frame: pd.DataFrame) -> float:
    """How many odds ratios of weight and earlier biologics lie outside their published limits."""
    judged = [row for row in rows(frame) if row.covariate in COVARIATES and within(row) is not None]
    return float(sum(not within(row) for row in judged)) if judged else NOTHING


def within(row: Any) -> bool | None:
    """Whether a predicted odds ratio lies within its published limits, up to rounding; None if there are none."""
    if pd.isna(row.low) or pd.isna(row.high):
        return None
    slack = limits().value("effects.rounding")
    return bool(row.low - slack <= row.predicted <= row.high + slack)


def _relapse(frame: pd.DataFrame) -> float:
    gaps = [abs(row.predicted - row.published) for row in rows(frame) if not row.fitted]
    return 100 * float(np.mean(gaps)) if gaps else NOTHING


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
