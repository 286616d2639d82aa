"""What a validation of psoriasis is held to (`limits.yaml`)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ...core.parameters import Table, read_table
from ..report.frames import rows
from ..report.summary import inside, judged, missed, wilson, within
from ..report.told import NOTHING, Criterion, criterion

HERE = Path(__file__).parent
JUDGED = ("pasi75", "pasi90")
CHECKED = (2, 4, 6, 8)  # weeks of phototherapy
COVARIATES = ("weight", "prior_biologic")


@cache
def limits() -> Table:
    """The limits of the criteria."""
    return read_table(HERE / "limits.yaml", sources=HERE / "limits_sources.yaml")


def criteria(frames: Mapping[str, pd.DataFrame]) -> list[Criterion]:
    """All criteria, each measured or not."""
    unseen = judged(frames["predictions"], "trials", JUDGED)
    error = 100 * float(np.mean([abs(row.predicted - row.observed) for row in unseen])) if unseen else NOTHING
    caught = float(np.mean([inside(row) for row in unseen])) if unseen else NOTHING
    relapse_low, relapse_high, relapse = _phototherapy_relapse(frames["phototherapy_relapse"])
    told = limits()
    return [
        criterion(told, "error", error, high="error.most", aim="error.aim"),
        criterion(told, "coverage", caught, low="coverage.least", high="coverage.most"),
        criterion(told, "differences", _differences(frames["differences"]), high="differences.most"),
        criterion(told, "differences_few", _differences_few(frames["differences"]), high="differences.at_their_number"),
        criterion(told, "differences_inside", _differences_inside(frames["differences"]), low="differences.inside"),
        criterion(told, "phototherapy", _phototherapy(frames["phototherapy"]), high="phototherapy.most"),
        Criterion(
            "phototherapy_relapse",
            "NB-UVB patients who relapse, within the 95 % limits of the observed share",
            relapse,
            relapse_low,
            relapse_high,
            "share of patients",
            told["phototherapy.level"].source,
            bool(relapse_low <= relapse <= relapse_high),
        ),
        criterion(told, "onset", _onset(frames["onset"]), low="onset.least"),
        criterion(told, "effects", _effects(frames["effects"]), high="effects.most"),
        criterion(told, "relapse", _relapse(frames["relapses"]), high="relapse.most"),
    ]


def _differences(frame: pd.DataFrame) -> float:
    """How many differences of unseen trials change sign or lie outside their 90 % interval."""
    seen = rows(frame, scheme="trials", against="active")
    return float(sum(missed(row) for row in seen)) if seen else NOTHING


def _differences_few(frame: pd.DataFrame) -> float:
    """How many differences of unseen trials are missed, at the level at which n true intervals miss one on average.

    At 90 % a model that is right misses a tenth of them, so that all but one of some forty would be too wide a model.
    """
    seen = rows(frame, scheme="trials", against="active")
    return float(sum(not row.sign_kept or row.tail < 1 / len(seen) for row in seen)) if seen else NOTHING


def _differences_inside(frame: pd.DataFrame) -> float:
    """Share of differences of unseen trials inside their 90 % intervals."""
    seen = rows(frame, scheme="trials", against="active")
    return float(np.mean([row.inside for row in seen])) if seen else NOTHING


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
    seen = [row for row in rows(frame) if row.covariate in COVARIATES and within(row) is not None]
    return float(sum(not within(row) for row in seen)) if seen else NOTHING


def _relapse(frame: pd.DataFrame) -> float:
    gaps = [abs(row.predicted - row.published) for row in rows(frame) if not row.fitted]
    return 100 * float(np.mean(gaps)) if gaps else NOTHING
