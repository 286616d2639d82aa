"""Relapse after isotretinoin beside published facts: after usual courses, after low doses, over years."""

from collections.abc import Iterator

import numpy as np

from ...core.acne.treatments import PARAMETERS
from . import relapse
from .enrolled import MODERATE
from .evidence.targets import Hazard, Relapse, hazards, relapses
from .follow import Crowd, Scene, plan
from .found import Found, about, at_most, between, near, number

GROUP = "relapse"
AGES = {"isotretinoin_low_young": (12, 20), "isotretinoin_low_older": (21, 35)}  # years
CHARTS, AGAIN = "isotretinoin_charts", "isotretinoin_claims_again"
EVENT = {relapse.SHARE: "relapse", AGAIN: "again"}


def facts(of: Scene) -> Iterator[Found]:
    """All rows of `relapse.yaml` on isotretinoin, and sebum a year after it."""
    known = {fact.key: fact for fact in relapses()}
    found = relapse.courses(of)
    events = {relapse.SHARE: found.relapse, AGAIN: found.again}
    for key, event in events.items():
        yield _relapsed(known[key], relapse.share(event), key == relapse.SHARE)
    ratios = {key: relapse.ratios(event, found.cumulative, found.female) for key, event in events.items()}
    for fact in hazards():
        yield _hazard(fact, float(np.exp(ratios[fact.of][fact.covariate])))
    yield _relapsed(known[CHARTS], _charts(of, known[CHARTS]), False)
    for key in AGES:
        yield _relapsed(known[key], low(of, known[key]), False)
    yield _sebum(known[relapse.SHARE], float(found.sebum.mean()))


def fitted() -> bool:
    """Whether the parameters that an estimate sets rest on relapse."""
    return any(PARAMETERS[name].status == "calibrated" for name in relapse.ESTIMATED)


def low(of: Scene, fact: Relapse) -> float:
    """Share with relapse after the regimen of a fact, of people of the ages that it is of."""
    least, most = AGES[fact.key]
    crowd = of.crowd({**MODERATE, "age": {"min": least, "max": most}})
    end = max(course.until or 0 for course in fact.courses)
    (weeks,) = fact.relapsed
    seen = of.on(crowd, plan(fact.courses, crowd, end + weeks), supervised=True)
    return relapse.share(relapse.events(seen, _all(crowd, end), weeks)[0])


def _charts(of: Scene, fact: Relapse) -> float:
    """Share that takes isotretinoin again within years after usual courses."""
    crowd = of.crowd(MODERATE)
    (weeks,) = fact.relapsed
    daily, end = relapse.assigned(crowd, 0, 1)
    given = relapse.course(crowd, daily, end, int(number("relapse.longest")) + weeks)
    return relapse.share(relapse.events(of.on(crowd, given, supervised=True), end, weeks)[1])


def _all(crowd: Crowd, week: int) -> np.ndarray:
    return np.full(crowd.size, week)


def _relapsed(fact: Relapse, share: float, by_it: bool) -> Found:
    ((week, told),) = fact.relapsed.items()
    words = f"{fact.loss} within {week} weeks after {fact.treatment}"
    words += f" at {fact.courses[0].tiers[0].dose.amount:g} mg a day" if fact.courses else ""
    limits = near(told, number("tolerance.relapse"))
    words += f", {AGES[fact.key][0]} to {AGES[fact.key][1]} years" if fact.key in AGES else ""
    return about(fact, GROUP, words, "percent", by_it and fitted(), predicted=100 * share, **limits)


def _hazard(fact: Hazard, ratio: float) -> Found:
    event = {"relapse": "relapse", "again": "isotretinoin again"}[EVENT[fact.of]]
    which = "for 1 mg/kg more of cumulative dose" if fact.covariate == "cumulative_dose" else "of women over men"
    limits = between(fact.low, fact.high) | {"observed": (fact.hazard_ratio, fact.hazard_ratio)}
    words = f"hazard ratio of {event} {which}"
    limits["rule"] = "inside its 95 % limits"
    by_it = fact.key == relapse.DOSE and fitted()
    return about(fact, GROUP, words, "ratio", by_it, predicted=ratio, **limits)


def _sebum(fact: Relapse, left: float) -> Found:
    words = "sebum a year after isotretinoin, of its level before"
    told = at_most(number("relapse.sebum"), rule="still below")
    found = about(fact, GROUP, words, "1", predicted=left, **told)
    source = "recalled; a poor sign if it is back: Cunliffe WJ, Norris JF. Dermatologica 1987;175 Suppl 1:133-137"
    return found._replace(check="sebum_a_year_after", status="assumed", source=source)
