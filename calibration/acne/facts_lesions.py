"""How treatments act on lesions of either kind, what is kept after them, and the menstrual cycle, beside facts."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..evidence.regimens import Course
from .enrolled import SEVERE, USUAL, WOMEN
from .evidence.arms import arms
from .evidence.regimens import read_acne_courses
from .evidence.targets import Check, checks, maintenance
from .follow import WEEK, Followed, Plan, Scene, nothing, plan
from .found import Found, about, at_least, at_most, near, number, unanswered

KINDS = ("inflammatory", "noninflammatory")
ORDER_WEEK, DOXYCYCLINE_WEEK = 12, 16
TOPICAL = {"dose": "1 application", "times_a_day": 1, "weeks": [0]}
RETINOIDS = {"adapalene": 0.1, "adapalene_03": 0.3, "tretinoin": 0.05, "tazarotene": 0.045, "trifarotene": 0.005}  # %
ANTIBIOTICS = {"doxycycline": "100 mg", "minocycline": "1 mg/kg", "sarecycline": "1.5 mg/kg"}
CLINDAMYCIN = 1.2  # %
ALIKE = {"adapalene_03": ("adapalene", 0.3)}  # how trials' tables write it
FLARE_WEEKS, CYCLE = 12, 28  # weeks that women are followed, days of the last of them that are looked at
FASCE = {"17": "spironolactone_success_17", "26": "spironolactone_success_26"}


def facts(of: Scene) -> Iterator[Found]:
    """Doses of doxycycline, the order of effects, maintenance, flares, spironolactone against doxycycline."""
    known = {check.key: check for check in checks()}
    yield from _doxycycline(of, known)
    yield from _order(of)
    yield from _maintenance(of)
    yield from _flare(of, known)
    yield from _spironolactone(of, known)


def topical(name: str, strength: float, until: int, often: int = 1) -> tuple[Course, ...]:
    """A topical drug once a day."""
    told = {"treatment": name, "strength": strength, **TOPICAL, "times_a_day": often, "until": until}
    return read_acne_courses({"regimen": [told]}, name)


def oral(name: str, dose: str, until: int, often: int = 1) -> tuple[Course, ...]:
    """A drug by mouth."""
    told = {"treatment": name, "dose": dose, "times_a_day": often, "weeks": [0], "until": until}
    return read_acne_courses({"regimen": [told]}, name)


def control(route: str, until: int) -> tuple[Course, ...]:
    """A vehicle or a placebo tablet once a day."""
    name, dose = ("vehicle", "1 application") if route == "topical" else ("placebo_tablet", "1 tablet")
    return oral(name, dose, until)


def _doxycycline(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    until = DOXYCYCLINE_WEEK
    given = {"placebo": control("oral", until), "20": oral("doxycycline", "20 mg", until, 2)}
    given["100"] = oral("doxycycline", "100 mg", until)
    seen = {name: of.follow(courses, until, USUAL) for name, courses in given.items()}
    lost = {name: one.change("inflammatory", until) for name, one in seen.items()}
    fact, group = known["doxycycline_40_of_100"], "doxycycline"
    ratio = (lost["20"] - lost["placebo"]) / (lost["100"] - lost["placebo"])
    yield about(fact, group, fact.about, fact.unit, True, predicted=ratio, **near(1.0, number("tolerance.ratio")))
    slack = number("tolerance.share")
    for name, words, limits in (
        ("20", "20 mg twice a day", near(0.0, slack)),
        ("100", "100 mg a day", at_least(slack, rule="resistance is selected")),
    ):
        share = _resistant(seen[name])
        told = f"change of the share of resistant bacteria in {until} weeks of doxycycline, {words}"
        found = about(fact, group, told, "percentage points", predicted=100 * float(share[1] - share[0]), **limits)
        yield found._replace(check=f"resistance_doxycycline_{name}", status="assumed")


def _resistant(seen: Followed) -> np.ndarray:
    """Mean share of resistant bacteria before and after."""
    return (1 / (1 + np.exp(-seen.states["q"][[0, -1]]))).mean(1)


def _order(of: Scene) -> Iterator[Found]:
    given = {name: topical(name, strength, ORDER_WEEK) for name, strength in RETINOIDS.items()}
    given["clindamycin"] = topical("clindamycin", CLINDAMYCIN, ORDER_WEEK)
    given |= {name: oral(name, dose, ORDER_WEEK) for name, dose in ANTIBIOTICS.items()}
    controls = {route: of.follow(control(route, ORDER_WEEK), ORDER_WEEK, USUAL) for route in ("topical", "oral")}
    for name, courses in given.items():
        against = controls["oral" if name in ANTIBIOTICS else "topical"]
        seen = of.follow(courses, ORDER_WEEK, USUAL)
        inflamed, comedones = (seen.change(k, ORDER_WEEK) - against.change(k, ORDER_WEEK) for k in KINDS)
        first = comedones - inflamed if name in RETINOIDS else inflamed - comedones
        more, less = ("comedones", "inflammatory lesions")[:: 1 if name in RETINOIDS else -1]
        told = trials_tell(name)
        away = [one if name in RETINOIDS else -one for one, _ in told]
        words = f"effect of {name.replace('_', ' ')} on {more} beyond that on {less}, over its control at week 12"
        source = "; ".join(dict.fromkeys(cited for _, cited in told)) or "clinical knowledge, no trial of it alone"
        yield Found(
            f"order_{name}", "order", words, "percentage points",
            predicted=first, status="measured" if told else "assumed", source=source,
            **at_most(0.0, (min(away), max(away)) if away else (-np.inf, 0.0), "acts more on the former"),
        )  # fmt: skip


def trials_tell(drug: str) -> list[tuple[float, str]]:
    """Of each trial of one drug against control: the difference in the change of comedones less that of inflammatory
    lesions, percentage points, and the citation."""
    name, strength = ALIKE.get(drug, (drug, None))
    found = []
    for trial in arms():
        if trial.design == "review":
            continue
        for other in trial.controls:
            for arm in trial.arms:
                if set(arm.treatments) not in ({name}, {drug}) or not _strong(arm.courses, name, strength):
                    continue
                figures, against = arm.at(trial.week), other.at(trial.week)
                if all(f"{kind}_percent" in each for kind in KINDS for each in (figures, against)):
                    inflamed, comedones = (
                        figures[f"{kind}_percent"].value - against[f"{kind}_percent"].value for kind in KINDS
                    )
                    found.append((comedones - inflamed, trial.citation))
    return found


def _strong(courses: tuple[Course, ...], name: str, strength: float | None) -> bool:
    """Whether a trial gave this strength of adapalene, of which two are told apart."""
    if name != "adapalene":
        return True
    most = max(tier.dose.amount for course in courses for tier in course.tiers)
    return (most > 1) == (strength is not None) or courses[0].treatment == "adapalene_03"


def _maintenance(of: Scene) -> Iterator[Found]:
    for fact in maintenance():
        (week,) = fact.kept
        crowd = of.crowd(SEVERE)
        seen = of.on(crowd, maintained(fact.courses, crowd, fact.stopped, week))
        kept = 100 * keeping(*(seen.visit(at)["total"] for at in (0, fact.stopped, week)))
        words = f"people who keep half of their improvement by doxycycline after 16 weeks of {fact.key}"
        limits = near(fact.kept[week], number("tolerance.people"))
        found = about(fact, "maintenance", words, "percent", predicted=kept, **limits)
        yield found._replace(check=f"maintenance_{fact.key}")


def maintained(courses: tuple[Course, ...], crowd: Any, stopped: int, weeks: int) -> Plan:
    """The courses, and of some people, as told in `maintenance.before`, adapalene before, of the others vehicle."""
    first, second = topical("adapalene", 0.1, stopped), control("topical", stopped)
    many = np.arange(crowd.size) < round(number("maintenance.before") * crowd.size)
    one, other = (plan((*courses, *more), crowd, weeks) for more in (first, second))
    return Plan(*(np.where(many, a, b) for a, b in zip(one, other, strict=True)))


def keeping(before: np.ndarray, stopped: np.ndarray, after: np.ndarray) -> float:
    """Share of people who keep half of their improvement, of those who lost half of their lesions before."""
    better = 2 * stopped <= before
    if not better.any():
        return float("nan")
    return float((before - after >= (before - stopped) / 2)[better].mean())


def _flare(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    crowd = of.crowd(WOMEN)
    seen = of.on(crowd, nothing(crowd, WEEK * FLARE_WEEKS), every=1)
    flares = np.asarray(seen.person.cycle.amplitude) > 0
    slack, group = number("tolerance.flare"), "menstrual cycle"
    ratios = {
        kind: swing(values[-CYCLE:][:, flares])
        for kind, values in (
            ("flare_inflammatory", seen.inflammatory),
            ("flare_comedones", seen.comedones),
            ("flare_papules", seen.states["Pa"]),
        )
    }
    before, after = known["flare_papules_before"], known["flare_papules_after"]
    told = {kind: known[kind].low for kind in ratios if kind in known} | {"flare_papules": before.low / after.low}
    for kind, ratio in ratios.items():
        fact = known.get(kind, before)
        words = fact.about if kind in known else "papules before menstruation over those otherwise"
        limits = near(told[kind], slack * (told[kind] - 1))
        found = about(fact, group, words, "ratio", kind == "flare_inflammatory", predicted=ratio, **limits)
        yield found._replace(check=kind)
    for kind in ("flare_inflammatory_share", "flare_comedones_share"):
        fact = known[kind]
        limits = near(fact.low, number("tolerance.people"))
        share = 100 * float(flares.mean())
        yield about(fact, group, fact.about, fact.unit, kind.startswith("flare_inf"), predicted=share, **limits)
    fact = known["flare_reported"]
    why = "what women notice of a flare is not modelled"
    yield about(fact, group, fact.about, fact.unit, **unanswered(fact.low, fact.high, why))


def swing(daily: np.ndarray) -> float:
    """Lesions in the worst week of a cycle over those in the best, mean of people; daily (days of a cycle, people)."""
    days = len(daily)
    weekly = np.stack([np.take(daily, range(d, d + WEEK), 0, mode="wrap").mean(0) for d in range(days)])
    return float((weekly.max(0) / weekly.min(0)).mean())


def _spironolactone(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    peroxide = topical("benzoyl_peroxide", 5, 26)
    given = {
        "spironolactone": (*oral("spironolactone", "150 mg", 26), *peroxide),
        "doxycycline": (*oral("doxycycline", "100 mg", 13), *peroxide),
    }
    seen = {name: of.follow(courses, 26, WOMEN) for name, courses in given.items()}
    for week, key in FASCE.items():
        begun = {name: (one.visit(0)["iga"], one.visit(int(week))["iga"]) for name, one in seen.items()}
        share = {name: ((now <= 1) & (before - now >= 2)).mean() for name, (before, now) in begun.items()}
        fact, ratio = known[key], float(share["spironolactone"] / share["doxycycline"])
        limits = near(fact.low, number("tolerance.ratio") * fact.low)
        yield about(fact, "spironolactone", fact.about, fact.unit, predicted=ratio, **limits)
