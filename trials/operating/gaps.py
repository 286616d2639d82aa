"""What replicates of an analysis that imputes need of each twin of the pool, so that they need not know the disease."""

import numpy as np
import pandas as pd

from ...core.disease import Disease, Outcome
from ..statistics import dataset
from ..statistics.completed import APPROACHES, measured
from ..study import Analysis

VISIT = "outcome at week "  # and the week: a column of a table whose visits stand side by side
DEPARTURE, LARGEST, ABOUT, EXTRA = "departure", "largest response", "about", "baseline"
OWN = (DEPARTURE, LARGEST)
TRIED = 201  # measurements at which a response is looked at before the threshold is halved in
HALVINGS = 60


def imputes(analysis: Analysis) -> bool:
    """Whether values that are missing are imputed."""
    return analysis.missing in APPROACHES


def frame(disease: Disease, analysis: Analysis, outcome: Outcome, records: dataset.Records) -> pd.DataFrame:
    """The table of an analysis, its visits side by side, and how an imputation goes on from there.

    Columns beside those of `dataset.table`: the measurement at each visit; `departure`, the number of the first visit
    to which a reference applies; of a response `largest response`, the measurement up to which it is one; `about`,
    whether the outcome is about the twin; `baseline`, the measurement at baseline, for which the imputation adjusts,
    if the analysis does not.

    Raises:
      ValueError: a response that is not that of low values.
    """
    part, inner = measured(disease, outcome)
    strategy = "hypothetical" if analysis.intercurrent == "hypothetical" else "treatment_policy"
    weeks = [week for week in sorted(records.rows) if 0 < week <= analysis.week]
    at = {week: dataset.value(records, inner, week, strategy)[0] for week in weeks}
    table = dataset.table(records, outcome, analysis.week, strategy)
    baseline = records.at(0)
    table[ABOUT] = True if outcome.of is None else np.asarray(outcome.of(baseline), bool)
    seen = ~np.isnan(np.stack(list(at.values()), axis=1))
    last = np.where(seen.any(axis=1), len(weeks) - seen[:, ::-1].argmax(axis=1), 0)
    after = np.searchsorted(np.array(weeks), records.event, side="right")
    table = table.assign(**{f"{VISIT}{week}": values for week, values in at.items()})
    table[DEPARTURE] = np.where(records.event < analysis.week, after, last).astype(float)
    if not part:
        return table
    largest = threshold(disease, outcome, part, baseline)
    if analysis.intercurrent == "composite":
        stopped = records.event <= analysis.week
        largest = np.where(stopped, -np.inf, largest)
        table["value"] = table["value"].where(~stopped, 0.0)
    table[LARGEST] = largest
    if f"baseline_{part}" not in analysis.covariates:
        table[EXTRA] = baseline[part]
    return table


def threshold(disease: Disease, outcome: Outcome, part: str, baseline: dict[str, np.ndarray]) -> np.ndarray:
    """The largest measurement of each twin that is a response, (twins,): below the scale's least if none is.

    Grades and counts are rounded before they are judged, so that half a step more is one, too.

    Raises:
      ValueError: a response that is not that of low values.
    """
    scale = disease.endpoints[part]
    number = len(baseline[part])

    def met(values: np.ndarray) -> np.ndarray:
        return np.asarray(outcome.derive(baseline | {part: values}, baseline), float) > 0

    whole = scale.unit in ("grade", "lesions")
    points = np.arange(scale.low, scale.high + 1) if whole and np.isfinite(scale.high) else None
    if points is None or len(points) > TRIED:
        top = scale.high if np.isfinite(scale.high) else max(1.0, 2 * float(np.nanmax(baseline[part])))
        points = np.linspace(scale.low, top, TRIED)
    told = np.stack([met(np.full(number, point)) for point in points], axis=1)
    if (told[:, 1:] & ~told[:, :-1]).any():
        raise ValueError(f"{outcome.name}: a response is expected where {part} is low, and nowhere above; it is not so")
    many = told.sum(axis=1)
    below = points[np.maximum(many - 1, 0)]
    above = points[np.minimum(many, len(points) - 1)]
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        fine = met(middle)
        below, above = np.where(fine, middle, below), np.where(fine, above, middle)
    found = np.floor(below + 1e-9) + 0.5 if whole else below
    return np.where(many == 0, -np.inf, np.where(many == len(points), np.inf, found))
