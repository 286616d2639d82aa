"""The protocol as arrays: doses and visits on one time line that all twins share."""

import jax.numpy as jnp
import numpy as np

from ..core.disease import Disease
from ..core.engine.course import on_device
from ..core.engine.mesh import Mesh, graded
from .conduct import Protocol, Rules
from .study import Arm, Conduct, Study, Trial

DAYS = 7  # in a week


def mesh(trial: Trial, scale: float) -> Mesh:
    """The trial's time mesh; one scale fits all arms."""
    doses, first = set(), set()
    for arm in trial.arms.values():
        for name in slots(arm):
            weeks = sorted(w for course in arm.regimen if course.treatment == name for w in course.schedule())
            doses |= {DAYS * week for week in weeks}
            first.add(DAYS * weeks[0])
    return graded(first, doses, [DAYS * w for w in trial.visits], scale)


def protocol(study: Study, disease: Disease, mesh: Mesh) -> Protocol:
    """The study's trial on a mesh."""
    trial = study.trial
    drugs = [slots(arm) for arm in trial.arms.values()]
    width = max(map(len, drugs), default=0)
    numbers = np.zeros((len(drugs), width), dtype=np.int64)
    doses = np.zeros((len(mesh.breaks), len(drugs), width))
    for a, (arm, names) in enumerate(zip(trial.arms.values(), drugs, strict=True)):
        for s, name in enumerate(names):
            numbers[a, s] = disease.number(name)
        for course in arm.regimen:
            for week in course.schedule():
                doses[np.searchsorted(mesh.breaks, DAYS * week), a, names.index(course.treatment)] += course.dose
    days = DAYS * np.array(trial.visits)
    first = np.searchsorted(mesh.breaks, days)
    return Protocol(
        days=jnp.asarray(days, dtype="float64"),
        first=jnp.asarray(np.append(first, first[-1])),
        dose_days=jnp.asarray(mesh.breaks.astype(np.int64)),
        doses=jnp.asarray(doses),
        drugs=jnp.asarray(numbers),
        grid=on_device(mesh.times, mesh.begins),
        rules=rules(trial.conduct),
    )


def slots(arm: Arm) -> tuple[str, ...]:
    """The treatments of an arm in order of appearance, each once."""
    return tuple(dict.fromkeys(course.treatment for course in arm.regimen))


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
