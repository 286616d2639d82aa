"""A small made-up run with every kind of outcome, for the tests of the methods that studies may ask for."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from cutis.core.disease import Disease, Endpoint, Outcome
from cutis.trials.study import Study

WEEKS = (0, 4, 8, 12)


def _half(now, before):
    return np.where(np.isnan(now + before), np.nan, now <= before / 2)


OUTCOMES = {
    "half": Outcome("half", "PASI halved", "responder", "", lambda now, b: _half(now["pasi"], b["pasi"])),
    "mixed": Outcome("mixed", "both", "responder", "", lambda now, b: _half(now["pasi"] + now["iga"], b["pasi"])),
    "severe": Outcome(
        "severe", "PASI halved, of the severe", "responder", "",
        lambda now, b: np.where(b["pasi"] >= 20, _half(now["pasi"], b["pasi"]), np.nan), lambda b: b["pasi"] >= 20,
    ),
    "change": Outcome("change", "change of PASI", "continuous", "points", lambda now, b: now["pasi"] - b["pasi"]),
}  # fmt: skip
ENDPOINTS = {
    "pasi": Endpoint("pasi", "PASI", "points", 0, 72),
    "iga": Endpoint("iga", "Global Assessment", "grade", 0, 4),
    "lesions": Endpoint("lesions", "lesions", "lesions", 0, 200),
    "nodules": Endpoint("nodules", "nodules", "lesions", 0, 200, detail=True),
}
DISEASE = cast(
    Disease,
    SimpleNamespace(
        name="psoriasis", attributes=("weight",), endpoints=ENDPOINTS, outcomes=OUTCOMES, sides=None, waterfall="change"
    ),
)
PLAN: dict[str, Any] = {"outcome": "half", "week": 12, "arm": "active", "comparator": "placebo"}


def study(plans, split=False):
    arms = ("active", "placebo") if split else ("active", "high", "placebo")
    trial: dict[str, Any] = {
        "title": "t",
        "question": "q",
        "disease": "psoriasis",
        "arms": {arm: {} for arm in arms},
        "visits": list(WEEKS),
        "eligibility": {},
        "randomisation": {"allocation": dict.fromkeys(arms, 1), "block_size": 6},
        "conduct": {
            "adherence": {"probability": 0.9, "spread": 0},
            "discontinuation": {
                "adverse_event": 0,
                "other": 0,
                "lack_of_efficacy": 0,
                "lack_of_efficacy_from": 0,
                "followed_up": 0,
            },
            "missed_visit": 0,
        },
        "outcomes": ["half", "change"],
        "analyses": plans,
    }
    if split:
        trial["design"] = "split_body"
    return Study.model_validate({"seed": 1, "population": {"source": "p", "size": 180}, "trial": trial})


def tables(n=180, arms=("active", "high", "placebo")):
    """Some twins stop at week 6 and half of these are seen no more; some visits are missed."""
    rng = np.random.default_rng(7)
    twins = pd.DataFrame({"twin": np.arange(n) + 10, "arm": np.resize(arms, n), "weight": rng.normal(88, 20, n)})
    twins["stratum"] = np.where(twins["weight"] > 90, "heavy", "light")
    kept = twins["arm"].map({"active": 0.4, "high": 0.25, "placebo": 0.75}).to_numpy()
    start, luck = 12 + rng.gamma(1.1, 7, n), rng.normal(0, 0.25, n)
    stopped = rng.random(n) < 0.15
    gone = stopped & (rng.random(n) < 0.5)
    courses = []
    for week in WEEKS:
        pasi = start * kept ** (week / 12) * np.exp((luck + rng.normal(0, 0.2, n)) * (week > 0))
        grade = np.clip(np.round(pasi / 6), 0, 4)
        courses.append(
            pd.DataFrame(
                {
                    "twin": twins["twin"],
                    "arm": twins["arm"],
                    "week": week,
                    "seen": (week == 0) | ((rng.random(n) > 0.04) & ~(gone & (week > 6))),
                    "pasi": pasi,
                    "iga": grade,
                    "lesions": rng.negative_binomial(2, 2 / (2 + pasi)).astype(float),
                }
            )
        )
    events = twins.loc[stopped, ["twin", "arm"]].assign(week=6, event="treatment stopped", reason="other")
    return twins, pd.concat(courses, ignore_index=True), events
