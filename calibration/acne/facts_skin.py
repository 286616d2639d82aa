"""Irritation, dark marks, resistance before treatment and how people take their drugs, beside published facts."""

from collections.abc import Iterator

import numpy as np

from ...core.acne.reading import SIGNS
from ...population.attributes import RACES
from .enrolled import USUAL
from .evidence.regimens import read_acne_courses
from .evidence.targets import Check, checks
from .facts_lesions import TOPICAL, topical
from .follow import Followed, Scene
from .found import Found, about, between, near, number, unanswered

IRRITATION, PIGMENT, OTHERS = "irritation", "dark marks", "people and bacteria"
MODERATE, SEVERE = 2.0, 3.0  # grades of a sign
RACES_OF = {"black": ("black",), "hispanic": ("mexican_american", "other_hispanic"), "asian": ("asian",)}
YEAR = 365.25  # days
COMBINED = [
    {"treatment": "adapalene_03", "strength": 0.3, **TOPICAL},
    {"treatment": "benzoyl_peroxide", "strength": 2.5, **TOPICAL},
]


def facts(of: Scene) -> Iterator[Found]:
    """All that is neither lesions nor biology."""
    known = {check.key: check for check in checks()}
    yield from _irritation(of, known)
    yield from _pigment(of, known)
    yield from _others(of, known)


def worst(seen: Followed, weeks: int) -> np.ndarray:
    """The worst grade of each sign in these weeks, looked at weekly, (signs, people)."""
    visits = [seen.visit(week) for week in range(1, weeks + 1)]
    return np.stack([np.max([visit[sign] for visit in visits], axis=0) for sign in SIGNS])


def combined(of: Scene, weeks: int) -> Followed:
    """Usual people on adapalene 0.3 % with benzoyl peroxide."""
    courses = read_acne_courses({"regimen": [{**told, "until": weeks} for told in COMBINED]}, "combined")
    return of.follow(courses, weeks, USUAL)


def _irritation(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    weeks = int(number("irritation.weeks"))
    both, alone = combined(of, weeks), of.follow(topical("trifarotene", 0.005, weeks), weeks, USUAL)
    last = np.stack([both.visit(weeks)[sign] for sign in SIGNS])
    found = {
        "irritation_worst": float((worst(both, weeks) == MODERATE).mean()),
        "irritation_final": float((last == MODERATE).mean()),
        "irritation_trifarotene": float((worst(alone, weeks) == SEVERE).mean()),
    }
    for key, share in found.items():
        fact = known[key]
        limits = between(fact.low, fact.high)
        words = f"{fact.about}, mean of {len(SIGNS)} signs"
        yield about(fact, IRRITATION, words, fact.unit, predicted=100 * share, **limits)


def lasting(numbers: dict[str, float], years: float) -> float:
    """Share of dark marks that are there for longer than so many years."""
    slow = numbers["marks.slow"]
    left = {name: np.exp(-numbers[f"marks.{name}_fading"] * YEAR * years) for name in ("fast", "slow")}
    return float((1 - slow) * left["fast"] + slow * left["slow"])


def _pigment(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    race = np.asarray(of.candidates.twins["race"])
    for name, levels in RACES_OF.items():
        of_race = np.isin(race, [RACES.index(level) for level in levels])
        fact = known[f"pigment_{name}"]
        share = 100 * float((of.seen["pih"][of_race] >= 1).mean())
        limits = near(fact.low, number("tolerance.people"))
        yield about(fact, PIGMENT, fact.about, fact.unit, predicted=share, **limits)
    for name, years in (("one_year", 1), ("five_years", 5)):
        fact = known[f"pigment_{name}"]
        limits = near(fact.low, number("tolerance.people"))
        share = 100 * lasting(dict(of.numbers), years)
        yield about(fact, PIGMENT, fact.about, fact.unit, True, predicted=share, **limits)


def _others(of: Scene, known: dict[str, Check]) -> Iterator[Found]:
    share = 100 * float(of.seen["resistant"].mean())
    for name in ("doxycycline", "clindamycin"):
        fact = known[f"resistant_{name}"]
        why = f"the model has one share of resistance for all antibiotics, {share:.1f} % before treatment"
        yield about(fact, OTHERS, fact.about, fact.unit, **unanswered(fact.low, fact.high, why))
    fact = known["adherence_reported"]
    weeks = int(number("irritation.weeks"))
    taken = 100 * float(of.follow(topical("adapalene", 0.1, weeks), weeks, USUAL).share.mean())
    limits = near(fact.low, number("tolerance.people"))
    yield about(fact, OTHERS, fact.about, fact.unit, predicted=taken, **limits)
    fact = known["adherence_electronic"]
    why = "how many doses are taken is a study's to say; the usual habit is that of trials as they report it"
    yield about(fact, OTHERS, fact.about, fact.unit, **unanswered(fact.low, fact.high, why))
