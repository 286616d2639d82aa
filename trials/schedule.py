"""The protocol as arrays: doses and visits on one time line that all twins share."""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..core.disease import Disease, undisturbed
from ..core.diseases import DISEASES
from ..core.engine.course import on_device
from ..core.engine.mesh import Mesh, graded
from .conduct import Protocol, Rules
from .dosing import Daily, Doses, Scaled
from .regimen import ALONE, DAYS, Arm, Course, Move, Part
from .sides import local
from .stages import NO_OUTCOME, Stages, responders
from .study import Conduct, Study, Trial

ONCE = 28  # days for which a drug counts as in use that is given a single time
RATIO = "erythema_ratio"  # of a light: its minimal erythema dose over the twins' `med`, a parameter behind its name
Own = dict[tuple[int, float, float], np.ndarray]  # amounts that depend on the twin, by their measure (`Part`)


class Plan(NamedTuple):
    """A stage of an arm, entered at a visit: arm number, stage number, number of the visit, its day, the courses."""

    arm: int
    stage: int
    visit: int
    day: int
    courses: tuple[Course, ...]


def plans(trial: Trial) -> list[Plan]:
    """All plans that a twin may come to follow; first those of the first stages, in the order of arms."""
    found = [Plan(number, 0, 0, 0, arm.opening()) for number, arm in enumerate(trial.arms.values())]
    for number, arm in enumerate(trial.arms.values()):
        regimens = list(arm.parts().values())
        for stage, visits in enumerate(_entries(trial, arm)):
            found += [Plan(number, stage, v, DAYS * trial.visits[v], regimens[stage]) for v in visits]
    return found


def _entries(trial: Trial, arm: Arm) -> list[list[int]]:
    """Numbers of the visits at which each stage can be entered (at baseline only the first, which is not listed)."""
    names = list(arm.parts())
    earliest: dict[str, int] = {names[0]: 0}
    entered: dict[str, set[int]] = {name: set() for name in names}
    grown = True
    while grown:
        grown = False
        for rule in arm.rules:
            if rule.source not in earliest:
                continue
            visits = {v for v in _decided(trial, rule) if v > earliest[rule.source]} - entered[rule.target]
            if visits:
                grown = True
                entered[rule.target] |= visits
                earliest[rule.target] = min(earliest.get(rule.target, len(trial.visits)), *visits)
    return [sorted(entered[name]) for name in names]


def _decided(trial: Trial, rule: Move) -> set[int]:
    """Numbers of the visits at which a rule can be decided; who missed its visit is decided upon later."""
    if rule.after is not None:
        return {v for v, week in enumerate(trial.visits) if week > rule.after}
    late = trial.conduct.missed_visit > 0
    return {v for v, week in enumerate(trial.visits) if week == rule.at or (late and week > (rule.at or 0))}


def mesh(trial: Trial, scale: float) -> Mesh:
    """The trial's time mesh; one scale fits all arms."""
    first, doses = set(), set()
    breaks = {DAYS * week for week in trial.visits}
    last = max(breaks)
    for plan in plans(trial):
        begins: dict[str, int] = {}
        for course in plan.courses:
            days = {plan.day + day for day in course.dose_days()}
            begins[course.treatment] = min(days | {begins.get(course.treatment, last)})
            doses |= days
            if course.times_a_day:
                doses.add(min(last, plan.day + (course.end() or 0)))  # what stops at once is as sharp as a dose
        first |= set(begins.values())
        doses.add(plan.day)
    disease = DISEASES[trial.disease]
    if disease.disturb is not undisturbed or disease.willing is not None:
        breaks |= set(range(0, last, DAYS))
    return graded(first, doses, breaks, scale)


def protocol(study: Study, disease: Disease, mesh: Mesh) -> Protocol:
    """The study's trial on a mesh."""
    trial = study.trial
    drugs = [slots(arm) for arm in trial.arms.values()]
    width = max(map(len, drugs), default=0)
    numbers = np.zeros((len(drugs), width), dtype=np.int64)
    saturable = np.zeros((len(drugs), width), dtype=bool)
    for a, names in enumerate(drugs):
        for s, name in enumerate(names):
            numbers[a, s] = disease.number(name)
            saturable[a, s] = disease.treatments[name].saturable
    days = DAYS * np.array(trial.visits)
    first = np.searchsorted(mesh.breaks, days)
    follow = plans(trial)
    return Protocol(
        days=jnp.asarray(days, dtype="float64"),
        first=jnp.asarray(np.append(first, first[-1])),
        dose_days=jnp.asarray(mesh.breaks.astype(np.int64)),
        doses=doses(follow, drugs, disease, mesh),
        drugs=jnp.asarray(numbers),
        saturable=jnp.asarray(saturable) if saturable.any() else None,
        stages=stages(trial, disease, follow),
        grid=on_device(mesh.times, mesh.begins),
        rules=rules(trial.conduct),
        local=local(disease, drugs, width) if trial.split else None,
    )


def slots(arm: Arm) -> tuple[str, ...]:
    """The treatments of an arm in order of appearance, each once."""
    return tuple(dict.fromkeys(course.treatment for course in arm.courses()))


def doses(follow: list[Plan], drugs: list[tuple[str, ...]], disease: Disease, mesh: Mesh) -> Doses:
    """What the plans give on a mesh. Doses after the last visit are left out; doses of one day add up."""
    shape = len(mesh.breaks), len(follow), max(map(len, drugs), default=0)
    single, rates, in_use = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    times, erythema = np.zeros(shape[:2]), np.zeros(shape[1:])
    own: Own = {}
    own_daily: Own = {}
    last = mesh.breaks[-1]
    for number, plan in enumerate(follow):
        for s, name in enumerate(drugs[plan.arm]):
            courses = [course for course in plan.courses if course.treatment == name]
            in_use[:, number, s] = _in_use(courses, mesh.breaks - plan.day)
            ratio = disease.parameters.get(f"{name}.{RATIO}")
            erythema[number, s] = ratio.value if ratio else 0.0
            for course in courses:
                if course.times_a_day:
                    taken = (mesh.breaks >= plan.day + course.start()) & (mesh.breaks < plan.day + (course.end() or 0))
                    for _, part in _given(course):
                        _into(rates, own_daily, part)[taken, number, s] += course.times_a_day * part.amount
                    times[taken, number] += course.times_a_day
                    continue
                for day, part in _given(course):
                    if plan.day + day <= last:
                        at = np.searchsorted(mesh.breaks, plan.day + day)
                        _into(single, own, part)[at, number, s] += part.amount
    return Doses(
        jnp.asarray(single),
        _scaled(own, erythema),
        Daily(jnp.asarray(rates), _scaled(own_daily, erythema), jnp.asarray(times)) if times.any() else None,
        jnp.asarray(in_use),
    )


def _given(course: Course) -> Iterator[tuple[int, Part]]:
    for day, parts in course.doses_by_day():
        yield from ((day, part) for part in parts)


def _into(same: np.ndarray, own: Own, part: Part) -> np.ndarray:
    """The amounts that a part of a dose belongs to: those the same for all twins, or those of its own measure."""
    kind = part[:3]
    return same if kind == (ALONE, 0.0, np.inf) else own.setdefault(kind, np.zeros(same.shape))


def _scaled(own: Own, erythema: np.ndarray) -> Scaled | None:
    if not own:
        return None
    per, over, up_to = zip(*own, strict=True)
    return Scaled(
        jnp.asarray(np.stack(list(own.values()), axis=-1)),
        jnp.asarray(np.array(per)),
        jnp.asarray(np.array(over)),
        jnp.asarray(np.array(up_to)),
        jnp.asarray(erythema),
    )


def _in_use(courses: list[Course], days: np.ndarray) -> np.ndarray:
    """On which days a drug counts as in use: from its first dose to one interval, its longest, after its last."""
    using = np.zeros(len(days), dtype=bool)
    for course in courses:
        if course.times_a_day:
            using |= (days >= course.start()) & (days < (course.end() or 0))
    single = sorted({day for course in courses if not course.times_a_day for day in course.dose_days()})
    if single:
        interval = max(np.diff(single), default=ONCE)
        using |= (days >= single[0]) & (days < single[-1] + interval)
    return using


def stages(trial: Trial, disease: Disease, follow: list[Plan]) -> Stages | None:
    """The stages of all arms as arrays; None where no arm has any."""
    if not any(arm.stages for arm in trial.arms.values()):
        return None
    arms = list(trial.arms.values())
    numbers = np.zeros((len(arms), max(len(arm.parts()) for arm in arms), len(trial.visits)), dtype=np.int64)
    numbers += np.arange(len(arms))[:, None, None]  # the arm's first plan where a stage cannot be entered
    for number, plan in enumerate(follow):
        numbers[plan.arm, plan.stage, plan.visit] = number
    shape = len(arms), max(len(arm.rules) for arm in arms)
    source, target, outcome = (np.full(shape, empty) for empty in (-1, 0, NO_OUTCOME))
    at, after, wanted, share = (np.full(shape, empty) for empty in (np.inf, np.inf, 1.0, 1.0))
    known = responders(disease)
    for a, arm in enumerate(arms):
        names = list(arm.parts())
        for r, rule in enumerate(arm.rules):
            source[a, r], target[a, r] = names.index(rule.source), names.index(rule.target)
            at[a, r] = np.inf if rule.at is None else DAYS * rule.at
            after[a, r] = np.inf if rule.after is None else DAYS * rule.after
            asked = rule.reached or rule.missed
            outcome[a, r] = known.index(asked) if asked else NO_OUTCOME
            wanted[a, r], share[a, r] = float(rule.missed is None), rule.share
    return Stages(*map(jnp.asarray, (numbers, source, target, at, after, outcome, wanted, share)))


def rules(conduct: Conduct) -> Rules:
    """Conduct as numbers; without rescue its chance is 0."""
    stop, rescue = conduct.discontinuation, conduct.rescue
    numbers = (
        conduct.adherence.probability,
        conduct.adherence.spread,
        stop.adverse_event,
        stop.lack_of_efficacy,
        DAYS * stop.lack_of_efficacy_from,
        stop.other,
        stop.followed_up,
        conduct.missed_visit,
        DAYS * rescue.from_week if rescue else 0,
        rescue.chance if rescue else 0,
    )
    return Rules(*(jnp.asarray(n, dtype="float64") for n in numbers))
