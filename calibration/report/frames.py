"""The tables that a calibration or a validation hands to its report, and what must stand in each.

Shares lie between 0 and 1, effects of importance among them; means are in their own unit and have the standard error
`error` that chance gives them (NaN for shares). Differences of shares are in percentage points. A scheme says what the
fit has seen: `fitted` everything, `trials` not this trial, `class` no arm with its class of treatments, `held` nothing
of what was held back beforehand. Intervals of predictions hold 90 %, at the size of the arm; limits of observations and
of parameters 95 %. A disease has those tables that it can fill.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

SCHEMES = ("fitted", "trials", "class", "held")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "predictions": (
        *("scheme", "trial", "title", "arm", "drug", "drug_class", "outcome", "week", "primary", "n"),
        *("observed", "error", "predicted", "low", "high", "status"),
    ),
    "differences": (
        *("scheme", "trial", "arm", "comparator", "outcome", "week", "observed", "observed_low", "observed_high"),
        *("against", "predicted", "low", "high", "sign_kept", "inside", "tail"),
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
    "checks": ("check", "about", "unit", "low", "high", "predicted", "met", "status"),
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


AGAINST = ("active", "control")  # what the comparator of a difference receives


def take(found: object) -> dict[str, pd.DataFrame]:
    """The tables that `found` has as attributes; those that it lacks are empty.

    Raises:
      ValueError: a table lacks a column, or has a scheme or a kind of comparator that there is not.
    """
    frames = {}
    for name, columns in COLUMNS.items():
        frame = getattr(found, name, None)
        frames[name] = pd.DataFrame(columns=list(columns)) if frame is None else frame
        lacking = [column for column in columns if column not in frames[name]]
        if lacking:
            raise ValueError(f"{name}: lacks {', '.join(lacking)}")
        for column, known in (("scheme", SCHEMES), ("against", AGAINST)):
            strange = set(frames[name].get(column, ())) - set(known)
            if strange:
                none = ", ".join(sorted(map(repr, strange)))
                raise ValueError(f"{name}: no {column} {none}; there are {', '.join(known)}")
    return frames


def rows(frame: pd.DataFrame, **wanted: object) -> list[Any]:
    """Rows whose columns have these values, as named tuples."""
    return [
        row
        for row in frame.itertuples(index=False)
        if all(getattr(row, name) == value for name, value in wanted.items())
    ]
