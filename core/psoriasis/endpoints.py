"""What a trial of psoriasis records at a visit, and the outcomes that analyses derive from it."""

from collections.abc import Callable
from typing import Any

from ..disease import Columns, Endpoint, Outcome
from .skin import REGIONS, SIGNS

NEEDED = 4.0  # points of itch: the least at baseline, and the improvement, of an itch response
WHERE = {"head": "head", "upper": "upper limbs", "trunk": "trunk", "lower": "lower limbs"}

RECORDED = (
    Endpoint("pasi", "Psoriasis Area and Severity Index", "points", 0, 72),
    Endpoint("bsa", "body surface area with psoriasis", "%", 0, 100),
    Endpoint("iga", "Investigator's Global Assessment", "grade", 0, 4),
    Endpoint("dlqi", "Dermatology Life Quality Index", "points", 0, 30),
    Endpoint("itch", "worst itch, numeric rating scale", "points", 0, 10),
)


def _components(region: str) -> tuple[Endpoint, ...]:
    signs = (
        Endpoint(f"pasi_{region}_{sign}", f"{sign} of the {WHERE[region]}", "grade", 0, 4, detail=True)
        for sign in SIGNS
    )
    area = Endpoint(f"pasi_{region}_area", f"area score of the {WHERE[region]}", "class", 0, 6, detail=True)
    return (*signs, area)


ENDPOINTS = {e.name: e for e in RECORDED}
DETAILS = {e.name: e for region in REGIONS for e in _components(region)}  # what PASI is made of


Rule = Callable[[Columns, Columns], Any]
Start = Callable[[Columns], Any]


def _responder(name: str, about: str, met: Rule, endpoint: str, of: Start | None = None) -> Outcome:
    """1 where `met`, else 0; NaN where the endpoint is missing, now or at baseline, and in people not in `of`."""

    def derive(now: Columns, baseline: Columns) -> Any:
        both = now[endpoint] + baseline[endpoint]
        xp = both.__array_namespace__()
        known = ~xp.isnan(both) if of is None else ~xp.isnan(both) & of(baseline)
        return xp.where(known, xp.where(met(now, baseline), 1.0, 0.0), xp.nan)

    return Outcome(name, about, "responder", "", derive, of)


def _improved(percent: int) -> Outcome:
    def met(now: Columns, baseline: Columns) -> Any:
        # in tenths of a point all of this is whole, so half a tenth settles every rounding
        return 100 * (baseline["pasi"] - now["pasi"]) >= percent * baseline["pasi"] - 0.05

    return _responder(f"pasi{percent}", f"PASI {percent}: PASI at least {percent} % below baseline", met, "pasi")


def _low(limit: int) -> Outcome:
    about = f"PASI of at most {limit}, whatever it was at baseline"
    return _responder(f"pasi_at_most_{limit}", about, lambda now, _: now["pasi"] < limit + 0.05, "pasi")


def _almost_clear(now: Columns, baseline: Columns) -> Any:
    return (now["iga"] <= 1) & (baseline["iga"] - now["iga"] >= 2)


def _change(name: str, endpoint: str, about: str) -> Outcome:
    def derive(now: Columns, baseline: Columns) -> Any:
        return now[endpoint] - baseline[endpoint]

    return Outcome(name, f"change of {about} from baseline, in points", "continuous", "points", derive)


def _percent(now: Columns, baseline: Columns) -> Any:
    return 100 * (now["pasi"] - baseline["pasi"]) / baseline["pasi"]


OUTCOMES = {
    o.name: o
    for o in (
        *(_improved(percent) for percent in (50, 75, 90, 100)),
        *(_low(limit) for limit in (1, 2, 3, 5)),
        _responder("iga01", "IGA 0 or 1: clear or almost clear, at least two grades better", _almost_clear, "iga"),
        _responder("bsa_at_most_1", "psoriasis on at most 1 % of the skin", lambda now, _: now["bsa"] <= 1, "bsa"),
        _responder("dlqi01", "DLQI 0 or 1: no effect on life", lambda now, _: now["dlqi"] <= 1, "dlqi"),
        _responder(
            "itch_response",
            f"itch at least {NEEDED:.0f} points better, of people with at least {NEEDED:.0f} at baseline",
            lambda now, baseline: baseline["itch"] - now["itch"] >= NEEDED,
            "itch",
            of=lambda baseline: baseline["itch"] >= NEEDED,
        ),
        Outcome("pasi_change", "change of PASI from baseline", "continuous", "%", _percent),
        _change("pasi_points", "pasi", "PASI"),
        _change("dlqi_change", "dlqi", "DLQI"),
        _change("itch_change", "itch", "itch"),
    )
}
