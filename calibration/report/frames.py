"""The tables that a calibration or a validation hands to its report, and what must stand in each.

Shares lie between 0 and 1, effects of importance among them; differences are in percentage points. A scheme says what
the fit has seen: `fitted` everything, `trials` not this trial, `class` no trial of its drug class. Intervals of
predictions hold 90 %, at the size of the arm; limits of observations and of parameters 95 %.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

SCHEMES = ("fitted", "trials", "class")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "predictions": (
        *("scheme", "trial", "title", "arm", "drug", "drug_class", "outcome", "week", "primary", "n"),
        *("observed", "predicted", "low", "high", "status"),
    ),
    "differences": (
        *("scheme", "trial", "arm", "comparator", "outcome", "week", "observed", "observed_low", "observed_high"),
        *("predicted", "low", "high", "sign_kept", "inside"),
    ),
    "parameters": (
        *("name", "about", "unit", "estimate", "low", "high", "prior_middle", "prior_sd", "posterior_sd"),
        *("contraction", "scale", "why"),
    ),
    "courses": ("drug", "outcome", "week", "published", "predicted"),
    "relapses": (
        "key",
        "drug",
        "week",
        "among",
        "outcome",
        "published",
        "predicted",
        "low",
        "high",
        "fitted",
        "status",
    ),
    "effects": ("covariate", "outcome", "published", "low", "high", "predicted", "fitted"),
    "onset": ("drug", "drug_class", "rate_published", "rank_published", "predicted", "rank_predicted"),
    "phototherapy": (
        *("week", "observed_low", "observed", "observed_high", "predicted_low", "predicted", "predicted_high"),
        *("unseen_low", "unseen", "unseen_high"),
    ),
    "phototherapy_relapse": ("fit", "patients", "month", "observed", "predicted"),
    "phototherapy_trials": ("trial", "arm", "outcome", "week", "n", "observed", "predicted"),
    "importance": (
        *("parameter", "about", "value", "unit", "low", "high", "quantity"),
        *("mu_star", "sigma", "s1", "s1_conf", "st", "st_conf"),
    ),
    "assumed": ("name", "about", "value", "unit", "source", "note"),
}


def take(found: object) -> dict[str, pd.DataFrame]:
    """The tables that `found` has as attributes; those that it lacks are empty.

    Raises:
      ValueError: a table lacks a column.
    """
    frames = {}
    for name, columns in COLUMNS.items():
        frame = getattr(found, name, None)
        frames[name] = pd.DataFrame(columns=list(columns)) if frame is None else frame
        lacking = [column for column in columns if column not in frames[name]]
        if lacking:
            raise ValueError(f"{name}: lacks {', '.join(lacking)}")
        strange = set(frames[name].get("scheme", ())) - set(SCHEMES)
        if strange:
            raise ValueError(
                f"{name}: no scheme {', '.join(sorted(map(repr, strange)))}; there are {', '.join(SCHEMES)}"
            )
    return frames


def rows(frame: pd.DataFrame, **wanted: object) -> list[Any]:
    """Rows whose columns have these values, as named tuples."""
    return [
        row
        for row in frame.itertuples(index=False)
        if all(getattr(row, name) == value for name, value in wanted.items())
    ]


def of_phototherapy(check: Any) -> dict[str, pd.DataFrame]:
    """The three tables of phototherapy, from what `psoriasis.phototherapy_check.check` finds."""
    quartiles = ("_low", "", "_high")
    weeks = [
        {"week": week.week}
        | {
            f"{what}{end}": value
            for what in ("observed", "predicted", "unseen")
            for end, value in zip(quartiles, getattr(week, what), strict=True)
        }
        for week in check.weeks
    ]
    fits = {"weekly PASI alone": check.relapse, "weekly PASI and relapse": check.relapse_if_fitted}
    relapses = [
        {"fit": fit, "patients": r.patients, "month": r.month, "observed": r.observed, "predicted": r.predicted}
        for fit, r in fits.items()
    ]
    trials = [
        {"trial": u.trial, "arm": u.arm, "outcome": u.outcome, "week": u.week, "n": u.n}
        | {"observed": u.observed / 100, "predicted": u.predicted / 100}
        for u in check.unseen
    ]
    parts = {"phototherapy": weeks, "phototherapy_relapse": relapses, "phototherapy_trials": trials}
    return {name: pd.DataFrame(found, columns=list(COLUMNS[name])) for name, found in parts.items()}
