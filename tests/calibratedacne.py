"""Made-up results of a calibration of acne and its validation, in the shape of the real ones: published figures, and
predictions that miss them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from cutis.calibration.acne import validate
from cutis.calibration.acne.evidence.arms import arms, independent
from cutis.calibration.acne.table import covers
from cutis.calibration.predict import Draws, differences, predictions

from .calibrated import _parameters

VARIATION = {"counts": 0.02, "shares": 0.02, "percent": 3.0, "comedones": 3.0, "change": 1.5, "score": 1.0}


def found(error: float = 1.0, seed: int = 1) -> SimpleNamespace:
    """Tables of `calibration.report`; predictions miss by 4 points times `error`, and intervals allow for as much."""
    trials = independent(arms())
    keys = [(t.key, a.name, r.outcome, r.week) for t in trials for a in t.arms for r in a.readouts if covers(a, r)]
    table = SimpleNamespace(place={key: i for i, key in enumerate(keys)})
    told = list(validate.figures(trials, table))
    rng = np.random.default_rng(seed)
    parts, between = [], []
    for scheme, wider in (("fitted", 0.6), ("trials", 1.0), ("class", 2.0), ("held", 1.5)):
        spread = np.array([4 * wider * (0.01 if f.error is None else 1.0) for f in told])
        at = np.array([f.observed for f in told]) + error * spread * rng.standard_normal(len(told))
        shares = np.array([f.error is None for f in told])
        at = np.where(shares, np.clip(at, 0.01, 0.99), at)
        drawn = at + spread * rng.standard_normal((200, len(told)))
        draws = Draws(at, np.where(shares, np.clip(drawn, 0.001, 0.999), drawn), VARIATION)
        seen = told if scheme in ("fitted", "trials") else told[::3]
        errors = [np.nan if f.error is None else f.error for f in seen]
        parts.append(predictions(scheme, seen, draws).assign(error=errors))
        if scheme in ("fitted", "trials"):
            pairs = list(validate.pairs(seen))
            against = ["control" if validate._is_control(pair.other) else "active" for pair in pairs]
            between.append(differences(scheme, pairs, draws).assign(against=against))
    return SimpleNamespace(
        predictions=pd.concat(parts, ignore_index=True),
        differences=pd.concat(between, ignore_index=True),
        parameters=_parameters().replace(regex={"plaque": "comedone", "adalimumab": "dapsone"}),
        checks=pd.DataFrame({
            "check": ["order", "ratio"], "about": ["comedones over inflammatory lesions", "40 mg over 100 mg"],
            "unit": "1", "low": [-np.inf, 0.75], "high": [1.0, 1.25], "predicted": [0.93, 0.6], "met": [True, False],
            "status": ["assumed", "measured"],
        }),
        assumed=pd.DataFrame({
            "name": ["model.loose"], "about": "turnover", "value": [0.1], "unit": "1/day", "source": "Doe 2020",
            "note": [None], "unranked": ["no ranking yet"],
        }),
    )  # fmt: skip
