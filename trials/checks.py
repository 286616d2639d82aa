"""What the schema cannot know: whether a study's words mean something to its disease, population and analyses."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..population.eligibility import meets
from ..population.messages import nearest
from ..population.sample import POPULATIONS, Source
from . import match
from .levels import categories
from .places import quota_problems
from .statistics import analyses
from .study import Course, Criterion, Study


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
    return [
        *_regimens(study, disease),
        *_criteria("trial.eligibility", study.trial.eligibility, disease, source),
        *_population(study, disease, source),
        *_strata(study, source),
        *_rescue(study, disease),
        *analyses.check(study, disease, source.attributes),
    ]


def _regimens(study: Study, disease: Disease) -> Iterator[str]:
    for name, arm in study.trial.arms.items():
        for number, course in enumerate(arm.regimen):
            where = f"trial.arms.{name}.regimen.{number}"
            yield from _course(where, course, disease)


def _course(where: str, course: Course, disease: Disease) -> Iterator[str]:
    systemic = [t.name for t in disease.treatments.values() if t.route != "topical"]
    treatment = disease.treatments.get(course.treatment)
    if treatment is None:
        yield f"{where}.treatment: unknown treatment {course.treatment!r}; {nearest(course.treatment, systemic)}"
    elif treatment.route == "topical":
        choices = ", ".join(systemic)
        yield f"{where}.treatment: {treatment.name} is topical and can only be a rescue; choose from {choices}"
    elif course.dose > treatment.highest_dose:
        limit = f"{treatment.highest_dose:g} {treatment.unit}"
        why = f"the highest single dose of {treatment.name} that is accepted"
        yield f"{where}.dose: {course.dose:g} mg is above {limit}, {why}"


def _criteria(where: str, criteria: Mapping[str, Criterion], disease: Disease, source: Source) -> Iterator[str]:
    """Tries every criterion on an empty cohort, so that sampling itself cannot fail on one."""
    kinds = {"yes/no": bool, "category": np.int64, "grade": np.int64, "number": np.float64}
    columns = {name: np.zeros(0, dtype=kinds[a.kind]) for name, a in source.attributes.items()}
    columns |= {name: np.zeros(0) for name in disease.endpoints}
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
    topical = [t.name for t in disease.treatments.values() if t.route == "topical"]
    if rescue.treatment not in topical:
        where = "trial.conduct.rescue.treatment"
        yield f"{where}: {rescue.treatment!r} is no rescue treatment; {nearest(rescue.treatment, topical)}"
