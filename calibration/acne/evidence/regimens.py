"""What an arm of a trial of acne receives.

A topical product tells its `strength` in per cent; one application of `ONE[treatment]` per cent is the dose
`1 application`, another strength is read as that many applications: 5 % benzoyl peroxide is 2 applications of 2.5 %.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...evidence.reading import mapping, number, one_of, sequence
from ...evidence.regimens import Course, Tier, read_course

ONE = {  # per cent; the strength that a study file calls one application
    "benzoyl_peroxide": 2.5,
    "adapalene": 0.1,
    "adapalene_03": 0.3,
    "tretinoin": 0.05,
    "tazarotene": 0.045,
    "trifarotene": 0.005,
    "clindamycin": 1.2,
    "dapsone": 7.5,
    "azelaic_acid": 15.0,
    "clascoterone": 1.0,
    "minocycline_foam": 4.0,
}
CLASSES = {
    "vehicle": "vehicle",
    "placebo_tablet": "placebo tablet",
    "sham_session": "sham session",
    "benzoyl_peroxide": "benzoyl peroxide",
    **dict.fromkeys(("adapalene", "adapalene_03", "tretinoin", "tazarotene", "trifarotene"), "retinoid"),
    **dict.fromkeys(("clindamycin", "minocycline_foam"), "topical antibiotic"),
    "dapsone": "dapsone",
    "azelaic_acid": "azelaic acid",
    "clascoterone": "topical antiandrogen",
    **dict.fromkeys(("doxycycline", "minocycline", "sarecycline"), "oral antibiotic"),
    "combined_contraceptive": "contraceptive",
    "spironolactone": "oral antiandrogen",
    **dict.fromkeys(
        ("isotretinoin", "isotretinoin_fasted", "isotretinoin_lidose", "isotretinoin_lidose_fasted"), "isotretinoin"
    ),
    "photodynamic_therapy": "photodynamic therapy",
    "laser_1726": "laser",
}
TREATMENTS = tuple(CLASSES)
CONTROLS = ("vehicle", "placebo_tablet", "sham_session")
TOPICALS = ("vehicle", *ONE)
SESSIONS = ("photodynamic_therapy", "laser_1726", "sham_session")


def read_acne_courses(entry: Mapping[str, Any], where: str) -> tuple[Course, ...]:
    """The courses of an entry's `regimen`; none, if it has no regimen.

    Raises:
      ValueError: with the place, what is wrong with it.
    """
    told = sequence(entry["regimen"], f"{where}.regimen") if "regimen" in entry else ()
    return tuple(_course(course, f"{where}.regimen.{place}") for place, course in enumerate(told))


def _course(entry: Any, where: str) -> Course:
    """A course, its strength turned into applications."""
    told = dict(mapping(entry, where))
    strength = told.pop("strength", None)
    course = read_course(told, where, TREATMENTS)
    if (strength is None) == (course.treatment in ONE):
        raise ValueError(f"{where}: every topical drug, and nothing else, tells its strength in per cent")
    for tier in course.tiers:
        one_of(tier.dose.unit, f"{where}.dose", _units(course.treatment))
    if strength is None:
        return course
    share = number(strength, f"{where}.strength", 0.001, 100) / ONE[course.treatment]
    doses = [tier.dose._replace(amount=tier.dose.amount * share) for tier in course.tiers]
    tiers = tuple(Tier(tier.up_to, dose) for tier, dose in zip(course.tiers, doses, strict=True))
    return replace(course, tiers=tiers)


def _units(treatment: str) -> tuple[str, ...]:
    """What its dose may be told in."""
    if treatment in TOPICALS:
        return ("application",)
    if treatment in SESSIONS:
        return ("session",)
    return ("tablet",) if treatment == "placebo_tablet" else ("mg", "mg/kg")


def drug_class(courses: tuple[Course, ...]) -> str:
    """The classes of what an arm receives, joined by ` + `; controls count only where there is nothing else."""
    classes = dict.fromkeys(CLASSES[course.treatment] for course in courses)
    active = [name for name in classes if name not in (CLASSES[control] for control in CONTROLS)]
    return " + ".join(active or classes) or "none"
