"""What the schema cannot know: whether a study's words mean something to its disease, population and analyses."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..core.disease import Disease, Outcome, Treatment
from ..core.diseases import DISEASES
from ..population.eligibility import meets
from ..population.messages import nearest
from ..population.sample import POPULATIONS, Source
from . import match
from .levels import categories
from .places import quota_problems
from .regimen import Course
from .schedule import RATIO
from .sides import LOCAL
from .stages import responders
from .statistics import analyses
from .study import Criterion, Study
from .units import Amount

HEAVY, TOLERANT = 100.0, 1.0  # kg and J/cm2 at which a dose by weight or by skin is held against the highest dose
UNITS = {  # in which a treatment may be dosed, by its own unit
    "mg": ("mg", "mg/kg"),
    "J/cm2": ("J/cm2", "MED"),
    **{unit: (unit,) for unit in ("application", "session", "tablet")},
}
EXAMPLES = {"mg": "100 mg", "J/cm2": "0.7 J/cm2"}


def problems(study: Study) -> list[str]:
    """Everything that makes the study impossible, one sentence each; empty for a sound one."""
    trial = study.trial
    found = []
    if trial.disease not in DISEASES:
        found.append(f"trial.disease: no model of {trial.disease!r}; {nearest(trial.disease, DISEASES)}")
    if study.population.source not in POPULATIONS:
        name = study.population.source
        found.append(f"population.source: no population {name!r}; {nearest(name, POPULATIONS)}")
    if found:
        return found
    disease, source = DISEASES[trial.disease], POPULATIONS[study.population.source]
    lacking = sorted(set(disease.attributes) - set(source.attributes))
    if lacking:
        return [f"population.source: {source.name} does not tell {', '.join(lacking)}, which {disease.name} needs"]
    if study.trial.split and disease.sides is None:
        return [f"trial.design: the model of {disease.name} does not tell the sides of a body apart; choose parallel"]
    return [
        *_arms(study, disease, source),
        *_model(study, disease),
        *_criteria("trial.eligibility", study.trial.eligibility, disease, source),
        *_population(study, disease, source),
        *_strata(study, source),
        *_rescue(study, disease),
        *_sides(study, disease),
        *analyses.check(study, disease, source.attributes),
    ]


def _arms(study: Study, disease: Disease, source: Source) -> Iterator[str]:
    for name, arm in study.trial.arms.items():
        for stage, regimen in arm.parts().items():
            where = f"trial.arms.{name}" + (f".stages.{stage}" if arm.stages else "")
            for number, course in enumerate(regimen):
                yield from _course(f"{where}.regimen.{number}", course, disease, source)
        for number, rule in enumerate(arm.rules):
            for word, outcome in (("if", rule.reached), ("unless", rule.missed)):
                if outcome is not None and outcome not in responders(disease):
                    said = nearest(outcome, responders(disease))
                    yield f"trial.arms.{name}.rules.{number}.{word}: no responder outcome {outcome!r}; {said}"


def _course(where: str, course: Course, disease: Disease, source: Source) -> Iterator[str]:
    treatment = disease.treatments.get(course.treatment)
    if treatment is None:
        choices = nearest(course.treatment, disease.treatments)
        yield f"{where}.treatment: unknown treatment {course.treatment!r}; {choices}"
        return
    units = UNITS[treatment.unit]
    for amount in course.amounts():
        if amount.unit not in units:
            known, example = " or ".join(units), EXAMPLES.get(units[0], f"1 {units[0]}")
            yield f"{where}.dose: {amount} does not fit {treatment.name}, which is given in {known}, such as {example}"
            return
    largest = course.largest()
    yield from _rhythm(where, course, treatment)
    if ("mg/kg" in largest or course.tiers) and "weight" not in source.attributes:
        yield f"{where}: a dose by body weight, which {source.name} does not tell"
    if "MED" in largest and "med" not in source.attributes:
        yield f"{where}.dose: {source.name} does not tell the minimal erythema dose (med): give J/cm2"
    if "MED" in largest and f"{treatment.name}.{RATIO}" not in disease.parameters:
        yield f"{where}.dose: the minimal erythema dose under {treatment.name} is not known: give J/cm2"
    for unit, value in largest.items():
        yield from _too_much(where, Amount(value, unit), treatment)


def _rhythm(where: str, course: Course, treatment: Treatment) -> Iterator[str]:
    light = treatment.route == "light"
    if course.times_a_day and treatment.route not in ("oral", "topical"):
        yield f"{where}.times_a_day: {treatment.name} is {treatment.route}: list weeks, or give times_a_week"
    if course.times_a_week and light:
        yield f"{where}.times_a_week: {treatment.name} is given in sessions: write sessions_a_week"
    if (course.sessions_a_week or course.doses) and not light:
        word = "sessions_a_week" if course.sessions_a_week else "doses"
        yield f"{where}.{word}: {treatment.name} is not given in sessions: write dose, and weeks or times_a_week"


def _too_much(where: str, largest: Amount, treatment: Treatment) -> Iterator[str]:
    factor, at = {
        "mg/kg": (HEAVY, f" in a twin of {HEAVY:g} kg"),
        "MED": (TOLERANT, f" where a minimal erythema dose is {TOLERANT:g} J/cm2"),
    }.get(largest.unit, (1.0, ""))
    if factor * largest.value > treatment.highest_dose:
        limit = f"{treatment.highest_dose:g} {treatment.unit}"
        why = f"the highest single dose of {treatment.name} that is accepted"
        yield f"{where}.dose: {factor * largest.value:g} {treatment.unit}{at} is above {limit}, {why}"


def _model(study: Study, disease: Disease) -> Iterator[str]:
    if study.model.draw is not None and disease.draw is None:
        yield f"model.draw: the uncertainty of the parameters of {disease.name} is not known; leave it out"


def _criteria(where: str, criteria: Mapping[str, Criterion], disease: Disease, source: Source) -> Iterator[str]:
    """Tries every criterion on an empty cohort, so that sampling itself cannot fail on one."""
    kinds = {"yes/no": bool, "category": np.int64, "grade": np.int64, "number": np.float64}
    columns = {name: np.zeros(0, dtype=kinds[a.kind]) for name, a in source.attributes.items()}
    columns |= {name: np.zeros(0) for name, endpoint in disease.endpoints.items() if not endpoint.detail}
    levels = categories(source.attributes)
    for name, criterion in criteria.items():
        if name not in columns:
            yield f"{where}.{name}: no such attribute or measurement; {nearest(name, columns)}"
            continue
        try:
            meets({name: criterion}, columns, levels)
        except ValueError as error:
            yield f"{where}.{str(error).removeprefix('eligibility.')}"


def _population(study: Study, disease: Disease, source: Source) -> Iterator[str]:
    """What selects among those who are eligible, and what the trial is compared with."""
    population = study.population
    if population.match is not None:
        yield from match.problems(population.match, source.name, source.attributes, disease.name)
    yield from quota_problems("population.quotas", population.quotas, source.attributes)
    yield from quota_problems("population.target", population.target, source.attributes)
    for name, region in population.recruitment.regions.items() if population.recruitment else ():
        yield from _criteria(f"population.recruitment.regions.{name}.only", region.only, disease, source)


def _sides(study: Study, disease: Disease) -> Iterator[str]:
    """What cannot differ between the sides of a person, or not be measured of one."""
    trial, sides = study.trial, disease.sides
    if not trial.split or sides is None:
        return
    whole = {name: [c for c in arm.regimen if _acts_everywhere(c, disease)] for name, arm in trial.arms.items()}
    (one, first), (other, second) = whole.items()
    for name, course in [(one, c) for c in first if c not in second] + [(other, c) for c in second if c not in first]:
        route = disease.treatments[course.treatment].route
        yield (
            f"trial.arms.{name}: {course.treatment} is {route} and acts on both sides: with design: split_body, "
            "give it in the same way in both arms, or in none"
        )
    seen = {name: np.zeros(1) for name in sides.shares}
    for name in dict.fromkeys((*trial.outcomes, *(analysis.outcome for analysis in trial.analyses.values()))):
        if name in disease.outcomes and (lacking := _lacking(disease.outcomes[name], seen)):
            yield (
                f"trial.outcomes: {name} needs {lacking}, which is of the person and not of one side; "
                f"what is measured of {sides.about}: {', '.join(sides.shares)}"
            )
    for name in trial.each_side:
        if name not in sides.shares or disease.endpoints[name].detail:
            known = [e for e in sides.shares if not disease.endpoints[e].detail]
            yield f"trial.each_side.{name}: no measurement of {sides.about} at screening; {nearest(name, known)}"


def _acts_everywhere(course: Course, disease: Disease) -> bool:
    treatment = disease.treatments.get(course.treatment)
    return treatment is not None and treatment.route not in LOCAL


def _lacking(outcome: Outcome, seen: Mapping[str, np.ndarray]) -> str:
    """An endpoint that an outcome needs and that is not among those seen; empty if there is none."""
    try:
        outcome.derive(seen, seen)
        if outcome.of is not None:
            outcome.of(seen)
    except KeyError as error:
        return str(error.args[0])
    return ""


def _strata(study: Study, source: Source) -> Iterator[str]:
    for number, factor in enumerate(study.trial.randomisation.stratify_by):
        where = f"trial.randomisation.stratify_by.{number}"
        attribute = source.attributes.get(factor.attribute)
        if attribute is None:
            choices = nearest(factor.attribute, source.attributes)
            yield f"{where}.attribute: no attribute {factor.attribute!r}; {choices}"
        elif attribute.kind in ("number", "grade") and factor.above is None:
            yield f"{where}: {factor.attribute} is a number: say where to cut it, such as above: 90"
        elif attribute.kind in ("yes/no", "category") and factor.above is not None:
            yield f"{where}: {factor.attribute} is {attribute.kind}: it cannot be cut above {factor.above:g}"


def _rescue(study: Study, disease: Disease) -> Iterator[str]:
    rescue = study.trial.conduct.rescue
    if rescue is None:
        return
    where = "trial.conduct.rescue"
    if not disease.rescue:
        yield f"{where}: the model of {disease.name} knows no rescue treatment; leave it out"
    elif rescue.treatment not in disease.rescue:
        said = nearest(rescue.treatment, disease.rescue)
        yield f"{where}.treatment: {rescue.treatment!r} is no rescue treatment; {said}"
