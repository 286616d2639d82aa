"""What a trial of acne records at a visit, and the outcomes that analyses derive from it."""

from collections.abc import Callable
from typing import Any

from ..disease import Columns, Endpoint, Outcome
from .reading import DLQI, QUALITY, SIGNS, WORST

MOST = 1000.0  # lesions that anybody counts
COUNTS = {"inflammatory": "inflammatory lesions", "noninflammatory": "comedones", "total": "all lesions"}

RECORDED = (
    Endpoint("inflammatory", "inflammatory lesions of the face (papules, pustules, nodules)", "lesions", 0, MOST),
    Endpoint("noninflammatory", "comedones of the face", "lesions", 0, MOST),
    Endpoint("total", "inflammatory lesions and comedones of the face", "lesions", 0, 2 * MOST),
    Endpoint("nodules", "nodules of the face", "lesions", 0, MOST),
    Endpoint("iga", "Investigator's Global Assessment", "grade", 0, 4),
    Endpoint("acne_qol", "symptom scale of the Acne-QoL (30 is best)", "points", 0, QUALITY),
    Endpoint("dlqi", "Dermatology Life Quality Index", "points", 0, DLQI),
    *(Endpoint(sign, f"{sign} where the treatment is applied", "grade", 0, WORST) for sign in SIGNS),
    Endpoint("cheilitis", "cheilitis", "yes/no", 0, 1),
    Endpoint("resistant", "share of C. acnes resistant to antibiotics", "1", 0, 1),
)
ASKED_FOR = tuple(
    Endpoint(name, about, unit, 0, most, detail=True)
    for name, about, unit, most in (
        ("closed", "closed comedones", "lesions", MOST),
        ("open", "open comedones", "lesions", MOST),
        ("papules", "papules", "lesions", MOST),
        ("pustules", "pustules", "lesions", MOST),
        ("macules", "red macules that lesions left", "lesions", MOST),
        ("pih", "dark marks that lesions left (post-inflammatory hyperpigmentation)", "marks", 10 * MOST),
        ("scars", "atrophic scars since the first visit", "scars", MOST),
        ("sebum", "sebum excretion", "ug/cm2/min", 100.0),
        ("triglycerides", "triglycerides", "mg/dL", 5000.0),
        ("alt", "alanine aminotransferase", "U/L", 1000.0),
    )
)
ENDPOINTS = {e.name: e for e in RECORDED}
DETAILS = {e.name: e for e in ASKED_FOR}

Rule = Callable[[Columns, Columns], Any]


def _responder(name: str, about: str, met: Rule, endpoint: str) -> Outcome:
    """1 where `met`, else 0; NaN where the endpoint is missing, now or at baseline."""

    def derive(now: Columns, baseline: Columns) -> Any:
        both = now[endpoint] + baseline[endpoint]
        xp = both.__array_namespace__()
        return xp.where(xp.isnan(both), xp.nan, xp.where(met(now, baseline), 1.0, 0.0))

    return Outcome(name, about, "responder", "", derive)


def _success(now: Columns, baseline: Columns) -> Any:
    return (now["iga"] <= 1) & (baseline["iga"] - now["iga"] >= 2)


def _percent(endpoint: str) -> Outcome:
    def derive(now: Columns, baseline: Columns) -> Any:
        before = baseline[endpoint]
        xp = before.__array_namespace__()
        return xp.where(before > 0, 100 * (now[endpoint] - before) / xp.where(before > 0, before, 1.0), xp.nan)

    about = f"change of the number of {COUNTS[endpoint]} from baseline; of people who had some"
    return Outcome(f"{endpoint}_percent", about, "continuous", "%", derive)


def _change(name: str, endpoint: str, about: str, unit: str) -> Outcome:
    def derive(now: Columns, baseline: Columns) -> Any:
        return now[endpoint] - baseline[endpoint]

    return Outcome(name, f"change of {about} from baseline", "continuous", unit, derive)


OUTCOMES = {
    o.name: o
    for o in (
        _responder("iga_success", "IGA 0 or 1: clear or almost clear, at least two grades better", _success, "iga"),
        _responder("iga_moderate", "IGA 3 or 4: moderate or severe acne", lambda now, _: now["iga"] >= 3, "iga"),
        _responder(
            "inflammatory_half",
            "half of the inflammatory lesions of baseline or fewer",
            lambda now, baseline: 2 * now["inflammatory"] <= baseline["inflammatory"],
            "inflammatory",
        ),
        _responder(
            "inflammatory_back",
            "at least three quarters of the inflammatory lesions of baseline",
            lambda now, baseline: 4 * now["inflammatory"] >= 3 * baseline["inflammatory"],
            "inflammatory",
        ),
        *map(_percent, COUNTS),
        *(_change(f"{name}_change", name, about, "lesions") for name, about in COUNTS.items()),
        _change("nodules_change", "nodules", "nodules", "lesions"),
        _change("qol_change", "acne_qol", "the symptom scale of the Acne-QoL", "points"),
        _change("dlqi_change", "dlqi", "DLQI", "points"),
        _change("resistant_change", "resistant", "the share of C. acnes resistant to antibiotics", "share"),
    )
}
